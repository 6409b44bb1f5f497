"""What of the session screen can wait until the first frame is painted: all but plan and prompt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from textual.containers import Vertical
from textual.screen import Screen
from textual.widget import Widget

from turbo_widgets.approval_bar import ApprovalBar
from turbo_widgets.diff_pane import DiffPane
from turbo_widgets.knowledge_pane import KnowledgePane
from turbo_widgets.log_pane import LogPane
from turbo_widgets.project_pane import ProjectPane
from turbo_widgets.tab_strip import TabStrip


@dataclass(frozen=True, slots=True)
class Furniture:
    """The widgets, mounted."""

    bar: ApprovalBar
    diff: DiffPane
    log: LogPane
    knowledge: KnowledgePane
    project: ProjectPane
    strips: tuple[TabStrip, ...]


async def furnish(screen: Screen[None], right: Widget, clock: Callable[[], float]) -> Furniture:
    """Mount everything.

    Args:
        screen: The session's screen; has `#main` and `#ask`.
        right: Where the panes beside the plan go.
        clock: Seconds, monotonic; for the approval bar's guard.
    """
    made = Furniture(
        bar=ApprovalBar(clock=clock),
        diff=DiffPane(id="diff"),
        log=LogPane(id="log"),
        knowledge=KnowledgePane(id="knowledge"),
        project=ProjectPane(id="project"),
        strips=(TabStrip(id="tabs"), TabStrip(id="right-tabs"), TabStrip(id="low-tabs")),
    )
    top, right_top, low = made.strips
    await screen.mount(top, before="#main")
    lower = Vertical(made.log, made.knowledge, made.project, id="lower")
    await right.mount(right_top, made.diff, low, lower)
    await screen.mount(made.bar, before="#ask")
    return made
