"""How panes share the screen: side by side, in tabs, or not at all."""

from __future__ import annotations

from typing import Literal

PaneName = Literal["plan", "diff", "log", "knowledge", "project"]
Shape = Literal["wide", "short", "narrow", "tiny"]

PANES: tuple[tuple[PaneName, str, str], ...] = (
    ("plan", "Plan", "1"),
    ("diff", "Changes", "2"),
    ("log", "Log", "3"),
    ("knowledge", "Knowledge", "4"),
    ("project", "Project", "5"),
)
TABBED: dict[Shape, tuple[PaneName, ...]] = {
    "wide": ("log", "knowledge", "project"),
    "short": ("diff", "log", "knowledge", "project"),
    "narrow": ("plan", "diff", "log", "knowledge", "project"),
    "tiny": (),
}
SMALLEST = (60, 20)
_TABS_BELOW = (100, 32)


def shape_of(width: int, height: int) -> Shape:
    """Return how panes are laid out on a terminal of this size."""
    if width < SMALLEST[0] or height < SMALLEST[1]:
        return "tiny"
    if width < _TABS_BELOW[0]:
        return "narrow"
    return "short" if height < _TABS_BELOW[1] else "wide"
