"""Killed, refused or out of room at any single write: the old tree or the new one, and it is said.

Every call that changes the disk is a point: of the workspace, the journal and the blobs.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.landing.faults import NEVER, SAVED, Act, Fault, Place
from tests.landing.test_landing import NEW, OLD
from tests.landing.test_landing_property import with_moves
from tests.landing.trees import Leaf, between, file, link, write_tree
from turbo_tui.core.changes import parents
from turbo_tui.core.landings import LandingState, Recovery
from turbo_tui.landing import JournalLander

FAST_DISK = "/dev/shm" if Path("/dev/shm").is_dir() else None  # syncing is free there
SEED = os.environ.get("TURBO_TUI_SEED", "landing")
SAMPLE = 6  # points of each story in an ordinary run

TEXT = b"".join(b"%d\n" % n for n in range(20))
ALL_OLD = {**OLD, "text": file(TEXT)}
ALL_NEW = {**NEW, "text": file(TEXT.replace(b"9\n", b"nine\n"))}
MOVED = {
    "here/a": file(b"moved\n"),
    "here/b": file(b"moved too\n", 0o755),
    "Read.md": file(b"moved by case alone\n"),
    "text": file(TEXT),
    "link": link("text"),
}
MOVED_NEW = {
    "there/a": file(b"moved\n"),
    "b": file(b"moved too\n", 0o755),
    "READ.md": file(b"moved by case alone\n"),
    "text": file(TEXT.removesuffix(b"19\n"), 0o600),
    "link": file(b"a link no more"),
    "new/link": link("../text"),
    "new/empty": Leaf("folder", mode=0o755),
}


@dataclass(frozen=True, slots=True)
class Story:
    """Something that is cut off.

    Attributes:
        act: What is done.
        before, after: The tree without and with it.
        states: Of all landings, without and with it.
    """

    place: Place
    act: Act
    before: dict[str, Leaf]
    after: dict[str, Leaf]
    states: tuple[list[LandingState], list[LandingState]]


def a_landing(place: Place, old: dict[str, Leaf], new: dict[str, Leaf]) -> Act:
    changes = with_moves(between(old, new, place.blobs))

    async def land(lander: JournalLander) -> object:
        return await lander.land(changes, session_id="s", step_id="1")

    return land


def turned(landing_id: str, way: str) -> Act:
    async def turn(lander: JournalLander) -> object:
        return await getattr(lander, way)(landing_id)

    return turn


async def recover(lander: JournalLander) -> object:
    return await lander.recover()


TREES = {
    "all kinds": (ALL_OLD, ALL_NEW),
    "moves": (MOVED, MOVED_NEW),
    "back": (ALL_NEW, ALL_OLD),
}
ACTS = ("land", "undo", "redo", "undo under a later step", "recover", "recover an undo")


def begin(place: Place, trees: str, act: str) -> Story:
    """Set the stage for one thing to be cut off."""
    old, new = TREES[trees]
    write_tree(place.root, old)
    land = a_landing(place, old, new)
    if act in {"land", "recover"}:
        todo = land
        states: tuple[list[LandingState], list[LandingState]] = ([], ["landed"])
    else:
        first = place.act(land).landing_id
        todo = turned(first, "undo")
        states = (["landed"], ["undone"])
        if act == "redo":
            place.act(todo)
            todo = turned(first, "redo")
            states = (["undone"], ["redone"])
        if act == "undo under a later step":
            now = place.tree()
            added = file(b"first of all\n" + now["text"].content, now["text"].mode)
            place.act(a_landing(place, now, {**now, "text": added, "later": file(b"later")}))
            states = (["landed", "landed"], ["undone", "landed"])
    before = place.tree()
    place.keep()
    outcome = place.act(todo)
    assert outcome.conflicts == ()
    after = place.tree()
    assert before != after
    place.set_back()
    if act.startswith("recover"):
        # Cut off in the middle, so that the recovery has to go forward.
        half = place.faulty(todo, NEVER).writes * 2 // 3
        place.set_back()
        assert place.faulty(todo, half).killed
        assert place.tree() not in (before, after)
        place.keep()
        todo = recover
    return Story(place, todo, before, after, states)


@pytest.fixture
def new_place() -> Iterator[Callable[[], Place]]:
    with ExitStack() as stack:
        yield lambda: Place(Path(stack.enter_context(tempfile.TemporaryDirectory(dir=FAST_DISK))))


def all_points(story: Story) -> int:
    ended = story.place.faulty(story.act, NEVER)
    assert ended.error == ""
    assert story.place.tree() == story.after
    return ended.writes


def sampled(points: int | Sequence[int], name: str) -> list[int]:
    points = range(points) if isinstance(points, int) else points
    chosen = random.Random(f"{SEED} {name}").sample(points, min(SAMPLE, len(points)))  # noqa: S311
    return sorted(chosen)


def recovered(place: Place) -> tuple[Recovery, ...]:
    return place.act(recover)


def states(place: Place) -> list[LandingState]:
    return [entry.state for entry in place.lander.landings() if entry.state != "rolled_back"]


def kill_and_recover(story: Story, at: int, fault: Fault) -> None:
    place = story.place
    place.set_back()
    assert place.faulty(story.act, at, fault).killed

    recoveries = recovered(place)

    tree = place.tree()
    done = tree == story.after
    assert tree in (story.before, story.after), f"mixed after write {at}"
    assert states(place) == story.states[done]
    assert [each.left_alone for each in recoveries] in ([], [()])
    for each in recoveries:
        assert each.outcome == ("completed" if done else "rolled_back")
    assert recovered(place) == ()
    if story.act is not recover:
        assert place.act(story.act).conflicts == () if not done else True
        assert place.tree() == story.after


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("trees", TREES)
def test_killed_at_a_write_it_is_the_old_tree_or_the_new(
    new_place: Callable[[], Place], trees: str, act: str
) -> None:
    story = begin(new_place(), trees, act)
    points = all_points(story)
    for at in sampled(points, f"{trees} {act}"):
        kill_and_recover(story, at, "torn" if at % 2 else "kill")


@pytest.mark.prove
@pytest.mark.parametrize("fault", ["kill", "torn"])
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("trees", TREES)
def test_killed_at_every_write_it_is_the_old_tree_or_the_new(
    new_place: Callable[[], Place], trees: str, act: str, fault: Fault
) -> None:
    story = begin(new_place(), trees, act)
    points = all_points(story)
    assert points > 20
    for at in range(points):
        kill_and_recover(story, at, fault)


# --- someone else changes a file before the recovery --------------------------


def meddle(story: Story, at: int) -> None:
    """Kill, change a file that is part of it as a stranger would, recover, and compare."""
    place = story.place
    place.set_back()
    assert place.faulty(story.act, at).killed
    now = place.tree()
    changed = {name for name in {**story.before, **story.after} if name_differs(story, name)}
    there = sorted(name for name in changed if name in now and now[name].kind == "file")
    mine = random.Random(f"{SEED} {at}").choice(there) if there else "mine"  # noqa: S311
    (place.root / mine).write_bytes(b"someone else's")

    recoveries = recovered(place)

    tree = place.tree()
    assert tree[mine].content == b"someone else's"
    assert not [name for name in tree if ".turbo-tui-" in name]
    outcome = recoveries[0].outcome if recoveries else ""
    left_alone = set(recoveries[0].left_alone) if recoveries else set[str]()
    if outcome == "completed":
        assert mine in left_alone or mine == "mine"
    apart = [
        name for name in changed if not any(related(name, other) for other in {mine, *left_alone})
    ]
    wholes = [{name: whole.get(name) for name in apart} for whole in (story.before, story.after)]
    assert {name: tree.get(name) for name in apart} in wholes
    if outcome:
        rest = {name: tree.get(name) for name in apart}
        assert rest == wholes[outcome == "completed"]
    assert recovered(place) == ()


def name_differs(story: Story, name: str) -> bool:
    return story.before.get(name) != story.after.get(name)


def related(one: str, other: str) -> bool:
    return one == other or one in parents(other) or other in parents(one)


@pytest.mark.parametrize("act", ["land", "undo", "recover"])
@pytest.mark.parametrize("trees", TREES)
def test_what_someone_else_changes_before_the_recovery_stays_theirs_and_is_named(
    new_place: Callable[[], Place], trees: str, act: str
) -> None:
    story = begin(new_place(), trees, act)
    for at in sampled(all_points(story), f"meddle {trees} {act}"):
        meddle(story, at)


@pytest.mark.prove
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("trees", TREES)
def test_what_someone_else_changes_after_any_kill_stays_theirs_and_is_named(
    new_place: Callable[[], Place], trees: str, act: str
) -> None:
    story = begin(new_place(), trees, act)
    for at in range(all_points(story)):
        meddle(story, at)


# --- someone else saves in the very instant ---------------------------------------


def save_around(story: Story, at: int, fault: Fault) -> None:
    """Let someone save around one rename; in the end it is all there, and others are whole."""
    place = story.place
    place.set_back()

    place.faulty(story.act, at, fault)
    recoveries = recovered(place)

    tree = place.tree()
    left_alone = {path for each in recoveries for path in each.left_alone}
    found = {name: leaf.content for name, leaf in tree.items() if leaf.content in SAVED}
    # A file saved twice holds the second; that the first went is its own doing.
    assert set(found.values()) == place.saved()
    hidden = [name for name in tree if ".turbo-tui-" in name]
    assert set(hidden) <= set(found)
    theirs = {*found, *left_alone}
    apart = [
        name
        for name in {**story.before, **story.after}
        if name_differs(story, name) and not any(related(name, other) for other in theirs)
    ]
    now = {name: tree.get(name) for name in apart}
    assert now in [
        {name: whole.get(name) for name in apart} for whole in (story.before, story.after)
    ]
    assert recovered(place) == ()


FAULTS_OF_OTHERS: tuple[Fault, ...] = ("save", "save, kill", "save, refuse")


@pytest.mark.parametrize("fault", FAULTS_OF_OTHERS)
@pytest.mark.parametrize("act", ["land", "undo", "recover"])
@pytest.mark.parametrize("trees", TREES)
def test_what_someone_else_saves_around_a_rename_is_there_in_the_end(
    new_place: Callable[[], Place], trees: str, act: str, fault: Fault
) -> None:
    story = begin(new_place(), trees, act)
    for at in sampled(story.place.renames(story.act), f"save {trees} {act} {fault}"):
        save_around(story, at, fault)


@pytest.mark.prove
@pytest.mark.parametrize("fault", FAULTS_OF_OTHERS)
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("trees", TREES)
def test_what_someone_else_saves_around_any_rename_is_there_in_the_end(
    new_place: Callable[[], Place], trees: str, act: str, fault: Fault
) -> None:
    story = begin(new_place(), trees, act)
    for at in story.place.renames(story.act):
        save_around(story, at, fault)


# --- no room --------------------------------------------------------------------


def refuse(story: Story, at: int, fault: Fault) -> None:
    """Let a write fail; what stands then must be what is said, and trying again must do."""
    place = story.place
    place.set_back()

    ended = place.faulty(story.act, at, fault)

    assert not ended.killed
    tree = place.tree()
    if ended.error:
        assert ended.error.startswith("LandingError: "), ended.error
        assert "No space left" in ended.error
        if story.act is not recover:
            assert tree == story.before, ended.error
    else:
        shown = {name: leaf for name, leaf in tree.items() if ".turbo-tui-" not in name}
        assert shown == story.after
    recoveries = recovered(place)
    assert place.tree() in (story.before, story.after)
    assert [each.left_alone for each in recoveries] in ([], [()])
    assert states(place) == story.states[place.tree() == story.after]
    if place.tree() == story.before and story.act is not recover:
        assert place.act(story.act).conflicts == ()
        assert place.tree() == story.after


@pytest.mark.parametrize("fault", ["refuse once", "disk full"])
@pytest.mark.parametrize("act", ["land", "undo under a later step", "redo"])
def test_a_write_that_is_refused_leaves_the_tree_as_it_was_and_says_so(
    new_place: Callable[[], Place], act: str, fault: Fault
) -> None:
    story = begin(new_place(), "all kinds", act)
    for at in sampled(all_points(story), f"refuse {act} {fault}"):
        refuse(story, at, fault)


@pytest.mark.prove
@pytest.mark.parametrize("fault", ["refuse once", "disk full"])
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("trees", TREES)
def test_any_write_that_is_refused_leaves_the_tree_as_it_was_and_says_so(
    new_place: Callable[[], Place], trees: str, act: str, fault: Fault
) -> None:
    story = begin(new_place(), trees, act)
    for at in range(all_points(story)):
        refuse(story, at, fault)
