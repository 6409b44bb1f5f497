"""What one command was granted, it can do; and not the next one, and nothing beside it."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.sandbox.confining import (
    END_S,
    host_process,
    needs_bubblewrap,
    needs_landlock,
    outside,
    script,
    short_folder,
)
from turbo_tui.core.command import NOTHING, Command, Grants
from turbo_tui.core.errors import SandboxError
from turbo_tui.sandbox.confine import hiding, seccomp
from turbo_tui.sandbox.confine.bubblewrap import Bubblewrap
from turbo_tui.sandbox.confine.granted import Surroundings
from turbo_tui.sandbox.confine.landlock import Landlock
from turbo_tui.sandbox.confine.seccomp import ALLOW, Program
from turbo_tui.sandbox.place import Confiner, Place


async def run(confiner: Confiner, place: Place, code: str, grants: Grants = NOTHING) -> str:
    result = await confiner.run(place, Command(script(code), timeout_s=30.0, grants=grants))
    return result.output


# --- paths -------------------------------------------------------------------

USE = """
import os
def attempt(what, *words):
    try:
        print(what(*words))
    except OSError as error:
        print(error.strerror)
attempt(lambda: open(FILE).read())
attempt(lambda: open(FILE, "w").write("written"))
attempt(lambda: open(os.path.dirname(FILE) + "/new", "w").write("written"))
attempt(lambda: os.listdir(os.path.dirname(os.path.dirname(FILE))))
"""


def use(file: Path) -> str:
    return f"FILE = {str(file)!r}\n{USE}"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of the user's, with a neighbour that is nobody's business."""
    with short_folder() as near:
        for name in ("data", "neighbour"):
            (near / "far" / name).mkdir(parents=True)
            (near / "far" / name / "file").write_text("the-content")
        yield near / "far" / "data"


async def test_a_readable_path_is_shown_and_nothing_beside_it(
    confiner: Confiner, place: Place, folder: Path
) -> None:
    code = use(folder / "file")

    without = await run(confiner, place, code)
    granted = await run(confiner, place, code, Grants(readable=(str(folder),)))
    after = await run(confiner, place, code)

    assert "the-content" not in without + after
    assert granted.startswith("the-content\n")
    assert "neighbour" not in granted
    assert (folder / "file").read_text() == "the-content"
    assert not (folder / "new").exists()


async def test_a_writable_path_is_written_on_the_host(
    confiner: Confiner, place: Place, folder: Path
) -> None:
    code = use(folder / "file")

    granted = await run(confiner, place, code, Grants(writable=(str(folder),)))

    assert granted.startswith("the-content\n7\n7\n")
    assert (folder / "file").read_text() == (folder / "new").read_text() == "written"
    assert (folder.parent / "neighbour" / "file").read_text() == "the-content"


async def test_a_single_file_and_a_part_of_a_writable_folder_can_be_read_only(
    bubblewrap: Bubblewrap, place: Place, folder: Path
) -> None:
    (folder / "closed").mkdir()
    (folder / "closed" / "file").write_text("the-content")
    code = use(folder / "closed" / "file")
    grants = Grants(readable=(str(folder / "closed"),), writable=(str(folder),))

    said = await run(bubblewrap, place, code, grants)
    alone = await run(
        bubblewrap,
        place,
        use(folder / "file"),
        Grants(readable=(str(folder / "file"),)),
    )

    assert said.startswith("the-content\nRead-only file system\nRead-only file system\n")
    assert alone.splitlines()[:2] == ["the-content", "Read-only file system"]


async def test_what_is_hidden_stays_hidden_within_a_granted_folder(
    bubblewrap: Bubblewrap, place: Place
) -> None:
    code = "import os; print('log' in os.listdir('/var'), os.listdir('/var/tmp'))"
    with tempfile.NamedTemporaryFile(dir="/var/tmp", prefix="turbo-tui-test-"):
        assert "turbo-tui-test-" in outside(code, place.workspace)

        said = await run(bubblewrap, place, code, Grants(readable=("/var",)))

    assert said == "True []\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root could read it anyway")
async def test_root_does_not_see_password_hashes_by_the_grant_of_etc(
    bubblewrap: Bubblewrap, place: Place
) -> None:
    code = "print(len(open('/etc/passwd').read()) > 0, len(open('/etc/shadow').read()))"

    said = await run(bubblewrap, place, code, Grants(readable=("/etc",)))

    assert "Permission denied: '/etc/shadow'" in said


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    for name in ("ws/src", "home/dev", "state/sessions", "data"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to("data")
    (tmp_path / "data" / "part").mkdir()
    os.mkfifo(tmp_path / "pipe")
    return Surroundings(tmp_path / "ws", tmp_path / "home", (tmp_path / "state",))


REFUSED = {
    "": "not an absolute path",
    "data": "not an absolute path",
    "~/data": "not an absolute path",
    "{}/data/../home": "not an absolute path",
    "/": "home folder lies in it",
    "{}/home": "home folder lies in it",
    "{}": "home folder lies in it",
    "/proc/self": "symlink",
    "/proc/1": "has its own",
    "/sys": "has its own",
    "/dev": "has its own",
    "/tmp": "has its own",
    "{}/state": "other projects",
    "{}/state/sessions": "other projects",
    "{}/ws": "no grant is needed",
    "{}/ws/src": "no grant is needed",
    "{}/link": r"symlink\. The path without links is .*/data\.",
    "{}/link/part": r"link is a symlink\. The path without links is .*/data/part\.",
    "{}/nowhere/deep": "nowhere is not there",
    "{}/data\0": "not an absolute path",
    "{}/pipe": "neither a file nor a folder",
}


@pytest.mark.parametrize("path", REFUSED)
def test_a_path_that_cannot_be_granted_is_refused_with_the_reason(
    path: str, around: Surroundings, tmp_path: Path
) -> None:
    name = path.format(tmp_path)
    for grants in (Grants(readable=(name,)), Grants(writable=(name,))):
        with pytest.raises(SandboxError, match=rf"cannot be granted.*{REFUSED[path]}"):
            around.granted_paths(grants)


def test_what_can_be_granted_comes_parents_first(around: Surroundings, tmp_path: Path) -> None:
    data, part, dev = (str(tmp_path / name) for name in ("data", "data/part", "home/dev"))

    found = around.granted_paths(Grants(readable=(part, dev), writable=(data, part)))

    assert [(str(each.path), each.writable) for each in found] == [
        *((data, True), (part, True), (dev, False)),
    ]


def test_a_folder_that_holds_the_workspace_can_be_read_not_written(
    around: Surroundings, tmp_path: Path
) -> None:
    inner = replace(around, workspace=tmp_path / "data" / "part")
    data = str(tmp_path / "data")

    assert inner.granted_paths(Grants(readable=(data,)))
    with pytest.raises(SandboxError, match="the workspace lies in it"):
        inner.granted_paths(Grants(writable=(data,)))


def test_sockets_of_services_are_not_shown_to_what_may_use_sockets(around: Surroundings) -> None:
    assert around.granted_paths(Grants(readable=("/run",)))
    with pytest.raises(SandboxError, match="sockets of services"):
        around.granted_paths(Grants(readable=("/run",), unix_sockets=True))


async def test_a_command_with_a_path_that_cannot_be_granted_does_not_run(
    confiner: Confiner, place: Place
) -> None:
    with pytest.raises(SandboxError, match="home folder"):
        await run(confiner, place, "open('ran', 'w')", Grants(writable=(str(Path.home()),)))

    assert not (place.workspace / "ran").exists()


# --- debugging ---------------------------------------------------------------

TRACE = """
import ctypes, os, signal
libc = ctypes.CDLL(None, use_errno=True)
child = os.fork()
if not child:
    signal.pause()
print("traced", libc.ptrace(16, child, 0, 0) == 0)  # PTRACE_ATTACH
if libc.ptrace(17, child, 0, 0): pass
os.kill(child, signal.SIGKILL)
"""


async def test_a_command_may_debug_its_own_processes_when_granted(
    confiner: Confiner, place: Place, tmp_path: Path
) -> None:
    if "traced True" not in outside(TRACE, tmp_path):
        pytest.skip("nothing can be traced here at all")

    assert "traced False" in await run(confiner, place, TRACE)
    assert "traced True" in await run(confiner, place, TRACE, Grants(ptrace=True))


async def test_a_debugger_does_not_reach_processes_of_the_host(
    confiner: Confiner, place: Place
) -> None:
    with host_process("turbo-tui-not-traced") as pid:
        code = f"""
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print("traced", libc.ptrace(16, {pid}, 0, 0) == 0)
try:
    open("/proc/{pid}/mem", "rb")
    print("memory read")
except OSError as error:
    print(error.strerror)
"""
        said = await run(confiner, place, code, Grants(ptrace=True))

    assert "traced False" in said
    assert "memory read" not in said


async def test_a_debugger_does_not_stop_what_its_sandbox_ends_with(
    bubblewrap: Bubblewrap, place: Place
) -> None:
    code = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for request in (16, 0x4206):  # PTRACE_ATTACH, PTRACE_SEIZE
    print(libc.ptrace(request, 1, 0, 0), os.strerror(ctypes.get_errno()))
"""
    command = Command(script(code), timeout_s=30.0, grants=Grants(ptrace=True))

    result = await bubblewrap.run(place, command)

    assert (result.ended, result.output) == ("exited", "-1 Operation not permitted\n" * 2)


async def test_a_command_that_stops_its_sandbox_ends_at_its_time(
    bubblewrap: Bubblewrap, place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opened = Program()
    opened.give(ALLOW)
    rules = tmp_path / "all.bpf"
    rules.write_bytes(opened.assemble())

    def filter_path(*_: str, **__: bool) -> Path:
        return rules

    monkeypatch.setattr(seccomp, "filter_path", filter_path)
    code = "import ctypes; print(ctypes.CDLL(None).ptrace(16, 1, 0, 0), flush=True)"
    command = Command(script(code), timeout_s=1.0, grants=Grants(ptrace=True))

    result = await bubblewrap.run(place, command)

    assert result.ended == "timeout"
    assert result.duration_s < 1 + END_S


async def test_a_command_whose_filter_is_missing_is_not_run(
    bubblewrap: Bubblewrap, place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for file in seccomp.FILTERS.iterdir():
        if "ptrace" not in file.name:
            shutil.copy(file, tmp_path)
    monkeypatch.setattr(seccomp, "FILTERS", tmp_path)

    with pytest.raises(SandboxError, match="no system call filter"):
        await run(bubblewrap, place, "open('ran', 'w')", Grants(ptrace=True))

    assert not (place.workspace / "ran").exists()
    held = {each.name: each.held for each in bubblewrap.guarantees}
    assert not held["network"]


async def test_a_debugger_does_not_lift_the_filter(confiner: Confiner, place: Place) -> None:
    code = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print("namespace", libc.unshare(0x10000000), "mount", libc.mount(b"x", b"/", b"tmpfs", 0, None))
"""

    assert "namespace -1 mount -1" in await run(confiner, place, code, Grants(ptrace=True))


async def test_strace_works_when_granted(bubblewrap: Bubblewrap, place: Place) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    command = Command(("strace", "-f", "-e", "trace=execve", "true"), grants=Grants(ptrace=True))

    result = await bubblewrap.run(place, command)

    assert "execve(" in result.output


# --- unix sockets ------------------------------------------------------------

OWN_SOCKET = """
import os, socket, tempfile
try:
    path = os.path.join(tempfile.mkdtemp(), "s")
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    client.send(b"hello")
    print("heard", server.accept()[0].recv(9))
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    print("pair")
except OSError as error:
    print(error.strerror)
"""


async def test_unix_sockets_of_its_own_work_when_granted(
    bubblewrap: Bubblewrap, place: Place
) -> None:
    assert await run(bubblewrap, place, OWN_SOCKET) == "Operation not permitted\n"
    said = await run(bubblewrap, place, OWN_SOCKET, Grants(unix_sockets=True))
    assert said == "heard b'hello'\npair\n"


async def test_unix_sockets_of_the_host_stay_out_of_reach(
    bubblewrap: Bubblewrap, place: Place, tmp_path: Path
) -> None:
    name = f"\0turbo-tui-test-{os.getpid()}"
    with (
        socket.socket(socket.AF_UNIX) as by_path,
        socket.socket(socket.AF_UNIX) as abstract,
        short_folder() as near,
    ):
        by_path.bind(str(near / "s"))
        by_path.listen()
        abstract.bind(name)
        abstract.listen()
        code = f"""
import socket
for name in ({str(near / "s")!r}, {name!r}):
    try:
        socket.socket(socket.AF_UNIX).connect(name)
        print("reached")
    except OSError as error:
        print(error.strerror)
"""
        assert outside(code, tmp_path) == "reached\nreached\n"

        said = await run(bubblewrap, place, code, Grants(unix_sockets=True))

    assert said == "No such file or directory\nConnection refused\n"


LISTEN = """
import os, socket, sys
os.chdir(sys.argv[1])
with socket.socket(socket.AF_UNIX) as server:
    server.bind(sys.argv[2])
    server.listen()
    print(flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("name", ["{}/deep/bound", "bound"], ids=["absolute", "relative"])
@pytest.mark.parametrize("other_network", [False, True], ids=["ours", "another network"])
async def test_sockets_of_the_host_in_a_granted_folder_stay_out_of_reach(
    name: str, bubblewrap: Bubblewrap, place: Place, folder: Path, *, other_network: bool
) -> None:
    if other_network and os.geteuid() != 0:
        pytest.skip("only root makes a network namespace")
    inner = folder / "deep"
    inner.mkdir()
    words = (*script(LISTEN), str(inner), name.format(folder))
    service = await asyncio.create_subprocess_exec(
        *(("unshare", "-n", *words) if other_network else words),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert service.stdout is not None
    await service.stdout.readline()
    code = f"""
import socket
try:
    socket.socket(socket.AF_UNIX).connect({str(inner / "bound")!r})
    print("reached")
except OSError as error:
    print(error.strerror)
"""
    assert outside(code, place.workspace) == "reached\n"

    grants = Grants(unix_sockets=True, readable=(str(folder),))
    said = await run(bubblewrap, place, code, grants)
    await service.communicate(b"")  # Python 3.11 closes its input only then

    assert said == "Connection refused\n"


def test_a_folder_too_large_to_look_through_is_not_granted_with_sockets(
    folder: Path,
) -> None:
    (folder / "another").touch()
    assert list(hiding.sockets_below(folder)) == []
    with pytest.raises(SandboxError, match=r"more than 1 files.*Ask for one of both"):
        list(hiding.sockets_below(folder, most=1))


async def test_a_debugger_with_sockets_gets_no_other_family(
    bubblewrap: Bubblewrap, place: Place
) -> None:
    code = """
import socket
for family in (17, 38, 40):  # packet, crypto, vsock
    try:
        socket.socket(family, socket.SOCK_RAW if family == 17 else socket.SOCK_STREAM)
        print("made", family)
    except OSError as error:
        print(error.strerror)
"""
    said = await run(bubblewrap, place, code, Grants(unix_sockets=True, ptrace=True))

    assert said == "Operation not permitted\n" * 3


# --- network -----------------------------------------------------------------


async def test_the_address_of_the_users_proxy_is_in_no_command_line(place: Place) -> None:
    await needs_bubblewrap()
    bubblewrap = Bubblewrap(environ={"HTTPS_PROXY": "http://user:hunter2@proxy.example"})
    code = """
import os
print(os.environ.get("HTTPS_PROXY"), b"hun" + b"ter2" in open("/proc/1/cmdline", "rb").read())
"""
    without = await run(bubblewrap, place, code)
    granted = await run(bubblewrap, place, code, Grants(network="all"))

    assert without == "None False\n"
    assert granted == "http://user:hunter2@proxy.example False\n"


async def test_landlock_refuses_what_it_cannot_hold(place: Place) -> None:
    await needs_landlock()
    for grants, what in (
        (Grants(network="hosts", hosts=("example.org",)), "single hosts here"),
        (Grants(unix_sockets=True), "Unix sockets cannot be granted here"),
    ):
        with pytest.raises(SandboxError, match=f"{what}.*Install bubblewrap"):
            await run(Landlock(), place, "open('ran', 'w')", grants)
    assert not (place.workspace / "ran").exists()
