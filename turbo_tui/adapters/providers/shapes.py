"""Reading JSON that a stranger wrote: a missing or mistyped value becomes an empty one."""

from __future__ import annotations

import json
from typing import cast

MOST_COUNTED = 10**15


def as_dict(value: object) -> dict[str, object]:
    """Return an object as a dictionary; anything else as an empty one."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """Return an array as a list; anything else as an empty one."""
    return cast("list[object]", value) if isinstance(value, list) else []


def as_str(value: object) -> str:
    """Return a string; anything else as an empty one."""
    return value if isinstance(value, str) else ""


def as_int(value: object) -> int:
    """Return a whole number ≥ 0; anything else as 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(value) if 0 <= value < MOST_COUNTED else 0  # NaN is neither


def object_of(text: str) -> dict[str, object] | None:
    """Parse text as a JSON object; None when it is something else."""
    try:
        value: object = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def mended(text: str) -> str:
    """Join surrogate halves that a server split over two chunks; replace lone ones."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
