"""What confines commands is believed, checked, and replaced before the user's eyes."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.fakes import MemoryBlobs
from tests.sandbox.confining import needs_bubblewrap, needs_landlock
from turbo_tui.core import events as ev
from turbo_tui.core.command import Command
from turbo_tui.core.errors import SandboxError, StageError
from turbo_tui.core.ports import Record
from turbo_tui.sandbox.confine import bubblewrap
from turbo_tui.sandbox.confine.unsandboxed import Unsandboxed
from turbo_tui.sandbox.probing import probe as probe_module
from turbo_tui.sandbox.probing.remembered import FILE, Remembered
from turbo_tui.wiring import confining, open_workspace
from turbo_tui.wiring.confining import Confining
from turbo_tui.wiring.running import open_run


class House:
    """A workspace whose bubblewrap breaks when `broken` is there, once `held` is not."""

    def __init__(self, root: Path, named: str = "") -> None:
        self.workspace = root / "work"
        self.state = root / "state"
        self.broken, self.held = root / "broken", root / "held"
        self.told: list[str] = []
        for folder in (self.workspace, self.state):
            folder.mkdir(exist_ok=True)
        self.program = root / "bwrap"
        self.program.write_text(
            f"#!/bin/sh\nif [ -e {self.broken} ]; then\n"
            f"while [ -e {self.held} ]; do sleep 0.02; done\necho broken >&2; exit 1\nfi\n"
            f'exec {REAL} "$@"\n'
        )
        self.program.chmod(0o755)
        self.memory = Remembered(root / FILE, self.state)
        self.confining = self.again(named)

    def again(self, named: str = "") -> Confining:
        """Start anew, as a later process would."""
        return Confining(self.state, named, self.memory, tell=self.told.append)


REAL = bubblewrap.PROGRAM


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    await needs_bubblewrap()
    await needs_landlock()
    made = House(tmp_path)
    monkeypatch.setattr(bubblewrap, "PROGRAM", str(made.program))
    monkeypatch.setattr(confining, "CHECK_AFTER_S", 0.0)
    return made


async def test_what_was_only_remembered_is_checked_later_and_replaced_in_sight(
    house: House,
) -> None:
    await house.confining.open(house.workspace, MemoryBlobs(), "auto")
    house.confining = house.again()
    stages = await house.confining.open(house.workspace, MemoryBlobs(), "copy")
    assert stages.report.level == "full"
    house.broken.touch()

    await house.confining.check_later()

    assert (stages.report.rung, stages.report.level) == ("copy+landlock", "reduced")
    assert "bubblewrap: broken" in stages.report.reasons[0]
    (said,) = house.told
    assert said == (
        "bubblewrap does not hold here any more: broken. Nothing was run. From now on commands run "
        "on copy+landlock (sandbox: reduced). Try again."
    )
    assert not house.memory.held("bubblewrap")


async def test_what_was_tried_at_start_is_not_tried_again(house: House) -> None:
    stages = await house.confining.open(house.workspace, MemoryBlobs(), "copy")
    house.broken.touch()

    await house.confining.check_later()

    assert stages.report.rung == "copy+bubblewrap"
    assert house.told == []


async def test_an_open_stage_runs_nothing_more_and_the_next_one_is_confined_by_another(
    house: House,
) -> None:
    stages = await house.confining.open(house.workspace, MemoryBlobs(), "copy")
    before = await stages.open("before")
    house.broken.touch()

    for _ in range(2):
        with pytest.raises(SandboxError, match=r"any more: broken\. Nothing was run"):
            await before.run(Command(("sh", "-c", "echo x > a.txt")))
    after = await stages.open("after")
    result = await after.run(Command(("sh", "-c", "echo x > a.txt")))

    assert len(house.told) == 1
    assert before.report.rung == "copy+bubblewrap"
    assert (after.report.rung, result.exit_code) == ("copy+landlock", 0)
    assert (await before.changes()).files == ()
    await before.close()
    await after.close()


async def test_when_nothing_holds_any_more_nothing_runs_until_the_user_chooses(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = await house.confining.open(house.workspace, MemoryBlobs(), "copy")
    before = await stages.open("before")
    house.broken.touch()
    monkeypatch.setattr(probe_module, "_without_landlock", lambda: "switched off")

    with pytest.raises(SandboxError, match="Nothing was run"):
        await before.run(Command(("true",)))
    after = await stages.open("after")
    with pytest.raises(SandboxError, match="No command runs from now on"):
        await after.run(Command(("true",)))

    (said,) = house.told
    assert "bubblewrap: broken; landlock: switched off. No command runs from now on" in said
    assert "TURBO_TUI_RUNG=unsandboxed" in said
    assert after.report.rung != "copy+unsandboxed"
    await before.close()
    await after.close()
    chosen = await house.again("unsandboxed").open(house.workspace, MemoryBlobs(), "copy")
    assert chosen.report.rung == "copy+unsandboxed"


async def test_a_command_that_is_at_fault_itself_changes_nothing(house: House) -> None:
    stages = await house.confining.open(house.workspace, MemoryBlobs(), "copy")
    stage = await stages.open("one")

    with pytest.raises(SandboxError, match="no folder nowhere"):
        await stage.run(Command(("true",), cwd="nowhere"))

    assert house.told == []
    assert (await stage.run(Command(("true",)))).exit_code == 0
    await stage.close()


async def test_a_named_sandbox_is_never_replaced(house: House) -> None:
    house.confining = house.again("bubblewrap")
    stages = await house.confining.open(house.workspace, MemoryBlobs(), "copy")
    stage = await stages.open("one")
    house.broken.touch()

    with pytest.raises(SandboxError, match="names bubblewrap, so no other was tried"):
        await stage.run(Command(("true",)))

    assert stages.report.rung == "copy+bubblewrap"
    await stage.close()


async def test_an_overlay_kept_from_a_sandbox_is_not_taken_up_without_one(house: House) -> None:
    stages = await house.confining.open(house.workspace, MemoryBlobs(), "auto")
    if stages.report.rung != "overlay+bubblewrap":
        pytest.skip("no overlay can be mounted here")
    stage = await stages.open("kept")
    stage.files.write("a.txt", b"a\n")
    await stage.close(keep=True)
    stages.confine_by(Unsandboxed(), ("bubblewrap: gone", "landlock: gone"))

    with pytest.raises(StageError, match=r"Its files are kept\. Bring the sandbox back"):
        await stages.reopen("kept")

    assert stages.report.rung == "copy+unsandboxed"
    assert (house.state / "stages" / "kept" / "upper" / "a.txt").read_bytes() == b"a\n"


@pytest.mark.parametrize("rung", ["bubblewrap", "landlock"])
async def test_none_of_our_own_folders_is_seen_by_a_command(
    house: House, monkeypatch: pytest.MonkeyPatch, rung: str
) -> None:
    del house
    if not os.access("/opt", os.W_OK):
        pytest.skip("/opt cannot be written by this user")
    # Neither in a home folder nor in /tmp, both of which are hidden in any case.
    ours = Path(tempfile.mkdtemp(prefix="turbo-tui-test-", dir="/opt"))
    try:
        monkeypatch.setenv("TURBO_TUI_HOME", str(ours / "home"))
        monkeypatch.setenv("TURBO_TUI_RUNG", rung)
        (ours / "work").mkdir()
        for folder in ("cache", "config", "state"):
            (ours / "home" / folder).mkdir(parents=True, mode=0o700)
            (ours / "home" / folder / "kept").write_text("of another project")
        stages = await open_workspace(ours / "work").stages()
        stage = await stages.open("one")

        result = await stage.run(Command(("sh", "-c", f"cat {ours}/home/*/kept; ls")))
        await stage.close()
    finally:
        shutil.rmtree(ours)

    assert "of another project" not in result.output
    assert result.exit_code == 0


async def test_the_app_checks_what_was_remembered_and_notes_what_replaces_it(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURBO_TUI_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TURBO_TUI_RUNG", raising=False)
    assert (await open_workspace(house.workspace).stages()).report.level == "full"
    house.held.touch()
    house.broken.touch()
    noted: list[str] = []
    told = asyncio.Event()

    opened = await open_run(open_workspace(house.workspace), built_in=True)

    def listen(record: Record) -> None:
        if isinstance(record.event, ev.Noted):
            noted.append(record.event.text)
            told.set()

    opened.run.session.subscribe(listen)
    assert opened.run.stages.report.level == "full", "believed at first"
    house.held.unlink()
    await asyncio.wait_for(told.wait(), 100)
    assert "bubblewrap does not hold here any more: broken" in noted[0]
    assert opened.run.stages.report.level == "reduced"
    await opened.run.close()
