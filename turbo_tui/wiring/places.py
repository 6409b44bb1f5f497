"""Where the search worker of a workspace is, by our folders; nothing heavy is imported for it."""

from __future__ import annotations

from pathlib import Path

from turbo_tui.config import paths
from turbo_tui.knowledge.home import Home, home_of


def search_home(root: Path) -> Home:
    """Return where the search worker of a workspace and its index are."""
    where = paths()
    return home_of(root, cache=where.cache, state=where.state, config=where.config)
