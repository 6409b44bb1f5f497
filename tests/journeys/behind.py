"""The program started through other programs: as an ordinary user, or among other mounts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.journeys.turbo import PATIENCE_S, PROGRAM, Ended, Turbo

NOBODY = 65534
NOBODY_RUNS = (
    "setpriv",
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    "--inh-caps=-all",
)
HERE = Path(__file__).parents[2]
# Our virtual environment may lead into a folder of root's: its packages serve another Python, too.
NOBODYS_ENVIRONMENT = {
    "PYTHONPATH": os.pathsep.join(
        (str(HERE), str(HERE / "widgets"), sysconfig.get_path("purelib"))
    ),
    "PYTHONDONTWRITEBYTECODE": "1",
    "COVERAGE_PROCESS_START": "",  # nobody could not write its data
    "COVERAGE_PROCESS_CONFIG": "",
}


@dataclass
class TurboBehind(Turbo):
    """A user whose program is started by `prefix`, an argv that executes the words after it."""

    prefix: tuple[str, ...] = ()
    interpreter: str = sys.executable

    def __call__(self, *args: str, cwd: Path | None = None, timeout_s: float = PATIENCE_S) -> Ended:
        """Run a command to its end."""
        return self.python(*PROGRAM[1:], *args, cwd=cwd, timeout_s=timeout_s)

    def python(self, *args: str, cwd: Path | None = None, timeout_s: float = PATIENCE_S) -> Ended:
        """Run the program's Python."""
        done = subprocess.run(
            (*self.prefix, self.interpreter, *args),
            cwd=cwd or self.workspace,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def start(self, *args: str) -> subprocess.Popen[str]:
        """Start a command and leave it running."""
        return subprocess.Popen(
            (*self.prefix, self.interpreter, *PROGRAM[1:], *args),
            cwd=self.workspace,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@contextmanager
def ordinary_user() -> Generator[TurboBehind]:
    """Yield a user without rights, with folders of their own; as themselves where we are one."""
    # pytest's own folders can be entered by their owner only.
    place = Path(tempfile.mkdtemp(prefix="turbo-tui-test-"))
    try:
        turbo = TurboBehind(place / "home", place / "work")
        for folder in (turbo.home, turbo.workspace):
            folder.mkdir()
        if os.geteuid() == 0:
            turbo.prefix, turbo.interpreter = NOBODY_RUNS, readable_interpreter()
            turbo.more_env = dict(NOBODYS_ENVIRONMENT)
            give_to_nobody(place)
        yield turbo
    finally:
        shutil.rmtree(place, ignore_errors=True)


def give_to_nobody(root: Path) -> None:
    """Let all below a folder, and itself, belong to nobody."""
    for path in (root, *root.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def readable_interpreter() -> str:
    """Return a Python that nobody can start, also again; skip where there is none."""
    again = (
        "import subprocess, sys, turbo_tui; subprocess.run([sys.executable, '-c', ''], check=True)"
    )
    version = f"python3.{sys.version_info.minor}"
    said = b""
    for found in (sys.executable, shutil.which(version, path="/usr/local/bin:/usr/bin")):
        if found is not None:
            tried = subprocess.run(
                (*NOBODY_RUNS, found, "-c", again),
                cwd="/",
                env={"PATH": os.environ["PATH"], **NOBODYS_ENVIRONMENT},
                capture_output=True,
                check=False,
            )
            if tried.returncode == 0:
                return found
            said = tried.stderr
    return pytest.skip(f"nobody cannot run the program here: {said.decode()[-200:]}")


def among_mounts(script: str) -> tuple[str, ...]:
    """Return the prefix that mounts first, in a namespace of its own; skip where one may not."""
    prefix = ("unshare", "-m", "sh", "-ec", f'{script}\nexec "$@"', "sh")
    tried = subprocess.run(
        (*prefix, "true"), capture_output=True, check=False, env={"PATH": os.environ["PATH"]}
    )
    if tried.returncode:
        pytest.skip(f"mounts need root: {tried.stderr.decode().strip()}")
    return prefix
