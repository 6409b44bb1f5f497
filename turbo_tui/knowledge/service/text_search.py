"""Ask the workspace's search worker from the app, without ever blocking it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from threading import Lock

from turbo_tui.core.errors import ToolError
from turbo_tui.core.searching import NOWHERE, Act, Context, Hit, IndexState
from turbo_tui.knowledge.service.client import Client
from turbo_tui.knowledge.service.home import Home


class TextSearch:
    """Find places in a workspace (`core.searching.Knowledge`).

    The worker is shared with other apps on the same workspace and outlives this one a little.

    Attributes:
        index: What the index held at the last answer.
    """

    def __init__(self, home: Home, *, learns: bool = True) -> None:
        self._client = Client(home, learns=learns)
        self._turn = Lock()
        self._looker = Client(home, learns=False)  # a search that takes long is not waited for
        self._looking = Lock()

    @property
    def index(self) -> IndexState:
        """What the index held at the last answer."""
        return self._client.index

    async def search(
        self,
        query: str,
        *,
        limit: int = 20,
        context: Context = NOWHERE,
        complete: bool = False,
    ) -> list[Hit]:
        """Return the best places for a query, best first: a phrase, then each file once.

        Args:
            query: A name, a phrase, a sentence.
            limit: How many places at most.
            context: What the user is at.
            complete: Wait until all files are indexed; else a large tree is answered from what
                is so far.

        Raises:
            ToolError: The worker did not answer; the next search starts it anew.
        """
        if not query.strip():
            return []

        def ask() -> list[Hit]:
            with self._turn:
                return self._client.search(query, limit=limit, complete=complete, context=context)

        return await asyncio.to_thread(ask)

    async def why_nothing(self, query: str) -> str:
        """Return why a query finds nothing, where there is a plain cause.

        Raises:
            ToolError: The worker did not answer.
        """

        def ask() -> str:
            with self._turn:
                return self._client.cause(query)

        return await asyncio.to_thread(ask)

    async def state(self) -> IndexState:
        """Return what the index holds now, without waiting for it or for a search.

        Raises:
            ToolError: The worker did not answer.
        """

        def ask() -> IndexState:
            with self._looking:
                return self._looker.state()

        return await asyncio.to_thread(ask)

    async def learn(self, act: Act, paths: Sequence[str]) -> None:
        """Remember what the user did with files, where that is wanted; it never fails."""

        def tell() -> None:
            with self._turn, suppress(ToolError):
                self._client.learn(act, paths)

        await asyncio.to_thread(tell)

    async def forget(self) -> None:
        """Forget all that was learnt in this workspace.

        Raises:
            ToolError: The worker did not answer.
        """

        def tell() -> None:
            with self._turn:
                self._client.forget()

        await asyncio.to_thread(tell)

    async def close(self) -> None:
        """Leave the worker."""
        self._client.close()
        self._looker.close()
