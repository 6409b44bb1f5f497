"""Read the worker's JSON back into values, and write its edits into a stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from turbo_tui.core.ports import StageFiles
from turbo_tui.languages.text_edits import Place, TextEdit, apply_edits


def places(value: object) -> list[Place]:
    """Read a list of places."""
    rows = cast("list[tuple[str, int, int, str, str]]", value)
    return [Place(*row) for row in rows]


def write_edits(files: StageFiles, contents: Mapping[str, bytes], value: object) -> dict[str, int]:
    """Apply the worker's edits to the stage.

    Returns:
        Path -> number of places changed, in path order.

    Raises:
        ToolError: A file cannot be written.
    """
    edits = cast("dict[str, list[tuple[int, int, str]]]", value)
    changed: dict[str, bytes] = {
        path: apply_edits(contents[path], [TextEdit(*row) for row in rows])
        for path, rows in edits.items()
    }
    for path, content in changed.items():
        files.write(path, content)
    return {path: len(rows) for path, rows in edits.items()}
