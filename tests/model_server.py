"""A model server on loopback that speaks three protocols from a script of replies.

    script = [
        Reply('{"steps": []}', expect=["add a flag"]),
        Reply(calls=[Call("read", {"path": "a.py"})]),
        Fault(status=429, retry_after=1),
        Reply("done", expect=[lambda request: request.tool_results["call_2_1"] == "x = 1"]),
    ]
    with ModelServer(script) as server:
        ... ask server.base_url("openai" | "ollama" | "anthropic") ...
        server.verify()

Real HTTP over a real socket, from threads; nothing is mocked. Each request takes the next
item of the script; an item with `model` set is taken only by requests for that model, so one
server can be planner and executor at once. An item may be a function of the request. What an
item expects, and that tool results answer the calls before them, is checked as requests come;
`verify()` raises all that failed, and what of the script was never asked for. A list of the
server's models is served at any time and takes nothing from the script.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from tests.model_wire import (
    Call,
    Check,
    Fault,
    Item,
    Protocol,
    Quirk,
    Reply,
    Request,
    Script,
    Seen,
    misfits,
    pieces_of,
    read_request,
    refusal_of,
    stream_error,
    unmet,
    whole_body,
)

__all__ = [
    "Call",
    "Check",
    "Fault",
    "Item",
    "ModelServer",
    "Protocol",
    "Quirk",
    "Reply",
    "Request",
    "Script",
    "Seen",
]


class ModelServer:
    """A server that ends with its `with` block, whatever its clients are doing then.

    Attributes:
        requests: What it was asked, in order; refusals of quirks included.
        client_gone: Set as a client leaves a reply that hangs.
    """

    def __init__(
        self,
        script: Script = (),
        *,
        quirks: Sequence[Quirk] = (),
        models: Sequence[str] = ("test-model",),
        key: str = "",
    ) -> None:
        self.requests: list[Request] = []
        self.client_gone = threading.Event()
        self.models = tuple(models)
        self.quirks = frozenset(quirks)
        self.key = key
        self._script = list(script)
        self._failures: list[str] = []
        self._changed = threading.Condition()
        self._sockets: set[socket.socket] = set()
        self._http = _Listener(("127.0.0.1", 0), _Handler)
        self._http.model_server = self
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening and break what is open; the port refuses connections afterwards."""
        self._http.shutdown()
        self._http.server_close()
        with self._changed:
            for open_socket in self._sockets:
                with suppress(OSError):
                    open_socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)

    @property
    def port(self) -> int:
        """The port it listens at, on 127.0.0.1."""
        return int(self._http.server_address[1])

    def base_url(self, protocol: Protocol) -> str:
        """Return the address to configure for a protocol."""
        return f"http://127.0.0.1:{self.port}" + ("/v1" if protocol == "openai" else "")

    def wait_for_requests(self, count: int, timeout_s: float = 10.0) -> None:
        """Wait (in a thread of the caller's) until so many requests have come."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.requests) >= count, timeout_s):
                raise AssertionError(f"{len(self.requests)} of {count} requests came")

    def verify(self) -> None:
        """Raise what was not as expected, and what of the script was never asked for."""
        failures = list(self._failures)
        failures += [f"never asked for: {item!r}" for item in self._script]
        if failures:
            raise AssertionError("\n".join(failures))

    def take(self, request: Request) -> Reply | Fault:
        """Record a request, check it, and return what to answer."""
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
            if self.key and self.key not in " ".join(request.headers.values()):
                return Fault(status=401, message="invalid api key")
            if refusal := refusal_of(request, self.quirks):
                return refusal
            self._failures += [f"request {len(self.requests)}: {why}" for why in misfits(request)]
            item = self._next(request)
            if item is None:
                self._failures.append(f"request {len(self.requests)} for which nothing is scripted")
                return Fault(status=400, message="the script has no more replies")
            if callable(item):
                item = item(request)
            self._failures += [
                f"request {len(self.requests)}: {why}" for why in unmet(item.expect, request)
            ]
            return item

    def track(self, connection: socket.socket, *, is_open: bool) -> None:
        """Remember a connection, to break it at the end."""
        with self._changed:
            (self._sockets.add if is_open else self._sockets.discard)(connection)

    def _next(self, request: Request) -> Item | None:
        for at, item in enumerate(self._script):
            wanted = "" if callable(item) else item.model
            if wanted in {"", request.model}:
                return self._script.pop(at)
        return None


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    model_server: ModelServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener  # pyright: ignore[reportIncompatibleVariableOverride]

    def setup(self) -> None:
        super().setup()
        self.server.model_server.track(self.connection, is_open=True)

    def finish(self) -> None:
        self.server.model_server.track(self.connection, is_open=False)
        with suppress(OSError):
            super().finish()

    def handle(self) -> None:
        with suppress(OSError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        """Say nothing: test output belongs to the tests."""

    def do_GET(self) -> None:
        """List the models, in each protocol's way."""
        names = self.server.model_server.models
        if self.path == "/api/tags":
            self._send(200, {"models": [{"name": name} for name in names]})
        elif self.path == "/v1/models":
            self._send(200, {"data": [{"id": name} for name in names]})
        else:
            self._send(404, {"error": {"message": "no such path"}})

    def do_POST(self) -> None:
        """Answer from the script."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        paths: dict[str, Protocol] = {
            "/v1/chat/completions": "openai",
            "/api/chat": "ollama",
            "/v1/messages": "anthropic",
        }
        protocol = paths.get(self.path)
        if protocol is None:
            self._send(404, {"error": {"message": f"no such path: {self.path}"}})
            return
        server = self.server.model_server
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = read_request(protocol, self.path, headers, body)
        item = server.take(request)
        number = len(server.requests)
        if isinstance(item, Fault):
            self._fail(item, request, number)
            return
        pieces = pieces_of(item, request, server.quirks, number)
        if "not_streaming" in server.quirks:
            self._send(200, whole_body(item, protocol, number))
            return
        self._stream(pieces, protocol)
        self.wfile.write(b"0\r\n\r\n")

    def _fail(self, fault: Fault, request: Request, number: int) -> None:
        if fault.redirect:
            self._send(307, {}, {"location": fault.redirect})
            return
        if fault.status:
            headers = {"retry-after": str(fault.retry_after)} if fault.retry_after else {}
            error: object = {"message": fault.message, "code": fault.status}
            if request.protocol == "ollama":
                error = fault.message
            self._send(fault.status, {"error": error}, headers, fault.body, fault.content_type)
            return
        self.close_connection = True
        if fault.hang:
            self._hang()
            return
        if fault.disconnect_after == 0:
            return
        pieces = pieces_of(fault.reply, request, self.server.model_server.quirks, number)
        pieces = _spoiled(pieces, fault, request.protocol)
        stops = (fault.disconnect_after, fault.hang_after)
        stop = next((at for at in stops if at is not None), len(pieces))
        try:
            self._stream(pieces[:stop], request.protocol)
        except OSError:  # a client that heard the first piece may be gone before the last
            self.server.model_server.client_gone.set()
            raise
        if fault.hang_after is not None:
            self._hang()
        elif fault.disconnect_after is None:
            self.wfile.write(b"0\r\n\r\n")

    def _hang(self) -> None:
        """Say nothing until the client leaves; one that left pieces unread resets."""
        with suppress(ConnectionError):
            self.connection.recv(1)
        self.server.model_server.client_gone.set()

    def _send(
        self,
        status: int,
        value: object,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        content_type: str = "application/json",
    ) -> None:
        content = body or json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(content)))
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, pieces: list[bytes], protocol: Protocol) -> None:
        """Send pieces as chunks of one body."""
        kind = "application/x-ndjson" if protocol == "ollama" else "text/event-stream"
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for piece in pieces:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()


def _spoiled(pieces: list[bytes], fault: Fault, protocol: Protocol) -> list[bytes]:
    """Put into a stream what goes wrong in it."""
    if fault.malformed:
        return [pieces[0], b'{"mess\n' if protocol == "ollama" else b'data: {"choi\n\n']
    if fault.error_in_stream:
        return [pieces[0], stream_error(fault.error_in_stream, protocol)]
    return pieces[:2] if fault.cut else pieces
