"""What a model asked for, whatever the format it wrote it in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EditFormat = Literal["patch", "search-replace", "unified", "whole"]
EditAction = Literal["add", "update", "delete"]

# The matching ladder, strictest first: how a text was found in a file.
Rung = Literal[
    "exact", "trailing", "indentation", "typographic", "escapes", "anchored", "elided", "whole"
]


@dataclass(frozen=True, slots=True)
class Chunk:
    r"""One text to replace in a file, as the model wrote it; line ends are `\n`.

    Attributes:
        old: What stands there: whole lines, or (`search-replace`, edit tool) any text.
            Empty: `new` goes in after the last context, or at the end of the file.
        new: What takes its place.
        context: Headers (`@@ class A`, `@@ def f`), outermost first: the text is looked for
            among the lines that the last one names the head of, and nowhere else.
        at_end: The text must be the last of the file.
        line: First line (1-based) of `old` as the model counted, 0 when unknown. Models count
            badly: it only settles which of equally good places is meant where it is exact.
        count: How often `old` must occur; each is replaced.
        whole_lines: `old` is whole lines (patch, unified diff), so that it never begins or ends
            within one.
        section: What a unified diff has behind its numbers: a line that stands before the place,
            picked by rules of git's own. It settles which of equally good places is meant.
    """

    old: str
    new: str
    context: tuple[str, ...] = ()
    at_end: bool = False
    line: int = 0
    count: int = 1
    whole_lines: bool = False
    section: str = ""


@dataclass(frozen=True, slots=True)
class FileEdit:
    """What happens to one path.

    Attributes:
        path: Relative to the workspace, `/`-separated, not yet checked.
        chunks: For an update, in file order as far as the model kept to it.
        content: The whole text of an added file, or of one that is replaced as a whole.
        moved_to: Where an updated file goes; empty: it stays.
        whole: An update that replaces all of the file's text by `content`.
        mode: Permission bits a git extension asked for; 0 when none did.
        at: Line (1-based) of the input where this edit begins, for messages.
        copied_from: The file that an added one begins as; its chunks then apply to that text.
    """

    path: str
    action: EditAction
    chunks: tuple[Chunk, ...] = ()
    content: str = ""
    moved_to: str = ""
    whole: bool = False
    mode: int = 0
    at: int = 0
    copied_from: str = ""


@dataclass(frozen=True, slots=True)
class Parsed:
    """All edits of one answer.

    Attributes:
        shell: Shell blocks that stood beside the edits: returned, never run.
        named: The format was asked for; else the looks of the answer told it.
    """

    format: EditFormat
    edits: tuple[FileEdit, ...]
    shell: tuple[str, ...] = ()
    named: bool = True


class EditSyntaxError(ValueError):
    """Text that is no edit of its format.

    Attributes:
        line: Where (1-based) in the input; 0 when it is about all of it.
    """

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line
