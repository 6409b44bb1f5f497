"""Run attempts one after another, each in a process of its own: the part that is confined.

A script of its own, given to the system's python3 as text; it imports the standard library only.
Its order comes as JSON on stdin, its answers go as one JSON object a line to stdout.
"""

# What is here is the attacker's: it reaches for whatever there is.
# ruff: noqa: S102, T201, BLE001, PTH103, PTH109, PTH118, PTH123

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
import time
import traceback
from typing import TypedDict

EACH_S = 15.0

libc = ctypes.CDLL(None, use_errno=True)
NR: dict[str, int] = {}


class Wanted(TypedDict):
    """One attempt: its name, its program, and what its folder is aimed at."""

    name: str
    program: str
    victims: list[str]
    peek: str
    own: dict[str, object]


class Order(TypedDict):
    """What to run, and what all of it knows."""

    facts: dict[str, object]
    numbers: dict[str, int]
    work: str
    attempts: list[Wanted]


def call(name: str, *arguments: object) -> int:
    """Make a system call by its name; a refusal is an OSError."""
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    ctypes.set_errno(0)
    result: int = libc.syscall(ctypes.c_long(NR[name]), *words)
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def won() -> None:
    """Say that it was got."""
    print("\nWON", flush=True)


def permitted(attempt: object) -> bool:
    """Whether a call gets past the question of rights, whatever it says then."""
    try:
        attempt()  # type: ignore[operator]
    except PermissionError:
        return False
    except OSError as error:
        print(error)
        return error.errno not in {38, 30, 2, 6, 19}  # not there, or read-only
    return True


def become(facts: dict[str, object], wanted: Wanted, victim: str, output: int) -> None:
    """Run an attempt in this process, which is its own."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os._exit(obey(facts, wanted, victim))


def obey(facts: dict[str, object], wanted: Wanted, victim: str) -> int:
    """Run an attempt's program; return its exit code."""
    code = 0
    try:
        name = wanted["name"]
        scope = {"NAME": name, "EVIL": f"evil-{name}.", "VICTIM": victim, **facts, **wanted["own"]}
        scope |= {"call": call, "won": won, "permitted": permitted, "libc": libc, "NR": NR}
        scope |= {"ctypes": ctypes, "os": os, "sys": sys, "time": time, "signal": signal}
        exec(compile(wanted["program"], wanted["name"], "exec"), scope)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except BaseException:
        traceback.print_exc(limit=-1)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def attempt(facts: dict[str, object], wanted: Wanted, victim: str) -> tuple[int, str]:
    """Run an attempt in a child; return its exit code and what it said."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        become(facts, wanted, victim, write)
    os.close(write)
    said, code, give_up = b"", None, time.monotonic() + EACH_S
    while code is None or select.select([read], [], [], 0)[0]:
        if select.select([read], [], [], 0.02)[0]:
            more = os.read(read, 65536)
            said += more
            if not more and code is not None:
                break
            if not more:
                time.sleep(0.002)
        if code is None:
            pid, status = os.waitpid(child, os.WNOHANG)
            code = os.waitstatus_to_exitcode(status) if pid else None
        if time.monotonic() > give_up:
            os.kill(child, signal.SIGKILL)
            if code is not None:
                break
    os.close(read)
    return code, said.decode("utf-8", "replace")


def content(path: str) -> str:
    """Return what a later program would read."""
    try:
        with open(path, "rb") as file:
            return file.read(65536).decode("utf-8", "replace")
    except OSError:
        return ""


def main() -> None:
    """Do what the order on stdin says."""
    one = sys.argv[1] if len(sys.argv) > 1 else ""
    order: Order = json.loads(one) if one else json.load(sys.stdin)
    NR.update(order["numbers"])
    os.makedirs(order["work"], exist_ok=True)
    top = order["facts"]["WS"] = os.getcwd()
    for wanted in order["attempts"]:
        folder = os.path.join(top, order["work"], wanted["name"])
        os.makedirs(folder, exist_ok=True)
        os.chdir(folder)
        if one:
            sys.exit(obey(order["facts"], wanted, ""))
        code, said = 0, ""
        for victim in wanted["victims"] or [""]:
            code, more = attempt(order["facts"], wanted, victim)
            said += more
        answer = {"name": wanted["name"], "code": code, "said": said, "kept": ""}
        if wanted["peek"]:
            answer["kept"] = content(os.path.join(top, wanted["peek"]))
        print(json.dumps(answer), flush=True)
    os.chdir(top)


if __name__ == "__main__":
    main()
