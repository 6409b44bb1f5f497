"""What the core needs from outside, in its own words. Adapters implement these.

Everything awaited here runs on the event loop of the UI process: an implementation hands
blocking work to a thread or a process and returns promptly on cancellation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from turbo_tui.core.changes import ChangeSet, FileChange
from turbo_tui.core.command import Command, CommandUsage, Grants
from turbo_tui.core.events import Ended, Event
from turbo_tui.core.models import ToolSpec
from turbo_tui.core.searching import Search

# --- the log -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Record:
    """One entry of the log.

    Attributes:
        seq: 1 for the first.
        at: Seconds since the epoch, UTC.
        by: Who: `user`, `engine`, `planner`, `executor` or `headless`.
        previous: Hash of the record before; 64 zeros for the first.
        hash: sha256 over all of the above and the event's canonical JSON.
    """

    seq: int
    at: float
    by: str
    event: Event
    previous: str
    hash: str


class EventStore(Protocol):
    """Keep one session's records, in order, for ever. One writer at a time."""

    @property
    def session_id(self) -> str:
        """The session these records belong to."""
        ...

    def append(self, record: Record, *, durable: bool) -> None:
        """Keep a record; on return with `durable` it survives a power cut.

        Raises:
            SessionError: The record does not follow the last one, or the disk refuses.
        """
        ...

    def read(self, after: int = 0) -> Iterator[Record]:
        """Yield the records with a greater `seq`, verified against the hash chain.

        Raises:
            SessionError: A record is broken; the message names its `seq` and the way out.
        """
        ...

    def close(self) -> None:
        """Flush, release the lock."""
        ...


class Blobs(Protocol):
    """Content by its sha256 (hex). Written once, never changed."""

    def put(self, content: bytes) -> str:
        """Keep content; return its hash."""
        ...

    def put_file(self, path: Path) -> str:
        """Keep a regular file's content without holding it in memory; return its hash."""
        ...

    def get(self, blob: str) -> bytes:
        """Return content.

        Raises:
            SessionError: Not there, or its bytes do not match its hash.
        """
        ...

    def copy_to(self, blob: str, target: Path) -> None:
        """Write content to a new file (it must not exist) without holding it in memory."""
        ...


@runtime_checkable
class BatchingBlobs(Protocol):
    """Blobs that keep many contents at less cost than one by one."""

    def together(self) -> AbstractContextManager[None]:
        """Keep all that this thread puts within; on leaving it is as durable as any.

        Raises:
            SessionError: The disk refuses; nothing that was put within is kept.
        """
        ...


# --- stages and the sandbox --------------------------------------------------

Rung = Literal[
    "overlay+bubblewrap",
    "copy+bubblewrap",
    "overlay+landlock",
    "copy+landlock",
    "copy+seatbelt",
    "copy+unsandboxed",
]
Level = Literal["full", "reduced", "none"]


@dataclass(frozen=True, slots=True)
class Guarantee:
    """One thing a sandbox may hold: `writes`, `reads`, `network`, `limits` or `tree`."""

    name: str
    held: bool
    detail: str


@dataclass(frozen=True, slots=True)
class SandboxReport:
    """What confines commands here and what does not; feeds status bar, doctor and the log.

    Attributes:
        reasons: Why no better rung is used, each with its mend; empty on the best.
    """

    rung: Rung
    level: Level
    guarantees: tuple[Guarantee, ...]
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How a command ended.

    Attributes:
        exit_code: As a shell shows it: 128 + N when signal N ended it.
        output: stdout and stderr as they came, sanitised, head and tail kept (1 MB each).
        dropped_bytes: Output between head and tail that was not kept.
        usage: What it used of the machine.
    """

    exit_code: int
    ended: Ended
    output: str
    duration_s: float
    dropped_bytes: int = 0
    usage: CommandUsage = field(default_factory=CommandUsage)


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a folder of a stage; `kind` as in `changes.Node`."""

    name: str
    kind: Literal["file", "symlink", "folder", "other"]
    size_bytes: int
    mode: int


OnOutput = Callable[[str], None]


class StageFiles(Protocol):
    """Files of a stage as its commands see them. No symlink leads out; `..` is refused.

    Paths are relative to the workspace. Every method raises ToolError with a message for
    the model when the path is missing, of the wrong kind or leads outside.
    """

    def read(self, path: str, *, limit_bytes: int | None = None) -> bytes:
        """Return a file's content, at most `limit_bytes` of it."""
        ...

    def write(self, path: str, content: bytes) -> None:
        """Replace or create a file, folders included; the mode of an existing file is kept."""
        ...

    def remove(self, path: str) -> None:
        """Delete a file or symlink."""
        ...

    def move(self, path: str, target: str) -> None:
        """Rename a file; `target` must not exist."""
        ...

    def entries(self, path: str = ".") -> list[Entry]:
        """List a folder in name order."""
        ...

    def entry(self, path: str) -> Entry | None:
        """Describe one path without following a last symlink; None when nothing is there."""
        ...

    def real(self, path: str) -> str:
        """Return where a path leads once all links are followed, as a path from the workspace."""
        ...

    def walk(self) -> Iterator[str]:
        """Yield files that git does not ignore, in path order; `.git` is left out."""
        ...


class Stage(Protocol):
    """A copy-on-write view of the workspace in which one step runs."""

    @property
    def stage_id(self) -> str:
        """Unique; names the stage's folder in the state folder."""
        ...

    @property
    def report(self) -> SandboxReport:
        """What confines this stage's commands."""
        ...

    @property
    def files(self) -> StageFiles:
        """The stage's files for tools of the host."""
        ...

    async def run(
        self,
        command: Command,
        *,
        on_output: OnOutput | None = None,
    ) -> CommandResult:
        """Run a command to its end; all its processes end with it.

        A non-zero exit, a timeout and a reached limit are results, not errors. Cancelling
        the awaiting task kills the whole tree within 1 s and re-raises CancelledError.

        Raises:
            SandboxError: The sandbox could not be started.
        """
        ...

    async def changes(self) -> ChangeSet:
        """Read what the step did; contents of both sides are put into the blob store."""
        ...

    async def close(self, *, keep: bool = False) -> None:
        """Unmount; with `keep` the written layer stays on disk and `Stages.reopen` finds it."""
        ...


class Stages(Protocol):
    """Make stages for one workspace."""

    @property
    def report(self) -> SandboxReport:
        """What the next stage will be confined by."""
        ...

    async def open(self, stage_id: str, *, on: Sequence[str] = ()) -> Stage:
        """Make a fresh stage on the workspace as it stands, or on other stages over it.

        Args:
            stage_id: Not in use.
            on: Ids of kept, open or settled stages that it lies on, oldest first. Their changes
                are seen in it (of a settled one what it kept), and are none of its own.

        Raises:
            StageError: It cannot be made; the message says why and what to do.
        """
        ...

    async def reopen(self, stage_id: str) -> Stage:
        """Take up a kept stage, on what it lay on, also one whose process was killed.

        Raises:
            StageError: Nothing is kept under that id, or what it lies on is gone.
        """
        ...

    async def keep_contents(self, stage_id: str, changes: Sequence[FileChange]) -> None:
        """Store contents of ignored files that are to land; a change set only names them.

        Args:
            stage_id: Open, kept or settled.
            changes: Of its change set's `ignored`.

        Raises:
            StageError: What was reviewed is not there any more, or is something else now.
            SessionError: The blob store refuses.
        """
        ...

    async def settle(self, stage_id: str, *, landed: Collection[str] = ()) -> bool:
        """Close a stage that was decided on; keep what git ignores for the stages after it.

        Args:
            stage_id: Open, kept, or unknown; of an unknown one nothing is kept.
            landed: Paths of ignored files that were landed: they are in the workspace now.

        Returns:
            Whether anything was kept, so that later stages may be opened `on` it.

        Raises:
            StageError: Its folder cannot be read or changed.
        """
        ...

    async def discard(self, stage_id: str) -> None:
        """Delete a closed or abandoned stage's layer; do nothing when there is none.

        A stage that others lie on is gone at once for `reopen` and `open`; its files go with
        the last of those.
        """
        ...


# --- the person --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ask:
    """A question put before an irreversible effect; fields as in events.ApprovalAsked."""

    action: str
    subject: str
    reason: str
    step_id: str = ""
    scopes: tuple[str, ...] = ("once", "no")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer: allowed or not, and what the person said."""

    allowed: bool
    feedback: str = ""


Asker = Callable[[Ask], Awaitable[Verdict]]


# --- tools -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a tool may use. Commands run through `stage` are logged by the engine.

    Attributes:
        ask: Puts an irreversible effect before the user (network, a commit, …).
        workspace: The real workspace, for effects on the host that were asked for; a tool
            that only works on files never touches it.
        checks: The step's checks (argv), for the tool that runs them.
        why_not: Says why grants cannot be given here; empty when they can.
        fixed: The call was fixed in advance: nobody reads what it returns, so a command that
            fails is a tool that fails.
    """

    stage: Stage
    ask: Asker
    workspace: Path
    search: Search | None = None
    checks: tuple[tuple[str, ...], ...] = ()
    why_not: Callable[[Grants], str] | None = None
    fixed: bool = False


class Tool(Protocol):
    """Something an executor or a recipe may do."""

    @property
    def spec(self) -> ToolSpec:
        """Name, prompt text and parameters as a model sees them."""
        ...

    async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        """Do it; return what the model is told.

        Raises:
            ToolError: It cannot be done; the message says why and what would work.
        """
        ...
