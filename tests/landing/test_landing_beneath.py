"""Paths stay in the workspace, with and without the system calls that make it easy."""

from __future__ import annotations

import ctypes
import errno
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.landing.test_landing import NEW, OLD
from tests.landing.trees import between, read_tree, whole, write_tree
from turbo_tui.adapters.blobs import FolderBlobs
from turbo_tui.landing import beneath, open_lander
from turbo_tui.landing.beneath import Tree, aside


class OldKernel:
    """A C library on a system that has none of the newer calls."""

    def __init__(self, number: int) -> None:
        self.number = number

    def syscall(self, *_: object) -> int:
        ctypes.set_errno(self.number)
        return -1

    def renameat2(self, *_: object) -> int:
        ctypes.set_errno(errno.EINVAL)
        return -1

    def syncfs(self, *_: object) -> int:
        return -1


class NoLibrary:
    """A C library that does not even name them, as on macOS."""

    def syscall(self, *_: object) -> int:
        ctypes.set_errno(errno.ENOSYS)
        return -1


SYSTEMS = {
    "this": None,
    "no openat2": OldKernel(errno.ENOSYS),
    "openat2 filtered": OldKernel(errno.EPERM),
    "not named": NoLibrary(),
}


@pytest.fixture(params=SYSTEMS, autouse=True)
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if SYSTEMS[request.param] is not None:
        monkeypatch.setattr(beneath, "_libc", SYSTEMS[request.param])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "ws"
    (root / "d/e").mkdir(parents=True)
    (root / "d/f").write_bytes(b"f")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_bytes(b"secret")
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "in").symlink_to("d")
    return root


@pytest.fixture
def tree(root: Path) -> Iterator[Tree]:
    with Tree(root) as tree:
        yield tree


@pytest.mark.parametrize("path", ["out/secret", "in/f", "out/x/y", "d/e/../../../outside/secret"])
def test_no_symlink_and_no_dots_lead_anywhere(tree: Tree, path: str) -> None:
    with pytest.raises(OSError, match=r"symbolic links|cross-device|No such file"), tree.file(path):
        pass


def test_a_symlink_at_the_end_is_seen_but_not_opened(tree: Tree) -> None:
    found = tree.lstat("out")
    assert found is not None
    assert stat.S_ISLNK(found.st_mode)
    with pytest.raises(OSError, match="symbolic links"), tree.file("out"):
        pass


def test_what_is_missing_or_below_a_file_is_nothing(tree: Tree) -> None:
    assert tree.lstat("nothing") is None
    assert tree.lstat("nothing/x") is None
    assert tree.lstat("d/f/x") is None
    assert not tree.is_folder("d/f")
    assert tree.is_folder("d/e")
    assert tree.is_folder("")
    assert tree.names("d") == ["e", "f"]


def test_a_rename_never_overwrites(tree: Tree, root: Path) -> None:
    (root / "new").write_bytes(b"new")

    with pytest.raises(FileExistsError):
        tree.rename("new", "d/f")
    tree.rename("new", "d/g")

    assert read_tree(root / "d").keys() == {"e", "f", "g"}
    assert (root / "d/f").read_bytes() == b"f"


def test_an_exchange_swaps(tree: Tree, root: Path) -> None:
    (root / "new").write_bytes(b"new")

    tree.exchange("new", "d/f")

    assert ((root / "new").read_bytes(), (root / "d/f").read_bytes()) == (b"f", b"new")
    assert not (root / aside("new")).exists()


def test_an_exchange_with_nothing_leaves_all_as_it_was(tree: Tree, root: Path) -> None:
    before = read_tree(root)

    with pytest.raises(FileNotFoundError):
        tree.exchange("nothing", "d/f")

    assert read_tree(root) == before


def test_syncing_reaches_only_folders_that_are_there(tree: Tree) -> None:
    for path in ("", "d", "nothing", "d/f", "out"):
        tree.sync_folder(path)
    tree.sync_all()


async def test_a_landing_and_its_undo_work_the_same(tmp_path: Path) -> None:
    root, state = tmp_path / "tree", tmp_path / "state"
    blobs = FolderBlobs(state / "blobs")
    write_tree(root, OLD)
    lander = open_lander(root, state, blobs)

    landing = await lander.land(between(OLD, NEW, blobs), session_id="s", step_id="1")
    landed = read_tree(root)
    await lander.undo(landing.landing_id)

    assert landed == whole(NEW)
    assert read_tree(root) == whole(OLD)


async def test_a_swap_cut_off_in_the_middle_is_mended(tmp_path: Path) -> None:
    root, state = tmp_path / "tree", tmp_path / "state"
    blobs = FolderBlobs(state / "blobs")
    write_tree(root, OLD)
    # As after a crash: the journal says committed, and the first swap stopped halfway.
    lander = open_lander(root, state, blobs)
    await lander.land(between(OLD, NEW, blobs), session_id="s", step_id="1")
    (journal,) = (state / "landings").rglob("*.jsonl")
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:2]))
    temp = next(
        part.split('"temp":"')[1].split('"')[0]
        for part in lines[0].decode().split("{")
        if '"kind":"put"' in part and '"path":"edit.py"' in part
    )
    (root / "edit.py").rename(root / temp)
    (root / aside(temp)).write_bytes(OLD["edit.py"].content)
    (root / aside(temp)).chmod(OLD["edit.py"].mode)

    (recovery,) = await lander.recover()

    assert (recovery.outcome, recovery.left_alone) == ("completed", ())
    assert read_tree(root) == whole(NEW)
