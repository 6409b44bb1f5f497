"""Asking a model on the record and within caps."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.fakes import MemoryBlobs, ScriptedModel, StandingClock, calling
from turbo_tui.core.errors import BudgetError, ModelBusyError
from turbo_tui.core.events import BudgetReached, Event, ModelFailed, ModelReplied, ModelRequested
from turbo_tui.core.models import Message, Model, ModelReply, ModelRequest, OnDelta, Usage
from turbo_tui.engine import asking_models
from turbo_tui.engine.asking_models import Budget, LoggedModel, Spending

REQUEST = ModelRequest((Message("user", "hello"),))


class SlowModel:
    """Never answers."""

    name, host, context_tokens = "slow", "recorded", 1000

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def complete(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
        del request, on_delta
        self.asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def close(self) -> None: ...


def logged(
    model: Model, budget: Budget | None = None, spending: Spending | None = None
) -> tuple[LoggedModel, list[Event], MemoryBlobs]:
    log: list[Event] = []
    blobs = MemoryBlobs()
    asked = LoggedModel(
        model,
        log.append,
        blobs,
        role="executor",
        step_id="s1",
        budget=budget,
        spending=spending,
        request_context={"a.py": 12},
    )
    return asked, log, blobs


async def test_request_and_reply_are_on_the_record() -> None:
    reply = ModelReply("Hi.", usage=Usage(10, 2, counted=True), cost_usd=0.5)
    spending = Spending()
    asked, log, blobs = logged(ScriptedModel(reply), spending=spending)
    streamed: list[str] = []

    assert await asked.complete(REQUEST, streamed.append) == reply

    requested, replied = log
    assert isinstance(requested, ModelRequested)
    assert isinstance(replied, ModelReplied)
    assert (requested.model, requested.host, requested.step_id) == ("scripted", "recorded", "s1")
    assert requested.context == {"a.py": 12}
    assert requested.size_bytes > len("hello")
    assert replied.request_id == requested.request_id
    assert (replied.text, replied.tokens_in, replied.tokens_out) == ("Hi.", 10, 2)
    assert json.loads(blobs.get(replied.reply)) == {"text": "Hi.", "calls": [], "finish": "stop"}
    assert spending == Spending(tokens=12, usd=0.5)
    assert "".join(streamed) == "Hi."


async def test_a_tool_call_is_kept_whole_and_a_long_text_is_cut_for_display() -> None:
    asked, log, blobs = logged(ScriptedModel(calling("shell", command="ls"), "x" * 5_000))

    await asked.complete(REQUEST)
    await asked.complete(REQUEST)

    first, second = (event for event in log if isinstance(event, ModelReplied))
    assert first.tool_calls == 1
    assert json.loads(blobs.get(first.reply))["calls"][0]["name"] == "shell"
    assert len(second.text) == 4_000
    assert len(json.loads(blobs.get(second.reply))["text"]) == 5_000


async def test_a_failure_is_on_the_record_and_passed_on() -> None:
    asked, log, _ = logged(ScriptedModel(ModelBusyError("429 from example")))

    with pytest.raises(ModelBusyError):
        await asked.complete(REQUEST)

    assert isinstance(log[-1], ModelFailed)
    assert log[-1].reason == "429 from example"


async def test_a_cancelled_request_is_on_the_record() -> None:
    slow = SlowModel()
    asked, log, _ = logged(slow)
    task = asyncio.create_task(asked.complete(REQUEST))
    await slow.asked.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert isinstance(log[-1], ModelFailed)
    assert log[-1].reason == "cancelled"


async def test_tokens_are_estimated_where_the_server_counts_none() -> None:
    spending = Spending()
    asked, _, _ = logged(ScriptedModel("word " * 100), spending=spending)

    await asked.complete(REQUEST)

    assert spending.estimated
    assert 100 < spending.tokens < 200


@pytest.mark.parametrize(
    ("budget", "spent", "cap"),
    [
        (Budget(max_turns=0), Spending(), "turns"),
        (Budget(max_tokens=100), Spending(tokens=100), "tokens"),
        (Budget(max_usd=1.5), Spending(usd=1.5), "usd"),
        (Budget(max_seconds=0), Spending(), "seconds"),
    ],
)
async def test_at_a_cap_nothing_is_sent(budget: Budget, spent: Spending, cap: str) -> None:
    model = ScriptedModel("never")
    asked, log, _ = logged(model, budget, spent)

    with pytest.raises(BudgetError, match=rf"{cap}.*raise `max_{cap}`"):
        await asked.complete(REQUEST)

    assert not model.requests
    assert len(log) == 1
    assert isinstance(log[0], BudgetReached)
    assert log[0].cap == cap == asked.cap_reached


async def test_the_time_cap_stops_a_request_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking_models, "time", StandingClock())  # the cap is never over before
    asked, log, _ = logged(SlowModel(), Budget(max_seconds=0.05))

    with pytest.raises(BudgetError, match="seconds"):
        await asked.complete(REQUEST)

    assert [type(event) for event in log] == [ModelRequested, ModelFailed, BudgetReached]


async def test_time_a_person_took_does_not_count() -> None:
    asked, _, _ = logged(ScriptedModel("ok"), Budget(max_seconds=0))

    asked.grant_seconds(60)

    assert (await asked.complete(REQUEST)).text == "ok"


async def test_a_servers_own_timeout_is_not_taken_for_the_cap() -> None:
    def gives_up(request: ModelRequest) -> str:
        raise TimeoutError(str(len(request.messages)))

    asked, log, _ = logged(ScriptedModel(gives_up))

    with pytest.raises(TimeoutError):
        await asked.complete(REQUEST)

    assert isinstance(log[-1], ModelFailed)


async def test_the_wrapper_is_a_model_itself() -> None:
    model = ScriptedModel()
    asked, _, _ = logged(model)

    assert (asked.name, asked.host, asked.context_tokens) == ("scripted", "recorded", 32_000)
    await asked.close()
    assert model.closed
