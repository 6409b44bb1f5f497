"""What the commands of a session need of the app around them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from textual.screen import Screen

from turbo_tui.core.errors import TurboError

Given = TypeVar("Given")


class House(Protocol):
    """What the desk needs of the app around it."""

    def put_up(self, window: Screen[Given], then: Callable[[Given | None], None]) -> None:
        """Put a window over the session; `then` gets its answer."""
        ...

    def tell(self, text: str, *, bad: bool = False) -> None:
        """Say something in passing."""
        ...

    def in_background(self, work: Awaitable[None], *, group: str) -> None:
        """Do something beside; a newer one of the same group takes its place."""
        ...

    def outside(self, command: list[str]) -> int:
        """Give the terminal to another program until it ends; return how it ended, 0 for well."""
        ...


def attempt(house: House, act: Callable[[], object]) -> bool:
    """Do something; tell why where it is refused. Return whether it was done."""
    try:
        act()
    except TurboError as error:
        house.tell(str(error), bad=True)
        return False
    return True
