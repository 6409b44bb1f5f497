"""What every stage does, on an overlay and on a copy, as root and as an ordinary user."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.fakes import MemoryBlobs
from tests.sandbox.ordinary_user import HERE, check_as_ordinary_user
from tests.stage_fakes import OpenConfiner, git, snapshot, words_of
from turbo_tui.core.changes import FileChange
from turbo_tui.core.command import Command
from turbo_tui.core.errors import StageError, ToolError
from turbo_tui.sandbox.staging.layers import Kind
from turbo_tui.sandbox.staging.stage import WorkspaceStage
from turbo_tui.sandbox.staging.stages import WorkspaceStages, open_stages

ROOT = os.geteuid() == 0
ODD_NAME = os.fsdecode(b"caf\xe9 \n;$(x).txt")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Path]:
    """A small repository; whatever a stage does, it is the same afterwards."""
    root = tmp_path / r"work: space, o\n=e"
    (root / "src" / "deep").mkdir(parents=True)
    (root / "src" / "a.py").write_text("one = 1\n")
    (root / "src" / "b.py").write_text("two = 2\n")
    (root / "src" / "deep" / "c.py").write_text("three = 3\n")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "image.bin").write_bytes(bytes(range(256)) * 8)
    (root / ODD_NAME).write_bytes(b"caf\xe9\r\n")
    (root / "link").symlink_to("src/a.py")
    os.mkfifo(root / "pipe")
    (root / ".gitignore").write_text("build/\n*.log\n!keep.log\n")
    (root / "build").mkdir()
    (root / "build" / "old.o").write_text("old")
    (root / "build" / "kept.txt").write_text("tracked although ignored")
    git(root, "init", "-q")
    git(root, "add", "-f", "src", "run.sh", ".gitignore", "build/kept.txt")
    old = 1_700_000_000
    for path in (*root.rglob("*"), root):
        os.utime(path, (old, old), follow_symlinks=False)
    before = snapshot(root)
    yield root
    assert snapshot(root) == before


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs()


@pytest.fixture
def confiner() -> OpenConfiner:
    return OpenConfiner()


@pytest.fixture
def stages(
    workspace: Path, tmp_path: Path, blobs: MemoryBlobs, confiner: OpenConfiner, kind: Kind
) -> WorkspaceStages:
    return open_stages(workspace, tmp_path / "state", blobs, confiner, rung=kind)


@pytest.fixture
async def stage(stages: WorkspaceStages) -> AsyncIterator[WorkspaceStage]:
    opened = await stages.open("step-1")
    yield opened
    await opened.close()


async def shell(stage: WorkspaceStage, line: str) -> str:
    result = await stage.run(Command(["sh", "-c", line]))
    assert result.exit_code == 0, result.output
    return result.output


async def one(stage: WorkspaceStage, path: str) -> FileChange:
    found = [change for change in (await stage.changes()).files if change.path == path]
    assert found, f"{path} is not among the changes"
    return found[0]


async def test_a_fresh_stage_shows_the_workspace_and_has_no_changes(
    stage: WorkspaceStage, kind: Kind
) -> None:
    changes = await stage.changes()

    assert stage.files.read("src/a.py") == b"one = 1\n"
    assert (changes.files, changes.ignored, changes.warnings) == ((), (), ())
    copy_note = ("pipe: not in the stage (neither file, folder nor link)",)
    assert changes.notes == (copy_note if kind == "copy" else ())
    assert stage.report.rung == f"{kind}+bubblewrap"
    assert stage.report.level == "full"


async def test_commands_and_file_tools_see_the_same_tree(stage: WorkspaceStage) -> None:
    await shell(stage, "echo from-command > src/new.py")
    stage.files.write("src/tool.py", b"from-tool\n")

    assert stage.files.read("src/new.py") == b"from-command\n"
    assert await shell(stage, "cat src/tool.py") == "from-tool\n"
    assert words_of(await stage.changes()) == ["add src/new.py", "add src/tool.py"]


async def test_on_an_overlay_commands_see_the_workspace_s_own_path(
    stage: WorkspaceStage, workspace: Path, kind: Kind
) -> None:
    shown = (await shell(stage, "pwd")).strip()

    assert (shown == str(workspace)) == (kind == "overlay")


async def test_each_kind_of_change_is_named_with_both_sides(
    stage: WorkspaceStage, blobs: MemoryBlobs
) -> None:
    await shell(
        stage,
        "echo more >> src/a.py; rm src/b.py; chmod 644 run.sh; printf '\\0\\1' > image.bin;"
        "ln -sfn src/b.py link; printf new > 'new file'; ln -s src/a.py fresh",
    )
    stage.files.write(ODD_NAME, b"th\xe9\r\n")

    changes = {change.path: change for change in (await stage.changes()).files}

    assert {path: change.action for path, change in changes.items()} == {
        "src/a.py": "update",
        "src/b.py": "delete",
        "run.sh": "mode",
        "image.bin": "update",
        "link": "update",
        "new file": "add",
        "fresh": "add",
        ODD_NAME: "update",
    }
    assert list(changes) == sorted(changes)
    assert all(change.base_known for change in changes.values())
    a = changes["src/a.py"]
    assert a.before is not None
    assert a.after is not None
    assert blobs.get(a.before.blob) == b"one = 1\n"
    assert blobs.get(a.after.blob) == b"one = 1\nmore\n"
    assert (a.before.mode, a.before.size_bytes, a.after.size_bytes) == (0o644, 8, 13)
    link = changes["link"]
    assert link.before is not None
    assert link.after is not None
    assert link.after.kind == "symlink"
    assert (blobs.get(link.before.blob), blobs.get(link.after.blob)) == (b"src/a.py", b"src/b.py")
    mode = changes["run.sh"]
    assert mode.before is not None
    assert mode.after is not None
    assert (mode.before.mode, mode.after.mode) == (0o755, 0o644)


async def test_removing_everything_lists_every_file_and_folder(stage: WorkspaceStage) -> None:
    await shell(stage, "rm -rf src")

    assert words_of(await stage.changes()) == [
        "delete src",
        "delete src/a.py",
        "delete src/b.py",
        "delete src/deep",
        "delete src/deep/c.py",
    ]


async def test_a_folder_made_anew_hides_what_it_held(stage: WorkspaceStage) -> None:
    await shell(
        stage, "rm -rf src; mkdir -p src/deep; echo 'one = 1' > src/a.py; echo x > src/deep/c.py"
    )

    assert words_of(await stage.changes()) == ["delete src/b.py", "update src/deep/c.py"]


async def test_a_new_folder_shows_only_when_it_is_empty(stage: WorkspaceStage) -> None:
    await shell(stage, "mkdir -p empty full/inner; echo x > full/inner/x")

    assert words_of(await stage.changes()) == ["add empty", "add full/inner/x"]


async def test_a_folder_moved_by_a_command_shows_as_moves(stage: WorkspaceStage) -> None:
    await shell(stage, "mv src lib")

    assert words_of(await stage.changes()) == [
        "move lib/a.py <- src/a.py",
        "move lib/b.py <- src/b.py",
        "move lib/deep/c.py <- src/deep/c.py",
        "delete src",
        "delete src/deep",
    ]


async def test_a_move_with_a_changed_content_is_a_removal_and_an_addition(
    stage: WorkspaceStage,
) -> None:
    await shell(stage, "mv src/a.py src/z.py; echo more >> src/z.py")

    assert words_of(await stage.changes()) == ["delete src/a.py", "add src/z.py"]


async def test_a_file_may_become_a_folder_and_a_folder_a_file(stage: WorkspaceStage) -> None:
    await shell(
        stage, "rm run.sh; mkdir run.sh; echo x > run.sh/x; rm -r src/deep; echo > src/deep"
    )
    await shell(stage, "rm image.bin; mkdir image.bin")

    assert words_of(await stage.changes()) == [
        "retype image.bin",
        "delete run.sh",
        "add run.sh/x",
        "retype src/deep",
        "delete src/deep/c.py",
    ]


async def test_what_was_only_touched_or_rewritten_alike_is_no_change(
    stage: WorkspaceStage,
) -> None:
    await shell(stage, "touch src/a.py; cp -p src/b.py t; mv t src/b.py; chmod 600 run.sh")
    await shell(stage, "chmod 755 run.sh; rm link; ln -s src/a.py link")

    assert words_of(await stage.changes()) == []


async def test_a_write_that_keeps_size_and_mtime_is_still_seen(stage: WorkspaceStage) -> None:
    await shell(
        stage,
        "cp -p src/a.py /dev/shm/turbo-tui-$$; touch -r src/a.py ref;"
        "printf 'one = 9\\n' > src/a.py; touch -r ref src/a.py; rm ref /dev/shm/turbo-tui-$$",
    )

    assert words_of(await stage.changes()) == ["update src/a.py"]


async def test_ignored_files_fold_by_topmost_folder_and_tracked_ones_do_not(
    stage: WorkspaceStage,
) -> None:
    await shell(stage, "mkdir src/__pycache__; echo x > src/__pycache__/a.pyc")
    await shell(
        stage,
        "mkdir build/sub; echo x > build/sub/n.o; rm build/old.o; echo x >> build/kept.txt;"
        "echo x > src/a.log; echo x > keep.log",
    )

    changes = await stage.changes()

    assert words_of(changes) == ["update build/kept.txt", "add keep.log"]
    folded = {line.folder: [change.path for change in line.changes] for line in changes.ignored}
    assert folded == {
        "build": ["build/old.o", "build/sub/n.o"],
        "src": ["src/a.log"],
        "src/__pycache__": ["src/__pycache__/a.pyc"],
    }


async def test_what_changes_in_git_s_own_folders_is_one_line(stage: WorkspaceStage) -> None:
    await shell(stage, "echo x > .git/a; echo x > .git/hooks/post-commit; mkdir -p v/.git/hooks")
    await shell(
        stage, "echo x > v/.git/hooks/pre-commit; echo x > v/f; mkdir .turbo; echo > .turbo/x"
    )

    changes = await stage.changes()

    assert words_of(changes) == ["add v/f"]
    assert [note for note in changes.notes if "internal" in note] == [
        ".git: 2 internal files; never lands",
        ".turbo: 1 internal file; never lands",
        "v/.git: 1 internal file; never lands",
    ]


async def test_links_out_never_land_and_are_warned_of(stage: WorkspaceStage) -> None:
    await shell(
        stage,
        "ln -s /etc/passwd out; ln -s ../../.. src/up; ln -s ../run.sh src/in;"
        "ln -s nowhere dangling;"
        "ln -s .git/config conf; ln -s ../.. src/deep/top; ln -s src/deep/top/../x tricky;"
        "mkdir -p build; ln -s /usr/bin/env build/env",
    )

    changes = await stage.changes()

    assert words_of(changes) == ["add dangling", "add src/deep/top", "add src/in"]
    assert [note.split(":")[0] for note in changes.notes if "leads outside" in note] == [
        "conf",
        "out",
        "src/up",
        "tricky",
    ]
    assert "build: 1 link out; never lands" in changes.notes
    assert "out: a link that leads outside the workspace" in changes.warnings
    for path in ("out", "src/up/etc/passwd", "tricky"):
        with pytest.raises(ToolError, match="leads outside"):
            stage.files.read(path)


async def test_fifos_and_sockets_never_land(stage: WorkspaceStage) -> None:
    await shell(stage, "mkfifo queue; rm -f src/a.py; mkfifo src/a.py")

    changes = await stage.changes()

    assert "queue: a FIFO; never lands" in changes.notes
    assert words_of(changes) == []


async def test_a_setuid_bit_never_lands(stage: WorkspaceStage) -> None:
    await shell(stage, "chmod 6755 run.sh; cp run.sh other; chmod 4755 other")

    changes = await stage.changes()

    assert words_of(changes) == ["add other"]
    assert {note.split(":")[0] for note in changes.notes} >= {"run.sh", "other"}
    other = changes.files[0].after
    assert other is not None
    assert other.mode == 0o755


async def test_what_the_host_may_run_later_is_warned_of(stage: WorkspaceStage) -> None:
    await shell(
        stage,
        "echo x > tool; chmod +x tool; echo x > .envrc; mkdir .vscode .husky;"
        "echo x > .vscode/tasks.json;"
        'echo x > .husky/pre-commit; echo \'{"scripts":{"postinstall":"x"}}\' > package.json',
    )

    warnings = (await stage.changes()).warnings

    assert [warning.split(":")[0] for warning in warnings] == [
        ".envrc",
        ".husky/pre-commit",
        ".vscode/tasks.json",
        "package.json",
        "tool",
    ]


async def test_an_original_changed_after_the_command_keeps_its_base(
    tmp_path: Path, kind: Kind, blobs: MemoryBlobs
) -> None:
    root = tmp_path / "mine"
    root.mkdir()
    (root / "f").write_text("old")
    stages = open_stages(root, tmp_path / "s", blobs, OpenConfiner(), rung=kind)
    stage = await stages.open("s")
    await shell(stage, "echo step > f")
    stage.files.write("f", b"step again")
    (root / "f").write_text("the user's")

    change = await one(stage, "f")
    await stage.close()

    assert change.base_known
    assert change.before is not None
    assert blobs.get(change.before.blob) == b"old"


async def test_an_original_changed_before_the_command_has_no_known_base(
    tmp_path: Path, kind: Kind, blobs: MemoryBlobs
) -> None:
    root = tmp_path / "mine"
    root.mkdir()
    for name in ("changed", "gone"):
        (root / name).write_text("old")
    stages = open_stages(root, tmp_path / "s", blobs, OpenConfiner(), rung=kind)
    stage = await stages.open("s")
    await asyncio.to_thread(later_than_now, tmp_path)
    (root / "changed").write_text("the user's")
    (root / "appeared").write_text("the user's")
    await shell(stage, "echo step > changed; rm -f appeared; echo step > appeared; echo x > gone")
    changes = {change.path: change for change in (await stage.changes()).files}
    await stage.close()

    assert not changes["changed"].base_known
    assert not changes["appeared"].base_known
    assert changes["gone"].base_known


def later_than_now(folder: Path) -> None:
    """Wait until the clock that stamps files has moved on."""
    probe = folder / "clock"
    probe.write_text("")
    first = probe.stat().st_ctime_ns
    while probe.stat().st_ctime_ns == first:
        probe.chmod(0o600)


async def test_a_kept_stage_is_taken_up_with_its_changes(
    stages: WorkspaceStages, kind: Kind
) -> None:
    stage = await stages.open("s")
    await shell(stage, "echo more >> src/a.py; rm -rf src/deep")
    before = await stage.changes()
    await stage.close(keep=True)

    again = await stages.reopen("s")
    assert await again.changes() == before
    assert await shell(again, "cat src/a.py") == "one = 1\nmore\n"
    assert again.report.rung.startswith(kind)
    await again.close()

    with pytest.raises(StageError, match="Nothing is kept"):
        await stages.reopen("s")


CRASH = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.fakes import MemoryBlobs
from tests.stage_fakes import OpenConfiner
from turbo_tui.core.command import Command
from turbo_tui.sandbox.staging.stages import open_stages

async def main(workspace, state, kind):
    confiner = OpenConfiner()
    stages = open_stages(Path(workspace), Path(state), MemoryBlobs(), confiner, rung=kind)
    stage = await stages.open("s")
    await stage.run(Command(["sh", "-c", "echo half >> src/a.py"]))
    print((*confiner.places[-1].enter, 0, 0, 0)[2], flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_stage_survives_kill_9_of_our_process(
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
    holder = int(crash.stdout)
    while holder and mounted(holder):  # noqa: ASYNC110 - it is no child of ours to wait for
        await asyncio.sleep(0)

    with pytest.raises(StageError, match="exists already"):
        await stages.open("s")
    again = await stages.reopen("s")

    assert words_of(await again.changes()) == ["update src/a.py"]
    await again.close()


def mounted(pid: int) -> bool:
    try:
        return b"turbo-tui" in Path(f"/proc/{pid}/mounts").read_bytes()
    except OSError:
        return False


async def test_when_the_holder_is_killed_the_next_command_mounts_again(
    stage: WorkspaceStage, confiner: OpenConfiner, kind: Kind
) -> None:
    await shell(stage, "echo x > kept")
    if kind == "overlay":
        holder = int(confiner.places[-1].enter[2])
        os.kill(holder, signal.SIGKILL)
        while mounted(holder):  # noqa: ASYNC110 - it belongs to the stage, not to the test
            await asyncio.sleep(0)

    assert await shell(stage, "cat kept") == "x\n"
    assert stage.files.read("kept") == b"x\n"


async def test_a_remount_shows_what_changed_in_the_workspace(
    tmp_path: Path, kind: Kind, blobs: MemoryBlobs
) -> None:
    root = tmp_path / "mine"
    root.mkdir()
    (root / "f").write_text("old")
    stages = open_stages(root, tmp_path / "s", blobs, OpenConfiner(), rung=kind)
    stage = await stages.open("s")
    stage.files.write("mine", b"x")
    assert stage.files.read("f") == b"old"
    (root / "g").write_text("new")
    (root / "g").replace(root / "f")

    await stage.remount()

    assert stage.files.read("f") == (b"new" if kind == "overlay" else b"old")
    assert stage.files.read("mine") == b"x"
    await stage.close()


async def test_closing_leaves_nothing_behind(
    stages: WorkspaceStages, confiner: OpenConfiner, tmp_path: Path, kind: Kind
) -> None:
    stage = await stages.open("s")
    await shell(stage, "mkdir -p a/b; echo x > a/b/c; chmod 000 a/b; chmod 500 a")
    enter = confiner.places[-1].enter
    await stage.close()
    await stage.close()

    assert list((tmp_path / "state" / "stages").iterdir()) == []
    assert (enter == ()) == (kind == "copy")
    assert not enter or not mounted(int(enter[2]))
    with pytest.raises(StageError, match="closed"):
        await stage.changes()
    with pytest.raises(StageError, match="closed"):
        stage.files.read("run.sh")
    with pytest.raises(StageError, match="closed"):
        await stage.run(Command(["true"]))


async def test_discarding_closes_and_deletes_and_does_nothing_twice(
    stages: WorkspaceStages, tmp_path: Path
) -> None:
    stage = await stages.open("s")
    await shell(stage, "i=0; while [ $i -lt 30 ]; do mkdir -p d; cd d; i=$((i+1)); done")

    await stages.discard("s")
    await stages.discard("s")

    assert list((tmp_path / "state" / "stages").iterdir()) == []
    assert (await stages.open("s")).stage_id == "s"
    await stages.discard("s")


async def test_two_stages_do_not_see_each_other(stages: WorkspaceStages) -> None:
    first, second = await asyncio.gather(stages.open("a"), stages.open("b"))
    first.files.write("x", b"first")
    second.files.write("x", b"second")

    assert (first.files.read("x"), second.files.read("x")) == (b"first", b"second")
    await asyncio.gather(first.close(), second.close())


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "a\nb", "x" * 101])
async def test_a_stage_cannot_be_named_outside_its_folder(
    stages: WorkspaceStages, name: str
) -> None:
    with pytest.raises(StageError, match="cannot name a stage"):
        await stages.open(name)


async def test_an_open_stage_is_not_opened_twice(stages: WorkspaceStages) -> None:
    stage = await stages.open("s")

    with pytest.raises(StageError, match="exists already"):
        await stages.open("s")
    with pytest.raises(StageError, match="open already"):
        await stages.reopen("s")
    await stage.close()


async def test_a_damaged_stage_is_named_with_its_folder(
    stages: WorkspaceStages, tmp_path: Path
) -> None:
    stage = await stages.open("s")
    await stage.close(keep=True)
    meta = tmp_path / "state" / "stages" / "s" / "meta.json"
    meta.write_text(meta.read_text()[:20])

    with pytest.raises(StageError, match=r"meta\.json is damaged"):
        await stages.reopen("s")


async def test_a_file_of_50_mb_is_kept_without_trouble(stage: WorkspaceStage) -> None:
    await shell(stage, "head -c 50000000 /dev/zero > big; printf end >> big")

    change = await one(stage, "big")

    assert change.after is not None
    assert change.after.size_bytes == 50_000_003
    assert stage.files.read("big", limit_bytes=10) == bytes(10)


async def test_an_empty_folder_without_git_can_be_staged(
    tmp_path: Path, kind: Kind, blobs: MemoryBlobs
) -> None:
    root = tmp_path / "empty"
    root.mkdir()
    stages = open_stages(root, tmp_path / "s", blobs, OpenConfiner(), rung=kind)
    stage = await stages.open("s")
    await shell(stage, "echo x > a")

    assert list(stage.files.walk()) == ["a"]
    assert words_of(await stage.changes()) == ["add a"]
    await stage.close()


async def test_what_a_command_made_unreadable_is_said(stage: WorkspaceStage) -> None:
    await shell(stage, "mkdir locked; echo x > locked/f; echo x > secret; chmod 000 secret locked")

    changes = await stage.changes()

    if ROOT:
        assert words_of(changes) == ["add locked/f", "add secret"]
    else:
        assert any(note.startswith("secret: cannot be read") for note in changes.notes)
        assert any(note.startswith("locked: a folder that cannot") for note in changes.notes)


async def test_a_state_folder_without_permission_is_refused_by_name(
    workspace: Path, tmp_path: Path, blobs: MemoryBlobs
) -> None:
    locked = tmp_path / "locked"
    if ROOT:
        locked.write_text("a file stands in the way")
    else:
        locked.mkdir(mode=0o500)

    with pytest.raises(StageError, match=r"Cannot keep stages in .*locked.*TURBO_TUI_HOME"):
        open_stages(workspace, locked / "state", blobs, OpenConfiner())


@pytest.mark.skipif(not ROOT, reason="only root can become another user")
@pytest.mark.timeout(900)  # a whole file once more
def test_all_of_this_holds_for_an_ordinary_user() -> None:
    check_as_ordinary_user(__file__)
