"""Copies: made, brought back to the workspace's state, kept between stages, read for changes."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import shutil
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes import MemoryBlobs
from tests.sandbox.ordinary_user import check_as_ordinary_user
from tests.stage_fakes import snapshot, words_of
from turbo_tui.core.changes import ChangeSet
from turbo_tui.sandbox.staging import caches, cloning, copying, manifest, spares
from turbo_tui.sandbox.staging.beneath import (
    DEEP,
    LONGEST,
    Beneath,
    remove_at,
    remove_tree,
    walk_folders,
)
from turbo_tui.sandbox.staging.caches import Caches
from turbo_tui.sandbox.staging.changeset import Contents, Originals, build_change_set
from turbo_tui.sandbox.staging.cloning import Cloner
from turbo_tui.sandbox.staging.copytree import copy_tree, read_copy
from turbo_tui.sandbox.staging.ignore import Ignores
from turbo_tui.sandbox.staging.manifest import Manifest
from turbo_tui.sandbox.staging.spares import Spares

ROOT = os.geteuid() == 0
ODD = os.fsdecode(b"\xff\xfe \n")
SHM = Path("/dev/shm")


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a test are younger than what is believed of a file in earnest."""
    monkeypatch.setattr(copying, "TICK_S", 0.0)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "workspace"
    (root / "src" / "deep").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "src" / "a.py").write_text("one = 1\n")
    (root / "src" / "b.py").write_text("two = 2\n")
    (root / "src" / "deep" / "c.py").write_text("three = 3\n")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o4755)
    (root / ODD).write_bytes(b"odd")
    (root / "link").symlink_to("src/a.py")
    (root / "zero").write_text("")
    for path in (*root.rglob("*"), root):
        os.utime(path, (1_700_000_000, 1_700_000_000), follow_symlinks=False)
    (root / "src" / "deep").chmod(0o750)
    manifest.await_tick(tmp_path, newest_below(root))
    return root


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    target = tmp_path / "tree"
    target.mkdir()
    return target


def newest_below(root: Path) -> int:
    return max(path.lstat().st_ctime_ns for path in (root, *root.rglob("*")))


@contextmanager
def beneath(folder: Path) -> Generator[Beneath]:
    opened = Beneath(folder, shown_at=folder)
    try:
        yield opened
    finally:
        opened.close()


def copy(
    source: Path,
    target: Path,
    was: Manifest | None = None,
    emptied: tuple[str, ...] = (),
) -> Manifest:
    with beneath(source) as opened:
        return copy_tree(opened, target, was=was, emptied=emptied)


def changed(target: Path, source: Path, made: Manifest) -> list[str]:
    with beneath(target) as copied, beneath(source) as original:
        return sorted(delta.path for delta in read_copy(copied, original, made, []))


def below(root: Path) -> dict[str, object]:
    """Everything but the top folder's own looks, which the stage sets."""
    found = snapshot(root)
    found.pop(".")
    return dict(found)


def version(path: Path) -> tuple[int, int]:
    """Tell one file from another that is made in its place: inode numbers are used again."""
    found = path.lstat()
    return found.st_ino, found.st_ctime_ns


def test_a_copy_looks_like_the_workspace_in_all(workspace: Path, tree: Path) -> None:
    made = copy(workspace, tree)

    assert below(tree) == below(workspace)
    assert made.stamps.keys() == made.origins.keys() == below(workspace).keys()
    assert changed(tree, workspace, made) == []


def test_what_did_not_change_on_either_side_is_not_copied_again(
    workspace: Path, tree: Path
) -> None:
    made = copy(workspace, tree)
    versions = {path: version(path) for path in tree.rglob("*") if path.is_file()}
    (tree / "src" / "a.py").write_text("the step's\n")
    (workspace / "src" / "b.py").write_text("the user's\n")

    again = copy(workspace, tree, made)

    assert below(tree) == below(workspace)
    fresh = {path.name for path, was in versions.items() if version(path) != was}
    assert fresh == {"a.py", "b.py"}
    assert changed(tree, workspace, again) == []


def test_a_file_changed_within_a_tick_of_its_copying_is_copied_again(
    workspace: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "TICK_S", 3600.0)  # however long ago the file was made
    made = copy(workspace, tree)
    before = version(tree / "zero")

    again = copy(workspace, tree, made)

    assert version(tree / "zero") != before
    assert changed(tree, workspace, again) == []


SAME_TIMES = "touch -r src/a.py ref; {}; touch -r ref src/a.py; rm ref"
BY_BOTH = {
    "write in place": "echo x > src/a.py",
    "write alike in place": SAME_TIMES.format("printf 'ONE = 1' | dd of=src/a.py conv=notrunc"),
    "replace alike": SAME_TIMES.format("tac -s = src/a.py > other; mv other src/a.py"),
    "add": "echo x > src/new",
    "add in an empty folder": "echo x > empty/new",
    "remove": "rm src/b.py",
    "remove a folder": "rm -r src",
    "move a folder": "mv src lib",
    "move a folder into another": "mv src/deep empty/deep",
    "swap two files": "mv src/a.py t; mv src/b.py src/a.py; mv t src/b.py",
    "folder to file": "rm -r src/deep; echo x > src/deep",
    "file to folder": "rm zero; mkdir zero",
    "link elsewhere": "ln -sfn zero link",
    "hard link within": "ln src/a.py src/twin",
    "hard link over": "ln -f src/a.py zero",
    "mode": "chmod 600 run.sh",
    "mode of a folder": "chmod 700 src/deep",
    "touch": "touch -d @1 src/b.py",
    "long name": f"echo x > {'n' * 255}",
    "nothing": "true",
}
BY_A_STEP = {
    **BY_BOTH,
    "folder to link out": "rm -r src; ln -s ../outside src",
    "file to link out": "ln -sf ../outside/kept zero",
    "fifo": "mkfifo queue",
    "fifo over": "rm zero; mkfifo zero",
    "lock a folder": "chmod 000 src/deep",
    "bar a folder": "chmod 500 src; chmod 400 empty src/deep",
    "lock the top": "chmod 000 .",
}


def sh(folder: Path, line: str) -> None:
    subprocess.run(["sh", "-c", line], cwd=folder, check=False, capture_output=True)


def nested(top: Path, levels: int) -> None:
    fd = os.open(top, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=fd)
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)


@pytest.mark.parametrize("left", BY_A_STEP)
def test_whatever_a_step_leaves_the_copy_is_brought_back(
    workspace: Path, tree: Path, tmp_path: Path, left: str
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").write_text("kept")
    made = copy(workspace, tree)
    sh(tree, BY_A_STEP[left])
    tree.chmod(0o700)  # as `Spares.fill` does
    outside = snapshot(tmp_path / "outside")

    again = copy(workspace, tree, made)

    assert below(tree) == below(workspace)
    assert all(path.lstat().st_nlink == 1 for path in tree.rglob("*") if path.is_file())
    assert changed(tree, workspace, again) == []
    assert snapshot(tmp_path / "outside") == outside


def test_attributes_that_a_step_left_go(workspace: Path, tree: Path) -> None:
    made = copy(workspace, tree)
    paths = [tree, tree / "src", tree / "src" / "a.py", tree / "empty"]
    try:
        for path in paths:
            os.setxattr(path, "user.x", b"1")
    except OSError as error:
        pytest.skip(f"no attributes here: {error}")

    again = copy(workspace, tree, made)

    assert [os.listxattr(path) for path in paths] == [[], [], [], []]
    assert changed(tree, workspace, again) == []


@pytest.mark.skipif(ROOT, reason="nothing is locked to root")
@pytest.mark.parametrize("mode", [0o000, 0o300, 0o400])
@pytest.mark.parametrize("locked", [".", "src"])
def test_what_cannot_be_read_is_not_taken_for_removed(
    workspace: Path, tree: Path, mode: int, locked: str
) -> None:
    made = copy(workspace, tree)
    with beneath(tree) as copied, beneath(workspace) as original:
        (tree / locked).chmod(mode)
        unreadable: list[str] = []

        deltas = list(read_copy(copied, original, made, unreadable))

        (tree / locked).chmod(0o700)
    assert unreadable[0] == locked  # and what lies below, where only names can be read
    assert [delta.path for delta in deltas if delta.after is None] == []


def test_what_goes_while_the_changes_are_read_is_gone(workspace: Path, tree: Path) -> None:
    made = copy(workspace, tree)
    (tree / "one").write_text("x")
    (tree / "two").write_text("x")
    with beneath(tree) as copied, beneath(workspace) as original:
        reading = read_copy(copied, original, made, [])
        first = next(reading)
        shutil.rmtree(tree / "src")
        for name in ("one", "two", "run.sh", "zero"):
            (tree / name).unlink()

        rest = list(reading)

    assert first.path in {"one", "two"}
    removed = {delta.path for delta in rest if delta.after is None}
    assert removed >= {"src", "src/a.py", "src/deep", "src/deep/c.py"}


def test_folders_nested_beyond_measure_go(workspace: Path, tree: Path) -> None:
    made = copy(workspace, tree)
    nested(tree, 2_100)
    unreadable: list[str] = []
    with beneath(tree) as copied, beneath(workspace) as original:
        deltas = list(read_copy(copied, original, made, unreadable))

    copy(workspace, tree, made)

    assert max(len(delta.path) for delta in deltas) == len(unreadable[0]) == LONGEST + 1
    assert below(tree) == below(workspace)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from(sorted(BY_BOTH))), max_size=6))
def test_a_copy_brought_back_is_as_one_made_anew(doings: list[tuple[bool, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "source"), Path(folder, "target")
        (source / "src" / "deep").mkdir(parents=True)
        (source / "empty").mkdir()
        for name in ("src/a.py", "src/b.py", "src/deep/c.py", "run.sh", "zero"):
            (source / name).write_text(f"{name}\n")
        (source / "link").symlink_to("src/a.py")
        target.mkdir()
        manifest.await_tick(Path(folder), newest_below(source))
        made = copy(source, target)
        for by_user, doing in doings:
            sh(source if by_user else target, BY_BOTH[doing])
        manifest.await_tick(Path(folder), newest_below(source))

        again = copy(source, target, made)

        assert below(target) == below(source)
        assert changed(target, source, again) == []


@pytest.mark.skipif(not ROOT, reason="only root makes devices and gives files away")
def test_devices_and_foreign_owners_do_not_stay(workspace: Path, tree: Path) -> None:
    os.chown(workspace / "src" / "b.py", 12, 34)
    os.chown(workspace / "link", 12, 34, follow_symlinks=False)
    os.chown(workspace / "src", 12, 34)
    manifest.await_tick(tree, newest_below(workspace))
    made = copy(workspace, tree)
    assert below(tree) == below(workspace)
    os.mknod(tree / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.chown(tree / "src" / "a.py", 12, 34)
    os.chown(tree / "src" / "deep", 12, 34)

    copy(workspace, tree, made)

    assert below(tree) == below(workspace)


def test_a_default_acl_that_a_step_left_is_not_inherited(workspace: Path, tree: Path) -> None:
    made = copy(workspace, tree)
    # Version 2, then user_obj, group_obj, mask, other: rwx each; acl(5), linux/posix_acl_xattr.h
    entries = b"".join(
        tag.to_bytes(2, "little") + b"\x07\0" + b"\xff" * 4 for tag in (1, 4, 0x10, 0x20)
    )
    try:
        for folder in (tree, tree / "src"):
            os.setxattr(folder, "system.posix_acl_default", b"\x02\0\0\0" + entries)
    except OSError as error:
        pytest.skip(f"no ACLs here: {error}")
    (workspace / "src" / "new").write_text("x")

    copy(workspace, tree, made)

    assert below(tree) == below(workspace)
    assert "system.posix_acl_default" not in os.listxattr(tree / "src")


def test_what_became_unreadable_in_the_workspace_leaves_the_copy(
    workspace: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = copy(workspace, tree)
    (workspace / "zero").unlink()
    os.mkfifo(workspace / "zero")
    real, src = os.open, (workspace / "src").stat()

    def barred(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if path == "b.py" and dir_fd is not None and os.path.samestat(os.fstat(dir_fd), src):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, flags, mode, dir_fd=dir_fd)

    (workspace / "src" / "b.py").touch()
    monkeypatch.setattr(os, "open", barred)
    again = copy(workspace, tree, made)

    assert not (tree / "zero").exists()
    assert not (tree / "src" / "b.py").exists()
    assert again.left_out == {
        "zero": "neither file, folder nor link",
        "src/b.py": "Permission denied",
    }


@pytest.mark.skipif(ROOT, reason="root reads everything")
def test_a_folder_that_cannot_be_listed_is_left_out(workspace: Path, tree: Path) -> None:
    (workspace / "src").chmod(0o300)
    made = copy(workspace, tree)
    (workspace / "src").chmod(0o700)

    assert made.left_out == {"src": "Permission denied"}


def test_a_target_that_refuses_is_an_error_and_never_left_out(
    workspace: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_words: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "symlink", refuse)

    with pytest.raises(PermissionError, match="not permitted"):
        copy(workspace, tree)


def test_copying_stops_between_two_files(workspace: Path, tree: Path) -> None:
    asked: list[int] = []

    def stopped() -> bool:
        asked.append(1)
        return len(asked) > 3

    with beneath(workspace) as source, pytest.raises(OSError, match=r"[Cc]ancel") as caught:
        copy_tree(source, tree, stopped=stopped)

    assert caught.value.errno == errno.ECANCELED


@pytest.mark.skipif(not SHM.is_dir(), reason="no tmpfs at /dev/shm")
@pytest.mark.parametrize("there", [True, False], ids=["tmpfs", "disk"])
def test_a_write_to_a_mapped_page_is_seen(
    workspace: Path,
    tmp_path: Path,
    there: bool,  # noqa: FBT001 - a parameter
    request: pytest.FixtureRequest,
) -> None:
    base = Path(tempfile.mkdtemp(dir=SHM if there else tmp_path))
    request.addfinalizer(lambda: shutil.rmtree(base, ignore_errors=True))
    target = base / "tree"
    target.mkdir()
    made = copy(workspace, target)
    with (target / "src" / "a.py").open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        first = mapped[0]  # the page is read before it is written: tmpfs then sees no write
        mapped[0] = first ^ 1

    assert changed(target, workspace, made) == ["src/a.py"]
    again = copy(workspace, target, made)
    assert below(target) == below(workspace)
    assert again.digests == made.digests
    assert (made.digests is None) == manifest.mapped_writes_show(target)
    assert changed(target, workspace, again) == []


@pytest.mark.skipif(not SHM.is_dir(), reason="no tmpfs at /dev/shm")
def test_a_copy_whose_stamps_meant_something_else_is_not_brought_back(
    workspace: Path, tree: Path
) -> None:
    made = copy(workspace, tree)
    made.digests = {} if made.digests is None else None

    with pytest.raises(OSError, match="tale"):
        copy(workspace, tree, made)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["same disk", "other file system"])
def test_big_and_sparse_files_arrive_whole_and_stay_sparse(
    workspace: Path,
    tmp_path: Path,
    elsewhere: bool,  # noqa: FBT001 - a parameter
    request: pytest.FixtureRequest,
) -> None:
    if elsewhere and not SHM.is_dir():
        pytest.skip("no tmpfs at /dev/shm")
    base = Path(tempfile.mkdtemp(dir=SHM if elsewhere else tmp_path))
    request.addfinalizer(lambda: shutil.rmtree(base, ignore_errors=True))
    (workspace / "big").write_bytes(os.urandom(5_000_003))
    with (workspace / "sparse").open("wb") as file:
        file.seek(3_000_000)
        file.write(b"middle")
        file.truncate(200_000_000)
    with (workspace / "hole").open("wb") as file:
        file.truncate(100_000_000)

    copy(workspace, base)

    assert (base / "big").read_bytes() == (workspace / "big").read_bytes()
    with (base / "sparse").open("rb") as file:
        file.seek(3_000_000)
        assert file.read(10) == b"middle" + bytes(4)
    for name, size in (("sparse", 200_000_000), ("hole", 100_000_000)):
        found = (base / name).stat()
        assert found.st_size == size
        assert found.st_blocks * 512 < 4_000_000


class Refusing:
    """Count what the kernel is asked to share, and refuse it."""

    def __init__(self, code: int) -> None:
        self.code = code
        self.calls = 0

    def __call__(self, *_args: object) -> int:
        self.calls += 1
        raise OSError(self.code, os.strerror(self.code))


@pytest.mark.parametrize(("code", "calls"), [(errno.EOPNOTSUPP, 1), (errno.EINVAL, 2)])
def test_what_a_file_system_cannot_do_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, calls: int
) -> None:
    sharing, ranges = Refusing(code), Refusing(errno.EXDEV)
    monkeypatch.setattr(fcntl, "ioctl", sharing)
    monkeypatch.setattr(os, "copy_file_range", ranges)
    cloner = Cloner()
    for number in range(2):
        source = tmp_path / f"source{number}"
        source.write_bytes(b"x" * 3_000_000)
        with source.open("rb") as file, (tmp_path / f"copy{number}").open("wb") as out:
            cloner.copy(file.fileno(), out.fileno(), source.stat())
        assert (tmp_path / f"copy{number}").read_bytes() == source.read_bytes()

    assert (sharing.calls, ranges.calls) == (calls, 1)


def test_a_shared_file_is_not_copied_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def shared(_target: int, request: int, _source: int) -> None:
        asked.append(request)

    monkeypatch.setattr(fcntl, "ioctl", shared)
    (tmp_path / "source").write_text("x")
    with (tmp_path / "source").open("rb") as file, (tmp_path / "copy").open("wb") as out:
        Cloner().copy(file.fileno(), out.fileno(), (tmp_path / "source").stat())

    assert asked == [cloning.FICLONE]
    assert (tmp_path / "copy").read_bytes() == b""  # the kernel would have filled it


def test_a_disk_that_is_full_ends_the_copying(
    workspace: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "copy_file_range", Refusing(errno.ENOSPC))
    monkeypatch.setattr(fcntl, "ioctl", Refusing(errno.EOPNOTSUPP))

    with pytest.raises(OSError, match="No space left"):
        copy(workspace, tree)


def change_set(target: Path, source: Path, made: Manifest, blobs: MemoryBlobs) -> ChangeSet:
    with beneath(target) as copied, beneath(source) as original:
        return build_change_set(
            read_copy(copied, original, made, []),
            originals=Originals(Contents(original, blobs), time.time_ns()),
            written=Contents(copied, blobs),
            merged=copied,
            ignores=Ignores(lambda _folder: None),
            blobs=blobs,
        )


def test_a_secret_is_empty_in_the_copy_and_is_no_change(workspace: Path, tree: Path) -> None:
    (workspace / ".env").write_text("KEY=hunter2\n")
    (workspace / ".env").chmod(0o600)
    blobs = MemoryBlobs()

    made = copy(workspace, tree, emptied=(".env", "gone"))

    assert made.emptied == {".env"}
    assert (tree / ".env").read_bytes() == b""
    assert (tree / ".env").stat().st_mode == (workspace / ".env").stat().st_mode
    assert not made.held(".env")
    assert made.held("run.sh")
    assert words_of(change_set(tree, workspace, made, blobs)) == []
    for line in ("touch .env", "chmod 644 .env", "true > .env", "rm .env"):
        sh(tree, line)
        assert words_of(change_set(tree, workspace, made, blobs)) == []
    assert blobs.contents == {}


def test_a_secret_that_a_step_writes_comes_without_the_real_one(
    workspace: Path, tree: Path
) -> None:
    (workspace / ".env").write_text("KEY=hunter2\n")
    blobs = MemoryBlobs()
    made = copy(workspace, tree, emptied=(".env",))
    (tree / ".env").write_text("KEY=the step's\n")

    (change,) = change_set(tree, workspace, made, blobs).files

    assert (change.path, change.before, change.base_known) == (".env", None, False)
    assert change.after is not None
    assert blobs.get(change.after.blob) == b"KEY=the step's\n"
    assert b"KEY=hunter2\n" not in blobs.contents.values()


def test_what_becomes_a_secret_is_emptied_and_back(workspace: Path, tree: Path) -> None:
    made = copy(workspace, tree)

    emptied = copy(workspace, tree, made, ("src/a.py",))
    assert (tree / "src" / "a.py").read_bytes() == b""
    kept = version(tree / "src" / "a.py")
    emptied = copy(workspace, tree, emptied, ("src/a.py",))
    assert version(tree / "src" / "a.py") == kept

    copy(workspace, tree, emptied)
    assert below(tree) == below(workspace)


def test_a_manifest_comes_back_whole(workspace: Path, tree: Path, tmp_path: Path) -> None:
    os.mkfifo(workspace / "pipe")
    made = copy(workspace, tree, emptied=("zero",))
    made.left_out["x" * 70_000] = "a long head"
    file = tmp_path / "manifest"
    made.write(file)

    assert Manifest.load(file) == made
    empty = Manifest()
    empty.write(file)
    assert Manifest.load(file) == empty


def test_a_path_that_came_from_elsewhere_is_copied_again(workspace: Path, tree: Path) -> None:
    """As a stage does that puts the changes of the one below it into its copy."""
    made = copy(workspace, tree)
    (tree / "src" / "a.py").write_text("from the stage below")
    (tree / "src" / "b.py").unlink()
    made.put("src/a.py", (tree / "src" / "a.py").lstat())
    made.drop("src/b.py")

    assert changed(tree, workspace, made) == []
    copy(workspace, tree, made)
    assert below(tree) == below(workspace)


@pytest.mark.parametrize("damage", ["", "{}\n", "[]\n", "\xff", '{"format": 1}\n', "cut", "more"])
def test_a_damaged_manifest_is_refused(
    workspace: Path, tree: Path, tmp_path: Path, damage: str
) -> None:
    file = tmp_path / "manifest"
    copy(workspace, tree).write(file)
    whole = file.read_bytes()
    cut = {"cut": whole[:-8], "more": whole + b"x"}
    file.write_bytes(cut.get(damage, damage.encode("latin-1")))

    with pytest.raises(ValueError, match=r"."):
        Manifest.load(file)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def ignored(_folder: str, _error: OSError) -> None:
    """A folder that cannot be listed."""


def test_a_walk_holds_few_folders_open_however_deep(tmp_path: Path) -> None:
    nested(tmp_path, 2 * DEEP)
    (tmp_path / "d" / "file").write_text("x")
    open_before = open_files()
    most = depth = 0
    with beneath(tmp_path) as opened:
        for folder, _, _ in walk_folders(opened, ignored):
            most = max(most, open_files())
            depth = max(depth, folder.count("/"))

    assert depth == 2 * DEEP - 1
    assert most - open_before < DEEP + 10
    assert open_files() == open_before


def test_a_walk_given_up_closes_what_it_opened(workspace: Path) -> None:
    with beneath(workspace) as opened:
        before = open_files()
        walk = walk_folders(opened, ignored)
        next(walk)
        next(walk)
        assert open_files() > before
        walk.close()
        assert open_files() == before


def test_a_folder_swapped_for_a_link_during_a_walk_is_refused(workspace: Path) -> None:
    refused: list[tuple[str, int | None]] = []
    with beneath(workspace) as opened:
        for folder, _, _ in walk_folders(opened, lambda path, e: refused.append((path, e.errno))):
            if folder == ".":
                shutil.rmtree(workspace / "src")
                (workspace / "src").symlink_to("/")

    assert refused in ([("src", errno.ENOTDIR)], [("src", errno.ELOOP)])


def test_removing_takes_whatever_stands_there(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    nested(tmp_path / "deep", 1_200)
    (tmp_path / "link").symlink_to("/etc")
    fd = os.open(tmp_path, os.O_RDONLY)

    for name in ("deep", "link", "missing"):
        remove_at(fd, name)
    os.close(fd)

    assert list(tmp_path.iterdir()) == []
    assert Path("/etc").is_dir()


CACHE = "target/debug"


def cached(workspace: Path, monkeypatch: pytest.MonkeyPatch, *, ignored: str = "target/\n") -> None:
    """Put a large cache with its tag into the workspace."""
    monkeypatch.setattr(caches, "LARGE_BYTES", 100_000)
    monkeypatch.setattr(caches, "MANY_FILES", 50)
    (workspace / CACHE).mkdir(parents=True)
    (workspace / ".gitignore").write_text(ignored)
    tag = "Signature: 8a477f597d28d172789f06886806bc55\n# made by cargo\n"
    (workspace / "target" / "CACHEDIR.TAG").write_text(tag)
    for number in range(60):
        (workspace / CACHE / f"{number}.o").write_bytes(bytes(3_000))
    manifest.await_tick(workspace.parent, newest_below(workspace))


def without_caches(
    workspace: Path, target: Path, was: Manifest | None = None, tracked: tuple[str, ...] = ()
) -> Manifest:
    with beneath(workspace) as source:
        rules = Ignores(
            lambda folder: (
                (workspace / folder / ".gitignore").read_text()
                if (workspace / folder / ".gitignore").exists()
                else None
            ),
            tracked=lambda: frozenset(tracked),
        )
        return copy_tree(source, target, was=was, leave_out=Caches(source, rules).why_not)


def test_a_large_cache_that_git_ignores_is_left_out(
    workspace: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached(workspace, monkeypatch)

    made = without_caches(workspace, tree)

    assert not (tree / "target").exists()
    assert list(made.left_out) == ["target"]
    assert "a large cache" in made.left_out["target"]
    assert changed(tree, workspace, made) == []
    (tree / "target").mkdir()
    (tree / "target" / "new").write_text("x")
    assert changed(tree, workspace, made) == ["target", "target/new"]


def test_a_cache_that_grew_large_leaves_a_used_copy_and_comes_back_small(
    workspace: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached(workspace, monkeypatch)
    monkeypatch.setattr(caches, "MANY_FILES", 1_000)
    monkeypatch.setattr(caches, "LARGE_BYTES", 1_000_000)
    made = without_caches(workspace, tree)
    assert (tree / CACHE / "0.o").exists()
    monkeypatch.setattr(caches, "MANY_FILES", 50)

    made = without_caches(workspace, tree, made)
    assert not (tree / "target").exists()
    assert changed(tree, workspace, made) == []
    shutil.rmtree(workspace / CACHE)
    made = without_caches(workspace, tree, made)

    assert below(tree) == below(workspace)
    assert changed(tree, workspace, made) == []


@pytest.mark.parametrize("why", ["small", "no tag", "not ignored", "tracked", "environment"])
def test_what_may_be_needed_is_copied(
    workspace: Path, tree: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    cached(workspace, monkeypatch, ignored="" if why == "not ignored" else "target/\n")
    match why:
        case "small":
            shutil.rmtree(workspace / CACHE)
        case "no tag":
            (workspace / "target" / "CACHEDIR.TAG").write_text("not the words\n")
        case "environment":
            (workspace / "target" / "pyvenv.cfg").write_text("home = /usr\n")
        case _:
            pass

    without_caches(workspace, tree, tracked=(f"{CACHE}/0.o",) if why == "tracked" else ())

    assert below(tree) == below(workspace)


def test_bytes_that_are_shared_cost_nothing(
    workspace: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached(workspace, monkeypatch)
    monkeypatch.setattr(caches, "MANY_FILES", 1_000)
    asked: list[int] = []

    def can_share(_cloner: Cloner, source: int, folder: int) -> bool:
        asked.append(os.fstat(source).st_size)
        return os.path.samestat(os.fstat(folder), tree.stat())

    monkeypatch.setattr(Cloner, "can_share", can_share)
    without_caches(workspace, tree)

    assert below(tree) == below(workspace)
    assert asked == [(workspace / "target" / "CACHEDIR.TAG").stat().st_size]


@pytest.mark.parametrize(("answer", "shared"), [(None, True), (errno.EOPNOTSUPP, False)])
def test_whether_blocks_can_be_shared_is_tried(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: int | None,
    shared: bool,  # noqa: FBT001
) -> None:
    def ioctl(*_args: object) -> None:
        if answer is not None:
            raise OSError(answer, os.strerror(answer))

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    (tmp_path / "f").write_text("x")
    folder = os.open(tmp_path, os.O_RDONLY)
    with (tmp_path / "f").open("rb") as file:
        assert Cloner().can_share(file.fileno(), folder) == shared
    os.close(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a stage."""
    made = tmp_path / "stages" / "s"
    made.mkdir(parents=True)
    return made


def filled(store: Spares, folder: Path, workspace: Path) -> Manifest:
    folder.mkdir(exist_ok=True)
    with beneath(workspace) as source:
        made = store.fill(folder, source)
    made.write(folder / "manifest.json")
    return made


def given_back(store: Spares, folder: Path) -> bool:
    return store.keep(folder / "tree", folder / "manifest.json")


def test_the_next_stage_gets_the_last_one_s_copy(
    workspace: Path, folder: Path, tmp_path: Path
) -> None:
    store = Spares(tmp_path / "spares", workspace)
    filled(store, folder, workspace)
    kept = version(folder / "tree" / "run.sh")
    (folder / "tree" / "src" / "a.py").write_text("the step's")
    (folder / "tree").chmod(0)

    assert given_back(store, folder)
    assert not (folder / "tree").exists()
    made = filled(store, folder, workspace)

    assert version(folder / "tree" / "run.sh") == kept
    assert below(folder / "tree") == below(workspace)
    assert changed(folder / "tree", workspace, made) == []
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "tree"]


def test_a_spare_serves_one_stage_and_only_so_many_are_kept(
    workspace: Path, tmp_path: Path
) -> None:
    store = Spares(tmp_path / "spares", workspace)
    folders = [tmp_path / str(number) for number in range(4)]
    for each in folders:
        filled(store, each, workspace)

    assert [given_back(store, each) for each in folders] == [True, True, False, False]
    seen = set[tuple[int, int]]()
    threads = [
        threading.Thread(target=filled, args=(store, each, workspace)) for each in folders[:2]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in folders:
        seen.add(version(each / "tree" / "run.sh"))
        assert below(each / "tree") == below(workspace)
    assert len(seen) == 4


def test_another_workspace_gets_a_copy_of_its_own(
    workspace: Path, folder: Path, tmp_path: Path
) -> None:
    filled(Spares(tmp_path / "spares", workspace), folder, workspace)
    assert given_back(Spares(tmp_path / "spares", workspace), folder)
    other = tmp_path / "other"
    other.mkdir()
    (other / "f").write_text("other")

    filled(Spares(tmp_path / "spares", other), folder, other)

    assert below(folder / "tree") == below(other)


def test_with_no_slots_nothing_is_kept(workspace: Path, folder: Path, tmp_path: Path) -> None:
    store = Spares(tmp_path / "spares", workspace, slots=0)
    filled(store, folder, workspace)

    assert not given_back(store, folder)
    assert (folder / "tree" / "run.sh").exists()
    assert not (tmp_path / "spares").exists()


def test_a_link_in_place_of_a_copy_is_not_kept(
    workspace: Path, folder: Path, tmp_path: Path
) -> None:
    store = Spares(tmp_path / "spares", workspace)
    filled(store, folder, workspace)
    remove_tree(folder / "tree")
    (folder / "tree").symlink_to(workspace)

    assert not given_back(store, folder)


@pytest.mark.parametrize("missing", ["tree", "manifest"])
def test_half_a_spare_is_none(workspace: Path, folder: Path, tmp_path: Path, missing: str) -> None:
    store = Spares(tmp_path / "spares", workspace)
    filled(store, folder, workspace)
    assert given_back(store, folder)
    (half,) = (tmp_path / "spares").glob(f"*/*/{missing}")
    if half.is_dir():
        shutil.rmtree(half)
    else:
        half.unlink()

    filled(store, folder, workspace)

    assert below(folder / "tree") == below(workspace)
    assert list((tmp_path / "spares").glob("*/*")) == []


def test_a_spare_that_cannot_be_mended_is_made_anew(
    workspace: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Spares(tmp_path / "spares", workspace)
    filled(store, folder, workspace)
    assert given_back(store, folder)

    def refuse(*_args: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(copying.Copying, "differing", refuse)

    filled(store, folder, workspace)

    assert below(folder / "tree") == below(workspace)


def test_a_spare_that_is_stopped_is_not_made_anew(
    workspace: Path, folder: Path, tmp_path: Path
) -> None:
    store = Spares(tmp_path / "spares", workspace)
    filled(store, folder, workspace)
    assert given_back(store, folder)

    with beneath(workspace) as source, pytest.raises(OSError, match=r"[Cc]ancel"):
        store.fill(folder, source, stopped=lambda: True)


def test_a_spare_of_another_boot_is_not_found_and_goes_when_it_is_old(
    workspace: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Spares(tmp_path / "spares", workspace)
    filled(store, folder, workspace)
    assert given_back(store, folder)
    boot = tmp_path / "boot_id"
    monkeypatch.setattr(spares, "_BOOT", boot)
    later = Spares(tmp_path / "spares", workspace)

    filled(later, folder, workspace)
    assert len(list((folder / "tree").iterdir())) > 1
    (slot,) = (tmp_path / "spares").glob("*/*")
    later.prune()
    assert slot.exists()
    os.utime(slot, (1, 1))
    later.prune()

    assert list((tmp_path / "spares").iterdir()) == []


def test_spares_go_when_the_disk_is_tight(
    workspace: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Spares(tmp_path / "spares", workspace)
    store.prune()
    filled(store, folder, workspace)
    assert given_back(store, folder)

    monkeypatch.setattr(spares, "TIGHT_BYTES", 1 << 62)
    store.prune(room_bytes=1 << 62)

    assert list((tmp_path / "spares").iterdir()) == []
    filled(store, folder, workspace)
    assert not given_back(store, folder)


def test_spares_of_others_make_room_for_a_new_copy(
    workspace: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Spares(tmp_path / "spares", tmp_path)
    filled(other, folder, workspace)
    assert given_back(other, folder)
    real = Cloner.copy

    def full(cloner: Cloner, source: int, target: int, found: os.stat_result) -> None:
        if list((tmp_path / "spares").iterdir()):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(cloner, source, target, found)

    monkeypatch.setattr(Cloner, "copy", full)
    filled(Spares(tmp_path / "spares", workspace), folder, workspace)

    assert below(folder / "tree") == below(workspace)


def test_what_ran_unconfined_is_never_used_again(
    workspace: Path, folder: Path, tmp_path: Path
) -> None:
    filled(Spares(tmp_path / "spares", workspace, slots=0), folder, workspace)

    assert not given_back(Spares(tmp_path / "spares", workspace), folder)


@pytest.mark.skipif(not ROOT, reason="only root can become another user")
@pytest.mark.timeout(900)  # a whole file once more
def test_all_of_this_holds_for_an_ordinary_user() -> None:
    check_as_ordinary_user(__file__)
