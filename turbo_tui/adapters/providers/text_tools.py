"""Tools for models without tool calls: described in the prompt, called in a fenced block.

Also reads the calls that small models write into their text although they were offered
tools properly: qwen2.5-coder answers with a bare or fenced JSON object, others with
`<tool_call>` tags.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace

from turbo_tui.adapters.providers.document import with_system
from turbo_tui.adapters.providers.shapes import as_dict, as_str
from turbo_tui.core.models import Message, ModelRequest, ToolCall

_OPENING = re.compile(r"```(?P<fence>tool|tool_call|json)?[ \t]*\n|<tool_call>\s*|\A(?=\s*\{)")
_CLOSING = re.compile(r"\s*(```|</tool_call>|\Z)")
_NAME = re.compile(r'"name"\s*:\s*"([\w.-]+)"')
_HOW = """You can use these tools:

{tools}

To use one, write a block like this, with nothing after it, and wait for its result:

```tool
{{"name": "the tool's name", "arguments": {{"parameter": "value"}}}}
```"""


def in_words(request: ModelRequest) -> ModelRequest:
    """Rewrite a request so that neither tools nor calls need fields of their own."""
    messages = tuple(_in_words(message) for message in request.messages)
    spoken = replace(request, messages=messages, tools=())
    if not request.tools:
        return spoken
    tools = "\n".join(
        f"- {tool.name}: {tool.description}\n  parameters: "
        + json.dumps(tool.parameters, ensure_ascii=False)
        for tool in request.tools
    )
    return with_system(spoken, _HOW.format(tools=tools))


@dataclass(frozen=True, slots=True)
class Spoken:
    """A reply's text without the calls that stood in it; the calls have no ids yet."""

    text: str
    calls: tuple[ToolCall, ...]


def read_calls(text: str, tools: frozenset[str], *, only_marked: bool) -> Spoken:
    """Take the tool calls out of a reply's text.

    Args:
        text: What the model wrote.
        tools: Names of the tools offered; anything else is not a call.
        only_marked: Accept blocks marked as tool calls among prose; otherwise unmarked JSON
            too, yet only where it is all the reply says, so that an example is never run.
    """
    if not tools:
        return Spoken(text, ())
    decoder = json.JSONDecoder(strict=False)  # small models put line breaks into strings
    calls: list[ToolCall] = []
    unmarked, rest, at = 0, "", 0
    while opening := _OPENING.search(text, at):
        start = opening.end() + len(text[opening.end() :]) - len(text[opening.end() :].lstrip())
        try:
            value: object
            value, end = decoder.raw_decode(text, start)
            call = _call_of(value, tools)
        except (ValueError, RecursionError):
            marked = opening["fence"] in {"tool", "tool_call"} or "<" in opening[0]
            end = _end_of_block(text, start)
            call = _broken_call(text[start:end], tools) if marked else None
        if call is None:
            rest += text[at : opening.end()]
            at = opening.end()
            if not opening[0]:  # the start of the text matched emptily: look behind it
                rest, at = rest + text[at : at + 1], at + 1
            continue
        calls.append(call)
        unmarked += not (opening["fence"] in {"tool", "tool_call"} or "<" in opening[0])
        rest += text[at : opening.start()]
        closing = _CLOSING.match(text, end)
        at = closing.end() if closing else end
    rest = (rest + text[at:]).strip()
    if unmarked and (only_marked or rest):
        return Spoken(text, ())
    return Spoken(rest if calls else text, tuple(calls))


def _in_words(message: Message) -> Message:
    """Say calls and results as text."""
    if message.role == "tool":
        return Message("user", f"Result of {message.tool or 'the tool'}:\n{message.text}")
    blocks = [message.text] if message.text else []
    for call in message.calls:
        body = f'{{"name": {json.dumps(call.name)}, "arguments": {call.arguments or "{}"}}}'
        blocks.append(f"```tool\n{body}\n```")
    return replace(message, text="\n".join(blocks), calls=())


def _call_of(value: object, tools: frozenset[str]) -> ToolCall | None:
    """Read a call in the shapes models write; None when it is something else."""
    spec = as_dict(value)
    spec = as_dict(spec.get("function")) or spec
    name = as_str(spec.get("name"))
    arguments = spec.get("arguments", spec.get("parameters"))
    if name not in tools or not isinstance(arguments, dict | str | None):
        return None
    if isinstance(arguments, str):
        return ToolCall("", name, arguments or "{}")
    return ToolCall("", name, json.dumps(arguments or {}, ensure_ascii=False))


def _broken_call(body: str, tools: frozenset[str]) -> ToolCall | None:
    """Read the name at least, so that the model is told what is wrong with its arguments."""
    name = _NAME.search(body)
    return ToolCall("", name[1], body.strip()) if name and name[1] in tools else None


def _end_of_block(text: str, start: int) -> int:
    """Find where a block that cannot be parsed ends: before its closing mark."""
    ends = [at for mark in ("\n```", "</tool_call>") if (at := text.find(mark, start)) >= 0]
    return min(ends, default=len(text))
