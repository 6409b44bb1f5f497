"""Lines of a hunk -> lines of the diff pane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from turbo_tui.core import diffs
from turbo_tui.core.matching import changed_regions, lines_of
from turbo_widgets.diff_values import DiffLine
from turbo_widgets.diff_values import LineKind as ShownKind

_KINDS: dict[str, ShownKind] = {" ": "same", "+": "added", "-": "removed"}


def shown_lines(shown: Sequence[diffs.DisplayLine], *, crlf: bool = False) -> tuple[DiffLine, ...]:
    """Show lines; with `crlf`, where all end so, the return is not shown."""
    lines: list[DiffLine] = []
    for line in shown:
        text = line.text.removesuffix("␍") if crlf else line.text
        lines.append(DiffLine(_KINDS[line.kind], text, line.old_number or 0, line.new_number or 0))
        if line.unterminated:
            lines.append(DiffLine("note", "no newline at the end"))
    return tuple(lines)


def line_words(hunk: diffs.Hunk) -> str:
    """Say where a hunk begins."""
    return f"line {max(hunk.new_start, hunk.old_start) + 1}"


def compared_lines(hunk: diffs.Hunk, written: bytes) -> tuple[DiffLine, ...]:
    """Compare what a hunk replaces with what the user wrote in its place."""
    old = [line.content for line in hunk.lines if line.kind != "+"]
    new = lines_of(written)
    lines: list[diffs.Line] = []
    at = 0
    for region in changed_regions(old, new):
        lines += [diffs.Line(" ", content) for content in old[at : region.old_start]]
        lines += [diffs.Line("-", each) for each in old[region.old_start : region.old_end]]
        lines += [diffs.Line("+", each) for each in new[region.new_start : region.new_end]]
        at = region.old_end
    lines += [diffs.Line(" ", content) for content in old[at:]]
    shown = replace(hunk, old_count=len(old), new_count=len(new), lines=tuple(lines))
    display = diffs.display_lines(shown, tab_size=None)
    crlf = all(line.text.endswith("␍") or line.unterminated for line in display)
    return shown_lines(display, crlf=crlf)
