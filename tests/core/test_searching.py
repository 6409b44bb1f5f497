"""Queries taken apart: words, filters, and a place to compare with."""

from __future__ import annotations

import pytest

from turbo_tui.core.searching import Filter, in_quotes, parse_query


def test_filters_are_taken_out_of_the_words() -> None:
    query = parse_query("retry backoff lang:python path:net/ -kind:test")

    assert query.text == "retry backoff"
    assert query.filters == (
        Filter("lang", "python"),
        Filter("path", "net/"),
        Filter("kind", "test", out=True),
    )


@pytest.mark.parametrize(
    "text", ["kind:Deployment", "std::path:foo", "a lang: b", "  x  y ", "https://like:8080"]
)
def test_what_is_no_filter_stays_text_as_it_stands(text: str) -> None:
    assert parse_query(text).text == text.strip()
    assert parse_query(text).filters == ()
    assert parse_query(text).like is None


def test_what_stands_between_quotes_is_meant_as_it_stands() -> None:
    whole = parse_query(' "lang:py is no language"  ')
    beside = parse_query('"is closed" lang:py')

    assert (whole.text, whole.filters, whole.quoted) == ("lang:py is no language", (), True)
    assert (beside.text, beside.filters, beside.quoted) == (
        "is closed",
        (Filter("lang", "py"),),
        True,
    )
    assert parse_query('say "is closed" now').text == 'say "is closed" now'
    assert not parse_query("is closed").quoted


@pytest.mark.parametrize("path", ["my dir/my file.py", "a.py", 'it"s.py'])
def test_a_path_with_blanks_is_written_so_that_it_is_read_again(path: str) -> None:
    query = parse_query(f"x path:{in_quotes(path)}")
    like = parse_query(f"like:{in_quotes(path)}:2")

    assert (query.text, query.filters) == ("x", (Filter("path", path),))
    assert like.like == (path, 2)


@pytest.mark.parametrize(
    ("text", "like"), [("like:src/api.py:12", ("src/api.py", 12)), ("like:a.py", ("a.py", 0))]
)
def test_a_place_to_compare_with_is_named_by_path_and_line(
    text: str, like: tuple[str, int]
) -> None:
    query = parse_query(f"{text} lang:py")

    assert query.like == like
    assert query.text == ""


def test_a_language_is_named_by_its_ending_or_in_full() -> None:
    assert parse_query("x lang:markdown").admits("README.md", "", "docs")
    assert parse_query("kind:code,Deployment").text == "kind:code,Deployment"


@pytest.mark.parametrize(
    ("text", "admitted"),
    [
        ("x", True),
        ("x lang:python", True),
        ("x lang:py", True),
        ("x lang:rust", False),
        ("x lang:rust lang:py", True),
        ("x path:NET/", True),
        ("x path:net/*.py", False),
        ("x path:*/net/*.py", True),
        ("x path:*.rs", False),
        ("x path:net -path:retry", False),
        ("x kind:code", True),
        ("x kind:docs", False),
        ("x lang:py kind:docs", False),
        ("x -kind:tests", True),
        ("x kind:docs,Code", True),
        ("x lang:rust,py", True),
        ("x -lang:rust,py", False),
        ("x path:./src", True),
        ("x path:/net", True),
        ("x path:/et", False),
    ],
)
def test_a_file_meets_one_filter_of_each_field_and_none_that_leaves_it_out(
    text: str,
    admitted: bool,  # noqa: FBT001 (a table's column)
) -> None:
    assert parse_query(text).admits("src/net/retry.py", "python", "code") is admitted
