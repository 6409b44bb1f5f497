"""`turbo-tui doctor` on machines that lack something."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from click.testing import CliRunner

from tests.model_server import Fault, ModelServer, Reply
from turbo_tui.commands import doctor
from turbo_tui.commands.checks import Check
from turbo_tui.commands.doctor import command, in_words, terminal
from turbo_tui.commands.sandbox_checks import report_checks
from turbo_tui.config import SEED_VARIABLES
from turbo_tui.core.ports import Guarantee, SandboxReport
from turbo_tui.sandbox import system
from turbo_tui.sandbox.confine import bubblewrap
from turbo_tui.sandbox.probing import probe as probing

SCREEN = os.terminal_size((120, 40))
Examined = dict[str, Check]
Examine = Callable[..., tuple[int, Examined]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in SEED_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TURBO_TUI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TURBO_TUI_RUNG", "copy+unsandboxed")  # quick; what it holds is not at issue
    return tmp_path / "home"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    subprocess.run(("git", "init", "-q", str(folder)), check=True)
    return folder


@pytest.fixture
def examine(home: Path, project: Path) -> Examine:
    """Run the command on a folder; return its exit code and its checks by name."""
    assert not home.exists()

    def run(folder: Path = project) -> tuple[int, Examined]:
        result = CliRunner().invoke(command, ["--json", "-C", str(folder)])
        assert result.stderr == ""
        checks = cast("list[dict[str, str]]", json.loads(result.stdout)["checks"])
        found = [Check(**check) for check in checks]  # pyright: ignore[reportArgumentType]
        return result.exit_code, {check.name: check for check in found}

    return run


def configure(home: Path, text: str) -> None:
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.toml").write_text(text)


def test_a_sound_machine_has_all_that_is_needed(examine: Examine, project: Path) -> None:
    code, checks = examine()

    assert code == 0
    for name in ("python", "git", "workspace", "config", "state", "cache", "config folder"):
        assert checks[name].status == "ok", checks[name]
    assert checks["workspace"].detail == f"{project}, a git repository"
    assert checks["planner"].detail == "not set up; the built-in planner serves"
    assert "without it" in checks["search by meaning"].detail


def test_no_sandbox_is_reduced_and_says_so(examine: Examine) -> None:
    code, checks = examine()

    assert code == 0
    assert checks["sandbox"].status == "reduced"
    assert "UNSANDBOXED" in checks["sandbox"].detail
    assert checks["sandbox network"].status == "reduced"
    assert "held all that was tried" in checks["bubblewrap"].detail


@pytest.mark.skipif(sys.platform != "linux", reason="of Linux alone")
def test_every_part_of_the_sandbox_has_a_check_of_its_own(examine: Examine) -> None:
    _, checks = examine()

    parts = ("bubblewrap", "landlock", "overlay", "reflink", "user namespaces")
    more = ("system call filter", "control groups", "sandbox programs", "tools for projects")
    assert set(checks) >= {*parts, *more}
    assert all(checks[name].detail for name in (*parts, *more))


def test_a_missing_bubblewrap_comes_with_the_line_that_installs_it(
    examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bubblewrap, "PROGRAM", "/no/such/bwrap")

    _, checks = examine()

    assert checks["bubblewrap"].status == "reduced"
    assert checks["bubblewrap"].detail == "/no/such/bwrap is not installed"
    assert "bubblewrap" in checks["bubblewrap"].mend


def test_a_fallback_that_is_missing_is_no_fault_while_the_best_holds(
    examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "landlock_abi", lambda: 0)

    _, checks = examine()

    if checks["bubblewrap"].status != "ok":
        pytest.skip("bubblewrap does not hold here")
    assert checks["landlock"].status == "ok"
    assert "not needed while bubblewrap holds" in checks["landlock"].detail


def test_programs_that_are_missing_are_named_with_what_goes_without_them(
    examine: Examine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(system, "SYSTEM_PATH", (str(tmp_path / "empty"),))

    _, checks = examine()

    assert checks["sandbox programs"].status == "reduced"
    assert "prlimit" in checks["sandbox programs"].detail
    assert "util-linux" in checks["sandbox programs"].mend


def test_a_folder_without_git_is_examined_as_well(examine: Examine, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()

    code, checks = examine(plain)

    assert code == 0
    assert checks["workspace"].status == "ok"
    assert "git init" in checks["workspace"].mend


def test_a_projects_own_settings_are_named_with_their_trust(
    examine: Examine, project: Path
) -> None:
    (project / ".turbo").mkdir()

    _, checks = examine()

    assert checks["workspace"].detail.endswith(".turbo is not trusted, and can only tighten")


def test_a_broken_config_is_reported_with_file_and_key(examine: Examine, home: Path) -> None:
    configure(home, "[caps]\nmax_turns = 0\n")

    code, checks = examine()

    assert code == 1
    assert checks["config"].status == "missing"
    assert "config.toml" in checks["config"].detail
    assert "max_turns" in checks["config"].detail
    assert checks["sandbox"].status == "reduced", "the rest is looked at all the same"


def test_a_projects_broken_config_is_reported(examine: Examine, project: Path) -> None:
    (project / ".turbo").mkdir()
    (project / ".turbo" / "config.toml").write_text("caps = 3")

    code, checks = examine()

    assert code == 0, "a stranger's broken file does not keep anyone from working"
    assert checks["config"].status == "reduced"
    assert str(project / ".turbo" / "config.toml") in checks["config"].detail


def test_a_folder_that_is_not_there_is_missing(examine: Examine, tmp_path: Path) -> None:
    code, checks = examine(tmp_path / "gone")

    assert code == 1
    assert checks["workspace"].status == "missing"
    assert "sandbox" not in checks


def test_a_state_folder_that_cannot_be_written_is_missing(examine: Examine, home: Path) -> None:
    home.parent.mkdir(exist_ok=True)
    home.write_text("a file where the folder should be")

    code, checks = examine()

    assert code == 1
    assert checks["state"].status == "missing"
    assert "TURBO_TUI_HOME" in checks["state"].mend
    assert checks["cache"].status == "reduced"
    assert checks["sandbox"].status == "reduced", "the sandbox is tried elsewhere"


def test_folders_are_listed_with_their_size(examine: Examine, home: Path) -> None:
    (home / "cache").mkdir(parents=True)
    (home / "cache" / "index").write_bytes(b"x" * 2_500_000)

    _, checks = examine()

    assert checks["cache"].detail == f"{home / 'cache'}, 2.5 MB in 1 file"


def test_a_missing_git_says_what_goes_without_it(
    examine: Examine, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))

    code, checks = examine(project)

    assert code == 0
    assert checks["git"].status == "reduced"
    assert "install git" in checks["git"].mend


def test_a_forced_sandbox_that_does_not_exist_is_missing(
    examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURBO_TUI_RUNG", "fortress")

    code, checks = examine()

    assert code == 1
    assert "fortress" in checks["sandbox"].detail


# --- models ----------------------------------------------------------------------


def named(role: str, address: str) -> str:
    return f'[{role}]\nkind = "openai"\nbase_url = "{address}"\nmodel = "test-model"\n'


def test_a_model_that_was_set_up_is_asked_for_a_word(examine: Examine, home: Path) -> None:
    with ModelServer([Reply("ready")]) as server:
        configure(home, named("planner", server.base_url("openai")))

        _, checks = examine()

        server.verify()
    assert checks["planner"].status == "ok"
    assert "test-model answered in" in checks["planner"].detail


def test_a_model_that_does_not_answer_is_reduced(examine: Examine, home: Path) -> None:
    with ModelServer([Fault(status=401)]) as server:
        configure(home, named("executor", server.base_url("openai")))

        code, checks = examine()

    assert code == 0
    assert checks["executor"].status == "reduced"
    assert "key" in checks["executor"].detail


def test_a_silent_model_is_not_waited_for(
    examine: Examine, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "MODEL_S", 0.2)
    with ModelServer([Fault(hang=True)]) as server:
        configure(home, named("planner", server.base_url("openai")))

        _, checks = examine()

    assert checks["planner"].status == "reduced"
    assert "no answer" in checks["planner"].detail


def test_a_model_named_by_the_environment_is_not_contacted(
    examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ModelServer([]) as server:
        monkeypatch.setenv("OLLAMA_LOCAL", server.base_url("ollama"))

        _, checks = examine()

        assert server.requests == []
    assert checks["executor"].status == "reduced"
    assert "not contacted" in checks["executor"].detail


def test_a_key_that_is_not_set_is_named(examine: Examine, home: Path) -> None:
    configure(home, named("planner", "http://127.0.0.1:9") + 'key_env = "NO_SUCH_KEY"\n')

    _, checks = examine()

    assert checks["planner"].status == "reduced"
    assert "NO_SUCH_KEY" in checks["planner"].detail


@pytest.mark.parametrize(
    ("kind", "address"),
    [("anthropic", "https://api.anthropic.com"), ("openai", "https://api.openai.com/v1")],
)
def test_where_a_kinds_own_service_is_meant_its_address_is_told(
    examine: Examine, home: Path, kind: str, address: str
) -> None:
    text = f'[planner]\nkind = "{kind}"\nmodel = "m"\nkey_env = "NO_SUCH_KEY"\n'
    configure(home, text)  # and without its key nothing is sent

    _, checks = examine()

    assert checks["planner"].detail.startswith(f"m at {address}: The key for {address} is to come")


# --- pure parts -------------------------------------------------------------------


def test_a_good_terminal_is_described() -> None:
    env = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "en_GB.UTF-8"}

    assert terminal(env, SCREEN) == Check(
        "terminal", "ok", "120x40, xterm-256color, all colours, UTF-8"
    )


@pytest.mark.parametrize(
    ("env", "size", "word"),
    [
        ({"TERM": "dumb"}, SCREEN, "TERM=dumb"),
        ({"TERM": "xterm", "LANG": "C.UTF-8"}, os.terminal_size((50, 15)), "50x15"),
        ({"TERM": "xterm", "LC_ALL": "C"}, SCREEN, "ASCII"),
    ],
)
def test_a_poor_terminal_is_reduced_with_a_mend(
    env: dict[str, str], size: os.terminal_size, word: str
) -> None:
    check = terminal(env, size)

    assert check.status == "reduced"
    assert word in check.detail
    assert check.mend


def test_no_color_and_few_colours_are_said() -> None:
    plain = terminal({"TERM": "xterm", "NO_COLOR": "1", "LANG": "C.UTF-8"}, SCREEN)
    many = terminal({"TERM": "xterm-256color", "LANG": "C.UTF-8"}, SCREEN)

    assert "NO_COLOR" in plain.detail
    assert "256 colours" in many.detail


def test_a_full_sandbox_is_ok_in_all_its_parts() -> None:
    report = SandboxReport("overlay+bubblewrap", "full", (Guarantee("writes", True, "stage"),))

    assert [(check.name, check.status) for check in report_checks(report)] == [
        ("sandbox", "ok"),
        ("sandbox writes", "ok"),
    ]


def test_a_lower_rung_says_what_it_changes_and_where_its_reasons_stand() -> None:
    reasons = (
        "bubblewrap: it is not installed: apt install bubblewrap",
        "the state lies on an overlay.",
    )
    report = SandboxReport("copy+landlock", "reduced", (), reasons)

    (sandbox,) = report_checks(report)

    assert sandbox.detail.endswith("steps set to auto ask all the same")
    assert sandbox.mend == "the state lies on an overlay. See bubblewrap below."


def test_a_rung_that_was_named_says_so() -> None:
    reasons = ("bubblewrap: not tried, TURBO_TUI_RUNG or your configuration names landlock",)

    (sandbox,) = report_checks(SandboxReport("copy+landlock", "reduced", (), reasons))

    assert sandbox.mend == f"{reasons[0]}."


def test_words_are_aligned_and_end_with_a_verdict() -> None:
    groups = {
        "machine": [Check("git", "ok", "2.39")],
        "nothing": [],
        "data": [Check("state", "missing", "not writable", "make it writable " * 8)],
    }

    lines = list(in_words(groups, width=60, colour=False))

    assert [line for line in lines if line and not line.startswith(" ")][1:3] == ["machine", "data"]
    git, state = (next(line for line in lines if word in line) for word in ("2.39", "not writ"))
    assert git.index("2.39") == state.index("not writable")
    assert any(line.strip().startswith("-> make it") for line in lines)
    assert max(len(line) for line in lines) <= 60
    assert " ".join(lines[-2:]).strip().startswith("Missing: state.")
    coloured = list(in_words(groups, width=60, colour=True))
    assert "\x1b[" in next(line for line in coloured if "git" in line)


def test_a_person_reads_text_and_names_cannot_move_their_cursor(home: Path, tmp_path: Path) -> None:
    del home
    odd = tmp_path / "odd\x1b[2Jname"
    odd.mkdir()

    result = CliRunner().invoke(command, ["-C", str(odd)])

    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert "At a reduced level: sandbox" in result.stdout
