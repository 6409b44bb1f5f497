"""Read files in a process of its own: a file that hangs a grammar is given up with it.

A request is a JSON line on stdin; the answer on stdout is a JSON line and the parts of the packed
digest behind it, none for a file that is gone or binary:

    {"path": "b.py", "absolute": "/a/b.py", "plain": false}
    {"key": "9f…", "sizes": [120, 800, 60, 400, 8]}

`plain` says to leave the grammar aside.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import BinaryIO, cast

from turbo_tui.knowledge.indexing.digest import digest, key_of, packed
from turbo_tui.knowledge.indexing.tree import content_of
from turbo_tui.knowledge.syntax.grammars import Grammar
from turbo_tui.knowledge.syntax.parsing import Parsed, parse

LONGEST_S = 120  # for one file; the worker gives up long before, unless it was killed
NICE = 10  # whoever types comes first


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more."""
    for line in requests:
        signal.alarm(LONGEST_S)  # no handler: it ends also what a grammar hangs
        asked = cast("dict[str, str]", json.loads(line))
        content = content_of(asked["absolute"])
        if content is None:
            answers.write(b'{"key": "", "sizes": []}\n')
        else:
            path = asked["path"]
            parts = packed(digest(path, content, _by_lines if asked["plain"] else parse))
            head = {"key": key_of(path, content), "sizes": [len(part) for part in parts]}
            answers.writelines((json.dumps(head).encode("ascii"), b"\n", *parts))
        answers.flush()
        signal.alarm(0)


def _by_lines(source: bytes, grammar: Grammar) -> Parsed | None:
    del source, grammar


if __name__ == "__main__":
    os.nice(NICE)
    serve(sys.stdin.buffer, sys.stdout.buffer)
