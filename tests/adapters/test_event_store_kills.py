"""Kill a writing process again and again; the log must always go on from what it said it kept."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from turbo_tui.adapters.event_store import SqliteEventStore, read_log
from turbo_tui.adapters.log_repair import verify
from turbo_tui.core import events
from turbo_tui.core.session import Session

WRITER = """
import sys, time
from pathlib import Path
from turbo_tui.adapters.event_store import SqliteEventStore
from turbo_tui.core import events
from turbo_tui.core.session import Session
session = Session(SqliteEventStore(Path(sys.argv[1])), clock=time.time)
print(session.last_seq, flush=True)
for number in range(100_000):
    big = events.Noted("info", "x" * (number % 7 * 2000))
    event = events.StepSkipped(str(number)) if number % 5 == 0 else big
    print(session.append(event).seq, flush=True)
"""


def write_until_killed(folder: Path, after: int) -> int:
    """Let a process write; kill it once it said so many; return the last number it said."""
    said = [0]
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, folder], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if line.endswith("\n"):
                said.append(int(line))
            if len(said) > after:
                writer.send_signal(signal.SIGKILL)
    return said[-1]


def kill_and_go_on(folder: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # a seed, so that a failure comes again
    for kill in range(kills):
        acknowledged = write_until_killed(folder, chance.randint(1, 120))
        records = list(read_log(folder))
        # One more may have been kept when the kill came before the word of it.
        assert acknowledged <= len(records) <= acknowledged + 1, f"kill {kill} of seed {seed}"

    session = Session(SqliteEventStore(folder), clock=lambda: 1.0)
    session.append(events.StepSkipped("after"))
    session.close()
    assert verify(folder).closed


def test_a_log_survives_a_few_kills_in_a_row(tmp_path: Path) -> None:
    kill_and_go_on(tmp_path / "7f3a", kills=4, seed=1)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(10))
def test_a_log_survives_kills_without_end(tmp_path: Path, seed: int) -> None:
    kill_and_go_on(tmp_path / "7f3a", kills=15, seed=seed)
