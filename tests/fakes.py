"""Fakes at the ports: real objects with canned answers."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

import pathspec

from turbo_tui.core import models, ports
from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.command import Command
from turbo_tui.core.errors import SessionError, ToolError, TurboError
from turbo_tui.core.events import Ended

# --- models, stages and blobs ---------------------------------------------------


class ScriptedModel:
    """A model that gives its replies in order and keeps what it was asked.

    A reply may be a plain text, a whole `ModelReply`, an error to raise, or a function of
    the request that returns one of these.
    """

    def __init__(
        self,
        *replies: str
        | models.ModelReply
        | TurboError
        | Callable[[models.ModelRequest], str | models.ModelReply],
        name: str = "scripted",
        host: str = "recorded",
        context_tokens: int = 32_000,
    ) -> None:
        self.replies = list(replies)
        self.requests: list[models.ModelRequest] = []
        self.closed = False
        self.name = name
        self.host = host
        self.context_tokens = context_tokens

    async def complete(
        self, request: models.ModelRequest, on_delta: models.OnDelta | None = None
    ) -> models.ModelReply:
        """Give the next reply; more requests than replies fail the test."""
        self.requests.append(request)
        assert self.replies, f"No reply is left for request {len(self.requests)}: {request}"
        reply = self.replies.pop(0)
        if isinstance(reply, TurboError):
            raise reply
        if callable(reply):
            reply = reply(request)
        if isinstance(reply, str):
            reply = models.ModelReply(reply)
        if on_delta is not None:
            for start in range(0, len(reply.text), 8):
                on_delta(reply.text[start : start + 8])
        return reply

    async def close(self) -> None:
        """Remember that connections were released."""
        self.closed = True


def calling(tool: str, /, **arguments: object) -> models.ModelReply:
    """Make a reply that calls one tool."""
    call = models.ToolCall(f"call-{tool}", tool, json.dumps(arguments))
    return models.ModelReply("", calls=(call,), finish="tool_calls")


class MemoryBlobs:
    """Content by its sha256, in memory."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    def put(self, content: bytes) -> str:
        blob = hashlib.sha256(content).hexdigest()
        self.contents[blob] = content
        return blob

    def put_file(self, path: Path) -> str:
        return self.put(path.read_bytes())

    def get(self, blob: str) -> bytes:
        if blob not in self.contents:
            raise SessionError(f"Blob {blob} is not kept.")
        return self.contents[blob]

    def copy_to(self, blob: str, target: Path) -> None:
        with target.open("xb") as file:
            file.write(self.get(blob))


class FolderFiles:
    """Stage files that are simply those of a folder; `.gitignore` at its root is obeyed."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def _at(self, path: str) -> Path:
        if path.startswith("/") or ".." in Path(path).parts:
            raise ToolError(f"{path!r} leads outside the workspace; use a path inside it.")
        return self.root / path

    def read(self, path: str, *, limit_bytes: int | None = None) -> bytes:
        found = self._at(path)
        if found.is_dir():
            raise ToolError(f"{path!r} is a folder, not a file.")
        if not found.is_file():
            raise ToolError(f"There is no file {path!r}.")
        with found.open("rb") as file:
            return file.read(limit_bytes)

    def write(self, path: str, content: bytes) -> None:
        found = self._at(path)
        if found.is_dir():
            raise ToolError(f"{path!r} is a folder, not a file.")
        found.parent.mkdir(parents=True, exist_ok=True)
        found.write_bytes(content)

    def remove(self, path: str) -> None:
        found = self._at(path)
        if not (found.is_file() or found.is_symlink()):
            raise ToolError(f"There is no file {path!r}.")
        found.unlink()

    def move(self, path: str, target: str) -> None:
        found, new = self._at(path), self._at(target)
        if not found.exists():
            raise ToolError(f"There is no file {path!r}.")
        if new.exists():
            raise ToolError(f"{target!r} exists already.")
        new.parent.mkdir(parents=True, exist_ok=True)
        found.rename(new)

    def entries(self, path: str = ".") -> list[ports.Entry]:
        found = self._at(path)
        if not found.is_dir():
            raise ToolError(f"There is no folder {path!r}.")
        listed = (self.entry(f"{path}/{name.name}") for name in sorted(found.iterdir()))
        return [entry for entry in listed if entry is not None]

    def entry(self, path: str) -> ports.Entry | None:
        found = self._at(path)
        if not os.path.lexists(found):
            return None
        status = found.lstat()
        kind: Literal["file", "symlink", "folder", "other"] = "other"
        if stat.S_ISLNK(status.st_mode):
            kind = "symlink"
        elif stat.S_ISDIR(status.st_mode):
            kind = "folder"
        elif stat.S_ISREG(status.st_mode):
            kind = "file"
        return ports.Entry(found.name, kind, status.st_size, stat.S_IMODE(status.st_mode))

    def real(self, path: str) -> str:
        found = self._at(path).resolve()
        if not found.is_relative_to(self.root.resolve()):
            raise ToolError(f"{path!r} leads outside the workspace; use a path inside it.")
        return found.relative_to(self.root.resolve()).as_posix()

    def walk(self) -> Iterator[str]:
        rules = self.root / ".gitignore"
        lines = rules.read_text().splitlines() if rules.is_file() else []
        ignored = pathspec.PathSpec.from_lines("gitignore", lines)
        found = (each for each in self.root.rglob("*") if each.is_file() or each.is_symlink())
        for path in sorted(each.relative_to(self.root).as_posix() for each in found):
            if not path.startswith(".git/") and not ignored.match_file(path):
                yield path


FAKE_REPORT = ports.SandboxReport(
    "copy+bubblewrap",
    "full",
    tuple(
        ports.Guarantee(name, held=True, detail="said by a fake")
        for name in ("writes", "reads", "network", "limits", "tree")
    ),
)


class FolderStage:
    """A stage that is a plain folder, with no sandbox: commands are real processes.

    Attributes:
        ran: The argv of each command run, in order.
        networked: The argv of those that were granted the network.
        reported: What `changes` answers.
    """

    def __init__(self, root: Path, stage_id: str = "stage-1") -> None:
        self.root = root
        self.stage_id = stage_id
        self.report = FAKE_REPORT
        self.files = FolderFiles(root)
        self.ran: list[tuple[str, ...]] = []
        self.networked: list[tuple[str, ...]] = []
        self.reported = ChangeSet()
        self.closed = self.kept = False

    async def run(
        self,
        command: Command,
        *,
        on_output: ports.OnOutput | None = None,
    ) -> ports.CommandResult:
        """Run a real process in the folder; its process group ends with it."""
        argv = tuple(command.argv)
        self.ran.append(argv)
        if command.grants.network != "off":
            self.networked.append(argv)
        began = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=self.root / command.cwd,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **command.env},
            start_new_session=True,
        )
        ended: Ended = "exited"
        try:
            content, _ = await asyncio.wait_for(
                process.communicate(command.stdin), command.timeout_s
            )
        except TimeoutError:
            ended, content = "timeout", b""
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):  # it ended, and asyncio is still to be told
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        output = content.decode(errors="replace")
        if on_output is not None and output:
            on_output(output)
        code = process.returncode or 0
        code = code if code >= 0 else 128 - code
        return ports.CommandResult(code, ended, output, time.monotonic() - began)

    async def changes(self) -> ChangeSet:
        return self.reported

    async def close(self, *, keep: bool = False) -> None:
        self.closed, self.kept = True, keep


class StandingClock:
    """Takes the place of `time` in a module: it goes on only where a test says so, in seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


class ScriptedAsker:
    """A person who answers asks in order and remembers what was asked; unasked means no."""

    def __init__(self, *verdicts: ports.Verdict) -> None:
        self.verdicts = list(verdicts)
        self.asked: list[ports.Ask] = []

    async def __call__(self, ask: ports.Ask) -> ports.Verdict:
        self.asked.append(ask)
        return self.verdicts.pop(0) if self.verdicts else ports.Verdict(allowed=False)
