"""Carry out one step in its stage: a tool loop with a model, or actions fixed in advance."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from turbo_tui.core.errors import (
    BudgetError,
    ContextTooLongError,
    ModelError,
    ToolError,
)
from turbo_tui.core.events import CheckFinished
from turbo_tui.core.models import (
    Message,
    Model,
    ModelReply,
    ModelRequest,
    OnDelta,
    ToolCall,
    ToolSpec,
)
from turbo_tui.core.plan import Step
from turbo_tui.core.ports import Ask, Blobs, Stage, Tool, ToolContext, Verdict
from turbo_tui.engine.asking_models import Append, Budget, LoggedModel, Spending
from turbo_tui.engine.before import Before
from turbo_tui.engine.checks import Check, run_check
from turbo_tui.engine.context import (
    CHARS_PER_TOKEN,
    choose_reading,
    estimate_tokens,
    head_and_tail,
    message_tokens,
    reply_tokens,
    step_question,
)
from turbo_tui.engine.prompts import CUT_OFF, EXECUTOR, NOTHING_SAID, REPAIR
from turbo_tui.engine.staging import LoggedStage
from turbo_tui.engine.tool_calls import ToolCalls, calls_in_text, with_id

T = TypeVar("T")

SAME_FAILURES = 3  # the same call failing this often in a row of attempts ends the step
EMPTY_ANSWERS = 3
MOST_CALLS = 64  # of one reply; a model that writes more has lost its way
TOO_MANY = (
    "Your reply had {count} tool calls too many; those were not carried out. Look at the answers "
    "so far before you go on."
)
CHECK_ROUNDS = 2
TOLD_OUTPUT = 30_000  # characters of a tool's answer that the model sees, at most,
TOLD_SHARE = 0.15  # and never more than this part of its window,
LEAST_TOLD = 1_500  # though always enough to see how a command failed
CHECK_OUTPUT = 6_000  # characters of each failing check that the model sees
SUMMARY_CHARS = 8_000
READING_SHARE = 0.4  # of the window, at most, for pinned files

NO_EXECUTOR = (
    "Step {step!r} needs an executor model, and none is configured. Run `turbo-tui` and open "
    "the setup, or set `base_url` and `model` under `[executor]` in the config file."
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
    work = _Work(
        step,
        context,
        stage,
        tools=tools,
        append=append,
        blobs=blobs,
        on_output=on_output,
        before=before,
    )
    if model is None or step.actions:
        return await work.by_actions(actions_done)
    asked = LoggedModel(
        model, append, blobs, role="executor", step_id=step.id, budget=budget, spending=spending
    )
    reading = choose_reading(pinned or {}, max_tokens=int(model.context_tokens * READING_SHARE))
    asked.request_context = reading.sizes
    first = step_question(
        step,
        brief=brief,
        reading=reading.text,
        feedback=feedback,
        last_end=last_end,
        history=history,
    )
    if offered is not None:
        work.calls.tools = {name: tool for name, tool in tools.items() if name in offered}
    specs = tuple(tool.spec for tool in work.calls.tools.values())
    return await work.by_model(asked, specs, first, on_delta, check_rounds)


class _StuckError(Exception):
    """The model goes in circles; the message says how."""


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
        on_output: Callable[[str, str], None] | None,
        before: Before | None = None,
    ) -> None:
        self.step = step
        self.append = append
        self._asker = context.ask
        self._model: LoggedModel | None = None
        self._clock: asyncio.Timeout | None = None
        self._failed_calls: Counter[tuple[str, str]] = Counter()
        self._told_chars = TOLD_OUTPUT
        self._before = before
        self._blobs = blobs
        self._on_output = on_output
        self.stage = stage if isinstance(stage, LoggedStage) else self._on_record(stage)
        self._root = str(context.workspace)
        within = replace(context, stage=self.stage, ask=self._ask, checks=step.checks)
        self.calls = ToolCalls(tools, within, append, blobs, step.id)

    def _on_record(self, stage: Stage) -> Stage:
        return LoggedStage(
            stage,
            self.append,
            self.step.id,
            blobs=self._blobs,
            ask=self._ask,
            on_output=self._on_output,
        )

    async def _ask(self, question: Ask) -> Verdict:
        """Put a question under this step's id; the user's thinking costs the step no time."""
        clock, began = self._clock, time.monotonic()
        due = clock.when() if clock is not None else None
        if clock is not None:
            clock.reschedule(None)
        try:
            return await self._asker(replace(question, step_id=self.step.id))
        finally:
            thought = time.monotonic() - began
            if self._model is not None:
                self._model.grant_seconds(thought)
            if clock is not None and due is not None:
                clock.reschedule(due + thought)

    async def _in_time(self, work: Awaitable[T]) -> T:
        """Await work of a model's step within the step's time cap.

        Raises:
            BudgetError: The cap was reached; the work was cancelled.
        """
        if self._model is None:
            return await work
        clock = self._clock = asyncio.timeout(self._model.seconds_left())
        try:
            async with clock:
                return await work
        except TimeoutError:
            if not clock.expired():
                raise
            raise self._model.time_reached() from None
        finally:
            self._clock = None

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

    async def by_model(
        self,
        model: LoggedModel,
        specs: tuple[ToolSpec, ...],
        question: str,
        on_delta: OnDelta | None,
        check_rounds: int,
    ) -> StepOutcome:
        """Let the model work until it says it is done, then check, repair, check again."""
        self._model = model
        share = int(model.context_tokens * CHARS_PER_TOKEN * TOLD_SHARE)
        self._told_chars = min(TOLD_OUTPUT, max(share, LEAST_TOLD))
        messages = [Message("system", EXECUTOR), Message("user", question)]
        summary = ""
        failing: list[Check] = []
        try:
            for round_number in range(check_rounds + 1):
                summary = await self._until_answered(model, specs, messages, on_delta)
                failing = await self.failing_checks()
                if not failing or round_number == check_rounds:
                    break
                messages.append(Message("user", REPAIR.format(failures=_shown_checks(failing))))
        except BudgetError as error:
            return StepOutcome(ok=False, summary=summary, reason=str(error), cap=model.cap_reached)
        except _StuckError as error:
            return StepOutcome(ok=False, summary=summary, reason=str(error))
        return self._outcome(summary, failing)

    async def _until_answered(
        self,
        model: LoggedModel,
        specs: tuple[ToolSpec, ...],
        messages: list[Message],
        on_delta: OnDelta | None,
    ) -> str:
        """Run the tool loop; return the model's closing words. `messages` grows."""
        empty = 0
        while True:
            reply = await self._complete(model, specs, messages, on_delta)
            calls = reply.calls or calls_in_text(reply.text, self.calls.tools)
            left_out = len(calls) - MOST_CALLS
            calls = tuple(with_id(call) for call in calls[:MOST_CALLS])
            # Some servers refuse an assistant message with neither text nor calls.
            said = reply.text if reply.text or calls else "(no answer)"
            messages.append(Message("assistant", said, calls=calls))
            for call in calls:
                messages.append(await self._answer(call))  # noqa: PERF401 - kept when one raises
            if calls:
                empty = 0
                if left_out > 0:
                    messages.append(Message("user", TOO_MANY.format(count=left_out)))
                if reply.finish == "length":
                    messages.append(Message("user", CUT_OFF))
                continue
            if reply.text.strip() and reply.finish != "length":
                return reply.text.strip()
            empty += 1
            if empty >= EMPTY_ANSWERS:
                raise _StuckError(
                    f"{model.name} answered {empty} times without a tool call or a complete "
                    "sentence. Retry the step, or choose another executor model."
                )
            messages.append(Message("user", CUT_OFF if reply.finish == "length" else NOTHING_SAID))

    async def _complete(
        self,
        model: LoggedModel,
        specs: tuple[ToolSpec, ...],
        messages: list[Message],
        on_delta: OnDelta | None,
    ) -> ModelReply:
        """Ask; a conversation that outgrew the window ends the step, its work kept.

        Nothing is taken out of a tool loop while it runs: a model that misses what it has read
        goes in circles. What is done is summed up between attempts and steps instead. Servers
        such as Ollama cut a long conversation silently, so the estimate is heeded first.
        """
        room = reply_tokens(model.context_tokens)
        fixed = room + estimate_tokens("".join(_as_text(spec) for spec in specs))
        needed = message_tokens(messages) + fixed
        if needed > model.context_tokens:
            raise self._outgrown(model, f"it would need about {needed:,}")
        request = ModelRequest(tuple(messages), tools=specs, max_tokens=room)
        try:
            return await model.complete(request, on_delta)
        except ContextTooLongError as error:
            raise self._outgrown(model, str(error)) from error

    def _outgrown(self, model: LoggedModel, why: str) -> _StuckError:
        return _StuckError(
            f"Step {self.step.id} outgrew the window of {model.name} ({model.context_tokens:,} "
            f"tokens): {why.rstrip('.')}. Its work is kept: go on from it with a fresh "
            "conversation, split the step, pin fewer files, or use a model with a larger window."
        )

    async def _answer(self, call: ToolCall) -> Message:
        """Carry out one call; what goes wrong with it is told to the model."""
        key = (call.name, call.arguments)
        try:
            text = await self._in_time(self.calls.call_written(call))
            self._failed_calls.pop(key, None)
        except ToolError as error:
            text = f"Error: {error}"
            self._failed_calls[key] += 1
            if self._failed_calls[key] >= SAME_FAILURES:
                raise _StuckError(
                    f"The model made the same failing call {SAME_FAILURES} times: {call.name} "
                    f"said: {error}"
                ) from None
        told = head_and_tail(text, self._told_chars)
        return Message("tool", told, call_id=call.call_id, tool=call.name)

    # --- the checks ---------------------------------------------------------------

    async def failing_checks(self) -> list[Check]:
        """Run the step's checks in order; all of them, so that the user sees each."""
        failing: list[Check] = []
        for argv in self.step.checks:
            check = await self._in_time(run_check(self.stage, argv, root=self._root))
            if not check.passed and self._before is not None:
                before = await self._in_time(self._before.failed(check, self._on_record))
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


def _as_text(spec: ToolSpec) -> str:
    return f"{spec.name}{spec.description}{json.dumps(spec.parameters)}"


def _shown_checks(failing: list[Check]) -> str:
    return "\n\n".join(
        f"{check.why}\n{head_and_tail(check.result.output.strip(), CHECK_OUTPUT)}"
        for check in failing
    )
