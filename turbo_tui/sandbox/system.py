"""Where the system keeps its programs: what a helper of ours is looked up in, and nothing else."""

from __future__ import annotations

SYSTEM_PATH = (
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
)
