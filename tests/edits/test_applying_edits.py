from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.edit_trees import Refused, after, applied
from turbo_tui.edits.apply import apply_edits, apply_to
from turbo_tui.edits.formats import parse
from turbo_tui.edits.outcome import Reading, UnreachableError


def patch(*lines: str) -> str:
    return "\n".join(("*** Begin Patch", *lines, "*** End Patch")) + "\n"


def update(path: str, old: str, new: str) -> tuple[str, ...]:
    return (f"*** Update File: {path}", "@@", f"-{old}", f"+{new}")


def test_with_one_failure_nothing_is_applied_and_every_failure_is_named() -> None:
    files = {"a": "x\n", "b": "one\nreturn a + b\n", "c": "x\nx\n"}

    outcome = applied(
        files,
        patch(
            *update("a", "x", "y"),
            *update("b", "return a - b", "2"),
            *update("c", "x", "y"),
            *update("none", "x", "y"),
            "*** Delete File: gone",
        ),
    )

    assert outcome.files == ()
    assert [(each.path, each.at) for each in outcome.failures] == [
        ("b", 6),
        ("c", 10),
        ("none", 14),
        ("gone", 18),
    ]
    first, second, *_ = outcome.failures
    assert (first.line, first.closest) == (2, "return a + b")
    assert "- return a - b" in first.why
    assert "lines 1, 2" in second.why


def test_edits_of_one_file_compose_in_order() -> None:
    answer = patch(*update("a", "x", "y"), *update("a", "y", "z"))

    assert after({"a": "x\n"}, answer) == {"a": "z\n"}
    (file,) = applied({"a": "x\n"}, answer).files
    assert [place.line for place in file.places] == [1, 1]


def test_what_is_moved_goes_on_under_its_new_name() -> None:
    answer = patch("*** Update File: a", "*** Move to: b", *update("b", "x", "y"))

    assert after({"a": "x\n"}, answer) == {"b": "y\n"}
    (file,) = applied({"a": "x\n"}, answer).files
    assert (file.action, file.path, file.moved_from) == ("move", "b", "a")


def test_a_file_that_is_deleted_and_added_again_is_replaced() -> None:
    answer = patch("*** Delete File: a", "*** Add File: a", "+new")

    assert after({"a": "old\n"}, answer) == {"a": "new\n"}
    (file,) = applied({"a": "old\n"}, answer).files
    assert (file.action, file.replaced) == ("update", True)


def test_a_path_that_is_free_after_a_move_can_be_taken() -> None:
    answer = patch("*** Update File: a", "*** Move to: b", "*** Add File: a", "+new")

    assert after({"a": "old\n"}, answer) == {"a": "new\n", "b": "old\n"}


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (("*** Delete File: a", *update("a", "x", "y")), "deletes or moves this file"),
        (("*** Delete File: a", "*** Delete File: a"), "deletes or moves this file"),
        (("*** Add File: n", "+1", "*** Add File: n", "+2"), "writes this file already"),
        (
            ("*** Update File: a", "*** Move to: n", "*** Update File: b", "*** Move to: n"),
            "writes n",
        ),
        (("*** Add File: a/n", "+1"), "would be"),
        (("*** Delete File: d",), "it is a folder"),
        (("*** Delete File: d/none",), "there is no such file"),
    ],
)
def test_edits_that_contradict_each_other_or_the_tree_are_refused(
    lines: tuple[str, ...], why: str
) -> None:
    files = {"a": "x\n", "b": "x\n", "d/e": "x\n"}

    def read(path: str) -> bytes | None:
        if path == "d":
            raise UnreachableError("it is a folder; name a file in it")
        if path.startswith("a/"):
            raise UnreachableError("a file stands where its folder would be")
        return files[path].encode() if path in files else None

    outcome = apply_to(parse(patch(*lines), exists=files.__contains__), Reading(read))

    assert len(outcome.failures) == 1
    assert why in outcome.failures[0].why


@pytest.mark.parametrize(
    "path",
    ["../a", "d/../../a", "/etc/passwd", "/workspace-other/a", "", ".", ".git/config", "x/.GIT/h"],
)
def test_no_path_leads_outside_or_into_the_tools_own_files(path: str) -> None:
    answer = f"diff --git a/x b/x\n--- /dev/null\n+++ {path}\n@@ -0,0 +1 @@\n+x\n"
    if path in {"", "."}:
        answer = f"*** Begin Patch\n*** Add File: ./{path}\n+x\n*** End Patch\n"

    with pytest.raises(Refused):
        after({}, answer)


def test_an_absolute_path_inside_the_workspace_is_made_relative() -> None:
    assert after({"d/a": "x\n"}, patch(*update("/workspace/d/a", "x", "y"))) == {"d/a": "y\n"}
    assert after({"d/a": "x\n"}, patch(*update("./d//a", "x", "y"))) == {"d/a": "y\n"}


def test_edits_through_a_link_and_of_its_target_are_edits_of_one_file() -> None:
    files = {"real": b"x\ny\n"}
    answer = patch(*update("link", "x", "1"), *update("real", "y", "2"))
    tree = Reading(files.get, "/workspace", real=lambda path: "real" if path == "link" else path)

    (file,) = apply_to(parse(answer, exists=lambda _: True), tree).files

    assert (file.path, file.content) == ("real", b"1\n2\n")


@pytest.mark.parametrize(
    "lines",
    [
        ("*** Delete File: a",),
        ("*** Update File: a", "*** Move to: b"),
        ("*** Update File: a", "*** Move to: b", "@@", "-x", "+y"),
        ("*** Update File: a", "@@", "+x"),
    ],
)
def test_nothing_is_deleted_moved_or_appended_by_a_guess(lines: tuple[str, ...]) -> None:
    with pytest.raises(Refused) as refused:
        after({"d/a": "x\n"}, patch(*lines))

    assert refused.value.failures[0].advice == "It could be one of: d/a."


def test_a_name_that_is_nearly_right_is_suggested() -> None:
    with pytest.raises(Refused) as refused:
        after({"src/application.py": "x\n"}, patch(*update("src/aplication.py", "x", "y")))

    assert refused.value.failures[0].advice == "Did you mean src/application.py?"


def test_what_fails_after_many_failures_is_only_counted() -> None:
    outcome = applied({}, patch(*(f"*** Delete File: {number}" for number in range(300))))

    assert len(outcome.failures) == 51
    assert outcome.failures[-1].why == "250 more edits were not tried"


def test_binary_files_and_letters_an_encoding_lacks_are_refused() -> None:
    def read(path: str) -> bytes | None:
        return {"bin": b"\x00x\n", "latin": "é\n".encode("latin-1")}.get(path)

    answer = patch(*update("bin", "x", "y"), *update("latin", "é", "✔"))
    outcome = apply_edits(parse(answer, exists=lambda _: True), read)

    assert "binary" in outcome.failures[0].why
    assert "latin-1 has no '✔'" in outcome.failures[1].why


def test_blanks_that_both_sides_write_differently_never_vanish() -> None:
    old, new = "function  old() {\n  a\n", "function new() {\n  b\n"
    answer = f"f\n<<<<<<< SEARCH\n{old}=======\n{new}>>>>>>> REPLACE\n"

    assert after({"f": "  function old() {\n    a\n"}, answer)["f"].startswith(
        "  function new() {\n"
    )


_MARKS = st.sampled_from([b"", b"\xef\xbb\xbf"])
_ENDS = st.sampled_from(["\n", "\r\n"])
_WORDS = st.text("abc é✔", max_size=6)


@settings(max_examples=150, deadline=None)
@given(
    _MARKS,
    _ENDS,
    st.sampled_from(["ended", ""]),
    st.lists(_WORDS, min_size=1, max_size=8),
    st.data(),
)
def test_marks_and_line_ends_stay_in_every_format(
    mark: bytes, end: str, last: str, words: list[str], data: st.DataObject
) -> None:
    rows = [f"{number} {word}" for number, word in enumerate(words)]
    at = data.draw(st.integers(0, len(rows) - 1))
    changed = [*rows[:at], "changed", *rows[at + 1 :]]
    before = mark + (end.join(rows) + (end if last else "")).encode()
    head = f"--- a/f\n+++ b/f\n@@ -{at + 1} +{at + 1} @@\n"
    whole = "".join(f"{row}\n" for row in changed)
    answers = {
        "patch": patch(*update("f", rows[at], "changed")),
        "unified": f"{head}-{rows[at]}\n+changed\n",
        "search-replace": f"f\n<<<<<<< SEARCH\n{rows[at]}\n=======\nchanged\n>>>>>>> REPLACE\n",
        "whole": f"f.txt\n````\n{whole}````\n",
    }
    form = data.draw(st.sampled_from(sorted(answers)))
    written = at == len(rows) - 1 and form in {"patch", "whole"}  # the last line is a whole line

    outcome = apply_edits(parse(answers[form], exists=lambda _: True), lambda _: before)

    assert outcome.failures == ()
    behind = end if last or written else ""
    if written and not last and len(rows) == 1:
        behind = "\n"
        end = "\n"
    assert outcome.files[0].content == mark + (end.join(changed) + behind).encode()


@pytest.mark.parametrize("name", ["'a'", "`a`.py", 'a"', "a\\b"])
def test_a_file_that_has_just_this_name_is_meant_whatever_else_it_could_be(name: str) -> None:
    answer = f"*** Begin Patch\n*** Update File: {name}\n@@\n-x\n+y\n*** End Patch\n"

    assert after({name: "x\n", "a": "x\n", "a/b": "x\n"}, answer)[name] == "y\n"


def test_line_ends_outlast_the_last_line_that_had_one() -> None:
    block = "f\n<<<<<<< SEARCH\n{}\n=======\n{}>>>>>>> REPLACE\n"
    answer = block.format("one", "") + block.format("two", "two\nthree\n")

    outcome = apply_edits(parse(answer, exists=lambda _: True), lambda _: b"one\r\ntwo")

    assert outcome.files[0].content == b"two\r\nthree"


@pytest.mark.parametrize(
    "lines",
    [
        ("*** Add File: a\x1b[31mred.py", "+x"),
        ("*** Update File: a", "*** Move to: \x9bb"),
        ("*** Add File: b\x7f/c", "+x"),
    ],
)
def test_no_new_file_is_named_with_control_characters(lines: tuple[str, ...]) -> None:
    with pytest.raises(Refused, match="control characters"):
        after({"a": "x\n"}, patch(*lines))


def test_a_file_that_is_named_with_one_is_edited_all_the_same() -> None:
    answer = patch("*** Add File: a\x1b", "+y")

    assert after({"a\x1b": "x\n"}, answer) == {"a\x1b": "y\n"}
