"""A stage's copy, handed on to the next stage: by stages themselves, and with real sandboxes."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.fakes import MemoryBlobs
from tests.sandbox.confining import needs_bubblewrap, needs_landlock
from tests.stage_fakes import OpenConfiner, snapshot, words_of
from turbo_tui.core.command import Command
from turbo_tui.sandbox.confine.bubblewrap import Bubblewrap
from turbo_tui.sandbox.confine.landlock import Landlock
from turbo_tui.sandbox.place import Confiner, ConfinerName
from turbo_tui.sandbox.staging import copying, manifest
from turbo_tui.sandbox.staging.stage import WorkspaceStage
from turbo_tui.sandbox.staging.stages import WorkspaceStages, open_stages


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a test are younger than what is believed unchanged in earnest."""
    monkeypatch.setattr(copying, "TICK_S", 0.0)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "workspace"
    (root / "src").mkdir(parents=True)
    (root / "src" / "a.py").write_text("one = 1\n")
    (root / "src" / "b.py").write_text("two = 2\n")
    (root / "big").write_bytes(bytes(100_000))
    (root / ".gitignore").write_text("deps/\n")
    newest = max(path.lstat().st_ctime_ns for path in root.rglob("*"))
    manifest.await_tick(tmp_path, newest)
    return root


def stages_of(
    workspace: Path, confiner: Confiner | None = None, state: str = "state"
) -> WorkspaceStages:
    chosen = OpenConfiner() if confiner is None else confiner
    where = workspace.parent / state
    return open_stages(workspace, where, MemoryBlobs(), chosen, rung="copy")


async def shell(stage: WorkspaceStage, line: str) -> str:
    result = await stage.run(Command(["sh", "-c", line]))
    assert result.exit_code == 0, result.output
    return result.output


def tree(workspace: Path, stage_id: str) -> Path:
    return workspace.parent / "state" / "stages" / stage_id / "tree"


def spares(workspace: Path) -> list[Path]:
    return sorted((workspace.parent / "state" / "spares").glob("*/*"))


def version(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_ino, found.st_ctime_ns


async def test_the_second_stage_copies_only_what_the_first_changed(workspace: Path) -> None:
    stages = stages_of(workspace)
    first = await stages.open("s1")
    kept = version(tree(workspace, "s1") / "big")
    await shell(first, "echo x > src/a.py; rm src/b.py; mkdir new; echo x > new/x")
    await first.close()
    assert len(spares(workspace)) == 1

    second = await stages.open("s2")

    assert version(tree(workspace, "s2") / "big") == kept
    assert snapshot(tree(workspace, "s2")) == snapshot(workspace)
    assert words_of(await second.changes()) == []
    await second.close()
    assert len(spares(workspace)) == 1


async def test_what_landed_is_in_the_next_stage(workspace: Path) -> None:
    stages = stages_of(workspace)
    first = await stages.open("s1")
    await shell(first, "echo landed > src/a.py; echo new > src/new.py")
    (workspace / "src" / "a.py").write_text("landed\n")
    (workspace / "src" / "new.py").write_text("new\n")
    await first.close()

    second = await stages.open("s2")

    assert await shell(second, "cat src/a.py src/new.py") == "landed\nnew\n"
    assert words_of(await second.changes()) == []
    await second.close()


async def test_a_copy_that_had_other_layers_serves_one_that_has_none(workspace: Path) -> None:
    stages = stages_of(workspace)
    below = await stages.open("s1")
    await shell(below, "echo below > src/a.py; rm src/b.py; mkdir deps; echo x > deps/x")
    await below.close(keep=True)
    above = await stages.open("s2", on=["s1"])
    assert await shell(above, "cat src/a.py deps/x; ls src") == "below\nx\na.py\n"
    await above.close()
    assert len(spares(workspace)) == 1
    await stages.discard("s1")
    assert len(spares(workspace)) == 2

    for stage_id in ("s3", "s4"):
        stage = await stages.open(stage_id)
        assert snapshot(tree(workspace, stage_id)) == snapshot(workspace)
        assert words_of(await stage.changes()) == []


async def test_a_used_copy_may_get_layers(workspace: Path) -> None:
    stages = stages_of(workspace)
    for stage_id in ("worn1", "worn2"):
        await stages.open(stage_id)
    for stage_id in ("worn1", "worn2"):
        await stages.discard(stage_id)
    below = await stages.open("s1")
    await shell(below, "echo below > src/a.py; mkdir deps; echo x > deps/x")
    settled = await stages.settle("s1")
    assert settled

    above = await stages.open("s2", on=["s1"])

    assert await shell(above, "cat src/a.py deps/x") == "one = 1\nx\n"
    await shell(above, "echo y > deps/y; echo more >> src/a.py")
    changes = await above.changes()
    assert words_of(changes) == ["update src/a.py"]
    assert [c.path for each in changes.ignored for c in each.changes] == ["deps/y"]
    await above.close()


async def test_a_kept_stage_is_taken_up_untouched_by_others(workspace: Path) -> None:
    stages = stages_of(workspace)
    kept = await stages.open("kept")
    await shell(kept, "echo kept > src/a.py")
    await kept.close(keep=True)
    other = await stages.open("other")
    await shell(other, "echo other > src/a.py")
    await other.close()
    await (await stages.open("third")).close()

    again = await stages.reopen("kept")

    assert await shell(again, "cat src/a.py") == "kept\n"
    assert words_of(await again.changes()) == ["update src/a.py"]
    await again.close()


async def test_stages_opened_at_once_have_each_its_own_copy(workspace: Path) -> None:
    stages = stages_of(workspace)
    await (await stages.open("worn")).close()

    opened = await asyncio.gather(*(stages.open(f"s{number}") for number in range(4)))
    for number, stage in enumerate(opened):
        await shell(stage, f"echo {number} > src/a.py")

    said = [await shell(stage, "cat src/a.py") for stage in opened]
    assert said == ["0\n", "1\n", "2\n", "3\n"]
    for stage in opened:
        await stage.close()
    assert len(spares(workspace)) == 2


async def test_another_session_takes_what_the_last_one_left(workspace: Path) -> None:
    await (await stages_of(workspace).open("s")).close()
    kept = version(spares(workspace)[0] / "tree" / "big")

    stage = await stages_of(workspace).open("s")

    assert version(tree(workspace, "s") / "big") == kept
    await stage.close()


async def test_a_new_secret_is_emptied_in_a_used_copy(workspace: Path) -> None:
    stages = stages_of(workspace)
    (workspace / ".env").write_text("")
    await (await stages.open("s1")).close()
    (workspace / ".env").write_text("TOKEN=hunter2\n")
    (workspace / "key.pem").write_text("PRIVATE\n")

    stage = await stages_of(workspace).open("s2")

    assert await shell(stage, "cat .env key.pem") == ""
    assert words_of(await stage.changes()) == []
    await stage.close()


async def test_without_a_sandbox_no_copy_is_handed_on(workspace: Path) -> None:
    stages = stages_of(workspace, OpenConfiner("unsandboxed"))
    await (await stages.open("s1")).close()
    assert spares(workspace) == []

    left = await stages.open("s2")
    await left.close(keep=True)
    await stages_of(workspace).discard("s2")
    assert spares(workspace) == []


@pytest.mark.parametrize("name", ["landlock", "seatbelt", "unsandboxed"])
async def test_without_a_pid_namespace_no_copy_is_handed_on(
    workspace: Path, name: ConfinerName
) -> None:
    stages = stages_of(workspace, OpenConfiner(name))
    await (await stages.open("s1")).close()
    assert spares(workspace) == []

    made_in_a_namespace = await stages_of(workspace).open("s2")
    await made_in_a_namespace.close(keep=True)
    ran_without = await stages.reopen("s2")
    await ran_without.close(keep=True)
    await stages_of(workspace).discard("s2")

    assert spares(workspace) == []


async def test_a_process_that_outlives_landlock_does_not_write_into_the_next_stage(
    workspace: Path,
) -> None:
    await needs_landlock()
    stages = stages_of(workspace, Landlock())
    first = await stages.open("s1")
    was = tree(workspace, "s1")
    inode = was.stat().st_ino
    await first.run(Command(["true"]))
    held = os.open(was, os.O_RDONLY)  # as a survivor would hold it
    try:
        await first.close()
        second = await stages.open("s2")
        assert tree(workspace, "s2").stat().st_ino != inode
        with pytest.raises(FileNotFoundError):
            os.open("src/a.py", os.O_WRONLY | os.O_TRUNC, dir_fd=held)
        assert words_of(await second.changes()) == []
        await second.close()
    finally:
        os.close(held)


async def test_nothing_of_a_confined_step_reaches_the_next(workspace: Path) -> None:
    await needs_bubblewrap()
    stages = stages_of(workspace, Bubblewrap())
    (workspace / "src").chmod(0o755)
    first = await stages.open("s1")
    line = (
        "mkdir -p .turbo .git/hooks; echo x > .git/hooks/post-commit; ln -s / out;"
        "exec 3>> src/a.py; (setsid sh -c 'while :; do echo late >&3; done' &) ;"
        "echo x > src/b.py; chmod 000 src"
    )
    await first.run(Command(["sh", "-c", line]))
    await first.close()
    assert len(spares(workspace)) == 1

    second = await stages.open("s2")
    shown = await shell(second, "cat src/a.py src/b.py; ls -A . src")

    assert shown.split("\n")[:2] == ["one = 1", "two = 2"]
    assert "out" not in shown
    assert words_of(await second.changes()) == []
    assert (tree(workspace, "s2") / "src" / "a.py").read_text() == "one = 1\n"
    assert os.listxattr(tree(workspace, "s2")) == []
    await second.close()
