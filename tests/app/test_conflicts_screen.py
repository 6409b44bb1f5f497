"""A landing or an undo that meets the user's own edit, on screen: shown, settled, landed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.screen_kit import BIG, SMALL, Seat, seated
from tests.app.session_kit import API, Stand
from turbo_tui.app.timeline_screen import TimelineScreen
from turbo_tui.core import events as ev
from turbo_tui.landing import open_lander
from turbo_widgets.hunk_editor import HunkEditor
from turbo_widgets.key_bar import live_keys

MINE = API.replace("line 2\n", "my line 2\n").replace("line 31\n", "my line 31\n")


def real_landing(folder: Path) -> Stand:
    """Return a stand whose landings are journalled and merge."""
    return Stand(folder, lander=lambda root, blobs: open_lander(root, folder / "state", blobs))


async def refused(stand: Stand, seat: Seat, mine: str = MINE) -> None:
    """Come to a landing that is refused, because the user changed api.py meanwhile."""
    await seat.to_review()
    (stand.root / "api.py").write_text(mine)
    await seat.press("a")


@pytest.mark.parametrize("size", [BIG, SMALL])
async def test_both_versions_are_shown_and_what_is_settled_by_keys_lands(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    stand = real_landing(tmp_path)
    async with seated(stand, size) as seat:
        await refused(stand, seat)
        await seat.card("2 conflicts with your own edits")
        await seat.sees("conflict 1/2")
        await seat.sees("my line 2")
        assert "line 2 with [a name]" in seat.text
        rows = seat.rows("diff")
        assert "[!] api.py" in rows
        assert "2 conflicts" in rows
        assert "before both" in rows
        assert "a land it" not in seat.bar_text

        await seat.press("greater_than_sign")
        await seat.until(lambda: "the step's is taken" in seat.rows("diff"))
        await seat.card("1 conflict with")
        await seat.sees("conflict 2/2")
        await seat.press("p")
        await seat.press("n", "less_than_sign")
        await seat.card("all conflicts with your edits are settled")
        assert "yours is kept" in seat.rows("diff")
        await seat.press("a")
        await seat.card("Done: 1 of 2 steps landed")

    landed = MINE.replace("my line 2\n", "line 2 with [a name]\n")
    assert (stand.root / "api.py").read_text() == landed
    assert (stand.root / "notes.md").exists()


async def test_the_two_versions_stand_side_by_side_where_there_is_room(tmp_path: Path) -> None:
    stand = real_landing(tmp_path)
    async with seated(stand, (140, 40)) as seat:
        await refused(stand, seat)
        await seat.card("2 conflicts")
        await seat.sees("side by side")
        row = next(line for line in seat.text.split("\n") if "my line 2" in line)
        assert "line 2 with [a name]" in row, "mine to the left, the step's to the right"
        await seat.press("l")
        await seat.until(lambda: "side by side" not in seat.text)


async def test_a_conflict_is_edited_in_place_and_markers_are_refused(tmp_path: Path) -> None:
    stand = real_landing(tmp_path)
    async with seated(stand) as seat:
        await refused(stand, seat)
        await seat.card("2 conflicts")
        await seat.press("e")
        await seat.until(lambda: isinstance(seat.app.focused, HunkEditor))
        editor = seat.app.focused
        assert isinstance(editor, HunkEditor)
        assert editor.text.startswith("<<<<<<< yours\nmy line 2\n||||||| base\nline 2\n")
        editor.insert("mine, ", (1, 0))
        await seat.press("ctrl+s")
        await seat.sees("still has a conflict marker")
        await seat.until(lambda: isinstance(seat.app.focused, HunkEditor))
        assert seat.app.focused is not editor
        editor = seat.app.focused
        assert isinstance(editor, HunkEditor)
        assert "mine, my line 2" in editor.text, "what was written is gone on with"
        await seat.press("escape")
        assert seat.app.focused is editor, "it is kept nowhere else: asked once more"
        assert not list(stand.root.parent.glob("unkept*"))
        assert isinstance(editor, HunkEditor)
        editor.text = "our line 2\n"
        await seat.press("ctrl+s")
        await seat.until(lambda: "as you wrote it" in seat.rows("diff"))
        await seat.press("plus")
        await seat.card("all conflicts with")
        await seat.press("a")
        await seat.card("Done: 1 of 2 steps landed")

    lines = (stand.root / "api.py").read_text().splitlines()
    assert lines[1] == "our line 2"
    assert lines[30:32] == ["my line 31", "line 31 \x1b[2J too"]


async def test_what_merges_says_so_and_lands_with_the_users_edit(tmp_path: Path) -> None:
    stand = real_landing(tmp_path)
    async with seated(stand) as seat:
        await refused(stand, seat, API.replace("line 15\n", "my line 15\n"))
        await seat.card("Both changes merge")
        await seat.until(lambda: "merged with your edit" in seat.rows("diff"))
        await seat.press("a")
        await seat.card("Done: 1 of 2 steps landed")

    landed = (stand.root / "api.py").read_text()
    assert "my line 15\n" in landed
    assert "line 2 with [a name]\n" in landed


async def test_beside_a_conflict_a_hunk_that_merges_is_left_out_by_itself(tmp_path: Path) -> None:
    stand = real_landing(tmp_path)
    async with seated(stand) as seat:
        await refused(stand, seat, API.replace("line 2\n", "my line 2\n"))
        await seat.card("1 conflict with")
        await seat.press("less_than_sign")
        await seat.card("all conflicts with")
        await seat.press("n", "space")
        await seat.until(lambda: "[ ] left out  hunk 2/" in seat.rows("diff"))
        await seat.press("a")
        await seat.card("Done: 1 of 2 steps landed")

    landed = (stand.root / "api.py").read_text()
    assert landed == API.replace("line 2\n", "my line 2\n")


async def test_a_clashing_file_is_left_out_and_the_rest_lands(tmp_path: Path) -> None:
    stand = real_landing(tmp_path)
    async with seated(stand) as seat:
        await refused(stand, seat)
        await seat.card("2 conflicts")
        await seat.press("x")
        await seat.card("all conflicts with")
        await seat.press("a")
        await seat.card("Done: 1 of 2 steps landed")

    assert (stand.root / "api.py").read_text() == MINE
    assert (stand.root / "notes.md").exists()


async def test_a_file_that_the_user_deleted_is_one_or_the_other(tmp_path: Path) -> None:
    stand = real_landing(tmp_path)
    async with seated(stand, SMALL) as seat:
        await seat.to_review()
        (stand.root / "api.py").unlink()
        await seat.press("a")
        await seat.card("1 conflict with")
        await seat.until(lambda: "it was deleted since" in seat.rows("diff"))
        await seat.press("less_than_sign")
        await seat.card("all conflicts with")
        assert "yours is kept" in seat.rows("diff")
        await seat.press("a")
        await seat.card("Done: 1 of 2 steps landed")

    assert not (stand.root / "api.py").exists()
    assert (stand.root / "notes.md").exists()


async def test_what_is_in_the_way_is_named_on_the_card_until_it_is_moved(tmp_path: Path) -> None:
    stand = real_landing(tmp_path)
    async with seated(stand) as seat:
        await seat.to_review()
        (stand.root / "api.py").unlink()
        (stand.root / "api.py").mkdir()
        await seat.press("a")
        await seat.card("something is in the way of 1 file")
        await seat.sees("Move it away, then land it")
        await seat.press("2", "greater_than_sign")
        assert "is taken" not in seat.rows("diff")
        (stand.root / "api.py").rmdir()
        (stand.root / "api.py").write_text(API)
        await seat.press("a")
        await seat.card("Done: 1 of 2 steps landed")

    assert "line 2 with [a name]" in (stand.root / "api.py").read_text()


async def test_another_change_after_settling_is_a_new_conflict(tmp_path: Path) -> None:
    stand = real_landing(tmp_path)
    async with seated(stand) as seat:
        await refused(stand, seat)
        await seat.card("2 conflicts")
        await seat.press("greater_than_sign")
        await seat.card("1 conflict with")
        await seat.press("greater_than_sign")
        await seat.card("all conflicts with")
        again = MINE.replace("my line 2", "my other line 2")
        (stand.root / "api.py").write_text(again)
        await seat.press("a")
        await seat.card("1 conflict with")
        await seat.sees("my other line 2")
        assert (stand.root / "api.py").read_text() == again


async def test_settled_conflicts_are_there_after_a_restart(tmp_path: Path) -> None:
    stand = real_landing(tmp_path)
    async with seated(stand) as seat:
        await refused(stand, seat)
        await seat.card("2 conflicts")
        await seat.press("greater_than_sign")
        await seat.card("1 conflict with")
    resumed = Stand(
        tmp_path,
        store=stand.store,
        blobs=stand.blobs,
        lander=lambda root, blobs: open_lander(root, tmp_path / "state", blobs),
    )
    async with seated(resumed) as seat:
        await seat.card("1 conflict with")
        await seat.until(lambda: "the step's is taken" in seat.rows("diff"))


async def clashing_undo(stand: Stand, seat: Seat) -> str:
    """Land s1, and change a line of it; return what stands in api.py then."""
    await seat.to_review()
    await seat.press("a")
    await seat.card("Done: 1 of 2 steps landed")
    mine = (stand.root / "api.py").read_text().replace("[a name]", "[my name]")
    (stand.root / "api.py").write_text(mine)
    return mine


@pytest.mark.parametrize("size", [BIG, SMALL])
async def test_an_undo_that_clashes_is_settled_by_the_same_keys_and_taken_back(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    stand = real_landing(tmp_path)
    async with seated(stand, size) as seat:
        mine = await clashing_undo(stand, seat)
        await seat.press("escape", "T")
        await seat.until(lambda: isinstance(seat.app.screen, TimelineScreen))
        await seat.press("u")
        await seat.card("Step s1 cannot be taken back yet: 1 conflict")
        await seat.until(lambda: "conflict 1/1" in seat.text)
        assert not isinstance(seat.app.screen, TimelineScreen)
        rows = seat.rows("diff")
        assert "<<<<<<< yours now" in rows
        assert "======= before the step" in rows
        assert "||||||| as it landed" in rows
        assert "goes back, beside what is yours now" in rows
        keys = dict(live_keys(seat.app.screen))
        assert (keys["<"], keys[">"], keys["+"]) == ("Keep yours", "As before it", "Both")

        await seat.press("greater_than_sign")
        await seat.card("all conflicts are settled")
        assert "as before the step" in seat.rows("diff")
        assert (stand.root / "api.py").read_text() == mine
        await seat.guard()
        await seat.press("a")
        await seat.card("Step s1 (")
        assert (stand.root / "api.py").read_text() == API
        await seat.press("T")
        await seat.until(lambda: isinstance(seat.app.screen, TimelineScreen))
        await seat.press("r")
        await seat.sees("Land step s1 again?")
        await seat.guard()
        await seat.press("y")
        await seat.until(lambda: (stand.root / "api.py").read_text() == mine)

    kinds = [type(record.event).__name__ for record in stand.store.records]
    assert [kind for kind in kinds if kind.startswith("Landing") or kind == "TurnRefused"] == [
        "TurnRefused", "LandingUndone", "LandingRedone"
    ]  # fmt: skip


async def test_an_undo_that_clashes_is_left_or_come_back_to(tmp_path: Path) -> None:
    stand = real_landing(tmp_path)
    async with seated(stand) as seat:
        mine = await clashing_undo(stand, seat)
        await seat.press("escape", "u")
        await seat.card("cannot be taken back yet: 1 conflict")
        await seat.press("plus")
        await seat.card("all conflicts are settled")
        await seat.press("1", "down")
        await seat.card("Step s1 is not taken back yet")
        await seat.guard()
        await seat.press("v")
        await seat.card("all conflicts are settled")
        await seat.press("e")
        await seat.until(lambda: isinstance(seat.app.focused, HunkEditor))
        await seat.press("escape")
    resumed = Stand(
        tmp_path,
        store=stand.store,
        blobs=stand.blobs,
        lander=lambda root, blobs: open_lander(root, tmp_path / "state", blobs),
    )
    async with seated(resumed) as seat:
        await seat.card("all conflicts are settled")
        await seat.until(lambda: "both stand there" in seat.rows("diff"))
        await seat.press("s")
        await seat.card("Done: 1 of 2 steps landed")

    assert (stand.root / "api.py").read_text() == mine
    assert not [r for r in stand.store.records if isinstance(r.event, ev.LandingUndone)]


async def test_a_change_after_settling_an_undo_is_shown_before_it_is_taken_back(
    tmp_path: Path,
) -> None:
    stand = real_landing(tmp_path)
    async with seated(stand) as seat:
        mine = await clashing_undo(stand, seat)
        await seat.press("escape", "u")
        await seat.card("cannot be taken back yet: 1 conflict")
        await seat.press("greater_than_sign")
        await seat.card("all conflicts are settled")
        (stand.root / "api.py").write_text(mine.replace("line 20\n", "my line 20\n"))
        await seat.guard()
        await seat.press("a")
        await seat.card("your files changed since. Both changes merge")
        assert "[my name]" in (stand.root / "api.py").read_text()
        await seat.guard()
        await seat.press("a")
        await seat.until(lambda: "[my name]" not in (stand.root / "api.py").read_text())

    assert (stand.root / "api.py").read_text() == API.replace("line 20\n", "my line 20\n")
