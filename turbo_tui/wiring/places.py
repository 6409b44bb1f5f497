"""Where the search worker of a workspace is, by our folders; nothing heavy is imported for it."""

from __future__ import annotations

from pathlib import Path

from turbo_tui.config import load_settings, paths
from turbo_tui.knowledge.service.home import Home, home_of


def search_home(root: Path) -> Home:
    """Return where the search worker of a workspace and its index are.

    Raises:
        ConfigError: The user's settings cannot be used.
    """
    where = paths()
    wanted = load_settings(where.config / "config.toml", environment={}).knowledge
    return home_of(
        root,
        cache=where.cache,
        state=where.state,
        config=where.config,
        model=wanted.model,
        own_vectors=wanted.own_vectors,
    )
