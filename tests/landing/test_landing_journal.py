"""The journal on disk: what a broken line means, and that landings keep apart."""

from __future__ import annotations

import asyncio
import fcntl
import os
from pathlib import Path

import pytest

from tests.landing.trees import Leaf, between, file, link, read_tree, whole, write_tree
from turbo_tui.adapters.blobs import FolderBlobs
from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.errors import LandingError
from turbo_tui.core.landings import Landing
from turbo_tui.landing import JournalLander, open_lander

OLD = {"a": file(b"a"), "b": file(b"b")}
NEW = {"a": file(b"A"), "b": file(b"B")}


class Place:
    """A workspace whose lander was killed or not, and its journal."""

    def __init__(self, base: Path) -> None:
        self.root, self.state = base / "ws", base / "state"
        self.blobs = FolderBlobs(self.state / "blobs")
        write_tree(self.root, OLD)

    def lander(self, lock_wait_s: float = 120.0) -> JournalLander:
        return JournalLander(self.root, self.state, self.blobs, lock_wait_s=lock_wait_s)

    async def land(self, old: dict[str, Leaf] = OLD, new: dict[str, Leaf] = NEW) -> Landing:
        changes = between(old, new, self.blobs)
        return await self.lander().land(changes, session_id="s", step_id="1")

    @property
    def journal(self) -> Path:
        (path,) = (self.state / "landings").rglob("*.jsonl")
        return path

    def cut(self, lines: int, tail: bytes = b"") -> None:
        """Make it as if a crash had come after so many lines."""
        kept = b"".join(self.journal.read_bytes().splitlines(keepends=True)[:lines])
        self.journal.write_bytes(kept + tail)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def test_a_torn_last_line_counts_as_not_written(place: Place) -> None:
    await place.land()
    place.cut(2, b'0123456789abcdef {"kind":"do')

    (recovery,) = await place.lander().recover()

    assert recovery.outcome == "completed"
    assert [entry.landed for entry in place.lander().landings()] == [True]
    assert read_tree(place.root) == NEW


async def test_a_journal_torn_in_its_first_line_is_forgotten(place: Place) -> None:
    await place.land()
    whole_line = place.journal.read_bytes()
    place.journal.write_bytes(whole_line[:100])

    assert await place.lander().recover() == ()
    assert list((place.state / "landings").rglob("*.jsonl")) == []


@pytest.mark.parametrize("line", [0, 1, 2])
async def test_any_other_broken_line_is_an_error_that_names_it(place: Place, line: int) -> None:
    await place.land()
    lines = place.journal.read_bytes().splitlines(keepends=True)
    lines[line] = lines[line].replace(b'"', b"'", 1)
    place.journal.write_bytes(b"".join(lines))

    with pytest.raises(LandingError, match=rf"line {line + 1}, cannot be read: its checksum"):
        place.lander().landings()
    with pytest.raises(LandingError, match="Nothing was changed"):
        await place.land(NEW, OLD)
    assert read_tree(place.root) == NEW


async def test_a_journal_of_another_version_is_an_error(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as newer:
        newer.setattr("turbo_tui.landing.journal._VERSION", 99)
        await place.land()

    with pytest.raises(LandingError, match="line 1, cannot be read: it does not begin a landing"):
        place.lander().landings()


async def test_a_second_process_waits_and_then_says_who_is_landing(place: Place) -> None:
    await place.land()
    with (place.journal.parent / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        with pytest.raises(LandingError, match=rf"process {os.getpid()}\) has been landing"):
            await place.lander(lock_wait_s=0.05).recover()


async def test_two_landings_at_once_come_one_after_the_other(place: Place) -> None:
    steps = [{**OLD, f"n{number}": file(b"n")} for number in range(8)]

    landings = await asyncio.gather(*(place.land(OLD, new) for new in steps))

    assert [landing.paths for landing in landings] == [(f"n{number}",) for number in range(8)]
    assert len({landing.landing_id for landing in landings}) == 8
    assert read_tree(place.root) == {**OLD, **{f"n{number}": file(b"n") for number in range(8)}}


async def test_the_state_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"")
    write_tree(tmp_path / "ws", OLD)
    lander = open_lander(tmp_path / "ws", tmp_path / "state", FolderBlobs(tmp_path / "blobs"))

    with pytest.raises(LandingError, match=r"journal in .* cannot be written \(Not a directory\)"):
        await lander.land(ChangeSet(), session_id="s", step_id="1")


async def test_recovering_where_nothing_ever_landed_leaves_no_trace(place: Place) -> None:
    assert await place.lander().recover() == ()
    assert place.lander().landings() == ()
    assert not (place.state / "landings").exists()


async def test_every_content_that_an_undo_needs_is_named_in_the_journal(place: Place) -> None:
    landing = await place.land(OLD, {"a": file(b"A"), "l": link("a")})

    journal = place.journal.read_text()
    place.blobs.put(b"nobody needs this")
    unnamed = [blob for blob in place.blobs if blob not in journal]
    for blob in unnamed:
        place.blobs.remove(blob)
    assert unnamed
    await place.lander().undo(landing.landing_id)

    assert read_tree(place.root) == OLD


async def test_a_journal_that_is_no_file_is_an_error(place: Place) -> None:
    await place.land()
    (place.journal.parent / "000009-deadbeef.jsonl").mkdir()

    with pytest.raises(LandingError, match=r"000009-deadbeef.jsonl cannot be read \(Is a dir"):
        await place.lander().recover()


# --- undo --------------------------------------------------------------------


async def test_an_unknown_landing_cannot_be_undone(place: Place) -> None:
    for landing_id in ("000007-deadbeef", "../../x", ""):
        with pytest.raises(LandingError, match="is known for"):
            await place.lander().undo(landing_id)


async def test_a_landing_is_undone_once(place: Place) -> None:
    landing = await place.land()
    await place.lander().undo(landing.landing_id)

    with pytest.raises(LandingError, match="is undone already"):
        await place.lander().undo(landing.landing_id)

    assert read_tree(place.root) == OLD
    assert place.lander().last_landed() is None


async def test_a_redo_can_be_undone_again(place: Place) -> None:
    first = await place.land()
    undo = await place.lander().undo(first.landing_id)
    await place.lander().undo(undo.landing_id)
    last = place.lander().last_landed()
    assert last is not None
    assert last.landing_id == first.landing_id

    await place.lander().undo(first.landing_id)

    assert read_tree(place.root) == OLD


async def test_a_dry_run_names_the_paths_and_writes_nothing(place: Place) -> None:
    landing = await place.land()
    journal = place.journal.read_bytes()

    undo = await place.lander().undo(landing.landing_id, dry_run=True)

    assert undo == Landing(paths=("a", "b"), written=undo.written)
    assert read_tree(place.root) == NEW
    assert place.journal.read_bytes() == journal


async def test_undo_does_not_touch_a_file_that_changed_since(place: Place) -> None:
    landing = await place.land()
    (place.root / "b").write_bytes(b"mine")

    undo = await place.lander().undo(landing.landing_id)

    assert [conflict.path for conflict in undo.conflicts] == ["b"]
    assert undo.paths == ()
    assert read_tree(place.root) == {"a": file(b"A"), "b": file(b"mine")}


async def test_a_change_apart_from_what_is_undone_is_kept(place: Place) -> None:
    text = b"".join(b"%d\n" % number for number in range(9))
    old, new = {"a": file(text)}, {"a": file(text.replace(b"1\n", b"one\n"))}
    write_tree(place.root, old)
    landing = await place.land(old, new)
    (place.root / "a").write_bytes(new["a"].content + b"mine\n")

    undo = await place.lander().undo(landing.landing_id)

    assert undo.paths == ("a",)
    assert read_tree(place.root) == {"a": file(text + b"mine\n")}


async def test_undo_keeps_a_folder_that_the_user_put_something_in(place: Place) -> None:
    landing = await place.land(OLD, {**OLD, "d/e/f": file(b"f")})
    (place.root / "d/mine").write_bytes(b"mine")

    undo = await place.lander().undo(landing.landing_id)

    assert read_tree(place.root) == whole({**OLD, "d/mine": file(b"mine")})
    assert undo.notes == ("d: the folder stays, it also holds mine",)


async def test_landings_of_several_steps_are_listed_with_what_stands(place: Place) -> None:
    lander = place.lander()
    first = await place.land()
    changes = between(NEW, {**NEW, "c": file(b"c")}, place.blobs)
    second = await lander.land(changes, session_id="t", step_id="2")
    await lander.undo(second.landing_id)

    listed = lander.landings()

    assert [(entry.landing_id, entry.session_id, entry.step_id) for entry in listed] == [
        (first.landing_id, "s", "1"),
        (second.landing_id, "t", "2"),
    ]
    assert [(entry.paths, entry.landed) for entry in listed] == [
        (("a", "b"), True),
        (("c",), False),
    ]
    assert listed[0].at <= listed[1].at


async def test_a_landing_that_was_rolled_back_cannot_be_undone(place: Place) -> None:
    def fail(step: str) -> None:
        if step == "sync":
            raise PermissionError(13, "Permission denied")

    lander = JournalLander(place.root, place.state, place.blobs, checkpoint=fail)
    with pytest.raises(LandingError):
        await lander.land(between(OLD, NEW, place.blobs), session_id="s", step_id="1")

    with pytest.raises(LandingError, match="was rolled back; nothing of it stands"):
        await place.lander().undo(lander.landings()[0].landing_id)
