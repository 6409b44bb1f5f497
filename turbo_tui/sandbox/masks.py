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
    """Finds them anew each time, one asker after the other: a later look is cheap."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self._scanning = asyncio.Lock()

    async def now(self) -> Masked:
        """Look.

        Raises:
            SandboxError: They are too many to be masked.
        """
        async with self._scanning:
            secrets = await asyncio.to_thread(self._scanner.scan)
            return Masked(secrets, self._scanner.repositories)
