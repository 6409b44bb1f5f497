"""The head of a session log: 512 bytes beside the database that say how far the log goes."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from turbo_tui.core.codec import canonical
from turbo_tui.core.session import FIRST

HEAD = "log.head"
HEAD_BYTES = 512  # one sector: written whole or not at all


@dataclass(frozen=True, slots=True)
class Head:
    """How far a log goes.

    Attributes:
        seq: The last record; it survives anything but a power cut.
        hash: Its hash.
        durable: The last record that survives a power cut too.
        boot: The machine's boot in which this was written: in a later one a power cut may
            have come between, and only `durable` holds.
        sha256: Of log.db, once the log is closed; empty while it is open, or was not closed.
    """

    seq: int = 0
    hash: str = FIRST
    durable: int = 0
    boot: str = ""
    sha256: str = ""


def promised(head: Head) -> int:
    """Return how many records there must be; on an unknown boot, a power cut is assumed."""
    same_boot = head.boot != "" and head.boot == this_boot()
    return head.seq if same_boot or head.sha256 else head.durable


def parse_head(raw: bytes) -> Head:
    """Read a head's bytes.

    Raises:
        ValueError: Any byte of it is not as it was written.
    """
    body, _, _ = raw.partition(b" ")
    if raw != _head_line(body):
        raise ValueError(raw)
    return Head(**json.loads(body))


def _head_bytes(head: Head) -> bytes:
    return _head_line(canonical(asdict(head)).encode("ascii"))


def _head_line(body: bytes) -> bytes:
    line = body + b" " + hashlib.sha256(body).hexdigest().encode("ascii")
    return line.ljust(HEAD_BYTES - 1) + b"\n"


def write_head(folder: Path, head: Head, *, sync: bool) -> None:
    """Write the head in place; with `sync` it is on disk on return."""
    # Python's own descriptor each time: 10 µs, and no second thing to keep open.
    descriptor = os.open(folder / HEAD, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(descriptor, _head_bytes(head), 0)
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@cache
def this_boot() -> str:
    """Name this boot of the machine; empty where that cannot be known."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
