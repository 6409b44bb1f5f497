"""Where data lies: state, cache and settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Paths:
    """Where data lies: state (sessions, stages, blobs), cache (index), config (settings)."""

    state: Path
    cache: Path
    config: Path

    @property
    def config_file(self) -> Path:
        """The user's settings."""
        return self.config / "config.toml"


def paths(environment: Mapping[str, str] | None = None) -> Paths:
    """Return the folders of state, cache and config; `TURBO_TUI_HOME` moves all of them."""
    env = os.environ if environment is None else environment
    home = env.get("TURBO_TUI_HOME")
    if home:
        root = Path(home).expanduser().absolute()
        return Paths(root / "state", root / "cache", root / "config")
    user = Path(env.get("HOME") or "~").expanduser()

    def base(variable: str, default: str) -> Path:
        given = env.get(variable, "")
        # The XDG specification says to ignore relative paths.
        return (Path(given) if given.startswith("/") else user / default) / "turbo-tui"

    return Paths(
        base("XDG_STATE_HOME", ".local/state"),
        base("XDG_CACHE_HOME", ".cache"),
        base("XDG_CONFIG_HOME", ".config"),
    )
