"""Each rung by its name: what it is called, what rejecting leaves, and that none is swapped."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import cast

import pytest

from tests.journeys.behind import TurboBehind, among_mounts, give_to_nobody, ordinary_user
from tests.journeys.plans import plan_file, shell, tool
from tests.journeys.turbo import Turbo, whole_tree

OLD = 1_600_000_000
SANDBOXED = ("overlay+bubblewrap", "copy+bubblewrap", "overlay+landlock", "copy+landlock")
# Everything a step can do to a tree, and back again where only times would show it.
HARM = (
    "chmod 600 src/a.py; chmod 777 run.sh; rm -rf deep; mv src/b.py src/c.py; echo x >> crlf.txt;"
    " ln -sfn run.sh link; rm gone.txt; mkdir -p new/er; echo n > new/er/n.txt;"
    " touch -d @1 kept.txt; cp kept.txt k && mv k kept.txt; ln kept.txt hard; rm pipe; git add -A;"
    " rm -rf .git/index; true"
)

# What the app does when a person says no: answer what is asked, then reject it all.
REJECT = """
import asyncio, sys
from turbo_tui.wiring import open_workspace
from turbo_tui.wiring.running import open_run
from turbo_tui.adapters.sessions import newest_session

async def reject():
    place = open_workspace(".")
    session_id = newest_session(place.state, place.root)
    run = (await open_run(place, session_id=session_id, approve="ask")).run
    state = run.views.plan.steps[0]
    if state.status == "failed":
        run.retry(state.step.id)
        while run.busy:
            for asked in tuple(run.views.asks.waiting):
                run.answer(asked, "once")
            await asyncio.sleep(0.01)
    print(run.views.plan.steps[0].status, *run.views.plan.steps[0].paths)
    run.reject(run.views.plan.steps[0].step.id)
    await run.idle()
    await run.close()

asyncio.run(reject())
"""


def rich_tree(root: Path) -> None:
    """Fill a repository with one of everything, all of it old."""
    for folder in ("src", "deep/er", "empty"):
        (root / folder).mkdir(parents=True)
    (root / "src/a.py").write_text("a = 1\n")
    (root / "src/b.py").write_text("b = 1\n" * 20)
    (root / "deep/er/x.bin").write_bytes(bytes(range(256)))
    (root / "crlf.txt").write_bytes(b"one\r\ntwo\r\n")
    (root / "gone.txt").write_text("gone\n")
    (root / "kept.txt").write_text("kept\n")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "link").symlink_to("src/a.py")
    os.mkfifo(root / "pipe")
    git = ("git", "-c", "user.name=U", "-c", "user.email=u@example.org", "-C", str(root))
    environment = {"PATH": os.environ["PATH"], "HOME": str(root), "GIT_CONFIG_NOSYSTEM": "1"}
    for argv in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "first")):
        subprocess.run((*git, *argv), env=environment, check=True)
    for path in (*root.rglob("*"), root):
        os.utime(path, (OLD, OLD), follow_symlinks=False)


@pytest.fixture
def root_user(tmp_path: Path) -> TurboBehind:
    turbo = TurboBehind(tmp_path / "home", tmp_path / "work")
    turbo.home.mkdir()
    turbo.workspace.mkdir()
    return turbo


@pytest.fixture
def nobody() -> Generator[TurboBehind]:
    with ordinary_user() as turbo:
        yield turbo


def rejected_on(turbo: TurboBehind, rung: str) -> None:
    """Run a harmful step on a rung and reject it: not a bit and not a time of the tree differs."""
    turbo.more_env["TURBO_TUI_RUNG"] = rung
    if turbo.prefix:
        os.chown(turbo.workspace, os.geteuid(), os.getegid())  # git refuses another's folder
    rich_tree(turbo.workspace)
    edit = tool("edit_file", path="crlf.txt", old="two", new="2")
    plan = plan_file(turbo, [edit, shell(HARM), tool("write_file", path="more.txt", content="m")])
    if turbo.prefix:
        give_to_nobody(turbo.home.parent)
    before = whole_tree(turbo.workspace)

    staged = turbo("run", "--plan", str(plan), "--json")
    rejected = turbo.python("-c", REJECT)

    assert staged.code == 3, staged.out + staged.err
    assert staged.last("StepStarted")["rung"] == rung
    assert rejected.code == 0, rejected.err
    assert rejected.out.split()[0] == "staged", rejected.out + staged.out
    assert {"src/a.py", "gone.txt", "new/er/n.txt", "more.txt"} <= set(rejected.out.split())
    assert whole_tree(turbo.workspace) == before
    assert not list((turbo.state / "stages").iterdir())


@pytest.mark.parametrize("rung", [*SANDBOXED, "copy+unsandboxed"])
def test_rejecting_everything_leaves_the_tree_as_it_was(root_user: TurboBehind, rung: str) -> None:
    rejected_on(root_user, rung)


@pytest.mark.parametrize(
    "rung",
    [
        "overlay+bubblewrap",
        *(pytest.param(rung, marks=pytest.mark.prove) for rung in SANDBOXED[1:]),
        pytest.param("copy+unsandboxed", marks=pytest.mark.prove),
    ],
)
def test_rejecting_leaves_an_ordinary_users_tree_as_it_was(nobody: TurboBehind, rung: str) -> None:
    rejected_on(nobody, rung)


@pytest.mark.parametrize("rung", SANDBOXED)
def test_a_rung_is_named_by_what_runs_on_it(root_user: TurboBehind, rung: str) -> None:
    root_user.more_env["TURBO_TUI_RUNG"] = rung

    done = root_user("sandbox", "--json", "--", "sh", "-c", "echo hi; exit 7")

    shown = json.loads(done.out)
    assert (done.code, shown["exit_code"], shown["output"]) == (7, 7, "hi\n")
    assert (shown["backend"], shown["report"]["rung"]) == (rung, rung)
    assert shown["report"]["level"] == ("full" if rung.endswith("bubblewrap") else "reduced")
    names = [each["name"] for each in shown["report"]["guarantees"]]
    assert names == ["writes", "reads", "network", "limits", "tree"]
    held = {each["name"]: each["held"] for each in shown["report"]["guarantees"]}
    assert held["network"] is True


@pytest.mark.parametrize("rung", [*SANDBOXED, "copy+unsandboxed"])
def test_every_command_is_logged_with_what_confined_it(root_user: TurboBehind, rung: str) -> None:
    root_user.more_env["TURBO_TUI_RUNG"] = rung
    plan = str(plan_file(root_user, [shell("echo x > a.txt")]))

    ran = root_user("run", "--plan", plan, "--approve", "all", "--json")

    finished = ran.last("CommandFinished")
    assert finished["rung"] == rung
    held = cast("dict[str, bool]", finished["held"])
    assert list(held) == ["writes", "reads", "network", "limits", "tree"]
    assert all(held.values()) is rung.endswith("bubblewrap")
    assert any(held.values()) is not rung.endswith("unsandboxed")


def test_a_trusted_project_does_not_choose_a_weaker_sandbox(root_user: TurboBehind) -> None:
    settings = root_user.workspace / ".turbo"
    settings.mkdir()
    (settings / "config.toml").write_text('[sandbox]\nrung = "copy+unsandboxed"\n')
    give = "from turbo_tui.wiring import open_workspace as o; w = o('.'); w.trust.give(w.root)"
    assert root_user.python("-c", give).code == 0

    done = root_user("sandbox", "--json", "--", "true")
    doctor = root_user("doctor", "--json")

    assert json.loads(done.out)["report"]["level"] == "full"
    (config,) = (each for each in json.loads(doctor.out)["checks"] if each["name"] == "config")
    assert config["status"] == "reduced"
    assert "only your own config.toml or TURBO_TUI_RUNG" in config["detail"]


def test_without_a_sandbox_every_command_is_refused_unless_all_is_approved(
    root_user: TurboBehind,
) -> None:
    root_user.more_env["TURBO_TUI_RUNG"] = "copy+unsandboxed"
    plan = str(plan_file(root_user, [shell("echo x > a.txt"), shell("echo y > b.txt")]))

    for approve in ("none", "staged"):
        refused = root_user("run", "--plan", plan, "--approve", approve, "--json")
        assert refused.code == 3, refused.out
        assert not any(event["kind"] == "CommandRequested" for event in refused.events)
        assert "no sandbox" in str(refused.last("ApprovalAsked")["reason"])
        assert list(root_user.workspace.iterdir()) == []
    allowed = root_user("run", "--plan", plan, "--approve", "all", "--json")

    assert allowed.code == 0, allowed.out + allowed.err
    asked = [event["subject"] for event in allowed.events if event["kind"] == "ApprovalAsked"]
    assert len(asked) == 2
    assert allowed.last("CommandFinished")["network"] == "all"
    assert sorted(path.name for path in root_user.workspace.iterdir()) == ["a.txt", "b.txt"]
    assert root_user("sandbox", "--", "true").code == 125
    labelled = root_user("sandbox", "--unsandboxed", "--", "true")
    assert labelled.code == 0
    assert "UNSANDBOXED" in labelled.err


@pytest.mark.parametrize(
    ("rung", "code", "word"),
    [
        ("overlay+unsandboxed", 5, "No overlay can be used"),
        ("overlay+firejail", 2, "is no sandbox rung"),
    ],
)
def test_a_rung_that_cannot_be_had_is_an_error(
    root_user: TurboBehind, rung: str, code: int, word: str
) -> None:
    root_user.more_env["TURBO_TUI_RUNG"] = rung
    plan = str(plan_file(root_user, [shell("echo x > a.txt")]))

    done = root_user("run", "--plan", plan, "--approve", "all")

    assert done.code == code
    assert word in done.err
    assert root_user("sandbox", "--", "true").code == 125
    assert list(root_user.workspace.iterdir()) == []


def test_without_bubblewrap_a_lower_rung_serves_and_says_why(root_user: TurboBehind) -> None:
    root_user.prefix = among_mounts("mount --bind /dev/null /usr/bin/bwrap")

    done = root_user("sandbox", "--json", "--", "true")

    shown = json.loads(done.out)
    assert shown["backend"] == "overlay+landlock"
    assert any("bubblewrap" in why and "install" in why for why in shown["report"]["reasons"])
    root_user.more_env["TURBO_TUI_RUNG"] = "bubblewrap"
    plan = str(plan_file(root_user, [shell("echo x > a.txt")]))
    refused = root_user("run", "--plan", plan, "--approve", "all")
    assert refused.code == 5
    assert "is not installed" in refused.err
    assert root_user("sandbox", "--", "true").code == 125


def test_state_on_an_overlay_is_staged_in_copies_and_says_why(root_user: TurboBehind) -> None:
    root_user.workspace.joinpath("a.txt").write_text("a\n")
    layers = root_user.home.parent / "layers"
    for name in ("upper", "work", "state"):
        (layers / name).mkdir(parents=True)
    state = root_user.home / "turbo"
    state.mkdir()
    plan = str(plan_file(root_user, [shell("echo b >> a.txt")]))
    root_user.prefix = among_mounts(
        f"mount -t overlay -o lowerdir={layers}/state,upperdir={layers}/upper,workdir={layers}/work"
        f" overlay {state}"
    )

    done = root_user("run", "--plan", plan, "--approve", "staged", "--json")
    shown = json.loads(root_user("sandbox", "--json", "--", "true").out)
    root_user.more_env["TURBO_TUI_RUNG"] = "overlay+bubblewrap"
    refused = root_user("run", "--plan", plan, "--approve", "staged")

    assert done.code == 0, done.out + done.err
    assert done.last("StepStarted")["rung"] == "copy+bubblewrap"
    assert shown["backend"] == "copy+bubblewrap"
    assert any("TURBO_TUI_HOME" in why for why in shown["report"]["reasons"])
    assert refused.code == 5
    assert "No overlay can be used" in refused.err
    assert (root_user.workspace / "a.txt").read_text() == "a\nb\n"


def test_a_rung_in_the_config_is_held_too(tmp_path: Path) -> None:
    turbo = Turbo(tmp_path / "home", tmp_path)
    turbo.configure('[sandbox]\nrung = "copy+landlock"\n')
    work = tmp_path / "work"
    work.mkdir()

    done = turbo("sandbox", "-C", str(work), "--json", "--", "true")

    assert json.loads(done.out)["backend"] == "copy+landlock"
