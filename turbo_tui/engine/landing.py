"""From an approval to the workspace: select, land, tell the log; and take it back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from turbo_tui.core import events as ev
from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.diffs import WHOLE_FILE
from turbo_tui.core.errors import LandingError, SessionError, StageError, UsageError
from turbo_tui.core.landings import Landing
from turbo_tui.core.views import Comment, StepState, lying_on, unlanded_below
from turbo_tui.engine.feedback import line_in
from turbo_tui.engine.footing import Footing
from turbo_tui.engine.refusing import refused
from turbo_tui.engine.uninterrupted import whole


class Landings:
    """Land what was approved, and take landings back.

    Attributes:
        error: Why the disk or a permission refused the last landing; empty when not.
    """

    def __init__(self, footing: Footing) -> None:
        self.error = ""
        self._footing = footing

    def bases_known(self, state: StepState) -> bool:
        """Tell whether all that a staged step replaces was seen: else only a person lands it."""
        changes = self._footing.review.change_set(state.changes)
        return all(change.base_known for change in changes.files)

    def lands_by_itself(self, state: StepState) -> bool:
        """Tell whether a step lands now without a person looking at it."""
        if not self._is_meant_to(state) or self._rules_out(state):
            return False
        return not unlanded_below(self._footing.views.plan, state)

    def say_if_not(self, state: StepState) -> None:
        """Say why a step that was set to land by itself asks all the same."""
        if self._is_meant_to(state) and self._rules_out(state):
            self._footing.log(ev.Noted("warning", _not_by_itself(state)))

    def _is_meant_to(self, state: StepState) -> bool:
        footing = self._footing
        if state.status != "staged" or not state.checks_passed or state.moved:
            return False
        if footing.approve == "ask":
            # `auto` is: land if the checks pass and nothing had to be asked.
            asked = state.step.id in footing.views.asks.asked_by
            meant = state.step.mode == "auto" and not asked
        else:
            meant = footing.approve in {"staged", "all"}
        # Where someone changed the original meanwhile only a person sees what would be lost.
        return meant and self.bases_known(state)

    def _rules_out(self, state: StepState) -> bool:
        # What a step did beside its stage cannot be ruled out there: a person looks at it.
        return self._footing.approve == "ask" and not state.rung.endswith("+bubblewrap")

    async def selected(self, state: StepState) -> ChangeSet:
        """Return what would land of a step, by all that was decided until this returns.

        Raises:
            StageError: Its stage does not hold an ignored file as it was reviewed.
            SessionError: The blob store refuses.
            UsageError: Something in it is to be settled first.
        """
        footing = self._footing
        changes = footing.review.change_set(state.shown)
        while True:
            decisions = footing.views.review.decisions(state.step.id, state.shown)
            await footing.keep_switched_on(state, changes, decisions)
            selected = await asyncio.to_thread(footing.review.selected, changes, decisions)
            if decisions == footing.views.review.decisions(state.step.id, state.shown):
                return selected  # else a hunk was switched meanwhile: approved is what is shown

    async def land(self, state: StepState, *, by: str, only: str = "") -> bool:
        """Land what is selected of a step; return whether it stands in the workspace.

        Args:
            state: The step.
            by: Who lands it.
            only: Blob that must be selected, or nothing lands; empty for whatever is.
        """
        footing = self._footing
        step_id = state.step.id
        try:
            selected = await self.selected(state)
        except (StageError, SessionError, UsageError) as error:
            footing.log(ev.Noted("warning", str(error)))  # it stays under review
            return False
        if not (selected.files or selected.ignored):
            footing.log(ev.StepRejected(step_id, ""), by)
            return False
        blob = footing.review.keep(selected)
        if only not in {"", blob}:
            changed = (
                f"Step {step_id} is not landed: what you accept changed since it was verified."
            )
            footing.log(ev.Noted("warning", changed))
            return False
        footing.log(ev.StepApproved(step_id, state.shown, blob), by)
        return await self.land_approved(state, selected)

    async def land_approved(self, state: StepState, selected: ChangeSet) -> bool:
        """Write an approved change set; log that it landed, or why it was refused."""
        landed, _interrupted = await whole(self._write(state, selected))
        return landed

    async def _write(self, state: StepState, selected: ChangeSet) -> bool:
        footing = self._footing
        step_id = state.step.id
        self.error = ""
        try:
            landing = await footing.lander.land(
                selected, session_id=footing.session.session_id, step_id=step_id
            )
        except LandingError as error:
            # Nothing is to be merged: the same bytes may be approved again, once it is mended.
            self.error = str(error)
            same = _reviewed(state)
            footing.log(ev.LandingRefused(step_id, {"workspace": str(error)}, same))
            return False
        if landing.conflicts:
            decided = footing.views.review.decisions(step_id, _reviewed(state))
            found = refused(footing.review, selected, landing, decided)
            event = ev.LandingRefused(
                step_id,
                found.conflicts,
                found.merged,
                found.clashes,
                found.bases,
                found.blocked,
                found.reviewed,
                found.kept,
            )
            footing.log(event)
            self._carry_comments(event, decided.comments)
            return False
        await self.tell_landed(state, selected, landing)
        return True

    def _carry_comments(self, refused: ev.LandingRefused, said: Sequence[Comment]) -> None:
        """Keep words on lines of files that are shown otherwise now, beside the same lines."""
        review = self._footing.review
        if refused.merged == refused.reviewed:
            return
        was, now = (
            {change.path: change for change in review.change_set(blob).files}
            for blob in (refused.reviewed, refused.merged)
        )
        for each in said:
            if each.path in refused.kept:
                continue
            sides = [
                node
                for change in (was.get(each.path), now.get(each.path))
                if change is not None
                and (node := change.before if each.side == "old" else change.after) is not None
            ]
            line = each.line
            if len(sides) == 2:  # noqa: PLR2004  # else there is nothing to find it again in
                line = line_in(line, review.content(sides[0]), review.content(sides[1]))
            event = ev.LineCommented(
                refused.step_id, refused.merged, each.path, line, each.side, each.text
            )
            self._footing.log(event, "user")

    async def tell_landed(self, state: StepState, selected: ChangeSet, landing: Landing) -> None:
        """Log a landing that stands, and first what it means for the steps made on top."""
        footing = self._footing
        step_id = state.step.id
        self.tell_moved(state, selected)
        layer = await footing.settle(state.stage_id, landing.paths)
        notes = (*landing.notes, *(f"left alone: {path}" for path in landing.left_alone))
        written = landing.landing_id, landing.paths
        footing.log(ev.StepLanded(step_id, *written, notes, layer, landing.moved))
        await footing.checkpoint(landing, f"step {step_id}: {state.step.title}")

    def tell_moved(self, state: StepState, selected: ChangeSet) -> None:
        """Log which steps were made on something else than what lands of this one."""
        footing = self._footing
        moved = _differing(footing.review.change_set(state.changes), selected)
        if moved:
            why = self._what_was_done(state)
            for above in self._made_on(state):
                footing.log(ev.StepGroundMoved(above.step.id, state.step.id, moved, why))

    def _made_on(self, state: StepState) -> list[StepState]:
        above = lying_on(self._footing.views.plan, state.stage_id)
        return [each for each in above if not each.settled and state.stage_id in each.on]

    def _what_was_done(self, state: StepState) -> str:
        decisions = self._footing.views.review.decisions(state.step.id, state.shown)
        hunks = [hunk for chosen in decisions.rejected.values() for hunk in chosen]
        files = hunks.count(WHOLE_FILE)
        lines = sum(len(each) for chosen in decisions.left_out.values() for each in chosen.values())
        beside = sum(len(each.left_out) for each in decisions.clashing.values())
        parts = [
            _counted(len(hunks) - files + beside, "hunk"),
            _counted(lines, "line"),
            _counted(files, "file"),
        ]
        left_out = " and ".join(part for part in parts if part)
        edits = sum(map(len, decisions.edited.values())) + len(decisions.contents)
        done = [
            "it was merged with what changed meanwhile" if state.shown != state.changes else "",
            f"you left out {left_out}" if left_out else "",
            f"you edited {_counted(edits, 'place')}" if edits else "",
        ]
        return " and ".join(part for part in done if part) or "it landed in part"


def _reviewed(state: StepState) -> str:
    """Return the blob of what was decided on; a state that is approved no longer shows it."""
    return (state.merged or state.changes) if state.status == "approved" else state.shown


def _not_by_itself(state: StepState) -> str:
    return (
        f"{state.step.title}: set to auto, and asks all the same, because {state.rung} does not "
        "hold everything; `turbo-tui doctor` says what is missing"
    )


def _differing(staged: ChangeSet, landed: ChangeSet) -> tuple[str, ...]:
    """Return the paths where what landed is not what the step had made, in order."""
    one = {change.path: change.after for change in staged.files}
    other = {change.path: change.after for change in landed.files}
    return tuple(
        path
        for path in sorted({*one, *other})
        if path not in one or path not in other or one[path] != other[path]
    )


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}" if number else ""
