"""Settings: user's file, project's file, environment and flags -> frozen values.

Read with the standard library alone, because settings are needed before the first frame
(docs/decisions/0003). Later sources win: user's `config.toml`, trusted project's
`.turbo/config.toml`, environment, flags. An untrusted project can only tighten: its lower
caps and its `deny` and `ask` rules count, everything else in its file is ignored.
"""

from __future__ import annotations

from turbo_tui.config.environment import SEED_VARIABLES
from turbo_tui.config.files import load_plain, nearest, read_rules
from turbo_tui.config.layers import PROJECT_FILE, load_settings
from turbo_tui.config.places import Paths, paths
from turbo_tui.config.values import (
    CODER_MODEL,
    KINDS,
    OLLAMA_CLOUD,
    OLLAMA_LOCAL,
    PLANNER_MODEL,
    UNBOUNDED,
    Caps,
    Kind,
    KnowledgeSettings,
    LandingSettings,
    ModelSettings,
    Origin,
    RunSettings,
    SandboxSettings,
    Settings,
)

__all__ = [
    "CODER_MODEL",
    "KINDS",
    "OLLAMA_CLOUD",
    "OLLAMA_LOCAL",
    "PLANNER_MODEL",
    "PROJECT_FILE",
    "SEED_VARIABLES",
    "UNBOUNDED",
    "Caps",
    "Kind",
    "KnowledgeSettings",
    "LandingSettings",
    "ModelSettings",
    "Origin",
    "Paths",
    "RunSettings",
    "SandboxSettings",
    "Settings",
    "load_plain",
    "load_settings",
    "nearest",
    "paths",
    "read_rules",
]
