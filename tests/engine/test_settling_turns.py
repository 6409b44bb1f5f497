"""An undo or a redo that meets what changed since: settled like a landing, and undone itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.test_settling import LINES, MINE, OTHERS, THEIRS, Place
from turbo_tui.core import events as ev
from turbo_tui.core.clashes import WHOLE
from turbo_tui.core.errors import UsageError
from turbo_tui.core.views import Decisions, Turn

# What the user made of the landed file since: a clash at four, and a line of their own.
SINCE = "".join(THEIRS).replace("step four", "my four").replace("line 12", "my twelve")
BACK = "".join(LINES).replace("line 12", "my twelve")


class Landed(Place):
    """A place where the step landed, and the user went on writing."""

    @property
    def turn(self) -> Turn:
        waiting = self.house.run.views.turns.waiting
        assert waiting is not None
        return waiting

    @property
    def decided_on_it(self) -> Decisions:
        return self.house.run.views.review.decisions(self.turn.key, self.turn.state.shown)

    def say(self, path: str, place: int, take: ev.Take) -> None:
        self.house.run.settling.settle(self.turn.key, path, place, take)

    def names(self) -> list[str]:
        return [type(record.event).__name__ for record in self.house.store.records]


@pytest.fixture
async def place(tmp_path: Path) -> Landed:
    made = Landed(tmp_path)
    await made.staged()
    run = made.house.run
    for path in OTHERS[1:]:
        run.decide_hunk("s1", path, WHOLE, accepted=False)
    await made.approve()
    assert made.state.status == "landed"
    return made


async def test_a_clashing_undo_is_settled_place_by_place_and_is_undone_itself(
    place: Landed,
) -> None:
    run = place.house.run
    place.write("long.txt", SINCE)
    undone = await run.undo(dry_run=True)
    assert [each.path for each in undone.conflicts] == ["long.txt"]
    assert place.decided_on_it.open_clashes == {"long.txt": (0,)}
    assert (place.turn.way, place.turn.step_id) == ("undo", "s1")
    with pytest.raises(UsageError, match=r"conflict 1 of 1 in long\.txt"):
        await run.settle_turn()
    place.say("long.txt", 0, "both")
    assert place.text("long.txt") == SINCE, "nothing is written before it is asked for"

    assert (await run.settle_turn()).conflicts == ()
    four = BACK.replace("line 4\n", "my four\nline 4\n")
    assert place.text("long.txt") == four
    assert place.text("easy.txt") == "".join(LINES)
    assert (place.state.status, run.views.turns.waiting) == ("rejected", None)

    await run.redo()
    assert place.text("long.txt") == SINCE
    assert place.text("easy.txt") == "".join(THEIRS)
    await run.undo()
    assert place.text("long.txt") == four


async def test_a_clashing_redo_is_settled_too(place: Landed) -> None:
    run = place.house.run
    await run.undo()
    place.write("long.txt", "".join(MINE))
    await run.redo()
    assert place.decided_on_it.open_clashes == {"long.txt": (0, 1)}
    assert place.turn.way == "redo"
    place.say("long.txt", 0, "theirs")
    place.say("long.txt", 1, "mine")
    await run.settle_turn()

    landed = "".join(MINE).replace("my four", "step four").replace("line 38", "step 38")
    assert place.text("long.txt") == landed
    assert place.state.status == "landed"
    assert place.names()[-1] == "LandingRedone"


async def test_a_change_after_settling_an_undo_is_refused_with_the_new_clash_alone(
    place: Landed,
) -> None:
    run = place.house.run
    place.write("long.txt", SINCE)
    await run.undo()
    place.say("long.txt", 0, "theirs")
    again = SINCE.replace("my four", "my other four")
    place.write("long.txt", again)
    refused = await run.settle_turn()

    assert refused.conflicts
    assert place.text("long.txt") == again
    assert place.text("easy.txt") == "".join(THEIRS), "nothing at all was written"
    assert place.decided_on_it.open_clashes == {"long.txt": (0,)}
    place.say("long.txt", 0, "mine")
    await run.settle_turn()
    assert place.text("long.txt") == BACK.replace("line 4\n", "my other four\n")


async def test_what_was_changed_apart_after_settling_is_looked_at_once_more(place: Landed) -> None:
    run = place.house.run
    place.write("long.txt", SINCE)
    await run.undo()
    place.say("long.txt", 0, "theirs")
    place.write("long.txt", SINCE.replace("line 30", "my thirty"))
    assert (await run.settle_turn()).conflicts
    assert place.decided_on_it.open_clashes == {}
    assert "the two changes go together" in place.turn.state.conflicts["long.txt"]
    await run.settle_turn()

    assert place.text("long.txt") == BACK.replace("line 30", "my thirty")


async def test_files_can_be_left_out_of_an_undo_and_written_by_hand(place: Landed) -> None:
    run = place.house.run
    place.write("long.txt", SINCE)
    await run.undo()
    key = place.turn.key
    run.decide_hunk(key, "easy.txt", WHOLE, accepted=False)
    change = next(each for each in run.change_set(key).files if each.path == "long.txt")
    sides = place.turn.sides
    begun = run.review.clash_text(change, place.decided_on_it.clashing["long.txt"], 0, sides)
    assert begun == (
        b"<<<<<<< yours now\nmy four\n||||||| base\nstep four\n=======\nline 4\n"
        b">>>>>>> before the step\n"
    )
    run.settling.write(key, "long.txt", 0, b"our four\n")
    await run.settle_turn()

    assert place.text("easy.txt") == "".join(THEIRS)
    assert place.text("long.txt") == BACK.replace("line 4\n", "our four\n")


async def test_an_undo_of_which_nothing_is_left_is_given_up(place: Landed) -> None:
    run = place.house.run
    place.write("long.txt", SINCE)
    await run.undo()
    for path in ("long.txt", "easy.txt"):
        run.decide_hunk(place.turn.key, path, WHOLE, accepted=False)
    told = await run.settle_turn()

    assert told.notes == ("nothing of it was left; all stays as it is",)
    assert (place.state.status, run.views.turns.waiting) == ("landed", None)
    with pytest.raises(UsageError, match="No undo or redo waits"):
        run.drop_turn()


async def test_what_was_settled_survives_a_restart_and_comes_back_with_the_same_clash(
    place: Landed,
) -> None:
    run = place.house.run
    place.write("long.txt", SINCE)
    await run.undo()
    place.say("long.txt", 0, "both")
    settled = place.decided_on_it
    resumed = place.house.again().run.views
    assert resumed.turns.waiting == place.turn
    assert resumed.review.decisions(place.turn.key, place.turn.state.shown) == settled

    await run.undo(dry_run=True)
    assert place.names().count("TurnRefused") == 1, "nothing new is to be told"
    run.drop_turn()
    assert run.views.turns.waiting is None
    await run.undo()
    assert place.decided_on_it == settled


async def test_an_undo_takes_a_change_of_a_moved_file_back_with_it(tmp_path: Path) -> None:
    place = Landed(tmp_path, {"long.txt": None, "moved.txt": "".join(THEIRS).encode()})
    await place.staged()
    await place.approve()
    place.write("moved.txt", "".join(THEIRS).replace("line 30", "my thirty"))
    await place.house.run.undo()

    assert place.turn.state.conflicts == {
        "long.txt": "moved from moved.txt, which was changed since: that goes along"
    }
    await place.house.run.settle_turn()
    assert place.text("long.txt") == "".join(LINES).replace("line 30", "my thirty")
    assert not (place.root / "moved.txt").exists()


@pytest.mark.parametrize("take", ["mine", "theirs"])
async def test_a_new_file_that_the_user_went_on_with_is_kept_or_goes_with_its_folder(
    tmp_path: Path, take: ev.Take
) -> None:
    place = Landed(tmp_path, {"d/new.txt": b"new\n", "fresh.txt": b"fresh\n"})
    await place.staged()
    await place.approve()
    place.write("d/new.txt", "new, and mine\n")
    await place.house.run.undo()
    assert place.decided_on_it.open_clashes == {"d/new.txt": (WHOLE,)}
    place.say("d/new.txt", WHOLE, take)
    await place.house.run.settle_turn()

    assert not (place.root / "fresh.txt").exists()
    assert (place.root / "d").exists() == (take == "mine")
    if take == "mine":
        assert place.text("d/new.txt") == "new, and mine\n"


async def test_an_undo_with_something_in_its_way_is_tried_again(place: Landed) -> None:
    run = place.house.run
    (place.root / "long.txt").unlink()
    (place.root / "long.txt").mkdir()
    await run.undo()
    assert place.decided_on_it.blocked == ("long.txt",)
    with pytest.raises(UsageError, match="move that away and try again"):
        place.say("long.txt", WHOLE, "theirs")
    assert (await run.settle_turn()).conflicts
    assert place.text("easy.txt") == "".join(THEIRS)
    (place.root / "long.txt").rmdir()
    place.write("long.txt", "".join(THEIRS))
    assert (await run.settle_turn()).conflicts == ()

    assert place.text("long.txt") == place.text("easy.txt") == "".join(LINES)


async def test_what_waits_ends_as_the_session_goes_on(place: Landed) -> None:
    run = place.house.run
    place.write("long.txt", SINCE)
    await run.undo()
    run.give_task("something else")
    await run.idle()

    assert run.views.turns.waiting is None
    with pytest.raises(UsageError, match="No undo or redo waits"):
        await run.settle_turn()
