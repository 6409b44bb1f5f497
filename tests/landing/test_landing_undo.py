"""Any landing can be undone and redone, whatever landed after it; conflicts come as values."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.landing.trees import FOLDER, Leaf, between, file, link, node, read_tree, whole
from turbo_tui.adapters.blobs import FolderBlobs
from turbo_tui.core.changes import ChangeSet, FileChange
from turbo_tui.core.errors import LandingError
from turbo_tui.core.landings import Conflict, Landing
from turbo_tui.landing import JournalLander, open_lander


def lines(**changed: str) -> Leaf:
    """Return a text of ten lines, some of them changed: `l3="new"`."""
    return file("".join(f"{changed.get(f'l{n}', f'line {n}')}\n" for n in range(10)).encode())


class Place:
    """A workspace on which steps land one after another."""

    def __init__(self, tmp_path: Path) -> None:
        self.root, self.state = tmp_path / "ws", tmp_path / "state"
        self.root.mkdir()
        self.blobs = FolderBlobs(self.state / "blobs")
        self.lander: JournalLander = open_lander(self.root, self.state, self.blobs)
        self.steps = 0

    def write(self, tree: dict[str, Leaf]) -> None:
        for name, leaf in tree.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_bytes(leaf.content)
            (self.root / name).chmod(leaf.mode)

    async def step(self, new: dict[str, Leaf]) -> str:
        """Land what leads from the tree as it is to another; return the landing's id."""
        return await self.land(between(self.tree(), new, self.blobs))

    async def land(self, changes: ChangeSet) -> str:
        self.steps += 1
        landing = await self.lander.land(changes, session_id="s", step_id=f"s{self.steps}")
        assert landing.conflicts == ()
        return landing.landing_id

    def tree(self) -> dict[str, Leaf]:
        return read_tree(self.root)

    def states(self) -> list[str]:
        return [entry.state for entry in self.lander.landings()]

    def text(self, blob: str) -> bytes:
        return self.blobs.get(blob)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def test_an_earlier_step_is_undone_under_a_later_one(place: Place) -> None:
    place.write({"a": lines(), "b": file(b"b")})
    first = await place.step({"a": lines(l1="one"), "b": file(b"B"), "n": file(b"new")})
    await place.step({"a": lines(l1="one", l7="two"), "b": file(b"B"), "n": file(b"new")})

    undone = await place.lander.undo(first)

    assert undone.conflicts == ()
    assert undone.notes == ("a: merged with what changed since",)
    assert place.tree() == {"a": lines(l7="two"), "b": file(b"b")}
    assert place.states() == ["undone", "landed"]


async def test_undo_and_redo_go_on_for_ever_and_other_steps_in_between(place: Place) -> None:
    place.write({"a": lines()})
    first = await place.step({"a": lines(l1="one")})
    second = await place.step({"a": lines(l1="one", l7="two")})

    ids = [first]
    for _ in range(3):
        ids.append((await place.lander.undo(first)).landing_id)
        assert place.tree() == {"a": lines(l7="two")}
        ids.append((await place.lander.redo(first)).landing_id)
        assert place.tree() == {"a": lines(l1="one", l7="two")}
    await place.lander.undo(second)
    await place.lander.undo(first)
    assert place.tree() == {"a": lines()}
    await place.lander.redo(second)

    assert place.tree() == {"a": lines(l7="two")}
    assert sorted(set(ids)) == ids
    assert place.states() == ["undone", "redone"]


async def test_what_is_not_to_be_done_is_refused_in_words(place: Place) -> None:
    first = await place.step({"a": file(b"a")})

    with pytest.raises(LandingError, match=r"was not undone; there is nothing to redo"):
        await place.lander.redo(first)
    undo = await place.lander.undo(first)
    for _ in range(2):
        with pytest.raises(LandingError, match=r"is undone already"):
            await place.lander.undo(first)
    with pytest.raises(LandingError, match=r"No landing 'x' is known"):
        await place.lander.redo("x")
    await place.lander.undo(undo.landing_id)

    assert place.states() == ["redone"]


async def test_a_conflict_shows_all_sides_and_lines_and_nothing_is_written(place: Place) -> None:
    place.write({"a": lines(), "b": file(b"b"), "c": lines()})
    new = {"a": lines(l4="step"), "b": file(b"B"), "c": lines(l2="step")}
    first = await place.step(new)
    now = {**new, "a": file(b"top\n" + lines(l4="mine").content), "c": lines(l2="step", l8="mine")}
    place.write(now)

    for dry_run in (True, False):
        undone = await place.lander.undo(first, dry_run=dry_run)

        assert place.tree() == now
        assert (undone.landing_id, undone.paths) == ("", ())
        (conflict,) = undone.conflicts  # c merges, so it is not named
        assert conflict.path == "a"
        assert conflict.why == (
            "it was changed since step s1 landed where that step had changed it "
            "(line 6 as it is now)"
        )
        assert conflict.lines == (6,)
        assert place.text(conflict.base) == lines(l4="step").content
        assert place.text(conflict.ours) == now["a"].content
        assert place.text(conflict.theirs) == lines().content
        assert place.text(conflict.marked).split(b"\n")[5:12] == [
            b"<<<<<<< now",
            b"mine",
            b"||||||| base",
            b"step",
            b"=======",
            b"line 4",
            b">>>>>>> before step s1",
        ]
    assert place.states() == ["landed"]


async def test_a_redo_speaks_of_the_undo(place: Place) -> None:
    place.write({"a": lines()})
    first = await place.step({"a": lines(l4="step"), "n": file(b"new\n")})
    await place.lander.undo(first)
    place.write({"a": lines(l4="mine"), "n": file(b"mine\n")})

    redone = await place.lander.redo(first)

    assert [conflict.why for conflict in redone.conflicts] == [
        "it was changed since step s1 was undone where that step changes it (line 5 as it is now)",
        "a file stands there that was not there when step s1 was undone",
    ]
    assert place.text(redone.conflicts[1].marked) == (
        b"<<<<<<< now\nmine\n||||||| base\n=======\nnew\n>>>>>>> after step s1\n"
    )


@pytest.mark.parametrize(
    ("mine", "why"),
    [
        (file(b"mine"), "it was changed since step s1 landed, and undoing that deletes it"),
        (link("x"), "it was a file when step s1 landed and is a symlink now"),
        (FOLDER, "it was a file when step s1 landed and is a folder now"),
        (file(b"new", 0o600), "it was changed since step s1 landed, and undoing that deletes it"),
    ],
)
async def test_what_someone_made_of_a_new_file_is_never_deleted(
    place: Place, mine: Leaf, why: str
) -> None:
    first = await place.step({"n": file(b"new"), "o": file(b"other")})
    (place.root / "n").unlink()
    match mine.kind:
        case "symlink":
            (place.root / "n").symlink_to("x")
        case "folder":
            (place.root / "n").mkdir()
        case _:
            place.write({"n": mine})

    undone = await place.lander.undo(first)

    assert [(each.path, each.why, each.marked) for each in undone.conflicts] == [("n", why, "")]
    assert place.tree() == {"n": mine, "o": file(b"other")}


async def test_a_deleted_file_comes_back_only_where_nothing_stands(place: Place) -> None:
    place.write({"a": file(b"a")})
    first = await place.step({})
    place.write({"a": file(b"mine")})

    undone = await place.lander.undo(first)

    assert undone.conflicts[0].why == "a file stands there that was not there when step s1 landed"
    (place.root / "a").unlink()
    await place.lander.undo(first)
    assert place.tree() == {"a": file(b"a")}


async def test_an_undo_follows_a_file_that_a_later_step_moved(place: Place) -> None:
    place.write({"a": lines()})
    first = await place.step({"a": lines(l4="step"), "n": file(b"new")})
    moved = [
        FileChange(new, node(leaf, place.blobs), node(leaf, place.blobs), old)
        for old, new, leaf in (("a", "d/b", lines(l4="step")), ("n", "m", file(b"new")))
    ]
    second = await place.land(ChangeSet(tuple(moved)))

    undone = await place.lander.undo(first)

    assert place.tree() == whole({"d/b": lines()})
    assert "d/b: was a when step s1 landed" in undone.notes
    await place.lander.redo(first)
    await place.lander.undo(second)
    assert place.tree() == {"a": lines(l4="step"), "n": file(b"new")}
    await place.lander.undo(first)
    assert place.tree() == {"a": lines()}


async def test_two_moves_of_one_file_are_undone_in_their_order(place: Place) -> None:
    place.write({"a": lines()})
    content = node(lines(), place.blobs)
    first = await place.land(ChangeSet((FileChange("b", content, content, "a"),)))
    second = await place.land(ChangeSet((FileChange("c", content, content, "b"),)))
    place.write({"c": lines(l2="mine")})

    refused = await place.lander.undo(first)

    assert [(each.path, each.why) for each in refused.conflicts] == [
        ("a", "it was deleted since step s1 landed")
    ]
    await place.lander.undo(second)
    await place.lander.undo(first)
    assert place.tree() == {"a": lines(l2="mine")}


async def test_an_undo_that_finds_all_taken_back_is_one_all_the_same(place: Place) -> None:
    place.write({"a": file(b"a")})
    first = await place.step({"a": file(b"A")})
    place.write({"a": file(b"a")})

    undone = await place.lander.undo(first)

    assert (undone.paths, undone.notes) == ((), ("a: was so already",))
    assert place.states() == ["undone"]
    assert (await place.lander.redo(first)).conflicts == ()
    assert place.states() == ["redone"]
    assert place.tree() == {"a": file(b"a")}  # what the user took back stays so


async def test_what_is_written_is_told_exactly(place: Place) -> None:
    place.write({"a": lines(), "b": file(b"b")})
    first = await place.step({"a": lines(l1="one"), "b": file(b"b")})
    await place.step({"a": lines(l1="one", l7="two"), "b": file(b"B")})

    rehearsed = await place.lander.undo(first, dry_run=True)
    undone = await place.lander.undo(first)

    (change,) = undone.written.files
    assert change.path == "a"
    assert change.after == node(lines(l7="two"), place.blobs)
    assert rehearsed.written == undone.written


async def test_what_a_stranger_changes_while_undoing_is_kept(place: Place) -> None:
    place.write({"a": lines(), "b": file(b"b")})
    first = await place.step({"a": lines(l1="one"), "b": file(b"B")})
    place.write({"a": lines(l1="one", l7="mine")})

    def save(step: str) -> None:
        if step == "operation 1":
            place.write({"b": file(b"saved just now")})

    lander = JournalLander(place.root, place.state, place.blobs, checkpoint=save)
    undone = await lander.undo(first)

    assert [conflict.path for conflict in undone.conflicts] == ["b"]
    assert place.tree() == {"a": lines(l1="one", l7="mine"), "b": file(b"saved just now")}
    assert place.states() == ["landed"]


# --- cut off ------------------------------------------------------------------


class CutOffError(BaseException):
    """The process ends here."""


def cut_off(place: Place, at: str) -> JournalLander:
    def checkpoint(step: str) -> None:
        if step == at:
            raise CutOffError

    return JournalLander(place.root, place.state, place.blobs, checkpoint=checkpoint)


@pytest.mark.parametrize(
    ("at", "outcome", "state"),
    [("operation 1", "completed", "undone"), ("commit", "rolled_back", "landed")],
)
def test_a_recovery_says_that_it_was_an_undo_and_of_what(
    place: Place, at: str, outcome: str, state: str
) -> None:
    place.write({"a": file(b"a"), "b": file(b"b")})
    first = asyncio.run(place.step({"a": file(b"A"), "b": file(b"B")}))
    with pytest.raises(CutOffError):
        asyncio.run(cut_off(place, at).undo(first))

    (recovery,) = asyncio.run(place.lander.recover())

    assert (recovery.kind, recovery.of, recovery.outcome) == ("undo", first, outcome)
    assert place.states() == [state]


def test_a_cut_off_redo_is_named_too(place: Place) -> None:
    first = asyncio.run(place.step({"a": file(b"A"), "b": file(b"B")}))
    asyncio.run(place.lander.undo(first))
    with pytest.raises(CutOffError):
        asyncio.run(cut_off(place, "operation 1").redo(first))

    (recovery,) = asyncio.run(place.lander.recover())

    assert (recovery.kind, recovery.of, recovery.outcome) == ("redo", first, "completed")
    assert place.states() == ["redone"]


# --- time travel ----------------------------------------------------------------


def after(tree: dict[str, Leaf], changes: tuple[FileChange, ...], blobs: FolderBlobs) -> object:
    """Apply what leads from one tree to another, on the value."""
    result = {name: node(leaf, blobs) for name, leaf in tree.items()}
    for change in changes:
        assert result.pop(change.path, None) == change.before
        if change.after is not None:
            result[change.path] = change.after
    return result


async def test_the_tree_at_every_point_can_be_had_from_the_tree_as_it_is(place: Place) -> None:
    trees: list[dict[str, Leaf]] = [
        {"a": lines()},
        {"a": lines(l1="one"), "n/m": file(b"m"), "l": link("a")},
        {"a": lines(l1="one", l7="two"), "n/m": file(b"m", 0o755)},
        {"n": file(b"no folder now"), "x/y": file(b"y")},
    ]
    place.write(trees[0])
    ids = ["", *[await place.step(tree) for tree in trees[1:]]]
    await place.lander.undo(ids[-1])

    for landing_id, tree in zip(ids, trees, strict=True):
        changes = await place.lander.tree_at(landing_id)

        then = {name: node(leaf, place.blobs) for name, leaf in whole(tree).items()}
        assert after(place.tree(), changes, place.blobs) == then
        assert [change.path for change in changes] == sorted(change.path for change in changes)
    for landing_id, tree in zip(ids[1:], trees, strict=False):
        changes = await place.lander.tree_at(landing_id, before=True)
        then = {name: node(leaf, place.blobs) for name, leaf in whole(tree).items()}
        assert after(place.tree(), changes, place.blobs) == then
    assert place.tree() == whole(trees[2])


async def test_what_never_landed_and_what_it_needs_stay_in_the_tree_at_a_point(
    place: Place,
) -> None:
    await place.step({"d/n": file(b"n"), "e/n": file(b"n")})
    place.write({"d/mine": file(b"mine"), "other": file(b"other")})

    changes = await place.lander.tree_at("")

    assert [change.path for change in changes] == ["d/n", "e", "e/n"]
    assert all(change.after is None for change in changes)


async def test_a_point_that_is_not_known_is_refused(place: Place) -> None:
    with pytest.raises(LandingError, match=r"No landing 'x' is known"):
        await place.lander.tree_at("x")


async def test_below_a_symlink_and_at_a_pipe_nothing_is_shown(place: Place) -> None:
    await place.step({"d/n": file(b"n"), "p": file(b"p")})
    (place.root / "d").rename(place.root.parent / "outside")
    (place.root / "d").symlink_to(place.root.parent / "outside")
    (place.root / "p").unlink()
    os.mkfifo(place.root / "p")

    changes = await place.lander.tree_at("")

    assert [change.path for change in changes] == ["d"]  # the symlink itself


async def test_an_unreadable_file_is_named(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    await place.step({"a": file(b"a")})

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "a")

    monkeypatch.setattr("turbo_tui.landing.past.look", refuse)
    with pytest.raises(LandingError, match=r"cannot be shown: 'a': Permission denied"):
        await place.lander.tree_at("")


# --- between review and landing -----------------------------------------------------


async def test_a_file_replaced_by_a_symlink_since_its_review_is_refused(place: Place) -> None:
    place.write({"a": lines(), "b": file(b"b")})
    changes = between(place.tree(), {"a": lines(l1="one"), "b": file(b"B")}, place.blobs)
    outside = place.root.parent / "outside"
    outside.write_bytes(lines().content)
    (place.root / "a").unlink()
    (place.root / "a").symlink_to(outside)
    before = place.tree()

    landing = await place.lander.land(changes, session_id="s", step_id="s1")

    assert landing.conflicts == (
        Conflict(
            "a",
            "it was a file when the step began and is a symlink now",
            base=place.blobs.put(lines().content),
            ours=place.blobs.put(os.fsencode(outside)),
            theirs=place.blobs.put(lines(l1="one").content),
        ),
    )
    assert replace(landing, conflicts=()) == Landing()
    assert place.tree() == before
    assert outside.read_bytes() == lines().content


async def test_what_is_put_into_a_folder_on_its_way_out_comes_back_with_it(place: Place) -> None:
    await place.step({"d/f": file(b"f"), "e": file(b"e")})
    changes = between(place.tree(), {"e": file(b"E")}, place.blobs)

    def save(step: str) -> None:
        if step == "clean":
            (hidden,) = (path for path in place.root.iterdir() if path.is_dir())
            (hidden / "mine").write_bytes(b"mine")

    lander = JournalLander(place.root, place.state, place.blobs, checkpoint=save)
    await lander.land(changes, session_id="s", step_id="s2")

    assert place.tree() == whole({"d/mine": file(b"mine"), "e": file(b"E")})


async def test_a_file_that_was_moved_below_its_own_name_and_back_is_found(place: Place) -> None:
    first = await place.step({"a": file(b"x")})
    content = node(file(b"x"), place.blobs)
    second = await place.land(ChangeSet((FileChange("a/a", content, content, "a"),)))
    assert place.tree() == whole({"a/a": file(b"x")})

    await place.lander.undo(second)
    await place.lander.undo(first)
    assert place.tree() == {}
    await place.lander.redo(first)
    await place.lander.redo(second)

    assert place.tree() == whole({"a/a": file(b"x")})


async def test_another_file_of_the_same_name_is_not_followed(place: Place) -> None:
    first = await place.step({"a": file(b"x"), "b": file(b"b")})
    await place.step({"b": file(b"b")})
    await place.step({"a": file(b"another"), "b": file(b"b")})
    content = node(file(b"another"), place.blobs)
    await place.land(ChangeSet((FileChange("c", content, content, "a"),)))

    undone = await place.lander.undo(first)

    assert undone.paths == ("b",)
    assert place.tree() == {"c": file(b"another")}
