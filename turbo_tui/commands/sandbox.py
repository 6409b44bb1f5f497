"""`turbo-tui sandbox`: run one command as a step would, and say what it changed."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import shutil
import signal
import sys
import textwrap
import uuid
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from turbo_tui.commands.as_json import json_option
from turbo_tui.commands.completing import place_option
from turbo_tui.commands.telling import encodable
from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.command import NOTHING, Command, CommandUsage, Grants, Limits
from turbo_tui.core.errors import OutputError, SandboxError, TurboError
from turbo_tui.core.ports import CommandResult, SandboxReport, Stage
from turbo_tui.sandbox.report import LABELS
from turbo_tui.wiring import Workspace, open_workspace

INTERRUPTED = 130


@click.command(
    "sandbox",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    options_metavar="[-C PATH] [--net] [--keep] [--json] --",
)
@click.argument("argv", nargs=-1, required=True, metavar="CMD…", type=click.UNPROCESSED)
@place_option("Where it runs; default: here.")
@click.option("--here", is_flag=True, help="PATH itself is the workspace, not its git root.")
@click.option("--net", is_flag=True, help="Grant the network to this one command.")
@click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    metavar="HOST",
    help="Grant this host alone: name, name:port or *.name. Can be repeated.",
)
@click.option("--read", "readable", multiple=True, metavar="PATH", help="Show PATH, read-only.")
@click.option(
    "--write",
    "writable",
    multiple=True,
    metavar="PATH",
    help="Let it write PATH outside the workspace; that is not staged.",
)
@click.option("--ptrace", is_flag=True, help="Let it debug its own processes.")
@click.option("--unix-sockets", is_flag=True, help="Let it use unix sockets of its own.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    default=600.0,
    metavar="SECONDS",
    show_default=True,
    help="End it, and all its processes, after this long.",
)
@click.option("--keep", is_flag=True, help="Keep its changes as a session waiting for review.")
@click.option("--unsandboxed", is_flag=True, help="Run it even where nothing can confine it.")
@json_option("One JSON object, the output inside.")
def command(
    argv: tuple[str, ...],
    *,
    path: str,
    here: bool,
    net: bool,
    hosts: tuple[str, ...],
    readable: tuple[str, ...],
    writable: tuple[str, ...],
    ptrace: bool,
    unix_sockets: bool,
    timeout_s: float,
    keep: bool,
    unsandboxed: bool,
    as_json: bool,
) -> None:
    """Run CMD in a stage of the workspace; its changes are listed on stderr and discarded.

    The exit code is the command's, 127 when it is not found and 126 when it cannot be executed;
    a failure of the sandbox itself is 125. What is granted is your own act: nothing is asked.
    """
    if net and hosts:
        raise click.UsageError("--net grants every host: leave out --allow-host, or --net.")
    grants = Grants(
        network="all" if net else "hosts" if hosts else "off",
        hosts=hosts,
        ptrace=ptrace,
        unix_sockets=unix_sockets,
        readable=tuple(map(_real, readable)),
        writable=tuple(map(_real, writable)),
    )
    try:
        workspace = open_workspace(path, here=here)
        cwd = Path(path).expanduser().resolve().relative_to(workspace.root)
        ordered = Command(
            argv,
            cwd=str(cwd),
            grants=grants,
            timeout_s=timeout_s,
            limits=Limits(wall_s=timeout_s),  # said just now: only the settings cap it
        )
        told = Telling(as_json=as_json)
        work = _work(workspace, ordered, told, keep=keep, unsandboxed=unsandboxed)
        raise SystemExit(asyncio.run(_until_signalled(work)))
    except (OutputError, SandboxError):
        raise
    except TurboError as error:  # of exit codes, all others are the command's own
        raise SandboxError(str(error)) from error


def _real(path: str) -> str:
    # A grant names the place itself: what a link leads to later was not agreed to.
    return os.path.realpath(Path(path).expanduser())


async def _work(
    workspace: Workspace, ordered: Command, told: Telling, *, keep: bool, unsandboxed: bool
) -> int:
    stages = await workspace.stages()
    if stages.report.level == "none" and not unsandboxed:
        reasons = "; ".join(reason.rstrip(".") for reason in stages.report.reasons)
        raise SandboxError(
            f"Nothing can confine a command here: {reasons}. "
            "`--unsandboxed` runs it with your own rights, in a copy of the workspace."
        )
    stage_id = f"sandbox-{uuid.uuid4().hex[:12]}"
    stage = await stages.open(stage_id)
    kept = ""
    try:
        result = await stage.run(ordered, on_output=told.live)
        changes = await _changes(stage, result, told)
        if keep and (changes.files or changes.ignored):
            from turbo_tui.commands.keeping import keep_for_review  # noqa: PLC0415

            kept = keep_for_review(workspace, stage, ordered, result, changes)
    finally:
        await stage.close(keep=bool(kept))
        if not kept:
            await stages.discard(stage_id)
    told.all(Ran(result, changes, stage.report, ordered.grants, kept))
    return result.exit_code


async def _changes(stage: Stage, result: CommandResult, told: Telling) -> ChangeSet:
    """Read what the command did; what it printed is not lost when that cannot be.

    Raises:
        SandboxError: Its changes cannot be read or kept, as on a full disk.
    """
    try:
        return await stage.changes()
    except TurboError as error:
        told.output(result)
        raise SandboxError(
            f"The command ended with exit code {result.exit_code}, but what it changed is lost: "
            f"{error}"
        ) from error


async def _until_signalled(work: Coroutine[None, None, int]) -> int:
    """Run to the end; SIGTERM and SIGHUP cancel it as SIGINT does, so that nothing is left."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        sys.stderr.write("turbo-tui: interrupted; the command was ended, nothing was kept.\n")
        return INTERRUPTED


# --- words ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ended, what it could do, and what it did."""

    result: CommandResult
    changes: ChangeSet
    report: SandboxReport
    grants: Grants = NOTHING
    kept: str = ""


class Telling:
    """Where output and words go: a person's terminal, a pipe, or one JSON object."""

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        self.live = _write if not as_json and sys.stdout.isatty() else None

    def output(self, result: CommandResult) -> None:
        """Write what the command printed, unless it was shown as it came."""
        if self.live is None and not self._json:
            _write(result.output)

    def all(self, ran: Ran) -> None:
        """Tell how it went."""
        if self._json:
            sys.stdout.write(json.dumps(in_json(ran)) + "\n")
            return
        self.output(ran.result)
        width = shutil.get_terminal_size().columns if sys.stderr.isatty() else 0
        for line in in_words(ran, width=width):
            sys.stderr.write(encodable(line, sys.stderr) + "\n")


def _write(text: str) -> None:
    sys.stdout.write(encodable(text, sys.stdout))
    sys.stdout.flush()


def in_words(ran: Ran, *, width: int = 0) -> Iterator[str]:
    """Say what confined the command, how it ended and what it changed.

    Args:
        ran: What was run.
        width: Columns to wrap at; 0 for a line each.
    """
    yield _first_line(ran)
    rows = [*_rows(ran)]
    for word, text in rows:
        yield from _wrapped(f"  {word:<8}", text, width)
    if not ran.changes.files and not ran.changes.ignored:
        yield "  no changes"
    elif ran.kept:
        yield f"  kept for review: turbo-tui --session {ran.kept}"
    else:
        yield "  all of it was in a stage and is discarded"


def _first_line(ran: Ran) -> str:
    result, report = ran.result, ran.report
    label = LABELS[report.level]
    named = label if report.level == "none" else f"{report.rung} ({label})"
    ended = "" if result.ended == "exited" else f", ended by {result.ended}"
    used = "".join(f", {words}" for words in _used(result.usage))
    return f"sandbox: {named}; exit {result.exit_code}{ended} after {result.duration_s:.1f} s{used}"


def _used(usage: CommandUsage) -> Iterator[str]:
    if usage.cpu_s is not None:
        yield f"{usage.cpu_s:.1f} s CPU"
    if usage.peak_memory_bytes is not None:
        yield f"{usage.peak_memory_bytes / 1e6:,.0f} MB"
    if usage.processes is not None:
        yield f"{usage.processes} process{'es' * (usage.processes != 1)}"


def _rows(ran: Ran) -> Iterator[tuple[str, str]]:
    """Yield (word, text) for each line between the first and the last."""
    for granted in ran.grants.words:
        staged = ", which is not staged" if granted.startswith("writes ") else ""
        yield "granted", _shown(granted) + staged
    for each in ran.report.guarantees:
        if not each.held:
            yield "not held", f"{each.name}: {each.detail}"
    for reason in ran.report.reasons:
        yield "because", _shown(reason)
    for change in ran.changes.files:
        origin = f" (from {_shown(change.moved_from)})" if change.moved_from else ""
        yield change.action, f"{_shown(change.path)}{origin}"
    for ignored in ran.changes.ignored:
        yield "ignored", f"{_shown(ignored.folder)} +{len(ignored.changes):,} files"
    for note in ran.changes.notes:
        yield "note", _shown(note)
    for warning in ran.changes.warnings:
        yield "warning", _shown(warning)


def _wrapped(head: str, text: str, width: int) -> Iterator[str]:
    indent = " " * (len(head) + 1)
    if width <= len(indent) + 20:
        yield f"{head} {text}"
        return
    lines = textwrap.wrap(text, width - len(indent), break_on_hyphens=False) or [""]
    yield f"{head} {lines[0]}"
    yield from (f"{indent}{line}" for line in lines[1:])


def in_json(ran: Ran) -> dict[str, object]:
    """Return the object that `--json` prints; paths that are not UTF-8 show `?`."""
    result, changes = ran.result, ran.changes
    return {
        "exit_code": result.exit_code,
        "output": result.output,
        "backend": ran.report.rung,
        "report": dataclasses.asdict(ran.report),
        "grants": dataclasses.asdict(ran.grants),
        "changes": [
            {"path": _shown(c.path), "action": c.action, "moved_from": _shown(c.moved_from)}
            for c in changes.files
        ],
        "ignored": [{"folder": _shown(i.folder), "files": len(i.changes)} for i in changes.ignored],
        "notes": list(changes.notes),
        "warnings": list(changes.warnings),
        "session": ran.kept,
        "usage": {
            "duration_s": round(result.duration_s, 3),
            "ended": result.ended,
            "dropped_bytes": result.dropped_bytes,
            **dataclasses.asdict(result.usage),
        },
    }


def _shown(text: str) -> str:
    """Return a name that is safe on a terminal, on one line."""
    from turbo_tui.sandbox.process.sanitiser import sanitise  # noqa: PLC0415

    return sanitise(os.fsencode(text)).replace("\n", "?").replace("\t", "?")
