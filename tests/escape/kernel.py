"""Attempts by way of the kernel: namespaces, mounts, large interfaces, settings, terminals."""

# Programs of the attacker, a row each: long lines and joined strings read best here.
# ruff: noqa: E501, ISC004

from __future__ import annotations

from tests.escape.attempts import Attempt, changed, heard, said, told

_NEW_USER = 0x10000000
# So that what is mounted without a sandbox is mounted for this program alone.
_APART = "try:\n    call('unshare', 0x20000)\nexcept OSError:\n    pass\n"
_MOUNTS = (
    ("user-namespace", "A user namespace is made, with all rights in it", f"call('unshare', {_NEW_USER}); won()"),
    (
        "cloned-namespace",
        "A process is started in a user namespace of its own",
        f"pid = call('clone', {_NEW_USER} | 17, 0, 0, 0, 0)\n"
        "if pid == 0:\n    os._exit(0)\n"
        "os.waitpid(pid, 0); won()",
    ),
    (
        "clone3-namespace",
        "A process is started in a user namespace by clone3, which a filter cannot read",
        "import struct\n"
        f"room = ctypes.create_string_buffer(struct.pack('<8Q', {_NEW_USER}, 0, 0, 0, 17, 0, 0, 0))\n"
        "pid = call('clone3', room, 64)\n"
        "if pid == 0:\n    os._exit(0)\n"
        "os.waitpid(pid, 0); won()",
    ),
    (
        "mount-in-namespace",
        "A file system is mounted in a user namespace of its own",
        f"call('unshare', {_NEW_USER} | 0x20000); os.mkdir('m')\n"
        "call('mount', b'none', b'm', b'tmpfs', 0, 0); won()",
    ),
    (
        "mount",
        "A file system is mounted",
        f"{_APART}os.mkdir('m'); call('mount', b'none', b'm', b'tmpfs', 0, 0)\ncall('umount2', b'm', 2); won()",
    ),
    (
        "bind",
        "A folder of the host is mounted into the workspace",
        f"{_APART}os.mkdir('m'); call('mount', b'/etc', b'm', 0, 0x1000, 0)\ncall('umount2', b'm', 2); won()",
    ),
    (
        "new-mount",
        "A file system is made by the newer calls",
        "call('fsopen', b'tmpfs', 0); won()",
    ),
    (
        "moved-mount",
        "A folder is taken out of its tree to be mounted elsewhere",
        "call('open_tree', -100, b'/', 1); won()",
    ),
    (
        "chroot",
        "The root folder is changed, to climb out of it",
        "os.mkdir('m'); here = os.open('.', os.O_RDONLY); os.chroot('m'); os.fchdir(here); won()",
    ),
    (
        "pivot",
        "The root is exchanged",
        "call('unshare', 0x20000); os.mkdir('m')\n"
        "call('mount', b'none', b'/', 0, 0x44000, 0)\n"
        "call('mount', b'none', b'm', b'tmpfs', 0, 0); os.mkdir('m/old')\n"
        "call('pivot_root', b'm', b'm/old'); won()",
    ),
    ("host-mounts", "The mounts of the host are entered", "call('setns', os.open(f'/proc/{RUNNER}/ns/mnt', os.O_RDONLY), 0x20000); won()"),
    ("host-user", "The user namespace of the stage's holder is entered", "call('setns', os.open(f'/proc/{HOLDER}/ns/user', os.O_RDONLY), 0x10000000); won()"),
)  # fmt: skip

_SURFACES = (
    ("io-uring", "Calls are made past the filter, by io_uring", "call('io_uring_setup', 4, ctypes.create_string_buffer(120)); won()"),
    (
        "bpf",
        "A program is loaded into the kernel",
        "import struct\n"
        "code = ctypes.create_string_buffer(bytes.fromhex('b700000000000000' '9500000000000000'))\n"
        "words = ctypes.create_string_buffer(b'GPL')\n"
        "order = struct.pack('<IIQQIIQ', 1, 2, ctypes.addressof(code), ctypes.addressof(words), 0, 0, 0)\n"
        "call('bpf', 5, ctypes.create_string_buffer(order + bytes(80)), 120); won()",
    ),
    (
        "perf",
        "The processor's counters are read",
        "import struct\n"
        "order = struct.pack('<IIQQQQQ', 1, 112, 1, 0, 0, 0, 0x60) + bytes(72)\n"
        "call('perf_event_open', ctypes.create_string_buffer(order), 0, -1, -1, 0); won()",
    ),
    ("userfaultfd", "The kernel is made to wait on a page fault", "call('userfaultfd', 1); won()"),
    ("key-added", "A key is added to the user's key ring", "call('add_key', b'user', NAME.encode(), b'x', 1, ctypes.c_long(-3)); won()"),
    ("fanotify", "All accesses of a file system are watched", "call('fanotify_init', 0, 0); won()"),
    ("modules", "A kernel module is loaded", "if permitted(lambda: call('finit_module', -1, b'', 0)): won()"),
    ("kexec", "Another kernel is loaded", "if permitted(lambda: call('kexec_load', 0, 1 << 20, 0, 0)): won()"),
    ("reboot", "The machine is restarted", "if permitted(lambda: call('reboot', 0, 0, 0, 0)): won()"),
    ("clock-drift", "The clock is made to drift", "order = ctypes.create_string_buffer(208); order[0:4] = (0x4000).to_bytes(4, 'little'); order[88:96] = (10000).to_bytes(8, 'little'); call('clock_adjtime', 0, order); won()"),
    ("swap", "The machine's swap is changed", "if permitted(lambda: call('swapon', b'/dev/null', 0)): won()"),
    ("log-call", "The kernel's log is read by its call", "if call('syslog', 3, ctypes.create_string_buffer(4096), 4096) > 0: won()"),
    ("host-name", "The machine gets another name", "name = os.uname().nodename.encode(); call('sethostname', name, len(name)); won()"),
    ("ports", "The machine's ports are opened", "call('ioperm', 0x80, 1, 1); won()"),
    (
        "foreign-number",
        "A call is made by the number of a 32-bit machine",
        "import mmap\n"
        "room = mmap.mmap(-1, 4096, prot=7)\n"
        "room.write(bytes.fromhex('b814000000cd80c3'))\n"  # mov eax, 20 (getpid); int 0x80; ret
        "at = ctypes.addressof(ctypes.c_char.from_buffer(room))\n"
        "if ctypes.CFUNCTYPE(ctypes.c_int)(at)() == os.getpid(): won()",
    ),
    ("x32-number", "A call is made by the number of the x32 machine", "if libc.syscall(0x40000000 | 39) == os.getpid(): won()"),
    (
        "disk-node",
        "A device of the disk is made and read",
        "os.mknod('disk', 0o60600, DISK_NUMBER)\nif open('disk', 'rb').read(4096): won()",
    ),
    ("null-node", "A device is made", "os.mknod('null', 0o20600, os.makedev(1, 3)); won()"),
    ("virtual-machine", "A virtual machine is made", "os.open('/dev/kvm', os.O_RDWR); won()"),
    ("fuse", "A file system of the program's own is offered", "os.open('/dev/fuse', os.O_RDWR); won()"),
    ("loop", "A file is made a disk", "os.open('/dev/loop-control', os.O_RDWR); won()"),
    ("log-written", "The kernel's log is written", "os.open('/dev/kmsg', os.O_WRONLY); won()"),
)  # fmt: skip

_SETTINGS = (
    ("core-pattern", "The program that the kernel runs on a crash is named", "'/proc/sys/kernel/core_pattern'"),
    ("modprobe", "The program that the kernel runs for a module is named", "'/proc/sys/kernel/modprobe'"),
    ("sysrq", "The kernel is told to restart or to end everything", "'/proc/sysrq-trigger'"),
    ("irq", "The kernel's interrupts are moved", "'/proc/irq/default_smp_affinity'"),
    ("tracing", "The kernel's tracing is set", "'/sys/kernel/tracing/tracing_on'"),
    ("power", "The machine is put to sleep", "'/sys/power/state'"),
    ("helper", "The program that the kernel runs for a device is named", "'/sys/kernel/uevent_helper'"),
    ("huge-pages", "The kernel's memory is set", "'/sys/kernel/mm/transparent_hugepage/enabled'"),
    ("cgroup-agent", "The program that the kernel runs for an empty group is named", "CGROUP_AGENT"),
    ("cgroup-procs", "A process leaves its control group", "CGROUP_PROCS"),
)  # fmt: skip

_TERMINAL = (
    (
        "typed",
        "A command is typed into the user's terminal",
        "import fcntl\nfd = os.open('/dev/tty', os.O_RDWR)\n"
        "for letter in NAME.encode() + b'\\n':\n    fcntl.ioctl(fd, 0x5412, bytes([letter]))",
    ),
    (
        "typed-wide",
        "A command is typed by a request whose upper half is not zero",
        "fd = os.open('/dev/tty', os.O_RDWR)\n"
        "for letter in NAME.encode() + b'\\n':\n"
        "    call('ioctl', fd, 0x5412 | 1 << 32, bytes([letter]))",
    ),
    (
        "typed-by-path",
        "A command is typed into a terminal of the host, found by its path",
        "import fcntl\nfd = os.open(TERMINAL, os.O_RDWR)\n"
        "for letter in NAME.encode() + b'\\n':\n    fcntl.ioctl(fd, 0x5412, bytes([letter]))",
    ),
    (
        "typed-by-descriptor",
        "A command is typed by the app's own descriptor",
        "import fcntl\nfd = os.open(f'/proc/{RUNNER}/fd/{TERMINAL_FD}', os.O_RDWR)\n"
        "for letter in NAME.encode() + b'\\n':\n    fcntl.ioctl(fd, 0x5412, bytes([letter]))",
    ),
    ("shown", "The user's terminal is written to", "open('/dev/tty', 'w').write(f'\\n{NAME}\\n')"),
    ("shown-by-path", "A terminal of the host is written to by its path", "open(TERMINAL, 'w').write(f'\\n{NAME}\\n')"),
    (
        "pasted",
        "The console's selection is pasted",
        "import fcntl\nfd = os.open('/dev/tty0', os.O_RDWR); fcntl.ioctl(fd, 0x541C, b'\\x06\\0'); won()",
    ),
)  # fmt: skip

KERNEL: tuple[Attempt, ...] = (
    *(Attempt(name, title, program, said) for name, title, program in (*_MOUNTS, *_SURFACES)),
    *(
        Attempt(name, title, f"os.open({path}, os.O_WRONLY); won()", said)
        for name, title, path in _SETTINGS
    ),
    *(
        Attempt(name, title, program, said if name == "pasted" else heard)
        for name, title, program in _TERMINAL
    ),
    Attempt(
        "root-writable",
        "The system is mounted anew for writing",
        f"{_APART}call('mount', 0, b'/', 0, 0x20 | 0x1000, 0)\nopen(VICTIM, 'w').write('evil')",
        changed,
    ),
    Attempt(
        "home-shown",
        "What hides the home folder is unmounted",
        "try:\n    call('umount2', HOME.encode(), 2)\nfinally:\n"
        "    print(open(HOME + '/.ssh/id_ed25519').read())",
        told,
    ),
)
