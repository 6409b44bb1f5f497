"""What a stage leaves to those after it: the files that git ignores, and nothing else.

A step that installed `node_modules` is decided on; what it installed does not land, but a later
step must find it. It is kept as a layer: files and folders as they are, removals as whiteouts (of
an overlay) or in a manifest (of a copy).

What counts is what git ignores in the workspace as it is now, after landing. A `.gitignore` that
did not land counts only where it hides itself, as those of caches and virtual environments do:
else a step could keep what was rejected by ignoring it. How much is kept is not bounded: it is
what the stage held already.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from turbo_tui.sandbox.staging.beneath import Beneath
from turbo_tui.sandbox.staging.changeset import never_lands
from turbo_tui.sandbox.staging.deltas import Delta, Readable
from turbo_tui.sandbox.staging.gitview import MAX_IGNORE_BYTES, GitPlace, ignores_of
from turbo_tui.sandbox.staging.ignore import IgnoreFile, Ignores
from turbo_tui.sandbox.staging.layers import Layer
from turbo_tui.sandbox.staging.manifest import UNKNOWN, Manifest

_RULES = ".gitignore"


@dataclass(slots=True)
class Leftovers:
    """What is kept of a stage.

    Attributes:
        whole: Folders that are kept with all that is in them.
        there: Files and links that are kept, and folders that are kept empty.
        gone: Removals that are kept.
        folders: Folders above these that are not git's to ignore, as they look without the step.
    """

    whole: list[str] = field(default_factory=list[str])
    there: list[str] = field(default_factory=list[str])
    gone: list[str] = field(default_factory=list[str])
    folders: dict[str, os.stat_result] = field(default_factory=dict[str, os.stat_result])

    def __bool__(self) -> bool:
        """Say whether anything is kept."""
        return bool(self.whole or self.there or self.gone)

    def add(self, delta: Delta, *, whole: bool) -> bool:
        """Keep what stands at a path; return whether it is kept with all that is in it."""
        if delta.after is None:
            self.gone.append(delta.path)
        elif not _is_folder(delta.after):
            self.there.append(delta.path)
        elif whole and delta.before is None:
            self.whole.append(delta.path)
            return True
        else:
            self.folders[delta.path] = delta.after
            self.there.append(delta.path)
        return False


def leftovers(
    deltas: list[Delta],
    *,
    merged: Beneath,
    base: Readable,
    workspace: Beneath,
    git: GitPlace | None,
    landed: Collection[str] = (),
) -> Leftovers:
    """Choose what a decided stage leaves.

    Args:
        deltas: All that it changed.
        merged: Its tree, for the rules that came with it.
        base: What it lies on.
        workspace: As it is now.
        git: The workspace's repository.
        landed: Paths of ignored files that landed.

    Raises:
        OSError: Something cannot be read.
    """
    ignores = ignores_of(_Rules(workspace, merged), git)
    # As a walk would meet them: `a/x` comes before `a-b`.
    ordered = sorted(deltas, key=lambda delta: delta.path.replace("/", "\0"))
    barred = {d.path for d in ordered if never_lands(d.path) or d.path in landed}
    above_barred = {above for path in barred for above in _above(path)}
    kept = Leftovers()
    within = ""  # the folder that was last kept as a whole
    for delta in ordered:
        path = delta.path
        if path in barred or (within and path.startswith(within)):
            continue
        if _is_folder(delta.before) and _is_folder(delta.after):
            continue  # it is made where something in it is kept
        if _counts(delta, ignores, workspace, base):
            looks = ((each, base.lstat(each) or merged.lstat(each)) for each in _above(path))
            kept.folders.update({each: found for each, found in looks if found is not None})
            if kept.add(delta, whole=path not in above_barred):
                within = f"{path}/"
    return kept


def _counts(delta: Delta, ignores: Ignores, workspace: Beneath, base: Readable) -> bool:
    found = delta.after or delta.before
    if found is None or not _is_plain(found):
        return False
    folder = ignores.folded(delta.path, is_folder=_is_folder(found))
    if folder is None:
        return False
    # What lies above the ignored is the user's: where that is no folder, it was rejected.
    top = folder if _is_above(folder, delta.path) else delta.path
    for above in _above(top):
        there = workspace.lstat(above)
        there = base.lstat(above) if there is None else there
        if not _is_folder(there):
            return False
    return True


class _Rules:
    """The `.gitignore` files that count once a stage was decided on."""

    def __init__(self, workspace: Beneath, merged: Beneath) -> None:
        self._workspace = workspace
        self._merged = merged

    def open_file(self, path: str) -> int:
        """Open the workspace's, or the stage's own where it hides itself."""
        try:
            return self._workspace.open_file(path)
        except OSError:
            fd = self._merged.open_file(path)
        with os.fdopen(os.dup(fd), "rb") as file:
            rules = IgnoreFile(os.fsdecode(file.read(MAX_IGNORE_BYTES)).split("\n"))
        if rules.verdict(_RULES, is_folder=False):
            os.lseek(fd, 0, os.SEEK_SET)
            return fd
        os.close(fd)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)


def in_making(stages: Path, target: Layer) -> Path:
    """Return where a layer lies until it is whole."""
    return stages / f"{target.name}.new"


def keep(kept: Leftovers, stages: Path, written: Layer, target: Layer, *, shared: bool) -> None:
    """Make the layer; done again after a crash it ends as it would have.

    Args:
        kept: What goes into it.
        stages: The folder of all stages.
        written: Where that lies; nothing is mounted on it but by those who only read.
        target: The layer to make.
        shared: Others lie on what was written, so it must stay.

    Raises:
        OSError: The disk is full or refuses.
    """
    making = in_making(stages, target)
    with suppress(FileNotFoundError):
        (stages / target.name).rename(making)  # whole, but it was not said before the crash
    making.mkdir(exist_ok=True)
    with ExitStack() as opened:
        source, into = (
            Beneath(stages / written.name, shown_at=making),
            Beneath(making, shown_at=making),
        )
        opened.callback(source.close)
        opened.callback(into.close)
        maker = _Maker(source, into, shared=shared)
        for folder in sorted(kept.folders):
            maker.folder(folder)
        for path in (*kept.whole, *kept.there):
            maker.take(path)
        if target.kind == "overlay":
            for path in kept.gone:
                maker.white_out(path)
        else:
            stamps = dict.fromkeys(kept.gone, UNKNOWN)
            Manifest(stamps, dict(stamps)).write(stages / target.manifest)
        for folder, looks in sorted(kept.folders.items(), reverse=True):
            maker.dress(folder, looks)
        top = os.stat(stages / written.name)  # noqa: PTH116
    if os.geteuid() == 0:
        os.chown(making, top.st_uid, top.st_gid)
    making.chmod(stat.S_IMODE(top.st_mode))
    os.utime(making, ns=(top.st_atime_ns, top.st_mtime_ns))
    making.rename(stages / target.name)


@dataclass(slots=True)
class _Maker:
    """Fill a layer from what a stage wrote."""

    source: Beneath
    into: Beneath
    shared: bool

    def folder(self, path: str) -> None:
        above, name = os.path.split(path)
        with self.into.folder(above) as parent, suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=parent)

    def dress(self, path: str, looks: os.stat_result) -> None:
        fd = self.into.open_folder(path)
        try:
            _look_like(fd, looks)
        finally:
            os.close(fd)

    def take(self, path: str) -> None:
        """Move or link one name; what was moved before a crash is there already."""
        above, name = os.path.split(path)
        with suppress(FileNotFoundError), self.source.folder(above) as fd:
            found = os.stat(name, dir_fd=fd, follow_symlinks=False)
            with self.into.folder(above) as parent:
                if stat.S_ISDIR(found.st_mode) and self.into.lstat(path) is not None:
                    return  # made for what it holds
                if self.shared:
                    self._share(name, fd, parent, found)
                else:
                    os.rename(name, name, src_dir_fd=fd, dst_dir_fd=parent)

    def white_out(self, path: str) -> None:
        above, name = os.path.split(path)
        with self.into.folder(above) as parent, suppress(FileExistsError):
            os.mknod(name, stat.S_IFCHR, 0, dir_fd=parent)

    def _share(self, name: str, fd: int, parent: int, found: os.stat_result) -> None:
        if stat.S_ISDIR(found.st_mode):
            with suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=parent)
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            with ExitStack() as opened:
                inner = os.open(name, flags, dir_fd=fd)
                opened.callback(os.close, inner)
                target = os.open(name, flags, dir_fd=parent)
                opened.callback(os.close, target)
                for child in os.listdir(inner):  # noqa: PTH208 - of a descriptor
                    about = os.stat(child, dir_fd=inner, follow_symlinks=False)
                    self._share(child, inner, target, about)
                _look_like(target, found)
        elif _is_plain(found):
            with suppress(FileExistsError):
                os.link(name, name, src_dir_fd=fd, dst_dir_fd=parent, follow_symlinks=False)


def _look_like(fd: int, looks: os.stat_result) -> None:
    if os.geteuid() == 0:
        os.fchown(fd, looks.st_uid, looks.st_gid)
    os.fchmod(fd, stat.S_IMODE(looks.st_mode))
    os.utime(fd, ns=(looks.st_atime_ns, looks.st_mtime_ns))


def _is_plain(found: os.stat_result) -> bool:
    mode = found.st_mode
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)


def _is_folder(found: os.stat_result | None) -> bool:
    return found is not None and stat.S_ISDIR(found.st_mode)


def _is_above(folder: str, path: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _above(path: str) -> Iterator[str]:
    """Yield the folders above a path, the outermost first."""
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)
