"""Pictures for the README, made from the running demo: `python -m tests.app.screenshots`.

Each picture is the real app on the bundled project: real stage, sandbox and review.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.app.screen_kit import BIG, seated
from turbo_tui.app.opened import Options
from turbo_tui.commands.open import demo_opener

FOLDER = Path(__file__).parents[2] / "assets" / "screenshots"


async def take(folder: Path) -> list[Path]:
    """Write `plan.svg` and `review.svg`; return their paths."""
    taken: list[Path] = []

    def save(svg: str, name: str) -> None:
        path = folder / f"{name}.svg"
        path.write_text(svg, encoding="utf-8")
        taken.append(path)

    with tempfile.TemporaryDirectory() as home:
        options = Options(title="tally", ascii_only=False)
        async with seated(demo_opener(Path(home)), BIG, options) as seat:
            await seat.until(lambda: seat.prompt.value)
            await seat.press("enter")
            seat.clock.now += 1
            await seat.card("The plan has")
            save(seat.app.export_screenshot(), "plan")
            await seat.press("g")
            await seat.card("wants to land")
            await seat.until(lambda: "hunk 1/" in seat.rows("diff"))
            seat.app.session_screen.furniture.bar.refresh()
            await seat.pilot.pause()
            save(seat.app.export_screenshot(), "review")
    return taken


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for written in asyncio.run(take(FOLDER)):
        sys.stdout.write(f"{written}\n")
