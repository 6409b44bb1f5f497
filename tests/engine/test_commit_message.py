"""Conventional messages made from what is staged."""

from __future__ import annotations

import pytest

from turbo_tui.engine.commit_message import Staged, StagedFile, compose_message


def _staged(*files: StagedFile, patch: str = "") -> Staged:
    return Staged(files, patch, "main", "f")


def _patch(path: str, *rows: str) -> str:
    return "\n".join([f"--- a/{path}", f"+++ b/{path}", *rows, ""])


CHANGED = _patch("src/pkg/core.py", "-    return 1", "+    return 2")


@pytest.mark.parametrize(
    ("staged", "subject"),
    [
        (_staged(StagedFile("docs/a.rst", "modified")), "docs: update a.rst"),
        (_staged(StagedFile("README.md", "added")), "docs: add README.md"),
        (_staged(StagedFile(".github/workflows/x.yml", "modified")), "ci: update x.yml"),
        (_staged(StagedFile("package.json", "modified")), "build: update package.json"),
        (_staged(StagedFile("requirements/dev.txt", "modified")), "build: update dev.txt"),
        (
            _staged(
                StagedFile("tests/test_a.py", "modified"),
                patch=_patch("tests/test_a.py", "+def test_x() -> None:"),
            ),
            "test(test_a): add test_x",
        ),
        (
            _staged(
                StagedFile("src/pkg/core.py", "modified"),
                patch=_patch("src/pkg/core.py", "+def one():", "+class Two:", "+def _no():"),
            ),
            "feat(core): add one and Two",
        ),
        (
            _staged(
                StagedFile("src/pkg/core.py", "modified"),
                patch=_patch("src/pkg/core.py", "+def a():", "+def b():", "+def c():"),
            ),
            "feat(core): add a, b and 1 more",
        ),
        (
            _staged(
                StagedFile("src/pkg/core.py", "modified"),
                patch=_patch("src/pkg/core.py", "-def one():", "+def one(x):"),
            ),
            "chore(core): update core.py",
        ),
        (
            _staged(
                StagedFile("src/pkg/core.py", "modified"),
                StagedFile("tests/test_core.py", "modified"),
                patch=CHANGED,
            ),
            "fix(core): update core.py",
        ),
        (
            _staged(
                StagedFile("src/pkg/core.py", "modified"),
                patch=_patch("src/pkg/core.py", "-a=1", "+a = 1"),
            ),
            "style(core): update core.py",
        ),
        (
            _staged(StagedFile("pkg/b.py", "renamed", "pkg/a.py")),
            "refactor(b): rename a.py to b.py",
        ),
        (
            _staged(StagedFile("new/a.py", "renamed", "old/a.py")),
            "refactor(a): move a.py to new",
        ),
        (
            _staged(StagedFile("shop/a.py", "deleted"), StagedFile("shop/b.py", "deleted")),
            "refactor(shop): remove 2 files in shop",
        ),
        (_staged(StagedFile("src/pkg/__init__.py", "added")), "feat(pkg): add __init__.py"),
    ],
)
def test_a_subject_says_kind_scope_and_what(staged: Staged, subject: str) -> None:
    assert compose_message(staged).splitlines()[0] == subject


def test_several_files_are_listed_and_long_lists_cut() -> None:
    files = [StagedFile(f"src/m{n}.py", "modified") for n in range(25)]

    lines = compose_message(_staged(*files)).splitlines()

    assert lines[:3] == ["chore: update 25 files in src", "", "- update src/m0.py"]
    assert lines[-1] == "- and 5 more files"


def test_a_long_subject_is_cut_to_72_characters() -> None:
    message = compose_message(_staged(StagedFile("a/" + "x" * 100 + ".py", "added")))

    assert len(message.splitlines()[0]) == 72
