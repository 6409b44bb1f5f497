"""A run on a workspace: its log, models, tools, stages and lander put together."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from dataclasses import dataclass

from turbo_tui import __version__
from turbo_tui.adapters.event_store import SqliteEventStore
from turbo_tui.adapters.pruning import forsaken_stages
from turbo_tui.adapters.sessions import new_session_id, sessions_folder
from turbo_tui.core import events as ev
from turbo_tui.core.errors import SessionError, StageError
from turbo_tui.core.ports import Record, Stages
from turbo_tui.core.redact import Redactor, secrets_of
from turbo_tui.core.session import Session
from turbo_tui.core.views import Views
from turbo_tui.engine.alone import alone
from turbo_tui.engine.approval import Approve, Asks
from turbo_tui.engine.asking_models import Budget, Spending
from turbo_tui.engine.live import Live
from turbo_tui.engine.redacting import RedactedBlobs
from turbo_tui.engine.resuming import recover
from turbo_tui.engine.review import Review
from turbo_tui.engine.roles import Setting, ToolRunner
from turbo_tui.engine.rules import by_rules
from turbo_tui.engine.run import Run
from turbo_tui.tools.catalogue import FOR_MODELS, ON_WORKSPACE, builtin_tools
from turbo_tui.vcs.head import branch_of
from turbo_tui.vcs.repository import CommandLineGit
from turbo_tui.wiring.confining import Confining
from turbo_tui.wiring.minds import Minds, Recorded
from turbo_tui.wiring.notes import notes_of
from turbo_tui.wiring.reading import Project, secrets_in
from turbo_tui.wiring.workspace import Workspace

SWEEP_AFTER_S = 5.0  # when the first frame, the first keys and the sandbox's check are done


@dataclass(frozen=True, slots=True)
class OpenedRun:
    """A run and what stands beside it."""

    run: Run
    live: Live
    project: Project
    minds: Minds


async def open_run(
    workspace: Workspace,
    *,
    session_id: str = "",
    approve: Approve = "ask",
    built_in: bool = False,
    recorded: Recorded | None = None,
) -> OpenedRun:
    """Open a run; what a crash left is settled first, and nothing is run again.

    Args:
        workspace: Where it works.
        session_id: The session to take up; empty begins a new one.
        approve: Who answers what is asked.
        built_in: Plan with recipes even where a planner model is named.
        recorded: Take these models instead of configured ones.

    Raises:
        TurboError: The state, the sandbox or a setting is in the way.
    """
    stages = await workspace.stages()
    secrets = secrets_of({**os.environ, **workspace.settings.keys})
    redact = Redactor({**secrets_in(workspace.root), **secrets})
    session, views = open_session(workspace, session_id, redact)
    for warning in workspace.settings.warnings:
        session.append(ev.Noted("warning", warning))
    live = Live()
    rules = by_rules(workspace.settings.rules, os.fspath(workspace.root))
    asks = Asks(session.append, approve=approve, rules=rules, answers=workspace.project)
    project = Project(workspace.root, learns=workspace.settings.knowledge.learn)
    caps = workspace.settings.caps
    setting = Setting(
        session=session,
        workspace=workspace.root,
        blobs=RedactedBlobs(workspace.blobs, redact),
        asks=asks,
        live=live,
        brief=project.brief,
        retrieve=project.retrieve,
        notes=lambda: asyncio.to_thread(notes_of, workspace),
        rules=rules,
        redact=redact,
        show_secrets=workspace.project.show_secrets,
        search=project.search,
        stages=stages,
        why_not=workspace.confining.why_not if workspace.confining is not None else None,
        budget=Budget(caps.max_turns, caps.max_seconds, caps.max_tokens, caps.max_usd),
        spending=Spending(
            tokens=views.cost.tokens_in + views.cost.tokens_out, usd=views.cost.cost_usd or 0.0
        ),
    )
    session.subscribe(setting.done.apply, replay=True)
    minds = Minds(workspace, project, setting, built_in=built_in, recorded=recorded)
    tools = alone(builtin_tools(git=CommandLineGit()), ON_WORKSPACE, views.plan)
    runner = ToolRunner(minds.executor, tools, FOR_MODELS, setting)
    run = Run(
        session,
        views,
        planner=minds,
        runner=runner,
        commands=runner,
        stages=stages,
        lander=workspace.lander,
        review=Review(workspace.blobs),
        asks=asks,
        approve=approve,
        ahead=workspace.settings.run.ahead,
        acts_on_workspace=lambda step: any(act.tool in ON_WORKSPACE for act in step.actions),
    )
    run.footing.checkpoints = workspace.checkpoints
    run.footing.branch = lambda: branch_of(workspace.root)
    if workspace.confining is not None:
        _watch(workspace.confining, session, run)
    _sweep(workspace, stages, run)
    if approve == "ask":  # else nobody looked at what lands
        _learn(project, session, run)
    run.at_close(minds.close)
    run.at_close(project.close)
    await recover(run)
    return OpenedRun(run, live, project, minds)


def _watch(confining: Confining, session: Session, run: Run) -> None:
    """Note it in the log when something else confines commands; try what was only remembered."""

    def tell(words: str) -> None:
        with suppress(SessionError):  # closed meanwhile
            session.append(ev.Noted("warning", words))

    async def stop() -> None:
        confining.tell = None
        check.cancel()
        await asyncio.wait({check})

    confining.tell = tell
    check = asyncio.create_task(confining.check_later())
    run.at_close(stop)


def _learn(project: Project, session: Session, run: Run) -> None:
    """Let later searches know which files the user let land."""
    learning: set[asyncio.Task[None]] = set()

    def heard(record: Record) -> None:
        if isinstance(record.event, ev.StepLanded):
            task = asyncio.create_task(project.search.learn("landed", record.event.paths))
            learning.add(task)
            task.add_done_callback(learning.discard)

    async def stop() -> None:
        leave()
        if learning:
            await asyncio.wait(learning)

    leave = session.subscribe(heard)
    run.at_close(stop)


def _sweep(workspace: Workspace, stages: Stages, run: Run) -> None:
    """Delete, when there is time for it, stages of sessions that are gone."""

    async def sweep() -> None:
        await asyncio.sleep(SWEEP_AFTER_S)
        for stage_id in await asyncio.to_thread(forsaken_stages, workspace.state):
            with suppress(StageError):  # another time
                await stages.discard(stage_id)

    async def stop() -> None:
        sweeping.cancel()
        await asyncio.wait({sweeping})

    sweeping = asyncio.create_task(sweep())
    run.at_close(stop)


def open_session(workspace: Workspace, session_id: str, redact: Redactor) -> tuple[Session, Views]:
    """Open a session's log and fold it into views; with an empty id a new one is begun.

    Raises:
        SessionError: Locked by another process, or its log is broken.
    """
    identity = session_id or new_session_id(workspace.state)
    store = SqliteEventStore(sessions_folder(workspace.state) / identity)
    session = Session(store, clock=time.time, redact=redact)
    views = Views()
    session.subscribe(views.apply, replay=True)
    program = f"turbo-tui {__version__}"
    if session.last_seq == 0:
        session.append(ev.SessionStarted(identity, os.fspath(workspace.root), program), "user")
    else:
        session.append(ev.SessionResumed(program), "user")
    return session, views
