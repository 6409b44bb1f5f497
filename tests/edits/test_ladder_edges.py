"""Blank rows that an edit has around its text, where the file has others or none."""

from __future__ import annotations

import pytest

from turbo_tui.edits.ladder import MatchError, replace_chunks
from turbo_tui.edits.outcome import RefusedError
from turbo_tui.edits.rewriting import replaced
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


def test_a_blank_row_at_the_end_of_one_row_is_not_lost() -> None:
    text = "class A:\n    sure: bool = False\n    tree: Tree\n"
    old = "    sure: bool = False\n\n"

    with pytest.raises(RefusedError, match="does not occur"):
        replaced(decode(text.encode()), [Chunk(old, f"{old[:-1]}    more: int = 0\n\n")])


def test_code_that_a_model_wrote_anew_does_not_stay_beside_the_new() -> None:
    text = (
        "    if new.rstrip() != new and not final:\n        new = new.rstrip()\n"
        "    return cur + new\n\ndef name_of(self, name):\n    try:\n"
    )
    old = text.replace("    return cur + new\n", "")
    new = old.replace("\n\n", "\n\n    res = cur + new\n    return res\n\n", 1)

    with pytest.raises(MatchError):
        edited(text, old, new)


def test_a_header_is_not_replaced_in_a_block_that_lacks_its_body() -> None:
    text = "def f(x):\n    end = x\n\n    def told():\n        return end\n\n    # all\n    go()\n"
    old = text.replace("        return end\n", "")
    new = old.replace("    def told():\n", "    told = end.seen\n")

    with pytest.raises(MatchError):
        edited(text, old, new)


def test_white_space_at_the_end_of_rows_is_changed_in_a_block_quoted_badly() -> None:
    text = "def f():\n    first(a)\n    \n    second(b)\n    # all of it\n    third(c)\n    end()\n"
    old = text.replace("# all of it", "# all of them")

    changed = edited(text, old, old.replace("    \n", "\n"))

    assert changed == text.replace("    \n", "\n")


def test_rows_around_a_row_that_is_further_in_are_put_at_its_depth() -> None:
    text = "def f():\n    for pid in them:\n        with care:\n            kill(pid, KILLED)\n"
    new = "        with calm(Error):\n            kill(pid, KILLED)\n"

    assert edited(text, "        kill(pid, KILLED)\n", new) == text.replace(
        "            kill(pid, KILLED)\n",
        "            with calm(Error):\n                kill(pid, KILLED)\n",
    )


def test_blanks_at_the_end_of_a_changed_row_stay_where_the_file_has_the_same() -> None:
    file = decode(b"a {  \n  color: w;   \n  border: t\n}\n")
    old = "a {  \n  color: w;   \n  border: t  \n}\n"

    done = replace_chunks(file, [Chunk(old, old.replace("color", "shade"))])

    assert done.file.encode() == b"a {  \n  shade: w;   \n  border: t\n}\n"


@pytest.mark.parametrize(
    ("text", "old", "new", "shown"),
    [
        ("x = 1\ny = 2\n", "x = 1\n\n", "", "  x = 1\n- (an empty line)"),
        ("a:\n\n    b()\n", "a:\n\n\n", "a:\n\n\nc:\n", "  a:\n  \n- (an empty line)"),
        ("@a\ndef f():\n", "\ndef f():\n", "\nb = 1\ndef f():\n", "- (an empty line)\n  def f():"),
    ],
)
def test_a_blank_row_too_many_is_shown_where_it_is_in_the_way(
    text: str, old: str, new: str, shown: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        replaced(decode(text.encode()), [Chunk(old, new, whole_lines=True)])

    assert str(refused.value).endswith(f":\n{shown}")
    assert "leave out those marked -" in refused.value.advice
