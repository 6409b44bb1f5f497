"""A change set put into a fresh stage is exactly that change set, on real stages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import MemoryBlobs
from tests.stage_fakes import OpenConfiner
from turbo_tui.core.changes import ChangeSet, to_json
from turbo_tui.core.command import Command
from turbo_tui.core.errors import StageError
from turbo_tui.engine.putting import put_in
from turbo_tui.engine.review import Review
from turbo_tui.sandbox.staging.stages import WorkspaceStages, open_stages

WORK = """
printf 'other\\n' > changed
printf '#!/bin/sh\\n' > tool && chmod 755 tool
chmod 600 secretive
rm gone
mv moved 'deep/er name'
mkdir -p new/deep && printf x > 'new/deep/-file' && mkdir new/empty
ln -s changed link && ln -s ../nowhere new/dangling
ln -s -- -n new/to-an-option && ln -s -- --help to-help
rm -r folder
rm turns && mkdir turns && printf in > turns/inside
rm -r shrinks && printf file > shrinks
rm becomes && ln -s changed becomes
rm was-link && printf text > was-link
rm relinked && ln -s gone relinked
printf '\\0\\1' > "$(printf 'caf\\351')"
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "ws"
    for path in ("changed", "secretive", "gone", "folder/a", "folder/sub/b", "turns", "becomes"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"{path}\n")
    (root / "moved").write_text("a text that is long enough to be found again\n" * 9)
    (root / "shrinks").mkdir()
    (root / "shrinks" / "inside").write_text("x")
    (root / "deep").mkdir()
    (root / "deep" / "stays").write_text("stays")
    (root / "was-link").symlink_to("gone")
    (root / "relinked").symlink_to("changed")
    return root


@pytest.fixture
def stages(workspace: Path, tmp_path: Path) -> WorkspaceStages:
    return open_stages(workspace, tmp_path / "state", BLOBS, OpenConfiner(), rung="copy")


BLOBS = MemoryBlobs()


async def changes_of(stages: WorkspaceStages) -> ChangeSet:
    stage = await stages.open("worked")
    result = await stage.run(Command(("sh", "-ec", WORK)))
    assert result.exit_code == 0, result.output
    changes = await stage.changes()
    await stage.close()
    return changes


async def test_all_kinds_of_changes_are_put_in(stages: WorkspaceStages) -> None:
    changes = await changes_of(stages)
    assert {change.action for change in changes.files} == {
        *("add", "update", "delete", "move", "mode", "retype")
    }
    stage = await stages.open("verify")

    await put_in(changes, stage, Review(BLOBS).content)

    assert to_json(await stage.changes()) == to_json(changes)
    await stage.close()


async def test_nothing_is_put_over_what_someone_changed_meanwhile(
    stages: WorkspaceStages, workspace: Path
) -> None:
    changes = await changes_of(stages)
    (workspace / "changed").write_text("mine")
    stage = await stages.open("verify")

    with pytest.raises(StageError, match="changed is not what the step started from"):
        await put_in(changes, stage, Review(BLOBS).content)

    assert (await stage.changes()).files == ()
    await stage.close()
