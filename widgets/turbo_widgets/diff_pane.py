"""What a step did, file by file and line by line, with marks: lands, or left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Offset
from textual.message import Message

from turbo_widgets.diff_clashes import DiffClashes
from turbo_widgets.diff_fields import LineField
from turbo_widgets.diff_values import (
    WHOLE_FILE,
    DiffClash,
    DiffComment,
    DiffFile,
    DiffHunk,
    DiffIgnored,
    DiffLine,
    DiffValue,
    LineKind,
    Side,
    conflict_lines,
)
from turbo_widgets.hunk_editor import HunkEditor
from turbo_widgets.row_items import NO_ITEM
from turbo_widgets.text import clean_line

__all__ = [
    "WHOLE_FILE",
    "DiffClash",
    "DiffComment",
    "DiffFile",
    "DiffHunk",
    "DiffIgnored",
    "DiffLine",
    "DiffPane",
    "DiffValue",
    "LineKind",
    "conflict_lines",
]


class DiffPane(DiffClashes):
    """Show a change set; ask for what the user wants of it. It decides nothing itself."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "toggle_hunk", "In/out"),
        Binding("space", "toggle_head", "File in/out"),
        Binding("n", "hunk(1)", "Hunk"),
        Binding("e", "edit(False)", "Edit"),
        Binding("c", "comment", "Comment"),
        Binding("p", "hunk(-1)", "Previous hunk", show=False),
        Binding("f", "file(1)", "File"),
        Binding("b", "file(-1)", "Previous file", show=False),
        Binding("x", "toggle_file", "Whole file"),
        Binding("V", "choose_lines", "Lines"),
        Binding("l", "side", "Side by side"),
        Binding("slash", "find", "Search", key_display="/"),
        Binding("o", "files", "Files"),
        Binding("enter", "go", "Go to file, next match", show=False),
        Binding("N,shift+enter", "match(-1)", "Previous match", show=False),
        Binding("shift+up", "extend(-1)", "Choose lines upwards", show=False),
        Binding("shift+down", "extend(1)", "Choose lines downwards", show=False),
        Binding("E", "edit(True)", "Edit the whole file", show=False),
        Binding("C,delete", "uncomment", "Remove the comment", show=False),
        Binding("w", "wrap", "Wrap long lines", show=False),
        Binding("W", "blanks", "White space", show=False),
        Binding("escape", "clear", "Let go", show=False),
    ]

    class HunkWanted(Message):
        """Take a hunk (`WHOLE_FILE`: the whole file) in, or leave it out."""

        def __init__(self, subject: str, path: str, hunk: int, *, accepted: bool) -> None:
            super().__init__()
            self.subject = subject
            self.path = path
            self.hunk = hunk
            self.accepted = accepted

    class LinesWanted(Message):
        """Take lines of a hunk in, or leave them out; only changed lines are named."""

        def __init__(
            self, subject: str, path: str, hunk: int, lines: tuple[int, ...], *, accepted: bool
        ) -> None:
            super().__init__()
            self.subject = subject
            self.path = path
            self.hunk = hunk
            self.lines = lines
            self.accepted = accepted

    class IgnoredWanted(Message):
        """Let an ignored folder's files land, or not."""

        def __init__(self, subject: str, folder: str, *, accepted: bool) -> None:
            super().__init__()
            self.subject = subject
            self.folder = folder
            self.accepted = accepted

    class EditWanted(Message):
        """Edit a hunk (`WHOLE_FILE`: the whole file); `opening` is set until it is answered.

        In a file that clashes, `hunk` is the place of a clash.
        """

        def __init__(self, subject: str, path: str, hunk: int) -> None:
            super().__init__()
            self.subject = subject
            self.path = path
            self.hunk = hunk

    class CommentWanted(Message):
        """Say something about a line.

        Attributes:
            line: Index into the hunk's lines.
            side: Which version `number`, the line's number (1-based), counts in.
            text: Empty: remove what was said.
        """

        def __init__(
            self,
            subject: str,
            path: str,
            hunk: int,
            line: int,
            *,
            side: Side,
            number: int,
            text: str,
        ) -> None:
            super().__init__()
            self.subject = subject
            self.path = path
            self.hunk = hunk
            self.line = line
            self.side: Side = side
            self.number = number
            self.text = text

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's name)
        super().__init__(id=id)
        self._drafts: dict[tuple[str, str, int, int], str] = {}
        # An editor was asked for, and is not open yet: keys are to wait for whoever answers,
        # who takes this back.
        self.opening = False

    # --- what can be done here ---------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: C901, PLR0911  one arm per action
        """Offer only what the rows under the cursor can do."""
        value, place = self._value, self._here
        file = value.files[place.file] if place is not None and place.file >= 0 else None
        has_hunks = any(each.hunks for each in value.files)
        match action:
            case "toggle_hunk" | "toggle_head":
                return self._toggles_here and self._toggles_file == (action == "toggle_head")
            case "toggle_file":
                return file is not None and value.decidable
            case "choose_lines" | "extend":
                return value.decidable and file is not None and file.by_line
            case "edit":
                whole = bool(parameters and parameters[0])
                here = place is not None and (whole or self._edited_here != WHOLE_FILE)
                return value.decidable and file is not None and file.editable and here
            case "comment":
                return value.decidable and value.commentable and self._line_here is not None
            case "uncomment":
                return value.decidable and value.commentable and bool(self._comments_here)
            case "hunk" | "side" | "find" | "wrap" | "blanks":
                return has_hunks
            case "file" | "files":
                return len(value.files) > 1
            case "match":
                return self._search is not None
            case "clear":
                return self._search is not None or self._anchor != NO_ITEM
            case "go":
                return self._search is not None or (place is not None and place.summary)
            case _:
                return super().check_action(action, parameters)

    @property
    def _toggles_here(self) -> bool:
        return self._here is not None and self._value.decidable and self._is_toggled_here

    @property
    def _toggles_file(self) -> bool:
        """All of the file is meant, and more than the hunk under the cursor, if one is."""
        place = self._here
        if place is None or place.file < 0 or self._anchor != NO_ITEM:
            return False
        file = self._value.files[place.file]
        return place.hunk == WHOLE_FILE or (not file.by_hunk and len(file.hunks) > 1)

    # --- marks ---------------------------------------------------------------------------

    def action_toggle_hunk(self) -> None:
        """Ask for the lines, the hunk or the folder to be taken in or left out."""
        place = self._here
        if place is None:
            return
        if self._anchor != NO_ITEM:
            self._toggle_lines()
        elif place.ignored >= 0:
            value, folder = self._value, self._value.ignored[place.ignored]
            self.post_message(
                self.IgnoredWanted(value.subject, folder.folder, accepted=not folder.accepted)
            )
        elif not self._value.files[place.file].by_hunk:
            self.action_toggle_file()
        else:
            file = self._value.files[place.file]
            hunk = file.hunks[place.hunk]
            number = place.hunk if hunk.number < 0 else hunk.number
            subject, accepted = self._value.subject, hunk.mark != "all"
            self.post_message(self.HunkWanted(subject, file.path, number, accepted=accepted))

    def _point_at(self, offset: Offset) -> None:
        """A click on a mark turns it, as the key does there; a range is not what it means."""
        on_mark = self._is_on_mark(offset)
        if on_mark and self._anchor != NO_ITEM:
            self._let_go()
        super()._point_at(offset)
        if on_mark and self._toggles_here:
            toggle = self.action_toggle_file if self._toggles_file else self.action_toggle_hunk
            toggle()

    def action_toggle_head(self) -> None:
        """Ask for the file whose own line is under the cursor."""
        self.action_toggle_file()

    def _toggle_lines(self) -> None:
        wanted = self._chosen_lines
        hunks = {key: self._value.files[key[0]].hunks[key[1]] for key in wanted}
        landing = all(
            hunks[key].accepted and hunks[key].lines[line].accepted
            for key, lines in wanted.items()
            for line in lines
        )
        for key, lines in wanted.items():
            path = self._value.files[key[0]].path
            wish = self.LinesWanted(
                self._value.subject, path, key[1], tuple(lines), accepted=not landing
            )
            self.post_message(wish)
        self._let_go()

    def action_toggle_file(self) -> None:
        """Ask for the whole file under the cursor to be taken in or left out."""
        place = self._here
        if place is not None and place.file >= 0:
            file = self._value.files[place.file]
            accepted = file.mark == "none"
            if file.clash is not None:
                self.action_settle("theirs" if accepted else "mine")
                return
            self.post_message(
                self.HunkWanted(self._value.subject, file.path, WHOLE_FILE, accepted=accepted)
            )

    def action_choose_lines(self) -> None:
        """Begin a range of lines at the cursor, or let it go."""
        if self._anchor != NO_ITEM:
            self._let_go()
            return
        self._anchor = self.cursor
        self._stretch()
        self.refresh_bindings()

    def action_extend(self, count: int) -> None:
        """Choose one line more, or one less."""
        if self._anchor == NO_ITEM:
            self._anchor = self.cursor
        self._step(count)
        self._stretch()

    def _let_go(self) -> None:
        self._anchor = NO_ITEM
        self._stretch()
        self.refresh_bindings()

    def action_clear(self) -> None:
        """Let the range go, then the search."""
        if self._anchor != NO_ITEM:
            self._let_go()
        else:
            self._look_for("")

    # --- editing and comments ------------------------------------------------------------------

    def action_edit(self, whole: bool) -> None:  # noqa: FBT001 (a key's argument)
        """Ask for the hunk or the whole file under the cursor to be edited."""
        current = self.current
        if current is not None:
            self.opening = True
            path, _ = current
            hunk = WHOLE_FILE if whole else self._edited_here
            self.post_message(self.EditWanted(self._value.subject, path, hunk))

    async def edit_in_place(
        self,
        path: str,
        hunk: int,
        text: str,
        *,
        subject: str = "",
        where: str = "",
        kept: bool = True,
    ) -> bool:
        """Open the editor under the diff; it posts `HunkEditor.Edited` or `Cancelled`.

        It stays open, and about its own subject, when another change set is shown.

        Args:
            path: The file.
            hunk: Index of the hunk, or `WHOLE_FILE`.
            text: What to begin with.
            subject: What `HunkEditor.Edited` carries.
            where: Named in the editor's title: what the subject is called.
            kept: The text is kept elsewhere, so that leaving it unchanged loses nothing.

        Returns:
            Whether it is open; another field may be.

        Raises:
            ValueError: The text would not come back as it is (`fits_in_place`).
        """
        clashing = any(file.path == path and file.clashes for file in self._value.files)
        editor = HunkEditor(
            path,
            hunk,
            text,
            subject=subject,
            where=where,
            noun="conflict" if clashing else "hunk",
            kept=kept,
            closed=self._close_below,
        )
        return await self._open_below(editor)

    @property
    def _line_here(self) -> int | None:
        """The line that a comment would be about."""
        place = self._here
        if place is None or place.file < 0 or place.hunk == WHOLE_FILE:
            return None
        line = place.right if place.right >= 0 else place.line
        lines = self._value.files[place.file].hunks[place.hunk].lines
        if line < 0:  # on the hunk's heading: its first changed line
            return next((at for at, each in enumerate(lines) if each.changed), None)
        return line if lines[line].kind in {"same", "added", "removed"} else None

    @property
    def _comments_here(self) -> list[DiffComment]:
        place = self._here
        if place is None or place.file < 0 or place.hunk == WHOLE_FILE:
            return []
        comments = self._value.files[place.file].hunks[place.hunk].comments
        if place.comment >= 0:
            return [comments[place.comment]]
        return [
            each for each in comments if each.line >= 0 and each.line in {place.line, place.right}
        ]

    async def action_comment(self) -> None:
        """Open the field to say something about the line; an earlier word is in it."""
        place, line = self._here, self._line_here
        if place is None or line is None:
            return
        file = self._value.files[place.file]
        key = self._value.subject, file.path, place.hunk, line
        # Made now: another change set may be shown by the time that something is said.
        about = self._commenting(place.file, place.hunk, line)
        said = next((each.text for each in self._comments_here if each.line == line), "")

        def finish(text: str | None) -> None:
            self._drafts.pop(key, None)
            self._close_below()
            if text is not None and (text.strip() or said):
                self.post_message(about(text.strip()))

        def left(text: str) -> None:
            self._drafts[key] = text  # whoever comes back goes on with it
            self._close_below(focus=False)

        on = clean_line(file.hunks[place.hunk].lines[line].text).strip()
        field = LineField(
            f"comment on: {on}",
            self._drafts.get(key, said),
            typed=lambda _: None,
            finish=finish,
            left=left,
        )
        await self._open_below(field)

    def action_uncomment(self) -> None:
        """Ask for the comment under the cursor to be removed."""
        place = self._here
        for comment in self._comments_here[:1]:
            if place is not None:
                self.post_message(self._commenting(place.file, place.hunk, comment.line)(""))

    def _commenting(self, file: int, hunk: int, line: int) -> Callable[[str], CommentWanted]:
        """Return what makes a text a comment on a line as it is shown now."""
        subject, shown = self._value.subject, self._value.files[file]
        about = shown.hunks[hunk].lines[line]
        side: Side = "old" if about.kind == "removed" else "new"
        number = about.old if side == "old" else about.new
        return lambda text: self.CommentWanted(
            subject, shown.path, hunk, line, side=side, number=number, text=text
        )
