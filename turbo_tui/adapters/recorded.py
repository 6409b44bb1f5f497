"""A recorded session as planner and executor models: no network, always labelled as recorded.

The recording is data: one plan, and per step (by its title) the replies in order. Which reply
comes next is read from the request itself, so retries, crashes and resumes replay rightly.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from turbo_tui.core.errors import TaskError
from turbo_tui.core.events import Role
from turbo_tui.core.models import ModelReply, ModelRequest, OnDelta, ToolCall

HOST = "recorded"
ASKED_AGAIN = "They said:"  # how the executor's request words a user's feedback


@dataclass(frozen=True, slots=True)
class Recording:
    """A recorded session: the task it was given, its plan, and the replies of each step."""

    task: str
    plan: Mapping[str, object]
    steps: Mapping[str, tuple[ModelReply, ...]]


def read_recording(file: Path) -> Recording:
    """Read a recording that ships with the program."""
    content = cast("dict[str, object]", json.loads(file.read_text(encoding="utf-8")))
    steps = cast("dict[str, list[dict[str, object]]]", content["steps"])
    return Recording(
        task=cast("str", content["task"]),
        plan=cast("dict[str, object]", content["plan"]),
        steps={
            title: tuple(_reply(number, reply) for number, reply in enumerate(replies))
            for title, replies in steps.items()
        },
    )


def _reply(number: int, reply: Mapping[str, object]) -> ModelReply:
    calls = cast("list[dict[str, object]]", reply["calls"])
    return ModelReply(
        text=cast("str", reply["text"]),
        calls=tuple(
            ToolCall(f"recorded-{number}-{at}", cast("str", c["name"]), json.dumps(c["arguments"]))
            for at, c in enumerate(calls)
        ),
        finish="tool_calls" if calls else "stop",
    )


class RecordedModel:
    """One role of a recording.

    Args:
        pause_s: Wait between two words, so that the demo can be watched.
    """

    name = "recorded session"
    host = HOST
    context_tokens = 32_768

    def __init__(self, role: Role, recording: Recording, *, pause_s: float = 0.012) -> None:
        self._role = role
        self._recording = recording
        self._pause_s = pause_s

    async def complete(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
        """Give the recorded reply that comes next.

        Raises:
            TaskError: The planner is asked for something that was not recorded.
        """
        reply = self._plan(request) if self._role == "planner" else self._next(request)
        if on_delta is not None:
            for word in reply.text.split(" "):
                on_delta(word + " ")
                await asyncio.sleep(self._pause_s)
        return reply

    async def close(self) -> None:
        """Hold nothing, so release nothing."""

    def _plan(self, request: ModelRequest) -> ModelReply:
        task = self._recording.task
        if not any(task in message.text for message in request.messages):
            raise TaskError(
                "This is a recorded session; it can plan its own task only.", nearest=(task,)
            )
        return ModelReply(json.dumps({"task": task, **self._recording.plan}))

    def _next(self, request: ModelRequest) -> ModelReply:
        question = next((m.text for m in request.messages if m.role == "user"), "")
        if ASKED_AGAIN in question:
            return ModelReply(
                "This is a recorded session and cannot act on feedback; the work is as it was."
            )
        said = sum(message.role == "assistant" for message in request.messages)
        for title, replies in self._recording.steps.items():
            if f"# Step\n{title}\n" in f"{question}\n":
                return replies[min(said, len(replies) - 1)]
        return ModelReply("This is a recorded session; it knows only the steps of its own plan.")
