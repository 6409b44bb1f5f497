"""What a project is: its languages, its parts, and the commands that build and test it."""

from __future__ import annotations

from turbo_tui.intelligence.facts import Command, Inspected, LanguageShare, ProjectPart
from turbo_tui.intelligence.inspecting import brief, inspect

__all__ = ["Command", "Inspected", "LanguageShare", "ProjectPart", "brief", "inspect"]
