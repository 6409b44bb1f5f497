"""Each rung of the ladder: what it sees through, what it writes, and what it refuses."""
# ruff: noqa: RUF001  # characters that look alike are what this is about

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import SequenceMatcher

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turbo_tui.edits import anchored, likeness
from turbo_tui.edits.ladder import MatchError, Replaced, replace_chunks
from turbo_tui.edits.text_file import decode
from turbo_tui.edits.values import Chunk, Rung


def replaced(text: str, old: str, new: str) -> Replaced:
    return replace_chunks(decode(text.encode()), [Chunk(old, new)])


def seen(text: str, old: str, new: str) -> tuple[str, Rung]:
    result = replaced(text, old, new)
    return result.file.text, result.places[0].rung


def failed(text: str, old: str, new: str = "anything else\n") -> MatchError:
    with pytest.raises(MatchError) as caught:
        replaced(text, old, new)
    return caught.value


# --- indentation -----------------------------------------------------------------


def test_what_is_new_is_indented_as_the_file_is_and_further_in_by_its_own_step() -> None:
    text = "class A:\n\tdef f(self):\n\t\treturn one\n\n\tdef g(self):\n\t\tpass\n"
    old = "def f(self):\n  return one\n"
    new = "def f(self):\n  if two:\n    return two\n  return one\n"

    assert seen(text, old, new) == (
        text.replace("\t\treturn one\n", "\t\tif two:\n\t\t\treturn two\n\t\treturn one\n"),
        "indentation",
    )


def test_a_model_that_indents_the_new_text_alone_rightly_is_followed() -> None:
    text = "if a:\n    if b:\n        call(one)\n        end(a)\n"

    result = seen(text, "call(one)\nend(a)\n", "        call(two)\n        end(a)\n")

    assert result == (text.replace("one", "two"), "indentation")


def test_one_line_without_its_indentation_may_become_several() -> None:
    text = "def f():\n    return compute(1)\n"

    result = seen(text, "return compute(1)\n", "x = compute(1)\nreturn x\n")

    assert result == ("def f():\n    x = compute(1)\n    return x\n", "indentation")


def test_blank_lines_around_a_text_that_the_file_has_not_do_not_matter() -> None:
    assert seen("a = 1\nb = 2\n", "\na = 1\n\n", "\na = 3\n\n") == ("a = 3\nb = 2\n", "trailing")


def test_the_same_lines_further_in_are_another_place() -> None:
    text = "if a:\n  go(1)\n  stop(1)\nif b:\n    go(1)\n    stop(1)\n"

    assert failed(text, "go(1)\nstop(1)\n").lines == (2, 5)


def test_a_bracket_that_is_off_does_not_stand_for_the_one_the_model_forgot() -> None:
    text = "    if (a) {\n        if (b) {\n            call(a)\n        }\n    }\n"

    assert failed(text, "            call(a)\n    }\n").kind == "missing"


# --- look-alikes -----------------------------------------------------------------


def test_look_alikes_are_undone_in_what_is_new_too() -> None:
    text = "print(\"one\")\nprint('two')\n"

    result = seen(text, "print(“one”)\nprint(‘two’)\n", "print(“one”)\nprint(“three…”)\n")

    assert result == ('print("one")\nprint("three…")\n', "typographic")


def test_what_the_file_has_of_look_alikes_stays_where_the_text_is_shared() -> None:
    text = "title = “Über – uns”\nprice = 1\n"

    result = seen(text, 'title = "Über - uns"\nprice = 1\n', 'title = "Über - uns"\nprice = 2\n')

    assert result == ("title = “Über – uns”\nprice = 2\n", "typographic")


def test_in_a_line_that_changes_too_the_shared_part_keeps_its_characters() -> None:
    text = "say(“it’s – fine”, 1)\n"

    result = seen(text, 'say("it\'s - fine", 1)\n', 'say("it\'s - fine", 2)\n')

    assert result == ("say(“it’s – fine”, 2)\n", "typographic")


def test_a_part_of_a_line_is_found_by_look_alikes() -> None:
    assert seen("call(a, “b c”, d)\n", 'a, "b c"', 'a, "b c", x') == (
        "call(a, “b c”, x, d)\n",
        "typographic",
    )


@pytest.mark.parametrize("old", ["call(a, b)\ny = 2\n", "call( a,b )\n y= 2\n"])
def test_blanks_between_words_and_signs_may_be_others(old: str) -> None:
    text = "  call( a,  b)\n  y=2\n"

    result = seen(text, old, old.replace("2", "3"))

    assert result == (text.replace("2", "3"), "typographic")
    assert failed(text + "\n" + text, old).lines == (1, 4)


def test_composed_and_decomposed_letters_are_the_same() -> None:
    assert seen("name = 'cafe\u0301'\n", "name = 'caf\u00e9'\n", "named = 'caf\u00e9'\n")[1] == (
        "typographic"
    )


# --- escapes ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "old", "new", "expected"),
    [
        ('say("hi")\n', 'say(\\"hi\\")\n', 'say(\\"ho\\")\n', 'say("ho")\n'),
        ("a = f(1)\nb = 2\n", "a = f(1)\\nb = 2", "a = f(3)\\nb = 2", "a = f(3)\nb = 2\n"),
        ("if a < b && c:\n", "if a &lt; b &amp;&amp; c:\n", "if a &gt; b:\n", "if a > b:\n"),
        ('p("a\\n")\n', 'p(\\"a\\\\n\\")\n', 'p(\\"b\\\\n\\")\n', 'p("b\\n")\n'),
        (
            're.match("\\d+")\n',
            're.match("\\\\d+")\n',
            're.match("\\\\w+")\n',
            're.match("\\w+")\n',
        ),
    ],
)
def test_escapes_are_undone_in_old_and_new(text: str, old: str, new: str, expected: str) -> None:
    assert seen(text, old, new) == (expected, "escapes")


def test_a_line_end_after_an_escaped_one_is_no_blank_line() -> None:
    text = "call(a)\nend(b)\nx = 1\n\ncall(a)\nend(b)\n\n"

    assert failed(text, "call(a)\\nend(b)\\n\n").lines == (1, 5)


def test_escapes_that_the_file_has_are_exact() -> None:
    assert seen('p("a\\n")\n', 'p("a\\n")\n', 'p("b\\n")\n') == ('p("b\\n")\n', "exact")


# --- anchored blocks -------------------------------------------------------------

BLOCK = """\
def total(items):
    # add them all up
    result = 0
    for item in items:
        result += item.price
    return result
"""


def test_a_paraphrased_line_keeps_the_words_of_the_file() -> None:
    old = BLOCK.replace("add them all up", "sums all of them up")

    result = seen(BLOCK, old, old.replace("return result", "return round(result)"))

    assert result == (BLOCK.replace("return result", "return round(result)"), "anchored")


def test_a_line_that_the_model_forgot_is_not_lost() -> None:
    old = BLOCK.replace("    # add them all up\n", "")

    result = seen(BLOCK, old, old.replace("price", "cost"))

    assert result == (BLOCK.replace("price", "cost"), "anchored")


def test_a_line_that_the_model_forgot_and_then_writes_is_there_once() -> None:
    old = BLOCK.replace("    result = 0\n", "")
    new = BLOCK.replace("    for item", "    total = None\n    for item")

    assert replaced(BLOCK, old, new).file.text.count("result = 0") == 1


def test_an_invented_line_is_not_written() -> None:
    old = BLOCK.replace("    result = 0\n", "    result = 0\n    check(items)\n")

    assert seen(BLOCK, old, old.replace("price", "cost"))[0] == BLOCK.replace("price", "cost")


def test_in_a_misquoted_line_that_changes_only_the_change_is_written() -> None:
    text = BLOCK.replace("item.price", "item.price * rate(3)")
    old = BLOCK.replace("item.price", "item.price * rate(5)")
    new = BLOCK.replace("item.price", "item.cost * rate(5)")

    assert seen(text, old, new)[0] == text.replace("price", "cost")


def test_a_bracket_that_is_replaced_is_not_left_beside_what_replaces_it() -> None:
    text = "\n  function oldFunc() {\n    // some code\n  }"
    old, new = "function  oldFunc() {\n    // some code\n  }", "function newFunc() {\n  // new\n}"

    assert failed(text, old, new).kind == "missing"


def test_a_stretch_with_lines_that_the_model_did_not_know_is_not_replaced() -> None:
    text = BLOCK.replace(
        "        result += item.price\n", "        log(item)\n        result += item.price\n"
    )
    old = BLOCK
    new = "def total(items):\n    # add them all up\n    return sum(item.price for item in items)\n"

    assert failed(text, old, new).kind == "missing"


def test_a_near_copy_that_differs_where_the_model_is_wrong_is_refused_and_named() -> None:
    text = BLOCK + "\n\n" + BLOCK.replace("add them all up", "add them up again")
    error = failed(text, BLOCK.replace("add them all up", "add all of them"))

    assert error.kind == "ambiguous"
    assert error.lines == (1, 9)
    assert "nearly the same at lines 1, 9" in str(error)


def test_a_near_copy_that_differs_elsewhere_does_not_matter() -> None:
    text = BLOCK.replace("price", "weight") + "\n\n" + BLOCK
    old = BLOCK.replace("add them all up", "add all of them")

    result = seen(text, old, old.replace("return result", "return 1"))

    assert result[0] == text[: len(text) - len(BLOCK)] + BLOCK.replace("return result", "return 1")


def test_a_copy_with_other_words_does_not_beat_one_with_other_white_space() -> None:
    text = "def f(a):\n    try:\n        one(a)\n    finally:\n        two(a)\n"
    copy = text.replace("try:", "tries:")
    old = text.replace("    try:", "  try:")

    result = replaced(copy + "\n\n" + text, old, old.replace("two", "three")).file.text

    assert result == copy + "\n\n" + text.replace("two", "three")


def test_a_block_of_which_little_is_there_is_refused() -> None:
    old = "def total(items):\n    a()\n    b()\n    c()\n    d()\n    return result\n"

    assert failed(BLOCK, old).kind == "missing"


def test_a_twin_under_another_name_is_not_taken_for_the_block() -> None:
    assert failed(BLOCK.replace("total(", "price_of("), BLOCK).kind == "missing"


def test_dots_that_are_code_are_no_gap() -> None:
    text = "class P(Protocol):\n    def a(self) -> int:\n        # foo bar baz\n        ...\n"
    old = "    def a(self) -> int:\n        # foo bar qux\n        ...\n"

    assert seen(text, old, old.replace("int", "str")) == (text.replace("int", "str"), "anchored")


def test_a_comment_at_the_edge_need_not_be_there() -> None:
    old = "# sums it\n" + BLOCK
    text = "import os\n# adds\n" + BLOCK

    assert seen(text, old, old.replace("price", "cost")) == (
        text.replace("price", "cost"),
        "anchored",
    )


# --- code left out ---------------------------------------------------------------


@pytest.mark.parametrize("mark", ["...", "# ...", "// ... existing code ...", "# rest unchanged"])
def test_what_is_left_out_of_both_stays(mark: str) -> None:
    old = f"def total(items):\n    {mark}\n    return result\n"
    new = f"def total(items, tax):\n    {mark}\n    return result + tax\n"

    assert seen(BLOCK, old, new) == (
        BLOCK.replace("(items):", "(items, tax):").replace("return result", "return result + tax"),
        "elided",
    )


def test_code_left_out_is_refused_where_its_end_is_there_twice() -> None:
    text = BLOCK.replace(
        "    result = 0\n", "    if not items:\n        return 0\n    result = 0\n"
    )
    old = "def total(items):\n    ...\n    result = 0\n    ...\n        return\n"

    assert failed(text, old, old.replace("result = 0", "result = 1")).kind == "missing"


def test_a_gap_on_one_side_alone_is_refused() -> None:
    assert failed(BLOCK, "def total(items):\n    ...\n    return result\n", "x = 1\n")


# --- all of them -----------------------------------------------------------------

ROWS = st.lists(
    st.sampled_from(
        [
            "def f(a, b):",
            "    return a + b",
            "    # it’s “quoted” – so",
            "    value = compute(a)  ",
            "\tvalue = compute(b)",
            "",
            "}",
            "    if a < b:",
            '        say("hi\\n")',
            "...",
        ]
    ),
    min_size=1,
    max_size=14,
)
ENDS = st.sampled_from(["\n", "\r\n"])
DAMAGES: list[Callable[[str], str]] = [
    lambda text: text,
    lambda text: text.replace("    ", "\t"),
    lambda text: text.replace("    ", "  "),
    lambda text: text.replace(" \n", "\n"),
    lambda text: text.replace("’", "'").replace("“", '"').replace("”", '"'),
    lambda text: text.replace('"', '\\"'),
    lambda text: text.replace("compute", "computes"),
    lambda text: text.replace("\n\n", "\n"),
]
DAMAGE = st.sampled_from(DAMAGES)


@settings(max_examples=300, deadline=None)
@given(st.tuples(ROWS, ROWS, ROWS, ROWS), DAMAGE, st.lists(ENDS, min_size=42, max_size=42))
def test_no_byte_outside_the_lines_that_are_meant_ever_changes(
    parts: tuple[list[str], list[str], list[str], list[str]],
    damage: Callable[[str], str],
    ends: list[str],
) -> None:
    head, old, tail, new = parts
    rows = [*head, *old, *tail]
    before = "".join(row + end for row, end in zip(rows, ends, strict=False)).encode()
    chunk = Chunk(damage("\n".join(old) + "\n"), "\n".join(new) + "\n")
    try:
        result = replace_chunks(decode(before), [chunk])
    except MatchError:
        return

    # It begins where it says, and takes no more rows than `old` has, but for some it has not.
    after, place = result.file.encode(), result.places[0]
    lines = before.splitlines(keepends=True)
    more = {"exact": 0, "anchored": 3, "elided": len(rows)}.get(place.rung, 0)
    start = sum(map(len, lines[: place.line - 1]))
    stop = sum(map(len, lines[: place.line - 1 + len(old) + more]))
    if before != after:
        assert after.startswith(before[:start])
        assert after.endswith(before[stop:])


@settings(max_examples=100, deadline=None)
@given(
    ROWS,
    st.lists(ENDS, min_size=14, max_size=14),
    st.sampled_from(["", "\n", "\r\n"]),
    st.sampled_from(["utf-8", "utf-16-le"]),
)
def test_putting_a_text_in_and_out_again_gives_the_same_bytes(
    rows: list[str],
    ends: list[str],
    last: str,
    encoding: str,
) -> None:
    mark = b"\xff\xfe" if encoding == "utf-16-le" else b""
    text = "".join(row + end for row, end in zip(rows, ends, strict=False)) + "a marked line"
    content = mark + (text + last).encode(encoding)

    there = replace_chunks(decode(content), [Chunk("a marked line", "another\nand one")]).file
    back = replace_chunks(decode(there.encode()), [Chunk("another\nand one", "a marked line")])

    assert back.file.encode() == content


def test_lines_keep_their_line_ends_whether_they_stay_or_change() -> None:
    content = b"one 1\r\ntwo 2\nthree 3\nfour 4\r\nfive 5\r\n"
    chunk = Chunk("one 1\ntwo 2\nthree 3\nfour 4\nfive 5\n", "one 1\nTWO\nthree 3\nfour 4\nFIVE\n")

    result = replace_chunks(decode(content), [chunk]).file.encode()

    assert result == b"one 1\r\nTWO\nthree 3\nfour 4\r\nFIVE\r\n"


def test_work_does_not_explode_where_lines_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []

    def counting(
        junk: None, mine: Sequence[str], theirs: Sequence[str], *, autojunk: bool
    ) -> object:
        compared.append(len(mine) * len(theirs))
        return SequenceMatcher(junk, mine, theirs, autojunk=autojunk)

    monkeypatch.setattr(anchored, "SequenceMatcher", counting)
    monkeypatch.setattr(likeness, "SequenceMatcher", counting)
    old = (
        "    return compute(one)\n" * 30
        + "    return other(two)\n"
        + "    return compute(one)\n" * 30
    )

    def work(times: int) -> tuple[int, int]:
        compared.clear()
        failed("    return compute(one)\n" * times, old)
        return len(compared), sum(compared)

    once, twice = work(4_000), work(8_000)

    assert twice[0] <= once[0] + 10
    assert twice[1] <= once[1] * 1.1 + 1_000
    assert twice[0] < 2_000
