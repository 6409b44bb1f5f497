"""Match a regular expression in a process of its own, which can be killed.

A pattern such as `(a+)+$` can take for ever, and `re` cannot be interrupted from within. The
worker gets texts on stdin and reaches no file itself: `python -I -m turbo_tui.tools.regex_worker`.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import cast

Row = tuple[str, int, str]
"""Path, line number (from 1), line."""


def match_lines(pattern: re.Pattern[str], texts: Mapping[str, str], limit: int) -> list[Row]:
    """Find matching lines, at most `limit`, in the order of `texts`."""
    rows: list[Row] = []
    for path, text in texts.items():
        for number, line in enumerate(text.split("\n"), start=1):
            if pattern.search(line):
                rows.append((path, number, line))
                if len(rows) == limit:
                    return rows
    return rows


async def match_in_worker(
    pattern: re.Pattern[str], texts: Mapping[str, str], limit: int
) -> Sequence[Row]:
    """Do as `match_lines`, in a process; cancelling kills it."""
    request = {"pattern": pattern.pattern, "flags": pattern.flags, "limit": limit, "texts": texts}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-m",
        "turbo_tui.tools.regex_worker",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        answer, _ = await process.communicate(json.dumps(request).encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    rows = cast("list[tuple[str, int, str]]", json.loads(answer or b"[]"))
    return [(path, number, line) for path, number, line in rows]


def main() -> None:
    """Answer one request."""
    request = json.loads(sys.stdin.buffer.read())
    pattern = re.compile(request["pattern"], request["flags"])
    rows = match_lines(pattern, request["texts"], request["limit"])
    sys.stdout.write(json.dumps(rows))


if __name__ == "__main__":
    main()
