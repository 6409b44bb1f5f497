"""What someone puts in a path's place, at any moment, is theirs: it stays, and it is named."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.landing.test_landing_property import FAST_DISK
from tests.landing.trees import Leaf, between, file, read_tree, write_tree
from turbo_tui.adapters.blobs import FolderBlobs
from turbo_tui.core.errors import LandingError
from turbo_tui.core.landings import Recovery
from turbo_tui.landing import JournalLander, open_lander

OLD = {
    "d/a": file(b"old a\n"),
    "d/gone": file(b"gone\n"),
    "d/mode": file(b"mode\n"),
    "x": file(b"old x\n"),
    "y": file(b"old y\n"),
}
NEW = {
    "d/a": file(b"new a\n"),
    "d/mode": file(b"mode\n", 0o755),
    "d/more/b": file(b"new b\n"),
    "x": file(b"new x\n"),
    "y": file(b"new y\n"),
}
STEPS = ("before", "begin", "commit", *(f"operation {n}" for n in range(7)), "sync")


class CrashError(BaseException):
    """The process ends here."""


class Swap:
    """A workspace, and someone who puts something in a path's place."""

    def __init__(self, base: Path, what: str) -> None:
        self.root, self.state = base / "ws", base / "state"
        self.outside = base / "outside"
        self.blobs = FolderBlobs(self.state / "blobs")
        self.what = what
        self.path = "d" if what.startswith("folder above") else "d/a"
        self.theirs: dict[str, Leaf] = {}
        self.beyond: dict[str, Leaf] = {}
        write_tree(self.root, OLD)
        self.changes = between(OLD, NEW, self.blobs)

    def lander(self, act: Callable[[str], None] = lambda _: None) -> JournalLander:
        return JournalLander(self.root, self.state, self.blobs, checkpoint=act)

    def turn(self, way: str, act: Callable[[str], None] = lambda _: None) -> str:
        """Land, undo or redo; return all that is said of it, empty where all went well."""
        lander = self.lander(act)
        try:
            if way == "land":
                todo = lander.land(self.changes, session_id="s", step_id="1")
            else:
                todo = getattr(lander, way)(lander.landings()[0].landing_id)
            landing = asyncio.run(todo)
        except LandingError as error:
            return str(error)
        said = [*(f"{each.path}: {each.why}" for each in landing.conflicts), *landing.left_alone]
        return "\n".join(said)

    def until(self, way: str) -> None:
        for earlier in {"land": (), "undo": ("land",), "redo": ("land", "undo")}[way]:
            assert self.turn(earlier) == ""

    def put(self) -> None:
        path = self.root / self.path
        here = path.read_bytes() if path.is_file() else b""
        match self.what:
            case "a link":
                self.outside.mkdir()
                (self.outside / "a").write_bytes(here)
                path.unlink()
                path.symlink_to(self.outside / "a")
            case "a folder":
                path.unlink()
                path.mkdir()
                (path / "mine").write_bytes(b"mine")
            case "a pipe":
                path.unlink()
                os.mkfifo(path)
            case "nothing":
                path.unlink()
            case "folder above: a link":
                path.rename(self.outside)
                path.symlink_to(self.outside)
            case "folder above: a file":
                path.rename(self.outside)
                path.write_bytes(b"mine")
            case _:
                shutil.rmtree(path)
        self.theirs = self.at(self.path)
        self.beyond = read_tree(self.outside)

    def at(self, path: str) -> dict[str, Leaf]:
        top = self.root / path
        if top.is_fifo():
            return {path: Leaf("pipe")}
        tree = read_tree(self.root)
        return {name: tree[name] for name in tree if name == path or name.startswith(f"{path}/")}

    def rest(self) -> dict[str, Leaf]:
        """Read what nobody else touched."""
        (self.root / "d/a").unlink(missing_ok=True) if (self.root / "d/a").is_fifo() else None
        tree = read_tree(self.root)
        return {name: leaf for name, leaf in tree.items() if not name.startswith("d")}


WHATS = (
    *("a link", "a folder", "a pipe", "nothing"),
    *("folder above: a link", "folder above: a file", "folder above: nothing"),
)


def whole_rest(tree: dict[str, Leaf]) -> dict[str, Leaf]:
    return {name: leaf for name, leaf in tree.items() if not name.startswith("d")}


def at_step(step: str, act: Callable[[], None]) -> Callable[[str], None]:
    seen: list[str] = []

    def call(now: str) -> None:
        if now == step and not seen:
            seen.append(now)
            act()

    return call


@pytest.fixture
def places() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=FAST_DISK) as folder:
        yield Path(folder)


@pytest.mark.parametrize("way", ["land", "undo", "redo"])
@pytest.mark.parametrize("what", WHATS)
def test_what_is_put_in_a_paths_place_stays_and_is_named(places: Path, what: str, way: str) -> None:
    for step in STEPS:
        base = places / step
        base.mkdir()
        swap = Swap(base, what)
        swap.until(way)
        old, new = (OLD, NEW) if way != "undo" else (NEW, OLD)
        if step == "before":
            swap.put()

        said = swap.turn(way, at_step(step, swap.put))

        recoveries = asyncio.run(open_lander(swap.root, swap.state, swap.blobs).recover())
        where = f"{what}, {way}, {step}: {said} {recoveries}"
        assert read_tree(swap.outside) == swap.beyond, where
        assert swap.at(swap.path).items() >= swap.theirs.items() or not swap.theirs, where
        if not swap.theirs:
            assert set(swap.at(swap.path)) <= set(), where
        rest = swap.rest()
        assert rest in (whole_rest(old), whole_rest(new)), where
        # Where it was put when all was written, it is a change like any other afterwards.
        if said or rest == whole_rest(old):
            assert f"{swap.path}" in said, where
            assert not any(word in said for word in ("make room", "Errno", "None")), where


@pytest.mark.parametrize("way", ["land", "undo", "redo"])
@pytest.mark.parametrize("what", WHATS)
def test_what_is_put_in_a_paths_place_after_a_crash_stays_and_is_named(
    places: Path, what: str, way: str
) -> None:
    for step in STEPS[1:]:
        base = places / step
        base.mkdir()
        swap = Swap(base, what)
        swap.until(way)
        old, new = (OLD, NEW) if way != "undo" else (NEW, OLD)

        def crash() -> None:
            raise CrashError

        try:
            swap.turn(way, at_step(step, crash))
        except CrashError:
            pass
        else:
            continue  # there is no such step
        if not (swap.root / swap.path).exists():
            continue
        swap.put()

        recoveries = asyncio.run(open_lander(swap.root, swap.state, swap.blobs).recover())

        assert_theirs_stays(swap, recoveries, old, new, f"{what}, {way}, {step}: {recoveries}")


def assert_theirs_stays(
    swap: Swap,
    recoveries: tuple[Recovery, ...],
    old: dict[str, Leaf],
    new: dict[str, Leaf],
    where: str,
) -> None:
    assert read_tree(swap.outside) == swap.beyond, where
    assert swap.at(swap.path).items() >= swap.theirs.items(), where
    assert swap.rest() in (whole_rest(old), whole_rest(new)), where
    (recovery,) = recoveries or (None,)
    if recovery is not None and recovery.outcome == "completed":
        assert any(path == swap.path or path.startswith("d") for path in recovery.left_alone), where
    assert asyncio.run(open_lander(swap.root, swap.state, swap.blobs).recover()) == (), where
