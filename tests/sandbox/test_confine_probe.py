"""The best sandbox that holds is chosen, and what is missing is said with its mend."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sandbox.confining import needs_bubblewrap, needs_landlock
from turbo_tui.core.command import Command
from turbo_tui.core.errors import SandboxError
from turbo_tui.core.ports import CommandResult, Guarantee, OnOutput
from turbo_tui.sandbox.confine.bubblewrap import Bubblewrap
from turbo_tui.sandbox.confine.landlock import Landlock
from turbo_tui.sandbox.confine.unsandboxed import Unsandboxed
from turbo_tui.sandbox.place import ConfinerName, Place
from turbo_tui.sandbox.probing import mends, trials
from turbo_tui.sandbox.probing import probe as probing
from turbo_tui.sandbox.probing.mends import explain, install_line
from turbo_tui.sandbox.probing.probe import NAMES, probe
from turbo_tui.sandbox.probing.trials import trial

NAMES_OF_GUARANTEES = ["writes", "reads", "network", "limits", "tree"]


class LeakyConfiner(Unsandboxed):
    """Calls itself bubblewrap and confines nothing; as a shell of the user's would run it."""

    @property
    def name(self) -> ConfinerName:
        return "bubblewrap"

    async def run(
        self,
        place: Place,
        command: Command,
        *,
        on_output: OnOutput | None = None,
    ) -> CommandResult:
        # The loop stands still meanwhile, as on a busy machine: what leaks shows all the same.
        argv = ["/bin/sh", "-c", self.changed(command.argv[2]), *command.argv[3:]]
        done = subprocess.run(argv, cwd=place.tree, stdout=-1, check=False)  # noqa: ASYNC221
        return CommandResult(done.returncode, "exited", done.stdout.decode(), 0.1)

    def changed(self, script: str) -> str:
        """Return the script without what shall hold."""
        return script


class HoldsAllBut(LeakyConfiner):
    """Leaves out of the script every attempt but one, as if all others were refused."""

    def __init__(self, attempt: str) -> None:
        super().__init__()
        self._attempt = attempt

    def changed(self, script: str) -> str:
        marks = {"write": '"$1"', "read": '"$2"', "network": "/dev/tcp", "outlive": "$away sleep"}
        marks.pop(self._attempt, None)
        return "\n".join(
            "    echo tried" if mark == "/dev/tcp" else ":" if mark else line
            for line in script.splitlines()
            for mark in [next((mark for mark in marks.values() if mark in line), "")]
        )


class BrokenConfiner(Bubblewrap):
    """Cannot start."""

    async def run(
        self,
        place: Place,
        command: Command,
        *,
        on_output: OnOutput | None = None,
    ) -> CommandResult:
        raise SandboxError("no permissions to create a new namespace.")


async def test_bubblewrap_is_first_where_it_holds(tmp_path: Path) -> None:
    await needs_bubblewrap()

    probed = await probe(tmp_path, environ={"PATH": os.environ["PATH"]})

    assert probed.confiner.name == "bubblewrap"
    assert probed.reasons == ()
    assert not list(tmp_path.iterdir())  # noqa: ASYNC240 - a folder of the test


async def test_a_sandbox_that_does_not_hold_is_found_out() -> None:
    assert await trial(LeakyConfiner()) == "a command wrote outside its folder"


@pytest.mark.parametrize(
    ("attempt", "fault"),
    [
        ("write", "a command wrote outside its folder"),
        ("read", "a command read a file that is to be hidden"),
        ("network", "a command reached the network"),
        ("outlive", "a process outlived its command"),
        ("nothing", ""),
    ],
)
async def test_each_single_leak_is_found_out(attempt: str, fault: str) -> None:
    assert await trial(HoldsAllBut(attempt)) == fault


async def test_a_sandbox_that_does_not_start_says_why() -> None:
    assert "no permissions to create" in await trial(BrokenConfiner())


async def test_a_sandbox_that_hangs_is_given_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hanging = tmp_path / "bwrap"
    hanging.write_text("#!/bin/sh\n[ $1 = --help ] || exec sleep 60\n")
    hanging.chmod(0o755)
    monkeypatch.setattr(trials, "TRIAL_S", 0.5)

    assert "did not come back" in await trial(Bubblewrap(program=str(hanging)))


async def test_without_bubblewrap_landlock_serves_and_the_reason_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await needs_landlock()
    monkeypatch.setattr(probing.bubblewrap, "PROGRAM", "/no/such/bwrap")

    probed = await probe(environ={"PATH": os.environ["PATH"]})

    assert probed.confiner.name == "landlock"
    assert len(probed.reasons) == 1
    assert probed.reasons[0].startswith("bubblewrap: /no/such/bwrap is not installed: ")


async def test_with_nothing_every_reason_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing.bubblewrap, "PROGRAM", "/no/such/bwrap")
    monkeypatch.setattr(probing, "landlock_abi", lambda: 0)

    probed = await probe(environ={"PATH": os.environ["PATH"]})

    assert probed.confiner.name == "unsandboxed"
    assert [reason.split(":")[0] for reason in probed.reasons] == ["bubblewrap", "landlock"]


ON_LINUX = [name for name in NAMES if name != "seatbelt"]


@pytest.mark.parametrize("rung", ON_LINUX)
async def test_a_rung_can_be_named(rung: str) -> None:
    if rung == "bubblewrap":
        await needs_bubblewrap()
    if rung == "landlock":
        await needs_landlock()

    by_argument = await probe(rung=rung)
    by_variable = await probe(environ={"TURBO_TUI_RUNG": rung, "PATH": os.environ["PATH"]})

    assert by_argument.confiner.name == by_variable.confiner.name == rung
    assert len(by_argument.reasons) == ON_LINUX.index(rung)
    assert all(f"names {rung}" in reason for reason in by_argument.reasons)


async def test_a_named_rung_that_is_not_there_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probing.bubblewrap, "PROGRAM", "/no/such/bwrap")

    with pytest.raises(SandboxError, match="is not installed"):
        await probe(rung="bubblewrap")
    with pytest.raises(SandboxError, match="no such sandbox; use bubblewrap"):
        await probe(rung="docker")


async def test_a_rung_of_another_system_is_an_error() -> None:
    with pytest.raises(SandboxError, match=r"works on macOS only\. .* no other was tried"):
        await probe(rung="seatbelt")


async def test_a_bubblewrap_that_may_not_be_executed_is_told_from_one_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bwrap").write_text("")
    monkeypatch.setattr(probing.bubblewrap, "PROGRAM", str(tmp_path / "bwrap"))

    assert "may not be executed: run `chmod 755" in probing.missing("bubblewrap")


def test_only_linux_has_the_first_two() -> None:
    assert probing.missing("bubblewrap", platform="darwin") == "works on Linux only"
    assert probing.missing("landlock", platform="darwin") == "works on Linux only"
    assert probing.missing("unsandboxed", platform="darwin") == ""


@pytest.mark.parametrize(
    ("setting", "value", "mend"),
    [
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "AppArmor refuses"),
        ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0", "user.max_user_namespaces="),
    ],
)
def test_a_refusal_is_explained_by_the_kernels_settings(
    setting: str, value: str, mend: str, tmp_path: Path
) -> None:
    (tmp_path / setting).parent.mkdir()
    (tmp_path / setting).write_text(value + "\n")

    assert mend in explain("bwrap: failed.", tmp_path)


@pytest.mark.parametrize(
    ("said", "mend"),
    [
        ("bwrap: Can't mount proc on /newroot/proc: Operation not permitted", "systempaths=unconf"),
        ("bwrap: Unknown option --clearenv", "too old: 0.5 or newer is needed"),
        (
            "bwrap: Creating new namespace failed: Operation not permitted",
            "start turbo-tui outside",
        ),
    ],
)
def test_a_refusal_is_explained_by_what_bubblewrap_says(
    said: str, mend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mends, "CONTAINER_FILES", ())

    assert mend in explain(said, tmp_path)


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', "apt install bubblewrap"),
        ("ID=fedora\n", "dnf install bubblewrap"),
        ("ID=arch\n", "pacman -S bubblewrap"),
        ("NAME=x\n", "your distribution's package"),
    ],
)
def test_the_distribution_says_how_to_install(fields: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text(fields)

    assert line in install_line(tmp_path / "os-release")
    assert "package" in install_line(tmp_path / "missing")


@pytest.mark.parametrize("kind", [Bubblewrap, Landlock, Unsandboxed])
def test_every_rung_says_what_it_holds(
    kind: type[Bubblewrap | Landlock | Unsandboxed],
) -> None:
    guarantees: tuple[Guarantee, ...] = kind().guarantees

    assert [guarantee.name for guarantee in guarantees] == NAMES_OF_GUARANTEES
    assert all(guarantee.detail for guarantee in guarantees)
    held = [guarantee.held for guarantee in guarantees]
    assert (all(held), any(held)) == {
        Bubblewrap: (True, True),
        Landlock: (False, True),
        Unsandboxed: (False, False),
    }[kind]


def test_the_probe_imports_nothing_heavy() -> None:
    async def loaded() -> bytes:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "import sys, turbo_tui.sandbox.probing.probe; print('psutil' in sys.modules)",
            stdout=asyncio.subprocess.PIPE,
        )
        return (await process.communicate())[0]

    assert asyncio.run(loaded()) == b"False\n"
