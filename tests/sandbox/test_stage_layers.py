"""Stages on stages, beside each other, and what a decided one leaves: on both rungs."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.sandbox.ordinary_user import HERE, check_as_ordinary_user
from tests.stage_fakes import OpenConfiner, git, snapshot, words_of
from turbo_tui.adapters.blobs import FolderBlobs
from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.command import Command
from turbo_tui.core.errors import StageError
from turbo_tui.core.landings import Landing
from turbo_tui.landing import open_lander
from turbo_tui.sandbox.staging import trees
from turbo_tui.sandbox.staging.beneath import remove_tree
from turbo_tui.sandbox.staging.layers import Kind, Meta
from turbo_tui.sandbox.staging.overlay import Holder
from turbo_tui.sandbox.staging.stage import WorkspaceStage
from turbo_tui.sandbox.staging.stages import WorkspaceStages, discard_left, open_stages

ROOT = os.geteuid() == 0


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / r"work: space, o\n=e"
    (root / "src").mkdir(parents=True)
    (root / "src" / "a.py").write_text("".join(f"line {number}\n" for number in range(30)))
    (root / "src" / "b.py").write_text("two = 2\n")
    (root / ".gitignore").write_text("node_modules/\n*.log\nbuild/\n")
    (root / "build").mkdir()
    (root / "build" / "old.o").write_text("old")
    git(root, "init", "-q")
    git(root, "add", ".")
    return root


@pytest.fixture
def untouched(workspace: Path) -> Iterator[None]:
    before = snapshot(workspace)
    yield
    assert snapshot(workspace) == before


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "blobs")


@pytest.fixture
def stages(workspace: Path, tmp_path: Path, blobs: FolderBlobs, kind: Kind) -> WorkspaceStages:
    return open_stages(workspace, tmp_path / "state", blobs, OpenConfiner(), rung=kind)


async def shell(stage: WorkspaceStage, line: str) -> str:
    result = await stage.run(Command(["sh", "-c", line]))
    assert result.exit_code == 0, result.output
    return result.output


async def staged(stages: WorkspaceStages, stage_id: str, line: str, *on: str) -> ChangeSet:
    """Run a line in a new stage and keep that; return what it changed."""
    stage = await stages.open(stage_id, on=on)
    await shell(stage, line)
    changes = await stage.changes()
    await stage.close(keep=True)
    return changes


def kept(tmp_path: Path) -> list[str]:
    return sorted(entry.name for entry in (tmp_path / "state" / "stages").iterdir())


# --- on top of each other -------------------------------------------------------


@pytest.mark.usefixtures("untouched")
async def test_a_stage_shows_those_it_lies_on_and_its_changes_are_its_own(
    stages: WorkspaceStages, blobs: FolderBlobs
) -> None:
    first = await staged(stages, "s1", "echo one >> src/a.py; rm src/b.py; echo x > new")
    stage = await stages.open("s2", on=["s1"])
    shown = await shell(stage, "tail -n 1 src/a.py; ls src; cat new")
    await shell(stage, "echo two >> src/a.py; echo y > other; rm new; echo b > src/b.py")
    second = {change.path: change for change in (await stage.changes()).files}
    await stage.close(keep=True)

    assert shown.split() == ["one", "a.py", "x"]
    assert words_of(first) == ["add new", "update src/a.py", "delete src/b.py"]
    assert {path: change.action for path, change in second.items()} == {
        "new": "delete",
        "other": "add",
        "src/a.py": "update",
        "src/b.py": "add",
    }
    before = second["src/a.py"].before
    assert before is not None
    assert blobs.get(before.blob).endswith(b"line 29\none\n")
    assert all(change.base_known for change in second.values())


async def test_layers_lie_on_each_other_in_the_order_given(stages: WorkspaceStages) -> None:
    await staged(stages, "s1", "echo one > who; echo 1 > one")
    await staged(stages, "s2", "echo two > who; echo 2 > two")

    stage = await stages.open("s3", on=["s1", "s2"])
    assert await shell(stage, "cat who one two") == "two\n1\n2\n"
    assert stage.files.read("who") == b"two\n"
    assert words_of(await stage.changes()) == []
    await stage.close()
    stage = await stages.open("s4", on=["s2", "s1"])
    assert await shell(stage, "cat who") == "one\n"
    await stage.close()


async def test_a_folder_removed_below_and_made_anew_above_hides_what_it_held(
    stages: WorkspaceStages,
) -> None:
    await staged(stages, "s1", "rm -r src; mkdir src; echo 1 > src/c.py; ln -s c.py src/l")
    stage = await stages.open("s2", on=["s1"])
    assert (await shell(stage, "ls src")).split() == ["c.py", "l"]
    await shell(stage, "rm -r src; mkdir src; echo 2 > src/d.py")

    assert words_of(await stage.changes()) == ["delete src/c.py", "add src/d.py", "delete src/l"]
    await stage.close()


async def test_a_file_below_may_become_a_folder_above_and_back(stages: WorkspaceStages) -> None:
    await staged(stages, "s1", "rm src/b.py; mkdir src/b.py; echo x > src/b.py/x; chmod 750 src")
    stage = await stages.open("s2", on=["s1"])
    assert await shell(stage, "cat src/b.py/x") == "x\n"
    await shell(stage, "rm -r src/b.py; echo again > src/b.py")

    assert words_of(await stage.changes()) == ["retype src/b.py", "delete src/b.py/x"]
    await stage.close()


async def test_a_stage_may_lie_on_one_that_is_still_open(stages: WorkspaceStages) -> None:
    first = await stages.open("s1")
    await shell(first, "echo one > one; mkdir d; echo x > d/x")
    second = await stages.open("s2", on=["s1"])

    assert await shell(second, "cat one d/x") == "one\nx\n"
    await shell(second, "echo two > d/y")

    assert words_of(await first.changes()) == ["add d/x", "add one"]
    assert words_of(await second.changes()) == ["add d/y"]
    await asyncio.gather(first.close(), second.close())


async def test_a_moved_folder_of_a_lower_stage_shows_as_moves(stages: WorkspaceStages) -> None:
    await staged(stages, "s1", "mkdir lib; echo one > lib/x; echo two > lib/y")
    stage = await stages.open("s2", on=["s1"])
    await shell(stage, "mv lib pkg; mv src code")

    assert words_of(await stage.changes()) == [
        "move code/a.py <- src/a.py",
        "move code/b.py <- src/b.py",
        "delete lib",
        "move pkg/x <- lib/x",
        "move pkg/y <- lib/y",
        "delete src",
    ]
    await stage.close()


async def test_a_chain_of_many_stages_still_mounts(stages: WorkspaceStages) -> None:
    names = [f"20261122-184655-{'x' * 60}-step-{number:03}" for number in range(60)]
    for name in names:
        stage = await stages.open(name)
        stage.files.write(f"f/{name}", b"x")
        await stage.close(keep=True)

    stage = await stages.open("top", on=names)

    assert len(stage.files.entries("f")) == 60
    assert words_of(await stage.changes()) == []
    await stage.close()


async def test_what_a_stage_lies_on_must_be_there(stages: WorkspaceStages, tmp_path: Path) -> None:
    await staged(stages, "s1", "true")
    await staged(stages, "s2", "true", "s1")

    with pytest.raises(StageError, match="s3 was to lie on gone, of which nothing is kept"):
        await stages.open("s3", on=["s1", "gone"])
    remove_tree(tmp_path / "state" / "stages" / "s1")
    with pytest.raises(StageError, match="s2 lies on s1, of which nothing is kept"):
        await stages.reopen("s2")
    assert kept(tmp_path) == ["s2"]


async def test_a_layer_that_cannot_be_mounted_is_said_and_leaves_nothing(
    stages: WorkspaceStages, tmp_path: Path, kind: Kind
) -> None:
    await staged(stages, "s1", "echo x > x")
    folder = tmp_path / "state" / "stages"
    if kind == "overlay":
        remove_tree(folder / "s1" / "upper")
        (folder / "s1" / "upper").symlink_to("/proc")  # no file system takes it for a layer
    else:
        (folder / "s1" / "manifest.json").write_bytes(b"{")

    with pytest.raises(StageError, match=r"Cannot mount a stage over|lies on is damaged"):
        await stages.open("s2", on=["s1"])

    assert kept(tmp_path) == ["s1"]


@pytest.mark.parametrize(
    "on", ['"s1"', '[["s1", "upper", "x"]]', '[["s1", "lower"]]', '[["../s1", "upper"]]']
)
async def test_what_a_damaged_stage_says_it_lies_on_is_not_believed(
    stages: WorkspaceStages, tmp_path: Path, on: str
) -> None:
    await staged(stages, "s1", "true")
    await staged(stages, "s2", "true")
    meta = tmp_path / "state" / "stages" / "s2" / "meta.json"
    meta.write_text(meta.read_text().replace('"on": []', f'"on": {on}'))

    with pytest.raises(StageError, match=r"meta\.json is damaged"):
        await stages.reopen("s2")


def holders_of(stage: Path) -> list[int]:
    """Find the processes that hold a stage's mount."""
    found: list[int] = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it ended meanwhile
            if os.fsencode(stage / "upper") in file.read_bytes():
                found.append(int(file.parent.name))
    return found


async def test_a_dead_holder_cannot_refresh_and_files_are_read_on(
    stages: WorkspaceStages, tmp_path: Path, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "copy":
        pytest.skip("a copy has no holder")
    monkeypatch.setattr(trees, "FRESH_S", 0.0)
    stage = await stages.open("s1")
    assert stage.files.read("src/b.py") == b"two = 2\n"
    holders = holders_of(tmp_path / "state" / "stages" / "s1")
    assert holders
    for holder in holders:
        os.kill(holder, signal.SIGKILL)

    assert stage.files.read("src/b.py") == b"two = 2\n"
    assert await shell(stage, "cat src/b.py") == "two = 2\n"
    await stage.close()


async def test_a_discarded_stage_stays_below_the_others_and_goes_with_the_last(
    stages: WorkspaceStages, tmp_path: Path
) -> None:
    await staged(stages, "s1", "echo one > one")
    await staged(stages, "s2", "echo two > two", "s1")
    await staged(stages, "s3", "echo three > three", "s1", "s2")

    await stages.discard("s1")
    await stages.discard("s2")

    with pytest.raises(StageError, match="Nothing is kept of stage s1"):
        await stages.reopen("s1")
    with pytest.raises(StageError, match="of which nothing is kept"):
        await stages.open("s4", on=["s1"])
    top = await stages.reopen("s3")
    assert await shell(top, "cat one two three") == "one\ntwo\nthree\n"
    assert words_of(await top.changes()) == ["add three"]
    await top.close()
    assert kept(tmp_path) == []


async def test_what_a_session_left_goes_in_any_order(
    stages: WorkspaceStages, tmp_path: Path
) -> None:
    await staged(stages, "s1", "echo one > one")
    await staged(stages, "s2", "echo two > two", "s1")

    await discard_left(tmp_path / "state", "s1")
    assert kept(tmp_path) == ["s1", "s2"]
    await discard_left(tmp_path / "state", "s2")
    await discard_left(tmp_path / "state", "s2")

    assert kept(tmp_path) == []


CRASH = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.fakes import MemoryBlobs
from tests.stage_fakes import OpenConfiner
from turbo_tui.core.command import Command
from turbo_tui.sandbox.staging.stages import open_stages

async def main(workspace, state, kind):
    stages = open_stages(Path(workspace), Path(state), MemoryBlobs(), OpenConfiner(), rung=kind)
    first = await stages.open("s1")
    await first.run(Command(["sh", "-c", "echo one >> src/a.py"]))
    second = await stages.open("s2", on=["s1"])
    await second.run(Command(["sh", "-c", "echo two >> src/a.py; echo x > x"]))
    print("done", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_chain_survives_kill_9_of_our_process(
    stages: WorkspaceStages, workspace: Path, tmp_path: Path, kind: Kind
) -> None:
    crash = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", CRASH, workspace, tmp_path / "state", kind],
        executable="/proc/self/exe",  # run as another user, the path to it may be barred
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=False,
        cwd=HERE,
    )
    assert crash.returncode == -signal.SIGKILL, crash.stderr

    second = await stages.reopen("s2")
    first = await stages.reopen("s1")

    assert (await shell(second, "tail -n 2 src/a.py")).split() == ["one", "two"]
    assert words_of(await second.changes()) == ["update src/a.py", "add x"]
    assert words_of(await first.changes()) == ["update src/a.py"]
    await asyncio.gather(first.close(), second.close())


async def test_originals_are_known_to_a_stage_that_is_taken_up_after_the_user_edited(
    stages: WorkspaceStages, workspace: Path, blobs: FolderBlobs
) -> None:
    await staged(stages, "s1", "echo step >> src/b.py")
    (workspace / "src" / "b.py").write_text("the user's\n")

    stage = await stages.reopen("s1")
    (change,) = (await stage.changes()).files
    await stage.close()

    assert change.base_known
    assert change.before is not None
    assert blobs.get(change.before.blob) == b"two = 2\n"


async def test_what_is_ignored_by_itself_is_warned_of_too(stages: WorkspaceStages) -> None:
    changes = await staged(
        stages,
        "s1",
        "echo .envrc >> .gitignore; echo x > .envrc; mkdir build/sub; echo x > build/conftest.py",
    )

    assert changes.warnings == (".envrc: direnv runs it on entering the folder; git ignores it",)


async def test_devices_and_made_up_whiteouts_neither_land_nor_stay(
    stages: WorkspaceStages, kind: Kind
) -> None:
    stage = await stages.open("s1")
    # A device 0:0 is how an overlay writes a removal; anybody may make one.
    line = (
        "mkdir node_modules; cd src; mknod null c 1 3; mknod ../node_modules/w c 0 0; mknod w c 0 0"
    )
    result = await stage.run(Command(["sh", "-c", f"{line}; echo x > ../node_modules/x"]))
    changes = await stage.changes()
    await stage.close(keep=True)

    assert words_of(changes) == []
    devices = [note for note in changes.notes if "a device; never lands" in note]
    if kind == "overlay":
        assert "not permitted" in result.output
    else:
        assert "src/w: a device; never lands" in devices
    assert ("src/null: a device; never lands" in devices) == ROOT
    assert await stages.settle("s1")
    later = await stages.open("s2", on=["s1"])
    assert await shell(later, "find node_modules -type f; ls src") == "node_modules/x\na.py\nb.py\n"
    assert words_of(await later.changes()) == []
    await later.close()


# --- beside each other -----------------------------------------------------------


@pytest.mark.usefixtures("untouched")
async def test_commands_run_at_once_in_several_stages_and_in_one(
    stages: WorkspaceStages, tmp_path: Path
) -> None:
    opened = await asyncio.gather(*(stages.open(f"s{number}") for number in range(3)))
    for number in (0, 1):
        os.mkfifo(tmp_path / f"meet{number}")

    # Each waits for one of another stage: they end only when they run at the same time.
    lines = (f"echo {n} > own{n}; echo x > '{tmp_path}/meet{n}'" for n in (0, 1))
    reads = (
        f"echo {n} > own{n}; read x < '{tmp_path}/meet{n - 2}'; echo late > late{n}" for n in (2, 3)
    )
    stage_of = (opened[0], opened[1], opened[2], opened[0])
    await asyncio.gather(
        *(shell(stage, line) for stage, line in zip(stage_of, (*lines, *reads), strict=True))
    )

    assert [words_of(await stage.changes()) for stage in opened] == [
        ["add late3", "add own0", "add own3"],
        ["add own1"],
        ["add late2", "add own2"],
    ]
    await asyncio.gather(*(stage.close() for stage in opened))


# --- landing beneath ---------------------------------------------------------------


async def landed(
    workspace: Path, tmp_path: Path, blobs: FolderBlobs, changes: ChangeSet
) -> Landing:
    lander = open_lander(workspace, tmp_path / "state", blobs)
    return await lander.land(changes, session_id="s", step_id="1")


async def test_after_the_lower_one_landed_in_full_the_upper_one_lands_cleanly(
    stages: WorkspaceStages, workspace: Path, tmp_path: Path, blobs: FolderBlobs
) -> None:
    first = await staged(
        stages, "s1", "sed -i 's/line 3$/THREE/' src/a.py; echo n > n; rm src/b.py"
    )
    second = await stages.open("s2", on=["s1"])
    await shell(second, "sed -i 's/line 25/TWENTYFIVE/' src/a.py")
    await landed(workspace, tmp_path, blobs, first)
    await stages.settle("s1")
    await shell(second, "grep -q THREE src/a.py; echo m >> n; test ! -e src/b.py")

    done = await landed(workspace, tmp_path, blobs, await second.changes())
    await second.close()

    assert (done.conflicts, done.paths) == ((), ("n", "src/a.py"))
    text = (workspace / "src" / "a.py").read_text()
    assert "THREE" in text
    assert "TWENTYFIVE" in text
    assert (workspace / "n").read_text() == "n\nm\n"
    assert kept(tmp_path) == []


async def test_after_the_lower_one_landed_in_part_the_rest_is_merged(
    stages: WorkspaceStages, workspace: Path, tmp_path: Path, blobs: FolderBlobs
) -> None:
    first = await staged(stages, "s1", "sed -i 's/line 3$/THREE/' src/a.py; echo n > n")
    second = await stages.open("s2", on=["s1"])
    await shell(second, "sed -i 's/line 25/TWENTYFIVE/' src/a.py")
    part = ChangeSet(tuple(change for change in first.files if change.path == "n"))
    await landed(workspace, tmp_path, blobs, part)
    await stages.settle("s1")

    changes = await second.changes()
    found = await landed(workspace, tmp_path, blobs, changes)
    assert found.merged is not None
    done = await landed(workspace, tmp_path, blobs, found.merged)
    await second.close()

    assert done.paths == ("src/a.py",)
    text = (workspace / "src" / "a.py").read_text()
    assert "line 3\n" in text
    assert "TWENTYFIVE" in text


async def test_when_the_lower_one_was_rejected_what_builds_on_it_is_a_conflict(
    stages: WorkspaceStages, workspace: Path, tmp_path: Path, blobs: FolderBlobs
) -> None:
    await staged(stages, "s1", "echo one > n; sed -i 's/line 3$/THREE/' src/a.py")
    second = await stages.open("s2", on=["s1"])
    await shell(second, "echo two >> n; sed -i 's/THREE/DREI/' src/a.py; echo x > free")
    await stages.discard("s1")

    changes = await second.changes()
    found = await landed(workspace, tmp_path, blobs, changes)

    assert [conflict.path for conflict in found.conflicts] == ["n", "src/a.py"]
    assert found.merged is None
    free = ChangeSet(tuple(change for change in changes.files if change.path == "free"))
    assert (await landed(workspace, tmp_path, blobs, free)).paths == ("free",)
    await second.close()


async def test_a_landing_beneath_an_open_stage_shows_in_its_next_command(
    stages: WorkspaceStages, workspace: Path, tmp_path: Path, blobs: FolderBlobs, kind: Kind
) -> None:
    stage = await stages.open("s1")
    await shell(stage, "cat src/b.py; ls; echo mine > mine")
    changes = await staged(stages, "s2", "echo landed > src/b.py; echo x > added")
    await landed(workspace, tmp_path, blobs, changes)

    shown = await shell(stage, "cat src/b.py; test -e added && echo there; cat mine")

    if kind == "overlay":
        assert shown.split() == ["landed", "there", "mine"]
    else:
        assert shown.split() == ["two", "=", "2", "mine"]  # a copy is of the time it was made
    assert words_of(await stage.changes()) == ["add mine"]
    await stage.close()


async def test_what_the_user_replaced_beneath_layers_shows_in_the_next_command(
    stages: WorkspaceStages, workspace: Path, kind: Kind
) -> None:
    if kind == "copy":
        pytest.skip("a copy is of the time it was made")
    await staged(stages, "s1", "echo one > one")
    stage = await stages.open("s2", on=["s1"])
    await shell(stage, "cat src/a.py src/b.py; ls src")
    (workspace / "beside").write_text("user's\n")
    (workspace / "beside").replace(workspace / "src" / "b.py")

    assert await shell(stage, "cat src/b.py") == "user's\n"
    await shell(stage, "echo step >> src/b.py")
    (change,) = (await stage.changes()).files
    assert not change.base_known  # it is not what the stage began with
    await stage.close()


async def test_where_no_refresh_is_to_be_had_the_stage_is_mounted_anew(
    stages: WorkspaceStages, workspace: Path, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "copy":
        pytest.skip("a copy is of the time it was made")

    def refused(_holder: Holder) -> bool:
        return False

    monkeypatch.setattr(Holder, "refresh", refused)
    stage = await stages.open("s1")
    await shell(stage, "cat src/b.py; echo mine > mine")
    (workspace / "beside").write_text("user's\n")
    (workspace / "beside").replace(workspace / "src" / "b.py")

    assert await shell(stage, "cat src/b.py mine") == "user's\nmine\n"
    await stage.close()


async def test_file_tools_show_what_the_user_replaced(
    stages: WorkspaceStages, workspace: Path, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "copy":
        pytest.skip("a copy is of the time it was made")
    monkeypatch.setattr(trees, "FRESH_S", 0.0)
    stage = await stages.open("s1")
    assert stage.files.read("src/b.py") == b"two = 2\n"
    (workspace / "beside").write_text("user's\n")
    (workspace / "beside").replace(workspace / "src" / "b.py")

    assert stage.files.read("src/b.py") == b"user's\n"
    await stage.close()


# --- what a decided stage leaves ------------------------------------------------------


@pytest.mark.usefixtures("untouched")
async def test_what_git_ignores_stays_for_later_stages_and_nothing_else(
    stages: WorkspaceStages, tmp_path: Path
) -> None:
    await staged(
        stages,
        "s1",
        "mkdir -p node_modules/p/.bin lib; echo dep > node_modules/p/index.js;"
        "ln -s ../index.js node_modules/p/.bin/p; chmod +x node_modules/p/index.js;"
        "echo log > src/run.log; rm build/old.o; echo new > build/new.o;"
        "echo rejected > src/new.py; echo more >> src/a.py; rm src/b.py; echo x > lib/x",
    )

    assert await stages.settle("s1")
    assert await stages.settle("s1")
    later = await stages.open("s2", on=["s1"])

    shown = await shell(later, "cat node_modules/p/.bin/p src/run.log; ls build src")
    assert shown.split() == ["dep", "log", "build:", "new.o", "src:", "a.py", "b.py", "run.log"]
    script = later.files.entry("node_modules/p/index.js")
    assert script is not None
    assert script.mode == 0o755
    assert later.files.entry("lib") is None
    changes = await later.changes()
    assert (changes.files, changes.ignored) == ((), ())
    await later.close()
    await stages.discard("s1")
    assert kept(tmp_path) == []


async def test_a_settled_stage_is_not_taken_up_but_lain_on(
    stages: WorkspaceStages, tmp_path: Path, kind: Kind
) -> None:
    await staged(stages, "s1", "echo x > a.log; echo y > src/y.py")
    await stages.settle("s1")

    with pytest.raises(StageError, match="Nothing is kept of stage s1"):
        await stages.reopen("s1")
    with pytest.raises(StageError, match="exists already"):
        await stages.open("s1")
    folder = tmp_path / "state" / "stages" / "s1"
    names = {entry.name for entry in folder.iterdir()}
    assert names.isdisjoint({"upper", "work", "tree"})
    layer = folder / ("settled-upper" if kind == "overlay" else "settled-tree")
    assert [path.name for path in layer.rglob("*")] == ["a.log"]


async def test_a_stage_without_ignored_files_leaves_nothing(
    stages: WorkspaceStages, tmp_path: Path
) -> None:
    await staged(stages, "s1", "echo x > src/new.py; git init -q inner; touch build")

    assert not await stages.settle("s1")
    assert not await stages.settle("s1")
    assert not await stages.settle("unknown")
    assert kept(tmp_path) == []


async def test_an_open_stage_is_closed_as_it_is_settled(stages: WorkspaceStages) -> None:
    stage = await stages.open("s1")
    await shell(stage, "echo x > a.log")

    assert await stages.settle("s1")

    with pytest.raises(StageError, match="closed"):
        await stage.changes()


async def test_git_s_own_files_never_stay(stages: WorkspaceStages) -> None:
    await staged(
        stages,
        "s1",
        "mkdir -p node_modules/p; git init -q node_modules/p; echo x > node_modules/p/x;"
        "echo x > node_modules/plain; mkdir .turbo; echo y > .turbo/y.log; echo x > .git/x.log",
    )

    assert await stages.settle("s1")
    later = await stages.open("s2", on=["s1"])

    found = await shell(later, "find node_modules -type f | sort; ls .git | grep log || :")
    assert found.split() == ["node_modules/p/x", "node_modules/plain"]
    assert later.files.entry("node_modules/p/.git") is None
    assert later.files.entry(".turbo") is None
    await later.close()


async def test_ignored_files_that_landed_are_not_kept(stages: WorkspaceStages) -> None:
    changes = await staged(
        stages, "s1", "mkdir -p node_modules/a; echo 1 > node_modules/a/x; echo 2 > node_modules/y"
    )
    paths = [change.path for line in changes.ignored for change in line.changes]
    assert paths == ["node_modules/a/x", "node_modules/y"]

    assert await stages.settle("s1", landed=["node_modules/a/x"])
    later = await stages.open("s2", on=["s1"])

    assert await shell(later, "find node_modules -type f") == "node_modules/y\n"
    await later.close()


async def test_a_cache_that_hides_itself_stays_and_what_was_rejected_with_its_rules_does_not(
    stages: WorkspaceStages,
) -> None:
    await staged(
        stages,
        "s1",
        "mkdir .venv; echo '*' > .venv/.gitignore; echo x > .venv/python;"
        "mkdir gen; echo '*.c' > gen/.gitignore; echo x > gen/x.c; echo '*.py' >> .gitignore;"
        "echo x > src/sneaked.py",
    )

    assert await stages.settle("s1")
    later = await stages.open("s2", on=["s1"])

    assert later.files.read(".venv/python") == b"x\n"
    assert later.files.entry("gen") is None
    assert later.files.entry("src/sneaked.py") is None
    await later.close()


@pytest.mark.usefixtures("untouched")
async def test_a_folder_installed_anew_keeps_hiding_the_old_one(stages: WorkspaceStages) -> None:
    await staged(
        stages, "s1", "mkdir -p node_modules/a; echo 1 > node_modules/a/old; echo > node_modules/b"
    )
    await stages.settle("s1")
    await staged(
        stages,
        "s2",
        "rm -r node_modules; mkdir -p node_modules/a; echo 2 > node_modules/a/new; rm -r build",
        "s1",
    )
    await stages.settle("s2")

    later = await stages.open("s3", on=["s1", "s2"])
    assert (await shell(later, "find node_modules -type f")).split() == ["node_modules/a/new"]
    assert later.files.entry("build/old.o") is None
    await later.close()


async def test_settling_below_an_open_stage_leaves_that_as_it_is(
    stages: WorkspaceStages, tmp_path: Path
) -> None:
    await staged(
        stages, "s1", "mkdir -p node_modules/p; echo dep > node_modules/p/x; echo r > rejected"
    )
    above = await stages.open("s2", on=["s1"])
    await shell(above, "echo mine > mine; echo more >> node_modules/p/x")

    assert await stages.settle("s1")

    assert await shell(above, "cat rejected mine node_modules/p/x") == "r\nmine\ndep\nmore\n"
    changes = await above.changes()
    assert words_of(changes) == ["add mine"]
    assert [change.path for line in changes.ignored for change in line.changes] == [
        "node_modules/p/x"
    ]
    later = await stages.open("s3", on=["s1"])
    assert await shell(later, "cat node_modules/p/x; ls") == "dep\nbuild\nnode_modules\nsrc\n"
    await above.close(keep=True)
    again = await stages.reopen("s2")
    assert await shell(again, "cat rejected") == "r\n"
    await asyncio.gather(again.close(), later.close())
    folder = tmp_path / "state" / "stages" / "s1"
    assert not {entry.name for entry in folder.iterdir()} & {"upper", "work", "tree"}


async def test_settling_that_was_cut_off_is_done_again_without_a_loss(
    stages: WorkspaceStages, monkeypatch: pytest.MonkeyPatch
) -> None:
    await staged(
        stages, "s1", "mkdir node_modules; echo x > node_modules/x; echo l > a.log; rm build/old.o"
    )
    moved = 0

    class CutOffError(OSError):
        """The machine stops here."""

    def cut_off_soon(*_args: object, **_more: object) -> None:
        nonlocal moved
        moved += 1
        if moved > 1:
            raise CutOffError(5, "cut off")
        rename(*_args, **_more)  # type: ignore[arg-type]

    rename = os.rename
    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", cut_off_soon)
        with pytest.raises(StageError, match="Cannot settle stage s1"):
            await stages.settle("s1")

    def not_said(_meta: Meta, _folder: Path) -> None:
        raise CutOffError(5, "cut off")

    with monkeypatch.context() as patched:
        patched.setattr(Meta, "write", not_said)
        with pytest.raises(StageError, match="Cannot settle stage s1"):
            await stages.settle("s1")
    assert moved == 2
    assert await stages.settle("s1")

    later = await stages.open("s2", on=["s1"])
    assert await shell(later, "cat node_modules/x a.log; ls build") == "x\nl\n"
    await later.close()


@pytest.mark.skipif(not ROOT, reason="only root can become another user")
@pytest.mark.timeout(900)  # a whole file once more
def test_all_of_this_holds_for_an_ordinary_user() -> None:
    check_as_ordinary_user(__file__)
