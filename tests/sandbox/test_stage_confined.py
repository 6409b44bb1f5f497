"""Stages with the real bubblewrap in them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.fakes import MemoryBlobs
from tests.stage_fakes import snapshot, words_of
from turbo_tui.core.command import Command
from turbo_tui.core.errors import StageError
from turbo_tui.sandbox.confine.bubblewrap import PROGRAM, Bubblewrap
from turbo_tui.sandbox.staging.stages import WorkspaceStages, open_stages


@pytest.fixture(params=["overlay", "copy"])
def stages(request: pytest.FixtureRequest, tmp_path: Path) -> WorkspaceStages:
    needs_bubblewrap()
    work = tmp_path / "work"
    work.mkdir()
    (work / "f").write_text("f\n")
    rung = "overlay" if request.param == "overlay" else "copy"
    try:
        return open_stages(work, tmp_path / "state", MemoryBlobs(), Bubblewrap(), rung=rung)
    except StageError as error:
        pytest.skip(str(error))


async def test_only_what_the_command_did_is_a_change(
    stages: WorkspaceStages, tmp_path: Path
) -> None:
    before = snapshot(tmp_path / "work")
    stage = await stages.open("s")
    result = await stage.run(Command(["sh", "-c", f"pwd; echo more >> f; echo x > {tmp_path}/out"]))
    changes = await stage.changes()
    await stage.close()

    assert result.output.splitlines()[0] == str(tmp_path / "work")
    assert not (tmp_path / "out").exists()
    assert words_of(changes) == ["update f"]
    assert (changes.notes, changes.ignored) == ((), ())
    assert snapshot(tmp_path / "work") == before


async def test_git_works_in_a_stage_and_nothing_of_it_lands(
    stages: WorkspaceStages, tmp_path: Path
) -> None:
    subprocess.run(["git", "init", "-q", tmp_path / "work"], check=True)  # noqa: ASYNC221
    before = snapshot(tmp_path / "work")
    stage = await stages.open("s")
    result = await stage.run(Command(["sh", "-c", "git add -A && git status --short"]))
    changes = await stage.changes()
    await stage.close()

    assert result.output == "A  f\n"
    assert words_of(changes) == []
    assert len(changes.notes) == 1
    assert changes.notes[0].startswith(".git: ")
    assert snapshot(tmp_path / "work") == before


async def test_layers_are_there_in_the_sandbox(stages: WorkspaceStages, tmp_path: Path) -> None:
    first = await stages.open("s1")
    await first.run(Command(["sh", "-c", "echo one > one; rm f; mkdir d; echo x > d/x"]))
    await first.close(keep=True)
    second = await stages.open("s2", on=["s1"])
    shown = await second.run(Command(["sh", "-c", "cat one d/x; ls; echo two > two; mv d e"]))
    changes = await second.changes()
    # The mount of what lies below is beneath this one; nobody gets there without unmounting.
    again = await second.run(Command(["sh", "-c", f"umount -l {tmp_path}/work; cat two e/x"]))
    await second.close()
    await stages.discard("s1")

    assert shown.output.split() == ["one", "x", "d", "one"]
    assert words_of(changes) == ["delete d", "move e/x <- d/x", "add two"]
    assert again.output.split()[-2:] == ["two", "x"]
    assert list((tmp_path / "state" / "stages").iterdir()) == []


async def test_secrets_of_the_workspace_are_empty_to_commands_and_never_a_change(
    stages: WorkspaceStages, tmp_path: Path
) -> None:
    (tmp_path / "work" / ".env").write_text("TOKEN=1\n")
    before = snapshot(tmp_path / "work")
    stage = await stages.open("s")
    shown = await stage.run(Command(["sh", "-c", "cat .env; wc -c < .env; echo > own.env; cat f"]))
    (tmp_path / "work" / "late.pem").write_text("PRIVATE")
    late = await stage.run(Command(["sh", "-c", "cat late.pem 2> /dev/null; cat own.env"]))
    changes = await stage.changes()
    await stage.close()

    assert shown.output.split() == ["0", "f"]
    assert late.output == "\n"
    assert words_of(changes) == ["add own.env"]
    (tmp_path / "work" / "late.pem").unlink()
    os.utime(tmp_path / "work", ns=(before["."][3], before["."][3]))
    assert snapshot(tmp_path / "work") == before


async def test_nothing_of_ours_shows_in_a_stage_whose_command_did_nothing(
    stages: WorkspaceStages, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    for repository in (work, work / "inner"):
        git(tmp_path, "init", "-q", str(repository))
    for name in (".turbo", ".vscode", ".idea", ".venv"):
        (work / name).mkdir()
        (work / name / "x").write_text("x")
    for name in (".env", ".envrc", "inner/id_rsa"):
        (work / name).write_text("x")
    before = snapshot(work)
    stage = await stages.open("s")
    for line in ("true", "ls -a .turbo", "cat .env inner/id_rsa"):
        assert (await stage.run(Command(["sh", "-c", line]))).exit_code == 0
    changes = await stage.changes()
    await stage.close()

    assert (changes.files, changes.ignored, changes.notes) == ((), (), ())
    assert snapshot(work) == before


async def test_a_file_replaced_by_the_user_shows_although_workers_wait(
    stages: WorkspaceStages, tmp_path: Path
) -> None:
    stage = await stages.open("s")
    for number in range(5):
        (tmp_path / "work" / "beside").write_text(f"{number}\n")
        (tmp_path / "work" / "beside").replace(tmp_path / "work" / "f")
        shown = await stage.run(Command(["cat", "f"]))
        assert shown.output == (f"{number}\n" if stage.report.rung[0] == "o" else "f\n")
    assert words_of(await stage.changes()) == []
    await stage.close()


async def test_git_s_log_is_there_in_a_worktree_a_submodule_and_below_the_top(
    tmp_path: Path,
) -> None:
    needs_bubblewrap()
    main, inner = tmp_path / "main", tmp_path / "inner"
    for repository in (main, inner):
        (repository / "pkg").mkdir(parents=True)
        (repository / "pkg" / "f").write_text("x")
        git(repository, "init", "-q")
        git(repository, "add", ".")
        git(repository, "commit", "-qm", "the first")
    git(main, "worktree", "add", "-q", str(tmp_path / "tree"))
    git(main, "submodule", "--quiet", "add", str(inner), "sub")

    for workspace in (tmp_path / "tree", main / "sub", main / "pkg"):
        stages = open_stages(workspace, tmp_path / "state", MemoryBlobs(), Bubblewrap())
        stage = await stages.open("s")
        result = await stage.run(Command(["git", "log", "--format=%s"]))
        changes = await stage.changes()
        await stage.close()

        assert (workspace, result.output) == (workspace, "the first\n")
        assert (changes.files, changes.notes) == ((), ())


def needs_bubblewrap() -> None:
    if not Path(PROGRAM).exists():
        if os.environ.get("TURBO_TUI_EXPECT") == "bwrap":
            pytest.fail("bubblewrap was expected")
        pytest.skip("bubblewrap is not installed")


def git(folder: Path, *words: str) -> None:
    settings = ("user.name=t", "user.email=t@example.org", "protocol.file.allow=always")
    given = (word for setting in settings for word in ("-c", setting))
    subprocess.run(["git", *given, "-C", folder, *words], check=True, capture_output=True)
