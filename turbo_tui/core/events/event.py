"""What every event is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Event:
    """The root of all events; `v` is the version of the event's shape."""

    v: ClassVar[int] = 1
