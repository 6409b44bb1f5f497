"""A save in the very instant of a landing that no clock shows: same file, size and time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.landing.trees import Leaf, between, file, link, read_tree, write_tree
from turbo_tui.adapters.blobs import FolderBlobs
from turbo_tui.core.landings import Landing
from turbo_tui.landing import JournalLander, open_lander

OLD = {"a": file(b"one line\n"), "b": file(b"b\n"), "c": file(b"c\n"), "l": link("a")}
THEIRS = b"mine now\n"
assert len(THEIRS) == len(OLD["a"].content)

NEWS: dict[str, dict[str, Leaf]] = {
    "replaced": {**OLD, "a": file(b"by a step\n"), "b": file(b"B\n")},
    "deleted": {"b": file(b"B\n"), "c": OLD["c"], "l": OLD["l"]},
    "made executable": {**OLD, "a": file(b"one line\n", 0o755), "b": file(b"B\n")},
    "made a link": {**OLD, "a": link("c"), "b": file(b"B\n")},
    "made a folder": {**OLD, "a": Leaf("folder", mode=0o755), "b": file(b"B\n")},
}


class Place:
    def __init__(self, base: Path) -> None:
        self.root, self.state = base / "ws", base / "state"
        self.blobs = FolderBlobs(self.state / "blobs")
        write_tree(self.root, OLD)

    def lander(self, act: Callable[[str], None]) -> JournalLander:
        return JournalLander(self.root, self.state, self.blobs, checkpoint=act)

    def land(self, new: dict[str, Leaf], act: Callable[[str], None] = lambda _: None) -> Landing:
        changes = between(OLD, new, self.blobs)
        return asyncio.run(self.lander(act).land(changes, session_id="s", step_id="1"))

    def turn(self, way: str, act: Callable[[str], None] = lambda _: None) -> Landing:
        (entry,) = open_lander(self.root, self.state, self.blobs).landings()
        return asyncio.run(getattr(self.lander(act), way)(entry.landing_id))

    def tree(self) -> dict[str, Leaf]:
        return read_tree(self.root)

    @contextmanager
    def unseen(self, name: str) -> Generator[Path]:
        """Let a change leave the file, its size and all times that can be set as they are."""
        path = self.root / name
        was = path.lstat()
        yield path
        os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns), follow_symlinks=False)
        now = path.lstat()
        assert (now.st_ino, now.st_size, now.st_mtime_ns) == (
            was.st_ino,
            was.st_size,
            was.st_mtime_ns,
        )

    def save(self, name: str = "a", content: bytes = THEIRS) -> None:
        with self.unseen(name) as path, path.open("r+b") as held:
            held.write(content)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def once(step: str, act: Callable[[], None]) -> Callable[[str], None]:
    seen: list[str] = []

    def at(now: str) -> None:
        if now == step and not seen:
            seen.append(now)
            act()

    return at


@pytest.mark.parametrize("new", NEWS.values(), ids=NEWS)
def test_a_save_between_the_comparison_and_the_write_is_seen_and_stays(
    place: Place, new: dict[str, Leaf]
) -> None:
    landing = place.land(new, once("begin", place.save))

    assert [each.path for each in landing.conflicts] == ["a"]
    assert place.tree() == {**OLD, "a": file(THEIRS)}


@pytest.mark.parametrize("way", ["undo", "redo"])
@pytest.mark.parametrize("new", [NEWS["replaced"], NEWS["made executable"]], ids=["put", "chmod"])
def test_such_a_save_stays_when_it_comes_while_a_landing_is_taken_back_or_forth(
    place: Place, way: str, new: dict[str, Leaf]
) -> None:
    place.land(new)
    if way == "redo":
        place.turn("undo")
    stood = place.tree()
    theirs = bytes(reversed(stood["a"].content))

    landing = place.turn(way, once("begin", lambda: place.save(content=theirs)))

    assert [each.path for each in landing.conflicts] == ["a"]
    assert place.tree() == {**stood, "a": file(theirs, stood["a"].mode)}


def test_a_mode_set_in_that_instant_stays(place: Place) -> None:
    landing = place.land(NEWS["replaced"], once("begin", lambda: (place.root / "a").chmod(0o600)))

    assert [each.path for each in landing.conflicts] == ["a"]
    assert place.tree() == {**OLD, "a": file(OLD["a"].content, 0o600)}


@pytest.mark.parametrize("at", ["begin", "looked at a"])
def test_a_mode_set_in_the_instant_of_another_stays(place: Place, at: str) -> None:
    landing = place.land(NEWS["made executable"], once(at, lambda: (place.root / "a").chmod(0o600)))

    assert [each.path for each in landing.conflicts] == ["a"]
    assert place.tree() == {**OLD, "a": file(OLD["a"].content, 0o600)}


def test_a_file_put_in_place_of_the_one_whose_mode_is_set_keeps_its_own(place: Place) -> None:
    def replace() -> None:
        (place.root / "saving").write_bytes(THEIRS)
        (place.root / "saving").chmod(0o644)
        (place.root / "saving").rename(place.root / "a")

    landing = place.land(NEWS["made executable"], once("looked at a", replace))

    assert [each.path for each in landing.conflicts] == ["a"]
    assert place.tree() == {**OLD, "a": file(THEIRS)}


def test_a_link_turned_elsewhere_in_that_instant_stays(place: Place) -> None:
    def turn() -> None:
        (place.root / "l").unlink()
        (place.root / "l").symlink_to("b")

    landing = place.land({**OLD, "l": link("c")}, once("begin", turn))

    assert [each.path for each in landing.conflicts] == ["l"]
    assert place.tree() == {**OLD, "l": link("b")}


@pytest.mark.parametrize("new", [NEWS["replaced"], NEWS["deleted"]], ids=["put", "delete"])
def test_what_is_written_unseen_into_the_old_file_before_it_is_deleted_is_kept(
    place: Place, new: dict[str, Leaf]
) -> None:
    held = os.open(place.root / "a", os.O_WRONLY)

    def save() -> None:
        was = os.fstat(held)
        os.pwrite(held, THEIRS, 0)
        os.utime(held, ns=(was.st_atime_ns, was.st_mtime_ns))

    landing = place.land(new, once("clean", save))
    os.close(held)

    kept = {name: leaf.content for name, leaf in place.tree().items() if leaf.content == THEIRS}
    assert len(kept) == 1
    assert landing.left_alone == tuple(kept)
    assert any(next(iter(kept)) in note for note in landing.notes) or "a" in kept


def test_a_save_unseen_while_a_landing_is_recovered_is_left_alone(place: Place) -> None:
    class CrashError(BaseException):
        pass

    def crash() -> None:
        raise CrashError

    with pytest.raises(CrashError):
        place.land(NEWS["replaced"], once("operation 1", crash))
    theirs = b"x\n"
    lander = place.lander(once("forward 1", lambda: place.save("b", theirs)))

    (recovery,) = asyncio.run(lander.recover())

    assert recovery.left_alone == ("b",)
    assert place.tree() == {**NEWS["replaced"], "b": file(theirs)}


def test_the_same_bytes_saved_anew_are_no_change(place: Place) -> None:
    def save() -> None:
        (place.root / "saving").write_bytes(OLD["a"].content)
        (place.root / "saving").rename(place.root / "a")

    landing = place.land(NEWS["replaced"], once("begin", save))

    assert landing.conflicts == ()
    assert place.tree() == NEWS["replaced"]
