"""Replace exact text in a file, and say what came closest when it is not there."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher

from turbo_tui.edits.text_file import TextFile

_MOST_COMPARED = 20_000  # lines of a file that are compared for a closest match
_COMPARED_CHARS = 2_000  # of a text, when likeness is measured: it costs the square
_COMPARED_LINE = 400
_MOST_SHOWN = 200  # lines of a difference
_ALIKE = 0.5  # of 1, below which lines are not called close


class MatchError(ValueError):
    """The text to replace is not there, or not as often as expected.

    Attributes:
        line: First line (1-based) of the closest match; 0 when nothing is close.
        closest: The lines there.
    """

    def __init__(self, message: str, line: int = 0, closest: str = "") -> None:
        super().__init__(message)
        self.line = line
        self.closest = closest


@dataclass(frozen=True, slots=True)
class Replaced:
    """An edited file and the first lines (1-based, of the new text) of each replacement."""

    file: TextFile
    lines: tuple[int, ...]


def replace_exact(file: TextFile, old: str, new: str, *, count: int = 1) -> Replaced:
    r"""Replace each occurrence of `old` by `new`; line ends of `old` and `new` do not matter.

    At the end of a file that lacks its last line end, an `old` that has one matches too, and
    the file goes on lacking it.

    Args:
        file: The file.
        old: The exact text, at least one character.
        new: What takes its place.
        count: How often `old` must occur.

    Raises:
        MatchError: It does not occur, or not `count` times; the message says where and what.
    """
    old, new = old.replace("\r\n", "\n"), new.replace("\r\n", "\n")
    if not old:
        raise MatchError("the text to replace is empty")
    text = file.text
    starts = _occurrences(text, old)
    if not starts and old.endswith("\n") and text.endswith(old[:-1]) and len(old) > 1:
        old, new = old[:-1], new.removesuffix("\n")
        starts = [len(text) - len(old)]
    if not starts:
        raise _nothing_found(text, old)
    if len(starts) != count:
        raise _wrong_count(text, starts, count)
    for start in reversed(starts):
        file = file.replaced(start, start + len(old), new)
    growth = new.count("\n") - old.count("\n")
    lines = tuple(
        text.count("\n", 0, start) + 1 + growth * index for index, start in enumerate(starts)
    )
    return Replaced(file, lines)


def _occurrences(text: str, old: str) -> list[int]:
    starts: list[int] = []
    at = text.find(old)
    while at >= 0:
        starts.append(at)
        at = text.find(old, at + len(old))
    return starts


def _wrong_count(text: str, starts: list[int], count: int) -> MatchError:
    rows = [text.count("\n", 0, start) + 1 for start in starts]
    shown = ", ".join(str(row) for row in rows[:10]) + (" …" if len(rows) > 10 else "")  # noqa: PLR2004
    return MatchError(
        f"the text occurs {len(starts)} times (lines {shown}), {count} expected", rows[0]
    )


def _nothing_found(text: str, old: str) -> MatchError:
    line, closest, difference = closest_match(text, old)
    if not line:
        return MatchError("the text does not occur, and nothing in the file is close to it")
    last = line + closest.count("\n")
    where = f"line {line}" if last == line else f"lines {line}-{last}"
    return MatchError(f"the text does not occur; closest is {where}:\n{difference}", line, closest)


def closest_match(text: str, old: str) -> tuple[int, str, str]:
    """Find the lines most like `old`.

    Returns:
        Line number (1-based, 0 when nothing is close), the lines there, and how they differ:
        `-` rows are yours, `+` rows the file's.
    """
    wanted = old.strip("\n").split("\n")
    lines = text.split("\n")[:_MOST_COMPARED]
    start = _likeliest_start(lines, wanted)
    if start is None:
        return 0, "", ""
    found = lines[start : start + len(wanted)]
    return start + 1, "\n".join(found), _difference(wanted, found)


def _likeliest_start(lines: list[str], wanted: list[str]) -> int | None:
    """Let lines that are equal but for white space vote for a start; else compare one line."""
    places: dict[str, list[int]] = {}
    for offset, line in enumerate(wanted):
        if line.strip():
            places.setdefault(" ".join(line.split()), []).append(offset)
    votes: Counter[int] = Counter()
    for index, line in enumerate(lines):
        for offset in places.get(" ".join(line.split()), ()):
            if index >= offset:
                votes[index - offset] += 1
    if votes:
        most = max(votes.values())
        candidates = [start for start, count in votes.items() if count == most][:10]
        return max(candidates, key=lambda start: _likeness(lines, wanted, start))
    return _most_alike(lines, wanted)


def _likeness(lines: list[str], wanted: list[str], start: int) -> float:
    found = "\n".join(lines[start : start + len(wanted)])[:_COMPARED_CHARS]
    return SequenceMatcher(None, "\n".join(wanted)[:_COMPARED_CHARS], found, autojunk=False).ratio()


def _most_alike(lines: list[str], wanted: list[str]) -> int | None:
    """Find the file's line most like the most telling (longest) wanted line."""
    offset = max(range(len(wanted)), key=lambda index: len(wanted[index].strip()))
    matcher = SequenceMatcher(None, autojunk=False)
    matcher.set_seq2(wanted[offset].strip()[:_COMPARED_LINE])
    best, best_index = _ALIKE, None
    for index, line in enumerate(lines):
        stripped = line.strip()[:_COMPARED_LINE]
        if not stripped or index < offset:
            continue
        matcher.set_seq1(stripped)
        if matcher.real_quick_ratio() <= best or matcher.quick_ratio() <= best:
            continue
        ratio = matcher.ratio()
        if ratio > best:
            best, best_index = ratio, index
    return None if best_index is None else best_index - offset


def _difference(wanted: list[str], found: list[str], most: int = 24) -> str:
    """Show both, `-` yours and `+` the file's; say so when only white space differs."""
    rows: list[str] = []
    wanted, found = wanted[:_MOST_SHOWN], found[:_MOST_SHOWN]
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, wanted, found, autojunk=False).get_opcodes():
        if tag == "equal":
            rows += [f"  {line}" for line in found[j1:j2]]
            continue
        rows += [f"- {_seen(line)}" for line in wanted[i1:i2]]
        rows += [f"+ {_seen(line)}" for line in found[j1:j2]]
    if len(rows) > most:
        rows = [*rows[:most], f"… {len(rows) - most} more rows"]
    if [line.split() for line in wanted] == [line.split() for line in found]:
        rows.append("(only white space differs: → is a tab, · a trailing space)")
    return "\n".join(rows)


def _seen(line: str) -> str:
    """Show tabs and trailing spaces, which a mismatch often hangs on."""
    bare = line.rstrip(" ")
    return bare.replace("\t", "→") + "·" * (len(line) - len(bare))
