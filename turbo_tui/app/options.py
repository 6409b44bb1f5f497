"""How the app looks, known before anything is opened: all that its first frame needs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """How the app looks and behaves from the first frame on.

    Attributes:
        title: Name of the workspace's folder, known before anything is opened.
        mouse: False leaves the mouse to the terminal, for native selection.
        ascii_only: Draw in ASCII; None asks LC_ALL, LC_CTYPE and LANG.
    """

    title: str = ""
    mouse: bool = True
    ascii_only: bool | None = None
    theme: str = ""
