"""Tell the edit formats apart, and read all edits of an answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Literal

from turbo_tui.edits import patch_envelope, search_replace_blocks, unified_diff, whole_files
from turbo_tui.edits.fences import shell_blocks
from turbo_tui.edits.found import Exists, Found, masked
from turbo_tui.edits.values import EditFormat, EditSyntaxError, FileEdit, Parsed

FormatName = Literal["auto", "patch", "search-replace", "unified", "whole"]

_BEGINS: dict[EditFormat, Callable[[Sequence[str]], int | None]] = {
    "patch": patch_envelope.begins_at,
    "search-replace": search_replace_blocks.begins_at,
    "unified": unified_diff.begins_at,
}
_EXAMPLES: dict[EditFormat, str] = {
    "patch": patch_envelope.EXAMPLE,
    "search-replace": search_replace_blocks.EXAMPLE,
    "unified": unified_diff.EXAMPLE,
    "whole": whole_files.EXAMPLE,
}
_TITLES: dict[EditFormat, str] = {
    "patch": "a patch (*** Begin Patch)",
    "search-replace": "SEARCH/REPLACE blocks",
    "unified": "a unified diff (--- and +++, @@)",
    "whole": "whole files in fences, each with its path on the line before",
}


_NORMAL_DIFF = re.compile(r"^\d+(?:,\d+)?[acd]\d+(?:,\d+)?$")


def parse(text: str, format: FormatName = "auto", *, exists: Exists) -> Parsed:  # noqa: A002  the flag's name
    r"""Read the edits of an answer.

    Args:
        text: All of it; line ends are `\n`.
        format: What to look for; `auto` takes what it finds, several formats beside each other
            too, and whole files only where there is nothing else.
        exists: Tells whether the workspace has a file, to know a name when one is seen.

    Raises:
        EditSyntaxError: There is no edit in it, or one that cannot be read for certain.
    """
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    if format != "auto":
        try:
            return _parsed(format, lines, [_read(format, lines, exists)])
        except EditSyntaxError as error:
            other = next(iter(_order_of_appearance(lines)), None)
            if other is None or other == format:
                raise
            hint = f"It looks like {_TITLES[other]}, which --format auto or {other} reads."
            raise EditSyntaxError(f"{error}\n{hint}", error.line) from None
    order = _order_of_appearance(lines)
    if not order:
        found = _read("whole", lines, exists)
        return replace(_parsed("whole", lines, [found], auto=True), named=False)
    every: list[Found] = []
    rest = lines
    used: EditFormat | None = None
    for name in order:
        if used is not None and _BEGINS[name](rest) is None:
            continue
        found = _read(name, rest, exists)
        if name != "search-replace":  # no file holds its blocks but by design
            whole_files.refuse_parts(rest, found.spans, exists)
        if found.edits:
            every.append(found)
            used = used or name
            rest = masked(rest, found.spans)
    return replace(_parsed(used or order[0], lines, every, auto=used is None), named=False)


def _order_of_appearance(lines: Sequence[str]) -> list[EditFormat]:
    begun: list[tuple[int, EditFormat]] = []
    for name, begins_at in _BEGINS.items():
        at = begins_at(lines)
        if at is not None:
            begun.append((at, name))
    return [name for _, name in sorted(begun)]


def _read(name: EditFormat, lines: Sequence[str], exists: Exists) -> Found:
    match name:
        case "patch":
            return patch_envelope.find(lines)
        case "search-replace":
            return search_replace_blocks.find(lines, exists)
        case "unified":
            return unified_diff.find(lines, exists)
        case "whole":
            return whole_files.find(lines, exists)


def _parsed(
    name: EditFormat, lines: Sequence[str], every: Sequence[Found], *, auto: bool = False
) -> Parsed:
    edits: list[FileEdit] = sorted(
        (edit for found in every for edit in found.edits), key=lambda edit: edit.at
    )
    if not edits:
        raise EditSyntaxError(_other_diff(lines) or _nothing(name, auto=auto))
    spans = [span for found in every for span in found.spans]
    return Parsed(name, tuple(edits), shell_blocks(lines, spans))


def _other_diff(lines: Sequence[str]) -> str:
    """Say what is wrong with a diff of another kind; empty when there is none."""
    for line, following in pairwise(lines):
        if (line.startswith("*" * 15) and following.startswith("*** ")) or (
            _NORMAL_DIFF.match(line) and following.startswith(("< ", "> "))
        ):
            return (
                "It is a context diff, or one without context; only unified ones are read. Make "
                "one with `diff -u OLD NEW` or `git diff`."
            )
    return ""


def _nothing(name: EditFormat, *, auto: bool) -> str:
    if not auto:
        return (
            f"There is no edit in it: looked for {_TITLES[name]}. A right one:\n{_EXAMPLES[name]}"
        )
    looked = "; ".join(_TITLES.values())
    return f"There is no edit in it. Looked for {looked}. A right one:\n{_EXAMPLES['patch']}"
