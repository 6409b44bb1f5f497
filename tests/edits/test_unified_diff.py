from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest

from tests.edit_trees import Refused, after, applied
from turbo_tui.edits.formats import parse
from turbo_tui.edits.values import EditSyntaxError

FILES = {"src/app.py": "one\ntwo\nthree\n"}
DONE = {"src/app.py": "one\nTWO\nthree\n"}
HUNK = "@@ -1,3 +1,3 @@\n one\n-two\n+TWO\n three\n"


@pytest.mark.parametrize(
    "head",
    [
        "--- a/src/app.py\n+++ b/src/app.py\n",
        "--- src/app.py\n+++ src/app.py\n",
        "--- a/src/app.py\t2024-01-01 10:00:00.000 +0000\n+++ b/src/app.py\t2024-01-02\n",
        "--- src/app.py 2024-01-01 10:00:00\n+++ src/app.py 2024-01-01 11:00:00\n",
        "--- src/app.py.orig\n+++ src/app.py\n",
        "--- src/app.py(revision 7)\n+++ src/app.py(working copy)\n",
        "--- src/app.py\t(revision 7)\n+++ src/app.py\t(working copy)\n",
        "--- before/src/app.py\n+++ after/src/app.py\n",
        "--- i/src/app.py\n+++ w/src/app.py\n",
        "--- a/src/app.py\n",
        "+++ b/src/app.py\n",
        "diff --git a/src/app.py b/src/app.py\nindex 1a2b3c4..5d6e7f8 100644\n",
        "diff --git a/src/app.py b/src/app.py\n--- a/src/app.py\n+++ b/src/app.py\n",
        '--- "a/src/\\141pp.py"\n+++ "b/src/\\141pp.py"\n',
        "Index: src/app.py\n==========\n--- src/app.py\n+++ src/app.py\n",
        "src/app.py\n```diff\n",
        "**src/app.py**\n\n",
        "src/app.py\n```diff\n--- original.py\n+++ modified.py\n",
        "--- before.py\n+++ after.py\n",
        "--- /dev/null\n+++ b/src/app.py\n",
    ],
)
def test_the_file_is_found_whatever_its_header_lacks(head: str) -> None:
    assert after(FILES, head + HUNK) == DONE


@pytest.mark.parametrize(
    "hunk",
    [
        "@@ -100,9 +200,1 @@\n one\n-two\n+TWO\n three\n",
        "@@ -2 +2 @@\n-two\n+TWO\n",
        "@@\n-two\n+TWO\n",
        "@@ ... @@\n-two\n+TWO\n",
        "@@ -1,3 +1,3 @@ def f():\n one\n-two\n+TWO\n three\n\n\n",
        "@@ -,+ @@\n-two\n+TWO\n",
        "@@ one @@\n-two\n+TWO\n",
        "@@ -2,1 @@\n-two\n+TWO\n",
        "@@ line 2 @@ one\n-two\n+TWO\n",
        "@@ -1,3 +1,3 @@\n one\n-two\n+TWO\n three\n-- \n2.39.0\n",
    ],
)
def test_numbers_may_be_wrong_or_missing(hunk: str) -> None:
    assert after(FILES, f"--- a/src/app.py\n+++ b/src/app.py\n{hunk}") == DONE


def test_blank_context_may_lack_its_space_and_prose_may_follow() -> None:
    hunk = "@@ -1,4 +1,4 @@\n one\n\n-two\n+TWO\n end\n"
    answer = f"Do this:\n```diff\n--- a\n+++ a\n{hunk}```\n\n- done\n"

    assert after({"a": "one\n\ntwo\nend\n"}, answer) == {"a": "one\n\nTWO\nend\n"}


def test_removed_lines_that_look_like_headers_are_lines() -> None:
    answer = "--- a/q.sql\n+++ b/q.sql\n@@ -1,3 +1,3 @@\n select\n--- old\n+++ new\n from\n"

    assert after({"q.sql": "select\n-- old\nfrom\n"}, answer) == {"q.sql": "select\n++ new\nfrom\n"}


def test_several_files_and_hunks_apply_together() -> None:
    files = {"a": "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "b": "x\n"}
    answer = (
        "--- a/a\n+++ b/a\n@@ -1,2 +1,2 @@\n-1\n+one\n 2\n@@ -8,2 +8,2 @@\n 8\n-9\n+nine\n\n"
        "--- a/b\n+++ b/b\n@@ -1 +1 @@\n-x\n+y\n"
    )

    assert after(files, answer) == {"a": "one\n2\n3\n4\n5\n6\n7\n8\nnine\n", "b": "y\n"}


@pytest.mark.parametrize(
    "head",
    [
        "--- /dev/null\n+++ b/new.py\n",
        "diff --git a/new.py b/new.py\nnew file mode 100644\n--- /dev/null\n+++ b/new.py\n",
    ],
)
def test_a_file_is_added_and_never_over_another(head: str) -> None:
    answer = head + "@@ -0,0 +1,2 @@\n+one\n+two\n"

    assert after({}, answer) == {"new.py": "one\ntwo\n"}
    assert after({}, answer.replace("-0,0", "-1,0").replace("/dev/null", "a/new.py")) == {
        "new.py": "one\ntwo\n"
    }
    assert after({"new.py": ""}, answer) == {"new.py": "one\ntwo\n"}
    with pytest.raises(Refused, match="exists and is not empty"):
        after({"new.py": "else\n"}, answer)


def test_an_empty_file_is_added_and_deleted_by_its_mode_alone() -> None:
    head = "diff --git a/e b/e\n{} file mode 100644\nindex 000..e69\n"

    assert after({}, head.format("new")) == {"e": ""}
    assert after({"e": ""}, head.format("deleted")) == {}


def test_a_file_is_deleted_only_if_it_holds_what_the_diff_takes_out() -> None:
    answer = "--- a/a\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-one\n-two\n"

    with pytest.raises(Refused, match=r"1 line of it would be left; the first is 'three'"):
        after({"a": "one\ntwo\nthree\n"}, answer)

    assert after({"a": "one\ntwo\n"}, answer) == {}
    with pytest.raises(Refused, match="does not occur"):
        after({"a": "else\n"}, answer)


def test_renames_copies_and_modes_of_git_are_read() -> None:
    rename = (
        "diff --git a/a b/d/b\nsimilarity index 90%\nrename from a\nrename to d/b\n"
        "--- a/a\n+++ b/d/b\n@@ -1 +1 @@\n-x\n+y\n"
    )
    copy = "diff --git a/a b/c\nsimilarity index 100%\ncopy from a\ncopy to c\n"
    mode = "diff --git a/a b/a\nold mode 100644\nnew mode 100755\n"

    assert after({"a": "x\n"}, rename) == {"d/b": "y\n"}
    assert after({"a": "x\n"}, copy) == {"a": "x\n", "c": "x\n"}
    (file,) = applied({"a": "x\n"}, mode).files
    assert (file.path, file.mode, file.content) == ("a", 0o755, b"x\n")
    with pytest.raises(Refused, match="which exists"):
        after({"a": "x\n", "d/b": "there\n"}, rename)


@pytest.mark.parametrize(
    ("before", "hunk", "behind"),
    [
        ("a\nb", "@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n", "a\nc\n"),
        ("a\nb\n", "@@ -1,2 +1,2 @@\n a\n-b\n+c\n\\ No newline at end of file\n", "a\nc"),
        (
            "a\nb",
            "@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end\n+c\n\\ No newline at end\n",
            "a\nc",
        ),
        ("a\nb", "@@ -1,2 +1,2 @@\n-a\n+A\n b\n\\ No newline at end of file\n", "A\nb"),
        ("a\nb", "@@ -1,2 +1,2 @@\n a\n-b\n+c\n", "a\nc"),
        ("a\nb\n", "@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n", "a\nc\n"),
    ],
)
def test_the_last_line_end_is_as_the_diff_says(before: str, hunk: str, behind: str) -> None:
    assert after({"f": before}, f"--- a/f\n+++ b/f\n{hunk}") == {"f": behind}


def test_lines_without_context_go_only_where_nothing_contradicts() -> None:
    head = "--- a/f\n+++ b/f\n"

    assert after({"f": "1\n2\n"}, f"{head}@@ -2,0 +3 @@\n+3\n") == {"f": "1\n2\n3\n"}
    assert after({"f": "1\n2\n"}, f"{head}@@ ... @@\n+3\n") == {"f": "1\n2\n3\n"}
    with pytest.raises(Refused, match="no line of the file beside them"):
        after({"f": "1\n2\n3\n4\n"}, f"{head}@@ -2,0 +3 @@\n+new\n")
    with pytest.raises(Refused, match="exists and is not empty"):
        after({"f": "1\n"}, f"{head}@@ -0,0 +1 @@\n+new\n")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("diff --git a/l b/l\nindex 1..2\nGIT binary patch\nliteral 3\n", "l: a binary patch"),
        ("diff --git a/l b/l\nBinary files a/l and b/l differ\n", "l: a binary patch"),
        (
            "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+t\n",
            "symbolic link",
        ),
        ("diff --git a/m b/m\nnew file mode 160000\n--- /dev/null\n+++ b/m\n", "submodule"),
        ("@@ -1 +1 @@\n-x\n+y\n", "names no file"),
        ("--- a/l\n+++ b/l\n@@ -1 +1 @@\n", "followed by no lines"),
        ("--- a/l\n+++ b/l\n@@@ -1 -1 +1 @@@\n- x\n -y\n++z\n", "combined diff"),
        ("--- a/l\n+++ b/l\n@@ -1,3 +1,3 @@\n one\ndef f():\n-two\n+TWO\n", "must begin with"),
        ("--- /dev/null\n+++ b/none\n@@ -1 +1 @@\n-x\n+y\n", "there is no such file"),
    ],
)
def test_what_is_no_text_or_no_diff_is_refused(answer: str, why: str) -> None:
    with pytest.raises(EditSyntaxError, match=why):
        parse(answer, exists=lambda path: path == "l")


# --- against git itself ------------------------------------------------------------------


def _git(folder: Path, *words: str) -> bytes:
    command = ("git", "-c", "user.name=n", "-c", "user.email=n@example.org", *words)
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, check=True, capture_output=True
    ).stdout


_ODD = ("", "  ", "-- a", "++ b", "@@ x", "--- a/f", "+++ b/f", "diff --git a/x b/y", "\\ odd")


def _text(chance: random.Random) -> str:
    lines = [
        chance.choice(_ODD) if chance.random() < 0.2 else f"line {chance.randrange(40)}"
        for _ in range(chance.randrange(1, 40))
    ]
    return "\n".join(lines) + ("\n" if chance.random() < 0.8 else "")


def _changed(chance: random.Random, text: str) -> str:
    lines = text.split("\n")
    for number in range(chance.randrange(1, 5)):
        at = chance.randrange(len(lines))
        lines[at : at + chance.randrange(2)] = [f"new {number}"] * chance.randrange(3)
        lines = lines or ["left"]
    return "\n".join(lines)


def _write(folder: Path, tree: dict[str, str]) -> None:
    for path, text in tree.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(text.encode())


@pytest.mark.parametrize("seed", range(12))
def test_a_diff_of_git_gives_the_tree_that_git_saw(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  a seed makes it repeatable
    names = ["a.txt", "dir/b.py", "with space/c.txt", "ünï.txt", 'q"t.txt', "b/a.txt"]
    before = {name: _text(chance) for name in chance.sample(names, 4)}
    behind = {
        (f"moved/{Path(name).name}" if chance.random() < 0.2 else name): _changed(chance, text)
        for name, text in before.items()
        if chance.random() < 0.9
    }
    behind["fresh.txt"] = _text(chance)
    _git(tmp_path, "init", "-q")
    _write(tmp_path, before)
    _git(tmp_path, "add", "-A")
    _git(tmp_path, "commit", "-qm", "before")
    for name in before:
        (tmp_path / name).unlink()
    _write(tmp_path, behind)
    _git(tmp_path, "add", "-A")
    flags = [flag for flag in ("--no-prefix", "--no-renames", "-U1") if chance.random() < 0.3]

    diff = _git(tmp_path, "diff", "--cached", "-M", *flags, "HEAD").decode()

    assert after(before, diff) == behind


@pytest.mark.parametrize(
    ("date", "gone"),
    [
        ("1970-01-01 00:00:00.000000000 +0000", True),
        ("1969-12-31 16:00:00.000000000 -0800", True),
        ("1970-01-01 00:00:01.000000000 +0000", False),
        ("2024-02-30 00:00:00 +0000", False),
    ],
)
def test_a_file_dated_to_the_beginning_of_time_is_one_that_is_not_there(
    date: str, *, gone: bool
) -> None:
    answer = f"--- x/a\t2024-01-01 10:00:00 +0000\n+++ y/a\t{date}\n@@ -1 +0,0 @@\n-one\n"

    assert after({"a": "one\n"}, answer) == ({} if gone else {"a": ""})


def test_a_file_added_between_two_folders_goes_where_both_have_it() -> None:
    head = "--- old/src/n.py\t1970-01-01 00:00:00 +0000\n+++ new/src/n.py\t2024-01-01 10:00:00\n"

    assert after({}, f"{head}@@ -0,0 +1 @@\n+x\n") == {"src/n.py": "x\n"}
    assert after({"new/src/n.py": "x\n"}, f"{head}@@ -1 +1 @@\n-x\n+y\n") == {"new/src/n.py": "y\n"}


def test_sides_without_a_files_name_are_of_the_one_file_that_has_the_text() -> None:
    answer = f"--- old\n+++ new\n{HUNK}"

    with pytest.raises(Refused, match="2 files hold its text"):
        after({**FILES, "b": FILES["src/app.py"]}, answer)
    assert after({**FILES, "new": FILES["src/app.py"]}, answer)["src/app.py"] != DONE["src/app.py"]


def test_files_change_places() -> None:
    def moved(one: str, other: str) -> str:
        return f"diff --git a/{one} b/{other}\nrename from {one}\nrename to {other}\n"

    swapped = moved("a", "b") + moved("b", "a")
    rotated = moved("1", "2") + moved("2", "3") + "--- a/2\n+++ b/3\n@@ -1 +1 @@\n-two\n+3\n"

    assert after({"a": "A", "b": "B"}, swapped) == {"a": "B", "b": "A"}
    assert after({"1": "one\n", "2": "two\n"}, rotated) == {"2": "one\n", "3": "3\n"}
    with pytest.raises(Refused, match="which exists"):
        after({"a": "A", "b": "B"}, moved("a", "b"))


def test_a_line_end_that_is_to_go_may_be_gone_already() -> None:
    hunk = "@@ -1,2 +1,2 @@\n one\n-two\n+{}\n\\ No newline at end of file\n"
    answer = f"--- a/a\n+++ b/a\n{hunk}"

    for before in ("one\ntwo\n", "one\ntwo"):
        assert after({"a": before}, answer.format("two")) == {"a": "one\ntwo"}
        assert after({"a": before}, answer.format("TWO")) == {"a": "one\nTWO"}


@pytest.mark.parametrize(
    "diff",
    [
        "*** a\n--- b\n***************\n*** 1,2 ****\n! x\n--- 1,2 ----\n! y\n",
        "1,2c1\n< x\n---\n> y\n",
    ],
)
def test_a_diff_of_another_kind_is_told_what_to_be(diff: str) -> None:
    with pytest.raises(EditSyntaxError, match="diff -u"):
        parse(diff, exists=bool)


RENAMED = ("diff --git a/a b/b", "similarity index 100%", "rename from a", "rename to b")
DELETED = ("diff --git a/b b/b", "deleted file mode 100644", "--- a/b", "+++ /dev/null")


def test_what_is_in_the_way_of_a_rename_goes_as_the_refusal_says() -> None:
    files = {"a": "x\n", "b": "precious\n"}

    with pytest.raises(Refused, match="moved to b, which exists") as refused:
        after(files, "\n".join((*RENAMED, "")))

    assert "delete b before it in the same answer" in refused.value.failures[0].advice
    deleted = (*DELETED, "@@ -1 +0,0 @@", "-precious")
    assert after(files, "\n".join((*deleted, *RENAMED, ""))) == {"b": "x\n"}
