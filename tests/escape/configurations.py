"""The configurations in which all attempts are made, and how each is started as its user."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from tests.escape.attempts import Result
from tests.escape.world import Ground
from turbo_tui.core.ports import Guarantee

HERE = Path(__file__).parents[2]
NOBODY = 65534
ROOT = os.geteuid() == 0
RUN_S = 1200.0  # all rungs of a user take 80 s beside other tests; a machine may be slow
# It runs, it starts itself, and it loads what was copied.
_WORKS = (
    "import subprocess, sys, tests.escape.run;"
    "subprocess.run([sys.executable, '-c', 'import sys; sys.exit(sys.version_info < (3, 11))'],"
    "check=True)"
)


@dataclass(frozen=True, slots=True)
class Configuration:
    """What confines, how stages are made, and who does it."""

    rung: Literal["bubblewrap", "landlock"]
    user: Literal["root", "user"]
    kind: Literal["auto", "overlay", "copy"] = "auto"

    @property
    def name(self) -> str:
        """Short, unique."""
        return f"{self.rung}-{self.group}"

    @property
    def group(self) -> str:
        """Of those that are run together."""
        return self.user + ("-copy" if self.kind == "copy" else "")


USUAL = (
    Configuration("bubblewrap", "root"),
    Configuration("bubblewrap", "user"),
    Configuration("landlock", "root"),
    Configuration("landlock", "user"),
)
COPIES = tuple(Configuration(each.rung, each.user, "copy") for each in USUAL)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a configuration.

    Attributes:
        refused: Why it could not be tried here; empty when it was.
        crashed: What went wrong with the suite itself.
    """

    results: dict[str, Result]
    guarantees: tuple[Guarantee, ...] = ()
    rung: str = ""
    seconds: tuple[float, ...] = ()
    refused: str = ""
    crashed: str = ""


def run(group: str, only: tuple[str, ...] = ()) -> dict[Configuration, Outcome]:
    """Make the attempts of a group in a process of its own, as the user whom the group names."""
    found = [each for each in (*USUAL, *COPIES) if each.group == group]
    user, kind = found[0].user, found[0].kind
    if user == "root" and not ROOT:
        return dict.fromkeys(found, Outcome({}, refused="only root can try what root can do"))
    as_other = ROOT and user == "user"
    with contextlib.ExitStack() as made:
        ground = made.enter_context(_ground(NOBODY if as_other else os.geteuid()))
        secret = f"secret-{secrets.token_hex(12)}"
        command, env = [sys.executable], {**os.environ, "PYTHONPATH": str(HERE)}
        if as_other:
            code = made.enter_context(_code())
            python = _python_for(NOBODY, code)
            if python is None:
                why = "no Python 3.11 here that an ordinary user can run"
                return dict.fromkeys(found, Outcome({}, refused=why))
            command, env["PYTHONPATH"] = [*_become(NOBODY), python], str(code)
        env |= {
            "HOME": f"{ground.far}/home",
            "AWS_SECRET_ACCESS_KEY": secret,
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        told = {
            "rungs": [each.rung for each in found],
            "kind": kind,
            "ground": asdict(ground),
            "secret": secret,
            "only": only,
        }
        done = subprocess.run(
            [*command, "-m", "tests.escape.run"],
            input=json.dumps(told),
            env=env,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            timeout=RUN_S,
        )
    if done.returncode != 0:
        crashed = (done.stderr or done.stdout).strip()[-3000:]
        return dict.fromkeys(found, Outcome({}, crashed=crashed))
    answer = json.loads(done.stdout)
    return {each: _outcome(answer[each.rung]) for each in found}


def _outcome(answer: dict[str, Any]) -> Outcome:
    if "refused" in answer:
        return Outcome({}, refused=answer["refused"])
    results = [Result(**each) for each in answer["results"]]
    return Outcome(
        {each.name: each for each in results},
        tuple(Guarantee(**each) for each in answer["guarantees"]),
        answer["rung"],
        tuple(answer["seconds"]),
    )


@contextlib.contextmanager
def _ground(uid: int) -> Generator[Ground]:
    """Make folders that a user owns, wherever the host keeps things."""
    with contextlib.ExitStack() as made:
        near = made.enter_context(_folder(tempfile.gettempdir(), uid))
        far = made.enter_context(_folder("/opt", uid)) or near
        yield Ground(
            near=near,
            far=far,
            other_home=made.enter_context(_folder("/home", uid)),
            run=made.enter_context(_folder("/run", uid)),
            var_tmp=made.enter_context(_folder("/var/tmp", uid)),
            setuid_id=made.enter_context(_setuid_id()) if uid != 0 else "",
        )


@contextlib.contextmanager
def _folder(parent: str, uid: int) -> Generator[str]:
    """Make a folder of a user's; empty where we may not."""
    if not os.access(parent, os.W_OK):
        yield ""
        return
    made = Path(tempfile.mkdtemp(prefix="turbo-tui-escape-", dir=parent))
    try:
        made.chmod(0o755)
        if ROOT:
            os.chown(made, uid, uid)
        yield str(made)
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def _setuid_id() -> Generator[str]:
    """Put a copy of id(1) that runs as root where anyone may run it."""
    real = shutil.which("id")
    if not ROOT or real is None:
        yield ""
        return
    with _folder("/opt", 0) as folder:
        if not folder:
            yield ""
            return
        copy = Path(folder, "id")
        shutil.copy(real, copy)
        copy.chmod(0o4755)
        yield str(copy)


@contextlib.contextmanager
def _code() -> Generator[Path]:
    """Copy what a run needs to where an ordinary user can read it."""
    import psutil

    folder = Path(tempfile.mkdtemp(prefix="turbo-tui-escape-code-"))
    without = shutil.ignore_patterns("__pycache__", "project")
    try:
        shutil.copytree(HERE / "turbo_tui", folder / "turbo_tui", ignore=without)
        shutil.copytree(HERE / "tests" / "escape", folder / "tests" / "escape", ignore=without)
        shutil.copytree(Path(psutil.__file__).parent, folder / "psutil", ignore=without)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _become(uid: int) -> tuple[str, ...]:
    return ("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--inh-caps=-all")


def _python_for(uid: int, code: Path) -> str | None:
    """Return a Python that a user can run and that can load what was copied."""
    for each in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        with contextlib.suppress(OSError):
            done = subprocess.run(
                [*_become(uid), each, "-c", _WORKS],
                env={**os.environ, "PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"},
                cwd="/",
                capture_output=True,
                check=False,
            )
            if done.returncode == 0:
                return each
    return None


def counts(outcome: Outcome) -> dict[str, int]:
    """Count results by their status."""
    found: dict[str, int] = {}
    for each in outcome.results.values():
        found[each.status] = found.get(each.status, 0) + 1
    return found
