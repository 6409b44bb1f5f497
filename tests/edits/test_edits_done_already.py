"""An answer that is applied a second time, or to a file that has it already."""

from __future__ import annotations

import pytest

from turbo_tui.edits.ladder import MatchError, replace_chunks
from turbo_tui.edits.outcome import RefusedError
from turbo_tui.edits.rewriting import replaced
from turbo_tui.edits.text_file import decode
from turbo_tui.edits.values import Chunk

CALL = "def f():\n    g(first,\n        other, time)\n    h(third)\n    end(fourth)\n"


def failed(text: str, chunk: Chunk) -> MatchError:
    with pytest.raises(MatchError) as caught:
        replace_chunks(decode(text.encode()), [chunk])
    return caught.value


def edited(text: str, chunk: Chunk) -> str:
    return replace_chunks(decode(text.encode()), [chunk]).file.text


@pytest.mark.parametrize("end", ["\n", ""])
def test_rows_that_are_added_are_added_once(end: str) -> None:
    chunk = Chunk(f"a\nb{end}", f"a\nb\nadded row{end}")
    after = edited("a\nb\nc\n", chunk)

    assert after == "a\nb\nadded row\nc\n"
    error = failed(after, chunk)
    assert error.kind == "already_applied"
    assert "the file has the new text at line 1" in str(error)


def test_rows_that_are_added_before_their_context_are_added_once() -> None:
    chunk = Chunk("b\nc\n", "added row\nb\nc\n")

    assert failed(edited("a\nb\nc\n", chunk), chunk).kind == "already_applied"


@pytest.mark.parametrize("added", ["}", "cccc dddde"])
def test_a_bracket_or_another_row_may_follow_what_is_there(added: str) -> None:
    text = "a\nb\n}\ncccc dddd\n" if added != "}" else "a\nb\n}\n"

    assert edited(text, Chunk("a\nb\n", f"a\nb\n{added}\n")).startswith(f"a\nb\n{added}\n")


@pytest.mark.parametrize(
    ("gone", "comes"),
    [
        ("other, time)", "other, time))"),
        ("h(third)", "h(third) and h(fifth)"),
        ("    h(third)\n", ""),
        ("", "    h(third)\n"),
    ],
)
def test_a_row_that_reads_as_it_should_is_not_changed_again(gone: str, comes: str) -> None:
    old, new = (CALL, CALL.replace(gone, comes)) if gone else (CALL.replace(comes, ""), CALL)

    assert failed(new, Chunk(old, new)).kind == "already_applied"
    assert edited(old, Chunk(old, new)) == new


def test_a_row_that_goes_may_stand_there_quoted_badly() -> None:
    old = CALL.replace("third", "thirds")

    assert edited(CALL, Chunk(old, old.replace("    h(thirds)\n", ""))) == CALL.replace(
        "    h(third)\n", ""
    )


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        ("a: int\nb: str\n\n\nend\n", "b: str\n\n", "b: str\nlast: bool = True\n\n"),
        (
            "import os\n\nfrom b import c\n",
            "\nfrom b import c\n",
            "\nfrom a import things\nfrom b import c\n",
        ),
        ("first\n    second  \nthird\n", "first\nsecond\n", "first\nadded_row\nsecond\n"),
    ],
)
def test_rows_are_added_once_beside_blank_rows_and_on_every_rung(
    text: str, old: str, new: str
) -> None:
    chunk = Chunk(old, new, whole_lines=True)

    error = failed(edited(text, chunk), chunk)

    assert error.kind in {"already_applied", "missing"}


def test_a_row_that_stands_twice_in_its_block_is_changed_once() -> None:
    old = "def f():\n    if same:\n        home(quiet)\n        x = 1\n        home(quiet)\n"
    chunk = Chunk(old, old.replace("(quiet)", "(quiet, force)", 1))

    assert failed(edited(old, chunk), chunk).kind == "already_applied"


def test_a_method_that_is_added_beside_its_like_is_added_once() -> None:
    undo = (
        "    async def undo(self):\n        undoing = ensure(self._take_back(entry))\n"
        "        self._carry_out(entry.step, _until(undoing), go_on=False)\n"
        "        return await shield(undoing)\n"
    )
    mark = "\n    # --- inside ---\n"
    chunk = Chunk(
        "".join(undo.splitlines(keepends=True)[2:]) + mark,
        "".join(undo.splitlines(keepends=True)[2:])
        + "\n"
        + undo.replace("undo", "redo").replace("take_back", "bring_back")
        + mark,
    )
    after = edited(f"class R:\n{undo}{mark}\n    def x(self): pass\n", chunk)

    assert failed(after, chunk).kind == "already_applied"


def test_a_chunk_of_blank_rows_alone_goes_nowhere_by_chance() -> None:
    with pytest.raises(RefusedError, match="occurs 4 times"):
        replaced(decode(b"a\n\n\nb\n\n\nc\n"), [Chunk("\n\n", "\nadded\n\n")])


def test_a_number_is_not_taken_for_a_twin_once_its_line_reads_as_new() -> None:
    text = "def a():\n    xyz = 1\n    return xyz\n\ndef b():\n    xyz = 1\n    return xyz\n"
    chunk = Chunk(
        "    xyz = 1\n    return xyz\n", "    xyz = 2\n    return xyz\n", line=2, whole_lines=True
    )

    error = failed(edited(text, chunk), chunk)

    assert error.kind == "already_applied"
    assert "at line 2" in str(error)


def test_rows_between_blank_context_and_a_mark_are_added_once() -> None:
    chunk = Chunk("\n\n# --- models\n\n", "\n\ndef fresh():\n    return 1\n\n\n# --- models\n\n")
    after = edited("def one():\n    return 1\n\n\n# --- models\n\ndef two(): pass\n", chunk)

    assert failed(after, chunk).kind == "already_applied"
