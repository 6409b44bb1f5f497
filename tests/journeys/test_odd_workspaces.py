"""Trees unlike the one next door: what lands is exact, and nothing else is touched."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.journeys.plans import plan_file, python_of, run_steps, shell, tool
from tests.journeys.turbo import PROGRAM, Ended, Turbo, differences, whole_tree
from turbo_tui.adapters.blobs import FolderBlobs
from turbo_tui.adapters.event_store import SqliteEventStore
from turbo_tui.core.changes import ChangeSet, from_json
from turbo_tui.core.events import HunkDecided, StepStaged
from turbo_tui.core.session import Session

OLD = 1_600_000_000
NOT_UTF8 = b"caf\xe9 \xff.txt"
ODD_NAMES = (
    NOT_UTF8,
    b"with space.txt",
    b"new\nline.txt",
    b"-rf",
    b"--help",
    b"colon:comma,back\\slash.txt",
    b"quote'\"$(touch pwned)`.txt",
    b"\x1b[31mred.txt",
    "snowman ☃ é.txt".encode(),
    b"trailing ",
    b"tab\there",
)


@pytest.fixture
def turbo(tmp_path: Path) -> Turbo:
    home, workspace = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    workspace.mkdir()
    return Turbo(home, workspace)


def age(root: Path) -> None:
    """Make everything old, so that a touched time shows."""
    for path in (*root.rglob("*"), root):
        os.utime(path, (OLD, OLD), follow_symlinks=False)


def git(folder: Path, *argv: str) -> str:
    done = subprocess.run(
        ("git", "-c", "user.name=U", "-c", "user.email=u@example.org", *argv),
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def untouched_but(
    turbo: Turbo, before: dict[str, tuple[str, int, int, str]], *changed: str
) -> None:
    """Hold that only `changed` differ, and that not even a time of anything else does."""
    after = whole_tree(turbo.workspace)
    assert set(differences(before, after)) == set(changed)
    folders = {path for path, entry in after.items() if entry[0] == "d"}
    for path in before.keys() & after.keys() - set(changed) - folders:
        assert after[path] == before[path], path


# --- contents ------------------------------------------------------------------


def test_edits_keep_line_ends_encodings_and_marks(turbo: Turbo) -> None:
    files = {
        "crlf.txt": (b"one\r\ntwo\r\nthree\r\n", b"one\r\n2\r\nthree\r\n"),
        "mixed.txt": (b"one\ntwo\r\nthree\n", b"one\n2\r\nthree\n"),
        "latin.txt": (b"caf\xe9\ntwo\n", b"caf\xe9\n2\n"),
        "bom.txt": (b"\xef\xbb\xbfone\ntwo\n", b"\xef\xbb\xbfone\n2\n"),
        "wide.txt": (
            "\ufeffone\r\ntwo\r\n".encode("utf-16-le"),
            "\ufeffone\r\n2\r\n".encode("utf-16-le"),
        ),
        "big.txt": ("\ufeffone\ntwo".encode("utf-16-be"), "\ufeffone\n2".encode("utf-16-be")),
        "no_end.txt": (b"one\ntwo", b"one\n2"),
    }
    for name, (before, _) in files.items():
        (turbo.workspace / name).write_bytes(before)
    (turbo.workspace / "other.txt").write_bytes(b"\x00\xff\r\n\r")
    age(turbo.workspace)
    tree = whole_tree(turbo.workspace)

    done = run_steps(turbo, [tool("edit_file", path=name, old="two", new="2") for name in files])

    assert done.code == 0, done.out + done.err
    for name, (_, after) in files.items():
        assert (turbo.workspace / name).read_bytes() == after, name
    untouched_but(turbo, tree, *files)


def test_one_hunk_of_a_crlf_file_lands_and_the_other_does_not(turbo: Turbo) -> None:
    lines = [b"line %d\r\n" % number for number in range(60)]
    file = turbo.workspace / "crlf.txt"
    file.write_bytes(b"".join(lines))
    edits = [
        tool("edit_file", path="crlf.txt", old=f"line {number}\n", new=f"LINE {number}\nmore\n")
        for number in (5, 50)
    ]
    assert run_steps(turbo, edits, approve="none").code == 3
    decide(turbo, "crlf.txt", hunk=0, accepted=False)

    resumed = turbo("session", "resume", "--approve", "staged", "--json")

    assert resumed.code == 0, resumed.out + resumed.err
    lines[50] = b"LINE 50\r\nmore\r\n"
    assert file.read_bytes() == b"".join(lines)


def decide(turbo: Turbo, path: str, *, hunk: int, accepted: bool) -> None:
    """Decide on a hunk of the step that waits, as the app does on a key."""
    (folder,) = (turbo.state / "sessions").iterdir()
    session = Session(SqliteEventStore(folder), clock=time.time)
    staged: list[StepStaged] = []
    session.subscribe(
        lambda record: (
            staged.append(record.event) if isinstance(record.event, StepStaged) else None
        ),
        replay=True,
    )
    session.append(
        HunkDecided(staged[-1].step_id, staged[-1].changes, path, hunk, accepted), "user"
    )
    session.close()


def test_odd_names_in_an_odd_folder_are_added_changed_moved_and_deleted(tmp_path: Path) -> None:
    workspace = tmp_path / os.fsdecode(b"o:d,d \\ \xff $x 'w'")
    workspace.mkdir()
    (tmp_path / "home").mkdir()
    turbo = Turbo(tmp_path / "home", workspace)
    root = os.fsencode(workspace)
    for name in ODD_NAMES:
        Path(os.fsdecode(root + b"/keep-" + name)).write_bytes(b"kept\n")
        Path(os.fsdecode(root + b"/edit-" + name)).write_bytes(b"old\n")
        Path(os.fsdecode(root + b"/gone-" + name)).write_bytes(b"bye\n")
    age(workspace)
    tree = whole_tree(workspace)
    program = f"""
import os
for name in {ODD_NAMES!r}:
    with open(b"edit-" + name, "ab") as file: file.write(b"new\\n")
    os.unlink(b"gone-" + name)
    with open(name, "wb") as file: file.write(b"added " + name)
"""

    done = run_steps(turbo, [python_of(program)])

    assert done.code == 0, done.out + done.err
    changed: list[str] = []
    for name in ODD_NAMES:
        assert Path(os.fsdecode(root + b"/" + name)).read_bytes() == b"added " + name
        assert Path(os.fsdecode(root + b"/edit-" + name)).read_bytes() == b"old\nnew\n"
        assert not Path(os.fsdecode(root + b"/gone-" + name)).exists()
        changed += [os.fsdecode(prefix + name) for prefix in (b"", b"edit-", b"gone-")]
    untouched_but(turbo, tree, *changed)
    for view in (("session", "show"), ("session", "show", "--json"), ("session", "verify")):
        shown = turbo(*view)
        assert shown.code == 0, shown.err
        assert "\x1b" not in shown.out
    assert turbo("session", "undo").code == 0
    assert not differences(tree, whole_tree(workspace))


def test_binary_files_land_and_their_undo_brings_every_byte_back(turbo: Turbo) -> None:
    content = bytes(range(256)) * 4_000
    for name in ("image.bin", "gone.bin", "stays.bin"):
        (turbo.workspace / name).write_bytes(content)
    (turbo.workspace / "was_text").write_bytes(b"text\n")
    age(turbo.workspace)
    tree = whole_tree(turbo.workspace)
    program = """
import os
with open("image.bin", "r+b") as file:
    file.seek(700_000); file.write(bytes(5000))
os.unlink("gone.bin")
open("new.bin", "wb").write(bytes(range(255, -1, -1)) * 100)
open("was_text", "wb").write(bytes(10))
"""

    assert run_steps(turbo, [python_of(program)]).code == 0

    changed = content[:700_000] + bytes(5000) + content[705_000:]
    assert (turbo.workspace / "image.bin").read_bytes() == changed
    assert (turbo.workspace / "new.bin").read_bytes() == bytes(range(255, -1, -1)) * 100
    assert (turbo.workspace / "was_text").read_bytes() == bytes(10)
    untouched_but(turbo, tree, "image.bin", "gone.bin", "new.bin", "was_text")
    assert turbo("session", "undo").code == 0
    assert not differences(tree, whole_tree(turbo.workspace))


def test_files_of_50_mb_land_without_being_held_in_memory(turbo: Turbo) -> None:
    size = 50_000_000
    block = os.urandom(1_000_000)
    for name in ("changed.bin", "deleted.bin"):
        with (turbo.workspace / name).open("wb") as file:
            for _ in range(50):
                file.write(block)
    (turbo.workspace / "big.txt").write_bytes(b"a line of text\n" * (size // 15))
    tree = whole_tree(turbo.workspace)
    program = f"""
import os
with open("changed.bin", "r+b") as file: file.seek({size // 2}); file.write(b"changed")
with open("big.txt", "ab") as file: file.write(b"one more\\n")
os.unlink("deleted.bin")
with open("added.bin", "wb") as file:
    for _ in range(50): file.write(bytes(1_000_000))
"""
    idle = peak_bytes(turbo, [python_of("pass")])

    peak = peak_bytes(turbo, [python_of(program)])

    assert set(differences(tree, whole_tree(turbo.workspace))) == {
        "added.bin",
        "big.txt",
        "changed.bin",
        "deleted.bin",
    }
    with (turbo.workspace / "changed.bin").open("rb") as file:
        file.seek(size // 2)
        assert file.read(7) == b"changed"
    digest = hashlib.sha256()
    for _ in range(50):
        digest.update(bytes(1_000_000))
    assert hashlib.sha256((turbo.workspace / "added.bin").read_bytes()).digest() == digest.digest()
    assert turbo("session", "undo").code == 0
    assert not differences(tree, whole_tree(turbo.workspace))
    assert peak - idle < 200_000_000, f"{(peak - idle) / 1e6:.0f} MB above idle"


def peak_bytes(turbo: Turbo, *steps: list[dict[str, object]]) -> int:
    """Run steps to landing; return the most memory that the program itself used at a time."""
    plan = str(plan_file(turbo, *steps))
    process = subprocess.Popen(
        (*PROGRAM, "run", "--plan", plan, "--approve", "staged", "--json"),
        cwd=turbo.workspace,
        env=turbo.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    watched = psutil.Process(process.pid)
    peak = 0
    while process.poll() is None:
        try:
            peak = max(peak, watched.memory_info().rss)
        except psutil.NoSuchProcess:
            break
        try:
            process.wait(0.01)
        except subprocess.TimeoutExpired:
            continue
    assert process.wait() == 0
    return peak


def test_two_thousand_files_changed_in_one_step_land_and_come_back(turbo: Turbo) -> None:
    for number in range(2_000):
        file = turbo.workspace / f"d{number % 40}" / f"f{number}.txt"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"file {number}\n")
    age(turbo.workspace)
    tree = whole_tree(turbo.workspace)

    done = run_steps(turbo, [shell("sed -i s/file/FILE/ d*/f*.txt && touch d0/new")])

    assert done.code == 0, done.err
    for number in range(2_000):
        file = turbo.workspace / f"d{number % 40}" / f"f{number}.txt"
        assert file.read_text() == f"FILE {number}\n"
    assert len(differences(tree, whole_tree(turbo.workspace))) == 2_001
    assert turbo("session", "undo").code == 0
    assert not differences(tree, whole_tree(turbo.workspace))


def test_links_modes_empty_folders_and_pipes_land_as_what_they_are(turbo: Turbo) -> None:
    root = turbo.workspace
    (root / "folder").mkdir()
    (root / "folder/inside.txt").write_text("inside\n")
    (root / "empty").mkdir()
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "private.txt").write_text("mine\n")
    (root / "private.txt").chmod(0o640)
    (root / "first.txt").write_text("shared\n")
    (root / "second.txt").hardlink_to(root / "first.txt")
    outside = root.parent / "outside.txt"
    outside.write_text("outside\n")
    (root / "in").symlink_to("folder/inside.txt")
    (root / "out").symlink_to(outside)
    (root / "dangling").symlink_to("nowhere")
    (root / "to_folder").symlink_to("folder")
    (root / "loop").symlink_to("loop")
    os.mkfifo(root / "pipe")
    age(root)
    tree = whole_tree(root)
    command = (
        "chmod +x run.sh && echo more >> private.txt && echo through >> to_folder/inside.txt"
        " && rmdir empty && mkdir -p fresh/deep && ln -s .. fresh/up && ln -sfn run.sh in"
        " && rm dangling && ln -s /etc/hostname etc && echo own >> first.txt"
        " && mv folder/inside.txt folder/moved.txt"
        " && echo no > out; true"
    )

    done = run_steps(turbo, [shell(command)])

    assert done.code == 0, done.out + done.err
    assert stat.S_IMODE((root / "run.sh").stat().st_mode) == 0o755
    assert (root / "private.txt").read_text() == "mine\nmore\n"
    assert stat.S_IMODE((root / "private.txt").stat().st_mode) == 0o640
    assert (root / "folder/moved.txt").read_text() == "inside\nthrough\n"
    assert (root / "fresh/deep").is_dir()
    assert [str((root / name).readlink()) for name in ("fresh/up", "in")] == ["..", "run.sh"]
    notes = changes_of(turbo, done).notes
    assert "etc: a link that leads outside the workspace; never lands" in notes
    assert (root / "first.txt").read_text() == "shared\nown\n"
    assert (root / "second.txt").read_text() == "shared\n"
    assert outside.read_text() == "outside\n"
    assert stat.S_ISFIFO((root / "pipe").lstat().st_mode)
    untouched_but(
        turbo,
        tree,
        "dangling",
        "empty",
        "first.txt",
        "folder/inside.txt",
        "folder/moved.txt",
        "fresh",
        "fresh/deep",
        "fresh/up",
        "in",
        "private.txt",
        "run.sh",
    )
    assert turbo("session", "undo").code == 0
    assert not differences(tree, whole_tree(root))


def changes_of(turbo: Turbo, done: Ended) -> ChangeSet:
    """Return the change set that a run put under review."""
    return from_json(
        FolderBlobs(turbo.state / "blobs").get(str(done.last("StepStaged")["changes"]))
    )


# --- places --------------------------------------------------------------------


def test_an_empty_folder_without_git_gets_its_first_files(turbo: Turbo) -> None:
    done = run_steps(turbo, [tool("write_file", path="src/a.py", content="x = 1\n")])

    assert done.code == 0, done.err
    assert (turbo.workspace / "src/a.py").read_text() == "x = 1\n"
    assert set(whole_tree(turbo.workspace)) == {".", "src", "src/a.py"}


def test_a_worktree_and_a_submodule_are_worked_on_and_their_git_stays_as_it_is(
    tmp_path: Path,
) -> None:
    (tmp_path / "home").mkdir()
    library = repository(tmp_path / "library")
    main = repository(tmp_path / "main")
    git(main, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(library), "sub")
    git(main, "commit", "-qm", "submodule")
    git(main, "worktree", "add", "-q", str(tmp_path / "tree"), "-b", "other")
    git_folder = whole_tree(main / ".git")
    command = (
        "git status --porcelain && git log -1 --format=%s && echo more >> a.txt"
        "; git add a.txt; git diff --cached --stat; true"
    )

    for place in (tmp_path / "tree", main / "sub"):
        turbo = Turbo(tmp_path / "home", place)
        done = run_steps(turbo, [shell(command)])
        output = str(done.last("CommandFinished")["output"])
        assert done.code == 0, done.out + done.err
        assert "first" in output or "submodule" in output
        assert (place / "a.txt").read_text() == "a\nmore\n"
        assert (place / ".git").is_file()
    assert not differences(git_folder, whole_tree(main / ".git"))
    turbo = Turbo(tmp_path / "home", main)
    done = run_steps(turbo, [shell("echo x >> sub/a.txt && echo y >> a.txt && git status -s")])
    assert done.code == 0, done.out + done.err
    assert (main / "sub/a.txt").read_text() == "a\nmore\nx\n"
    assert (main / "a.txt").read_text() == "a\ny\n"
    assert not differences(git_folder, whole_tree(main / ".git"))


def repository(folder: Path) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    (folder / "a.txt").write_text("a\n")
    git(folder, "add", "a.txt")
    git(folder, "commit", "-qm", "first")
    return folder


def test_a_subfolder_means_its_git_root_unless_here_is_said(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    root = repository(tmp_path / "repo")
    (root / "sub").mkdir()
    turbo = Turbo(tmp_path / "home", root / "sub")
    plan = str(plan_file(turbo, [shell("pwd; git rev-parse --show-toplevel; echo x > made.txt")]))

    done = turbo("run", "--plan", plan, "--approve", "staged", "--json")
    here = turbo("run", "--plan", plan, "--here", "--approve", "staged", "--json")

    assert (done.code, here.code) == (0, 0), done.err + here.err
    assert (root / "made.txt").exists()
    assert (root / "sub/made.txt").exists()
    assert done.events[0]["workspace"] == str(root)
    assert here.events[0]["workspace"] == str(root / "sub")
    assert str(here.last("CommandFinished")["output"]).splitlines() == [
        str(root / "sub"),
        str(root),
    ]


def test_a_workspace_reached_by_a_symlink_is_the_one_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    real = tmp_path / "real"
    real.mkdir()
    (real / "a.txt").write_text("a\n")
    (tmp_path / "link").symlink_to(real)
    turbo = Turbo(tmp_path / "home", tmp_path)

    plan = str(plan_file(turbo, [shell("echo b >> a.txt")]))
    done = turbo(
        "run", "--plan", plan, "-C", str(tmp_path / "link"), "--approve", "staged", "--json"
    )
    undone = turbo("session", "undo", "-C", str(tmp_path / "real"))

    assert (done.code, undone.code) == (0, 0), done.err + undone.err
    assert done.events[0]["workspace"] == str(real)
    assert (real / "a.txt").read_text() == "a\n"
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize(
    "parent", ["/root", "/home", "/run", "/tmp", "/mnt", "/var/tmp", "/dev/shm"]
)
def test_a_workspace_lies_where_the_sandbox_hides_other_things(parent: str, tmp_path: Path) -> None:
    if not os.access(parent, os.W_OK):
        pytest.skip(f"{parent} cannot be written by this user")
    workspace = Path(parent) / f"turbo-tui-test-{os.getpid()}"
    workspace.mkdir()
    neighbour = Path(parent) / f"turbo-tui-neighbour-{os.getpid()}"
    neighbour.write_text("secret")
    try:
        (workspace / "a.txt").write_text("a\n")
        turbo = Turbo(tmp_path, workspace)
        done = run_steps(turbo, [shell(f"cat a.txt && echo b >> a.txt && ! cat {neighbour}")])
        assert done.code == 0, done.out + done.err
        assert (workspace / "a.txt").read_text() == "a\nb\n"
        assert set(whole_tree(workspace)) == {".", "a.txt"}
    finally:
        neighbour.unlink()
        for path in workspace.rglob("*"):
            path.unlink()
        workspace.rmdir()


def test_hooks_and_fsmonitor_that_a_step_plants_are_never_run_by_us(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    root = repository(tmp_path / "repo")
    marker = tmp_path / "marker"
    turbo = Turbo(tmp_path / "home", root)
    trap = f"#!/bin/sh\ntouch {marker}\n"
    # The user's own repository is trapped as well as the step's copy of it.
    for name in ("pre-commit", "post-checkout", "post-index-change", "fsmonitor-watchman"):
        (root / ".git/hooks").mkdir(exist_ok=True)
        hook = root / ".git/hooks" / name
        hook.write_text(trap)
        hook.chmod(0o755)
    evil = root / "evil.sh"
    evil.write_text(trap)
    evil.chmod(0o755)
    git(root, "config", "core.fsmonitor", str(evil))
    git(root, "config", "core.pager", str(evil))
    git(root, "config", "diff.external", str(evil))
    git_folder = whole_tree(root / ".git")
    plant = (
        "echo x >> a.txt; mkdir -p nested/.git/hooks;"
        f" printf '#!/bin/sh\\ntouch {marker}\\n' > nested/.git/hooks/post-checkout;"
        " chmod +x nested/.git/hooks/*; echo '[core]' > nested/.git/config;"
        " git config core.hooksPath /tmp/x; true"
    )

    done = run_steps(turbo, [shell(plant)])
    for view in (("session", "show", "--log"), ("doctor",)):
        turbo(*view)
    assert turbo("session", "undo").code == 0
    assert turbo("plan", "find usages of main").code in {0, 2}

    assert done.code == 0, done.out + done.err
    assert not marker.exists()
    assert not differences(git_folder, whole_tree(root / ".git"))
    assert not (root / "nested/.git").exists()


def test_a_file_that_changed_meanwhile_is_a_conflict_and_the_users_version_stays(
    turbo: Turbo,
) -> None:
    (turbo.workspace / "a.txt").write_text("one\n")
    assert run_steps(turbo, [shell("echo step > a.txt")], approve="none").code == 3
    (turbo.workspace / "a.txt").write_text("user\n")

    resumed = turbo("session", "resume", "--approve", "staged", "--json")

    assert resumed.code == 3, resumed.out
    assert "a.txt" in str(resumed.last("LandingRefused")["conflicts"])
    assert (turbo.workspace / "a.txt").read_text() == "user\n"
