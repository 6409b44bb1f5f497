"""Modules of the `semantic` extra, which may be missing."""

from __future__ import annotations

import importlib
from typing import Any

from turbo_tui.core.errors import WeightsError


def imported(name: str) -> Any:  # noqa: ANN401  untyped where it is not installed
    """Import a module of the extra.

    Raises:
        WeightsError: It is missing; the message says what installs it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise WeightsError(
            f"Search by meaning needs {name}, which cannot be imported: {error}. `make semantic` "
            "installs it; until then search goes by words and structure."
        ) from error
