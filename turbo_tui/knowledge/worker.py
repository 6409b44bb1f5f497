"""The search worker: one JSON query a line on stdin, one JSON answer a line on stdout.

    {"id": 1, "query": "parse_match", "limit": 20}
    {"id": 1, "hits": [{"path", "start_line", "end_line", "score", "text", "why"}],
     "index": {"files", "chunks", "pending", "given_up": [path]}}

It ends when stdin does, so it never outlives the process that started it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TextIO, cast

from turbo_tui.knowledge.finding import Folder


def serve(root: Path, queries: TextIO, answers: TextIO) -> None:
    """Answer queries about a workspace until there are no more."""
    folder = Folder(root)
    try:
        for line in queries:
            query = cast("dict[str, object]", json.loads(line))
            hits = folder.find(str(query["query"]), limit=cast("int", query["limit"]))
            state = {
                "files": len(folder.index.files),
                "chunks": len(folder.index.chunks),
                "pending": 0,
                "given_up": sorted(folder.parser.given_up),
            }
            answer = {"id": query["id"], "hits": [asdict(hit) for hit in hits], "index": state}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
    finally:
        folder.close()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.stdin, sys.stdout)
