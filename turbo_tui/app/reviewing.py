"""What the user decides in the diff pane: marks, edits, words on lines, and verifying it all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from turbo_tui.app.cards import verify_words
from turbo_tui.app.editor import named_editor
from turbo_tui.app.house import House, attempt
from turbo_tui.app.present_changes import about, hunk_lines
from turbo_tui.core import events as ev
from turbo_tui.core.changes import FileChange
from turbo_tui.core.clashes import LANDING
from turbo_tui.core.errors import TurboError, UsageError
from turbo_tui.engine.run import Run
from turbo_widgets.diff_pane import WHOLE_FILE, DiffPane
from turbo_widgets.hunk_editor import HunkEditor, fits_in_place

if TYPE_CHECKING:
    from turbo_tui.app.session_screen import SessionScreen


class Reviewing:
    """Hand what the diff pane asks for to the run, for the step whose changes were shown.

    Args:
        house: The app.
        screen: Where the pane is.
        run: The session's.
        aside: Where what could not be kept is put; without one, among temporary files.
    """

    def __init__(
        self, house: House, screen: SessionScreen, run: Run, aside: Path | None = None
    ) -> None:
        self._house = house
        self._screen = screen
        self._run = run
        self._aside = aside

    # --- marks ---------------------------------------------------------------------

    def decide_hunk(self, wanted: DiffPane.HunkWanted) -> None:
        """Take a hunk or file in, or leave it out."""
        step_id, changes = about(wanted.subject)
        attempt(
            self._house,
            lambda: self._run.decide_hunk(
                step_id, wanted.path, wanted.hunk, accepted=wanted.accepted, changes=changes
            ),
        )

    def decide_lines(self, wanted: DiffPane.LinesWanted) -> None:
        """Take lines of a hunk in, or leave them out."""
        step_id, changes = about(wanted.subject)
        shown = self._screen.furniture.diff.value
        file = next((each for each in shown.files if each.path == wanted.path), None)
        gone = shown.subject != wanted.subject or file is None or wanted.hunk >= len(file.hunks)
        if gone or file is None:
            self._house.tell("Other changes are shown by now; choose the lines again.", bad=True)
            return
        lines = hunk_lines(file.hunks[wanted.hunk], wanted.lines)
        attempt(
            self._house,
            lambda: self._run.decide_lines(
                step_id, wanted.path, wanted.hunk, lines, accepted=wanted.accepted, changes=changes
            ),
        )

    def decide_ignored(self, wanted: DiffPane.IgnoredWanted) -> None:
        """Let an ignored folder land, or not."""
        step_id, changes = about(wanted.subject)
        attempt(
            self._house,
            lambda: self._run.decide_ignored(
                step_id, wanted.folder, accepted=wanted.accepted, changes=changes
            ),
        )

    def settle(self, wanted: DiffPane.SettleWanted) -> None:
        """Let one side, or both, stand where the step's change meets the user's."""
        step_id, changes = about(wanted.subject)
        attempt(
            self._house,
            lambda: self._run.settling.settle(
                step_id, wanted.path, wanted.place, wanted.take, changes=changes
            ),
        )

    # --- edits -----------------------------------------------------------------------

    async def edit(self, wanted: DiffPane.EditWanted) -> bool:
        """Edit what lands of a hunk, or of a whole file: here, or in the user's own editor.

        Returns:
            Whether an editor is open here now, and has the keys.
        """
        path, hunk = wanted.path, wanted.hunk
        try:
            content = self._begun(wanted)
            editor = named_editor()
        except TurboError as error:
            self._house.tell(str(error), bad=True)
            return False
        text = content.decode("utf-8", "replace")
        here = text.encode() == content and fits_in_place(text)
        if editor and (hunk == WHOLE_FILE or not here):
            self._edit_outside(editor, wanted, content)
        elif here:
            step = self._named(about(wanted.subject)[0])
            await self._screen.furniture.diff.edit_in_place(
                path, hunk, text, subject=wanted.subject, where=step
            )
            return True
        else:
            self._house.tell(
                f"{path} cannot be edited here as it is (line ends, controls or bytes that are "
                "not UTF-8). Set EDITOR, for example EDITOR=vim, to edit it there.",
                bad=True,
            )
        return False

    def _begun(self, wanted: DiffPane.EditWanted) -> bytes:
        """Return what an editor begins with: what would land now."""
        step_id, changes = about(wanted.subject)
        path = wanted.path
        state = self._run.under_review(step_id, changes)
        change = self._change(step_id, path)
        decided = self._run.views.review.decisions(step_id, state.shown)
        clashing = decided.clashing.get(path)
        if clashing is not None and clashing.places and path not in decided.contents:
            turn = self._run.views.turns.waiting
            sides = turn.sides if turn is not None and turn.key == step_id else LANDING
            return self._run.review.clash_text(change, clashing, wanted.hunk, sides)
        if clashing is None and wanted.hunk != WHOLE_FILE and path not in decided.contents:
            return self._run.review.hunk_text(change, wanted.hunk, decided)
        open_yet = path in decided.open_clashes
        lands = None if open_yet else self._run.review.lands(change, decided)
        return self._run.review.content(lands.after if lands is not None else change.after)

    def _change(self, step_id: str, path: str) -> FileChange:
        changes = self._run.change_set(step_id).files
        found = next((each for each in changes if each.path == path), None)
        if found is None:
            raise UsageError(f"{path} is not among the changes of {self._named(step_id)} any more.")
        return found

    def _edit_outside(self, editor: list[str], wanted: DiffPane.EditWanted, content: bytes) -> None:
        """Hand a copy to the user's editor, and take what it left."""
        path = wanted.path
        with tempfile.TemporaryDirectory(prefix="turbo-tui-edit-") as folder:
            copy = Path(folder) / PurePosixPath(path).name
            copy.write_bytes(content)
            ended = self._house.outside([*editor, os.fspath(copy)])
            try:
                written = copy.read_bytes()
            except OSError as error:
                self._house.tell(f"What you wrote cannot be read: {error.strerror}.", bad=True)
                return
        if ended:  # `:cq` of vim says so: do not take it
            why = f"{editor[0]} ended with {ended}; nothing was taken."
            if written == content:
                self._house.tell(why, bad=True)
            else:
                self._set_aside(why, PurePosixPath(path).name, written)
            return
        if written == content:
            self._house.tell("Nothing was changed.")
            return
        self._keep(wanted.subject, path, wanted.hunk, written)

    async def keep_edit(self, edited: HunkEditor.Edited) -> None:
        """Let land what was written in place; what is refused is gone on with."""
        path, content = edited.path, edited.text.encode()
        try:
            self._take(edited.subject, path, edited.hunk, content)
        except TurboError as error:
            diff = self._screen.furniture.diff
            step_id, changes = about(edited.subject)
            if self._is_shown(step_id, changes) and await diff.edit_in_place(
                path,
                edited.hunk,
                edited.text,
                subject=edited.subject,
                where=self._named(step_id),
                kept=False,
            ):
                self._house.tell(str(error), bad=True)
                return
            self._set_aside(str(error), PurePosixPath(path).name, content)

    def _is_shown(self, step_id: str, changes: str) -> bool:
        try:
            return bool(self._run.under_review(step_id, changes))
        except UsageError:
            return False

    def _named(self, step_id: str) -> str:
        turn = self._run.views.turns.state(step_id)
        return turn.step.title if turn is not None else f"step {step_id}"

    def _keep(self, subject: str, path: str, hunk: int, content: bytes) -> None:
        try:
            self._take(subject, path, hunk, content)
        except TurboError as error:
            self._set_aside(str(error), PurePosixPath(path).name, content)

    def _take(self, subject: str, path: str, hunk: int, content: bytes) -> None:
        step_id, changes = about(subject)
        if hunk == WHOLE_FILE:  # that it lands so is said where it is shown: edited
            self._run.edit_content(step_id, path, content, changes=changes)
        elif path in self._run.views.review.decisions(step_id, changes).clashing:
            self._run.settling.write(step_id, path, hunk, content, changes=changes)
        else:
            self._run.edit_hunk(step_id, path, hunk, content, changes=changes)

    def _set_aside(self, why: str, name: str, content: bytes) -> None:
        """Say why something written was not taken, and where it is: nothing written is lost."""
        try:
            folder = self._aside
            if folder is not None:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, kept = tempfile.mkstemp(prefix="unkept-", suffix=f"-{name}", dir=folder)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
        except OSError as error:
            why += f" What you wrote could not be put aside either: {error.strerror}."
        else:
            why += f" What you wrote is in {kept}."
        self._run.session.append(ev.Noted("warning", why))  # a message passes, the log stays
        self._house.tell(why, bad=True)

    # --- words -------------------------------------------------------------------------

    def comment(self, wanted: DiffPane.CommentWanted) -> None:
        """Keep a word on a line; it goes to the step when that is run again."""
        step_id, changes = about(wanted.subject)
        try:
            if wanted.text and wanted.side == "new" and self._is_own(step_id, changes, wanted):
                raise UsageError(
                    "This line is in what you edited yourself: a step is told of its own lines "
                    "only. Comment on a removed line here, or on another hunk."
                )
            self._run.comment(
                step_id, wanted.path, wanted.number, wanted.side, wanted.text, changes=changes
            )
        except TurboError as error:
            if wanted.text:
                self._set_aside(str(error), "comment.txt", f"{wanted.text}\n".encode())
            else:
                self._house.tell(str(error), bad=True)

    def _is_own(self, step_id: str, changes: str, wanted: DiffPane.CommentWanted) -> bool:
        """Tell if the numbers of a hunk's lines count in what the user wrote."""
        choice = self._run.views.review.decisions(step_id, changes).choice(wanted.path)
        return bool(choice.content) or wanted.hunk in choice.edited

    def comments(self, step_id: str) -> int:
        """Count the words on lines of a step."""
        state = self._run.views.plan.state(step_id)
        if state is None:
            return 0
        return len(self._run.views.review.decisions(step_id, state.shown).comments)

    # --- verifying -----------------------------------------------------------------------

    def verify(self, step_id: str) -> None:
        """Run the step's checks on exactly what is accepted; nothing waits for it."""
        self._house.in_background(self._verify(step_id), group="verify")

    async def _verify(self, step_id: str) -> None:
        try:
            result = await self._run.verify(step_id)
        except TurboError as error:
            self._house.tell(str(error), bad=True)
            return
        said = verify_words(result)
        if said:
            self._house.tell(said, bad=result.status != "passed")
