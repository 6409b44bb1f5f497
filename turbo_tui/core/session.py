"""A session: the single writer of its log. Append, number, hash-chain, keep, publish."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from typing import TypeAlias, cast

from turbo_tui.core import events
from turbo_tui.core.codec import Json, canonical, decode, encode, kind_of
from turbo_tui.core.events import Event
from turbo_tui.core.ports import EventStore, Record

FIRST = "0" * 64  # what the first record follows

Subscriber: TypeAlias = Callable[[Record], None]

DECISIONS: frozenset[type[Event]] = frozenset(
    {
        events.SessionStarted,
        events.RunFinished,
        events.StepModeSet,
        events.StepStaged,
        events.StepSkipped,
        events.StepRejected,
        events.StepSetBack,
        events.StepGroundMoved,
        events.HunkDecided,
        events.LinesDecided,
        events.HunkEdited,
        events.ContentEdited,
        events.ClashSettled,
        events.LineCommented,
        events.IgnoredDecided,
        events.StepApproved,
        events.StepLanded,
        events.LandingRefused,
        events.LandingUndone,
        events.LandingRedone,
        events.LandingRecovered,
        events.TurnBegan,
        events.TurnRefused,
        events.TurnDropped,
        events.ApprovalAnswered,
    }
)
"""What a person decided, or what changed their tree: on disk before anyone is told."""

NAMES = frozenset(
    {
        *("id", "step_id", "ask_id", "depends_on", "stage_id", "path", "folder"),
        *("changes", "selected", "merged", "landing", "landings", "on", "layer", "below", "blob"),
        *("clashes", "bases", "review"),
    }
)
"""Fields by which a record speaks about something else: redacted, they would name nothing, and
a decision about a file whose name looks like a key could not be told from no decision."""


def chain_hash(*, seq: int, at: float, by: str, kind: str, v: int, data: str, previous: str) -> str:
    """Hash a record: sha256 (hex) over the canonical JSON of the list of all these, in order.

    `data` is the event's fields as canonical JSON already; `previous` is the hash of the
    record before, or `FIRST`.
    """
    line = f"[{seq},{at!r},{canonical(by)},{canonical(kind)},{v},{data},{canonical(previous)}]"
    # ASCII, unless a damaged log is being checked.
    return hashlib.sha256(line.encode("utf-8", "surrogatepass")).hexdigest()


class Session:
    """Take events in, one at a time; keep them, then tell the subscribers.

    Args:
        store: Where the records are kept; what it already holds is read and verified.
        clock: Seconds since the epoch, UTC.
        redact: Takes a text, gives it back with its secrets replaced.
    """

    def __init__(
        self,
        store: EventStore,
        *,
        clock: Callable[[], float],
        redact: Callable[[str], str] | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._redact = redact
        self._seq, self._previous = 0, FIRST
        for record in store.read():
            self._seq, self._previous = record.seq, record.hash
        self._subscribers: list[_Seat] = []
        self._unpublished: deque[Record] = deque()
        self._publishing = False

    @property
    def session_id(self) -> str:
        """The session's id, as in `turbo-tui session show ID`."""
        return self._store.session_id

    @property
    def last_seq(self) -> int:
        """Number of the newest record; 0 in an empty log."""
        return self._seq

    def append(self, event: Event, by: str = "engine") -> Record:
        """Keep an event and publish it; a decision is on disk before this returns.

        A subscriber may append in turn: its event is kept at once and published after the
        one being published, so that everyone sees all events in the order of the log.

        Raises:
            SessionError: The event does not fit its class, or the store refuses. Nothing
                was published then.
        """
        fields = encode(event)
        if self._redact is not None:
            redacted = _redacted(fields, self._redact)
            if redacted != fields:
                event = decode(kind_of(event), event.v, redacted)
                fields = encode(event)
        seq, at = self._seq + 1, float(self._clock())
        digest = chain_hash(
            seq=seq,
            at=at,
            by=by,
            kind=kind_of(event),
            v=event.v,
            data=canonical(fields),
            previous=self._previous,
        )
        record = Record(seq, at, by, event, self._previous, digest)
        self._store.append(record, durable=type(event) in DECISIONS)
        self._seq, self._previous = seq, digest
        self._unpublished.append(record)
        self._publish()
        return record

    def subscribe(self, tell: Subscriber, *, replay: bool = False) -> Callable[[], None]:
        """Call `tell` with every record from now on, in order; return what ends it.

        Args:
            tell: Must not raise.
            replay: First tell it everything that is in the log already.
        """
        seat = _Seat(tell)
        if replay:
            for record in self._store.read():
                seat.tell(record)
        else:
            seat.seen = self._seq
        self._subscribers.append(seat)

        def leave() -> None:
            if seat in self._subscribers:
                self._subscribers.remove(seat)

        return leave

    def close(self) -> None:
        """Flush the log and let go of it."""
        self._store.close()

    def _publish(self) -> None:
        if self._publishing:
            return
        self._publishing = True
        try:
            while self._unpublished:
                record = self._unpublished.popleft()
                for seat in tuple(self._subscribers):
                    seat.tell(record)
        finally:
            self._publishing = False


class _Seat:
    """A subscriber and how far it was told: nothing twice, whenever it joined."""

    def __init__(self, tell: Subscriber) -> None:
        self._tell = tell
        self.seen = 0

    def tell(self, record: Record) -> None:
        if record.seq > self.seen:
            self.seen = record.seq
            self._tell(record)


def _redacted(value: Json, redact: Callable[[str], str]) -> Json:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [_redacted(item, redact) for item in cast("list[Json]", value)]
    if isinstance(value, dict):
        entries = cast("dict[str, Json]", value)
        return {
            name: item if name in NAMES else _redacted(item, redact)
            for name, item in entries.items()
        }
    return value
