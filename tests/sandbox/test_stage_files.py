"""Files of a stage for tools: nothing leads outside, and errors say what to do."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from turbo_tui.core.errors import ToolError
from turbo_tui.core.ports import Entry
from turbo_tui.sandbox.staging.beneath import Beneath, OutsideError
from turbo_tui.sandbox.staging.files import TreeFiles
from turbo_tui.sandbox.staging.gitview import ignores_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "a.py").write_text("a = 1\n")
    (folder / "in").symlink_to("src")
    (folder / "absolute").symlink_to(folder / "src" / "a.py")
    (folder / "circle").symlink_to("circle")
    (folder / "out").symlink_to(tmp_path)
    (folder / "up").symlink_to("../secret")
    (folder / "src" / "twice").symlink_to("../in/../../secret")
    (folder / ".git" / "hooks").mkdir(parents=True)
    (folder / "hooks").symlink_to(".git/hooks")
    (tmp_path / "secret").write_text("secret")
    os.mkfifo(folder / "pipe")
    return folder


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def files(root: Path, told: list[str], tmp_path: Path) -> Iterator[TreeFiles]:
    tree = Beneath(root, shown_at=root)
    yield TreeFiles(
        lambda: tree,
        lambda: ignores_of(tree, None, config_home=tmp_path / "none"),
        before_change=told.append,
    )
    tree.close()
    tree.close()


def test_links_within_the_tree_are_followed(files: TreeFiles) -> None:
    assert files.read("in/a.py") == b"a = 1\n"
    assert files.read("absolute") == b"a = 1\n"
    assert files.read("./src//a.py", limit_bytes=3) == b"a ="


def test_where_a_path_really_leads_is_told(files: TreeFiles) -> None:
    assert files.real("in/a.py") == "src/a.py"
    assert files.real("absolute") == "src/a.py"
    assert files.real("./in//new.py") == "src/new.py"
    with pytest.raises(ToolError, match="leads outside"):
        files.real("up")


@pytest.mark.parametrize("path", ["out/secret", "up", "src/twice", "out"])
def test_no_link_leads_outside(files: TreeFiles, tmp_path: Path, path: str) -> None:
    with pytest.raises(ToolError, match="leads outside"):
        files.read(path)
    with pytest.raises(ToolError, match="leads outside"):
        files.entries(path)
    with pytest.raises(ToolError, match="leads outside"):
        files.write(path, b"x")
    with pytest.raises(ToolError, match="leads outside"):
        files.write(f"{path}/new", b"x")
    assert (tmp_path / "secret").read_text() == "secret"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("../secret", "`..` is refused"),
        ("src/../../secret", "`..` is refused"),
        ("/etc/passwd", "relative to the workspace"),
        ("a\0b", "NUL"),
        ("missing", "no such file"),
        ("missing/deep", "no such file"),
        ("src/a.py/x", "no folder"),
        ("src", "it is a folder"),
        ("pipe", "no regular file"),
        ("circle", "symbolic links"),
    ],
)
def test_what_cannot_be_read_is_said(files: TreeFiles, path: str, why: str) -> None:
    with pytest.raises(ToolError, match=why):
        files.read(path)


def test_writing_makes_folders_and_keeps_modes(files: TreeFiles, root: Path) -> None:
    (root / "run").write_text("x")
    (root / "run").chmod(0o750)
    old = os.umask(0o077)
    try:
        files.write("new/deep/file", b"x")
        files.write("run", b"y")
        files.write("in/a.py", b"through a link")
    finally:
        os.umask(old)

    assert stat.S_IMODE((root / "new" / "deep" / "file").stat().st_mode) == 0o644
    assert stat.S_IMODE((root / "run").stat().st_mode) == 0o750
    assert (root / "src" / "a.py").read_bytes() == b"through a link"
    assert (root / "in").is_symlink()


def test_each_change_is_told_before_it_is_made(files: TreeFiles, told: list[str]) -> None:
    files.write("in/a.py", b"x")
    files.move("src/a.py", "src/b.py")
    files.remove("src/b.py")

    assert told == ["src/a.py", "src/a.py", "src/b.py"]


@pytest.mark.parametrize(
    "path", [".git/config", "hooks/pre-commit", ".turbo/config.toml", "src/.git/x", ".GIT/x"]
)
def test_git_s_and_our_own_files_cannot_be_written(files: TreeFiles, root: Path, path: str) -> None:
    with pytest.raises(ToolError, match=r"belongs to git|the user's own settings"):
        files.write(path, b"x")
    with pytest.raises(ToolError, match=r"belongs to git|the user's own settings"):
        files.move("src/a.py", path)
    assert list((root / ".git" / "hooks").iterdir()) == []


def test_the_wrong_kind_is_refused(files: TreeFiles) -> None:
    with pytest.raises(ToolError, match="it is a folder"):
        files.write("src", b"x")
    with pytest.raises(ToolError, match="neither file nor folder"):
        files.write("pipe", b"x")
    with pytest.raises(ToolError, match="no folder"):
        files.write("src/a.py/x", b"x")
    with pytest.raises(ToolError, match="remove its files"):
        files.remove("src")
    with pytest.raises(ToolError, match="move its files"):
        files.move("src", "lib")
    with pytest.raises(ToolError, match="something stands there"):
        files.move("src/a.py", "absolute")
    with pytest.raises(ToolError, match="no such file"):
        files.move("missing", "x")
    with pytest.raises(ToolError, match="no such file"):
        files.remove("missing")
    with pytest.raises(ToolError, match="it is a file"):
        files.entries("src/a.py")
    with pytest.raises(ToolError, match="no such file"):
        files.entries("missing")


def test_removing_a_link_leaves_what_it_names(files: TreeFiles, root: Path) -> None:
    files.remove("absolute")

    assert (root / "src" / "a.py").exists()
    assert not (root / "absolute").is_symlink()


def test_moving_makes_folders(files: TreeFiles, root: Path) -> None:
    files.move("src/a.py", "lib/deep/b.py")

    assert (root / "lib" / "deep" / "b.py").read_text() == "a = 1\n"


def test_folders_are_listed_in_name_order_with_their_kinds(files: TreeFiles, root: Path) -> None:
    listed = files.entries()

    assert [entry.name for entry in listed] == sorted(entry.name for entry in listed)
    kinds = {entry.name: entry.kind for entry in listed}
    assert (kinds["src"], kinds["in"], kinds["pipe"]) == ("folder", "symlink", "other")
    mode = stat.S_IMODE((root / "src" / "a.py").stat().st_mode)
    assert Entry("a.py", "file", 6, mode) in files.entries("in")


def test_one_path_is_described_without_following(files: TreeFiles) -> None:
    link = files.entry("up")
    top = files.entry(".")

    assert link is not None
    assert link.kind == "symlink"
    assert top is not None
    assert top.kind == "folder"
    assert files.entry("missing/deep") is None
    assert files.entry("src/a.py/x") is None
    with pytest.raises(ToolError, match="leads outside"):
        files.entry("out/secret")
    with pytest.raises(ToolError, match="symbolic links"):
        files.entry("circle/x")


def test_a_walk_is_in_path_order_without_what_git_ignores(files: TreeFiles, root: Path) -> None:
    for name in ("a/x", "a-b", "a.c", "b/keep.log", "b/y.log", "node_modules/m/i.js", "z/.git/c"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
    (root / ".gitignore").write_text("*.log\nnode_modules/\n")
    (root / "b" / ".gitignore").write_text("!keep.log\n")

    walked = list(files.walk())

    assert walked == [".gitignore", "a-b", "a.c", "a/x", "b/.gitignore", "b/keep.log", "src/a.py"]
    assert walked == sorted(walked)


def test_a_full_disk_leaves_the_file_as_it_was(
    files: TreeFiles, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object, **_kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(ToolError, match=r"disk that holds the stage is full"):
        files.write("src/a.py", b"new")

    assert (root / "src" / "a.py").read_text() == "a = 1\n"
    assert [path.name for path in (root / "src").iterdir()] in (
        ["a.py", "twice"],
        ["twice", "a.py"],
    )


def test_a_folder_swapped_for_a_link_during_the_walk_leads_nowhere(
    root: Path, tmp_path: Path
) -> None:
    tree = Beneath(root, shown_at=root)
    with tree.locate("src/a.py") as spot:
        (root / "src").rename(root / "was")
        (root / "src").symlink_to(tmp_path)
        assert os.stat(spot.name, dir_fd=spot.parent).st_size == 6
    with pytest.raises(OutsideError), tree.locate("src/a.py"):
        pass
    with pytest.raises(OSError, match="Not a directory"):
        tree.open_file("src/secret")
    with pytest.raises(OutsideError), tree.locate("/etc"):
        pass
    assert tree.lstat("src/secret") is None
    tree.close()
