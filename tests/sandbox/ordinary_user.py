"""Run a file of tests once more as an ordinary user, where root runs them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

AGAIN = "TURBO_TUI_TEST_AS_ORDINARY_USER"
NOBODY = 65534
HERE = Path(__file__).parents[2]
BECOME = (
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all"),
)


def check_as_ordinary_user(tests: str) -> None:
    """Run a file of tests as nobody; fail when one of them does."""
    if AGAIN in os.environ:
        pytest.skip("already running again")
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed")
    base = Path(tempfile.mkdtemp(prefix="turbo-tui-tests-"))  # pytest's own folder is barred
    try:
        os.chown(base, NOBODY, NOBODY)
        env = {**os.environ, AGAIN: "1", "HOME": str(base), "PYTHONDONTWRITEBYTECODE": "1"}
        python, more = python_of_all(env)
        words = (*BECOME, python, "-m", "pytest", "-p", "no:cacheprovider", "-x", "-q")
        done = subprocess.run(
            (*words, f"--basetemp={base / 'tmp'}", tests),
            check=False,
            env={**env, **more},
            capture_output=True,
            text=True,
            cwd=HERE,
        )
    finally:
        shutil.rmtree(base)
    assert done.returncode == 0, done.stdout[-6000:]


def python_of_all(env: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return a Python that nobody can run, and the variables it needs to find our packages."""
    said = ""
    for python, more in pythons():
        works = subprocess.run(
            (*BECOME, python, "-c", "import pytest, turbo_tui"),
            check=False,
            env={**env, **more},
            capture_output=True,
            text=True,
            cwd=HERE,
        )
        if works.returncode == 0:
            return python, more
        said += works.stderr[-200:]
    pytest.skip(f"an ordinary user can run no Python here: {said}")


def pythons() -> Iterator[tuple[str, dict[str, str]]]:
    """Yield ours, which may lie in root's home folder, and the system's of the same version."""
    yield sys.executable, {}
    ours = (path for path in sys.path if path and not path.startswith(sys.base_prefix))
    version = f"python3.{sys.version_info.minor}"
    yield f"/usr/bin/{version}", {"PYTHONPATH": ":".join((str(HERE), *ours))}
