"""Several steps are undone or redone as one: killed anywhere, it is said, and can go on or back."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, cast

import pytest

from tests.landing.faults import NEVER, Place
from tests.landing.test_landing_faults import FAST_DISK, sampled
from tests.landing.trees import Leaf, between, file, link, whole, write_tree
from turbo_tui.adapters.event_store import SqliteEventStore, read_log
from turbo_tui.adapters.log_repair import verify
from turbo_tui.adapters.sessions import sessions_folder
from turbo_tui.cli import main
from turbo_tui.commands.undoing import turn
from turbo_tui.core import events as ev
from turbo_tui.core.plan import Step
from turbo_tui.core.session import Session
from turbo_tui.landing import JournalLander
from turbo_tui.wiring import open_workspace

SESSION = "260102-100000-c0de"
A = b"".join(b"%d\n" % n for n in range(9))
ONE = A.replace(b"1\n", b"one\n")
TWO = ONE.replace(b"7\n", b"seven\n")
TREES: tuple[dict[str, Leaf], ...] = (
    {"a": file(A), "gone": file(b"gone"), "link": link("a")},
    {"a": file(ONE), "new/b": file(b"b"), "link": link("a")},
    {"a": file(TWO, 0o755), "new/b": file(b"b"), "link": link("x")},
    {"a": file(TWO, 0o755), "new": file(b"a file now")},
)
STEPS = ("1", "2", "3")
Way = Literal["undo", "redo"]


class Opened(Place):
    """A workspace and a session of three landed steps, that can be killed and set back."""

    def __init__(self, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(base)
        monkeypatch.setenv("TURBO_TUI_HOME", str(self.base / "home"))
        self._workspace = open_workspace(self.root, here=True)
        self.state, self.blobs = self._workspace.state, self._workspace.blobs
        write_tree(self.root, TREES[0])
        session = Session(SqliteEventStore(self.log), clock=lambda: 1_767_261_600.0)
        session.append(ev.SessionStarted(SESSION, str(self.root), "turbo-tui"), "user")
        steps = tuple(Step(step, f"step {step}") for step in STEPS)
        session.append(ev.PlanProposed("tidy", "built-in", steps))
        for step, old, new in zip(STEPS, TREES, TREES[1:], strict=False):
            changes = between(old, new, self.blobs)
            landing = asyncio.run(self.lander.land(changes, session_id=SESSION, step_id=step))
            assert landing.conflicts == ()
            session.append(ev.StepLanded(step, landing.landing_id, landing.paths))
        session.close()

    @property
    def log(self) -> Path:
        return sessions_folder(self.state) / SESSION

    async def turn_all(self, way: Way) -> None:
        workspace = open_workspace(self.root, here=True)
        await turn(workspace, SESSION, "all", way=way, dry_run=False)

    def turned(self, way: Way) -> list[str]:
        """Return the steps whose landings the log says were turned, in order."""
        kind = ev.LandingUndone if way == "undo" else ev.LandingRedone
        told = [record.event for record in read_log(self.log)]
        return [event.step_id for event in told if isinstance(event, kind)]


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    os.umask(0o022)
    with tempfile.TemporaryDirectory(dir=FAST_DISK) as base:
        yield Opened(Path(base), monkeypatch)


@pytest.fixture
def run(opened: Opened, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def turbo_tui(*args: str) -> tuple[int, str, str]:
        argv = ["turbo-tui", "session", *args, "-C", str(opened.root), "--here"]
        monkeypatch.setattr(sys, "argv", argv)
        try:
            main()
        except SystemExit as done:
            code = done.code
        else:
            code = 0
        out, err = capsys.readouterr()
        return cast("int", code or 0), out, err

    return turbo_tui


class Stand:
    """All steps are about to be undone, or redone, as one."""

    def __init__(self, opened: Opened, run: Run, way: Way) -> None:
        self.opened, self.run = opened, run
        self.way: Way = way
        self.back: Way = "redo" if way == "undo" else "undo"
        first, last = whole(TREES[0]), whole(TREES[-1])
        self.before, self.after = (last, first) if way == "undo" else (first, last)
        if way == "redo":
            asyncio.run(opened.turn_all("undo"))
        assert opened.tree() == self.before
        opened.keep()
        ended = opened.faulty(self.act, NEVER)
        assert (ended.error, opened.tree()) == ("", self.after)
        self.points = ended.writes

    async def act(self, _: JournalLander) -> None:
        await self.opened.turn_all(self.way)

    def kill(self, at: int) -> str:
        """Kill at a write; return what `session show` says then."""
        self.opened.set_back()
        assert self.opened.faulty(self.act, at).killed
        code, shown, _ = self.run("show")
        assert code == 0
        return shown

    def kill_after_the_first(self) -> None:
        """Kill when the log has been told of one of the three."""
        points = range(0, self.points, self.points // 20)
        next(at for at in points if self.kill(at) and len(self.opened.turned(self.way)) == 1)

    def kill_and_turn(self, at: int, *, on: bool) -> bool:
        """Kill, then go on or back; return whether it was said that it was cut off."""
        said = "was cut off" in self.kill(at)
        way, wanted = (self.way, self.after) if on else (self.back, self.before)

        code, _, err = self.run(way, "--step", "all")

        assert self.opened.tree() == wanted, err
        assert code == (2 if "there is nothing to" in err else 0), err
        assert verify(self.opened.log).records > 0
        landings = json.loads(self.run("show", "--json")[1])["landings"]
        assert [each["undone"] for each in landings] == [wanted == whole(TREES[0])] * 3
        assert "was cut off" not in self.run("show")[1]
        if on:  # each is told once, whatever was cut off in the middle
            assert sorted(self.opened.turned(self.way)) == list(STEPS)
        return said


@pytest.mark.parametrize("way", ["undo", "redo"])
def test_several_steps_killed_at_a_write_are_told_and_go_on_or_back(
    opened: Opened, run: Run, way: Way
) -> None:
    stand = Stand(opened, run, way)

    for at in sampled(stand.points, f"several {way}")[::2]:
        stand.kill_and_turn(at, on=at % 2 == 0)


@pytest.mark.prove
@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize("way", ["undo", "redo"])
def test_several_steps_killed_at_every_write_are_told_and_go_on_or_back(
    opened: Opened, run: Run, way: Way, *, on: bool
) -> None:
    stand = Stand(opened, run, way)
    assert stand.points > 60

    said = [stand.kill_and_turn(at, on=on) for at in range(stand.points)]

    assert (said[0], said[stand.points // 2], said[-1]) == (False, True, False)


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("undo", "step 3 was taken back, steps 2, 1 still stand"),
        ("redo", "step 1 was landed again, steps 2, 3 are still taken back"),
    ],
)
def test_what_was_cut_off_is_named_with_the_way_on_and_the_way_back(
    opened: Opened, run: Run, way: Way, said: str
) -> None:
    stand = Stand(opened, run, way)
    stand.kill_after_the_first()
    told = f"an earlier {way} of several steps was cut off: {said}"

    assert told in run("show")[1]
    assert f"`session {way} --step all` goes on with it" in run("show")[1]
    assert f"turbo-tui: {told}" in run(way, "--step", "all", "--dry-run")[2]
    code, _, err = run(way, "--step", "all")
    assert (code, opened.tree()) == (0, stand.after)
    assert f"this went on with an earlier {way} of several steps that was cut off" in err


def test_a_clash_with_a_change_made_after_it_was_cut_off_is_no_secret(
    opened: Opened, run: Run
) -> None:
    stand = Stand(opened, run, "undo")
    stand.kill_after_the_first()
    asyncio.run(JournalLander(opened.root, opened.state, opened.blobs).recover())
    (opened.root / "a").write_bytes(b"mine\n")

    code, out, err = run("undo", "--step", "all")

    assert (code, out) == (1, "")
    assert "step 3 was taken back, steps 2, 1 still stand" in err
    assert "a: it was changed since step 2 landed" in err
    assert "nothing was written" in err
    assert (opened.root / "a").read_bytes() == b"mine\n"


@pytest.mark.parametrize("step", [(), ("--step", "3")])
def test_an_undo_killed_anywhere_and_typed_again_takes_one_step_back(
    opened: Opened, run: Run, step: tuple[str, ...]
) -> None:
    async def undo(_: JournalLander) -> None:
        workspace = open_workspace(opened.root, here=True)
        await turn(workspace, SESSION, "", way="undo", dry_run=False)

    opened.keep()
    points = opened.faulty(undo, NEVER).writes
    once = opened.tree()
    said = ""
    for at in range(0, points, max(points // 12, 1)):
        opened.set_back()
        assert opened.faulty(undo, at).killed
        done = opened.turned("undo") == ["3"]  # the log was told: what follows is a new wish
        if done:
            break
        code, out, err = run("undo", *step)
        assert (code, opened.tree()) == (0, once), err
        assert "step 3 taken back" in out
        assert opened.turned("undo") == ["3"]
        said += err

    assert "the undo of step 3, cut off by a crash, was completed just now" in said
    assert "was rolled back just now" in said
