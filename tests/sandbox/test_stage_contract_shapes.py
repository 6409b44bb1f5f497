"""One table of what a step can do to files, and its change set: the same of overlay and copy."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.fakes import MemoryBlobs
from tests.sandbox.confining import needs_overlay
from tests.stage_fakes import OpenConfiner, snapshot, words_of
from turbo_tui.core.changes import FileChange
from turbo_tui.core.command import Command
from turbo_tui.sandbox.staging import copying, manifest
from turbo_tui.sandbox.staging.layers import Kind
from turbo_tui.sandbox.staging.stage import WorkspaceStage
from turbo_tui.sandbox.staging.stages import WorkspaceStages, open_stages

AGAIN = "TURBO_TUI_TEST_AS_ORDINARY_USER"
OLD = 1_700_000_000
LONG = "n" * 255
LATIN = os.fsdecode(b"caf\xe9.txt")
KINDS: tuple[Kind, ...] = ("overlay", "copy")
PARAMS = [*KINDS, "spare"]  # the last: a copy that another step has worked in


@dataclass(frozen=True)
class Shape:
    """What a step does, and what the change set says of it."""

    line: str
    words: list[str]
    ignored: dict[str, list[str]] = field(default_factory=dict[str, "list[str]"])
    notes: list[str] = field(default_factory=list[str])


SHAPES = {
    "a file renamed": Shape("mv src/a.py src/z.py", ["move src/z.py <- src/a.py"]),
    "a file renamed in case only": Shape("mv src/a.py src/A.py", ["move src/A.py <- src/a.py"]),
    "two files swapped": Shape(
        "mv src/a.py t; mv src/b.py src/a.py; mv t src/b.py",
        ["update src/a.py", "update src/b.py"],
    ),
    "renamed over another": Shape("mv src/a.py src/b.py", ["delete src/a.py", "update src/b.py"]),
    "a folder renamed": Shape(
        "mv src/deep src/low", ["delete src/deep", "move src/low/c.py <- src/deep/c.py"]
    ),
    "a folder moved into another": Shape(
        "mv src/deep docs/deep", ["move docs/deep/c.py <- src/deep/c.py", "delete src/deep"]
    ),
    "a folder renamed, and one of its name made": Shape(
        "mv src/deep src/low; mkdir src/deep; echo new > src/deep/d.py",
        ["add src/deep/d.py", "move src/low/c.py <- src/deep/c.py"],
    ),
    "a folder replaced by another": Shape(
        "rm -r docs; mv src/deep docs",
        ["move docs/c.py <- src/deep/c.py", "delete docs/guide.md", "delete src/deep"],
    ),
    "modes": Shape(
        "chmod 755 src/a.py; chmod 644 run.sh; chmod 600 src/b.py; chmod u=rw,g=r,o= docs/guide.md",
        ["mode docs/guide.md", "mode run.sh", "mode src/a.py", "mode src/b.py"],
    ),
    "a folder's mode": Shape("chmod 700 src/deep", ["mode src/deep"]),
    "a folder's mode, and what is in it": Shape(
        "chmod 700 src/deep; echo x >> src/deep/c.py", ["mode src/deep", "update src/deep/c.py"]
    ),
    "a folder's mode there and back": Shape("chmod 700 src/deep; chmod 755 src/deep", []),
    "an ignored folder's mode": Shape("chmod 700 build", [], {"build": ["build"]}),
    "special bits of a folder": Shape(
        "chmod g+s,o+t src/deep",
        [],
        notes=["src/deep: setuid, setgid or sticky bit of the folder; never lands"],
    ),
    "a mode there and back": Shape("chmod 600 src/a.py; chmod 644 src/a.py", []),
    "a link made": Shape("ln -s a.py src/new", ["add src/new"]),
    "a link to a folder made": Shape("ln -s deep src/new", ["add src/new"]),
    "a link redirected": Shape("ln -sfn src/b.py link", ["update link"]),
    "a link replaced by what it named": Shape("rm link; cp src/a.py link", ["retype link"]),
    "a file replaced by a link": Shape("rm src/a.py; ln -s b.py src/a.py", ["retype src/a.py"]),
    "a folder replaced by a link": Shape(
        "rm -r docs; ln -s src docs", ["retype docs", "delete docs/guide.md"]
    ),
    "a link to a folder replaced by a folder": Shape(
        "rm around; mkdir around; echo x > around/x", ["delete around", "add around/x"]
    ),
    "written through a link": Shape("echo more >> link", ["update src/a.py"]),
    "binaries": Shape(
        "printf '\\000\\377' > image.bin; head -c 3000 /dev/zero > zeros",
        ["update image.bin", "add zeros"],
    ),
    "a folder removed": Shape("rm -r src/deep", ["delete src/deep", "delete src/deep/c.py"]),
    "all in a folder removed": Shape("rm src/deep/c.py", ["delete src/deep/c.py"]),
    "a folder removed and made again empty": Shape(
        "rm -r src/deep; mkdir src/deep", ["delete src/deep/c.py"]
    ),
    "a folder removed and made again as it was": Shape(
        "cp -a src/deep keep; rm -r src/deep; mv keep src/deep", []
    ),
    "a folder removed and made again with other files": Shape(
        "rm -r src; mkdir -p src/other; echo x > src/other/x",
        [
            "delete src/a.py",
            "delete src/b.py",
            "delete src/deep",
            "delete src/deep/c.py",
            "add src/other/x",
        ],
    ),
    "an empty folder removed": Shape("rmdir empty", ["delete empty"]),
    "an empty folder filled": Shape("echo x > empty/x", ["add empty/x"]),
    "empty folders": Shape("mkdir -p one/two/three", ["add one/two/three"]),
    "file to folder to file": Shape(
        "rm src/a.py; mkdir src/a.py; rmdir src/a.py; echo 'one = 1' > src/a.py", []
    ),
    "folder to file to folder": Shape(
        "rm -r src/deep; echo x > src/deep; rm src/deep; mkdir src/deep;"
        "echo 'three = 3' > src/deep/c.py",
        [],
    ),
    "file to folder": Shape(
        "rm src/a.py; mkdir src/a.py; echo x > src/a.py/x", ["delete src/a.py", "add src/a.py/x"]
    ),
    "file to empty folder": Shape("rm src/a.py; mkdir src/a.py", ["retype src/a.py"]),
    "folder to file": Shape(
        "rm -r src/deep; echo x > src/deep", ["retype src/deep", "delete src/deep/c.py"]
    ),
    "ignored files": Shape(
        "mkdir -p build/sub; echo x > build/sub/n.o; echo y > build/old.o; rm build/gone.o;"
        "echo x > src/a.log",
        [],
        {"build": ["build/gone.o", "build/old.o", "build/sub/n.o"], "src": ["src/a.log"]},
    ),
    "an ignored folder removed": Shape(
        "rm -r build", [], {"build": ["build", "build/gone.o", "build/old.o"]}
    ),
    "a folder that comes to be ignored": Shape(
        "echo 'out/' >> .gitignore; mkdir out; echo x > out/x",
        ["update .gitignore"],
        {"out": ["out/x"]},
    ),
    "a hard link made": Shape("ln src/a.py src/twin", ["add src/twin"]),
    "a hard link in place of a file": Shape("ln -f src/a.py src/b.py", ["update src/b.py"]),
    "two names of a new file": Shape("echo x > n; ln n m", ["add m", "add n"]),
    "written through a hard link": Shape(
        "ln src/a.py src/twin; echo more >> src/twin", ["update src/a.py", "add src/twin"]
    ),
    "a twin of the workspace's written": Shape("echo more > twin-1", ["update twin-1"]),
    "sparse and big": Shape(
        "truncate -s 40000000 hole; head -c 3000000 /dev/zero | tr '\\0' x > big",
        ["add big", "add hole"],
    ),
    "a sparse file of the workspace written": Shape(
        "printf x | dd of=sparse bs=1 seek=1000000 conv=notrunc", ["update sparse"]
    ),
    "truncated to nothing": Shape("true > src/a.py", ["update src/a.py"]),
    "truncated to the same length": Shape(
        "truncate -s 0 src/a.py; truncate -s 8 src/a.py", ["update src/a.py"]
    ),
    "made and removed again": Shape("mkdir d; echo x > d/f; rm -r d; echo x > t; rm t", []),
    "names of 255 bytes": Shape(
        f"echo x > {LONG}; mkdir src/{LONG}", [f"add {LONG}", f"add src/{LONG}"]
    ),
    "odd names": Shape(
        "touch -- ' ' -x 'a\\b' '*' '#' '~' \"$(printf 'a\\nb')\" \"$(printf '\\377')\" wh.x .wh.x",
        [
            f"add {name}"
            for name in sorted(
                [" ", "-x", "a\\b", "*", "#", "~", "a\nb", "\udcff", "wh.x", ".wh.x"]
            )
        ],
    ),
    "a name that is not UTF-8 written": Shape(
        'for f in caf*; do echo more >> "$f"; done', [f"update {LATIN}"]
    ),
    "only touched": Shape("touch -d @1 src/a.py src docs/guide.md run.sh", []),
    "read only": Shape("cat src/a.py image.bin > /dev/null; ls -lR . > /dev/null", []),
    "rewritten alike": Shape("cp -p src/a.py t; cat t > src/a.py; rm t", []),
    "changed and restored, times too": Shape(
        "cp -p src/a.py t; echo x > src/a.py; cat t > src/a.py; touch -r t src/a.py; rm t", []
    ),
    "replaced by rename, same size and mtime": Shape(
        "tac -s = src/a.py > t; truncate -s 8 t; touch -r src/a.py t; mv t src/a.py",
        ["update src/a.py"],
    ),
    "written in place, same size and mtime": Shape(
        "touch -r src/a.py t; printf X | dd of=src/a.py conv=notrunc; touch -r t src/a.py; rm t",
        ["update src/a.py"],
    ),
    "git's own": Shape(
        "echo x > .git/x; rm .git/HEAD", [], notes=[".git: 2 internal files; never lands"]
    ),
    "links out": Shape(
        "ln -s / out; ln -sfn ../../x src/up",
        [],
        notes=[
            "out: a link that leads outside the workspace; never lands",
            "src/up: a link that leads outside the workspace; never lands",
        ],
    ),
    "special files": Shape(
        "mkfifo queue; rm src/a.py; mkfifo src/a.py",
        [],
        notes=["queue: a FIFO; never lands", "src/a.py: a FIFO; never lands"],
    ),
    "nested deeply": Shape(
        f"mkdir -p {'d/' * 150}; echo x > {'d/' * 150}f", [f"add {'d/' * 150}f"]
    ),
    "many files": Shape(
        "i=0; while [ $i -lt 300 ]; do echo $i > src/f$i; i=$((i+1)); done",
        sorted(f"add src/f{i}" for i in range(300)),
    ),
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small repository for all tests; no stage may change it."""
    root = tmp_path_factory.mktemp("shapes") / "workspace"
    for folder in ("src/deep", "docs", "build", "empty"):
        (root / folder).mkdir(parents=True)
    (root / "src/a.py").write_text("one = 1\n")
    (root / "src/b.py").write_text("two = 2\n")
    (root / "src/deep/c.py").write_text("three = 3\n")
    (root / "docs/guide.md").write_text("# Guide\n")
    (root / "build/old.o").write_text("old")
    (root / "build/gone.o").write_text("gone")
    (root / ".gitignore").write_text("build/\n*.log\n")
    (root / "image.bin").write_bytes(bytes(range(256)) * 8)
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / LATIN).write_bytes(b"caf\xe9\r\n")
    (root / "link").symlink_to("src/a.py")
    (root / "around").symlink_to("docs")
    (root / "twin-1").write_text("twin\n")
    (root / "twin-2").hardlink_to(root / "twin-1")
    with (root / "sparse").open("wb") as file:
        file.truncate(2_000_000)
    subprocess.run(["git", "init", "-q", root], check=True, capture_output=True)
    for path in (*root.rglob("*"), root):
        os.utime(path, (OLD, OLD), follow_symlinks=False)
    newest = max(path.lstat().st_ctime_ns for path in (root, *root.rglob("*")))
    manifest.await_tick(root.parent, newest)
    return root


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("states")


@pytest.fixture(params=PARAMS)
def way(request: pytest.FixtureRequest) -> str:
    way: str = request.param
    return way


@pytest.fixture
def kind(way: str, why_no_overlay: tuple[str, ...]) -> Kind:
    if way != "overlay":
        return "copy"
    needs_overlay(why_no_overlay)
    return "overlay"


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs()


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a test are younger than what is believed unchanged in earnest."""
    monkeypatch.setattr(copying, "TICK_S", 0.0)


@pytest.fixture
def stages(
    way: str, kind: Kind, workspace: Path, states: Path, blobs: MemoryBlobs
) -> WorkspaceStages:
    return open_stages(workspace, states / way, blobs, OpenConfiner(), rung=kind)


@pytest.fixture
async def stage(
    way: str, stages: WorkspaceStages, workspace: Path, states: Path
) -> AsyncIterator[WorkspaceStage]:
    """A stage; as a spare, of what the test before left and another step after it."""
    if way == "spare":
        worn = await stages.open("worn")
        await shell(
            worn, "rm -rf src; ln -s /etc src; mkfifo pipe; chmod 000 docs; echo x > run.sh"
        )
        await worn.close()
        assert list((states / way / "spares").glob("*/*/tree/pipe")) != []
    before = snapshot(workspace)
    opened = await stages.open("step")
    yield opened
    await opened.close()
    assert snapshot(workspace) == before


async def shell(stage: WorkspaceStage, line: str) -> None:
    result = await stage.run(Command(["sh", "-ec", line]))
    assert result.exit_code == 0, result.output


async def one(stage: WorkspaceStage, path: str) -> FileChange:
    (found,) = [change for change in (await stage.changes()).files if change.path == path]
    return found


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
async def test_a_step_s_doing_reads_the_same_on_every_rung(
    stage: WorkspaceStage, shape: Shape
) -> None:
    await shell(stage, shape.line)

    changes = await stage.changes()

    folded = {each.folder: sorted(c.path for c in each.changes) for each in changes.ignored}
    assert (words_of(changes), folded) == (shape.words, shape.ignored)
    assert list(changes.notes) == shape.notes
    assert all(change.base_known for change in changes.files)
    again = await stage.changes()
    assert again == changes


@pytest.mark.parametrize("path", ["src/a.py", "image.bin", "sparse"])
async def test_what_is_written_through_a_mapping_is_a_change(
    stage: WorkspaceStage, blobs: MemoryBlobs, path: str
) -> None:
    script = (
        "import mmap, sys\n"
        "file = open(sys.argv[1], 'r+b')\n"
        "mapped = mmap.mmap(file.fileno(), 0)\n"
        "first = mapped[0]\n"  # read before it is written: a file system may miss the write then
        "mapped[0] = first ^ 1\n"
        "mapped.close()\n"
    )
    done = await stage.run(Command(["/usr/bin/env", "python3", "-c", script, path]))
    if done.exit_code in {126, 127}:
        pytest.skip("no Python to be had for this user")

    assert words_of(await stage.changes()) == [f"update {path}"]
    change = await one(stage, path)
    assert change.before is not None
    assert change.after is not None
    before, after = blobs.get(change.before.blob), blobs.get(change.after.blob)
    assert (before[0] ^ after[0], before[1:]) == (1, after[1:])


async def test_times_of_files_and_folders_are_the_workspace_s(stage: WorkspaceStage) -> None:
    done = await stage.run(
        Command(["sh", "-c", "stat -c '%Y %n' . src src/a.py src/deep docs/guide.md link run.sh"])
    )

    assert {line.split()[0] for line in done.output.splitlines()} == {str(OLD)}


async def test_make_sees_nothing_newer_than_it_was(stage: WorkspaceStage) -> None:
    """As a build does: what is not touched need not be built again."""
    line = "find . -name .git -prune -o -newermt @1700000001 -print"
    done = await stage.run(Command(["sh", "-c", line]))

    assert done.output == ""


async def test_one_s_two_names_are_two_files_in_a_copy_and_one_change_each(
    stage: WorkspaceStage,
) -> None:
    await shell(stage, "echo one > twin-1; echo two > twin-2")

    assert words_of(await stage.changes()) == ["update twin-1", "update twin-2"]


async def test_both_sides_of_every_change_can_be_read(
    stage: WorkspaceStage, blobs: MemoryBlobs
) -> None:
    await shell(stage, "echo more >> src/a.py; mv docs/guide.md docs/g.md; rm src/b.py; echo n > n")

    for change in (await stage.changes()).files:
        for node in (change.before, change.after):
            if node is not None:
                assert len(blobs.get(node.blob)) == node.size_bytes


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.timeout(900)  # a whole file once more
def test_all_of_this_holds_for_an_ordinary_user() -> None:
    if AGAIN in os.environ:
        pytest.skip("already running again")
    become = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all")
    with tempfile.TemporaryDirectory(prefix="turbo-tui-tests-") as folder:
        os.chown(folder, 65534, 65534)
        env = {**os.environ, AGAIN: "1", "HOME": folder, "PYTHONDONTWRITEBYTECODE": "1"}
        here = Path(__file__).parents[2]
        python = (*become, sys.executable)
        able = subprocess.run((*python, "-c", "import pytest"), env=env, check=False, cwd=here)
        if able.returncode != 0:
            pytest.skip("an ordinary user cannot run this Python")
        quiet = ("-p", "no:cacheprovider", "-x", "-q", f"--basetemp={folder}/tmp")
        words = ("-m", "pytest", *quiet, "-k", "not copy")  # a spare is a copy, and more
        done = subprocess.run(
            (*python, *words, __file__),
            env=env,
            check=False,
            cwd=here,
            capture_output=True,
            text=True,
        )

    assert done.returncode == 0, done.stdout[-6000:]
