"""Run turbo-tui as a user's shell would: a process of its own, a home and state of its own."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import stat
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PROGRAM = (sys.executable, "-m", "turbo_tui")
# For what takes a moment: a machine may be slow, and busy with other tests. Two fit into a test.
PATIENCE_S = 100.0


@dataclass
class Ended:
    """A finished process; `events` are the JSON lines of its stdout."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def last(self, kind: str) -> dict[str, object]:
        """Return the last event of a kind."""
        return [event for event in self.events if event["kind"] == kind][-1]


@dataclass
class Turbo:
    """A user: a home folder, a workspace, and what they type into a shell."""

    home: Path
    workspace: Path
    more_env: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def env(self) -> dict[str, str]:
        """The environment of the user's shell: none of our own variables leak in."""
        kept = ("PATH", "LANG", "PYTHONPATH", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
        base = {name: os.environ[name] for name in kept if name in os.environ}
        return {
            **base,
            "HOME": str(self.home),
            "TURBO_TUI_HOME": str(self.home / "turbo"),
            "TURBO_TUI_WORKER_IDLE_S": "1",
            "TERM": "xterm-256color",
            **self.more_env,
        }

    @property
    def state(self) -> Path:
        return self.home / "turbo" / "state"

    def configure(self, text: str) -> None:
        """Write the user's config.toml."""
        file = self.home / "turbo" / "config" / "config.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def use_models(self, base_url: str, *, kind: str = "openai") -> None:
        """Name a planner and an executor of one server, as the setup screen would."""
        self.configure(
            f'[planner]\nkind = "{kind}"\nbase_url = "{base_url}"\nmodel = "planner-model"\n\n'
            f'[executor]\nkind = "{kind}"\nbase_url = "{base_url}"\nmodel = "executor-model"\n'
        )

    def __call__(self, *args: str, cwd: Path | None = None, timeout_s: float = PATIENCE_S) -> Ended:
        """Run a command to its end."""
        done = subprocess.run(
            (*PROGRAM, *args),
            cwd=cwd or self.workspace,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def start(self, *args: str) -> subprocess.Popen[str]:
        """Start a command and leave it running; its JSON lines come on stdout."""
        return subprocess.Popen(
            (*PROGRAM, *args),
            cwd=self.workspace,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def until(process: subprocess.Popen[str], kind: str) -> list[dict[str, object]]:
    """Read JSON lines until an event of a kind has come; the reader's timeout is the test's."""
    seen: list[dict[str, object]] = []
    assert process.stdout is not None
    for line in process.stdout:
        seen.append(json.loads(line))
        if seen[-1]["kind"] == kind:
            return seen
    raise AssertionError(f"the process ended before any {kind}: {seen}")


def whole_tree(root: Path) -> dict[str, tuple[str, int, int, str]]:
    """Return path -> (type, mode, mtime in ns, content's hash or link's target) of everything."""
    found: dict[str, tuple[str, int, int, str]] = {}
    for folder, names, files in os.walk(root):
        for name in (".", *names, *files):
            path = Path(folder) / name
            status = path.lstat()
            content = ""
            if stat.S_ISREG(status.st_mode):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            elif stat.S_ISLNK(status.st_mode):
                content = str(path.readlink())
            kind = stat.filemode(status.st_mode)[0]
            relative = str(path.relative_to(root))
            found[relative] = (kind, stat.S_IMODE(status.st_mode), status.st_mtime_ns, content)
    return found


def differences(
    before: Mapping[str, tuple[str, int, int, str]], after: Mapping[str, tuple[str, int, int, str]]
) -> Sequence[str]:
    """Return the paths whose type, mode or content differs; times of folders do not count."""
    return [
        path
        for path in sorted({*before, *after})
        if _without_time(before.get(path)) != _without_time(after.get(path))
    ]


def _without_time(entry: tuple[str, int, int, str] | None) -> tuple[str, int, str] | None:
    return None if entry is None else (entry[0], entry[1], entry[3])


def give_venv(workspace: Path) -> None:
    """Make what a developer of the package has: `.venv` with pytest and the package, editable."""
    venv.create(workspace / ".venv", with_pip=False, symlinks=True)
    (packages,) = (workspace / ".venv" / "lib").glob("python3.*/site-packages")
    for name in ("pytest", "pluggy", "iniconfig", "packaging", "pygments"):
        distribution = importlib.metadata.distribution(name)
        tops = {file.parts[0] for file in distribution.files or () if file.parts[0] != ".."}
        for top in tops - {"__pycache__"}:
            source = Path(str(distribution.locate_file(top)))
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, packages / top, ignore=ignored, dirs_exist_ok=True)
            else:
                shutil.copy2(source, packages / top)
    # This release's tests warn under a newer pytest, and they turn warnings into errors.
    options = "-W ignore::pytest.PytestRemovedIn10Warning"
    (packages / "editable.pth").write_text(
        f"{workspace / 'src'}\nimport os; os.environ.setdefault('PYTEST_ADDOPTS', {options!r})\n",
        encoding="utf-8",
    )
    exclude = workspace / ".git" / "info" / "exclude"
    exclude.parent.mkdir(exist_ok=True)
    exclude.write_text(".venv/\n.pytest_cache/\n__pycache__/\n", encoding="utf-8")
    metadata = packages / "click-8.1.8.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: click\nVersion: 8.1.8\n")
