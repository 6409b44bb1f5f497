"""Programs that run other programs, and how they are told which: as their manuals say."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wrapper:
    """How a wrapper is written before the command it runs.

    Attributes:
        valued: Options whose next word is their value.
        skipped: Words of its own after the options (`timeout 5 …`).
        certain: What it runs means what it says.
        changing: Options that make it mean, or do, something else after all.
    """

    valued: frozenset[str] = frozenset()
    skipped: int = 0
    certain: bool = True
    changing: frozenset[str] = frozenset()


def _wrapper(
    valued: str = "", skipped: int = 0, *, certain: bool = True, changing: str = ""
) -> Wrapper:
    return Wrapper(frozenset(valued.split()), skipped, certain, frozenset(changing.split()))


WRAPPERS: dict[str, Wrapper] = {
    "env": _wrapper(
        "-u --unset -C --chdir -S --split-string -a --argv0",
        changing="-S --split-string -C --chdir",
    ),
    "timeout": _wrapper("-k --kill-after -s --signal", 1),
    "nice": _wrapper("-n --adjustment"),
    "ionice": _wrapper("-c --class -n --classdata"),
    "nohup": _wrapper(),
    "setsid": _wrapper(),
    "stdbuf": _wrapper("-i --input -o --output -e --error"),
    "time": _wrapper("-f --format -o --output", changing="-o --output"),  # it writes a file
    "command": _wrapper(),
    "exec": _wrapper("-a", certain=False),
    "builtin": _wrapper(),
    "xargs": _wrapper(
        "-I -n --max-args -P --max-procs -L --max-lines -d --delimiter -a --arg-file -E -s "
        "--max-chars",
        certain=False,  # what it appends is not known
    ),
    "sudo": _wrapper(
        "-u --user -g --group -p --prompt -D --chdir -C -h -r -t -T -U", certain=False
    ),
    "doas": _wrapper("-u -C", certain=False),
    "flock": _wrapper("-w --timeout -E", 1, certain=False),
    "strace": _wrapper("-o -e -s -p -u", certain=False),
    "watch": _wrapper("-n --interval", certain=False),
    "busybox": _wrapper(certain=False),
    "toybox": _wrapper(certain=False),
    "su": _wrapper("-c --command -s --shell -g -G -w", 1, certain=False),
    "runuser": _wrapper("-c --command -u --user -s --shell -g -G -w", certain=False),
    "pkexec": _wrapper("--user", certain=False),
    "chroot": _wrapper(skipped=1, certain=False),
    "unshare": _wrapper("-R --root -w --wd -S --setuid -G --setgid", certain=False),
    "nsenter": _wrapper("-t --target -S --setuid -G --setgid", certain=False),
    "taskset": _wrapper(skipped=1, certain=False),
    "chrt": _wrapper("-T -P -D", 1, certain=False),
    "prlimit": _wrapper(certain=False),
    "systemd-run": _wrapper("-u --unit -p --property -E --setenv -M --slice", certain=False),
    "dbus-run-session": _wrapper("--config-file", certain=False),
    "fakeroot": _wrapper("-l -s -i -b", certain=False),
    "script": _wrapper("-c --command -O -I -B -T -E -m -o", certain=False),
    "ltrace": _wrapper("-e -o -s -u -n -A -a", certain=False),
    "unbuffer": _wrapper(certain=False),
    "parallel": _wrapper("-j --jobs -N -n --max-args -S --sshlogin --colsep", certain=False),
    "npx": _wrapper("-p --package -c --call", certain=False),
    "uvx": _wrapper("--from --with --python -p", certain=False),
}
# A word that is itself a shell line: of these options, or all that `watch` is given.
LINES: dict[str, frozenset[str]] = {
    **dict.fromkeys(("su", "runuser", "script", "flock"), frozenset({"-c", "--command"})),
    **dict.fromkeys(("npx", "npm", "pnpm"), frozenset({"-c", "--call"})),
    "env": frozenset({"-S", "--split-string"}),
}
JOINED = frozenset({"watch", "eval"})
# Two words long: `uv run pytest` runs pytest. Their project decides what that is, so uncertain.
RUNNERS = frozenset(
    {("uv", "run"), ("poetry", "run"), ("pipenv", "run"), ("pdm", "run"), ("hatch", "run"),
     ("bundle", "exec"), ("npm", "exec"), ("pnpm", "exec"), ("yarn", "exec")}
)  # fmt: skip

# Programs that run what stands somewhere among their words, behind options that are not told
# apart here: each later word may be the command's first, or a line of its own. For denying and
# asking only; `docker run x rm` asks about one word too many rather than too few.
# `npm rm x` is npm's own; `npm exec rm x` is not.
MANAGERS = frozenset(
    {"bun", "conda", "direnv", "docker", "hatch", "mamba", "micromamba", "mise", "nerdctl", "npm",
     "pdm", "pipenv", "pixi", "pnpm", "podman", "poetry", "pyenv", "rbenv", "rye", "uv", "yarn"}
)  # fmt: skip
RUNS = frozenset({"run", "exec", "dlx", "x", "--"})
ANY_WORD = frozenset(
    {
        "asdf",
        "bundle",
        "bunx",
        "bwrap",
        "capsh",
        "catchsegv",
        "cgexec",
        "chronic",
        "conda",
        "corepack",
        "coreutils",
        "cpulimit",
        "dbus-launch",
        "direnv",
        "docker",
        "dotenv",
        "dumb-init",
        "eatmydata",
        "entr",
        "faketime",
        "firejail",
        "fnm",
        "gdb",
        "goenv",
        "gosu",
        "hatch",
        "i386",
        "linux32",
        "linux64",
        "mamba",
        "micromamba",
        "mise",
        "newgrp",
        "nix",
        "nix-shell",
        "nodemon",
        "nodenv",
        "nox",
        "npm",
        "npx",
        "numactl",
        "parallel",
        "pdm",
        "perf",
        "pipenv",
        "pixi",
        "pnpm",
        "podman",
        "poetry",
        "proxychains",
        "proxychains4",
        "pyenv",
        "rbenv",
        "runcon",
        "rye",
        "setarch",
        "setpriv",
        "sg",
        "ssh",
        "ssh-agent",
        "start-stop-daemon",
        "strace",
        "su-exec",
        "systemd-inhibit",
        "tini",
        "torsocks",
        "tox",
        "uname26",
        "uv",
        "uvx",
        "valgrind",
        "volta",
        "watchexec",
        "x86_64",
        "yarn",
    }
)
LOADER = re.compile(r"ld-(?:linux|musl).*\.so.*|ld\.so")
# Subcommands of Git whose later words are commands or shell lines.
GIT_RUNS = frozenset({"foreach", "run", "--exec", "-x", "--tree-filter", "--index-filter"})
