"""Analyse code in a process of its own: one JSON request on stdin, one JSON answer on stdout.

    python -m turbo_tui.languages.worker < request.json

Contents travel as Latin-1 text, so that any bytes survive. A request has `do` (a name in
`JOBS`), `paths` and `files`; an answer has `ok` and either the result or `error` (and `nearest`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

from turbo_tui.languages.jobs import JOBS, JobRefusedError

_DEPTH = 20_000  # a long chain of `+` nests as deep as it is long

Job = Callable[[dict[str, object]], dict[str, object]]


def answer(request: dict[str, object]) -> dict[str, object]:
    """Do one request; what the user must be told comes back as `error`."""
    job = JOBS.get(str(request.get("do")))
    if job is None:
        return {"ok": False, "error": f"unknown request {request.get('do')!r}"}
    try:
        return {"ok": True, **job(request)}
    except JobRefusedError as refused:
        return {"ok": False, "error": str(refused), "nearest": list(refused.nearest)}


def main() -> None:
    """Serve one request."""
    sys.setrecursionlimit(_DEPTH)
    request = json.loads(sys.stdin.buffer.read())
    sys.stdout.write(json.dumps(answer(request)))


if __name__ == "__main__":
    main()
