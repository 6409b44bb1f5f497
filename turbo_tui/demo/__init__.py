"""A small project and a recorded model session that works on it, for `turbo-tui --demo`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
SESSION = HERE / "session.json"

IDENTITY = ("-c", "user.name=turbo-tui demo", "-c", "user.email=demo@localhost")
SAFE_GIT = ("git", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", *IDENTITY)


def prepare_demo(target: Path) -> Path:
    """Copy the demo project into `target` (made, must not exist) and put it under git.

    Returns:
        The project's folder. Without git on the machine it is a plain folder.
    """
    shutil.copytree(HERE / "project", target, ignore=shutil.ignore_patterns("__pycache__"))
    if shutil.which("git") is None:
        return target
    steps = (
        ("init", "-q", "-b", "main"),
        ("add", "-A"),
        ("commit", "-q", "-m", "tally 0.3.0"),
    )
    for step in steps:
        subprocess.run((*SAFE_GIT, *step), cwd=target, check=True, capture_output=True)
    return target
