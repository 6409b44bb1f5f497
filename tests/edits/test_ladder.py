"""Exact replacement, and what is said when it does not match."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turbo_tui.edits.ladder import MatchError, Replaced, replace_chunks
from turbo_tui.edits.text_file import NotTextError, decode
from turbo_tui.edits.values import Chunk


def replaced(text: str | bytes, *chunks: Chunk) -> Replaced:
    content = text.encode() if isinstance(text, str) else text
    return replace_chunks(decode(content), chunks)


def edited(content: bytes, old: str, new: str, *, count: int = 1) -> bytes:
    return replaced(content, Chunk(old, new, count=count)).file.encode()


def test_only_the_matched_text_changes() -> None:
    assert edited(b"a = 1\nb = 2\n", "b = 2", "b = 3") == b"a = 1\nb = 3\n"


def test_lf_from_a_model_matches_a_crlf_file_and_crlf_is_written() -> None:
    content = b"def f():\r\n    return 1\r\n"

    result = edited(content, "def f():\n    return 1\n", "def f():\n    # why\n    return 2\n")

    assert result == b"def f():\r\n    # why\r\n    return 2\r\n"


def test_crlf_from_a_model_matches_an_lf_file_and_lf_is_written() -> None:
    assert edited(b"a\nb\n", "a\r\nb\r\n", "a\r\nc\r\n") == b"a\nc\n"


def test_in_a_file_of_mixed_line_ends_each_part_keeps_its_own() -> None:
    content = b"one\r\ntwo\r\nthree\nfour\n"

    assert edited(content, "three\nfour", "3\n4") == b"one\r\ntwo\r\n3\n4\n"
    assert edited(content, "one\ntwo", "1\n2") == b"1\r\n2\r\nthree\nfour\n"


def test_a_lone_carriage_return_is_text_and_stays() -> None:
    assert edited(b"a\rb\nc\n", "c", "d") == b"a\rb\nd\n"


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
    ],
)
def test_byte_order_mark_and_encoding_are_kept(mark: bytes, encoding: str) -> None:
    content = mark + "grün\r\n".encode(encoding)

    assert edited(content, "grün", "größer") == mark + "größer\r\n".encode(encoding)


def test_bytes_that_are_not_utf8_survive_an_edit_beside_them() -> None:
    assert edited(b"# caf\xe9\nx = 1\n", "x = 1", "x = 2") == b"# caf\xe9\nx = 2\n"


def test_a_character_the_encoding_lacks_is_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        edited(b"# caf\xe9\nx\n", "x", "→")


@pytest.mark.parametrize("content", [b"\x7fELF\x00\x01", codecs.BOM_UTF16_LE + b"\x00\xd8\x00"])
def test_binary_is_no_text(content: bytes) -> None:
    with pytest.raises(NotTextError):
        decode(content)


def test_a_missing_last_line_end_stays_missing() -> None:
    assert edited(b"a\nlast", "last\n", "new last\n") == b"a\nnew last"
    assert edited(b"a\nlast", "last", "new") == b"a\nnew"


def test_an_added_last_line_end_is_kept_when_the_model_wrote_it_into_new_only() -> None:
    assert edited(b"a\nlast", "last", "last\n") == b"a\nlast\n"


def test_several_places_are_replaced_when_so_many_are_expected() -> None:
    result = replaced("x\ny\nx\n", Chunk("x", "z\nz", count=2))

    assert result.file.encode() == b"z\nz\ny\nz\nz\n"
    assert result.places[0].lines == (1, 4)


def test_more_places_than_expected_are_named_by_line() -> None:
    with pytest.raises(MatchError, match=r"occurs 2 times \(lines 1, 3\), 1 expected"):
        edited(b"x\ny\nx\n", "x", "z")


def failed(text: str, old: str) -> MatchError:
    with pytest.raises(MatchError) as caught:
        replaced(text, Chunk(old, "new"))
    return caught.value


def test_wrong_indentation_is_found_and_the_result_is_re_indented() -> None:
    text = "class A:\n\tdef f(self):\n\t\treturn 1\n"
    old = "    def f(self):\n        return 1"

    result = replaced(text, Chunk(old, "    def f(self):\n        if x:\n            return 2"))

    assert result.file.text == "class A:\n\tdef f(self):\n\t\tif x:\n\t\t\treturn 2\n"
    assert result.places[0].rung == "indentation"
    assert result.places[0].line == 2


def test_white_space_at_line_ends_is_looked_over() -> None:
    result = replaced("a = 1  \nb = 2\nc = 3\n", Chunk("a = 1\nb = 2 \n", "a = 1\nb = 3\n"))

    assert result.file.text == "a = 1  \nb = 3\nc = 3\n"
    assert result.places[0].rung == "trailing"


def test_a_stale_line_is_shown_beside_the_one_that_is_there() -> None:
    text = (
        "import os\n\ndef total(items):\n    return sum(items)\n\ndef mean(items):\n    return 0\n"
    )

    error = failed(text, "def total(items):\n    return len(items)\n")

    assert error.line == 3
    assert "- " in str(error)
    assert "-     return len(items)" in str(error)
    assert "+     return sum(items)" in str(error)
    assert "closest is lines 3-4" in str(error)


def test_of_equal_candidates_the_most_alike_is_named() -> None:
    text = "if a:\n    pass\n\nif b:\n    do(b)\n    pass\n"

    assert failed(text, "    do(b, 1)\n    pass").line == 5


def test_a_single_changed_line_is_found_by_likeness() -> None:
    assert failed("alpha = 1\nresult = compute(alpha, beta)\n", "result = compute(alpha)").line == 2


def test_nothing_close_is_said_so() -> None:
    error = failed("alpha\nbeta\n", "entirely different words here")

    assert error.line == 0
    assert "nothing in the file is close" in str(error)


def test_a_long_difference_is_cut() -> None:
    text = "\n".join(f"line {number}" for number in range(60))
    old = "\n".join(f"line {number}{'x' if number % 2 else ''}" for number in range(60))

    assert "more rows" in str(failed(text, old))


def test_a_difference_shows_what_differs_and_few_rows_around() -> None:
    text = "".join(f"    step_{number}(first)\n" for number in range(30))
    old = text.replace("step_20(first)", "step_20(second, third)").replace("    ", "  ")

    rows = str(failed(text, old)).split("\n")

    assert rows[1] == "  … 17 rows that are the same"
    assert rows[5:7] == ["-   step_20(second, third)", "+     step_20(first)"]
    assert rows[2] == "      step_17(first)"
    assert "white space of other rows differs too" in rows[-1]
    assert len(rows) < 15


def test_a_mismatch_in_a_large_file_is_answered_quickly() -> None:
    text = "".join(f"value_{number} = compute({number})\n" for number in range(20_000))

    assert failed(text, "value_777 = compute(778)").line > 0


LINES = st.lists(st.sampled_from(["a", "bb", "", " c"]), min_size=1, max_size=8)
ENDS = st.sampled_from(["\n", "\r\n"])


@given(st.lists(st.tuples(st.sampled_from(["a", "bb", "", " c"]), ENDS), max_size=8), LINES, LINES)
def test_all_but_the_replaced_part_keeps_its_bytes(
    rows: list[tuple[str, str]], old: list[str], new: list[str]
) -> None:
    content = "".join(line + end for line, end in rows)
    wanted = "\n".join(old)
    there = content.replace("\r\n", "\n")
    if not wanted or wanted not in there or there.find(wanted) != there.rfind(wanted):
        return  # overlapping places are several
    if wanted.endswith("\n") and not "\n".join(new).endswith("\n"):
        return  # a whole line goes on being one

    result = edited(content.encode(), wanted, "\n".join(new)).decode()

    at = content.replace("\r\n", "\n").index(wanted)
    tail = len(content.replace("\r\n", "\n")) - at - len(wanted)
    plain = result.replace("\r\n", "\n")
    expected = content.replace("\r\n", "\n").replace(wanted, "\n".join(new))
    assert plain == expected
    # Head and tail are the very bytes of before, line ends included.
    head_raw = _raw_prefix(content, at)
    tail_raw = _raw_suffix(content, tail)
    assert result.startswith(head_raw)
    assert result.endswith(tail_raw)


def _raw_prefix(content: str, plain_length: int) -> str:
    for cut in range(len(content) + 1):
        if len(content[:cut].replace("\r\n", "\n")) == plain_length and content[cut - 1 : cut] != (
            "\r"
        ):
            return content[:cut]
    return ""


def _raw_suffix(content: str, plain_length: int) -> str:
    for cut in range(len(content), -1, -1):
        if len(content[cut:].replace("\r\n", "\n")) == plain_length:
            return content[cut:]
    return ""
