"""The index on disk, as the worker sees it: kept by a helper process, never waited for by a query.

A store that cannot be read is made anew; one that cannot be written is done without until it can.
Either way `note` says so, and the index in memory goes on.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import cast

from turbo_tui.knowledge.indexing.digest import PARTS, Digest, unpacked
from turbo_tui.knowledge.indexing.gathered import Gathered
from turbo_tui.knowledge.indexing.gathered import unpacked as all_of
from turbo_tui.knowledge.indexing.tree import SourceFile, Stamp
from turbo_tui.knowledge.storing import snapshot
from turbo_tui.knowledge.storing.family import clone_of, join
from turbo_tui.knowledge.storing.frames import Head
from turbo_tui.knowledge.storing.store_process import (
    READING,
    WRITING,
    Limits,
    RequestFailedError,
    StoreProcess,
    Why,
)

AGAIN_S = 60.0  # between looks at whether there is room again
ROOM_BYTES = 16_000_000  # a disk with less is full still
MOST_ENDED = 3  # times that the process ended in a row at the same request
OTHER_VERSION = "The index was made by another version of turbo-tui; it was built anew."
BROKEN = "The index on disk could not be read; it was built anew."
FULL = "The disk is full: the index is kept in memory alone until there is room."
UNWRITABLE = "The index cannot be kept on disk ({why}); it is kept in memory alone."
SNAPSHOT_S = 20.0  # without anything to write, after which a snapshot is taken
FEW_FILES = 200  # are read as quickly as a snapshot of them
AGED = 0.05  # of the files, from which on a snapshot is taken anew
TAKEN = "Another search worker keeps this index on disk; this one keeps its own in memory."


_WHY: dict[Why, str] = {
    "broken": "writing failed",
    "ended": "the process that writes it ends each time",
    "full": "the disk is full",
    "hung": "the process that writes it does not answer",
    "version": "another version wrote there",
}


class Store:
    """Contents by key, and the newest content of each file, as they were acknowledged.

    Attributes:
        note: What the user should know, or nothing.
        files: Path -> stamp and key, as on disk.
        keys: Contents on disk.
        behind: Whether it lacks what it was given, or had: until `recover`, and that is put again.
    """

    def __init__(self, folder: Path, version: str, family: str = "") -> None:
        """Begin with nothing.

        Args:
            folder: Where it lies, beside those of other workspaces.
            version: Of all that is in it.
            family: What clones of one repository have in common; nothing for none.
        """
        self.note = ""
        self.files: dict[str, tuple[Stamp, str]] = {}
        self.keys: set[str] = set()
        self.behind = False
        self._folder = folder
        self._version = version
        self._family = family
        self._process = StoreProcess(folder, version)
        self._lock = -1
        self._off = True
        self._again_at = 0.0
        self._ended = 0  # times in a row
        self._reads_at = 0.0  # when it hung: from then on it is asked again
        self._was_rebuilt = False
        self._given: dict[str, tuple[Stamp, str]] | None = {}  # by a snapshot, until compared
        self._put_at = 0.0
        self._unsnapped = 0  # files that the tables have otherwise

    @property
    def exists(self) -> bool:
        """Whether anything lies on disk, of this workspace or of a clone."""
        own = any((self._folder / name).exists() for name in ("tables", snapshot.NAME))
        return own or clone_of(self._folder, self._family, self._version) is not None

    @property
    def lost(self) -> bool:
        """Whether its folder was taken away: what was acknowledged is not there any more."""
        if self._lock < 0:
            return False
        try:
            found = (self._folder / "lock").stat()
        except OSError:
            return True
        return not os.path.samestat(found, os.fstat(self._lock))

    @property
    def usable(self) -> bool:
        """Whether it makes sense to write."""
        return not self._off

    @property
    def _is_read(self) -> bool:
        return self.usable and time.monotonic() >= self._reads_at

    def has(self, file: SourceFile, key: str) -> bool:
        """Tell whether a file and the content that it has are on disk."""
        return key in self.keys and self.files.get(file.path) == (file.stamp, key)

    def open(self) -> None:
        """Learn what lies on disk; make it anew where that is of no use."""
        self._open(WRITING)  # the helper of a worker that was killed may be at its last request

    def _open(self, limits: Limits) -> None:
        if not self._own():
            return
        note, tries = "", 2
        while True:
            try:
                if note:
                    self._process.ask({"do": "wipe"})
                answer = self._process.ask({"do": "open", "version": self._version}, (), limits)
            except RequestFailedError as error:
                tries -= 1
                if error.why == "ended" and tries:
                    continue  # killed, for want of memory say: what it keeps may well be whole
                if error.why in {"full", "hung"} or note:
                    self._give_up(FULL if error.why == "full" else _unwritable(error))
                    return
                note = self.note = OTHER_VERSION if error.why == "version" else BROKEN
                tries = 2
                self._process.restart()
            else:
                rows = cast("list[tuple[str, int, int, int, str]]", answer["files"])
                self.files = {path: ((at, size, node), key) for path, at, size, node, key in rows}
                self.keys = set(cast("list[str]", answer["keys"]))
                self._off = False
                self._put_at = time.monotonic()
                self._join_family()
                return

    def recover(self, *, at_once: bool = False) -> bool:
        """Tell whether it is of use, after a while once more where it was not.

        Args:
            at_once: Do not wait for that while.
        """
        now = time.monotonic()
        if not self._off or (now < self._again_at and not at_once):
            return not self._off
        self._again_at = now + AGAIN_S
        if self._lock < 0 or self._has_room():
            self.note = ""
            self._open(READING)
        return not self._off

    def _has_room(self) -> bool:
        """Find out by trying: what is free, and what is ours of it, are two things."""
        trial = self._folder / "trial"
        try:
            with trial.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, ROOM_BYTES)
        except OSError:
            return False
        finally:
            with suppress(OSError):
                trial.unlink()
        return True

    def _join_family(self) -> None:
        """Begin with what a clone knows; what it has not is read from the files."""
        clone = None if self.keys else clone_of(self._folder, self._family, self._version)
        if clone is not None:
            with suppress(RequestFailedError):
                answer = self._process.ask({"do": "borrow", "folder": os.fspath(clone)})
                self.keys = set(cast("list[str]", answer["keys"]))
        join(self._folder, self._family)

    def snapshot(self) -> Generator[tuple[list[snapshot.Row], Gathered], None, None]:
        """Yield what the last one knows, without waiting for the tables; once, as it begins."""
        for rows, gathered in snapshot.read(self._folder, self._version):
            if self._given is not None:
                self._given.update({path: (stamp, key) for path, stamp, key in rows})
            yield rows, gathered

    def compare(self, files: Iterable[tuple[SourceFile, str]]) -> None:
        """Take note whether it lacks any of these files with their keys: then it is `behind`."""
        self.behind = self.behind or not all(self.has(file, key) for file, key in files)

    def gather(
        self, files: Sequence[tuple[str, str]]
    ) -> Generator[tuple[list[int], Gathered], None, None]:
        """Yield files brought together: which of the given, by path and key, and what is known.

        Where that fails `get` tells why.
        """
        if not files or not self._is_read:
            return
        asked = self._process.follow({"do": "gather", "files": list(files)}, until="files")
        try:
            with closing(asked) as answers:
                for head, parts in answers:
                    yield cast("list[int]", head["files"]), all_of(parts)
        except RequestFailedError as error:
            if error.why == "hung":
                self._not_read(error)
        except (ValueError, KeyError, TypeError):
            return

    def get(self, keys: Sequence[str]) -> Generator[tuple[str, Digest], None, None]:
        """Yield the digests that are there; the rest is for the files to tell."""
        if not keys or not self._is_read:
            return
        asked = self._process.follow({"do": "get", "keys": list(keys)}, until="keys")
        try:
            with closing(asked) as answers:
                for head, parts in answers:
                    for at, key in enumerate(cast("list[str]", head["keys"])):
                        yield key, unpacked(parts[at * PARTS : (at + 1) * PARTS])
        except RequestFailedError as error:
            self._not_read(error)
        except (ValueError, KeyError, TypeError):
            self._rebuild(RequestFailedError("broken"))

    def put(
        self,
        contents: Sequence[tuple[str, Sequence[bytes]]],
        files: Sequence[tuple[SourceFile, str]],
        gone: Sequence[str] = (),
    ) -> bool:
        """Keep contents and what files hold them; tell whether they are on disk.

        Args:
            contents: Key and packed digest; those that are there already are passed over.
            files: Files with the key of their content.
            gone: Paths of files that are no more.
        """
        if not self.usable:
            self.behind = True
            return False
        fresh = {key: parts for key, parts in contents if key not in self.keys}
        rows = [(file.path, *file.stamp, key) for file, key in files]
        rows += [(path, 0, 0, 0, "") for path in gone]
        request: Head = {"do": "put", "keys": list(fresh), "rows": rows}
        try:
            self._process.ask(request, [part for parts in fresh.values() for part in parts])
        except RequestFailedError as error:
            self._failed(error)
            return False
        self._ended = 0
        self.keys.update(fresh)
        self.files.update({file.path: (file.stamp, key) for file, key in files})
        for path in gone:
            self.files.pop(path, None)
        self._unsnapped += len(rows)
        self._put_at = time.monotonic()
        return True

    def put_vectors(self, model: str, rows: Sequence[tuple[str, str, bytes]]) -> bool:
        """Keep the vectors of files: path, key of the content, bytes; tell whether it worked."""
        if not rows or not self.usable:
            return False
        places = [(path, key) for path, key, _ in rows]
        request: Head = {"do": "put_vectors", "model": model, "places": places}
        try:
            self._process.ask(request, [each[2] for each in rows])
        except RequestFailedError as error:
            self._failed(error)
            return False
        return True

    def vectors(self, model: str) -> Generator[tuple[str, str, bytes], None, None]:
        """Yield the vectors of a model: path, key of the content, bytes."""
        if not self._is_read:
            return
        asked = self._process.follow({"do": "get_vectors", "model": model}, until="places")
        try:
            with closing(asked) as answers:
                for head, parts in answers:
                    places = cast("list[tuple[str, str]]", head["places"])
                    for (path, key), rows in zip(places, parts, strict=True):
                        yield path, key, rows
        except RequestFailedError as error:
            self._not_read(error)

    def rest(self) -> None:
        """End the helper when it had nothing to do for a while."""
        self._process.rest()

    def take_snapshot(self) -> None:
        """Have one taken, where much differs from the last and nothing was written for a while.

        Whoever writes asks for it, not whoever looks after the files: it takes seconds.
        """
        if not self.usable or time.monotonic() < self._put_at + SNAPSHOT_S:
            return
        if self._given is not None:
            given, self._given = self._given, None
            self._unsnapped = sum(given.get(path) != row for path, row in list(self.files.items()))
        aged = self._unsnapped > AGED * len(self.files) and len(self.files) >= FEW_FILES
        if aged:
            self._unsnapped = 0  # where it fails, the old one or none does as well
            with suppress(RequestFailedError):
                self._process.ask({"do": "snapshot", "version": self._version})

    def abandon(self) -> None:
        """End the helper for good, whatever it does and whoever waits for it."""
        self._process.abandon()

    def close(self) -> None:
        """End the helper and leave the store to others."""
        self._process.restart()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _own(self) -> bool:
        """Take the store for ourselves; another version's worker may have it."""
        if self._lock >= 0:
            return True
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            full = error.errno in {errno.ENOSPC, errno.EDQUOT}
            self._give_up(FULL if full else UNWRITABLE.format(why=error.strerror))
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            self._give_up(TAKEN)
            return False
        self._lock = lock
        return True

    def _failed(self, error: RequestFailedError) -> None:
        """Draw the conclusion from a request to write that was not done."""
        self._ended += 1
        if error.why == "full":
            self._give_up(FULL)
        elif error.why not in {"ended", "hung"}:
            self._rebuild(error)
        elif error.why == "hung" or self._ended >= MOST_ENDED:
            self._give_up(_unwritable(error))

    def _not_read(self, error: RequestFailedError) -> None:
        """Draw the conclusion from a request to read that was not done: the files are read."""
        if error.why == "hung":
            self._reads_at = time.monotonic() + AGAIN_S
        elif error.why != "ended":
            self._rebuild(error)

    def _rebuild(self, error: RequestFailedError) -> None:
        """Begin anew, once: what is damaged now was whole, or was not looked at, when it opened."""
        self.files, self.keys, self.behind = {}, set(), True
        again, self._was_rebuilt = self._was_rebuilt, True
        try:
            if again or error.why != "broken":
                raise error
            self._process.ask({"do": "wipe"})
            self._process.ask({"do": "open", "version": self._version})
        except RequestFailedError as failed:
            self._give_up(FULL if failed.why == "full" else _unwritable(failed))
        else:
            self.note = BROKEN

    def _give_up(self, note: str) -> None:
        """Do without the disk, for a while."""
        self.note = note
        self._off = self.behind = True
        self._ended = 0
        self._again_at = time.monotonic() + AGAIN_S
        self._process.restart()


def _unwritable(error: RequestFailedError) -> str:
    return UNWRITABLE.format(why=_WHY[error.why])
