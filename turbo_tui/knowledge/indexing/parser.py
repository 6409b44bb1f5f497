"""Have files read by other processes; one that takes too long is killed, its file given up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from selectors import EVENT_READ, DefaultSelector
from threading import Event
from typing import NamedTuple, cast

from turbo_tui.knowledge.indexing.digest import Digest, unpacked
from turbo_tui.knowledge.indexing.tree import SourceFile

PARSE_S = 5.0  # of processor time for one file; a megabyte of C takes about half a second
PATIENCE = 6  # times as long by the clock, for a busy machine
MOST_PROCESSES = 4
LOOK_S = 0.25  # between looks at whether a file takes too long
AHEAD = 4  # files that a process is asked for before it answered the first

# -I: nothing of the folder we stand in, nor of PYTHONPATH, is taken for ours.
COMMAND = (sys.executable, "-I", "-m", "turbo_tui.knowledge.indexing.digesting")


class Read(NamedTuple):
    """A file that was read.

    Attributes:
        file: The file.
        key: Names its content; empty where it is gone, binary, or cannot be read at all.
        digest: What is kept of it; None where the key is empty.
        parts: The digest, packed.
        plain: Its grammar was left aside, as it took too long.
    """

    file: SourceFile
    key: str
    digest: Digest | None
    parts: list[bytes]
    plain: bool = False


class Parser:
    """The processes that read files, started when they are first needed.

    Attributes:
        given_up: Files that took longer than `PARSE_S`, or ended the process, by path.
    """

    def __init__(self, processes: int = 0, over: Event | None = None) -> None:
        """Begin without processes.

        Args:
            processes: At most; by default what the machine allows.
            over: Once it is set, nothing more is read, and nobody waits for a file that hangs.
        """
        self.given_up: set[str] = set()
        self._most = processes or min(MOST_PROCESSES, os.cpu_count() or 1)
        self._over = over or Event()
        self._idle: list[_Reader] = []

    def read(self, files: Iterable[SourceFile]) -> Generator[Read, None, None]:
        """Yield files as they are read, in any order; each one exactly once."""
        waiting = iter(files)
        readers: list[_Reader] = []
        try:
            while not self._over.is_set():
                self._hand_out(waiting, readers)
                if not any(reader.asked for reader in readers):
                    return
                yield from self._answers(readers)
        finally:
            for reader in readers:
                if reader.asked:
                    reader.end()  # its answers are for nobody
                else:
                    self._idle.append(reader)

    def close(self) -> None:
        """End the processes."""
        while self._idle:
            self._idle.pop().end()

    def _hand_out(self, waiting: Iterator[SourceFile], readers: list[_Reader]) -> None:
        while True:
            free = min(
                (each for each in readers if len(each.asked) < AHEAD),
                key=lambda each: len(each.asked),
                default=None,
            )
            more = len(readers) < self._most
            if free is None and not more:
                return
            file = next(waiting, None)
            if file is None:
                return
            if more and (free is None or free.asked):
                free = self._idle.pop() if self._idle else _Reader()
                readers.append(free)
            if free is not None:
                free.ask(file)

    def _answers(self, readers: list[_Reader]) -> Iterator[Read]:
        """Wait until something is answered or overdue."""
        with DefaultSelector() as waiting:
            for reader in readers:
                if reader.asked:
                    waiting.register(reader.answers, EVENT_READ, reader)
            ready = [cast("_Reader", key.data) for key, _ in waiting.select(LOOK_S)]
        for reader in readers:
            alive = reader.receive() if reader in ready else not reader.overdue()
            while (read := reader.take()) is not None:
                if read.digest is not None and not read.plain:
                    self.given_up.discard(read.file.path)
                yield read
            if not alive:
                yield from self._give_up(reader)

    def _give_up(self, reader: _Reader) -> Iterator[Read]:
        """Start its process anew; what hung it is read without a grammar, the rest once more."""
        reader.end()
        left = list(reader.asked)
        reader.asked.clear()
        if left and left[0].path in reader.plain:  # not its grammar's fault
            reader.plain.discard(left[0].path)
            yield Read(left.pop(0), "", None, [], plain=True)
        elif left:
            self.given_up.add(left[0].path)
            reader.plain.add(left[0].path)
        for file in left:
            reader.ask(file)


@dataclass(slots=True, eq=False)
class _Reader:
    """One process, and the files it was asked for."""

    asked: deque[SourceFile] = field(default_factory=deque[SourceFile])
    plain: set[str] = field(default_factory=set[str])
    _process: subprocess.Popen[bytes] | None = None
    _buffer: bytearray = field(default_factory=bytearray)
    _since: float = 0.0
    _spent_s: float | None = None

    @property
    def answers(self) -> int:
        """The file descriptor that tells when something is answered."""
        process = self._process
        return process.stdout.fileno() if process is not None and process.stdout else -1

    def ask(self, file: SourceFile) -> None:
        """Request a file; a process that is gone is noticed by its answers."""
        if self._process is None:
            self._process = _start()
        if not self.asked:
            self._begin()
        self.asked.append(file)
        request = {
            "path": file.path,
            "absolute": file.absolute,
            "plain": file.path in self.plain,
        }
        try:
            if self._process.stdin is not None:
                self._process.stdin.write(json.dumps(request).encode("ascii") + b"\n")
                self._process.stdin.flush()
        except BrokenPipeError:
            pass

    def receive(self) -> bool:
        """Take in what was answered; tell whether the process may answer more."""
        data = os.read(self.answers, 1 << 20)
        self._buffer += data
        return bool(data)

    def take(self) -> Read | None:
        """Return the next whole answer, if there is one."""
        end = self._buffer.find(b"\n")
        if end < 0 or not self.asked:
            return None
        head = cast("dict[str, object]", json.loads(self._buffer[:end]))
        sizes = cast("list[int]", head["sizes"])
        if len(self._buffer) < end + 1 + sum(sizes):
            return None
        parts: list[bytes] = []
        at = end + 1
        for size in sizes:
            parts.append(bytes(self._buffer[at : at + size]))
            at += size
        del self._buffer[:at]
        file = self.asked.popleft()
        plain = file.path in self.plain
        self.plain.discard(file.path)
        self._begin()
        return Read(file, str(head["key"]), unpacked(parts) if parts else None, parts, plain)

    def overdue(self) -> bool:
        """Tell whether the oldest request took too long, the machine's other work aside."""
        waited = time.monotonic() - self._since
        if not self.asked or waited < PARSE_S / PATIENCE:
            return False
        if self._spent_s is None:
            self._spent_s = self._spent()
        return waited > PATIENCE * PARSE_S or self._spent() - self._spent_s > PARSE_S

    def end(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        self._buffer.clear()
        if process is not None:
            process.kill()
            process.communicate()

    def _begin(self) -> None:
        self._since = time.monotonic()
        self._spent_s = None

    def _spent(self) -> float:
        """Return the processor time of the process so far."""
        if self._process is None:
            return 0.0
        import psutil  # noqa: PLC0415  only where something is slow

        try:
            times = psutil.Process(self._process.pid).cpu_times()
        except psutil.Error:
            return 0.0
        return times.user + times.system


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
