"""What the two halves of this room share: where a command runs, and who confines it there.

Stages make a `Place`; a `Confiner` runs commands in one. Neither knows how the other does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from turbo_tui.core.command import Command
from turbo_tui.core.ports import CommandResult, Guarantee, OnOutput

ConfinerName = Literal["bubblewrap", "landlock", "seatbelt", "unsandboxed"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command runs: `tree`, in the namespaces `enter` leads to, is shown at `workspace`.

    Attributes:
        workspace: The path that the command believes it works in; resolved, absolute.
        tree: Overlay: the same path, inside the holder's mount namespace. Copy: the copied
            folder, on the host.
        enter: Argv prefix that enters the holder's namespaces (`nsenter …`); empty for none.
        owner_uid: Owner of the workspace; commands run as this user.
        owner_gid: Its group.
        git_dir: Where `.git` really is when it lies outside the workspace (parent folder,
            worktree, submodule); to be bound read-only.
        read_only: Further paths relative to the workspace to mask or bind read-only.
        masked: Files relative to the workspace that hold secrets: shown empty, read-only.
    """

    workspace: Path
    tree: Path
    enter: tuple[str, ...]
    owner_uid: int
    owner_gid: int
    git_dir: Path | None = None
    read_only: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()


class Confiner(Protocol):
    """Run commands so that they reach nothing but their place."""

    @property
    def name(self) -> ConfinerName:
        """What confines: the second word of a rung."""
        ...

    @property
    def guarantees(self) -> tuple[Guarantee, ...]:
        """What it holds here, and what it does not."""
        ...

    async def run(
        self,
        place: Place,
        command: Command,
        *,
        on_output: OnOutput | None = None,
    ) -> CommandResult:
        """Run a command to its end, as `core.ports.Stage.run` says.

        Raises:
            SandboxError: The sandbox could not be started.
        """
        ...

    def warm(self, place: Place) -> None:
        """Make ready, in the background, for the next commands in a place; returns at once.

        What is made ready belongs to the place until `dismiss`.
        """
        ...

    async def dismiss(self, place: Place) -> None:
        """End what waits for commands in a place; nothing holds its mounts when this returns."""
        ...
