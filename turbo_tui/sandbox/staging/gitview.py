"""What a workspace's git says, without running git: where it lies, what it tracks and ignores."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from turbo_tui.sandbox.staging.ignore import IgnoreFile, Ignores

MAX_IGNORE_BYTES = 1_000_000  # a longer .gitignore is no list of patterns
_ENTRY = 62  # bytes of an index entry before its path; gitformat-index(5)


@dataclass(frozen=True, slots=True)
class GitPlace:
    """Where the git of a workspace lies.

    Attributes:
        top: The folder that holds `.git`.
        index: The file that lists what is tracked.
        common: The repository itself: objects, refs, `info/exclude`.
        prefix: Path of the workspace within `top`, ending in `/`; empty at the top.
        outside: `common` where it lies outside the workspace: commands need it shown.
    """

    top: Path
    index: Path
    common: Path
    prefix: str
    outside: Path | None


def find_git(workspace: Path) -> GitPlace | None:
    """Find the repository a workspace belongs to; None without one.

    A `.git` file (worktree, submodule) is believed only when what it names points back here:
    else any repository could have another one's objects shown to its commands.
    """
    for top in (workspace, *workspace.parents):
        dot_git = top / ".git"
        prefix = "" if top == workspace else os.path.relpath(workspace, top) + "/"
        try:
            if dot_git.is_dir() and not dot_git.is_symlink():
                if not (dot_git / "HEAD").is_file():
                    continue
                return GitPlace(
                    top, dot_git / "index", dot_git, prefix, dot_git if prefix else None
                )
            if dot_git.is_file() and not dot_git.is_symlink():
                linked = _linked(dot_git)
                if linked is None:
                    return None
                own, common = linked
                return GitPlace(top, own / "index", common, prefix, common)
        except OSError:
            return None
    return None


class Rules(Protocol):
    """Where `.gitignore` files are read."""

    def open_file(self, path: str) -> int:
        """Open a regular file for reading.

        Raises:
            OSError: There is none that counts.
        """
        ...


def ignores_of(tree: Rules, git: GitPlace | None, *, config_home: Path | None = None) -> Ignores:
    """Collect the rules that hold in `tree`, a view of the workspace.

    Args:
        tree: Where each folder's `.gitignore` is read.
        git: The workspace's own repository, for `info/exclude`, what is tracked and the
            `.gitignore` of folders above.
        config_home: Holds the user's `git/ignore`; `$XDG_CONFIG_HOME` or `~/.config`.
    """

    def read(folder: str) -> str | None:
        path = ".gitignore" if folder == "." else f"{folder}/.gitignore"
        try:
            fd = tree.open_file(path)
        except OSError:
            return None
        with os.fdopen(fd, "rb") as file:
            return os.fsdecode(file.read(MAX_IGNORE_BYTES))

    if config_home is None:
        config_home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    above: list[tuple[str, IgnoreFile]] = []
    if git is not None:
        parts = git.prefix.rstrip("/").split("/") if git.prefix else []
        for depth in range(len(parts) - 1, -1, -1):
            folder = git.top.joinpath(*parts[:depth])
            _add(above, "/".join(parts[depth:]) + "/", folder / ".gitignore")
        _add(above, git.prefix, git.common / "info" / "exclude")
    _add(above, git.prefix if git else "", config_home / "git" / "ignore")

    def tracked() -> frozenset[str]:
        return tracked_paths(git) if git is not None else frozenset()

    return Ignores(read, above=above, tracked=tracked)


def tracked_paths(git: GitPlace) -> frozenset[str]:
    """Read the paths in git's index that lie in the workspace, relative to it.

    An index that we cannot read (split, damaged, of a later version) counts as empty.
    """
    try:
        data = git.index.read_bytes()
        paths = _index_paths(data)
    except (OSError, struct.error, ValueError):
        return frozenset()
    prefix = git.prefix
    return frozenset(path[len(prefix) :] for path in paths if path.startswith(prefix))


def is_internal(path: str) -> bool:
    """Say whether a path is git's own: `.git` of the workspace or of a repository in it."""
    return any(part.casefold() == ".git" for part in path.split("/"))


def _linked(dot_git: Path) -> tuple[Path, Path] | None:
    """Follow a `.git` file to (its own folder, the common one), if that points back."""
    text = os.fsdecode(dot_git.read_bytes()[:8192]).strip()
    if not text.startswith("gitdir:"):
        return None
    own = Path(os.path.normpath(dot_git.parent / text.removeprefix("gitdir:").strip()))
    if not (own / "HEAD").is_file():
        return None
    if (own / "commondir").is_file():  # a worktree; gitrepository-layout(5)
        common = Path(os.path.normpath(own / os.fsdecode((own / "commondir").read_bytes()).strip()))
        back = Path(os.path.normpath(own / os.fsdecode((own / "gitdir").read_bytes()).strip()))
        if own.parent == common / "worktrees" and back.resolve() == dot_git.resolve():
            return own, common
        return None
    for line in os.fsdecode((own / "config").read_bytes()).splitlines():  # a submodule
        key, _, value = line.partition("=")
        if key.strip() == "worktree":
            back = Path(os.path.normpath(own / value.strip().strip('"')))
            return (own, own) if back.resolve() == dot_git.parent.resolve() else None
    return None


def _add(above: list[tuple[str, IgnoreFile]], prefix: str, file: Path) -> None:
    try:
        with file.open("rb") as handle:
            rules = IgnoreFile(os.fsdecode(handle.read(MAX_IGNORE_BYTES)).split("\n"))
    except OSError:
        return
    if rules:
        above.append((prefix, rules))


def _index_paths(data: bytes) -> list[str]:
    """Read the paths of an index of version 2, 3 or 4; gitformat-index(5)."""
    signature, version, count = struct.unpack_from(">4sII", data)
    if signature != b"DIRC" or version not in {2, 3, 4}:
        raise ValueError(f"index version {version}")
    at, name, paths = 12, b"", list[str]()
    for _ in range(count):
        (flags,) = struct.unpack_from(">H", data, at + _ENTRY - 2)
        start = at + _ENTRY + (2 if flags & 0x4000 else 0)
        if version == 4:  # noqa: PLR2004 - prefix-compressed
            cut, start = _varint(data, start)
            end = data.index(b"\0", start)
            name = name[: len(name) - cut] + data[start:end]
            at = end + 1
        else:
            end = data.index(b"\0", start)
            name = data[start:end]
            at += (end - at + 8) & ~7  # padded with 1 to 8 NULs to a multiple of eight
        paths.append(os.fsdecode(name))
    return paths


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a number as in pack offsets: seven bits a byte, one added at each carry."""
    byte = data[at]
    value = byte & 127
    while byte & 128:
        at += 1
        byte = data[at]
        value = ((value + 1) << 7) | (byte & 127)
    return value, at + 1
