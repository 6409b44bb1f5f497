"""The README's picture, made from the running app on the demo: current, and the same each time.

UPDATE_SCREENSHOT=1 .venv/bin/pytest tests/app/test_screenshot.py     # or: make screenshot
"""

from __future__ import annotations

import html
import io
import os
import re
import tempfile
from pathlib import Path

import pytest
from rich.console import Console

from tests.app.screen_kit import BIG, Seat, seated
from turbo_tui.app.options import Options
from turbo_tui.commands.open import demo_opener
from turbo_widgets.approval_bar import ApprovalBar

PICTURE = Path(__file__).parents[2] / "assets" / "screenshot.svg"
# What differs from run to run, and what stands there instead, of the same width.
FIXED = (
    (re.compile(r"\d+\.\d(?=&#160;s\b)"), "0.1"),
    (re.compile(r"\d\d,\d\d\d(?=&#160;bytes)"), "13,347"),
    (re.compile(r"\d\d:\d\d:\d\d"), "10:24:07"),
    (re.compile(r"turbo-tui-demo-\w{8}"), "turbo-tui-demo-q2x81b7k"),
)

# What a command used; how wide that is differs too.
USAGE = re.compile(r'textLength="[\d.]+"([^>]*)>(?:&#160;|\s)*[\d.]+&#160;m?s&#160;cpu[^<]*')


def picture_of(seat: Seat) -> str:
    """Draw what is on screen; nothing in it depends on machine, time or chance."""
    width, height = seat.app.size
    console = Console(
        width=width, height=height, file=io.StringIO(), force_terminal=True,
        color_system="truecolor", record=True, legacy_windows=False, safe_box=False,
    )  # fmt: skip
    console.print(seat.app.screen._compositor.render_update(full=True))  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType]
    drawn = console.export_svg(title="turbo-tui", unique_id="turbo-tui")
    # Fonts of the reader's machine: a picture must not fetch anything.
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r"<!-- Generated.*?-->", "", drawn)
    drawn = drawn.replace("<svg ", '<svg xml:space="preserve" ', 1)
    drawn = drawn.replace("Fira Code", "DejaVu Sans Mono, Menlo, Consolas")
    for pattern, words in FIXED:
        drawn = pattern.sub(
            lambda found, words=words: words.rjust(len(html.unescape(found[0]))), drawn
        )
    drawn = USAGE.sub(r'textLength="402.6"\1>65 ms cpu · 14 MB · 20 kB written', drawn)
    return drawn.strip() + "\n"


def words_of(picture: str) -> list[str]:
    """Return the words of a picture in the order they are drawn; scroll bars and lines are none."""
    found = re.findall(r"<text[^>]*>([^<]*)</text>", picture)
    texts = [html.unescape(text).replace("\u00a0", " ").strip() for text in found]
    return [text for text in texts if re.search(r"\w", text)]


async def picture_under_review(folder: Path, options: Options) -> str:
    """Go to the review of the demo's second step, leave one hunk out, and draw that."""
    async with seated(demo_opener(folder), BIG, options) as seat:
        if seat.app.opened is None or not seat.app.opened.run.stages.report.rung.startswith("over"):
            pytest.skip("the picture shows a sandbox on an overlay")
        await seat.until(lambda: seat.prompt.value)
        await seat.press("enter")
        seat.clock.now += 1
        await seat.card("The plan has 3 steps")
        await seat.press("g")
        await seat.card("wants to land 2 files")
        run = seat.app.opened.run
        await seat.until(lambda: not run.busy)  # the others have run ahead: one order of the log
        await seat.press("a")
        await seat.card("wants to land 3 files")
        await seat.until(lambda: "WIDTH = 32" in seat.rows("diff"))
        await seat.until(lambda: not run.busy)
        await seat.press("2", "f", "n")
        await seat.until(lambda: "report.py" in seat.text)
        await seat.press("space")
        await seat.until(lambda: "[ ] left out  hunk 1/2" in seat.rows("diff"))
        await seat.press("n", *["up"] * 10)
        seat.app.clear_notifications()
        seat.clock.now += 1  # past the moment in which the card takes no keys
        seat.app.session_screen.query_one(ApprovalBar).refresh()
        await seat.pilot.pause()
        drawn = picture_of(seat)
        await seat.app.close_session()  # ends its workers, too
        return drawn


@pytest.mark.skipif(not Path("/usr/bin/bwrap").is_file(), reason="the picture shows a full sandbox")
async def test_the_readmes_picture_shows_the_app_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURBO_TUI_HOME", str(tmp_path / "home"))
    options = Options(title="demo", ascii_only=False)
    with tempfile.TemporaryDirectory(prefix="turbo-tui-demo-", dir="/tmp") as folder:
        drawn = await picture_under_review(Path(folder), options)

    if os.environ.get("UPDATE_SCREENSHOT"):
        PICTURE.parent.mkdir(exist_ok=True)
        if not PICTURE.exists() or words_of(drawn) != words_of(PICTURE.read_text(encoding="utf-8")):
            PICTURE.write_text(drawn, encoding="utf-8")
    assert str(tmp_path) not in drawn
    assert "http" not in drawn.replace("http://www.w3.org/", ""), "it would fetch something"
    committed = PICTURE.read_text(encoding="utf-8")
    assert words_of(drawn) == words_of(committed), "out of date: run make screenshot"
