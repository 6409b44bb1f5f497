"""Attempts to change what is outside the stage. Each is aimed at VICTIM, a file of the host."""

# Programs of the attacker, a row each: long lines and joined strings read best here.
# ruff: noqa: E501, ISC004

from __future__ import annotations

from tests.escape.attempts import Attempt, Gap, changed, kept, said

METADATA = Gap("writes", "mode, times and extended attributes of your other files can be changed")

_AIMED = (
    ("absolute-path", "A file outside is written by its path", "open(VICTIM, 'w').write('evil')"),
    (
        "dots",
        "A file outside is written through `..`",
        "open(os.path.relpath(VICTIM), 'w').write('evil')",
    ),
    (
        "link-to-file",
        "A file outside is written through a symlink",
        "os.symlink(VICTIM, 'link'); open('link', 'w').write('evil')",
    ),
    (
        "link-to-folder",
        "A file outside is written through a symlink to its folder",
        "os.symlink(os.path.dirname(VICTIM), 'dir'); open('dir/victim', 'w').write('evil')",
    ),
    (
        "hard-link",
        "A file outside is written by a second name in the workspace",
        "os.link(VICTIM, 'hard'); open('hard', 'w').write('evil')",
    ),
    (
        "rename-over",
        "A file outside is replaced by one of the workspace's",
        "open('mine', 'w').write('evil'); os.rename('mine', VICTIM)",
    ),
    ("rename-away", "A file outside is moved into the workspace", "os.rename(VICTIM, 'stolen')"),
    (
        "exchange",
        "A file outside changes places with one of the workspace's",
        "open('mine', 'w').write('evil')\n"
        "call('renameat2', -100, b'mine', -100, os.fsencode(VICTIM), 2)",
    ),
    ("remove", "A file outside is deleted", "os.remove(VICTIM)"),
    ("new-file", "A file is made outside", "open(VICTIM + '.new', 'w').write('evil')"),
    ("new-folder", "A folder is made outside", "os.mkdir(VICTIM + '.folder')"),
    ("new-link", "A symlink is made outside", "os.symlink('/etc', VICTIM + '.link')"),
    ("new-pipe", "A named pipe is made outside", "os.mkfifo(VICTIM + '.pipe')"),
    (
        "unnamed-file",
        "A file is made without a name outside, then named",
        "fd = os.open(os.path.dirname(VICTIM), os.O_TMPFILE | os.O_RDWR)\n"
        "os.write(fd, b'evil')\n"
        "call('linkat', -100, f'/proc/self/fd/{fd}'.encode(), -100, f'{VICTIM}.named'.encode(), 0x400)",
    ),
    (
        "own-root",
        "A file outside is written through /proc/self/root",
        "open('/proc/self/root' + VICTIM, 'w').write('evil')",
    ),
    (
        "own-folder",
        "A file outside is written through /proc/self/cwd",
        "open('/proc/self/cwd/' + os.path.relpath(VICTIM), 'w').write('evil')",
    ),
    (
        "first-root",
        "A file outside is written through /proc/1/root",
        "open('/proc/1/root' + VICTIM, 'w').write('evil')",
    ),
    (
        "host-root",
        "A file outside is written through the root of a process of the host",
        "open(f'/proc/{RUNNER}/root' + VICTIM, 'w').write('evil')",
    ),
    (
        "neighbour-folder",
        "A file outside is written through the folder of a process of the host",
        "open(f'/proc/{NEIGHBOUR}/cwd/' + os.path.relpath(VICTIM, '/'), 'w').write('evil')",
    ),
    (
        "holder-root",
        "A file outside is written through the process that holds the stage",
        "open(f'/proc/{HOLDER}/root' + VICTIM, 'w').write('evil')",
    ),
    ("truncate", "A file outside is emptied", "os.truncate(VICTIM, 0)"),
    (
        "path-descriptor",
        "A file outside is opened for writing by a descriptor without rights",
        "fd = os.open(VICTIM, os.O_PATH); open(f'/proc/self/fd/{fd}', 'w').write('evil')",
    ),
    (
        "read-descriptor",
        "A file outside, open for reading, is opened again for writing",
        "fd = os.open(VICTIM, os.O_RDONLY); open(f'/proc/self/fd/{fd}', 'w').write('evil')",
    ),
    (
        "shared-mapping",
        "A file outside, open for reading, is mapped for writing",
        "import mmap\nfile = open(VICTIM, 'r+b'); mmap.mmap(file.fileno(), 4)[:4] = b'evil'",
    ),
)

_ABOUT = (
    ("chmod", "The mode of a file outside is changed", "os.chmod(VICTIM, 0o777)"),
    ("times", "The times of a file outside are changed", "os.utime(VICTIM, (1, 1))"),
    (
        "attribute",
        "A file outside gets an extended attribute",
        "os.setxattr(VICTIM, 'user.evil', b'1')",
    ),
    ("owner", "A file outside gets another owner", "os.chown(VICTIM, 4242, 4242)"),
    (
        "flags",
        "A file outside gets other inode flags",
        "import fcntl\n"
        "fd = os.open(VICTIM, os.O_RDONLY)\n"
        "flags = int.from_bytes(fcntl.ioctl(fd, 0x80086601, bytes(8))[:4], 'little')\n"
        "fcntl.ioctl(fd, 0x40086602, (flags | 0x80).to_bytes(8, 'little'))",
    ),
)

# Our own files, by their true paths.
# EVIL is a word of this attempt alone.
_OURS = (
    (
        "state-file",
        "A file appears in our state folder",
        "open(STATE + '/planted-' + NAME, 'w').write(EVIL)",
    ),
    (
        "stage-meta",
        "The stage's own description is written",
        "import glob\n"
        "for path in glob.glob(STATE + '/stages/*') + [os.path.dirname(WS)]:\n"
        "    try:\n        open(path + '/meta.json', 'a').write(EVIL)\n"
        "    except OSError as error:\n        print(error)",
    ),
    (
        "stage-neighbour",
        "A file appears beside the stage's tree",
        "open(os.path.dirname(os.path.realpath(WS)) + '/planted-' + NAME, 'w').write(EVIL)",
    ),
    (
        "stage-upper",
        "The stage's written layer is changed behind its back",
        "import glob\n"
        "for path in glob.glob(STATE + '/stages/*/upper') + glob.glob(STATE + '/stages/*/work'):\n"
        "    open(path + '/planted-' + NAME, 'w').write(EVIL)",
    ),
    (
        "blob",
        "Content that was reviewed is changed in the store",
        "os.chmod(BLOB, 0o600); open(BLOB, 'w').write(EVIL)",
    ),
    (
        "journal",
        "An entry appears in the landing journal",
        "os.makedirs(STATE + '/landings', exist_ok=True)\n"
        "open(STATE + '/landings/' + NAME, 'w').write(EVIL)",
    ),
)

WORKSPACE = Attempt(
    "workspace-itself",
    "A file of the workspace changes before anybody approved it",
    "open(REAL_WS + '/tracked.txt', 'w').write(EVIL)",
    changed,
)

HOOKS = Gap("writes", "git's hooks and config and our settings in the stage")
# What a later command of the same stage, or the host, would run.
_PLANTED = (
    (
        "hook",
        "A hook of git's is planted",
        ".git/hooks/pre-commit",
        "open(WS + '/' + PEEK, 'w').write(EVIL)",
    ),
    (
        "config",
        "A command is planted in git's config",
        ".git/config",
        "open(WS + '/' + PEEK, 'a').write('[core]\\n\\tfsmonitor = ' + EVIL)",
    ),
    (
        "config-replaced",
        "Git's config is replaced by another file",
        ".git/config",
        "open('new', 'w').write(EVIL); os.rename('new', WS + '/' + PEEK)",
    ),
    (
        "hooks-replaced",
        "The folder of git's hooks changes places with another",
        ".git/hooks/pre-push",
        "os.mkdir('mine'); open('mine/pre-push', 'w').write(EVIL)\n"
        "os.rename(WS + '/.git/hooks', WS + '/.git/old-hooks')\n"
        "os.rename('mine', WS + '/.git/hooks')",
    ),
    (
        "nested-hook",
        "A hook is planted in a repository within the workspace",
        "sub/.git/hooks/pre-commit",
        "open(WS + '/' + PEEK, 'w').write(EVIL)",
    ),
    (
        "nested-config",
        "A command is planted in the config of a repository within the workspace",
        "sub/.git/config",
        "open(WS + '/' + PEEK, 'a').write('[core]\\n\\tfsmonitor = ' + EVIL)",
    ),
    (
        "git-moved",
        "Another folder takes the place of `.git`",
        ".git/config",
        "os.makedirs('mine/hooks'); open('mine/config', 'w').write(EVIL)\n"
        "os.rename(WS + '/.git', WS + '/.old-git'); os.rename('mine', WS + '/.git')",
    ),
    (
        "nested-git-moved",
        "Another folder takes the place of a nested `.git`",
        "sub/.git/config",
        "os.makedirs('mine/hooks'); open('mine/config', 'w').write(EVIL)\n"
        "os.rename(WS + '/sub/.git', WS + '/sub/.old'); os.rename('mine', WS + '/sub/.git')",
    ),
)

WRITES: tuple[Attempt, ...] = (
    *(Attempt(name, title, program, changed) for name, title, program in _AIMED),
    *(Attempt(name, title, program, changed, landlock=METADATA) for name, title, program in _ABOUT),
    *(Attempt(name, title, program, changed) for name, title, program in _OURS),
    WORKSPACE,
    *(
        Attempt(name, title, program.replace("PEEK", repr(peek)), kept, peek=peek, landlock=HOOKS)
        for name, title, peek, program in _PLANTED
    ),
    Attempt(
        "own-settings",
        "Our own settings in the workspace are read or written",
        "open(WS + '/.turbo/config.toml', 'a').write(EVIL); won()",
        said,
        landlock=HOOKS,
    ),
)
