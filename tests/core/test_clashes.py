"""What is made of clashes: parts, outcomes, markers, and what the log says of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import MemoryBlobs
from turbo_tui.core import clashes
from turbo_tui.core import events as ev
from turbo_tui.core.changes import ChangeSet, FileChange, Node
from turbo_tui.core.choosing import FileChoice, choose
from turbo_tui.core.clashes import (
    LANDING,
    WHOLE,
    Clashing,
    Settled,
    leftover_marker,
    settled_content,
)
from turbo_tui.core.errors import UsageError
from turbo_tui.core.landings import Conflict
from turbo_tui.core.merge import Clash, Taken, parts
from turbo_tui.core.ports import Record
from turbo_tui.core.views import Views

TEXTS = st.lists(st.sampled_from([b"a\n", b"b\n", b"c\n", b"d\r\n"]), max_size=8).map(b"".join)


class Shelf:
    """Blobs, and changes made of contents."""

    def __init__(self) -> None:
        self.blobs = MemoryBlobs()

    def node(self, content: bytes, mode: int = 0o644) -> Node:
        return Node("file", mode, len(content), self.blobs.put(content))

    def change(self, before: bytes, after: bytes) -> FileChange:
        return FileChange("a.txt", self.node(before), self.node(after))


@given(TEXTS, TEXTS, TEXTS)
def test_one_side_everywhere_is_that_side_where_nothing_else_was_changed(
    base: bytes, ours: bytes, theirs: bytes
) -> None:
    for known in (base, None):
        found = parts(known, ours, theirs)
        mine = [p if isinstance(p, tuple) else p.ours for p in found]
        other = [p if isinstance(p, tuple) else p.theirs for p in found]
        assert b"".join(line for part in mine for line in part) == ours
        if known is None:
            assert b"".join(line for part in other for line in part) == theirs
        assert [isinstance(part, tuple) for part in found] == [
            at % 2 == 0 for at in range(len(found))
        ]
    same = parts(base, base, theirs)
    assert not any(isinstance(part, Clash) for part in same)
    lines = [p if isinstance(p, tuple) else p.theirs for p in same]
    assert b"".join(line for part in lines for line in part) == theirs


@given(TEXTS, TEXTS, TEXTS)
def test_all_that_merges_left_out_and_mine_kept_is_the_users_file(
    base: bytes, ours: bytes, theirs: bytes
) -> None:
    shelf = Shelf()
    found = parts(base, ours, theirs)
    places = sum(isinstance(part, Clash) for part in found)
    mine = {place: Settled("mine") for place in range(places)}
    beside = frozenset(range(sum(isinstance(part, Taken) for part in found)))
    clashing = Clashing(places, shelf.blobs.put(base), mine, left_out=beside)

    if places:
        made = settled_content(shelf.change(ours, theirs), clashing, shelf.blobs.get)
        assert made == ours


@given(TEXTS, TEXTS, TEXTS, st.sampled_from(["mine", "theirs", "both"]))
def test_every_line_that_lands_stems_from_a_side(
    base: bytes, ours: bytes, theirs: bytes, take: ev.Take
) -> None:
    shelf = Shelf()
    change = shelf.change(ours, theirs)
    places = sum(isinstance(part, Clash) for part in parts(base, ours, theirs))
    settled = {place: Settled(take) for place in range(places)}
    clashing = Clashing(places, shelf.blobs.put(base), settled)
    if not places:
        return
    made = settled_content(change, clashing, shelf.blobs.get)

    known = {*ours.splitlines(), *theirs.splitlines()}
    assert set(made.splitlines()) <= known
    chosen = choose(change, FileChoice(clashing=clashing), shelf.blobs.get, shelf.blobs.put)
    assert (chosen is None) == (made == ours)


def test_lines_without_an_end_do_not_run_into_the_next() -> None:
    shelf = Shelf()
    change = shelf.change(b"a\nmine", b"a\ntheirs")
    clashing = Clashing(1, shelf.blobs.put(b"a\nb"), {0: Settled("both")})

    assert settled_content(change, clashing, shelf.blobs.get) == b"a\nmine\ntheirs"


def test_an_open_place_is_named_and_shown_with_its_markers() -> None:
    shelf = Shelf()
    change = shelf.change(b"mine\n", b"theirs\n")
    clashing = Clashing(1, shelf.blobs.put(b"base\n"))
    with pytest.raises(UsageError, match=r"conflict 1 of 1 in a\.txt"):
        settled_content(change, clashing, shelf.blobs.get)

    marked = settled_content(change, clashing, shelf.blobs.get, marked=LANDING)
    assert leftover_marker(marked, b"mine\n", b"theirs\n") == (1, "<<<<<<< yours")


def test_markers_end_as_the_lines_between_them_do() -> None:
    shelf = Shelf()
    change = shelf.change(b"mine\r\n", b"theirs")
    clashing = Clashing(1, shelf.blobs.put(b"base\r\n"))
    marked = settled_content(change, clashing, shelf.blobs.get, marked=LANDING)

    assert marked.count(b"\r\n") == marked.count(b"\n") == 7


def test_a_marker_that_a_side_had_itself_is_text() -> None:
    doc = b"Git writes\n<<<<<<< HEAD\n"

    assert leftover_marker(doc, doc, b"") is None
    assert leftover_marker(b"x\n=======\n", b"A title\n=======\n", b"") is None
    assert leftover_marker(b"x\n=======\n", b"", b"") == (2, "=======")
    assert leftover_marker(b"x\n========\n", b"", b"") is None, "a heading may be underlined so"
    assert leftover_marker(b"x\r\n>>>>>>> the step's\r\n", b"", b"") == (2, ">>>>>>> the step's")
    assert leftover_marker(b"<<<<<<<<\n", b"", b"") is None


def test_a_mode_over_texts_that_merge_keeps_the_merged_text() -> None:
    shelf = Shelf()
    base = b"".join(b"%d\n" % number for number in range(9))
    ours, theirs = base.replace(b"1\n", b"one\n"), base.replace(b"7\n", b"seven\n")
    change = FileChange("a.txt", shelf.node(ours, 0o600), shelf.node(theirs, 0o755))
    conflict = Conflict("a.txt", "its permissions", base=shelf.blobs.put(base), change=change)
    carried = clashes.onto(ChangeSet((change,)), (conflict,), shelf.blobs.get, shelf.blobs.put)

    assert carried.clashing["a.txt"].places == 0
    (wanted,) = carried.changes.files
    assert wanted.after is not None
    assert shelf.blobs.get(wanted.after.blob) == theirs.replace(b"1\n", b"one\n")
    assert wanted.after.mode == 0o755
    for settled, lands in ((Settled("mine"), None), (Settled("theirs"), wanted)):
        choice = FileChoice(clashing=Clashing(0, conflict.base, {WHOLE: settled}))
        assert choose(wanted, choice, shelf.blobs.get, shelf.blobs.put) == lands


def told(*events: ev.Event) -> Views:
    views = Views()
    for seq, event in enumerate(events, 1):
        views.apply(Record(seq, float(seq), "user", event, "", ""))
    return views


def test_a_refusal_says_what_is_open_and_the_same_clash_again_stays_settled() -> None:
    refused = ev.LandingRefused("s1", {"a": "x"}, "merged", {"a": 2, "b": 0}, {"a": "base"})
    views = told(refused, ev.ClashSettled("s1", "merged", "a", 1, "both"))
    decided = views.review.decisions("s1", "merged")
    assert decided.open_clashes == {"a": (0,), "b": (WHOLE,)}
    assert set(decided.choices) == {"a", "b"}

    views.apply(Record(3, 3.0, "engine", refused, "", ""))
    assert views.review.decisions("s1", "merged").open_clashes == decided.open_clashes
    other = ev.LandingRefused("s1", {"a": "x"}, "other", {"a": 2})
    views.apply(Record(4, 4.0, "engine", other, "", ""))
    assert views.review.decisions("s1", "other").open_clashes == {"a": (0, 1)}
    assert not views.review.decisions("s1", "merged").clashing


def test_a_file_left_out_or_rewritten_has_nothing_open() -> None:
    refused = ev.LandingRefused("s1", {"a": "x"}, "merged", {"a": 2, "b": 0})
    views = told(
        refused,
        ev.HunkDecided("s1", "merged", "a", -1, accepted=False),
        ev.ContentEdited("s1", "merged", "b", "blob"),
    )

    assert views.review.decisions("s1", "merged").open_clashes == {}
