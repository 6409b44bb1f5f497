"""What a confined command cannot do, confiner by confiner; `tests/escape` attacks whole stages."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import pytest

from tests.sandbox.confining import (
    needs_bubblewrap,
    outside,
    place_in,
    python,
)
from turbo_tui.core.command import ANY_NETWORK, NOTHING, Command
from turbo_tui.core.errors import SandboxError
from turbo_tui.sandbox.confine.bubblewrap import PROGRAM, Bubblewrap
from turbo_tui.sandbox.confine.landlock import Landlock
from turbo_tui.sandbox.confine.seccomp import REFUSED
from turbo_tui.sandbox.place import Confiner

ROOT = os.geteuid() == 0
HOME = str(Path.home())


@pytest.fixture
def far_home() -> Iterator[Path]:
    """A home folder where nothing is hidden anyway."""
    if not os.access("/opt", os.W_OK):
        pytest.skip("only hidden folders can be written by this user")
    home = Path(tempfile.mkdtemp(dir="/opt", prefix="turbo-tui-home-"))
    home.chmod(0o755)
    (home / "token").write_text("the-secret")
    yield home
    shutil.rmtree(home)


async def test_the_home_folder_and_the_hosts_tmp_cannot_be_read(
    confiner: Confiner, tmp_path: Path
) -> None:
    secret = tmp_path / "id_ed25519"
    secret.write_text("the-secret")
    code = f"""
        import os
        for folder in ({str(tmp_path)!r}, {HOME!r}, "/home", "/run"):
            try:
                print(folder, [n for n in os.listdir(folder) if n.startswith((".ss", ".aw", "id"))])
            except OSError:
                pass
        print(open({str(secret)!r}).read())
    """
    assert "the-secret" in outside(code, tmp_path)

    result = await python(confiner, place_in(tmp_path / "ws"), code)

    assert "the-secret" not in result.output
    assert "id_ed25519" not in result.output.split("Traceback")[0]
    assert ".ssh" not in result.output


async def test_another_home_folder_is_hidden_wherever_it_lies(
    far_home: Path, tmp_path: Path
) -> None:
    await needs_bubblewrap()
    code = f"print(open({str(far_home / 'token')!r}).read())"

    seen = await python(Bubblewrap(), place_in(tmp_path / "ws"), code)
    hidden = await python(Bubblewrap(home=far_home), place_in(tmp_path / "ws"), code)

    assert "the-secret" in seen.output
    assert "the-secret" not in hidden.output


@pytest.mark.skipif(not ROOT, reason="of others it hides whole places alone")
async def test_a_closed_folder_that_goes_as_it_is_to_be_covered_stops_no_command(
    far_home: Path, tmp_path: Path
) -> None:
    await needs_bubblewrap()
    closed = far_home / "closed"
    closed.mkdir(mode=0o700)
    program = tmp_path / "bwrap"
    program.write_text(
        f'#!/bin/sh\n[ "$1" = --help ] || rmdir -- {closed} 2>&-\nexec {PROGRAM} "$@"\n'
    )
    program.chmod(0o755)

    result = await Bubblewrap(program=str(program)).run(
        place_in(tmp_path / "ws"), Command(("echo", "ran"))
    )

    assert (result.output, result.exit_code) == ("ran\n", 0)


async def test_a_folder_of_ours_is_hidden_wherever_it_lies(
    confiner: Confiner, far_home: Path, tmp_path: Path
) -> None:
    hiding = Bubblewrap if confiner.name == "bubblewrap" else Landlock
    code = f"print(open({str(far_home / 'token')!r}).read())"

    seen = await python(confiner, place_in(tmp_path / "ws"), code)
    hidden = await python(hiding(hide=(far_home,)), place_in(tmp_path / "ws"), code)

    assert "the-secret" in seen.output
    assert "the-secret" not in hidden.output


@pytest.mark.skipif(not ROOT, reason="only root could write it anyway")
async def test_root_cannot_change_the_kernels_settings(confiner: Confiner, tmp_path: Path) -> None:
    code = """
        import os
        for top in os.listdir("/proc"):
            if top.isdecimal() or top in ("self", "thread-self"):
                continue
            found = [f"{folder}/{name}" for folder, _, names in os.walk(f"/proc/{top}")
                     for name in names] or [f"/proc/{top}"]
            for path in found:
                try:
                    os.close(os.open(path, os.O_WRONLY)); print("OPENED", path)
                except OSError:
                    pass
    """
    assert "/proc/sys/kernel/core_pattern" in outside(code, tmp_path)

    result = await python(confiner, place_in(tmp_path / "ws"), code)

    assert "OPENED" not in result.output


async def test_a_listener_of_the_host_is_not_reached_over_tcp(
    confiner: Confiner, tmp_path: Path
) -> None:
    # The kernel keeps who connected until we look.
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        at = f"('127.0.0.1', {port})"
        code = f"import socket; socket.create_connection({at}, 20); print('CONNECTED')"
        assert "CONNECTED" in outside(code, tmp_path)
        server.accept()[0].close()

        result = await python(confiner, place_in(tmp_path / "ws"), code)
        with pytest.raises(BlockingIOError):
            server.accept()

        granted = await confiner.run(
            place_in(tmp_path / "ws"), Command(("/usr/bin/python3", "-c", code), grants=ANY_NETWORK)
        )
        server.accept()[0].close()
    assert "CONNECTED" not in result.output
    assert "CONNECTED" in granted.output


@pytest.mark.parametrize("network", [False, True])
async def test_unix_sockets_are_not_reached_even_with_the_network(
    confiner: Confiner, tmp_path: Path, *, network: bool
) -> None:
    place = place_in(tmp_path / "ws")
    with socket.socket(socket.AF_UNIX) as named, socket.socket(socket.AF_UNIX) as abstract:
        with chdir(place.workspace):  # its path may be too long
            named.bind("agent.sock")
        named.listen()
        abstract.bind(f"\0turbo-tui-test-{os.getpid()}")
        abstract.listen()
        code = f"""
            import socket
            for at in ("agent.sock", "\\0turbo-tui-test-{os.getpid()}"):
                try:
                    socket.socket(socket.AF_UNIX).connect(at); print("CONNECTED")
                except OSError as error:
                    print(error)
        """
        assert outside(code, place.workspace).count("CONNECTED") == 2

        argv = ("/usr/bin/python3", "-c", "\n".join(line[12:] for line in code.splitlines()))
        result = await confiner.run(
            place, Command(argv, grants=ANY_NETWORK if network else NOTHING)
        )

    assert result.exit_code == 0
    assert "CONNECTED" not in result.output


async def test_a_datagram_pair_is_no_way_to_a_unix_socket(
    confiner: Confiner, tmp_path: Path
) -> None:
    code = "import socket; socket.socketpair(type=socket.SOCK_DGRAM); print('PAIR')"
    assert "PAIR" in outside(code, tmp_path)

    result = await python(confiner, place_in(tmp_path / "ws"), code)
    stream = await python(
        confiner, place_in(tmp_path / "ws"), "import socket; socket.socketpair(); print('PAIR')"
    )

    assert "PAIR" not in result.output
    assert "PAIR" in stream.output


async def test_every_listed_system_call_is_refused(confiner: Confiner, tmp_path: Path) -> None:
    column = {"x86_64": 0, "aarch64": 1}[os.uname().machine]
    numbers = {name: row[column] for name, row in REFUSED.items() if row[column] is not None}
    code = f"""
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        for name, number in {numbers!r}.items():
            ctypes.set_errno(0)
            result = libc.syscall(number, -1, -1, -1, -1, -1)
            if result != -1 or ctypes.get_errno() != 1:
                print("PASSED", name, result, ctypes.get_errno())
        print("clone3", libc.syscall(435, 0, 0), ctypes.get_errno())
    """
    harmless = {"ptrace": 0, "kcmp": 0, "process_vm_readv": 0}
    assert harmless.keys() <= numbers.keys()

    result = await python(confiner, place_in(tmp_path / "ws"), code)

    assert "PASSED" not in result.output
    assert "clone3 -1 38" in result.output


async def test_keys_cannot_be_typed_into_a_terminal(confiner: Confiner, tmp_path: Path) -> None:
    code = """
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        _, terminal = os.openpty() if os.path.exists("/dev/ptmx") else (0, 0)
        for request in (0x5412, 0x541C, 0x5412 | 1 << 32):
            ctypes.set_errno(0)
            libc.ioctl(terminal, ctypes.c_ulong(request), b"x")
            print(ctypes.get_errno(), end=" ")
    """
    result = await python(
        confiner, place_in(tmp_path / "ws"), code.replace("os.openpty()", "(0, 0)")
    )

    assert result.output == "1 1 1 "


async def test_secrets_of_the_environment_stay_outside(tmp_path: Path) -> None:
    await needs_bubblewrap()
    environ = {"PATH": os.environ["PATH"], "AWS_SECRET_ACCESS_KEY": "the-secret", "LANG": "C"}
    code = "import os; print(dict(os.environ)); print(open('/proc/1/environ').read())"
    assert "the-secret" in outside(code, tmp_path, environ)

    result = await python(Bubblewrap(environ=environ), place_in(tmp_path / "ws"), code)

    assert "the-secret" not in result.output
    assert "'LANG': 'C'" in result.output


async def test_no_descriptor_of_ours_is_inherited(confiner: Confiner, tmp_path: Path) -> None:
    with (tmp_path / "open").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        result = await python(
            confiner,
            place_in(tmp_path / "ws"),
            "import os; print(sorted(map(int, os.listdir('/proc/self/fd')))[:-1])",
        )
    assert result.output == "[0, 1, 2]\n"


async def test_no_right_can_be_gained_by_a_setuid_program(
    confiner: Confiner, tmp_path: Path
) -> None:
    code = (
        "print([l for l in open('/proc/self/status') if l.startswith(('NoNew', 'CapB', 'CapE'))])"
    )

    result = await python(confiner, place_in(tmp_path / "ws"), code)

    assert "'CapEff:\\t0000000000000000\\n'" in result.output
    if ROOT or confiner.name == "bubblewrap":  # others cannot, and need not, empty it
        assert "'CapBnd:\\t0000000000000000\\n'" in result.output
    assert "'NoNewPrivs:\\t1\\n'" in result.output


async def test_there_is_no_terminal_and_no_device_can_be_made(
    confiner: Confiner, tmp_path: Path
) -> None:
    code = """
        import os
        for attempt in (
            lambda: os.open("/dev/tty", os.O_RDWR),
            lambda: os.mknod("disk", 0o60600, os.makedev(8, 0)),
        ):
            try:
                attempt(); print("DID")
            except OSError:
                pass
    """
    result = await python(confiner, place_in(tmp_path / "ws"), code)

    assert result.output == ""


async def test_hooks_and_config_of_git_can_be_read_not_written(
    bubblewrap: Bubblewrap, tmp_path: Path
) -> None:
    place = place_in(tmp_path / "ws")
    git = place.workspace / ".git"
    (git / "hooks").mkdir(parents=True)
    (git / "config").write_text("[core]\n")
    (git / "index").write_text("")
    before = sorted(path.name for path in git.rglob("*"))
    code = """
        import os
        for attempt in (
            lambda: open(".git/hooks/post-commit", "w"),
            lambda: open(".git/config", "a"),
            lambda: os.rename(".git", "git"),
            lambda: os.rename(".git/hooks", ".git/old"),
            lambda: os.remove(".git/config"),
        ):
            try:
                attempt(); print("DID")
            except OSError:
                pass
        print(open(".git/config").read().strip(), bool(open(".git/index", "w")))
    """
    control = tmp_path / "control"
    shutil.copytree(place.workspace, control)
    assert outside(code, control).count("DID") >= 3

    result = await python(bubblewrap, place, code)

    assert result.output == "[core] True\n"
    assert sorted(path.name for path in git.rglob("*")) == before


async def test_our_own_folder_is_not_seen_and_no_placeholder_is_left(
    bubblewrap: Bubblewrap, tmp_path: Path
) -> None:
    place = place_in(tmp_path / "ws")
    (place.workspace / ".turbo").mkdir()
    (place.workspace / ".turbo" / "config.toml").write_text("allow = []")
    code = """
        import os
        print(os.listdir(".turbo"), flush=True)
        open(".turbo/config.toml", "w")
    """
    result = await python(bubblewrap, place, code)

    assert result.output.startswith("[]\n")
    assert "Read-only" in result.output
    assert [path.name for path in place.workspace.rglob("*")] == [".turbo", "config.toml"]

    bare = place_in(tmp_path / "bare")
    await python(bubblewrap, bare, "")
    assert list(bare.workspace.iterdir()) == []


@pytest.mark.parametrize("planted", [".git", ".git/hooks", ".turbo"])
async def test_a_symlink_where_a_mount_would_go_is_refused(
    planted: str, bubblewrap: Bubblewrap, tmp_path: Path
) -> None:
    place = place_in(tmp_path / "ws")
    target = tmp_path / "target"
    target.mkdir()
    link = place.workspace / planted
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(target)

    with pytest.raises(SandboxError, match="does not mount through links"):
        await python(bubblewrap, place, "")

    assert list(target.iterdir()) == []


async def test_a_git_folder_outside_the_workspace_can_be_read_not_written(
    bubblewrap: Bubblewrap, tmp_path: Path
) -> None:
    git = tmp_path / "main" / ".git" / "worktrees" / "ws"
    git.mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/ws\n")
    (git / "commondir").write_text("../..\n")
    (tmp_path / "main" / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    place = replace(place_in(tmp_path / "ws"), git_dir=git)
    code = f"""
        print(open({str(git / "HEAD")!r}).read())
        print(open({str(git.parent.parent / "HEAD")!r}).read())
        open({str(git / "HEAD")!r}, "w")
    """
    result = await python(bubblewrap, place, code)

    assert "heads/ws" in result.output
    assert "heads/main" in result.output
    assert "Read-only" in result.output


async def test_listed_paths_can_be_read_not_written(bubblewrap: Bubblewrap, tmp_path: Path) -> None:
    place = replace(place_in(tmp_path / "ws"), read_only=(".env", "missing"))
    (place.workspace / ".env").write_text("KEY=1")

    result = await python(bubblewrap, place, "open('.env', 'a').write('x')")

    assert "Read-only" in result.output
    assert (place.workspace / ".env").read_text() == "KEY=1"


@pytest.mark.parametrize("cwd", ["/etc", "../x", "missing"])
async def test_a_command_starts_in_the_workspace_or_not_at_all(
    cwd: str, confiner: Confiner, tmp_path: Path
) -> None:
    with pytest.raises(SandboxError, match="folder"):
        await confiner.run(place_in(tmp_path / "ws"), Command(("true",), cwd=cwd))
