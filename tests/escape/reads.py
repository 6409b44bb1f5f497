"""Attempts to read what is not the project's: keys, other folders, environments, memory."""

# Programs of the attacker, a row each: long lines and joined strings read best here.
# ruff: noqa: E501, ISC004

from __future__ import annotations

from tests.escape.attempts import Attempt, Gap, said, told

PROCESSES = Gap("reads", "names of processes and their command lines can")
MASKS = Gap("reads", "secret files of the workspace in an overlay")
OLD = Gap("reads", "System V memory and messages")

_SHOWN = "print(open({}).read())"

_FILES = (
    ("ssh-key", "A private key of ~/.ssh is read", "HOME + '/.ssh/id_ed25519'"),
    ("cloud-key", "The keys of ~/.aws are read", "HOME + '/.aws/credentials'"),
    ("history", "The shell's history is read", "HOME + '/.bash_history'"),
    ("cargo-token", "The token beside a shown toolchain is read", "HOME + '/.cargo/credentials.toml'"),
    ("npm-token", "The token of ~/.npmrc is read", "HOME + '/.npmrc'"),
    ("other-home", "A file of another user's home is read", "OTHER_HOME + '/diary'"),
    ("host-tmp", "A file of the host's /tmp is read", "NEAR + '/note'"),
    ("host-var-tmp", "A file of the host's /var/tmp is read", "VAR_TMP + '/note'"),
    ("shared-memory", "A POSIX shared memory of the host is read", "'/dev/shm/' + SHM_NAME"),
    ("run-file", "A file of /run is read", "RUN + '/note'"),
    ("state-session", "Another session's log is read", "STATE + '/sessions/log.sqlite'"),
    ("state-blob", "Content of another step is read from the store", "BLOB"),
    ("root-only", "A file that only root may read is read", "ROOT_ONLY + '/private'"),
    ("own-root-file", "A key is read through /proc/self/root", "'/proc/self/root' + HOME + '/.ssh/id_ed25519'"),
    ("host-root-file", "A key is read through a process of the host", "f'/proc/{RUNNER}/root' + HOME + '/.ssh/id_ed25519'"),
    ("holder-root-file", "A key is read through the process that holds the stage", "f'/proc/{HOLDER}/root' + HOME + '/.ssh/id_ed25519'"),
    ("descriptor-file", "A file that the app holds open is read", "f'/proc/{RUNNER}/fd/{SECRET_FD}'"),
    ("neighbour-file", "A file that a process of the host holds open is read", "f'/proc/{NEIGHBOUR}/fd/{NEIGHBOUR_FD}'"),
    ("environment-of-app", "The app's environment, with its keys, is read", "f'/proc/{RUNNER}/environ'"),
    ("environment-of-neighbour", "The environment of a process of the host is read", "f'/proc/{NEIGHBOUR}/environ'"),
)  # fmt: skip

_WORKSPACE = (
    ("dot-env", "The workspace's `.env` is read", _SHOWN.format("WS + '/.env'")),
    ("dot-env-link", "`.env` is read through a link that git tracks", _SHOWN.format("WS + '/settings'")),
    ("dot-env-nested", "A `.env` further down is read", _SHOWN.format("WS + '/sub/app/.env.local'")),
    (
        "dot-env-hard-link",
        "`.env` is read by a second name",
        "os.link(WS + '/.env', 'other'); print(open('other').read())",
    ),
    (
        "dot-env-moved",
        "`.env` is read after it was moved",
        "os.rename(WS + '/.env', 'other'); print(open('other').read()); os.rename('other', WS + '/.env')",
    ),
    (
        "dot-env-folder-moved",
        "A `.env` is read after its folder was moved",
        "os.rename(WS + '/sub/app', WS + '/sub/moved')\n"
        "try:\n    print(open(WS + '/sub/moved/.env.local').read())\n"
        "finally:\n    os.rename(WS + '/sub/moved', WS + '/sub/app')",
    ),
    ("dot-env-real", "`.env` is read from the real workspace", _SHOWN.format("REAL_WS + '/.env'")),
    ("key-file", "A private key in the workspace is read", _SHOWN.format("WS + '/deploy.pem'")),
    (
        "dot-env-copied",
        "`.env` is read from another stage",
        "import glob\n"
        "for path in glob.glob(STATE + '/stages/*/*/.env'):\n    print(open(path).read())",
    ),
)  # fmt: skip

READS: tuple[Attempt, ...] = (
    *(Attempt(name, title, _SHOWN.format(path), told) for name, title, path in _FILES),
    *(Attempt(name, title, program, told, landlock=MASKS) for name, title, program in _WORKSPACE),
    Attempt(
        "own-environment",
        "A key is read from the command's own environment",
        "print(dict(os.environ)); print(open('/proc/self/environ').read())",
        told,
    ),
    Attempt(
        "environments",
        "A key is read from the environment of whatever process can be seen",
        "for name in os.listdir('/proc'):\n"
        "    if name.isdecimal() and int(name) != os.getpid():\n"
        "        try:\n            print(open(f'/proc/{name}/environ', 'rb').read())\n"
        "        except OSError:\n            pass",
        told,
    ),
    Attempt(
        "process-list",
        "What else runs on the machine is listed, with its arguments",
        "for name in os.listdir('/proc'):\n"
        "    if name.isdecimal():\n"
        "        try:\n            print(open(f'/proc/{name}/cmdline', 'rb').read())\n"
        "        except OSError:\n            pass",
        told,
        landlock=PROCESSES,
    ),
    Attempt(
        "shadow",
        "The hashes of the system's passwords are read",
        "if 'root:' in open('/etc/shadow').read(): won()",
        said,
    ),
    Attempt(
        "disk",
        "The disk is read below its file systems",
        "if open(DISK, 'rb').read(4096): won()",
        said,
    ),
    Attempt("memory", "The machine's memory is opened", "open('/dev/mem', 'rb'); won()", said),
    Attempt(
        "kernel-core",
        "The kernel's memory is read",
        "if open('/proc/kcore', 'rb').read(64): won()",
        said,
    ),
    Attempt(
        "screen",
        "The text of the machine's console is read",
        "if open('/dev/vcsa', 'rb').read(8): won()",
        said,
    ),
    Attempt(
        "kernel-log",
        "The kernel's log is read",
        "fd = os.open('/dev/kmsg', os.O_RDONLY | os.O_NONBLOCK)\nif os.read(fd, 8192): won()",
        said,
    ),
    Attempt(
        "handle",
        "A file is opened by its number on the disk, past all folders",
        "handle = ctypes.create_string_buffer(bytes.fromhex(HANDLE))\n"
        "fd = call('open_by_handle_at', os.open(WS + '/..', os.O_RDONLY), handle, os.O_RDONLY)\n"
        "print(os.read(fd, 1000))",
        told,
    ),
    Attempt(
        "memory-of-neighbour",
        "The memory of a process of the host is read",
        "file = open(f'/proc/{NEIGHBOUR}/mem', 'rb', 0)\nfile.seek(ADDRESS); print(file.read(64))",
        told,
    ),
    Attempt(
        "memory-by-call",
        "The memory of a process of the host is read by process_vm_readv",
        "room = ctypes.create_string_buffer(64)\n"
        "here = (ctypes.c_size_t * 2)(ctypes.addressof(room), 64)\n"
        "there = (ctypes.c_size_t * 2)(ADDRESS, 64)\n"
        "call('process_vm_readv', NEIGHBOUR, here, 1, there, 1, 0); print(room.raw)",
        told,
    ),
    Attempt(
        "stolen-descriptor",
        "An open file is taken from a process of the host",
        "fd = call('pidfd_getfd', os.pidfd_open(NEIGHBOUR), NEIGHBOUR_FD, 0)\n"
        "print(os.pread(fd, 1000, 0))",
        told,
    ),
    Attempt(
        "inherited",
        "A file is read, or a folder left, by a descriptor that was left open",
        "for name in os.listdir('/proc/self/fd'):\n"
        "    try:\n        print(os.pread(int(name), 1000, 0))\n"
        "    except OSError:\n        pass\n"
        "    try:\n        print(open(os.open('../note', os.O_RDONLY, dir_fd=int(name))).read())\n"
        "    except OSError:\n        pass",
        told,
    ),
    Attempt(
        "key-ring",
        "A key of the user's key ring is read",
        "room = ctypes.create_string_buffer(200)\n"
        "call('keyctl', 11, KEY, room, 200); print(room.raw)",
        told,
    ),
    Attempt(
        "old-shared-memory",
        "A System V shared memory of the host is read",
        "libc.shmat.restype = ctypes.c_void_p\n"
        "at = libc.shmat(libc.shmget(SHM_KEY, 0, 0), None, 0o10000)\n"
        "if at != ctypes.c_void_p(-1).value:\n    print(ctypes.string_at(at, 64))",
        told,
        landlock=OLD,
    ),
    Attempt(
        "old-messages",
        "A System V message of the host is read",
        "room = ctypes.create_string_buffer(208)\n"
        "call('msgrcv', libc.msgget(SHM_KEY, 0), room, 200, 0, 0o4000)\n"
        "print(room.raw)",
        told,
        landlock=OLD,
    ),
    Attempt(
        "messages",
        "A POSIX message queue of the host is read",
        "room = ctypes.create_string_buffer(8192)\n"
        "fd = call('mq_open', QUEUE.encode(), os.O_RDWR | os.O_NONBLOCK, 0, 0)\n"
        "count = call('mq_timedreceive', fd, room, 8192, 0, 0)\n"
        "call('mq_timedsend', fd, room, count, 0, 0)\n"
        "print(room.raw[:count])",
        told,
    ),
)
