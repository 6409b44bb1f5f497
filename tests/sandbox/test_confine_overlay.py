"""Commands in an overlay: entered by nsenter, written above, owned by the user."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.sandbox.confining import END_S, needs_bubblewrap, needs_landlock, script
from turbo_tui.core.command import Command, Grants
from turbo_tui.sandbox.confine.bubblewrap import Bubblewrap
from turbo_tui.sandbox.confine.landlock import Landlock
from turbo_tui.sandbox.confine.unsandboxed import Unsandboxed
from turbo_tui.sandbox.place import Confiner, Place

# Upper and work on a tmpfs of the holder's own: an overlay may not lie on an overlay.
MOUNT = """
mount -t tmpfs none "$2" && mkdir "$2/upper" "$2/work" &&
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work,userxattr" "$1" &&
echo ready && exec cat
"""


@pytest.fixture(params=["user namespace", "root"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A stage as the other half of this room makes it."""
    workspace, state = tmp_path / "ws", tmp_path / "state"
    (workspace / ".turbo").mkdir(parents=True)
    (workspace / "old").write_text("old\n")
    state.mkdir()
    as_root = request.param == "root"
    if as_root and os.geteuid() != 0:
        pytest.skip("root's own form")
    flags = ("-m",) if as_root else ("-U", "-r", "-m")
    holder = subprocess.Popen(
        ("unshare", *flags, "sh", "-c", MOUNT, "sh", str(workspace), str(state)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert holder.stdout is not None
    if holder.stdout.readline() != b"ready\n":
        holder.communicate()
        pytest.skip("no overlay can be mounted here")
    user = () if as_root else ("-U", "--preserve-credentials")
    enter = ("nsenter", "-t", str(holder.pid), "-m", *user, "--")
    yield Place(workspace, workspace, enter, os.geteuid(), os.getegid())
    holder.communicate()


@pytest.fixture(params=[Bubblewrap, Landlock, Unsandboxed])
async def confiner(request: pytest.FixtureRequest) -> Confiner:
    if request.param is Bubblewrap:
        await needs_bubblewrap()
    if request.param is Landlock:
        await needs_landlock()
    return request.param()


async def test_what_is_written_stays_above_the_workspace(confiner: Confiner, place: Place) -> None:
    line = "rm old; echo new > new; mkdir sub; stat -c %u new; id -u"

    result = await confiner.run(place, Command(("sh", "-ec", line)))
    again = await confiner.run(place, Command(("cat", "new")))

    assert result.exit_code == 0, result.output
    assert result.output == f"{os.geteuid()}\n{os.geteuid()}\n"
    assert again.output == "new\n"
    assert sorted(path.name for path in place.workspace.iterdir()) == [".turbo", "old"]
    holder_root = Path(f"/proc/{place.enter[2]}/root")
    upper = holder_root / place.workspace.parent.relative_to("/") / "state" / "upper"
    assert sorted(path.name for path in upper.iterdir()) == ["new", "old", "sub"]
    assert (upper / "new").stat().st_uid == place.owner_uid


async def test_a_timeout_ends_what_runs_in_the_overlay(confiner: Confiner, place: Place) -> None:
    result = await confiner.run(
        place, Command(("sh", "-c", "setsid sleep 60 & sleep 60"), timeout_s=0.5)
    )

    assert result.ended == "timeout"
    assert result.duration_s < 0.5 + END_S


async def test_our_own_folder_is_hidden_in_an_overlay_too(place: Place) -> None:
    await needs_bubblewrap()
    code = "import os; print(sorted(os.listdir('.')), os.listdir('.turbo'))"

    result = await Bubblewrap().run(place, Command(script(code)))

    assert result.output == "['.turbo', 'old'] []\n"


async def test_grants_and_masks_hold_in_an_overlay_too(place: Place, tmp_path: Path) -> None:
    await needs_bubblewrap()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_text("the-content")
    (place.workspace / "old").write_text("the-secret")
    grants = Grants(
        network="hosts",
        hosts=("a.example",),
        ptrace=True,
        unix_sockets=True,
        readable=(str(tmp_path / "data"),),
    )
    code = f"""
        import os, socket
        print(open({str(tmp_path / "data" / "file")!r}).read(), repr(open("old").read()))
        socket.socket(socket.AF_UNIX).bind("made")
        proxy = socket.create_connection(("127.0.0.1", 3128), 20)
        proxy.sendall(b"CONNECT b.example:443 HTTP/1.1\\r\\n\\r\\n")
        print(proxy.recv(99).split(b"\\r\\n")[0].decode(), sorted(os.listdir(".")))
    """
    masked = replace(place, masked=("old",))

    result = await Bubblewrap().run(masked, Command(script(code), grants=grants))
    after = await Bubblewrap().run(masked, Command(("cat", "old", str(tmp_path / "data" / "file"))))

    assert result.output.splitlines() == [
        "the-content ''",
        "HTTP/1.1 403 Forbidden ['.turbo', 'made', 'old']",
        "[proxy refused b.example:443: not on the list of hosts]",
    ]
    assert "the-" not in after.output.replace(str(tmp_path), "")
