from __future__ import annotations

import pytest

from tests.edit_trees import Refused, after, applied
from turbo_tui.edits.formats import parse
from turbo_tui.edits.patch_envelope import find
from turbo_tui.edits.values import EditSyntaxError

RUN = "    def run(self):\n        return 1\n"
APP = f"class A:\n{RUN}\n\nclass B:\n{RUN}"


def patch(*lines: str) -> str:
    return "\n".join(("*** Begin Patch", *lines, "*** End Patch")) + "\n"


def test_files_are_added_updated_moved_and_deleted_in_one_patch() -> None:
    files = {"a.py": "one\ntwo\n", "old/b.py": "x\n", "gone.py": "g\n"}

    assert after(
        files,
        patch(
            *("*** Add File: new/c.py", "+first", "+", "+third"),
            *("*** Update File: a.py", "@@", " one", "-two", "+TWO"),
            *("*** Update File: old/b.py", "*** Move to: new/b.py", "@@", "-x", "+y"),
            "*** Delete File: gone.py",
        ),
    ) == {"a.py": "one\nTWO\n", "new/b.py": "y\n", "new/c.py": "first\n\nthird\n"}


def test_headers_stack_up_to_the_place_that_is_meant() -> None:
    answer = patch(
        "*** Update File: app.py",
        "@@ class B:",
        "@@     def run(self):",
        "-        return 1",
        "+        return 2",
    )

    assert after({"app.py": APP}, answer) == {"app.py": APP[:-2] + "2\n"}


@pytest.mark.parametrize(
    ("header", "context", "line"),
    [
        ("@@", (), 0),
        ("@@ class B:", ("class B:",), 0),
        ("@@ class B: @@", ("class B:",), 0),
        ("@@ ... @@", (), 0),
        ("@@ -7,3 +7,4 @@", (), 7),
        ("@@ -7,3 +7,4 @@ class B:", ("class B:",), 7),
        ("@@ -7,3 @@ class B:", ("class B:",), 7),
        ("@@ 7-9 @@", (), 7),
        ("@@ line 7 @@ class B:", ("class B:",), 7),
    ],
)
def test_a_header_is_a_place_or_a_number_or_nothing(
    header: str, context: tuple[str, ...], line: int
) -> None:
    (edit,) = find(patch("*** Update File: a", header, "-x", "+y").split("\n")).edits

    assert (edit.chunks[0].context, edit.chunks[0].line) == (context, line)


def test_a_header_behind_numbers_is_the_place_whatever_the_numbers_are() -> None:
    answer = patch(
        *("*** Update File: app.py", "@@ -2,9 +2,9 @@ class B:"),
        *("     def run(self):", "-        return 1", "+        return 2"),
    )

    assert after({"app.py": APP}, answer) == {"app.py": APP[:-2] + "2\n"}
    with pytest.raises(Refused):
        after({"app.py": f"class A:\n{RUN}\n\nclass B:\n    pass\n"}, answer)


def test_a_header_behind_the_numbers_of_a_diff_in_the_envelope_is_gits_choice() -> None:
    answer = patch(
        *("*** Update File: app.py", "--- a/app.py", "+++ b/app.py", "@@ -1,3 +1,3 @@ import os"),
        *(" class A:", "     def run(self):", "-        return 1", "+        return 2"),
    )

    assert after({"app.py": APP}, answer) == {"app.py": APP.replace("1", "2", 1)}


def test_the_first_chunk_needs_no_header_and_blank_context_no_space() -> None:
    answer = patch("*** Update File: a", " one", "", "-two", "+TWO", "", "@@", "-end", "+END")

    assert after({"a": "one\n\ntwo\nmid\nend\n"}, answer) == {"a": "one\n\nTWO\nmid\nEND\n"}


def test_context_that_lost_its_space_still_has_to_be_in_the_file() -> None:
    answer = patch("*** Update File: a", "@@", "one", "-two", "+TWO")

    assert after({"a": "one\ntwo\n"}, answer) == {"a": "one\nTWO\n"}
    with pytest.raises(Refused, match="does not occur"):
        after({"a": "else\ntwo\n"}, answer)


def test_the_end_of_the_file_settles_which_of_two_is_meant() -> None:
    answer = patch("*** Update File: a", "@@", "-x", "+y", "*** End of File")

    assert after({"a": "x\nm\nx\n"}, answer) == {"a": "x\nm\ny\n"}


def test_lines_with_nothing_beside_them_go_to_the_end() -> None:
    assert after({"a": "one\n"}, patch("*** Update File: a", "@@", "+two")) == {"a": "one\ntwo\n"}


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        ("apply_patch <<'EOF'\n", "EOF\n"),
        ('cat <<"END" | apply_patch\n', ""),
        ("<<PATCH\n", "PATCH\n"),
        ("bash -lc \"apply_patch <<'EOF'\n", 'EOF"\n'),
        ("Here it is:\n\n```patch\n", "```\n\nThat should do.\n"),
        ("~~~~\n", "~~~~\n"),
        ("\n\n   ", "   \n\n"),
    ],
)
def test_what_stands_around_a_patch_is_no_part_of_it(before: str, behind: str) -> None:
    body = patch("*** Add File: a", "+x")

    assert after({}, before + body + behind) == {"a": "x\n"}


@pytest.mark.parametrize("behind", ["EOF\n", "```\n", "EOF\n```\n", "\n```\n"])
def test_a_missing_end_is_that_of_what_is_around_the_patch(behind: str) -> None:
    body = patch("*** Update File: a", "@@", "-x", "+y").removesuffix("*** End Patch\n")

    assert after({"a": "x\n"}, "```\napply_patch <<EOF\n" + body + behind) == {"a": "y\n"}


@pytest.mark.parametrize("behind", ["", "\n\n"])
def test_a_patch_that_may_have_been_cut_off_is_refused(behind: str) -> None:
    body = patch("*** Add File: a", "+x").removesuffix("*** End Patch\n")

    with pytest.raises(EditSyntaxError, match="is it complete"):
        parse(f"Here:\n{body}{behind}", exists=bool)
    assert after({}, body.removeprefix("*** Begin Patch\n")) == {"a": "x\n"}


def test_markers_may_be_padded_but_context_that_looks_like_one_stays_context() -> None:
    padded = " *** Begin Patch \n  *** Update File: a\n@@\n-x\n+y\n *** End Patch \n"
    quoting = patch("*** Update File: a", "@@", " *** Update File: b", "-x", "+y")

    assert after({"a": "x\n"}, padded) == {"a": "y\n"}
    assert after({"a": "*** Update File: b\nx\n"}, quoting) == {"a": "*** Update File: b\ny\n"}


def test_a_file_may_be_moved_as_it_is_and_take_the_place_of_another() -> None:
    moved = patch("*** Update File: a", "*** Move to: d/b")

    assert after({"a": "x\n"}, moved) == {"d/b": "x\n"}
    assert after({"a": "x\n", "d/b": "old\n"}, moved) == {"d/b": "x\n"}


def test_an_added_file_may_replace_one_and_need_no_plus_when_no_line_has_one() -> None:
    assert after({"a": "old\n"}, patch("*** Add File: a", "+new")) == {"a": "new\n"}
    assert after({}, patch("*** Add File: a", "new", "", "lines")) == {"a": "new\n\nlines\n"}
    assert after({}, patch("*** Add File: a")) == {"a": ""}


@pytest.mark.parametrize(
    ("lines", "by", "counted"),
    [
        (("*** Update File: a", "*** Move to: b"), "a", (3, 1)),
        (("*** Update File: a", "*** Move to: b", "-x", "+y"), "a", (3, 1)),
        (("*** Add File: b", "+1", "+2"), "", (3, 2)),
        (("*** Add File: b", "+1", "+2", "*** Update File: b", "-2", "+3"), "", (3, 2)),
    ],
)
def test_a_file_whose_place_is_taken_is_told_with_what_took_it(
    lines: tuple[str, ...], by: str, counted: tuple[int, int]
) -> None:
    files = applied({"a": "x\n", "b": "of\nmuch\nworth\n"}, patch(*lines)).files

    (file,) = (each for each in files if each.path == "b")
    assert (file.replaced, file.replaced_by, file.lines) == (True, by, counted)


def test_a_file_that_comes_back_to_its_place_is_not_replaced() -> None:
    moved = ("*** Update File: a", "*** Move to: b", "-x", "+y", "*** Update File: b")

    (file,) = applied({"a": "x\nz\n"}, patch(*moved, "*** Move to: a")).files

    assert (file.path, file.replaced) == ("a", False)


@pytest.mark.parametrize("head", ["", "*** Update File: a\n"])
def test_a_unified_diff_in_an_envelope_is_read_as_what_it_is(head: str) -> None:
    answer = patch(f"{head}--- a/a", "+++ b/a", "@@ -1 +1 @@", "-x", "+y")

    assert after({"a": "x\n"}, answer) == {"a": "y\n"}


def test_two_patches_in_one_answer_both_apply() -> None:
    answer = patch("*** Add File: a", "+1") + "\nand then\n\n" + patch("*** Add File: b", "+2")

    assert after({}, answer) == {"a": "1\n", "b": "2\n"}


@pytest.mark.parametrize(
    ("lines", "why", "line"),
    [
        ((), "the patch is empty", 1),
        (("*** Frobnicate File: a",), "is no header", 2),
        (("*** Update File: a",), "has no lines", 2),
        (("*** Update File: a", "@@", " x"), "no line with", 2),
        (("*** Update File: a", "@@", "-x", "+y", "@@ def f():"), "followed by no lines", 6),
        (("*** Update File: ", "@@", "-x", "+y"), "names no file", 2),
        (("*** Update File: a", "*** Move to:", "@@", "-x", "+y"), "names no file", 3),
        (("*** Update File: a", "@@", "-x", "*** Rename File: b"), "no header", 5),
        (("*** Add File: a", "+x", "y"), "must begin with", 4),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(
    lines: tuple[str, ...], why: str, line: int
) -> None:
    with pytest.raises(EditSyntaxError, match=why) as refused:
        parse(patch(*lines), exists=lambda _: True)

    assert refused.value.line == line


def test_a_file_without_a_last_line_end_gets_one_only_where_its_last_line_is_written() -> None:
    files = {"a": "one\ntwo"}

    assert after(files, patch("*** Update File: a", "@@", "-one", "+ONE")) == {"a": "ONE\ntwo"}
    assert after(files, patch("*** Update File: a", "@@", "-two", "+TWO")) == {"a": "one\nTWO\n"}


def test_blank_context_that_a_chunk_begins_with_is_context() -> None:
    text = "*** Begin Patch\n*** Update File: v.py\n@@\n \n \n+class C: pass\n*** End Patch\n"

    (edit,) = parse(text, "patch", exists=lambda _path: True).edits

    assert edit.chunks[0].old == "\n\n"
