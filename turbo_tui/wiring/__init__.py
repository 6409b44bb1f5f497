"""The one place that picks adapters: for a workspace, its models, and a run on it."""

from __future__ import annotations

from turbo_tui.wiring.workspace import Workspace, git_root, open_workspace

__all__ = ["Workspace", "git_root", "open_workspace"]
