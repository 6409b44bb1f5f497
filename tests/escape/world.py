"""The host around a stage: what there is to steal, to change, to reach and to kill.

A world is made twice: once for the controls, once for the stage, so that neither sees the
other's traces. Whatever an attempt may win shows here, on the host's side.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import secrets
import socket
import stat
import struct
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.escape.attempts import Attempt
from turbo_tui.adapters.blobs import FolderBlobs
from turbo_tui.sandbox.confine.seccomp import REFUSED

libc = ctypes.CDLL(None, use_errno=True)
PYTHON = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else "python3"
COLUMN = {"x86_64": 0, "aarch64": 1}[os.uname().machine]
NUMBERS: dict[str, tuple[int | None, int | None]] = {
    **REFUSED,
    "clone": (56, 220),
    "clone3": (435, 435),
    "ioctl": (16, 29),
    "ioprio_get": (252, 31),
    "ioprio_set": (251, 30),
    "linkat": (265, 37),
    "mq_open": (240, 180),
    "mq_timedreceive": (243, 183),
    "mq_timedsend": (242, 182),
    "mq_unlink": (241, 181),
    "msgrcv": (70, 188),
    "msgsnd": (69, 189),
    "name_to_handle_at": (303, 264),
    "renameat2": (316, 276),
    "rt_sigqueueinfo": (129, 138),
    "semctl": (66, 191),
    "tgkill": (234, 131),
}
NR = {name: number for name, row in NUMBERS.items() if (number := row[COLUMN]) is not None}

NEIGHBOUR = """
import ctypes, os, sys
secret = open(sys.argv[1])
room = ctypes.create_string_buffer(secret.read().encode(), 64)
ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1), 0, 0, 0)  # let any of the user's trace it
print(ctypes.addressof(room), secret.fileno(), flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a world may be built; made by whoever starts the run, for the user it is run as.

    Attributes:
        near: A folder in the host's scratch folder, which a sandbox hides.
        far: A folder that is no place of secrets; equal to `near` where none can be made.
        other_home: A folder in /home, `run` one in /run, `var_tmp` one in /var/tmp; may be empty.
        setuid_id: A copy of id(1) that runs as root; empty where none can be made.
    """

    near: str
    far: str
    other_home: str = ""
    run: str = ""
    var_tmp: str = ""
    setuid_id: str = ""


class Terminal:
    """A terminal that is this process's own, watched from behind: one for all worlds."""

    def __init__(self) -> None:
        self._screen, slave = os.openpty()
        with contextlib.suppress(OSError):
            os.setsid()
        # Opened by a leader of a session that has none, it becomes the session's.
        self.fd = os.open(os.ttyname(slave), os.O_RDWR | os.O_NONBLOCK)
        self.path = os.ttyname(self.fd)
        os.close(slave)
        os.set_blocking(self._screen, False)

    def read(self) -> bytes:
        """Return what was typed into it and what was shown on it since the last time."""
        found = b""
        for fd in (self.fd, self._screen):
            with contextlib.suppress(OSError):
                while more := os.read(fd, 65536):
                    found += b"|" + more
        return found


@dataclass(slots=True)
class World:
    """One host. `close` takes all of it down."""

    ground: Ground
    word: str
    secret: str
    attempts: tuple[Attempt, ...]
    terminal: Terminal
    facts: dict[str, object] = field(default_factory=dict[str, object])
    own: dict[str, dict[str, object]] = field(default_factory=dict[str, dict[str, object]])
    got: bytearray = field(default_factory=bytearray)
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _victims: dict[str, list[Path]] = field(default_factory=dict[str, list[Path]])

    @property
    def near(self) -> Path:
        """Its folder in the host's scratch folder."""
        return Path(self.ground.near, self.word)

    @property
    def far(self) -> Path:
        """Its folder elsewhere."""
        return Path(self.ground.far, self.word)

    @property
    def workspace(self) -> Path:
        """The project that is worked on."""
        return self.far / "project"

    @property
    def state(self) -> Path:
        """Our state folder."""
        return self.far / "state"

    @property
    def home(self) -> Path:
        """The user's home folder."""
        return Path(self.ground.far, "home")

    def build(self) -> World:
        """Make everything; return self."""
        self._open.callback(os.environ.pop, "SSH_AUTH_SOCK", None)
        self._folders()
        self._project()
        self._aims()
        self._places()
        self._neighbours()
        self._shared()
        self._listeners()
        self.facts |= {"TERMINAL": self.terminal.path, "TERMINAL_FD": self.terminal.fd}
        self.terminal.read()
        return self

    @property
    def unique(self) -> str:
        """A word of this world alone, on the whole machine."""
        return f"{Path(self.ground.near).name}-{self.word}"

    def close(self) -> None:
        """Take it down."""
        self._open.close()

    # --- what is asked before and after -------------------------------------------

    def order(self, attempts: Iterable[Attempt]) -> dict[str, object]:
        """Return what `inside.py` is told."""
        wanted = [
            {
                "name": each.name,
                "program": each.program,
                "victims": [str(path) for path in self._victims.get(each.name, [])],
                "peek": each.peek,
                "own": self.own.get(each.name, {}),
            }
            for each in attempts
        ]
        return {"facts": self.facts, "numbers": NR, "work": "attempts", "attempts": wanted}

    def states(self) -> dict[str, object]:
        """Return what each attempt that changes something is aimed at, as it is now."""
        written = b"".join(self._written())
        found: dict[str, object] = {}
        for each in self.attempts:
            victims = [_tree(path.parent) for path in self._victims.get(each.name, [])]
            own = self.own.get(each.name, {})
            target = own.get("TARGET")
            process = _process(target, own) if isinstance(target, int) else None
            found[each.name] = (victims, process, f"evil-{each.name}.".encode() in written)
        return found

    def heard(self, attempt: Attempt) -> bool:
        """Whether a listener, or the terminal, got an attempt's name."""
        self._read_terminal()
        return attempt.name.encode() in re.split(rb"[|\r\n]+", bytes(self.got))

    def _written(self) -> Iterator[bytes]:
        """Yield what stands in our folders on the host, but for what a stage may hold."""
        for top in dict.fromkeys((self.far, self.near)):
            for folder, folders, files in os.walk(top):
                if "attempts" in folders:
                    folders.remove("attempts")
                for name in files:
                    path = Path(folder, name)
                    with contextlib.suppress(OSError):
                        if path.is_file() and not self._is_staged(path):
                            yield path.read_bytes()[:65536] + b"."

    def _is_staged(self, path: Path) -> bool:
        parts = path.relative_to(self.far).parts if path.is_relative_to(self.far) else ()
        return len(parts) > 4 and parts[:2] == ("state", "stages") and parts[3] in {"upper", "tree"}

    # --- building -----------------------------------------------------------------

    def _folders(self) -> None:
        for folder in (self.near / "aims", self.far, self.home, self.state):
            folder.mkdir(parents=True, exist_ok=True)
        self.state.chmod(0o700)
        hidden = {
            ".ssh/id_ed25519": 0o600,
            ".aws/credentials": 0o600,
            ".bash_history": 0o600,
            ".npmrc": 0o600,
            ".cargo/credentials.toml": 0o600,
        }
        for name, mode in hidden.items():
            _write(self.home / name, self.secret, mode)
        (self.home / ".cargo" / "bin").mkdir(exist_ok=True)
        _write(self.near / "note", self.secret)
        for place in (self.ground.other_home, self.ground.run, self.ground.var_tmp):
            if place:
                _write(Path(place, "note"), self.secret)
                _write(Path(place, "diary"), self.secret)

    def _project(self) -> None:
        project = self.workspace
        (project / "sub" / "app").mkdir(parents=True)
        _write(project / "tracked.txt", "tracked\n")
        _write(project / ".env", f"KEY={self.secret}\n")
        _write(project / "sub" / "app" / ".env.local", f"KEY={self.secret}\n")
        key = "PRIVATE KEY-----"
        _write(project / "deploy.pem", f"-----BEGIN {key}\n{self.secret}\n-----END {key}\n")
        (project / "settings").symlink_to(".env")
        _write(project / ".turbo" / "config.toml", "")
        for folder in (project, project / "sub"):
            _git(folder, "init", "-q")
            (folder / ".git" / "hooks").mkdir(exist_ok=True)
        _git(project, "add", "tracked.txt", "settings")
        _git(project, "commit", "-qm", "first")

    def _aims(self) -> None:
        """Make a file of the host for each attempt that names one: hidden, and in plain sight."""
        tops = dict.fromkeys((self.near, self.far))
        for each in self.attempts:
            if "VICTIM" in each.program:
                self._victims[each.name] = [top / "aims" / each.name / "victim" for top in tops]
                for path in self._victims[each.name]:
                    _write(path, "mine")

    def _places(self) -> None:
        blob = FolderBlobs(self.state / "blobs").put(self.secret.encode())
        paths = [path for path in (self.state / "blobs").rglob("*") if path.is_file()]
        _write(self.state / "sessions" / "log.sqlite", self.secret)
        old = self.state / "stages" / "old"
        for name in ("upper", "work", "tree"):
            (old / name).mkdir(parents=True)
        _write(old / "meta.json", "{}")
        _write(old / "upper" / ".env", self.secret)
        if os.geteuid() == 0:  # an ordinary user's own private files are where the user put them
            _write(Path(self.ground.far, "root-only", "private"), self.secret, 0o600)
            Path(self.ground.far, "root-only").chmod(0o700)
        held = os.open(self.near / "note", os.O_RDONLY)
        os.set_inheritable(held, True)
        self._open.callback(os.close, held)
        folder = os.open(self.near / "aims", os.O_RDONLY)
        os.set_inheritable(folder, True)
        self._open.callback(os.close, folder)
        disk = Path("/").stat().st_dev
        self.facts |= {
            "HOME": str(self.home),
            "NEAR": str(self.near),
            "STATE": str(self.state),
            "REAL_WS": str(self.workspace),
            "ROOT_ONLY": str(Path(self.ground.far, "root-only")),
            "OTHER_HOME": self.ground.other_home or "/home/nobody-there",
            "RUN": self.ground.run or "/run/nothing-there",
            "VAR_TMP": self.ground.var_tmp or "/var/tmp/nothing-there",
            "SETUID_ID": self.ground.setuid_id or "/nothing-there",
            "BLOB": str(next(path for path in paths if blob[2:] in path.name)),
            "RUNNER": os.getpid(),
            "SECRET_FD": held,
            "DISK": _disk(disk),
            "DISK_NUMBER": disk,
            "HANDLE": _handle(self.near / "note"),
            "CGROUP_AGENT": _first(
                "/sys/fs/cgroup/*/release_agent", "/sys/fs/cgroup/release_agent"
            ),
            "CGROUP_PROCS": _first("/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/*/cgroup.procs"),
            "CARDS": [name for _, name in socket.if_nameindex() if name != "lo"] or ["no-card"],
        }

    def _neighbours(self) -> None:
        pid, address, fd = self._neighbour()
        self.facts |= {"NEIGHBOUR": pid, "ADDRESS": address, "NEIGHBOUR_FD": fd}
        self.facts["HOLDER"] = self._stands_for_holder()
        for each in self.attempts:
            if "TARGET_ADDRESS" in each.program:
                pid, address, _ = self._neighbour()
                self.own[each.name] = {"TARGET": pid, "TARGET_ADDRESS": address}
            elif "TARGET" in each.program:
                self.own[each.name] = {"TARGET": self._sleeper()}

    def _neighbour(self) -> tuple[int, int, int]:
        """Start a process of the user with the secret in its memory, environment and files."""
        process = self._open.enter_context(
            subprocess.Popen(
                [PYTHON, "-c", NEIGHBOUR, str(self.near / "note"), self.secret],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "SECRET": self.secret},
                start_new_session=True,
                cwd="/",
            )
        )
        self._open.callback(process.kill)
        assert process.stdout is not None
        address, fd = process.stdout.readline().split()
        return process.pid, int(address), int(fd)

    def _sleeper(self) -> int:
        process = self._open.enter_context(
            subprocess.Popen(["sleep", "600"], start_new_session=True, stdin=subprocess.DEVNULL)
        )
        self._open.callback(process.kill)
        return process.pid

    def _stands_for_holder(self) -> int:
        """Start what holds a stage's mounts: a process in namespaces of its own."""
        process = self._open.enter_context(
            subprocess.Popen(
                ["unshare", "-U", "-r", "-m", "sh", "-c", "echo ready; exec sleep 600"],
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
            )
        )
        self._open.callback(process.kill)
        assert process.stdout is not None
        process.stdout.readline()
        return process.pid

    def _shared(self) -> None:
        """Put the secret where programs of one user share things."""
        _write(Path("/dev/shm", self.unique), self.secret)
        self._open.callback(Path("/dev/shm", self.unique).unlink, missing_ok=True)
        key = secrets.randbits(30) | 1
        self.facts |= {
            "SHM_NAME": self.unique,
            "SHM_KEY": key,
            "QUEUE": self.unique,
            "KEY": 0,
        }
        libc.shmat.restype = ctypes.c_void_p
        memory = libc.shmget(key, 4096, 0o1600)
        if memory >= 0:
            at = libc.shmat(memory, None, 0)
            ctypes.memmove(at, self.secret.encode(), len(self.secret))
            self._open.callback(libc.shmctl, memory, 0, None)
        for number in range(1, 9):  # what a program made with the keys after it, and left
            self._open.callback(_remove_segment, key + number)
        queue = libc.msgget(key, 0o1600)
        if queue >= 0:
            text = struct.pack("<l", 1) + self.secret.encode()
            libc.msgsnd(queue, text, len(self.secret), 0)
            self._open.callback(libc.msgctl, queue, 0, None)
        semaphore = libc.semget(key, 1, 0o1600)
        if semaphore >= 0:
            self._open.callback(libc.semctl, semaphore, 0, 0)
        with contextlib.suppress(OSError):
            posix = _call("mq_open", self.unique.encode(), os.O_CREAT | os.O_RDWR, 0o600, None)
            _call("mq_timedsend", posix, self.secret.encode(), len(self.secret), 0, None)
            self._open.callback(_quietly, "mq_unlink", self.unique.encode())
        with contextlib.suppress(OSError):
            value = self.secret.encode()
            kept = _call("add_key", b"user", self.unique.encode(), value, len(value), -4)
            _call("keyctl", 5, kept, 0x3F3F0000)
            self.facts["KEY"] = kept
            self._open.callback(_quietly, "keyctl", 3, kept)

    def _listeners(self) -> None:
        """Listen wherever a packet could come in; each adds to `got`."""
        agent, datagram = self.far / "agent.sock", self.far / "datagram.sock"
        abstract = self.unique
        any4 = _socket(socket.AF_INET, ("0.0.0.0", 0))  # noqa: S104 - for the test's own packets
        own = _own_address()
        four = _socket(socket.AF_INET, ("127.0.0.1", 0))
        six = _socket(socket.AF_INET6, ("::1", 0)) if socket.has_ipv6 else None
        near = os.open(self.workspace, os.O_RDONLY)
        inner = _socket(socket.AF_UNIX, f"/proc/self/fd/{near}/agent.sock")
        os.close(near)
        listed = _socket(socket.AF_INET, ("127.0.0.1", 0))  # may be reached where hosts are granted
        listed.listen(64)
        self._open.callback(_shut, listed)
        streams = [
            any4,
            four,
            *([six] if six is not None else []),
            _socket(socket.AF_UNIX, str(agent)),
            inner,
            _socket(socket.AF_UNIX, "\0" + abstract),
        ]
        udp = _socket(socket.AF_INET, ("0.0.0.0", 0), socket.SOCK_DGRAM)  # noqa: S104
        unix = _socket(socket.AF_UNIX, str(datagram), socket.SOCK_DGRAM)
        for stream in streams:
            stream.listen(64)
            threading.Thread(target=self._accept, args=(stream,), daemon=True).start()
        for packets in (udp, unix):
            threading.Thread(target=self._receive, args=(packets,), daemon=True).start()
        ours, wire = socket.socketpair()
        threading.Thread(target=self._take, args=(ours,), daemon=True).start()
        for each in (*streams, udp, unix, ours, wire):
            self._open.callback(_shut, each)
        self.facts |= {
            "PORT4": four.getsockname()[1],
            "PORT6": six.getsockname()[1] if six is not None else 9,
            "PORT_LISTED": listed.getsockname()[1],
            "PORT_ANY": any4.getsockname()[1],
            "ADDRESS4": own,
            "UDP_PORT": udp.getsockname()[1],
            "AGENT": str(agent),
            "DATAGRAM": str(datagram),
            "ABSTRACT": abstract,
            "WIRE_FD": wire.fileno(),
        }
        os.environ["SSH_AUTH_SOCK"] = str(agent)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=self._take, args=(connection,), daemon=True).start()

    def _take(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            while more := connection.recv(4096):
                self.got += b"|" + more + b"|"

    def _receive(self, packets: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                packet = packets.recv(4096)
                # A question to a name server holds the name with its length before it.
                word = packet[13 : 13 + packet[12]] if packet[2:4] == b"\1\0" else packet
                self.got += b"|" + word + b"|"

    def _read_terminal(self) -> None:
        self.got += b"|" + self.terminal.read() + b"|"


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def _git(folder: Path, *words: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", folder, *words],
        check=True,
        capture_output=True,
        env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"},
    )


def _tree(folder: Path) -> list[object]:
    """Return everything about a folder's files, read by the host."""
    found: list[object] = []
    for path in sorted(folder.iterdir()):
        about = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(about.st_mode) else b""
        flags = _flags(path) if stat.S_ISREG(about.st_mode) else 0
        found.append(
            (
                *(path.name, about.st_mode, about.st_uid, about.st_gid, about.st_mtime_ns, flags),
                *(content, tuple(os.listxattr(path, follow_symlinks=False))),
            )
        )
    return found


def _flags(path: Path) -> int:
    import fcntl

    with path.open("rb") as file, contextlib.suppress(OSError):
        return int.from_bytes(fcntl.ioctl(file, 0x80086601, bytes(8))[:4], "little")
    return 0


def _process(pid: int, own: dict[str, object]) -> object:
    """Return what others may have done to a process of the host."""
    import resource

    try:
        letter = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        if letter == "Z":
            return "ended"
        memory: object = None
        address = own.get("TARGET_ADDRESS")
        if isinstance(address, int):
            with Path(f"/proc/{pid}/mem").open("rb", 0) as file:
                file.seek(address)
                memory = file.read(4)
        return (
            letter in "Tt",
            os.getpriority(os.PRIO_PROCESS, pid) > 5,
            os.sched_getaffinity(pid),
            os.sched_getscheduler(pid),
            _call("ioprio_get", 1, pid),
            resource.prlimit(pid, resource.RLIMIT_CPU),
            Path(f"/proc/{pid}/oom_score_adj").read_text(),
            memory,
        )
    except OSError:
        return "ended"


def _call(name: str, *arguments: object) -> int:
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    result: int = libc.syscall(ctypes.c_long(NR[name]), *words)
    if result == -1:
        raise OSError(ctypes.get_errno(), name)
    return result


def _quietly(name: str, *arguments: object) -> None:
    with contextlib.suppress(OSError):
        _call(name, *arguments)


def _remove_segment(key: int) -> None:
    found = libc.shmget(key, 0, 0)
    if found >= 0:
        libc.shmctl(found, 0, None)


def _handle(path: Path) -> str:
    """Return the number by which the file system itself knows a file, in hexadecimal."""
    room = ctypes.create_string_buffer(struct.pack("<Ii", 128, 0) + bytes(128))
    mount = ctypes.c_int()
    with contextlib.suppress(OSError):
        _call("name_to_handle_at", -100, os.fsencode(path), room, ctypes.byref(mount), 0)
    return room.raw.hex()


def _disk(number: int) -> str:
    for path in _block_devices():
        if path.stat().st_rdev == number:
            return str(path)
    return "/dev/no-disk"


def _block_devices() -> Iterator[Path]:
    for path in Path("/dev").iterdir():
        with contextlib.suppress(OSError):
            if path.is_block_device():
                yield path


def _first(*patterns: str) -> str:
    """Return the first path that one of the patterns fits."""
    fitting = (path for each in patterns for path in sorted(Path("/").glob(each.lstrip("/"))))
    return str(next(fitting, "/no-group"))


def _own_address() -> str:
    """Return this machine's address on its network, or another of its own."""
    with socket.socket(type=socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # nothing is sent: the kernel only picks the way
        return str(probe.getsockname()[0])
    return "127.0.0.2"


def _socket(
    family: int, address: tuple[str, int] | str, kind: int = socket.SOCK_STREAM
) -> socket.socket:
    made = socket.socket(family, kind)
    made.bind(address)
    return made


def _shut(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits on it
    each.close()


def alive(mark: str) -> tuple[int, ...]:
    """Return processes of this machine that carry a mark in their command line."""
    found: set[int] = set()
    for _ in range(4):  # one that becomes another all the time is missed now and then
        # The newest first: one that becomes another all the time is gone before long.
        names = (folder.name for folder in Path("/proc").iterdir())
        for pid in sorted(map(int, filter(str.isdecimal, names)), reverse=True):
            if pid != os.getpid():
                with contextlib.suppress(OSError):
                    if mark.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                        found.add(pid)
        if found:
            break
    return tuple(found)


def still_alive(mark: str, within_s: float) -> tuple[int, ...]:
    """Wait until no process carries the mark; return those that do after all."""
    give_up = time.monotonic() + within_s
    while (left := alive(mark)) and time.monotonic() < give_up:
        time.sleep(0.02)
    return left
