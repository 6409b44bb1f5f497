"""What a copy of the workspace held when it was made: the measure of what a step changed.

A file's ctime cannot be set by a command, so a file of the copy whose stat is as it was then was
not written since. One exception is tried out, not assumed: see `mapped_writes_show`.
"""

from __future__ import annotations

import array
import hashlib
import json
import mmap
import os
import secrets
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict, cast

from turbo_tui.sandbox.staging.beneath import open_regular

FORMAT = 2
TICK_S = 2.5  # the coarsest clock that stamps files, with some room
_HEAD_LIMIT = 1 << 16  # bytes read at first for the head; it is longer when much was left out
_INODE = (1 << 63) - 1  # inode numbers have 64 bits without a sign, and fit in a signed field so
_WIDTH = 5

Stamp = tuple[int, int, int, int, int]  # mtime_ns, size, inode, ctime_ns, mode
UNKNOWN: Stamp = (0, 0, 0, 0, 0)  # no file looks so: what has it is copied anew next time


class _Head(TypedDict):
    """The first line of a manifest's file."""

    format: int
    order: str
    files: int
    paths: int
    left_out: dict[str, str]
    emptied: list[str]
    digests: dict[str, str] | None


@dataclass(slots=True)
class Manifest:
    """What was copied.

    Attributes:
        stamps: Every copied path with its stat in the copy, folders included.
        origins: The same paths with the stat of what they were copied from.
        left_out: `path: why` of what could not be copied; it is in neither tree's changes.
        emptied: Files that hold secrets: they stand in the copy without their content.
        digests: Hash of each file's content, where stamps do not show every write; else None.
    """

    stamps: dict[str, Stamp] = field(default_factory=dict[str, Stamp])
    origins: dict[str, Stamp] = field(default_factory=dict[str, Stamp])
    left_out: dict[str, str] = field(default_factory=dict[str, str])
    emptied: frozenset[str] = frozenset()
    digests: dict[str, str] | None = None

    def held(self, path: str) -> bool:
        """Say whether the copy had what stood at `path` in the workspace, whole."""
        return path in self.stamps and path not in self.emptied

    def put(self, path: str, found: os.stat_result) -> None:
        """Say that what stands at `path` in the copy came from elsewhere than its source."""
        self.stamps[path] = stamp(found)
        self.origins[path] = UNKNOWN
        self.emptied -= {path}
        if self.digests is not None:
            self.digests.pop(path, None)

    def drop(self, path: str) -> None:
        """Say that nothing stands at `path` in the copy, on purpose."""
        self.stamps.pop(path, None)
        self.origins.pop(path, None)
        self.emptied -= {path}

    def write(self, file: Path) -> None:
        """Keep it on disk, for a stage that is taken up again.

        One line of JSON, the paths, then all numbers: 50,000 files take some 20 ms to read.
        """
        paths = os.fsencode("\0".join(self.stamps))
        head: _Head = {
            "format": FORMAT,
            "order": sys.byteorder,
            "files": len(self.stamps),
            "paths": len(paths),
            "left_out": self.left_out,
            "emptied": sorted(self.emptied),
            "digests": self.digests,
        }
        numbers = array.array("q")
        for stamps in (self.stamps.values(), map(self._origin, self.stamps)):
            for stamp_ in stamps:
                numbers.extend(stamp_)
        with file.open("wb") as out:
            out.write(json.dumps(head).encode("ascii") + b"\n" + paths)
            numbers.tofile(out)

    @classmethod
    def load(cls, file: Path) -> Manifest:
        """Read what `write` wrote.

        Raises:
            OSError, ValueError: It is not there, or not whole.
        """
        data = memoryview(file.read_bytes())
        line = bytes(data[:_HEAD_LIMIT]).partition(b"\n")[0]
        if len(line) == _HEAD_LIMIT:
            line = bytes(data).partition(b"\n")[0]
        value: object = json.loads(line)
        if not isinstance(value, dict) or not _Head.__required_keys__ <= value.keys():
            raise ValueError("no manifest")
        head = cast("_Head", cast("object", value))
        if head["format"] != FORMAT:
            raise ValueError("a manifest of another version")
        files, length = head["files"], head["paths"]
        start = len(line) + 1
        if head["order"] != sys.byteorder or len(data) != start + length + 2 * _WIDTH * 8 * files:
            raise ValueError("the manifest is not whole")
        paths = os.fsdecode(bytes(data[start : start + length])).split("\0") if files else []
        numbers = array.array("q")
        numbers.frombytes(data[start + length :])
        both = cast("list[Stamp]", list(zip(*[iter(numbers)] * _WIDTH, strict=True)))
        if len(paths) != files:
            raise ValueError("the manifest is not whole")
        return cls(
            dict(zip(paths, both[:files], strict=True)),
            dict(zip(paths, both[files:], strict=True)),
            head["left_out"],
            frozenset(head["emptied"]),
            head["digests"],
        )

    def _origin(self, path: str) -> Stamp:
        return self.origins.get(path, UNKNOWN)


def stamp(found: os.stat_result) -> Stamp:
    """Reduce a stat to what tells whether a file was written since."""
    return (
        found.st_mtime_ns,
        found.st_size,
        found.st_ino & _INODE,
        found.st_ctime_ns,
        found.st_mode,
    )


def digest_of(name: str, parent: int) -> str:
    """Hash a file of a copy."""
    with os.fdopen(open_regular(name, parent), "rb") as file:
        return hashlib.file_digest(file, _hash).hexdigest()


def _hash() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=16)


def await_tick(folder: Path, newest_ns: int) -> None:
    """Wait until a write gets a later ctime than every copied file: some 4 ms, rarely more.

    Within one tick a command's write would leave the stamp as it was.
    """
    limit = time.monotonic() + TICK_S
    while time.monotonic() < limit:
        folder.chmod(0o700)
        if folder.stat().st_ctime_ns > newest_ns:
            return
        time.sleep(0.001)


def newest_ns(stamps: Iterable[Stamp]) -> int:
    """Return the latest ctime among stamps; 0 without any."""
    return max((each[3] for each in stamps), default=0)


def mapped_writes_show(folder: Path) -> bool:
    """Try whether a write to a mapped file moves its ctime here.

    tmpfs maps a page that was read for writing at once, so that the write itself goes unseen
    (Linux, mm/memory.c `vma_wants_writenotify`): there, contents are compared by their hash.
    """
    probe = folder / f".turbo-tui-{secrets.token_hex(8)}"
    fd = os.open(probe, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, b"read")
        before = os.fstat(fd).st_ctime_ns
        await_tick(folder, before)
        with mmap.mmap(fd, 4) as mapped:
            first = mapped[0]
            mapped[0] = first ^ 1
        return os.fstat(fd).st_ctime_ns != before
    except (OSError, ValueError):
        return True  # what cannot be mapped cannot be written so
    finally:
        os.close(fd)
        with suppress(FileNotFoundError):
            probe.unlink()
