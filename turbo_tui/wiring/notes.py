"""Rules and notes that the user wrote for models: their own, and those of a project they trust."""

from __future__ import annotations

from pathlib import Path

from turbo_tui.knowledge.indexing.tree import NOTES
from turbo_tui.trust import project_files
from turbo_tui.wiring.workspace import Workspace

MOST_BYTES = 32_000  # of all of them
OWN = "your notes: "  # before a note of the user's own, which lies outside the workspace


def notes_of(workspace: Workspace) -> dict[str, str]:
    """Return what counts as the user's word: name -> text, their own notes first.

    An untrusted project's notes are not among them: those are found like any file, as material.
    Nor are those of a project that changed since it was trusted.
    """
    given = dict(_own(workspace.paths.config / "knowledge"))
    root = workspace.root
    files = project_files(root)  # read now, so looked at now
    if workspace.trusted and not files.others and workspace.trust.has(root, files):
        prefix = f"{NOTES.as_posix()}/"
        given |= {
            path: content
            for path, content in sorted(files.contents.items())
            if path.startswith(prefix) and path.endswith(".md") and "/" not in path[len(prefix) :]
        }
    left = MOST_BYTES
    found: dict[str, str] = {}
    for name, content in given.items():
        if b"\0" not in content and left > 0:
            found[name] = content[:left].decode("utf-8", "replace")
            left -= len(content)
    return found


def _own(folder: Path) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    try:
        for file in sorted(folder.glob("*.md")):
            if file.is_file():
                with file.open("rb") as stream:
                    found.append((f"{OWN}{file.name}", stream.read(MOST_BYTES)))
    except OSError:
        pass  # not ours to read
    return found
