"""Over random trees: landing leads to the new tree, undo back, and a crash to one of the two."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.landing.trees import FOLDER, Leaf, between, file, link, read_tree, whole, write_tree
from turbo_tui.adapters.blobs import FolderBlobs
from turbo_tui.core.changes import ChangeSet, FileChange, invert
from turbo_tui.landing import JournalLander, open_lander
from turbo_tui.landing.beneath import Tree

FAST_DISK = "/dev/shm" if Path("/dev/shm").is_dir() else None  # syncing is free there
names = st.sampled_from(["a", "b", "c", os.fsdecode(b"\xff")])
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
leaves = st.one_of(
    st.builds(file, st.binary(max_size=3), st.sampled_from([0o644, 0o755, 0o600])),
    st.just(FOLDER),
    st.sampled_from(["a", "../x", "/nowhere"]).map(link),
)


def consistent(drawn: dict[str, Leaf]) -> dict[str, Leaf]:
    """Leave out what would lie below a file or symlink."""
    tree: dict[str, Leaf] = {}
    for path, leaf in sorted(drawn.items()):
        parts = path.split("/")
        above = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
        if all(tree.get(up, FOLDER).kind == "folder" for up in above):
            tree[path] = leaf
    return tree


trees = st.dictionaries(paths, leaves, max_size=8).map(consistent)


def as_it_is(changes: ChangeSet) -> ChangeSet:
    """Leave deletions and additions apart."""
    return changes


def with_moves(changes: ChangeSet) -> ChangeSet:
    """Pair each deleted file with an added one of the same content and mode."""
    gone = {
        c.before: c for c in changes.files if c.before and c.before.kind == "file" and not c.after
    }
    paired: list[FileChange] = []
    used: set[str] = set()
    for change in changes.files:
        origin = gone.pop(change.after, None) if change.after and not change.before else None
        if origin is not None:
            used.add(origin.path)
            paired.append(FileChange(change.path, origin.before, change.after, origin.path))
        else:
            paired.append(change)
    return ChangeSet(
        tuple(change for change in paired if change.path not in used or change.moved_from)
    )


@settings(max_examples=60, deadline=None)
@given(trees, trees, st.sampled_from([as_it_is, with_moves]))
def test_landing_undo_and_the_inverse_lead_where_they_should(
    old: dict[str, Leaf], new: dict[str, Leaf], told: Callable[[ChangeSet], ChangeSet]
) -> None:
    with tempfile.TemporaryDirectory(dir=FAST_DISK) as place:
        root, state = Path(place) / "ws", Path(place) / "state"
        blobs = FolderBlobs(state / "blobs")
        write_tree(root, old)
        lander = open_lander(root, state, blobs)
        changes = told(between(old, new, blobs))

        async def act() -> None:
            landing = await lander.land(changes, session_id="s", step_id="1")
            assert landing.conflicts == ()
            assert read_tree(root) == whole(new)
            if not landing.landing_id:
                assert whole(new) == whole(old)
                return
            await lander.undo(landing.landing_id)
            assert read_tree(root) == whole(old)
            await lander.land(changes, session_id="s", step_id="1")
            await lander.land(invert(changes), session_id="s", step_id="2")
            # Folders made on the way are not in a change set: only their files are gone.
            left = {path: leaf for path, leaf in read_tree(root).items() if leaf != FOLDER}
            assert left == {path: leaf for path, leaf in whole(old).items() if leaf != FOLDER}

        asyncio.run(act())


class CrashError(BaseException):
    """The process ends here; nothing of ours catches it."""


def crashing(root: Path, state: Path, blobs: FolderBlobs, crash_at: int) -> JournalLander:
    """Return a lander that dies at its `crash_at`-th step."""
    passed = 0

    def checkpoint(_: str) -> None:
        nonlocal passed
        passed += 1
        if passed > crash_at:
            raise CrashError

    return JournalLander(root, state, blobs, checkpoint=checkpoint)


@settings(max_examples=60, deadline=None)
@given(
    trees,
    trees,
    st.sampled_from([as_it_is, with_moves]),
    st.integers(0, 30),
    st.lists(st.integers(0, 8), max_size=2),
)
def test_after_crashes_at_any_steps_the_tree_is_the_old_or_the_new(
    old: dict[str, Leaf],
    new: dict[str, Leaf],
    told: Callable[[ChangeSet], ChangeSet],
    crash_at: int,
    again_at: list[int],
) -> None:
    with tempfile.TemporaryDirectory(dir=FAST_DISK) as place:
        root, state = Path(place) / "ws", Path(place) / "state"
        blobs = FolderBlobs(state / "blobs")
        write_tree(root, old)
        changes = told(between(old, new, blobs))
        with suppress(CrashError):
            lander = crashing(root, state, blobs, crash_at)
            asyncio.run(lander.land(changes, session_id="s", step_id="1"))
        for crash_again_at in again_at:
            with suppress(CrashError):
                asyncio.run(crashing(root, state, blobs, crash_again_at).recover())

        assert_old_or_new(old, new, open_lander(root, state, blobs), root)


def assert_old_or_new(
    old: dict[str, Leaf], new: dict[str, Leaf], lander: JournalLander, root: Path
) -> None:
    """Recover; the journal must agree with the tree, and undo must lead back."""
    recoveries = asyncio.run(lander.recover())

    assert [recovery.left_alone for recovery in recoveries] in ([], [()])
    standing = [entry for entry in lander.landings() if entry.landed]
    assert read_tree(root) == (whole(new) if standing else whole(old))
    if standing:
        asyncio.run(lander.undo(standing[0].landing_id))
        assert read_tree(root) == whole(old)


class CrashingTree(Tree):
    """A tree without the exchange call, in which the process dies at some rename."""

    renames_left = 0

    def exchange(self, one: str, other: str) -> None:
        self.swap_in_three(one, other)

    def rename(self, source: str, target: str) -> None:
        if not CrashingTree.renames_left:
            raise CrashError
        CrashingTree.renames_left -= 1
        super().rename(source, target)


@settings(max_examples=60, deadline=None)
@given(trees, trees, st.integers(0, 20))
def test_a_swap_in_three_renames_may_be_cut_off_anywhere(
    old: dict[str, Leaf], new: dict[str, Leaf], renames: int
) -> None:
    with tempfile.TemporaryDirectory(dir=FAST_DISK) as place:
        root, state = Path(place) / "ws", Path(place) / "state"
        blobs = FolderBlobs(state / "blobs")
        write_tree(root, old)
        changes = between(old, new, blobs)
        CrashingTree.renames_left = renames
        with pytest.MonkeyPatch.context() as patch, suppress(CrashError):
            patch.setattr("turbo_tui.landing.lander.Tree", CrashingTree)
            lander = open_lander(root, state, blobs)
            asyncio.run(lander.land(changes, session_id="s", step_id="1"))

        assert_old_or_new(old, new, open_lander(root, state, blobs), root)
