"""What the user wishes of a widget, handed to the desk; nothing while no session is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from turbo_widgets.plan_pane import PlanPane

if TYPE_CHECKING:
    from turbo_tui.app.desk import Desk
    from turbo_widgets.approval_bar import ApprovalBar
    from turbo_widgets.diff_pane import DiffPane
    from turbo_widgets.hunk_editor import HunkEditor
    from turbo_widgets.knowledge_pane import KnowledgePane
    from turbo_widgets.rows import RowsView


class Wishes:
    """Textual finds these by the names of the messages."""

    desk: Desk | None

    def on_plan_pane_edit_wanted(self, event: PlanPane.EditWanted) -> None:
        """Edit a step."""
        if self.desk is not None:
            self.desk.planning.edit(event.step_id)

    def on_plan_pane_remove_wanted(self, event: PlanPane.RemoveWanted) -> None:
        """Drop a step."""
        if self.desk is not None:
            self.desk.planning.remove(event.step_id)

    def on_plan_pane_add_wanted(self, event: PlanPane.AddWanted) -> None:
        """Add a step."""
        if self.desk is not None:
            self.desk.planning.add(event.position)

    def on_plan_pane_take_back_wanted(self, _: PlanPane.TakeBackWanted) -> None:
        """Take the last edit of the plan back."""
        if self.desk is not None:
            self.desk.planning.take_back()

    def on_plan_pane_mode_wanted(self, event: PlanPane.ModeWanted) -> None:
        """Set a step to auto or ask."""
        if self.desk is not None:
            self.desk.planning.set_mode(event.step_id, event.mode)

    def on_plan_pane_move_wanted(self, event: PlanPane.MoveWanted) -> None:
        """Move a step."""
        if self.desk is not None:
            self.desk.planning.move(event.step_id, event.position)

    def on_rows_view_cursor_moved(self, event: RowsView.CursorMoved) -> None:
        """Another step under the plan's cursor: show its changes."""
        if self.desk is None or not isinstance(event.view, PlanPane):
            return
        if event.view.selected is not None:
            self.desk.feed.select(event.view.selected.step_id)

    def on_diff_pane_hunk_wanted(self, event: DiffPane.HunkWanted) -> None:
        """Take a hunk in, or leave it out."""
        if self.desk is not None:
            self.desk.reviewing.decide_hunk(event)

    def on_diff_pane_settle_wanted(self, event: DiffPane.SettleWanted) -> None:
        """Settle a conflict."""
        if self.desk is not None:
            self.desk.reviewing.settle(event)

    def on_diff_pane_lines_wanted(self, event: DiffPane.LinesWanted) -> None:
        """Take lines in, or leave them out."""
        if self.desk is not None:
            self.desk.reviewing.decide_lines(event)

    async def on_hunk_editor_edited(self, event: HunkEditor.Edited) -> None:
        """Let land what the user wrote."""
        if self.desk is not None:
            await self.desk.reviewing.keep_edit(event)

    def on_diff_pane_comment_wanted(self, event: DiffPane.CommentWanted) -> None:
        """Keep a word on a line."""
        if self.desk is not None:
            self.desk.reviewing.comment(event)

    def on_diff_pane_ignored_wanted(self, event: DiffPane.IgnoredWanted) -> None:
        """Let an ignored folder land, or not."""
        if self.desk is not None:
            self.desk.reviewing.decide_ignored(event)

    def on_approval_bar_answered(self, event: ApprovalBar.Answered) -> None:
        """Do what the card's key means."""
        if self.desk is not None:
            self.desk.perform(event.card, event.action)

    def on_knowledge_pane_query_changed(self, event: KnowledgePane.QueryChanged) -> None:
        """Search."""
        if self.desk is not None:
            self.desk.looking.search(event.query)

    def on_knowledge_pane_preview_wanted(self, event: KnowledgePane.PreviewWanted) -> None:
        """Show a file."""
        if self.desk is not None:
            self.desk.looking.preview(event.path, event.line, event.span)

    def on_knowledge_pane_pin_wanted(self, event: KnowledgePane.PinWanted) -> None:
        """Give a file to the next task."""
        if self.desk is not None:
            self.desk.looking.pin(event.path)

    def on_knowledge_pane_editor_wanted(self, event: KnowledgePane.EditorWanted) -> None:
        """Open a file in the user's editor."""
        if self.desk is not None:
            self.desk.looking.edit_file(event.path, event.line)
