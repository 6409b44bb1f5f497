"""What the app is given to work with, and what it offers while that is being made.

The app paints first; then `open_run` is called, which may put questions through `Front`
(trust, resume) and answers with an `Opened`. Nothing heavy is imported here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from turbo_tui.core.searching import Knowledge
    from turbo_tui.engine.live import Live
    from turbo_tui.engine.run import Run


@dataclass(frozen=True, slots=True)
class Option:
    """One way to answer a question: `name` is returned, `key` is pressed."""

    name: str
    key: str
    words: str


@dataclass(frozen=True, slots=True)
class Question:
    """Something the user decides before work goes on.

    Attributes:
        lines: What they need to know to decide; shown as it is, wrapped.
        otherwise: The answer when the question is dismissed with escape.
    """

    title: str
    lines: tuple[str, ...]
    options: tuple[Option, ...]
    otherwise: str


class Front(Protocol):
    """What `open_run` may use of the app while it works."""

    async def choose(self, question: Question) -> str:
        """Put a question; return the name of the chosen option."""
        ...

    def say(self, text: str) -> None:
        """Tell what is going on, in the plan pane, until the session is open."""
        ...


ModelKind = Literal["openai", "ollama", "anthropic"]


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model's address as typed into the setup screen; without `model` there is none.

    Attributes:
        key_env: Name of the environment variable that holds the key; never the key itself.
    """

    kind: ModelKind = "openai"
    base_url: str = ""
    model: str = ""
    key_env: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """A server that answered at a local address, with the models it has."""

    title: str
    choice: ModelChoice
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of testing a connection; `text` says it in words, also what to do."""

    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class SavedSetup:
    """What counts after saving: names for the status line, and where it was written."""

    planner: str
    executor: str
    text: str


@dataclass(frozen=True, slots=True)
class Setup:
    """How models are found, tested and kept.

    Attributes:
        planner, executor: What counts now.
        offers: Look at the well-known local addresses; never raises.
        check: Ask a server whether it has the model; never raises.
        save: Write the user's config and use it from the next task on; raises TurboError.
    """

    planner: ModelChoice
    executor: ModelChoice
    offers: Callable[[], Awaitable[Sequence[Offer]]]
    check: Callable[[ModelChoice], Awaitable[Checked]]
    save: Callable[[ModelChoice, ModelChoice], Awaitable[SavedSetup]]


@dataclass(frozen=True, slots=True)
class Language:
    """One language's part of the project; `percent` is 0 to 100."""

    name: str
    percent: float
    files: int
    lines: int


@dataclass(frozen=True, slots=True)
class Part:
    """One project in the tree: its commands by purpose (`test`, `build`, …)."""

    path: str
    kind: str
    commands: tuple[tuple[str, str], ...] = ()
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Project:
    """What kind of project this is."""

    languages: tuple[Language, ...] = ()
    parts: tuple[Part, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Opened:
    """A session, open and ready.

    Attributes:
        root: The real workspace; previews read it.
        branch: As the session opened.
        find_branch: Reads which one it is now; a file or two are read.
        planner, executor: Names for the status line; `built-in` where no model plans.
        label: A word that must be seen: `recorded`.
        task: Put into the prompt for the user to send: the demo's.
        look_at_project: Describes the project; runs in the background after opening.
        setup: None where models cannot be changed (the demo).
        notes: Said once, as the session opens.
        aside: Folder for what the user wrote and could not be kept.
    """

    run: Run
    root: Path
    branch: str = ""
    find_branch: Callable[[], str] | None = None
    planner: str = ""
    executor: str = ""
    label: str = ""
    task: str = ""
    live: Live | None = None
    search: Knowledge | None = None
    look_at_project: Callable[[], Awaitable[Project]] | None = None
    setup: Setup | None = None
    notes: tuple[str, ...] = ()
    aside: Path | None = None


OpenRun = Callable[[Front], Awaitable[Opened]]


def trust_question(root: Path, files: Sequence[str]) -> Question:
    """Ask whether a project's own configuration may count."""
    return Question(
        "Trust this project's configuration?",
        (
            f"{root} brings its own settings: {', '.join(files)}.",
            "Trusted, they may name models, addresses, rules and recipes with commands.",
            "Not trusted, they can only make things stricter.",
            "You are asked again when they change.",
        ),
        (Option("trust", "t", "trust these files"), Option("no", "n", "do not trust")),
        otherwise="no",
    )


_TASK_CHARS = 200  # enough to know it again; a pasted issue would hide the answers


def resume_question(session_id: str, when: str, task: str, state: str) -> Question:
    """Offer an unfinished session."""
    line = " ".join(task.split())
    task = line if len(line) <= _TASK_CHARS else f"{line[: _TASK_CHARS - 1]}…"
    return Question(
        "Resume the last session?",
        (f"Session {session_id}, {when}: {task}", state, "Nothing is run again by itself."),
        (Option("resume", "r", "resume it"), Option("new", "n", "start a new one")),
        otherwise="resume",
    )


def consent_question(host: str, what: str) -> Question:
    """Ask before anything is sent to a host for the first time."""
    return Question(
        f"Send to {host}?",
        (f"What goes there: {what}", "You are asked once for each host."),
        (Option("yes", "y", "send it"), Option("no", "n", "do not send")),
        otherwise="no",
    )
