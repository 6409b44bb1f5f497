"""A step that meets the user's own edit: settled place by place, and exactly that lands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.test_reviewing import MakingRunner
from tests.engine.test_run import CannedPlanner, House, build
from tests.fakes import MemoryBlobs
from turbo_tui.core import events as ev
from turbo_tui.core.clashes import WHOLE
from turbo_tui.core.errors import UsageError
from turbo_tui.core.plan import Plan, Step
from turbo_tui.core.views import Decisions, StepState
from turbo_tui.landing import open_lander

LINES = [f"line {n}\n" for n in range(40)]
THEIRS = [
    *LINES[:4],
    "step four\n",
    *LINES[5:20],
    "step twenty\n",
    *LINES[21:38],
    "step 38\n",
    LINES[39],
]
MINE = [
    *LINES[:4],
    "my four\n",
    *LINES[5:12],
    "my twelve\n",
    *LINES[13:20],
    "my twenty\n",
    *LINES[21:],
]
PLAN = Plan("change files", "canned", (Step("s1", "one"),))


class Place:
    """A house whose landings are real, and what the user does to its files."""

    def __init__(self, folder: Path, files: dict[str, bytes | None] | None = None) -> None:
        self.root = folder / "ws"
        self.root.mkdir()
        self.write("long.txt", "".join(LINES))
        self.write("easy.txt", "".join(LINES))
        self.write("logo.png", "\0old")
        self.write("gone.txt", "gone\n")
        self.write("kept.txt", "kept\n")
        made: dict[str, bytes | None] = {
            "long.txt": "".join(THEIRS).encode(),
            "easy.txt": "".join(THEIRS).encode(),
            "logo.png": b"\0step",
            "gone.txt": b"gone, said the step\n",
            "kept.txt": None,
            "fresh.txt": b"one\nstep\n",
        }
        self.blobs = MemoryBlobs()
        self.house: House = build(
            self.root,
            blobs=self.blobs,
            planner=CannedPlanner(PLAN),
            runner=MakingRunner(files=made if files is None else files),
            lander=open_lander(self.root, folder / "state", self.blobs),
        )

    def write(self, path: str, text: str) -> None:
        (self.root / path).write_text(text)

    def text(self, path: str) -> str:
        return (self.root / path).read_text()

    @property
    def state(self) -> StepState:
        state = self.house.run.views.plan.state("s1")
        assert state is not None
        return state

    @property
    def decided(self) -> Decisions:
        return self.house.run.views.review.decisions("s1", self.state.shown)

    async def staged(self) -> None:
        """Come to the review of the step."""
        run = self.house.run
        run.give_task("change files")
        await run.idle()
        run.go()
        await run.idle()

    async def refused(self, *, leave: tuple[str, ...] = ()) -> None:
        """Approve, and come back with what clashes; some files are left out before."""
        for path in leave:
            self.house.run.decide_hunk("s1", path, -1, accepted=False)
        await self.approve()
        assert self.state.status == "conflict"

    async def approve(self) -> None:
        self.house.run.approve("s1")
        await self.house.run.idle()

    def settle(self, path: str, place: int, take: ev.Take) -> None:
        self.house.run.settling.settle("s1", path, place, take)


@pytest.fixture
async def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    await made.staged()
    return made


OTHERS = ("easy.txt", "logo.png", "gone.txt", "kept.txt", "fresh.txt")


async def test_each_clash_is_settled_by_itself_and_exactly_that_lands(place: Place) -> None:
    place.write("long.txt", "".join(MINE))
    await place.refused(leave=OTHERS)
    assert place.decided.open_clashes == {"long.txt": (0, 1)}
    with pytest.raises(UsageError, match=r"conflict 1 of 2 in long\.txt"):
        place.house.run.approve("s1")

    place.settle("long.txt", 0, "mine")
    place.settle("long.txt", 1, "both")
    await place.approve()

    assert place.state.status == "landed"
    lines = [*MINE[:20], "my twenty\n", "step twenty\n", *LINES[21:38], "step 38\n", LINES[39]]
    assert place.text("long.txt") == "".join(lines)


async def test_what_was_written_by_hand_lands_and_markers_are_refused(place: Place) -> None:
    place.write("long.txt", "".join(MINE))
    await place.refused(leave=OTHERS)
    run = place.house.run
    change = next(each for each in run.change_set("s1").files if each.path == "long.txt")
    begun = run.review.clash_text(change, place.decided.clashing["long.txt"], 0)
    assert begun == (
        b"<<<<<<< yours\nmy four\n||||||| base\nline 4\n=======\nstep four\n>>>>>>> the step's\n"
    )
    with pytest.raises(UsageError, match=r"marker in line 1 of what you wrote \(<<<<<<< yours\)"):
        run.settling.write("s1", "long.txt", 0, begun)
    whole = run.review.clash_text(change, place.decided.clashing["long.txt"], WHOLE)
    with pytest.raises(UsageError, match="marker in line 5 of"):
        run.edit_content("s1", "long.txt", whole)

    run.settling.write("s1", "long.txt", 0, b"our four")
    place.settle("long.txt", 1, "theirs")
    await place.approve()

    landed = [*MINE[:4], "our four\n", *MINE[5:20], *THEIRS[20:]]
    assert place.text("long.txt") == "".join(landed)


async def test_settling_survives_a_restart(place: Place) -> None:
    place.write("long.txt", "".join(MINE))
    await place.refused(leave=OTHERS)
    place.settle("long.txt", WHOLE, "theirs")
    resumed = place.house.again().run.views

    assert resumed.review.decisions("s1", place.state.shown) == place.decided
    assert place.decided.open_clashes == {}


async def test_a_change_after_settling_is_refused_with_the_new_clash_alone(place: Place) -> None:
    place.write("long.txt", "".join(MINE))
    await place.refused(leave=OTHERS)
    place.settle("long.txt", WHOLE, "theirs")
    place.write("long.txt", "".join(MINE).replace("my four", "my other four"))
    await place.approve()

    assert place.state.status == "conflict"
    assert place.text("long.txt") == "".join(MINE).replace("my four", "my other four")
    assert place.decided.open_clashes == {"long.txt": (0,)}
    place.settle("long.txt", 0, "mine")
    await place.approve()
    landed = "".join(MINE).replace("my four", "my other four").replace("my twenty", "step twenty")
    assert place.text("long.txt") == landed.replace("line 38", "step 38")


async def test_what_merges_lands_beside_what_was_settled(place: Place) -> None:
    place.write("easy.txt", "my first line\n" + "".join(LINES))
    place.write("long.txt", "".join(MINE))
    await place.refused(leave=OTHERS[1:])
    assert set(place.decided.clashing) == {"long.txt"}
    assert set(place.state.conflicts) == {"long.txt", "easy.txt"}
    place.settle("long.txt", WHOLE, "mine")
    await place.approve()

    assert place.text("easy.txt") == "my first line\n" + "".join(THEIRS)
    assert place.text("long.txt") == "".join(MINE).replace("line 38", "step 38")


@pytest.mark.parametrize("take", ["mine", "theirs"])
async def test_what_is_no_text_on_both_sides_is_one_or_the_other(
    place: Place, take: ev.Take
) -> None:
    place.write("logo.png", "\0mine")
    (place.root / "gone.txt").unlink()
    place.write("kept.txt", "kept, and changed\n")
    await place.refused(leave=("easy.txt", "long.txt", "fresh.txt"))
    assert place.decided.open_clashes == {
        "logo.png": (WHOLE,), "gone.txt": (WHOLE,), "kept.txt": (WHOLE,)
    }  # fmt: skip
    with pytest.raises(UsageError, match="one or the other"):
        place.settle("logo.png", WHOLE, "both")
    for path in place.decided.open_clashes:
        place.settle(path, WHOLE, take)
    await place.approve()

    there = {path.name: path.read_bytes() for path in place.root.iterdir()}
    if take == "mine":
        assert place.state.status == "rejected", "nothing of it was left to land"
        assert there["logo.png"] == b"\0mine"
        assert "gone.txt" not in there
        assert there["kept.txt"] == b"kept, and changed\n"
    else:
        assert place.state.status == "landed"
        assert there["logo.png"] == b"\0step"
        assert there["gone.txt"] == b"gone, said the step\n"
        assert "kept.txt" not in there


async def test_two_new_files_of_one_name_clash_only_where_they_differ(place: Place) -> None:
    place.write("fresh.txt", "one\nmine\n")
    await place.refused(leave=("easy.txt", "long.txt", "gone.txt", "kept.txt", "logo.png"))
    assert place.decided.open_clashes == {"fresh.txt": (0,)}
    place.settle("fresh.txt", 0, "both")
    await place.approve()

    assert place.text("fresh.txt") == "one\nmine\nstep\n"


async def test_a_clashing_file_can_be_left_out_and_taken_in_again(place: Place) -> None:
    place.write("long.txt", "".join(MINE))
    await place.refused(leave=OTHERS[1:])
    run = place.house.run
    run.decide_hunk("s1", "long.txt", -1, accepted=False)
    assert place.decided.open_clashes == {}
    place.settle("long.txt", 0, "mine")
    assert place.decided.open_clashes == {"long.txt": (1,)}, "settling takes it in again"
    run.decide_hunk("s1", "long.txt", -1, accepted=False)
    await place.approve()

    assert place.text("long.txt") == "".join(MINE)
    assert place.text("easy.txt") == "".join(THEIRS)


async def test_in_a_file_that_clashes_what_merges_is_left_out_by_itself(place: Place) -> None:
    place.write("long.txt", "".join(MINE))
    run = place.house.run
    await place.refused(leave=OTHERS)
    run.decide_hunk("s1", "long.txt", 0, accepted=False)
    place.settle("long.txt", WHOLE, "theirs")
    assert place.decided.clashing["long.txt"].left_out == {0}
    assert place.house.again().run.views.review.decisions("s1", place.state.shown) == place.decided
    place.write("long.txt", "first\n" + "".join(MINE))
    await place.approve()
    assert "what you left out of it stays out" in place.state.conflicts["long.txt"]
    await place.approve()

    settled = "".join(MINE).replace("my four", "step four").replace("my twenty", "step twenty")
    assert place.text("long.txt") == "first\n" + settled, "and not the step's line 38"


async def test_what_merges_is_taken_in_again_by_itself_and_with_its_file(place: Place) -> None:
    place.write("long.txt", "".join(MINE))
    run = place.house.run
    await place.refused(leave=OTHERS)
    for whole in (False, True):
        run.decide_hunk("s1", "long.txt", 0, accepted=False)
        if whole:
            run.decide_hunk("s1", "long.txt", WHOLE, accepted=False)
        run.decide_hunk("s1", "long.txt", WHOLE if whole else 0, accepted=True)
        assert place.decided.clashing["long.txt"].left_out == set()
    place.settle("long.txt", WHOLE, "mine")
    await place.approve()

    assert place.text("long.txt") == "".join(MINE).replace("line 38", "step 38")


def decide_no_such_hunk(place: Place) -> None:
    place.house.run.decide_hunk("s1", "long.txt", 1, accepted=False)


def decide_lines(place: Place) -> None:
    place.house.run.decide_lines("s1", "long.txt", 0, (1,), accepted=False)


def settle_what_does_not_clash(place: Place) -> None:
    place.settle("easy.txt", 0, "mine")


def settle_no_such_place(place: Place) -> None:
    place.settle("long.txt", 2, "mine")


def settle_what_was_rewritten(place: Place) -> None:
    place.house.run.edit_content("s1", "long.txt", b"mine alone\n")
    place.settle("long.txt", 0, "mine")


def settle_an_older_change_set(place: Place) -> None:
    place.house.run.settling.settle("s1", "long.txt", 0, "mine", changes="0" * 64)


def write_no_such_place(place: Place) -> None:
    place.house.run.settling.write("s1", "long.txt", WHOLE, b"x")


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (decide_no_such_hunk, "settle its conflicts"),
        (decide_lines, "settle its conflicts"),
        (settle_what_does_not_clash, "does not clash"),
        (settle_no_such_place, "no conflict 3"),
        (settle_what_was_rewritten, "You rewrote"),
        (settle_an_older_change_set, "no longer what you decided on"),
        (write_no_such_place, "to edit; look at it again"),
    ],
)
async def test_what_cannot_be_settled_is_refused_in_words(
    place: Place, act: Callable[[Place], None], why: str
) -> None:
    place.write("long.txt", "".join(MINE))
    await place.refused(leave=OTHERS[1:])
    with pytest.raises(UsageError, match=why):
        act(place)


async def test_a_file_with_something_in_its_way_is_left_out_or_tried_again(place: Place) -> None:
    (place.root / "long.txt").unlink()
    (place.root / "long.txt").mkdir()
    await place.refused(leave=OTHERS[1:])
    assert (place.decided.blocked, place.decided.open_clashes) == (("long.txt",), {})
    with pytest.raises(UsageError, match=r"folder now.*move that away and try again"):
        place.settle("long.txt", WHOLE, "theirs")
    await place.approve()
    assert place.state.status == "conflict"
    assert place.decided.blocked == ("long.txt",), "told again, not taken for settled"

    (place.root / "long.txt").rmdir()
    place.write("long.txt", "".join(LINES))
    await place.approve()
    assert place.text("long.txt") == "".join(THEIRS)
    assert place.text("easy.txt") == "".join(THEIRS)


async def test_a_file_with_something_in_its_way_can_be_left_out(place: Place) -> None:
    (place.root / "long.txt").unlink()
    (place.root / "long.txt").mkdir()
    await place.refused(leave=OTHERS[1:])
    place.house.run.decide_hunk("s1", "long.txt", WHOLE, accepted=False)
    assert place.decided.blocked == ()
    await place.approve()

    assert place.text("easy.txt") == "".join(THEIRS)
    assert (place.root / "long.txt").is_dir()


async def staged(folder: Path, files: dict[str, bytes | None]) -> Place:
    """Return a place where a step that makes these files waits for its review."""
    place = Place(folder, files)
    await place.staged()
    return place


async def test_a_file_that_the_step_moved_takes_the_users_change_along(tmp_path: Path) -> None:
    place = await staged(tmp_path, {"long.txt": None, "moved.txt": "".join(THEIRS).encode()})
    mine = "".join(LINES).replace("line 30", "my thirty")
    place.write("long.txt", mine)
    await place.refused()

    assert place.state.conflicts == {
        "moved.txt": "moved from long.txt, which was changed since: that goes along"
    }
    await place.approve()
    assert place.text("moved.txt") == "".join(THEIRS).replace("line 30", "my thirty")
    assert not (place.root / "long.txt").exists()
    await place.house.run.undo()
    assert place.text("long.txt") == mine
    assert not (place.root / "moved.txt").exists()


async def test_where_that_clashes_it_is_settled_at_the_new_path(tmp_path: Path) -> None:
    place = await staged(tmp_path, {"long.txt": None, "moved.txt": "".join(THEIRS).encode()})
    place.write("long.txt", "".join(MINE))
    await place.refused()

    assert place.decided.open_clashes == {"moved.txt": (0, 1)}
    assert "which was changed since: in the same lines" in place.state.conflicts["moved.txt"]
    place.settle("moved.txt", 0, "mine")
    place.settle("moved.txt", 1, "theirs")
    place.write("long.txt", "first\n" + "".join(MINE))
    await place.approve()
    assert place.state.status == "conflict"
    await place.approve()
    settled = "".join(MINE).replace("my twenty", "step twenty").replace("line 38", "step 38")
    assert place.text("moved.txt") == "first\n" + settled
    assert not (place.root / "long.txt").exists()


async def test_a_moved_file_that_is_left_out_stays_where_it_was(tmp_path: Path) -> None:
    made: dict[str, bytes | None] = {"long.txt": None, "moved.txt": "".join(THEIRS).encode()}
    place = await staged(tmp_path, {**made, "fresh.txt": b"fresh"})
    place.write("long.txt", "".join(MINE))
    await place.refused()
    place.house.run.decide_hunk("s1", "moved.txt", WHOLE, accepted=False)
    await place.approve()

    assert place.text("long.txt") == "".join(MINE)
    assert not (place.root / "moved.txt").exists()
    assert place.text("fresh.txt") == "fresh"


async def test_a_deleted_file_that_cannot_be_followed_names_the_new_one_that_holds_it(
    tmp_path: Path,
) -> None:
    place = await staged(tmp_path, {"long.txt": None, "moved.txt": "".join(THEIRS).encode()})
    place.write("long.txt", "".join(MINE))
    place.write("moved.txt", "of another kind\n")
    await place.refused()

    assert "most of it is in moved.txt, without your change" in place.state.conflicts["long.txt"]


async def test_after_a_refusal_ignored_folders_are_rows_still_on_or_off(tmp_path: Path) -> None:
    files: dict[str, bytes | None] = {f"{each}/{n}": b"x" for each in ("on", "off") for n in "ab"}
    files["easy.txt"] = "".join(THEIRS).encode()
    place = Place(tmp_path, files)
    place.write(".gitignore", "on/\noff/\n")
    run = place.house.run
    await place.staged()
    run.decide_ignored("s1", "on", accepted=True)
    place.write("easy.txt", "first\n" + "".join(LINES))
    (place.root / "on").mkdir()
    place.write("on/b", "mine")
    await place.refused()

    shown = run.change_set("s1")
    rows = [(each.folder, len(each.changes)) for each in shown.ignored]
    assert rows == [("off", 2), ("on", 1)]
    assert [each.path for each in shown.files] == ["easy.txt", "on/b"], "what conflicts is listed"
    assert place.decided.ignored_on == {"on"}
    assert place.house.again().run.views.review.decisions("s1", place.state.shown) == place.decided
    place.settle("on/b", WHOLE, "mine")
    run.decide_ignored("s1", "off", accepted=True)
    await place.approve()

    there = {str(p.relative_to(place.root)) for p in place.root.rglob("o*/*")}
    assert there == {"on/a", "on/b", "off/a", "off/b"}
    assert place.text("on/b") == "mine"


async def test_what_was_decided_and_said_before_a_refusal_holds_after_it(place: Place) -> None:
    run = place.house.run
    run.decide_hunk("s1", "easy.txt", 0, accepted=False)
    run.decide_hunk("s1", "logo.png", WHOLE, accepted=False)
    run.comment("s1", "easy.txt", 21, "new", "why twenty?")
    run.comment("s1", "long.txt", 39, "new", "why this?")
    place.write("long.txt", "first\n" + "".join(MINE))
    await place.refused()

    assert place.decided.rejected == {
        "easy.txt": frozenset({0}), "logo.png": frozenset({WHOLE})
    }  # fmt: skip
    assert {each.path for each in run.change_set("s1").files} >= {"easy.txt", "logo.png"}
    assert [each.text for each in place.decided.comments] == ["why twenty?", "why this?"]
    assert run.change_set("s1") == place.house.again().run.change_set("s1")
    assert place.house.again().run.views.review.decisions("s1", place.state.shown) == place.decided
    run.decide_hunk("s1", "logo.png", WHOLE, accepted=True)
    place.settle("long.txt", WHOLE, "mine")
    await place.approve()

    assert place.text("logo.png") == "\0step"
    assert place.text("easy.txt") == "".join([*LINES[:5], *THEIRS[5:]])


async def test_what_was_left_out_stays_out_where_the_rest_merges(place: Place) -> None:
    place.house.run.comment("s1", "easy.txt", 21, "new", "why twenty?")
    place.house.run.decide_hunk("s1", "logo.png", WHOLE, accepted=False)
    place.write("easy.txt", "my first line\n" + "".join(LINES))
    await place.refused()

    assert place.decided.rejected == {"logo.png": frozenset({WHOLE})}
    (said,) = place.decided.comments
    assert (said.line, said.text) == (22, "why twenty?")
    await place.approve()
    assert place.text("easy.txt") == "my first line\n" + "".join(THEIRS)
    assert place.text("logo.png") == "\0old"


async def test_words_go_to_the_next_attempt_after_a_refusal(place: Place) -> None:
    place.house.run.comment("s1", "long.txt", 39, "new", "why this?")
    place.write("long.txt", "".join(MINE))
    await place.refused(leave=OTHERS)
    place.house.run.retry("s1")
    await place.house.run.idle()

    assert "> step 38\nwhy this?" in place.state.feedback


@pytest.mark.parametrize("whole", [True, False])
async def test_what_was_written_by_hand_gets_no_final_newline_that_no_side_had(
    tmp_path: Path, *, whole: bool
) -> None:
    place = Place(tmp_path, {"easy.txt": b"a\nb\nSTEP"})
    place.write("easy.txt", "a\nb\nc")
    await place.staged()
    place.write("easy.txt", "a\nb\nMINE")
    await place.refused()
    if whole:
        place.house.run.edit_content("s1", "easy.txt", b"a\nb\nOURS\n")
    else:
        place.house.run.settling.write("s1", "easy.txt", 0, b"OURS\n")
    await place.approve()

    assert place.text("easy.txt") == "a\nb\nOURS"
