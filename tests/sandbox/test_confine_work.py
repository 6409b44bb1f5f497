"""What must go on working for a confined command: tools, builds, tests, servers of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.sandbox.confining import needs_bubblewrap, needs_landlock, place_in, python
from turbo_tui.core.command import Command
from turbo_tui.core.errors import SandboxError
from turbo_tui.core.ports import CommandResult
from turbo_tui.sandbox.confine import hiding
from turbo_tui.sandbox.confine.bubblewrap import Bubblewrap
from turbo_tui.sandbox.confine.landlock import Landlock
from turbo_tui.sandbox.confine.unsandboxed import Unsandboxed
from turbo_tui.sandbox.place import Confiner, Place

CARGO = {**os.environ, "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", f"{Path.home()}/.rustup")}


def needs(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


async def shell(confiner: Confiner, place: Place, line: str) -> CommandResult:
    return await confiner.run(place, Command(("sh", "-ec", line), timeout_s=60))


async def test_git_reads_and_stages(confiner: Confiner, place: Place) -> None:
    needs("git")
    await shell(confiner, place, "git init -q .")
    (place.workspace / "new.txt").write_text("new\n")

    result = await shell(
        confiner,
        place,
        "git status --short; git add new.txt; git status --short; git diff --cached --stat;"
        "git -c user.name=n -c user.email=e commit -qm c; git log --oneline; git stash list",
    )

    assert result.exit_code == 0, result.output
    assert result.output.startswith("?? new.txt\nA  new.txt\n")


async def test_the_python_on_the_users_path_runs(confiner: Confiner, place: Place) -> None:
    result = await shell(confiner, place, "python3 -c 'import ssl, sqlite3, ctypes; print(6 * 7)'")

    assert result.output == "42\n"


async def test_a_virtual_environment_of_the_workspace_comes_first(
    confiner: Confiner, place: Place
) -> None:
    made = await shell(confiner, place, "python3 -m venv --without-pip .venv")

    result = await shell(
        confiner, place, "command -v python; python -c 'import sys; print(sys.prefix)'"
    )

    assert made.exit_code == 0, made.output
    assert result.output == f"{place.tree}/.venv/bin/python\n{place.tree}/.venv\n"


async def test_a_c_program_is_made_and_run(confiner: Confiner, place: Place) -> None:
    needs("gcc", "make")
    (place.workspace / "a.c").write_text('#include <stdio.h>\nint main(){puts("made");}\n')
    (place.workspace / "Makefile").write_text("a: a.c\n\tgcc -o a a.c\n")

    result = await shell(confiner, place, "make -j2 && ./a")

    assert result.output.endswith("made\n")


async def test_node_runs_and_starts_children(confiner: Confiner, place: Place) -> None:
    needs("node")

    result = await confiner.run(
        place,
        Command(("node", "-e", "console.log(require('child_process').execSync('echo hi') + '')")),
    )

    assert result.output == "hi\n\n"


async def test_rust_and_its_cargo_are_found(bubblewrap: Bubblewrap, place: Place) -> None:
    needs("cargo")
    if (await shell(Unsandboxed(environ=CARGO), place, "cargo --version")).exit_code:
        pytest.skip("cargo does not work here")
    line = "cargo init -q --vcs none --name demo . && cargo run -q --offline"

    result = await shell(bubblewrap, place, line)

    assert result.output == "Hello, world!\n", result.output


async def test_a_pool_of_processes_works(bubblewrap: Bubblewrap, place: Place) -> None:
    code = """
        import multiprocessing
        if __name__ == "__main__":
            with multiprocessing.get_context("fork").Pool(2) as pool:
                print(pool.map(abs, [-1, -2]))
    """
    result = await python(bubblewrap, place, code)

    assert result.output == "[1, 2]\n"


async def test_asyncio_starts_processes(confiner: Confiner, place: Place) -> None:
    code = """
        import asyncio
        async def main():
            process = await asyncio.create_subprocess_exec("echo", "hi", stdout=-1)
            print((await process.communicate())[0])
        asyncio.run(main())
    """
    result = await python(confiner, place, code)

    assert result.output == "b'hi\\n'\n"


async def test_a_server_and_its_client_meet_inside(bubblewrap: Bubblewrap, place: Place) -> None:
    code = """
        import http.server, threading, urllib.request
        server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/").status)
    """
    result = await python(bubblewrap, place, code)

    assert result.output.endswith("200\n")


async def test_home_and_tmp_can_be_written_and_start_empty(
    confiner: Confiner, place: Place
) -> None:
    line = "ls -A ~; ls -A $TMPDIR; touch ~/x $TMPDIR/x; mktemp > /dev/null; echo $TERM"

    first = await shell(confiner, place, line)
    second = await shell(confiner, place, line)

    assert "dumb" in first.output
    assert second.output == first.output
    assert not list(place.workspace.iterdir())


async def test_files_belong_to_who_started_us(confiner: Confiner, place: Place) -> None:
    result = await shell(confiner, place, "touch new; id -u; stat -c %u new .")

    owner = os.geteuid()
    assert result.output == f"{owner}\n{owner}\n{owner}\n"
    assert (place.workspace / "new").stat().st_uid == owner


async def test_a_workspace_in_a_hidden_folder_is_there(bubblewrap: Bubblewrap) -> None:
    home = Path.home()
    if not os.access(home, os.W_OK):
        pytest.skip("no home folder")
    workspace = home / f"turbo-tui-test-{os.getpid()}" / "deep" / "ws"
    workspace.mkdir(parents=True)
    try:
        result = await shell(bubblewrap, place_in(workspace), f"touch new; pwd; ls {home}")
    finally:
        made = [path.name for path in workspace.iterdir()]
        shutil.rmtree(workspace.parent.parent)
    assert result.output.startswith(f"{workspace}\n")
    assert made == ["new"]


OLD_BWRAP = """#!/bin/sh
case " $* " in
    *" --help "*) exec grep -v -e --size -e --disable-userns <<END
$(/usr/bin/bwrap --help)
END
    ;;
    *" --size "*|*" --disable-userns "*) echo "bwrap: Unknown option" >&2; exit 1;;
esac
exec /usr/bin/bwrap "$@"
"""


async def test_an_older_bubblewrap_serves_with_the_options_it_has(
    bubblewrap: Bubblewrap, place: Place, tmp_path: Path
) -> None:
    old = tmp_path / "bwrap"
    old.write_text(OLD_BWRAP)
    old.chmod(0o755)

    result = await shell(Bubblewrap(program=str(old)), place, "echo held; unshare -U true || :")

    assert result.output.startswith("held\nunshare: unshare failed")
    assert (await shell(bubblewrap, place, "echo held")).output == "held\n"


async def test_tmp_itself_can_be_the_workspace_and_the_system_cannot(
    bubblewrap: Bubblewrap, tmp_path: Path
) -> None:
    tmp = Place(Path("/tmp"), tmp_path, (), os.geteuid(), os.getegid())

    result = await shell(bubblewrap, tmp, "pwd; touch ~/x $TMPDIR/x new; ls")

    assert result.output == "/tmp\nnew\n"
    with pytest.raises(SandboxError, match="root of the system"):
        await shell(bubblewrap, replace(tmp, workspace=Path("/")), "true")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_root_runs_a_command_as_the_workspaces_owner(
    confiner: Confiner, tmp_path: Path
) -> None:
    nobody = 65534
    for folder in (tmp_path, *tmp_path.parents):
        if folder == Path("/tmp"):
            break
        folder.chmod(0o755)
    place = place_in(tmp_path / "ws")
    os.chown(place.workspace, nobody, nobody)
    owned = Place(place.workspace, place.tree, (), nobody, nobody)
    code = """
        import os
        print(os.getresuid(), os.getresgid(), os.getgroups())
        print([line for line in open("/proc/self/status") if line.startswith("Cap")][2:4])
        for folder in (".", os.environ["TMPDIR"], os.environ["HOME"]):
            open(folder + "/new", "w")
        try:
            os.setuid(0); print("ROOT")
        except OSError:
            pass
    """
    result = await python(confiner, owned, code)

    assert result.exit_code == 0, result.output
    assert result.output.startswith(
        f"({nobody}, {nobody}, {nobody}) ({nobody}, {nobody}, {nobody}) []"
    )
    assert "CapEff:\\t0000000000000000" in result.output
    assert "CapBnd:\\t0000000000000000" in result.output
    assert "ROOT" not in result.output
    assert (place.workspace / "new").stat().st_uid == nobody


@pytest.mark.parametrize("kind", [Bubblewrap, Landlock, Unsandboxed])
async def test_the_owner_works_in_a_copy_that_lies_in_folders_of_root(
    kind: type[Bubblewrap | Landlock | Unsandboxed], tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root works for other owners")
    await (needs_bubblewrap() if kind is Bubblewrap else needs_landlock())
    for folder in (tmp_path, *tmp_path.parents):
        if folder == Path(hiding.SCRATCH):
            break
        folder.chmod(0o755)
    workspace, state = tmp_path / "ws", tmp_path / "state"
    tree = state / "tree"
    state.mkdir(mode=0o700)
    for folder in (workspace, tree, tree / "sub"):
        folder.mkdir()
        os.chown(folder, 65534, 65534)
    place = Place(workspace, tree, (), 65534, 65534)

    result = await kind().run(
        place, Command(("sh", "-ec", "pwd; id -u; echo made > $PWD/new; cat new"), cwd="sub")
    )

    assert result.output == f"{workspace}/sub\n65534\nmade\n"
    assert (tree / "sub" / "new").stat().st_uid == 65534
    assert not list(workspace.iterdir())


async def test_two_commands_at_once_do_not_meet(bubblewrap: Bubblewrap, place: Place) -> None:
    line = "touch ~/$0; sleep 0.2; ls ~"

    results = await asyncio.gather(
        *(bubblewrap.run(place, Command(("sh", "-c", line, name))) for name in ("one", "two"))
    )

    assert [result.output for result in results] == ["one\n", "two\n"]
