"""Landing: approved changes into the workspace, through a journal, whole or not at all."""

from __future__ import annotations

from pathlib import Path

from turbo_tui.core.ports import Blobs
from turbo_tui.landing.lander import JournalLander

__all__ = ["JournalLander", "open_lander"]


def open_lander(workspace: Path, state: Path, blobs: Blobs) -> JournalLander:
    """Make the lander of a workspace; nothing is touched until it is used.

    Args:
        workspace: The tree to land in; may be a symlink to it.
        state: The state folder; the journal lies in its `landings/`.
        blobs: Holds contents of change sets; pre-images are added to it.
    """
    return JournalLander(workspace, state, blobs)
