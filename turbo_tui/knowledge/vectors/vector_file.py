"""Vectors by the hash of what they were made of, in a file that only grows; shared by workspaces.

A record is 16 bytes of hash, the vector's bytes and a CRC-32 of both. What a crash left half
written is cut off before the next record is written; a damaged record is passed over.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import zlib
from collections.abc import Mapping
from pathlib import Path

HASH_BYTES, CRC_BYTES = 16, 4
MOST_BYTES = 64 * 1024 * 1024  # then the older half goes


def hash_of(text: str) -> bytes:
    """Name a text."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=HASH_BYTES).digest()


class VectorFile:
    """Vectors of one model.

    Attributes:
        path: The file; it need not exist.
    """

    def __init__(self, path: Path, width: int) -> None:
        """Name a file.

        Args:
            path: Where it lies.
            width: Bytes of a vector.
        """
        self.path = path
        self._record = HASH_BYTES + width + CRC_BYTES

    def read(self) -> dict[bytes, bytes]:
        """Return what is kept: vectors by hash; nothing where it cannot be read."""
        try:
            content = self.path.read_bytes()
        except OSError:
            return {}
        found: dict[bytes, bytes] = {}
        for at in range(0, len(content) - self._record + 1, self._record):
            said, crc = content[at : at + self._record][:-CRC_BYTES], at + self._record - CRC_BYTES
            if zlib.crc32(said).to_bytes(CRC_BYTES, "big") == content[crc : crc + CRC_BYTES]:
                found[said[:HASH_BYTES]] = said[HASH_BYTES:]
        return found

    def add(self, vectors: Mapping[bytes, bytes]) -> bool:
        """Keep vectors; tell whether that worked. They can always be made again."""
        records = [key + packed for key, packed in vectors.items()]
        content = b"".join(each + zlib.crc32(each).to_bytes(CRC_BYTES, "big") for each in records)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                whole = os.fstat(file.fileno()).st_size // self._record * self._record
                if whole + len(content) > MOST_BYTES:
                    file.seek(whole // self._record // 2 * self._record)
                    newer = file.read(whole)
                    file.seek(0)
                    file.write(newer[: len(newer) // self._record * self._record])
                    whole = file.tell()
                file.truncate(whole)
                file.seek(whole)
                file.write(content)
        except OSError:
            return False
        return True
