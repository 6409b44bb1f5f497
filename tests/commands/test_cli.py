"""The command line itself: names, help, errors, exit codes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from turbo_tui import __version__, cli
from turbo_tui.cli import COMMANDS, main, only_opens
from turbo_tui.commands.plan import in_words
from turbo_tui.commands.program import Commands, program
from turbo_tui.config import paths
from turbo_tui.core.errors import WorkspaceError
from turbo_tui.core.plan import Plan, Step
from turbo_tui.trust import Trust

Shell = tuple[int, str, str]


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Shell]:
    monkeypatch.setenv("TURBO_TUI_HOME", str(tmp_path / "home"))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))

    def run(*words: str) -> Shell:
        monkeypatch.setattr(sys, "argv", ["turbo-tui", *words])
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_help_names_every_command_without_importing_it(shell: Callable[..., Shell]) -> None:
    code, out, _ = shell("--help")

    assert code == 0
    for name in Commands.modules:
        assert name in out
    assert "./run" in out, "how a folder named like a command is opened"


def test_the_version_is_told(shell: Callable[..., Shell]) -> None:
    assert shell("--version")[:2] == (0, f"turbo-tui, version {__version__}\n")


@pytest.mark.parametrize("name", list(Commands.modules))
def test_every_command_has_help_and_says_what_it_does(
    shell: Callable[..., Shell], name: str
) -> None:
    code, out, _ = shell(name, "--help")

    assert code == 0
    assert out.startswith(f"Usage: turbo-tui {name}")


@pytest.mark.parametrize("words", [("run",), ("run", "--nonsense"), ("plan",), ("--nonsense",)])
def test_a_wrong_command_line_exits_2_and_says_why(
    shell: Callable[..., Shell], words: tuple[str, ...]
) -> None:
    code, out, err = shell(*words)

    assert code == 2
    assert out == ""
    assert "Error:" in err


def test_a_folder_that_is_not_there_exits_5_before_anything_is_painted(
    shell: Callable[..., Shell],
) -> None:
    code, out, err = shell("no-such-folder")

    assert code == 5
    assert out == ""
    assert err.startswith("turbo-tui: no-such-folder: there is no such folder.")


def test_what_is_no_command_is_a_folder_to_open(
    shell: Callable[..., Shell], monkeypatch: pytest.MonkeyPatch
) -> None:
    from turbo_tui.commands import open as opening

    opened: list[tuple[str, dict[str, object]]] = []

    def remember(path: str, **options: object) -> int:
        opened.append((path, options))
        return 7

    monkeypatch.setattr(opening, "open_in_app", remember)
    plain = {"demo": False, "here": False, "new": False, "session": ""}

    assert shell()[0] == 7
    assert shell("some/folder", "--here", "--new")[0] == 7
    assert shell("--demo")[0] == 7
    assert shell("./run")[0] == 7
    assert opened == [
        (".", plain),
        ("some/folder", {**plain, "here": True, "new": True}),
        (".", {**plain, "demo": True}),
        ("./run", plain),
    ]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (WorkspaceError("x: the disk is full."), 5, "turbo-tui: x: the disk is full.\n"),
        (KeyboardInterrupt(), 130, "turbo-tui: interrupted.\n"),
        (click.Abort(), 130, "turbo-tui: interrupted.\n"),
        (click.exceptions.Exit(3), 3, ""),
    ],
)
def test_every_foreseen_error_is_a_message_and_an_exit_code(
    shell: Callable[..., Shell],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    said: str,
) -> None:
    def fail(**options: object) -> None:
        del options
        raise error

    monkeypatch.setattr(program, "main", fail)

    assert shell("doctor") == (code, "", said)


@pytest.mark.parametrize(
    ("redirected", "term", "said"),
    [
        ("</dev/null", "xterm", "needs a terminal, and standard input is none. Without one there"),
        (">/dev/null", "xterm", "needs a terminal, and standard output is none."),
        ("2>../error", "xterm", "needs a terminal, and standard error is none."),
        ("", "dumb", "needs a terminal that can draw; TERM=dumb says that this one cannot."),
    ],
)
def test_where_nobody_could_see_the_app_or_type_it_says_so_and_ends(
    tmp_path: Path, redirected: str, term: str, said: str
) -> None:
    here, error = tmp_path / "here", tmp_path / "error"
    here.mkdir()
    words = {">/dev/null": ["--session", "abc"], "2>../error": ["--demo"]}.get(redirected, [])
    run = [sys.executable, "-c", "from turbo_tui.cli import main; main()", *words]
    master, terminal = os.openpty()

    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirected}', "sh", *run],
        cwd=here,
        env=os.environ | {"TERM": term, "TURBO_TUI_HOME": str(tmp_path / "home")},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        check=False,
        timeout=60,
    )
    told = error.read_text() if error.exists() else os.read(master, 4096).decode()
    os.close(master)
    os.close(terminal)

    assert done.returncode == 2
    assert said in told
    assert ("session resume abc --approve" if "abc" in words else "turbo-tui run TASK") in told
    assert "\x1b" not in told
    assert not (tmp_path / "home").exists(), "no session is begun"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("run --json", 2, "Give a task"),
        ("run --json --plan none.json", 2, "none.json"),
        ("plan --json", 2, "Missing argument 'TASK'"),
        ("plan zebra --json", 2, "No recipe fits “zebra”"),
        ("apply --json", 2, "Standard input is empty"),
        ("sandbox -C none --json -- true", 125, "there is no such folder"),
        ("policy check -C none --json -- true", 5, "there is no such folder"),
        ("index -C none --json", 5, "there is no such folder"),
        ("search -C none --json word", 5, "there is no such folder"),
        ("search --json word -k abc", 2, "'-k'"),
        ("session show zzz --json", 5, "There is no session 'zzz'"),
        ("session undo --json", 5, "has no session yet"),
        ("session resume --json", 5, "has no session yet"),
        ("session repair zzz --keep 3 --json", 5, "There is no session 'zzz'"),
        ("session prune --older-than foo --json", 2, "'foo' is no age"),
    ],
)
def test_with_json_a_failure_too_is_one_object_and_still_told_to_a_person(
    shell: Callable[..., Shell], words: str, code: int, said: str
) -> None:
    ended, out, err = shell(*words.split())
    failed = json.loads(out)
    error = failed["error"]

    assert failed["kind"] == "Failed", "as the events that may come before it have one"
    assert (ended, error["exit_code"]) == (code, code)
    assert said in error["message"]
    assert said in err


def test_json_is_asked_of_us_by_our_own_flag_alone(shell: Callable[..., Shell]) -> None:
    code, out, err = shell("sandbox", "-C", "none", "--", "ls", "--json")

    assert (code, out) == (125, "")
    assert err.startswith("turbo-tui: none: there is no such folder.")


def test_a_dry_run_says_that_it_was_one(
    shell: Callable[..., Shell], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("a.py").write_text("def echo():\n    pass\n")
    monkeypatch.setenv("DRY_RUN", "1")

    code, _, err = shell("run", "rename echo to say", "--here", "--approve", "all")

    assert code == 3
    assert "DRY_RUN is set: the plan was made, and none of its steps was run." in err
    assert "echo" in Path("a.py").read_text()


def test_without_the_app_it_is_said_that_a_projects_own_recipes_are_left_out(
    shell: Callable[..., Shell],
) -> None:
    recipes = Path(".turbo/recipes")
    recipes.mkdir(parents=True)
    (recipes / "hello.toml").write_text("name = 'hello'\n")
    strange = shell("plan", "say hello", "--here")[2]
    Trust(paths().state).give(Path.cwd())
    (recipes / "hello.toml").unlink()
    (recipes / "other.toml").write_text("")
    changed = shell("plan", "say hello", "--here")[2]

    assert ".turbo/ of this project: not trusted. Its recipes and settings are left out" in strange
    assert ".turbo/ of this project: changed since you trusted it." in changed


def test_why_there_is_no_plan_is_told_once(shell: Callable[..., Shell]) -> None:
    code, out, err = shell("run", "do something great", "--here")

    assert code == 2
    assert out.endswith("✘ no plan\n")
    assert err.count("No recipe fits “do something great”") == 1
    assert "[planner] in your config.toml" in err


def test_a_file_of_variables_that_are_none_of_ours_is_not_spoken_of(
    shell: Callable[..., Shell],
) -> None:
    Path(".env").write_text("DEBUG=1\n")

    assert ".env" not in shell("plan", "say hello", "--here")[2]


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("output", "code", "said"),
    [
        ("full", 5, "standard output cannot be written: No space left on device."),
        ("closed", 5, "standard output cannot be written: Bad file descriptor."),
        ("unread", 141, ""),
    ],
)
def test_output_that_cannot_be_written_is_one_line_and_an_exit_code(
    tmp_path: Path, output: str, code: int, said: str, unbuffered: str
) -> None:
    environ = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    words = ["policy", "check", "--json", "ls"]
    closed = ["sh", "-c", 'exec "$@" >&-', "sh"] if output == "closed" else []
    reader, unread = os.pipe()
    os.close(reader)
    full = os.open("/dev/full", os.O_WRONLY)

    done = subprocess.run(
        [*closed, sys.executable, "-c", "from turbo_tui.cli import main; main()", *words],
        cwd=tmp_path,
        env=environ,
        stdout=full if output == "full" else unread,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(full)
    os.close(unread)

    assert done.returncode == code
    if said:
        assert done.stderr.startswith(f"turbo-tui: {said}")
    assert done.stderr.count("\n") == bool(said), "a reader that has gone, as head, is told nothing"


def test_windows_is_pointed_to_wsl2(
    shell: Callable[..., Shell], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli.sys, "platform", "win32")

    code, _, err = shell()

    assert code == 2
    assert "WSL2" in err


def test_help_is_found_by_the_words_people_type(shell: Callable[..., Shell]) -> None:
    asked = [shell(*words.split())[:2] for words in ("--help", "-h", "help")]

    assert asked[0][0] == 0
    assert asked == [asked[0]] * 3
    assert shell("help", "search") == shell("search", "-h")


@pytest.mark.parametrize("words", [("serch",), ("serch", "foo")])
def test_a_misspelt_command_is_told_the_one_that_is_meant(
    shell: Callable[..., Shell], words: tuple[str, ...]
) -> None:
    code, _, err = shell(*words)

    assert code == 2
    assert "There is no command and no folder 'serch'. Did you mean 'search'?" in err


def test_a_wrong_option_of_the_app_is_told_in_words_that_were_typed(
    shell: Callable[..., Shell],
) -> None:
    assert "turbo-tui open" not in shell("--nonsense")[2]


def test_a_plan_file_that_is_not_there_is_named_once(shell: Callable[..., Shell]) -> None:
    said = "turbo-tui: none.json: cannot be read: No such file or directory.\n"

    assert shell("run", "--plan", "none.json")[2] == said


@pytest.mark.parametrize(
    ("tool", "arguments", "fault"),
    [
        ("shel", {"command": "true"}, "there is no tool 'shel'. The tools are: "),
        ("shell", {"comand": "true"}, "shell has no argument 'comand'. Did you mean 'command'?"),
        ("move_file", {"path": "a"}, "move_file needs the argument 'target'."),
        ("git_commit", {"files": []}, "git_commit has no argument 'files'. It takes: message."),
    ],
)
def test_an_action_that_no_tool_carries_out_is_refused_before_anything_ran(
    shell: Callable[..., Shell], tmp_path: Path, tool: str, arguments: object, fault: str
) -> None:
    first = {"tool": "shell", "arguments": {"command": "true", "hosts": ["pypi.org"]}}
    plan = {
        "task": "t",
        "steps": [
            {"title": "good", "actions": [first]},
            {"title": "bad", "actions": [first, {"tool": tool, "arguments": arguments}]},
        ],
    }
    Path("plan.json").write_text(json.dumps(plan))

    code, out, err = shell("run", "--plan", "plan.json", "--approve", "all")

    assert (code, out) == (2, "")
    assert err.startswith(f"turbo-tui: plan.json: step s2, action 2: {fault}")
    assert err.endswith(" Nothing was run.\n")
    assert not (tmp_path / "home/state/sessions").exists()


def test_a_plan_is_listed_by_the_ids_that_its_steps_are_called_by() -> None:
    steps = (Step("s1", "First", checks=(("true",),)), Step("tidy-up", "Second", "by hand"))

    assert in_words(Plan("t", "file", steps)).splitlines()[1:] == [
        " s1. First",
        "       check: true",
        "tidy-up. Second",
        "       by hand",
    ]


def test_a_name_that_is_no_command_has_no_module() -> None:
    assert program.get_command(click.Context(program), "nonsense") is None


def test_a_folder_alone_opens_without_the_flags_library() -> None:
    assert frozenset(Commands.modules) == COMMANDS
    assert only_opens([])
    assert only_opens(["./run"])
    assert not only_opens(["no-such-folder"]), "a command may be meant"
    assert not only_opens(["run"])
    assert not only_opens(["--demo"])
    assert not only_opens(["some/folder", "--here"])
