"""Ask the search worker; start it when it is first needed, end it with the app."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import cast

from turbo_tui.core.errors import ToolError
from turbo_tui.core.searching import Hit, IndexState

ANSWER_BYTES = 16_000_000
ANSWER_S = 60.0  # the first query on a very large tree reads all of it
COMPLETE_S = 900.0  # and indexes all of it, when it is asked to


class TextSearch:
    """Find symbols and text in a workspace (`core.ports.Search`).

    The worker sees files as they are at each query; nothing is written anywhere.

    Attributes:
        index: What the index held at the last answer.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._worker: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._asked = 0
        self.index = IndexState()

    async def search(self, query: str, *, limit: int = 20, complete: bool = False) -> list[Hit]:
        """Return the best places for a query, best first: a phrase, then each file once.

        Args:
            query: A name, a phrase, a sentence.
            limit: How many places at most.
            complete: Wait until all files are indexed; else a large tree is answered from what
                is so far.

        Raises:
            ToolError: The worker ended or did not answer; the next search starts it anew.
        """
        if not query.strip():
            return []
        async with self._turn:
            worker = await self._running()
            self._asked += 1
            asked: dict[str, object] = {
                "id": self._asked,
                "query": query,
                "limit": limit,
                "complete": complete,
            }
            within_s = COMPLETE_S if complete else ANSWER_S
            try:
                async with asyncio.timeout(within_s):
                    answer = await _ask(worker, asked)
            except TimeoutError:
                await self._end()
                raise ToolError(
                    f"Searching {self._root} took over {within_s:.0f} s. Try again: what was "
                    "read is quicker then; or ignore large folders in .gitignore."
                ) from None
            if answer is None:
                code = await self._end()
                raise ToolError(f"The search worker ended (exit code {code}); search again.")
            self.index = _state(answer["index"])
            return [_hit(each) for each in cast("list[dict[str, object]]", answer["hits"])]

    async def close(self) -> None:
        """End the worker."""
        await self._end()

    async def _running(self) -> asyncio.subprocess.Process:
        if self._worker is None or self._worker.returncode is not None:
            # -I: nothing of the folder we stand in, nor of PYTHONPATH, is taken for ours. An own
            # session: Ctrl+C is for the app, which ends this worker itself.
            self._worker = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-m",
                "turbo_tui.knowledge.worker",
                os.fspath(self._root),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=ANSWER_BYTES,
                start_new_session=True,
            )
        return self._worker

    async def _end(self) -> int | None:
        worker, self._worker = self._worker, None
        if worker is None:
            return None
        with suppress(ProcessLookupError):
            worker.kill()
        return await worker.wait()


async def _ask(
    worker: asyncio.subprocess.Process, asked: dict[str, object]
) -> dict[str, object] | None:
    """Send a query and return its answer; None when the worker is gone."""
    if worker.stdin is None or worker.stdout is None:
        return None
    try:
        worker.stdin.write(json.dumps(asked).encode("ascii") + b"\n")
        await worker.stdin.drain()
        while line := await worker.stdout.readline():
            answer = cast("dict[str, object]", json.loads(line))
            # An older one is the answer to a search that was cancelled.
            if answer["id"] == asked["id"]:
                return answer
    except (BrokenPipeError, ConnectionResetError):
        return None
    return None


def _hit(value: dict[str, object]) -> Hit:
    return Hit(
        path=str(value["path"]),
        start_line=cast("int", value["start_line"]),
        end_line=cast("int", value["end_line"]),
        score=cast("float", value["score"]),
        text=str(value["text"]),
        why=tuple(cast("list[str]", value["why"])),
    )


def _state(value: object) -> IndexState:
    state = cast("dict[str, object]", value)
    return IndexState(
        files=cast("int", state["files"]),
        chunks=cast("int", state["chunks"]),
        pending=cast("int", state["pending"]),
        given_up=tuple(cast("list[str]", state["given_up"])),
    )
