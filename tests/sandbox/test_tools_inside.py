"""Tools that must go on working in a stage: compilers, package managers, tests, servers.

Each is really run, in a fresh stage, on the two rungs at the ends: an overlay with bubblewrap, a
copy with Landlock. A tool that is not on this machine is *not tried*, and says so.
"""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
import textwrap
import venv as venvs
import zipfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Literal

import pytest

from tests.fakes import MemoryBlobs
from tests.sandbox.confining import EXPECTED, needs_bubblewrap, needs_landlock
from turbo_tui.core.command import Command
from turbo_tui.core.errors import StageError
from turbo_tui.core.ports import CommandResult
from turbo_tui.sandbox.confine.bubblewrap import Bubblewrap
from turbo_tui.sandbox.confine.landlock import Landlock
from turbo_tui.sandbox.confine.unsandboxed import Unsandboxed
from turbo_tui.sandbox.place import Confiner
from turbo_tui.sandbox.staging.stage import WorkspaceStage
from turbo_tui.sandbox.staging.stages import open_stages

Rung = Literal["bubblewrap", "landlock"]
CARGO = {"RUSTUP_HOME": os.environ.get("RUSTUP_HOME", f"{Path.home()}/.rustup")}
TOOL_S = 300.0  # compilers on a busy machine
pytestmark = pytest.mark.timeout(2 * TOOL_S + 60)


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool at work.

    Attributes:
        needs: Programs without which it is not tried.
        line: What the shell runs, to end with `works` on a line.
        files: What the workspace holds before.
        rungs: Where it works by design.
        changed: A path that is among the changes afterwards.
    """

    name: str
    line: str
    needs: tuple[str, ...] = ()
    files: Mapping[str, str | bytes] = field(default_factory=dict[str, "str | bytes"])
    rungs: tuple[Rung, ...] = ("bubblewrap", "landlock")
    changed: str = ""


def python(code: str) -> dict[str, str]:
    """Return a workspace with a program."""
    return {"program.py": textwrap.dedent(code)}


def wheel() -> bytes:
    """Build the smallest wheel there is."""
    room = BytesIO()
    about = "Metadata-Version: 2.1\nName: parcel\nVersion: 1.0\n"
    kind = "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(room, "w") as file:
        file.writestr("parcel.py", "word = 'works'\n")
        file.writestr("parcel-1.0.dist-info/METADATA", about)
        file.writestr("parcel-1.0.dist-info/WHEEL", kind)
        file.writestr("parcel-1.0.dist-info/RECORD", "")
    return room.getvalue()


BACKEND = f"""
import pathlib
WHEEL = {wheel()!r}
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "parcel-1.0-py3-none-any.whl"
    pathlib.Path(folder, name).write_bytes(WHEEL)
    return name
"""


def source_distribution() -> bytes:
    """Build a source distribution that brings its own build backend and needs no other."""
    room = BytesIO()
    project = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    files = {
        "pyproject.toml": project + '[project]\nname = "parcel"\nversion = "1.0"\n',
        "backend.py": BACKEND,
        "PKG-INFO": "Metadata-Version: 2.1\nName: parcel\nVersion: 1.0\n",
    }
    with tarfile.open(fileobj=room, mode="w:gz") as file:
        for name, text in files.items():
            about = tarfile.TarInfo(f"parcel-1.0/{name}")
            about.size = len(text.encode())
            file.addfile(about, BytesIO(text.encode()))
    return room.getvalue()


USE = "env/bin/python -c 'import parcel; print(parcel.word)'"
PIP = "python3 -m venv env && env/bin/pip install -q --no-index"
C = '#include <stdio.h>\nint main(void) { puts("works"); return 0; }\n'
CMAKE = (
    "cmake_minimum_required(VERSION 3.5)\nproject(p C)\nadd_executable(p p.c)\n"
    "enable_testing()\nadd_test(NAME p COMMAND p)\n"
)
HTTP = """
import http.server, threading, urllib.request
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/").read()
server.shutdown(); print("works")
"""
NODE_SERVER = (
    "const http = require('http'); const s = http.createServer((q, r) => r.end('works'));"
    "s.listen(0, '127.0.0.1', () => http.get(s.address(), r => r.on('data', d => {"
    "console.log(String(d)); s.close(); })));"
)
POOL = """
import multiprocessing, os
def square(x):
    return x * x
if __name__ == "__main__":
    for how in ("fork", "spawn"):
        with multiprocessing.get_context(how).Pool(2) as pool:
            assert pool.map(square, range(5)) == [0, 1, 4, 9, 16]
    print("works")
"""
GIT = "git -c user.name=n -c user.email=e@example.org"

TOOLS: tuple[Tool, ...] = (
    Tool(
        "git",
        "git init -q . && touch new && git add new && "
        "test \"$(git status --short)\" = 'A  new' && "
        f"{GIT} commit -qm first && {GIT} stash list && git log --oneline | grep -q first && "
        "git switch -q -c side && echo x > new && git diff --stat | grep -q new && echo works",
        ("git",),
        changed="new",
    ),
    Tool("gcc", "gcc -O1 -o p p.c && ./p", ("gcc",), {"p.c": C}, changed="p"),
    Tool(
        "make",
        "make -j2 && ./p",
        ("make", "gcc"),
        {"p.c": C, "Makefile": "p: p.o\n\tgcc -o $@ $<\np.o: p.c\n\tgcc -c $<\n"},
        changed="p.o",
    ),
    Tool(
        "cmake",
        "cmake -S . -B build >&2 && cmake --build build -j2 >&2 && "
        "(cd build && ctest >&2) && build/p",
        ("cmake", "gcc", "make"),
        {"p.c": C, "CMakeLists.txt": CMAKE},
    ),
    Tool("python on PATH", "python3 -c 'import ssl, sqlite3, ctypes, zlib; print(\"works\")'"),
    Tool(
        "venv",
        "python3 -m venv --without-pip .venv && . .venv/bin/activate && "
        'test "$(python -c \'import sys; print(sys.prefix)\')" = "$PWD/.venv" && echo works',
    ),
    Tool(
        "pip, a wheel and a source distribution",
        f"{PIP} ./parcel-1.0-py3-none-any.whl >&2 && {USE} >&2 && "
        f"rm -r env/lib/python3*/site-packages/parcel* && ! {USE} 2>&1 && "
        f"env/bin/pip install -q --no-index ./parcel-1.0.tar.gz && {USE}",
        files={
            "parcel-1.0-py3-none-any.whl": wheel(),
            "parcel-1.0.tar.gz": source_distribution(),
        },
    ),
    Tool(
        "pytest",
        f"{sys.executable} -m pytest -q -p no:cacheprovider >&2 && echo works",
        files={"test_it.py": "def test_it(tmp_path):\n    (tmp_path / 'x').write_text('x')\n"},
    ),
    Tool(
        "node and its children",
        "node -e \"console.log(require('child_process').execSync('echo works').toString())\"",
        ("node",),
    ),
    Tool("node's server and client", f'node -e "{NODE_SERVER}"', ("node",), rungs=("bubblewrap",)),
    Tool(
        "npm and a local tarball",
        "(cd dep && npm pack --silent --pack-destination ..) && "
        "npm install --silent --offline --no-audit --no-fund ./dep-1.0.0.tgz && "
        "npm run --silent go",
        ("npm", "node"),
        {
            "package.json": '{"name": "app", "version": "1.0.0", "scripts": {"go": "node go.js"}}',
            "go.js": "console.log(require('dep'))",
            "dep/package.json": '{"name": "dep", "version": "1.0.0", "main": "i.js"}',
            "dep/i.js": "module.exports = 'works'",
        },
        changed="package-lock.json",
    ),
    Tool(
        "cargo",
        "cargo init -q --vcs none --name demo . && cargo test -q --offline >&2 && "
        "cargo run -q --offline | sed 's/Hello, world!/works/'",
        ("cargo",),
        changed="Cargo.toml",
    ),
    Tool(
        "rustc",
        "rustc -o p p.rs && ./p",
        ("rustc",),
        {"p.rs": 'fn main() { println!("works"); }\n'},
    ),
    Tool(
        "go",
        "go build -o p . && go test ./... >&2 && ./p",
        ("go",),
        {
            "go.mod": "module p\n\ngo 1.18\n",
            "p.go": 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("works") }\n',
            "p_test.go": 'package main\n\nimport "testing"\n\nfunc TestP(t *testing.T) {}\n',
        },
    ),
    Tool(
        "java",
        "javac -d out P.java && java -cp out P",
        ("java", "javac"),
        {
            "P.java": "class P { public static void main(String[] a) throws Exception {"
            'Thread t = new Thread(() -> System.out.println("works")); t.start(); t.join(); } }\n'
        },
        changed="out/P.class",
    ),
    Tool("perl", "perl -MFile::Temp -e 'print \"works\\n\" if File::Temp->new'", ("perl",)),
    Tool(
        "a pool of processes",
        "python3 program.py",
        files=python(POOL),
        rungs=("bubblewrap",),  # its locks lie in /dev/shm, which Landlock cannot make private
    ),
    Tool(
        "asyncio's processes",
        "python3 program.py",
        files=python(
            """
            import asyncio
            async def main():
                words = await asyncio.gather(*(asyncio.create_subprocess_exec(
                    "echo", "works", stdout=asyncio.subprocess.PIPE) for _ in range(3)))
                outputs = [(await each.communicate())[0] for each in words]
                print(outputs[0].decode())
            asyncio.run(main())
            """
        ),
    ),
    Tool(
        "threads",
        "python3 program.py",
        files=python(
            """
            from concurrent.futures import ThreadPoolExecutor
            with ThreadPoolExecutor(16) as pool:
                assert sum(pool.map(len, [b"x"] * 100)) == 100
            print("works")
            """
        ),
    ),
    Tool(
        "a server and its client",
        "python3 program.py",
        files={"program.py": HTTP},
        rungs=("bubblewrap",),  # Landlock's rung has no sockets at all
    ),
    Tool(
        "sqlite",
        "python3 program.py && test -s data.sqlite",
        files=python(
            """
            import sqlite3
            base = sqlite3.connect("data.sqlite")
            base.execute("pragma journal_mode = wal")
            with base:
                base.execute("create table t (word)")
                base.execute("insert into t values ('works')")
            print(base.execute("select word from t").fetchone()[0])
            base.close()
            """
        ),
        changed="data.sqlite",
    ),
    Tool(
        "temporary files",
        'f=$(mktemp) && d=$(mktemp -d) && echo works > "$f" && mv "$f" "$d/x" && cat "$d/x"',
    ),
    Tool(
        "a home folder to write to",
        'mkdir -p ~/.config/tool && echo works > ~/.config/tool/c && cat "$HOME/.config/tool/c"',
    ),
    Tool(
        "locale",
        "python3 -c \"print('wörks'.replace('ö', 'o'), '€') if '€'.encode() else 0\" | "
        "sed 's/ .*//' && test \"$(printf 'é' | wc -m)\" = 1",
    ),
    Tool(
        "timezone",
        'test "$(TZ=Europe/Berlin date -d 2026-01-01 +%z)" = +0100 && '
        "python3 -c \"import zoneinfo; zoneinfo.ZoneInfo('Europe/Berlin'); print('works')\"",
    ),
    Tool(
        "a pipe of many and a here-document",
        "cat <<END | tr a-z A-Z | tr A-Z a-z | sort | uniq | tail -1\na\nworks\nEND\n",
    ),
    Tool(
        "ps sees its own",
        "sleep 60 & until ps -e | grep -q sleep; do :; done; echo works; kill $!",
        ("ps",),
    ),
)


@pytest.fixture(params=["bubblewrap", "landlock"])
def rung(request: pytest.FixtureRequest) -> Rung:
    return request.param


async def confiner_of(rung: Rung, environ: Mapping[str, str], home: Path | None) -> Confiner:
    if rung == "bubblewrap":
        await needs_bubblewrap()
        return Bubblewrap(environ=environ, home=home)
    await needs_landlock()
    return Landlock(environ=environ, home=home)


async def stage_in(
    tmp_path: Path,
    rung: Rung,
    *,
    environ: Mapping[str, str] | None = None,
    home: Path | None = None,
) -> WorkspaceStage:
    """Open a stage of `tmp_path / project` on a rung; skip where it is not to be had."""
    confiner = await confiner_of(rung, {**os.environ, **CARGO, **(environ or {})}, home)
    project = tmp_path / "project"
    project.mkdir(exist_ok=True)
    try:
        stages = open_stages(
            project,
            tmp_path / "state",
            MemoryBlobs(),
            confiner,
            rung="overlay" if rung == "bubblewrap" else "copy",
        )
    except StageError as error:
        if EXPECTED == "bwrap" and rung == "bubblewrap" and "overlay" not in str(error):
            pytest.fail(str(error))
        stages = open_stages(project, tmp_path / "state", MemoryBlobs(), confiner, rung="copy")
    return await stages.open("s")


async def shell(stage: WorkspaceStage, line: str) -> CommandResult:
    return await stage.run(Command(("sh", "-ec", line), timeout_s=TOOL_S))


@pytest.fixture
async def opened() -> AsyncIterator[list[WorkspaceStage]]:
    stages: list[WorkspaceStage] = []
    yield stages
    for stage in stages:
        await stage.close()


async def _works_outside(tool: Tool, folder: Path) -> bool:
    """Whether a tool that is on PATH does its work at all: a shim may stand for nothing."""
    put(folder / "any", "")
    for name, content in tool.files.items():
        put(folder / name, content)
    stage_less = Unsandboxed(environ={**os.environ, **CARGO})
    stages = open_stages(folder, folder.parent / "state-outside", MemoryBlobs(), stage_less)
    stage = await stages.open("s")
    try:
        return (await shell(stage, tool.line)).exit_code == 0
    finally:
        await stage.close()


def put(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name.replace(" ", "-"))
async def test_a_tool_does_its_work_in_a_stage(
    tool: Tool, rung: Rung, tmp_path: Path, opened: list[WorkspaceStage]
) -> None:
    missing = [program for program in tool.needs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"not tried: {', '.join(missing)} is not installed")
    if rung not in tool.rungs:
        pytest.skip("not on this rung, by its design")
    for name, content in tool.files.items():
        put(tmp_path / "project" / name, content)
    # As in a terminal where it was activated.
    stage = await stage_in(tmp_path, rung, environ={"VIRTUAL_ENV": sys.prefix})
    opened.append(stage)

    result = await shell(stage, tool.line)

    if result.exit_code != 0 and not await _works_outside(tool, tmp_path / "outside"):
        pytest.skip(f"not tried: {tool.name} does not work on this machine even unconfined")
    assert result.exit_code == 0, result.output
    assert "works" in result.output.split(), result.output
    changes = await stage.changes()
    found = {change.path for change in changes.files}
    assert not tool.changed or tool.changed in found, found


async def test_a_program_behind_a_shim_is_found(
    rung: Rung, tmp_path: Path, opened: list[WorkspaceStage]
) -> None:
    home = tmp_path / "home"
    real = home / ".pyenv/versions/9.9/bin"
    put(real / "tool", "#!/bin/sh\necho works\n")
    (real / "tool").chmod(0o755)
    (real / "nick").symlink_to("tool")
    put(home / ".pyenv/shims/nick", f"#!/bin/sh\nexec '{real}/nick' \"$@\"\n")
    (home / ".pyenv/shims/nick").chmod(0o755)
    put(home / ".ssh/key", "secret")
    environ = {"PATH": f"{home}/.pyenv/shims:/usr/bin:/bin", "PYENV_ROOT": f"{home}/.pyenv"}
    stage = await stage_in(tmp_path, rung, environ=environ, home=home)
    opened.append(stage)

    result = await shell(stage, f"nick; cat {home}/.ssh/key || echo hidden")

    assert result.output.split()[0] == "works"
    assert "secret" not in result.output


@pytest.mark.parametrize("linked", [True, False], ids=["linked", "copied"])
async def test_a_virtual_environment_outside_the_workspace_is_used(
    linked: bool,  # noqa: FBT001 - a parameter of the test
    rung: Rung,
    tmp_path: Path,
    opened: list[WorkspaceStage],
) -> None:
    venv = tmp_path / "elsewhere" / "venv"
    venvs.create(venv, with_pip=False, symlinks=linked)
    environ = {"VIRTUAL_ENV": str(venv), "PATH": f"{venv}/bin:{os.environ['PATH']}"}
    # Neither our own interpreter's tool folders nor the variables that lead to them.
    environ |= {"PYENV_ROOT": "", "UV_PYTHON_INSTALL_DIR": ""}
    home = tmp_path / "home"
    home.mkdir()
    stage = await stage_in(tmp_path, rung, environ=environ, home=home)
    opened.append(stage)

    result = await shell(stage, "python -c 'import sys; print(sys.prefix, sys.base_prefix)'")

    assert result.output == f"{venv} {sys.base_prefix}\n"


async def test_variables_of_language_and_time_reach_a_command(
    rung: Rung, tmp_path: Path, opened: list[WorkspaceStage]
) -> None:
    environ = {"LC_ALL": "C.UTF-8", "TZ": "Asia/Tokyo"}
    stage = await stage_in(tmp_path, rung, environ=environ)
    opened.append(stage)

    result = await shell(stage, "echo $LC_ALL; date +%z; printf 'é' | wc -m")

    assert result.output.split() == ["C.UTF-8", "+0900", "1"]
