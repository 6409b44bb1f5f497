"""The parts of files that a model is given to read: spans with what they are part of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from turbo_tui.core.searching import Hit

WHOLE_BYTES = 6_000  # a file up to that is given whole
BUDGET_BYTES = 64_000  # of all that was found
MOST_SPANS = 3  # of one file
AROUND = 3  # lines about a place of one line
NEAR_LINES = 6  # between two spans that are given as one
MOST_HEADERS = 4
LONGEST_HEADER = 200  # characters

Span = tuple[int, int]


def excerpts(
    hits: Sequence[Hit], texts: Mapping[str, str], budget_bytes: int = BUDGET_BYTES
) -> dict[str, str]:
    """Return what to read of the files that were found: `path` or `path:first-last` -> text.

    Args:
        hits: Best first.
        texts: Whole files by path, of those that may be read.
        budget_bytes: Room for all of it; what does not fit is left out, the worst first.
    """
    found: dict[str, str] = {}
    left = budget_bytes
    for path in dict.fromkeys(hit.path for hit in hits if hit.path in texts):
        text = texts[path]
        if len(text.encode("utf-8", "surrogatepass")) <= WHOLE_BYTES:
            parts = {path: text}
        else:
            lines = text.removesuffix("\n").split("\n")
            best = [(h.start_line, h.end_line) for h in hits if h.path == path][:MOST_SPANS]
            spans = joined(map(grown, best))
            parts = {
                f"{path}:{first}-{min(last, len(lines))}": excerpt(lines, (first, last))
                for first, last in spans
                if first <= len(lines)
            }
        for name, part in parts.items():
            size = len(part.encode("utf-8", "surrogatepass"))
            if size <= left:
                found[name] = part
                left -= size
    return found


def grown(span: Span) -> Span:
    """Return a span of a few lines with what is around them: one line says little."""
    first, last = span
    return span if last - first >= 2 * AROUND else (max(1, first - AROUND), last + AROUND)


def joined(spans: Iterable[Span]) -> list[Span]:
    """Return spans in the order of their lines, those that nearly touch as one."""
    found: list[Span] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1] + NEAR_LINES:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return found


def excerpt(lines: Sequence[str], span: Span) -> str:
    """Return the lines of a span below the lines that open what it is part of.

    Args:
        lines: Of the whole file.
        span: 1-based, the last one included.
    """
    first, last = max(1, span[0]), min(span[1], len(lines))
    rows: list[str] = []
    at = 0
    for number in headers(lines, first):
        rows += [*_gap(at, number), lines[number - 1]]
        at = number
    rows += [*_gap(at, first), *lines[first - 1 : last]]
    return "\n".join(rows)


def headers(lines: Sequence[str], first: int) -> list[int]:
    """Return the lines above `first` that are indented less, step by step: class, function, block.

    Where code is indented as it is nested, these are the signatures of what a line is in.
    """
    start = next((line for line in lines[first - 1 :] if line.strip()), "")
    depth = _depth(start)
    found: list[int] = []
    for number in range(first - 1, 0, -1):
        line = lines[number - 1]
        if depth == 0:
            break
        words = line.strip()
        if words and _depth(line) < depth and words[0] not in "})]#*/":
            depth = _depth(line)
            if len(line) <= LONGEST_HEADER:
                found.append(number)
    return found[::-1][:MOST_HEADERS]


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _gap(before: int, number: int) -> list[str]:
    left_out = number - before - 1
    return [f"[… {left_out} lines left out]"] if before and left_out > 0 else []
