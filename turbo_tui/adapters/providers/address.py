"""Where a model is reached: a value, checked as it is made."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Literal, get_args
from urllib.parse import SplitResult, urlsplit

from turbo_tui.core.errors import ConfigError

Kind = Literal["openai", "ollama", "anthropic"]

# What users paste as an address beside the one that requests are built on.
_ENDINGS: dict[Kind, tuple[str, ...]] = {
    "openai": ("/chat/completions",),
    "ollama": ("/api/chat", "/api", "/v1"),
    "anthropic": ("/v1/messages", "/v1"),
}


@dataclass(frozen=True, slots=True)
class ModelAddress:
    """A model behind a server, and how patient to be with it.

    Attributes:
        kind: The wire protocol: OpenAI-compatible, Ollama's own, or Anthropic's.
        base_url: `http://127.0.0.1:11434`, `https://openrouter.ai/api/v1`, …; without a scheme
            http is meant, and an OpenAI-compatible address without a path gets `/v1`.
        key: Sent only to `base_url`'s own host; never in a message, never in `repr`.
        context_tokens: The window; Ollama is told to load the model with it.
        price_in_usd: Dollars per million tokens sent; None when unknown.
        price_out_usd: Dollars per million tokens received; None when unknown.
        timeout_s: Longest silence between two pieces of a reply.
        connect_timeout_s: Longest wait for a connection.
        retries: Most repeats of one request; silences and refused connections are repeated once.

    Raises:
        ConfigError: The address or the key cannot be used; the key is not quoted.
    """

    kind: Kind
    base_url: str
    model: str
    key: str = field(default="", repr=False)
    context_tokens: int = 8192
    price_in_usd: float | None = None
    price_out_usd: float | None = None
    timeout_s: float = 120.0
    connect_timeout_s: float = 10.0
    retries: int = 3

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            kinds = ", ".join(get_args(Kind))
            raise ConfigError(f"model kind {self.kind!r} is not one of {kinds}")
        host = self.host  # refuses an address that cannot be used, before its repr is ever shown
        if not self.model.strip():
            raise ConfigError(f"no model is named for {host}: set `model`")
        # An illegal header value would be quoted, key and all, by the HTTP library's error.
        if not self.header_key.isprintable() or not self.header_key.isascii():
            raise ConfigError(
                f"the key for {host} holds characters that no key has"
                " (a line break, a quote from a document?): copy it again"
            )

    @property
    def root(self) -> str:
        """The address that paths are appended to, without a slash at its end."""
        parts = self._parts
        path = parts.path.rstrip("/")
        for ending in _ENDINGS[self.kind]:
            path = path.removesuffix(ending)
        if self.kind == "openai" and not path:
            path = "/v1"
        return f"{parts.scheme}://{parts.netloc}{path}"

    @property
    def host(self) -> str:
        """`host:port` as shown to the user; the port is left out where the scheme implies it."""
        return self._parts.netloc

    @property
    def header_key(self) -> str:
        """The key without the line break it was pasted with."""
        return self.key.strip()

    @property
    def is_loopback(self) -> bool:
        """Say whether requests stay on this machine (and so must not go to a proxy)."""
        name = self._parts.hostname or ""
        if name == "localhost" or name.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False

    @property
    def _parts(self) -> SplitResult:
        """Split the address.

        Raises:
            ConfigError: It is not an http address; what follows `@` only is quoted.
        """
        text = self.base_url.strip()
        text = text if "://" in text else f"http://{text}"
        shown = text.rsplit("@", 1)[-1]
        try:
            parts = urlsplit(text)
            usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError as error:
            raise ConfigError(f"base_url {shown!r} is not an address: {error}") from None
        if not usable:
            raise ConfigError(f"base_url {shown!r} is not an address like http://127.0.0.1:11434")
        if parts.username is not None:
            raise ConfigError(
                f"base_url of {shown!r} holds a user name or password: set the key instead"
            )
        return parts
