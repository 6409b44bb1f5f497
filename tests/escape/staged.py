"""Attempts on the host's side: what reads a stage, reviews it and lands it is the target.

Each has a control of its own: what a plain program would do in the place of ours.
"""

# Programs of the attacker, a row each: long lines and joined strings read best here.
# ruff: noqa: E501

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import stat
import subprocess
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tests.escape.attempts import Gap
from tests.escape.bombs import END_S
from tests.escape.reads import MASKS
from tests.escape.world import PYTHON
from turbo_tui.adapters.blobs import FolderBlobs
from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.command import Command
from turbo_tui.core.errors import SandboxError, ToolError, TurboError
from turbo_tui.landing import open_lander
from turbo_tui.sandbox.place import Confiner
from turbo_tui.sandbox.staging.stage import WorkspaceStage
from turbo_tui.sandbox.staging.stages import open_stages

TRIES = 300


@dataclass(slots=True)
class Arena:
    """A project of its own for one attempt, beside what it must not reach."""

    top: Path
    secret: str
    confiner: Confiner
    kind: str

    @property
    def project(self) -> Path:
        """The workspace."""
        return self.top / "project"

    @property
    def outside(self) -> Path:
        """A folder of the host's."""
        return self.top / "outside"

    @property
    def state(self) -> Path:
        """Our state folder."""
        return self.top / "state"

    def build(self) -> Arena:
        """Make the folders anew; return self."""
        shutil.rmtree(self.top, ignore_errors=True)
        for folder in (self.project / "sub", self.outside, self.state):
            folder.mkdir(parents=True)
        (self.project / "file").write_text("mine\n")
        (self.project / "sub" / "file").write_text("mine\n")
        (self.outside / "victim").write_text("mine\n")
        (self.outside / "note").write_text(self.secret)
        return self

    @property
    def blobs(self) -> FolderBlobs:
        """Where contents lie."""
        return FolderBlobs(self.state / "blobs")

    @contextlib.asynccontextmanager
    async def stage(self) -> AsyncGenerator[WorkspaceStage]:
        """Open one."""
        kind = "copy" if self.kind == "copy" else "auto"
        stages = open_stages(self.project, self.state, self.blobs, self.confiner, rung=kind)
        stage = await stages.open("s")
        try:
            yield stage
        finally:
            await stage.close()

    async def shell(self, stage: WorkspaceStage, line: str) -> str:
        """Run a line in the stage."""
        return (await stage.run(Command(("sh", "-c", line)))).output

    async def land(self, changes: ChangeSet) -> None:
        """Land all that was changed, ignored folders left out; a refusal is fine."""
        lander = open_lander(self.project, self.state, self.blobs)
        with contextlib.suppress(TurboError):
            await lander.land(replace(changes, ignored=()), session_id="s", step_id="1")

    async def after(self, line: str) -> ChangeSet:
        """Run a line, review, land."""
        async with self.stage() as stage:
            await self.shell(stage, line)
            changes = await stage.changes()
            await self.land(changes)
        return changes

    def untouched(self) -> bool:
        """Whether nothing outside changed."""
        return (
            sorted(path.name for path in self.outside.iterdir()) == ["note", "victim"]
            and (self.outside / "victim").read_text() == "mine\n"
        )

    def plain(self, line: str) -> None:
        """Run a line in the project without a sandbox."""
        subprocess.run(["sh", "-c", line], cwd=self.project, check=False, capture_output=True)


@dataclass(frozen=True, slots=True)
class HostAttempt:
    """An attempt on ours; both functions say whether it was won."""

    name: str
    title: str
    control: Callable[[Arena], bool]
    attempt: Callable[[Arena], Awaitable[bool]]
    landlock: Gap | None = None


# --- between review and landing --------------------------------------------------------


async def _land_through_folder(arena: Arena) -> bool:
    async with arena.stage() as stage:
        await arena.shell(stage, "echo evil > sub/victim")
        changes = await stage.changes()
    shutil.rmtree(arena.project / "sub")
    (arena.project / "sub").symlink_to(arena.outside)
    await arena.land(changes)
    return not arena.untouched()


def _write_through_folder(arena: Arena) -> bool:
    shutil.rmtree(arena.project / "sub")
    (arena.project / "sub").symlink_to(arena.outside)
    (arena.project / "sub" / "victim").write_text("evil\n")
    return not arena.untouched()


async def _land_through_file(arena: Arena) -> bool:
    async with arena.stage() as stage:
        await arena.shell(stage, "echo evil > file")
        changes = await stage.changes()
    (arena.project / "file").unlink()
    (arena.project / "file").symlink_to(arena.outside / "victim")
    await arena.land(changes)
    return not arena.untouched()


def _write_through_file(arena: Arena) -> bool:
    (arena.project / "file").unlink()
    (arena.project / "file").symlink_to(arena.outside / "victim")
    (arena.project / "file").write_text("evil\n")
    return not arena.untouched()


async def _other_bytes(arena: Arena) -> bool:
    async with arena.stage() as stage:
        await arena.shell(stage, "echo good > file")
        changes = await stage.changes()
        await arena.shell(stage, "echo evil > file")
        await arena.land(changes)
    return (arena.project / "file").read_text() == "evil\n"


def _copy_late(arena: Arena) -> bool:
    (arena.top / "staged").write_text("good\n")
    (arena.top / "staged").write_text("evil\n")
    shutil.copy(arena.top / "staged", arena.project / "file")
    return (arena.project / "file").read_text() == "evil\n"


# --- what lands ---------------------------------------------------------------------------


def _lands(name: str, title: str, line: str, found: Callable[[Arena], bool]) -> HostAttempt:
    def control(arena: Arena) -> bool:
        arena.plain(line.replace("OUTSIDE", str(arena.outside)))
        return found(arena)

    async def attempt(arena: Arena) -> bool:
        await arena.after(line.replace("OUTSIDE", str(arena.outside)))
        return found(arena)

    return HostAttempt(name, title, control, attempt)


def _there(path: str) -> Callable[[Arena], bool]:
    return lambda arena: os.path.lexists(arena.project / path)


def _has_bit(bit: int) -> Callable[[Arena], bool]:
    def has(arena: Arena) -> bool:
        path = arena.project / "tool"
        return path.exists() and bool(path.stat().st_mode & bit)

    return has


def _unwarned(name: str, title: str, path: str, content: str = "evil") -> HostAttempt:
    line = f"mkdir -p {Path(path).parent}; printf '%s' '{content}' > {path}"

    def control(arena: Arena) -> bool:
        arena.plain(line)
        return _there(path)(arena)

    async def attempt(arena: Arena) -> bool:
        changes = await arena.after(line)
        lands = any(change.path == path for change in changes.files)
        return lands and not any(path in warning for warning in map(str, changes.warnings))

    return HostAttempt(name, title, control, attempt)


# --- what our own readers follow ---------------------------------------------------------


async def _review_through_link(arena: Arena) -> bool:
    async with arena.stage() as stage:
        await arena.shell(
            stage, f"rm -r sub; ln -s {arena.outside} sub; ln -sf {arena.outside}/note file"
        )
        await stage.changes()
        await asyncio.to_thread(list, stage.files.walk())
    stored = (path for path in (arena.state / "blobs").rglob("*") if path.is_file())
    return any(arena.secret.encode() in path.read_bytes() for path in stored)


def _read_through_link(arena: Arena) -> bool:
    arena.plain(f"rm -r sub; ln -s {arena.outside} sub")
    return (arena.project / "sub" / "note").read_text() == arena.secret


async def _tool_read(arena: Arena) -> bool:
    async with arena.stage() as stage:
        await arena.shell(
            stage, f"rm -r sub; ln -s {arena.outside} sub; ln -s {arena.outside}/note l"
        )
        for path in ("sub/note", "l", "../outside/note", str(arena.outside / "note")):
            with contextlib.suppress(ToolError):
                if stage.files.read(path) == arena.secret.encode():
                    return True
    return False


async def _tool_write(arena: Arena) -> bool:
    async with arena.stage() as stage:
        await arena.shell(
            stage, f"rm -r sub; ln -s {arena.outside} sub; ln -s {arena.outside}/victim l"
        )
        for path in ("sub/victim", "l", "../outside/victim", "sub/new"):
            with contextlib.suppress(ToolError):
                stage.files.write(path, b"evil")
            with contextlib.suppress(ToolError):
                stage.files.remove(path)
    return not arena.untouched()


_SWAP = """
import os, sys, time
end = time.monotonic() + float(sys.argv[2])
os.makedirs('a', exist_ok=True); open('a/note', 'w').close(); os.symlink(sys.argv[1], 'b')
while time.monotonic() < end:
    os.rename('a', 'd'); os.rename('d', 'a'); os.rename('b', 'd'); os.rename('d', 'b')
"""


async def _race(arena: Arena) -> bool:
    """Read and write by our tools while a command puts a link in the place of a folder."""
    async with arena.stage() as stage:
        words = (PYTHON, "-I", "-S", "-c", _SWAP, str(arena.outside), "1.5")
        running = asyncio.create_task(stage.run(Command(words)))
        told = False
        while not running.done():
            told = told or await asyncio.to_thread(_try_both, stage, arena.secret)
        await running
    return told or not arena.untouched()


def _try_both(stage: WorkspaceStage, secret: str) -> bool:
    told = False
    for _ in range(20):
        with contextlib.suppress(ToolError):
            told = told or stage.files.read("d/note") == secret.encode()
        with contextlib.suppress(ToolError):
            stage.files.write("d/victim", b"evil")
    return told


def _race_plain(arena: Arena) -> bool:
    process = subprocess.Popen(
        (PYTHON, "-I", "-S", "-c", _SWAP, str(arena.outside), "1.5"), cwd=arena.project
    )
    told = False
    while process.poll() is None and not told:
        with contextlib.suppress(OSError):
            told = (arena.project / "d" / "note").read_text() == arena.secret
    process.wait()
    return told


async def _forged_whiteout(arena: Arena) -> bool:
    program = (
        "import os; os.mkdir('new'); open('new/planted', 'w').close()\n"
        "for path, name, value in (('new', 'opaque', b'x'), ('new/planted', 'whiteout', b'y')):\n"
        "    for kind in ('user', 'trusted'):\n"
        "        try:\n            os.setxattr(path, f'{kind}.overlay.{name}', value)\n"
        "        except OSError:\n            pass\n"
    )
    async with arena.stage() as stage:
        await stage.run(Command((PYTHON, "-I", "-S", "-c", program)))
        there = stage.files.entry("new/planted") is not None
        changes = await stage.changes()
    return there and not any(change.path == "new/planted" for change in changes.files)


def _marks_can_be_made(arena: Arena) -> bool:
    os.setxattr(arena.project / "sub", "user.overlay.opaque", b"x")
    os.setxattr(arena.project / "sub" / "file", "user.overlay.whiteout", b"y")
    return True


# --- what the sandbox itself follows ------------------------------------------------------


def _mount_through(name: str) -> HostAttempt:
    async def attempt(arena: Arena) -> bool:
        for top in ("", "/oldroot", "/newroot"):
            plant = f"mkdir -p $(dirname {name}); ln -s {top}{arena.outside} {name}"
            async with arena.stage() as stage:
                await arena.shell(stage, plant)
                with contextlib.suppress(SandboxError):
                    await arena.shell(stage, f"echo evil > {name}/victim; touch {name}/new")
        return not arena.untouched()

    return HostAttempt(
        f"mount-through-{name.replace('/', '-').strip('.')}",
        f"A mount of ours is made through a link planted at `{name}` (CVE-2026-87766)",
        _bwrap_follows,
        attempt,
    )


def _bwrap_follows(arena: Arena) -> bool:
    """Let bubblewrap, as most projects call it, make a mount point below a planted link."""
    for top in ("/oldroot", ""):
        link = arena.project / ".planted"
        link.unlink(missing_ok=True)
        link.symlink_to(f"{top}{arena.outside}")
        words = ["/usr/bin/bwrap", "--ro-bind", "/", "/", "--dev", "/dev"]
        words += ["--bind", str(arena.project), str(arena.project)]
        words += ["--ro-bind", "/dev/null", str(link / "config.toml"), "true"]
        subprocess.run(words, check=False, capture_output=True)
        if not arena.untouched():
            return True
    return False


# --- after all of it -----------------------------------------------------------------------


def zombies() -> Iterator[int]:
    """Yield our children that ended and were not waited for."""
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if state == "Z" and int(parent) == os.getpid():
                yield int(folder.name)


def _leave_zombie(_: Arena) -> bool:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    left = process.pid in zombies()
    process.wait()
    return left


async def _many_children(arena: Arena) -> bool:
    async with arena.stage() as stage:
        before = set(zombies())
        await arena.shell(stage, "for i in 1 2 3 4 5; do (sleep 0.01 & ) ; done; true & sleep 9 &")
        give_up = asyncio.get_running_loop().time() + END_S
        while (left := set(zombies()) - before) and asyncio.get_running_loop().time() < give_up:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
    return bool(left)


class _Flip(threading.Thread):
    """Puts a link in the place of a folder of the workspace, and takes it away, until told."""

    def __init__(self, arena: Arena) -> None:
        super().__init__(daemon=True)
        self._arena = arena
        self.over = threading.Event()

    def run(self) -> None:
        """Flip."""
        folder, link = self._arena.project / "sub", self._arena.top / "link"
        aside = self._arena.top / "aside"
        link.symlink_to(self._arena.outside)
        while not self.over.is_set():
            with contextlib.suppress(OSError):
                folder.rename(aside)
                link.rename(folder)
                folder.rename(link)
                aside.rename(folder)


async def _land_in_race(arena: Arena) -> bool:
    async with arena.stage() as stage:
        await arena.shell(stage, "echo evil > sub/victim; echo evil > sub/new")
        changes = await stage.changes()
    flip = _Flip(arena)
    flip.start()
    for _ in range(12):
        await arena.land(changes)
    flip.over.set()
    flip.join()
    return not arena.untouched()


def _write_in_race(arena: Arena) -> bool:
    flip = _Flip(arena)
    flip.start()
    for _ in range(20_000):
        with contextlib.suppress(OSError):
            (arena.project / "sub" / "victim").write_text("evil\n")
        if not arena.untouched():
            break
    flip.over.set()
    flip.join()
    return not arena.untouched()


# --- from one command to the next ------------------------------------------------------------


async def _left_over(arena: Arena) -> bool:
    """Leave a word wherever a command may write; later ones look for it, in warm sandboxes too."""
    async with arena.stage() as stage:
        leave = 'for d in "$TMPDIR" "$HOME" /tmp /dev/shm; do echo evil > "$d/.left"; done'
        await arena.shell(stage, f"({leave}) 2>/dev/null")
        for _ in range(3):
            look = 'cat "$TMPDIR/.left" "$HOME/.left" /tmp/.left /dev/shm/.left 2>/dev/null'
            if "evil" in await arena.shell(stage, look):
                return True
    return False


def _left_plain(arena: Arena) -> bool:
    left = arena.top / "left"
    arena.plain(f"echo evil > {left}")
    return left.read_text() == "evil\n"


async def _late_secret(arena: Arena) -> bool:
    """A file that the user writes while a sandbox already waits for the next command."""
    async with arena.stage() as stage:
        await arena.shell(stage, "true")
        (arena.project / ".env").write_text(f"KEY={arena.secret}")
        return arena.secret in await arena.shell(stage, "cat .env")


def _late_plain(arena: Arena) -> bool:
    (arena.project / ".env").write_text(f"KEY={arena.secret}")
    return arena.secret in (arena.project / ".env").read_text()


_TELL = """
import os, sys, time
top, end = sys.argv[1], time.monotonic() + float(sys.argv[2])
def below(pid):
    for _ in range(20):
        if pid == top:
            return True
        try:
            pid = open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()[1]
        except (OSError, IndexError):
            return False
    return False
inside = not os.path.exists(f'/proc/{top}')
while time.monotonic() < end:
    for pid in filter(str.isdecimal, os.listdir('/proc')):
        if pid != str(os.getpid()) and (inside or (pid == top) == (len(sys.argv) > 3) and below(pid)):
            for fd in range(0, 32):
                try:
                    if os.readlink(f'/proc/{pid}/fd/{fd}').startswith('pipe:'):
                        where = os.open(f'/proc/{pid}/fd/{fd}', os.O_WRONLY | os.O_NONBLOCK)
                        os.write(where, b'evil\\n'); os.close(where)
                except OSError:
                    pass
    time.sleep(0.05)
"""


async def _forged_order(arena: Arena) -> bool:
    """Write into every pipe in sight, for as long as later commands are given their orders."""
    async with arena.stage() as stage:
        await arena.shell(stage, "true")
        words = (PYTHON, "-I", "-S", "-c", _TELL, str(os.getpid()), "1.0")
        forging = asyncio.create_task(stage.run(Command(words)))
        said = [await arena.shell(stage, "echo fine") for _ in range(4)]
        await forging
    return any(word != "fine\n" for word in said)


def _forged_plain(arena: Arena) -> bool:
    line = ("sh", "-c", "read -r word; echo told $word")  # its output is written to as well
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as waits:
        words = (PYTHON, "-I", "-S", "-c", _TELL, str(waits.pid), "0.5", "it alone")
        subprocess.run(words, cwd=arena.top, check=False)
        told, _ = waits.communicate(b"fine\n")
    return b"told evil\n" in told


HOST: tuple[HostAttempt, ...] = (
    HostAttempt(
        "landing-through-folder",
        "A landing goes through a link that took a folder's place after the review",
        _write_through_folder,
        _land_through_folder,
    ),
    HostAttempt(
        "landing-through-file",
        "A landing goes through a link that took a file's place after the review",
        _write_through_file,
        _land_through_file,
    ),
    HostAttempt(
        "landing-in-race",
        "A landing goes through a link that comes and goes",
        _write_in_race,
        _land_in_race,
    ),
    HostAttempt("other-bytes", "Other bytes land than were reviewed", _copy_late, _other_bytes),
    _lands("setuid-lands", "A file lands that runs as its owner", "cp /bin/true tool; chmod 4755 tool", _has_bit(stat.S_ISUID)),
    _lands("setgid-lands", "A file lands that runs as its group", "cp /bin/true tool; chmod 2755 tool", _has_bit(stat.S_ISGID)),
    _lands("pipe-lands", "A named pipe lands", "mkfifo pipe", _there("pipe")),
    _lands("device-lands", "A device lands", "mknod device c 1 3", _there("device")),
    _lands("whiteout-lands", "A whiteout lands", "mknod white c 0 0", _there("white")),
    _lands("link-out-lands", "A link that leads out of the workspace lands", "ln -s OUTSIDE/note out", _there("out")),
    _lands("link-up-lands", "A link that climbs out of the workspace lands", "ln -s ../../outside/note sub/up", _there("sub/up")),
    _lands("hook-lands", "A hook of git's lands", "mkdir -p .git/hooks; echo evil > .git/hooks/pre-commit", _there(".git/hooks/pre-commit")),
    _lands("config-lands", "A command in git's config lands", "mkdir -p .git; echo evil > .git/config", _there(".git/config")),
    _lands("nested-hook-lands", "A repository with a hook lands", "mkdir -p sub/.git/hooks; echo evil > sub/.git/hooks/post-checkout", _there("sub/.git/hooks/post-checkout")),
    _lands("git-file-lands", "A file that names another git folder lands", "echo 'gitdir: /tmp/evil' > sub/.git", _there("sub/.git")),
    _lands("settings-land", "Settings of our own land: rules that allow", "mkdir .turbo; echo 'allow' > .turbo/config.toml", _there(".turbo/config.toml")),
    _lands("ignored-lands", "What git ignores lands by itself", "mkdir -p .git; echo node_modules > .gitignore; mkdir node_modules; echo evil > node_modules/x.js", _there("node_modules/x.js")),
    _unwarned("task-unwarned", "An editor's task lands without a word", ".vscode/tasks.json"),
    _unwarned("settings-unwarned", "An editor's settings land without a word", ".vscode/settings.json"),
    _unwarned("idea-unwarned", "A run configuration lands without a word", ".idea/runConfigurations/x.xml"),
    _unwarned("envrc-unwarned", "What the shell runs on entering the folder lands without a word", ".envrc"),
    _unwarned("scripts-unwarned", "A script of a package lands without a word", "package.json", '{"scripts": {"postinstall": "evil"}}'),
    _unwarned("pth-unwarned", "What Python runs at every start lands without a word", "lib/evil.pth"),
    _unwarned("sitecustomize-unwarned", "Python's own start lands without a word", "sitecustomize.py"),
    _unwarned("workflow-unwarned", "A workflow of the forge lands without a word", ".github/workflows/x.yml"),
    _unwarned("attributes-unwarned", "Filters of git's land without a word", ".gitattributes", "* filter=evil diff=evil"),
    HostAttempt("review-reads-out", "The review reads through a planted link", _read_through_link, _review_through_link),
    HostAttempt("tool-reads-out", "A file tool reads through a planted link", _read_through_link, _tool_read),
    HostAttempt("tool-writes-out", "A file tool writes through a planted link", _write_through_folder, _tool_write),
    HostAttempt("tool-race", "A file tool follows a link that comes and goes", _race_plain, _race),
    HostAttempt("forged-whiteout", "A file is hidden from the review by the overlay's own marks", _marks_can_be_made, _forged_whiteout),
    _mount_through(".git"),
    _mount_through(".git/hooks"),
    _mount_through(".turbo"),
    HostAttempt("left-over", "What one command left is found by the next", _left_plain, _left_over),
    HostAttempt("late-secret", "A secret is read by a command whose sandbox is older", _late_plain, _late_secret, MASKS),
    HostAttempt("forged-order", "A sandbox that waits for its command is given another", _forged_plain, _forged_order),
    HostAttempt("zombie", "A process that nobody waits for is left", _leave_zombie, _many_children),
)  # fmt: skip
