"""Windows over the session on a terminal that is smaller than they are."""

from __future__ import annotations

from textual.app import App
from textual.screen import Screen

from turbo_tui.app.dialogs import QuestionScreen
from turbo_tui.app.opened import Option, Question

QUESTION = Question(
    "Land it?",
    tuple(f"src/file_{number}.py" for number in range(30)),
    (Option("yes", "y", "land it"), Option("no", "n", "leave it")),
    otherwise="no",
)


def seen(screen: Screen[str]) -> list[str]:
    strips = screen._compositor.render_strips()  # pyright: ignore[reportPrivateUsage]
    rows = [strip.text.replace("\N{NO-BREAK SPACE}", " ") for strip in strips]
    return [row.strip("│ ▁▂▃▄▅▆▇█") for row in rows]


async def test_a_question_larger_than_the_terminal_shows_its_keys_and_scrolls() -> None:
    app = App[None]()
    async with app.run_test(size=(50, 12)) as pilot:
        screen = QuestionScreen(QUESTION)
        await app.push_screen(screen)
        await pilot.pause()
        first = seen(screen)
        await pilot.press(*["down"] * 40)
        last = seen(screen)

    assert "y land it   n/esc leave it" in first
    assert "src/file_0.py" in first
    assert "src/file_29.py" not in first
    assert "y land it   n/esc leave it" in last
    assert "src/file_29.py" in last
