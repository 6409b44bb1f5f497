"""Talk with a workspace's search worker; start it where there is none.

Nothing heavy is imported here: a search by a running worker takes no longer than it must.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import cast

from turbo_tui.core.errors import ToolError
from turbo_tui.core.searching import NOWHERE, Act, Context, Hit, IndexState
from turbo_tui.knowledge.service import worker_log
from turbo_tui.knowledge.service.home import Home

ANSWER_S = 60.0
COMPLETE_S = 960.0  # all of a very large tree is read
MOST_PATHS, MOST_WORDS = 20, 2_000  # of a context; the words in characters
MOST_QUERY = 50_000  # characters, the last ones: of a log, where the last trace is
TRIES = 3  # a worker that ends just now, or is killed, is started anew

Answer = dict[str, object]


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
        self._connection: socket.socket | None = None
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
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _follow(self, request: Answer, within_s: float) -> Iterator[Answer]:
        logged = worker_log.size_of(self._home.log)
        for left in reversed(range(TRIES)):
            try:
                connection = self._connection = self._connection or self._connect()
                for answer in self._answers(connection, request, within_s):
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

    def _answers(
        self, connection: socket.socket, request: Answer, within_s: float
    ) -> Iterator[Answer]:
        if self._closed:  # while we connected
            raise EOFError
        self._asked += 1
        asked = self._asked
        connection.settimeout(within_s)
        connection.sendall(json.dumps({"id": asked, **request}).encode("ascii") + b"\n")
        with connection.makefile("rb") as stream:
            while True:
                line = stream.readline()
                if not line.endswith(b"\n"):
                    raise EOFError
                answer = cast("Answer", json.loads(line))
                if answer["id"] == asked:
                    yield answer
                    if not answer.get("more"):
                        return

    def _connect(self) -> socket.socket:
        path = self._home.socket
        _private(path.parent)
        with suppress(FileNotFoundError, ConnectionRefusedError):
            return _connected(path)
        starting = os.open(path.with_suffix(".start"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(starting, fcntl.LOCK_EX)
            with suppress(FileNotFoundError, ConnectionRefusedError):
                return _connected(path)  # somebody else was first
            _start(self._home)
            return _connected(path)
        finally:
            os.close(starting)


def _private(folder: Path) -> None:
    """Make a folder that is ours alone, or see that it is.

    Raises:
        ToolError: It is not.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise ToolError(
            f"{folder}: the search worker's folder cannot be made: {error.strerror}. Make it "
            "writable, or set XDG_RUNTIME_DIR to a folder of your own."
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise ToolError(
            f"{folder}: others could listen in on the search there. It must be a folder of your "
            f"own that nobody else may enter: `chmod 700 {folder}`, or remove it."
        )


def _connected(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(os.fspath(path))
    except OSError:
        connection.close()
        raise
    return connection


def _start(home: Home) -> None:
    """Start a worker and wait until it answers.

    Raises:
        ToolError: It does not.
    """
    fields = cast("dict[str, object]", asdict(home))
    given = {name: os.fspath(v) if isinstance(v, Path) else v for name, v in fields.items()}
    # -I: nothing of the folder we stand in, nor of PYTHONPATH, is taken for ours. An own session:
    # Ctrl+C is for the app, and the worker is not only the app's.
    command = (sys.executable, "-I", "-m", "turbo_tui.knowledge.service.worker", json.dumps(given))
    with (
        worker_log.appended(home.log) as log,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            cwd="/",
        ) as process,
    ):
        logged = worker_log.size_of(home.log)
        said = process.stdout.readline() if process.stdout else b""
    if not said:
        raise ToolError(_not_started(home, process.returncode, logged))


def _not_started(home: Home, code: int, logged: int) -> str:
    reason = worker_log.reason_in(home.log, logged, started=False)
    if reason:
        return f"The search worker cannot start: {reason}. What went before stands in {home.log}"
    return (
        f"The search worker cannot start (exit code {code}). Try `{sys.executable} -I -c "
        "'import turbo_tui.knowledge.service.serving'`, which says why."
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
