"""Copies of more than the workspace: what other stages wrote is put over a copy of it.

An overlay shows layers by mounting them; a copy gets their differences, oldest first, and
remembers which layer has which path: that is what its own changes are compared with.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from turbo_tui.sandbox.staging.beneath import Beneath, open_regular, remove_at
from turbo_tui.sandbox.staging.caches import Caches
from turbo_tui.sandbox.staging.cloning import Cloner
from turbo_tui.sandbox.staging.copytree import read_copy
from turbo_tui.sandbox.staging.deltas import Delta
from turbo_tui.sandbox.staging.gitview import find_git, ignores_of
from turbo_tui.sandbox.staging.layers import Layer
from turbo_tui.sandbox.staging.manifest import Manifest, await_tick, digest_of, newest_ns
from turbo_tui.sandbox.staging.spares import Spares
from turbo_tui.sandbox.staging.upper import read_upper

BELOW = "below.json"


def fill_copy(
    workspace: Path,
    folder: Path,
    on: Sequence[Layer],
    spares: Spares,
    *,
    emptied: Collection[str] = (),
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Make `tree` in a stage's folder of the workspace and the layers over it.

    Args:
        workspace: Resolved.
        folder: The stage's; gets `tree` and its manifest.
        on: What the stage lies on, oldest first.
        spares: Copies that other stages are done with.
        emptied: Files that hold secrets: they are made without their content.
        stopped: Asked now and then; once true, the copying is given up.

    Raises:
        OSError: The disk is full, a layer is gone, or `stopped` (ECANCELED).
        ValueError: The manifest of a layer is not whole.
    """
    source = Beneath(workspace, shown_at=workspace)
    try:
        caches = Caches(source, ignores_of(source, find_git(workspace)))
        manifest = spares.fill(
            folder, source, emptied=emptied, leave_out=caches.why_not, stopped=stopped
        )
    finally:
        source.close()
    if on:
        owners: dict[str, int] = {}
        target = Beneath(folder / "tree", shown_at=workspace)
        try:
            for index, layer in enumerate(on):
                for path, there in _put_layer(layer, folder.parent, target, manifest, stopped):
                    owners[path] = index if there else -1
        finally:
            target.close()
        await_tick(folder / "tree", newest_ns(manifest.stamps.values()))
        (folder / BELOW).write_text(json.dumps(owners), encoding="ascii")
    manifest.write(folder / "manifest.json")


def put_upper(upper: Path, target: Path) -> None:
    """Put what an overlay stage wrote over a copy of what it lay on; no manifest hears of it.

    Raises:
        OSError: The disk is full, or something cannot be read.
    """
    written, copied = Beneath(upper, shown_at=upper), Beneath(target, shown_at=target)
    try:
        _Putting(written, copied).put(list(read_upper(written, copied, [])))
    finally:
        written.close()
        copied.close()


def _put_layer(
    layer: Layer,
    stages: Path,
    target: Beneath,
    manifest: Manifest,
    stopped: Callable[[], bool],
) -> list[tuple[str, bool]]:
    """Put one layer over the copy; return its paths, and whether something stands there now."""
    source = Beneath(stages / layer.name, shown_at=stages / layer.name)
    try:
        deltas = (
            read_upper(source, target, [])
            if layer.kind == "overlay"
            else read_copy(source, target, Manifest.load(stages / layer.manifest), [])
        )
        return _Putting(source, target, manifest, stopped).put(list(deltas))
    finally:
        source.close()


@dataclass(slots=True)
class _Putting:
    """Bring differences into a copy.

    Attributes:
        source: Where new contents lie.
        target: The copy.
        manifest: Told what the copy holds then; None for what counts as changed.
    """

    source: Beneath
    target: Beneath
    manifest: Manifest | None = None
    stopped: Callable[[], bool] = lambda: False
    _cloner: Cloner = field(default_factory=Cloner)
    _near: tuple[str, int, int] | None = None
    _root: bool = field(default_factory=lambda: os.geteuid() == 0)

    def put(self, deltas: Iterable[Delta]) -> list[tuple[str, bool]]:
        done: list[tuple[str, bool]] = []
        folders: list[tuple[str, os.stat_result]] = []
        try:
            for delta in deltas:
                if self.stopped():
                    raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))
                if delta.after is None:
                    self._remove(delta.path)
                elif not self._put_one(delta.path, delta.after):
                    continue
                elif stat.S_ISDIR(delta.after.st_mode):
                    folders.append((delta.path, delta.after))
                done.append((delta.path, delta.after is not None))
        finally:
            self._leave()
        for path, found in reversed(folders):  # inner first: filling a folder changes its times
            self._dress(path, found)
        return done

    def _remove(self, path: str) -> None:
        self._leave()  # it may lie below
        above, name = os.path.split(path)
        with (
            suppress(FileNotFoundError, NotADirectoryError),  # it went with what stood above
            self.target.folder(above) as into,
        ):
            remove_at(into, name)
        self._forget(path)

    def _put_one(self, path: str, found: os.stat_result) -> bool:
        """Put one name; return False for what is neither file, folder nor link."""
        above, name = os.path.split(path)
        into, source = self._enter(above)
        there = _lstat(name, into)
        if stat.S_ISDIR(found.st_mode):
            if there is None or not stat.S_ISDIR(there.st_mode):
                if there is not None:
                    remove_at(into, name)
                os.mkdir(name, 0o700, dir_fd=into)
            return True
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode)):
            return False
        if there is not None:
            remove_at(into, name)
        if stat.S_ISLNK(found.st_mode):
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=into)
        else:
            self._copy(name, source, into, found)
        if self._root:
            owner = (found.st_uid, found.st_gid)
            os.chown(name, *owner, dir_fd=into, follow_symlinks=False)
        if stat.S_ISREG(found.st_mode):  # last: chown takes special bits away
            os.chmod(name, stat.S_IMODE(found.st_mode), dir_fd=into)
        times = (found.st_atime_ns, found.st_mtime_ns)
        os.utime(name, ns=times, dir_fd=into, follow_symlinks=False)
        self._tell(path, name, into)
        return True

    def _enter(self, above: str) -> tuple[int, int]:
        """Open a folder on both sides; most names lie in the folder of the one before."""
        if self._near is None or self._near[0] != above:
            self._leave()
            into = self.target.open_folder(above)
            try:
                self._near = (above, into, self.source.open_folder(above))
            except BaseException:
                os.close(into)
                raise
        return self._near[1], self._near[2]

    def _leave(self) -> None:
        if self._near is not None:
            os.close(self._near[1])
            os.close(self._near[2])
            self._near = None

    def _copy(self, name: str, source: int, into: int, found: os.stat_result) -> None:
        content = open_regular(name, source)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            target = os.open(name, flags, 0o600, dir_fd=into)
            try:
                self._cloner.copy(content, target, found)
            finally:
                os.close(target)
        finally:
            os.close(content)

    def _dress(self, path: str, found: os.stat_result) -> None:
        fd = self.target.open_folder(path)
        try:
            if self._root:
                os.fchown(fd, found.st_uid, found.st_gid)
            os.utime(fd, ns=(found.st_atime_ns, found.st_mtime_ns))
            os.fchmod(fd, stat.S_IMODE(found.st_mode))
            if self.manifest is not None:
                self.manifest.put(path, os.fstat(fd))
        finally:
            os.close(fd)

    def _tell(self, path: str, name: str, into: int) -> None:
        manifest = self.manifest
        if manifest is None:
            return
        after = os.stat(name, dir_fd=into, follow_symlinks=False)
        manifest.put(path, after)
        if manifest.digests is not None and stat.S_ISREG(after.st_mode):
            manifest.digests[path] = digest_of(name, into)

    def _forget(self, path: str) -> None:
        if self.manifest is not None:
            self.manifest.drop(path)


def _lstat(name: str, folder: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


class LayeredBase:
    """What a copied stage lies on, where that is more than the workspace.

    Args:
        workspace: The lowest.
        layers: Those above it, oldest first.
        owners: Path -> index of the layer that has it, -1 where it was removed. All other paths
            are the workspace's.
    """

    def __init__(
        self, workspace: Beneath, layers: Sequence[Beneath], owners: Mapping[str, int]
    ) -> None:
        self._workspace = workspace
        self._layers = layers
        self._owners = owners

    def lstat(self, path: str) -> os.stat_result | None:
        """Describe what stands at a path; None when nothing does."""
        owner = self._owner(path)
        return None if owner is None else owner.lstat(path)

    def open_file(self, path: str) -> int:
        """Open a regular file for reading."""
        return self._there(path).open_file(path)

    def read_link(self, path: str) -> str:
        """Return where a link points."""
        return self._there(path).read_link(path)

    def _owner(self, path: str) -> Beneath | None:
        index = self._owners.get(path)
        if index is None:
            return self._workspace
        return None if index < 0 else self._layers[index]

    def _there(self, path: str) -> Beneath:
        owner = self._owner(path)
        if owner is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return owner


def load_owners(file: Path) -> dict[str, int]:
    """Read which layer has which path.

    Raises:
        OSError, ValueError: It is not there, or not whole.
    """
    value: object = json.loads(file.read_bytes())
    if not isinstance(value, dict):
        raise ValueError("it does not say which layer has what")  # noqa: TRY004 - not whole
    owners = cast("dict[str, object]", value)
    if not all(isinstance(index, int) for index in owners.values()):
        raise ValueError("it does not say which layer has what")
    return cast("dict[str, int]", owners)
