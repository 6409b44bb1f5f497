"""The watch of a workspace's folders: it may hang with their disk, and nobody waits for that."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from pathlib import Path
from threading import Event, Thread

import pytest
import watchfiles

from tests.knowledge.worker_kit import until
from turbo_tui.knowledge.service import watching
from turbo_tui.knowledge.service.watching import Watch

Changes = set[tuple[watchfiles.Change, str]]


def test_one_that_hangs_as_it_begins_is_left_and_says_nothing_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave, begun = Event(), Event()
    watch_files = watchfiles.watch

    def slowly(*folders: str, stop_event: Event, **_others: object) -> Generator[Changes]:
        if not begun.is_set():
            begun.set()
            assert leave.wait(60)
        yield from watch_files(
            *folders, stop_event=stop_event, rust_timeout=20, yield_on_timeout=True
        )

    monkeypatch.setattr(watchfiles, "watch", slowly)
    monkeypatch.setattr(watching, "END_S", 0.05)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    told: list[Iterable[str] | None] = []
    watch = Watch(told.append)
    watch.over([str(tmp_path / "one")])
    assert begun.wait(60)
    left = watch._thread  # pyright: ignore[reportPrivateUsage]

    over = Thread(target=watch.over, args=([str(tmp_path / "two")],), daemon=True)
    over.start()
    over.join(60)
    assert not over.is_alive()
    leave.set()
    assert left is not None
    assert left.daemon, "the process may end without it"
    until(lambda: not left.is_alive())
    until(lambda: told)
    assert watch.works
    watch.stop()

    assert told[0] is None
    assert not watch.works
