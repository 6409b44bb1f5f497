"""What someone else saves while a landing is under way, taken back or recovered is never lost."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.landing.trees import Leaf, between, file, read_tree, write_tree
from turbo_tui.adapters.blobs import FolderBlobs
from turbo_tui.core.errors import LandingError
from turbo_tui.core.landings import Landing, Recovery
from turbo_tui.landing import JournalLander, beneath, open_lander

THEIRS = b"someone else wrote this\n"
A = {"a": file(b"old a\n"), "b": file(b"old b\n")}
A_NEW = {"a": file(b"new a\n"), "b": file(b"new b\n")}


class CrashError(BaseException):
    """The process ends here."""


class Place:
    """A workspace whose landing is watched."""

    def __init__(self, base: Path) -> None:
        self.root, self.state = base / "ws", base / "state"
        self.blobs = FolderBlobs(self.state / "blobs")

    def land(
        self, old: dict[str, Leaf], new: dict[str, Leaf], act: Callable[[str], None]
    ) -> Landing:
        write_tree(self.root, old)
        lander = JournalLander(self.root, self.state, self.blobs, checkpoint=act)
        changes = between(old, new, self.blobs)
        return asyncio.run(lander.land(changes, session_id="s", step_id="1"))

    def crash(
        self, old: dict[str, Leaf], new: dict[str, Leaf], act: Callable[[str], None]
    ) -> tuple[Recovery, ...]:
        """Land until `act` ends it; recover then."""
        with pytest.raises(CrashError):
            self.land(old, new, act)
        return self.recover()

    def recover(self) -> tuple[Recovery, ...]:
        return asyncio.run(open_lander(self.root, self.state, self.blobs).recover())

    def save(self, name: str, content: bytes = THEIRS, how: str = "in place") -> None:
        if how == "in place":
            (self.root / name).write_bytes(content)
        else:
            (self.root / "saving").write_bytes(content)
            (self.root / "saving").rename(self.root / name)

    def contents(self) -> dict[str, bytes]:
        return {name: leaf.content for name, leaf in read_tree(self.root).items()}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


# --- rolled back ---------------------------------------------------------------


@pytest.mark.parametrize("how", ["in place", "by rename"])
@pytest.mark.parametrize("old", [A, {"b": A["b"]}], ids=["changed", "added"])
def test_a_file_saved_after_it_landed_stays_when_the_rest_is_taken_back(
    place: Place, how: str, old: dict[str, Leaf]
) -> None:
    def act(step: str) -> None:
        if step == "operation 1":
            place.save("a", how=how)
            place.save("b", b"theirs too\n")

    landing = place.land(old, A_NEW, act)

    assert place.contents() == {"a": THEIRS, "b": b"theirs too\n"}
    assert [each.path for each in landing.conflicts] == ["b", "a"]
    assert landing.left_alone == ("a",)
    theirs = landing.conflicts[1]
    assert place.blobs.get(theirs.ours) == THEIRS
    assert place.blobs.get(theirs.theirs) == b"new a\n"
    if "a" in old:
        assert place.blobs.get(theirs.base) == b"old a\n"
    assert place.recover() == ()


def test_an_error_names_what_someone_else_saved(place: Place) -> None:
    def act(step: str) -> None:
        if step == "sync":
            place.save("a")
            raise OSError(28, "No space left on device")

    with pytest.raises(
        LandingError, match=r"Most of the tree .* these meanwhile, and theirs stays: a\."
    ):
        place.land(A, A_NEW, act)

    assert place.contents() == {"a": THEIRS, "b": b"old b\n"}
    assert place.recover() == ()


@pytest.mark.parametrize("at", ["take back a", "taken back a"])
@pytest.mark.parametrize("old", [A, {"b": A["b"]}], ids=["changed", "added"])
def test_a_file_saved_while_it_is_taken_back_is_kept(
    place: Place, at: str, old: dict[str, Leaf]
) -> None:
    def act(step: str) -> None:
        if step == "sync":
            raise OSError(28, "No space left on device")
        if step == at:
            place.save("a", how="by rename")

    with pytest.raises(LandingError, match="No space left"):
        place.land(old, A_NEW, act)

    assert place.contents()["a"] == THEIRS
    assert set(place.contents()) == {"a", "b"}


def test_what_is_made_where_a_file_was_removed_stays_and_the_old_content_is_kept(
    place: Place,
) -> None:
    def act(step: str) -> None:
        if step == "sync":
            place.save("a")
            raise OSError(28, "No space left on device")

    with pytest.raises(LandingError, match=r"theirs stays: a\."):
        place.land(A, {"b": A_NEW["b"]}, act)

    assert place.contents() == {"a": THEIRS, "b": b"old b\n"}
    assert place.blobs.get(between(A, {}, place.blobs).files[0].before.blob) == b"old a\n"  # type: ignore[union-attr]
    assert place.recover() == ()


def test_a_new_folder_in_which_someone_saved_stays(place: Place) -> None:
    def act(step: str) -> None:
        if step == "sync":
            place.save("n/mine")
            raise OSError(28, "No space left on device")

    with pytest.raises(LandingError, match=r"theirs stays: n\."):
        place.land(A, {**A, "n/m": file(b"m")}, act)

    assert place.contents() == {"a": b"old a\n", "b": b"old b\n", "n": b"", "n/mine": THEIRS}


# --- between the exchange and the look at what it took ---------------------------


def test_of_two_saves_around_the_exchange_both_are_kept_and_named(place: Place) -> None:
    def act(step: str) -> None:
        if step == "operation 0":
            place.save("a", b"first\n", how="by rename")
        if step == "taken a":
            place.save("a", b"second\n", how="by rename")

    landing = place.land(A, A_NEW, act)

    contents = place.contents()
    assert contents.pop("a") == b"second\n"
    assert contents.pop("b") == b"old b\n"
    ((kept, content),) = contents.items()
    assert content == b"first\n"
    assert kept in landing.left_alone
    assert any(kept in each.why for each in landing.conflicts)
    assert place.recover() == ()


def test_a_file_made_again_while_a_changed_one_is_put_back_loses_neither(place: Place) -> None:
    def act(step: str) -> None:
        if step == "operation 0":
            place.save("a", b"first\n", how="by rename")
        if step == "taken a":
            place.save("a", b"second\n")

    landing = place.land(A, {"b": A["b"]}, act)

    contents = place.contents()
    assert contents.pop("a") == b"second\n"
    assert contents.pop("b") == b"old b\n"
    assert list(contents.values()) == [b"first\n"]
    assert set(contents) <= set(landing.left_alone)


@pytest.mark.parametrize("new", [A_NEW, {"b": A["b"]}], ids=["put", "delete"])
def test_a_crash_before_what_was_taken_is_looked_at_loses_nothing(
    place: Place, new: dict[str, Leaf]
) -> None:
    def act(step: str) -> None:
        if step == "operation 0":
            place.save("a", how="by rename")
        if step == "taken a":
            raise CrashError

    (recovery,) = place.crash(A, new, act)

    assert place.contents() == {"a": THEIRS, "b": b"old b\n"}
    assert recovery.left_alone == ("a",)
    assert place.recover() == ()


@pytest.mark.parametrize("new", [A_NEW, {"b": A["b"]}], ids=["put", "delete"])
def test_what_is_saved_after_such_a_crash_is_kept_too(place: Place, new: dict[str, Leaf]) -> None:
    def act(step: str) -> None:
        if step == "operation 0":
            place.save("a", how="by rename")
        if step == "taken a":
            raise CrashError

    with pytest.raises(CrashError):
        place.land(A, new, act)
    place.save("a", b"later\n")

    (recovery,) = place.recover()

    contents = place.contents()
    assert (contents.pop("a"), contents.pop("b")) == (b"later\n", b"old b\n")
    assert list(contents.values()) == [THEIRS]
    assert set(contents) <= set(recovery.left_alone)
    assert place.recover() == ()


def test_a_crash_while_a_file_saved_meanwhile_is_taken_back_loses_nothing(place: Place) -> None:
    def act(step: str) -> None:
        if step == "sync":
            raise OSError(28, "No space left on device")
        if step == "take back a":
            place.save("a", how="by rename")
        if step == "taken back a":
            raise CrashError

    (recovery,) = place.crash(A, A_NEW, act)

    assert place.contents() == {"a": THEIRS, "b": b"old b\n"}
    assert recovery.left_alone == ("a",)


# --- an editor that holds the old file open --------------------------------------


@pytest.mark.parametrize("crashes", [False, True])
def test_what_is_written_into_the_old_file_after_it_was_looked_at_is_kept_and_named(
    place: Place, *, crashes: bool
) -> None:
    held: list[int] = []

    def act(step: str) -> None:
        if step == "operation 0":
            held.append(os.open(place.root / "a", os.O_WRONLY | os.O_APPEND))
        if step == "clean":
            os.write(held[0], THEIRS)
            os.close(held[0])
            if crashes:
                raise CrashError

    if crashes:
        (recovery,) = place.crash(A, A_NEW, act)
        left_alone = recovery.left_alone
    else:
        left_alone = place.land(A, A_NEW, act).left_alone

    contents = place.contents()
    assert (contents.pop("a"), contents.pop("b")) == (b"new a\n", b"new b\n")
    assert list(contents.values()) == [b"old a\n" + THEIRS]
    assert tuple(contents) == left_alone
    assert place.recover() == ()


# --- recovery --------------------------------------------------------------------


def test_a_file_saved_while_recovering_is_left_alone(place: Place) -> None:
    def crash(step: str) -> None:
        if step == "operation 1":
            raise CrashError

    def save(step: str) -> None:
        if step == "forward 1":
            place.save("b", how="by rename")

    with pytest.raises(CrashError):
        place.land(A, A_NEW, crash)
    lander = JournalLander(place.root, place.state, place.blobs, checkpoint=save)
    (recovery,) = asyncio.run(lander.recover())

    assert place.contents() == {"a": b"new a\n", "b": THEIRS}
    assert recovery.left_alone == ("b",)


def test_new_content_that_a_recovery_wrote_in_part_is_written_again(place: Place) -> None:
    def crash(step: str) -> None:
        if step == "operation 1":
            raise CrashError

    with pytest.raises(CrashError):
        place.land(A, A_NEW, crash)
    (temp,) = (
        path
        for path in place.root.iterdir()
        if path.name.startswith(".turbo-tui-") and path.read_bytes() == b"new b\n"
    )
    temp.write_bytes(b"new")

    (recovery,) = place.recover()

    assert recovery.left_alone == ()
    assert place.contents() == {"a": b"new a\n", "b": b"new b\n"}


# --- where the file system cannot exchange ---------------------------------------


def not_known(*_: object) -> bool:
    return False


def test_a_swap_in_three_that_stops_at_the_third_is_taken_back(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beneath, "_renameat2", not_known)
    rename = beneath.Tree.rename

    def refuse(tree: beneath.Tree, source: str, target: str) -> None:
        if source.endswith(".old") and target == source.removesuffix(".old"):
            raise OSError(5, "Input/output error")
        rename(tree, source, target)

    monkeypatch.setattr(beneath.Tree, "rename", refuse)
    with pytest.raises(LandingError, match="Input/output error"):
        place.land(A, A_NEW, lambda _: None)

    assert place.contents() == {"a": b"old a\n", "b": b"old b\n"}


def test_without_the_system_call_a_file_made_at_the_last_moment_is_not_overwritten(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_late(*_: object) -> bool:
        place.save("n")
        return False

    monkeypatch.setattr(beneath, "_renameat2", not_known)
    monkeypatch.setattr(beneath, "_exists", too_late)
    landing = place.land(A, {**A, "n": file(b"new")}, lambda _: None)

    assert [each.path for each in landing.conflicts] == ["n"]
    assert place.contents() == {"a": b"old a\n", "b": b"old b\n", "n": THEIRS}
