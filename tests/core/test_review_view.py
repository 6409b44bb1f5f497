"""What was decided and verified, folded from the log."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from turbo_tui.core import events as ev
from turbo_tui.core.choosing import ALL, FileChoice
from turbo_tui.core.ports import Record
from turbo_tui.core.views import Comment, Decisions, ReviewView, Verification


def view_of(*events: ev.Event) -> ReviewView:
    view = ReviewView()
    for seq, event in enumerate(events, 1):
        view.apply(Record(seq, 0.0, "user", event, "", ""))
    return view


def hunk(number: int, *, accepted: bool) -> ev.Event:
    return ev.HunkDecided("s1", "ab", "a.py", number, accepted=accepted)


def lines(*numbers: int, accepted: bool) -> ev.Event:
    return ev.LinesDecided("s1", "ab", "a.py", 0, numbers, accepted=accepted)


def choice(*events: ev.Event) -> FileChoice:
    return view_of(*events).decisions("s1", "ab").choice("a.py")


def test_what_is_said_of_another_change_set_is_void() -> None:
    view = view_of(lines(1, accepted=False), ev.HunkEdited("s1", "ab", "a.py", 1, "cd"))

    assert view.decisions("s1", "other") == Decisions("other")
    assert view.decisions("s2", "ab") == Decisions("ab")
    assert view.last("s1").choices == {
        "a.py": FileChoice(left_out={0: frozenset({1})}, edited={1: "cd"})
    }


def test_leaving_lines_out_takes_the_rest_of_their_hunk_in() -> None:
    rejected = (hunk(0, accepted=False), hunk(1, accepted=False))

    assert choice(*rejected, lines(1, 2, accepted=False)) == FileChoice(
        frozenset({1}), {0: frozenset({1, 2})}
    )


def test_taking_lines_in_never_takes_in_a_hunk() -> None:
    assert choice(hunk(0, accepted=False), lines(1, accepted=True)).rejected == {0}


def test_a_hunk_or_file_is_decided_with_all_its_lines() -> None:
    out = lines(1, 2, accepted=False)

    assert choice(out, hunk(0, accepted=True)) == ALL
    assert choice(out, hunk(0, accepted=False)) == FileChoice(frozenset({0}))
    assert choice(out, hunk(-1, accepted=True)) == ALL
    assert choice(out, hunk(1, accepted=False)).left_out == {0: {1, 2}}


def test_edits_outlive_a_rejection() -> None:
    edit = ev.HunkEdited("s1", "ab", "a.py", 0, "cd")

    assert choice(edit, hunk(0, accepted=False), hunk(0, accepted=True)).edited == {0: "cd"}
    assert choice(edit, hunk(-1, accepted=False), hunk(-1, accepted=True)).edited == {0: "cd"}


@given(
    st.lists(
        st.one_of(
            st.builds(hunk, st.integers(-1, 2), accepted=st.booleans()),
            st.lists(st.integers(0, 4), min_size=1).flatmap(
                lambda numbers: st.booleans().map(lambda on: lines(*numbers, accepted=on))
            ),
        ),
        max_size=8,
    ),
    st.integers(0, 2),
)
def test_an_edit_taken_back_leaves_all_as_before(said: list[ev.Event], number: int) -> None:
    edits = (
        ev.HunkEdited("s1", "ab", "a.py", number, "cd"),
        ev.ContentEdited("s1", "ab", "a.py", "ef"),
        ev.HunkEdited("s1", "ab", "a.py", number, ""),
        ev.ContentEdited("s1", "ab", "a.py", ""),
    )

    assert choice(*said, *edits) == choice(*said)


def test_comments_are_in_the_order_of_the_file_and_can_be_removed() -> None:
    def comment(path: str, line: int, side: ev.Side, text: str) -> ev.Event:
        return ev.LineCommented("s1", "ab", path, line, side, text)

    view = view_of(
        comment("b.py", 1, "new", "last"),
        comment("a.py", 10, "new", "third"),
        comment("a.py", 2, "new", "second"),
        comment("a.py", 2, "old", "first"),
        comment("a.py", 5, "new", "gone"),
        comment("a.py", 5, "new", ""),
    )

    decided = view.decisions("s1", "ab")
    assert [each.text for each in decided.comments] == ["first", "second", "third", "last"]
    assert decided.comment("a.py", 2, "old") == "first"
    assert decided.comment("a.py", 5, "new") == ""
    assert decided.choices == {}
    assert decided.without_comments == Decisions("ab")
    assert decided.comments[0] == Comment("a.py", 2, "old", "first")


STARTED = ev.VerifyStarted("s1", "ab", "cd", "stage")


def test_a_verification_is_told_for_what_it_was_about() -> None:
    passed = ev.VerifyFinished("s1", "cd", passed=True)
    failed = ev.VerifyFinished("s1", "cd", passed=False, failures=("`make` failed",))
    stopped = ev.VerifyFinished("s1", "cd", passed=False, reason="interrupted by you")

    assert view_of().verification("s1", "ab") == Verification()
    assert view_of(STARTED).verification("s1", "ab") == Verification("running", "cd")
    assert view_of(STARTED).verifying == (("s1", "cd", "stage"),)
    assert view_of(STARTED, passed).verification("s1", "ab").status == "passed"
    assert view_of(STARTED, passed).verification("s1", "new").status == "never"
    assert view_of(STARTED, failed).verification("s1", "ab").failures == ("`make` failed",)
    assert view_of(STARTED, stopped).verification("s1", "ab").reason == "interrupted by you"
    assert view_of(STARTED, stopped).verifying == ()


def test_a_result_of_something_else_tells_nothing() -> None:
    other = ev.VerifyFinished("s1", "other", passed=True)

    assert view_of(STARTED, other).verification("s1", "ab").status == "running"
    assert view_of(other).verification("s1", "ab").status == "never"


def test_any_other_decision_makes_a_result_stale_until_it_is_taken_back() -> None:
    passed = (STARTED, ev.VerifyFinished("s1", "cd", passed=True))
    out = hunk(0, accepted=False)

    assert view_of(*passed, out).verification("s1", "ab").status == "stale"
    back = view_of(*passed, out, hunk(0, accepted=True))
    assert back.verification("s1", "ab").status == "passed"
