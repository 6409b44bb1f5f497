"""The editor that the user named, as words of a command."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping

from turbo_tui.core.errors import UsageError


def named_editor(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return VISUAL or EDITOR, taken apart as a shell would; empty when neither is set.

    Raises:
        UsageError: It holds a quote that is not closed.
    """
    name = "VISUAL" if environ.get("VISUAL") else "EDITOR"
    try:
        return shlex.split(environ.get(name, ""))
    except ValueError as error:
        raise UsageError(f"{name} cannot be read as a command: {error}. Mend its quotes.") from None
