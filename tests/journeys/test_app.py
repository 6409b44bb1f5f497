"""The main job in a real terminal, by keys only, on the source of a real package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.journeys.plans import wait_for_file
from tests.journeys.screen import Screen
from tests.journeys.test_headless import (
    FEATURE,
    NEW_WORDS,
    WORDS,
    Listener,
    two_steps,
)
from tests.journeys.turbo import PATIENCE_S, Turbo, differences, give_venv, whole_tree
from tests.model_server import Call, ModelServer, Reply
from tests.real_package import click_repository

SIZES = [(120, 40), (80, 24)]


@pytest.fixture
def turbo(tmp_path: Path) -> Turbo:
    home = tmp_path / "home"
    home.mkdir()
    return Turbo(home, click_repository(tmp_path / "click"))


@pytest.mark.parametrize("size", SIZES)
def test_the_demo_by_keys_only(turbo: Turbo, size: tuple[int, int]) -> None:
    with Screen(turbo, "--demo", size=size) as screen:
        screen.wait_for("recorded", "currency")
        screen.press("enter")
        screen.wait_for("The plan has 3 steps")
        go(screen)
        screen.answer("a", "wants to land 2 files")
        screen.answer("a", "wants to land 3 files")
        screen.answer("a", "wants to land 1 file")
        screen.wait_for("landed")
        screen.press("ctrl+q")
        assert screen.wait_until_ended() == 0


@pytest.mark.parametrize("size", SIZES)
def test_a_model_adds_a_feature_and_one_hunk_of_its_second_step_is_left_out(
    turbo: Turbo, size: tuple[int, int]
) -> None:
    before = whole_tree(turbo.workspace)
    with ModelServer(two_steps(turbo.workspace), models=("planner-model",)) as server:
        turbo.use_models(server.base_url("openai"))
        with Screen(turbo, size=size) as screen:
            screen.wait_for("Type below")
            screen.type("add a shout function")
            screen.press("enter")
            screen.wait_for("The plan has 2 steps")
            go(screen)
            screen.answer("a", "wants to land 1 file")
            screen.wait_for("wants to land 2 files")
            screen.press("2")
            screen.wait_for("nobody asked for this line")
            screen.press("space")
            screen.wait_for("hunk 1/2", "[ ]")
            screen.answer("a", "wants to land")
            screen.wait_for("landed")
            screen.press("ctrl+q")
            assert screen.wait_until_ended() == 0
        server.verify()

    utils = (turbo.workspace / "src/click/utils.py").read_text()
    assert differences(before, whole_tree(turbo.workspace)) == [
        "src/click/utils.py",
        "tests/test_shout.py",
    ]
    assert FEATURE.replace(WORDS, NEW_WORDS) in utils
    assert "nobody asked" not in utils


def test_the_built_in_rename_by_keys(turbo: Turbo) -> None:
    give_venv(turbo.workspace)
    with Screen(turbo) as screen:
        screen.wait_for("built-in", "Type below")
        screen.type("rename the function unstyle to plain")
        screen.press("enter")
        screen.wait_for("The plan has 1 step")
        go(screen)
        screen.answer("a", "wants to land")
        screen.wait_for("landed")
        screen.press("ctrl+q")
        assert screen.wait_until_ended() == 0

    assert "def plain(" in (turbo.workspace / "src/click/termui.py").read_text()
    assert turbo("sandbox", "--", ".venv/bin/python", "-m", "pytest", "-q").code == 0


def test_a_destructive_step_is_shown_whole_and_rejected(turbo: Turbo) -> None:
    before = whole_tree(turbo.workspace)
    with Listener() as listener:
        command = f"rm -rf src; curl -sS http://127.0.0.1:{listener.port}"
        script = [
            Reply('{"steps": [{"id": "s1", "title": "Clean up"}]}', model="planner-model"),
            Reply(calls=[Call("shell", {"command": command})], model="executor-model"),
            Reply("Cleaned up.", model="executor-model", expect=["curl: (7)"]),
        ]
        with ModelServer(script, models=("planner-model",)) as server:
            turbo.use_models(server.base_url("ollama"), kind="ollama")
            with Screen(turbo) as screen:
                screen.wait_for("Type below")
                screen.type("clean up")
                screen.press("enter")
                screen.wait_for("The plan has 1 step")
                go(screen)
                screen.wait_for("wants to land 19 files", "network: off")
                screen.wait_for("[x] src  delete", "src/click/_compat.py  delete")
                screen.press("3")
                screen.wait_for("curl: (7)")
                screen.answer("r", "wants to land 19 files", opens="Reject step s1")
                screen.press("enter")
                screen.wait_for("rejected")
                screen.press("ctrl+q")
                screen.wait_until_ended()
            server.verify()
        assert listener.connections == 0
    assert whole_tree(turbo.workspace) == before


def test_a_killed_app_shows_again_what_it_showed(turbo: Turbo) -> None:
    (turbo.home / "ran").mkdir()
    script = [
        Reply('{"steps": [{"id": "s1", "title": "Wait long"}]}', model="planner-model"),
        Reply(
            calls=[Call("shell", {"command": "echo begun > begun.txt; echo begun; sleep 300"})],
            model="executor-model",
        ),
    ]
    with ModelServer(script, models=("planner-model",)) as server:
        turbo.use_models(server.base_url("anthropic"), kind="anthropic")
        with Screen(turbo) as screen:
            screen.wait_for("Type below")
            screen.type("wait")
            screen.press("enter")
            screen.wait_for("The plan has 1 step")
            go(screen)
            screen.wait_for("bash -c echo begun")
            wait_for_file(turbo.state / "stages", "begun.txt")
            screen.kill()
        server.verify()

    with Screen(turbo) as screen:
        screen.wait_for("Resume the last session?", "wait")
        screen.answer("r", "Resume the last session?")
        screen.wait_for("interrupted", "begun.txt", "bash -c echo begun", "Wait long")
        screen.press("ctrl+q")
        screen.wait_until_ended()
    assert not (turbo.workspace / "begun.txt").exists()


@pytest.mark.parametrize("deaf", [False, True])
def test_a_lost_terminal_leaves_a_resumable_session_and_no_process(
    turbo: Turbo, *, deaf: bool
) -> None:
    with Screen(turbo, deaf=deaf) as screen:
        screen.wait_for("Type below")
        screen.type("rename the function unstyle to plain")
        screen.press("enter")
        screen.wait_for("The plan has 1 step")
        screen.hang_up()
        screen.process.wait(PATIENCE_S)

    (session,) = json.loads(turbo("session", "list", "--json").out)["sessions"]
    assert session["status"] == "waiting"


def test_a_terminal_that_is_lost_with_frames_on_their_way_leaves_no_process(turbo: Turbo) -> None:
    with Screen(turbo) as screen:
        screen.wait_for("Type below")
        screen.type("x" * 3_000)  # each of them is drawn
        screen.read_nothing()
        screen.hang_up()
        screen.process.wait(PATIENCE_S)


def test_a_headless_review_waits_in_the_app(turbo: Turbo) -> None:
    command = {"tool": "shell", "arguments": {"command": "echo new > new.txt"}}
    plan = {
        "task": "make a file",
        "planner": "file",
        "steps": [{"id": "s1", "title": "Make a file", "actions": [command]}],
    }
    (turbo.home / "plan.json").write_text(json.dumps(plan))
    assert turbo("run", "--plan", str(turbo.home / "plan.json"), "--json").code == 3

    with Screen(turbo) as screen:
        screen.answer("r", "Resume the last session?")
        screen.wait_for("new.txt")
        screen.answer("a", "wants to land 1 file")
        screen.wait_for("landed")
        screen.press("ctrl+q")
        screen.wait_until_ended()

    assert (turbo.workspace / "new.txt").read_text() == "new\n"


def test_escape_bytes_in_a_paste_send_nothing_and_press_no_keys(turbo: Turbo) -> None:
    coloured = "\r\n".join(f"\x1b[31m{line} a d g\x1b[0m" for line in range(300))
    with Screen(turbo) as screen:
        screen.wait_for("Type below what you want done", "enter Send")
        for pasted in ("good start \x1b g a d and more\nline two ", coloured, "and its end\x1b"):
            screen.type(f"\x1b[200~{pasted}\x1b[201~")
        screen.wait_for("299 a d gand its end", "enter Send")
        screen.type("\x1b[H")
        screen.wait_for("> good start  g a d and more␤line two 0 a d g␤1 a d g␤")

        assert "Type below what you want done" in screen.text
        screen.press("ctrl+q")
        assert screen.wait_until_ended() == 0


def test_a_terminal_that_is_too_small_says_so(turbo: Turbo) -> None:
    with Screen(turbo, size=(50, 15)) as screen:
        screen.wait_for("60", "20")
        screen.press("ctrl+q")
        assert screen.wait_until_ended() == 0


def test_a_review_killed_half_way_shows_the_same_panes_again(turbo: Turbo) -> None:
    edit = {"path": "README.md", "old": "# ", "new": "## ", "count": 1}
    actions = [
        {"tool": "write_file", "arguments": {"path": "new.txt", "content": "new\n"}},
        {"tool": "shell", "arguments": {"command": "echo more >> CHANGES.rst; echo said"}},
        {"tool": "edit_file", "arguments": edit},
    ]
    plan = {
        "task": "touch three files",
        "planner": "file",
        "steps": [{"id": "s1", "title": "Touch three files", "actions": actions}],
    }
    (turbo.workspace / "README.md").write_text("# One\n")
    (turbo.home / "plan.json").write_text(json.dumps(plan))
    assert turbo("run", "--plan", str(turbo.home / "plan.json"), "--json").code == 3

    with Screen(turbo, size=TALL) as screen:
        screen.answer("r", "Resume the last session?")
        screen.wait_for("wants to land 3 files", "[x] new.txt")
        go_to_second_file(screen)
        screen.press("x")
        screen.wait_for("[ ] README.md")
        before = panes(screen.settled())
        screen.kill()

    with Screen(turbo, size=TALL) as screen:
        screen.answer("r", "Resume the last session?")
        screen.wait_for("wants to land 3 files", "[ ] README.md")
        go_to_second_file(screen)
        screen.until(lambda: screen.text.count("session resumed") == 2, "both resumes in the log")
        after = panes(screen.settled())

    assert after["plan"] == before["plan"]
    assert after["changes"] == before["changes"]
    assert after["log"][: len(before["log"])] == before["log"]
    assert len(before["log"]) > 5


def go(screen: Screen) -> None:
    """Start the plan once keys are no longer typed into the prompt."""
    screen.wait_for("i Task")
    screen.press("g")


TALL = (120, 100)


def go_to_second_file(screen: Screen) -> None:
    screen.press("2")
    screen.wait_for("n Hunk")
    screen.press("f")
    screen.wait_for("file 2/3")


def panes(text: str) -> dict[str, list[str]]:
    """Cut a tall screen into its panes; rows that show nothing are left out."""
    rows = text.splitlines()[1:]
    rows = rows[: next(at for at, row in enumerate(rows) if row.startswith("▌"))]
    left = [row[:35].rstrip() for row in rows]
    right = [row[36:].rstrip(" ▁▂▃▄▅▆▇█") for row in rows]
    middle = next(at for at, row in enumerate(right) if "3 Log" in row)
    cut = {"plan": left, "changes": right[1:middle], "log": right[middle + 2 :]}
    return {name: [row for row in shown if row.strip()] for name, shown in cut.items()}
