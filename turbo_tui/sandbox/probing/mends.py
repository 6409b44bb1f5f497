"""What to do about a sandbox that does not work here: words for the user, each with a command."""

from __future__ import annotations

import re
from pathlib import Path

_INSTALL = {
    "debian": "apt install bubblewrap",
    "ubuntu": "apt install bubblewrap",
    "fedora": "dnf install bubblewrap",
    "rhel": "dnf install bubblewrap",
    "arch": "pacman -S bubblewrap",
    "suse": "zypper install bubblewrap",
    "opensuse": "zypper install bubblewrap",
    "alpine": "apk add bubblewrap",
    "gentoo": "emerge sys-apps/bubblewrap",
    "void": "xbps-install bubblewrap",
}
# What bubblewrap prints of a mount of /proc that the kernel refuses, for parts of it are covered.
_PROC_REFUSED = "mount proc"
_NO_NAMESPACE = ("namespace", "uid map", "Operation not permitted")
CONTAINER_FILES = (Path("/.dockerenv"), Path("/run/.containerenv"))
# What `running` says around bubblewrap's own words, for someone who ran a command.
_STARTS, _ENDS = "The sandbox could not be started: ", "`turbo-tui doctor` shows what works here."
_SEE = re.compile(r"\s*See <[^>]*>( or <[^>]*>)?\.*")  # a distribution's own words on the matter
_LET_CONTAINER = "start the container with"


def install_line(os_release: Path = Path("/etc/os-release")) -> str:
    """Return how this distribution installs bubblewrap; never from a Python registry."""
    try:
        lines = os_release.read_text("utf-8").splitlines()
    except OSError:
        lines = []
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    for word in f"{fields.get('ID', '')} {fields.get('ID_LIKE', '')}".replace('"', "").split():
        if word in _INSTALL:
            return _INSTALL[word]
    return "install your distribution's package `bubblewrap`"


def explain(message: str, sysctls: Path = Path("/proc/sys")) -> str:
    """Add to bubblewrap's own words what to do about them.

    Args:
        message: As it failed.
        sysctls: Where the kernel's settings are read.
    """
    said = message.removeprefix(_STARTS).removesuffix(_ENDS)
    said = _SEE.sub("", said).strip().rstrip(".")
    return ". ".join(filter(None, (said, mend_of(message, sysctls))))


def mend_of(message: str, sysctls: Path = Path("/proc/sys")) -> str:
    """Return what to do about a failure; empty where that is not known."""
    refused = any(word in message for word in _NO_NAMESPACE)
    mends = (
        (
            _PROC_REFUSED in message,
            (
                "Parts of /proc are covered here, as in a container, and the kernel gives no fresh "
                f"one then: {_LET_CONTAINER} --security-opt systempaths=unconfined"
            ),
        ),
        (
            any(words in message for words in ("Unknown option", "unrecognized option")),
            f"This bubblewrap is too old: 0.5 or newer is needed ({install_line()})",
        ),
        (
            sysctl("kernel/apparmor_restrict_unprivileged_userns", sysctls) == "1",
            (
                "AppArmor refuses user namespaces: install the distribution's own bubblewrap with "
                "its profile (apt install bubblewrap apparmor-profiles), or run "
                "`sysctl kernel.apparmor_restrict_unprivileged_userns=0`"
            ),
        ),
        (
            sysctl("kernel/unprivileged_userns_clone", sysctls) == "0",
            "User namespaces are off: run `sysctl kernel.unprivileged_userns_clone=1`",
        ),
        (
            sysctl("user/max_user_namespaces", sysctls) == "0",
            "No user namespaces are allowed: run `sysctl user.max_user_namespaces=15000`",
        ),
        (
            refused and any(file.exists() for file in CONTAINER_FILES),
            (
                f"This container refuses namespaces or mounts: {_LET_CONTAINER} --security-opt "
                "seccomp=unconfined --security-opt apparmor=unconfined --security-opt "
                "systempaths=unconfined"
            ),
        ),
        (
            refused,
            (
                "Something above this process (a container, a systemd unit, another sandbox) "
                "refuses namespaces to it: allow them there, or start turbo-tui outside of it"
            ),
        ),
    )
    return next((mend for applies, mend in mends if applies), "")


def sysctl(name: str, root: Path = Path("/proc/sys")) -> str:
    """Return a setting of the kernel; empty where there is none."""
    try:
        return (root / name).read_text("ascii").strip()
    except OSError:
        return ""
