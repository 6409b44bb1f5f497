"""Workers for tests: where one lives, which process it is, and its end."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from turbo_tui.knowledge.service.home import Home, home_of

PATIENCE_S = 60.0


def home_in(folder: Path, root: Path) -> Home:
    """Return a home whose everything lies in a folder of the test's own."""
    home = folder / "home"
    return home_of(
        root,
        cache=home / "cache",
        state=home / "state",
        config=home / "config",
        environment={},
    )


def workers(home: Home) -> list[psutil.Process]:
    """Return the workers of a home; one at most, if all is well."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if "turbo_tui.knowledge.service.worker" not in words:
            continue
        if json.loads(words[-1])["store"] == os.fspath(home.store):
            found.append(process)
    numbers = {each.pid for each in found}
    return [each for each in found if _parent(each) not in numbers]  # a helper before its exec


def _parent(process: psutil.Process) -> int:
    try:
        return process.ppid()
    except psutil.Error:
        return 0


def helpers(worker: psutil.Process) -> list[psutil.Process]:
    """Return the processes that a worker started."""
    return worker.children(recursive=True)


@contextmanager
def short_folder() -> Generator[Path]:
    """Yield a folder whose path is short, as that of a socket has to be, wherever tests run."""
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as folder:
        yield Path(folder)


def named(word: str, processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Return the processes whose command line says a word; one that just ended says nothing."""
    found: list[psutil.Process] = []
    for each in processes:
        with suppress(psutil.Error):
            if word in " ".join(each.cmdline()):
                found.append(each)
    return found


def end_worker(home: Home) -> None:
    """End a home's worker and see that nothing of it remains."""
    for worker in workers(home):
        family = [worker]
        with suppress(psutil.NoSuchProcess):  # nobody asked it for a while: it ended by itself
            family += helpers(worker)
            worker.terminate()
        _, alive = psutil.wait_procs(family, timeout=PATIENCE_S)
        assert not alive


def until(condition: Callable[[], object], within_s: float = PATIENCE_S) -> None:
    """Wait for a condition of other processes."""
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, f"not so within {within_s} s"
        time.sleep(0.01)


def begin_with(code: str, folder: Path) -> str:
    """Return a Python, made in a folder, whose workers run some code of the test's own first."""
    program = folder / "python"
    program.write_text(
        f"#!{sys.executable} -I\nimport sys, time\n"
        "from turbo_tui.knowledge.ranking import finding\n"
        f"from turbo_tui.knowledge.service import keeper, worker\n{code}\n"
        "sys.argv = sys.argv[-2:]\nworker.main()\n"
    )
    program.chmod(0o700)
    return os.fspath(program)


def is_locked(path: Path) -> bool:
    """Tell whether a process holds a lock on a file."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


# Reads as ever, takes down what it read, and waits for leave to. What git is about to write is
# empty for a moment: a content that nobody knows yet.
READER = """
import os, sys, time
from turbo_tui.knowledge.indexing import digesting
content_of = digesting.content_of
def noted(path):
    while not os.path.exists({leave!r}):
        time.sleep(0.01)
    content = content_of(path)
    if content:
        with open({log!r}, "a") as log:
            log.write(path + "\\n")
    return content
digesting.content_of = noted
digesting.serve(sys.stdin.buffer, sys.stdout.buffer)
"""


class Log:
    """What was read by processes of their own; they wait until `leave` is there."""

    def __init__(self, folder: Path) -> None:
        self.leave, self._file = folder / "leave", folder / "log"
        self._file.touch()

    @property
    def command(self) -> tuple[str, ...]:
        """What the processes that read are started with."""
        return sys.executable, "-c", READER.format(leave=str(self.leave), log=str(self._file))

    def take(self) -> list[str]:
        """Return what was read since this was asked, in that order."""
        said = self._file.read_text().splitlines()
        self._file.write_text("")
        return said
