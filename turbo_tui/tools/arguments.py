"""Read a tool's arguments; errors say which, what was given, and show a call that works."""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import cast

from turbo_tui.core.errors import ToolError
from turbo_tui.core.models import ToolSpec

_SHOWN_CHARS = 80
_TRUE, _FALSE = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0", ""})


class Arguments:
    """The arguments of one call, read by name and kind.

    Numbers and booleans written as strings are taken as meant; unknown names are ignored,
    but named when a required one is missing.

    Args:
        spec: The tool's; its `properties` are the known names.
        example: Arguments of a call that works, for error texts.
        given: What the model wrote.
        root: Absolute path of the workspace, taken off paths that begin with it.
    """

    def __init__(
        self,
        spec: ToolSpec,
        example: Mapping[str, object],
        given: Mapping[str, object],
        *,
        root: str = "",
    ) -> None:
        self._spec = spec
        self._example = example
        self._given = given
        self._root = root.rstrip("/")

    def text(self, name: str, default: str | None = None, *, empty: bool = False) -> str:
        """Return a string; without `default` it is required, without `empty` not blank."""
        value = self._given.get(name)
        if value is None:
            if default is None:
                raise self._missing(name)
            return default
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self._wrong(name, "must be a string", value)
        written = str(value)
        if not empty and not written.strip():
            raise self._wrong(name, "must not be empty", value)
        return written

    def number(
        self, name: str, default: int, *, at_least: int = 0, at_most: int | None = None
    ) -> int:
        """Return a whole number; one that is too large is taken as `at_most`."""
        value = self._given.get(name)
        if value is None or value == "":
            return default
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, str) and value.strip().lstrip("-").isdigit():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._wrong(name, "must be a whole number", value)
        if value < at_least:
            raise self._wrong(name, f"must be at least {at_least}", value)
        return value if at_most is None else min(value, at_most)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a boolean."""
        value = self._given.get(name)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        word = str(value).strip().lower()
        if word not in _TRUE | _FALSE:
            raise self._wrong(name, "must be true or false", value)
        return word in _TRUE

    def texts(self, name: str) -> list[str]:
        """Return a list of strings; one string is a list of one, none at all is empty."""
        value = self._given.get(name)
        if value is None or value == "":
            return []
        if isinstance(value, str):
            return [value]
        items = cast("list[object]", value) if isinstance(value, list) else [None]
        texts = [item for item in items if isinstance(item, str)]
        if len(texts) != len(items):
            raise self.wrong(name, "must be a list of strings")
        return texts

    def path(self, name: str = "path", default: str | None = None) -> str:
        """Return a path relative to the workspace, `./` and doubled slashes taken off."""
        written = self.text(name, default).strip()
        if self._root and written.startswith(f"{self._root}/"):
            written = written[len(self._root) + 1 :]
        if written.startswith("/"):
            raise self._wrong(name, "must be relative to the workspace", written)
        parts = [part for part in written.split("/") if part not in {"", "."}]
        if ".." in parts:
            raise self._wrong(name, "must stay in the workspace, without `..`", written)
        return "/".join(parts) or "."

    def wrong(self, name: str, why: str) -> ToolError:
        """Make an error about one argument's value."""
        return self._wrong(name, why, self._given.get(name))

    def _missing(self, name: str) -> ToolError:
        properties = cast("dict[str, object]", self._spec.parameters.get("properties", {}))
        unknown = [key for key in self._given if key not in properties]
        near = get_close_matches(name, unknown, n=1, cutoff=0.4) or unknown[:1]
        hint = f" You gave {near[0]!r}, which it does not know." if near else ""
        return ToolError(f"{self._spec.name} needs the argument {name!r}.{hint} {self._sample()}")

    def _wrong(self, name: str, why: str, value: object) -> ToolError:
        shown = json.dumps(value, ensure_ascii=False, default=str)
        if len(shown) > _SHOWN_CHARS:
            shown = f"{shown[:_SHOWN_CHARS]}…"
        return ToolError(
            f"{self._spec.name}: argument {name!r} {why}; given was {shown}. {self._sample()}"
        )

    def _sample(self) -> str:
        return f"Example: {json.dumps(dict(self._example), ensure_ascii=False)}"


def misfit(spec: ToolSpec, given: Mapping[str, object]) -> str:
    """Say which name of a call that is fixed in advance is wrong or missing; empty: none is."""
    properties = cast("dict[str, dict[str, object]]", spec.parameters.get("properties", {}))
    # What a command may be granted is also read beside `grants`.
    granted = cast("dict[str, object]", properties.get("grants", {}).get("properties", {}))
    known = [*properties, *granted]
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"It takes: {', '.join(properties)}."
            return f"{spec.name} has no argument {name!r}. {hint}"
    required = cast("list[str]", spec.parameters.get("required", []))
    missing = [repr(name) for name in required if given.get(name) is None]
    return f"{spec.name} needs the argument {' and '.join(missing)}." if missing else ""


def parameters(required: tuple[str, ...], **properties: dict[str, object]) -> dict[str, object]:
    """Make the JSON schema of a tool's arguments."""
    return {"type": "object", "properties": properties, "required": list(required)}
