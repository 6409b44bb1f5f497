"""A workspace: its root, its settings, and what we keep about it elsewhere."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from turbo_tui.config import Paths, Settings, load_settings, paths
from turbo_tui.core.errors import ConfigError, SandboxError, StageError, WorkspaceError
from turbo_tui.projects import ProjectSettings, load_project
from turbo_tui.trust import Consents, Trust, project_files

if TYPE_CHECKING:
    from turbo_tui.adapters.blobs import FolderBlobs
    from turbo_tui.core.landings import Checkpoints, Lander
    from turbo_tui.core.ports import Stages
    from turbo_tui.wiring.confining import Confining


@dataclass(slots=True)
class Workspace:
    """A folder someone works in, and what we keep about it elsewhere.

    Attributes:
        root: The git root, or the folder itself; absolute, symlinks resolved.
        state: Where sessions, stages, blobs and landings lie; never inside `root`.
        trusted: The project's `.turbo/` and `.env` count as configuration.
        project: What the user settled for this workspace, in their own config folder.
        confining: What confines the stages' commands, once there are stages.
    """

    root: Path
    paths: Paths
    settings: Settings
    trusted: bool
    project: ProjectSettings
    confining: Confining | None = field(default=None, repr=False)
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

    @property
    def checkpoints(self) -> Checkpoints | None:
        """Keeps landings as hidden git commits; None where the user did not ask for that."""
        if not self.settings.landing.checkpoints:
            return None
        from turbo_tui.vcs.checkpoints import GitCheckpoints  # noqa: PLC0415

        return GitCheckpoints(self.root, self.blobs)

    async def stages(self) -> Stages:
        """Probe the sandbox, or remember what held, and return what makes stages here.

        Raises:
            WorkspaceError: The state folder cannot be written.
            StageError: The sandbox that was asked for is not to be had, or no stage can be made.
            ConfigError: What was asked for is no sandbox.
        """
        if self._stages is None:
            from turbo_tui.sandbox.probing.probe import FORCE  # noqa: PLC0415
            from turbo_tui.sandbox.probing.remembered import FILE, Remembered  # noqa: PLC0415
            from turbo_tui.wiring.confining import Confining  # noqa: PLC0415

            make_state(self.state)
            tree, named = wanted_rung(os.environ.get(FORCE, "") or self.settings.sandbox.rung)
            memory = Remembered(self.paths.cache / FILE, self.state)
            limits = self.settings.sandbox.limits
            shown = self.project.show_secrets
            # The cache holds other projects' texts, the settings say where models are.
            ours = (self.paths.cache, self.paths.config)
            self.confining = Confining(self.state, named, memory, limits, shown, ours)
            try:
                self._stages = await self.confining.open(self.root, self.blobs, tree)
            except SandboxError as error:
                # No command failed: this machine has not what was asked for.
                raise StageError(str(error)) from error
            except OSError as error:  # the trials write there
                raise WorkspaceError(_no_state(self.state, error.strerror or "")) from error
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
        if given == Path():
            raise WorkspaceError(
                "The current folder is not there any more, or cannot be read. Go to another one."
            ) from error
        raise WorkspaceError(
            f"{given}: there is no such folder. Give the folder of a project, or nothing for "
            "the current one."
        ) from error
    if not folder.is_dir():
        raise WorkspaceError(f"{given}: is a file, not a folder. Give the folder it lies in.")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise WorkspaceError(f"{given}: you may not read this folder; check its permissions.")
    root = folder if here else git_root(folder)
    _refuse_git_folder(root)
    where = paths()
    if where.state.is_relative_to(root):
        raise WorkspaceError(_holds_state(folder, root, where.state))
    files = project_files(root)
    trusted = Trust(where.state).has(root, files)
    settings = load_settings(
        where.config_file, project=root, contents=files.contents, trusted=trusted
    )
    project = load_project(where.config, root)
    settings = replace(settings, rules=(*settings.rules, *project.rules))
    return Workspace(root, where, settings, trusted, project)


def _refuse_git_folder(root: Path) -> None:
    """Open no repository's own folder: its hooks and config would be files like others.

    Raises:
        WorkspaceError: It is one, or lies in one; worktrees may, which say so by a `.git`.
    """
    if (root / ".git").exists():
        return
    for each in (root, *root.parents):
        if all((each / name).exists() for name in ("HEAD", "objects", "refs")):
            what = "is a git repository without files" if each == root else f"lies in {each}"
            raise WorkspaceError(
                f"{root}: {what}, which is git's own folder. Open a clone or a worktree of it: "
                "`git clone`, `git worktree add`."
            )


def _holds_state(folder: Path, root: Path, state: Path) -> str:
    """Say why a folder that holds what we keep is no workspace; mostly it is the home folder."""
    inside = f"the state folder {state} lies inside"
    move = "TURBO_TUI_HOME or XDG_STATE_HOME to a folder outside it"
    if root != folder:
        here = f"`--here` keeps to {folder.name}; or set {move}."
        return f"{root}, the git root of {folder}: {inside}. {here}"
    if Path(os.path.expanduser("~")).is_relative_to(root):  # noqa: PTH111  it never fails
        return (
            f"{root} is your home folder or holds it, and not a project. Go into one, or name it: "
            f"`turbo-tui PATH`; `turbo-tui --demo` shows one. To open {root} itself set {move}: "
            f"{inside}."
        )
    return f"{root}: {inside} this workspace. Set {move}."


def make_state(state: Path) -> None:
    """Make the state folder, for the user's eyes only.

    Raises:
        WorkspaceError: It cannot be made or written.
    """
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        writable = os.access(state, os.W_OK | os.X_OK)
    except OSError as error:
        raise WorkspaceError(_no_state(state, error.strerror or str(error))) from error
    if not writable:
        raise WorkspaceError(_no_state(state, "it is not writable"))


def _no_state(state: Path, why: str) -> str:
    return (
        f"{state}: sessions cannot be kept here: {why}. Make it writable, or set TURBO_TUI_HOME "
        "to another folder."
    )


Tree = Literal["auto", "overlay", "copy"]
CONFINERS = ("bubblewrap", "landlock", "seatbelt", "unsandboxed")


def wanted_rung(words: str) -> tuple[Tree, str]:
    """Read `overlay+bubblewrap`, `copy`, `landlock` or `auto`; an empty confiner is the best.

    Raises:
        ConfigError: A word names no rung.
    """
    tree: Tree = "auto"
    confiner = ""
    for word in words.split("+"):
        if word in {"overlay", "copy"}:
            tree = cast("Tree", word)
        elif word in CONFINERS:
            confiner = word
        elif word not in {"", "auto"}:
            raise ConfigError(
                f"{words!r} is no sandbox rung: join one of overlay, copy with one of "
                f"{', '.join(CONFINERS)}, as in overlay+bubblewrap."
            )
    return tree, confiner


def git_root(folder: Path) -> Path:
    """Return the nearest folder at or above `folder` that holds `.git`; else `folder`."""
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists():
            return candidate
    return folder
