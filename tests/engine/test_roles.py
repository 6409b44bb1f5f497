"""Planner and runner of a run: what they hand on, and what the user's rules forbid."""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path

import pytest

from tests.fakes import FolderStage, MemoryBlobs, ScriptedModel, calling
from tests.session_fakes import MemoryEventStore
from turbo_tui.core import events as ev
from turbo_tui.core.command import Command
from turbo_tui.core.errors import ToolError, UsageError
from turbo_tui.core.models import Message, ModelReply, ModelRequest
from turbo_tui.core.plan import Action, Step
from turbo_tui.core.policy import Rule
from turbo_tui.core.ports import Ask
from turbo_tui.core.session import Session
from turbo_tui.core.views import Views
from turbo_tui.engine.approval import Approve, Asks, ConsentedModel
from turbo_tui.engine.live import Live
from turbo_tui.engine.redacting import RedactedBlobs
from turbo_tui.engine.roles import ModelPlanner, Setting, ToolRunner
from turbo_tui.engine.rules import by_rules
from turbo_tui.tools.catalogue import FOR_MODELS, builtin_tools


class Bench:
    """A setting with a log in memory."""

    def __init__(self, *rules: Rule, approve: Approve = "none") -> None:
        ticks = count(1)
        self.store = MemoryEventStore("s")
        self.session = Session(self.store, clock=lambda: float(next(ticks)))
        self.views = Views()
        self.session.subscribe(self.views.apply)
        self.rules = by_rules(rules, "/ws")
        self.asks = Asks(self.session.append, approve=approve, rules=self.rules)
        self.live = Live()
        self.heard: list[tuple[str, str]] = []
        self.live.listen(lambda source, text: self.heard.append((source, text)))
        self.setting = Setting(
            session=self.session,
            workspace=Path("/ws"),
            blobs=MemoryBlobs(),
            asks=self.asks,
            live=self.live,
            brief=self._brief,
            retrieve=self._retrieve,
            rules=self.rules,
        )

    async def _brief(self) -> str:
        return "A Python package."

    async def _retrieve(self, task: str, pinned: tuple[str, ...]) -> dict[str, str]:
        return {"a.py": f"# {task} {pinned}"}

    def runner(self, model: ScriptedModel | None) -> ToolRunner:
        return ToolRunner(lambda _: model, builtin_tools(), FOR_MODELS, self.setting)

    def events(self, kind: type[ev.Event]) -> list[ev.Event]:
        return [r.event for r in self.store.records if isinstance(r.event, kind)]


PLAN = '{"steps": [{"id": "s1", "title": "one", "intent": "do it"}]}'


async def test_the_planner_is_given_the_brief_and_what_was_found() -> None:
    bench, model = Bench(), ScriptedModel(PLAN)

    plan = await ModelPlanner(model, bench.setting).plan("fix it", pinned=("b.py",), done=())

    asked = "\n".join(message.text for message in model.requests[0].messages)
    assert "A Python package." in asked
    assert "# fix it ('b.py',)" in asked
    assert [step.title for step in plan.steps] == ["one"]
    assert {source for source, _ in bench.heard} == {"planner"}


async def test_an_executor_is_given_pinned_and_expected_files(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("pinned = 1\n")
    (tmp_path / "b.py").write_text("expected = 1\n")
    (tmp_path / "c.bin").write_bytes(b"\0\1")
    bench, model = Bench(), ScriptedModel("Nothing to do.")
    bench.session.append(ev.TaskGiven("t", ("a.py", "c.bin")))
    step = Step("s1", "one", files=("b.py", "missing.py"))

    await bench.runner(model).run(step, FolderStage(tmp_path), feedback="", history=bench.views)

    asked = "\n".join(message.text for message in model.requests[0].messages)
    assert "pinned = 1" in asked
    assert "expected = 1" in asked
    (request,) = bench.events(ev.ModelRequested)
    assert isinstance(request, ev.ModelRequested)
    assert set(request.context or {}) == {"a.py", "b.py"}


DENY = Rule("deny", "command", ("rm",), source="config.toml")


async def test_a_denied_command_does_not_run_and_the_model_is_told(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("")
    bench = Bench(DENY)
    model = ScriptedModel(calling("shell", command="rm kept"), "I cannot.")

    await bench.runner(model).run(
        Step("s1", "one"), FolderStage(tmp_path), feedback="", history=bench.views
    )

    assert (tmp_path / "kept").exists()
    told = model.requests[1].messages[-1].text
    assert "not allowed here: denied by rule: deny command rm" in told
    assert bench.events(ev.CommandRequested) != []
    (answer,) = bench.events(ev.ApprovalAnswered)
    assert isinstance(answer, ev.ApprovalAnswered)
    assert answer.answer == "no"


async def test_an_ask_rule_asks_and_a_granted_command_runs(tmp_path: Path) -> None:
    (tmp_path / "gone").write_text("")
    bench = Bench(Rule("ask", "command", ("rm",)), approve="all")
    step = Step("s1", "one", actions=(Action("shell", {"command": "rm gone"}),))

    result = await bench.runner(None).run(
        step, FolderStage(tmp_path), feedback="", history=bench.views
    )

    assert result.ok
    assert not (tmp_path / "gone").exists()
    assert len(bench.events(ev.ApprovalAsked)) == 1


async def test_consent_is_asked_once_and_remembered() -> None:
    class Known:
        hosts: dict[str, str] = {}  # noqa: RUF012

        def has(self, host: str) -> bool:
            return host in self.hosts

        def give(self, host: str, what: str) -> None:
            self.hosts[host] = what

    bench, known = Bench(approve="all"), Known()
    inner = ScriptedModel("one", "two", host="ollama.com")
    model = ConsentedModel(inner, known, bench.asks, "the task")
    request = request_of("hello")

    await model.complete(request)
    await model.complete(request)

    assert known.hosts == {"ollama.com": "the task"}
    assert len(bench.events(ev.ApprovalAsked)) == 1
    assert (model.name, model.host, model.context_tokens) == ("scripted", "ollama.com", 32_000)
    await model.close()
    assert inner.closed


def request_of(text: str) -> ModelRequest:
    return ModelRequest((Message("user", text),))


async def test_without_consent_nothing_is_sent() -> None:
    class Unknown:
        def has(self, host: str) -> bool:
            return False

        def give(self, host: str, what: str) -> None:
            raise AssertionError(host)

    bench, inner = Bench(approve="none"), ScriptedModel(ModelReply("never"))

    with pytest.raises(Exception, match="Nothing was sent to recorded"):
        await ConsentedModel(inner, Unknown(), bench.asks, "x").complete(request_of("hello"))

    assert inner.requests == []
    assert bench.asks.refused_by_mode


async def test_an_answer_for_the_step_holds_for_equal_asks_of_that_step() -> None:

    bench = Bench(approve="ask")
    ask = Ask("network", "curl x", "needs it", "s1", ("once", "step", "no"))
    first = asyncio.ensure_future(bench.asks.ask(ask))
    await asyncio.sleep(0)  # let it put its question
    (waiting,) = bench.views.asks.waiting

    bench.asks.answer(waiting, "step")

    assert (await first).allowed
    assert (await bench.asks.ask(ask)).allowed
    other = asyncio.ensure_future(bench.asks.ask(Ask("network", "curl x", "", "s2")))
    await asyncio.sleep(0)
    (second,) = bench.views.asks.waiting
    bench.asks.answer(second, "no", "not now")
    assert (await other).feedback == "not now"
    with pytest.raises(UsageError, match="no longer waits"):
        bench.asks.answer(second, "once")


async def test_a_cancelled_ask_is_closed_in_the_log() -> None:

    bench = Bench(approve="ask")
    asking = asyncio.ensure_future(bench.asks.ask(Ask("commit", "git commit", "")))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    assert bench.views.asks.waiting == {}


def test_kept_replies_hold_no_secret(tmp_path: Path) -> None:
    inner = MemoryBlobs()
    blobs = RedactedBlobs(inner, lambda text: text.replace("s3cret", "[redacted]"))
    (tmp_path / "log").write_bytes(b"key s3cret \xff")

    kept = blobs.put_file(tmp_path / "log")
    blobs.copy_to(kept, tmp_path / "copy")

    assert blobs.get(kept) == b"key [redacted] \xff"
    assert (tmp_path / "copy").read_bytes() == b"key [redacted] \xff"


async def test_a_check_of_what_was_accepted_obeys_the_rules_and_is_in_the_log(
    tmp_path: Path,
) -> None:
    bench = Bench(DENY)
    stage = bench.runner(None).on_record("s1", FolderStage(tmp_path), bench.views)

    await stage.run(Command(("true",)))
    with pytest.raises(ToolError, match="not allowed here"):
        await stage.run(Command(("rm", "-r", "x")))

    (first, *_) = bench.events(ev.CommandRequested)
    assert isinstance(first, ev.CommandRequested)
    assert (first.step_id, first.argv) == ("s1", ("true",))
