"""What git ignores is named in a change set, and kept only where it is to land."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.stage_fakes import OpenConfiner
from turbo_tui.adapters.blobs import FolderBlobs
from turbo_tui.core.changes import ChangeSet, FileChange
from turbo_tui.core.command import Command
from turbo_tui.core.errors import StageError
from turbo_tui.landing import open_lander
from turbo_tui.sandbox.staging.layers import Kind
from turbo_tui.sandbox.staging.stages import WorkspaceStages, open_stages

INSTALL = (
    "mkdir -p node_modules/p; echo 1 > node_modules/p/x; echo 2 > node_modules/p/y; "
    "head -c 1200000 /dev/zero > node_modules/large; ln -s p/x node_modules/link; echo shown > a.py"
)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "work"
    root.mkdir()
    (root / ".gitignore").write_text("node_modules/\n*.log\npackage.json\n")
    return root


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "blobs")


@pytest.fixture
def stages(workspace: Path, tmp_path: Path, blobs: FolderBlobs, kind: Kind) -> WorkspaceStages:
    return open_stages(workspace, tmp_path / "state", blobs, OpenConfiner(), rung=kind)


async def staged(stages: WorkspaceStages, line: str, *, stage_id: str = "s1") -> ChangeSet:
    stage = await stages.open(stage_id)
    result = await stage.run(Command(["sh", "-c", line]))
    assert result.exit_code == 0, result.output
    changes = await stage.changes()
    await stage.close(keep=True)
    return changes


def ignored(changes: ChangeSet) -> list[FileChange]:
    return [change for line in changes.ignored for change in line.changes]


def written_to(kind: Kind, tmp_path: Path) -> Path:
    return tmp_path / "state" / "stages" / "s1" / ("upper" if kind == "overlay" else "tree")


async def test_an_installation_is_named_and_not_stored(
    stages: WorkspaceStages, blobs: FolderBlobs
) -> None:
    changes = await staged(stages, INSTALL)

    named = {change.path: change.after for change in ignored(changes)}
    assert sorted(named) == [f"node_modules/{name}" for name in ("large", "link", "p/x", "p/y")]
    assert all(node is not None and node.blob not in blobs for node in named.values())
    (shown,) = changes.files
    assert shown.after is not None
    assert blobs.get(shown.after.blob) == b"shown\n"


async def test_what_was_switched_on_lands_byte_for_byte(
    stages: WorkspaceStages, workspace: Path, tmp_path: Path, blobs: FolderBlobs
) -> None:
    changes = await staged(stages, INSTALL)

    await stages.keep_contents("s1", ignored(changes))
    lander = open_lander(workspace, tmp_path / "state", blobs)
    landing = await lander.land(ChangeSet(tuple(ignored(changes))), session_id="s", step_id="1")

    assert not landing.conflicts
    assert (workspace / "node_modules" / "p" / "y").read_text() == "2\n"
    assert (workspace / "node_modules" / "large").read_bytes() == bytes(1_200_000)
    assert os.readlink(workspace / "node_modules" / "link") == "p/x"  # noqa: PTH115 - the words


async def test_contents_can_be_kept_of_an_open_and_of_a_settled_stage(
    stages: WorkspaceStages, blobs: FolderBlobs
) -> None:
    stage = await stages.open("s1")
    await stage.run(Command(["sh", "-c", INSTALL]))
    *others, last = ignored(await stage.changes())

    await stages.keep_contents("s1", others)
    await stage.close(keep=True)
    assert await stages.settle("s1")
    await stages.keep_contents("s1", [last])

    kept = [change.after for change in (*others, last)]
    assert all(node is not None and node.blob in blobs for node in kept)


async def test_what_is_not_as_it_was_reviewed_is_refused_with_its_path(
    stages: WorkspaceStages, kind: Kind, tmp_path: Path
) -> None:
    changes = await staged(stages, INSTALL)
    where = written_to(kind, tmp_path) / "node_modules" / "p"

    (where / "x").write_text("other\n")
    with pytest.raises(StageError, match=r"node_modules/p/x is not what was reviewed any more"):
        await stages.keep_contents("s1", ignored(changes))
    (where / "x").unlink()
    with pytest.raises(StageError, match=r"node_modules/p/x is gone from the stage\. Switch"):
        await stages.keep_contents("s1", ignored(changes))
    (where / "x").mkdir()
    with pytest.raises(StageError, match=r"node_modules/p/x is not what was reviewed any more"):
        await stages.keep_contents("s1", ignored(changes))
    await stages.discard("s1")
    with pytest.raises(StageError, match=r"nothing is kept of the stage"):
        await stages.keep_contents("s1", ignored(changes))


async def test_a_file_that_comes_to_be_shown_is_stored_then(
    stages: WorkspaceStages, blobs: FolderBlobs
) -> None:
    stage = await stages.open("s1")
    await stage.run(Command(["sh", "-c", "echo said > a.log"]))
    (named,) = ignored(await stage.changes())
    assert named.after is not None
    assert named.after.blob not in blobs

    await stage.run(Command(["sh", "-c", "echo node_modules/ > .gitignore"]))
    shown = {change.path: change.after for change in (await stage.changes()).files}
    await stage.close()

    assert shown["a.log"] == named.after
    assert blobs.get(named.after.blob) == b"said\n"


async def test_what_a_warning_is_read_from_is_stored_although_ignored(
    stages: WorkspaceStages,
) -> None:
    line = """echo '{"scripts": {"postinstall": "x"}}' > package.json"""

    changes = await staged(stages, line)

    said = "its scripts changed: postinstall; installing runs postinstall; git ignores it"
    assert changes.warnings == (f"package.json: {said}",)


async def test_a_file_whose_stat_is_the_same_is_not_read_again(
    stages: WorkspaceStages, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    stage = await stages.open("s1")
    await stage.run(Command(["sh", "-c", INSTALL]))
    first = await stage.changes()
    real = os.read

    def counting(fd: int, size: int) -> bytes:
        content = real(fd, size)
        if content in {b"1\n", b"2\n", b"3\n"}:
            read.append(fd)
        return content

    monkeypatch.setattr("turbo_tui.sandbox.staging.contents.os.read", counting)
    await stage.run(Command(["sh", "-c", "printf '3\\n' > node_modules/p/y"]))
    second = await stage.changes()
    await stage.close()

    assert len(read) == 1
    differing = [a.path for a, b in zip(ignored(first), ignored(second), strict=True) if a != b]
    assert differing == ["node_modules/p/y"]
