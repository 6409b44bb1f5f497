"""Carrying out a step: by fixed actions, or by a model in a tool loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import pytest

from tests.fakes import (
    FolderStage,
    MemoryBlobs,
    ScriptedAsker,
    ScriptedModel,
    StandingClock,
    calling,
)
from turbo_tui.core.errors import (
    ContextTooLongError,
    ModelError,
    ModelUnreachableError,
    SandboxError,
    ToolError,
)
from turbo_tui.core.events import (
    BudgetReached,
    CheckFinished,
    CommandFinished,
    Event,
    ModelRequested,
    ToolCalled,
    ToolFinished,
)
from turbo_tui.core.models import Model, ModelReply, ModelRequest, ToolCall, ToolSpec
from turbo_tui.core.plan import Action, Step
from turbo_tui.core.ports import Ask, Asker, Tool, ToolContext, Verdict
from turbo_tui.engine import asking_models, step_clock
from turbo_tui.engine.asking_models import Budget, Spending
from turbo_tui.engine.executor import StepOutcome, run_step
from turbo_tui.engine.tool_calls import calls_in_text
from turbo_tui.engine.tool_loop import MOST_CALLS
from turbo_tui.tools.catalogue import FOR_MODELS, builtin_tools

E = TypeVar("E", bound=Event)


class Bench:
    """A folder, a log and all tools, to run steps on."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.stage = FolderStage(root)
        self.asker: Asker = ScriptedAsker()
        self.log: list[Event] = []
        self.blobs = MemoryBlobs()
        self.tools: dict[str, Tool] = builtin_tools(FOR_MODELS)
        self.streamed: list[tuple[str, str]] = []
        self.budget = Budget()
        self.spending = Spending()
        self.feedback = self.history = self.brief = ""
        self.pinned: Mapping[str, str] = {}

    async def run(self, step: Step, model: Model | None = None) -> StepOutcome:
        return await run_step(
            step,
            model=model,
            stage=self.stage,
            tools=self.tools,
            context=ToolContext(self.stage, self.asker, self.root),
            append=self.log.append,
            blobs=self.blobs,
            budget=self.budget,
            spending=self.spending,
            brief=self.brief,
            pinned=self.pinned,
            feedback=self.feedback,
            history=self.history,
            on_output=lambda command_id, text: self.streamed.append((command_id, text)),
        )

    def events(self, kind: type[E]) -> list[E]:
        return [event for event in self.log if isinstance(event, kind)]


@pytest.fixture(name="bench")
def _bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def do(tool: str, /, **arguments: object) -> Action:
    return Action(tool, arguments)


STEP = Step("s1", "Add a greeting", "Write hello.txt")


# --- fixed actions -------------------------------------------------------------------


async def test_actions_are_carried_out_in_order_without_a_model(bench: Bench) -> None:
    step = Step(
        "s1",
        "Do it",
        actions=(
            do("write_file", path="a", content="x\n"),
            do("edit_file", path="a", old="x", new="y"),
            do("shell", command="cat a"),
        ),
        checks=(("grep", "y", "a"),),
    )

    outcome = await bench.run(step, ScriptedModel())

    assert outcome.ok
    assert outcome.checks_passed
    assert outcome.summary.endswith("exit code 0\ny")
    assert [event.tool for event in bench.events(ToolCalled)] == [
        "write_file",
        "edit_file",
        "shell",
    ]
    assert all(event.ok for event in bench.events(ToolFinished))
    assert {event.step_id for event in bench.events(ToolCalled)} == {"s1"}
    assert [output for _, output in bench.streamed] == ["y\n", "y\n"]


async def test_an_action_that_cannot_be_done_fails_the_step_and_stops(bench: Bench) -> None:
    step = Step(
        "s1",
        "Do it",
        actions=(
            do("write_file", path="a", content="x"),
            do("delete_file", path="b"),
            do("write_file", path="c", content="x"),
        ),
        checks=(("true",),),
    )

    outcome = await bench.run(step)

    assert not outcome.ok
    assert outcome.reason == "Action 2 of 3 delete_file: There is no file 'b'."
    assert not (bench.root / "c").exists()
    assert not bench.events(CheckFinished)


async def test_what_actions_say_is_cut_in_the_summary(bench: Bench) -> None:
    outcome = await bench.run(Step("s1", "x", actions=(do("shell", command="seq 1 9999"),)))

    assert len(outcome.summary) <= 8_000
    assert outcome.summary.endswith("9999")


async def test_an_action_of_an_unknown_tool_fails_the_step(bench: Bench) -> None:
    outcome = await bench.run(Step("s1", "Do it", actions=(do("teleport"),)))

    assert "There is no tool 'teleport'" in outcome.reason


async def test_a_failing_check_fails_a_step_of_actions(bench: Bench) -> None:
    step = Step(
        "s1",
        "Do it",
        actions=(do("write_file", path="a.py", content="raise SystemExit(2)\n"),),
        checks=(("python3", "a.py"), ("true",)),
    )

    outcome = await bench.run(step)

    assert not outcome.ok
    assert not outcome.checks_passed
    assert outcome.reason == "A check failed: `python3 a.py` failed (exit 2)."
    assert [event.passed for event in bench.events(CheckFinished)] == [False, True]


async def test_without_model_and_actions_the_way_to_one_is_named(bench: Bench) -> None:
    with pytest.raises(ModelError, match=r"'Add a greeting' needs an executor model.*\[executor\]"):
        await bench.run(STEP)

    assert not bench.log


# --- the tool loop -------------------------------------------------------------------


async def test_a_model_works_with_tools_until_it_answers(bench: Bench) -> None:
    model = ScriptedModel(
        calling("write_file", path="hello.txt", content="hi\n"),
        calling("shell", command="cat hello.txt"),
        "Wrote hello.txt.",
    )
    bench.brief, bench.history, bench.feedback = "A toy.", "1. Before: landed", "shorter please"
    bench.pinned = {"pinned.py": "x = 1\n"}

    outcome = await bench.run(
        Step("s1", "Greet", "Write it", checks=(("test", "-f", "hello.txt"),)), model
    )

    assert outcome == StepOutcome(ok=True, summary="Wrote hello.txt.", checks_passed=True)
    assert (bench.root / "hello.txt").read_text() == "hi\n"
    first, _, third = model.requests
    assert {spec.name for spec in first.tools} == set(FOR_MODELS)
    question = first.messages[1].text
    for part in ("A toy.", "1. Before: landed", "===== file pinned.py", "Greet\n\nWrite it"):
        assert part in question
    assert '["test", "-f", "hello.txt"]' in question
    assert question.endswith("They said:\nshorter please")
    told = third.messages[-1]
    assert (told.role, told.tool, told.call_id) == ("tool", "shell", "call-shell")
    assert told.text == "exit code 0\nhi"
    assert third.messages[-2].calls[0].call_id == "call-shell"
    assert bench.events(ModelRequested)[0].context == {"pinned.py": 6}
    assert bench.events(CommandFinished)[0].output == "hi\n"


async def test_parallel_calls_run_in_order_and_are_answered_each(bench: Bench) -> None:
    calls = (
        ToolCall("c1", "write_file", json.dumps({"path": "a", "content": "1"})),
        ToolCall("c2", "write_file", json.dumps({"path": "a", "content": "2"})),
        ToolCall("", "read_file", json.dumps({"path": "a"})),
    )
    model = ScriptedModel(ModelReply("", calls=calls), "Done.")

    await bench.run(STEP, model)

    answers = model.requests[1].messages[-3:]
    assert [answer.call_id for answer in answers[:2]] == ["c1", "c2"]
    assert answers[2].call_id
    assert answers[2].text == "1| 2"
    assert model.requests[1].messages[-4].calls[2].call_id == answers[2].call_id
    ids = [event.call_id for event in bench.events(ToolCalled)]
    assert len(set(ids)) == 3
    assert [event.call_id for event in bench.events(ToolFinished)] == ids


async def test_what_goes_wrong_with_a_call_is_told_to_the_model(bench: Bench) -> None:
    broken = ToolCall("c1", "write_file", '{"path": "a", "content": ')
    model = ScriptedModel(
        calling("fly"),
        ModelReply("", calls=(broken,)),
        calling("read_file", path="none.py"),
        "I could not.",
    )

    outcome = await bench.run(STEP, model)

    assert outcome.ok
    told = [message.text for message in model.requests[-1].messages if message.role == "tool"]
    assert told[0].startswith("Error: There is no tool 'fly'. The tools are: delete_file")
    assert told[1].startswith("Error: The arguments of write_file are not a JSON object: ")
    assert told[2] == "Error: There is no file 'none.py'."
    assert [event.ok for event in bench.events(ToolFinished)] == [False, False, False]
    assert len(bench.events(ToolCalled)) == 3


@pytest.mark.parametrize(
    "arguments",
    [
        "{'path': 'a', 'content': 'x'}",
        '{"path": "a", "content": "x",}',
        '```json\n{"path": "a", "content": "x"}\n```',
    ],
)
async def test_slips_in_arguments_are_mended(bench: Bench, arguments: str) -> None:
    call = ToolCall("c1", "write_file", arguments)

    await bench.run(STEP, ScriptedModel(ModelReply("", calls=(call,)), "Done."))

    assert (bench.root / "a").read_text() == "x"


async def test_empty_arguments_are_none(bench: Bench) -> None:
    (bench.root / "a").write_text("")
    model = ScriptedModel(ModelReply("", calls=(ToolCall("c1", "list_files", " "),)), "Done.")

    await bench.run(STEP, model)

    assert model.requests[1].messages[-1].text == "        0  a"


async def test_calls_written_as_text_are_understood(bench: Bench) -> None:
    model = ScriptedModel(
        '```json\n{"name": "write_file", "arguments": {"path": "a", "content": "x"}}\n```',
        'So:\n<tool_call>\n{"name": "read_file", "arguments": {"path": "a"}}\n</tool_call>',
        'The config is {"name": "x"} now.',
    )

    outcome = await bench.run(STEP, model)

    assert outcome.summary == 'The config is {"name": "x"} now.'
    assert model.requests[2].messages[-1].text == "1| x"
    assert [event.tool for event in bench.events(ToolCalled)] == ["write_file", "read_file"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('{"name": "shell", "arguments": {"command": "ls"}}', ["shell"]),
        ('{"tool": "shell", "parameters": {"command": "ls"}}', ["shell"]),
        ('{"name": "shell", "command": "ls"}', ["shell"]),
        ('{"name": "shell", "arguments": "{\\"command\\": \\"ls\\"}"}', ["shell"]),
        ('{"name": "other", "arguments": {}}', []),
        ('{"name": "shell"', []),
        ("<tool_call>not json</tool_call>", []),
        ('Use {"name": "shell", "arguments": {}} for that.', []),
        ("Done.", []),
    ],
)
def test_only_calls_of_known_tools_are_read_from_text(text: str, names: list[str]) -> None:
    calls = calls_in_text(text, {"shell"})

    assert [call.name for call in calls] == names
    if calls and "ls" in text:
        assert json.loads(calls[0].arguments) == {"command": "ls"}


async def test_the_same_failing_call_three_times_ends_the_step(bench: Bench) -> None:
    model = ScriptedModel(*[calling("read_file", path="none") for _ in range(3)])

    outcome = await bench.run(STEP, model)

    assert not outcome.ok
    assert outcome.reason.startswith("The model made the same failing call 3 times: read_file")
    assert "There is no file 'none'" in outcome.reason


async def test_a_call_that_works_in_between_clears_its_count(bench: Bench) -> None:
    read = calling("read_file", path="a")
    model = ScriptedModel(
        read,
        read,
        calling("write_file", path="a", content="x"),
        read,
        calling("delete_file", path="a"),
        read,
        "Done.",
    )

    assert (await bench.run(STEP, model)).ok


async def test_empty_answers_are_asked_again_and_then_end_the_step(bench: Bench) -> None:
    model = ScriptedModel("", calling("write_file", path="a", content="x"), "", "", "  ")

    outcome = await bench.run(STEP, model)

    assert "answered 3 times without a tool call" in outcome.reason
    assert "Your answer was empty" in model.requests[1].messages[-1].text
    assert all(
        message.text or message.calls for request in model.requests for message in request.messages
    )


async def test_a_cut_off_answer_is_continued_in_smaller_pieces(bench: Bench) -> None:
    broken = ToolCall("c1", "write_file", '{"path": "a", "content": "xx')
    model = ScriptedModel(
        ModelReply("I will now", finish="length"),
        ModelReply("", calls=(broken,), finish="length"),
        "Done.",
    )

    outcome = await bench.run(STEP, model)

    assert outcome.summary == "Done."
    for request in model.requests[1:]:
        assert "cut off at the length limit" in request.messages[-1].text


async def test_long_tool_output_is_cut_for_the_model_and_kept_whole(bench: Bench) -> None:
    class Talker:
        spec = ToolSpec("talk", "Talk.", {"type": "object"})

        async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
            del arguments, context
            return "word " * 10_000

    bench.tools["talk"] = Talker()
    model = ScriptedModel(calling("talk"), "Done.")

    await bench.run(STEP, model)

    finished = bench.events(ToolFinished)[0]
    assert len(model.requests[1].messages[-1].text) <= 30_000
    assert len(finished.output) <= 16_000
    assert bench.blobs.get(finished.full) == b"word " * 10_000


# --- asking the user -----------------------------------------------------------------


async def test_questions_carry_the_step_and_a_refusal_goes_to_the_model(bench: Bench) -> None:
    asked: list[Ask] = []

    async def asker(question: Ask) -> Verdict:
        asked.append(question)
        return Verdict(allowed=False, feedback="offline today")

    bench.asker = asker
    model = ScriptedModel(calling("shell", command="curl x", network=True), "No network.")

    await bench.run(STEP, model)

    assert asked[0].step_id == "s1"
    assert "offline today" in model.requests[1].messages[-1].text
    assert not bench.stage.ran


# --- checks and repair ---------------------------------------------------------------


async def test_a_failing_check_is_given_back_and_repaired(bench: Bench) -> None:
    model = ScriptedModel(
        calling("write_file", path="a.py", content="x = 1 / 0\n"),
        "Done.",
        calling("edit_file", path="a.py", old="1 / 0", new="1"),
        "Repaired.",
    )

    outcome = await bench.run(Step("s1", "Write", checks=(("python3", "a.py"),)), model)

    assert outcome == StepOutcome(ok=True, summary="Repaired.", checks_passed=True)
    given = model.requests[2].messages[-1].text
    assert "`python3 a.py` failed (exit 1) at a.py:1" in given
    assert "ZeroDivisionError" in given
    checks = bench.events(CheckFinished)
    assert [(check.passed, check.failures) for check in checks] == [
        (False, ("a.py:1",)),
        (True, ()),
    ]


async def test_after_two_repairs_the_step_fails_with_the_places(bench: Bench) -> None:
    (bench.root / "a.py").write_text("x = 1 / 0\n")
    model = ScriptedModel("Done.", "Still.", "Still not.")

    outcome = await bench.run(Step("s1", "Write", checks=(("python3", "a.py"),)), model)

    assert not outcome.ok
    assert outcome.reason == "A check failed: `python3 a.py` failed (exit 1) at a.py:1."
    assert outcome.summary == "Still not."
    assert len(bench.events(CheckFinished)) == 3


async def test_the_run_checks_tool_runs_the_steps_own_checks(bench: Bench) -> None:
    model = ScriptedModel(calling("run_checks"), "Done.")

    await bench.run(Step("s1", "Look", checks=(("true",),)), model)

    assert model.requests[1].messages[-1].text == "passed: true"


# --- bounds --------------------------------------------------------------------------


async def test_a_cap_ends_the_step_and_is_named(bench: Bench) -> None:
    bench.budget = Budget(max_turns=2)
    (bench.root / "a").write_text("x")
    model = ScriptedModel(*[calling("read_file", path="a") for _ in range(3)])

    outcome = await bench.run(STEP, model)

    assert not outcome.ok
    assert outcome.cap == "turns"
    assert "cap of 2 turns" in outcome.reason
    assert len(model.requests) == 2
    assert bench.events(BudgetReached)[0].step_id == "s1"


async def test_tokens_are_counted_over_steps(bench: Bench) -> None:
    bench.budget = Budget(max_tokens=200)

    first = await bench.run(STEP, ScriptedModel("Done."))
    second = await bench.run(STEP, ScriptedModel("Done."))

    assert first.ok
    assert second.cap == "tokens"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> StandingClock:
    """What a step counts its time by; a command that hangs is cut off in real time."""
    clock = StandingClock()
    for module in (asking_models, step_clock):
        monkeypatch.setattr(module, "time", clock)
    return clock


async def test_the_time_cap_stops_a_command_and_not_the_users_thinking(
    bench: Bench, clock: StandingClock
) -> None:
    bench.budget = Budget(max_seconds=1.0)

    async def slow_asker(question: Ask) -> Verdict:
        with contextlib.suppress(TimeoutError):  # thinks for longer than the cap
            await asyncio.wait_for(asyncio.Event().wait(), 1.2)
        clock.now += 60  # the first command takes as long as it likes
        return Verdict(allowed=bool(question))

    bench.asker = slow_asker
    model = ScriptedModel(
        calling("shell", command="echo asked", network=True), calling("shell", command="sleep 60")
    )

    outcome = await bench.run(STEP, model)

    assert outcome.cap == "seconds"
    assert [event.ended for event in bench.events(CommandFinished)] == ["exited", "cancelled"]
    assert bench.events(ToolFinished)[-1].output == "cancelled"


@pytest.mark.usefixtures("clock")
async def test_the_time_cap_stops_a_check(bench: Bench) -> None:
    bench.budget = Budget(max_seconds=0.2)

    outcome = await bench.run(Step("s1", "x", checks=(("sleep", "60"),)), ScriptedModel("Done."))

    assert outcome.cap == "seconds"
    assert outcome.summary == "Done."


async def test_a_conversation_that_outgrows_the_window_ends_the_step_whole(bench: Bench) -> None:
    (bench.root / "a").write_text("word " * 100)
    reads = [calling("read_file", path="a", start_line=1) for _ in range(4)]
    model = ScriptedModel(*reads, ContextTooLongError("8192 tokens at most."))

    outcome = await bench.run(STEP, model)

    assert not outcome.ok
    assert "outgrew the window of scripted" in outcome.reason
    assert "8192 tokens at most. Its work is kept: go on from it" in outcome.reason
    asked = [[message.text for message in request.messages] for request in model.requests]
    assert all(later[: len(earlier)] == earlier for earlier, later in pairwise(asked))


async def test_a_small_window_is_heeded_before_the_server_cuts_silently(bench: Bench) -> None:
    (bench.root / "a").write_text(("word " * 20 + "\n") * 50)
    reads = [calling("read_file", path="a") for _ in range(9)]
    model = ScriptedModel(*reads, "Done.", context_tokens=8_000)

    outcome = await bench.run(STEP, model)

    assert not outcome.ok
    assert "it would need about" in outcome.reason
    assert model.replies, "it was not asked again"


async def test_a_tool_answer_takes_only_its_share_of_a_small_window(bench: Bench) -> None:
    (bench.root / "a").write_text(("word " * 20 + "\n") * 500)
    model = ScriptedModel(calling("read_file", path="a"), "Done.", context_tokens=8_000)

    assert (await bench.run(STEP, model)).ok

    (told,) = [m.text for m in model.requests[-1].messages if m.role == "tool"]
    assert len(told) <= 8_000 * 3.6 * 0.15 + 100


# --- ends that are not the model's -----------------------------------------------------


async def test_an_unreachable_model_is_passed_on(bench: Bench) -> None:
    with pytest.raises(ModelUnreachableError):
        await bench.run(STEP, ScriptedModel(ModelUnreachableError("refused")))


async def test_a_broken_sandbox_is_passed_on_with_its_call_closed(bench: Bench) -> None:
    class Broken:
        spec = ToolSpec("broken", "Break.", {"type": "object"})

        async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
            del arguments, context
            raise SandboxError("bwrap is gone")

    bench.tools["broken"] = Broken()

    with pytest.raises(SandboxError):
        await bench.run(STEP, ScriptedModel(calling("broken")))

    assert bench.events(ToolFinished)[0].output == "bwrap is gone"


async def test_cancelling_stops_the_command_and_closes_the_record(bench: Bench) -> None:
    running = asyncio.Event()

    class Waiter:
        spec = ToolSpec("wait", "Wait.", {"type": "object"})

        async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
            del arguments, context
            running.set()
            await asyncio.Event().wait()
            raise ToolError("never")

    bench.tools["wait"] = Waiter()
    task = asyncio.create_task(bench.run(STEP, ScriptedModel(calling("wait"))))
    await running.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    finished = bench.events(ToolFinished)[0]
    assert (finished.ok, finished.output) == (False, "cancelled")
    assert not bench.stage.closed


async def test_a_model_can_call_only_what_it_was_offered(bench: Bench) -> None:
    def offered(request: ModelRequest) -> str:
        return ", ".join(spec.name for spec in request.tools)

    outcome = await run_step(
        STEP,
        model=ScriptedModel(calling("write_file", path="a", content="x"), offered),
        stage=bench.stage,
        tools=bench.tools,
        context=ToolContext(bench.stage, bench.asker, bench.root),
        append=bench.log.append,
        blobs=bench.blobs,
        offered=("read_file",),
    )

    assert outcome.summary == "read_file"
    assert bench.events(ToolFinished)[0].output == (
        "There is no tool 'write_file'. The tools are: read_file."
    )
    assert not (bench.root / "a").exists()


async def test_a_flood_of_calls_in_one_reply_is_cut_and_said(bench: Bench) -> None:
    flood = tuple(ToolCall(f"c{n}", "list_files", "{}") for n in range(MOST_CALLS + 3))
    model = ScriptedModel(ModelReply("", calls=flood), "I stop.")

    assert (await bench.run(Step("s1", "one"), model)).ok

    assert len(bench.events(ToolCalled)) == MOST_CALLS
    assert "3 tool calls too many" in model.requests[1].messages[-1].text
