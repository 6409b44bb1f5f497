"""The index on disk, as the worker sees it: kept by a helper process, never waited for by a query.

A store that cannot be used is made anew; one that cannot be written is done without. Either way
`note` says so, and the index in memory goes on.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import BinaryIO, cast

from turbo_tui.knowledge.digest import PARTS, Digest, unpacked
from turbo_tui.knowledge.frames import Head, Parts, receive, send
from turbo_tui.knowledge.tree import SourceFile, Stamp
from turbo_tui.languages.source_files import regular_bytes

COMMAND = (sys.executable, "-I", "-m", "turbo_tui.knowledge.storing")
FAMILY_FILE = "family"
VERSION_FILE = "version.json"
LARGEST_CONFIG_BYTES = 1_000_000
IDLE_S = 30.0  # the helper holds 150 MB; nobody needs it while nothing changes
AGAIN_S = 60.0  # after a full disk
OTHER_VERSION = "The index was made by another version of turbo-tui; it was built anew."
BROKEN = "The index on disk could not be read; it was built anew."
FULL = "The disk is full: the index is kept in memory alone, and built anew next time."
UNWRITABLE = "The index cannot be kept on disk ({why}); it is built anew next time."
_ORIGIN = re.compile(r'\[remote "origin"\][^\[]*?^\s*url\s*=\s*(\S+)', re.MULTILINE)
TAKEN = "Another search worker keeps this index on disk; this one keeps its own in memory."


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
        url = _ORIGIN.search(_said_in(git / "config"))
        name = url[1] if url else os.fspath(git.resolve())
    except (OSError, ValueError):  # a path with a NUL in it is a ValueError
        return ""
    return hashlib.blake2b(os.fsencode(name), digest_size=16).hexdigest()


def _said_in(file: Path) -> str:
    content = regular_bytes(file, LARGEST_CONFIG_BYTES)
    if content is None:
        raise FileNotFoundError(file)
    return os.fsdecode(content)


class _FailedError(Exception):
    """A request was not done; its argument says why: version, full, broken, ended."""


class Store:
    """Contents by key, and the newest content of each file, as they were acknowledged.

    Attributes:
        note: What the user should know, or nothing.
        files: Path -> stamp and key, as on disk.
        keys: Contents on disk.
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
        self._folder = folder
        self._version = version
        self._family = family
        self._turn = Lock()
        self._helper: subprocess.Popen[bytes] | None = None
        self._lock = -1
        self._used = 0.0
        self._off_until = 0.0

    @property
    def exists(self) -> bool:
        """Whether anything lies on disk, of this workspace or of a clone."""
        return (self._folder / "tables").exists() or self._clone() is not None

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
        return self._lock >= 0 and time.monotonic() >= self._off_until

    def open(self) -> None:
        """Learn what lies on disk; make it anew where that is of no use."""
        if not self._own():
            return
        for why in ("", BROKEN):
            try:
                if why:
                    self._ask({"do": "wipe"})
                answer, _ = self._ask({"do": "open", "version": self._version})
            except _FailedError as error:
                if error.args[0] == "full":
                    self._give_up(FULL)
                    return
                self.note = OTHER_VERSION if error.args[0] == "version" else BROKEN
                self._end()
            else:
                rows = cast("list[tuple[str, int, int, int, str]]", answer["files"])
                self.files = {path: ((at, size, node), key) for path, at, size, node, key in rows}
                self.keys = set(cast("list[str]", answer["keys"]))
                self._join_family()
                return
        self._give_up(UNWRITABLE.format(why="it could not be made"))

    def _join_family(self) -> None:
        """Begin with what a clone knows; what it has not is read from the files."""
        clone = None if self.keys else self._clone()
        if clone is not None:
            with suppress(_FailedError):
                answer, _ = self._ask({"do": "borrow", "folder": os.fspath(clone)})
                self.keys = set(cast("list[str]", answer["keys"]))
        if self._family:
            with suppress(OSError):
                (self._folder / FAMILY_FILE).write_text(self._family, encoding="ascii")

    def _clone(self) -> Path | None:
        """Return the store of another clone that this version made, the newest."""
        found: list[tuple[float, Path]] = []
        for file in self._folder.parent.glob(f"*/{FAMILY_FILE}") if self._family else ():
            with suppress(OSError, ValueError):
                said = (file.parent / VERSION_FILE).read_text(encoding="ascii")
                same = file.read_text(encoding="ascii") == self._family
                if same and json.loads(said) == self._version and file.parent != self._folder:
                    found.append((file.stat().st_mtime, file.parent))
        return max(found)[1] if found else None

    def get(self, keys: Sequence[str]) -> Generator[tuple[str, Digest], None, None]:
        """Yield the digests that are there; what is damaged is passed over."""
        if not keys or not self.usable:
            return
        with self._turn:
            try:
                self._send({"do": "get", "keys": list(keys)})
                while True:
                    head, parts = self._receive()
                    found = cast("list[str]", head["keys"])
                    if not found:
                        return
                    for at, key in enumerate(found):
                        with suppress(ValueError, KeyError, TypeError):
                            yield key, unpacked(parts[at * PARTS : (at + 1) * PARTS])
            except GeneratorExit:
                self._end()  # the rest of its answer is for nobody
                raise
            except _FailedError:
                self.note = BROKEN
                self._end()

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
            return False
        fresh = {key: parts for key, parts in contents if key not in self.keys}
        rows = [(file.path, *file.stamp, key) for file, key in files]
        rows += [(path, 0, 0, 0, "") for path in gone]
        request: Head = {"do": "put", "keys": list(fresh), "rows": rows}
        try:
            self._ask(request, [part for parts in fresh.values() for part in parts])
        except _FailedError as error:
            if error.args[0] == "full":
                self._give_up(FULL)
            elif error.args[0] != "ended":
                self._give_up(UNWRITABLE.format(why="writing failed"))
            return False
        if self.note in {FULL, UNWRITABLE.format(why="writing failed")}:
            self.note = ""
        self.keys.update(fresh)
        self.files.update({file.path: (file.stamp, key) for file, key in files})
        for path in gone:
            self.files.pop(path, None)
        return True

    def put_vectors(self, model: str, rows: Sequence[tuple[str, str, bytes]]) -> bool:
        """Keep the vectors of files: path, key of the content, bytes; tell whether it worked."""
        if not rows or not self.usable:
            return False
        places = [(path, key) for path, key, _ in rows]
        try:
            self._ask(
                {"do": "put_vectors", "model": model, "places": places}, [each[2] for each in rows]
            )
        except _FailedError:
            return False
        return True

    def vectors(self, model: str) -> Generator[tuple[str, str, bytes], None, None]:
        """Yield the vectors of a model: path, key of the content, bytes."""
        if not self.usable:
            return
        with self._turn:
            try:
                self._send({"do": "get_vectors", "model": model})
                while True:
                    head, parts = self._receive()
                    places = cast("list[tuple[str, str]]", head["places"])
                    if not places:
                        return
                    for (path, key), rows in zip(places, parts, strict=True):
                        yield path, key, rows
            except GeneratorExit:
                self._end()
                raise
            except _FailedError:
                self._end()

    def rest(self) -> None:
        """End the helper when it had nothing to do for a while."""
        with self._turn:
            if self._helper is not None and time.monotonic() - self._used > IDLE_S:
                self._end()

    def close(self) -> None:
        """End the helper and leave the store to others."""
        with self._turn:
            self._end()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _own(self) -> bool:
        """Take the store for ourselves; another version's worker may have it."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            self.note = UNWRITABLE.format(why=error.strerror or "no reason given")
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            self.note = TAKEN
            return False
        self._lock = lock
        return True

    def _give_up(self, note: str) -> None:
        self.note = note
        self._off_until = time.monotonic() + AGAIN_S
        with self._turn:
            self._end()

    def _ask(self, head: Head, parts: Parts = ()) -> tuple[Head, list[bytes]]:
        with self._turn:
            self._send(head, parts)
            return self._receive()

    def _send(self, head: Head, parts: Parts = ()) -> None:
        if self._helper is None:
            self._helper = subprocess.Popen(
                (*COMMAND, os.fspath(self._folder)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            if head["do"] not in {"open", "wipe"}:  # the one before rested, or was killed
                self._send({"do": "open", "version": self._version})
                self._receive()
        self._used = time.monotonic()
        out = cast("BinaryIO | None", self._helper.stdin)
        try:
            if out is not None:
                send(out, head, parts)
        except OSError as error:
            self._end()
            raise _FailedError("ended") from error

    def _receive(self) -> tuple[Head, list[bytes]]:
        helper = self._helper
        try:
            if helper is None or helper.stdout is None:
                raise _FailedError("ended")
            head, parts = receive(cast("BinaryIO", helper.stdout))
        except (OSError, EOFError, ValueError) as error:
            self._end()
            raise _FailedError("ended") from error
        if "error" in head:
            raise _FailedError(head["error"])
        self._used = time.monotonic()
        return head, parts

    def _end(self) -> None:
        helper, self._helper = self._helper, None
        if helper is not None:
            helper.kill()
            with suppress(OSError):
                helper.communicate()
