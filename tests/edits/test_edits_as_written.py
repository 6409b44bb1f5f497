"""What a correct edit says is what comes of it, in every format, for any tree."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from turbo_tui.edits.apply import apply_to
from turbo_tui.edits.formats import FormatName, parse
from turbo_tui.edits.outcome import Applied, Reading

# What a block's reader takes for its own; a backslash makes it text.
_MARKER = re.compile(r"[<=>-]{5,9}(?: (?:SEARCH|REPLACE))?$|:start_line:")
_BOM = b"\xef\xbb\xbf"
_ROWS = st.sampled_from(
    (
        *("", "    ", "}", "    return 1", "    return 2", "\treturn 1", "def run(self):"),
        *("x = 1", "x = 2  ", "x  = 1", "ünïcode “quoted” — text"),
        *("=======", "<<<<<<< SEARCH", ">>>>>>> REPLACE", "-------", "Heading", "```", "````"),
        *("*** Begin Patch", "*** End Patch", "*** Update File: a.py", "*** End of File"),
        *("@@", "@@ -1,2 +1,2 @@", "--- a/a.py", "+++ b/a.py", "- x", "+ y", "\\ odd", "-- "),
        *("diff --git a/a.py b/a.py", "rename from a.py", "index 1a2b3c4..5d6e7f8"),
        *(":start_line:3", "12 | x", "a.py", "$ make"),
    )
)
_NAMES = ("a.py", "b.txt", "dir/c.md", "dir/with-dash.txt", "Makefile", "ünï.py")
_FORMS = ("patch", "search-replace", "unified", "whole")


@dataclass(frozen=True, slots=True)
class File:
    """A text file: rows, and what stands around and between them."""

    rows: tuple[str, ...]
    end: str = "\n"
    ended: bool = True
    mark: bytes = b""

    @property
    def content(self) -> bytes:
        text = self.end.join(self.rows) + (self.end if self.ended and self.rows else "")
        return self.mark + text.encode()


Tree = Mapping[str, File]


@dataclass(frozen=True, slots=True)
class Change:
    """Rows `start:end` of a file, and what takes their place."""

    start: int
    end: int
    new: tuple[str, ...]


@st.composite
def files(draw: st.DrawFn) -> File:
    rows = tuple(draw(st.lists(_ROWS, max_size=14)))
    ended = draw(st.booleans()) if rows and rows[-1] else True
    end = draw(st.sampled_from(("\n", "\r\n"))) if len(rows) > 1 or (rows and ended) else "\n"
    return File(rows, end, ended, draw(st.sampled_from((b"", _BOM))) if rows else b"")


@st.composite
def changes(draw: st.DrawFn, file: File) -> tuple[Change, ...]:
    """Return changes from first to last, with a row between each two."""
    found: list[Change] = []
    begin = 0
    while begin <= len(file.rows) and len(found) < 3:
        start = draw(st.integers(begin, len(file.rows)))
        end = draw(st.integers(start, min(start + 3, len(file.rows))))
        new = tuple(draw(st.lists(_ROWS, max_size=3)))
        if new != file.rows[start:end]:
            found.append(Change(start, end, new))
        begin = end + 1
        if draw(st.booleans()):
            break
    return tuple(found)


def changed(file: File, made: Sequence[Change]) -> File:
    rows = list(file.rows)
    for change in reversed(made):
        rows[change.start : change.end] = change.new
    return replace(file, rows=tuple(rows))


# --- each format, as its instructions want it -------------------------------------------------


def chunks(file: File, made: Sequence[Change]) -> Iterator[tuple[list[str], list[str], list[str]]]:
    """Yield diff rows, old and new of each change, with the context that makes it the only one."""
    floor = 0
    for number, change in enumerate(made):
        ceiling = made[number + 1].start if number + 1 < len(made) else len(file.rows)
        start, end = change.start, change.end
        assume(start >= floor)  # what is context of one change is no context of the next
        while not _is_plain(file, start, end):
            if start == floor and end == ceiling:
                assume(False)  # two changes share what would tell them apart
            start, end = max(start - 1, floor), min(end + 1, ceiling)
        before, behind = file.rows[start : change.start], file.rows[change.end : end]
        old = file.rows[change.start : change.end]
        diff = [
            *(f" {row}" for row in before),
            *(f"-{row}" for row in old),
            *(f"+{row}" for row in change.new),
            *(f" {row}" for row in behind),
        ]
        yield diff, list(file.rows[start:end]), [*before, *change.new, *behind]
        floor = end


def _is_plain(file: File, start: int, end: int) -> bool:
    wanted = file.rows[start:end]
    if not any(row.strip() for row in wanted):
        return not file.rows
    return _places(file.rows, wanted) == 1


def _places(rows: tuple[str, ...], wanted: tuple[str, ...]) -> int:
    return sum(rows[at : at + len(wanted)] == wanted for at in range(len(rows)))


def as_patch(path: str, file: File | None, made: Sequence[Change], after: File | None) -> str:
    if after is None:
        return f"*** Delete File: {path}\n"
    if file is None:
        return "".join((f"*** Add File: {path}\n", *(f"+{row}\n" for row in after.rows)))
    body = "".join(
        "@@\n" + "".join(f"{row}\n" for row in diff) for diff, _, _ in chunks(file, made)
    )
    return f"*** Update File: {path}\n{body}"


def as_blocks(path: str, file: File | None, made: Sequence[Change], after: File | None) -> str:
    def block(old: Sequence[str], new: Sequence[str]) -> str:
        rows = ("<<<<<<< SEARCH", *map(_escaped, old), "=======", *map(_escaped, new))
        return "".join(f"{row}\n" for row in (path, *rows, ">>>>>>> REPLACE"))

    if file is None and after is not None:
        return block((), after.rows)
    told: list[str] = []
    for number, (_, old, new) in enumerate(chunks(file or File(()), made)):
        # Blocks apply one after the other, each to what the ones before it left.
        now = changed(file or File(()), made[:number]).rows
        assume(not now or _places(now, tuple(old)) == 1)
        told.append(block(old, new))
    return "".join(told)


def _escaped(row: str) -> str:
    return f"\\{row}" if _MARKER.match(row) else row


def as_diff(path: str, file: File | None, after: File | None) -> str:
    def rows(each: File | None) -> list[str]:
        if each is None:
            return []
        ended = [f"{row}\n" for row in each.rows]
        if ended and not each.ended:
            ended[-1] = each.rows[-1]
        return ended

    old, new = (f"a/{path}" if file else "/dev/null"), (f"b/{path}" if after else "/dev/null")
    lines = difflib.unified_diff(rows(file), rows(after), old, new, lineterm="\n")
    shown = (
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
    mode = "" if file and after else f"{'new' if after else 'deleted'} file mode 100644\n"
    return f"diff --git a/{path} b/{path}\n{mode}{''.join(shown)}"


def as_whole(path: str, after: File) -> str:
    return f"{path}\n`````\n{_lines(after.rows)}`````\n"


def _lines(rows: Iterable[str]) -> str:
    return "".join(f"{row}\n" for row in rows)


# --- what comes of it -----------------------------------------------------------------------


def applied(tree: Tree, answer: str, form: FormatName) -> Applied:
    content = {path: file.content for path, file in tree.items()}
    parsed = parse(answer, form, exists=content.__contains__)
    return apply_to(parsed, Reading(content.get, paths=lambda: list(content)))


def tree_after(tree: Tree, outcome: Applied) -> dict[str, bytes]:
    after = {path: file.content for path, file in tree.items()}
    for each in outcome.files:
        if each.content is None:
            del after[each.path]
        else:
            after[each.path] = each.content
    return after


def ended_by(form: FormatName, before: File, after: File) -> bool:
    """Say how a file without a last line end ends: only some formats can say that it goes on so."""
    if before.ended or not after.rows:
        return True
    return form in {"patch", "whole"} and after.rows[-1] != before.rows[-1]


@pytest.mark.parametrize("form", _FORMS)
@settings(max_examples=120)
@given(st.data())
def test_a_correct_edit_of_any_tree_does_what_it_says(
    form: FormatName, data: st.DataObject
) -> None:
    names = data.draw(st.lists(st.sampled_from(_NAMES), min_size=1, max_size=3, unique=True))
    tree = {name: data.draw(files()) for name in names[1:]}
    want = {name: file.content for name, file in tree.items()}
    parts: list[str] = []
    for name in names:
        before = tree.get(name)
        made: tuple[Change, ...] = ()
        after: File | None = data.draw(files().filter(lambda file: bool(file.rows)))
        if before is None:
            after = replace(after, end="\n", ended=True, mark=b"")
        elif form in {"patch", "unified"} and data.draw(st.integers(0, 3)) == 0:
            after = None
        else:
            made = data.draw(changes(before))
            after = changed(before, made)
            told = any(row.strip() for row in after.rows)
            assume(bool(made) and (told or form != "whole"))
            # A last line that has no end, and goes or is blank, can be said in no format.
            assume(before.ended or bool(after.rows and after.rows[-1].strip()))
            assume(before.ended or made[-1].end < len(before.rows) or bool(made[-1].new))
            after = replace(after, ended=ended_by(form, before, after))
        parts.append(rendered(form, name, before, made, after))
        if after is None:
            del want[name]
        else:
            want[name] = after.content
    answer = "\n".join(parts)
    if form == "patch":
        answer = f"*** Begin Patch\n{''.join(parts)}*** End Patch\n"

    # In a whole file what another format looks like is that format, unless told otherwise.
    asked = form if form == "whole" else data.draw(st.sampled_from((form, "auto")))
    outcome = applied(tree, answer, asked)
    # Rows that are added where the same rows stand look like an edit that was made before.
    assume(not any("applied already" in failure.why for failure in outcome.failures))

    assert outcome.failures == ()
    assert tree_after(tree, outcome) == want


def rendered(
    form: FormatName, path: str, before: File | None, made: Sequence[Change], after: File | None
) -> str:
    match form:
        case "patch":
            return as_patch(path, before, made, after)
        case "search-replace":
            return as_blocks(path, before, made, after)
        case "unified":
            return as_diff(path, before, after)
        case _:
            return as_whole(path, after or File(()))
