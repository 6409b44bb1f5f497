from __future__ import annotations

import os
import time
from pathlib import Path

from turbo_tui.adapters.pruning import prune
from turbo_tui.adapters.unkept import MOST_BYTES, drop_outdated, outdated, unkept_folder

DAY = 86_400.0


def put_aside(state: Path, name: str, *, days_ago: float, size: int = 10) -> Path:
    path = unkept_folder(state) / f"unkept-{name}"
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
    at = time.time() - days_ago * DAY
    os.utime(path, (at, at))
    return path


def test_a_text_put_aside_stays_for_a_month(tmp_path: Path) -> None:
    old = put_aside(tmp_path, "old", days_ago=31)
    young = put_aside(tmp_path, "young", days_ago=29)

    assert drop_outdated(tmp_path, dry_run=True) == (1, 10)
    assert old.exists()
    assert drop_outdated(tmp_path) == (1, 10)

    assert (old.exists(), young.exists()) == (False, True)


def test_beyond_the_room_the_oldest_go_and_the_newest_stays(tmp_path: Path) -> None:
    older = [put_aside(tmp_path, f"{n}", days_ago=n, size=MOST_BYTES // 4) for n in range(2, 5)]
    put_aside(tmp_path, "large", days_ago=1, size=MOST_BYTES // 2 + 1)

    assert list(outdated(tmp_path)) == older[1:]

    put_aside(tmp_path, "huge", days_ago=0, size=MOST_BYTES * 2)
    assert {path.name for path in outdated(tmp_path)} == {
        *(path.name for path in older),
        "unkept-large",
    }


def test_nothing_else_is_touched(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"x")
    link = put_aside(tmp_path, "x", days_ago=40)
    link.unlink()
    link.symlink_to(outside)
    os.utime(link, (1.0, 1.0), follow_symlinks=False)
    mine = unkept_folder(tmp_path) / "notes.txt"
    mine.write_bytes(b"x")
    os.utime(mine, (1.0, 1.0))

    assert drop_outdated(tmp_path) == (0, 0)
    assert mine.exists()
    assert link.is_symlink()
    assert drop_outdated(tmp_path / "nowhere") == (0, 0)


def test_a_prune_takes_them_along_and_counts_them(tmp_path: Path) -> None:
    old = put_aside(tmp_path, "old", days_ago=31)

    assert prune(tmp_path, [], dry_run=True).texts == 1
    pruned = prune(tmp_path, [])

    assert (pruned.texts, pruned.size_bytes, old.exists()) == (1, 10, False)
