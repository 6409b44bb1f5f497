"""Scratch folders: gone after each command, and after a turbo-tui that was killed."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.confining import place_in
from turbo_tui.core.command import Command
from turbo_tui.core.errors import SandboxError
from turbo_tui.sandbox.confine.scratch import (
    PREFIX,
    delete_left,
    make_locked,
    remove,
    scratch_folder,
)
from turbo_tui.sandbox.confine.unsandboxed import Unsandboxed

ROOT = Path(__file__).parents[2]
US = (os.geteuid(), os.getegid())
HOLDER = f"""
import sys
from turbo_tui.sandbox.confine.scratch import scratch_folder
with scratch_folder{US} as scratch:
    print(scratch, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield folder
    delete_left.cache_clear()


def holder() -> tuple[subprocess.Popen[str], Path]:
    """Start a process that uses a scratch folder until its input ends."""
    words = (sys.executable, "-c", HOLDER)
    process = subprocess.Popen(
        words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_what_a_killed_process_left_is_deleted_and_nothing_that_is_used(where: Path) -> None:
    (where / "turbo-tui-notes").mkdir()
    (where / f"{PREFIX}file").touch()
    (where / f"{PREFIX}link").symlink_to(where / "turbo-tui-notes")
    killed, left = holder()
    running, used = holder()
    killed.kill()
    killed.communicate()

    result = await Unsandboxed().run(place_in(where / "ws"), Command(("ls", str(where))))

    assert left.name not in result.output
    assert names_in(where) == {
        "ws",
        "turbo-tui-notes",
        f"{PREFIX}file",
        f"{PREFIX}link",
        used.name,
    }
    running.communicate()
    assert not used.exists()


async def test_whatever_a_command_makes_of_its_scratch_folder_is_deleted(where: Path) -> None:
    deep = "import os\nfor _ in range(3000):\n os.mkdir('d')\n os.chdir('d')\n"
    line = (
        "mkdir -p ~/go/mod/closed; touch ~/go/mod/closed/x; chmod -R a-w ~/go; chmod 0 ~/go/mod; "
        f'ln -s "{where}/ws" ~/link; cd "$TMPDIR"; {sys.executable} -c "{deep}"'
    )
    place = place_in(where / "ws")
    (place.workspace / "kept").touch(mode=0o600)

    result = await Unsandboxed().run(place, Command(("sh", "-ec", line), timeout_s=60))

    assert result.exit_code == 0, result.output
    assert names_in(where) == {"ws"}
    assert (place.workspace / "kept").stat().st_mode & 0o777 == 0o600


async def test_where_none_can_be_made_the_command_is_refused(where: Path) -> None:
    tempfile.tempdir = str(where / "gone")

    with pytest.raises(SandboxError, match=r"scratch folder cannot be made in .*/gone.*TMPDIR"):
        await Unsandboxed().run(place_in(where / "ws"), Command(("true",)))


@pytest.mark.parametrize("lost", ["deleted", "locked"])
def test_one_that_another_takes_for_left_is_made_anew(
    lost: str, where: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, made = tempfile.mkdtemp, list[str]()
    locks: list[int] = []

    def make_and_lose_the_first(prefix: str, dir: Path) -> str:  # noqa: A002 - its name there
        made.append(make(prefix=prefix, dir=dir))
        if len(made) == 1 and lost == "deleted":
            Path(made[0]).rmdir()
        elif len(made) == 1:
            locks.append(os.open(made[0], os.O_RDONLY))
            fcntl.flock(locks[0], fcntl.LOCK_EX)
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", make_and_lose_the_first)

    with scratch_folder(*US) as scratch:
        assert made[1:] == [str(scratch)]
        delete_left(where)
        assert names_in(scratch) == {"home", "tmp"}
    for lock in locks:
        os.close(lock)


def test_what_lies_under_another_prefix_is_told_apart(where: Path) -> None:
    kept, lock = make_locked(where, "turbo-tui-demo-")
    left, gone = make_locked(where, "turbo-tui-demo-")
    os.close(gone)  # as the kernel does when its process is killed

    delete_left(where)
    assert left.exists()
    delete_left(where, "turbo-tui-demo-")

    assert not left.exists()
    assert kept.exists()
    os.close(lock)


def test_what_a_link_in_its_place_leads_to_keeps_its_modes(where: Path) -> None:
    target = where / "target"
    target.mkdir()
    (target / "key").touch(mode=0o400)
    target.chmod(0o500)
    (where / f"{PREFIX}x").symlink_to(target)

    remove(where / f"{PREFIX}x")

    assert (target / "key").stat().st_mode & 0o777 == 0o400
    assert target.stat().st_mode & 0o777 == 0o500
    target.chmod(0o700)


def test_a_link_that_comes_while_it_is_deleted_is_not_followed(
    where: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch, lock = make_locked(where)
    target = where / "target"
    target.mkdir()
    (target / "key").touch(mode=0o400)
    run = subprocess.run

    def swap_and_run(words: tuple[str, ...], **options: object) -> object:
        if "-R" in words:
            scratch.rename(where / "moved")
            scratch.symlink_to(target)
        return run(words, **options)  # pyright: ignore[reportCallIssue, reportArgumentType, reportUnknownVariableType]

    def delete_nothing(path: Path, *, ignore_errors: bool) -> None:
        """Stand for a folder closed to its owner: as root, none is."""
        assert (path, ignore_errors) == (scratch, True)

    monkeypatch.setattr("shutil.rmtree", delete_nothing)
    monkeypatch.setattr(subprocess, "run", swap_and_run)

    remove(scratch)

    assert (target / "key").stat().st_mode & 0o777 == 0o400
    os.close(lock)
