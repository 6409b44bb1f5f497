"""Queries taken apart: words, filters, and a place to compare with."""

from __future__ import annotations

import pytest

from turbo_tui.core.searching import Filter, parse_query


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


@pytest.mark.parametrize(
    ("text", "like"), [("like:src/api.py:12", ("src/api.py", 12)), ("like:a.py", ("a.py", 0))]
)
def test_a_place_to_compare_with_is_named_by_path_and_line(
    text: str, like: tuple[str, int]
) -> None:
    query = parse_query(f"{text} lang:py")

    assert query.like == like
    assert query.text == ""


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
    ],
)
def test_a_file_meets_one_filter_of_each_field_and_none_that_leaves_it_out(
    text: str,
    admitted: bool,  # noqa: FBT001 (a table's column)
) -> None:
    assert parse_query(text).admits("src/net/retry.py", "python", "code") is admitted
