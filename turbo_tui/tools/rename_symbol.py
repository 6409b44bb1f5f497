"""Rename a Python symbol everywhere it is meant."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import cast

from turbo_tui.core.errors import ToolError
from turbo_tui.core.models import ToolSpec
from turbo_tui.core.ports import ToolContext
from turbo_tui.languages.answers import places, write_edits
from turbo_tui.languages.ask import ask_worker, files_holding, python_sources, refuse_unknown
from turbo_tui.languages.text_edits import Place
from turbo_tui.tools.arguments import Arguments, parameters
from turbo_tui.tools.structural_replace import many

NAME = "rename_symbol"
READ_ONLY = False
SHOWN_PLACES = 12
DOCUMENT_ENDINGS = (".md", ".rst", ".txt", ".adoc", ".toml", ".cfg", ".ini", ".yaml", ".yml")

_SPEC = ToolSpec(
    NAME,
    "Rename a Python function, class, method or module constant and every place that means it: "
    "imports, re-exports, __all__, attribute access, quoted annotations. Strings, comments and "
    "longer names stay. Say `Class.method` for a method, `path.py:name` when several match.",
    parameters(
        ("symbol", "new_name"),
        symbol={"type": "string", "description": "name, package.name, Class.method, path.py:name"},
        new_name={"type": "string", "description": "a valid Python name"},
    ),
)
_EXAMPLE = {"symbol": "Parser.feed", "new_name": "push"}


class RenameSymbol:
    """Structural rename across the files of a Python project."""

    @property
    def spec(self) -> ToolSpec:
        """Name, prompt text and parameters."""
        return _SPEC

    async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        """Rename in the stage; return what changed and what was left.

        Raises:
            ToolError: No or several symbols fit, the new name is taken or not valid.
        """
        given = Arguments(_SPEC, _EXAMPLE, arguments)
        symbol, new_name = given.text("symbol").strip(), given.text("new_name").strip()
        name = re.split(r"[.:]", symbol.removesuffix("()"))[-1]
        files = context.stage.files
        everything, python, contents = await asyncio.to_thread(python_sources, files, [name])
        if not python:
            raise ToolError(_only_python(everything))
        if not any(name.encode() in content for content in contents.values()):
            await refuse_unknown(files, python, symbol, name)
        answer = await ask_worker(
            "rename", paths=python, files=contents, symbol=symbol, new_name=new_name
        )
        counts = write_edits(files, contents, answer["edits"])
        (defined,) = places([answer["defined_at"]])
        documents = await asyncio.to_thread(_in_documents, context, everything, name)
        return report(
            f"Renamed {answer['symbol']} ({defined.path}:{defined.line}) to {new_name}",
            counts,
            left=places(answer["left"]),
            documents=documents,
            cautions=cast("list[str]", answer["cautions"]),
        )


def report(
    headline: str,
    counts: Mapping[str, int],
    *,
    left: Sequence[Place],
    documents: Mapping[str, int],
    cautions: Sequence[str],
) -> str:
    """Write what the rename did, for a person."""
    total = sum(counts.values())
    width = max((len(path) for path in counts), default=0)
    lines = [f"{headline}: {many(total, 'place')} in {many(len(counts), 'file')}.", ""]
    lines += [f"  {path:<{width}}  {count:>3}" for path, count in counts.items()]
    unsure = [place for place in left if place.note.startswith("not sure")]
    if unsure:
        lines += ["", "Not sure, left as they are (look at these):"]
        lines += [f"  {place}  {place.text}" for place in unsure[:SHOWN_PLACES]]
        lines += _rest(len(unsure))
    strings = [place for place in left if place.note == "in a string"]
    if strings:
        lines += ["", "In strings, left as they are:"]
        lines += [f"  {place}  {place.text}" for place in strings[:SHOWN_PLACES]]
        lines += _rest(len(strings))
    prose = Counter(
        place.path for place in left if place.note in {"in a comment", "in a docstring"}
    )
    prose.update(documents)
    if prose:
        lines += ["", "Mentioned in comments, docstrings and documents, left as they are:"]
        listed = sorted(prose.items())
        lines += [f"  {path}  {count}" for path, count in listed[:SHOWN_PLACES]]
        lines += _rest(len(listed))
    if cautions:
        lines += ["", *(f"Caution: {caution}" for caution in cautions)]
    return "\n".join(lines)


def _in_documents(context: ToolContext, paths: Sequence[str], name: str) -> dict[str, int]:
    documents = [path for path in paths if path.endswith(DOCUMENT_ENDINGS)]
    held, _too_large = files_holding(context.stage.files, documents, [name.encode()])
    word = re.compile(rb"(?<!\w)" + re.escape(name.encode()) + rb"(?!\w)")
    found = {path: len(word.findall(content)) for path, content in held.items()}
    return {path: count for path, count in found.items() if count}


def _only_python(paths: Sequence[str]) -> str:
    others = Counter(path.rpartition(".")[2] for path in paths if "." in path)
    common = ", ".join(f".{ending}" for ending, _count in others.most_common(3)) or "none"
    return (
        "A rename by meaning is only possible in Python, and this project has no Python files "
        f"(most common: {common}). Replace by structure instead: replace `old($$$A)` with "
        "`new($$$A)`."
    )


def _rest(count: int) -> list[str]:
    return [f"  … and {count - SHOWN_PLACES} more"] if count > SHOWN_PLACES else []
