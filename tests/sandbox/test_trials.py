"""Trying things out leaves nothing behind, also of processes that were killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from turbo_tui.sandbox.staging.trial_folders import trial_folder


def test_what_a_killed_process_left_is_deleted_and_what_lives_is_kept(tmp_path: Path) -> None:
    done = subprocess.run(
        (sys.executable, "-c", "import os; print(os.getpid())"), capture_output=True, check=True
    )
    left = tmp_path / f"trial-{int(done.stdout)}-x"
    (left / "work" / "work").mkdir(parents=True)
    (left / "work" / "work").chmod(0)
    ours = tmp_path / f"trial-{os.getpid()}-x"
    ours.mkdir()
    strange = tmp_path / "trial-of-someone"
    strange.mkdir()

    made = trial_folder(tmp_path, "trial")

    assert not left.exists()
    assert {ours, strange, made} == set(tmp_path.iterdir())
