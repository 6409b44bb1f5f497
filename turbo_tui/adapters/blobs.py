"""Content by its sha256, on disk: `STATE/blobs/ab/cdef…`, folders 0700, files 0600.

A blob appears whole or not at all (temporary file, fsync, rename), so any number of
processes may write the same store at once.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import tempfile
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from turbo_tui.core.errors import SessionError

CHUNK_BYTES = 1 << 20
FICLONE = 0x40049409  # linux/fs.h: share the blocks where the file system can

MANY = 32  # from here one sync of the file system is cheaper than one of each file

_HASH = re.compile(r"[0-9a-f]{64}")
_NO_SHARING = {errno.EXDEV, errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.ENOSYS}


class _Batch(threading.local):
    """What this thread wrote together and did not name yet; None outside of `together`."""

    pending: dict[str, Path] | None = None


class FolderBlobs:
    """A content-addressed store in a folder, which is made when first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._batch = _Batch()

    @contextmanager
    def together(self) -> Generator[None]:
        """Keep all that this thread puts within as one: synced once, at the end.

        Until then only this thread finds it, and a crash leaves nothing of it behind by name.

        Raises:
            SessionError: The disk refuses; nothing that was put is kept.
        """
        if self._batch.pending is not None:
            yield
            return
        pending = self._batch.pending = {}
        try:
            try:
                yield
            finally:
                self._batch.pending = None
                with self._refusals():
                    self._settle_all(pending)
        finally:
            for fresh in pending.values():
                with suppress(OSError):
                    fresh.unlink(missing_ok=True)

    def put(self, content: bytes) -> str:
        """Keep content; return its hash.

        Raises:
            SessionError: The disk refuses.
        """
        blob = hashlib.sha256(content).hexdigest()
        if self._touched(blob):
            return blob
        with self._refusals(), self._new_file() as (file, fresh):
            file.write(content)
            self._settle(file, fresh, blob)
        return blob

    def put_file(self, path: Path) -> str:
        """Keep a regular file's content without holding it in memory; return its hash.

        The hash is of the bytes that were kept, also when the file changes meanwhile.

        Raises:
            SessionError: The disk refuses.
            OSError: The file cannot be opened.
        """
        with path.open("rb") as source, self._refusals(), self._new_file() as (file, fresh):
            digest = hashlib.sha256()
            while chunk := source.read(CHUNK_BYTES):
                digest.update(chunk)
                file.write(chunk)
            blob = digest.hexdigest()
            if not self._touched(blob):
                self._settle(file, fresh, blob)
        return blob

    def get(self, blob: str) -> bytes:
        """Return content.

        Raises:
            SessionError: Not there, or its bytes do not match its hash.
        """
        with self._open(blob) as source:
            content = source.read()
        self._refuse_altered(blob, hashlib.sha256(content).hexdigest())
        return content

    def copy_to(self, blob: str, target: Path) -> None:
        """Write content to a new file (it must not exist) without holding it in memory.

        The target is not synced; a target that turned out wrong is removed again.

        Raises:
            SessionError: Not there, or its bytes do not match its hash.
            OSError: The target exists or cannot be written.
        """
        with self._open(blob) as source:
            with target.open("xb") as copy:
                try:
                    _copy(source, copy)
                except OSError:
                    target.unlink()
                    raise
            with target.open("rb") as written:
                found = hashlib.file_digest(written, "sha256").hexdigest()
        if found != blob:
            target.unlink()
        self._refuse_altered(blob, found)

    def __contains__(self, blob: str) -> bool:
        return _HASH.fullmatch(blob) is not None and self._path(blob).exists()

    def __iter__(self) -> Iterator[str]:
        for path in sorted(self._folder.glob("[0-9a-f][0-9a-f]/*")):
            blob = path.parent.name + path.name
            if _HASH.fullmatch(blob):
                yield blob

    def path(self, blob: str) -> Path:
        """Return where a blob lies or would lie.

        Raises:
            SessionError: The name is no sha256 in hex.
        """
        return self._path(blob)

    def size_bytes(self, blob: str) -> int:
        """Return a blob's size on disk; 0 when it is not there."""
        try:
            return self._path(blob).stat().st_size
        except FileNotFoundError:
            return 0

    def remove(self, blob: str) -> None:
        """Delete content that nothing refers to any more; do nothing when it is gone."""
        self._path(blob).unlink(missing_ok=True)

    def _path(self, blob: str) -> Path:
        if not _HASH.fullmatch(blob):
            raise SessionError(f"{blob!r} does not name a blob: not a sha256 in hex.")
        return self._folder / blob[:2] / blob[2:]

    def leftovers(self) -> Iterator[Path]:
        """Yield files that a writer left half-made as it was killed, or makes right now."""
        yield from self._folder.glob("new-*")

    def _touched(self, blob: str) -> bool:
        """Tell whether a blob is there; its time is then now, so that no prune takes it."""
        if self._batch.pending is not None and blob in self._batch.pending:
            return True
        try:
            os.utime(self._path(blob))
        except OSError:
            return self._path(blob).exists()  # not ours to touch, or not there
        return True

    def _open(self, blob: str) -> BinaryIO:
        if self._batch.pending is not None and blob in self._batch.pending:
            return self._batch.pending[blob].open("rb")
        try:
            return self._path(blob).open("rb")
        except FileNotFoundError:
            raise SessionError(
                f"blob {blob[:12]} is not in {self._folder}. What it held cannot be shown or "
                "landed; the rest of the session is unharmed."
            ) from None

    def _refuse_altered(self, blob: str, found: str) -> None:
        if found != blob:
            raise SessionError(
                f"blob {blob[:12]} in {self._folder} was altered: its bytes do not match its "
                "hash. They are not used; the rest of the session is unharmed."
            )

    @contextmanager
    def _new_file(self) -> Generator[tuple[BinaryIO, Path]]:
        """Yield a file to write to that vanishes unless it was settled."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkstemp makes it 0600.
        descriptor, name = tempfile.mkstemp(prefix="new-", dir=self._folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file, Path(name)
        finally:
            Path(name).unlink(missing_ok=True)

    def _settle(self, file: BinaryIO, fresh: Path, blob: str) -> None:
        file.flush()
        if self._batch.pending is not None:
            self._batch.pending[blob] = fresh.replace(fresh.with_name(f"{fresh.name}.whole"))
            return
        os.fsync(file.fileno())
        _sync_folder(self._name(fresh, blob))

    def _settle_all(self, pending: dict[str, Path]) -> None:
        if len(pending) < MANY:  # none at all, most often
            for fresh in pending.values():
                with fresh.open("rb") as file:
                    os.fsync(file.fileno())
        else:
            _sync_file_system(self._folder)
        # A name is given only to what is on disk: later puts trust whatever has one.
        folders = {self._name(fresh, blob) for blob, fresh in pending.items()}
        if len(folders) < MANY:
            for folder in folders:
                _sync_folder(folder)
        else:
            _sync_file_system(self._folder)

    def _name(self, fresh: Path, blob: str) -> Path:
        """Give a written file its name; return the folder that now has to be synced."""
        path = self._path(blob)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        fresh.replace(path)
        return path.parent

    @contextmanager
    def _refusals(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise SessionError(
                f"Content cannot be kept in {self._folder} ({error.strerror}); make room or mend "
                "its permissions."
            ) from error


def _copy(source: BinaryIO, target: BinaryIO) -> None:
    with suppress(OSError):
        fcntl.ioctl(target.fileno(), FICLONE, source.fileno())
        return
    left = os.fstat(source.fileno()).st_size
    try:
        while left > 0:
            # In the kernel: neither copied through memory, nor twice on file systems that share.
            done = os.copy_file_range(source.fileno(), target.fileno(), left)
            if done == 0:
                break
            left -= done
    except OSError as error:
        if error.errno not in _NO_SHARING:
            raise
        source.seek(0)
        target.seek(0)
        while chunk := source.read(CHUNK_BYTES):
            target.write(chunk)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_file_system(folder: Path) -> None:
    import ctypes  # noqa: PLC0415  only for many files at once

    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if not hasattr(libc, "syncfs") or libc.syncfs(descriptor) != 0:
            os.sync()
    finally:
        os.close(descriptor)
