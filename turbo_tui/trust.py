"""What the user once agreed to: trust in a project's files, consent to a model's host.

Both lie in the user's state folder, never in the repository they speak about.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from turbo_tui.core.errors import WorkspaceError

FILES_THAT_COUNT = (".turbo", ".env")
MOST_FILES, MOST_BYTES = 1_000, 1_000_000  # of one file; more is no configuration
DEEPEST = 8  # folders below `.turbo`


@dataclass(frozen=True, slots=True)
class ProjectFiles:
    """What a project could configure us with, read once: what is trusted is what is used.

    Attributes:
        contents: Path below the workspace -> content of every regular file.
        others: Links, pipes and what is too large: never followed or read.
    """

    contents: Mapping[str, bytes]
    others: Mapping[str, str]

    @property
    def digest(self) -> str:
        """A hash over names and contents."""
        import hashlib  # noqa: PLC0415  slow before a frame, and most projects bring no settings

        digest = hashlib.sha256()
        for path, content in sorted({**self.others, **self.contents}.items()):
            raw = content if isinstance(content, bytes) else b"other:" + os.fsencode(content)
            digest.update(os.fsencode(path) + b"\0" + hashlib.sha256(raw).digest())
        return digest.hexdigest()


def project_files(workspace: Path) -> ProjectFiles:
    """Read what is in a project's `.turbo/` and `.env` now, through no link."""
    contents: dict[str, bytes] = {}
    others: dict[str, str] = {}
    for name in FILES_THAT_COUNT:
        for path in _below(workspace / name):
            shown = os.fspath(path.relative_to(workspace))
            if len(contents) == MOST_FILES:
                others[shown] = "too many files"
                break
            read = _regular(path)
            if isinstance(read, bytes):
                contents[shown] = read
            else:
                others[shown] = read
    return ProjectFiles(contents, others)


def _below(top: Path, depth: int = 0) -> Iterator[Path]:
    if depth == DEEPEST or top.is_symlink() or not top.is_dir():
        if os.path.lexists(top):
            yield top
        return
    try:
        entries = sorted(top.iterdir())
    except OSError:
        yield top
        return
    for entry in entries:
        yield from _below(entry, depth + 1)


def _regular(path: Path) -> bytes | str:
    """Return a regular file's content, or in words why it is not read."""
    if path.is_symlink():
        return f"a link to {path.readlink()}"
    try:
        # A pipe must not hold us up.
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return "no regular file"
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        return error.strerror or str(error)
    return content if len(content) <= MOST_BYTES else f"larger than {MOST_BYTES:,} bytes"


class Trust:
    """Workspaces whose `.turbo/` and `.env` the user trusts, as they were then."""

    def __init__(self, state: Path) -> None:
        self._file = state / "trust.json"

    def has(self, workspace: Path, files: ProjectFiles | None = None) -> bool:
        """Tell whether the project's files (default: as they are now) are those once trusted."""
        known = _load(self._file).get(os.fspath(workspace))
        return known is not None and known == (files or project_files(workspace)).digest

    def asked_for(self, workspace: Path) -> bool:
        """Tell whether there is anything to trust that is not yet trusted."""
        files = project_files(workspace)
        return bool(files.contents) and not self.has(workspace, files)

    def had(self, workspace: Path) -> bool:
        """Tell whether files of this project were trusted once, whatever became of them."""
        return os.fspath(workspace) in _load(self._file)

    def give(self, workspace: Path, files: ProjectFiles | None = None) -> None:
        """Trust the project's files as they were read; by default as they are now."""
        known = _load(self._file)
        known[os.fspath(workspace)] = (files or project_files(workspace)).digest
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


def _load(file: Path) -> dict[str, str]:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        return {}  # unreadable means not agreed: the question is put again
    import json  # noqa: PLC0415  slow before a frame

    try:
        content: object = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(content, dict):
        return {}
    pairs = cast("dict[object, object]", content)
    return {str(key): value for key, value in pairs.items() if isinstance(value, str)}


def _store(file: Path, content: dict[str, str]) -> None:
    import json  # noqa: PLC0415  slow before a frame

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
