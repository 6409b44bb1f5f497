"""Talk with a workspace's search worker; start it where there is none.

Nothing heavy is imported here: a search by a running worker takes no longer than it must.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import cast

from turbo_tui.core.errors import ToolError
from turbo_tui.core.searching import NOWHERE, Act, Context, Hit, IndexState
from turbo_tui.knowledge.service import worker_log
from turbo_tui.knowledge.service.home import Home
from turbo_tui.knowledge.service.starting import connected
from turbo_tui.knowledge.service.wire import Answer, Pulse, Wire

ANSWER_S = 60.0
COMPLETE_S = 960.0  # all of a very large tree is read
MOST_PATHS, MOST_WORDS = 20, 2_000  # of a context; the words in characters
MOST_QUERY = 50_000  # characters, the last ones: of a log, where the last trace is
LOOK_S = 1.0  # without an answer, after which a sign of life is asked for
SILENT_S, HUNG_S = 5.0, 30.0  # without such a sign, after which the user is told; it is ended
TRIES = 3  # a worker that ends just now, or is killed, is started anew


class WorkerSilentError(ToolError):
    """The worker shows no life; whoever waits for an answer goes on waiting."""


class Client:
    """One connection to the worker, made when it is first needed.

    Args:
        home: Where the worker is.
        learns: What the user did with files is remembered, and counts.

    Attributes:
        index: What the index held at the last answer.
        restarts: How often a worker was found to have ended.
    """

    def __init__(self, home: Home, *, learns: bool = True) -> None:
        self.index = IndexState()
        self.restarts = 0
        self._home = home
        self._learns = learns
        self._wire: Wire | None = None
        self._pulse: Pulse | None = None
        self._asked = 0
        self._closed = False

    def search(
        self, query: str, *, limit: int, complete: bool = False, context: Context = NOWHERE
    ) -> list[Hit]:
        """Return the best places for a query, best first; blocks.

        Args:
            query: A name, a phrase, a sentence.
            limit: How many places at most.
            complete: Wait until all files are indexed; else a large tree is answered from what
                is so far.
            context: What the user is at.

        Raises:
            ToolError: The worker cannot be started or does not answer.
        """
        request: Answer = {
            "do": "search",
            "query": query[-MOST_QUERY:],
            "limit": limit,
            "complete": complete,
            "context": {"paths": context.paths[:MOST_PATHS], "words": context.words[:MOST_WORDS]},
            "learned": self._learns,
        }
        hits: list[Hit] = []
        for answer in self._follow(request, COMPLETE_S if complete else ANSWER_S):
            hits = [_hit(each) for each in cast("list[dict[str, object]]", answer["hits"])]
        return hits

    def cause(self, query: str) -> str:
        """Return why a query finds nothing, where there is a plain cause; blocks.

        Raises:
            ToolError: The worker cannot be started or does not answer.
        """
        said = ""
        for answer in self._follow({"do": "cause", "query": query[-MOST_QUERY:]}, ANSWER_S):
            said = str(answer["cause"])
        return said

    def build(self) -> Iterator[IndexState]:
        """Have all files indexed, and yield how far that is; the last is the end.

        Raises:
            ToolError: The worker cannot be started or does not answer.
        """
        for _ in self._follow({"do": "index"}, COMPLETE_S):
            yield self.index

    def state(self) -> IndexState:
        """Return what the index holds now; starts the worker, if need be.

        Raises:
            WorkerSilentError: It shows no life, for some seconds now; it may yet, and ask again.
            ToolError: The worker cannot be started or does not answer.
        """
        for _ in self._follow({"do": "state"}, ANSWER_S):
            pass
        return self.index

    def learn(self, act: Act, paths: Sequence[str]) -> None:
        """Remember what the user did with files; nothing where that is not wanted.

        Raises:
            ToolError: The worker cannot be started or does not answer.
        """
        if self._learns and paths:
            for _ in self._follow({"do": "learn", "act": act, "paths": list(paths)}, ANSWER_S):
                pass

    def forget(self) -> None:
        """Forget all that was learnt in this workspace.

        Raises:
            ToolError: The worker cannot be started or does not answer.
        """
        for _ in self._follow({"do": "forget"}, ANSWER_S):
            pass

    def close(self) -> None:
        """Leave the worker for good, whoever waits for an answer included."""
        self._closed = True
        self._leave()

    def _leave(self) -> None:
        self._calm()
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    def _calm(self) -> None:
        pulse, self._pulse = self._pulse, None
        if pulse is not None:
            pulse.close()

    def _follow(self, request: Answer, within_s: float) -> Iterator[Answer]:
        logged = worker_log.size_of(self._home.log)
        for left in reversed(range(TRIES)):
            try:
                wire = self._wire = self._wire or connected(self._home)
                for answer in self._answers(wire, request, within_s):
                    self.index = state_of(answer["index"])
                    yield answer
            except TimeoutError:
                self._leave()
                raise ToolError(
                    f"Searching {self._home.root} took over {within_s:.0f} s. Try again: what was "
                    "read is quicker then; or ignore large folders in .gitignore."
                ) from None
            except (OSError, EOFError) as error:
                self._leave()
                self.restarts += 1
                if not left or self._closed:
                    raise ToolError(_ended(self._home, logged)) from error
            else:
                return

    def _answers(self, wire: Wire, request: Answer, within_s: float) -> Iterator[Answer]:
        if self._closed:  # while we connected
            raise EOFError
        self._asked += 1
        asked = self._asked
        wire.say({"id": asked, **request}, within_s)
        while True:
            answer = self._heard(wire, within_s, is_told=request["do"] == "state")
            if answer["id"] == asked:
                yield answer
                if not answer.get("more"):
                    return

    def _heard(self, wire: Wire, within_s: float, *, is_told: bool) -> Answer:
        """Wait for an answer, and end a worker that shows no life meanwhile.

        Raises:
            TimeoutError: There was none for so long.
            WorkerSilentError: Nor a sign of life, if that `is_told`. It may come yet.
            EOFError: The worker ended.
        """
        until = time.monotonic() + within_s
        while True:
            try:
                answer = wire.hear(min(LOOK_S, max(0.0, until - time.monotonic())))
            except TimeoutError:
                if time.monotonic() >= until:
                    raise
            else:
                self._calm()
                return answer
            self._pulse = self._pulse or Pulse(self._home.socket)
            silent_s, worker = self._pulse.silent_s(), wire.worker
            if silent_s > HUNG_S and wire.end_worker():
                said = f"ended: process {worker} gave no sign of life for {silent_s:.0f} s"
                worker_log.note(self._home.log, said)
            elif silent_s > SILENT_S and is_told:
                raise WorkerSilentError(_silent(worker))


def _silent(worker: int) -> str:
    if not worker:
        return (
            "The search worker does not answer: it is stopped, or hangs. End it, and search again."
        )
    return (
        f"The search worker (process {worker}) does not answer: it is stopped, or hangs. After "
        f"{HUNG_S:.0f} s without a sign of life it is ended and started anew; nothing is lost."
    )


def _ended(home: Home, logged: int) -> str:
    reason = worker_log.reason_in(home.log, logged)
    said = f"The search worker ended{': ' if reason else ''}{reason}; search again."
    return f"{said} What went before stands in {home.log}" if home.log.exists() else said


def _hit(value: dict[str, object]) -> Hit:
    return Hit(**{**value, "why": tuple(cast("list[str]", value["why"]))})  # pyright: ignore[reportArgumentType]


def state_of(value: object) -> IndexState:
    """Read what an answer says of the index."""
    state = cast("dict[str, object]", value)
    given_up = tuple(cast("list[str]", state["given_up"]))
    return IndexState(**{**state, "given_up": given_up})  # pyright: ignore[reportArgumentType]
