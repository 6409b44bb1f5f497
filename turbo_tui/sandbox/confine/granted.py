"""Paths of the host that the user let one command read or write: checked, never taken on trust.

A model names them and a person says yes to a line of text. What that line cannot show, such as
a link to elsewhere or the keys that lie in a home folder, is refused here.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from turbo_tui.core.command import Grants
from turbo_tui.core.errors import SandboxError
from turbo_tui.sandbox.confine.hiding import SCRATCH, below

KERNEL = (Path("/proc"), Path("/sys"), Path("/dev"))
SOCKETS = Path("/run")


@dataclass(frozen=True, slots=True)
class GrantedPath:
    """A path of the host as it is, no link on the way."""

    path: Path
    writable: bool


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What must not be given away by the grant of a path.

    Attributes:
        workspace: Its files are in the stage already.
        home: The user's home folder: parts of it can be granted, never the whole.
        ours: Folders of ours with other projects' sessions.
    """

    workspace: Path
    home: Path
    ours: tuple[Path, ...] = ()

    def granted_paths(self, grants: Grants) -> tuple[GrantedPath, ...]:
        """Check the paths of a grant; return them with parents first.

        Raises:
            SandboxError: One of them cannot be granted; the message says why and what can.
        """
        kinds = dict.fromkeys(grants.readable, False) | dict.fromkeys(grants.writable, True)
        found = [GrantedPath(self._checked(name), writable) for name, writable in kinds.items()]
        for each in found:
            if each.writable and below(self.workspace, (each.path,)):
                why = "the workspace lies in it, and is only written by what is reviewed"
                raise _refused(str(each.path), why)
            if grants.unix_sockets and below(each.path, (SOCKETS,)):
                why = "sockets of services lie there, and unix sockets are granted"
                raise _refused(str(each.path), why, "Ask for one of both")
        return tuple(sorted(found, key=lambda each: each.path.parts))

    def _checked(self, name: str) -> Path:
        path = Path(name)
        if not path.is_absolute() or ".." in path.parts or "\0" in name:
            raise _refused(name, "it is not an absolute path, or has `..` in it")
        _check_links(path)
        if below(path, KERNEL) or path == Path(SCRATCH):
            raise _refused(name, "the sandbox has its own")
        homes = (self.home, Path(os.path.realpath(self.home)))
        if any(below(home, (path,)) for home in homes):  # so it is for the system's root
            raise _refused(name, "all of the home folder lies in it", "Name the one folder needed")
        for own in (Path(os.path.realpath(folder)) for folder in self.ours):
            if below(path, (own,)) or below(own, (path,)):
                raise _refused(name, "sessions of other projects lie there")
        if below(path, (self.workspace,)):
            raise _refused(name, "it is in the workspace, where no grant is needed")
        return path


def _check_links(path: Path) -> None:
    """Go down to a path: what is agreed to must be what is shown."""
    mode = 0
    for at in (*reversed(path.parents), path):
        try:
            mode = at.lstat().st_mode
        except FileNotFoundError:
            raise _refused(str(path), f"{at} is not there", "Make it first") from None
        except (OSError, ValueError) as error:
            raise _refused(str(path), f"{at} cannot be looked at ({error})") from error
        if stat.S_ISLNK(mode):
            real = os.path.realpath(path)
            raise _refused(str(path), f"{at} is a symlink", f"The path without links is {real}")
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        raise _refused(str(path), "it is neither a file nor a folder")


def _refused(name: str, why: str, instead: str = "") -> SandboxError:
    said = f"{name} cannot be granted to a command: {why}."
    return SandboxError(f"{said} {instead}." if instead else said)
