"""Show what a symbol is: signature, documentation, place, and who uses it."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Mapping
from typing import cast

from turbo_tui.core.errors import ToolError
from turbo_tui.core.models import ToolSpec
from turbo_tui.core.ports import ToolContext
from turbo_tui.languages.answers import places
from turbo_tui.languages.ask import ask_worker, python_sources, refuse_unknown
from turbo_tui.tools.arguments import Arguments, parameters
from turbo_tui.tools.find_usages import identifiers_in, last_name

NAME = "explain_symbol"
READ_ONLY = True
SHOWN_CALLERS = 12
SHOWN_MEMBERS = 30

_SPEC = ToolSpec(
    NAME,
    "Show a symbol's signature, docstring, place of definition, its module's documentation and "
    "who uses it how often. Python by meaning; other languages by name.",
    parameters(
        ("symbol",),
        symbol={"type": "string", "description": "name, package.name, Class.method, path.py:name"},
    ),
)
_EXAMPLE = {"symbol": "Parser.feed"}


class ExplainSymbol:
    """What a symbol is, as the source tells."""

    @property
    def spec(self) -> ToolSpec:
        """Name, prompt text and parameters."""
        return _SPEC

    async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        """Return the explanation as plain text.

        Raises:
            ToolError: No symbol, or more than one, is meant.
        """
        symbol = Arguments(_SPEC, _EXAMPLE, arguments).text("symbol").strip()
        name = last_name(symbol)
        files = context.stage.files
        everything, python, contents = await asyncio.to_thread(python_sources, files, [name])
        if any(name.encode() in content for content in contents.values()):
            return _explained(
                await ask_worker("explain", paths=python, files=contents, symbol=symbol)
            )
        found = await identifiers_in(files, everything, name)
        if not found:
            if python:
                await refuse_unknown(files, python, symbol, name)
            raise ToolError(f"Nothing in this project is called {name!r}.")
        definitions = [place for place in found if place.note == "definition"]
        uses = len(found) - len(definitions)
        lines = [f"{name} — found by name, not resolved by meaning"]
        lines += [f"\n  {place}\n  {place.text}" for place in definitions[:SHOWN_CALLERS]]
        lines += ["", f"Used in {uses} places; `find usages of {name}` lists them."]
        return "\n".join(lines)


def _explained(told: Mapping[str, object]) -> str:
    (place,) = places([told["place"]])
    lines = [
        f"{told['name']} — {told['kind']} in {told['module']}",
        f"{place.path}:{place.line}",
        "",
        textwrap.indent(str(told["signature"]), "  "),
    ]
    if told["docstring"]:
        lines += ["", textwrap.indent(str(told["docstring"]), "  ")]
    elif told["kind"] != "variable" and told["kind"] != "constant":
        lines += ["", "  (no docstring)"]
    members = cast("list[str]", told["members"])
    if members:
        lines += ["", f"Public methods ({len(members)})"]
        lines += [f"  {member}" for member in members[:SHOWN_MEMBERS]]
        lines += _more(len(members), SHOWN_MEMBERS)
    lines += ["", *_users(told)]
    module_docstring = str(told["module_docstring"])
    if module_docstring:
        first_paragraph = module_docstring.split("\n\n", maxsplit=1)[0]
        lines += ["", f"About {told['module']}", textwrap.indent(first_paragraph, "  ")]
    return "\n".join(lines)


def _users(told: Mapping[str, object]) -> list[str]:
    callers = cast("list[tuple[str, int]]", told["callers"])
    if not callers:
        return ["Nothing in this project uses it."]
    uses, files = told["uses"], told["files"]
    times, of_files = "time" if uses == 1 else "times", "file" if files == 1 else "files"
    lines = [f"Used {uses} {times} in {files} {of_files}"]
    width = max(len(caller) for caller, _count in callers[:SHOWN_CALLERS])
    lines += [f"  {caller:<{width}}  {count:>3}" for caller, count in callers[:SHOWN_CALLERS]]
    return lines + _more(len(callers), SHOWN_CALLERS)


def _more(count: int, shown: int) -> list[str]:
    return [f"  … and {count - shown} more"] if count > shown else []
