"""What is to be read, and how long that takes."""

from __future__ import annotations

from turbo_tui.knowledge.indexing.tree import SourceFile
from turbo_tui.knowledge.service.backlog import TELLING_FILES, Backlog


def test_a_pace_is_told_once_enough_files_were_read_to_know_it() -> None:
    files = [SourceFile(f"{number}.py", f"/{number}.py", (1, 1, number)) for number in range(90)]
    backlog = Backlog()
    backlog.set(files)
    for file in files[: TELLING_FILES - 1]:
        backlog.done(file)
    early = backlog.pace()
    backlog.done(files[TELLING_FILES - 1])
    rate, left_s = backlog.pace()

    assert early == (0.0, None)
    assert rate > 0
    assert left_s is not None
