"""Attempts on processes of the host, and on what processes share."""

# Programs of the attacker, a row each: long lines and joined strings read best here.
# ruff: noqa: E501, ISC004

from __future__ import annotations

from tests.escape.attempts import Attempt, Gap, changed, said

OTHERS = Gap("tree", "limits and priorities of your other processes can be changed")
OLD = Gap("writes", "System V memory, messages and semaphores")

# VICTIMS_PID is a process of the host for this attempt alone; its state is what is looked at.
_ENDS = (
    ("kill", "A process of the host is killed", "os.kill(TARGET, 9)"),
    ("stop", "A process of the host is halted", "os.kill(TARGET, signal.SIGSTOP)"),
    ("kill-group", "A group of processes of the host is killed", "os.killpg(os.getpgid(TARGET), 9)"),
    ("kill-descriptor", "A process of the host is killed by its descriptor", "signal.pidfd_send_signal(os.pidfd_open(TARGET), 9)"),
    ("kill-thread", "A thread of a process of the host is killed", "call('tgkill', TARGET, TARGET, 9)"),
    (
        "kill-queue",
        "A signal with a value is queued for a process of the host",
        "info = ctypes.create_string_buffer(128)\n"
        "info[0:12] = (9).to_bytes(4, 'little') + bytes(4) + (-1 & 0xffffffff).to_bytes(4, 'little')\n"
        "call('rt_sigqueueinfo', TARGET, 9, info)",
    ),
    (
        "kill-by-owner",
        "A process of the host is killed as the owner of a descriptor",
        "import fcntl\nread, write = os.pipe()\n"
        "fcntl.fcntl(read, fcntl.F_SETOWN, TARGET)\nfcntl.fcntl(read, 10, 9)\n"
        "fcntl.fcntl(read, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)\n"
        "os.write(write, b'x'); time.sleep(0.1)",
    ),
    (
        "kill-by-limit",
        "A process of the host is ended by a limit that is set on it",
        "import resource\nresource.prlimit(TARGET, resource.RLIMIT_CPU, (0, 0))",
    ),
    ("renice", "A process of the host is made to wait for all others", "os.setpriority(os.PRIO_PROCESS, TARGET, 19)"),
    (
        "renice-group",
        "A group of processes of the host is made to wait",
        "os.setpriority(os.PRIO_PGRP, os.getpgid(TARGET), 18)",
    ),
    ("pin", "A process of the host is kept to one processor", "os.sched_setaffinity(TARGET, {max(os.sched_getaffinity(0))})"),
    ("schedule", "A process of the host is scheduled only when nothing else is", "os.sched_setscheduler(TARGET, os.SCHED_IDLE, os.sched_param(0))"),
    ("io-priority", "A process of the host is made to wait for the disk", "call('ioprio_set', 1, TARGET, 3 << 13)"),
    (
        "out-of-memory",
        "A process of the host is made the first to die when memory is short",
        "open(f'/proc/{TARGET}/oom_score_adj', 'w').write('1000')",
    ),
    (
        "trace",
        "A process of the host is taken over by a debugger",
        "libc.ptrace(16, TARGET, None, None)\ntime.sleep(0.1)\n"
        "libc.ptrace.restype = ctypes.c_long\n"
        "os.waitpid(TARGET, 0); libc.ptrace(8, TARGET, None, None)",  # PTRACE_KILL
    ),
    (
        "seize",
        "A process of the host is seized",
        "call('ptrace', 0x4206, TARGET, 0, 0x100000)",  # it ends with its tracer
    ),
    (
        "write-memory",
        "The memory of a process of the host is written",
        "file = open(f'/proc/{TARGET}/mem', 'r+b', 0)\n"
        "file.seek(TARGET_ADDRESS); file.write(b'evil')",
    ),
    (
        "write-memory-by-call",
        "The memory of a process of the host is written by process_vm_writev",
        "room = ctypes.create_string_buffer(b'evil')\n"
        "here = (ctypes.c_size_t * 2)(ctypes.addressof(room), 4)\n"
        "there = (ctypes.c_size_t * 2)(TARGET_ADDRESS, 4)\n"
        "call('process_vm_writev', TARGET, here, 1, there, 1, 0)",
    ),
)  # fmt: skip
_BY_LIMIT_OR_PRIORITY = {
    *("kill-by-limit", "renice", "renice-group", "pin", "schedule", "io-priority")
}

_SHARED = (
    (
        "old-semaphore",
        "A System V semaphore of the host is taken away",
        "call('semctl', libc.semget(SHM_KEY, 0, 0), 0, 0, 0); won()",
    ),
)

PROCESSES: tuple[Attempt, ...] = (
    Attempt(
        "crowd",
        "All processes of the user are made to wait",
        "if not os.getuid():\n    sys.exit('would slow down everything that root runs')\n"
        "os.setpriority(os.PRIO_USER, os.getuid(), 1)\n"
        "if os.getpriority(os.PRIO_PROCESS, NEIGHBOUR): won()",
        said,
        landlock=OTHERS,
    ),
    *(
        Attempt(
            name,
            title,
            program,
            changed,
            landlock=OTHERS if name in _BY_LIMIT_OR_PRIORITY else None,
        )
        for name, title, program in _ENDS
    ),
    Attempt(
        "compare",
        "What a process of the host shares with another is found out",
        "call('kcmp', NEIGHBOUR, RUNNER, 0, 0, 0); won()",
        said,
    ),
    Attempt(
        "read-limits",
        "The limits of a command are lifted",
        "import resource\n"
        "most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (most + 1, most + 1)); won()",
        said,
    ),
    Attempt(
        "hurry",
        "A command goes before all others",
        "os.setpriority(os.PRIO_PROCESS, 0, -10); won()",
        said,
    ),
    Attempt(
        "real-time",
        "A command takes the processor from everything",
        "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))\n"
        "os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0)); won()",
        said,
    ),
    Attempt(
        "rights",
        "A program gains rights by being started as root's",
        "status = os.popen('cat /proc/self/status').read()\n"
        "rights = [line for line in status.splitlines() if line.startswith('CapEff')][0]\n"
        "if int(rights.split()[1], 16): won()",
        said,
    ),
    Attempt(
        "setuid-program",
        "A program runs as its owner, root",
        "if ' euid=0' in os.popen(SETUID_ID + ' 2>&1').read(): won()",
        said,
    ),
    Attempt(
        "setuid-call",
        "A command becomes another user",
        "os.setgroups([]); os.setresuid(4242, 4242, 4242); won()",
        said,
    ),
    *(Attempt(name, title, program, said, landlock=OLD) for name, title, program in _SHARED),
)
