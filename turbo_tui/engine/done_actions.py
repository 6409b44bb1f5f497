"""Which of a step's fixed actions are done in its kept work, so that going on repeats none."""

from __future__ import annotations

from turbo_tui.core import events as ev
from turbo_tui.core.ports import Record

# Tools that are one command: done as that ends, even if a crash kept their answer from the log.
ONE_COMMAND = frozenset({"shell", "python"})


class DoneActions:
    """A fold over the log; another stage of a step begins with none done."""

    def __init__(self) -> None:
        self._stages: dict[str, str] = {}
        self._done: dict[str, set[str]] = {}
        self._open: ev.ToolCalled | None = None

    def count(self, step_id: str) -> int:
        """Return how many calls were completed in the stage of a step's last start."""
        return len(self._done.get(step_id, ()))

    def apply(self, record: Record) -> None:
        """Take one record into account."""
        match record.event:
            case ev.StepStarted(step_id, _, stage_id):
                if self._stages.get(step_id) != stage_id:
                    self._stages[step_id] = stage_id
                    self._done[step_id] = set()
                self._open = None
            case ev.StepEdited(step_id, actions=actions) if actions is not None:
                self._done.pop(step_id, None)
            case ev.ToolCalled() as called:
                self._open = called
            case ev.CommandFinished(ended="exited"):
                if self._open is not None and self._open.tool in ONE_COMMAND:
                    self._complete(self._open)
            case ev.ToolFinished(call_id, ok):
                if self._open is not None and self._open.call_id == call_id:
                    self._complete(self._open, ok=ok)
                self._open = None
            case _:
                return

    def _complete(self, called: ev.ToolCalled, *, ok: bool = True) -> None:
        done = self._done.setdefault(called.step_id, set())
        (done.add if ok else done.discard)(called.call_id)
