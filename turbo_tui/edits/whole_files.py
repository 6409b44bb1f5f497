"""Whole files in fences, each named before its fence or in the info string."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

from turbo_tui.edits.fences import Block, blocks, info_of, is_shell
from turbo_tui.edits.found import Exists, Found, masked
from turbo_tui.edits.names import name_handed_over, name_in_info, name_on
from turbo_tui.edits.values import EditSyntaxError, FileEdit

EXAMPLE = """\
src/app.py
```python
(all of the file)
```"""

_LOOKED_BACK = 3
_SHELL_ENDINGS = (".sh", ".bash", ".zsh", ".fish", ".ps1", ".bat", ".cmd")
_CALL = re.compile(r"<<-?[ \t]*['\"]?\w+['\"]?[ \t]*$|^%%|^#!")  # of a program that applies a patch
_BULLET = re.compile(r"^[ \t]*[-+*][ \t]")


def find(lines: Sequence[str], exists: Exists) -> Found:
    """Read every fenced block that names its file; others are no edits.

    Raises:
        EditSyntaxError: Where a named block ends is in doubt.
    """
    edits: list[FileEdit] = []
    spans: list[tuple[int, int]] = []
    floor = 0
    for block in blocks(lines):
        path = _name(lines, block, floor, exists)
        floor = block.end
        if not path or _is_about(block, path):
            continue
        _refuse_doubt(block, path)
        content = "".join(f"{line}\n" for line in block.body)
        edits.append(FileEdit(path, "update", content=content, whole=True, at=block.start + 1))
        spans.append((block.start, block.end))
    return Found(tuple(edits), tuple(spans))


def refuse_parts(lines: Sequence[str], spans: Sequence[tuple[int, int]], exists: Exists) -> None:
    """Refuse edits of another format that stand in what may be all of a named file.

    Raises:
        EditSyntaxError: A named block has text of its own before one.
    """
    starts = [start for start, _ in spans]
    around = masked(lines, spans)
    floor = 0
    for block in blocks(around):
        at = bisect_right(starts, block.start)
        inside = at < len(spans) and spans[at][1] <= block.end
        path = _name(lines, block, floor, exists) if inside else ""
        floor = block.end
        if not path or _is_about(block, path):
            continue
        own = around[block.start + 1 : starts[at]]
        if any(row.strip() and not name_on(row, exists) and not _CALL.search(row) for row in own):
            raise EditSyntaxError(
                f"the block of {path} may be all of that file, or hold the edit in line "
                f"{starts[at] + 1}: say which by --format, or take the edit out of the block",
                block.start + 1,
            )


def _is_about(block: Block, path: str) -> bool:
    """Tell whether a block is a command or a diff that only speaks of the file."""
    if is_shell(block):
        return "." in path.rsplit("/", 1)[-1] and not path.endswith(_SHELL_ENDINGS)
    return block.language in {"diff", "patch"} and not path.endswith((".diff", ".patch"))


def _refuse_doubt(block: Block, path: str) -> None:
    if not block.closed:
        raise EditSyntaxError(
            f"the fence of {path} is never closed: is the file complete?", block.start + 1
        )
    if block.nested:
        raise EditSyntaxError(
            f"{path} has fences of its own inside: write it in a longer fence (````)",
            block.start + 1,
        )


def _name(lines: Sequence[str], block: Block, floor: int, exists: Exists) -> str:
    """Return the block's file; empty when none is named."""
    named = name_in_info(block.info, exists)
    if named:
        return named
    for index in range(block.start - 1, max(floor, block.start - _LOOKED_BACK) - 1, -1):
        line = lines[index]
        if not line.strip():
            continue
        if info_of(line) is not None:
            break
        if _BULLET.match(line):
            return ""  # a list of files, and then something else
        named = name_on(line, exists)
        if not named and not is_shell(block):
            named = name_handed_over(line, exists)
        return named
    return ""
