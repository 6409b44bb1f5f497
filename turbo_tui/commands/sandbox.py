"""`turbo-tui sandbox`: run one command as a step would, and say what it changed."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
import sys
import uuid
from collections.abc import Coroutine
from pathlib import Path

import click

from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.command import ANY_NETWORK, NOTHING, Command
from turbo_tui.core.errors import SandboxError, TurboError
from turbo_tui.core.ports import CommandResult, SandboxReport, Stage
from turbo_tui.wiring import open_workspace

INTERRUPTED = 130


@click.command(
    "sandbox",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    options_metavar="[-C PATH] [--net] [--keep] [--json] --",
)
@click.argument("argv", nargs=-1, required=True, metavar="CMD…", type=click.UNPROCESSED)
@click.option("-C", "path", default=".", metavar="PATH", help="Where it runs; default: here.")
@click.option("--here", is_flag=True, help="PATH itself is the workspace, not its git root.")
@click.option("--net", is_flag=True, help="Grant the network to this one command.")
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
@click.option("--json", "as_json", is_flag=True, help="One JSON object, the output inside.")
def command(
    argv: tuple[str, ...],
    *,
    path: str,
    here: bool,
    net: bool,
    timeout_s: float,
    keep: bool,
    unsandboxed: bool,
    as_json: bool,
) -> None:
    """Run CMD in a stage of the workspace; its changes are listed on stderr and discarded.

    The exit code is the command's; a failure of the sandbox itself is 125.
    """
    try:
        workspace = open_workspace(path, here=here)
        live = not as_json and sys.stdout.isatty()
        cwd = Path(path).expanduser().resolve().relative_to(workspace.root)

        async def work() -> int:
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
                result, changes = await _run(
                    stage, argv, cwd=str(cwd), net=net, timeout_s=timeout_s, live=live
                )
                if keep and (changes.files or changes.ignored):
                    from turbo_tui.commands.keeping import keep_for_review  # noqa: PLC0415

                    kept = keep_for_review(workspace, stage, argv, result, changes, network=net)
            finally:
                await stage.close(keep=bool(kept))
                if not kept:
                    await stages.discard(stage_id)
            _tell(result, changes, stage.report, kept, live=live, as_json=as_json)
            return result.exit_code

        raise SystemExit(asyncio.run(_until_signalled(work())))
    except TurboError as error:
        sys.stderr.write(f"turbo-tui: {error}\n")
        raise SystemExit(SandboxError.exit_code) from None


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


async def _run(
    stage: Stage, argv: tuple[str, ...], *, cwd: str, net: bool, timeout_s: float, live: bool
) -> tuple[CommandResult, ChangeSet]:
    result = await stage.run(
        Command(argv, cwd=cwd, grants=ANY_NETWORK if net else NOTHING, timeout_s=timeout_s),
        on_output=_write if live else None,
    )
    return result, await stage.changes()


def _tell(
    result: CommandResult,
    changes: ChangeSet,
    report: SandboxReport,
    kept: str,
    *,
    live: bool,
    as_json: bool,
) -> None:
    if as_json:
        sys.stdout.write(json.dumps(in_json(result, changes, report, kept)) + "\n")
        return
    if not live:
        _write(result.output)
    sys.stderr.write("".join(f"{line}\n" for line in in_words(result, changes, report, kept)))


def _write(text: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()


def in_words(
    result: CommandResult, changes: ChangeSet, report: SandboxReport, kept: str = ""
) -> list[str]:
    """Say what confined the command, how it ended and what it changed."""
    label = "UNSANDBOXED" if report.level == "none" else f"{report.rung} ({report.level})"
    ended = "" if result.ended == "exited" else f", ended by {result.ended}"
    lines = [f"sandbox: {label}; exit {result.exit_code}{ended} after {result.duration_s:.1f} s"]
    lines += [f"  not held: {g.name}: {g.detail}" for g in report.guarantees if not g.held]
    for change in changes.files:
        origin = f" (from {_shown(change.moved_from)})" if change.moved_from else ""
        lines.append(f"  {change.action:<7} {_shown(change.path)}{origin}")
    lines += [f"  ignored {_shown(i.folder)} +{len(i.changes):,} files" for i in changes.ignored]
    lines += [f"  {_shown(note)}" for note in changes.notes]
    lines += [f"  warning: {_shown(warning)}" for warning in changes.warnings]
    if not changes.files and not changes.ignored:
        lines.append("  no changes")
    elif kept:
        lines.append(f"  kept for review: turbo-tui --session {kept}")
    else:
        lines.append("  all of it was in a stage and is discarded")
    return lines


def in_json(
    result: CommandResult, changes: ChangeSet, report: SandboxReport, kept: str = ""
) -> dict[str, object]:
    """Return the object that `--json` prints; paths that are not UTF-8 show `?`."""
    return {
        "exit_code": result.exit_code,
        "output": result.output,
        "backend": report.rung,
        "report": dataclasses.asdict(report),
        "changes": [
            {"path": _shown(c.path), "action": c.action, "moved_from": _shown(c.moved_from)}
            for c in changes.files
        ],
        "ignored": [{"folder": _shown(i.folder), "files": len(i.changes)} for i in changes.ignored],
        "notes": list(changes.notes),
        "warnings": list(changes.warnings),
        "session": kept,
        "usage": {
            "duration_s": round(result.duration_s, 3),
            "ended": result.ended,
            "dropped_bytes": result.dropped_bytes,
        },
    }


def _shown(text: str) -> str:
    """Return a name that is safe on a terminal, on one line."""
    from turbo_tui.sandbox.sanitiser import sanitise  # noqa: PLC0415

    return sanitise(os.fsencode(text)).replace("\n", "?").replace("\t", "?")
