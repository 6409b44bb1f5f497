"""The analysis worker as a process: answers, refusals, cancellation."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import psutil
import pytest

from tests.conftest import words_of
from tests.fakes import FolderFiles
from turbo_tui.core.errors import ToolError
from turbo_tui.languages.ask import (
    MAX_FILE_BYTES,
    ask_worker,
    files_holding,
    names_in_workspace,
    python_sources,
)
from turbo_tui.languages.worker import answer


async def test_any_bytes_reach_the_worker_and_come_back_as_edits() -> None:
    content = bytes(range(128, 256)).join([b"# ", b"\ndef f(): pass\n"])

    said = await ask_worker(
        "rename", paths=["m.py"], files={"m.py": content}, symbol="f", new_name="g"
    )

    start = content.index(b"f()")
    assert said["edits"] == {"m.py": [[start, start + 1, "g"]]}


async def test_a_refusal_is_a_tool_error() -> None:
    with pytest.raises(ToolError, match="not a valid Python name"):
        await ask_worker("rename", paths=[], files={}, symbol="f", new_name="1")


async def test_a_job_that_breaks_names_its_last_words() -> None:
    with pytest.raises(ToolError, match="ended with an error: KeyError: 'symbol'"):
        await ask_worker("rename", paths=[], files={})


async def test_a_worker_that_takes_too_long_is_stopped() -> None:
    with pytest.raises(ToolError, match="took over 0 s and was stopped"):
        await ask_worker("names", paths=[], files={}, timeout_s=0.001)


async def test_cancelling_ends_the_process() -> None:
    files = {f"m{n}.py": b"import os\n" * 20_000 for n in range(20)}
    asked = asyncio.create_task(
        ask_worker("imports", paths=list(files), files=files, clean=list(files))
    )
    mine = psutil.Process(os.getpid())
    while not any("turbo_tui.languages.worker" in words_of(each) for each in mine.children()):  # noqa: ASYNC110 - a child has no event
        await asyncio.sleep(0)

    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked

    assert not any("turbo_tui.languages.worker" in words_of(each) for each in mine.children())


def test_an_unknown_job_is_refused() -> None:
    assert answer({"do": "dance"}) == {"ok": False, "error": "unknown request 'dance'"}


def test_the_worker_can_be_asked_in_process() -> None:
    said = answer({"do": "names", "files": {"a.py": "def f(): pass\n"}})

    assert said == {"ok": True, "names": ["f"]}


async def test_names_of_a_workspace_leave_ignored_and_foreign_folders_out(tmp_path: Path) -> None:
    for path, text in {
        "a.py": "class A:\n    async def m(self): ...\nLIMIT: int = 3\nx == y\n",
        "b.js": "export function go() {}\nconst k = 1\n",
        "c.go": "func (s *S) Walk() {}\n",
        "D.java": "class D {\n  public static void main(String[] a) {\n  }\n}\n",
        "node_modules/x.js": "function no() {}\n",
        ".gitignore": "built/\n",
        "built/y.py": "def no(): ...\n",
        "notes.txt": "def no(): ...\n",
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "link.py").symlink_to("/etc/passwd")

    assert await names_in_workspace(tmp_path) == [
        "A", "D", "LIMIT", "Walk", "go", "k", "m", "main",
    ]  # fmt: skip


def test_large_files_and_links_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "big.py").write_bytes(b"x" * (MAX_FILE_BYTES + 1))
    (tmp_path / "link.py").symlink_to("big.py")
    (tmp_path / "a.py").write_bytes(b"x")

    held = files_holding(FolderFiles(tmp_path), ["a.py", "big.py", "link.py", "no.py"], [b"x"])

    assert held == ({"a.py": b"x"}, ["big.py"])


def test_packages_are_read_even_when_they_do_not_hold_the_name(tmp_path: Path) -> None:
    for path, text in {"p/__init__.py": "", "p/a.py": "f", "p/b.py": "g", "c.txt": "f"}.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)

    everything, python, contents = python_sources(FolderFiles(tmp_path), ["f"])

    assert everything == ["c.txt", "p/__init__.py", "p/a.py", "p/b.py"]
    assert python == ["p/__init__.py", "p/a.py", "p/b.py"]
    assert contents == {"p/__init__.py": b"", "p/a.py": b"f"}
