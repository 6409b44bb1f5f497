"""Messages between the worker and its helpers: a JSON line, and bytes behind it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import BinaryIO, cast

Head = dict[str, object]
Parts = Sequence[bytes | memoryview]


def send(out: BinaryIO, head: Head, parts: Parts = ()) -> None:
    """Write a message.

    Raises:
        OSError: Nobody reads it.
    """
    sizes = [len(part) for part in parts]
    out.write(json.dumps({**head, "sizes": sizes}).encode("ascii") + b"\n")
    out.writelines(parts)
    out.flush()


def receive(source: BinaryIO) -> tuple[Head, list[bytes]]:
    """Read a message.

    Raises:
        EOFError: There is none, or only the begin of one.
    """
    line = source.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    head = cast("Head", json.loads(line))
    parts: list[bytes] = []
    for size in cast("list[int]", head.pop("sizes")):
        part = source.read(size)
        if len(part) < size:
            raise EOFError
        parts.append(part)
    return head, parts
