"""What tests of stages share: a confiner that confines nothing, and a tree as a value."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import time
from pathlib import Path

from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.command import Command
from turbo_tui.core.ports import CommandResult, Guarantee, OnOutput
from turbo_tui.sandbox.place import ConfinerName, Place


class OpenConfiner:
    """Run commands in their place with nothing around them; `places` keeps where."""

    def __init__(self, name: ConfinerName = "bubblewrap") -> None:
        self.name: ConfinerName = name
        self.guarantees: tuple[Guarantee, ...] = tuple(
            Guarantee(each, held=True, detail="fake")
            for each in ("writes", "reads", "network", "limits", "tree")
        )
        self.places: list[Place] = []

    async def run(
        self,
        place: Place,
        command: Command,
        *,
        on_output: OnOutput | None = None,
    ) -> CommandResult:
        """Run to the end; limits and network are not looked at."""
        self.places.append(place)
        started = time.monotonic()
        words = (
            *place.enter,
            "sh",
            "-c",
            'cd "$0" && exec "$@"',
            place.tree / command.cwd,
            *command.argv,
        )
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "LC_ALL": "C", **command.env},
        )
        async with asyncio.timeout(command.timeout_s):
            output, _ = await process.communicate(command.stdin)
        text = output.decode(errors="replace")
        if on_output is not None:
            on_output(text)
        return CommandResult(process.returncode or 0, "exited", text, time.monotonic() - started)

    def warm(self, place: Place) -> None:
        """Nothing waits here for a command."""

    async def dismiss(self, place: Place) -> None:
        """Nothing waits here for a command."""


def snapshot(root: Path) -> dict[str, tuple[int, int, int, int, bytes]]:
    """Everything beneath a folder: mode, owner, group, mtime, content or target."""
    found: dict[str, tuple[int, int, int, int, bytes]] = {}
    for folder, folders, files in os.walk(os.fsencode(root)):
        for name in (b".", *folders, *files):
            path = os.path.join(folder, name)  # noqa: PTH118 - names that are not UTF-8
            about = os.lstat(path)
            content = b""
            if stat.S_ISLNK(about.st_mode):
                content = os.readlink(path)  # noqa: PTH115 - bytes
            elif stat.S_ISREG(about.st_mode) and os.access(path, os.R_OK):
                content = Path(os.fsdecode(path)).read_bytes()
            key = os.fsdecode(os.path.relpath(path, os.fsencode(root)))
            found[key] = (about.st_mode, about.st_uid, about.st_gid, about.st_mtime_ns, content)
    return found


def words_of(changes: ChangeSet) -> list[str]:
    """A change set in short: `add a.txt`, `move b <- a`."""
    return [
        f"{change.action} {change.path}" + (f" <- {change.moved_from}" * bool(change.moved_from))
        for change in changes.files
    ]


def git(folder: Path, *words: str) -> None:
    """Run git as somebody without settings."""
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", folder, *words],
        check=True,
        capture_output=True,
        env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"},
    )
