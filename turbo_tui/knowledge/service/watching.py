"""Learn of changed files at once, from the operating system."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Event, Thread

DEBOUNCE_MS = 100  # an editor writes a file in several steps
STEP_MS = 20
TICK_MS = 1000
END_S = 5.0  # a watch that hangs with its disk, as it begins, is not waited for

Changed = Callable[[Iterable[str] | None], None]


class Watch:
    """Watches folders, each without the folders in it.

    Attributes:
        works: Whether changes are told; where the system has not enough watches, they are not.
    """

    def __init__(self, changed: Changed) -> None:
        """Begin with nothing.

        Args:
            changed: Takes absolute paths; None where anything may have changed.
        """
        self.works = False
        self._changed = changed
        self._folders: frozenset[str] = frozenset()
        self._stop = Event()
        self._thread: Thread | None = None

    def over(self, folders: Iterable[str]) -> None:
        """Watch these folders from now on."""
        wanted = frozenset(folders)
        if wanted == self._folders:
            return
        self.stop()
        self._folders = wanted
        if wanted:
            self._stop = Event()
            self._thread = Thread(
                target=self._run, args=(wanted, self._stop), name="watch", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Watch nothing."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(END_S)
        self._thread, self._folders, self.works = None, frozenset(), False

    def _run(self, folders: frozenset[str], stop: Event) -> None:
        from watchfiles import watch  # noqa: PLC0415  brings asyncio; a first answer goes before

        try:
            for changes in watch(
                *folders,
                watch_filter=None,
                debounce=DEBOUNCE_MS,
                step=STEP_MS,
                stop_event=stop,
                rust_timeout=TICK_MS,
                yield_on_timeout=True,
                raise_interrupt=False,
                recursive=False,
                ignore_permission_denied=True,
            ):
                if stop.is_set():
                    return  # so late: another one watches, or none
                if not self.works:
                    self.works = True
                    self._changed(None)  # between the look at the files and now
                if changes:
                    self._changed([path for _, path in changes])
        except (OSError, RuntimeError):
            pass  # a folder is gone, or too many are watched: who asks looks for himself
        if not stop.is_set():
            self.works = False
