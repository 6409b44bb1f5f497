"""When the disk is full or a permission is missing, nothing lands and the error says why."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.landing.trees import between, file, link, read_times, read_tree, whole, write_tree
from turbo_tui.adapters.blobs import FolderBlobs
from turbo_tui.core.changes import ChangeSet, FileChange, Node
from turbo_tui.core.errors import LandingError
from turbo_tui.landing import JournalLander, open_lander
from turbo_tui.landing.beneath import Tree
from turbo_tui.landing.making import Making

NOBODY = 65534
OLD = {name: file(name.encode()) for name in "abcde"} | {"d2/x": file(b"x"), "l": link("a")}
NEW = {name: file(name.upper().encode()) for name in "abcde"} | {"l": link("b"), "n/m": file(b"m")}


def land(lander: JournalLander, changes: ChangeSet) -> None:
    asyncio.run(lander.land(changes, session_id="s", step_id="1"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk),
            check=False,
            capture_output=True,
        ).returncode
    )
    if not mounted:
        pytest.skip("mounting a small disk takes root")
    yield disk
    subprocess.run(("umount", disk), check=True)


def test_a_full_disk_at_the_third_of_five_files_leaves_the_tree_as_it_was(
    tmp_path: Path, small_disk: Path
) -> None:
    root, state = small_disk / "ws", tmp_path / "state"
    blobs = FolderBlobs(state / "blobs")
    write_tree(root, OLD)
    times = read_times(root)
    changes = between(OLD, {**NEW, "c": file(b"c" * (2 << 20))}, blobs)
    lander = open_lander(root, state, blobs)

    with pytest.raises(LandingError, match=r"at 'c': No space left.*tree is as it was; make room"):
        land(lander, changes)

    assert read_tree(root) == whole(OLD)
    assert read_times(root) == times
    assert [entry.landed for entry in lander.landings()] == [False]
    land(lander, between(OLD, NEW, blobs))
    assert read_tree(root) == whole(NEW)


@pytest.mark.parametrize("full_at", ["begin", "commit", "done"])
def test_a_journal_that_cannot_be_written_leaves_the_tree_as_it_was(
    tmp_path: Path, full_at: str
) -> None:
    root, state = tmp_path / "ws", tmp_path / "state"
    blobs = FolderBlobs(tmp_path / "blobs")
    write_tree(root, OLD)
    changes = between(OLD, NEW, blobs)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def act(step: str) -> None:
        if step == full_at:  # from here no file may grow
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))

    lander = JournalLander(root, state, blobs, checkpoint=act)
    try:
        with pytest.raises(LandingError, match=r"journal in .* cannot be written \(File too large"):
            land(lander, changes)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert read_tree(root) == whole(OLD)
    fresh = open_lander(root, state, blobs)
    assert all(found.outcome == "rolled_back" for found in asyncio.run(fresh.recover()))
    assert read_tree(root) == whole(OLD)
    land(fresh, changes)
    assert read_tree(root) == whole(NEW)


def test_content_that_is_not_in_the_store_lands_nothing(tmp_path: Path) -> None:
    root = tmp_path / "ws"
    blobs = FolderBlobs(tmp_path / "blobs")
    write_tree(root, OLD)
    changes = between(OLD, NEW, blobs)
    blobs.remove(next(c.after.blob for c in changes.files if c.after and c.path == "d"))

    with pytest.raises(LandingError, match=r"blob .* is not in"):
        land(open_lander(root, tmp_path / "state", blobs), changes)

    assert read_tree(root) == whole(OLD)


class LyingBlobs(FolderBlobs):
    """A store whose contents were altered behind its back."""

    def get(self, blob: str) -> bytes:
        return super().get(blob) + b"!"


def test_content_that_is_not_what_was_approved_lands_nothing(tmp_path: Path) -> None:
    root = tmp_path / "ws"
    write_tree(root, OLD)
    changes = between(OLD, {**OLD, "a": file(b"A")}, FolderBlobs(tmp_path / "blobs"))

    with pytest.raises(LandingError, match=r"is not what was approved; nothing was landed"):
        land(open_lander(root, tmp_path / "state", LyingBlobs(tmp_path / "blobs")), changes)

    assert read_tree(root) == whole(OLD)


def test_a_workspace_that_is_gone_is_an_error(tmp_path: Path) -> None:
    lander = open_lander(tmp_path / "ws", tmp_path / "state", FolderBlobs(tmp_path / "blobs"))

    with pytest.raises(LandingError, match=r"cannot be opened \(No such file"):
        land(lander, ChangeSet())


# --- as an ordinary user -----------------------------------------------------


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder that an ordinary user can reach, for tests run as root."""
    place = Path(tempfile.mkdtemp(prefix="landing-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


def as_nobody(action: Callable[[], str]) -> str:
    """Run something as an ordinary user, in a child process; return what it returns."""
    if os.geteuid() != 0:
        return action()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover  # the child's coverage is not written
        code = 1
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.write(writing, action().encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return said


def owned_by_nobody(*places: Path) -> None:
    if os.geteuid() == 0:
        for place in places:
            for path in (place, *place.rglob("*")):
                os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def test_a_folder_without_write_permission_is_refused_clearly(open_place: Path) -> None:
    root, state = open_place / "ws", open_place / "state"
    write_tree(root, OLD)
    changes = between(OLD, {**NEW, "d2/x": file(b"y")}, FolderBlobs(state / "blobs"))
    owned_by_nobody(root, state)
    (root / "d2").chmod(0o555)

    def act() -> str:
        try:
            land(open_lander(root, state, FolderBlobs(state / "blobs")), changes)
        except LandingError as error:
            return str(error)
        return "landed"

    said = as_nobody(act)

    assert "stopped at 'd2/x': Permission denied. The tree is as it was" in said
    (root / "d2").chmod(0o755)
    assert read_tree(root) == whole(OLD)


def test_a_permission_denied_at_a_late_operation_takes_the_earlier_ones_back(
    open_place: Path,
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a file that is not ours")
    root, state = open_place / "ws", open_place / "state"
    write_tree(root, OLD)
    changes = between(OLD, {**NEW, "e": file(b"e", 0o755)}, FolderBlobs(state / "blobs"))
    owned_by_nobody(root, state)
    os.chown(root / "e", 0, 0)
    times = read_times(root)

    def act() -> str:
        lander = open_lander(root, state, FolderBlobs(state / "blobs"))
        try:
            land(lander, changes)
        except LandingError as error:
            return f"{error} {lander.landings()!r}"
        return "landed"

    said = as_nobody(act)

    assert "stopped at 'e': Operation not permitted. The tree is as it was" in said
    assert "landed=False" in said
    assert read_tree(root) == whole(OLD)
    assert read_times(root) == times


def test_a_file_that_cannot_be_read_is_named(open_place: Path) -> None:
    root, state = open_place / "ws", open_place / "state"
    write_tree(root, {"d/f": file(b"x")})
    changes = between({"d/f": file(b"x")}, {}, FolderBlobs(state / "blobs"))
    (root / "d/f").chmod(0o000)
    owned_by_nobody(root, state)

    def act() -> str:
        try:
            land(open_lander(root, state, FolderBlobs(state / "blobs")), changes)
        except LandingError as error:
            return str(error)
        return "landed"

    assert "stopped at 'd/f': Permission denied" in as_nobody(act)
    assert (root / "d/f").exists()


def test_taking_over_another_users_file_is_said(open_place: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a file that is not ours")
    root, state = open_place / "ws", open_place / "state"
    write_tree(root, OLD)
    changes = between(OLD, {**OLD, "a": file(b"A")}, FolderBlobs(state / "blobs"))
    owned_by_nobody(root, state)
    os.chown(root / "a", 0, 0)

    def act() -> str:
        lander = open_lander(root, state, FolderBlobs(state / "blobs"))
        landing = asyncio.run(lander.land(changes, session_id="s", step_id="1"))
        return repr(landing.notes)

    assert as_nobody(act) == repr(("a: belonged to user 0, now to you",))


def test_a_rollback_that_cannot_finish_says_so_and_the_next_start_does(tmp_path: Path) -> None:
    root, state = tmp_path / "ws", tmp_path / "state"
    blobs = FolderBlobs(state / "blobs")
    write_tree(root, OLD)
    parked = tmp_path / "parked"

    def act(step: str) -> None:
        if step == "operation 5":
            raise PermissionError(13, "Permission denied")
        if step == "revert 0":
            (root / "n").rename(parked)
        if step == "rolled back":
            parked.rename(root / "n")

    lander = JournalLander(root, state, blobs, checkpoint=act)
    changes = between(
        OLD,
        {
            **OLD,
            "n/m": file(b"m"),
            "n/o": file(b"o"),
            "a": file(b"A"),
            "b": file(b"B"),
            "c": file(b"C"),
        },
        blobs,
    )

    with pytest.raises(LandingError, match=r"could not be put back yet: n/m.*next start tries"):
        land(lander, changes)

    recoveries = asyncio.run(open_lander(root, state, blobs).recover())
    assert [found.outcome for found in recoveries] == ["rolled_back"]
    assert read_tree(root) == whole(OLD)


def test_nodes_of_folders_that_are_gone_are_made_again_on_rollback(tmp_path: Path) -> None:
    root, state = tmp_path / "ws", tmp_path / "state"
    blobs = FolderBlobs(state / "blobs")
    write_tree(root, {"d/x": file(b"x"), "e": file(b"e")})
    (root / "d").chmod(0o2750)
    folder = Node("folder", 0o2750)
    gone = tuple(between({"d/x": file(b"x")}, {}, blobs).files[1:])
    mode = tuple(between({"e": file(b"e")}, {"e": file(b"e", 0o755)}, blobs).files)
    changes = ChangeSet((FileChange("d", folder, None), *gone, *mode))
    seen: list[bool] = []

    def act(step: str) -> None:
        if step == "sync":
            seen.append((root / "d").exists())
            raise PermissionError(13, "Permission denied")

    with pytest.raises(LandingError):
        land(JournalLander(root, state, blobs, checkpoint=act), changes)

    assert seen == [False]
    assert read_tree(root)["d"].mode == 0o2750
    assert read_tree(root)["d/x"] == file(b"x")
    assert read_tree(root)["e"] == file(b"e")


# --- the third of five files, landing and undoing ------------------------------------

FIVE_OLD = {f"d{n}/f": file(b"old %d" % n) for n in range(1, 6)}
FIVE_NEW = {f"d{n}/f": file(b"new %d" % n) for n in range(1, 6)}


@pytest.mark.parametrize("way", ["land", "undo", "redo"])
def test_a_permission_denied_on_the_third_of_five_files_leaves_all_five(
    open_place: Path, way: str
) -> None:
    root, state = open_place / "ws", open_place / "state"
    write_tree(root, FIVE_OLD)
    blobs = FolderBlobs(state / "blobs")
    changes = between(FIVE_OLD, FIVE_NEW, blobs)
    owned_by_nobody(root, state)

    def turned(lander: JournalLander, way: str) -> None:
        if way == "land":
            land(lander, changes)
            return
        (entry,) = lander.landings()
        asyncio.run(getattr(lander, way)(entry.landing_id))

    def before() -> str:
        lander = open_lander(root, state, blobs)
        for earlier in {"land": (), "undo": ("land",), "redo": ("land", "undo")}[way]:
            turned(lander, earlier)
        return ""

    def act() -> str:
        try:
            turned(open_lander(root, state, blobs), way)
        except LandingError as error:
            return str(error)
        return "done"

    as_nobody(before)
    stood = read_tree(root)
    times = read_times(root)
    (root / "d3").chmod(0o555)

    said = as_nobody(act)

    assert "stopped at 'd3/f': Permission denied. The tree is as it was; make room or mend" in said
    (root / "d3").chmod(0o755)
    assert read_tree(root) == stood
    assert read_times(root) == times
    assert as_nobody(act) == "done"
    assert read_tree(root) == whole(FIVE_OLD if way == "undo" else FIVE_NEW)


@pytest.mark.parametrize("way", ["undo", "redo"])
def test_a_full_disk_leaves_what_was_to_be_taken_back_or_forth_as_it_was(
    tmp_path: Path, small_disk: Path, way: str
) -> None:
    root, state = small_disk / "ws", tmp_path / "state"
    blobs = FolderBlobs(state / "blobs")
    large = {**FIVE_OLD, "d3/f": file(b"c" * 700_000)}
    old, new = (large, FIVE_NEW) if way == "undo" else (FIVE_OLD, {**FIVE_NEW, **large})
    write_tree(root, old)
    lander = open_lander(root, state, blobs)
    land(lander, between(old, new, blobs))
    landing_id = lander.landings()[0].landing_id
    if way == "redo":
        asyncio.run(lander.undo(landing_id))
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * 500_000)
    stood, times = read_tree(root), read_times(root)

    with pytest.raises(LandingError, match=r"at 'd3/f': No space left.*The tree is as it was"):
        asyncio.run(getattr(lander, way)(landing_id))

    assert read_tree(root) == stood
    assert read_times(root) == times
    filler.unlink()
    asyncio.run(getattr(lander, way)(landing_id))
    assert read_tree(root) == whole(old if way == "undo" else new)


# --- folders on their way out ----------------------------------------------------

FOLDERS = {"d/e/f": file(b"f"), "g": file(b"g")}


def removing_folders(place: Path) -> tuple[Path, Path, FolderBlobs, ChangeSet]:
    root, state = place / "ws", place / "state"
    blobs = FolderBlobs(state / "blobs")
    write_tree(root, FOLDERS)
    return root, state, blobs, between(FOLDERS, {"g": file(b"G", 0o755)}, blobs)


def test_a_folder_that_may_not_be_written_is_removed_and_made_again(open_place: Path) -> None:
    root, state, blobs, changes = removing_folders(open_place)
    (root / "d/e/f").unlink()
    changes = ChangeSet(tuple(change for change in changes.files if change.path != "d/e/f"))
    owned_by_nobody(root, state)
    (root / "d/e").chmod(0o555)
    stood = read_tree(root)
    folders = [replace(c, before=Node("folder", 0o555)) for c in changes.files if c.path == "d/e"]
    rest = [change for change in changes.files if change.path != "d/e"]

    def act() -> str:
        lander = open_lander(root, state, blobs)
        land(lander, ChangeSet((*folders, *rest)))
        (entry,) = lander.landings()
        assert not (root / "d").exists()
        asyncio.run(lander.undo(entry.landing_id))
        return "done"

    assert as_nobody(act) == "done"
    assert read_tree(root) == stood


@pytest.mark.parametrize("refused_at", ["", "sync"])
def test_where_folders_cannot_be_moved_they_are_removed_and_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused_at: str
) -> None:
    root, state, blobs, changes = removing_folders(tmp_path)
    rename = Tree.rename

    def rename_files(tree: Tree, source: str, target: str) -> None:
        if tree.is_folder(source):
            raise OSError(18, "Invalid cross-device link")  # as an overlay says
        rename(tree, source, target)

    def refuse(step: str) -> None:
        if step == refused_at:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(Tree, "rename", rename_files)
    lander = JournalLander(root, state, blobs, checkpoint=refuse)
    if refused_at:
        with pytest.raises(LandingError, match="The tree is as it was"):
            land(lander, changes)
        assert read_tree(root) == whole(FOLDERS)
    else:
        land(lander, changes)
        assert read_tree(root) == {"g": file(b"G", 0o755)}


@pytest.mark.parametrize("moved", [True, False])
def test_what_is_put_into_a_folder_at_the_last_moment_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, moved: bool
) -> None:
    root, state, blobs, changes = removing_folders(tmp_path)
    rename = Tree.rename

    def be_quicker(tree: Tree, source: str, target: str) -> None:
        if source == "d/e":
            (root / "d/e/mine").write_bytes(b"mine")
            if not moved:
                raise OSError(18, "Invalid cross-device link")
        rename(tree, source, target)

    monkeypatch.setattr(Tree, "rename", be_quicker)
    lander = open_lander(root, state, blobs)

    landing = asyncio.run(lander.land(changes, session_id="s", step_id="1"))

    assert read_tree(root) == whole({"d/e/mine": file(b"mine"), "g": file(b"G", 0o755)})
    assert "d/e: the folder stays, something new is in it" in landing.notes


def test_a_folder_that_cannot_be_given_its_mode_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, state = tmp_path / "ws", tmp_path / "state"
    blobs = FolderBlobs(state / "blobs")
    write_tree(root, {"a": file(b"a")})

    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(Making, "finish_folder", refuse)
    with pytest.raises(LandingError, match=r"stopped at 'n': Operation not permitted"):
        land(open_lander(root, state, blobs), between({}, {"n/m": file(b"m")}, blobs))

    assert read_tree(root) == {"a": file(b"a")}


def test_a_clean_up_that_is_refused_is_done_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, state, blobs, changes = removing_folders(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", _refused)
        patch.setattr(os, "rmdir", _refused)
        land(open_lander(root, state, blobs), changes)
    assert [path for path in root.iterdir() if path.name.startswith(".turbo-tui-")]

    assert asyncio.run(open_lander(root, state, blobs).recover()) == ()

    assert read_tree(root) == {"g": file(b"G", 0o755)}


def _refused(*_: object, **__: object) -> None:
    raise PermissionError(13, "Permission denied")
