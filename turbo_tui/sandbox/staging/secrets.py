"""Find the files of a workspace that hold secrets, so that commands see them empty.

The first look walks all folders; later ones only ask each known folder whether it changed. What
was installed is left out: the `*.pem` of a dependency are no secrets of the user's, and without
them its tools cannot make a connection.

A stage keeps one `SecretFiles` for its workspace, scans off the event loop before each command,
and gives what was found to the place:

    masked = await asyncio.to_thread(secrets.scan)
    Place(..., masked=masked, read_only=secrets.repositories)

On an overlay bubblewrap shows each as an empty read-only file. A copied stage leaves them out of
the copy and masks nothing: a file of that name in it was made by the step itself, as one is that
a step makes where the workspace has none. Landlock and the last rung cannot show a file as empty.
"""

# Names may be bytes that are no text, and 5,000 folders are asked each time, without a Path each:
# ruff: noqa: PTH113, PTH116, PTH123

from __future__ import annotations

import os
import stat
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from turbo_tui.core.errors import SandboxError
from turbo_tui.core.secret_files import is_secret, is_shown

# Folders of installed or generated things; by name, since they are left out unread.
DEPENDENCIES = frozenset(
    {
        *("node_modules", "bower_components", "site-packages", "dist-packages", "vendor", "Pods"),
        *(".venv", "venv", ".tox", ".nox", ".eggs", "__pypackages__", "target", ".gradle", ".yarn"),
        *(".git", ".hg", ".svn", ".jj", "__pycache__", ".mypy_cache", ".ruff_cache"),
        *(".pytest_cache", ".turbo", ".direnv", ".terraform"),
    }
)
MOST = 1_500  # bubblewrap takes 9,000 words, and each mask is three and a mount

# A file system may give several changes within a tick the same time.
_TICK_NS = 100_000_000
_READ_BYTES = 1_000_000
# Many files of these names hold nothing secret, and tools fail without them: they are read.
_TELLING = {
    ".npmrc": (b"_auth", b"_password", b"token", b"secret"),
    ".pem": (b"PRIVATE",),
}


@dataclass(frozen=True, slots=True)
class _Folder:
    """What a folder held when it was read; paths from the workspace.

    Attributes:
        stamp: (inode, change time) by which it is known to be as it was; None for never.
        below: Folders in it that are walked too.
        secrets: Files in it with a secret's name.
        links: Symlinks in it with a secret's name.
        repository: Whether a `.git` lies in it.
    """

    stamp: tuple[int, int] | None
    below: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    repository: bool = False


@dataclass(slots=True)
class SecretFiles:
    """The secret files of one workspace, kept up to date at little cost.

    Args:
        workspace: Resolved.
        shown: Globs of files that the user allows commands to read (`show_secrets`): matched
            against the path from the workspace and against the name alone, `*` takes in `/`.
    """

    workspace: Path
    shown: Collection[str] = ()
    _folders: dict[str, _Folder] = field(default_factory=dict[str, _Folder])
    _read: dict[str, tuple[tuple[int, int], bool]] = field(
        default_factory=dict[str, tuple[tuple[int, int], bool]]
    )
    _repositories: tuple[str, ...] = ()
    _linked: tuple[frozenset[int], tuple[str, ...]] = (frozenset(), ())
    _as_before: bool = False

    @property
    def repositories(self) -> tuple[str, ...]:
        """Git folders within the workspace, as of the last scan, its own `.git` aside.

        For `Place.read_only`: what git would run on reading them, their hooks and config, is
        closed for writing there.
        """
        return self._repositories

    def scan(self) -> tuple[str, ...]:
        """Return the secret files that are to be masked, sorted, as paths from the workspace.

        A symlink is not masked itself: what it leads to is, when that lies in the workspace.
        What lies outside is not shown by the sandbox, or is no secret of this workspace. Other
        names of the same file (hard links) are masked as well.

        Raises:
            SandboxError: They are so many that not all can be masked.
        """
        self._walk()
        found: set[str] = set()
        for folder in self._folders.values():
            found.update(path for path in folder.secrets if self._is_secret(path))
            found.update(self._targets(folder.links))
        found.update(self._other_names(found))
        masked = sorted(path for path in found if not is_shown(path, self.shown))
        if len(masked) > MOST:
            raise SandboxError(
                f"{len(masked):,} files of the workspace are named like secrets, from {masked[0]} "
                f"to {masked[-1]}; at most {MOST:,} can be hidden from commands. Name those that "
                "may be read in the project's setting `show_secrets`."
            )
        inner = (f"{path}/.git" for path, each in self._folders.items() if path and each.repository)
        self._repositories = (*sorted(inner), *self._submodules())
        return tuple(masked)

    def _walk(self) -> None:
        """Bring the known folders up to date."""
        root = f"{self.workspace}/"
        known, current = self._folders, dict[str, _Folder]()
        self._as_before = True
        todo = [""]
        while todo:
            path = todo.pop()
            try:
                at = os.stat(root + path, follow_symlinks=False)
            except OSError:
                continue
            if not stat.S_ISDIR(at.st_mode):
                continue
            stamp = (at.st_ino, at.st_ctime_ns)
            folder = known.get(path)
            if folder is None or folder.stamp != stamp:
                settled = abs(time.time_ns() - at.st_ctime_ns) > _TICK_NS
                folder = _read_folder(root, path, stamp if settled else None)
                self._as_before = False
            current[path] = folder
            todo += folder.below
        self._folders = current

    def _is_secret(self, path: str) -> bool:
        """Whether a file with a secret's name holds one; in doubt yes."""
        words = _TELLING.get(path.rpartition("/")[2]) or _TELLING.get(path[-4:])
        if words is None:
            return True
        try:
            at = os.stat(f"{self.workspace}/{path}", follow_symlinks=False)
            if not stat.S_ISREG(at.st_mode):
                return False
            stamp = (at.st_ino, at.st_ctime_ns)
            known = self._read.get(path)
            if known is not None and known[0] == stamp:
                return known[1]
            with open(f"{self.workspace}/{path}", "rb") as file:
                content = file.read(_READ_BYTES + 1)
        except OSError:
            return True
        holds = len(content) > _READ_BYTES or any(word in content for word in words)
        if abs(time.time_ns() - at.st_ctime_ns) > _TICK_NS:
            self._read[path] = (stamp, holds)
        return holds

    def _targets(self, links: Collection[str]) -> Iterator[str]:
        """Yield the files of the workspace that symlinks lead to."""
        if not links:
            return
        root = f"{os.path.realpath(self.workspace)}/"
        for link in links:
            real = os.path.realpath(root + link)
            if real.startswith(root) and os.path.isfile(real):
                yield real[len(root) :]

    def _other_names(self, secrets: Collection[str]) -> tuple[str, ...]:
        """Return the other names of secret files that have several: few have, and few look."""
        several: set[int] = set()
        for path in secrets:
            with suppress(OSError):
                at = os.stat(f"{self.workspace}/{path}", follow_symlinks=False)
                if at.st_nlink > 1:
                    several.add(at.st_ino)
        if not several:
            return ()
        inodes = frozenset(several)
        known, names = self._linked
        if known != inodes or not self._as_before:
            names = tuple(self._named(inodes))
            self._linked = (inodes, names)
        return names

    def _named(self, inodes: frozenset[int]) -> Iterator[str]:
        """Yield all names that files have in the folders that are walked."""
        for path in self._folders:
            with suppress(OSError), os.scandir(f"{self.workspace}/{path}") as entries:
                for entry in entries:
                    if entry.inode() in inodes and entry.is_file(follow_symlinks=False):
                        yield f"{path}/{entry.name}" if path else entry.name

    def _submodules(self) -> list[str]:
        """Return the git folders of submodules, which lie in the workspace's own."""
        found: list[str] = []
        todo = [".git/modules"]
        while todo:
            path = todo.pop()
            with suppress(OSError), os.scandir(f"{self.workspace}/{path}") as entries:
                inner = [each.name for each in entries if each.is_dir(follow_symlinks=False)]
                if "objects" in inner and "refs" in inner:
                    found.append(path)
                    inner = ["modules"] if "modules" in inner else []
                todo += [f"{path}/{name}" for name in inner]
        return sorted(found)


def _read_folder(root: str, path: str, stamp: tuple[int, int] | None) -> _Folder:
    """Read one folder; one that cannot be read is empty to the commands as well."""
    prefix = f"{path}/" if path else ""
    below: list[str] = []
    secrets: list[str] = []
    links: list[str] = []
    repository = False
    try:
        with os.scandir(root + path) as entries:
            for entry in entries:
                name = entry.name
                if name == ".git":
                    repository = True
                if name == "pyvenv.cfg" and path:
                    return _Folder(stamp)  # a virtual environment by another name
                if entry.is_dir(follow_symlinks=False):
                    if name not in DEPENDENCIES:
                        below.append(prefix + name)
                elif is_secret(prefix + name):
                    if entry.is_symlink():
                        links.append(prefix + name)
                    elif entry.is_file(follow_symlinks=False):
                        secrets.append(prefix + name)
    except OSError:
        return _Folder(None)
    return _Folder(stamp, tuple(below), tuple(secrets), tuple(links), repository)
