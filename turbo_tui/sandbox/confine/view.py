"""What a confined command sees: bubblewrap's options for its mounts, and its variables.

Order matters in them, the last mount at a path wins.

Source: bwrap(1).
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath

from turbo_tui.core.command import Command, Grants, Limits
from turbo_tui.core.errors import SandboxError
from turbo_tui.sandbox.confine import hiding, toolchains
from turbo_tui.sandbox.confine.environment import environment
from turbo_tui.sandbox.confine.granted import Surroundings
from turbo_tui.sandbox.confine.reaching import inner_python, proxy_variables
from turbo_tui.sandbox.place import Place
from turbo_tui.sandbox.system import SYSTEM_PATH

SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the sandbox's own
TOOLS_S = 2.0  # for how long what was found of them is believed
STARTER_ENV = {"PATH": ":".join(SYSTEM_PATH), "LANG": "C.UTF-8"}


class View:
    """Compute what the commands of one user see.

    Args:
        program: The bubblewrap, whose options differ with its version.
        environ: The user's environment.
        home: The user's home folder.
        hide: Further folders to hide.
    """

    def __init__(
        self, program: str, environ: Mapping[str, str], home: Path, hide: Iterable[Path]
    ) -> None:
        self._program = program
        self._environ = environ
        self._home = home
        self._hide = tuple(hide)
        self._known: tuple[Path, toolchains.Toolchains | None, float] = (Path(), None, 0.0)

    def options(self, place: Place, command: Command, limits: Limits) -> list[str]:
        """Return bubblewrap's options for a command, all but the descriptors.

        Raises:
            SandboxError: The folder is outside the workspace, a mask is behind a symlink, or
                the workspace is the whole system.
        """
        words = self.mounts(place, command.grants, limits)
        words.append("--clearenv")
        for name, value in self.variables(place, command).items():
            words += ("--setenv", name, value)
        words += ("--chdir", inside(place, command.cwd))
        return words

    def mounts(self, place: Place, grants: Grants, limits: Limits) -> list[str]:
        """Return the options that are the same for every command of a place with these grants.

        A worker that waits for its command was started with them; what belongs to the command
        alone are its variables, its folder and its argv.

        Raises:
            SandboxError: A mask is behind a symlink, or the workspace is the whole system.
        """
        if place.workspace == Path("/"):
            raise SandboxError("The root of the system cannot be a workspace: nothing is outside.")
        network = grants.network == "all"
        tools = self._tools(place, grants)
        words = [*self._namespaces(place, network=network)]
        words += self._host(place)
        words += self._scratch(place, tools, limits)
        words += self._shown_read_only(place, tools)
        words += self._granted(place, grants, tools)
        words += self._sockets_closed(place, grants)
        words += self._inner_python() if grants.network == "hosts" else ()
        words += _resolver(self._all_hidden) if network else ()
        words += self._shown("--bind", place.tree, place.workspace)
        for mask in hiding.workspace_masks(place):
            words += mask
        words += self._closed_for_writing(place)
        return words

    def variables(self, place: Place, command: Command) -> dict[str, str]:
        """Return a command's whole environment."""
        tools = self._tools(place, command.grants)
        return environment(
            self._environ,
            path=tools.path,
            home=_home(place),
            scratch=_scratch(place),
            tools=tools.env,
            network=command.grants.network != "off",
            proxy=proxy_variables(command.grants),
            extra=command.env,
        )

    def _tools(self, place: Place, grants: Grants) -> toolchains.Toolchains:
        """Return the user's tools as they were a moment ago: some hundred looks at the disk."""
        now = time.monotonic()
        workspace, tools, until = self._known
        if tools is None or workspace != place.workspace or now >= until:
            hidden = self._all_hidden
            tools = toolchains.detect(place.workspace, self._home, self._environ, hidden)
            self._known = (place.workspace, tools, now + TOOLS_S)
        return tools if grants.network == "off" else tools.with_network()

    def _host(self, place: Place) -> Iterator[str]:
        """Yield the host's files, read-only, with what must not be seen hidden."""
        yield from ("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc")
        for path in hiding.KERNEL_SETTINGS:
            yield from ("--ro-bind-try", path, path)
        for folder in self._covered(place):
            yield from ("--tmpfs", str(folder))
        for path, is_folder in self._root_only(place):
            yield from _hide(path, is_folder=is_folder)

    def _shown_read_only(self, place: Place, tools: toolchains.Toolchains) -> Iterator[str]:
        """Yield what of the hidden is shown after all: tools, caches, git's outside folder."""
        for folder in tools.folders:
            yield from self._shown("--ro-bind", folder, folder)
        for source, below_home in tools.caches:
            yield from self._shown("--ro-bind", source, Path(_home(place), below_home))
        for path, is_folder in tools.credentials:
            yield from _hide(path, is_folder=is_folder, shown=hiding.EMPTY)
        if place.git_dir is not None and place.git_dir.is_dir():
            for folder in hiding.git_folders(place.git_dir):
                yield from self._shown("--ro-bind", folder, folder)

    def _granted(self, place: Place, grants: Grants, tools: toolchains.Toolchains) -> Iterator[str]:
        """Yield the paths that this command was granted, less what is hidden within them."""
        around = Surroundings(place.workspace, self._home, self._hide)
        paths = around.granted_paths(grants)
        for each in paths:
            option = "--bind" if each.writable else "--ro-bind"
            yield from self._shown(option, each.path, each.path)
        named = tuple(each.path for each in paths)
        hidden = [(folder, True) for folder in self._hidden]
        hidden += (*self._root_only(place), *tools.credentials)
        for path, is_folder in hidden if named else ():
            if path not in named and hiding.below(path, named):
                yield from _hide(path, is_folder=is_folder)

    def _sockets_closed(self, place: Place, grants: Grants) -> Iterator[str]:
        """Yield masks over the host's sockets for a command that may use sockets of its own."""
        if not grants.unix_sockets:
            return
        granted = tuple(map(Path, (*grants.readable, *grants.writable)))
        # The kernel's lists have no full path of what was bound by a relative one.
        found = {path for folder in granted for path in hiding.sockets_below(folder)}
        for table in hiding.network_tables():
            found.update(hiding.host_sockets(table))
        for path in sorted(found):
            seen = hiding.below(path, granted) or not hiding.below(path, self._all_hidden)
            if seen and not path.is_relative_to(place.workspace):
                yield from _hide(path, is_folder=False)

    def _inner_python(self) -> Iterator[str]:
        """Yield the Python that opens the way to the proxy, where its installation is hidden."""
        installation = inner_python().parent.parent
        if hiding.below(installation, self._all_hidden):
            yield from self._shown("--ro-bind", installation, installation)

    def _closed_for_writing(self, place: Place) -> Iterator[str]:
        """Yield the last options: hidden folders, now that all mount points in them are made."""
        closed = [path for path, is_folder in self._root_only(place) if is_folder]
        for folder in (*self._covered(place), *closed):
            if folder != place.workspace:  # the workspace lies over it there
                yield from ("--remount-ro", str(folder))

    def _namespaces(self, place: Place, *, network: bool) -> Iterator[str]:
        """Yield the options that make namespaces and drop rights.

        As root for another owner there is no user namespace, since one maps a single user: root's
        rights make the mounts, `setpriv` then becomes the owner for good.
        """
        if is_for_owner(place):
            yield from ("--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try")
            yield from () if network else ("--unshare-net",)
            yield from ("--cap-drop", "ALL")
            for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
                yield from ("--cap-add", capability)
        else:
            yield from ("--unshare-all", "--unshare-user")
            if self._knows("--disable-userns"):  # the filter refuses them in any case
                yield "--disable-userns"
            yield from ("--share-net",) if network else ()
            yield from ("--uid", str(os.geteuid()), "--gid", str(os.getegid()))
            yield from ("--cap-drop", "ALL")
        yield from ("--die-with-parent", "--new-session", "--hostname", "sandbox")

    def _knows(self, option: str) -> bool:
        """Whether this bwrap has an option: `--size` came with 0.7, `--disable-userns` with 0.8."""
        return option in self._help

    @cached_property
    def _help(self) -> str:
        try:
            done = subprocess.run(
                (self._program, "--help"),
                env=STARTER_ENV,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=5,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return done.stdout + done.stderr

    @cached_property
    def _hidden(self) -> tuple[Path, ...]:
        return hiding.hidden_folders(self._home, *self._hide)

    def _covered(self, place: Place) -> tuple[Path, ...]:
        """Return the folders to hide that do not lie in one of root's, which is hidden whole."""
        closed = [path for path, is_folder in self._root_only(place) if is_folder]
        return tuple(folder for folder in self._hidden if not hiding.below(folder, closed))

    @property
    def _all_hidden(self) -> tuple[Path, ...]:
        return (*self._hidden, Path(hiding.SCRATCH))

    def _root_only(self, place: Place) -> tuple[tuple[Path, bool], ...]:
        """Return what uid 0 may read by owning it, capabilities or not.

        Only what is still there: bubblewrap cannot make a mount point on a read-only system.
        """
        if not _is_root() or place.owner_uid != 0:
            return ()
        return tuple(
            (path, is_folder)
            for path, is_folder in self._closed
            if (path.is_dir() if is_folder else path.is_file())
        )

    @cached_property
    def _closed(self) -> tuple[tuple[Path, bool], ...]:
        found = hiding.root_only_paths()
        return tuple(each for each in found if not hiding.below(each[0], self._hidden))

    def _shown(self, option: str, source: Path, target: Path) -> Iterator[str]:
        """Yield a bind; folders above it that are made for it can be passed by anyone.

        Bubblewrap would make them 0700, and as root that shuts out the owner who runs here.
        """
        tops = [top for top in self._all_hidden if hiding.below(target, (top,))]
        for parent in reversed(target.parents) if tops else ():
            if any(parent != top and hiding.below(parent, (top,)) for top in tops):
                yield from ("--perms", "0755", "--dir", str(parent))
        yield from (option, str(source), str(target))

    def _scratch(self, place: Place, tools: toolchains.Toolchains, limits: Limits) -> Iterator[str]:
        """Yield the private /tmp, /dev/shm and home, in memory and limited."""
        for folder, size in (
            (hiding.SCRATCH, limits.scratch_bytes),
            (SHARED_MEMORY, limits.shared_bytes),
        ):
            limit = ("--size", str(size)) if self._knows("--size") else ()
            yield from ("--perms", "1777", *limit, "--tmpfs", folder)
        # Made by root for the owner who runs here: open to all, as /tmp is.
        open_to = "0777" if is_for_owner(place) else "0755"
        home = _home(place)
        for folder in (home, *(f"{home}/{Path(path).parent}" for _, path in tools.caches)):
            yield from ("--perms", open_to, "--dir", folder)


def _hide(path: Path, *, is_folder: bool, shown: str = os.devnull) -> tuple[str, ...]:
    """Return the options that close a path; a file in a way that tools take, or as no file."""
    return ("--tmpfs", str(path)) if is_folder else ("--ro-bind", shown, str(path))


def _scratch(place: Place) -> str:
    """Return TMPDIR; elsewhere where the workspace covers it, being /tmp itself."""
    covered = Path(hiding.SCRATCH).is_relative_to(place.workspace)
    return SHARED_MEMORY if covered else hiding.SCRATCH


def _home(place: Place) -> str:
    return f"{_scratch(place)}/home"


def _is_root() -> bool:
    return os.geteuid() == 0


def is_for_owner(place: Place) -> bool:
    """Whether we are root and the workspace is somebody else's, who then runs the command."""
    return _is_root() and place.owner_uid != 0


def inside(place: Place, cwd: str) -> str:
    """Return a folder of the workspace as an absolute path.

    Raises:
        SandboxError: It is not in the workspace, or not there.
    """
    hiding.check_folder(place, cwd)
    return str(place.workspace / PurePosixPath(cwd))


def _resolver(hidden: tuple[Path, ...]) -> tuple[str, ...]:
    """Return the bind that keeps name look-ups working where resolv.conf lies in /run."""
    real = Path(os.path.realpath("/etc/resolv.conf"))
    if real.is_file() and hiding.below(real, hidden):
        return ("--ro-bind", str(real), str(real))
    return ()
