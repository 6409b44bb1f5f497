"""A workspace: its root, its settings, and what we keep about it elsewhere."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from turbo_tui.config import Paths, Settings, load_settings, paths
from turbo_tui.core.errors import WorkspaceError
from turbo_tui.trust import Consents, Trust

if TYPE_CHECKING:
    from turbo_tui.adapters.blobs import FolderBlobs
    from turbo_tui.core.ports import Lander, Stages


@dataclass(slots=True)
class Workspace:
    """A folder someone works in, and what we keep about it elsewhere.

    Attributes:
        root: The git root, or the folder itself; absolute, symlinks resolved.
        state: Where sessions, stages, blobs and landings lie; never inside `root`.
        trusted: The project's `.turbo/` and `.env` count as configuration.
    """

    root: Path
    paths: Paths
    settings: Settings
    trusted: bool
    _blobs: FolderBlobs | None = field(default=None, repr=False)
    _lander: Lander | None = field(default=None, repr=False)
    _stages: Stages | None = field(default=None, repr=False)

    @property
    def state(self) -> Path:
        """The state folder."""
        return self.paths.state

    @property
    def trust(self) -> Trust:
        """What the user trusts."""
        return Trust(self.state)

    @property
    def consents(self) -> Consents:
        """Hosts the user agreed to."""
        return Consents(self.state)

    @property
    def blobs(self) -> FolderBlobs:
        """Content by its hash, shared by all sessions."""
        if self._blobs is None:
            from turbo_tui.adapters.blobs import FolderBlobs  # noqa: PLC0415

            self._blobs = FolderBlobs(self.state / "blobs")
        return self._blobs

    @property
    def lander(self) -> Lander:
        """Writes approved changes into `root`."""
        if self._lander is None:
            from turbo_tui.landing import open_lander  # noqa: PLC0415

            self._lander = open_lander(self.root, self.state, self.blobs)
        return self._lander

    async def stages(self) -> Stages:
        """Probe the sandbox (cached) and return what makes stages here."""
        if self._stages is None:
            from turbo_tui.sandbox.probe import probe  # noqa: PLC0415
            from turbo_tui.sandbox.stages import open_stages  # noqa: PLC0415

            rung = os.environ.get("TURBO_TUI_RUNG", "") or self.settings.sandbox.rung
            tree, _, confiner = rung.partition("+")
            probed = await probe(self.state, want=confiner)
            self._stages = open_stages(
                self.root,
                self.state,
                self.blobs,
                probed.confiner,
                rung=tree or "auto",
                reasons=probed.reasons,
            )
        return self._stages


def open_workspace(path: str | Path = ".", *, here: bool = False) -> Workspace:
    """Find the workspace that `path` means and read its settings.

    Args:
        path: Any folder; its enclosing git root is meant.
        here: `path` itself is meant.

    Raises:
        WorkspaceError: No such folder, or it cannot be read.
        ConfigError: A setting cannot be used.
    """
    given = Path(path).expanduser()
    try:
        folder = given.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise WorkspaceError(
            f"{given}: there is no such folder. Give the folder of a project, or nothing for "
            "the current one."
        ) from error
    if not folder.is_dir():
        raise WorkspaceError(f"{given}: is a file, not a folder. Give the folder it lies in.")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise WorkspaceError(f"{given}: you may not read this folder; check its permissions.")
    root = folder if here else git_root(folder)
    where = paths()
    if where.state.is_relative_to(root) and root != Path.home().resolve():
        raise WorkspaceError(
            f"{root}: the state folder {where.state} lies inside this workspace. Set "
            "TURBO_TUI_HOME or XDG_STATE_HOME to a folder outside it."
        )
    trusted = Trust(where.state).has(root)
    settings = load_settings(where.config_file, project=root, trusted=trusted)
    return Workspace(root, where, settings, trusted)


def git_root(folder: Path) -> Path:
    """Return the nearest folder at or above `folder` that holds `.git`; else `folder`."""
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists():
            return candidate
    return folder
