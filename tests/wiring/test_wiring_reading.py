"""What a model is given of a project to read, and what it is never given."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from turbo_tui.wiring.reading import PINNED_BYTES, READ_FILES, Project, is_secret


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "greeting.py").write_text("def greeting():\n    return 'hello'\n")
    (folder / "notes.md").write_text("The greeting is plain.\n")
    (folder / ".env").write_text("greeting=secret\n")
    (folder / "server.key").write_text("greeting secret\n")
    (tmp_path / "outside.txt").write_text("greeting outside\n")
    return folder


@pytest.fixture
async def project(root: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Project]:
    monkeypatch.setenv("TURBO_TUI_HOME", str(root.parent / "home"))
    opened = Project(root)
    yield opened
    await opened.close()


async def test_files_that_speak_of_the_task_are_read(project: Project) -> None:
    found = await project.retrieve("greeting", ())

    assert found["greeting.py"] == "def greeting():\n    return 'hello'\n"


async def test_files_with_secrets_are_not_retrieved(project: Project) -> None:
    found = await project.retrieve("greeting", ())

    assert not {".env", "server.key"} & set(found)


async def test_what_is_pinned_comes_first(project: Project) -> None:
    found = await project.retrieve("greeting", ("notes.md",))

    assert next(iter(found)) == "notes.md"


@pytest.mark.parametrize("path", ["../outside.txt", "link.txt", "/etc/hostname"])
async def test_a_pinned_path_outside_the_workspace_is_refused(
    project: Project, root: Path, path: str
) -> None:
    (root / "link.txt").symlink_to(root.parent / "outside.txt")

    assert path not in await project.retrieve("nothing of that kind", (path,))


async def test_what_is_no_text_or_no_file_is_left_out(project: Project, root: Path) -> None:
    (root / "image.png").write_bytes(b"\x89PNG\0\0")
    (root / "folder").mkdir()

    assert not await project.retrieve("nothing of that kind", ("image.png", "folder", "gone.py"))


async def test_a_long_file_is_cut_and_a_foreign_encoding_read(project: Project, root: Path) -> None:
    (root / "long.txt").write_bytes(b"caf\xe9 " * PINNED_BYTES)

    found = await project.retrieve("nothing of that kind", ("long.txt",))

    assert len(found["long.txt"]) == PINNED_BYTES
    assert found["long.txt"].startswith("café")


async def test_so_many_files_are_read_and_no_more(project: Project, root: Path) -> None:
    for number in range(READ_FILES + 5):
        (root / f"part{number}.py").write_text("greeting = 1\n")

    assert len(await project.retrieve("greeting", ())) == READ_FILES


async def test_an_unreadable_question_gives_no_context_and_no_error(project: Project) -> None:
    assert await project.retrieve("", ("notes.md",)) == {"notes.md": "The greeting is plain.\n"}


async def test_the_brief_and_the_commands_come_from_one_look(project: Project, root: Path) -> None:
    (root / "pyproject.toml").write_text('[project]\nname = "demo"\nversion = "1"\n')
    (root / "tests").mkdir()
    (root / "tests" / "test_it.py").write_text("def test_it():\n    pass\n")

    assert "Python" in await project.brief()
    assert (await project.commands())["test"]
    assert await project.inspected() is await project.inspected()


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        (".env", True), ("deploy/.env.production", True), ("id_rsa", True), ("a/b.PEM", True),
        (".npmrc", True), ("environment.py", False), ("keys.py", False), ("pem.md", False),
    ],
)  # fmt: skip
def test_secrets_are_known_by_their_names(path: str, *, secret: bool) -> None:
    assert is_secret(path) is secret


async def test_what_files_there_are_is_looked_at_anew(project: Project, root: Path) -> None:
    wanted = frozenset({"*.go", "/go.mod", "/deep.*"})
    (root / "lib").mkdir()
    (root / "lib" / "deep.go").touch()
    assert await project.holding(wanted) == {"*.go"}

    (root / "go.mod").touch()

    assert await project.holding(wanted) == {"*.go", "/go.mod"}
