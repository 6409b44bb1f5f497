"""What the user once agreed to: trust in a project's files, consent to a model's host.

Both lie in the user's state folder, never in the repository they speak about.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import cast

from turbo_tui.core.errors import WorkspaceError

FILES_THAT_COUNT = (".turbo", ".env")


class Trust:
    """Workspaces whose `.turbo/` and `.env` the user trusts, as they were then."""

    def __init__(self, state: Path) -> None:
        self._file = state / "trust.json"

    def has(self, workspace: Path) -> bool:
        """Tell whether the project's files are the very ones that were trusted."""
        return _load(self._file).get(os.fspath(workspace)) == content_hash(workspace)

    def asked_for(self, workspace: Path) -> bool:
        """Tell whether there is anything to trust that is not yet trusted."""
        present = any((workspace / name).exists() for name in FILES_THAT_COUNT)
        return present and not self.has(workspace)

    def give(self, workspace: Path) -> None:
        """Trust the project's files as they are now."""
        known = _load(self._file)
        known[os.fspath(workspace)] = content_hash(workspace)
        _store(self._file, known)


class Consents:
    """Hosts the user agreed to send to, each with what goes there."""

    def __init__(self, state: Path) -> None:
        self._file = state / "consents.json"

    def has(self, host: str) -> bool:
        """Tell whether the user agreed to this host."""
        return host in _load(self._file)

    def give(self, host: str, what: str) -> None:
        """Remember that the user agreed."""
        known = _load(self._file)
        known[host] = what
        _store(self._file, known)


def content_hash(workspace: Path) -> str:
    """Hash the names and contents of the files a project could configure us with."""
    digest = hashlib.sha256()
    for name in FILES_THAT_COUNT:
        top = workspace / name
        found = sorted(top.rglob("*")) if top.is_dir() and not top.is_symlink() else [top]
        for path in found:
            if path.is_symlink():
                content = b"link:" + os.fsencode(path.readlink())
            elif path.is_file():
                content = path.read_bytes()
            else:
                continue
            digest.update(os.fsencode(path.relative_to(workspace)) + b"\0")
            digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def _load(file: Path) -> dict[str, str]:
    try:
        content: object = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        return {}  # unreadable means not agreed: the question is put again
    if not isinstance(content, dict):
        return {}
    pairs = cast("dict[object, object]", content)
    return {str(key): value for key, value in pairs.items() if isinstance(value, str)}


def _store(file: Path, content: dict[str, str]) -> None:
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps(content, indent=1, sort_keys=True), encoding="utf-8")
        fresh.replace(file)
    except OSError as error:
        raise WorkspaceError(
            f"{file}: cannot be written: {error.strerror or error}. Your answer counts for now "
            "but will be asked again; make the folder writable."
        ) from error
