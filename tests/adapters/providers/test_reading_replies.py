"""Documents and calls found in what small models write."""

from __future__ import annotations

import json

import pytest

from turbo_tui.adapters.providers.document import find_document, without_thoughts
from turbo_tui.adapters.providers.draft import STARTED_AGAIN, Deltas
from turbo_tui.adapters.providers.text_tools import read_calls

OBJECT: dict[str, object] = {"type": "object"}
TOOLS = frozenset({"read", "write"})


@pytest.mark.parametrize(
    "text",
    [
        '{"a": {"b": "}"}}',
        'Sure {x}! ```json\n{"a": {"b": "}"}}\n``` and {"c": 1}',
        'noise {"a": 1, {"a": {"b": "}"}}',
    ],
)
def test_the_longest_document_is_found(text: str) -> None:
    assert find_document(text, OBJECT) == '{"a": {"b": "}"}}'


@pytest.mark.parametrize("text", ["", "none", "[1]", '{"a": ', "{" * 100_000])
def test_no_document_is_none_and_takes_no_time(text: str) -> None:
    assert find_document(text, OBJECT) is None


def test_arrays_and_scalars_are_documents_where_asked_for() -> None:
    assert find_document("it is [[1], 2].", {"type": "array"}) == "[[1], 2]"
    assert find_document(" 42 ", {"type": "integer"}) == "42"
    assert find_document("forty-two", {"type": "integer"}) is None


def test_only_thoughts_at_the_head_are_dropped() -> None:
    assert without_thoughts("<think>a\nb</think>\n\nc <think>d</think>") == "c <think>d</think>"


@pytest.mark.parametrize(
    "text",
    [
        'I look.\n```tool\n{"name": "read", "arguments": {"path": "a"}}\n```',
        'I look.\n```tool_call\n{"name": "read", "parameters": {"path": "a"}}',
        'I look.\n<tool_call>\n{"name": "read", "arguments": "{\\"path\\":\\"a\\"}"}</tool_call>',
        'I look.\n```tool\n{"function": {"name": "read", "arguments": {"path": "a"}}}\n```\n',
    ],
)
@pytest.mark.parametrize("only_marked", [True, False])
def test_marked_calls_are_read_among_prose(text: str, *, only_marked: bool) -> None:
    spoken = read_calls(text, TOOLS, only_marked=only_marked)
    assert spoken.text == "I look."
    assert [json.loads(call.arguments) for call in spoken.calls] == [{"path": "a"}]


def test_fences_and_line_breaks_inside_arguments_do_not_end_them() -> None:
    body = '{"name": "write", "arguments": {"text": "```py\nx\n```"}}'
    (call,) = read_calls(f"```tool\n{body}\n```", TOOLS, only_marked=True).calls
    assert json.loads(call.arguments) == {"text": "```py\nx\n```"}


def test_several_calls_keep_their_order() -> None:
    one, two = ('{"name": "read", "arguments": {"path": "X"}}'.replace("X", at) for at in "ab")
    spoken = read_calls(f"```tool\n{one}\n```\n\n```tool\n{two}\n```", TOOLS, only_marked=True)
    assert [json.loads(call.arguments)["path"] for call in spoken.calls] == ["a", "b"]
    assert spoken.text == ""


@pytest.mark.parametrize(
    "text",
    [
        'An example:\n```json\n{"name": "read", "arguments": {}}\n```\nis how one calls it.',
        '```tool\n{"name": "format_disk", "arguments": {}}\n```',
        '```json\n{"steps": []}\n```',
        "```tool\nnot json at all\n```",
        '{"name": "read", "arguments": 3}',
        "{oops",
        "plain text",
    ],
)
def test_what_is_no_call_stays_text(text: str) -> None:
    spoken = read_calls(text, TOOLS, only_marked=False)
    assert (spoken.text, spoken.calls) == (text, ())


def test_unmarked_json_is_no_call_where_marks_were_asked_for() -> None:
    text = '{"name": "read", "arguments": {}}'
    assert read_calls(text, TOOLS, only_marked=True).calls == ()
    assert [call.name for call in read_calls(text, TOOLS, only_marked=False).calls] == ["read"]
    assert read_calls(text, frozenset(), only_marked=False).calls == ()


def test_a_broken_call_keeps_its_name_so_that_the_model_can_be_told() -> None:
    spoken = read_calls(
        '```tool\n{"name": "read", "arguments": {"path": }\n```', TOOLS, only_marked=True
    )
    (call,) = spoken.calls
    assert call.name == "read"
    assert '"path": }' in call.arguments
    assert "```" not in call.arguments


def test_deltas_after_two_restarts_show_each_text_once() -> None:
    heard: list[str] = []
    deltas = Deltas(heard.append)
    for piece in ("Hel", "lo"):
        deltas.add(piece)
    deltas.restart()
    for piece in ("He", "llo wor"):
        deltas.add(piece)
    deltas.restart()
    for piece in ("Hello", " moon"):
        deltas.add(piece)

    assert "".join(heard) == f"Hello wor{STARTED_AGAIN}Hello moon"
    Deltas(None).add("nobody listens")
