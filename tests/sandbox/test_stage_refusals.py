"""Where no stage can be made, or only a lesser one: what is said, and that nothing is lost."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from tests.fakes import MemoryBlobs
from tests.stage_fakes import OpenConfiner, snapshot, words_of
from turbo_tui.core.command import Command
from turbo_tui.core.errors import StageError
from turbo_tui.sandbox.staging import overlay
from turbo_tui.sandbox.staging.cloning import Cloner
from turbo_tui.sandbox.staging.stages import open_stages

HERE = Path(__file__).parents[2]
ROOT = os.geteuid() == 0
NOBODY = 65534

# Runs within namespaces of its own: prints the report, then what became of a stage.
INSIDE = """
import asyncio, json, sys
from pathlib import Path
from tests.fakes import MemoryBlobs
from tests.stage_fakes import OpenConfiner
from turbo_tui.core.command import Command
from turbo_tui.core.errors import TurboError
from turbo_tui.sandbox.staging.stages import open_stages

async def main(workspace, state, command, kind="auto"):
    said = {}
    try:
        stages = open_stages(
            Path(workspace), Path(state), MemoryBlobs(), OpenConfiner(), rung=kind
        )
        stage = await stages.open("s")
        stage.files.write("first", b"x")
        if command.startswith("tool "):
            try:
                stage.files.write(command[5:], b"tool")
            except TurboError as error:
                said["output"] = str(error)
            while stage.report.rung.startswith("overlay"):
                await asyncio.sleep(0)
        else:
            said["output"] = (await stage.run(Command(["sh", "-c", command]))).output
            said["again"] = (await stage.run(Command(["sh", "-c", command]))).exit_code
        said["stage"] = stage.report.rung
        try:
            stage.files.write("theirs/new", b"x" * 3_000_000)
        except TurboError as error:
            said["write"] = str(error)
        changes = await stage.changes()
        said["changes"] = [change.path for change in changes.files]
        said["notes"] = list(changes.notes)
        await stage.close()
        said["rung"] = stages.report.rung
        said["reasons"] = list(stages.report.reasons)
    except TurboError as error:
        said["error"] = str(error)
    said["left"] = [str(path) for path in (Path(state) / "stages").glob("*")]
    print(json.dumps(said))

asyncio.run(main(*sys.argv[1:]))
"""


def python(*words: object) -> list[object]:
    return [sys.executable, "-c", INSIDE, *words]


def in_namespace(mounts: str, *words: object) -> dict[str, object]:
    """Run INSIDE where `mounts` was done first, seen by nobody else."""
    unshare = ["unshare", "-m"] if ROOT else ["unshare", "-U", "-r", "-m"]
    script = f'{mounts} && exec "$@"'
    done = subprocess.run(
        [*unshare, "sh", "-c", script, "sh", *map(str, python(*words))],
        capture_output=True,
        check=False,
        cwd=HERE,
        text=True,
    )
    if "ermission" in done.stderr or "not permitted" in done.stderr:
        pytest.skip(f"no namespace to test in: {done.stderr}")
    assert done.returncode == 0, done.stderr
    return cast("dict[str, object]", json.loads(done.stdout))


@pytest.fixture
def work(tmp_path: Path) -> Path:
    root = tmp_path / "work"
    root.mkdir()
    (root / "f").write_text("f")
    return root


def test_a_state_on_an_overlay_means_a_copy_and_says_why(work: Path, tmp_path: Path) -> None:
    for name in ("lower", "upper", "inner", "state"):
        (tmp_path / name).mkdir()
    options = ",".join(
        f"{key}={tmp_path / name}"
        for key, name in (("lowerdir", "lower"), ("upperdir", "upper"), ("workdir", "inner"))
    )
    state = tmp_path / "state"

    said = in_namespace(
        f"mount -t overlay -o userxattr,{options} o {state}", work, state, "echo x > new"
    )

    assert said["rung"] == "copy+bubblewrap"
    assert said["changes"] == ["first", "new", "theirs/new"]
    assert "lies on an overlay itself" in str(said["reasons"])
    assert "TURBO_TUI_HOME" in str(said["reasons"])
    assert said["left"] == []


def test_a_mount_within_the_workspace_means_a_copy_that_has_it(work: Path, tmp_path: Path) -> None:
    (work / "volume").mkdir()

    said = in_namespace(
        f"mount -t tmpfs t {work}/volume && echo in > {work}/volume/v",
        work,
        tmp_path / "state",
        "cat volume/v",
    )

    assert said["output"] == "in\n"
    assert said["rung"] == "copy+bubblewrap"
    assert "is a mount of its own" in str(said["reasons"])


@pytest.mark.parametrize("kind", ["overlay", "copy"])
def test_a_full_disk_is_refused_and_leaves_no_half_stage(
    work: Path, tmp_path: Path, kind: str
) -> None:
    (work / "big").write_bytes(bytes(3_000_000))
    state = tmp_path / "state"
    state.mkdir()
    before = snapshot(work)

    said = in_namespace(
        f"mount -t tmpfs -o size=1m t {state}", work, state, "echo x >> big; true", kind
    )

    assert snapshot(work) == before
    assert said["left"] == []
    if kind == "copy":
        assert "is full" in str(said["error"])
        assert "TURBO_TUI_HOME" in str(said["error"])
    else:
        assert "No space left" in str(said["output"])
        assert "disk that holds the stage is full" in str(said["write"])
        assert said["changes"] == ["first"]


@pytest.mark.skipif(not ROOT, reason="only root can make files of two owners")
@pytest.mark.parametrize("owned", ["user", "group"])
@pytest.mark.parametrize("command", ["echo x >> theirs/f", "tool theirs/f"])
def test_a_foreign_owner_s_file_makes_an_ordinary_user_s_stage_a_copy_with_its_work(
    request: pytest.FixtureRequest, owned: str, command: str
) -> None:
    base = Path(tempfile.mkdtemp(prefix="turbo-tui-tests-"))
    request.addfinalizer(lambda: shutil.rmtree(base))
    work = base / "work"
    (work / "theirs").mkdir(parents=True)
    (work / "theirs" / "f").write_text("f")
    (work / "theirs" / "f").chmod(0o666)
    (work / "theirs").chmod(0o777)
    for path in (base, work):
        os.chown(path, NOBODY, NOBODY)
    if owned == "group":
        for path in (work / "theirs", work / "theirs" / "f"):
            os.chown(path, NOBODY, 4321)
    become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]

    done = subprocess.run(
        [*become, *map(str, python(work, base / "state", command))],
        capture_output=True,
        check=False,
        cwd=HERE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    if done.returncode != 0:
        pytest.skip(f"an ordinary user cannot run this Python: {done.stderr[-200:]}")
    said = cast("dict[str, object]", json.loads(done.stdout))

    assert "belongs to another user or group" in str(said["output"])
    assert said["stage"] == "copy+bubblewrap"
    assert "the stage is a copy now" in str(said["notes"])
    again = ["first", "theirs/new"] if command.startswith("tool") else ["first", "theirs/f"]
    assert said["changes"] == sorted({*again, "theirs/new"})
    assert said.get("again", 0) == 0
    assert "write" not in said
    assert said["rung"] == "copy+bubblewrap"
    assert "chown it to yourself" in str(said["reasons"])
    assert said["left"] == []


@pytest.mark.skipif(not ROOT, reason="only root can give files away")
@pytest.mark.parametrize("kind", ["overlay", "copy"])
async def test_as_root_new_files_belong_to_the_workspace_s_owner(
    work: Path, tmp_path: Path, kind: str
) -> None:
    for path in (work, work / "f"):
        os.chown(path, 1234, 4321)
    confiner = OpenConfiner()
    rung = "overlay" if kind == "overlay" else "copy"
    stages = open_stages(work, tmp_path / "s", MemoryBlobs(), confiner, rung=rung)
    stage = await stages.open("s")
    stage.files.write("new/file", b"x")
    stage.files.write("f", b"x")

    shown = await stage.run(Command(["stat", "-c", "%u:%g", ".", "new", "new/file", "f"]))

    assert shown.output.split() == ["1234:4321"] * 4
    assert (confiner.places[0].owner_uid, confiner.places[0].owner_gid) == (1234, 4321)
    await stage.close()


async def test_a_workspace_behind_a_link_is_the_folder_it_names(work: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("work")
    confiner = OpenConfiner()
    stages = open_stages(tmp_path / "link", tmp_path / "s", MemoryBlobs(), confiner)
    stage = await stages.open("s")
    await stage.run(Command(["true"]))

    assert confiner.places[0].workspace == work
    await stage.close()


async def test_a_git_folder_outside_is_named_to_the_confiner(tmp_path: Path) -> None:
    inner = tmp_path / "repo" / "inner"
    inner.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", tmp_path / "repo"], check=True)  # noqa: ASYNC221
    confiner = OpenConfiner()
    stage = await open_stages(inner, tmp_path / "s", MemoryBlobs(), confiner).open("s")
    await stage.run(Command(["true"]))

    assert confiner.places[0].git_dir == tmp_path / "repo" / ".git"
    await stage.close()


@pytest.mark.parametrize(
    ("name", "why"),
    [("missing", "No such file"), ("file", "Not a directory"), ("circle", "circle|levels")],
)
def test_a_workspace_that_is_no_folder_is_refused(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "circle").symlink_to("circle")

    with pytest.raises(StageError, match=why):
        open_stages(tmp_path / name, tmp_path / "s", MemoryBlobs(), OpenConfiner())


@pytest.mark.parametrize("state", [".", ".local/state"])
def test_a_state_within_the_workspace_is_refused(work: Path, state: str) -> None:
    before = snapshot(work)

    with pytest.raises(StageError, match=r"lies within the workspace.*TURBO_TUI_HOME"):
        open_stages(work, work / state, MemoryBlobs(), OpenConfiner())

    assert snapshot(work) == before


def test_without_a_sandbox_commands_run_in_a_copy_and_nothing_is_promised(
    work: Path, tmp_path: Path
) -> None:
    stages = open_stages(
        work, tmp_path / "s", MemoryBlobs(), OpenConfiner("unsandboxed"), reasons=("no bwrap.",)
    )

    assert (stages.report.rung, stages.report.level) == ("copy+unsandboxed", "none")
    assert stages.report.reasons[0] == "no bwrap."


async def test_when_a_named_overlay_cannot_be_mounted_any_more_nothing_is_left(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        stages = open_stages(work, tmp_path / "s", MemoryBlobs(), OpenConfiner(), rung="overlay")
    except StageError as error:
        pytest.skip(f"no overlay here: {error}")
    broken = tmp_path / "bin"
    broken.mkdir()
    (broken / "mount").write_text("#!/bin/sh\necho 'mount: permission denied' >&2\nexit 1\n")
    (broken / "mount").chmod(0o755)
    monkeypatch.setattr(overlay, "SYSTEM_PATH", (str(broken), *overlay.SYSTEM_PATH))

    with pytest.raises(StageError, match="permission denied"):
        await stages.open("s")
    with pytest.raises(StageError, match=r"No overlay can be used: .*refuses overlay mounts"):
        open_stages(work, tmp_path / "s", MemoryBlobs(), OpenConfiner(), rung="overlay")
    assert list((tmp_path / "s" / "stages").iterdir()) == []

    monkeypatch.setattr(overlay, "SYSTEM_PATH", ("/nonexistent",))
    with pytest.raises(StageError, match="Cannot mount a stage"):
        await stages.open("s")
    fallen = open_stages(work, tmp_path / "s", MemoryBlobs(), OpenConfiner())
    assert fallen.report.rung == "copy+bubblewrap"
    assert "cannot be tried here" in fallen.report.reasons[0]


async def test_cancelling_the_making_of_a_copy_leaves_nothing(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        (work / f"{number}").write_text("x")
    stages = open_stages(work, tmp_path / "s", MemoryBlobs(), OpenConfiner(), rung="copy")
    begun, go_on, really = threading.Event(), threading.Event(), Cloner.copy

    def copy(cloner: Cloner, source: int, target: int, found: os.stat_result) -> None:
        begun.set()
        go_on.wait(60)
        really(cloner, source, target, found)

    monkeypatch.setattr(Cloner, "copy", copy)
    opening = asyncio.create_task(stages.open("s"))
    assert await asyncio.to_thread(begun.wait, 60)

    opening.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await opening

    assert not (tmp_path / "s" / "stages" / "s").exists()
    stage = await stages.open("s")
    assert len(list(stage.files.walk())) == 21
    await stage.close()


async def test_a_stage_of_another_workspace_is_not_taken_up(work: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    stage = await open_stages(work, tmp_path / "s", MemoryBlobs(), OpenConfiner()).open("s")
    await stage.close(keep=True)

    with pytest.raises(StageError, match="belongs to"):
        await open_stages(other, tmp_path / "s", MemoryBlobs(), OpenConfiner()).reopen("s")


@pytest.fixture
def short_stack() -> Iterator[int]:
    """Let calls nest no deeper than this; each level of a folder takes its time."""
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(350)
    yield 350
    sys.setrecursionlimit(usual)


async def test_folders_deeper_than_a_call_stack_are_read_and_deleted(
    work: Path, tmp_path: Path, short_stack: int
) -> None:
    stages = open_stages(work, tmp_path / "s", MemoryBlobs(), OpenConfiner())
    stage = await stages.open("s")
    deep = "import os\nfor _ in range(N): os.mkdir('d'); os.chdir('d')\nopen('f', 'w').close()"
    await stage.run(Command(["python3", "-c", deep.replace("N", str(short_stack))]))

    assert words_of(await stage.changes()) == ["add " + "d/" * short_stack + "f"]
    await stage.close()
    assert list((tmp_path / "s" / "stages").iterdir()) == []


def test_mounts_are_named_with_their_odd_characters(tmp_path: Path) -> None:
    assert overlay.file_system(Path("/proc/self")) == "proc"
    assert overlay.submounts(tmp_path) == []


async def test_a_kept_stage_whose_files_are_gone_or_damaged_says_so(
    work: Path, tmp_path: Path
) -> None:
    stages = open_stages(work, tmp_path / "s", MemoryBlobs(), OpenConfiner(), rung="copy")
    folder = tmp_path / "s" / "stages" / "s"
    stage = await stages.open("s")
    await stage.close(keep=True)

    (folder / "manifest.json").write_text("{")
    with pytest.raises(StageError, match="is damaged"):
        await stages.reopen("s")
    (folder / "manifest.json").unlink()
    with pytest.raises(StageError, match=r"manifest\.json: No such file"):
        await stages.reopen("s")
    meta = cast("dict[str, object]", json.loads((folder / "meta.json").read_text()))
    for field, value in (("version", 99), ("kind", "magic"), ("started_ns", "late")):
        (folder / "meta.json").write_text(json.dumps({**meta, field: value}))
        with pytest.raises(StageError, match="is damaged"):
            await stages.reopen("s")
    await stages.discard("s")
    assert not folder.exists()


async def test_a_state_that_vanished_is_named(work: Path, tmp_path: Path) -> None:
    stages = open_stages(work, tmp_path / "s", MemoryBlobs(), OpenConfiner())
    (tmp_path / "s" / "stages").rmdir()

    with pytest.raises(StageError, match=r"stages/s: No such file"):
        await stages.open("s")


async def test_a_workspace_that_vanished_is_named(work: Path, tmp_path: Path) -> None:
    stages = open_stages(work, tmp_path / "s", MemoryBlobs(), OpenConfiner(), rung="copy")
    work.rename(tmp_path / "elsewhere")  # noqa: ASYNC240

    with pytest.raises(StageError, match=r"work: No such file"):
        await stages.open("s")
    assert list((tmp_path / "s" / "stages").iterdir()) == []


async def test_links_that_lead_nowhere_are_judged_by_their_words(
    work: Path, tmp_path: Path
) -> None:
    (work / "d").mkdir()
    stages = open_stages(work, tmp_path / "s", MemoryBlobs(), OpenConfiner())
    stage = await stages.open("s")
    line = (
        f"cd d; ln -s no/where in; ln -s no/../../../x out; ln -s {work}/no/where abs; ln -s x/y x;"
        f"ln -s {work}/no/../../x away"
    )
    await stage.run(Command(["sh", "-c", line]))
    changes = await stage.changes()
    await stage.close()

    assert words_of(changes) == ["add d/abs", "add d/in", "add d/x"]
    assert [note.split(":")[0] for note in changes.notes] == ["d/away", "d/out"]
