"""The main job without the app, on the source of a real package."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

import pytest

from tests.journeys.plans import wait_for_file
from tests.journeys.turbo import PATIENCE_S, Turbo, differences, give_venv, until, whole_tree
from tests.model_server import Call, ModelServer, Reply
from tests.real_package import click_repository

FEATURE = '''

def shout(text: str) -> str:
    """Return the text as it is shouted."""
    return f"{text.upper()}!"
'''
WORDS, NEW_WORDS = "Return the text as it is shouted.", "Return the text in capitals, and a mark."
HEAD = "import re\nimport sys\n"
WORSE_HEAD = f"{HEAD}# nobody asked for this line\n"
FEATURE_TEST = """from click.utils import shout


def test_shout():
    assert shout("hey") == "HEY!"
"""
PLAN = {
    "steps": [
        {"id": "s1", "title": "Add shout", "intent": "a function in click.utils"},
        {
            "id": "s2",
            "title": "Test shout",
            "intent": "a test for it",
            "depends_on": ["s1"],
            "checks": [["python3", "-m", "py_compile", "tests/test_shout.py"]],
        },
    ]
}


@pytest.fixture
def turbo(tmp_path: Path) -> Turbo:
    home = tmp_path / "home"
    home.mkdir()
    return Turbo(home, click_repository(tmp_path / "click"))


def two_steps(workspace: Path) -> list[Reply]:
    utils = (workspace / "src/click/utils.py").read_text()
    ending = utils[utils.rindex("\n    ") :]
    return [
        Reply(json.dumps(PLAN), model="planner-model", expect=["add a shout function"]),
        Reply(
            calls=[Call("read_file", {"path": "src/click/utils.py"}, call_id="look")],
            model="executor-model",
            expect=["Add shout"],
        ),
        Reply(
            calls=[
                Call(
                    "edit_file",
                    {"path": "src/click/utils.py", "old": ending, "new": ending + FEATURE},
                    call_id="change",
                )
            ],
            model="executor-model",
            expect=[lambda request: "look" in request.tool_results],
        ),
        Reply("Added shout.", model="executor-model", expect=["Replaced 1 place"]),
        Reply(
            calls=[
                Call("write_file", {"path": "tests/test_shout.py", "content": FEATURE_TEST}),
                Call("edit_file", {"path": "src/click/utils.py", "old": HEAD, "new": WORSE_HEAD}),
                Call("edit_file", {"path": "src/click/utils.py", "old": WORDS, "new": NEW_WORDS}),
            ],
            model="executor-model",
            expect=["Test shout"],
        ),
        Reply("Added its test.", model="executor-model"),
    ]


def test_a_built_in_rename_lands_and_leaves_the_package_working(turbo: Turbo) -> None:
    give_venv(turbo.workspace)
    own_tests = ("sandbox", "--", ".venv/bin/python", "-m", "pytest", "-q")
    assert turbo(*own_tests).code == 0

    done = turbo("run", "rename the function unstyle to plain", "--approve", "staged", "--json")

    finished = done.last("RunFinished")
    assert (done.code, finished["status"]) == (0, "done"), done.err
    assert "def plain(" in (turbo.workspace / "src/click/termui.py").read_text()
    works = subprocess.run(
        (
            sys.executable,
            "-c",
            "import click; print(click.plain('hey')); assert not hasattr(click, 'unstyle')",
        ),
        env={"PYTHONPATH": str(turbo.workspace / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (works.returncode, works.stdout) == (0, "hey\n"), works.stderr
    assert turbo(*own_tests).code == 0


def test_a_model_adds_a_feature_in_two_steps_and_both_land(turbo: Turbo) -> None:
    before = whole_tree(turbo.workspace)
    with ModelServer(two_steps(turbo.workspace), models=("planner-model",)) as server:
        turbo.use_models(server.base_url("openai"))
        done = turbo("run", "add a shout function", "--approve", "staged", "--json")
        server.verify()

    assert done.code == 0, done.out + done.err
    changed = differences(before, whole_tree(turbo.workspace))
    assert changed == ["src/click/utils.py", "tests/test_shout.py"]
    assert FEATURE.replace(WORDS, NEW_WORDS) in (turbo.workspace / "src/click/utils.py").read_text()
    assert done.last("RunFinished")["landed"] == changed


def test_without_approval_nothing_lands_and_the_review_waits(turbo: Turbo) -> None:
    before = whole_tree(turbo.workspace)
    with ModelServer(two_steps(turbo.workspace), models=("planner-model",)) as server:
        turbo.use_models(server.base_url("openai"))
        done = turbo("run", "add a shout function", "--json")
        server.verify()

    assert done.code == 3
    finished = done.last("RunFinished")
    assert finished["status"] == "needs_approval"
    assert finished["reason"] == "steps s1, s2 wait for their review"
    assert whole_tree(turbo.workspace) == before
    listed = json.loads(turbo("session", "list", "--json").out)
    assert [each["status"] for each in listed["sessions"]] == ["waiting"]


def test_a_step_that_destroys_and_phones_home_is_shown_and_changes_nothing(turbo: Turbo) -> None:
    before = whole_tree(turbo.workspace)
    with Listener() as listener:
        command = f"rm -rf src; curl -sS http://127.0.0.1:{listener.port}"
        plan = {
            "task": "clean up",
            "planner": "file",
            "steps": [
                {
                    "id": "s1",
                    "title": "clean up",
                    "actions": [{"tool": "shell", "arguments": {"command": command}}],
                }
            ],
        }
        (turbo.home / "plan.json").write_text(json.dumps(plan))
        done = turbo("run", "--plan", str(turbo.home / "plan.json"), "--json")

        assert listener.connections == 0
    ended = done.last("CommandFinished")
    assert ended["network"] == "off"
    assert "curl" in str(ended["output"])
    assert ended["exit_code"] != 0
    last = done.last("RunFinished")
    assert done.code in {1, 3}, last
    shown = [event for event in done.events if event["kind"] in {"StepStaged", "StepFailed"}][-1]
    paths = shown["paths"]
    assert isinstance(paths, list)
    assert "src/click/utils.py" in paths
    assert whole_tree(turbo.workspace) == before


def test_a_killed_run_is_resumed_with_its_work_and_nothing_runs_twice(turbo: Turbo) -> None:
    command = "echo once >> ran.txt; sleep 300"
    plan = {
        "task": "wait",
        "planner": "file",
        "steps": [
            {
                "id": "s1",
                "title": "wait",
                "actions": [{"tool": "shell", "arguments": {"command": command}}],
            }
        ],
    }
    (turbo.home / "plan.json").write_text(json.dumps(plan))
    running = turbo.start("run", "--plan", str(turbo.home / "plan.json"), "--json")
    seen = until(running, "CommandRequested")
    upper = turbo.state / "stages"
    wait_for_file(upper, "ran.txt")
    running.send_signal(signal.SIGKILL)
    running.wait(PATIENCE_S)

    resumed = turbo("session", "resume", "--json")

    assert resumed.code == 130
    assert resumed.last("StepInterrupted")["paths"] == ["ran.txt"]
    assert [event["kind"] for event in resumed.events].count("CommandRequested") == 1
    assert resumed.events[: len(seen)] == seen
    assert not (turbo.workspace / "ran.txt").exists()


class Listener:
    """A listener on loopback that counts connections."""

    def __init__(self) -> None:
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._count, daemon=True)

    def _count(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


def test_running_the_tests_answers_and_leaves_nothing_to_land(turbo: Turbo) -> None:
    give_venv(turbo.workspace)
    before = whole_tree(turbo.workspace)

    done = turbo("run", "run the tests", "--approve", "staged", "--json")

    assert done.code == 0, done.out
    summary = str(done.last("StepFinished")["summary"])
    assert "all tests pass" in summary
    assert "Left out, as git ignores it: .pytest_cache/" in summary
    assert whole_tree(turbo.workspace) == before
