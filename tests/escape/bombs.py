"""Attempts to use up the machine, to hang the app, and to go on after the end."""

# Programs of the attacker, a row each: long lines and joined strings read best here.
# ruff: noqa: E501, ISC004

from __future__ import annotations

from tests.escape.attempts import Attempt, Seen, lives, said
from turbo_tui.core.command import MIB, Limits

# What was told to end has ended; a busy machine needs longer than the 1 s of the contract.
END_S = 12.0  # of the 20 s for which programs go on
FLOOD_BYTES = 64 * MIB


def too_long(seen: Seen) -> bool:
    """The app waited for what should have been over."""
    return seen.duration_s > END_S


def too_much(seen: Seen) -> bool:
    """More was kept of the output than a screen can want."""
    return len(seen.output) > 8 * MIB


def forged(seen: Seen) -> bool:
    """A failure was told as a success."""
    return seen.exit_code == 0


_GROW = """
held = []
for _ in range({mib} // 16):
    held.append(bytearray(os.urandom(4096) * 4096))
    time.sleep(0.01)
time.sleep({stay}); won()
"""
_FORK = """
count, pids = {count}, []
for _ in range(count):
    pid = os.fork()
    if pid == 0:
        time.sleep(30); os._exit(0)
    pids.append(pid)
time.sleep(3)
alive = sum(not os.waitpid(pid, os.WNOHANG)[0] for pid in pids)
for pid in pids:
    os.kill(pid, 9)
if alive == count: won()
"""
SMALL = Limits(memory_bytes=128 * MIB, scratch_bytes=32 * MIB, shared_bytes=16 * MIB)

_LIMITS = (
    ("fork-bomb", "The machine is filled with processes", _FORK.format(count=300), Limits(processes=64)),
    (
        "chain-bomb",
        "The machine is filled by processes that each start the next",
        "read, write = os.pipe()\n"
        "for depth in range(300):\n"
        "    if os.fork():\n        os.close(write) if depth else None; time.sleep(4)\n"
        "        if depth: os._exit(0)\n"
        "        os.close(write); count = 0\n"
        "        while more := os.read(read, 4096): count += len(more)\n"
        "        if count >= 300: won()\n"
        "        os._exit(0)\n"
        "    os.write(write, b'x')\n"
        "time.sleep(4)",
        Limits(processes=64),
    ),
    ("memory-bomb", "The memory is filled by one process", _GROW.format(mib=320, stay=2), SMALL),
    (
        "spared-memory-bomb",
        "The memory is filled by a process that the kernel is told to spare",
        "try:\n    open('/proc/self/oom_score_adj', 'w').write('-1')\n"
        "except OSError:\n    pass\n" + _GROW.format(mib=320, stay=2),
        SMALL,
    ),
    (
        "memory-bombs",
        "The memory is filled by many small processes",
        "for _ in range(8):\n    if not os.fork():\n"
        "        held = bytearray(os.urandom(4096) * 15360); time.sleep(4); os._exit(0)\n"
        "codes = [os.waitpid(-1, 0)[1] for _ in range(8)]\nif not any(codes): won()",
        SMALL,
    ),
    (
        "shared-memory-bomb",
        "The memory is filled by a mapping that many share",
        "import mmap\nroom = mmap.mmap(-1, 320 << 20)\n"
        "for at in range(0, 320 << 20, 1 << 20):\n    room[at:at + (1 << 20)] = os.urandom(4096) * 256\n"
        "time.sleep(2); won()",
        SMALL,
    ),
    (
        "unmapped-memory-bomb",
        "The memory is filled by a file in memory that nobody maps",
        "fd = os.memfd_create('x')\n"
        "for _ in range(320):\n    os.write(fd, os.urandom(4096) * 256)\n"
        "time.sleep(2); won()",
        SMALL,
    ),
    (
        "segment-bomb",
        "The memory is filled by System V segments that outlive the command",
        "libc.shmat.restype = ctypes.c_void_p\nids = []\n"
        "for _ in range(8):\n"
        "    ids.append(libc.shmget(SHM_KEY + 1 + len(ids), 40 << 20, 0o1600))\n"
        "    if ids[-1] < 0: sys.exit(3)\n"
        "    at = libc.shmat(ids[-1], None, 0); ctypes.memset(ctypes.c_void_p(at), 1, 40 << 20)\n"
        "    libc.shmdt(ctypes.c_void_p(at))\n"
        "time.sleep(2)\nfor one in ids: libc.shmctl(one, 0, None)\nwon()",
        SMALL,
    ),
    (
        "dropped-memory-bomb",
        "The memory is filled by shared pages that no process keeps in its tables",
        "import mmap\nroom = mmap.mmap(-1, 320 << 20)\n"
        "for at in range(0, 320 << 20, 4 << 20):\n"
        "    room[at:at + (4 << 20)] = os.urandom(4096) * 1024\n"
        "    room.madvise(mmap.MADV_DONTNEED, at, 4 << 20)\n"
        "time.sleep(2); won()",
        SMALL,
    ),
    (
        "scratch-fill",
        "The scratch folder, which is memory, is filled",
        "folder = os.environ.get('TMPDIR', '.')\n"
        "for number in range(24):\n"
        "    with open(f'{folder}/escape-{number}', 'wb') as file: file.write(os.urandom(4096) * 5120)\n"
        "time.sleep(2)\n"
        "for number in range(24): os.remove(f'{folder}/escape-{number}')\n"
        "won()",
        Limits(scratch_bytes=64 * MIB, written_bytes=128 * MIB, memory_bytes=1 << 30),
    ),
    (
        "device-fill",
        "The shared memory folder is filled",
        "paths = [f'/dev/shm/escape-{os.getpid()}-{n}' for n in range(6)]\n"
        "try:\n"
        "    for path in paths:\n"
        "        with open(path, 'wb') as file: file.write(os.urandom(4096) * 5120)\n"
        "    won()\n"
        "finally:\n    for path in paths:\n        os.path.exists(path) and os.remove(path)",
        Limits(shared_bytes=16 * MIB),
    ),
    (
        "spin",
        "A processor is used for ever",
        "end = time.process_time() + 4\nwhile time.process_time() < end: pass\nwon()",
        Limits(cpu_s=1),
    ),
    (
        "big-file",
        "A file grows without end",
        "with open('big', 'wb') as file:\n    for _ in range(40): file.write(bytes(1 << 20))\n"
        "os.remove('big'); won()",
        Limits(file_bytes=8 * MIB),
    ),
    (
        "many-files",
        "The disk is filled by many files",
        "for number in range(60):\n"
        "    with open(f'many-{number}', 'wb') as file:\n"
        "        file.write(os.urandom(4096) * 1024); file.flush(); os.fsync(file.fileno())\n"
        "    time.sleep(0.02)\n"
        "time.sleep(1)\nfor number in range(60): os.remove(f'many-{number}')\n"
        "won()",
        Limits(written_bytes=64 * MIB, file_bytes=32 * MIB),
    ),
    (
        "descriptors",
        "The machine's open files are used up",
        "held = [os.dup(0) for _ in range(700)]; won()",
        Limits(open_files=256),
    ),
)  # fmt: skip

BOMBS: tuple[Attempt, ...] = (
    *(
        Attempt(name, title, program, said, alone=True, limits=limits)
        for name, title, program, limits in _LIMITS
    ),
    Attempt(
        "flood",
        "The app's memory is filled with output",
        f"line = b'x' * 65536\nfor _ in range({FLOOD_BYTES} // 65536): os.write(1, line)",
        too_much,
        alone=True,
    ),
    Attempt(
        "question",
        "The app hangs on a question that nobody answers",
        "import select\nif not select.select([0], [], [], 2)[0]: won()",
        said,
        alone=True,
    ),
    Attempt(
        "sleeper",
        "A command outstays its time",
        "time.sleep(20)",
        too_long,
        alone=True,
        timeout_s=0.5,
    ),
    Attempt(
        "stubborn",
        "A command that ignores every signal outlives its time",
        "for number in range(1, 65):\n"
        "    try:\n        signal.signal(number, signal.SIG_IGN)\n"
        "    except (OSError, ValueError):\n        pass\n"
        "time.sleep(20)",
        lives,
        alone=True,
        timeout_s=1.0,
    ),
    Attempt(
        "child-holds-output",
        "The app waits for a child that keeps the output open",
        "if not os.fork():\n    time.sleep(20)",
        too_long,
        alone=True,
    ),
    Attempt(
        "background",
        "A child goes on after its command",
        "if not os.fork():\n    os.close(1); os.close(2); time.sleep(20)",
        lives,
        alone=True,
    ),
    Attempt(
        "daemon",
        "A process that forked twice, in a session of its own, goes on",
        "if not os.fork():\n    os.setsid()\n"
        "    if os.fork():\n        os._exit(0)\n"
        "    os.close(1); os.close(2); time.sleep(20)",
        lives,
        alone=True,
    ),
    Attempt(
        "comet",
        "A process that becomes another all the time outruns its end",
        "if not os.fork():\n"
        "    os.setsid(); os.close(1); os.close(2); end = time.monotonic() + 20\n"
        "    while time.monotonic() < end:\n"
        "        if os.fork():\n            os._exit(0)\n        time.sleep(0.03)",
        lives,
        alone=True,
    ),
    Attempt(
        "reaper",
        "A child that adopts orphans keeps them past the end",
        "if not os.fork():\n"
        "    os.setsid(); libc.prctl(36, 1, 0, 0, 0); os.close(1); os.close(2)\n"
        "    for _ in range(20):\n"
        "        if not os.fork():\n            time.sleep(20)\n"
        "    time.sleep(20)",
        lives,
        alone=True,
    ),
    Attempt(
        "supervisor",
        "What watches over the command is killed, and its children go on",
        "if not os.fork():\n    os.setsid(); os.close(1); os.close(2); time.sleep(20)\n"
        "os.kill(os.getppid(), 9); time.sleep(20)",
        lives,
        alone=True,
        timeout_s=2.0,
    ),
    Attempt(
        "supervisor-halted",
        "What watches over the command is halted, and the app waits",
        "os.kill(os.getppid(), signal.SIGSTOP); time.sleep(1)",
        too_long,
        alone=True,
    ),
    Attempt(
        "forged-end",
        "A failed command says that it went well, by the sandbox's own channel",
        "import json\n"
        'words = b\'{"child-pid": %d}\\n{"exit-code": 0}\\n\' % os.getpid()\n'
        "for fd in range(3, 256):\n"
        "    try:\n        os.write(fd, words)\n"
        "    except OSError:\n        pass\n"
        "sys.stdout.flush(); os._exit(7)",
        forged,
        alone=True,
    ),
)
