"""Carry out one step in its stage: a tool loop with a model, or actions fixed in advance."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial

from turbo_tui.core.errors import (
    BudgetError,
    ModelError,
    ToolError,
)
from turbo_tui.core.events import CheckFinished
from turbo_tui.core.models import (
    Model,
    OnDelta,
)
from turbo_tui.core.plan import Step
from turbo_tui.core.ports import Ask, Blobs, Stage, Tool, ToolContext, Verdict
from turbo_tui.engine.asking_models import Append, Budget, LoggedModel, Spending
from turbo_tui.engine.before import Before
from turbo_tui.engine.checks import Check, run_check
from turbo_tui.engine.context import (
    NOTES_SHARE,
    choose_reading,
    head_and_tail,
    step_question,
)
from turbo_tui.engine.prompts import REPAIR
from turbo_tui.engine.staging import LoggedStage
from turbo_tui.engine.step_clock import StepClock
from turbo_tui.engine.tool_calls import ToolCalls
from turbo_tui.engine.tool_loop import StuckError, ToolLoop

CHECK_ROUNDS = 2
CHECK_OUTPUT = 6_000  # characters of each failing check that the model sees
SUMMARY_CHARS = 8_000
READING_SHARE = 0.4  # of the window, at most, for files

NO_EXECUTOR = (
    "Step {step!r} needs an executor model, and none is configured. Run `turbo-tui` and open "
    "the setup, or set `base_url` and `model` under `[executor]` in the config file; or give the "
    "step fixed actions (e in the plan)."
)


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """How a step's work ended.

    Attributes:
        summary: What the model (or the actions) said was done.
        reason: Why it failed; empty when `ok`.
        checks_passed: Every check of the step exited 0; True when it has none.
        cap: The cap that ended it: `turns`, `tokens`, `usd` or `seconds`; empty otherwise.
    """

    ok: bool
    summary: str = ""
    reason: str = ""
    checks_passed: bool = False
    cap: str = ""


async def run_step(
    step: Step,
    *,
    model: Model | None,
    stage: Stage,
    tools: Mapping[str, Tool],
    context: ToolContext,
    append: Append,
    blobs: Blobs,
    budget: Budget | None = None,
    spending: Spending | None = None,
    offered: Collection[str] | None = None,
    brief: str = "",
    pinned: Mapping[str, str] | None = None,
    notes: Mapping[str, str] | None = None,
    feedback: str = "",
    last_end: str = "",
    before: Before | None = None,
    history: str = "",
    on_delta: OnDelta | None = None,
    on_output: Callable[[str, str], None] | None = None,
    check_rounds: int = CHECK_ROUNDS,
    actions_done: int = 0,
) -> StepOutcome:
    """Do a step's work and run its checks; the stage stays as it is, however this ends.

    Args:
        step: With `actions` they are carried out and no model is asked.
        model: The executor; None where none is configured.
        stage: Where it all happens; wrapped so that its commands are logged.
        tools: By name; what actions and the model may call.
        context: Asker, workspace and search; its stage is replaced by the wrapped one.
        append: Puts an event into the session's log.
        blobs: Keeps whole replies and outputs.
        budget: Caps for the step and the session.
        spending: What the session has used so far.
        offered: Names of the tools the model is offered and may call; None means all.
        brief: What the project is, in a few lines.
        pinned: Path -> text that the model is given, most important first.
        notes: Name -> rules and notes that are the user's own word.
        feedback: What the user said about the last attempt.
        last_end: Why the attempt ended that this one goes on from, in its stage.
        before: Tells which checks failed before the step as well; None leaves it open.
        history: What earlier steps did (`context.digest`).
        on_delta: Gets the model's text as it streams.
        on_output: Gets command id and text as a command writes it.
        check_rounds: How often failing checks are given back to the model.
        actions_done: So many of the step's actions were completed in this stage before.

    Raises:
        ModelError: The model did not serve us, or none is configured and one is needed.
        SandboxError: The sandbox could not be started.
        StageError: The stage broke.
    """
    if model is None and not step.actions:
        raise ModelError(NO_EXECUTOR.format(step=step.title))
    asked = None
    if model is not None and not step.actions:
        asked = LoggedModel(
            model, append, blobs, role="executor", step_id=step.id, budget=budget, spending=spending
        )
    clock = StepClock(asked)
    work = _Work(
        step,
        context,
        stage,
        tools=tools,
        append=append,
        blobs=blobs,
        clock=clock,
        on_output=on_output,
        before=before,
    )
    if asked is None:
        return await work.by_actions(actions_done)
    reading = choose_reading(pinned or {}, max_tokens=int(asked.context_tokens * READING_SHARE))
    room = int(asked.context_tokens * READING_SHARE * NOTES_SHARE)
    rules = choose_reading(notes or {}, max_tokens=room)
    asked.request_context = {**rules.sizes, **reading.sizes}
    question = step_question(
        step,
        brief=brief,
        notes=rules.text,
        reading=reading.text,
        feedback=feedback,
        last_end=last_end,
        history=history,
    )
    if offered is not None:
        work.calls.tools = {name: tool for name, tool in tools.items() if name in offered}
    loop = ToolLoop(asked, work.calls, question, step_id=step.id, clock=clock, on_delta=on_delta)
    return await work.by_model(asked, loop, check_rounds)


class _Work:
    """One step being carried out."""

    def __init__(
        self,
        step: Step,
        context: ToolContext,
        stage: Stage,
        *,
        tools: Mapping[str, Tool],
        append: Append,
        blobs: Blobs,
        clock: StepClock,
        on_output: Callable[[str, str], None] | None,
        before: Before | None,
    ) -> None:
        self.step = step
        self.append = append
        self._asker = context.ask
        self._clock = clock
        self._before = before
        self._blobs = blobs
        self._on_output = on_output
        self.stage = stage if isinstance(stage, LoggedStage) else self._on_record(stage)
        self._root = str(context.workspace)
        within = replace(
            context, stage=self.stage, ask=self._ask, checks=step.checks, fixed=bool(step.actions)
        )
        self.calls = ToolCalls(tools, within, append, blobs, step.id)

    def _on_record(self, stage: Stage, *, before: bool = False) -> Stage:
        return LoggedStage(
            stage,
            self.append,
            self.step.id,
            blobs=self._blobs,
            ask=self._ask,
            on_output=self._on_output,
            before=before,
        )

    async def _ask(self, question: Ask) -> Verdict:
        """Put a question under this step's id."""
        asked = self._asker(replace(question, step_id=self.step.id))
        return await self._clock.beside(asked)

    # --- without a model ----------------------------------------------------------

    async def by_actions(self, done: int) -> StepOutcome:
        """Carry out the actions after the first `done`; one that cannot be done ends the step."""
        said: list[str] = []
        for number, action in enumerate(self.step.actions[done:], start=done + 1):
            try:
                answer = await self.calls.call(action.tool, action.arguments)
            except ToolError as error:
                many = f"Action {number} of {len(self.step.actions)} " if number > 1 else ""
                return StepOutcome(
                    ok=False, summary="\n".join(said), reason=f"{many}{action.tool}: {error}"
                )
            said.append(answer.strip())
        summary = "\n".join(text for text in said if text)
        failing = await self.failing_checks()
        return self._outcome(summary, failing)

    # --- with a model -------------------------------------------------------------

    async def by_model(self, model: LoggedModel, loop: ToolLoop, check_rounds: int) -> StepOutcome:
        """Let the model work until it says it is done, then check, repair, check again."""
        summary = ""
        failing: list[Check] = []
        try:
            for round_number in range(check_rounds + 1):
                summary = await loop.until_done()
                failing = await self.failing_checks()
                if not failing or round_number == check_rounds:
                    break
                loop.tell(REPAIR.format(failures=_shown_checks(failing)))
        except BudgetError as error:
            return StepOutcome(ok=False, summary=summary, reason=str(error), cap=model.cap_reached)
        except StuckError as error:
            return StepOutcome(ok=False, summary=summary, reason=str(error))
        return self._outcome(summary, failing)

    # --- the checks ---------------------------------------------------------------

    async def failing_checks(self) -> list[Check]:
        """Run the step's checks in order; all of them, so that the user sees each."""
        failing: list[Check] = []
        for argv in self.step.checks:
            check = await self._clock.within(run_check(self.stage, argv, root=self._root))
            if not check.passed and self._before is not None:
                on_record = partial(self._on_record, before=True)
                before = await self._clock.within(self._before.failed(check, on_record))
                check = replace(check, failed_before=before)
            found = CheckFinished(
                self.step.id, argv, check.passed, check.failures, check.failed_before
            )
            self.append(found)
            if not check.passed:
                failing.append(check)
        return failing

    def _outcome(self, summary: str, failing: list[Check]) -> StepOutcome:
        summary = head_and_tail(summary, SUMMARY_CHARS)  # the tool log has all of it
        if not failing:
            return StepOutcome(ok=True, summary=summary, checks_passed=True)
        reason = "; ".join(check.why for check in failing)
        return StepOutcome(ok=False, summary=summary, reason=f"A check failed: {reason}.")


def _shown_checks(failing: list[Check]) -> str:
    return "\n\n".join(
        f"{check.why}\n{head_and_tail(check.result.output.strip(), CHECK_OUTPUT)}"
        for check in failing
    )
