"""Copies of the workspace that no stage needs any more, kept for the next one.

state/spares/WORKSPACE/SLOT/   mode 0700
    tree/      as a step left it: nothing in it is believed
    manifest   what it held when it was copied; put there last: without it, nothing

Whoever renames a slot into a stage's folder has it; a crash from there on leaves a stage without
its last file, which is none. A spare is of use only on the boot it was made in: what a power cut
leaves of a file may not be what its stat says.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from turbo_tui.sandbox.staging.beneath import Beneath, remove_tree
from turbo_tui.sandbox.staging.caches import LeaveOut
from turbo_tui.sandbox.staging.copytree import copy_tree
from turbo_tui.sandbox.staging.manifest import Manifest

TIGHT_BYTES = 1 << 30  # with less left on the disk nothing lies idle
SLOTS = 2  # copies of a workspace that may lie idle: steps that run ahead use several at once
OLD_S = 7 * 24 * 3600.0
TREE, MANIFEST = "tree", "manifest"
UNFIT = "unfit"  # beside a tree: what ran in it may still
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Spares:
    """The spare copies of one workspace.

    Args:
        folder: Those of all workspaces; made when the first is kept.
        workspace: Resolved.
        slots: Most to keep. With 0, none is kept nor used, nor ever will be what is made here: a
            process that is in no pid namespace may outlive its command and write to it.
    """

    def __init__(self, folder: Path, workspace: Path, *, slots: int = SLOTS) -> None:
        self._all = folder
        self._slots = slots
        # One made on another boot is not found again, and deleted when it is old.
        name = f"{_boot()}\0{os.fspath(workspace)}"
        self._mine = folder / hashlib.sha256(os.fsencode(name)).hexdigest()[:32]

    def keep(self, tree: Path, manifest: Path) -> bool:
        """Take over a copied tree that no stage needs; False when it is still there to delete.

        No process may live that can write in it.
        """
        try:
            if not self._is_fit(tree, manifest):
                return False
            slot = self._free_slot()
            if slot is None:
                return False
            tree.chmod(0o700)  # a folder that its owner cannot write is not moved elsewhere
            tree.rename(slot / TREE)
            manifest.rename(slot / MANIFEST)
        except OSError:  # the disk is full, or another process took the half of it: not ours to use
            return False
        return True

    def bar(self, folder: Path) -> None:
        """Mark a stage's folder, before anything runs in it, when its copy is not to be kept.

        Raises:
            OSError: The disk is full or refuses.
        """
        if not self._slots:
            (folder / UNFIT).touch()

    def fill(
        self,
        folder: Path,
        source: Beneath,
        *,
        emptied: Collection[str] = (),
        leave_out: LeaveOut | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Manifest:
        """Make `tree` in a stage's folder: a copy of the workspace, as `copy_tree` does.

        Raises:
            OSError: As `copy_tree`.
        """
        self.prune()
        tree, spare = folder / TREE, folder / "spare"
        copy = partial(copy_tree, source, tree, emptied=emptied, leave_out=leave_out)
        self.bar(folder)
        if self._take(spare):
            try:
                was = Manifest.load(spare / MANIFEST)
                (spare / TREE).rename(tree)
                return copy(was=was, stopped=stopped)
            except (OSError, ValueError) as error:
                if isinstance(error, OSError) and error.errno == errno.ECANCELED:
                    raise
                _empty(tree)  # a step left what cannot be mended: make it anew
            finally:
                remove_tree(spare)
        tree.mkdir(exist_ok=True)
        try:
            return copy(stopped=stopped)
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT} or not self._all.is_dir():
                raise
        self.prune(room_bytes=sys.maxsize)
        _empty(tree)
        return copy(stopped=stopped)

    def prune(self, *, room_bytes: int = TIGHT_BYTES) -> None:
        """Delete what is old; and all, when the disk has less than `room_bytes` free."""
        with suppress(OSError):  # others prune and take at the same time; the next time is as good
            tight = shutil.disk_usage(self._all).free < room_bytes
            for slot in self._all.glob("*/*"):
                if tight or time.time() - slot.stat().st_mtime > OLD_S:
                    # Nobody can take it from here on, half deleted.
                    doomed = slot.with_name(f"gone-{secrets.token_hex(8)}")
                    slot.rename(doomed)
                    remove_tree(doomed)
        with suppress(OSError):
            for workspace in self._all.iterdir():
                with suppress(OSError):
                    workspace.rmdir()

    def _is_fit(self, tree: Path, manifest: Path) -> bool:
        return (
            bool(self._slots)
            and manifest.is_file()
            and _is_folder(tree)
            and not (tree.parent / UNFIT).exists()
            and shutil.disk_usage(tree.parent).free >= TIGHT_BYTES
        )

    def _take(self, target: Path) -> bool:
        for slot in self._numbered():
            with suppress(OSError):
                slot.rename(target)
                return True
        return False

    def _free_slot(self) -> Path | None:
        self._mine.mkdir(mode=0o700, parents=True, exist_ok=True)
        for slot in self._numbered():
            with suppress(FileExistsError):
                slot.mkdir(mode=0o700)
                return slot
        return None

    def _numbered(self) -> Iterator[Path]:
        return (self._mine / str(number) for number in range(self._slots))


def _empty(tree: Path) -> None:
    remove_tree(tree)
    tree.mkdir()


def _is_folder(path: Path) -> bool:
    """Also refuse a link: what was meant for the copy would happen where it leads."""
    return stat.S_ISDIR(path.lstat().st_mode)


def _boot() -> str:
    try:
        return _BOOT.read_text("ascii").strip()
    except OSError:
        return ""
