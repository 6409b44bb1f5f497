"""Text from outside: nothing in it moves the cursor, hides, or breaks a line's width."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from turbo_widgets.ascii_only import needs_ascii, to_ascii
from turbo_widgets.text import clean, clean_line, fit, fit_path, plural, wrap


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[2Jgone", "^[[2Jgone"),
        ("a\rb", "a^Mb"),
        ("del\x7f", "del^?"),
        ("c1 \x9b31m", "c1 \\x9b31m"),
        ("ab\u202efdp.exe", "ab<202e>fdp.exe"),
        ("name\udcff.txt", "name\\xff.txt"),
        ("tab\there", "tab here"),
        ("grüße ✔", "grüße ✔"),
    ],
)
def test_controls_become_visible_and_words_stay(raw: str, shown: str) -> None:
    assert clean(raw) == shown


def test_newlines_stay_in_text_and_go_from_lines() -> None:
    assert clean("one\ntwo\x07") == "one\ntwo^G"
    assert clean_line("one\ntwo") == "one two"


def test_what_does_not_fit_is_cut_with_a_mark() -> None:
    assert fit("short", 10) == "short"
    assert fit("much too long", 6) == "much …"
    assert fit("anything", 0) == ""
    assert cell_len(fit("漢字漢字", 5)) <= 5


def test_a_path_keeps_its_end() -> None:
    assert fit_path("src/deep/down/api.py", 12) == "…down/api.py"
    assert fit_path("api.py", 12) == "api.py"


def test_lines_break_between_words_and_never_exceed_the_width() -> None:
    lines = wrap("the quick brown fox jumps over averyveryverylongword", 12)

    assert lines[0] == "the quick"
    assert all(cell_len(line) <= 12 for line in lines)
    assert "".join(lines).replace(" ", "") == "thequickbrownfoxjumpsoveraveryveryverylongword"


def test_a_blank_line_survives_wrapping() -> None:
    assert wrap("one\n\ntwo", 20) == ["one", "", "two"]


def test_counts_read_as_words() -> None:
    assert plural(1, "file") == "1 file"
    assert plural(1204, "file") == "1,204 files"
    assert plural(2, "entry", "entries") == "2 entries"


@pytest.mark.parametrize(
    ("environment", "ascii_only"),
    [
        ({"LANG": "en_US.UTF-8"}, False),
        ({"LANG": "en_US.utf8"}, False),
        ({"LC_ALL": "C", "LANG": "en_US.UTF-8"}, True),
        ({"LC_CTYPE": "de_DE.ISO-8859-1"}, True),
        ({}, True),
    ],
)
def test_the_first_locale_variable_that_is_set_decides(
    environment: dict[str, str], ascii_only: object
) -> None:
    assert needs_ascii(environment) is ascii_only


def test_ascii_keeps_every_cell_in_its_place() -> None:
    drawn = "┌─ ✔ 3 steps · naïve 漢 … ▾ ░"

    assert to_ascii(drawn).isascii()
    assert cell_len(to_ascii(drawn)) == cell_len(drawn)
    assert to_ascii("naïve ✔") == "naive +"
