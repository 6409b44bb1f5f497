"""Run one command under a supervisor: limits, Landlock and seccomp before it, its tree after it.

A script of its own, run with `python -I -S`: it imports nothing of ours, and little else, to
start in milliseconds. It reads what to do as JSON from the descriptor named by its argument.

The supervisor is the reaper of every process below it, so that a daemon which forked twice is
still found. When the command ends, or SIGTERM comes, or our own process dies, all of them end.

Source: landlock(7), seccomp(2), prctl(2), capabilities(7).
"""

# pathlib would take longer to import than all the rest together:
# ruff: noqa: PTH112, PTH123, PTH208

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import signal
import sys
import time

# `os.execvpe` imports it, by when Landlock or another user's rights may keep us from its file.
import warnings  # noqa: F401  # pyright: ignore[reportUnusedImport]
from contextlib import suppress

TYPE_CHECKING = False  # `typing` itself would add 3 ms and more to each command
if TYPE_CHECKING:
    from turbo_tui.sandbox.confine.orders import Order, Rules

LINUX = sys.platform == "linux"
GRACE_S = 0.3
KILL_S = 1.0  # what had much memory takes its time, and would be left to nobody
SWEPT_S = 2.0  # for the sweeper to get its turn on a machine that a command keeps busy
NOT_FOUND, NOT_EXECUTABLE, FAILED = 127, 126, 125

PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 22, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
SECCOMP_MODE_FILTER = 2
CAPABILITY_VERSION_3 = 0x20080522
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000

# The same numbers on every machine.
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
CAPSET = {"x86_64": 126, "aarch64": 91}
RULE_PATH_BENEATH = 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
ALL_OF_ABI_1 = (1 << 13) - 1
FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
SCOPES, SCOPE_SIGNAL = 3, 2  # abstract unix sockets and signals; signals alone
SCOPE_ABI = 6  # from it on, both stay inside
NET_RIGHTS = 3  # bind and connect TCP


def main(order_fd: int) -> int:
    """Do what the order says; return the command's exit code as a shell shows it."""
    with os.fdopen(order_fd, "rb") as file:
        order: Order = json.load(file)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})
    if LINUX:
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != order["parent"]:  # it died before it could be told by the signal
        return FAILED
    wait_fd, told_fd = os.pipe()
    done_fd, doing_fd = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(told_fd)
        os.close(done_fd)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGCHLD})
        for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, and that is inherited
            signal.signal(ignored, signal.SIG_DFL)
        os._exit(become_command(order, (wait_fd, doing_fd)))
    os.close(wait_fd)
    os.close(doing_fd)
    code = supervise(child)
    os.close(told_fd)
    await_sweeper(done_fd)
    end_all(child)
    tell_usage(order["status_fd"])
    return code


def tell_usage(status_fd: int) -> None:
    """Say what the kernel counted for all that were waited for: seconds, KiB, blocks."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    numbers = [used.ru_utime + used.ru_stime, used.ru_maxrss, used.ru_oublock]
    with suppress(OSError):  # nobody listens any more
        os.write(status_fd, json.dumps({"usage": numbers}).encode() + b"\n")


def supervise(child: int) -> int:
    """Wait for the command's end, or for SIGTERM and then a moment longer."""
    deadline = float("inf")
    while time.monotonic() < deadline:
        left = min(1.0, deadline - time.monotonic())
        if told_to_end(max(0.0, left)) and deadline == float("inf"):
            deadline = time.monotonic() + GRACE_S
            for pid in below(os.getpid(), child):
                send(pid, signal.SIGTERM)
        code = reap(child)
        if code is not None:
            return code
    return 128 + signal.SIGKILL


def told_to_end(within_s: float) -> bool:
    """Wait for a signal; whether it was the order to end the tree."""
    if LINUX:
        came = signal.sigtimedwait({signal.SIGTERM, signal.SIGCHLD}, within_s)
        return came is not None and came.si_signo == signal.SIGTERM
    time.sleep(min(within_s, 0.02))  # macOS has no wait with a limit
    return signal.SIGTERM in signal.sigpending()


def reap(child: int) -> int | None:
    """Collect all that ended; return the command's exit code once it is among them."""
    code = None
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == child:
                code = os.waitstatus_to_exitcode(status)
                code = code if code >= 0 else 128 - code
    return code


def await_sweeper(done_fd: int) -> None:
    """Wait until the sweeper did its work; where there is none, for nothing."""
    with os.fdopen(done_fd, "rb", 0) as file:
        select.select([file], [], [], SWEPT_S)


def end_all(child: int) -> None:
    """Kill whatever is left until nothing is; forks in between are caught by the next round."""
    give_up = time.monotonic() + KILL_S
    while time.monotonic() < give_up:
        for pid in below(os.getpid(), child):
            send(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.002)


def below(root: int, child: int) -> list[int]:
    """Return the processes below one; without /proc only the command and its group."""
    if not LINUX:
        return [child, -child]
    parents: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with (
                suppress(OSError, IndexError, ValueError),
                open(f"/proc/{name}/stat", "rb") as file,
            ):
                parent = int(file.read().rpartition(b")")[2].split()[1])
                parents.setdefault(parent, []).append(int(name))
    found: list[int] = []
    todo = [root]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += children
    return found


def send(pid: int, number: int) -> None:
    """Send a signal to a process that may be gone."""
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def become_command(order: Order, sweeper: tuple[int, int] | None = None) -> int:
    """Give up all rights, then become the command; return an exit code if that fails.

    Args:
        order: What to become.
        sweeper: Descriptors for `leave_sweeper`.
    """
    argv = order["argv"]
    try:
        # Told before it leaves this session: where the supervisor is killed, ours is to end it.
        os.write(order["status_fd"], b'{"session": %d}\n' % os.getpid())
        os.setsid()  # so that `kill 0` does not reach the supervisor
        confine(order, sweeper)
        os.chdir(order["cwd"])
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    os.write(order["status_fd"], b'{"exit-code": 0}\n')  # from here on, failures are its own
    os.close(order["status_fd"])
    try:
        os.execvpe(argv[0], argv, order["env"])  # noqa: S606 - no shell is what we want
    except FileNotFoundError:
        sys.stderr.write(f"{argv[0]}: not found\n")
        return NOT_FOUND
    except OSError as error:
        sys.stderr.write(f"{argv[0]}: {error.strerror}\n")
        return NOT_EXECUTABLE


def confine(order: Order, sweeper: tuple[int, int] | None = None) -> None:
    """Set limits, change the user, drop capabilities, close the file system and system calls.

    Raises:
        OSError: One of them was refused; the command must not run then.
    """
    set_limits(order["limits"])
    if LINUX:
        confine_on_linux(order, sweeper)


def set_limits(limits: dict[str, int]) -> None:
    """Set what the kernel holds a process to, and all it starts.

    Raises:
        OSError: One was refused.
    """
    for name, value in limits.items():
        number: int = getattr(resource, f"RLIMIT_{name.upper()}")
        most = resource.getrlimit(number)[1]
        value = value if most == resource.RLIM_INFINITY else min(value, most)  # noqa: PLW2901
        # A second after the signal that names this limit comes the one that cannot be ignored.
        room = most == resource.RLIM_INFINITY or value < most
        last = value + 1 if name == "cpu" and room else value
        resource.setrlimit(number, (value, last))


def confine_on_linux(order: Order, sweeper: tuple[int, int] | None) -> None:
    """Do what only Linux can do of `confine`.

    Raises:
        OSError: It was refused.
    """
    if order["mount"]:
        show_at(*order["mount"])
    landlock = order["landlock"]
    ruleset = make_ruleset(landlock) if landlock is not None else -1
    rules = read_filter(order["seccomp"]) if order["seccomp"] else b""
    if landlock is not None:
        empty_bounding_set()
    if order["become"]:
        uid, gid = order["become"]
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    if order["shown_as"]:
        show_as(*order["shown_as"])
        if landlock is not None:
            empty_bounding_set()  # a new namespace brings a full one
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # a change of user clears it: after that
    if landlock is None:
        return
    drop_capabilities()
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    if sweeper is not None and landlock["abi"] >= SCOPE_ABI:
        leave_sweeper(*sweeper)
    check(libc().syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0), "Landlock")
    os.close(ruleset)
    if rules:
        load_filter(rules)


def leave_sweeper(wait_fd: int, doing_fd: int) -> None:
    """Leave a process behind that kills all of the command's as soon as `wait_fd` is at its end.

    Whoever looks for processes one by one loses against a chain of them that fork and exit. A
    signal to all is sent at one stroke: no fork gets by it (kill(2), pid -1). Landlock keeps it
    to the domain that is entered here. The command, in one within it, cannot reach back.

    Args:
        wait_fd: A pipe's end, of which the supervisor holds the other: also its death counts.
        doing_fd: Closed when the work is done.
    """
    scope = (ctypes.c_uint64 * 3)(0, 0, SCOPE_SIGNAL)
    domain = libc().syscall(LANDLOCK_CREATE_RULESET, scope, ctypes.c_size_t(24), 0)
    check(libc().syscall(LANDLOCK_RESTRICT_SELF, check(domain, "Landlock"), 0), "Landlock")
    os.close(domain)
    between = os.fork()
    if between:
        os.waitpid(between, 0)
        return
    if os.fork():  # the supervisor is its parent then: the command has no child that it waits for
        os._exit(0)
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
    os.dup2(wait_fd, 0)
    os.dup2(doing_fd, 1)
    os.closerange(2, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    os.read(0, 1)
    with suppress(OSError):  # none is left
        os.kill(-1, signal.SIGKILL)
    os._exit(0)


def show_at(tree: str, workspace: str) -> None:
    """Mount a folder over another one, for this process and those below it."""
    words = [os.fsencode(word) for word in ("none", "/", tree, workspace)]
    why = f"{workspace} belongs to somebody else, and its copy cannot be shown to them by a mount"
    check(libc().unshare(CLONE_NEWNS), why)
    check(libc().mount(words[0], words[1], None, MS_REC | MS_PRIVATE, None), why)
    check(libc().mount(words[2], words[3], None, MS_BIND | MS_REC, None), why)


def show_as(uid: int, gid: int) -> None:
    """Enter a user namespace in which we are `uid`, not the root that made the stage's mounts."""
    inside_uid, inside_gid = os.geteuid(), os.getegid()
    check(libc().unshare(CLONE_NEWUSER), "user namespace")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {inside_uid} 1"),
        ("gid_map", f"{gid} {inside_gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def empty_bounding_set() -> None:
    """See to it that no exec brings capabilities back; after a change of user it is too late."""
    for capability in range(64):
        with suppress(OSError):  # the kernel knows fewer, or we have none to drop
            prctl(PR_CAPBSET_DROP, capability)


def drop_capabilities() -> None:
    """Lose all capabilities."""
    with suppress(OSError):
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    number = CAPSET.get(os.uname().machine)
    if number is not None:
        check(libc().syscall(number, header, nothing), "capset")


def handled(abi: int) -> int:
    """Return the file rights that a version of Landlock knows."""
    rights = ALL_OF_ABI_1
    for version, right in ((2, REFER), (3, TRUNCATE), (5, IOCTL_DEV)):
        if abi >= version:
            rights |= right
    return rights


def make_ruleset(rules: Rules) -> int:
    """Build a ruleset; return its descriptor. Paths that are not there are skipped."""
    abi = rules["abi"]
    rights = handled(abi)
    sizes = {1: 8, 2: 8, 3: 8, 4: 16, 5: 16}
    attributes = (ctypes.c_uint64 * 3)(rights, 0, SCOPES)
    ruleset = check(
        libc().syscall(LANDLOCK_CREATE_RULESET, attributes, ctypes.c_size_t(sizes.get(abi, 24)), 0),
        "Landlock",
    )
    read = EXECUTE | READ_FILE | READ_DIR
    for path in rules["read"]:
        allow(ruleset, path, read)
    for path in rules["write"]:
        allow(ruleset, path, rights)
    return ruleset


def allow(ruleset: int, path: str, rights: int) -> None:
    """Let a path, and what lies beneath it, through."""
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not os.path.isdir(f"/proc/self/fd/{fd}"):
        rights &= FILE_RIGHTS
    rule = rights.to_bytes(8, "little") + fd.to_bytes(4, "little")
    check(libc().syscall(LANDLOCK_ADD_RULE, ruleset, RULE_PATH_BENEATH, rule, 0), path)
    os.close(fd)


def read_filter(path: str) -> bytes:
    """Read a classic BPF program, as long as it can be read."""
    with open(path, "rb") as file:
        return file.read()


def load_filter(code: bytes) -> None:
    """Put a classic BPF program on this process and all it starts."""
    program = ctypes.create_string_buffer(code, len(code))
    head = (ctypes.c_uint64 * 2)(len(code) // 8, ctypes.addressof(program))  # struct sock_fprog
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(head))


def prctl(option: int, value: int, pointer: int = 0) -> None:
    """Set an attribute of this process.

    Raises:
        OSError: It was refused.
    """
    words = [ctypes.c_ulong(word) for word in (value, pointer, 0, 0)]
    check(libc().prctl(option, *words), f"prctl {option}")


def libc() -> ctypes.CDLL:
    """Return the C library."""
    return ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> int:
    """Return a call's result.

    Raises:
        OSError: It is negative.
    """
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
