"""Read what a client asks of the proxy; what could be read in two ways is refused.

Source: RFC 9110, 7.6 and 9.3.6; RFC 9112, 3.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from turbo_tui.sandbox.confine.hosts import normal_host, shown, split_port

_REQUEST = re.compile(rb"([A-Z]{1,20}) ([!-~]{1,8000}) HTTP/1\.[01]")
_HEADER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t -~\x80-\xff]*)")
_HOP_BY_HOP = frozenset(
    {b"connection", b"proxy-connection", b"keep-alive", b"te", b"trailer", b"upgrade"}
    | {b"proxy-authorization", b"proxy-authenticate", b"host"}
)


class Refused(Exception):  # noqa: N818 - an answer to the command, no failure of ours
    """A request that is not carried out; `status` and the reason are what the client is told."""

    def __init__(self, status: str, why: str, host: str = "") -> None:
        super().__init__(why)
        self.status = status
        self.host = host


@dataclass(frozen=True, slots=True)
class Request:
    """Where a client wants to go, and what is to be sent there first."""

    host: str
    port: int
    tunnel: bool
    head: bytes = b""


def read_request(head: bytes) -> Request:
    """Read a request's head, up to its empty line.

    Raises:
        Refused: It is no request to a proxy, or could be read in two ways.
    """
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    asked = _REQUEST.fullmatch(first)
    if asked is None:
        raise Refused("400 Bad Request", "the request line cannot be read")
    method, target = asked[1], asked[2].decode("ascii")
    if method == b"CONNECT":
        host, port = _authority(target, None)
        return Request(host, port, tunnel=True)
    if not target.lower().startswith("http://"):
        raise Refused("400 Bad Request", "only http:// and tunnels go through this proxy")
    parts = re.fullmatch(r"([^/?]*)([^#]*).*", target[len("http://") :])
    authority, path = (parts[1], parts[2]) if parts is not None else ("", "")
    host, port = _authority(authority, 80)
    path = path if path.startswith("/") else f"/{path}"
    sent = [
        method + b" " + path.encode("ascii") + b" HTTP/1.1",
        b"Host: " + shown(host, port, 80).encode(),
    ]
    sent += [*_forwarded(lines), b"Connection: close", b"", b""]
    return Request(host, port, tunnel=False, head=b"\r\n".join(sent))


def _authority(text: str, usual_port: int | None) -> tuple[str, int]:
    if "@" in text:
        raise Refused("400 Bad Request", "a name and password do not belong there")
    try:
        name, port = split_port(text)
        host = normal_host(name)
    except ValueError as error:
        raise Refused("400 Bad Request", f"{error}", repr(text[:100])) from error
    port = port or usual_port
    if port is None:
        raise Refused("400 Bad Request", "a tunnel needs a port", host)
    return host, port


def _forwarded(lines: Iterable[bytes]) -> list[bytes]:
    """Return the header lines that are the server's business."""
    fields: list[tuple[bytes, bytes]] = []
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header is None:
            raise Refused("400 Bad Request", "a header cannot be read")
        fields.append((header[1].lower(), line))
    lengths = [name for name, _ in fields if name in {b"content-length", b"transfer-encoding"}]
    if len(lengths) > 1:
        raise Refused("400 Bad Request", "the length of the request is given twice")
    named = {
        word.strip().lower()
        for name, line in fields
        if name == b"connection"
        for word in line.partition(b":")[2].split(b",")
    } - set(lengths)
    return [line for name, line in fields if name not in _HOP_BY_HOP | named]
