"""Three-way merges by lines, against git's own where it is there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turbo_tui.core.merge import Clash, Merged, merge

BASE = b"".join(b"line %d\n" % number for number in range(12))

texts = st.lists(st.sampled_from([b"a\n", b"b\r\n", b"c\n", b"d\n"]), max_size=12).flatmap(
    lambda lines: st.sampled_from([b"", b"end"]).map(lambda end: b"".join(lines) + end)
)


def with_line(number: int, text: bytes, content: bytes = BASE) -> bytes:
    return content.replace(b"line %d\n" % number, text)


def test_changes_apart_come_together() -> None:
    merged = merge(BASE, with_line(2, b"ours\n"), with_line(9, b"theirs\n"))

    assert merged == Merged(with_line(9, b"theirs\n", with_line(2, b"ours\n")))
    assert merged.clean


def test_changes_one_line_apart_are_clean_and_touching_ones_clash() -> None:
    ours = with_line(2, b"ours\n")

    assert merge(BASE, ours, with_line(4, b"theirs\n")).clean
    assert not merge(BASE, ours, with_line(3, b"theirs\n")).clean


def test_the_same_change_on_both_sides_is_clean() -> None:
    same = with_line(2, b"same\n")

    assert merge(BASE, same, same) == Merged(same)
    assert merge(BASE, with_line(9, b"x\n", same), same).content == with_line(9, b"x\n", same)


def test_a_clash_says_what_each_side_has() -> None:
    merged = merge(b"a\nb\nc\n", b"a\nB\nc\n", b"a\n\xe9\nc\n")

    assert merged.conflicts == (Clash(1, (b"b\n",), (b"B\n",), (b"\xe9\n",)),)
    assert merged.content == (
        b"a\n<<<<<<< yours\nB\n||||||| base\nb\n=======\n\xe9\n>>>>>>> this step\nc\n"
    )


def test_an_unterminated_last_line_does_not_swallow_a_marker() -> None:
    merged = merge(b"a", b"b", b"c", our_name="A", their_name="B")

    assert merged.content == b"<<<<<<< A\nb\n||||||| base\na\n=======\nc\n>>>>>>> B\n"


def test_deleting_what_the_other_side_changed_is_a_clash() -> None:
    assert not merge(b"a\nb\nc\n", b"a\nc\n", b"a\nB\nc\n").clean


@given(texts, texts)
def test_with_one_side_unchanged_the_other_wins(base: bytes, changed: bytes) -> None:
    assert merge(base, base, changed) == Merged(changed)
    assert merge(base, changed, base) == Merged(changed)
    assert merge(base, changed, changed) == Merged(changed)


@given(texts, texts, texts)
def test_sides_may_be_swapped(base: bytes, ours: bytes, theirs: bytes) -> None:
    one, other = merge(base, ours, theirs), merge(base, theirs, ours)

    assert one.clean == other.clean
    if one.clean:
        assert one.content == other.content
    else:
        assert [clash.ours for clash in one.conflicts] == [c.theirs for c in other.conflicts]


numbered = st.lists(
    st.tuples(st.integers(0, 29), st.sampled_from(["change", "delete", "insert"])), max_size=4
)


def edited(edits: list[tuple[int, str]], word: bytes) -> bytes:
    lines = [b"line %d\n" % number for number in range(30)]
    for at, what in edits:
        own = b"%s %d\n" % (word, at)
        lines[at] = {"change": own, "delete": b"", "insert": own + lines[at]}[what]
    return b"".join(lines)


@settings(max_examples=25, deadline=None)
@given(numbered, numbered)
def test_git_merges_and_refuses_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    our_edits: list[tuple[int, str]],
    their_edits: list[tuple[int, str]],
) -> None:
    folder = tmp_path_factory.mktemp("merge")
    base, ours, theirs = edited([], b""), edited(our_edits, b"ours"), edited(their_edits, b"theirs")
    by_git = git_merge(folder, base, ours, theirs)

    merged = merge(base, ours, theirs)

    assert (merged.content if merged.clean else None) == by_git


def git_merge(folder: Path, base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    for name, content in (("base", base), ("ours", ours), ("theirs", theirs)):
        (folder / name).write_bytes(content)
    done = subprocess.run(
        ("git", "merge-file", "-p", "ours", "base", "theirs"),
        cwd=folder,
        capture_output=True,
        check=False,
    )
    return done.stdout if done.returncode == 0 else None
