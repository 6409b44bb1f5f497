"""Which of several places a chunk means: headers, order, end of file, line numbers."""

from __future__ import annotations

import pytest

from turbo_tui.edits.ladder import MatchError, Replaced, replace_chunks
from turbo_tui.edits.text_file import decode
from turbo_tui.edits.values import Chunk

TWO = """\
class A:
    def run(self):
        start()
        return 1

class B:
    def run(self):
        start()
        return 1
"""


def replaced(text: str, *chunks: Chunk) -> Replaced:
    return replace_chunks(decode(text.encode()), chunks)


def edited(text: str, *chunks: Chunk) -> str:
    return replaced(text, *chunks).file.text


def failed(text: str, *chunks: Chunk) -> MatchError:
    with pytest.raises(MatchError) as caught:
        replaced(text, *chunks)
    return caught.value


def test_two_equally_good_places_are_refused_and_both_are_named() -> None:
    error = failed(TWO, Chunk("        start()\n", "        stop()\n"))

    assert error.kind == "ambiguous"
    assert error.lines == (3, 8)
    assert "line 3: start()\n  line 8: start()" in str(error)


def test_headers_tell_them_apart_outermost_first() -> None:
    chunk = Chunk("        start()\n", "        stop()\n", context=("class B:", "def run(self):"))

    assert edited(TWO, chunk) == TWO[: TWO.index("class B")] + TWO[TWO.index("class B") :].replace(
        "start", "stop"
    )
    assert replaced(TWO, chunk).places[0].line == 8


def test_a_header_may_be_the_part_of_a_line_that_is_there_once() -> None:
    assert "stop()" in edited(TWO, Chunk("        start()\n", "        stop()\n", ("class B",)))


def test_text_under_its_header_is_preferred_however_it_is_indented() -> None:
    chunk = Chunk("start()\nreturn 1\n", "start()\nreturn 2\n", context=("class B:",))

    assert edited(TWO, chunk).endswith("        start()\n        return 2\n")


def test_a_header_that_is_nowhere_is_named() -> None:
    error = failed(TWO, Chunk("        start()\n", "x\n", context=("class C:",)))

    assert "no line is the header 'class C:'" in str(error)


def test_a_header_that_is_nowhere_does_not_matter_to_a_text_that_is_there_once() -> None:
    assert (
        edited(TWO, Chunk("class B:\n", "class C:\n", context=("the imports",))).count("class C")
        == 1
    )


def test_a_text_outside_its_header_is_refused_and_named() -> None:
    chunk = Chunk("class A:\n    def run", "class Z:\n    def run", context=("class B:",))

    error = failed(TWO, chunk)

    assert "not stand under its header 'class B:' (line 6), but at line 1" in str(error)
    assert error.line == 1


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        (TWO.replace("start", "stop", 1), ("class B:", "def run(self):")),
        ("class AB:\n    stop()\n\nclass C:\n    x = 1\n", ("class A",)),
        ("class AB:\n    stop()\n\nclass C:\n    x = 1\n", ("class A:",)),
        (
            "class A:\n    x = 1\n\nclass B:\n    def f(self):\n        stop()\n",
            ("class A:", "def f(self):"),
        ),
        ("[dev]\nx = 1\n\n[prod]\nstop()\n", ("[dev]",)),
        ("## Dev\nx = 1\n\n## Prod\nstop()\n", ("## Dev",)),
        ("def test_a_b():\n    stop()\n", ("def test_a",)),
        ("a:\n  x: 1\nb:\n  stop()\n", ("a:",)),
        ("function run2() {\n  stop()\n}\nfunction run() {\n}\n", ("function run",)),
    ],
)
def test_text_under_another_header_is_never_taken(text: str, headers: tuple[str, ...]) -> None:
    lead = next(row for row in text.split("\n") if "stop()" in row)

    assert failed(text, Chunk(f"{lead}\n", "go()\n", context=headers)).kind == "missing"


def test_of_headers_that_read_the_same_the_one_with_the_text_is_meant() -> None:
    chunk = Chunk("        return 2\n", "        return 3\n", context=("def run(self):",))

    assert edited(TWO.removesuffix("1\n") + "2\n", chunk).endswith("return 3\n")
    assert failed(TWO, Chunk("        start()\n", "x\n", ("def run(self):",))).lines == (3, 8)


def test_the_heading_of_a_diffs_section_refuses_only_what_stands_before_it() -> None:
    text = TWO.replace("start", "begin", 1)

    def chunk(section: str, line: int) -> Chunk:
        return Chunk("        begin()\n", "        stop()\n", line=line, section=section)

    assert "before 'class B:'" in str(failed(text, chunk("class B:", 8)))
    for fine in (chunk("class B:", 3), chunk("class A:", 99), chunk("class C:", 99)):
        assert edited(text, fine) == text.replace("begin", "stop")


def test_the_heading_of_a_diffs_section_settles_a_tie() -> None:
    chunk = Chunk("        start()\n", "        stop()\n", line=99, section="class B:")

    assert edited(TWO, chunk).endswith("        stop()\n        return 1\n")


def test_what_is_nearly_there_never_wins_over_what_is_there_elsewhere() -> None:
    near = "def a():\n    one = first()\n    # why\n    two = second()\n    return one\n"
    text = near.replace("# why", "# because") + "\nclass B:\n    x = 1\n\n" + near
    chunk = Chunk(near, near.replace("one", "uno"), context=("def a():",))

    assert edited(text, chunk) == text.replace(near, near.replace("one", "uno"))


def test_chunks_in_order_settle_which_place_is_meant() -> None:
    chunks = (
        Chunk("class B:\n", "class C:\n"),
        Chunk("        start()\n", "        stop()\n"),
    )

    assert edited(TWO, *chunks) == TWO[: TWO.index("class B")] + TWO[
        TWO.index("class B") :
    ].replace("start", "stop").replace("class B", "class C")


def test_a_chunk_out_of_order_is_found_when_it_is_there_once() -> None:
    result = edited(TWO, Chunk("class B:\n", "class D:\n"), Chunk("class A:\n", "class C:\n"))

    assert result.startswith("class C:")
    assert "class D:" in result


def test_as_many_places_as_equal_chunks_get_one_each() -> None:
    chunk = Chunk("        start()\n", "        stop()\n")

    assert edited(TWO, chunk, chunk) == TWO.replace("start", "stop")
    assert failed(TWO, chunk, chunk, chunk).chunk == 0


def test_an_exact_line_number_settles_a_tie_and_a_wrong_one_does_not() -> None:
    result = replaced(TWO, Chunk("        start()\n", "        stop()\n", line=8))

    assert result.places[0].line == 8
    assert failed(TWO, Chunk("        start()\n", "x\n", line=7)).lines == (3, 8)


def test_a_wrong_line_number_does_not_matter_where_there_is_one_place() -> None:
    assert "class C" in edited(TWO, Chunk("class B:\n", "class C:\n", line=999))


REPEATED = "one\ntwo\nUNIQUE\nx\ny\nx\ny\nx\ny\n"


def test_line_numbers_are_off_as_far_as_those_of_the_chunk_before_were() -> None:
    first = Chunk("UNIQUE\n", "FIRST\n", line=5)

    result = replaced(REPEATED, first, Chunk("x\n", "z\n", line=8))

    assert [place.line for place in result.places] == [3, 6]
    assert failed(REPEATED, first, Chunk("x\n", "z\n", line=7)).lines == (4, 6, 8)


def test_a_number_is_not_believed_where_a_later_chunk_shows_that_they_are_off() -> None:
    text = "x\ny\nx\ny\nUNIQUE\n"

    assert failed(text, Chunk("x\n", "z\n", line=3), Chunk("UNIQUE\n", "U\n", line=9)).chunk == 0
    assert edited(text, Chunk("x\n", "z\n", line=3), Chunk("UNIQUE\n", "U\n", line=5)) == (
        "x\ny\nz\ny\nU\n"
    )


def test_a_text_that_is_not_the_last_though_it_should_be_is_named() -> None:
    error = failed(TWO, Chunk("class B:\n", "class C:\n", at_end=True))

    assert "stands at line 6, but is not the last of the file" in str(error)
    assert error.lines == (6,)


def test_at_the_end_means_the_last_of_the_file() -> None:
    chunk = Chunk("        return 1\n", "        return 2\n", at_end=True)

    assert edited(TWO, chunk).endswith("start()\n        return 2\n")
    assert edited(TWO, chunk).count("return 1") == 1
    assert failed(TWO, Chunk("class B:\n", "x\n", at_end=True)).kind == "missing"


def test_context_of_two_chunks_may_overlap_and_what_they_change_may_not() -> None:
    text = "a1\nb2\nc3\nd4\ne5\n"

    assert (
        edited(text, Chunk("a1\nb2\nc3\n", "a1\nB\nc3\n"), Chunk("c3\nd4\ne5\n", "c3\nD\ne5\n"))
        == "a1\nB\nc3\nD\ne5\n"
    )
    error = failed(text, Chunk("b2\nc3\n", "B\nC\n"), Chunk("c3\nd4\n", "X\nY\n"))
    assert error.chunk == 1


def test_lines_of_places_count_what_chunks_before_them_added() -> None:
    result = replaced("a1\nb2\nc3\n", Chunk("a1\n", "x\ny\nz\n"), Chunk("c3\n", "d\n"))

    assert [place.line for place in result.places] == [1, 5]


@pytest.mark.parametrize(
    ("text", "chunk", "expected"),
    [
        ("a\nb\n", Chunk("", "c\n"), "a\nb\nc\n"),
        ("a\nb\n", Chunk("", "c"), "a\nb\nc\n"),
        ("a\nb", Chunk("", "c\n"), "a\nb\nc"),
        ("", Chunk("", "c\n"), "c\n"),
        ("a\nb\n", Chunk("", "x\n", context=("a",)), "a\nx\nb\n"),
        ("a\nb", Chunk("", "x\n", context=("b",)), "a\nb\nx"),
        ("a\nb\n", Chunk("", "x\n", context=("a",), at_end=True), "a\nb\nx\n"),
    ],
)
def test_new_text_alone_goes_in_after_its_header_or_at_the_end(
    text: str, chunk: Chunk, expected: str
) -> None:
    assert edited(text, chunk) == expected


def test_whole_lines_are_no_parts_of_lines() -> None:
    text = "return foo(bar)\n  call(me)\n"

    assert failed(text, Chunk("foo(bar)\n", "x\n", whole_lines=True)).kind == "missing"
    assert failed(text, Chunk("foo(bar)", "x", whole_lines=True)).kind == "missing"
    assert edited(text, Chunk("foo(bar)\n", "x\n")) == "return x\n  call(me)\n"


def test_a_whole_line_goes_before_a_part_of_one() -> None:
    assert edited("  x = 1\nx = 1\n", Chunk("x = 1\n", "x = 2\n")) == "  x = 1\nx = 2\n"


def test_a_whole_line_whose_new_text_lacks_its_end_does_not_swallow_the_next_line() -> None:
    assert edited("x = 1\ny = 2\n", Chunk("x = 1\n", "x = 3")) == "x = 3\ny = 2\n"
    assert edited("x = 1\ny = 2\n", Chunk("= 1\n", "= 3 + ")) == "x = 3 + y = 2\n"


def test_occurrences_that_overlap_are_two_places() -> None:
    assert failed("}\n}\n}\n", Chunk("}\n}\n", "}\n")).lines == (1, 2)


def test_the_last_line_without_its_end_is_a_place_like_any_other() -> None:
    assert failed("x = 1\ny\nx = 1", Chunk("x = 1\n", "x = 2\n")).lines == (1, 3)


def test_a_count_that_is_not_met_is_said() -> None:
    error = failed("aa\nb\naa\n", Chunk("aa", "c", count=3))

    assert error.kind == "count"
    assert "occurs 2 times (lines 1, 3), 3 expected" in str(error)


def test_more_than_a_thousand_places_are_replaced_when_so_many_are_expected() -> None:
    assert edited("ab\n" * 1500, Chunk("ab\n", "c\n", count=1500)) == "c\n" * 1500


def test_what_is_applied_already_is_said_so() -> None:
    error = failed("value = compute(2)\n", Chunk("value = compute(1)\n", "value = compute(2)\n"))

    assert error.kind == "already_applied"
    assert error.line == 1


def test_a_new_text_that_leaves_code_out_is_refused() -> None:
    text = "def f():\n    a = 1\n    return a\n"
    new = "def f():\n    # ... existing code ...\n    return b\n"

    error = failed(text, Chunk(text, new))

    assert error.kind == "lazy"
    assert "write all of its lines" in str(error)


def test_a_chunk_that_changes_nothing_is_no_error() -> None:
    assert edited("a\n", Chunk("b\n", "b\n")) == "a\n"


def test_a_row_of_one_name_is_found_but_for_white_space_at_its_ends() -> None:
    text = "alpha   \n  beta\n"
    chunks = [
        Chunk(f"{word}\n", f"{word.upper()}\n", whole_lines=True) for word in ("alpha", "beta")
    ]

    assert edited(text, *chunks) == "ALPHA\n  BETA\n"
    assert failed(text + "beta \n", chunks[1]).lines == (2, 3)


@pytest.mark.parametrize("old", ["}\n", "return\n", "  \n", "\n\n", "});\n", "else:\n"])
def test_a_text_that_tells_little_is_only_looked_for_exactly(old: str) -> None:
    text = "def f():\n\t" + old.strip() + " \nx\n"

    assert failed(text, Chunk(old, "y\n", whole_lines=True)).kind == "missing"
