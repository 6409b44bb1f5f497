"""Run a command, stream its output, hold it to its limits, and end all of its processes.

What starts it (bubblewrap, or our own supervisor) is the root of a tree of processes. The
result does not wait for anyone who merely holds the output open, and nobody outlives it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from turbo_tui.core.command import Limits
from turbo_tui.core.errors import SandboxError
from turbo_tui.core.events import Ended
from turbo_tui.core.ports import CommandResult, OnOutput
from turbo_tui.sandbox.process.limits import DEFAULTS, Watch, over
from turbo_tui.sandbox.process.orphans import adopting_orphans
from turbo_tui.sandbox.process.output import KeptOutput, LiveOutput
from turbo_tui.sandbox.process.tree import Launch, Tree, start

_last_rites: set[asyncio.Task[None]] = set()


@dataclass(frozen=True, slots=True)
class Bounds:
    """What to hold a command to, and who watches.

    Attributes:
        disk: A path whose file system must not run full.
        scratch: The command's temporary folder, where it is one of the host's.
        on_output: Gets output as it comes.
    """

    timeout_s: float = 120.0
    limits: Limits = DEFAULTS
    disk: Path | None = None
    scratch: Path | None = None
    on_output: OnOutput | None = None


async def run_tree(launch: Launch, bounds: Bounds) -> CommandResult:
    """Start it, run it to the end and return how it ended.

    Raises:
        SandboxError: It could not be started, or the sandbox failed before the command ran.
        CancelledError: The awaiting task was cancelled; by then the tree is dead.
    """
    with adopting_orphans():
        return await run_started(start(launch), bounds)


async def run_started(tree: Tree, bounds: Bounds) -> CommandResult:
    """Run what was started to its end, as `run_tree` does."""
    began = time.monotonic()
    limits = bounds.limits
    loop = asyncio.get_running_loop()
    kept = KeptOutput(limits.output_bytes // 2)
    live = LiveOutput(bounds.on_output, loop) if bounds.on_output is not None else None
    tree.listen(*((kept,) if live is None else (kept, live)))
    ended: Ended = "exited"
    reason = ""
    watch = Watch(tree.root_pid, limits, bounds.disk, bounds.scratch)
    watchdog = asyncio.ensure_future(watch.exceeded())
    exit_seen = asyncio.ensure_future(tree.process.wait())
    try:
        done, _ = await asyncio.wait(
            {watchdog, exit_seen},
            timeout=min(bounds.timeout_s, limits.wall_s),
            return_when=asyncio.FIRST_COMPLETED,
        )
        if exit_seen not in done:
            ended = "limit" if done else "timeout"
            reason = watchdog.result() if done else ""
            if not done and limits.wall_s < bounds.timeout_s:
                reason = over(f"it ran longer than {limits.wall_s:g} s", "command_timeout_s")
    finally:
        watchdog.cancel()
        rites = asyncio.ensure_future(_end(tree, watch))
        _last_rites.add(rites)
        rites.add_done_callback(_last_rites.discard)
        await asyncio.shield(rites)
        exit_seen.cancel()
    if live is not None:
        live.finish()
    output = await kept.text()
    if ended == "exited" and tree.setup_failed:
        raise SandboxError(
            f"The sandbox could not be started: {output.strip() or 'it gave no reason'}. "
            "`turbo-tui doctor` shows what works here."
        )
    if ended == "exited" and (reason := watch.ended_by(tree.exit_code, output)):
        ended = "limit"
    if reason:
        output += f"\n[stopped: {reason}]\n"
    return CommandResult(
        exit_code=tree.exit_code,
        ended=ended,
        output=output,
        duration_s=time.monotonic() - began,
        dropped_bytes=kept.dropped_bytes,
        usage=watch.usage,
    )


async def _end(tree: Tree, watch: Watch) -> None:
    await tree.end()
    await watch.end(tree.counted)
