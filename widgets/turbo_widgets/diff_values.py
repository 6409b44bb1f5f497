"""What the diff pane shows, as values: a change set with its marks and comments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LineKind = Literal["same", "added", "removed", "note", "marker", "ours", "base", "theirs"]
Mark = Literal["all", "some", "none"]
Side = Literal["old", "new"]

WHOLE_FILE = -1


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of a hunk; numbers are 1-based, 0 where a side has none.

    Attributes:
        kind: `ours`, `base` and `theirs` are the versions of a conflict, each under a `marker`
            that names it; a `note` is about the line above.
        text: Data: shown as it is, its controls made visible.
        accepted: Of an added or removed line: it lands, if its hunk does.
    """

    kind: LineKind
    text: str
    old: int = 0
    new: int = 0
    accepted: bool = True

    @property
    def changed(self) -> bool:
        """It can be left out."""
        return self.kind in {"added", "removed"}


@dataclass(frozen=True, slots=True)
class DiffComment:
    """What somebody says to a line; `line` is its index in the hunk."""

    line: int
    text: str
    author: str = "you"


@dataclass(frozen=True, slots=True)
class DiffClash:
    """A place where what is shown meets a change of the user's own.

    Attributes:
        place: Its number in the file, from 0; -1 for a file that is one side or the other.
        settled: What stands there, in words; empty while nothing was said.
    """

    place: int
    settled: str = ""


@dataclass(frozen=True, slots=True)
class DiffHunk:
    """A run of changed lines that lands or is left out as one, or line by line.

    Attributes:
        edited: Its new side was written by the user.
        comments: In any order; shown under their lines.
        clash: It is a place where two changes meet; it has no mark of its own.
        number: What `HunkWanted` calls it, where that is not its place among the hunks.
    """

    header: str
    lines: tuple[DiffLine, ...]
    accepted: bool = True
    edited: bool = False
    comments: tuple[DiffComment, ...] = ()
    clash: DiffClash | None = None
    number: int = -1

    @property
    def mark(self) -> Mark:
        """How much of it lands."""
        if not self.accepted:
            return "none"
        if all([line.accepted for line in self.lines]):  # noqa: C419  twice as fast as a generator
            return "all"
        marks = {line.accepted for line in self.lines if line.kind in {"added", "removed"}}
        return "some" if len(marks) > 1 else "none" if marks == {False} else "all"


@dataclass(frozen=True, slots=True)
class DiffFile:
    """One changed path.

    Attributes:
        action: One word for the change: add, update, delete, move, mode, retype.
        hunks: Empty for what has no text diff; `notes` then says what changed.
        notes: `binary, 3 kB -> 4 kB`, `mode 644 -> 755`, `moved from a.py`, `conflict: …`
        accepted: For a file that is decided as a whole: it lands.
        by_hunk: Each hunk has a mark of its own; else the file has one for all of them.
        by_line: Lines of its hunks can be left out (`LinesWanted`).
        editable: Its hunks and itself can be edited (`EditWanted`).
        edited: Its bytes as they land were written by the user.
        clash: It meets a change of the user's own, and is one side or the other.
    """

    path: str
    action: str
    hunks: tuple[DiffHunk, ...] = ()
    notes: tuple[str, ...] = ()
    added: int = 0
    removed: int = 0
    accepted: bool = True
    by_hunk: bool = True
    by_line: bool = False
    editable: bool = False
    edited: bool = False
    clash: DiffClash | None = None

    @property
    def clashes(self) -> tuple[DiffClash, ...]:
        """Where it meets a change of the user's own, in order."""
        if self.clash is not None:
            return (self.clash,)
        return tuple(hunk.clash for hunk in self.hunks if hunk.clash is not None)

    @property
    def open_clashes(self) -> int:
        """How many of these are to be settled before it can land."""
        if self.mark == "none":
            return 0
        return sum(not clash.settled for clash in self.clashes)

    @property
    def mark(self) -> Mark:
        """How much of it lands."""
        if not self.hunks or not (self.by_hunk or self.by_line):
            return "all" if self.accepted else "none"
        if not self.by_hunk and not self.accepted:
            return "none"
        marks: set[Mark] = {hunk.mark for hunk in self.hunks}
        return "some" if len(marks) > 1 or "some" in marks else marks.pop()

    @property
    def comments(self) -> int:
        """How many comments its lines have."""
        return sum(len(hunk.comments) for hunk in self.hunks)


@dataclass(frozen=True, slots=True)
class DiffIgnored:
    """Files that git ignores, folded into one line."""

    folder: str
    count: int
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class DiffValue:
    """All that the pane shows.

    Attributes:
        subject: What it is about, for whoever shows it: every message that asks for something
            carries the one that was shown when the user asked.
        decidable: Something can still be chosen.
        commentable: Comments on lines are taken (`CommentWanted`).
        goes_back: It takes back what landed: of a clash, the other side is what was before.
    """

    title: str = ""
    files: tuple[DiffFile, ...] = ()
    ignored: tuple[DiffIgnored, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    message: str = ""
    body: str = ""
    decidable: bool = True
    commentable: bool = False
    goes_back: bool = False
    subject: str = ""

    @property
    def clashing(self) -> bool:
        """Something in it meets a change of the user's own."""
        return any(file.clashes for file in self.files)

    @property
    def open_clashes(self) -> int:
        """How many places are to be settled before it can land."""
        return sum(file.open_clashes for file in self.files)


def conflict_lines(
    ours: tuple[str, ...],
    base: tuple[str, ...] | None,
    theirs: tuple[str, ...],
    *,
    start: int = 1,
    names: tuple[str, str, str] = ("yours", "before both", "the step's"),
) -> tuple[DiffLine, ...]:
    """Lay out a place where two changes meet: its versions one under the other.

    Args:
        ours: Lines as they are in the user's tree now.
        base: Lines both began with, where known.
        theirs: Lines as the step wants them.
        start: Line number of `ours`, 1-based.
        names: What the three are called.
    """
    mine, before, other = names
    nothing = DiffLine("note", "nothing there")
    lines = [DiffLine("marker", f"<<<<<<< {mine}")]
    lines += [DiffLine("ours", text, start + at) for at, text in enumerate(ours)]
    lines += [] if ours else [nothing]
    lines.append(DiffLine("marker", f"======= {other}"))
    lines += [DiffLine("theirs", text, 0, start + at) for at, text in enumerate(theirs)]
    lines += [] if theirs else [nothing]
    if base is not None:
        lines.append(DiffLine("marker", f"||||||| {before}"))
        lines += [DiffLine("base", text) for text in base]
        lines += [] if base else [nothing]
    return (*lines, DiffLine("marker", ">>>>>>>"))
