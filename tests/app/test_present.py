"""Views -> widget values: what each kind of change, step and entry says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fakes import FAKE_REPORT, MemoryBlobs
from turbo_tui.app.cards import card_for
from turbo_tui.app.main import left_waiting
from turbo_tui.app.opened import consent_question, resume_question, trust_question
from turbo_tui.app.present import LogPresenter, plan_value, sandbox_word
from turbo_tui.app.present_changes import DiffPresenter, empty_diff
from turbo_tui.core import events as ev
from turbo_tui.core.changes import ChangeSet, FileChange, IgnoredFolder, Node
from turbo_tui.core.plan import Step
from turbo_tui.core.ports import Guarantee, Level, Record, Rung, SandboxReport
from turbo_tui.core.views import Decisions, LogEntry, StepState, StepStatus, Views
from turbo_tui.engine.review import Review


class Kept:
    """Blobs, a review on them, and nodes made of contents."""

    def __init__(self) -> None:
        self.blobs = MemoryBlobs()
        self.review = Review(self.blobs)

    def file(self, content: bytes, mode: int = 0o644) -> Node:
        return Node("file", mode, len(content), self.blobs.put(content))

    def link(self, target: bytes) -> Node:
        return Node("symlink", 0o777, len(target), self.blobs.put(target))

    def shown(self, *changes: FileChange, **rest: object) -> dict[str, tuple[str, ...]]:
        blob = self.review.keep(ChangeSet(changes, **rest))  # pyright: ignore[reportArgumentType]
        state = StepState(Step("s1", "t"), "staged", changes=blob)
        value = DiffPresenter(self.review).show(state, Decisions(blob))
        return {file.path: (file.action, *file.notes) for file in value.files}


def views_of(*events: ev.Event) -> Views:
    views = Views()
    for seq, event in enumerate(events, 1):
        views.apply(Record(seq, float(seq), "test", event, "", ""))
    return views


def test_every_kind_of_change_is_said_in_words() -> None:
    kept = Kept()
    text, binary = kept.file(b"one\n"), kept.file(b"\0" * 2_500)

    notes = kept.shown(
        FileChange("a", text, None),
        FileChange("b", None, binary),
        FileChange("c", text, replace(text, mode=0o755)),
        FileChange("d", text, kept.link(b"/etc/\xff")),
        FileChange("e", None, kept.file(b"#!/bin/sh\n", 0o755)),
        FileChange("f", text, text, moved_from="old/f"),
        FileChange("g", Node("folder", 0o755), None),
        FileChange("h", text, kept.file(b"two\n"), base_known=False),
        FileChange("i", kept.file(b"x\r\n"), kept.file(b"y\r\n")),
    )

    assert notes["a"] == ("delete",)
    assert notes["b"] == ("add", "not shown as text: 2.5 kB")
    assert notes["c"] == ("mode", "mode 644 becomes 755")
    assert notes["d"][0] == "retype"
    assert "a file becomes a symlink" in notes["d"]
    assert "is a link to /etc/\udcff" in notes["d"]
    assert "executable (mode 755)" in notes["e"]
    assert notes["f"] == ("move", "moved from old/f")
    assert notes["g"] == ("delete", "was a folder")
    assert any("not merged" in note for note in notes["h"])
    assert "CRLF line ends" in notes["i"]


def test_decisions_mark_hunks_and_files() -> None:
    kept = Kept()
    before = b"".join(b"%d\n" % number for number in range(60))
    after = before.replace(b"\n5\n", b"\nfive\n").replace(b"\n50\n", b"\nfifty\n")
    change = FileChange("a", kept.file(before), kept.file(after))
    added = FileChange("b", None, kept.file(b"new\n"))
    ignored = IgnoredFolder("node_modules", (added, added))
    blob = kept.review.keep(ChangeSet((change, added), ignored=(ignored,)))
    state = StepState(Step("s1", "t"), "staged", changes=blob)
    decided = Decisions(
        blob, {"a": frozenset({1}), "b": frozenset({-1})}, frozenset({"node_modules"})
    )

    value = DiffPresenter(kept.review).show(state, decided)

    assert [hunk.accepted for hunk in value.files[0].hunks] == [True, False]
    assert value.files[0].mark == "some"
    assert value.files[1].mark == "none"
    assert not value.files[1].by_hunk
    assert (value.ignored[0].count, value.ignored[0].accepted) == (2, True)


def test_a_huge_hunk_is_shown_whole() -> None:
    kept = Kept()
    content = b"".join(b"line %d\n" % number for number in range(6_000))
    change = FileChange("big.txt", None, kept.file(content))

    (file,) = DiffPresenter(kept.review).changes(ChangeSet((change,)), "big").files

    assert len(file.hunks[0].lines) == 6_000


def test_conflicts_stand_at_their_file_or_above_all() -> None:
    kept = Kept()
    change = FileChange("a", kept.file(b"1\n"), kept.file(b"2\n"))
    blob = kept.review.keep(ChangeSet((change,)))
    state = StepState(
        Step("s1", "t"), "conflict", changes=blob, conflicts={"a": "edited", "z": "gone"}
    )

    value = DiffPresenter(kept.review).show(state, Decisions(blob))

    assert value.files[0].notes[0] == "conflict: edited"
    assert value.message == "z: gone"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("proposed", "has not run yet"),
        ("landed", "has landed"),
        ("done", "changed no files"),
        ("rejected", "nothing of it landed"),
        ("skipped", "was skipped"),
        ("failed", "failed before it changed"),
    ],
)
def test_an_empty_diff_says_why(status: StepStatus, words: str) -> None:
    assert words in empty_diff(StepState(Step("s1", "t"), status)).message
    assert not empty_diff(StepState(Step("s1", "t"), status)).decidable


def test_a_tool_names_what_it_is_about_and_unchanged_entries_stay_the_same_value() -> None:
    entry = LogEntry("1", 1, 0.0, "tool", "ok", "s1", "read_file", body='{"path": "a.py"}\nok')
    strange = replace(entry, key="2", body="not json")
    listed = replace(entry, key="3", body="[1]")
    presenter = LogPresenter()

    first = presenter.show([entry, strange, listed])
    again = presenter.show([entry, strange, listed])

    assert [item.title for item in first] == ["read_file a.py", "read_file", "read_file"]
    assert all(old is new for old, new in zip(first, again, strict=True))


def test_a_task_of_several_lines_unfolds_in_the_log_as_it_was_given() -> None:
    short = LogEntry("1", 1, 0.0, "task", "info", "", "rename a to b")
    issue = replace(short, key="2", title="mend this:\n\n    def f():\n        pass")

    first, second = LogPresenter().show([short, issue])

    assert (first.body, second.body) == ("", issue.title)


def test_a_long_task_leaves_room_for_the_answers_of_the_resume_question() -> None:
    told = resume_question("7f3a", "now", "mend\n\n  this\n" * 300, "It waits.").lines[0]

    assert "\n" not in told
    assert told.startswith("Session 7f3a, now: mend this mend")
    assert len(told) < 300


@pytest.mark.parametrize(
    ("statuses", "told"),
    [
        (("landed", "done", "rejected"), ""),
        (("landed", "failed"), "step s2 waits for its review."),
        (("staged",), "step s1 waits for its review."),
        (("landed", "conflict", "staged"), "2 steps wait for their review."),
        (("interrupted", "proposed", "proposed"), "step s1 was cut off, 2 steps have not run yet."),
    ],
)
def test_what_a_closed_session_leaves_to_do_is_said_with_the_way_back(
    statuses: tuple[StepStatus, ...], told: str
) -> None:
    steps = [
        StepState(Step(f"s{number}", "t"), status, changes="blob")
        for number, status in enumerate(statuses, start=1)
    ]
    said = left_waiting(steps, "7f3a")

    way = "Go on with: turbo-tui session resume 7f3a"
    assert said == (f"turbo-tui: {told} {way}\n" if told else "")


def test_notes_and_welcome_stand_in_an_empty_plan() -> None:
    value = plan_value(Views().plan, ("A recorded session.",))

    assert value.message.startswith("A recorded session.\n\nType below")


PLAN = ev.PlanProposed("t", "p", (Step("s1", "one"), Step("s2", "two", depends_on=("s1",))))
STARTED = ev.StepStarted("s1", 1, "stage", FAKE_REPORT.rung)


@pytest.mark.parametrize(
    ("events", "title", "keys"),
    [
        ((ev.StepFailed("s1", "no\nway"),), "failed", {"t", "e", "s", "R"}),
        ((ev.StepFailed("s1", "no", "blob", ("a",)),), "kept", {"t", "G", "2", "a", "r", "s", "R"}),
        ((ev.StepInterrupted("s1", "you"),), "was cut off", {"t", "e", "s", "R"}),
        ((ev.StepRejected("s1"),), "was rejected", {"t", "e", "s", "R"}),
        ((ev.StepFinished("s1"),), "Next: step s2", {"g", "e"}),
        ((ev.StepFinished("s1"), ev.StepSkipped("s2")), "Done.", {"i"}),
        (
            (
                ev.StepStaged("s1", "b", ("a",), checks_passed=True),
                ev.LandingRefused("s1", {"a": "x"}, "m"),
            ),
            "Both changes merge",
            {"a", "2", "r", "t", "s"},
        ),
    ],
)  # fmt: skip
def test_each_state_has_its_card_and_keys(
    events: tuple[ev.Event, ...], title: str, keys: set[str]
) -> None:
    card = card_for(views_of(PLAN, STARTED, *events), busy=False)

    assert card is not None
    assert title in card.title
    assert {choice.key for choice in card.choices} == keys


STAGED = ev.StepStaged("s1", "b", ("a",), checks_passed=True)
MERGES = ev.LandingRefused("s1", {"a": "x"}, "m")


@pytest.mark.parametrize(
    ("began", "now", "events", "said"),
    [
        ("main", "main", (STAGED,), "wants to land 1 file on main."),
        ("", "", (STAGED,), "wants to land 1 file."),
        ("main", "", (STAGED,), "wants to land 1 file."),
        ("", "detached 1a2b3c4d", (STAGED,), "land 1 file on no branch (HEAD is at 1a2b3c4d)."),
        ("main", "fix", (STAGED,), "The plan began on main; it lands on fix now."),
        ("main", "fix", (STAGED, MERGES), "The plan began on main; it lands on fix now."),
        ("main", "main", (STAGED, MERGES), "It lands on main."),
        ("main", "main", (ev.StepFailed("s1", "no", "blob", ("a",)),), "It lands on main."),
    ],
)
def test_a_card_names_the_branch_that_it_lands_on_and_where_the_plan_began(
    began: str, now: str, events: tuple[ev.Event, ...], said: str
) -> None:
    card = card_for(views_of(replace(PLAN, branch=began), STARTED, *events), busy=False, branch=now)

    assert card is not None
    words = "\n".join((card.title, *card.lines))
    assert said in words
    if began == now or not began or not now:
        assert "began" not in words


def test_busy_cards_say_what_is_under_way() -> None:
    planning = card_for(views_of(ev.TaskGiven("t")), busy=True)
    running = card_for(views_of(PLAN, STARTED), busy=True)
    landing = card_for(views_of(PLAN, STARTED, ev.StepApproved("s1", "b", "c")), busy=True)

    assert planning is not None
    assert planning.title == "Planning …"
    assert running is not None
    assert "is running" in running.title
    assert landing is not None
    assert "is landing" in landing.title


def test_no_card_before_the_first_task() -> None:
    assert card_for(Views(), busy=False) is None


def test_questions_name_what_they_are_about() -> None:
    from pathlib import Path

    assert "/repo" in trust_question(Path("/repo"), [".turbo"]).lines[0]
    assert trust_question(Path("/repo"), [".turbo"]).otherwise == "no"
    assert "7f3a" in resume_question("7f3a", "just now", "task", "It waits.").lines[0]
    assert consent_question("ollama.com", "your task").title == "Send to ollama.com?"
    assert consent_question("ollama.com", "your task").otherwise == "no"


@pytest.mark.parametrize(
    ("rung", "level", "word"),
    [
        ("overlay+bubblewrap", "full", "full"),
        ("copy+bubblewrap", "full", "full (copy)"),
        ("overlay+landlock", "reduced", "reduced (overlay+landlock)"),
        ("copy+seatbelt", "reduced", "reduced (copy+seatbelt)"),
        ("copy+unsandboxed", "none", "UNSANDBOXED"),
    ],
)
def test_every_rung_has_a_word_of_its_own(rung: Rung, level: Level, word: str) -> None:
    assert sandbox_word(SandboxReport(rung, level, ())) == word


def test_a_sandbox_that_holds_nothing_any_more_is_not_called_by_its_rung() -> None:
    lost = Guarantee("writes", held=False, detail="it does not hold any more")
    kept = Guarantee("reads", held=True, detail="")

    assert (
        sandbox_word(SandboxReport("overlay+bubblewrap", "reduced", (lost,)))
        == "lost: no command runs"
    )
    assert sandbox_word(SandboxReport("copy+landlock", "reduced", (lost, kept))).startswith("red")
    assert sandbox_word(SandboxReport("copy+unsandboxed", "none", (lost,))) == "UNSANDBOXED"
