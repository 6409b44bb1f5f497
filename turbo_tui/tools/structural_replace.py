"""Replace code by its structure, with ast-grep."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import cast

from turbo_tui.core.errors import ToolError
from turbo_tui.core.models import ToolSpec
from turbo_tui.core.ports import ToolContext
from turbo_tui.languages.answers import places, write_edits
from turbo_tui.languages.ask import ask_worker, files_holding
from turbo_tui.languages.by_ending import language_of, words_of
from turbo_tui.tools.arguments import Arguments, parameters

NAME = "structural_replace"
READ_ONLY = False
SHOWN_PLACES = 20

_SPEC = ToolSpec(
    NAME,
    "Replace every piece of code of a certain shape. $X in the pattern stands for one piece of "
    "code, $$$X for any number; use them in the replacement. Strings, comments and layout do not "
    "matter. Without `language` the one the pattern matches in is taken.",
    parameters(
        ("pattern", "rewrite"),
        pattern={"type": "string", "description": "code with $X and $$$X, such as f($A, $$$REST)"},
        rewrite={"type": "string", "description": "the new code, such as g($$$REST)"},
        language={"type": "string", "description": "python, javascript, typescript, go, rust, …"},
        path={"type": "string", "description": "a file or folder; the whole workspace if not said"},
    ),
)
_EXAMPLE = {"pattern": "a.get($K)", "rewrite": "a[$K]", "language": "python"}


class StructuralReplace:
    """Rewrite a pattern across the files of one language."""

    @property
    def spec(self) -> ToolSpec:
        """Name, prompt text and parameters."""
        return _SPEC

    async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        """Rewrite in the stage; return the places.

        Raises:
            ToolError: Nothing matches, several languages do, or the pattern cannot be used.
        """
        given = Arguments(_SPEC, _EXAMPLE, arguments)
        pattern, rewrite = given.text("pattern").strip(), given.text("rewrite", empty=True)
        language = given.text("language", "", empty=True).strip().lower()
        path = given.path(default=".")
        files = context.stage.files
        paths = await asyncio.to_thread(paths_under, context, path)
        paths = [found for found in paths if language_of(found)]
        words = [word.encode() for word in words_of(pattern)]
        held, too_large = await asyncio.to_thread(files_holding, files, paths, words[:1] or [b""])
        held = {path: text for path, text in held.items() if all(word in text for word in words)}
        answer = await ask_worker("rewrite", paths=(), files=held, pattern=pattern, rewrite=rewrite)
        by_language = cast("dict[str, dict[str, object]]", answer["languages"])
        chosen = language or _only(by_language, pattern)
        if chosen not in by_language:
            raise ToolError(_nothing(pattern, path, language, list(by_language)))
        found = places(by_language[chosen]["places"])
        counts = write_edits(files, held, by_language[chosen]["edits"])
        where = f"{many(len(found), 'place')} in {many(len(counts), 'file')}"
        headline = f"Replaced {pattern} with {rewrite}: {where} ({chosen})."
        lines = [
            headline,
            "",
            *(f"  {place}: {place.text}" for place in found[:SHOWN_PLACES]),
        ]
        if len(found) > SHOWN_PLACES:
            lines.append(f"  … and {len(found) - SHOWN_PLACES} more")
        lines += [f"Passed over for its size: {large}" for large in too_large]
        return "\n".join(lines)


def paths_under(context: ToolContext, path: str) -> list[str]:
    """Return the files at or below a path, as git sees them.

    Raises:
        ToolError: There is nothing at that path.
    """
    files = context.stage.files
    if path == ".":
        return list(files.walk())
    entry = files.entry(path)
    if entry is None:
        raise ToolError(f"There is no file or folder {path!r} in the workspace.")
    return [found for found in files.walk() if found == path or found.startswith(f"{path}/")]


def many(count: int, noun: str) -> str:
    """Write a count with its noun."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _only(by_language: Mapping[str, object], pattern: str) -> str:
    if len(by_language) > 1:
        listed = ", ".join(sorted(by_language))
        raise ToolError(
            f"The pattern {pattern!r} matches in {len(by_language)} languages: {listed}. "
            "Say which with `language`, or name a path."
        )
    return next(iter(by_language), "")


def _nothing(pattern: str, path: str, language: str, others: list[str]) -> str:
    where = "in the workspace" if path == "." else f"in {path}"
    kind = f" {language}" if language else ""
    hint = f" It does match in: {', '.join(sorted(others))}." if others else ""
    return (
        f"Nothing{kind} {where} matches {pattern!r}; nothing was changed.{hint} The pattern must "
        "be whole code as it is written there; $X stands for one piece, $$$X for any number."
    )
