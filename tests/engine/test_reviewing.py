"""Decisions on lines, edits in the review, and words on lines for the next attempt."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.engine.test_run import CannedPlanner, House, WritingRunner, build
from turbo_tui.core import events as ev
from turbo_tui.core.diffs import MOST_TEXT_BYTES
from turbo_tui.core.errors import UsageError
from turbo_tui.core.plan import Plan, Step
from turbo_tui.core.ports import Stage
from turbo_tui.core.views import Comment, Decisions, Views
from turbo_tui.engine.feedback import MOST_CHARS
from turbo_tui.engine.stepping import StepResult

LINES = [f"line {n}\n" for n in range(60)]
CHANGED = [*LINES[:2], "first\n", "added\n", *LINES[3:50], "second\n", *LINES[51:]]
# Hunk 0 of it: " line 0", " line 1", "-line 2", "+first", "+added", " line 3", …
PLAN = Plan("change files", "canned", (Step("s1", "one"), Step("s2", "two")))


@dataclass
class MakingRunner(WritingRunner):
    """Its first step writes these files, and deletes those that are None."""

    files: dict[str, bytes | None] = field(default_factory=dict[str, bytes | None])

    async def run(self, step: Step, stage: Stage, *, feedback: str, history: Views) -> StepResult:
        self.ran.append((step.id, feedback))
        for path, content in self.files.items() if step.id == "s1" else ():
            if content is not None:
                stage.files.write(path, content)
            elif stage.files.entry(path) is not None:
                stage.files.remove(path)
        return StepResult(ok=True)


@pytest.fixture
def house(tmp_path: Path) -> House:
    workspace = tmp_path / "ws"
    workspace.mkdir()
    (workspace / "long.txt").write_text("".join(LINES))
    (workspace / "gone.txt").write_text("gone\n")
    files: dict[str, bytes | None] = {
        "long.txt": "".join(CHANGED).encode(),
        "new.txt": b"one\ntwo\n",
        "gone.txt": None,
        "logo.png": b"\0\1",
    }
    return build(workspace, planner=CannedPlanner(PLAN), runner=MakingRunner(files=files))


async def staged(house: House) -> House:
    house.run.give_task("change files")
    await house.run.idle()
    house.run.go()
    await house.run.idle()
    return house


async def landed(house: House, path: str = "long.txt") -> str:
    house.run.approve("s1")
    await house.run.idle()
    return (house.workspace / path).read_text()


def decisions(house: House) -> Decisions:
    state = house.run.views.plan.state("s1")
    assert state is not None
    return house.run.views.review.decisions("s1", state.shown)


def decided(house: House) -> int:
    return sum(record.by == "user" for record in house.store.records)


async def test_a_line_left_out_does_not_land(house: House) -> None:
    await staged(house)

    house.run.decide_lines("s1", "long.txt", 0, [4, 5], accepted=False)  # 5 is context

    assert decisions(house).left_out == {"long.txt": {0: frozenset({4})}}
    assert await landed(house) == "".join([*CHANGED[:3], *CHANGED[4:]])


async def test_a_line_may_be_taken_in_again(house: House) -> None:
    await staged(house)

    house.run.decide_lines("s1", "long.txt", 0, range(5), accepted=False)
    house.run.decide_lines("s1", "long.txt", 0, [2, 3, 4], accepted=True)

    assert decisions(house).left_out == {}
    assert await landed(house) == "".join(CHANGED)


async def test_lines_of_a_rejected_hunk_come_in_alone(house: House) -> None:
    await staged(house)

    house.run.decide_hunk("s1", "long.txt", 0, accepted=False)
    house.run.decide_lines("s1", "long.txt", 0, [4], accepted=True)

    assert await landed(house) == "".join([*LINES[:3], "added\n", *LINES[3:50], *CHANGED[51:]])


async def test_lines_of_a_rejected_file_come_in_without_its_other_hunks(house: House) -> None:
    await staged(house)

    house.run.decide_hunk("s1", "long.txt", -1, accepted=False)
    house.run.decide_lines("s1", "long.txt", 0, [4], accepted=True)

    assert await landed(house) == "".join([*LINES[:3], "added\n", *LINES[3:]])


async def test_all_lines_of_a_rejected_hunk_are_the_hunk(house: House) -> None:
    await staged(house)

    house.run.decide_hunk("s1", "long.txt", 0, accepted=False)
    house.run.decide_lines("s1", "long.txt", 0, [2, 3, 4], accepted=True)

    assert decisions(house) == Decisions(decisions(house).changes)


async def test_leaving_lines_out_of_what_is_left_out_says_nothing(house: House) -> None:
    await staged(house)
    house.run.decide_hunk("s1", "long.txt", 0, accepted=False)
    before = decisions(house)

    house.run.decide_lines("s1", "long.txt", 0, [2], accepted=False)

    assert decisions(house) == before


async def test_an_edited_hunk_is_what_lands(house: House) -> None:
    await staged(house)

    house.run.edit_hunk("s1", "long.txt", 1, b"mine\n")

    assert await landed(house) == "".join([*CHANGED[:48], "mine\n", *LINES[54:]])


async def test_an_edit_taken_back_leaves_what_was_decided_before(house: House) -> None:
    await staged(house)
    house.run.decide_lines("s1", "long.txt", 0, [4], accepted=False)
    before = decisions(house)

    house.run.edit_hunk("s1", "long.txt", 0, b"mine\n")
    house.run.edit_hunk("s1", "long.txt", 0, None)
    house.run.edit_content("s1", "long.txt", b"all mine")
    house.run.edit_content("s1", "long.txt", None)

    assert decisions(house) == before


async def test_an_edit_that_changes_nothing_is_none(house: House) -> None:
    await staged(house)
    before = decided(house)

    house.run.edit_hunk("s1", "long.txt", 0, "".join(CHANGED[:7]).encode())
    house.run.edit_content("s1", "long.txt", "".join(CHANGED).encode())
    house.run.edit_hunk("s1", "long.txt", 0, None)
    house.run.comment("s1", "long.txt", 1, "new", "  ")

    assert decided(house) == before


async def test_editing_takes_in_what_was_left_out(house: House) -> None:
    await staged(house)
    house.run.decide_hunk("s1", "long.txt", -1, accepted=False)
    house.run.edit_hunk("s1", "long.txt", 1, b"mine\n")
    house.run.decide_hunk("s1", "new.txt", -1, accepted=False)
    house.run.edit_content("s1", "new.txt", b"three\n")

    assert await landed(house) == "".join([*LINES[:47], "mine\n", *LINES[54:]])
    assert (house.workspace / "new.txt").read_bytes() == b"three\n"


async def test_what_is_approved_names_the_edited_bytes(house: House) -> None:
    await staged(house)
    house.run.edit_content("s1", "new.txt", b"three\n")
    await landed(house)

    approved = next(r.event for r in house.store.records if isinstance(r.event, ev.StepApproved))
    selected = house.run.review.change_set(approved.selected)
    (file,) = [change for change in selected.files if change.path == "new.txt"]
    assert house.run.review.content(file.after) == b"three\n"


async def test_decisions_on_a_rewritten_place_are_refused_with_the_way_out(house: House) -> None:
    await staged(house)
    run = house.run

    run.edit_hunk("s1", "long.txt", 0, b"mine\n")
    with pytest.raises(UsageError, match=r"You rewrote hunk 1 of long\.txt; take that back"):
        run.decide_lines("s1", "long.txt", 0, [2], accepted=False)

    run.edit_content("s1", "long.txt", b"all mine\n")
    with pytest.raises(UsageError, match=r"You rewrote long\.txt; take that back"):
        run.decide_hunk("s1", "long.txt", 1, accepted=False)
    with pytest.raises(UsageError, match=r"You rewrote long\.txt"):
        run.edit_hunk("s1", "long.txt", 1, b"x")


async def test_what_is_not_there_is_refused(house: House) -> None:
    await staged(house)
    run = house.run

    with pytest.raises(UsageError, match=r"other\.txt is not among the changes of step s1"):
        run.decide_lines("s1", "other.txt", 0, [0], accepted=False)
    with pytest.raises(UsageError, match=r"long\.txt has no hunk 3"):
        run.decide_lines("s1", "long.txt", 2, [0], accepted=False)
    with pytest.raises(UsageError, match=r"long\.txt has no hunk -1"):
        run.decide_hunk("s1", "long.txt", -2, accepted=False)
    with pytest.raises(UsageError, match=r"Hunk 1 of long\.txt has no line 100"):
        run.decide_lines("s1", "long.txt", 0, [99], accepted=False)
    with pytest.raises(UsageError, match="Only added and removed lines"):
        run.decide_lines("s1", "long.txt", 0, [0], accepted=False)
    with pytest.raises(UsageError, match="lands whole or not at all"):
        run.decide_lines("s1", "logo.png", 0, [0], accepted=False)
    with pytest.raises(UsageError, match="lands whole or not at all"):
        run.edit_hunk("s1", "gone.txt", 0, b"x")
    with pytest.raises(UsageError, match=r"gone\.txt cannot be edited here"):
        run.edit_content("s1", "gone.txt", b"x")
    with pytest.raises(UsageError, match="8 MB at most"):
        run.edit_content("s1", "new.txt", bytes(MOST_TEXT_BYTES + 1))
    with pytest.raises(UsageError, match="has no line 3 on its new side"):
        run.comment("s1", "new.txt", 3, "new", "why?")
    with pytest.raises(UsageError, match="has no line 1 on its old side"):
        run.comment("s1", "new.txt", 1, "old", "why?")
    with pytest.raises(UsageError, match="2,000 characters at most"):
        run.comment("s1", "new.txt", 1, "new", "x" * 2_001)


async def test_decisions_on_an_older_change_set_are_void(house: House) -> None:
    await staged(house)
    house.run.edit_content("s1", "new.txt", b"three\n")
    house.run.decide_lines("s1", "long.txt", 0, [4], accepted=False)
    assert isinstance(house.runner, MakingRunner)
    house.runner.files["new.txt"] = b"four\n"

    house.run.retry("s1")
    await house.run.idle()

    assert decisions(house) == Decisions(decisions(house).changes)
    assert await landed(house, "new.txt") == "four\n"


async def test_a_resumed_session_has_the_same_decisions(house: House) -> None:
    await staged(house)
    house.run.decide_lines("s1", "long.txt", 0, [4], accepted=False)
    house.run.edit_hunk("s1", "long.txt", 1, b"mine\n")
    house.run.edit_content("s1", "new.txt", b"three\n")
    house.run.comment("s1", "long.txt", 3, "old", "keep this")

    assert decisions(house.again()) == decisions(house)
    assert decisions(house).comments == (Comment("long.txt", 3, "old", "keep this"),)


async def test_an_editor_begins_with_what_stands_there_now(house: House) -> None:
    await staged(house)
    state = house.run.views.plan.state("s1")
    assert state is not None
    review = house.run.review
    change = next(c for c in house.run.change_set("s1").files if c.path == "long.txt")

    made = "".join(CHANGED[:7]).encode()
    assert review.hunk_text(change, 0, decisions(house)) == made
    house.run.decide_lines("s1", "long.txt", 0, [2], accepted=False)  # "line 2" stays
    kept = made.replace(b"first", b"line 2\nfirst")
    assert review.hunk_text(change, 0, decisions(house)) == kept
    house.run.edit_hunk("s1", "long.txt", 0, b"mine\n")
    assert review.hunk_text(change, 0, decisions(house)) == b"mine\n"
    with pytest.raises(UsageError, match="has no hunk 3"):
        review.hunk_text(change, 2, decisions(house))

    lands = review.lands(change, decisions(house))
    assert lands is not None
    assert review.content(lands.after).startswith(b"mine\nline 6\n")
    house.run.decide_hunk("s1", "long.txt", -1, accepted=False)
    assert review.lands(change, decisions(house)) is None


# --- words on lines ---------------------------------------------------------------


async def test_a_rejected_step_is_told_each_comment_with_its_line(house: House) -> None:
    await staged(house)
    house.run.comment("s1", "long.txt", 4, "new", "Say why.")
    house.run.comment("s1", "long.txt", 3, "old", "Keep this.")
    house.run.comment("s1", "gone.txt", 1, "old", "Do not delete it.")
    house.run.comment("s1", "new.txt", 1, "new", "never mind")
    house.run.comment("s1", "new.txt", 1, "new", "")

    house.run.reject("s1", "Almost.")
    await house.run.idle()

    step_id, told = house.runner.ran[-1]
    assert step_id == "s1"
    assert told == (
        "Almost.\n\n"
        "Comments on lines of your last attempt; heed each:\n\n"
        "gone.txt:1 (as it was before)\n> gone\nDo not delete it.\n\n"
        "long.txt:3 (as it was before)\n> line 2\nKeep this.\n\n"
        "long.txt:4 (as you wrote it)\n> added\nSay why."
    )


async def test_comments_alone_run_the_step_again(house: House) -> None:
    await staged(house)
    house.run.comment("s1", "new.txt", 1, "new", "Use 1.")

    house.run.reject("s1")
    await house.run.idle()

    assert len(house.runner.ran) == 2
    assert house.runner.ran[-1][1].endswith("new.txt:1 (as you wrote it)\n> one\nUse 1.")
    assert house.statuses()["s1"] == "staged"


@pytest.mark.parametrize("keep_work", [True, False])
async def test_a_step_that_is_run_again_is_told_the_comments(
    house: House, *, keep_work: bool
) -> None:
    await staged(house)
    house.run.comment("s1", "new.txt", 1, "new", "Use 1.")

    house.run.retry("s1", keep_work=keep_work)
    await house.run.idle()

    assert "Use 1." in house.runner.ran[-1][1]
    state = house.run.views.plan.state("s1")
    assert state is not None
    assert "Use 1." in state.feedback  # in the log, for whoever resumes


async def test_comments_change_nothing_that_lands(house: House) -> None:
    await staged(house)
    house.run.comment("s1", "long.txt", 1, "new", "hm")

    assert await landed(house) == "".join(CHANGED)
    assert house.statuses()["s1"] == "landed"


async def test_many_comments_are_bounded_and_those_cut_are_named(house: House) -> None:
    await staged(house)
    for line in range(1, 40):
        house.run.comment("s1", "long.txt", line, "new", f"{line} " + "x" * 1_000)

    house.run.reject("s1", "y" * 9_000)
    await house.run.idle()

    told = house.runner.ran[-1][1]
    assert len(told) <= MOST_CHARS
    assert "long.txt:1 (as you wrote it)\n> line 0\n1 xxx" in told
    assert "More comments, cut here for room: long.txt:" in told


async def test_decisions_on_another_change_set_than_the_one_shown_are_refused(
    house: House,
) -> None:
    await staged(house)
    run = house.run
    shown = run.under_review("s1").shown
    before = decided(house)
    other = "0" * 64
    for decide in (
        lambda: run.decide_hunk("s1", "long.txt", 0, accepted=False, changes=other),
        lambda: run.decide_lines("s1", "long.txt", 0, (3,), accepted=False, changes=other),
        lambda: run.edit_hunk("s1", "long.txt", 0, b"x\n", changes=other),
        lambda: run.edit_content("s1", "long.txt", b"x\n", changes=other),
        lambda: run.comment("s1", "long.txt", 1, "new", "hm", changes=other),
        lambda: run.decide_ignored("s1", "build/", accepted=True, changes=other),
    ):
        with pytest.raises(UsageError, match="look at it again"):
            decide()
    assert decided(house) == before

    run.decide_hunk("s1", "long.txt", 0, accepted=False, changes=shown)
    assert decided(house) == before + 1
