"""Everything that can happen in a session: past-tense facts, frozen, primitives only.

An event never changes its meaning. A new field has a default; a change of meaning raises
`v` and adds an upcast in `core.codec`. Requests and outcomes are two events, so that a
replay never runs anything again. Large content is a blob hash (sha256, hex), never inline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from turbo_tui.core.command import CommandUsage
from turbo_tui.core.plan import Mode, Step

Answer = Literal["once", "step", "plan", "project", "no"]
Ended = Literal["exited", "timeout", "cancelled", "limit", "refused"]
Role = Literal["planner", "executor"]
Side = Literal["old", "new"]
Status = Literal["done", "failed", "needs_approval", "unreachable", "error", "interrupted"]


@dataclass(frozen=True, slots=True)
class Event:
    """The root of all events; `v` is the version of the event's shape."""

    v: ClassVar[int] = 1


# --- the session -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SessionStarted(Event):
    """A session was opened on a workspace (absolute path)."""

    session_id: str
    workspace: str
    program: str


@dataclass(frozen=True, slots=True)
class SessionResumed(Event):
    """A later process took the session up again."""

    program: str


@dataclass(frozen=True, slots=True)
class Noted(Event):
    """Something worth telling that changes no state; `level` is info, warning or error."""

    level: str
    text: str


@dataclass(frozen=True, slots=True)
class RunFinished(Event):
    """A headless run, or a run in the app, came to rest."""

    status: Status
    session: str
    landed: tuple[str, ...] = ()
    steps: tuple[dict[str, str], ...] = ()
    tokens: dict[str, int] | None = None
    reason: str = ""


# --- the plan ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TaskGiven(Event):
    """The user typed a task; `pinned` are paths to give as context."""

    text: str
    pinned: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanProposed(Event):
    """A planner answered; replaces whatever plan of unsettled steps stood before."""

    task: str
    planner: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class PlanFailed(Event):
    """No plan came of the task; `nearest` are recipes that come close."""

    task: str
    reason: str
    nearest: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepEdited(Event):
    """The user changed a step's words."""

    step_id: str
    title: str
    intent: str


@dataclass(frozen=True, slots=True)
class StepAdded(Event):
    """The user added a step at a position."""

    step: Step
    position: int


@dataclass(frozen=True, slots=True)
class StepRemoved(Event):
    """The user deleted a step."""

    step_id: str


@dataclass(frozen=True, slots=True)
class StepMoved(Event):
    """The user moved a step to another position."""

    step_id: str
    position: int


@dataclass(frozen=True, slots=True)
class StepModeSet(Event):
    """The user set a step to land by itself (`auto`) or to ask."""

    step_id: str
    mode: Mode


# --- a step's life -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StepStarted(Event):
    """A step began in a stage; `rung` names what confines it.

    Attributes:
        on: Ids of the stages that it lies on, oldest first: what earlier steps left that git
            ignores, then steps that wait for their review. Empty: the workspace alone.
    """

    step_id: str
    attempt: int
    stage_id: str
    rung: str
    on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepStaged(Event):
    """A step ended with changes that wait for review.

    Attributes:
        changes: Blob of the change set (canonical JSON); its sha256 is what approval binds to.
        paths: The paths in it, for display.
        checks_passed: All checks of the step exited 0 in the stage.
    """

    step_id: str
    changes: str
    paths: tuple[str, ...]
    checks_passed: bool
    summary: str = ""


@dataclass(frozen=True, slots=True)
class StepFinished(Event):
    """A step ended well and left nothing to land; `layer` is as in StepLanded."""

    step_id: str
    summary: str = ""
    layer: str = ""


@dataclass(frozen=True, slots=True)
class StepFailed(Event):
    """A step ended badly; its stage is kept. `changes` is as in StepStaged, or empty."""

    step_id: str
    reason: str
    changes: str = ""
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepInterrupted(Event):
    """A step was cut off (crash, cancel); its work is kept. `changes` as in StepStaged."""

    step_id: str
    reason: str
    changes: str = ""
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepSkipped(Event):
    """The user passed over a step."""

    step_id: str


@dataclass(frozen=True, slots=True)
class StepRejected(Event):
    """The user rejected all a step did; `feedback` goes to its next attempt."""

    step_id: str
    feedback: str = ""


@dataclass(frozen=True, slots=True)
class StepSetBack(Event):
    """A step lost what it was made on: its work was dropped, and it is to run again."""

    step_id: str
    why: str


@dataclass(frozen=True, slots=True)
class StepGroundMoved(Event):
    """What a step was made on is not what came of it; the step's work is kept.

    From now on it never lands by itself, and what it changed is merged where that differs.

    Attributes:
        below: The step that it was made on.
        paths: Where the workspace is not what that step had made of it.
        why: What was done to that step, in words.
    """

    step_id: str
    below: str
    paths: tuple[str, ...] = ()
    why: str = ""


# --- the review --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HunkDecided(Event):
    """The user accepted or rejected a part of a staged change.

    Attributes:
        changes: Change set blob the decision was made on; void on any other.
        hunk: Index of the hunk in the file's diff, or -1 for the whole file.
    """

    step_id: str
    changes: str
    path: str
    hunk: int
    accepted: bool


@dataclass(frozen=True, slots=True)
class LinesDecided(Event):
    """The user accepted or rejected single lines of a hunk; `changes` as in HunkDecided.

    Attributes:
        lines: Indices into the hunk's lines, of added and removed ones. A rejected added line
            is not written, a rejected removed line stays. Rejecting some takes the hunk
            itself as accepted: it lands without them.
    """

    step_id: str
    changes: str
    path: str
    hunk: int
    lines: tuple[int, ...]
    accepted: bool


@dataclass(frozen=True, slots=True)
class HunkEdited(Event):
    """The user rewrote a hunk; `changes` as in HunkDecided.

    Attributes:
        blob: The bytes that take the place of the hunk's new side, its context included;
            empty takes the edit back.
    """

    step_id: str
    changes: str
    path: str
    hunk: int
    blob: str


@dataclass(frozen=True, slots=True)
class ContentEdited(Event):
    """The user rewrote a file under review; `changes` as in HunkDecided.

    Attributes:
        blob: The file's bytes as they shall land, whatever was decided on its hunks; empty
            takes the edit back.
    """

    step_id: str
    changes: str
    path: str
    blob: str


@dataclass(frozen=True, slots=True)
class LineCommented(Event):
    """The user wrote a word on a line, for the step's next attempt; it changes nothing that lands.

    Attributes:
        changes: Change set blob that was commented on.
        line: 1-based, counted in the file as it is on that side.
        text: What stands there from now on; empty removes it.
    """

    step_id: str
    changes: str
    path: str
    line: int
    side: Side
    text: str


@dataclass(frozen=True, slots=True)
class IgnoredDecided(Event):
    """The user switched landing of an ignored folder's files on or off."""

    step_id: str
    changes: str
    folder: str
    accepted: bool


@dataclass(frozen=True, slots=True)
class VerifyStarted(Event):
    """The step's checks begin on exactly what was accepted, in a stage of their own.

    Attributes:
        changes: Change set blob under review.
        selected: Blob of the change set that would land now.
    """

    step_id: str
    changes: str
    selected: str
    stage_id: str


@dataclass(frozen=True, slots=True)
class VerifyFinished(Event):
    """What the checks said of what was accepted; nothing depends on it but what is shown.

    Attributes:
        failures: One line for each check that failed.
        reason: Why there is no result: interrupted, no sandbox; empty when there is one.
    """

    step_id: str
    selected: str
    passed: bool
    failures: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StepApproved(Event):
    """The user approved exact bytes: `selected` is the blob of the change set that may land."""

    step_id: str
    changes: str
    selected: str


@dataclass(frozen=True, slots=True)
class StepLanded(Event):
    """What was approved stands in the workspace; `landing` can be undone.

    Attributes:
        layer: Id of the stage, where what git ignores in it was kept for later steps.
    """

    step_id: str
    landing: str
    paths: tuple[str, ...]
    notes: tuple[str, ...] = ()
    layer: str = ""


@dataclass(frozen=True, slots=True)
class LandingRefused(Event):
    """Nothing was written: the workspace changed under the review, or a path is in the way.

    Attributes:
        conflicts: Path -> what happened there, in words.
        merged: Blob of the change set with three-way merges done, when all merge cleanly.
    """

    step_id: str
    conflicts: dict[str, str]
    merged: str = ""


@dataclass(frozen=True, slots=True)
class LandingUndone(Event):
    """A landing was taken back; `notes` names what cannot be."""

    step_id: str
    landing: str
    paths: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LandingRedone(Event):
    """A landing that was taken back was landed again."""

    step_id: str
    landing: str
    paths: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LandingRecovered(Event):
    """A landing cut off by a crash was completed or rolled back; `left_alone` was not ours.

    Attributes:
        layer: As in StepLanded, of one that was completed.
    """

    landing: str
    outcome: Literal["completed", "rolled_back"]
    paths: tuple[str, ...]
    left_alone: tuple[str, ...] = ()
    step_id: str = ""
    layer: str = ""


# --- effects: always a request and an outcome --------------------------------


@dataclass(frozen=True, slots=True)
class ModelRequested(Event):
    """A request is about to go to a model; `context` is path -> bytes of what it was given."""

    request_id: str
    role: Role
    model: str
    host: str
    size_bytes: int
    step_id: str = ""
    context: dict[str, int] | None = None


@dataclass(frozen=True, slots=True)
class ModelReplied(Event):
    """A model's finished message. Tokens are 0 and `counted` False where the server gave none.

    Attributes:
        reply: Blob of the whole reply (text and tool calls, canonical JSON).
        text: Its text, cut to 4,000 characters for display.
        cost_usd: None when the price is unknown.
    """

    request_id: str
    reply: str
    text: str
    tool_calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    counted: bool = False
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class ModelFailed(Event):
    """A model request ended without a reply."""

    request_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class ToolCalled(Event):
    """An executor called a tool; `arguments` is JSON text, cut to 8,000 characters."""

    call_id: str
    step_id: str
    tool: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolFinished(Event):
    """A tool answered; `output` is what the model was told, cut; `full` a blob of all of it."""

    call_id: str
    ok: bool
    output: str
    full: str = ""


@dataclass(frozen=True, slots=True)
class CommandRequested(Event):
    """A command is about to run in a stage.

    Attributes:
        network: What it can reach: `off`, `hosts` or `all`.
        grants: What it may do beyond its stage, in words: the user was asked.
    """

    command_id: str
    step_id: str
    argv: tuple[str, ...]
    network: str = "off"
    grants: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CommandFinished(Event):
    """A command ended.

    Attributes:
        exit_code: As a shell shows it: 128 + N when signal N ended it.
        output: Sanitised stdout and stderr as they came, cut to 16,000 characters.
        full: Blob of all the output that was kept; empty when `output` is all.
        network: What it could reach: `off`, `hosts` or `all`.
        held: Name -> True when the sandbox held that (writes, reads, network, limits, tree).
        rung: What confined it; empty in logs of before that was written.
        usage: What it used of the machine; None in logs of before that was written.
    """

    command_id: str
    exit_code: int
    ended: Ended
    output: str
    duration_s: float
    full: str = ""
    network: str = "off"
    held: dict[str, bool] | None = None
    rung: str = ""
    usage: CommandUsage | None = None


@dataclass(frozen=True, slots=True)
class CheckFinished(Event):
    """A check of a step ended.

    Attributes:
        failures: `file:line` places where they could be read.
        failed_before: It fails without the step's changes as well.
        selected: Blob of the accepted change set it ran on; empty: on all that the step did.
    """

    step_id: str
    argv: tuple[str, ...]
    passed: bool
    failures: tuple[str, ...] = ()
    failed_before: bool = False
    selected: str = ""


# --- asking ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ApprovalAsked(Event):
    """An irreversible effect needs a person.

    Attributes:
        action: What kind: `command`, `unsandboxed`, `network`, `hosts`, `path`, `ptrace`,
            `sockets`, `commit`, `send`.
        subject: The exact bytes asked about (argv joined as a shell would show it, a host, …).
        reason: Why the model or recipe wants it, or why policy asks.
        scopes: Answers that make sense here.
    """

    ask_id: str
    step_id: str
    action: str
    subject: str
    reason: str
    scopes: tuple[Answer, ...] = ("once", "no")


@dataclass(frozen=True, slots=True)
class ApprovalAnswered(Event):
    """A person, a rule or headless mode answered; `by_rule` names the rule, if one did."""

    ask_id: str
    answer: Answer
    feedback: str = ""
    by_rule: str = ""


@dataclass(frozen=True, slots=True)
class BudgetReached(Event):
    """A cap was reached: turns, tokens, money or time."""

    step_id: str
    cap: str
    limit: float
