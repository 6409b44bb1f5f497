"""A landing that is killed at any step ends whole: all of it or nothing, and no litter."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.landing.test_landing import NEW, OLD
from tests.landing.trees import Leaf, between, file, read_tree, whole, write_tree
from turbo_tui.adapters.blobs import FolderBlobs
from turbo_tui.core.changes import to_json
from turbo_tui.core.errors import LandingError
from turbo_tui.core.landings import LandedEntry, Recovery
from turbo_tui.landing import JournalLander, open_lander

NEVER = -1
STEPS = 48  # more than a landing of OLD -> NEW has
SAMPLE = sorted(random.Random(os.environ.get("TURBO_TUI_SEED", "landing")).sample(range(STEPS), 9))  # noqa: S311
FAIL_AT = "operation 15"


def prepare(base: Path) -> None:
    """Write the tree before and the change set to the tree after."""
    write_tree(base / "ws", OLD)
    blobs = FolderBlobs(base / "state" / "blobs")
    (base / "changes.json").write_bytes(to_json(between(OLD, NEW, blobs)))


def lander_of(base: Path) -> JournalLander:
    return open_lander(base / "ws", base / "state", FolderBlobs(base / "state" / "blobs"))


def run_child(base: Path, action: str, kill_at: int | str, fail_at: str = "") -> str | None:
    """Run to the end or to the kill; None when it was killed."""
    done = subprocess.run(
        (sys.executable, "-m", "tests.landing.crash_child", base, action, str(kill_at), fail_at),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.stdout if done.returncode == 0 else None


def recovered(base: Path) -> tuple[Recovery, ...]:
    return asyncio.run(lander_of(base).recover())


def standing(base: Path) -> tuple[LandedEntry, ...]:
    return tuple(entry for entry in lander_of(base).landings() if entry.landed)


def assert_whole(base: Path) -> str:
    """Return `old` or `new`; anything else fails. The journal must agree with the tree."""
    tree = read_tree(base / "ws")
    assert tree in (whole(OLD), whole(NEW))
    landed = tree == whole(NEW)
    assert len(standing(base)) == landed
    assert recovered(base) == ()
    return "new" if landed else "old"


def crash_and_recover(base: Path, kill_at: int | str, fail_at: str = "") -> str:
    """Return `old` or `new`: what stands in the end, after checking all that must hold."""
    prepare(base)
    killed = run_child(base, "land", kill_at, fail_at) is None

    recoveries = recovered(base)

    outcome = assert_whole(base)
    assert len(recoveries) <= killed
    for recovery in recoveries:
        assert recovery.outcome == {"new": "completed", "old": "rolled_back"}[outcome]
        assert (recovery.session_id, recovery.step_id) == ("s", "1")
        assert recovery.left_alone == ()
    if outcome == "new":
        asyncio.run(lander_of(base).undo(standing(base)[0].landing_id))
        assert read_tree(base / "ws") == whole(OLD)
    return outcome


@pytest.mark.parametrize("kill_at", SAMPLE)
def test_a_killed_landing_is_completed_or_rolled_back(tmp_path: Path, kill_at: int | str) -> None:
    crash_and_recover(tmp_path, kill_at)


@pytest.mark.prove
@pytest.mark.parametrize("fail_at", ["", FAIL_AT])
def test_at_whatever_step_it_is_killed(tmp_path: Path, fail_at: str) -> None:
    prepare(tmp_path)
    output = run_child(tmp_path, "land", NEVER, fail_at)
    assert output is not None
    for kill_at in range(int(output.split()[-1])):
        base = tmp_path / str(kill_at)
        base.mkdir()
        crash_and_recover(base, kill_at, fail_at)


@pytest.mark.parametrize(
    ("kill_at", "outcome"),
    [("write 0", "rolled_back"), ("operation 0", "rolled_back"), ("operation 1", "completed")],
)
def test_before_the_first_rename_it_rolls_back_and_after_it_forward(
    tmp_path: Path, kill_at: str, outcome: str
) -> None:
    prepare(tmp_path)
    assert run_child(tmp_path, "land", kill_at) is None

    assert [recovery.outcome for recovery in recovered(tmp_path)] == [outcome]


@pytest.mark.parametrize("kill_again_at", ["forward 0", "forward 5", "forward 12"])
def test_a_recovery_that_is_killed_is_taken_up_again(tmp_path: Path, kill_again_at: str) -> None:
    prepare(tmp_path)
    assert run_child(tmp_path, "land", "operation 6") is None
    assert run_child(tmp_path, "recover", kill_again_at) is None

    (recovery,) = recovered(tmp_path)

    assert recovery.outcome == "completed"
    assert assert_whole(tmp_path) == "new"


@pytest.mark.parametrize("kill_at", ["revert 0", "revert 7", "rolled back"])
def test_a_rollback_that_is_killed_is_rolled_back_further(
    tmp_path: Path, kill_at: int | str
) -> None:
    assert crash_and_recover(tmp_path, kill_at, FAIL_AT) == "old"


def test_the_next_landing_recovers_first_and_says_so(tmp_path: Path) -> None:
    prepare(tmp_path)
    assert run_child(tmp_path, "land", "operation 6") is None
    lander = lander_of(tmp_path)
    changes = between(NEW, {**NEW, "x": file(b"x")}, FolderBlobs(tmp_path / "state" / "blobs"))

    landing = asyncio.run(lander.land(changes, session_id="t", step_id="2"))

    assert read_tree(tmp_path / "ws") == whole({**NEW, "x": file(b"x")})
    assert [note for note in landing.notes if "cut off by a crash, was completed" in note]


def test_what_someone_else_changed_after_the_crash_is_left_alone_and_named(tmp_path: Path) -> None:
    prepare(tmp_path)
    assert run_child(tmp_path, "land", "operation 8") is None
    mine: dict[str, Leaf] = {"edit.py": file(b"mine"), "new/deep/er/file": file(b"mine too")}
    for name, leaf in mine.items():
        (tmp_path / "ws" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "ws" / name).write_bytes(leaf.content)

    (recovery,) = recovered(tmp_path)

    assert recovery.left_alone == ("edit.py", "new/deep/er/file")
    tree = read_tree(tmp_path / "ws")
    assert {name: tree[name].content for name in mine} == {
        "edit.py": b"mine",
        "new/deep/er/file": b"mine too",
    }
    assert not [name for name in tree if ".turbo-tui-" in name]
    assert {**tree, **{name: NEW[name] for name in mine}} == whole(NEW)
    landing_id = standing(tmp_path)[0].landing_id
    undone = asyncio.run(lander_of(tmp_path).undo(landing_id))
    assert "edit.py: was left alone then, so it is now" in undone.notes


def test_new_content_lost_in_the_crash_comes_from_the_blobs(tmp_path: Path) -> None:
    prepare(tmp_path)
    assert run_child(tmp_path, "land", "operation 6") is None
    new_contents = [leaf.content for leaf in NEW.values()]
    lost = [
        path
        for path in (tmp_path / "ws").rglob(".turbo-tui-*")
        if not path.is_symlink() and path.is_file() and path.read_bytes() in new_contents
    ]
    for path in lost:
        path.unlink()
    assert lost

    recovered(tmp_path)

    assert assert_whole(tmp_path) == "new"


def test_a_symlink_planted_after_the_crash_is_never_followed(tmp_path: Path) -> None:
    prepare(tmp_path)
    assert run_child(tmp_path, "land", "operation 8") is None
    root, outside = tmp_path / "ws", tmp_path / "outside"
    (root / "new").rename(outside)
    (root / "new").symlink_to(outside)
    there = read_tree(outside)

    (recovery,) = recovered(tmp_path)

    assert set(recovery.left_alone) >= {"new", "new/deep/er/file"}
    assert read_tree(outside) == there
    assert (root / "edit.py").read_bytes() == NEW["edit.py"].content


def test_a_device_in_the_place_of_a_file_is_left_alone(tmp_path: Path) -> None:
    prepare(tmp_path)
    assert run_child(tmp_path, "land", "operation 8") is None
    (tmp_path / "ws/script").unlink()
    os.mkfifo(tmp_path / "ws/script")

    (recovery,) = recovered(tmp_path)

    assert recovery.left_alone == ("script",)
    assert (tmp_path / "ws/script").is_fifo()


def test_what_someone_else_changed_is_left_alone_by_a_rollback_too(tmp_path: Path) -> None:
    prepare(tmp_path)
    assert run_child(tmp_path, "land", "revert 0", FAIL_AT) is None
    (tmp_path / "ws/edit.py").write_bytes(b"mine")

    (recovery,) = recovered(tmp_path)

    assert (recovery.outcome, recovery.left_alone) == ("rolled_back", ("edit.py",))
    tree = read_tree(tmp_path / "ws")
    assert tree["edit.py"].content == b"mine"
    assert {**tree, "edit.py": OLD["edit.py"]} == whole(OLD)


def test_what_someone_else_makes_while_recovering_is_left_alone(tmp_path: Path) -> None:
    prepare(tmp_path)
    assert run_child(tmp_path, "land", "operation 8") is None
    new_file = tmp_path / "ws/new/deep/er/file"

    def make(step: str) -> None:
        if step == "forward 12" and not new_file.exists():
            new_file.parent.mkdir(parents=True, exist_ok=True)
            new_file.write_bytes(b"mine")

    blobs = FolderBlobs(tmp_path / "state" / "blobs")
    lander = JournalLander(tmp_path / "ws", tmp_path / "state", blobs, checkpoint=make)
    (recovery,) = asyncio.run(lander.recover())

    assert "new/deep/er/file" in recovery.left_alone
    assert new_file.read_bytes() == b"mine"


def test_a_recovery_that_the_disk_refuses_says_so_and_can_be_tried_again(tmp_path: Path) -> None:
    prepare(tmp_path)
    assert run_child(tmp_path, "land", "operation 8") is None

    def refuse(step: str) -> None:
        if step == "forward 9":
            raise OSError(28, "No space left on device", "x")

    blobs = FolderBlobs(tmp_path / "state" / "blobs")
    lander = JournalLander(tmp_path / "ws", tmp_path / "state", blobs, checkpoint=refuse)
    with pytest.raises(LandingError, match=r"cannot be finished yet: 'x': No space left"):
        asyncio.run(lander.recover())

    assert [recovery.outcome for recovery in recovered(tmp_path)] == ["completed"]
    assert assert_whole(tmp_path) == "new"
