"""What differs from protocol to protocol; the rest is in `http_model`."""

from __future__ import annotations

from typing import ClassVar, Protocol

from turbo_tui.adapters.providers.address import ModelAddress
from turbo_tui.adapters.providers.draft import Draft
from turbo_tui.adapters.providers.ways import SchemaWay, Ways
from turbo_tui.core.models import ModelRequest


class Dialect(Protocol):
    """A wire protocol: how to ask, and how to read each piece of the answer."""

    schema_ways: ClassVar[tuple[SchemaWay, ...]]
    chat_path: ClassVar[str]
    models_path: ClassVar[str]

    def headers(self, address: ModelAddress) -> dict[str, str]:
        """Return the headers that carry the key; empty without one where that is allowed."""
        ...

    def body(self, address: ModelAddress, request: ModelRequest, ways: Ways) -> dict[str, object]:
        """Return the request's JSON body."""
        ...

    def read(self, payload: dict[str, object], draft: Draft) -> None:
        """Take one piece of the answer into the draft; it holds no error object."""
        ...

    def model_names(self, listing: dict[str, object]) -> tuple[str, ...] | None:
        """Read the server's list of models; None when it is no such list."""
        ...
