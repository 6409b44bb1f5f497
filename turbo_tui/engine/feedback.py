"""What a step's next attempt is told: the user's words and their comments on lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from turbo_tui.core.changes import FileChange, Node
from turbo_tui.core.diffs import visible
from turbo_tui.core.matching import changed_regions, lines_of
from turbo_tui.core.views import Comment

MOST_CHARS = 8_000
WORDS_CHARS = 4_000
LINE_CHARS = 200
_SIDES = {"new": "as you wrote it", "old": "as it was before"}
_HEAD = "Comments on lines of your last attempt; heed each:"


def feedback_of(
    words: str,
    comments: Sequence[Comment],
    changes: Mapping[str, FileChange],
    content: Callable[[Node | None], bytes],
) -> str:
    """Join words and comments to one text of at most `MOST_CHARS` characters.

    Args:
        words: What the user said of the step as a whole; may be empty.
        comments: In the order they are to be read; those that find no room are named by place.
        changes: Path -> the change that was commented on.
        content: Fetches a side's bytes.
    """
    parts = [_cut(words.strip(), WORDS_CHARS)] if words.strip() else []
    if comments:
        parts.append(_HEAD)
    room = MOST_CHARS - sum(len(part) + 2 for part in parts)
    lines: dict[tuple[str, str], list[bytes]] = {}
    for number, comment in enumerate(comments):
        key = (comment.path, comment.side)
        if key not in lines:
            change = changes.get(comment.path)
            node = change and (change.before if comment.side == "old" else change.after)
            lines[key] = lines_of(content(node))
        told = _told(comment, lines[key])
        left = _left_out(comments[number + 1 :])
        if len(told) + len(left) + 4 > room:
            parts.append(_cut(_left_out(comments[number:]), max(room - 2, 0)))
            break
        parts.append(told)
        room -= len(told) + 2
    return "\n\n".join(parts)


def line_in(line: int, was: bytes, now: bytes) -> int:
    """Return where a line (1-based) of a text is in another version of it, or next to that."""
    index, shift = line - 1, 0
    new = lines_of(now)
    for region in changed_regions(lines_of(was), new):
        if region.old_start > index:
            break
        shift = region.new_end - region.old_end
        if index < region.old_end:
            index = min(index, region.old_start + max(region.new_end - region.new_start - 1, 0))
            shift = region.new_start - region.old_start
    return max(1, min(index + shift + 1, len(new)))


def _told(comment: Comment, lines: Sequence[bytes]) -> str:
    """Name the place, quote the line, then the comment."""
    there = 1 <= comment.line <= len(lines)
    quoted = visible(lines[comment.line - 1].rstrip(b"\r\n")) if there else ""
    place = f"{comment.path}:{comment.line} ({_SIDES[comment.side]})"
    return f"{place}\n> {_cut(quoted, LINE_CHARS)}\n{comment.text}"


def _left_out(comments: Sequence[Comment]) -> str:
    if not comments:
        return ""
    places = ", ".join(f"{comment.path}:{comment.line}" for comment in comments)
    return _cut(f"More comments, cut here for room: {places}", 600)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: max(most - 1, 0)] + "…"
