"""The index as it is opened: files brought together, in one file beside the tables.

It is derived from the tables and may be older than they are: each of its files says as what it was
read, so whoever opens it takes those that are so still. It is there or it is not; a damaged one is
read as far as it is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import cast

from turbo_tui.knowledge.indexing.gathered import Gathered, unpacked
from turbo_tui.knowledge.indexing.tree import Stamp
from turbo_tui.knowledge.storing.frames import Parts, receive, send

NAME = "snapshot"

Row = tuple[str, Stamp, str]  # path, stamp, key of the content
Block = tuple[list[Row], Gathered]


def write(folder: Path, version: str, blocks: Iterable[Block]) -> None:
    """Put a snapshot in the place of the one that is there.

    Raises:
        OSError: It cannot be written; the one that was there stays.
    """
    fresh = folder / f"{NAME}.new"
    try:
        with fresh.open("wb") as file:
            for rows, gathered in blocks:
                parts = gathered.packed()
                send(file, {"version": version, "hash": _hash(parts), "files": rows}, parts)
            os.fsync(file.fileno())
        fresh.replace(folder / NAME)
    except OSError:
        with suppress(OSError):
            fresh.unlink()
        raise


def read(folder: Path, version: str) -> Iterator[Block]:
    """Yield what is there of this version, as far as it is whole."""
    try:
        with (folder / NAME).open("rb") as file:
            while True:
                head, parts = receive(file)
                if head["version"] != version or head["hash"] != _hash(parts):
                    return
                rows = cast("list[tuple[str, list[int], str]]", head["files"])
                stamped = [(path, (at, size, node), key) for path, (at, size, node), key in rows]
                yield stamped, unpacked(parts)
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return


def remove(folder: Path) -> None:
    """Have none."""
    for name in (NAME, f"{NAME}.new"):
        (folder / name).unlink(missing_ok=True)


def _hash(parts: Parts) -> str:
    found = hashlib.blake2b(digest_size=16)
    for part in parts:
        found.update(json.dumps(len(part)).encode("ascii"))
        found.update(part)
    return found.hexdigest()
