"""List where a symbol is defined and everywhere it is used."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import cast

from turbo_tui.core.errors import ToolError
from turbo_tui.core.models import ToolSpec
from turbo_tui.core.ports import StageFiles, ToolContext
from turbo_tui.languages.answers import places
from turbo_tui.languages.ask import (
    PYTHON_ENDINGS,
    ask_worker,
    files_holding,
    python_sources,
    refuse_unknown,
)
from turbo_tui.languages.text_edits import Place
from turbo_tui.tools.arguments import Arguments, parameters
from turbo_tui.tools.structural_replace import many

NAME = "find_usages"
READ_ONLY = True
MOST_PLACES = 200

_SPEC = ToolSpec(
    NAME,
    "List where a symbol is defined, imported and used, as path:line:column: text. Python is "
    "resolved by meaning; in other languages every place that spells the name as code is listed.",
    parameters(
        ("symbol",),
        symbol={"type": "string", "description": "name, package.name, Class.method, path.py:name"},
        limit={"type": "integer", "description": f"most places to list, {MOST_PLACES} if not said"},
    ),
)
_EXAMPLE = {"symbol": "Parser.feed"}
_HEADINGS = {"definition": "Defined", "export": "Exported", "import": "Imported", "use": "Used"}


class FindUsages:
    """Definitions and references of a symbol."""

    @property
    def spec(self) -> ToolSpec:
        """Name, prompt text and parameters."""
        return _SPEC

    async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        """Return the places, grouped by what they are.

        Raises:
            ToolError: Nothing in the project has that name; the closest names are given.
        """
        given = Arguments(_SPEC, _EXAMPLE, arguments)
        symbol = given.text("symbol").strip()
        limit = given.number("limit", MOST_PLACES, at_least=1, at_most=5_000)
        name = last_name(symbol)
        files = context.stage.files
        everything, python, contents = await asyncio.to_thread(python_sources, files, [name])
        found: list[str] = []
        if any(name.encode() in content for content in contents.values()):
            answer = await ask_worker("usages", paths=python, files=contents, symbol=symbol)
            for item in cast("list[dict[str, object]]", answer["symbols"]):
                title, all_places = str(item["name"]), places(item["places"])
                found.append(_listed(title, all_places, places(item["unsure"]), limit))
        others = [path for path in everything if not path.endswith(PYTHON_ENDINGS)]
        elsewhere = await identifiers_in(files, others if found else everything, name)
        if elsewhere:
            title = f"{name} in other languages" if found else name
            note = "" if found else "Matched by name alone: same-named symbols are not told apart."
            found.append(_listed(title, elsewhere, [], limit) + (f"\n\n{note}" if note else ""))
        if not found:
            if python:
                await refuse_unknown(files, python, symbol, name)
            raise ToolError(f"Nothing in this project is called {name!r}.")
        return "\n\n".join(found)


async def identifiers_in(files: StageFiles, paths: Sequence[str], name: str) -> list[Place]:
    """Return the places where a name stands as code, in any language that can be parsed."""
    held, _too_large = await asyncio.to_thread(files_holding, files, paths, [name.encode()])
    if not held:
        return []
    answer = await ask_worker("identifiers", paths=(), files=held, name=name)
    return places(answer["places"])


def last_name(symbol: str) -> str:
    """Return the plain name at the end of `package.name`, `Class.method` or `path:name`."""
    return re.split(r"[.:]", symbol.strip().removesuffix("()"))[-1]


def _listed(title: str, found: Sequence[Place], unsure: Sequence[Place], limit: int) -> str:
    # `from m import x as x` names it twice on one line; a person wants the line.
    by_line = {(place.path, place.line, place.note): place for place in reversed(found)}
    groups = {
        role: [
            place
            for place in found
            if place.note == role
            and (role == "use" or by_line[place.path, place.line, role] is place)
        ]
        for role in _HEADINGS
    }
    used = len(groups["use"])
    paths = {place.path for place in groups["use"]}
    summary = f"{title}: {many(used, 'use')} in {many(len(paths), 'file')}"
    if unsure:
        summary += f", and {many(len(unsure), 'place')} that "
        summary += "is not sure" if len(unsure) == 1 else "are not sure"
    lines = [f"{summary}."]
    for role, heading in _HEADINGS.items():
        lines += _group(heading, groups[role], limit)
    lines += _group("Not sure (what stands before the dot cannot be told)", unsure, limit)
    return "\n".join(lines)


def _group(heading: str, found: Sequence[Place], limit: int) -> list[str]:
    if not found:
        return []
    lines = ["", f"{heading} ({len(found)})" if len(found) > 1 else heading]
    lines += [f"  {place}: {place.text}" for place in found[:limit]]
    if len(found) > limit:
        lines.append(f"  … and {len(found) - limit} more")
    return lines
