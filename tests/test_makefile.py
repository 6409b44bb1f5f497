"""What `make run` opens, with the real Makefile and a program that tells how it was called."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[1] / "Makefile"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder in which all is installed: nothing is fetched, and bubblewrap is there."""
    clone = tmp_path / "clone"
    (clone / ".venv/bin").mkdir(parents=True)
    shutil.copy(MAKEFILE, clone / "Makefile")
    for name in ("pyproject.toml", ".venv/bin/python", ".venv/core.stamp"):  # the newest last
        (clone / name).touch()
    for name, text in (("turbo-tui", "printf '[%s]' \"$@\"; exit 3"), ("bwrap", "exit 0")):
        (clone / ".venv/bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (clone / ".venv/bin" / name).chmod(0o755)
    return clone


def called(clone: Path, *words: str, folder: Path | None = None) -> str:
    """Return the words that the program is called with."""
    if shutil.which("make") is None:
        pytest.skip("there is no make here")
    path = f"{clone / '.venv/bin'}:{os.environ['PATH']}"
    without = {"ARGS", "FOLDER", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    kept = {name: text for name, text in os.environ.items() if name not in without}
    done = subprocess.run(
        ["make", "--no-print-directory", *words], cwd=folder or clone, env={**kept, "PATH": path},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert "Error 3" in done.stderr, "its exit code is told"
    return done.stdout


def test_make_run_opens_the_folder_of_the_makefile(clone: Path) -> None:
    assert called(clone, "run") == f"[{clone}]"


def test_a_path_with_blanks_and_brackets_is_one_path(clone: Path, tmp_path: Path) -> None:
    project = tmp_path / "pläin dir (1) 'ü'"
    project.mkdir()

    assert called(clone, "run", f"ARGS={project}") == f"[{project}]"
    from_there = ("-C", str(clone), "run", f"ARGS={project}")
    assert called(clone, *from_there, folder=project) == f"[{project}]"


def test_options_and_quoted_words_are_words(clone: Path) -> None:
    assert called(clone, "run", "ARGS=--demo") == "[--demo]"
    assert called(clone, "run", "ARGS=--here 'a b' --new") == "[--here][a b][--new]"
