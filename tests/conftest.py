"""For all tests: hypothesis on a busy machine, and an end that leaves no process behind."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings
from xdist.scheduler import LoadScopeScheduling  # pyright: ignore[reportMissingTypeStubs]

# Neither check measures our code: both measure how busy the machine is.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples in every run, so that what fails there fails here too.
settings.register_profile("ci", settings.get_profile("here"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

# A run started in the background by a shell ignores it, and so would each command that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Modes of what tests make are compared; a user may let a group write.
os.umask(0o022)

# A search worker outlives the app that started it: not by a minute, here.
os.environ.setdefault("TURBO_TUI_WORKER_IDLE_S", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Count no lines where that shows nothing new: it takes as long again as the test, and more.

    A journey runs the app in another process; what hundreds of examples try, plain tests run too.
    """
    for item in items:
        if isinstance(item, pytest.Function):
            is_journey = item.path.parent.name == "journeys" and "turbo" in item.fixturenames
            if is_journey or is_hypothesis_test(item.obj):
                item.add_marker("no_cover")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Keep on one test worker what shares a run of attempts to break out.

    xdist 3.8 has marks for this, which it cannot read from pytest 9.2 any more.
    """
    return _ByRun(config, log)


_AS_ROOT = re.compile(r"\[\w+-root[-\]]")


class _ByRun(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        if "/test_escape.py::" not in nodeid:
            return nodeid
        return "escape as root" if _AS_ROOT.search(nodeid) else "escape as a user"


END_S = 60.0  # for what was told to end and has not been given a processor yet


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fail, naming them, when processes of ours outlive the tests; each test worker has its own.

    Search workers leave their parent; they name the workspace that they are for.
    """
    yield
    left = [each for each in psutil.Process().children(recursive=True) if is_ours(each)]
    base = f"{tmp_path_factory.getbasetemp()}/"  # another's is `popen-gw10` where ours ends in 1
    left.extend(
        each
        for each in psutil.process_iter()
        if each not in left and is_ours(each) and any(base in word for word in words_of(each))
    )
    _, alive = psutil.wait_procs(left, timeout=END_S)
    assert not alive, f"left running: {[words_of(each) for each in alive]}"


def is_ours(process: psutil.Process) -> bool:
    """Tell a worker, an app, a sandbox or the holder of an overlay from other children."""
    program, *words = words_of(process) or [""]
    return (
        Path(program).name == "bwrap"
        or "turbo-tui" in words
        or any(word.split(".")[0] == "turbo_tui" or "/turbo_tui/" in word for word in words)
    )


def words_of(process: psutil.Process) -> list[str]:
    """Return the command line; of one that ended meanwhile, nothing."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []
