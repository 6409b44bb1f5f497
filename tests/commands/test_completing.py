"""What a shell offers behind a Tab, asked through bash itself and the script that it is given."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from turbo_tui.commands.program import Commands

BASH = shutil.which("bash")
# What bash does at a Tab, where nobody types: the words, which of them, and the function's answer.
AT_TAB = """
eval "$(_TURBO_TUI_COMPLETE=bash_source turbo-tui)" || exit 9
complete -p turbo-tui > /dev/null || exit 8
COMP_WORDS=(turbo-tui "$@")
COMP_CWORD=$#
compopt() { echo "compopt $*"; }
_turbo_tui_completion turbo-tui
printf '%s\\n' "${COMPREPLY[@]}"
"""


class Shell:
    """A bash that knows the program by name, in a home of its own."""

    def __init__(self, folder: Path) -> None:
        self.sessions = folder / "home/state/sessions"
        self._environment = {
            **os.environ,
            "TURBO_TUI_HOME": str(folder / "home"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    def offers(self, *words: str) -> list[str]:
        """Return what is offered for the last of the words behind `turbo-tui`."""
        return self.run(AT_TAB, *words).split()

    def run(self, script: str, *words: str) -> str:
        """Run a script, with nobody at its terminal; what it complains of fails the test."""
        done = subprocess.run(
            ["bash", "-c", script, "bash", *words],
            env=self._environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=True, timeout=120,
        )  # fmt: skip
        assert done.stderr == ""
        return done.stdout


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    if BASH is None:
        pytest.skip("there is no bash here")
    return Shell(tmp_path)


def test_a_shell_completes_the_name_of_a_command(shell: Shell) -> None:
    assert shell.offers("ses") == ["session"]


def test_behind_the_programs_name_every_command_is_offered_and_behind_a_dash_every_option(
    shell: Shell,
) -> None:
    assert shell.offers("") == list(Commands.modules)
    assert set(shell.offers("--")) == {
        "--version", "--help", "--demo", "--here", "--new", "--session",
    }  # fmt: skip
    assert shell.offers("session", "show", "--l") == ["--log"]


def test_a_session_is_completed_by_its_id_newest_first(shell: Shell) -> None:
    assert shell.offers("session", "undo", "") == [], "there is none, and no folder for one"
    for name in ("261122-160340-7f3a", "261123-090000-1c2d"):
        (shell.sessions / name).mkdir(parents=True)

    assert shell.offers("session", "undo", "") == ["261123-090000-1c2d", "261122-160340-7f3a"]
    assert shell.offers("session", "resume", "261122") == ["261122-160340-7f3a"]
    assert shell.offers("--session", "261122") == ["261122-160340-7f3a"]


def test_the_shell_itself_offers_folders_and_files_where_they_are_meant(shell: Shell) -> None:
    assert shell.offers("src/no") == ["compopt", "-o", "dirnames"], "a folder to open"
    assert shell.offers("src", "--he") == ["--here", "--help"], "a folder that is not there yet"
    assert shell.offers("run", "-C", "") == ["compopt", "-o", "dirnames"]
    assert shell.offers("run", "--plan", "") == ["compopt", "-o", "default"]


@pytest.mark.parametrize(
    ("name", "begins"),
    [("zsh", "#compdef turbo-tui"), ("fish", "function _turbo_tui_completion")],
)
def test_other_shells_are_given_their_script_too(shell: Shell, name: str, begins: str) -> None:
    assert shell.run(f"_TURBO_TUI_COMPLETE={name}_source turbo-tui").startswith(begins)


def test_a_tab_waits_for_nothing_heavy() -> None:
    script = (
        "import sys; from turbo_tui.commands.program import run_program\n"
        "try:\n    run_program()\nexcept SystemExit:\n    pass\n"
        "print(*sorted({each.partition('.')[0] for each in sys.modules}))"
    )
    asked = {"_TURBO_TUI_COMPLETE": "bash_complete", "COMP_WORDS": "turbo-tui session show "}
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **asked, "COMP_CWORD": "3"},
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip

    loaded = set(done.stdout.split())
    assert "click" in loaded
    assert not loaded & {"textual", "sqlite3", "httpx2", "pydantic", "numpy", "pygit2", "keyring"}
