from __future__ import annotations

from collections.abc import Iterator

import pytest

from turbo_tui.core import events
from turbo_tui.core.errors import SessionError
from turbo_tui.core.ports import Record
from turbo_tui.core.session import DECISIONS, FIRST, Session, chain_hash


class MemoryStore:
    """Keeps records in a list, and what was asked to be durable."""

    session_id = "7f3a"

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.durable: list[bool] = []
        self.full = False
        self.closed = False

    def append(self, record: Record, *, durable: bool) -> None:
        if self.full:
            raise SessionError("the disk is full")
        self.records.append(record)
        self.durable.append(durable)

    def read(self, after: int = 0) -> Iterator[Record]:
        yield from [record for record in self.records if record.seq > after]

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def opened(store: MemoryStore) -> Session:
    return Session(store, clock=lambda: 12.5)


def test_records_are_numbered_dated_and_chained(store: MemoryStore) -> None:
    session = opened(store)

    first = session.append(events.TaskGiven("rename"), "user")
    second = session.append(events.StepSkipped("1"))

    assert (first.seq, first.at, first.by, first.previous) == (1, 12.5, "user", FIRST)
    assert (second.seq, second.by, second.previous) == (2, "engine", first.hash)
    assert first.hash == chain_hash(
        seq=1,
        at=12.5,
        by="user",
        kind="TaskGiven",
        v=1,
        data='{"pinned":[],"text":"rename"}',
        previous=FIRST,
    )
    assert session.last_seq == 2
    assert session.session_id == "7f3a"


def test_the_hash_is_the_one_the_design_names() -> None:
    # echo -n '[1,2.0,"u","K",1,{},"0"]' | sha256sum
    assert (
        chain_hash(seq=1, at=2.0, by="u", kind="K", v=1, data="{}", previous="0")
        == "871909a4f599d51313ef23f7108c8377802cdf1616f0f400768de63249be80e5"
    )


def test_a_session_goes_on_where_its_log_ends(store: MemoryStore) -> None:
    last = opened(store).append(events.StepSkipped("1"))

    assert opened(store).append(events.StepSkipped("2")).previous == last.hash


def test_decisions_are_durable_before_anyone_is_told(store: MemoryStore) -> None:
    session = opened(store)
    kept_when_told: list[int] = []
    session.subscribe(lambda record: kept_when_told.append(len(store.records) - record.seq))

    session.append(events.StepApproved("1", "a", "b"))
    session.append(events.ToolCalled("c", "1", "read", "{}"))

    assert store.durable == [True, False]
    assert kept_when_told == [0, 0]
    assert events.StepLanded in DECISIONS


def test_subscribers_are_told_in_order_until_they_leave(store: MemoryStore) -> None:
    session = opened(store)
    told: list[str] = []
    leave = session.subscribe(lambda record: told.append(f"first {record.seq}"))
    session.subscribe(lambda record: told.append(f"second {record.seq}"))

    session.append(events.StepSkipped("1"))
    leave()
    leave()
    session.append(events.StepSkipped("2"))

    assert told == ["first 1", "second 1", "second 2"]


def test_one_who_joins_late_can_have_what_came_before(store: MemoryStore) -> None:
    session = opened(store)
    session.append(events.StepSkipped("1"))
    early: list[int] = []
    late: list[int] = []

    session.subscribe(lambda record: late.append(record.seq))
    session.subscribe(lambda record: early.append(record.seq), replay=True)
    session.append(events.StepSkipped("2"))

    assert (early, late) == ([1, 2], [2])


def test_an_event_appended_while_publishing_keeps_its_place_for_all(store: MemoryStore) -> None:
    session = opened(store)
    seen: list[int] = []
    joined: list[int] = []

    def answer(record: Record) -> None:
        if record.seq == 1:
            session.append(events.StepSkipped("2"))
            session.subscribe(lambda record: joined.append(record.seq), replay=True)

    session.subscribe(answer)
    session.subscribe(lambda record: seen.append(record.seq))
    session.append(events.StepSkipped("1"))

    assert seen == [1, 2]
    assert joined == [1, 2]


def test_what_could_not_be_kept_is_told_to_nobody(store: MemoryStore) -> None:
    session = opened(store)
    told: list[Record] = []
    session.subscribe(told.append)
    store.full = True

    with pytest.raises(SessionError):
        session.append(events.StepSkipped("1"))
    store.full = False
    session.append(events.StepSkipped("2"))

    assert [record.seq for record in told] == [1]


def test_secrets_are_gone_before_an_event_is_kept_or_told(store: MemoryStore) -> None:
    session = Session(store, clock=lambda: 1.0, redact=lambda text: text.replace("hunter2", "***"))
    told: list[Record] = []
    session.subscribe(told.append)

    record = session.append(
        events.CommandRequested("c", "1", ("login", "--password=hunter2"), network="all")
    )
    session.append(events.LandingRefused("1", {"a": "holds hunter2"}))

    assert record.event == events.CommandRequested(
        "c", "1", ("login", "--password=***"), network="all"
    )
    assert told[1].event == events.LandingRefused("1", {"a": "holds ***"})
    assert store.records == told


def test_a_name_that_looks_like_a_secret_still_names_what_was_decided(store: MemoryStore) -> None:
    session = Session(store, clock=lambda: 1.0, redact=lambda text: text.replace("hunter2", "***"))

    for event in (
        events.HunkDecided("hunter2", "blob", "src/hunter2.py", -1, accepted=False),
        events.IgnoredDecided("1", "blob", "hunter2", accepted=True),
        events.StepStarted("hunter2", 1, "7f3a-hunter2-1", "copy"),
    ):
        assert session.append(event, "user").event == event


def test_closing_a_session_closes_its_log(store: MemoryStore) -> None:
    opened(store).close()

    assert store.closed
