"""What a large diff costs on screen, against a bare ScrollView that paints the same lines.

    python bench/diff.py [--rounds N] [--lines N] [--json]

Both are shown in one app, by turns, so that a busy machine slows both alike. Timed is the way from
the value to the first frame with it: layout, and every visible line drawn. Keys are timed from the
press to the frame after it. The memory of each is the growth of a process of its own. Targets:
load and first frame at most 3 times the bare view, at most 20 MB.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import psutil
from rich.segment import Segment
from textual.app import App, ComposeResult
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from turbo_widgets.diff_pane import DiffFile, DiffHunk, DiffLine, DiffPane, DiffValue

TARGET_RATIO = 3.0
TARGET_MB = 20.0
COLUMNS, LINES = 120, 40


class Settings(argparse.Namespace):
    """What the command line says."""

    rounds: int
    lines: int
    json: bool
    memory_of: str


class Bare(ScrollView, can_focus=True):
    """Lines as they are: the floor."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: Sequence[str] = ()

    def show(self, lines: Sequence[str]) -> None:
        """Show lines from the first on."""
        self.lines = lines
        self.virtual_size = Size(120, len(lines))
        self.scroll_to(y=0, animate=False, force=True)
        self.refresh()

    def action_scroll_relative_rows(self, rows: int) -> None:
        """Go on by so many rows."""
        self.scroll_relative(y=rows, animate=False, force=True)

    def action_page_down(self) -> None:
        """Go on by a screenful."""
        self.scroll_relative(y=self.size.height - 1, animate=False, force=True)

    def render_line(self, y: int) -> Strip:
        """Draw a line."""
        place = self.scroll_offset.y + y
        text = self.lines[place] if place < len(self.lines) else ""
        return Strip([Segment(text.ljust(self.size.width), self.rich_style)]).crop(
            0, self.size.width
        )


class BenchApp(App[None]):
    """The pane and the floor, one of them shown at a time."""

    CSS = "DiffPane, Bare { height: 1fr; }"

    def compose(self) -> ComposeResult:
        """Bring in both."""
        yield DiffPane(id="diff")
        yield Bare()


def made(lines: int, seed: int) -> tuple[DiffValue, list[str]]:
    """Return a diff of so many lines, a hunk for every sixty, and its lines as text."""
    files: list[DiffFile] = []
    bare: list[str] = []
    number = 0
    while len(bare) < lines:
        hunks: list[DiffHunk] = []
        for _ in range(10):
            shown: list[DiffLine] = []
            for place in range(60):
                number += 1
                text = f"    value_{seed}_{number} = compute(items[{place}], flag=True)  # {number}"
                match place % 10:
                    case 3:
                        shown.append(DiffLine("removed", text, number))
                    case 4:
                        shown.append(DiffLine("added", text.replace("True", "False"), 0, number))
                    case _:
                        shown.append(DiffLine("same", text, number, number))
            hunks.append(DiffHunk(f"line {number}", tuple(shown)))
            bare += [f"{line.old or '':>6} {line.new or '':>6} {line.text}" for line in shown]
            if len(bare) >= lines:
                break
        files.append(DiffFile(f"src/part_{len(files)}.py", "update", tuple(hunks), by_line=True))
    return DiffValue(f"step {seed}", tuple(files), commentable=True), bare


async def frame(widget: Widget) -> None:
    """Wait for the frame in which the widget is drawn as it is now."""
    drawn = asyncio.Event()
    widget.call_after_refresh(drawn.set)
    await drawn.wait()
    for y in range(
        widget.size.height
    ):  # what the compositor asks for, whether or not it is damaged
        widget.render_line(y)


async def timed(act: Callable[[], Awaitable[object] | None], widget: Widget) -> float:
    """Return milliseconds from an act to the frame after it."""
    began = time.perf_counter()
    result = act()
    if result is not None:
        await result
    await frame(widget)
    return (time.perf_counter() - began) * 1000


async def measure(settings: Settings) -> dict[str, float]:
    """Measure all, by turns."""
    loads: dict[str, list[float]] = {"diff": [], "bare": []}
    keys: dict[str, dict[str, list[float]]] = {
        "n": {"diff": [], "bare": []},
        "pagedown": {"diff": [], "bare": []},
    }
    app = BenchApp()
    async with app.run_test(size=(COLUMNS, LINES)) as pilot:
        pane, bare = app.query_one(DiffPane), app.query_one(Bare)
        for seed in range(settings.rounds):
            value, lines = made(settings.lines, seed)
            for name, widget in (("bare", bare), ("diff", pane)):
                pane.display, bare.display = widget is pane, widget is bare
                widget.focus()
                await pilot.pause()
                gc.collect()
                show = partial(pane.show, value) if widget is pane else partial(bare.show, lines)
                loads[name].append(await timed(show, widget))
                await pilot.pause(0.3)  # colours are worked out after the first frame
                for key, taken in keys.items():
                    action = {"n": "action_hunk", "pagedown": "action_cursor_page"}[key]
                    for _ in range(15):
                        if widget is pane:
                            press = lambda name=action: getattr(pane, name)(1)  # noqa: E731
                        elif key == "n":
                            press = lambda: bare.action_scroll_relative_rows(60)  # noqa: E731
                        else:
                            press = bare.action_page_down
                        taken[name].append(await timed(press, widget))
                        await asyncio.sleep(0)
    found = {
        "load_diff_ms": statistics.median(loads["diff"]),
        "load_bare_ms": statistics.median(loads["bare"]),
    }
    found["load_ratio"] = found["load_diff_ms"] / found["load_bare_ms"]
    for key, taken in keys.items():
        for name in ("diff", "bare"):
            found[f"{key}_{name}_p95_ms"] = statistics.quantiles(taken[name], n=20)[-1]
        found[f"{key}_ratio"] = found[f"{key}_diff_p95_ms"] / found[f"{key}_bare_p95_ms"]
    return found


async def grown(settings: Settings) -> float:
    """Return by how many MB this process grows when a widget shows the lines and pages through."""
    app = BenchApp()
    async with app.run_test(size=(COLUMNS, LINES)) as pilot:
        pane, bare = app.query_one(DiffPane), app.query_one(Bare)
        value, lines = made(settings.lines, 0)
        pane.display, bare.display = settings.memory_of == "diff", settings.memory_of == "bare"
        await pilot.pause()
        gc.collect()
        before = psutil.Process().memory_info().rss
        if settings.memory_of == "diff":
            pane.show(value)
            await pilot.pause(1.0)
            for _ in range(50):
                pane.action_cursor_page(1)
                await pilot.pause(0.02)
        else:
            bare.show(lines)
            await pilot.pause(1.0)
        return (psutil.Process().memory_info().rss - before) / 1e6


def main() -> int:
    """Measure, print, and say by the exit code whether the targets are met."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--memory-of", default="", choices=("", "diff", "bare"))
    settings = parser.parse_args(namespace=Settings())
    if settings.memory_of:
        print(asyncio.run(grown(settings)))
        return 0
    found = asyncio.run(measure(settings))
    own = [sys.executable, __file__, "--lines", str(settings.lines), "--memory-of"]
    for name in ("diff", "bare"):
        ran = subprocess.run([*own, name], capture_output=True, text=True, check=True)
        found[f"grown_{name}_mb"] = float(ran.stdout)
    met = found["load_ratio"] <= TARGET_RATIO and found["grown_diff_mb"] <= TARGET_MB
    if settings.json:
        print(json.dumps({**found, "met": met}))
    else:
        for name, number in found.items():
            print(f"{name:>22} {number:8.1f}")
        print(f"targets ({TARGET_RATIO:.0f} x, {TARGET_MB:.0f} MB) {'met' if met else 'NOT met'}")
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
