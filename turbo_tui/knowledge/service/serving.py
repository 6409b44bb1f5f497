"""Answers the worker's clients: one JSON request a line, one JSON answer a line or several.

    {"id": 1, "do": "search", "query": "parse_match", "limit": 20, "complete": false,
     "context": {"paths": ["a.py"], "words": "…"}, "learned": true}
    {"id": 1, "hits": [{"path", "start_line", "end_line", "score", "text", "why", "line"}],
     "index": {"files", "chunks", "pending", "rate", "left_s", "vectors", "given_up", "age_s",
     "note"}}
    {"id": 2, "do": "index"}
    {"id": 2, "more": true, "index": {…}}    as it goes on
    {"id": 2, "index": {…}}                  all files are in it, and on disk

`{"do": "cause", "query": "lang:rust x"}` answers with `cause`, why nothing is found, and `index`.
`{"do": "state"}` answers with `index` alone, `{"do": "learn", "act": "opened", "paths": ["a.py"]}`
and `{"do": "forget"}` likewise; `learned` says whether what was learnt counts. A request that is
not understood ends the connection.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from io import BufferedRWPair
from socket import MSG_DONTWAIT, MSG_PEEK, socket
from threading import Lock, Thread
from typing import cast

from turbo_tui.core.searching import NOWHERE, Act, Context
from turbo_tui.knowledge.ranking.causes import cause_of
from turbo_tui.knowledge.service.habits import Habits
from turbo_tui.knowledge.service.keeper import Keeper
from turbo_tui.knowledge.service.worker_log import tell_failure

SOON_S = 1.0  # a person who types waits so long for files that were never read
COMPLETE_S = 900.0
TOLD_S = 0.2  # between two words on progress
LONGEST_REQUEST = 1_000_000

Request = dict[str, object]


class Clients:
    """Connections, each with a thread of its own."""

    def __init__(self, keeper: Keeper, habits: Habits) -> None:
        self._keeper = keeper
        self._habits = habits  # looked at and changed with the keeper's `turn` held
        self._turn = Lock()
        self._open: set[socket] = set()
        self._since = time.monotonic()

    @property
    def idle_s(self) -> float:
        """Seconds since the last client went; 0 while there is one."""
        with self._turn:
            return 0.0 if self._open else time.monotonic() - self._since

    def add(self, connection: socket) -> None:
        """Serve a client until it goes."""
        with self._turn:
            self._open.add(connection)
        Thread(target=self._serve, args=(connection,), daemon=True).start()

    def close(self) -> None:
        """End all connections."""
        with self._turn:
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(2)

    def _serve(self, connection: socket) -> None:
        try:
            with connection, connection.makefile("rwb") as stream:
                self._converse(connection, stream)
        except OSError:
            pass  # it is gone
        finally:
            with self._turn:
                self._open.discard(connection)
                self._since = time.monotonic()

    def _converse(self, connection: socket, stream: BufferedRWPair) -> None:
        try:
            while (line := stream.readline(LONGEST_REQUEST)).endswith(b"\n"):
                request = cast("Request", json.loads(line))
                for answer in self._answers(request, connection):
                    said = {"id": request.get("id"), **answer}
                    stream.write(json.dumps(said).encode("ascii") + b"\n")
                    stream.flush()
        except (ValueError, KeyError, TypeError) as error:
            # Not as we speak, or a defect of ours. As the connection ends, why is looked up.
            tell_failure(error, " at a request")

    def _answers(self, request: Request, connection: socket) -> Iterator[Request]:
        match request["do"]:
            case "search":
                yield self._search(request, connection)
            case "cause":
                yield self._cause(str(request["query"]))
            case "index":
                yield from self._index()
            case "state":  # at once, whatever goes on: it is taken for a sign of life
                yield {"index": asdict(self._keeper.state())}
            case "learn" | "forget":
                self._remember(request)
                yield {"index": asdict(self._keeper.state())}
            case _:
                raise ValueError("no such request")

    def _remember(self, request: Request) -> None:
        with self._keeper.turn:
            if request["do"] == "forget":
                self._habits.forget()
            elif request["do"] == "learn":
                paths = cast("list[str]", request["paths"])
                held = self._keeper.index.files
                known = [path for path in paths if not held or path in held]
                self._habits.learn(cast("Act", request["act"]), known)

    def _search(self, request: Request, connection: socket) -> Request:
        keeper, query = self._keeper, str(request["query"])
        if request.get("complete"):
            keeper.settle(within_s=COMPLETE_S, is_left=lambda: has_gone(connection))
        else:
            keeper.ready(query, within_s=SOON_S)
        context = context_of(request.get("context"))
        keeper.near(context.paths)
        pending = keeper.pending(query)  # reads files: nobody waits for the turn meanwhile
        with keeper.turn:
            hits = keeper.finder.find(
                query,
                limit=cast("int", request["limit"]),
                pending=pending,
                context=context,
                habits=self._habits if request.get("learned") else None,
            )
            state = keeper.state()
        return {"hits": [asdict(hit) for hit in hits], "index": asdict(state)}

    def _cause(self, query: str) -> Request:
        keeper = self._keeper
        looked = keeper.settled(1, within_s=0)
        with keeper.turn:
            state = keeper.state()
            whole = looked and not state.pending
            cause = cause_of(keeper.index, query) if whole else ""
        return {"cause": cause, "index": asdict(state)}

    def _index(self) -> Iterator[Request]:
        until = time.monotonic() + COMPLETE_S
        wanted = self._keeper.look(keep=True)
        while not (
            self._keeper.settled(wanted, within_s=TOLD_S, kept=True)
            and self._keeper.filled(within_s=TOLD_S)
        ):
            yield {"more": True, "index": asdict(self._keeper.state())}
            if time.monotonic() > until:
                break
        yield {"index": asdict(self._keeper.state())}


def has_gone(connection: socket) -> bool:
    """Tell whether nobody is at the other end any more."""
    try:
        return not connection.recv(1, MSG_PEEK | MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


def context_of(value: object) -> Context:
    """Read what a request says of where the user is."""
    if value is None:
        return NOWHERE
    given = cast("dict[str, object]", value)
    return Context(tuple(map(str, cast("list[str]", given["paths"]))), str(given["words"]))
