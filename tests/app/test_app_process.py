"""The app as a process on a terminal: keys during launch, signals, defects."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pexpect
import pytest

ROOT = Path(__file__).parents[2]

SCRIPT = """
import sys
from pathlib import Path
from turbo_tui.app.main import run_app
from turbo_tui.app.options import Options

async def opener(front):
    from tests.app.session_kit import Stand, hang
    if "defect" in sys.argv:
        raise RuntimeError("a defect with local secrets")
    stand = Stand(Path(sys.argv[1]), {"s1": hang})
    close = stand.store.close
    def closed():
        kinds = [type(record.event).__name__ for record in stand.store.records]
        Path(sys.argv[1], "closed").write_text(" ".join(kinds))
        close()
    stand.store.close = closed
    return stand.opened

sys.exit(run_app(opener, Options(title="demo")))
"""


def start(folder: Path, *words: str, locale: str = "C.UTF-8") -> pexpect.spawn[bytes]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "widgets")]),
        "LC_ALL": locale,
        "TERM": "xterm-256color",
    }
    environment.pop("NO_COLOR", None)
    return pexpect.spawn(
        sys.executable,
        ["-c", SCRIPT, str(folder), *words],
        dimensions=(24, 80),
        env=environment,
        cwd=str(ROOT),
        echo=False,
        timeout=60,
    )


def test_a_key_sent_right_after_launch_is_echoed(tmp_path: Path) -> None:
    child = start(tmp_path)
    child.send("Z")
    child.expect("Z")
    child.send("\x11")
    child.expect(pexpect.EOF)
    child.close()

    assert child.exitstatus == 0


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_signal_in_the_middle_of_a_step_leaves_a_closed_log(
    tmp_path: Path, number: signal.Signals
) -> None:
    child = start(tmp_path)
    child.expect("what you want done")
    child.expect("sandbox")
    child.send("greet\r")
    child.expect("plan has 2 steps")
    child.expect("Delete")
    child.send("g")
    child.expect("is running")
    child.kill(number)
    child.expect(
        r"step s1 was cut off, step s2 has not run yet. Go on with: turbo-tui session resume"
    )
    child.expect(pexpect.EOF)
    child.close()

    kinds = (tmp_path / "closed").read_text().split()
    assert kinds[-1] == "StepInterrupted"
    assert child.exitstatus == 128 + number


def test_a_defect_says_what_is_kept_and_shows_no_local_variables(tmp_path: Path) -> None:
    child = start(tmp_path, "defect")
    child.expect("turbo-tui stopped on a defect of its own")
    told = (child.before or b"").decode(errors="replace")
    child.expect(pexpect.EOF)
    child.close()

    assert "RuntimeError: a defect" in told
    assert "locals" not in told
    assert child.exitstatus == 1


def test_a_terminal_without_utf8_gets_ascii(tmp_path: Path) -> None:
    child = start(tmp_path, locale="C")
    child.expect("sandbox")
    child.expect("Quit")
    painted = (child.before or b"") + (child.after if isinstance(child.after, bytes) else b"")
    child.send("\x11")
    child.expect(pexpect.EOF)
    child.close()

    assert painted.isascii()
