"""What a session cost, landed, and still asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from turbo_tui.core import events as ev
from turbo_tui.core.changes import files_of
from turbo_tui.core.ports import Record


class CostView:
    """Tokens, money and bytes sent, in all and per host."""

    def __init__(self) -> None:
        self.revision = 0
        self.tokens_in = 0
        self.tokens_out = 0
        self.uncounted_replies = 0
        self.cost_usd: float | None = None
        self.bytes_sent: dict[str, int] = {}

    def apply(self, record: Record) -> None:
        """Take one record into account."""
        match record.event:
            case ev.ModelRequested(host=host, size_bytes=size_bytes):
                self.bytes_sent[host] = self.bytes_sent.get(host, 0) + size_bytes
            case ev.ModelReplied() as reply:
                self.tokens_in += reply.tokens_in
                self.tokens_out += reply.tokens_out
                self.uncounted_replies += not reply.counted
                if reply.cost_usd is not None:
                    self.cost_usd = (self.cost_usd or 0.0) + reply.cost_usd
            case _:
                return
        self.revision += 1


@dataclass(frozen=True, slots=True)
class LandingEntry:
    """One landing of the session and whether it was taken back; `redone` tells if ever again.

    Attributes:
        files: The files of these paths, as they are named and counted: a moved one once.
        selected: Blob of the change set that was approved; empty where the log does not say.
    """

    landing: str
    step_id: str
    at: float
    paths: tuple[str, ...]
    files: tuple[str, ...] = ()
    undone: bool = False
    redone: bool = False
    selected: str = ""


@dataclass(frozen=True, slots=True)
class HalfTurned:
    """Several landings that were to be undone or redone as one: only some of them are.

    Attributes:
        turned, left: Those that are, and those that are not, in the order in which it is done.
    """

    way: Literal["undo", "redo"]
    turned: tuple[LandingEntry, ...]
    left: tuple[LandingEntry, ...]

    @property
    def words(self) -> str:
        """Say that it was cut off, and what stands."""
        was, stands = named_steps(self.turned), named_steps(self.left)
        many = "was" if len(self.turned) == 1 else "were"
        if self.way == "undo":
            still = f"still stand{'s' if len(self.left) == 1 else ''}"
            said = f"{was} {many} taken back, {stands} {still}"
        else:
            still = "is" if len(self.left) == 1 else "are"
            said = f"{was} {many} landed again, {stands} {still} still taken back"
        return f"an earlier {self.way} of several steps was cut off: {said}."


def named_steps(entries: Sequence[LandingEntry]) -> str:
    """Name the steps of some landings: `steps 1, 2`."""
    steps = list(dict.fromkeys(entry.step_id for entry in entries))
    return f"step{'s' if len(steps) > 1 else ''} {', '.join(steps)}"


class TimelineView:
    """Landings in order: what can be undone, and redone."""

    def __init__(self) -> None:
        self.revision = 0
        self.landings: list[LandingEntry] = []
        self._turn_began: ev.TurnBegan | None = None
        self._undone: list[str] = []
        self._approved: dict[str, str] = {}

    def apply(self, record: Record) -> None:
        """Take one record into account."""
        match record.event:
            case ev.StepApproved(step_id, _, selected):
                self._approved[step_id] = selected
                return
            case ev.StepLanded(step_id, landing, paths, moved=moved):
                self._add(LandingEntry(landing, step_id, record.at, paths, files_of(paths, moved)))
            case ev.LandingRecovered(landing, "completed", paths, step_id=id_, moved=moved) if id_:
                self._add(LandingEntry(landing, id_, record.at, paths, files_of(paths, moved)))
            case ev.LandingUndone(landing=landing):
                self._turn(landing, undone=True)
            case ev.LandingRedone(landing=landing):
                self._turn(landing, undone=False)
            case ev.TurnBegan() as began:
                self._turn_began = began
            case _:
                return
        self.revision += 1

    def _add(self, entry: LandingEntry) -> None:
        selected = self._approved.pop(entry.step_id, "")
        self.landings.append(replace(entry, selected=selected))

    def _turn(self, landing: str, *, undone: bool) -> None:
        self._undone = [each for each in self._undone if each != landing]
        self._undone += [landing] if undone else []
        self.landings = [
            replace(entry, undone=undone, redone=not undone) if entry.landing == landing else entry
            for entry in self.landings
        ]
        if self.half_turned is None:  # all of them, or put back
            self._turn_began = None

    @property
    def half_turned(self) -> HalfTurned | None:
        """What was cut off between the first and the last of several; None when nothing was."""
        began = self._turn_began
        if began is None:
            return None
        by_id = {entry.landing: entry for entry in self.landings}
        among = [by_id[landing] for landing in began.landings if landing in by_id]
        turned = tuple(entry for entry in among if entry.undone == (began.way == "undo"))
        left = tuple(entry for entry in among if entry not in turned)
        return HalfTurned(began.way, turned, left) if turned and left else None

    @property
    def undoable(self) -> LandingEntry | None:
        """The last landing that still stands."""
        return self.standing()

    @property
    def redoable(self) -> LandingEntry | None:
        """The landing that was taken back last, of those that still are."""
        return self.taken_back()

    def standing(self, step_id: str = "", landing: str = "") -> LandingEntry | None:
        """Return the last landing of a step, of any, or this one, if it still stands."""
        fitting = self._fitting(step_id, landing)
        return next((each for each in reversed(fitting) if not each.undone), None)

    def taken_back(self, step_id: str = "", landing: str = "") -> LandingEntry | None:
        """Return the landing of a step, of any, or this one, that was taken back last."""
        by_id = {each.landing: each for each in self._fitting(step_id, landing)}
        return next((by_id[each] for each in reversed(self._undone) if each in by_id), None)

    def _fitting(self, step_id: str, landing: str) -> list[LandingEntry]:
        return [
            each
            for each in self.landings
            if step_id in {"", each.step_id} and landing in {"", each.landing}
        ]


class AsksView:
    """Questions that wait for a person, oldest first."""

    def __init__(self) -> None:
        self.revision = 0
        self.waiting: dict[str, ev.ApprovalAsked] = {}
        self.asked_by: set[str] = set()
        """Steps that asked something in the attempt that is or was last under way."""

    def apply(self, record: Record) -> None:
        """Take one record into account."""
        match record.event:
            case ev.StepStarted(step_id=step_id):
                self.asked_by.discard(step_id)
            case ev.ApprovalAsked() as asked:
                self.waiting[asked.ask_id] = asked
                self.asked_by.add(asked.step_id)
            case ev.ApprovalAnswered(ask_id=ask_id):
                self.waiting.pop(ask_id, None)
            case _:
                return
        self.revision += 1
