"""Edit a file by search and replace."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from turbo_tui.core.errors import ToolError
from turbo_tui.core.models import ToolSpec
from turbo_tui.core.plain import plural
from turbo_tui.core.ports import ToolContext
from turbo_tui.edits.ladder import MatchError, Place, replace_chunks
from turbo_tui.edits.text_file import NotTextError, decode
from turbo_tui.edits.values import Chunk, Rung
from turbo_tui.tools.arguments import Arguments, parameters

SPEC = ToolSpec(
    "edit_file",
    "Replace text in a file. Copy `old` from the file, with its indentation; it must occur exactly "
    "`count` times: include a line before and after to make it unique. A slip in white space, "
    "quotes or a line is looked past where one place alone fits, and the answer says so. Line "
    "numbers of read_file are not part of the text. An empty `new` deletes.",
    parameters(
        ("path", "old", "new"),
        path={"type": "string", "description": "file, relative to the workspace"},
        old={"type": "string", "description": "the text to replace, as it stands there"},
        new={"type": "string", "description": "what takes its place"},
        count={"type": "integer", "description": "how often `old` occurs; default 1"},
    ),
)
EXAMPLE = {"path": "src/app.py", "old": "    return 1\n", "new": "    return 2\n"}

_LOOSELY: dict[Rung, str] = {
    "trailing": " (`old` was not exact: white space at line ends differed.)",
    "indentation": " (`old` was not exact: its indentation differed, `new` was re-indented.)",
    "typographic": " (`old` was not exact: quotes, dashes or spaces differed.)",
    "escapes": " (`old` was not exact: escapes in it were undone, in `new` too.)",
    "anchored": " (`old` was not exact: some lines differed. Check the result with read_file.)",
    "elided": " (The lines that `old` and `new` leave out were kept.)",
}


class EditFile:
    """Change a file where it says what is expected there."""

    spec = SPEC

    async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        """Return where the file was changed."""
        given = Arguments(SPEC, EXAMPLE, arguments, root=str(context.workspace))
        path = given.path()
        old = given.text("old", empty=True)
        new = given.text("new", empty=True)
        count = given.number("count", 1, at_least=1)
        if not old:
            raise given.wrong("old", "must not be empty; write_file makes a new file")
        if old == new:
            raise given.wrong("new", "is the same as `old`: nothing would change")
        try:
            # A closest match in a large file takes a moment; the screen goes on meanwhile.
            content, place = await asyncio.to_thread(
                _edited, context.stage.files.read(path), Chunk(old, new, count=count)
            )
        except NotTextError as error:
            raise ToolError(f"{path!r} cannot be edited as text: {error}.") from None
        except UnicodeEncodeError as error:
            raise ToolError(
                f"{path!r} is {error.encoding}, which has no {error.object[error.start]!r}; "
                "write the new text without it."
            ) from None
        except MatchError as error:
            raise ToolError(f"Nothing was changed in {path!r}: {error}\n{_advice(error)}") from None
        context.stage.files.write(path, content)
        where = ", ".join(str(line) for line in place.lines[:10])
        times = plural(count, "place")
        return f"Replaced {times} in {path}, at line {where}.{_LOOSELY.get(place.rung, '')}"


def _edited(content: bytes, chunk: Chunk) -> tuple[bytes, Place]:
    replaced = replace_chunks(decode(content), [chunk])
    return replaced.file.encode(), replaced.places[0]


def _advice(error: MatchError) -> str:
    if error.closest:
        return (
            "Copy the lines marked + as `old`, without the mark (→ stands for a tab), and leave "
            "out those marked -."
        )
    match error.kind:
        case "already_applied":
            return "Go on with what is next."
        case "ambiguous" | "count":
            return "Make `old` longer until it is unique, or give `count`."
        case "lazy":
            return "Or leave the same lines out of `old` too."
        case _:
            return "Call read_file or search_text to see what is there."
