"""Which stores know the same contents: those of clones and worktrees of one repository."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from turbo_tui.languages.source_files import regular_bytes

FAMILY_FILE = "family"
VERSION_FILE = "version.json"
LARGEST_CONFIG_BYTES = 1_000_000


def family_of(root: Path) -> str:
    """Name what clones of one repository share: where they come from; else the repository.

    What stands in its configuration is only compared. A clone's store gives nothing but what was
    made of the very same content.
    """
    git = root / ".git"
    try:
        if git.is_file():  # a worktree
            git = root / _said_in(git).removeprefix("gitdir:").strip()
            git = git / _said_in(git / "commondir").strip()
        name = _origin_in(_said_in(git / "config")) or os.fspath(git.resolve())
    except (OSError, ValueError):  # a path with a NUL in it is a ValueError
        return ""
    return hashlib.blake2b(os.fsencode(name), digest_size=16).hexdigest()


def join(folder: Path, family: str) -> None:
    """Let clones find a store; without a family, or room, they do not."""
    if family:
        with suppress(OSError):
            (folder / FAMILY_FILE).write_text(family, encoding="ascii")


def clone_of(folder: Path, family: str, version: str) -> Path | None:
    """Return the store of another clone that this version made, the newest of those beside it."""
    found: list[tuple[float, Path]] = []
    for file in folder.parent.glob(f"*/{FAMILY_FILE}") if family else ():
        with suppress(OSError, ValueError):
            said = (file.parent / VERSION_FILE).read_text(encoding="ascii")
            same = file.read_text(encoding="ascii") == family
            if same and json.loads(said) == version and file.parent != folder:
                found.append((file.stat().st_mtime, file.parent))
    return max(found)[1] if found else None


def _origin_in(configuration: str) -> str:
    """Return the address of a git configuration's origin, empty where it names none.

    Line by line: whoever wrote it may have meant to keep a pattern busy.
    """
    is_origin = False
    for line in map(str.strip, configuration.splitlines()):
        if line.startswith("["):
            is_origin = line.partition("]")[0].split() == ["[remote", '"origin"']
        elif is_origin:
            name, _, value = line.partition("=")
            if name.strip().lower() == "url":
                return value.strip()
    return ""


def _said_in(file: Path) -> str:
    content = regular_bytes(file, LARGEST_CONFIG_BYTES)
    if content is None:
        raise FileNotFoundError(file)
    return os.fsdecode(content)
