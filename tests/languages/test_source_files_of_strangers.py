"""A tree that a stranger made can neither hang nor end whoever looks for its files."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from turbo_tui.languages.source_files import DEEPEST, Ignored, regular_bytes, source_files


def paths(root: Path) -> list[str]:
    return [found.path for found in source_files(root)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "a.py").write_text("x = 1\n")
    return tmp_path


def test_an_ignore_file_that_is_a_pipe_or_a_device_is_none(root: Path) -> None:
    os.mkfifo(root / ".gitignore")
    (root / "inner").mkdir()
    (root / "inner" / ".gitignore").symlink_to("/dev/zero")
    (root / "inner" / "b.py").touch()

    assert paths(root) == ["a.py", "inner/b.py"]
    assert not Ignored.in_file(root / ".gitignore").rules


def test_a_pattern_that_would_take_ages_is_passed_over_and_the_next_one_counts(root: Path) -> None:
    (root / ".gitignore").write_text("*a*a*a*a*a*a*a*a*b\n*.log\n")
    (root / "b.log").touch()
    (root / ("a" * 200)).touch()

    assert paths(root) == [".gitignore", "a.py", "a" * 200]


def test_folders_in_folders_end_somewhere(root: Path) -> None:
    deep = root.joinpath(*["d"] * (DEEPEST + 1))
    deep.mkdir(parents=True)
    for folder in (deep, deep.parent):
        (folder / "b.py").touch()

    assert paths(root) == ["a.py", "d/" * DEEPEST + "b.py"]


def test_of_a_file_only_so_much_is_read(root: Path) -> None:
    assert regular_bytes(root / "a.py", 3) == b"x ="
    assert regular_bytes(root / "none\0", 3) is None

    before = psutil.Process().num_fds()
    assert regular_bytes(root, 3) is None
    assert psutil.Process().num_fds() == before
