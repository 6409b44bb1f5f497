"""The jobs of the analysis worker: JSON values in, JSON values out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

from turbo_tui.languages.definitions import defined_names, names_under
from turbo_tui.languages.python_project import PythonProject
from turbo_tui.languages.python_rename import RenameRefusedError, rename
from turbo_tui.languages.python_symbols import SymbolNotFoundError
from turbo_tui.languages.text_edits import Place, TextEdit


class JobRefusedError(Exception):
    """The job cannot be done; the message is written for the user."""

    def __init__(self, message: str, nearest: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.nearest = nearest


def rename_job(request: dict[str, object]) -> dict[str, object]:
    """Rename a Python symbol; gives edits, what was left, and cautions."""
    try:
        done = rename(_project(request), str(request["symbol"]), str(request["new_name"]))
    except (SymbolNotFoundError, RenameRefusedError) as error:
        raise _refused(error) from None
    return {
        "symbol": done.symbol,
        "defined_at": _place(done.defined_at),
        "edits": _edits(done.edits),
        "left": [_place(place) for place in done.left],
        "cautions": done.cautions,
    }


def names_job(request: dict[str, object]) -> dict[str, object]:
    """Name what looks defined: in the files sent, or under `root`."""
    root = str(request.get("root", ""))
    names = names_under(Path(root)) if root else defined_names(contents_of(request).values())
    return {"names": sorted(names)}


JOBS: dict[str, Callable[[dict[str, object]], dict[str, object]]] = {
    "names": names_job,
    "rename": rename_job,
}


def contents_of(request: dict[str, object]) -> dict[str, bytes]:
    """Return the contents sent with a request."""
    files = cast("dict[str, str]", request["files"])
    return {path: text.encode("latin-1") for path, text in files.items()}


def _project(request: dict[str, object]) -> PythonProject:
    return PythonProject(cast("list[str]", request["paths"]), contents_of(request))


def _refused(error: Exception) -> JobRefusedError:
    nearest = error.nearest if isinstance(error, SymbolNotFoundError) else ()
    return JobRefusedError(str(error), nearest)


def _place(place: Place) -> list[object]:
    return [place.path, place.line, place.column, place.text, place.note]


def _edits(edits: dict[str, list[TextEdit]]) -> dict[str, list[list[object]]]:
    return {
        path: [[edit.start, edit.end, edit.text] for edit in sorted(set(found))]
        for path, found in sorted(edits.items())
    }
