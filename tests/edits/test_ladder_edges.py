"""Blank rows that an edit has around its text, where the file has others or none."""

from __future__ import annotations

import pytest

from turbo_tui.edits.ladder import MatchError, replace_chunks
from turbo_tui.edits.text_file import decode
from turbo_tui.edits.values import Chunk

TEST = "def test_one(tmp_path):\n    with raises(ValueError):\n        parse(tmp_path)\n\n\nend\n"


def edited(text: str, old: str, new: str) -> str:
    return replace_chunks(decode(text.encode()), [Chunk(old, new, whole_lines=True)]).file.text


def test_nothing_is_put_between_a_row_and_the_rest_of_its_function() -> None:
    old = "    with raises(ValueError):\n\n\n"

    with pytest.raises(MatchError, match="does not occur"):
        edited(TEST, old, f"{old}def test_new():\n    assert parse('x')\n\n\n")


def test_nothing_is_put_between_a_decorator_and_its_function() -> None:
    text = "a = 1\n\n\n@cached\ndef later():\n    pass\n"

    with pytest.raises(MatchError, match="does not occur"):
        edited(text, "\n\ndef later():\n", "\n\ndef sooner():\n    pass\n\n\ndef later():\n")


def test_a_header_is_not_replaced_while_its_unknown_body_stays() -> None:
    old = "def test_one(tmp_path):\n    with raises(ValueError):\n\n"

    with pytest.raises(MatchError, match="does not occur"):
        edited(TEST, old, "def test_one(tmp_path):\n    with warns(ValueError):\n\n")


def test_rows_between_are_changed_whatever_blank_rows_are_around() -> None:
    old, new = "\ndef test_one(tmp_path):\n\n", "\ndef test_two(tmp_path):\n\n"

    with pytest.raises(MatchError):
        edited(TEST, old, new)
    assert edited("a = first\nb = 2\n", "\na = first\n\n", "\na = last\n\n") == "a = last\nb = 2\n"
    assert edited("a\nmore\nb\nc\n", "\na\nmore\nb\n\n", "\na\nless\nb\n\n") == "a\nless\nb\nc\n"


def test_an_edit_is_not_made_elsewhere_when_its_text_with_the_blank_rows_reads_so() -> None:
    text = "x\nfrom a import later\n\ny\n\nfrom a import first\n\n"

    with pytest.raises(MatchError, match="applied already"):
        edited(text, "\nfrom a import later\n\n", "\nfrom a import first\n\n")
