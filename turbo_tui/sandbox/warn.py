"""Changes that the host may run by itself later: a reviewer is pointed at them."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import cast

from turbo_tui.core.changes import FileChange
from turbo_tui.core.ports import Blobs

MAX_MANIFEST_BYTES = 5_000_000

_FILES = {
    ".envrc": "direnv runs it on entering the folder",
    ".pre-commit-config.yaml": "names commands that run at every commit",
    ".gitattributes": "can name filters that git runs",
    ".gitmodules": "names repositories that git fetches",
    ".npmrc": "can name scripts and registries for npm",
    "lefthook.yml": "names commands that run at every commit",
    "sitecustomize.py": "Python runs it at every start",
}
_FOLDERS = {
    ".husky": "a git hook",
    ".githooks": "a git hook",
    ".idea": "an editor setting that can run commands",
    ".devcontainer": "describes a container that editors start",
}
_PATHS = {
    (".vscode", "tasks.json"): "editor tasks",
    (".vscode", "settings.json"): "editor settings that can name commands",
    (".vscode", "launch.json"): "editor launch commands",
    (".github", "workflows"): "runs on the forge with its secrets",
}


def warnings_of(change: FileChange, blobs: Blobs) -> list[str]:
    """Say what of a change may be run later without being asked for; empty for most."""
    after = change.after
    if after is None or after.kind == "folder":
        return []
    parts = change.path.split("/")
    found: list[str] = []
    was_executable = change.before is not None and bool(change.before.mode & 0o111)
    if after.kind == "file" and after.mode & 0o111 and not was_executable:
        found.append("is executable now")
    if parts[-1] in _FILES:
        found.append(_FILES[parts[-1]])
    found.extend(_FOLDERS[part] for part in parts[:-1] if part in _FOLDERS)
    found.extend(why for pair, why in _PATHS.items() if pair in pairwise(parts))
    if parts[-1].endswith(".pth"):
        found.append("Python runs lines of it at every start")
    if parts[-1] == "package.json" and _scripts_changed(change, blobs):
        found.append("its scripts changed")
    return found


def _scripts_changed(change: FileChange, blobs: Blobs) -> bool:
    sides: list[object] = []
    for node in (change.before, change.after):
        if node is None or node.kind != "file" or not node.blob:
            sides.append(None)
            continue
        if node.size_bytes > MAX_MANIFEST_BYTES:
            return True
        try:
            value: object = json.loads(blobs.get(node.blob))
        except (ValueError, RecursionError):
            return True  # whatever reads it may see more in it than we do
        scripts = (
            cast("dict[str, object]", value).get("scripts") if isinstance(value, dict) else None
        )
        sides.append(scripts or None)
    return sides[0] != sides[1]
