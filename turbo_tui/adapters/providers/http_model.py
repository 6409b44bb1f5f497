"""A model behind HTTP: ask, read the stream, repeat what may pass, and say what went wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

import httpx2

from turbo_tui.adapters.providers.address import ModelAddress
from turbo_tui.adapters.providers.connection import new_client, read_at_most
from turbo_tui.adapters.providers.dialect import Dialect
from turbo_tui.adapters.providers.document import find_document, without_thoughts
from turbo_tui.adapters.providers.draft import Deltas, Draft, numbered
from turbo_tui.adapters.providers.faults import (
    Refusal,
    error_of,
    page_error,
    quoted,
    read_refusal,
    read_stream_error,
)
from turbo_tui.adapters.providers.shapes import mended, object_of
from turbo_tui.adapters.providers.text_tools import in_words, read_calls
from turbo_tui.adapters.providers.ways import Ways, next_schema_way, step_down
from turbo_tui.core.errors import ModelError, ModelReplyError, ModelUnreachableError
from turbo_tui.core.models import ModelReply, ModelRequest, OnDelta, ToolCall

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
MOST_REPLY_BYTES = 32 * 1024 * 1024  # a model that never stops must not fill the memory
MOST_REFUSAL_BYTES = 64 * 1024
LISTING_TIMEOUT_S = 2.0

Pause = Callable[[float], Awaitable[None]]


class EmptyReplyError(ModelReplyError):
    """The server answered well, and with nothing."""


class _FaultError(Exception):
    """One attempt failed; the same request may be repeated `repeats` times."""

    def __init__(self, error: ModelError, repeats: int) -> None:
        super().__init__(str(error))
        self.error = error
        self.repeats = repeats


class _RefusedError(Exception):
    """The server answered, but not with a reply."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.said)
        self.refusal = refusal


class _NoDocumentError(Exception):
    """A document was asked for and prose came."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class HttpModel:
    """`core.models.Model` over HTTP, in one dialect.

    What the server turns out to understand is remembered for as long as this object lives:
    make one per model and keep it.
    """

    def __init__(
        self, address: ModelAddress, dialect: Dialect, pause: Pause = asyncio.sleep
    ) -> None:
        self.address = address
        self._dialect = dialect
        self._pause = pause
        self._ways = Ways()
        self._client: httpx2.AsyncClient | None = None

    @property
    def name(self) -> str:
        """The model's name as its server knows it."""
        return self.address.model

    @property
    def host(self) -> str:
        """Where requests go: `host:port`."""
        return self.address.host

    @property
    def context_tokens(self) -> int:
        """The window's size in tokens, as configured."""
        return self.address.context_tokens

    async def complete(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
        """Ask once; what may pass is repeated, what is not understood is asked another way.

        Raises:
            ModelError: One of its kinds; the message names host, what happened, what to do.
        """
        deltas = Deltas(on_delta)
        ways, repeats = self._ways, 0
        while True:
            try:
                draft = await self._attempt(request, ways, deltas)
                reply = self._settle(draft, request, ways)
            except _RefusedError as refused:
                refusal = refused.refusal
                other = step_down(ways, refusal, request, self._dialect.schema_ways)
                if other is not None:
                    ways = other
                    continue
                asked_to_wait = refusal.retry_after_s or 0.0
                too_often = repeats >= self.address.retries or asked_to_wait > LONGEST_PAUSE_S
                if too_often or not refusal.is_passing:
                    raise await self._error(refusal) from None
                await self._pause(max(asked_to_wait, _backoff_s(repeats)))
            except _NoDocumentError as missing:
                other = next_schema_way(ways, self._dialect.schema_ways)
                if other is None:
                    raise ModelReplyError(
                        f"{self.host}: {self.name} answered without the JSON document it was"
                        f" asked for: {quoted(missing.text, self.address)}. Try again, or use a"
                        " larger model."
                    ) from None
                ways = other
            except _FaultError as fault:
                if repeats >= min(fault.repeats, self.address.retries):
                    raise fault.error from fault.__cause__
                await self._pause(_backoff_s(repeats))
            else:
                self._ways = ways
                return reply
            repeats += 1
            deltas.restart()

    async def close(self) -> None:
        """Release connections; the model may be asked again after it."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def model_names(self) -> tuple[str, ...] | None:
        """Return the models the server lists; None when it does not list any way we know.

        Raises:
            httpx2.HTTPError: The server cannot be asked.
            TimeoutError: It took too long.
        """
        url = self.address.root + self._dialect.models_path
        client = await self._opened()
        async with (
            asyncio.timeout(LISTING_TIMEOUT_S),
            client.stream("GET", url, headers=self._dialect.headers(self.address)) as response,
        ):
            body = await read_at_most(response, MOST_REPLY_BYTES)
        listing = object_of(body.decode("utf-8", "replace"))
        return None if listing is None else self._dialect.model_names(listing)

    async def _attempt(self, request: ModelRequest, ways: Ways, deltas: Deltas) -> Draft:
        """Send the request once and read the whole answer.

        Raises:
            _RefusedError: The server answered with an error.
            _FaultError: The connection, or what came over it, broke.
        """
        if not ways.native_tools:
            request = in_words(request)
        body = self._dialect.body(self.address, request, ways)
        # Names of files need not be UTF-8: what cannot be encoded goes as a question mark.
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        headers = {"content-type": "application/json", **self._dialect.headers(self.address)}
        url = self.address.root + self._dialect.chat_path
        draft = Draft(deltas.add)
        client = await self._opened()
        try:
            async with client.stream("POST", url, content=content, headers=headers) as response:
                if not response.is_success:
                    raise _RefusedError(await self._refusal(response))
                async for payload in self._payloads(response, draft):
                    if payload.get("error"):
                        raise _RefusedError(read_stream_error(payload, self.address))
                    self._dialect.read(payload, draft)
        except httpx2.RequestError as error:
            raise self._fault(error, draft) from error
        except httpx2.InvalidURL as error:
            raise _FaultError(
                ModelUnreachableError(f"{self.host}: {url} is no address: {error}"), 0
            ) from error
        if not draft.ended:
            raise _FaultError(self._broke_off(draft), self.address.retries)
        return draft

    async def _payloads(
        self, response: httpx2.Response, draft: Draft
    ) -> AsyncIterator[dict[str, object]]:
        """Read the objects of an event stream, of lines, or of a body that is one object.

        Raises:
            _FaultError: A web page came, or what came is cut or garbled.
        """
        kind = response.headers.get("content-type", "")
        if "html" in kind:
            page = await read_at_most(response, MOST_REFUSAL_BYTES)
            raise _FaultError(page_error(page.decode("utf-8", "replace"), self.address), 0)
        if kind.startswith("application/json"):
            body = await read_at_most(response, MOST_REPLY_BYTES)
            whole = object_of(body.decode("utf-8", "replace"))
            lines = [body] if whole is not None else body.split(b"\n")
            for line in lines:
                for payload in self._payload(line, draft):
                    yield payload
            return
        async for line in self._lines(response):
            for payload in self._payload(line, draft):
                yield payload

    async def _lines(self, response: httpx2.Response) -> AsyncIterator[bytes]:
        """Split at line feeds only: JSON may hold the other characters Python splits at."""
        pending, size = bytearray(), 0
        async for piece in response.aiter_bytes():
            size += len(piece)
            if size > MOST_REPLY_BYTES:
                raise _FaultError(
                    ModelReplyError(
                        f"{self.host}: the reply of {self.name} passed"
                        f" {MOST_REPLY_BYTES >> 20} MB and was cut off. Lower max_tokens."
                    ),
                    0,
                )
            pending += piece
            if b"\n" in piece:
                *lines, rest = pending.split(b"\n")
                pending = bytearray(rest)
                for line in lines:
                    yield bytes(line)
        yield bytes(pending)

    def _payload(self, line: bytes, draft: Draft) -> list[dict[str, object]]:
        """Read one line: the data of an event, or an object by itself.

        Raises:
            _FaultError: It is cut or garbled, or of a web page.
        """
        text = line.decode("utf-8", "replace").strip()
        field, colon, value = text.partition(":")
        # llama.cpp names the field of an event that reports a failure `error`.
        if colon and field in {"data", "error"}:
            text = value.strip()
        elif text.startswith("<"):  # no stream of ours has such a line
            raise _FaultError(page_error(text, self.address), 0)
        elif not text.startswith("{"):
            return []  # a comment, `event: …`, an empty line
        if text == "[DONE]":
            draft.ended = True
            return []
        payload = object_of(text)
        if payload is None:
            raise _FaultError(
                ModelReplyError(
                    f"{self.host} sent a piece that is not JSON:"
                    f" {quoted(text, self.address)}. Is `{self.address.kind}` its protocol?"
                ),
                self.address.retries,
            )
        if field == "error" and "error" not in payload:
            return [{"error": payload}]
        return [payload] if payload else []

    def _settle(self, draft: Draft, request: ModelRequest, ways: Ways) -> ModelReply:
        """Make the reply of a finished draft.

        Raises:
            _NoDocumentError: A document was asked for and is not in it.
            _FaultError: It is empty, or its document was cut.
        """
        text, finish = without_thoughts(draft.text), draft.finish or "stop"
        parts = draft.calls or ([draft.legacy] if draft.legacy.name else [])
        calls = tuple(
            ToolCall(part.call_id, part.name, mended(part.arguments) or "{}") for part in parts
        )
        if request.tools and not calls:
            names = frozenset(tool.name for tool in request.tools)
            spoken = read_calls(text, names, only_marked=not ways.native_tools)
            text, calls = spoken.text, spoken.calls
            finish = "tool_calls" if calls else finish
        if not text.strip() and not calls:
            raise self._empty(draft)
        if request.schema is not None and not calls:
            document = find_document(text, request.schema)
            if document is None and draft.was_cut:
                raise _FaultError(
                    ModelReplyError(
                        f"{self.host}: the document of {self.name} was cut at"
                        f" {request.max_tokens} tokens. Raise max_tokens, or ask for less."
                    ),
                    0,
                )
            if document is None:
                raise _NoDocumentError(text)
            text = document
        usage, address = draft.usage, self.address
        cost: float | None = None
        if usage.counted and address.price_in_usd is not None and address.price_out_usd is not None:
            cost = usage.tokens_in * address.price_in_usd + usage.tokens_out * address.price_out_usd
            cost /= 1_000_000
        taken = (call.call_id for message in request.messages for call in message.calls)
        return ModelReply(text, numbered(calls, taken), usage, finish, cost)

    async def _opened(self) -> httpx2.AsyncClient:
        """Return the client; made late, because it belongs to the running event loop."""
        if self._client is None:
            self._client = await new_client(self.address)
        return self._client

    async def _refusal(self, response: httpx2.Response) -> Refusal:
        """Read what came instead of a reply."""
        body = await read_at_most(response, MOST_REFUSAL_BYTES)
        refusal = read_refusal(
            response.status_code,
            body.decode("utf-8", "replace"),
            self.address,
            response.headers.get("retry-after", ""),
        )
        if response.is_redirect:
            where = response.headers.get("location", "").partition("?")[0]
            refusal = replace(refusal, said=f"go to {quoted(where, self.address)}")
        return refusal

    async def _error(self, refusal: Refusal) -> ModelError:
        """Choose the error; where the model is missing, with the models there are."""
        served: tuple[str, ...] | None = None
        if refusal.is_about_model:
            with suppress(httpx2.HTTPError, httpx2.InvalidURL, TimeoutError):
                served = await self.model_names()
        return error_of(refusal, self.address, served)

    def _fault(self, error: httpx2.RequestError, draft: Draft) -> _FaultError:
        """Say what broke; `str(error)` of the library is quoted only where it explains."""
        address, said = self.address, quoted(str(error), self.address)
        match error:
            case httpx2.ConnectTimeout():
                what = f"{self.host} cannot be reached: no answer in"
                what += f" {address.connect_timeout_s:g} s. Check the address and the network."
                return _FaultError(ModelUnreachableError(what), 1)
            case httpx2.ConnectError() | httpx2.ProxyError() | httpx2.UnsupportedProtocol():
                return _FaultError(ModelUnreachableError(_no_connection(address, said)), 1)
            case httpx2.TimeoutException():
                what = f"{self.host} sent nothing for {address.timeout_s:g} s while asked for"
                what += f" {self.name}. It may be overloaded or still loading: raise the timeout"
                return _FaultError(ModelUnreachableError(f"{what}, or use a smaller model."), 1)
            case httpx2.DecodingError():
                what = f"{self.host} sent a reply whose compression is broken."
                return _FaultError(ModelReplyError(what), address.retries)
            case _:
                return _FaultError(self._broke_off(draft), address.retries)

    def _broke_off(self, draft: Draft) -> ModelUnreachableError:
        came = f"after {len(draft.text)} characters" if draft.pieces else "before any text came"
        return ModelUnreachableError(
            f"{self.host} broke off the reply of {self.name} {came}. Try again; if it happens"
            " again, the server's own log says why."
        )

    def _empty(self, draft: Draft) -> _FaultError:
        """Say why nothing came; asking again helps unless all tokens went into thinking."""
        why = "an empty reply"
        if draft.was_cut:
            why = "no text: all tokens it may write went into thinking; raise max_tokens"
        what = f"{self.host}: {self.name} gave {why} (finish: {draft.finish or 'none'})."
        return _FaultError(
            EmptyReplyError(f"{what} Try again, or another model."), not draft.was_cut
        )


def _no_connection(address: ModelAddress, said: str) -> str:
    """Say that nobody is there, and how to change that."""
    what = f"{address.host} cannot be reached: {said or 'no connection'}."
    if not address.is_loopback:
        return f"{what} Check the address, the network and the proxy settings."
    if address.kind == "ollama":
        return f"{what} Is Ollama running? Start it with `ollama serve`."
    return f"{what} Is the server running, and is the port right?"


def _backoff_s(repeats: int) -> float:
    """Wait twice as long each time."""
    return min(FIRST_PAUSE_S * 2**repeats, LONGEST_PAUSE_S)
