"""How panes share the screen: side by side, in tabs, or not at all."""

from __future__ import annotations

from dataclasses import dataclass
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


def too_small(width: int, height: int) -> str:
    """Say on a tiny terminal what is needed."""
    return (
        f"This terminal is {width}x{height}.\n"
        f"turbo-tui needs {SMALLEST[0]}x{SMALLEST[1]} or more.\n\n"
        "Make the window larger; nothing is lost.\nctrl+q quits."
    )


@dataclass(slots=True)
class Arrangement:
    """Which panes are seen now.

    Attributes:
        shape: How they are laid out.
        last: The pane that had the keys last.
    """

    shape: Shape = "wide"
    last: PaneName = "plan"
    _tab: PaneName = "plan"  # opened where most panes share a place
    _low: PaneName = "log"  # opened where only the lower ones do

    @property
    def tabbed(self) -> tuple[PaneName, ...]:
        """Panes that share a place."""
        return TABBED[self.shape]

    @property
    def opened(self) -> PaneName:
        """The pane that is seen among those that share a place."""
        return self._low if self.shape == "wide" else self._tab

    def fit(self, shape: Shape) -> None:
        """Take another shape; what had the keys stays in view."""
        if shape != self.shape and self.last in TABBED[shape]:
            self._tab = self.last
        self.shape = shape
        if self.tabbed and self.opened not in self.tabbed:
            self._tab = "diff" if "diff" in self.tabbed else "log"

    def open(self, name: PaneName) -> None:
        """Bring a pane into view."""
        if name not in self.tabbed:
            return
        if self.shape != "wide":
            self._tab = name
        if name in TABBED["wide"]:
            self._low = name

    def shows(self, name: PaneName) -> bool:
        """Tell whether a pane is seen."""
        return name not in self.tabbed or name == self.opened
