"""Replies and outputs as they are kept: without the secrets that passed through them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from turbo_tui.core.ports import Blobs


class RedactedBlobs:
    """Keep text without its secrets. For what is read by people only.

    Change sets and file contents must stay exact, so they never go through here.
    """

    def __init__(self, blobs: Blobs, redact: Callable[[str], str]) -> None:
        self._blobs = blobs
        self._redact = redact

    def put(self, content: bytes) -> str:
        """Keep text, redacted; what is no UTF-8 is kept as it is shown."""
        text = content.decode("utf-8", "surrogateescape")
        return self._blobs.put(self._redact(text).encode("utf-8", "surrogateescape"))

    def put_file(self, path: Path) -> str:
        """Keep a text file's content, redacted."""
        return self.put(path.read_bytes())

    def get(self, blob: str) -> bytes:
        """Return what was kept."""
        return self._blobs.get(blob)

    def copy_to(self, blob: str, target: Path) -> None:
        """Write what was kept to a new file."""
        self._blobs.copy_to(blob, target)
