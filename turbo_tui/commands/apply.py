"""`turbo-tui apply`: put the edits of an answer into the workspace, all of them or none."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from turbo_tui.commands.as_json import json_option
from turbo_tui.commands.completing import place_option
from turbo_tui.commands.telling import encodable
from turbo_tui.core.errors import UsageError
from turbo_tui.core.plain import plain, plain_lines
from turbo_tui.edits.apply import apply_to
from turbo_tui.edits.formats import FormatName, parse
from turbo_tui.edits.outcome import EditedFile, Failure, Reading
from turbo_tui.edits.text_file import NotTextError, decode
from turbo_tui.edits.values import EditSyntaxError, Rung

if TYPE_CHECKING:
    from turbo_tui.wiring import Workspace

FAILED = 1
_FORMATS = ("auto", "patch", "search-replace", "unified", "whole")
# As the outside contract names them.
_FUZZ: dict[Rung, str] = {"trailing": "trailing-whitespace", "whole": "exact"}
_STRICTEST: tuple[Rung, ...] = (
    *("exact", "whole", "trailing", "indentation", "typographic"),
    *("escapes", "anchored", "elided"),
)
_MOST_PLACES = 8


@click.command("apply", options_metavar="[-C PATH] [--format FORMAT] [--dry-run] [--json] < EDITS")
@place_option()
@click.option("--here", is_flag=True, help="PATH itself is the workspace, not its git root.")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(_FORMATS),
    default="auto",
    show_default=True,
    help="What the edits are written in.",
)
@click.option("--dry-run", is_flag=True, help="Say what would happen; write nothing.")
@json_option("One JSON object.")
@click.argument("named", nargs=-1, metavar="")
def command(
    path: str,
    named: tuple[str, ...],
    *,
    here: bool,
    format_name: FormatName,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Apply the edits on standard input to the workspace: all of them, or none.

    Reads what models write: a patch (*** Begin Patch), SEARCH/REPLACE blocks, a unified diff,
    or whole files in fences, with prose around them. It is your own act: nothing is asked, and
    `turbo-tui session undo` takes it back. Shell commands beside the edits are shown, not run.
    Exit code 1: something does not fit, and nothing was written.
    """
    from turbo_tui.wiring import open_workspace  # noqa: PLC0415  --help needs none of it

    if named:
        given = shlex.join(named)
        raise UsageError(
            f"{given}: apply reads edits from standard input: `turbo-tui apply < {given}`."
        )
    text = _given()
    workspace = open_workspace(path, here=here)
    folder = Path(path).expanduser().resolve()
    where = f"paths are of {workspace.root}, the git root of {folder}; --here keeps to that folder"
    notes = () if workspace.root == folder else (where,)
    outcome = _applied(workspace, text, format_name, dry_run=dry_run)
    raise SystemExit(_told(replace(outcome, notes=outcome.notes + notes), as_json=as_json))


def _given() -> str:
    """Read standard input as text.

    Raises:
        UsageError: There is nothing on it, or it is no text.
    """
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]  closed by the shell
        raise UsageError("Standard input is closed; apply reads edits from it.")
    if sys.stdin.isatty():
        raise UsageError(
            "apply reads edits from standard input, and that is a terminal. Pipe them in: "
            "`turbo-tui apply < answer.md`, or `wl-paste | turbo-tui apply`."
        )
    raw = sys.stdin.buffer.read()
    if not raw.strip():
        raise UsageError(
            "Standard input is empty. apply expects a patch, SEARCH/REPLACE blocks, a unified "
            "diff or whole files in fences: `turbo-tui apply < answer.md`."
        )
    try:
        return decode(raw).text
    except NotTextError as error:
        raise UsageError(f"Standard input cannot be read as edits: {error}.") from None


def _applied(workspace: Workspace, text: str, format_name: FormatName, *, dry_run: bool) -> Outcome:
    from turbo_tui.commands.landing_edits import Ground  # noqa: PLC0415  not for --help

    ground = Ground(workspace)
    try:
        parsed = parse(text, format_name, exists=ground.exists)
    except EditSyntaxError as error:
        return Outcome(failures=(Failure("", error.line, str(error)),))
    reading = Reading(ground.read, os.fspath(workspace.root), ground.real, ground.paths)
    applied = apply_to(parsed, reading)
    outcome = Outcome(
        applied.files, applied.failures, applied.shell, notes=applied.notes, dry_run=dry_run
    )
    if not applied.files:
        return outcome
    outcome = replace(outcome, notes=(*outcome.notes, *ground.doubts(applied.files)))
    if dry_run:
        return outcome
    landed = asyncio.run(ground.land(applied.files))
    if landed.conflicts:
        failures = [Failure(each.path, 0, each.why) for each in landed.conflicts]
        return replace(outcome, files=(), failures=tuple(failures))
    if not landed.session:
        return replace(outcome, files=())
    return replace(outcome, session=landed.session, notes=outcome.notes + landed.notes)


# --- words ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an answer; with failures nothing was written."""

    files: tuple[EditedFile, ...] = ()
    failures: tuple[Failure, ...] = ()
    shell: tuple[str, ...] = ()
    session: str = ""
    notes: tuple[str, ...] = ()
    dry_run: bool = False


def _told(outcome: Outcome, *, as_json: bool) -> int:
    """Write the outcome; return the exit code."""
    if as_json:
        sys.stdout.write(json.dumps(in_json(outcome), ensure_ascii=True) + "\n")
    else:
        out = sys.stderr if outcome.failures else sys.stdout
        out.writelines(encodable(f"{plain_lines(row)}\n", out) for row in words(outcome))
    return FAILED if outcome.failures else 0


def words(outcome: Outcome) -> Iterator[str]:
    """Yield the lines that tell a person, or a model, what came of it."""
    if outcome.failures:
        count = len(outcome.failures)
        if count == 1 and not outcome.failures[0].path:
            yield "Nothing was written: the input cannot be read as edits."
        else:
            yield f"Nothing was written: {count} edit{'s do' if count > 1 else ' does'} not apply."
        for failure in outcome.failures:
            yield from _failed(failure)
    elif not outcome.files:
        yield "Nothing to change: the files read so already."
    else:
        yield from map(_edited, outcome.files)
        if outcome.dry_run:
            yield "A dry run: nothing was written."
        else:
            yield f"Landed; `turbo-tui session undo {outcome.session}` takes it back."
    yield from (f"note: {note}" for note in outcome.notes)
    if outcome.shell:
        yield "Commands beside the edits, not run:"
        for text in outcome.shell:
            yield from (f"  {line}" for line in text.split("\n"))


def _failed(failure: Failure) -> Iterator[str]:
    where = f"line {failure.at} of the input" if failure.at else ""
    head = ", ".join(part for part in (plain(failure.path), where) if part)
    yield f"{head}: {failure.why}" if head else failure.why
    if failure.advice:
        yield f"  {failure.advice}"


def _edited(file: EditedFile) -> str:
    origin = f" (from {plain(file.moved_from)})" if file.moved_from else ""
    extra = f" ({_anew(file)})" if file.replaced else ""
    at = ", ".join(
        f"line {place.line}" + ("" if place.rung == "exact" else f" ({place.rung})")
        for place in file.places[:_MOST_PLACES]
    )
    more = len(file.places) - _MOST_PLACES
    at += f" and {more} more" if more > 0 else ""
    return f"{file.action:<7}{plain(file.path)}{origin}{extra}{': ' if at else ''}{at}"


def _anew(file: EditedFile) -> str:
    mover = plain(file.replaced_by)
    said = "was there, replaced " + (f"by {mover}, which moved here" if mover else "as a whole")
    if file.lines is None:
        return said
    were, are = file.lines
    some = "1 line becomes" if were == 1 else f"{were:,} lines become"
    return f"{said}: {some} {are:,}"


def in_json(outcome: Outcome) -> dict[str, object]:
    """Return the object that `--json` prints."""
    return {
        "applied": [_file_in_json(file) for file in outcome.files],
        "failed": [_failure_in_json(failure) for failure in outcome.failures],
        "shell": list(outcome.shell),
        "notes": list(outcome.notes),
        "dry_run": outcome.dry_run,
        "session": outcome.session,
    }


def _file_in_json(file: EditedFile) -> dict[str, object]:
    rungs = {place.rung for place in file.places}
    loosest: Rung = "exact"
    for rung in _STRICTEST:
        if rung in rungs:
            loosest = rung
    return {
        "path": _shown(file.path),
        "action": file.action,
        "moved_from": _shown(file.moved_from),
        "hunks": len(file.places),
        "fuzz": _FUZZ.get(loosest, loosest),
        "chunks": [
            {"line": place.line, "rung": _FUZZ.get(place.rung, place.rung)} for place in file.places
        ],
    }


def _failure_in_json(failure: Failure) -> dict[str, object]:
    closest = {"line": failure.line, "text": failure.closest} if failure.line else None
    return {
        "path": _shown(failure.path),
        "why": failure.why,
        "advice": failure.advice,
        "input_line": failure.at,
        "closest": closest,
    }


def _shown(path: str) -> str:
    return path.encode("utf-8", "replace").decode()
