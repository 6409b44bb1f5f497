"""The search worker: one JSON query a line on stdin, one JSON answer a line on stdout.

    {"id": 1, "query": "parse_match", "limit": 20, "complete": false}
    {"id": 1, "hits": [{"path", "start_line", "end_line", "score", "text", "why"}],
     "index": {"files", "chunks", "pending", "given_up": [path]}}

Unless the query asks for a complete index, a large tree is answered from what is indexed so far;
the rest follows between the queries. It ends when stdin does, so it never outlives the process
that started it.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import asdict
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TextIO, cast

from turbo_tui.knowledge.finding import Finder

SOON_S = 1.0  # a person who types waits so long for an index
SLICE_S = 0.1  # of work between queries; a query waits for one to end


def serve(root: Path, queries: TextIO, answers: TextIO) -> None:
    """Answer queries about a workspace until there are no more."""
    finder, turn, left, over = Finder(root), Lock(), Event(), Event()
    behind = Thread(target=_prepare, args=(finder, turn, left, over))
    behind.start()
    try:
        for line in queries:
            query = cast("dict[str, object]", json.loads(line))
            with turn:
                hits = finder.find(
                    str(query["query"]),
                    limit=cast("int", query["limit"]),
                    within_s=math.inf if query.get("complete") else SOON_S,
                )
                state = finder.state()
            answer = {"id": query["id"], "hits": [asdict(hit) for hit in hits], "index": state}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
            left.set()
    finally:
        over.set()
        left.set()
        behind.join()
        finder.close()


def _prepare(finder: Finder, turn: Lock, left: Event, over: Event) -> None:
    """Take in what queries left, slice by slice, while no query is answered."""
    while left.wait() and not over.is_set():
        with turn:
            if not finder.prepare(within_s=SLICE_S):
                left.clear()
        over.wait(SLICE_S / 20)  # whoever waits for the turn gets it


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.stdin, sys.stdout)
