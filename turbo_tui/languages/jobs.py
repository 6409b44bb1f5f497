"""The jobs of the analysis worker: JSON values in, JSON values out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import cast

from turbo_tui.languages.by_ending import language_of
from turbo_tui.languages.definitions import defined_names, names_under
from turbo_tui.languages.python_explain import explain, reference_place
from turbo_tui.languages.python_imports import unused_imports
from turbo_tui.languages.python_project import PythonProject
from turbo_tui.languages.python_references import References
from turbo_tui.languages.python_rename import RenameRefusedError, rename
from turbo_tui.languages.python_symbols import (
    SymbolNotFoundError,
    find_symbol,
    find_symbols,
)
from turbo_tui.languages.structural import (
    PatternRefusedError,
    check_pattern,
    identifiers,
    rewrite_file,
)
from turbo_tui.languages.text_edits import Place, TextEdit, place_at


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


def usages_job(request: dict[str, object]) -> dict[str, object]:
    """Find the places of a Python symbol, or of each that the name may mean."""
    project = _project(request)
    try:
        targets = find_symbols(project, str(request["symbol"]), members=True)
    except SymbolNotFoundError as error:
        raise _refused(error) from None
    symbols: list[dict[str, object]] = []
    for target in targets:
        references = References(project, target)
        symbols.append(
            {
                "name": target.qualified_name,
                "places": [_place(reference_place(project, item)) for item in references.all()],
                "unsure": [
                    _place(place_at(item.path, project.contents[item.path], item.start))
                    for item in references.lookalikes()
                    if item.kind == "attribute"
                ],
            }
        )
    return {"symbols": symbols}


def identifiers_job(request: dict[str, object]) -> dict[str, object]:
    """Find a name as code in files of any language; definitions by their look."""
    name = str(request["name"])
    found: list[list[object]] = []
    for path, content in sorted(contents_of(request).items()):
        if not language_of(path):
            continue
        lines: set[int] = set()
        for place in identifiers(path, content, name):
            first = place.line not in lines  # on one line the definition comes before its uses
            lines.add(place.line)
            defined = first and name in defined_names([place.text.encode()])
            role = "definition" if defined else "use"
            found.append(_place(replace(place, note=role)))
    return {"places": found}


def explain_job(request: dict[str, object]) -> dict[str, object]:
    """Explain a Python symbol."""
    project = _project(request)
    try:
        target = find_symbol(project, str(request["symbol"]), members=True)
    except SymbolNotFoundError as error:
        raise _refused(error) from None
    told = explain(project, target)
    return {**asdict(told), "place": _place(told.place)}


def imports_job(request: dict[str, object]) -> dict[str, object]:
    """Take unused imports out of the files named by `clean`."""
    done = unused_imports(_project(request), cast("list[str]", request["clean"]))
    return {"edits": _edits(done.edits), "places": [_place(place) for place in done.places]}


def rewrite_job(request: dict[str, object]) -> dict[str, object]:
    """Rewrite a pattern; gives edits and places by language, so that the caller may choose."""
    pattern, rewrite = str(request["pattern"]), str(request["rewrite"])
    try:
        check_pattern(pattern, rewrite)
    except PatternRefusedError as error:
        raise _refused(error) from None
    languages: dict[str, dict[str, object]] = {}
    for path, content in sorted(contents_of(request).items()):
        language = language_of(path)
        if not language:
            continue
        done = rewrite_file(path, content, pattern, rewrite)
        if done.edits:
            of_language = languages.setdefault(language, {"edits": {}, "places": []})
            cast("dict[str, object]", of_language["edits"]).update(_edits({path: done.edits}))
            cast("list[object]", of_language["places"]).extend(map(_place, done.places))
    return {"languages": languages}


def names_job(request: dict[str, object]) -> dict[str, object]:
    """Name what looks defined: in the files sent, or under `root`."""
    root = str(request.get("root", ""))
    names = names_under(Path(root)) if root else defined_names(contents_of(request).values())
    return {"names": sorted(names)}


JOBS: dict[str, Callable[[dict[str, object]], dict[str, object]]] = {
    "explain": explain_job,
    "identifiers": identifiers_job,
    "imports": imports_job,
    "names": names_job,
    "rename": rename_job,
    "rewrite": rewrite_job,
    "usages": usages_job,
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
