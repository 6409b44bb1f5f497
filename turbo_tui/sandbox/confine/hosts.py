"""Which hosts a command may reach: a list of names, read strictly and matched exactly.

A name is compared as it is resolved, in one form: what has several forms (addresses written in
octal or as one number, dots at the end, other alphabets) is brought into that form or refused.

Source: RFC 1123, 2.1; RFC 3986, 3.2.2; WHATWG URL, "ends in a number".
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from turbo_tui.core.errors import SandboxError

USUAL_PORTS = (80, 443)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_MOST_CHARS, _HIGHEST_PORT = 253, 65535
# IPv6 addresses that carry an IPv4 one in their last four bytes: RFC 6052, 4291.
_CARRIERS = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96"))


def normal_host(text: str) -> str:
    """Return the one form of a host's name or address; IPv6 is given in brackets.

    Raises:
        ValueError: It is none, or is written in a way that programs read differently.
    """
    if not text.isascii():
        raise ValueError("write a name of another alphabet in its xn-- form")
    if text.startswith("[") and text.endswith("]"):
        address = IPv6Address(text[1:-1])
        if address.scope_id is not None or _carried(address) is not None:
            raise ValueError("write the address plainly")
        return address.compressed
    host = text.lower().removesuffix(".")
    labels = host.split(".")
    if len(host) > _MOST_CHARS or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("it is no name of a host")
    if _NUMBER.fullmatch(labels[-1]):  # programs read it as an address, whatever stands before
        return str(IPv4Address(host))
    return host


def split_port(text: str) -> tuple[str, int | None]:
    """Split `host:port`; None when it names no port.

    Raises:
        ValueError: The port is none, or an IPv6 address is not in brackets.
    """
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        return text, None
    if ":" in host and not host.endswith("]"):
        raise ValueError("write an IPv6 address in brackets")
    if not _PORT.fullmatch(port) or int(port) > _HIGHEST_PORT:
        raise ValueError("the port is no number from 1 to 65535")
    return host, int(port)


@dataclass(frozen=True, slots=True)
class HostRule:
    """A host, or all that lie below a name, at one port or at the usual ones."""

    host: str
    ports: tuple[int, ...] = USUAL_PORTS
    below: bool = False

    @classmethod
    def parse(cls, text: str) -> HostRule:
        """Read `name`, `name:port`, `*.name` or `*.name:port`.

        Raises:
            SandboxError: It is none of them.
        """
        try:
            return cls._parse(text)
        except ValueError as error:
            raise SandboxError(
                f"{text!r} cannot be granted as a host: {error}. Write `name`, `name:port` or "
                "`*.name`, such as `pypi.org`."
            ) from error

    @classmethod
    def _parse(cls, text: str) -> HostRule:
        if "/" in text:
            raise ValueError("name the host alone, without http:// and path")
        name, port = split_port(text)
        below = name.startswith("*.")
        host = normal_host(name[2:] if below else name)
        if below and ("." not in host or _is_address(host)):
            raise ValueError("`*.` needs a name of two parts at least below it")
        return cls(host, USUAL_PORTS if port is None else (port,), below)

    def matches(self, host: str, port: int) -> bool:
        """Whether it allows a host, in its normal form."""
        same = host.endswith(f".{self.host}") if self.below else host == self.host
        return same and port in self.ports


def shown(host: str, port: int, usual_port: int | None = None) -> str:
    """Write a host, in its normal form, with its port; without it when it is the usual one."""
    name = f"[{host}]" if ":" in host else host
    return name if port == usual_port else f"{name}:{port}"


class AllowList:
    """The hosts of one grant; an empty one allows nothing.

    Raises:
        SandboxError: A rule cannot be read.
    """

    def __init__(self, rules: Iterable[str]) -> None:
        self._rules = tuple(HostRule.parse(rule) for rule in rules)

    @property
    def hosts(self) -> frozenset[str]:
        """The names and addresses of the rules."""
        return frozenset(rule.host for rule in self._rules)

    def allows(self, host: str, port: int) -> bool:
        """Whether a host, in its normal form, may be asked for."""
        return any(rule.matches(host, port) for rule in self._rules)

    def allows_address(self, address: str, host: str, port: int) -> bool:
        """Whether an address, to which an allowed name was resolved, may be connected to.

        A name on the list may be anybody's and lead to this machine or its neighbours: those
        are reached by their address alone, or this machine by the name `localhost`.
        """
        ip = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(ip, IPv6Address):
            ip = _carried(ip) or ip
        if any(rule.matches(str(ip), port) for rule in self._rules):
            return True
        if host == "localhost":
            return ip.is_loopback
        return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _carried(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address within an IPv6 one, which is where it leads."""
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour
    if address.teredo:
        return address.teredo[1]
    is_own = address.is_loopback or address.is_unspecified
    if not is_own and any(address in network for network in _CARRIERS):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None
