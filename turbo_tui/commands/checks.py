"""One thing that `turbo-tui doctor` looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "reduced", "missing"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `missing` means something needed is not there: exit code 1."""

    name: str
    status: Status
    detail: str
    mend: str = ""
