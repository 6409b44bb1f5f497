"""The secrets of one workspace, for all its stages: looked for off the event loop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol


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
    """Looks anew for each asker; one look serves all who asked before it began."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self._scanning = asyncio.Lock()
        self._began = 0  # looks so far
        self._last: Masked | None = None

    async def now(self) -> Masked:
        """Return what is closed, as of a look that begins after this is called.

        Raises:
            SandboxError: They are too many to be masked.
        """
        before = self._began
        async with self._scanning:
            if self._began == before or self._last is None:
                self._began += 1
                self._last = None  # a look that fails serves nobody
                secrets = await asyncio.to_thread(self._scanner.scan)
                self._last = Masked(secrets, self._scanner.repositories)
            return self._last
