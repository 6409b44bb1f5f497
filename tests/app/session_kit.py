"""A session for screen tests: the real run on folders, a plan and steps from a script."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.fakes import MemoryBlobs
from tests.session_fakes import FolderLander, FolderStages, MemoryEventStore
from turbo_tui.app.opened import Front, Language, Opened, Part, Project
from turbo_tui.core import events as ev
from turbo_tui.core.errors import TurboError
from turbo_tui.core.landings import Lander
from turbo_tui.core.plan import Plan, Step
from turbo_tui.core.ports import Ask, Stage
from turbo_tui.core.searching import NOWHERE, Act, Context, Hit, IndexState
from turbo_tui.core.session import Session
from turbo_tui.core.views import StepState, Views
from turbo_tui.engine.approval import Asks
from turbo_tui.engine.live import Live
from turbo_tui.engine.review import Review
from turbo_tui.engine.run import Run
from turbo_tui.engine.staging import LoggedStage
from turbo_tui.engine.stepping import StepResult

API = "".join(f"line {number}\n" for number in range(1, 41))
PLAN = Plan(
    "greet by name",
    "gpt-oss:120b",
    (
        Step(
            "s1", "Add a name to the greeting", "Change greet() in api.py and say so in the notes"
        ),
        Step("s2", "Run the tests", depends_on=("s1",), checks=(("pytest", "-q"),)),
    ),
)

Doing = Callable[[Stage, Session, Asks], Awaitable[str]]


async def edit_two_places(stage: Stage, session: Session, asks: Asks) -> str:
    """Change api.py in two places, add a file, and say what was run."""
    del asks
    lines = API.splitlines()
    lines[1] = "line 2 with [a name]"
    lines[30] = "line 31 \x1b[2J too"
    stage.files.write("api.py", ("\n".join(lines) + "\n").encode())
    stage.files.write("notes.md", b"# Greeting\n\nIt takes a name now.\n")
    session.append(ev.CommandRequested("c1", "s1", ("pytest", "-q")))
    session.append(ev.CommandFinished("c1", 0, "exited", "3 passed in 0.1s\n", 0.4))
    return "greets by name"


async def do_nothing(stage: Stage, session: Session, asks: Asks) -> str:
    """Leave everything as it is."""
    del stage, session, asks
    return "all tests pass"


async def hang(stage: Stage, session: Session, asks: Asks) -> str:
    """Write something, then go on until cancelled."""
    del session, asks
    stage.files.write("half.txt", b"half done\n")
    await asyncio.Event().wait()
    return ""


async def want_network(stage: Stage, session: Session, asks: Asks) -> str:
    """Ask before an irreversible effect; say what was answered."""
    del stage, session
    scopes = ("once", "step", "plan", "project", "no")
    asked = Ask("network", "pip install requests", "the tests import it", "s1", scopes)
    verdict = await asks.ask(asked)
    return f"allowed: {verdict.allowed} {verdict.feedback}"


@dataclass
class ScriptedPlanner:
    """Answers every task with the same plan, or raises."""

    answer: Plan | TurboError = PLAN
    asked: list[str] = field(default_factory=list[str])

    async def plan(
        self, task: str, *, pinned: tuple[str, ...], done: tuple[StepState, ...]
    ) -> Plan:
        del pinned, done
        self.asked.append(task)
        if isinstance(self.answer, TurboError):
            raise self.answer
        return self.answer


@dataclass
class ScriptedRunner:
    """Does for each step what the script says; a second attempt does the last thing again."""

    doings: dict[str, Doing]
    session: Session
    asks: Asks
    ran: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    async def run(self, step: Step, stage: Stage, *, feedback: str, history: Views) -> StepResult:
        del history
        self.ran.append((step.id, feedback))
        doing = self.doings.get(step.id, do_nothing)
        return StepResult(ok=True, summary=await doing(stage, self.session, self.asks))


@dataclass
class OnTheRecord:
    """Lets the commands of any stage go into the log."""

    session: Session
    blobs: MemoryBlobs

    def on_record(self, step_id: str, stage: Stage, history: Views) -> Stage:
        del history
        return LoggedStage(stage, self.session.append, step_id, blobs=self.blobs)


class LineSearch:
    """Finds lines of the workspace's files that contain the query."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.asked: list[str] = []
        self.contexts: list[Context] = []
        self.learnt: list[tuple[Act, tuple[str, ...]]] = []
        self.index = IndexState()
        self.cause = ""

    async def search(self, query: str, *, limit: int = 20, context: Context = NOWHERE) -> list[Hit]:
        self.asked.append(query)
        self.contexts.append(context)
        hits = [
            Hit(path.name, number, number, 1.0, line, ("text",))
            for path in sorted(self.root.iterdir())
            if path.is_file()
            for number, line in enumerate(path.read_text().splitlines(), 1)
            if query in line
        ]
        return hits[:limit]

    async def why_nothing(self, query: str) -> str:
        return self.cause if query else ""

    async def state(self) -> IndexState:
        return self.index

    async def learn(self, act: Act, paths: Sequence[str]) -> None:
        self.learnt.append((act, tuple(paths)))


async def describe() -> Project:
    return Project(
        (Language("Python", 93.4, 12, 1_804), Language("Shell", 6.6, 2, 127)),
        (Part(".", "Python package", (("test", "pytest -q"),), ("pyproject.toml",)),),
    )


class Stand:
    """A workspace, the run on it, and everything the app is given.

    Attributes:
        store: The log; a second stand on the same store is a resumed session.
    """

    def __init__(
        self,
        folder: Path,
        doings: dict[str, Doing] | None = None,
        *,
        answer: Plan | TurboError = PLAN,
        store: MemoryEventStore | None = None,
        blobs: MemoryBlobs | None = None,
        ahead: int = 0,
        lander: Callable[[Path, MemoryBlobs], Lander] = FolderLander,
    ) -> None:
        self.root = folder / "demo"
        if not self.root.exists():
            self.root.mkdir(parents=True)
            (self.root / "api.py").write_text(API)
        self.store = store or MemoryEventStore("7f3a")
        self.blobs = blobs or MemoryBlobs()
        ticks = count(1)
        session = Session(self.store, clock=lambda: 1_763_800_000.0 + next(ticks))
        views = Views()
        session.subscribe(views.apply, replay=True)
        asks = Asks(session.append)
        self.live = Live()
        self.planner = ScriptedPlanner(answer)
        self.runner = ScriptedRunner(doings or {"s1": edit_two_places}, session, asks)
        self.run = Run(
            session,
            views,
            planner=self.planner,
            runner=self.runner,
            stages=FolderStages(self.root, folder / "stages", self.blobs),
            lander=lander(self.root, self.blobs),
            review=Review(self.blobs),
            asks=asks,
            ahead=ahead,
            commands=OnTheRecord(session, self.blobs),
        )
        if not self.store.records:
            session.append(ev.SessionStarted("7f3a", str(self.root), "turbo-tui test"))
        self.search = LineSearch(self.root)
        self.opened = Opened(
            run=self.run,
            root=self.root,
            branch="main",
            planner="gpt-oss:120b",
            executor="qwen2.5-coder",
            live=self.live,
            search=self.search,
            look_at_project=describe,
        )

    async def open(self, front: Front) -> Opened:
        """What `run_app` is given."""
        del front
        return self.opened
