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
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from turbo_tui.core.errors import SessionError

CHUNK_BYTES = 1 << 20
FICLONE = 0x40049409  # linux/fs.h: share the blocks where the file system can

_HASH = re.compile(r"[0-9a-f]{64}")
_NO_SHARING = {errno.EXDEV, errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.ENOSYS}


class FolderBlobs:
    """A content-addressed store in a folder, which is made when first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

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

    def _touched(self, blob: str) -> bool:
        """Tell whether a blob is there; its time is then now, so that no prune takes it."""
        try:
            os.utime(self._path(blob))
        except OSError:
            return self._path(blob).exists()  # not ours to touch, or not there
        return True

    def _open(self, blob: str) -> BinaryIO:
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
        os.fsync(file.fileno())
        path = self._path(blob)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        fresh.replace(path)
        _sync_folder(path.parent)

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
