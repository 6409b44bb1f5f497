"""Call tools on the record, and read the calls that models write."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Collection, Mapping
from dataclasses import replace

from turbo_tui.core.errors import ToolError, TurboError
from turbo_tui.core.events import ToolCalled, ToolFinished
from turbo_tui.core.models import ToolCall
from turbo_tui.core.ports import Blobs, Tool, ToolContext
from turbo_tui.engine.asking_models import Append
from turbo_tui.engine.context import head_and_tail
from turbo_tui.engine.forgiving_json import read_json_object

LOGGED_ARGUMENTS, LOGGED_OUTPUT = 8_000, 16_000  # characters kept inline in the log


class ToolCalls:
    """The tools of one step; each call is logged as it starts and as it ends.

    Attributes:
        tools: By name; only these can be called.
    """

    def __init__(
        self,
        tools: Mapping[str, Tool],
        context: ToolContext,
        append: Append,
        blobs: Blobs,
        step_id: str,
    ) -> None:
        self.tools = tools
        self._context = context
        self._append = append
        self._blobs = blobs
        self._step_id = step_id

    async def call_written(self, call: ToolCall) -> str:
        """Carry out a call as a model wrote it.

        Raises:
            ToolError: Its arguments cannot be read, or as `call`.
        """
        arguments: dict[str, object] = {}
        if call.arguments.strip():
            try:
                arguments = read_json_object(call.arguments)
            except ValueError as error:
                reason = (
                    f"The arguments of {call.name} are not a JSON object: {error}. "
                    'Write them as {"name": value, …} with double quotes.'
                )
                event_id = self._started(call.name, call.arguments)
                self._append(ToolFinished(event_id, ok=False, output=reason))
                raise ToolError(reason) from None
        return await self.call(call.name, arguments)

    async def call(self, name: str, arguments: Mapping[str, object]) -> str:
        """Call a tool.

        Raises:
            ToolError: There is no such tool, or it cannot do it.
        """
        event_id = self._started(name, json.dumps(dict(arguments), ensure_ascii=False, default=str))
        try:
            tool = self.tools.get(name)
            if tool is None:
                known = ", ".join(sorted(self.tools)) or "none"
                raise ToolError(f"There is no tool {name!r}. The tools are: {known}.")
            output = await tool.call(arguments, self._context)
        except asyncio.CancelledError:
            self._append(ToolFinished(event_id, ok=False, output="cancelled"))
            raise
        except TurboError as error:
            self._append(self._finished(event_id, str(error), ok=False))
            raise
        self._append(self._finished(event_id, output, ok=True))
        return output

    def _started(self, name: str, arguments: str) -> str:
        # Models repeat call ids from reply to reply, so the log has its own.
        event_id = uuid.uuid4().hex[:16]
        self._append(ToolCalled(event_id, self._step_id, name, arguments[:LOGGED_ARGUMENTS]))
        return event_id

    def _finished(self, event_id: str, output: str, *, ok: bool) -> ToolFinished:
        full = ""
        if len(output) > LOGGED_OUTPUT:
            full = self._blobs.put(output.encode("utf-8", "surrogatepass"))
        return ToolFinished(event_id, ok, head_and_tail(output, LOGGED_OUTPUT), full)


def calls_in_text(text: str, tools: Collection[str]) -> tuple[ToolCall, ...]:
    """Read a tool call that a model wrote as text, as small local models often do.

    Understood: `<tool_call>{…}</tool_call>` (any number), and a reply that is nothing but one
    JSON object, bare or fenced, with `name` and `arguments`. The name must be a known tool's,
    so that JSON shown for another reason is left alone.
    """
    pieces = [part.split("</tool_call>")[0] for part in text.split("<tool_call>")[1:]]
    stripped = text.strip()
    if not pieces and stripped.startswith(("{", "```")) and stripped.endswith(("}", "```")):
        pieces = [stripped]
    calls: list[ToolCall] = []
    for piece in pieces:
        try:
            value = read_json_object(piece)
        except ValueError:
            continue
        name = value.get("name", value.get("tool"))
        rest = {key: each for key, each in value.items() if key not in {"name", "tool"}}
        arguments = value.get("arguments", value.get("parameters", rest))
        if isinstance(name, str) and name in tools:
            written = arguments if isinstance(arguments, str) else json.dumps(arguments)
            calls.append(ToolCall("", name, written))
    return tuple(calls)


def with_id(call: ToolCall) -> ToolCall:
    """Give a call an id where the server gave none: its answer must name one."""
    return call if call.call_id else replace(call, call_id=f"call_{uuid.uuid4().hex[:12]}")
