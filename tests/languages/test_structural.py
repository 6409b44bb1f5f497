"""Patterns and rewrites by structure."""

from __future__ import annotations

import pytest

from turbo_tui.languages.by_ending import language_of, words_of
from turbo_tui.languages.structural import (
    PatternRefusedError,
    check_pattern,
    identifiers,
    rewrite_file,
)
from turbo_tui.languages.text_edits import TextEdit, apply_edits


def _rewritten(text: str, pattern: str, rewrite: str, path: str = "m.py") -> str:
    content = text.encode()
    return apply_edits(content, rewrite_file(path, content, pattern, rewrite).edits).decode()


def test_captures_keep_their_own_layout() -> None:
    text = "# print(1)\nprint(a,\n      b, # why\n      'print(2)')\nprint()\n"

    assert _rewritten(text, "print($$$A)", "log.info($$$A)") == (
        "# print(1)\nlog.info(a,\n      b, # why\n      'print(2)')\nlog.info()\n"
    )


def test_a_match_inside_a_match_is_rewritten_too() -> None:
    assert _rewritten("f(f(1) + f(x(f(2))))\n", "f($X)", "g($X, 0)") == (
        "g(g(1, 0) + g(x(g(2, 0)), 0), 0)\n"
    )


def test_characters_of_any_width_before_a_match_do_not_shift_it() -> None:
    assert _rewritten("s = 'é€😀'; f('😀')\n", "f($X)", "g($X)") == "s = 'é€😀'; g('😀')\n"


def test_latin_1_bytes_are_kept() -> None:
    content = b"s = '\xe9'; f(1)  # \xff\n"

    edits = rewrite_file("m.py", content, "f($X)", "g($X)").edits

    assert apply_edits(content, edits) == b"s = '\xe9'; g(1)  # \xff\n"


def test_crlf_is_kept_in_what_is_written() -> None:
    assert _rewritten("f(1)\r\n", "f($X)", "a\nb($X)") == "a\r\nb(1)\r\n"


@pytest.mark.parametrize(
    ("path", "text", "pattern", "rewrite", "after"),
    [
        ("a.js", "var a = x.get(1);", "$O.get($K)", "$O[$K]", "var a = x[1];"),
        (
            "a.go",
            "package m\nfunc f() { g(1) }\n",
            "g($X)",
            "h($X)",
            "package m\nfunc f() { h(1) }\n",
        ),
        ("a.rs", "fn f() { x.unwrap(); }", "$X.unwrap()", "$X?", "fn f() { x?; }"),
        ("a.ts", "const a: T = f(1)", "f($X)", "g($X)", "const a: T = g(1)"),
    ],
)
def test_other_languages_are_rewritten(
    path: str, text: str, pattern: str, rewrite: str, after: str
) -> None:
    assert _rewritten(text, pattern, rewrite, path) == after


@pytest.mark.parametrize("pattern", ["$X", "$$$A", "($X)", "$X, $Y", ""])
def test_a_pattern_that_would_match_anything_is_refused(pattern: str) -> None:
    with pytest.raises(PatternRefusedError, match="would match any code"):
        check_pattern(pattern, "x")


def test_a_replacement_with_an_unknown_part_is_refused() -> None:
    with pytest.raises(PatternRefusedError, match=r"uses \$Z, .* It captures: \$X, \$Y"):
        check_pattern("f($X, $$$Y)", "g($Z)")


def test_a_name_in_strings_and_comments_is_no_identifier() -> None:
    content = b'a("a"); // a\nb.a = {a: 1}\n'

    assert [(place.line, place.column) for place in identifiers("x.js", content, "a")] == [
        (1, 1),
        (2, 3),
        (2, 8),
    ]


def test_languages_are_told_by_the_ending() -> None:
    assert [language_of(path) for path in ("a/b.TSX", "Makefile", "x.unknown", ".py")] == [
        "tsx",
        "",
        "",
        "python",
    ]


def test_edits_that_overlap_are_an_error() -> None:
    with pytest.raises(ValueError, match="overlap at byte 1"):
        apply_edits(b"abc", [TextEdit(0, 2, "x"), TextEdit(1, 3, "y")])


def test_a_pattern_needs_its_own_words_in_a_file() -> None:
    assert words_of("log.info($$$ARGS, a=$X)") == ["log", "info"]
