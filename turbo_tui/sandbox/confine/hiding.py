"""What of the host a confined command must not see, and the check of where mounts go."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

from turbo_tui.core.errors import SandboxError
from turbo_tui.sandbox.place import Place

# Other people's and other programs' files: homes, sockets, disks, scratch.
HIDDEN = ("/home", "/root", "/run", "/mnt", "/media", "/var/tmp")  # noqa: S108 - hidden, not used
SCRATCH = "/tmp"  # noqa: S108 - a private one inside the sandbox

# What a masked file shows. Not /dev/null: it cannot be opened where devices are off, as here.
EMPTY = str(Path(__file__).with_name("empty"))

# Writable by uid 0 by ownership alone, without capabilities and also in a user namespace:
# `kernel/core_pattern` names a program that the kernel runs as the real root.
KERNEL_SETTINGS = (
    *("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/acpi"),
    *("/proc/driver", "/proc/scsi", "/proc/tty", "/proc/mtrr", "/proc/pressure"),
)

# Where root's secrets lie that root without capabilities can still read, being their owner:
# folder -> how deep to look.
_ROOT_ONLY = {"/": 1, "/etc": 8, "/var": 3, "/opt": 2, "/srv": 2, "/boot": 2}
MOST_ENTRIES = 50_000  # of a granted folder that is looked through for sockets: half a second
_MOUNTED_ANEW = {"/proc", "/sys", "/dev", SCRATCH, *HIDDEN}


def hidden_folders(*more: Path) -> tuple[Path, ...]:
    """Return the folders that are there to be hidden, links resolved: ours, and more."""
    found: list[Path] = []
    for folder in (*map(Path, HIDDEN), *more):
        real = Path(os.path.realpath(folder))
        covered = any(real.is_relative_to(other) for other in (*found, Path(SCRATCH)))
        if real.is_dir() and real != Path("/") and not covered:
            found.append(real)
    return tuple(found)


def root_only_paths() -> tuple[tuple[Path, bool], ...]:
    """Return (path, is a folder) of what only root and groups of root's may read."""
    found: list[tuple[Path, bool]] = []
    for folder, depth in _ROOT_ONLY.items():
        found.extend(_closed_to_others(folder, depth))
    return tuple(dict.fromkeys(found))


def _closed_to_others(folder: str, depth: int) -> Iterator[tuple[Path, bool]]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.path in _MOUNTED_ANEW or entry.is_symlink():
            continue
        try:
            mode = entry.stat(follow_symlinks=False).st_mode
        except FileNotFoundError:  # removed meanwhile
            continue
        if stat.S_ISDIR(mode):
            if not mode & stat.S_IXOTH:
                yield Path(entry.path), True
            elif depth > 1:
                yield from _closed_to_others(entry.path, depth - 1)
        elif stat.S_ISREG(mode) and not mode & stat.S_IROTH:
            yield Path(entry.path), False


def host_view(place: Place) -> Path:
    """Return the path by which this process sees the place's tree, its mounts included."""
    if "-t" not in place.enter:
        return place.tree
    holder = place.enter[place.enter.index("-t") + 1]
    return Path("/proc", holder, "root", place.tree.relative_to("/"))


def check_folder(place: Place, cwd: str) -> None:
    """Make sure that a command can start in a folder, named from the workspace.

    Raises:
        SandboxError: It leads out of the workspace, or is not there.
    """
    path = PurePosixPath(cwd)
    if path.is_absolute() or ".." in path.parts:
        raise SandboxError(f"A command's folder is named from the workspace: {cwd} leads outside.")
    if not (host_view(place) / path).is_dir():
        raise SandboxError(f"There is no folder {cwd} in the workspace to run the command in.")


def plain_kind(root: Path, name: str) -> str:
    """Return `folder`, `file` or `` (nothing there) for a path below a tree.

    Bubblewrap before 0.12 follows a link on the way to a mount point, and so mounts, or makes
    a file, outside. So nothing on the way may be one.

    Raises:
        SandboxError: There is a symlink, or something that is neither file nor folder.
    """
    at = root
    kind = "folder"
    for part in Path(name).parts:
        at /= part
        try:
            mode = at.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return ""
        if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
            shown = at.relative_to(root)
            raise SandboxError(
                f"{shown} in the workspace is a symlink or a special file. The sandbox must mask "
                f"{name} there and does not mount through links. Make {shown} a plain file or "
                "folder, or discard the stage in which it was made."
            )
        kind = "folder" if stat.S_ISDIR(mode) else "file"
    return kind


def workspace_masks(place: Place) -> Iterator[tuple[str, ...]]:
    """Yield bubblewrap options for what is masked within the workspace.

    Only what is there is mounted over: no placeholder appears in anybody's change set.
    Hooks and config of git can be read, not written; our own `.turbo` is not seen at all; files
    with secrets are empty.

    `.vscode`, `.idea` and `.envrc` can be written: what a step makes of them is reviewed before
    it lands, with a warning that they run commands. Nothing of git's own is ever shown for
    review, and git of the host may look into a stage: so its hooks and config stay as they are.

    Raises:
        SandboxError: A place to be masked is behind a symlink.
    """
    seen = host_view(place)
    if place.git_dir is None or not (seen / ".git").is_symlink():
        yield from _git_masks(place, seen, ".git")
    for name in place.read_only:
        if name.endswith("/.git") or name.startswith(".git/modules/"):
            yield from _git_masks(place, seen, name)
        else:
            yield from _bind(place, seen, name, folder="--ro-bind", file="--ro-bind")
    for name in place.masked:
        if _is_reachable_file(seen, name):
            yield ("--ro-bind", EMPTY, str(place.workspace / name))
    own = str(place.workspace / ".turbo")
    match plain_kind(seen, ".turbo"):
        case "folder":
            yield ("--tmpfs", own)
            yield ("--remount-ro", own)
        case "file":
            yield ("--ro-bind", os.devnull, own)
        case _:
            return


def _git_masks(place: Place, seen: Path, name: str) -> Iterator[tuple[str, ...]]:
    """Yield what closes a git folder's hooks and config; the file of a submodule as a whole."""
    # A mount point itself cannot be renamed, and so no other folder put in its place.
    yield from _bind(place, seen, name, folder="--bind", file="--ro-bind")
    for part in ("hooks", "config", "config.worktree"):
        yield from _bind(place, seen, f"{name}/{part}", folder="--ro-bind", file="--ro-bind")


def _is_reachable_file(seen: Path, name: str) -> bool:
    """Whether a file of the workspace still shows in the place, by that path."""
    try:
        return plain_kind(seen, name) == "file"
    except SandboxError:
        return False  # the step has put a link there: what was below it does not show any more


def _bind(
    place: Place, seen: Path, name: str, *, folder: str, file: str
) -> Iterator[tuple[str, str, str]]:
    kind = plain_kind(seen, name)
    if kind:
        option = folder if kind == "folder" else file
        yield option, str(place.tree / name), str(place.workspace / name)


def git_folders(git_dir: Path) -> tuple[Path, ...]:
    """Return a git folder and, for a worktree, the one it shares with the main checkout."""
    try:
        common = (git_dir / "commondir").read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return (git_dir,)
    shared = Path(os.path.normpath(git_dir / common))
    # A planted `commondir` must not show another folder of the user's.
    return (shared, git_dir) if (shared / "HEAD").is_file() else (git_dir,)


def host_sockets(table: Path = Path("/proc/net/unix")) -> Iterator[Path]:
    """Yield the paths at which programs of the host listen, links resolved.

    A read-only mount does not keep anybody from connecting. Source: proc(5), unix(7).

    Args:
        table: The kernel's list.
    """
    try:
        lines = table.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        _, named, rest = line.partition(" /")
        with suppress(OSError):
            path = Path(os.path.realpath(f"/{rest}"))
            if named and path.is_socket():
                yield path


def network_tables(proc: Path = Path("/proc")) -> Iterator[Path]:
    """Yield the kernel's lists of unix sockets, one for each network namespace we may look at."""
    yield proc / "net/unix"
    seen: set[int] = set()
    for folder in proc.iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):  # it ended, or is another user's
                number = (folder / "ns/net").stat().st_ino
                if number not in seen:
                    seen.add(number)
                    yield folder / "net/unix"


def sockets_below(path: Path, most: int = MOST_ENTRIES) -> Iterator[Path]:
    """Yield the unix sockets in a folder of the host, whoever bound them, by whatever name.

    Raises:
        SandboxError: There is more in it than can be looked through, or a part that cannot be.
    """
    waiting, looked_at = [path], 0
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    looked_at += 1
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(Path(entry.path))
                    elif stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode):
                        yield Path(entry.path)
        except (NotADirectoryError, FileNotFoundError):
            continue
        except OSError as error:
            raise _sockets_unknown(path, f"{folder} cannot be read ({error.strerror})") from error
        if looked_at > most:
            raise _sockets_unknown(path, f"more than {most:,} files are in it")


def _sockets_unknown(path: Path, why: str) -> SandboxError:
    return SandboxError(
        f"{path} cannot be granted to a command that may use unix sockets: {why}, so that sockets "
        "of your programs may lie there. Ask for one of both, or for a smaller folder."
    )


def below(path: Path, others: Iterable[Path]) -> bool:
    """Whether a path is one of the others or lies in one; none of them has `..` in it."""
    # Asked hundreds of times for each command: ten times faster than `is_relative_to`.
    text = f"{path}/"
    return any(text.startswith(f"{str(other).rstrip('/')}/") for other in others)
