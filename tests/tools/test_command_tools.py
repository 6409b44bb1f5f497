"""The tools that run commands in a stage."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes import FolderStage, ScriptedAsker
from turbo_tui.core.errors import ToolError
from turbo_tui.core.ports import CommandResult, Tool, ToolContext, Verdict
from turbo_tui.tools.python import Python
from turbo_tui.tools.run_checks import RunChecks, project_checks
from turbo_tui.tools.shell import Shell, refuse_endless, told


def a_context(root: Path, *verdicts: Verdict) -> tuple[ToolContext, FolderStage, ScriptedAsker]:
    stage, asker = FolderStage(root), ScriptedAsker(*verdicts)
    return ToolContext(stage, asker, root), stage, asker


# --- shell ---------------------------------------------------------------------------


async def test_a_command_line_is_run_by_bash_in_the_stage(tmp_path: Path) -> None:
    context, stage, asker = a_context(tmp_path)

    said = await Shell().call({"command": "echo hi | tr h H > a && cat a; false"}, context)

    assert said == "exit code 1\nHi"
    assert stage.ran == [("bash", "-c", "echo hi | tr h H > a && cat a; false")]
    assert not asker.asked


async def test_a_folder_and_a_time_limit_can_be_given(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    context, _, _ = a_context(tmp_path)

    assert (await Shell().call({"command": "pwd", "cwd": "sub"}, context)).endswith("/sub")
    with pytest.raises(ToolError, match="'cwd' is no folder of the workspace"):
        await Shell().call({"command": "pwd", "cwd": "sup"}, context)
    slow = await Shell().call({"command": "sleep 60", "timeout_s": 1}, context)
    assert slow.startswith("stopped after 1 s (time limit)")


async def test_long_output_keeps_its_ends(tmp_path: Path) -> None:
    context, _, _ = a_context(tmp_path)

    said = await Shell().call({"command": "seq 1 100000"}, context)

    assert said.startswith("exit code 0\n1\n2\n")
    assert said.endswith("99999\n100000")
    assert "characters left out" in said
    assert len(said) < 12_100


async def test_the_network_is_asked_for_with_the_exact_command(tmp_path: Path) -> None:
    context, stage, asker = a_context(tmp_path, Verdict(allowed=True))

    await Shell().call(
        {"command": "echo fetch", "network": True, "reason": "needs the package"}, context
    )

    assert [(ask.action, ask.subject, ask.reason) for ask in asker.asked] == [
        ("network", "echo fetch", "needs the package")
    ]
    assert stage.networked == [("bash", "-c", "echo fetch")]


async def test_the_network_is_granted_to_a_command_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    context, _, asker = a_context(tmp_path, Verdict(allowed=True))

    await Shell().call({"command": "./x", "cwd": "a b", "network": True}, context)

    assert [each.subject for each in asker.asked] == ["cd 'a b' && ./x"]


async def test_a_refused_network_runs_nothing_and_tells_the_model(tmp_path: Path) -> None:
    context, stage, asker = a_context(tmp_path, Verdict(allowed=False, feedback="use the vendored"))

    with pytest.raises(ToolError, match=r"network is off.*They said: use the vendored"):
        await Shell().call({"command": "curl x", "network": True}, context)

    assert not stage.ran
    assert asker.asked[0].reason == "the model gave no reason"


@pytest.mark.parametrize(
    "command",
    [
        "npm start",
        "npm run dev",
        "cd web && npm run dev",
        "yarn serve",
        "npx vite",
        "python -m http.server 8000",
        "python3 manage.py runserver",
        "uvicorn app:app --reload",
        "flask run",
        "tail -f log.txt",
        "tail -n 5 --follow log.txt",
        "watch ls",
        "docker compose up",
        "redis-server",
        "sleep 100 &",
        "nohup ./worker",
        "setsid ./worker > out",
        "vim a.py",
        "git log | less",
        "ssh host ls",
        "PORT=3000 npm start",
        "env X=1 npm start",
        "(cd web; npm start)",
        "true\nnpm start",
    ],
)
def test_what_would_never_return_is_refused_with_the_way_out(command: str) -> None:
    with pytest.raises(ToolError, match=r"(?s)for example|needs a terminal"):
        refuse_endless(command)


@pytest.mark.parametrize(
    "command",
    [
        "npm test",
        "npm run build",
        "npx vite build",
        "npx vitest run",
        "vim --version",
        "uvicorn --help",
        "grep -rn 'npm start' README.md",
        "grep nohup README.md",
        "python -m http.server 8123 & pid=$!; sleep 1; curl -s localhost:8123; kill $pid",
        "make 2>&1 && echo done",
        "echo 'unbalanced",
        "docker compose up -d",
        "tail -n 20 log.txt",
        "python manage.py test",
        "echo 'first; npm start' && true",
        "cat > start.sh <<'EOF'\nnpm start\nEOF",
        "timeout 5 npm start",
        "",
    ],
)
def test_what_ends_by_itself_is_not_refused(command: str) -> None:
    refuse_endless(command)


def test_each_way_of_ending_is_said() -> None:
    assert told(CommandResult(137, "limit", "x\n", 1.0), 5) == (
        "stopped by the sandbox: it used too much; exit code 137\nx"
    )
    assert told(CommandResult(0, "exited", "", 1.0, dropped_bytes=2048), 5) == (
        "exit code 0\n\n[2,048 bytes were not kept]"
    )


# --- python --------------------------------------------------------------------------


async def test_python_code_needs_no_quoting(tmp_path: Path) -> None:
    context, stage, _ = a_context(tmp_path)

    said = await Python().call(
        {"code": """print('"$HOME"', f"{1 + 1}")\nraise SystemExit(3)"""}, context
    )

    assert said == 'exit code 3\n"$HOME" 2'
    assert stage.ran == [("python3", "-")]


# --- checks --------------------------------------------------------------------------


async def test_the_steps_own_checks_are_run_and_failures_are_placed(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("x = 1\nraise ValueError('no')\n")
    stage = FolderStage(tmp_path)
    checks = (("true",), ("python3", "bad.py"))
    context = ToolContext(stage, ScriptedAsker(), tmp_path, checks=checks)

    said = await RunChecks().call({}, context)

    assert said.startswith("passed: true\n\nFAILED: `python3 bad.py` failed (exit 1) at bad.py:2")
    assert "ValueError: no" in said


async def test_one_check_can_be_picked(tmp_path: Path) -> None:
    context = ToolContext(
        FolderStage(tmp_path), ScriptedAsker(), tmp_path, checks=(("true",), ("false",))
    )

    assert await RunChecks().call({"only": "true"}, context) == "passed: true"
    with pytest.raises(ToolError, match=r"No check contains 'mypy'. The checks are: true; false"):
        await RunChecks().call({"only": "mypy"}, context)


async def test_a_project_without_checks_is_said_so(tmp_path: Path) -> None:
    context, _, _ = a_context(tmp_path)

    with pytest.raises(ToolError, match="no test command was recognised"):
        await RunChecks().call({}, context)


@pytest.mark.parametrize(
    ("files", "checks"),
    [
        ({"pyproject.toml": "[tool.pytest.ini_options]"}, (("python3", "-m", "pytest", "-q"),)),
        (
            {"setup.py": "", "tests/test_a.py": "import pytest"},
            (("python3", "-m", "pytest", "-q"),),
        ),
        (
            {"setup.py": "", "tests/test_a.py": "import unittest"},
            (("python3", "-m", "unittest", "discover", "-s", "tests"),),
        ),
        ({"test_a.py": "import unittest"}, (("python3", "-m", "unittest", "discover"),)),
        (
            {"package.json": json.dumps({"scripts": {"test": "node t.js"}})},
            (("npm", "test", "--silent"),),
        ),
        ({"package.json": json.dumps({"scripts": {"test": "echo no test specified"}})}, ()),
        ({"package.json": "{broken"}, ()),
        ({"package.json": "[1]"}, ()),
        ({"Cargo.toml": ""}, (("cargo", "test", "--offline", "--quiet"),)),
        ({"go.mod": ""}, (("go", "test", "./..."),)),
        ({"Makefile": "all:\n\ntest: all\n\ttrue\n"}, (("make", "test"),)),
        ({"Makefile": "all:\n"}, ()),
        ({"README": ""}, ()),
    ],
)
def test_a_projects_tests_are_recognised(
    tmp_path: Path, files: dict[str, str], checks: tuple[tuple[str, ...], ...]
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    assert project_checks(FolderStage(tmp_path).files) == checks


@pytest.mark.parametrize(
    ("tool", "fails", "works"),
    [
        (Shell(), {"command": "echo made; exit 3"}, {"command": "false || true"}),
        (Python(), {"code": "print('made'); raise SystemExit(3)"}, {"code": "0"}),
    ],
)
async def test_a_fixed_command_that_fails_is_no_answer_for_nobody_would_read_it(
    tmp_path: Path, tool: Tool, fails: dict[str, object], works: dict[str, object]
) -> None:
    context, _, _ = a_context(tmp_path)
    fixed = replace(context, fixed=True)

    with pytest.raises(ToolError, match="exit code 3\nmade"):
        await tool.call(fails, fixed)
    assert await tool.call(works, fixed) == "exit code 0"
