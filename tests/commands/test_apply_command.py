from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from turbo_tui.commands.landing_edits import Ground
from turbo_tui.edits.outcome import EditedFile
from turbo_tui.wiring import open_workspace

PATCH = """\
*** Begin Patch
*** Update File: a.py
@@ def main():
-    return 1
+    return 2
*** Add File: b/c.txt
+hi
*** End Patch
"""
A = "def main():\n    return 1\n"

Run = Callable[..., "Ran"]


@dataclass(frozen=True, slots=True)
class Ran:
    code: int
    out: str
    err: str


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    (root / "a.py").write_text(A)
    return root


@pytest.fixture
def run(tmp_path: Path, root: Path) -> Run:
    def turbo_tui(*words: str, given: str | bytes = "") -> Ran:
        done = subprocess.run(
            (sys.executable, "-m", "turbo_tui", *words),
            cwd=root,
            input=given.encode() if isinstance(given, str) else given,
            env={**os.environ, "TURBO_TUI_HOME": str(tmp_path / "home")},
            capture_output=True,
            timeout=120,
            check=False,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    return turbo_tui


def test_edits_on_stdin_land_and_can_be_undone(root: Path, run: Run) -> None:
    done = run("apply", given=f"Here:\n```\n{PATCH}```\n```sh\nmake\n```\n")

    assert (done.code, done.err) == (0, "")
    assert "update a.py: line 2" in done.out
    assert "not run:\n  make" in done.out
    assert (root / "a.py").read_text() == A.replace("1", "2")
    assert (root / "b/c.txt").read_text() == "hi\n"

    assert run("session", "undo").code == 0
    assert (root / "a.py").read_text() == A
    assert not (root / "b").exists()


def test_the_json_is_the_contracts_and_names_the_session(root: Path, run: Run) -> None:
    (root / "d").write_text("x \ny\n")
    answer = PATCH.replace(
        "*** End Patch", "*** Update File: d\n*** Move to: e\n@@\n-x\n+z\n y\n*** End Patch"
    )

    done = run("apply", "--json", given=answer)

    told = json.loads(done.out)
    assert {name: told[name] for name in ("failed", "shell", "dry_run")} == {
        "failed": [],
        "shell": [],
        "dry_run": False,
    }
    assert [(e["path"], e["action"], e["hunks"], e["fuzz"]) for e in told["applied"]] == [
        ("a.py", "update", 1, "exact"),
        ("b/c.txt", "add", 0, "exact"),
        ("e", "move", 1, "trailing-whitespace"),
    ]
    assert told["applied"][2]["moved_from"] == "d"
    assert told["applied"][0]["chunks"] == [{"line": 2, "rung": "exact"}]
    shown = run("session", "show", told["session"])
    assert "apply edits to 3 files" in shown.out
    assert run("session", "undo", told["session"]).code == 0
    assert (root / "d").read_text() == "x \ny\n"


def test_a_failed_match_writes_nothing_and_says_what_is_there(root: Path, run: Run) -> None:
    answer = PATCH.replace("return 1", "return 7")

    done = run("apply", given=answer)
    told = json.loads(run("apply", "--json", given=answer).out)

    assert (done.code, done.out) == (1, "")
    assert "Nothing was written: 1 edit does not apply." in done.err
    assert "a.py, line 2 of the input:" in done.err
    assert "-     return 7\n+     return 1" in done.err
    assert told["applied"] == []
    assert told["session"] == ""
    (failed,) = told["failed"]
    assert (failed["path"], failed["input_line"]) == ("a.py", 2)
    assert failed["closest"] == {"line": 2, "text": "    return 1"}
    assert sorted(each.name for each in root.iterdir()) == ["a.py"]
    assert "no session" in run("session", "show").err.lower()


def test_a_dry_run_tells_and_writes_nothing(root: Path, run: Run) -> None:
    done = run("apply", "--dry-run", given=PATCH)

    assert (done.code, "A dry run: nothing was written." in done.out) == (0, True)
    assert (root / "a.py").read_text() == A
    assert "no session" in run("session", "show").err.lower()


@pytest.mark.parametrize("git", ["a repository", "a broken one", "none"])
def test_what_was_applied_is_a_checkpoint_too_where_that_is_asked_for(
    tmp_path: Path, root: Path, run: Run, git: str
) -> None:
    if git == "a broken one":
        (root / ".git").mkdir()
    elif git == "a repository":
        subprocess.run(("git", "init", "-q", root), check=True)
    config = tmp_path / "home/config/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("[landing]\ncheckpoints = true\n")

    told = json.loads(run("apply", "--json", given=PATCH).out)

    ref = f"refs/turbo-tui/{told['session']}"
    log = ("git", "-C", str(root), "log", "--format=%s", "--name-only", ref)
    kept = subprocess.run(log, capture_output=True, text=True, check=False).stdout
    assert (root / "b/c.txt").read_text() == "hi\n"
    commit = "apply edits to 2 files\n\na.py\nb/c.txt\n"
    assert kept == (commit if git == "a repository" else "")
    assert len(told["notes"]) == (1 if git == "a broken one" else 0)
    assert all("checkpoints = false" in each for each in told["notes"])


def test_what_is_there_already_is_no_session(run: Run) -> None:
    done = run("apply", "--format", "whole", given=f"a.py\n```\n{A}```\n")

    assert (done.code, done.out) == (0, "Nothing to change: the files read so already.\n")


def test_a_whole_file_is_told_with_how_many_lines_became_how_many(root: Path, run: Run) -> None:
    (root / "a.py").write_text(A * 3)
    answer = f"**a.py**\n```python\n{A}```\n"

    refused, taken = run("apply", given=answer), run("apply", "--format", "whole", given=answer)

    assert (refused.code, "has 2 lines where the file has 6" in refused.err) == (1, True)
    assert "update a.py (was there, replaced as a whole: 6 lines become 2)" in taken.out
    assert (root / "a.py").read_text() == A


def test_a_file_that_another_takes_the_place_of_is_named(root: Path, run: Run) -> None:
    (root / "b").write_text("of\nworth\n")

    done = run(
        "apply", given="*** Begin Patch\n*** Update File: a.py\n*** Move to: b\n*** End Patch\n"
    )

    assert "update b (was there, replaced by a.py, which moved here: 2 lines become 2)" in done.out
    assert "delete a.py" in done.out


def test_a_moved_file_is_one_file_wherever_files_are_counted(root: Path, run: Run) -> None:
    moved = "*** Begin Patch\n*** Update File: a.py\n*** Move to: b.py\n*** End Patch\n"
    session = json.loads(run("apply", "--json", given=moved).out)["session"]

    shown = run("session", "show", session, "--log").out
    assert "step s1 landed  (1 file)" in shown
    assert shown.count("a.py → b.py") == 2, "the landing, and the log of it"
    (undone,) = json.loads(run("session", "undo", session, "--dry-run", "--json").out)["undone"]
    assert (undone["paths"], undone["files"]) == (["a.py", "b.py"], ["b.py → a.py"])
    assert "step s1 taken back, 1 file:\n  b.py → a.py" in run("session", "undo", session).out
    assert (root / "a.py").exists()


@pytest.mark.parametrize(
    ("words", "given", "code", "why"),
    [
        (("apply",), "", 2, "Standard input is empty"),
        (("apply",), b"\0\1", 2, "cannot be read as edits"),
        (("apply", "--format", "prose"), "x", 2, "--format"),
        (("apply", "-C", "none"), PATCH, 5, "no such folder"),
        (("apply",), "Sorry, no.\n", 1, "cannot be read as edits.\nThere is no edit in it"),
        (("apply", "an answer.md"), PATCH, 2, "`turbo-tui apply < 'an answer.md'`"),
        (("apply", "--format", "unified"), PATCH, 1, "which --format auto or patch reads"),
    ],
)
def test_what_cannot_be_used_is_told_apart_by_the_exit_code(
    run: Run, words: tuple[str, ...], given: str | bytes, code: int, why: str
) -> None:
    done = run(*words, given=given)

    assert (done.code, why in done.err, "Traceback" in done.err) == (code, True, False)


def test_a_terminal_on_stdin_is_told_what_is_expected(tmp_path: Path, root: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            (sys.executable, "-m", "turbo_tui", "apply"),
            cwd=root,
            stdin=theirs,
            env={**os.environ, "TURBO_TUI_HOME": str(tmp_path / "home")},
            capture_output=True,
            timeout=120,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)

    assert (done.returncode, b"turbo-tui apply < answer.md" in done.stderr) == (2, True)


def test_paths_are_of_the_git_root_unless_told_otherwise(root: Path, run: Run) -> None:
    (root / ".git").mkdir()
    (root / "sub").mkdir()
    (root / "sub/a.py").write_text(A)

    told = run("apply", "-C", "sub", given=PATCH)
    assert (told.code, f"note: paths are of {root}, the git root of {root}/sub" in told.out) == (
        0,
        True,
    )
    told = run("apply", "-C", "sub", "--here", given=PATCH)
    assert (told.code, "note" in told.out) == (0, False)

    assert (root / "a.py").read_text() == (root / "sub/a.py").read_text() == A.replace("1", "2")


def test_links_are_followed_inside_the_workspace_alone(
    tmp_path: Path, root: Path, run: Run
) -> None:
    (tmp_path / "out.py").write_text(A)
    (tmp_path / "outside").mkdir()
    (root / "inner.py").symlink_to("a.py")
    (root / "outer.py").symlink_to("../out.py")
    (root / "folder").symlink_to("../outside")
    (root / "circle").symlink_to("circle")

    inside = run("apply", given=PATCH.replace("a.py", "inner.py"))
    out = [run("apply", given=PATCH.replace("a.py", name)) for name in ("outer.py", "circle")]
    out.append(run("apply", given=PATCH.replace("b/c.txt", "folder/c.txt")))

    assert inside.code == 0
    assert (root / "inner.py").is_symlink()
    assert (root / "a.py").read_text() == A.replace("1", "2")
    assert [each.code for each in out] == [1, 1, 1]
    assert "leads outside the workspace" in out[0].err
    gone = run("apply", given="*** Begin Patch\n*** Delete File: inner.py\n*** End Patch\n")
    assert (gone.code, "symbolic link to a.py" in gone.err) == (1, True)
    assert (tmp_path / "out.py").read_text() == A
    assert list((tmp_path / "outside").iterdir()) == []


def test_permissions_stay_and_a_diff_can_make_a_file_executable(root: Path, run: Run) -> None:
    (root / "a.py").chmod(0o640)
    (root / "run").write_text("#!/bin/sh\n")
    (root / "run").chmod(0o755)
    added = "new file mode 100755\n--- /dev/null\n+++ b/x.sh\n@@ -0,0 +1 @@\n+:\n"
    hunk = "@@ -2 +2 @@\n-    return 1\n+    return 2\n"
    moved = "diff --git a/run b/bin/run\nrename from run\nrename to bin/run\n"
    mode = f"diff --git a/x.sh b/x.sh\n{added}"
    edit = f"--- a/a.py\n+++ b/a.py\n{hunk}"

    assert run("apply", given=moved + mode + edit).code == 0

    modes = {name: (root / name).stat().st_mode & 0o777 for name in ("a.py", "bin/run", "x.sh")}
    assert modes["a.py"] == 0o640
    assert modes["bin/run"] == 0o755
    assert modes["x.sh"] & 0o100


def test_a_mode_that_the_file_has_is_no_change(root: Path, run: Run) -> None:
    (root / "a.py").chmod(0o755)
    mode = "diff --git a/a.py b/a.py\nold mode 100644\nnew mode 100755\n"

    done = run("apply", given=mode)

    assert (done.code, done.out) == (0, "Nothing to change: the files read so already.\n")


def test_bytes_that_are_not_touched_stay(root: Path, run: Run) -> None:
    (root / "a.py").write_bytes(b"\xef\xbb\xbfdef main():\r\n    return 1\r\n# end")
    (root / "latin").write_bytes("é\nx\n".encode("latin-1"))
    answer = PATCH.replace("*** End Patch", "*** Update File: latin\n@@\n-x\n+ü\n*** End Patch")

    assert run("apply", given=answer).code == 0

    assert (root / "a.py").read_bytes() == b"\xef\xbb\xbfdef main():\r\n    return 2\r\n# end"
    assert (root / "latin").read_bytes() == "é\nü\n".encode("latin-1")


def test_nothing_lands_in_gits_own_folder_or_where_a_folder_or_pipe_stands(
    root: Path, run: Run
) -> None:
    (root / ".git").mkdir()
    (root / "sub").mkdir()
    os.mkfifo(root / "pipe")
    answer = (
        "*** Begin Patch\n*** Add File: .git/hooks/x\n+x\n*** Add File: a.py/x\n+x\n"
        "*** Update File: pipe\n@@\n-x\n+y\n*** Delete File: sub\n"
        "*** Delete File: .turbo/config.toml\n*** End Patch\n"
    )

    told = json.loads(run("apply", "--json", given=answer).out)

    assert [each["path"] for each in told["failed"]] == [
        ".git/hooks/x",
        "a.py/x",
        "pipe",
        "sub",
        ".turbo/config.toml",
    ]
    assert list((root / ".git").iterdir()) == []


def test_a_name_from_a_model_is_no_terminal_control(run: Run) -> None:
    done = run("apply", given=PATCH.replace("a.py", "a\x1b[31m.py"))

    assert done.code == 1
    assert "\x1b" not in done.err


@pytest.mark.parametrize("name", ["x" * 300, "a/" * 2500 + "b"])
def test_a_path_that_is_too_long_is_a_failure_like_any_other(run: Run, name: str) -> None:
    answer = f"*** Begin Patch\n*** Add File: {name}\n+x\n*** End Patch\n"

    told, as_json = run("apply", given=answer), run("apply", "--json", given=answer)

    assert (told.code, as_json.code) == (1, 1)
    assert "longer than the file system takes" in told.err
    assert "Traceback" not in told.err + as_json.err
    (failed,) = json.loads(as_json.out)["failed"]
    assert failed["why"] == "its path is longer than the file system takes"


def test_a_name_that_was_completed_is_noted(root: Path, run: Run) -> None:
    done = run("apply", given=PATCH.replace("a.py", "project/a.py"))

    assert (done.code, (root / "a.py").read_text()) == (0, A.replace("1", "2"))
    assert "note: there is no project/a.py; its edit went to a.py" in done.out


def test_what_permissions_have_against_an_edit_is_noted(root: Path, run: Run) -> None:
    (root / "a.py").chmod(0o444)

    done = run("apply", given=PATCH)

    assert (done.code, (root / "a.py").read_text()) == (0, A.replace("1", "2"))
    assert "note: a.py is read-only: it changes all the same, and stays read-only" in done.out
    assert (root / "a.py").stat().st_mode & 0o777 == 0o444


def test_a_folder_that_may_not_be_written_is_foreseen(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TURBO_TUI_HOME", str(tmp_path / "home"))
    ground = Ground(open_workspace(root))
    file = EditedFile("b/c.txt", "add", b"hi\n")

    assert list(ground.doubts([file])) == []

    def never(place: Path, mode: int) -> bool:
        return mode == -1 and place.exists()

    monkeypatch.setattr(os, "access", never)  # tests may run as root, who may always
    assert list(ground.doubts([file])) == [f"b/c.txt cannot land: you may not write in {root}"]
