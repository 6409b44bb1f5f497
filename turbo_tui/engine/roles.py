"""Planner and step runner of a run, made of models, tools and what the project is."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from turbo_tui.core.command import Grants
from turbo_tui.core.errors import ToolError
from turbo_tui.core.models import Model
from turbo_tui.core.plan import Plan, Step
from turbo_tui.core.ports import Blobs, Stage, Stages, Tool, ToolContext
from turbo_tui.core.searching import Search
from turbo_tui.core.session import Session
from turbo_tui.core.views import StepState, Views
from turbo_tui.engine.approval import Asks, Rules, no_rules
from turbo_tui.engine.asking_models import Budget, Spending
from turbo_tui.engine.before import Before
from turbo_tui.engine.context import FinishedStep, digest, one_line
from turbo_tui.engine.done_actions import DoneActions
from turbo_tui.engine.executor import run_step
from turbo_tui.engine.gating import GatedStage
from turbo_tui.engine.live import Live
from turbo_tui.engine.planner import make_plan
from turbo_tui.engine.staging import LoggedStage
from turbo_tui.engine.stepping import StepResult

GIVEN_BYTES = 48_000  # of each file given to an executor unasked

FOUND_BYTES = 16_000  # of what is found for a step; its window is small, and it can search

Notes = Callable[[], Awaitable[Mapping[str, str]]]
"""Name -> rules and notes that are the user's own word."""

Retrieve = Callable[[str, tuple[str, ...]], Awaitable[Mapping[str, str]]]
"""Task and pinned paths -> path -> text worth reading, most important first.

A part of a file is named `path:first-last`.
"""
_PART = re.compile(r"(.+):\d+-\d+")


async def no_notes() -> Mapping[str, str]:
    """Return that there are none."""
    return {}


@dataclass(slots=True)
class Setting:
    """What planner and runner of one session share."""

    session: Session
    workspace: Path
    blobs: Blobs
    asks: Asks
    live: Live
    brief: Callable[[], Awaitable[str]]
    retrieve: Retrieve
    notes: Notes = no_notes
    rules: Rules = no_rules
    redact: Callable[[str], str] = str
    show_secrets: tuple[str, ...] = ()
    search: Search | None = None
    stages: Stages | None = None
    why_not: Callable[[Grants], str] | None = None
    budget: Budget = field(default_factory=Budget)
    spending: Spending = field(default_factory=Spending)
    done: DoneActions = field(default_factory=DoneActions)


class ModelPlanner:
    """Plans with a model."""

    def __init__(self, model: Model, setting: Setting) -> None:
        self._model = model
        self._setting = setting

    async def plan(
        self, task: str, *, pinned: tuple[str, ...], done: tuple[StepState, ...]
    ) -> Plan:
        """Ask the model, with the project's brief and retrieved context."""
        setting = self._setting
        return await make_plan(
            self._model,
            task,
            append=lambda event: setting.session.append(event, "planner"),
            blobs=setting.blobs,
            brief=await setting.brief(),
            context=await setting.retrieve(task, pinned),
            notes=await setting.notes(),
            feedback=_so_far(done),
            on_delta=lambda text: setting.live.tell("planner", text),
            budget=setting.budget,
            spending=setting.spending,
        )


class ToolRunner:
    """Carries steps out with tools; `model_for` picks the executor of a step, or None."""

    def __init__(
        self,
        model_for: Callable[[Step], Model | None],
        tools: Mapping[str, Tool],
        offered: tuple[str, ...],
        setting: Setting,
    ) -> None:
        self._model_for = model_for
        self._tools = tools
        self._offered = offered
        self._setting = setting

    def on_record(self, step_id: str, stage: Stage, history: Views) -> Stage:
        """Put a stage under the user's rules and its commands into the log, as a step's own."""
        setting = self._setting
        return LoggedStage(
            self._gated(step_id, stage, history),
            lambda event: setting.session.append(event, "executor"),
            step_id,
            blobs=setting.blobs,
            ask=setting.asks.ask,
            on_output=setting.live.tell,
        )

    def _gated(self, step_id: str, stage: Stage, history: Views) -> Stage:
        setting = self._setting
        return GatedStage(
            stage,
            setting.rules,
            setting.asks,
            step_id,
            redact=setting.redact,
            pinned=history.plan.pinned,
            shown=setting.show_secrets,
        )

    async def run(self, step: Step, stage: Stage, *, feedback: str, history: Views) -> StepResult:
        """Do the step's work and its checks in the stage."""
        setting = self._setting

        def gated(stage: Stage) -> Stage:
            return self._gated(step.id, stage, history)

        state = history.plan.state(step.id)
        before: Before | None = None
        if setting.stages is not None and state is not None:
            before = Before(setting.stages, state.stage_id, state.on, gated)
        stage = gated(stage)
        model = self._model_for(step)
        needs_words = model is not None and not step.actions
        outcome = await run_step(
            step,
            model=model,
            stage=stage,
            tools=self._tools,
            context=ToolContext(
                stage=stage,
                ask=setting.asks.ask,
                workspace=setting.workspace,
                search=setting.search,
                why_not=setting.why_not,
            ),
            append=lambda event: setting.session.append(event, "executor"),
            blobs=setting.blobs,
            budget=setting.budget,
            spending=setting.spending,
            offered=self._offered,
            brief=await setting.brief() if needs_words else "",
            pinned=await self._reading(step, stage, history) if needs_words else None,
            notes=await setting.notes() if needs_words else None,
            feedback=feedback,
            last_end=state.last_end if state is not None else "",
            before=before,
            history=_so_far(history.plan.steps, without=step.id),
            on_delta=lambda text: setting.live.tell("executor", text),
            on_output=setting.live.tell,
            actions_done=setting.done.count(step.id),
        )
        return StepResult(outcome.ok, outcome.summary if outcome.ok else outcome.reason)

    async def _reading(self, step: Step, stage: Stage, history: Views) -> dict[str, str]:
        """Read what was pinned and named as the stage has it, then what is found for the step.

        The index knows the workspace: files that steps on the way changed are left out of it.
        """
        given = given_files(stage, (*history.plan.pinned, *step.files))
        found = await self._setting.retrieve(f"{step.title}\n{step.intent}", ())
        changed = {
            path for state in history.plan.steps if state.status != "landed" for path in state.paths
        }
        return given | found_for(found, without={*given, *changed})


def found_for(
    found: Mapping[str, str], *, without: Collection[str], most_bytes: int = FOUND_BYTES
) -> dict[str, str]:
    """Take what was found in files other than some, as far as there is room."""
    taken: dict[str, str] = {}
    for name, text in found.items():
        part = _PART.fullmatch(name)
        size = len(text.encode("utf-8", "surrogatepass"))
        if (part[1] if part else name) not in without and size <= most_bytes:
            taken[name] = text
            most_bytes -= size
    return taken


def given_files(stage: Stage, paths: Iterable[str]) -> dict[str, str]:
    """Read files as a step's stage has them; what is not there or no text is left out."""
    found: dict[str, str] = {}
    for path in paths:
        try:
            content = stage.files.read(path, limit_bytes=GIVEN_BYTES)
        except ToolError:
            continue  # a file that the step is to make
        if b"\0" not in content:
            found[path] = content.decode("utf-8", "replace")
    return found


def _outcome_of(state: StepState) -> str:
    if state.status == "staged":
        return "done, waits for the user's review"
    return f"{state.status}: {one_line(state.feedback)}" if state.feedback else state.status


def _so_far(states: tuple[StepState, ...], *, without: str = "") -> str:
    finished = [
        FinishedStep(
            state.step.title,
            _outcome_of(state),
            state.paths,
            state.reason,
        )
        for state in states
        if state.status not in {"proposed", "running"} and state.step.id != without
    ]
    return digest(finished)
