"""Our reading of .gitignore against git's own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turbo_tui.sandbox.staging.beneath import Beneath
from turbo_tui.sandbox.staging.gitview import GitPlace, find_git, ignores_of, tracked_paths

ENV = {
    **os.environ,
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "XDG_CONFIG_HOME": "/nonexistent",
}
PATHS = [
    "a", "ab", "a.o", "b.c", "dir/a", "dir/a.o", "dir/sub/a", "dir/sub/b.c", "x/dir/a", "x/y/z/a.o",
    "#hash", "!bang", "sp ace", "end ", "br[ack", "star*", "back\\slash", "x/-", "x/]", "Z", "5",
    "dir/.keep", "deep/a/b/c/d", "foo/bar", "q/foo/bar", "foo/baz/bar",
]  # fmt: skip
LINES = [
    "a", "*.o", "/a", "dir/", "dir", "/dir/", "dir/*", "!dir/sub", "dir/sub/", "**/a", "a/**",
    "dir/**", "**/dir/a", "foo/**/bar", "foo/*/bar", "foo/bar", "!a", "!*.o", "\\#hash", "#hash",
    "\\!bang", "!bang", "sp ace", "end\\ ", "end ", "br[[]ack", "[a-c]*", "[!a-c]", "[^Z]", "[]-]",
    "[[:digit:]]",
    "[^z-a]", "[a-]", "[+--]", "[\\]]", "[a\\-c]", "[[:upper:]]",
    "star\\*", "back\\\\slash", "?", "??", "*", "/*", "!/dir", "!*/",
    "x/?/z", "x/*/z/", "",  "   ", "/", "!", "[z-a]", "[unclosed", "deep/**/d", "**", "/**/b",
    "a/", "*/a", "b.*", ".*", "dir/.keep", "!dir/.keep",
]  # fmt: skip


def git(folder: Path, *words: str, stdin: bytes = b"", ok: tuple[int, ...] = (0,)) -> bytes:
    done = subprocess.run(
        [
            "git",
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.org",
            "-c",
            "protocol.file.allow=always",
            "-C",
            folder,
            *words,
        ],
        input=stdin,
        capture_output=True,
        check=False,
        env=ENV,
    )
    assert done.returncode in ok, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ignores")
    git(root, "init", "-q")
    for path in PATHS:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")
    return root


def by_git(root: Path, paths: list[str]) -> set[str]:
    asked = b"".join(os.fsencode(path) + b"\0" for path in paths)
    said = git(root, "check-ignore", "--no-index", "-z", "--stdin", stdin=asked, ok=(0, 1))
    return {os.fsdecode(path) for path in said.split(b"\0") if path}


def by_us(root: Path, paths: list[str]) -> set[str]:
    tree = Beneath(root, shown_at=root)
    ignores = ignores_of(tree, None, config_home=Path("/nonexistent"))
    try:
        return {path for path in paths if ignores.folded(path) is not None}
    finally:
        tree.close()


@given(
    top=st.lists(st.sampled_from(LINES), max_size=6),
    nested=st.lists(st.sampled_from(LINES), max_size=3),
)
@settings(max_examples=60)
def test_any_patterns_mean_what_they_mean_to_git(
    repository: Path, top: list[str], nested: list[str]
) -> None:
    (repository / ".gitignore").write_text("\n".join(top) + "\n")
    (repository / "dir" / ".gitignore").write_text("\n".join(nested))

    assert by_us(repository, PATHS) == by_git(repository, PATHS)


@pytest.mark.parametrize("line", LINES)
def test_each_pattern_alone_means_what_it_means_to_git(repository: Path, line: str) -> None:
    (repository / ".gitignore").write_text(line + "\r\n" if line == "*.o" else line + "\n")
    (repository / "dir" / ".gitignore").write_text("")

    assert by_us(repository, PATHS) == by_git(repository, PATHS)


@pytest.mark.parametrize("version", ["2", "4"])
def test_what_git_tracks_is_read_from_its_index(tmp_path: Path, version: str) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "config", "index.version", version)
    names = ["a", "dir/b", "dir/sub/c", "dir/subtle", "\u00e9", "/".join(["x" * 90] * 40), "zz/new"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    git(tmp_path, "add", ".")
    git(tmp_path, "add", "-N", ".")
    found = find_git(tmp_path)

    assert found is not None
    assert tracked_paths(found) == set(names)


def test_a_damaged_index_counts_as_empty(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    found = find_git(tmp_path)
    assert found is not None
    assert tracked_paths(found) == frozenset()
    for data in (b"", b"DIRC\0\0\0\2\0\0\0\5", b"DIRC\0\0\0\x09\0\0\0\0", b"XXXX" + bytes(40)):
        (tmp_path / ".git" / "index").write_bytes(data)
        assert tracked_paths(found) == frozenset()


def test_rules_from_above_the_workspace_and_from_the_user_hold(tmp_path: Path) -> None:
    top = tmp_path / "top"
    work = top / "pkg" / "work"
    work.mkdir(parents=True)
    git(top, "init", "-q")
    (top / ".gitignore").write_text("/pkg/work/gen\n*.tmp\n")
    (top / "pkg" / ".gitignore").write_text("!keep.tmp\n/work/local\n")
    (top / ".git" / "info" / "exclude").write_text("excluded\n")
    config = tmp_path / "config"
    (config / "git").mkdir(parents=True)
    (config / "git" / "ignore").write_text("*.swp\n!excluded\n")
    for name in ("tracked.tmp", "f"):
        (work / name).write_text("x")
    git(top, "add", "-f", "pkg/work/tracked.tmp", "pkg/work/f")
    place = find_git(work)
    tree = Beneath(work, shown_at=work)

    ignores = ignores_of(tree, place, config_home=config)

    assert place == GitPlace(top, top / ".git" / "index", top / ".git", "pkg/work/", top / ".git")
    names = ["gen", "a.tmp", "keep.tmp", "local", "excluded", "x.swp", "f", "tracked.tmp"]
    folded = [name for name in names if ignores.folded(name) is not None]
    assert folded == ["gen", "a.tmp", "local", "excluded", "x.swp"]
    tree.close()


def test_a_worktree_and_a_submodule_name_their_repository(tmp_path: Path) -> None:
    main, inner = tmp_path / "main", tmp_path / "inner"
    for root in (main, inner):
        root.mkdir()
        git(root, "init", "-q")
        (root / "f").write_text("x")
        git(root, "add", ".")
        git(root, "commit", "-qm", "x")
    git(main, "worktree", "add", "-q", str(tmp_path / "tree"))
    git(main, "submodule", "--quiet", "add", str(inner), "sub")

    worktree, submodule = find_git(tmp_path / "tree"), find_git(main / "sub")

    assert worktree is not None
    assert worktree.outside == main / ".git"
    assert tracked_paths(worktree) == {"f"}
    assert submodule is not None
    assert submodule.outside == main / ".git" / "modules" / "sub"
    assert tracked_paths(submodule) == {"f"}
    here = find_git(main)
    assert here is not None
    assert here.outside is None


def test_a_git_file_that_points_at_someone_else_s_repository_is_not_believed(
    tmp_path: Path,
) -> None:
    victim, planted = tmp_path / "victim", tmp_path / "planted"
    for root in (victim, planted):
        root.mkdir()
    git(victim, "init", "-q")
    (victim / "f").write_text("x")
    git(victim, "add", ".")
    git(victim, "commit", "-qm", "x")
    git(victim, "worktree", "add", "-q", str(tmp_path / "tree"))
    forged = (
        f"gitdir: {victim / '.git'}",
        f"gitdir: {victim / '.git' / 'worktrees' / 'tree'}",
        f"gitdir: {tmp_path}",
        "nonsense",
    )
    for text in forged:
        (planted / ".git").write_text(text)
        assert find_git(planted) is None
    (planted / ".git").unlink()
    (planted / ".git").symlink_to(victim / ".git")
    assert find_git(planted) is None
