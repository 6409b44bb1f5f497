"""A conversation in which a model works by calling tools, until it says that it is done."""

from __future__ import annotations

import json
from collections import Counter

from turbo_tui.core.errors import ContextTooLongError, ToolError
from turbo_tui.core.models import Message, ModelReply, ModelRequest, OnDelta, ToolCall, ToolSpec
from turbo_tui.engine.asking_models import LoggedModel
from turbo_tui.engine.context import (
    CHARS_PER_TOKEN,
    estimate_tokens,
    head_and_tail,
    message_tokens,
    reply_tokens,
)
from turbo_tui.engine.prompts import CUT_OFF, EXECUTOR, NOTHING_SAID
from turbo_tui.engine.step_clock import StepClock
from turbo_tui.engine.tool_calls import ToolCalls, calls_in_text, with_id

SAME_FAILURES = 3  # the same call failing this often in a row of attempts ends the step
EMPTY_ANSWERS = 3
MOST_CALLS = 64  # of one reply; a model that writes more has lost its way
TOO_MANY = (
    "Your reply had {count} tool calls too many; those were not carried out. Look at the answers "
    "so far before you go on."
)
TOLD_OUTPUT = 30_000  # characters of a tool's answer that the model sees, at most,
TOLD_SHARE = 0.15  # and never more than this part of its window,
LEAST_TOLD = 1_500  # though always enough to see how a command failed


class StuckError(Exception):
    """The model goes in circles, or its conversation outgrew the window; the message says how."""


class ToolLoop:
    """What a model and its tools have said to each other for one step.

    Args:
        model: On the record, within its caps.
        calls: The tools that it is offered.
        question: What it is to do.
        step_id: The step.
        clock: Holds the tools to the step's time cap.
        on_delta: Gets the model's text as it streams.
    """

    def __init__(
        self,
        model: LoggedModel,
        calls: ToolCalls,
        question: str,
        *,
        step_id: str,
        clock: StepClock,
        on_delta: OnDelta | None,
    ) -> None:
        self._model = model
        self._calls = calls
        self._specs = tuple(tool.spec for tool in calls.tools.values())
        self._messages = [Message("system", EXECUTOR), Message("user", question)]
        self._step_id = step_id
        self._clock = clock
        self._on_delta = on_delta
        self._failed_calls: Counter[tuple[str, str]] = Counter()
        share = int(model.context_tokens * CHARS_PER_TOKEN * TOLD_SHARE)
        self._told_chars = min(TOLD_OUTPUT, max(share, LEAST_TOLD))

    def tell(self, text: str) -> None:
        """Say something to the model before it goes on."""
        self._messages.append(Message("user", text))

    async def until_done(self) -> str:
        """Let the model work; return its closing words.

        Raises:
            StuckError: It goes in circles.
            BudgetError: A cap was reached.
            ModelError: It does not serve us.
        """
        empty = 0
        while True:
            reply = await self._complete()
            calls = reply.calls or calls_in_text(reply.text, self._calls.tools)
            left_out = len(calls) - MOST_CALLS
            calls = tuple(with_id(call) for call in calls[:MOST_CALLS])
            # Some servers refuse an assistant message with neither text nor calls.
            said = reply.text if reply.text or calls else "(no answer)"
            self._messages.append(Message("assistant", said, calls=calls))
            for call in calls:
                self._messages.append(await self._answer(call))
            if calls:
                empty = 0
                if left_out > 0:
                    self.tell(TOO_MANY.format(count=left_out))
                if reply.finish == "length":
                    self.tell(CUT_OFF)
                continue
            if reply.text.strip() and reply.finish != "length":
                return reply.text.strip()
            empty += 1
            if empty >= EMPTY_ANSWERS:
                raise StuckError(
                    f"{self._model.name} answered {empty} times without a tool call or a complete "
                    "sentence. Retry the step, or choose another executor model."
                )
            self.tell(CUT_OFF if reply.finish == "length" else NOTHING_SAID)

    async def _complete(self) -> ModelReply:
        """Ask; a conversation that outgrew the window ends the step, its work kept.

        Nothing is taken out of a tool loop while it runs: a model that misses what it has read
        goes in circles. What is done is summed up between attempts and steps instead. Servers
        such as Ollama cut a long conversation silently, so the estimate is heeded first.
        """
        window = self._model.context_tokens
        room = reply_tokens(window)
        fixed = room + estimate_tokens("".join(_as_text(spec) for spec in self._specs))
        needed = message_tokens(self._messages) + fixed
        if needed > window:
            raise self._outgrown(f"it would need about {needed:,}")
        request = ModelRequest(tuple(self._messages), tools=self._specs, max_tokens=room)
        try:
            return await self._model.complete(request, self._on_delta)
        except ContextTooLongError as error:
            raise self._outgrown(str(error)) from error

    def _outgrown(self, why: str) -> StuckError:
        model = self._model
        return StuckError(
            f"Step {self._step_id} outgrew the window of {model.name} ({model.context_tokens:,} "
            f"tokens): {why.rstrip('.')}. Its work is kept: go on from it with a fresh "
            "conversation, split the step, pin fewer files, or use a model with a larger window."
        )

    async def _answer(self, call: ToolCall) -> Message:
        """Carry out one call; what goes wrong with it is told to the model."""
        key = (call.name, call.arguments)
        try:
            text = await self._clock.within(self._calls.call_written(call))
            self._failed_calls.pop(key, None)
        except ToolError as error:
            text = f"Error: {error}"
            self._failed_calls[key] += 1
            if self._failed_calls[key] >= SAME_FAILURES:
                raise StuckError(
                    f"The model made the same failing call {SAME_FAILURES} times: {call.name} "
                    f"said: {error}"
                ) from None
        told = head_and_tail(text, self._told_chars)
        return Message("tool", told, call_id=call.call_id, tool=call.name)


def _as_text(spec: ToolSpec) -> str:
    return f"{spec.name}{spec.description}{json.dumps(spec.parameters)}"
