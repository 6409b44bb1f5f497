"""A checkpoint holds what landed, on a hidden ref; nothing else of the repository moves or runs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.fakes import MemoryBlobs
from tests.landing.trees import FOLDER, Leaf, between, file, link, node, read_tree, write_tree
from turbo_tui.core.changes import ChangeSet, FileChange
from turbo_tui.core.errors import ToolError
from turbo_tui.vcs.checkpoints import GitCheckpoints

REF = "refs/turbo-tui/260101-7f3a"
HOOKS = (
    *("applypatch-msg", "pre-commit", "prepare-commit-msg", "commit-msg", "post-commit"),
    *("reference-transaction", "post-index-change", "post-checkout", "pre-auto-gc", "post-rewrite"),
)
OLD = {
    "edit.py": file(b"one\n"),
    "gone": file(b"gone"),
    "was/folder": file(b"x"),
    "was-file": file(b"x"),
    "keep": file(b"keep"),
}
NEW = {
    "edit.py": file(b"two\r\n", 0o755),
    "was": file(b"a file now"),
    "was-file/now/below": file(b"below"),
    "keep": file(b"keep"),
    "link": link("edit.py"),
    'o"dd\n\\ ü\udcff': file(b"odd"),
    "empty": FOLDER,
    "bin": file(bytes(range(256)) + b"\ndone\nM 100644 inline x\ndata 1\n"),
}


def git(folder: Path, *argv: str, check: bool = True) -> str:
    settings = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    ran = subprocess.run(["git", *settings, *argv], cwd=folder, check=check, capture_output=True)
    return os.fsdecode(ran.stdout)


class Repo:
    """A repository with a checkpointer and its blobs."""

    def __init__(self, folder: Path, tree: dict[str, Leaf]) -> None:
        self.folder = folder
        self.blobs = MemoryBlobs()
        write_tree(folder, tree)
        git(folder, "init", "-q", "-b", "main")
        self.checkpoints = GitCheckpoints(folder, self.blobs, clock=lambda: 1_700_000_000.0)

    def commit(self) -> str:
        git(self.folder, "add", ".")
        git(self.folder, "commit", "-qm", "start")
        return git(self.folder, "rev-parse", "HEAD").strip()

    async def keep(
        self, old: dict[str, Leaf], new: dict[str, Leaf], title: str = "step 1: x", n: int = 1
    ) -> None:
        await self.keep_changes(between(old, new, self.blobs), title, n)

    async def keep_changes(self, changes: ChangeSet, title: str, n: int) -> None:
        await self.checkpoints.keep(
            changes, title=title, session_id="260101-7f3a", landing_id=f"00000{n}-ab"
        )

    def tree(self, name: str = REF) -> dict[str, Leaf]:
        """Read a commit's files."""
        found: dict[str, Leaf] = {}
        for row in git(self.folder, "ls-tree", "-r", "-z", "--full-tree", name).split("\0")[:-1]:
            head, path = row.split("\t", 1)
            mode, _, blob = head.split(" ")
            raw = subprocess.run(
                ["git", "cat-file", "blob", blob], cwd=self.folder, check=True, capture_output=True
            ).stdout
            kind = "symlink" if mode == "120000" else "file"
            found[path] = Leaf(kind, raw, 0o777 if kind == "symlink" else int(mode[-3:], 8))
        return found


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "ws", OLD)


async def test_every_kind_of_change_is_in_the_commit_and_its_message_says_what_it_is(
    repo: Repo,
) -> None:
    head = repo.commit()

    await repo.keep(OLD, NEW, "step 1: fix \n the\tthing")

    assert repo.tree() == {name: leaf for name, leaf in NEW.items() if leaf != FOLDER}
    assert git(repo.folder, "log", "-1", "--format=%P|%an <%ae>|%ct|%B", REF).strip() == (
        f"{head}|turbo-tui <turbo-tui@localhost>|1700000000|step 1: fix the thing\n\n"
        f"Session: 260101-7f3a\nLanding: 000001-ab\nHead: {head}"
    )


async def test_nothing_that_the_user_sees_in_git_moves_and_nothing_is_run(repo: Repo) -> None:
    repo.commit()
    folder, sprung = repo.folder, repo.folder.parent / "sprung"
    trap = folder.parent / "trap.sh"
    trap.write_text(f"#!/bin/sh\necho \"$0\" >> '{sprung}'\ncat\n")
    trap.chmod(0o755)
    for hook in HOOKS:
        (folder / ".git/hooks" / hook).symlink_to(trap)
    (folder / "edit.py").write_text("staged\n")
    git(folder, "-c", "core.hooksPath=/dev/null", "add", "edit.py")
    write_tree_beside(folder, {"edit.py": file(b"edited\n"), "untracked": file(b"u")})
    for key, value in {
        "core.fsmonitor": str(trap),
        "filter.trap.clean": str(trap),
        "filter.trap.smudge": str(trap),
        "filter.trap.required": "true",
        "commit.gpgSign": "true",
        "gpg.program": str(trap),
        "core.autocrlf": "true",
        "core.editor": str(trap),
        "core.splitIndex": "true",
        "core.logAllRefUpdates": "always",
        "gc.auto": "1",
    }.items():
        git(folder, "config", key, value)
    (folder / ".gitattributes").write_text("* filter=trap text eol=crlf ident\n")
    before = (state(folder), read_tree(folder / ".git" / "refs" / "heads"))

    await repo.keep(OLD, NEW)
    await repo.keep(NEW, OLD, "undo of step 1", 2)

    assert (state(folder), read_tree(folder / ".git" / "refs" / "heads")) == before
    assert not sprung.exists()
    assert repo.tree(f"{REF}~1")["edit.py"] == NEW["edit.py"]
    assert repo.tree() == {**OLD, "edit.py": OLD["edit.py"]}
    assert sorted(git(folder, "for-each-ref", "--format=%(refname)").split()) == [
        "refs/heads/main",
        REF,
    ]


def write_tree_beside(folder: Path, tree: dict[str, Leaf]) -> None:
    for name, leaf in tree.items():
        (folder / name).write_bytes(leaf.content)


def state(folder: Path) -> dict[str, object]:
    """Return all that must not change, without letting git refresh or run anything."""
    safe = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "--no-optional-locks")
    quiet = (*safe, "-c", "filter.trap.clean=cat")
    held = folder / ".git"
    files = ("HEAD", "index", "config", "ORIG_HEAD", "logs/HEAD", "logs/refs/heads/main")
    return {
        "files": {name: (held / name).read_bytes() for name in files if (held / name).exists()},
        "top": sorted(path.name for path in held.iterdir()),
        "tree": {k: v for k, v in read_tree(folder).items() if not k.startswith(".git/")},
        "status": git(folder, *quiet, "status", "--porcelain=v2", "--branch"),
    }


async def test_a_session_is_a_chain_and_another_session_another_ref(repo: Repo) -> None:
    head = repo.commit()

    await repo.keep(OLD, {**OLD, "a": file(b"a")}, "step 1: a", 1)
    await repo.keep({**OLD, "a": file(b"a")}, {**OLD, "b": file(b"b")}, "step 2: b", 2)
    await repo.checkpoints.keep(
        between(OLD, NEW, repo.blobs), title="t", session_id="../x y.lock", landing_id="3"
    )

    log = git(repo.folder, "log", "--format=%s", "--first-parent", REF).split("\n")[:-1]
    assert log == ["step 2: b", "step 1: a", "start"]
    assert repo.tree() == {**OLD, "b": file(b"b")}
    assert git(repo.folder, "rev-parse", "refs/turbo-tui/-x-y-lock~1").strip() == head


async def test_a_move_takes_the_old_path_away(repo: Repo) -> None:
    repo.commit()
    content = node(OLD["gone"], repo.blobs)

    await repo.keep_changes(ChangeSet((FileChange("d/new", content, content, "gone"),)), "t", 1)

    assert set(repo.tree()) == {*OLD, "d/new"} - {"gone"}


async def test_before_the_first_commit_there_is_nothing_below(repo: Repo) -> None:
    await repo.keep({}, {"a": file(b"a")})

    assert repo.tree() == {"a": file(b"a")}
    assert git(repo.folder, "log", "--format=%P", REF).strip() == ""
    head = repo.commit()
    await repo.keep({}, {"b": file(b"b")}, "step 2", 2)
    assert set(repo.tree()) == {*OLD, "a", "b"}
    assert git(repo.folder, "log", "-1", "--format=%P", REF).split()[0] == head


async def test_when_the_user_commits_in_between_the_checkpoint_is_on_that(repo: Repo) -> None:
    repo.commit()
    one = {**OLD, "kept.py": file(b"1\n"), "edit.py": file(b"step\n")}
    del one["gone"]
    await repo.keep(OLD, one)
    write_tree_beside(repo.folder, {"edit.py": file(b"mine\n"), "mine": file(b"m")})
    git(repo.folder, "add", "edit.py", "mine")
    git(repo.folder, "commit", "-qm", "mine")
    head = git(repo.folder, "rev-parse", "HEAD").strip()
    last = git(repo.folder, "rev-parse", REF).strip()

    await repo.keep(one, {**one, "two": file(b"2")}, "step 2", 2)

    assert repo.tree() == {**one, "two": file(b"2"), "edit.py": file(b"mine\n"), "mine": file(b"m")}
    assert git(repo.folder, "log", "-1", "--format=%P", REF).split() == [head, last]


async def test_a_workspace_within_a_repository_keeps_its_place(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "ws", {"sub dir/a": file(b"a"), "other": file(b"o")})
    repo.commit()
    within = GitCheckpoints(tmp_path / "ws/sub dir", repo.blobs)

    for number, new in enumerate(({"a": file(b"A")}, {"a": file(b"B")})):
        await within.keep(
            between({"a": file(b"a")}, new, repo.blobs),
            title="t",
            session_id="260101-7f3a",
            landing_id=str(number),
        )

    assert repo.tree() == {"sub dir/a": file(b"B"), "other": file(b"o")}


async def test_what_git_ignores_and_new_secrets_are_left_out_and_named(repo: Repo) -> None:
    (repo.folder / ".gitignore").write_text("out/\n*.log\n")
    (repo.folder / "kept.log").write_bytes(b"one")
    (repo.folder / "id_rsa").write_bytes(b"a test's own, known to all")
    git(repo.folder, "add", "-f", "kept.log")
    head = repo.commit()
    old = {**OLD, "kept.log": file(b"one"), "id_rsa": file(b"a test's own, known to all")}
    ignored = {f"out/{n:02}": file(b"x") for n in range(30)}
    new = {
        **old,
        **ignored,
        "kept.log": file(b"two"),
        "id_rsa": file(b"another"),
        "deploy/prod.pem": file(b"a secret"),
        ".env": file(b"TOKEN=x"),
        ".env.example": file(b"TOKEN="),
        ":(glob)**": file(b"an odd name"),
        ".github/ci.yml": file(b"a hidden file is one like any other"),
    }

    await repo.keep(old, new)

    told = git(repo.folder, "log", "-1", "--format=%B", REF)
    shown = git(repo.folder, "diff", "--name-only", head, REF).split()
    assert shown == [".env.example", ".github/ci.yml", ":(glob)**", "id_rsa", "kept.log"]
    assert told.count("Left-Out: ") == 21
    assert "Left-Out: .env\nLeft-Out: deploy/prod.pem\nLeft-Out: out/00\n" in told
    assert "Left-Out: and 12 more" in told

    await repo.keep(new, old, "undo of step 1", n=2)
    assert git(repo.folder, "diff", "--name-only", head, REF) == ""


async def test_before_the_first_commit_no_secret_is_known(repo: Repo) -> None:
    await repo.keep({}, {"a/.env": file(b"TOKEN=x"), "a/b": file(b"b")})

    assert list(repo.tree()) == ["a/b"]


async def test_where_there_is_no_git_there_is_nothing_to_keep_and_nothing_to_say(
    tmp_path: Path,
) -> None:
    checkpoints = GitCheckpoints(tmp_path, MemoryBlobs())

    await checkpoints.keep(ChangeSet(), title="t", session_id="s", landing_id="L")


async def test_in_a_broken_repository_it_says_so_and_how_to_do_without(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    checkpoints = GitCheckpoints(tmp_path, MemoryBlobs())

    with pytest.raises(
        ToolError,
        match=r"No git checkpoint of landing L was kept; it stands all the same\. .*not a git "
        r"repository.* `checkpoints = false` under \[landing\]",
    ):
        await checkpoints.keep(ChangeSet(), title="t", session_id="s", landing_id="L")


async def test_a_repository_that_cannot_be_written_is_an_error_that_says_why(repo: Repo) -> None:
    repo.commit()
    (repo.folder / ".git/refs/turbo-tui").write_text("in the way")

    with pytest.raises(ToolError, match=r"it stands all the same"):
        await repo.keep(OLD, NEW)
