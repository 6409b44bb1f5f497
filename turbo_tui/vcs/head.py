"""Which branch a workspace is on, read from git's own files: no program is started for it."""

from __future__ import annotations

from pathlib import Path

from turbo_tui.core.landings import DETACHED


def git_at(root: Path) -> Path | None:
    """Return the nearest `.git` at or above a workspace; None where there is no repository."""
    places = (each / ".git" for each in (root, *root.parents))
    return next((each for each in places if each.exists()), None)


def branch_of(root: Path) -> str:
    """Return the branch that `HEAD` names, or `detached` and a short commit; empty without git."""
    try:
        git = git_at(root)
        if git is None:
            return ""
        if not git.is_dir():
            named = _first_line(git).partition("gitdir:")[2].strip()
            git = (git.parent / named).resolve()
        head = _first_line(git / "HEAD")
    except (OSError, UnicodeDecodeError, ValueError):
        return ""
    name = head.removeprefix("ref: refs/heads/")
    if name != head:
        return name
    return f"{DETACHED}{head[:8]}" if head else ""


def _first_line(file: Path) -> str:
    """Read the first line of a small regular file; a strange repository may hold a pipe there."""
    if not file.is_file():
        return ""
    with file.open("rb") as stream:
        return stream.readline(4_096).decode("utf-8").strip()
