"""What a step wrote is never run by the host: not by our git, our linters, our workers, our app.

Everything that anybody ever ran by accident is planted, each with a tripwire. Then the program
is used as a user would, with the workspace's own folders first on PATH.
"""

# ruff: noqa: ISC004 - files as text

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from tests.journeys import screen as screens
from tests.journeys.plans import plan_file, shell, tool
from tests.journeys.screen import Screen
from tests.journeys.turbo import Ended, Turbo
from tests.sandbox.confining import needs_bubblewrap, needs_landlock

# As the installed command is: the folder it is called in is no place for its modules.
PROGRAM = (sys.executable, "-P", "-m", "turbo_tui")

PROGRAMS = (
    *("git", "python3", "python", "pip", "rg", "node", "npm", "npx", "make", "cargo", "go", "sh"),
    *(
        "bash",
        "env",
        "bwrap",
        "nsenter",
        "unshare",
        "mount",
        "setpriv",
        "prlimit",
        "ruff",
        "pytest",
    ),
    *("ssh", "gpg", "less", "cat", "vi", "nano", "tmux", "cp", "turbo-tui", "black", "mypy"),
)
FOLDERS = (".", "bin", ".venv/bin", "node_modules/.bin", "venv/bin")
MODULES = (
    *("sitecustomize", "usercustomize", "conftest", "setup", "json", "typing", "pathlib", "psutil"),
    *("asyncio", "click", "textual", "turbo_tui", "tree_sitter", "libcst", "jedi", "pathspec"),
    *("pygit2", "tomllib", "site", "noxfile", "docs_conf", "re", "importlib"),
)
HOOKS = (
    *("pre-commit", "post-commit", "commit-msg", "prepare-commit-msg", "post-checkout"),
    *("post-index-change", "reference-transaction", "fsmonitor-watchman", "post-merge"),
)
COMMANDS = (
    *("core.fsmonitor", "core.sshCommand", "core.pager", "core.editor", "diff.external"),
    *("diff.evil.textconv", "diff.evil.command", "filter.evil.clean", "filter.evil.smudge"),
    *("filter.evil.process", "gpg.program", "merge.evil.driver", "credential.helper"),
    *("core.askPass", "sequence.editor", "pager.diff", "pager.log", "alias.status", "alias.diff"),
    *("uploadpack.packObjectsHook", "interactive.diffFilter", "core.gitProxy"),
)


@dataclass(frozen=True, slots=True)
class Trap:
    """Plants tripwires, and tells which went off."""

    workspace: Path
    tripped: Path

    def went_off(self) -> list[str]:
        """Return the names of those that were run."""
        return sorted(path.name for path in self.tripped.iterdir())

    def script(self, name: str) -> str:
        """Return a program that only says it was run."""
        return f"#!/bin/sh\n: > {shlex.quote(str(self.tripped / name))}\n"

    def module(self, name: str) -> str:
        """Return a Python module that does so."""
        return f"open({str(self.tripped / name)!r}, 'w').close()\n"

    def files(self) -> Iterator[tuple[str, str, int]]:
        """Yield path, content and mode of what lies in the tree itself."""
        for folder in FOLDERS:
            for name in PROGRAMS:
                yield f"{folder}/{name}", self.script(f"{folder}-{name}".replace("/", "_")), 0o755
        for name in MODULES:
            yield f"{name}.py", self.module(name), 0o644
            yield f"src/{name}.py", self.module(f"src-{name}"), 0o644
        for folder in (".venv/lib/python3.11/site-packages", "."):
            yield f"{folder}/evil.pth", f"import os; {self.module('pth')}", 0o644
        yield ".gitattributes", "* filter=evil diff=evil merge=evil\n", 0o644
        for name in HOOKS:
            yield f".githooks/{name}", self.script(f"githooks-{name}"), 0o755
            yield f".husky/{name}", self.script(f"husky-{name}"), 0o755
        run = str(self.tripped / "manifest")
        yield "Makefile", f"all test lint:\n\t: > {run}-make\n", 0o644
        scripts = f'{{"test": ": > {run}-npm", "lint": ": > {run}-lint", "prepare": ": > {run}-p"}}'
        yield "package.json", f'{{"name": "x", "version": "1.0.0", "scripts": {scripts}}}\n', 0o644
        yield (
            "pyproject.toml",
            # Joined: a table for each tool that can be told to load something.
            '[project]\nname = "x"\nversion = "1.0.0"\n'
            '[build-system]\nrequires = []\nbuild-backend = "setup"\nbackend-path = ["."]\n'
            '[tool.pytest.ini_options]\naddopts = "-p sitecustomize -p conftest"\n'
            '[tool.pylint.main]\ninit-hook = "import conftest"\n'
            '[tool.mypy]\nplugins = ["conftest"]\n[tool.ruff]\nline-length = 90\n',
            0o644,
        )
        yield "app.py", "def old_name():\n    return 1\n\n\nprint(old_name())\n", 0o644
        yield "test_app.py", self.module("test_app") + "def test_app():\n    pass\n", 0o644

    def config(self) -> str:
        """Return git settings that name commands."""
        lines: list[str] = []
        for key in COMMANDS:
            section, _, rest = key.partition(".")
            sub, _, last = rest.rpartition(".")
            head = f'[{section} "{sub}"]' if sub else f"[{section}]"
            run = self.tripped / f"config-{key}"
            shell_word = f"!: > {run}; true" if section == "alias" else f": > {run}; cat;"
            lines.append(f"{head}\n\t{last} = {shell_word}\n")
        return "".join(lines) + "[core]\n\thooksPath = .githooks\n"

    def planting(self) -> str:
        """Return a shell line that plants everything, in whatever tree it runs in."""
        lines = ["set +e"]
        for path, content, mode in self.files():
            lines += (f"mkdir -p {shlex.quote(str(Path(path).parent))}",)
            lines += (f"printf %s {shlex.quote(content)} > {shlex.quote(path)}",)
            lines += (f"chmod {mode:o} {shlex.quote(path)}",)
        for name in HOOKS:
            lines += (f"printf %s {shlex.quote(self.script(f'hook-{name}'))} > .git/hooks/{name}",)
            lines += (f"chmod 755 .git/hooks/{name}",)
        lines += (f"printf %s {shlex.quote(self.config())} >> .git/config", "true")
        return "\n".join(lines) + "\n"

    def plant(self) -> None:
        """Plant everything in the workspace itself, as a clone of somebody else's would have it."""
        envrc = (".envrc", f": > {shlex.quote(str(self.tripped / 'envrc'))}\n", 0o755)
        for path, content, mode in (*self.files(), envrc):
            at = self.workspace / path
            at.parent.mkdir(parents=True, exist_ok=True)
            at.write_text(content)
            at.chmod(mode)
        for name in HOOKS:
            (self.workspace / ".git/hooks" / name).write_text(self.script(f"hook-{name}"))
            (self.workspace / ".git/hooks" / name).chmod(0o755)
        with (self.workspace / ".git/config").open("a") as file:
            file.write(self.config())


@pytest.fixture
async def trap(tmp_path: Path) -> Trap:
    """A repository with a commit, and a folder outside in which tripwires leave their names."""
    if shutil.which("bwrap") is None:
        await needs_landlock()
    else:
        await needs_bubblewrap()
    workspace, tripped = tmp_path / "work", tmp_path / "tripped"
    workspace.mkdir()
    tripped.mkdir()
    git(workspace, "init", "-q", "-b", "main")
    (workspace / ".git" / "hooks").mkdir(exist_ok=True)
    (workspace / "README").write_text("read me\n")
    git(workspace, "config", "user.name", "U")
    git(workspace, "config", "user.email", "u@example.org")
    git(workspace, "add", "README")
    git(workspace, "commit", "-qm", "first")
    return Trap(workspace, tripped)


@pytest.fixture
def turbo(trap: Trap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Turbo:
    """A user whose PATH begins with the workspace's own folders, as an activated one's does."""
    monkeypatch.setattr(screens, "PROGRAM", PROGRAM)
    home = tmp_path / "home"
    home.mkdir()
    folders = [str(trap.workspace / folder) for folder in FOLDERS]
    path = ":".join((*folders, "", ".", "bin", os.environ["PATH"]))
    return Turbo(home, trap.workspace, {"PATH": path, "VIRTUAL_ENV": str(trap.workspace / ".venv")})


def git(folder: Path, *words: str) -> str:
    """Run the user's git, with none of what was planted."""
    safe = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "filter.evil.clean=cat")
    safe = (*safe, "filter.evil.process=", "user.name=U", "user.email=u@example.org")
    done = subprocess.run(
        ("git", *(word for setting in safe for word in ("-c", setting)), *words),
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"},
    )
    return done.stdout


def use(turbo: Turbo, *words: str, timeout_s: float = 250) -> Ended:
    """Run a command of ours in the workspace."""
    done = subprocess.run(
        (*PROGRAM, *words),
        cwd=turbo.workspace,
        env=turbo.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def steps(turbo: Turbo, *calls: list[dict[str, object]], approve: str = "all") -> Ended:
    """Run steps headless."""
    return use(
        turbo, "run", "--plan", str(plan_file(turbo, *calls)), "--approve", approve, "--json"
    )


LOOKING = (
    ("session", "list"),
    ("session", "show"),
    ("session", "verify"),
    ("doctor",),
    ("sandbox", "--", "true"),
    ("plan", "rename old_name to new_name"),
)
TOOLS: tuple[dict[str, object], ...] = (
    tool("list_files"),
    tool("read_file", path="app.py"),
    tool("search_text", query="old_name"),
    tool("find_usages", symbol="old_name"),
    tool("explain_symbol", symbol="old_name"),
    tool("rename_symbol", symbol="old_name", new_name="new_name"),
    tool("structural_replace", pattern="print($A)", rewrite="print(str($A))"),
    tool("remove_unused_imports"),
    tool("bump_version", version="1.2.3"),
    tool("add_dependency", requirement="click>=8"),
    tool("write_file", path="new.txt", content="new\n"),
    shell("git status; git diff; python3 -c 'import json'; make test; npm test; true"),
)
# What these run is the step's own, so how they end says nothing.
RUNNING = (
    tool("format_code"),
    tool("list_failures", command=["git", "status"]),
    tool("run_checks"),
)


def test_the_tripwires_go_off_for_whoever_runs_them(trap: Trap) -> None:
    trap.plant()
    env = {**os.environ, "PATH": f"{trap.workspace}/bin:{os.environ['PATH']}"}
    here = trap.workspace
    subprocess.run(("git", "--version"), cwd=here, env=env, check=False, capture_output=True)
    real, unfiltered = shutil.which("git") or "git", ("-c", "filter.evil.process=")
    commit = (*unfiltered, "commit", "--allow-empty", "-m", "x")
    for words in (("status",), ("diff",), ("add", "-A"), commit):
        subprocess.run((real, *words), cwd=here, check=False, capture_output=True)
    subprocess.run(
        (sys.executable, "-c", "import sitecustomize, json.tool; import conftest"),
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(here)},
        check=False,
        capture_output=True,
    )

    off = trap.went_off()

    assert "bin-git" in off
    assert "config-core.fsmonitor" in off
    assert "sitecustomize" in off
    assert any(name.startswith("config-filter") for name in off)
    assert any(name.startswith("githooks-") for name in off)


def test_what_a_step_planted_is_run_by_nothing_of_ours(trap: Trap, turbo: Turbo) -> None:
    planted = steps(turbo, [shell(trap.planting())])
    assert planted.code == 0, planted.out[-2000:] + planted.err
    assert (trap.workspace / "bin" / "git").exists()
    assert trap.went_off() == []

    done = steps(turbo, *([call] for call in TOOLS))
    for call in RUNNING:
        steps(turbo, [call])
    for words in (("session", "list"), ("session", "show"), ("doctor",)):
        use(turbo, *words)

    *others, last = cast("list[dict[str, str]]", done.last("RunFinished")["steps"])
    assert {each["status"] for each in others} <= {"done", "landed"}, done.out[-3000:]
    # The shell that a step finds first is the planted one: it fails, in the sandbox.
    assert last["status"] == "failed"
    assert trap.went_off() == []


def test_a_commit_that_was_approved_runs_none_of_a_steps_files(trap: Trap, turbo: Turbo) -> None:
    planted = steps(turbo, [shell(trap.planting())])
    assert planted.code == 0, planted.err
    git(trap.workspace, "add", "app.py")

    done = steps(turbo, [tool("git_commit", message="second")])

    assert git(trap.workspace, "log", "--format=%s").splitlines()[0] == "second", done.out[-2000:]
    assert trap.went_off() == []


def test_undoing_and_taking_up_a_session_runs_nothing(trap: Trap, turbo: Turbo) -> None:
    steps(turbo, [shell(trap.planting())])
    assert (trap.workspace / "bin" / "git").exists()

    undone = use(turbo, "session", "undo")
    waiting = steps(turbo, [shell(trap.planting())], approve="none")
    resumed = use(turbo, "session", "resume", "--approve", "all", "--json")

    assert undone.code == 0, undone.err
    assert waiting.code == 3
    assert resumed.code == 0, resumed.err
    assert trap.went_off() == []


def test_a_repository_of_somebody_else_runs_nothing_by_being_looked_at(
    trap: Trap, turbo: Turbo
) -> None:
    trap.plant()

    for words in LOOKING:
        use(turbo, *words)
    steps(turbo, [tool("read_file", path="app.py")], [tool("search_text", query="x")])
    use(turbo, "run", "rename old_name to new_name", "--approve", "all", "--json")

    assert trap.went_off() == []


def test_the_app_runs_nothing_of_what_it_shows(trap: Trap, turbo: Turbo) -> None:
    trap.plant()
    git(trap.workspace, "add", "README")

    with Screen(turbo, ".") as screen:
        screen.wait_for("turbo")
        screen.settled()
        screen.type("rename old_name to new_name\r")
        screen.settled()
        screen.press("\x11")
        screen.settled()

    assert trap.went_off() == []
