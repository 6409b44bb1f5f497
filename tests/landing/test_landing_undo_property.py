"""Whatever is landed, undone and redone in whatever order: the tree that a simple model says."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.landing.test_landing_property import FAST_DISK, trees, with_moves
from tests.landing.trees import Leaf, between, file, read_tree, whole, write_tree
from turbo_tui.adapters.blobs import FolderBlobs
from turbo_tui.core.changes import FileChange
from turbo_tui.core.ports import Blobs
from turbo_tui.landing import open_lander

PLACES = 6  # lines of a text that are changed, each by itself
TEXTS = ("t0", "t1")
FILES = ("b0", "d/b1")

Slot = tuple[str, int]  # a line of a text by its number, or a whole file: -1
State = Mapping[Slot, str]  # an empty value: as at first, or no file
Change = tuple[Slot, str]

slots = st.one_of(
    st.tuples(st.sampled_from(TEXTS), st.integers(0, PLACES - 1)),
    st.tuples(st.sampled_from(FILES), st.just(-1)),
)
steps = st.dictionaries(slots, st.sampled_from(["", "x", "y"]), min_size=1, max_size=4)


def tree_of(state: State) -> dict[str, Leaf]:
    """Write the state down: lines that no one changes stand between those that are."""
    tree: dict[str, Leaf] = {}
    for name in TEXTS:
        lines = [
            f"{state.get((name, n)) or 'first'}\nkept {name} {n} a\nkept {name} {n} b\n"
            for n in range(PLACES)
        ]
        tree[name] = file("".join(lines).encode())
    for name in FILES:
        if state.get((name, -1)):
            tree[name] = file(f"{state[name, -1]}\0".encode())
    return tree


@dataclass
class Model:
    """What each landing really did, slot by slot, and what takes it back."""

    state: dict[Slot, str] = field(default_factory=dict[Slot, str])
    effects: list[list[dict[Slot, tuple[str, str]]]] = field(
        default_factory=list[list[dict[Slot, tuple[str, str]]]]
    )

    def land(self, step: Mapping[Slot, str]) -> None:
        """Land; the chain of what takes it back and forth begins with it."""
        was = {slot: (self.state.get(slot, ""), value) for slot, value in step.items()}
        self.effects.append([{slot: pair for slot, pair in was.items() if pair[0] != pair[1]}])
        self.state.update(step)

    def turn(self, number: int) -> bool:
        """Take the last of a chain back; False, and nothing done, on a conflict."""
        last = self.effects[number][-1]
        now = {slot: self.state.get(slot, "") for slot in last}
        if any(now[slot] not in pair for slot, pair in last.items()):
            return False
        self.effects[number].append(
            {slot: (after, before) for slot, (before, after) in last.items() if now[slot] == after}
        )
        self.state.update({slot: before for slot, (before, _) in last.items()})
        return True


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(steps, st.integers(0, 9)), min_size=2, max_size=12))
def test_any_order_of_landing_undo_and_redo_ends_where_the_model_does(
    acts: list[dict[Slot, str] | int],
) -> None:
    with tempfile.TemporaryDirectory(dir=FAST_DISK) as place:
        root, state = Path(place) / "ws", Path(place) / "state"
        blobs = FolderBlobs(state / "blobs")
        model, ids = Model(), list[str]()
        write_tree(root, tree_of(model.state))
        lander = open_lander(root, state, blobs)

        async def act() -> None:
            for each in acts:
                if not isinstance(each, int):
                    old = tree_of(model.state)
                    changes = between(old, tree_of({**model.state, **each}), blobs)
                    if not changes.files:
                        continue
                    ids.append((await lander.land(changes, session_id="s", step_id="1")).landing_id)
                    model.land(each)
                elif ids:
                    number = each % len(ids)
                    redo = len(model.effects[number]) % 2 == 0
                    way = lander.redo if redo else lander.undo
                    would = await way(ids[number], dry_run=True)
                    done = await way(ids[number])
                    assert (done.conflicts == ()) is model.turn(number), done.conflicts
                    assert would.conflicts == done.conflicts
                    assert would.paths == done.paths
                assert files(root) == files_of(tree_of(model.state))
            listed = [entry.state for entry in lander.landings()]
            assert listed == [state_of(chain) for chain in model.effects]

        asyncio.run(act())


def state_of(chain: list[dict[Slot, tuple[str, str]]]) -> str:
    if len(chain) == 1:
        return "landed"
    return "redone" if len(chain) % 2 else "undone"


def files_of(tree: Mapping[str, Leaf]) -> dict[str, Leaf]:
    return {name: leaf for name, leaf in tree.items() if leaf.kind != "folder"}


def files(root: Path) -> dict[str, Leaf]:
    return files_of(read_tree(root))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_an_earlier_landing_undone_and_redone_is_as_if_nothing_were_when_apart(
    data: st.DataObject,
) -> None:
    every = [(name, n) for name in TEXTS for n in range(PLACES)] + [(name, -1) for name in FILES]
    shuffled = data.draw(st.permutations(every))
    cuts = sorted(data.draw(st.lists(st.integers(1, len(every)), min_size=2, max_size=4)))
    parts = [shuffled[a:b] for a, b in zip([0, *cuts], cuts, strict=False) if a < b]
    with tempfile.TemporaryDirectory(dir=FAST_DISK) as place:
        root, state = Path(place) / "ws", Path(place) / "state"
        blobs = FolderBlobs(state / "blobs")
        now: dict[Slot, str] = {}
        write_tree(root, tree_of(now))
        lander = open_lander(root, state, blobs)

        async def act() -> None:
            ids: list[str] = []
            for number, part in enumerate(parts):
                then = {**now, **dict.fromkeys(part, f"step {number}")}
                changes = between(tree_of(now), tree_of(then), blobs)
                now.update(then)
                ids.append((await lander.land(changes, session_id="s", step_id="1")).landing_id)
            number = data.draw(st.integers(0, len(parts) - 1))
            without = {slot: value for slot, value in now.items() if value != f"step {number}"}

            assert (await lander.undo(ids[number])).conflicts == ()
            assert files(root) == files_of(tree_of(without))
            assert (await lander.redo(ids[number])).conflicts == ()
            assert read_tree(root) == whole(tree_of(now))

        asyncio.run(act())


@settings(max_examples=60, deadline=None)
@given(st.lists(trees, min_size=2, max_size=5), st.booleans())
def test_the_tree_at_any_point_is_the_tree_that_stood_then(
    stood: list[dict[str, Leaf]],
    moving: bool,  # noqa: FBT001  hypothesis gives it by position
) -> None:
    with tempfile.TemporaryDirectory(dir=FAST_DISK) as place:
        root, state = Path(place) / "ws", Path(place) / "state"
        blobs = FolderBlobs(state / "blobs")
        write_tree(root, stood[0])
        lander = open_lander(root, state, blobs)

        async def act() -> None:
            points = {"": read_tree(root)}
            for old, new in itertools.pairwise(stood):
                changes = between(old, new, blobs)
                changes = with_moves(changes) if moving else changes
                landing = await lander.land(changes, session_id="s", step_id="1")
                if landing.landing_id:
                    points[landing.landing_id] = read_tree(root)
            for landing_id, then in points.items():
                leading = await lander.tree_at(landing_id)
                assert applied(read_tree(root), leading, blobs) == then
            for landing_id in reversed(points):
                if landing_id:
                    assert (await lander.undo(landing_id)).conflicts == ()
            assert read_tree(root) == whole(stood[0])
            for landing_id in points:
                if landing_id:
                    assert (await lander.redo(landing_id)).conflicts == ()
            assert read_tree(root) == whole(stood[-1])

        asyncio.run(act())


def applied(
    tree: Mapping[str, Leaf], changes: tuple[FileChange, ...], blobs: Blobs
) -> dict[str, Leaf]:
    result = dict(tree)
    for change in changes:
        result.pop(change.path, None)
        after = change.after
        if after is not None:
            content = blobs.get(after.blob) if after.blob else b""
            result[change.path] = Leaf(after.kind, content, after.mode)
    return result
