"""Have files parsed by another process, which is killed when one takes too long."""

from __future__ import annotations

import json
import subprocess
import sys
from selectors import EVENT_READ, DefaultSelector
from typing import cast

from turbo_tui.knowledge.chunks import Span
from turbo_tui.knowledge.definitions import Definition
from turbo_tui.knowledge.grammars import Grammar

PARSE_S = 5.0  # one file; a megabyte of C takes about half a second


class Parser:
    """The process that parses, started when it is first needed.

    Attributes:
        given_up: Files that took longer than `PARSE_S`, or ended the process, by path.
    """

    def __init__(self) -> None:
        self.given_up: set[str] = set()
        self._process: subprocess.Popen[bytes] | None = None

    def parse(self, path: str, grammar: Grammar) -> tuple[list[Span], list[Definition]] | None:
        """Return a file's chunks and definitions; None when it had to be given up."""
        process = self._running()
        if process.stdin is None or process.stdout is None:
            return None
        asked = json.dumps({"path": path, "grammar": grammar.name})
        try:
            process.stdin.write(asked.encode("ascii") + b"\n")
            process.stdin.flush()
            with DefaultSelector() as waiting:
                waiting.register(process.stdout, EVENT_READ)
                line = process.stdout.readline() if waiting.select(PARSE_S) else b""
        except BrokenPipeError:
            line = b""
        if not line.endswith(b"\n"):
            self.given_up.add(path)
            self.close()
            return None
        self.given_up.discard(path)
        answer = cast("dict[str, list[list[object]]]", json.loads(line))
        chunks = cast("list[Span]", [tuple(each) for each in answer["chunks"]])
        defined = [
            Definition(str(name), str(kind), cast("int", first), cast("int", last))
            for name, kind, first, last in answer["definitions"]
        ]
        return chunks, defined

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                (sys.executable, "-I", "-m", "turbo_tui.knowledge.parsing"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        return self._process
