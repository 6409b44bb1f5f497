"""The secrets of one workspace, for all its stages: looked for off the event loop."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Protocol

FRESH_S = 0.25  # what was seen so short ago counts: a stage that opens looks for its first command


@dataclass(frozen=True, slots=True)
class Masked:
    """What is closed to commands, as paths from the workspace.

    Attributes:
        secrets: Files that are shown empty.
        repositories: Git folders within, whose hooks and config are closed for writing.
    """

    secrets: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()


class Scanner(Protocol):
    """Finds them; `sandbox.secrets.SecretFiles`."""

    @property
    def repositories(self) -> tuple[str, ...]:
        """Git folders, as of the last scan."""
        ...

    def scan(self) -> tuple[str, ...]:
        """Return the secret files.

        Raises:
            SandboxError: They are too many.
        """
        ...


class Masks:
    """Looks anew, one asker after the other, where the last look is not of just now."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self._scanning = asyncio.Lock()
        self._looked_s = float("-inf")
        self._last = Masked()

    async def now(self) -> Masked:
        """Return what is closed as of now, or of a moment ago.

        Raises:
            SandboxError: They are too many to be masked.
        """
        async with self._scanning:
            now_s = time.monotonic()
            if now_s - self._looked_s > FRESH_S:
                secrets = await asyncio.to_thread(self._scanner.scan)
                self._last = Masked(secrets, self._scanner.repositories)
                self._looked_s = now_s
            return self._last
