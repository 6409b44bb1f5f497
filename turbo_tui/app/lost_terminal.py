"""When the terminal is gone: the app leaves, and is not started anew on what is not there."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable
from types import FrameType

from textual.driver import Driver
from textual.timer import Timer

LOOK_S = 1.0


def watch(
    driver: Driver | None,
    every: Callable[[float, Callable[[], None]], Timer],
    lost: Callable[[], object],
) -> None:
    """Say when the terminal is gone, also where nobody sends SIGHUP for it.

    At its end of file Textual's driver would read again at once, and for ever. tty_ioctl(4).

    Args:
        driver: Textual's; one without a terminal is not watched.
        every: Has something called every so many seconds.
        lost: Called once.
    """
    fd = getattr(driver, "fileno", -1)
    if not isinstance(fd, int) or fd < 0 or not os.isatty(fd):
        return
    gone = select.poll()
    gone.register(fd, 0)

    def look() -> None:
        if gone.poll(0):
            timer.stop()
            lost()

    timer = every(LOOK_S, look)


def ignore_continuing_without_a_stop(driver: Driver | None) -> None:
    """Let SIGCONT repaint only what SIGTSTP had stopped.

    When a terminal is lost the kernel sends SIGHUP and SIGCONT; Textual's handler of the
    latter would start the driver anew on a terminal that is gone, and never end. tty(4).
    """
    if not hasattr(driver, "_must_signal_resume"):
        return  # it has no terminal
    repaint = signal.getsignal(signal.SIGCONT)

    def continued(number: int, frame: FrameType | None) -> None:
        stopped = getattr(driver, "_must_signal_resume", False)
        if stopped and callable(repaint):
            repaint(number, frame)

    signal.signal(signal.SIGCONT, continued)
