"""What of a change set lands: hunks, lines, edits, and what cannot stand without something else."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turbo_tui.core import diffs
from turbo_tui.core.changes import ChangeSet, FileChange, IgnoredFolder, Node
from turbo_tui.core.choosing import FileChoice, changed_lines, select
from turbo_tui.core.errors import UsageError
from turbo_tui.core.matching import lines_of

texts = st.lists(
    st.sampled_from([b"a\n", b"b\n", b"c\r\n", b"\n", b"\xff\x0c\r\n", b"d\n", b"e\n"]), max_size=40
).flatmap(lambda lines: st.sampled_from([b"", b"end"]).map(lambda end: b"".join(lines) + end))


def numbered(count: int) -> list[bytes]:
    return [b"line %d\n" % number for number in range(count)]


class Shelf:
    """Blobs in a dictionary."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    def keep(self, content: bytes) -> str:
        blob = hashlib.sha256(content).hexdigest()
        self.blobs[blob] = content
        return blob

    def content(self, blob: str) -> bytes:
        return self.blobs[blob]

    def file(self, content: bytes, mode: int = 0o644) -> Node:
        return Node("file", mode, len(content), self.keep(content))

    def select(
        self,
        changes: ChangeSet,
        rejected: dict[str, frozenset[int]] | None = None,
        ignored_on: frozenset[str] = frozenset(),
    ) -> ChangeSet:
        choices = {path: FileChoice(hunks) for path, hunks in (rejected or {}).items()}
        return select(changes, choices, ignored_on, self.content, self.keep)

    def landing(self, before: bytes | None, after: bytes, choice: FileChoice) -> bytes | None:
        """Return what one file lands with; None when it is not in what lands."""
        node = None if before is None else self.file(before)
        changes = ChangeSet((FileChange("f", node, self.file(after)),))
        landed = select(changes, {"f": choice}, (), self.content, self.keep).files
        if not landed or landed[0].after is None:
            return None
        assert landed[0].before == node
        content = self.content(landed[0].after.blob)
        assert landed[0].after.size_bytes == len(content)
        return content


WHOLE = frozenset({diffs.WHOLE_FILE})
FOLDER = Node("folder", 0o755)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def two_hunks() -> tuple[bytes, bytes, bytes, bytes]:
    """A text, its change in two hunks, and the text with only the first or second of them."""
    old = numbered(40)
    first, second = list(old), list(old)
    first[5], second[30] = b"first\n", b"second\n"
    both = list(first)
    both[30] = b"second\n"
    return b"".join(old), b"".join(both), b"".join(first), b"".join(second)


def test_with_nothing_rejected_all_but_the_ignored_lands(shelf: Shelf) -> None:
    changes = ChangeSet(
        (FileChange("a", None, shelf.file(b"x")), FileChange("b", shelf.file(b"y"), None)),
        (IgnoredFolder("out", (FileChange("out/z", None, shelf.file(b"z")),)),),
        ("note",),
        ("warning",),
    )

    assert shelf.select(changes) == ChangeSet(changes.files, (), ("note",), ("warning",))


def test_an_ignored_folder_that_is_switched_on_joins_in_path_order(shelf: Shelf) -> None:
    ignored = FileChange("b/z", None, shelf.file(b"z"))
    changes = ChangeSet(
        (FileChange("a", None, shelf.file(b"x")), FileChange("c", None, shelf.file(b"y"))),
        (IgnoredFolder("b", (ignored,)),),
    )

    selected = shelf.select(changes, ignored_on=frozenset({"b"}))

    assert [change.path for change in selected.files] == ["a", "b/z", "c"]
    assert selected.ignored == ()


def test_a_rejected_hunk_makes_new_content_and_keeps_the_mode(shelf: Shelf) -> None:
    before, after, first, _ = two_hunks()
    changed = FileChange("f", shelf.file(before), shelf.file(after, 0o755))

    selected = shelf.select(ChangeSet((changed,)), {"f": frozenset({1})})

    assert selected.files == (FileChange("f", shelf.file(before), shelf.file(first, 0o755)),)
    assert shelf.content(selected.files[0].after.blob if selected.files[0].after else "") == first


@pytest.mark.parametrize("rejected", [WHOLE, frozenset({0, 1}), frozenset({-1, 0})])
def test_rejecting_every_hunk_is_rejecting_the_file(shelf: Shelf, rejected: frozenset[int]) -> None:
    before, after, _, _ = two_hunks()
    changed = FileChange("f", shelf.file(before), shelf.file(after, 0o755))

    assert shelf.select(ChangeSet((changed,)), {"f": rejected}).files == ()


def test_a_partly_rejected_move_still_moves(shelf: Shelf) -> None:
    before, after, _, second = two_hunks()
    moved = FileChange("new", shelf.file(before), shelf.file(after), "old")

    selected = shelf.select(ChangeSet((moved,)), {"new": frozenset({0})})

    assert selected.files == (FileChange("new", shelf.file(before), shelf.file(second), "old"),)
    assert shelf.select(ChangeSet((moved,)), {"new": WHOLE}).files == ()


def test_what_has_no_choice_goes_as_a_whole_with_its_only_hunk(shelf: Shelf) -> None:
    link = Node("symlink", 0o777, 1, shelf.keep(b"t"))
    changes = ChangeSet(
        (
            FileChange("added", None, shelf.file(b"x\n")),
            FileChange("binary", shelf.file(b"\0a"), shelf.file(b"\0b")),
            FileChange("deleted", shelf.file(b"x\n"), None),
            FileChange("link", shelf.file(b"t"), link),
            FileChange("mode", shelf.file(b"m"), shelf.file(b"m", 0o755)),
        )
    )

    every_first = {change.path: frozenset({0}) for change in changes.files if change.path != "mode"}
    selected = shelf.select(changes, {**every_first, "mode": WHOLE})

    assert selected.files == ()


@pytest.mark.parametrize(
    ("rejected", "message"),
    [({"f": frozenset({2})}, "Hunk 2 of 'f'.*has 2 hunks"), ({"x": WHOLE}, "'x' was decided on")],
)
def test_a_decision_on_what_is_not_there_is_refused(
    shelf: Shelf, rejected: dict[str, frozenset[int]], message: str
) -> None:
    before, after, _, _ = two_hunks()
    changes = ChangeSet((FileChange("f", shelf.file(before), shelf.file(after)),))

    with pytest.raises(UsageError, match=message):
        shelf.select(changes, rejected)


def test_a_folder_stays_when_a_file_in_it_stays(shelf: Shelf) -> None:
    gone = shelf.file(b"x")
    changes = ChangeSet(
        (
            FileChange("d", FOLDER, None),
            FileChange("d/e", FOLDER, None),
            FileChange("d/e/kept", gone, None),
            FileChange("d/gone", gone, None),
            FileChange("f", FOLDER, None),
            FileChange("f/x", gone, None),
        )
    )

    selected = shelf.select(changes, {"d/e/kept": WHOLE})

    assert [change.path for change in selected.files] == ["d/gone", "f", "f/x"]
    assert selected.notes == (
        "d/e: left out, because d/e/kept stays as it was",
        "d: left out, because d/e/kept stays as it was",
    )


def test_a_folder_stays_when_ignored_files_in_it_stay(shelf: Shelf) -> None:
    gone = shelf.file(b"x")
    changes = ChangeSet(
        (FileChange("d", FOLDER, None), FileChange("d/x.py", gone, None)),
        (IgnoredFolder("d/cache", (FileChange("d/cache/x.pyc", gone, None),)),),
    )

    assert [c.path for c in shelf.select(changes).files] == ["d/x.py"]
    switched_on = shelf.select(changes, ignored_on=frozenset({"d/cache"}))
    assert [c.path for c in switched_on.files] == ["d", "d/cache/x.pyc", "d/x.py"]


def test_nothing_is_put_below_a_file_that_stays(shelf: Shelf) -> None:
    file = shelf.file(b"x")
    changes = ChangeSet(
        (
            FileChange("d", file, FOLDER),
            FileChange("d/new", None, file),
            FileChange("e", file, None),
        )
    )

    selected = shelf.select(changes, {"d": WHOLE})

    assert [change.path for change in selected.files] == ["e"]


def test_a_folder_does_not_become_a_file_while_something_in_it_stays(shelf: Shelf) -> None:
    file = shelf.file(b"x")
    moved = FileChange("z", file, file, "d/moved")
    changes = ChangeSet((FileChange("d", FOLDER, file), FileChange("d/a", file, None), moved))

    selected = shelf.select(changes, {"z": WHOLE})

    assert [change.path for change in selected.files] == ["d/a"]


# --- lines -----------------------------------------------------------------------


def left_out(*lines: int, hunk: int = 0) -> FileChoice:
    return FileChoice(left_out={hunk: frozenset(lines)})


def test_an_added_line_left_out_is_not_written_and_a_removed_one_stays(shelf: Shelf) -> None:
    before, after = b"a\nb\nc\n", b"a\nB\nnew\nc\n"  # lines: " a", "-b", "+B", "+new", " c"

    assert shelf.landing(before, after, left_out(3)) == b"a\nB\nc\n"
    assert shelf.landing(before, after, left_out(1)) == b"a\nb\nB\nnew\nc\n"
    assert shelf.landing(before, after, left_out(1, 2)) == b"a\nb\nnew\nc\n"


def test_leaving_out_every_line_is_rejecting_the_file_with_its_mode(shelf: Shelf) -> None:
    change = FileChange("f", shelf.file(b"a\n"), shelf.file(b"b\n", 0o755))
    none = select(ChangeSet((change,)), {"f": left_out(0, 1)}, (), shelf.content, shelf.keep)

    assert none.files == ()


def test_what_ends_as_it_was_lands_only_for_its_mode_or_move(shelf: Shelf) -> None:
    was, new = shelf.file(b"a\n"), shelf.file(b"b\n")
    back = FileChoice(edited={0: shelf.keep(b"a\n")})
    changes = ChangeSet(
        (
            FileChange("mode", was, Node("file", 0o755, new.size_bytes, new.blob)),
            FileChange("moved", was, new, "old"),
            FileChange("same", was, new),
        )
    )

    choices = {change.path: back for change in changes.files}
    landed = select(changes, choices, (), shelf.content, shelf.keep)

    assert [change.path for change in landed.files] == ["mode", "moved"]
    assert [change.action for change in landed.files] == ["mode", "move"]


def test_some_lines_of_a_new_file_may_stay_out(shelf: Shelf) -> None:
    assert shelf.landing(None, b"a\nb\nc", left_out(1)) == b"a\nc"
    assert shelf.landing(None, b"a\nb\nc", left_out(2)) == b"a\nb\n"
    assert shelf.landing(None, b"a\nb\nc", left_out(0, 1, 2)) is None


@pytest.mark.parametrize(
    ("out", "landed"),
    [
        ((1,), b"a\nb\nb\nc"),  # "b" has no newline, and is not the last line any more
        ((2,), b"a\nc"),
        ((3,), b"a\nb\n"),
        ((1, 2), b"a\nb\nc"),
        ((1, 3), b"a\nb\nb\n"),
    ],
)
def test_a_line_without_newline_never_runs_into_the_next(
    shelf: Shelf, out: tuple[int, ...], landed: bytes
) -> None:
    assert shelf.landing(b"a\nb", b"a\nb\nc", left_out(*out)) == landed


def test_a_newline_that_is_needed_is_that_of_its_neighbours(shelf: Shelf) -> None:
    assert shelf.landing(b"a\r\nb", b"a\r\nb\r\nc", left_out(1)) == b"a\r\nb\r\nb\r\nc"
    assert shelf.landing(b"b", b"c\r\nd", left_out(0)) == b"b\r\nc\r\nd"


def test_a_file_that_goes_goes_whole(shelf: Shelf) -> None:
    gone = ChangeSet((FileChange("f", shelf.file(b"a\nb\n"), None),))

    for choice in (left_out(0), FileChoice(edited={0: shelf.keep(b"x")})):
        with pytest.raises(UsageError, match="'f' lands whole or not at all"):
            select(gone, {"f": choice}, (), shelf.content, shelf.keep)
    edited = FileChoice(content=shelf.keep(b"x"))
    with pytest.raises(UsageError, match="'f' cannot be edited here"):
        select(gone, {"f": edited}, (), shelf.content, shelf.keep)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (left_out(0), "Line 0 of hunk 0 of 'f'.*no line is added or removed there"),
        (left_out(99), "Line 99 of hunk 0 of 'f'"),
        (left_out(1, hunk=4), "Hunk 4 of 'f' was decided on, but it has 1 hunks"),
        (FileChoice(edited={3: "x"}), "Hunk 3 of 'f' was decided on"),
    ],
)
def test_a_choice_of_what_is_not_there_is_refused(
    shelf: Shelf, choice: FileChoice, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        shelf.landing(b"a\nb\n", b"a\nc\n", choice)


def test_binary_content_has_no_lines_but_lands_as_a_whole(shelf: Shelf) -> None:
    with pytest.raises(UsageError, match="lands whole or not at all"):
        shelf.landing(b"\0a\n", b"\0b\n", left_out(0))


def test_a_very_large_file_lands_whole_or_not_at_all(shelf: Shelf) -> None:
    large = Node("file", 0o644, diffs.MOST_TEXT_BYTES + 1, "ab" * 32)
    changes = ChangeSet((FileChange("f", shelf.file(b"a\n"), large),))

    def landing(choice: FileChoice) -> ChangeSet:
        return select(changes, {"f": choice}, (), shelf.content, shelf.keep)

    assert landing(FileChoice()).files == changes.files
    assert landing(FileChoice(WHOLE)).files == ()
    with pytest.raises(UsageError, match="lands whole or not at all"):
        landing(left_out(0))
    with pytest.raises(UsageError, match="only a file of up to 8 MB can"):
        landing(FileChoice(content=shelf.keep(b"x")))


# --- edits -----------------------------------------------------------------------


def test_an_edited_hunk_takes_the_place_of_its_new_side(shelf: Shelf) -> None:
    before, after, _, second = two_hunks()
    hunk = diffs.diff(before, after).hunks[0]
    new_side = b"".join(line.content for line in hunk.lines if line.kind != "-")
    edited = shelf.keep(new_side.replace(b"first", b"mine"))

    both = shelf.landing(before, after, FileChoice(edited={0: edited}))
    alone = shelf.landing(before, after, FileChoice(frozenset({1}), edited={0: edited}))
    nothing = shelf.landing(before, after, FileChoice(frozenset({0}), edited={0: edited}))

    assert both == after.replace(b"first", b"mine")
    assert alone == before.replace(b"line 5\n", b"mine\n")
    assert nothing == second


def test_a_rewritten_file_wins_over_its_hunks_but_not_over_its_rejection(shelf: Shelf) -> None:
    before, after, _, _ = two_hunks()
    mine = shelf.keep(b"mine")

    rest = FileChoice(frozenset({0, 1}), {0: frozenset({3})}, {1: mine}, mine)

    assert shelf.landing(before, after, rest) == b"mine"
    assert shelf.landing(before, after, FileChoice(WHOLE, content=mine)) is None
    assert shelf.landing(before, after, FileChoice(content=shelf.keep(before))) is None
    assert shelf.landing(None, after, FileChoice(content=shelf.keep(b""))) == b""


def test_a_binary_that_is_new_may_be_rewritten(shelf: Shelf) -> None:
    assert shelf.landing(None, b"\0", FileChoice(content=shelf.keep(b"text"))) == b"text"


# --- any choice of any texts ------------------------------------------------------


@st.composite
def choices_of(draw: st.DrawFn, before: bytes, after: bytes, shelf: Shelf) -> FileChoice:
    hunks = diffs.diff(before, after).hunks
    rejected: set[int] = set()
    out: dict[int, frozenset[int]] = {}
    edited: dict[int, str] = {}
    for index, hunk in enumerate(hunks):
        match draw(st.sampled_from(["all", "reject", "lines", "edit"])):
            case "reject":
                rejected.add(index)
            case "lines":
                changed = sorted(changed_lines(hunk))
                out[index] = draw(st.frozensets(st.sampled_from(changed), min_size=1))
            case "edit":
                edited[index] = shelf.keep(draw(texts))
            case _:
                pass
    return FileChoice(frozenset(rejected), out, edited)


def naive(before: bytes, after: bytes, choice: FileChoice, shelf: Shelf) -> bytes:
    """Apply a choice from the last hunk to the first on a plain list, as one would by hand."""
    lines = before.split(b"\n")
    lines = [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    for index, hunk in reversed(list(enumerate(diffs.diff(before, after).hunks))):
        if index in choice.rejected:
            continue
        part: list[bytes] = []
        if index in choice.edited:
            rest = shelf.content(choice.edited[index])
            while rest:
                line, newline, rest = rest.partition(b"\n")
                part.append(line + newline)
        else:
            out = choice.left_out.get(index, frozenset[int]())
            for number, (kind, content) in enumerate(hunk.lines):
                happens = number not in out
                if kind == " " or (kind == "+" and happens) or (kind == "-" and not happens):
                    part.append(content)
        lines[hunk.old_start : hunk.old_start + hunk.old_count] = part
    return b"".join(lines)


def glued(text: bytes) -> bytes:
    """Take all line ends away: what is left is never made up."""
    return text.replace(b"\r", b"").replace(b"\n", b"")


@given(texts, texts, st.data())
def test_any_choice_lands_as_done_by_hand(before: bytes, after: bytes, data: st.DataObject) -> None:
    shelf = Shelf()
    choice = data.draw(choices_of(before, after, shelf))

    landed = shelf.landing(before, after, choice)

    result = before if landed is None else landed
    expected = naive(before, after, choice, shelf)
    assert glued(result) == glued(expected)
    if b"end" not in expected.removesuffix(b"end"):  # no line lost its end on the way
        assert result == expected


@given(texts, texts, st.data())
def test_no_line_is_made_up(before: bytes, after: bytes, data: st.DataObject) -> None:
    shelf = Shelf()
    choice = data.draw(choices_of(before, after, shelf))

    landed = shelf.landing(before, after, choice) or b""

    edits = [shelf.content(blob) for blob in choice.edited.values()]
    sources = {line.rstrip(b"\r\n") for text in (before, after, *edits) for line in lines_of(text)}
    assert {line.rstrip(b"\r\n") for line in lines_of(landed)} <= sources


@given(texts, texts)
def test_all_is_the_step_and_nothing_is_as_it_was(before: bytes, after: bytes) -> None:
    shelf = Shelf()
    hunks = diffs.diff(before, after).hunks
    everything = {n: changed_lines(hunk) for n, hunk in enumerate(hunks)}
    as_made = {
        n: shelf.keep(b"".join(line.content for line in hunk.lines if line.kind != "-"))
        for n, hunk in enumerate(hunks)
    }
    changed = before != after

    assert shelf.landing(before, after, FileChoice()) == after
    if changed:
        assert shelf.landing(before, after, FileChoice(frozenset(range(len(hunks))))) is None
        assert shelf.landing(before, after, FileChoice(left_out=everything)) is None
        assert shelf.landing(before, after, FileChoice(edited=as_made)) == after
