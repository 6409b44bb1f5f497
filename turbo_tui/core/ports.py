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


# --- landing -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Conflict:
    """A path where the workspace is not what the step started from.

    The three sides are blobs, so that a diff pane can show any two of them; each is empty where
    nothing stood, or what is no file, or where it is not known.

    Attributes:
        why: What happened, in words for the user.
        merged: Blob of a clean three-way merge; empty when there is none.
        base: What both sides started from.
        ours: What stands in the workspace now.
        theirs: What was to be written.
        marked: Blob of the merge with conflict markers; empty where the sides are not text, or
            a side is missing.
        lines: Where the sides clash, counted from 1 in the workspace's file as it is now.
    """

    path: str
    why: str
    merged: str = ""
    base: str = ""
    ours: str = ""
    theirs: str = ""
    marked: str = ""
    lines: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Landing:
    """What came of landing or undoing.

    Attributes:
        landing_id: Names the journal entry; empty when nothing was written.
        paths: Written, in path order; empty when there are conflicts.
        merged: When every conflict merges cleanly: the change set on the tree as it is now.
        left_alone: Paths that a third party changed meanwhile; theirs was kept.
        notes: What could not be kept or taken back (hard links broken, …).
        written: Exactly what was written, merges done; with a dry run, what would be.
    """

    landing_id: str = ""
    paths: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    merged: ChangeSet | None = None
    left_alone: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    written: ChangeSet = field(default_factory=ChangeSet)


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was done about a landing that a crash had cut off.

    Attributes:
        left_alone: Paths that are neither as before nor as intended: someone else's, kept.
        kind: What was cut off: the landing of a step, or taking it back or forth.
        of: The step's landing that was undone or redone; empty for the landing of a step.
    """

    landing_id: str
    session_id: str
    step_id: str
    outcome: Literal["completed", "rolled_back"]
    paths: tuple[str, ...]
    left_alone: tuple[str, ...] = ()
    kind: Literal["landing", "undo", "redo"] = "landing"
    of: str = ""


LandingState = Literal["landed", "undone", "redone", "rolled_back"]


@dataclass(frozen=True, slots=True)
class LandedEntry:
    """One landing of a step in the journal, newest state.

    Attributes:
        landed: It stands; False once undone or rolled back.
        state: An `undone` one can be redone; `landed` and `redone` ones can be undone.
    """

    landing_id: str
    session_id: str
    step_id: str
    at: float
    paths: tuple[str, ...]
    landed: bool
    state: LandingState = "landed"


class Lander(Protocol):
    """Write approved changes into the workspace: whole or not at all, after any crash."""

    async def land(self, changes: ChangeSet, *, session_id: str, step_id: str) -> Landing:
        """Land all of `changes` or, on any conflict, nothing.

        Raises:
            LandingError: The disk or a permission refused; the tree is as it was.
        """
        ...

    async def undo(self, landing_id: str, *, dry_run: bool = False) -> Landing:
        """Take any landing back, whatever landed after it; on a conflict nothing is written.

        Three-way, file by file: from what the landing wrote, to what was before, on what is
        there now. So only what was changed since in the same lines is a conflict. The undo is a
        landing of its own.

        Raises:
            LandingError: No such landing, already undone, or the disk or a permission refused.
        """
        ...

    async def redo(self, landing_id: str, *, dry_run: bool = False) -> Landing:
        """Land again what was undone; as `undo` in all else.

        Raises:
            LandingError: No such landing, it stands, or the disk or a permission refused.
        """
        ...

    async def tree_at(self, landing_id: str, *, before: bool = False) -> tuple[FileChange, ...]:
        """Return what leads from the tree as it is to the tree as it was after a landing.

        Of every path that a later landing touched, undos among them; what never landed is not
        in it. Contents of both sides are in the blob store.

        Args:
            landing_id: An empty one means before the first landing.
            before: The tree right before the landing instead.

        Raises:
            LandingError: No such landing, or a file cannot be read.
        """
        ...

    async def recover(self) -> tuple[Recovery, ...]:
        """Complete or roll back landings that a crash cut off on this workspace."""
        ...

    def landings(self) -> tuple[LandedEntry, ...]:
        """List the finished landings of steps on this workspace, oldest first."""
        ...


class Checkpoints(Protocol):
    """Keep each landing where the user's version control finds it; nothing of theirs moves."""

    async def keep(
        self, written: ChangeSet, *, title: str, session_id: str, landing_id: str
    ) -> None:
        """Keep what a landing wrote, on top of the session's landings before it.

        Raises:
            TurboError: It cannot be kept; the landing stands all the same.
        """
        ...


# --- models ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool offered to a model; `parameters` is a JSON schema of type object."""

    name: str
    description: str
    parameters: dict[str, object]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's call of a tool; `arguments` is JSON text as the model wrote it."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation. `call_id` is set on role `tool`, `calls` on `assistant`."""

    role: Literal["system", "user", "assistant", "tool"]
    text: str
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""
    tool: str = ""


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What is asked of a model.

    Attributes:
        schema: JSON schema the reply's text must fit; None for free text.
        max_tokens: Most tokens to reply with.
    """

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    schema: dict[str, object] | None = None
    max_tokens: int = 4096
    temperature: float = 0.0


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the server counted them; `counted` is False where it said nothing."""

    tokens_in: int = 0
    tokens_out: int = 0
    counted: bool = False


@dataclass(frozen=True, slots=True)
class ModelReply:
    """A finished message; `finish` is the server's word for why it stopped."""

    text: str
    calls: tuple[ToolCall, ...] = ()
    usage: Usage = field(default_factory=Usage)
    finish: str = "stop"
    cost_usd: float | None = None


OnDelta = Callable[[str], None]


class Model(Protocol):
    """A model behind some server."""

    @property
    def name(self) -> str:
        """The model's name as its server knows it."""
        ...

    @property
    def host(self) -> str:
        """Where requests go: `host:port`, `built-in` or `recorded`."""
        ...

    @property
    def context_tokens(self) -> int:
        """The window's size in tokens, as configured or assumed."""
        ...

    async def complete(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
        """Ask once; retries within are bounded. `on_delta` gets text as it streams.

        Raises:
            ModelError: One of its kinds; the message names host, what happened, what to do.
        """
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


# --- search ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hit:
    """A place found; lines are 1-based and inclusive; `text` is the line shown."""

    path: str
    start_line: int
    end_line: int
    score: float
    text: str
    why: tuple[str, ...] = ()


class Search(Protocol):
    """Find places in the workspace."""

    async def search(self, query: str, *, limit: int = 20) -> list[Hit]:
        """Return the best places for a query, best first."""
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
    """

    stage: Stage
    ask: Asker
    workspace: Path
    search: Search | None = None
    checks: tuple[tuple[str, ...], ...] = ()
    why_not: Callable[[Grants], str] | None = None


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
