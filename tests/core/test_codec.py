from __future__ import annotations

import json
from dataclasses import dataclass
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turbo_tui.core import codec, events
from turbo_tui.core.codec import canonical, decode, encode, kind_of, kinds, record_line
from turbo_tui.core.command import CommandUsage
from turbo_tui.core.errors import SessionError
from turbo_tui.core.events import Event
from turbo_tui.core.plan import Action, Step
from turbo_tui.core.ports import Record

STEP = Step(
    "1",
    "Rename greet",
    depends_on=("0",),
    mode="auto",
    checks=(("pytest", "-q"), ("ruff", "check")),
    actions=(Action("write", {"path": "a", "lines": [1, 2.5, None, {"deep": True}]}),),
)

SAMPLES: list[Event] = [
    events.SessionStarted("7f3a", "/w", "turbo-tui 0.1"),
    events.RunFinished(
        "done", "7f3a", ("a.py",), ({"id": "1", "title": "t", "status": "landed"},), {"in": 3}
    ),
    events.PlanProposed("task", "built-in", (STEP,)),
    events.StepAdded(STEP, 0),
    events.LandingRefused("1", {"a.py": "changed"}),
    events.TurnRefused("undo 1-a", "undo", "1", "1-a", {"a.py": "changed"}, "ab", {"a.py": 1}),
    events.TurnDropped("undo 1-a"),
    events.HunkDecided("1", "ab", "na\udcffme", -1, accepted=False),
    events.LinesDecided("1", "ab", "a.py", 2, (0, 3), accepted=True),
    events.HunkEdited("1", "ab", "na\udcffme", 0, "cd"),
    events.ContentEdited("1", "ab", "a.py", ""),
    events.LineCommented("1", "ab", "a.py", 12, "old", "why [not] this?"),
    events.VerifyStarted("1", "ab", "cd", "7f3a-1-1-verify"),
    events.VerifyFinished("1", "cd", passed=False, failures=("`make` failed",)),
    events.CheckFinished("1", ("make",), passed=True, selected="cd"),
    events.CommandFinished("c", 0, "exited", "[x] \x00 ü \U0001f600", 1.0, held={"net": True}),
    events.CommandRequested("c", "1", ("make",), "hosts", ("network: pypi.org", "ptrace")),
    events.CommandFinished("c", 1, "limit", "", 2.5, rung="r", usage=CommandUsage(0.5, 7, None, 2)),
    events.BudgetReached("1", "money", 5),
]


def through_json(event: Event) -> Event:
    return decode(kind_of(event), event.v, json.loads(canonical(encode(event))))


@pytest.mark.parametrize("event", SAMPLES, ids=kind_of)
def test_an_event_survives_json(event: Event) -> None:
    assert through_json(event) == event


names = st.text(st.characters(codec=None), max_size=20)


@given(
    st.one_of(
        st.builds(
            events.LinesDecided,
            *(names, names, names, st.integers(), st.lists(st.integers()).map(tuple)),
            accepted=st.booleans(),
        ),
        st.builds(events.HunkEdited, names, names, names, st.integers(), names),
        st.builds(events.ContentEdited, names, names, names, names),
        st.builds(
            events.LineCommented,
            *(names, names, names, st.integers(), st.sampled_from(["old", "new"]), names),
        ),
        st.builds(events.VerifyStarted, names, names, names, names),
        st.builds(
            events.VerifyFinished,
            *(names, names, st.booleans(), st.lists(names).map(tuple), names),
        ),
    )
)
def test_any_decision_of_a_review_survives_json(event: Event) -> None:
    assert through_json(event) == event


def test_commands_of_older_logs_are_read() -> None:
    asked = decode("CommandRequested", 1, {"command_id": "c", "step_id": "1", "argv": ["make"]})
    ended = {"command_id": "c", "exit_code": 0, "ended": "exited", "output": "", "duration_s": 1.0}

    assert asked == events.CommandRequested("c", "1", ("make",), grants=())
    assert decode("CommandFinished", 1, ended) == events.CommandFinished("c", 0, "exited", "", 1.0)


def test_every_kind_of_event_can_be_coded() -> None:
    assert len(kinds()) > 35
    for name, kind in kinds().items():
        assert getattr(events, name, kind) is kind, "the class that dataclass(slots) replaced"
        with pytest.raises(SessionError, match="is missing"):
            decode(name, kind.v, {})


def test_canonical_json_is_sorted_ascii_without_spaces() -> None:
    assert canonical({"b": [1, 2.0], "a": "ü\udcff"}) == '{"a":"\\u00fc\\udcff","b":[1,2.0]}'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1: b"x"}])
def test_what_is_not_json_is_refused(value: object) -> None:
    with pytest.raises(SessionError, match="cannot be written as JSON"):
        canonical([value])


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        ("Nonsense", {}, "unknown kind 'Nonsense'"),
        ("StepSkipped", [], "StepSkipped: its fields are not an object"),
        ("StepSkipped", {"step_id": "1", "x": 1}, "unknown field 'x'"),
        ("StepSkipped", {}, "field 'step_id' is missing"),
        ("StepSkipped", {"step_id": 1}, "StepSkipped.step_id: 1 is not text"),
        ("StepMoved", {"step_id": "1", "position": True}, "True is not an integer"),
        ("StepModeSet", {"step_id": "1", "mode": "now"}, "'now' is none of auto, ask"),
        ("StepModeSet", {"step_id": "1", "mode": []}, "is none of auto, ask"),
        ("TaskGiven", {"text": "t", "pinned": "a"}, "'a' is not a list"),
        ("TaskGiven", {"text": "t", "pinned": ["a", 2]}, "TaskGiven.pinned[…]: 2 is not text"),
        ("StepAdded", {"step": 3, "position": 0}, "3 is not an object"),
        ("LandingRefused", {"step_id": "1", "conflicts": []}, "[] is not an object"),
        ("BudgetReached", {"step_id": "1", "cap": "c", "limit": "5"}, "'5' is not a number"),
    ],
)
def test_data_that_does_not_fit_is_refused_with_its_place(
    kind: str, data: object, message: str
) -> None:
    with pytest.raises(SessionError) as refused:
        decode(kind, 1, data)

    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("event", "place"),
    [
        (events.TaskGiven("t", cast("tuple[str, ...]", ["a"])), "TaskGiven.pinned"),
        (events.TaskGiven("t", (cast("str", b"a"),)), "TaskGiven.pinned[…]"),
        (events.StepAdded(cast("Step", "step"), 0), "StepAdded.step: 'step' is not a Step"),
        (
            events.StepAdded(Step("1", "t", actions=(Action("x", {"a": object()}),)), 0),
            "StepAdded.step.actions[…].arguments",
        ),
        (
            events.LandingRefused("1", cast("dict[str, str]", {1: "a"})),
            "LandingRefused.conflicts: key 1 is not text",
        ),
    ],
)
def test_an_event_that_could_not_be_read_back_is_not_written(event: Event, place: str) -> None:
    with pytest.raises(SessionError) as refused:
        encode(event)

    assert place in str(refused.value)


def test_whole_numbers_where_fractions_belong_are_the_same_event() -> None:
    assert canonical(encode(events.BudgetReached("1", "c", 5))) == canonical(
        encode(events.BudgetReached("1", "c", 5.0))
    )


def test_an_older_version_is_lifted_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events.Noted, "v", 3)
    monkeypatch.setitem(codec.UPCASTS, ("Noted", 1), lambda data: {"level": "info"} | data)
    monkeypatch.setitem(
        codec.UPCASTS, ("Noted", 2), lambda data: {**data, "text": f"{data['text']}!"}
    )

    assert decode("Noted", 1, {"text": "hello"}) == events.Noted("info", "hello!")


def test_versions_that_cannot_be_read_say_so() -> None:
    with pytest.raises(SessionError, match="version 0 cannot be read any more"):
        decode("Noted", 0, {})
    with pytest.raises(SessionError, match="written by a newer turbo-tui"):
        decode("Noted", 2, {})


def test_types_the_codec_does_not_know_are_our_own_mistake() -> None:
    @dataclass(frozen=True)
    class Strange:
        either: int | str

    for kind in (Strange, bytes, int | str | None):
        with pytest.raises(TypeError, match="codec knows"):
            codec._codec(kind)  # pyright: ignore[reportPrivateUsage]


def test_a_record_line_has_the_shape_of_run_json() -> None:
    record = Record(7, 1.5, "user", events.StepSkipped("s2"), "0", "1")

    assert record_line(record) == {
        "seq": 7,
        "at": 1.5,
        "by": "user",
        "kind": "StepSkipped",
        "step_id": "s2",
    }
