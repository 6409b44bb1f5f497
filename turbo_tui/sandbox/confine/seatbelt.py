"""Confine a command on macOS with `sandbox-exec`: a profile that denies what it does not name.

Written from Apple's manual pages and the profiles in `/System/Library/Sandbox/Profiles`, and not
yet tried on a Mac by us: the profile's text is tested, its effect is not. So it is used only where
the probe saw it refuse what it must, and is never called more than `reduced`.

Source: sandbox-exec(1), sandbox_init(3); Apple's Sandbox Guide (reverse.put.as, 2011).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from turbo_tui.core.command import Command, Grants, Limits
from turbo_tui.core.errors import SandboxError
from turbo_tui.core.ports import CommandResult, Guarantee, OnOutput
from turbo_tui.sandbox.confine import hiding, toolchains
from turbo_tui.sandbox.confine.supervised import Confinement, run_supervised
from turbo_tui.sandbox.place import ConfinerName, Place
from turbo_tui.sandbox.process.limits import DEFAULTS

PROGRAM = "/usr/bin/sandbox-exec"
SYSTEM = (
    *("/usr", "/bin", "/sbin", "/System", "/private/etc", "/private/var/select"),
    *("/private/var/db/timezone", "/private/var/db/dyld", "/Library/Apple", "/Library/Developer"),
    *("/Library/Frameworks", "/opt/homebrew", "/opt/local", "/nix/store"),
    "/Applications/Xcode.app",
)
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/dtracehelper")
# Links in the root through which everything else is named.
LINKS = ("/etc", "/tmp", "/var")  # noqa: S108 - named in the profile, not used
# What libc and language run-times ask of the kernel and of the system's services; the list of
# processes (`kern.proc`) is not among it.
SYSCTLS = ("hw.", "machdep.cpu.", "kern.os", "vm.loadavg")
SYSCTL_NAMES = (
    *("kern.argmax", "kern.hostname", "kern.maxfilesperproc", "kern.ngroups", "kern.version"),
    *("kern.secure_kernel", "kern.usrstack64", "kern.bootargs", "kern.boottime"),
)
SERVICES = (
    "com.apple.system.notification_center",
    "com.apple.system.opendirectoryd.libinfo",
    "com.apple.system.logger",
)
NETWORK_SERVICES = (
    "com.apple.SystemConfiguration.configd",
    "com.apple.dnssd.service",
    "com.apple.trustd.agent",
)
UNTRIED = "not yet tried on a Mac by us"


class Seatbelt:
    """The choice on macOS; REDUCED, because of what its guarantees name.

    Args:
        limits: What a command may use.
        environ: The user's environment; the process's own when None.
        home: The user's home folder; from the system when None.
        hide: Not needed: what is not named cannot be read.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        home: Path | None = None,
        hide: Iterable[Path] = (),
    ) -> None:
        self._limits = (limits or Limits()).over(DEFAULTS)
        self._environ = dict(os.environ if environ is None else environ)
        self._home = home or toolchains.home_folder()
        self._hide = tuple(hide)

    @property
    def name(self) -> ConfinerName:
        """`seatbelt`."""
        return "seatbelt"

    @property
    def guarantees(self) -> tuple[Guarantee, ...]:
        """What it holds by its profile; the gaps are the system's own."""
        return (
            Guarantee("writes", True, f"only the stage and a scratch folder; {UNTRIED}"),
            Guarantee("reads", True, f"only the system, the stage and toolchains; {UNTRIED}"),
            Guarantee("network", True, f"none unless all of it is granted; {UNTRIED}"),
            Guarantee("limits", False, "processes, open files, file size and time; not memory"),
            Guarantee(
                "tree", False, "its process group is ended; a process that leaves it lives on"
            ),
        )

    async def run(
        self,
        place: Place,
        command: Command,
        *,
        on_output: OnOutput | None = None,
    ) -> CommandResult:
        """Run a command to its end, as `core.ports.Stage.run` says.

        Raises:
            SandboxError: It could not be started, or it is granted what cannot be granted here.
        """
        refuse_grants(command.grants)
        hidden = (self._home, *self._hide)
        tools = toolchains.detect(place.workspace, self._home, self._environ, hidden)

        def confine(scratch: Path) -> Confinement:
            text = profile(place, scratch, tools.folders, command.grants)
            return Confinement(prefix=(PROGRAM, "-p", text))

        return await run_supervised(
            place,
            command,
            tools,
            confine,
            limits=command.limits.over(self._limits),
            environ=self._environ,
            on_output=on_output,
        )

    def warm(self, place: Place) -> None:
        """Nothing waits here for a command."""

    async def dismiss(self, place: Place) -> None:
        """Nothing waits here for a command."""


def missing(platform: str, program: str = PROGRAM) -> str:
    """Return what is not there, with its mend; empty when a trial makes sense."""
    if platform != "darwin":
        return "works on macOS only"
    if not os.access(program, os.X_OK):
        return f"{program} is not there, or may not be executed; it is a part of macOS"
    return ""


def refuse_grants(grants: Grants) -> None:
    """Make sure that a command is only granted what this sandbox can open alone.

    Raises:
        SandboxError: It is granted more.
    """
    words = [
        *(["single hosts (grant the whole network instead)"] if grants.network == "hosts" else []),
        *(["debugging"] if grants.ptrace else []),
        *(["unix sockets"] if grants.unix_sockets else []),
    ]
    if words:
        raise SandboxError(
            f"On macOS a command cannot be granted {' or '.join(words)}: sandbox-exec would open "
            "more than that. Run it yourself, outside of turbo-tui."
        )


def profile(place: Place, scratch: Path, tools: Iterable[Path], grants: Grants) -> str:
    """Return the profile for a command: all is denied but what is named; the last rule wins.

    Args:
        place: Whose tree may be written, but for what git would run and what is masked.
        scratch: The command's own home and temporary folder.
        tools: Toolchains, shown read-only.
        grants: What else was granted.

    Raises:
        SandboxError: A path cannot be named in a profile.
    """
    tree = place.tree
    written = _real((tree, scratch, *map(Path, grants.writable)))
    git = hiding.git_folders(place.git_dir) if place.git_dir is not None else ()
    read = _real((*map(Path, SYSTEM), *tools, *git, *map(Path, grants.readable)))
    return "\n".join(
        (
            "(version 1)",
            "(deny default)",
            "(allow process-fork process-exec)",
            "(allow signal (target same-sandbox))",
            "(allow process-info* (target same-sandbox))",
            "(allow ipc-posix-sem)",
            *_rule("allow sysctl-read", "sysctl-name-prefix", SYSCTLS),
            *_rule("allow sysctl-read", "sysctl-name", SYSCTL_NAMES),
            *_rule("allow mach-lookup", "global-name", SERVICES),
            *_rule("allow file-read-metadata", "literal", (*LINKS, *_above((*written, *read)))),
            '(allow file-read-data (literal "/"))',
            *_rule("allow file-read*", "subpath", map(str, read)),
            *_rule("allow file-read* file-write-data file-ioctl", "literal", DEVICES),
            *_rule("allow file-read* file-write*", "subpath", map(str, written)),
            *_closed(place),
            *_network(grants),
            "",
        )
    )


def _closed(place: Place) -> Iterator[str]:
    """Yield what is denied again within the stage."""
    tree = _real((place.tree,))[0]
    kept = (".git/hooks", ".git/config", ".git/config.worktree", *place.read_only)
    yield from _rule("deny file-write*", "subpath", (str(tree / name) for name in kept))
    # Renamed away, with what must be kept in it, `.git` could be made anew.
    yield from _rule("deny file-write-unlink", "literal", (str(tree / ".git"),))
    secret = (".turbo", *place.masked)
    yield from _rule("deny file-read* file-write*", "subpath", (str(tree / n) for n in secret))


def _network(grants: Grants) -> Iterator[str]:
    if grants.network == "all":
        yield "(allow network* system-socket)"
        yield from _rule("allow mach-lookup", "global-name", NETWORK_SERVICES)


def _rule(action: str, kind: str, words: Iterable[str]) -> Iterator[str]:
    listed = " ".join(f"({kind} {quoted(word)})" for word in words)
    if listed:
        yield f"({action} {listed})"


def quoted(text: str) -> str:
    r"""Return a string of the profile's language, in which `\` and `"` are escaped.

    Raises:
        SandboxError: It holds a control character, of which nobody says how it is read.
    """
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in text):  # noqa: PLR2004 - ASCII
        raise SandboxError(
            f"{text!r}: a path with a control character cannot be named to sandbox-exec. Rename "
            "it, or work in another folder."
        )
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _real(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Resolve links: the kernel compares with real paths."""
    return tuple(dict.fromkeys(Path(os.path.realpath(path)) for path in paths))


def _above(paths: Iterable[Path]) -> tuple[str, ...]:
    """Return the folders on the way to paths, whose names programs look up."""
    return tuple(sorted({str(parent) for path in paths for parent in path.parents}))
