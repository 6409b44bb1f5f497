"""Standard output, watched: what cannot be written ends a command with one line, whatever it is."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn, TextIO, cast

from turbo_tui.core.errors import OutputClosedError, OutputError

if TYPE_CHECKING:
    # As a base it would hide the methods that only `__getattr__` hands on.
    Stream = TextIO
else:
    Stream = object


class _Watched(Stream):
    """A stream whose failures to write are told from every other failure of the system."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            _lost(error)

    def writelines(self, lines: Iterable[str]) -> None:
        self.write("".join(lines))

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            _lost(error)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


@contextmanager
def watched_output() -> Generator[None]:
    """Run with standard output watched, and all of it written before the end.

    Raises:
        OutputClosedError: Its reader has gone.
        OutputError: It cannot be written for another reason.
    """
    stream = cast("TextIO | None", sys.stdout)
    if stream is None:  # it was closed before we began: `turbo-tui … >&-`
        _lost(OSError(errno.EBADF, os.strerror(errno.EBADF)))
    watched = _Watched(stream)
    sys.stdout = watched
    try:
        try:
            yield
        finally:
            watched.flush()
    except OutputError:
        _write_no_more(stream)
        raise
    finally:
        sys.stdout = stream


def _lost(error: OSError) -> NoReturn:
    if isinstance(error, BrokenPipeError):
        raise OutputClosedError(
            "what read the output has ended before all of it was written."
        ) from error
    why = error.strerror or str(error)
    raise OutputError(
        f"standard output cannot be written: {why}. Send it to a place that can be written."
    ) from error


def _write_no_more(stream: TextIO) -> None:
    """Let go of what is still held back: as it ends, Python would try again, and complain."""
    with suppress(OSError):  # a stream in memory has no number
        number = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
