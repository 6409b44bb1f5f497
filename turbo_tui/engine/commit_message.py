"""Say what is staged in git as a conventional commit message, deterministically.

Source: https://www.conventionalcommits.org/en/v1.0.0/
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from posixpath import basename, commonpath, dirname
from typing import Literal

StagedStatus = Literal["added", "modified", "deleted", "renamed", "retyped"]
SUBJECT_CHARS = 72
BODY_ROWS = 20


@dataclass(frozen=True, slots=True)
class StagedFile:
    """One file in the index that differs from HEAD; line counts are None for binary ones."""

    path: str
    status: StagedStatus
    old_path: str = ""
    added: int | None = 0
    removed: int | None = 0


@dataclass(frozen=True, slots=True)
class Staged:
    """What a commit would hold.

    Attributes:
        branch: Empty when HEAD is detached.
        patch: The diff without context lines, possibly cut.
        fingerprint: Changes when HEAD or the index does.
    """

    files: tuple[StagedFile, ...]
    patch: str
    branch: str
    fingerprint: str


_DOCUMENT = re.compile(
    r"(?:^|/)docs?/|\.(?:md|rst|adoc|txt)$|(?:^|/)(?:LICENSE|AUTHORS|README)", re.IGNORECASE
)
_REQUIREMENTS = re.compile(r"(?:^|/)requirements[^/]*\.(?:txt|in)$|(?:^|/)requirements/")
_TEST = re.compile(
    r"(?:^|/)(?:tests?|spec|__tests__)/|(?:^|/)(?:test_[^/]*|conftest)\.py$"
    r"|[._-](?:test|spec)\.\w+$|_test\.\w+$"
)
_CI = re.compile(r"^\.github/workflows/|^\.gitlab-ci|^\.circleci/|^\.ci/|^\.travis|Jenkinsfile")
_BUILD = re.compile(
    r"(?:^|/)(?:pyproject\.toml|setup\.(?:py|cfg)|package(?:-lock)?\.json|Cargo\.(?:toml|lock)"
    r"|go\.(?:mod|sum)|Makefile|CMakeLists\.txt|Dockerfile|Gemfile(?:\.lock)?|pom\.xml"
    r"|build\.gradle(?:\.kts)?|yarn\.lock|poetry\.lock|uv\.lock|pnpm-lock\.yaml|tox\.ini)$"
)
_NEW_NAME = re.compile(
    r"^\+\s*(?:export\s+)?(?:default\s+)?(?:pub(?:\([^)]*\))?\s+)?(?:async\s+)?"
    r"(?:def|class|function|fn|func|struct|enum|interface|trait)\s+(?:\([^)]*\)\s*)?(\w+)"
)
_LAYOUT_FOLDERS = {"src", "lib", "pkg", "packages", "crates", "app"}


def compose_message(staged: Staged) -> str:
    """Return subject, blank line and a list of the files.

    The type comes from the kinds of files and of changes, the scope from the folder they share,
    the subject from new names or from the file.
    """
    files = staged.files
    kind = _kind(files, staged.patch)
    scope = _scope(files, kind)
    head = f"{kind}({scope})" if scope else kind
    subject = f"{head}: {_subject(files, staged.patch, kind)}"
    if len(subject) > SUBJECT_CHARS:
        subject = f"{subject[: SUBJECT_CHARS - 1].rstrip()}…"
    if len(files) == 1:
        return f"{subject}\n"
    rows = [f"- {_row(file)}" for file in files[:BODY_ROWS]]
    if len(files) > BODY_ROWS:
        rows.append(f"- and {len(files) - BODY_ROWS} more files")
    return "\n".join([subject, "", *rows, ""])


def _kind(files: Sequence[StagedFile], patch: str) -> str:
    for kind, pattern in (
        ("test", _TEST),
        ("ci", _CI),
        ("build", _BUILD),
        ("build", _REQUIREMENTS),
        ("docs", _DOCUMENT),
    ):
        if all(pattern.search(file.path) for file in files):
            return kind
    code = _code(files) or files
    if _new_names(patch, code) or any(file.status == "added" for file in code):
        return "feat"
    if all(file.status in {"deleted", "renamed"} for file in code):
        return "refactor"
    if _only_layout(patch):
        return "style"
    tested = any(_TEST.search(file.path) for file in files)
    return "fix" if tested else "chore"


def _code(files: Sequence[StagedFile]) -> list[StagedFile]:
    others = (_TEST, _CI, _BUILD, _REQUIREMENTS, _DOCUMENT)
    return [file for file in files if not any(kind.search(file.path) for kind in others)]


def _scope(files: Sequence[StagedFile], kind: str) -> str:
    if kind in {"ci", "build", "docs"}:
        return ""
    code = _code(files) or list(files)
    if len(code) == 1:
        stem = basename(code[0].path).split(".")[0]
        stem = stem if not stem.startswith("__") else basename(dirname(code[0].path))
        return _plain(stem)
    shared = commonpath([dirname(file.path) for file in code])
    names = [name for name in shared.split("/") if name and name not in _LAYOUT_FOLDERS]
    return _plain(names[-1]) if names else ""


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]", "", name).strip("._-").lower()


def _subject(files: Sequence[StagedFile], patch: str, kind: str) -> str:
    names = _new_names(patch, _code(files) or files) if kind in {"feat", "test"} else []
    if names:
        shown = names[:2]
        more = f" and {len(names) - 2} more" if len(names) > 2 else ""  # noqa: PLR2004
        return f"add {', '.join(shown) if more else ' and '.join(shown)}{more}"
    code = _code(files) or list(files)
    if len(code) == 1:
        return _row(code[0], short=True)
    statuses = {file.status for file in code}
    verb = {"added": "add", "deleted": "remove", "renamed": "rename"}.get(
        statuses.pop() if len(statuses) == 1 else "", "update"
    )
    if kind == "style":
        verb = "reformat"
    shared = commonpath([dirname(file.path) for file in code])
    return f"{verb} {len(code)} files" + (f" in {shared}" if shared else "")


def _row(file: StagedFile, *, short: bool = False) -> str:
    name = basename(file.path) if short else file.path
    if file.status == "renamed":
        old = basename(file.old_path) if short else file.old_path
        if short and old == name:
            return f"move {name} to {dirname(file.path) or 'the root'}"
        return f"rename {old} to {name}"
    verbs = {"added": "add", "deleted": "remove"}
    return f"{verbs.get(file.status, 'update')} {name}"


def _new_names(patch: str, files: Sequence[StagedFile]) -> list[str]:
    """Return names that the patch defines in some files and did not define before."""
    wanted = {file.path for file in files}
    added: dict[str, None] = {}
    removed: set[str] = set()
    here = False
    for row in patch.splitlines():
        if row.startswith("+++ "):
            here = row[4:].removeprefix("b/").strip() in wanted
        elif here and row.startswith("+") and (hit := _NEW_NAME.match(row)):
            added[hit[1]] = None
        elif here and row.startswith("-") and (hit := _NEW_NAME.match(f"+{row[1:]}")):
            removed.add(hit[1])
    return [name for name in added if name not in removed and not name.startswith("_")]


def _only_layout(patch: str) -> bool:
    """Tell whether the lines taken out and put in differ in white space alone."""
    rows = [row for row in patch.splitlines() if not row.startswith(("+++ ", "--- "))]
    before = "".join(row[1:] for row in rows if row.startswith("-"))
    after = "".join(row[1:] for row in rows if row.startswith("+"))
    return bool(before) and re.sub(r"\s", "", before) == re.sub(r"\s", "", after)
