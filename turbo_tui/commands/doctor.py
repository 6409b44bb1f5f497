"""`turbo-tui doctor`: what works here, what does not, and how to mend it."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import click

from turbo_tui import __version__
from turbo_tui.commands.as_json import json_option
from turbo_tui.commands.checks import Check, Status
from turbo_tui.commands.completing import place_option
from turbo_tui.commands.sandbox_checks import can_write, sandbox_checks
from turbo_tui.commands.telling import encodable
from turbo_tui.config import ModelSettings, Paths, Settings, load_settings, paths
from turbo_tui.core.errors import TurboError
from turbo_tui.core.plain import plural
from turbo_tui.projects import FILE as PROJECTS
from turbo_tui.projects import ProjectSettings
from turbo_tui.trust import FILES_THAT_COUNT, Consents
from turbo_tui.wiring import Workspace, git_root, open_workspace

OLDEST_PYTHON = (3, 11)
SMALLEST_TERMINAL = (60, 20)
MODEL_S, GIT_S = 10.0, 5.0
COLOURS: dict[Status, str] = {"ok": "green", "reduced": "yellow", "missing": "red"}
FOR_MEANING = ("sentence_transformers", "lancedb")


@click.command("doctor")
@place_option()
@click.option("--here", is_flag=True, help="Use PATH itself, not its enclosing git root.")
@json_option()
def command(path: str, *, here: bool, as_json: bool) -> None:
    """Say what works here, what does not, how to mend it, and where data lies.

    Only models that you set up and agreed to are contacted. Exit code 1 if something needed
    is missing.
    """
    groups = asyncio.run(examine(path, here=here))
    checks = [check for group in groups.values() for check in group]
    if as_json:
        listed = [dataclasses.asdict(check) for check in checks]
        sys.stdout.write(json.dumps({"checks": listed}, indent=1) + "\n")
    else:
        width = min(100, shutil.get_terminal_size((100, 40)).columns)
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        for line in in_words(groups, width=width, colour=colour):
            sys.stdout.write(encodable(line, sys.stdout) + "\n")
    raise SystemExit(int(any(check.status == "missing" for check in checks)))


async def examine(path: str, *, here: bool = False) -> dict[str, list[Check]]:
    """Look at everything, group by group; what is broken is a check's result, never an error."""
    where = paths()
    about, workspace = _workspace(path, where, here=here)
    groups = {
        "machine": [_python(), terminal(os.environ, _terminal_size()), _git(workspace)],
        "workspace": about,
        "sandbox": await sandbox_checks(workspace),
        "data": [
            _folder("state", where.state, needed=True, without="sessions cannot be kept"),
            _folder("cache", where.cache, without="what is looked up is not remembered"),
            _folder("config folder", where.config, without="the setup screen cannot save"),
        ],
        "models and search": [
            *[
                await _model(role, settings, Consents(where.state))
                for role, settings in (
                    ("planner", workspace.settings.planner),
                    ("executor", workspace.settings.executor),
                )
            ],
            _semantic(),
        ],
    }
    return {
        group: [replace(c, detail=_safe(c.detail), mend=_safe(c.mend)) for c in checks]
        for group, checks in groups.items()
    }


# --- the machine ---------------------------------------------------------------


def _python() -> Check:
    detail = f"{platform.python_version()}, {sys.executable}"
    if sys.version_info < OLDEST_PYTHON:
        return Check("python", "missing", detail, "Install Python 3.11 or later.")
    return Check("python", "ok", detail)


def _terminal_size() -> os.terminal_size | None:
    for stream in (sys.__stdout__, sys.__stderr__, sys.__stdin__):
        try:
            return os.get_terminal_size(stream.fileno() if stream else -1)
        except (OSError, ValueError):
            continue
    return None


def terminal(env: Mapping[str, str], size: os.terminal_size | None) -> Check:
    """Judge the terminal by its size and what the environment says of it.

    Args:
        env: The environment: TERM, COLORTERM, NO_COLOR and the locale count.
        size: None where no stream is a terminal.
    """
    from turbo_widgets.ascii_only import needs_ascii  # noqa: PLC0415  brings Textual

    kind = env.get("TERM", "")
    if size is None:
        return Check("terminal", "ok", "none here; the app needs one, run and plan do not")
    if kind in {"", "dumb"}:
        mend = "Use a terminal that can draw, or set TERM, as in TERM=xterm-256color."
        return Check("terminal", "reduced", f"TERM={kind or 'not set'} cannot show the app", mend)
    plain = needs_ascii(env)
    words = (f"{size.columns}x{size.lines}", kind, _colours(env), "ASCII" if plain else "UTF-8")
    detail = ", ".join(words)
    if size.columns < SMALLEST_TERMINAL[0] or size.lines < SMALLEST_TERMINAL[1]:
        return Check("terminal", "reduced", detail, "Make the window 60x20 or larger.")
    if plain:
        mend = "Set a UTF-8 locale for proper lines and signs, as in LC_ALL=C.UTF-8."
        return Check("terminal", "reduced", detail, mend)
    return Check("terminal", "ok", detail)


def _colours(env: Mapping[str, str]) -> str:
    if env.get("NO_COLOR"):
        return "no colours (NO_COLOR)"
    if env.get("COLORTERM", "") in {"truecolor", "24bit"}:
        return "all colours"
    return "256 colours" if "256" in env.get("TERM", "") else "16 colours"


def _git(workspace: Workspace) -> Check:
    from turbo_tui.vcs.repository import path_outside  # noqa: PLC0415

    path = path_outside(workspace.root, os.environ.get("PATH", os.defpath))
    program = shutil.which("git", path=path)
    if program is None:
        without = "not found: no branch is shown, commits and ignore rules are left out"
        return Check("git", "reduced", without, "Install git, as in: sudo apt install git")
    try:
        said = subprocess.run(
            (program, "--version"), capture_output=True, text=True, timeout=GIT_S, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return Check("git", "reduced", f"{program} does not run: {error}", "Install git anew.")
    return Check("git", "ok", f"{said.strip().removeprefix('git version ')}, {program}")


# --- the workspace and its settings ----------------------------------------------


def _workspace(path: str, where: Paths, *, here: bool) -> tuple[list[Check], Workspace]:
    """Return what there is to say of the workspace, and one to go on with if it is broken."""
    given = Path(path).expanduser()
    try:
        folder = given.resolve()
    except (OSError, RuntimeError):  # links in a circle
        folder = given.absolute()
    root = folder if here else git_root(folder)
    nothing = ProjectSettings(where.config / PROJECTS, root)
    spare = Workspace(root, where, Settings(), trusted=False, project=nothing)
    try:
        settings = load_settings(where.config_file)
        config = Check("config", "ok", _config_words(where))
    except TurboError as error:
        return [_root(spare), Check("config", "missing", str(error), "Mend what it names.")], spare
    try:
        workspace = open_workspace(folder, here=here)
    except TurboError as error:
        usable = replace(spare, settings=settings)
        if not folder.is_dir() or not os.access(folder, os.R_OK | os.X_OK):
            return [Check("workspace", "missing", str(error)), config], usable
        return [_root(usable), Check("config", "missing", str(error))], usable
    if workspace.settings.warnings:
        said = "; ".join(workspace.settings.warnings)
        config = Check("config", "reduced", said, "Mend or remove the project's file.")
    return [_root(workspace), config], workspace


def _config_words(where: Paths) -> str:
    file = where.config_file
    return f"{file} can be read" if file.exists() else f"no {file}; the defaults count"


def _root(workspace: Workspace) -> Check:
    root = workspace.root
    if not (root / ".git").exists():
        mend = "Optional: `git init` gives it ignore rules and history."
        return Check("workspace", "ok", f"{root}, not under git", mend)
    own = [name for name in FILES_THAT_COUNT if (root / name).exists()]
    trusted = f"; {', '.join(own)} {'is' if len(own) == 1 else 'are'} " if own else ""
    trusted += ("trusted" if workspace.trusted else "not trusted, and can only tighten") * bool(own)
    return Check("workspace", "ok", f"{root}, a git repository{trusted}")


# --- folders -------------------------------------------------------------------------


def _folder(name: str, folder: Path, *, without: str, needed: bool = False) -> Check:
    if can_write(folder):
        size = _size_words(folder) if folder.exists() else "not made yet"
        return Check(name, "ok", f"{folder}, {size}")
    status: Status = "missing" if needed else "reduced"
    mend = f"Make {folder} a folder you can write, or set TURBO_TUI_HOME to another one."
    return Check(name, status, f"{folder} is not writable: {without}", mend)


def _size_words(folder: Path) -> str:
    files = total_bytes = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total_bytes += (Path(parent) / name).lstat().st_size
            except OSError:
                continue  # deleted meanwhile
            files += 1
    amount, unit = float(total_bytes), "bytes"
    for larger in ("kB", "MB", "GB"):
        if amount < 1000:  # noqa: PLR2004  SI units
            break
        amount, unit = amount / 1000, larger
    return f"{amount:,.{0 if unit == 'bytes' else 1}f} {unit} in {plural(files, 'file')}"


# --- models and search ------------------------------------------------------------------


async def _model(role: str, settings: ModelSettings, consents: Consents) -> Check:
    if not settings.configured:
        serves = {"planner": "the built-in planner serves", "executor": "only recipes can run"}
        mend = "Optional: press M in the app, or see the README."
        return Check(role, "ok", f"not set up; {serves[role]}", mend)
    from turbo_tui.adapters.providers import ModelAddress, check  # noqa: PLC0415  brings httpx2
    from turbo_tui.wiring.models import key_of  # noqa: PLC0415

    named = f"{settings.model} at {settings.base_url}"
    try:
        address = ModelAddress(
            settings.kind, settings.base_url, settings.model, key=key_of(settings), retries=0
        )
        if settings.origin not in {"file", "flag"} and not consents.has(address.host):
            detail = f"{named}, named by the environment; not contacted, you have not agreed yet"
            return Check(role, "reduced", detail, "The app asks before anything is sent.")
        async with asyncio.timeout(MODEL_S):
            return Check(role, "ok", f"{named}; {await check(address)}")
    except TurboError as error:
        return Check(role, "reduced", f"{named}: {error}")
    except TimeoutError:
        mend = "It may be loading; try again, or look at the server."
        return Check(role, "reduced", f"{named}: no answer within {MODEL_S:.0f} s", mend)


def _semantic() -> Check:
    absent = [name for name in FOR_MEANING if importlib.util.find_spec(name) is None]
    name = "search by meaning"
    if absent:
        detail = "not installed; search finds text and symbols without it"
        return Check(name, "ok", detail, "Optional, about 1 GB: make semantic")
    return Check(name, "ok", "installed")


# --- words ------------------------------------------------------------------------------


def in_words(groups: Mapping[str, list[Check]], *, width: int, colour: bool) -> Iterator[str]:
    """Write the checks as aligned lines, each mend below its check, and a verdict last."""
    checks = [check for group in groups.values() for check in group]
    names = max(len(check.name) for check in checks)
    yield f"turbo-tui {__version__}"
    for group, members in groups.items():
        if members:
            yield ""
            yield click.style(group, bold=True) if colour else group
        for check in members:
            yield from _check_lines(check, names, width=width, colour=colour)
    yield ""
    missing = [check.name for check in checks if check.status == "missing"]
    reduced = [check.name for check in checks if check.status == "reduced"]
    if missing:
        verdict = f"Missing: {', '.join(missing)}. The arrows above say how to mend it."
    elif reduced:
        verdict = f"All that is needed is here. At a reduced level: {', '.join(reduced)}."
    else:
        verdict = "All is well."
    yield from textwrap.wrap(verdict, max(20, width), break_on_hyphens=False)


def _check_lines(check: Check, names: int, *, width: int, colour: bool) -> Iterator[str]:
    indent = " " * (2 + names + 2 + len("reduced") + 2)
    status = f"{check.status:<7}"
    if colour:
        status = click.style(status, fg=COLOURS[check.status])
    lines = textwrap.wrap(check.detail, max(20, width - len(indent)), break_on_hyphens=False)
    yield f"  {check.name:<{names}}  {status}  {lines[0] if lines else ''}"
    yield from (indent + line for line in lines[1:])
    mends = textwrap.wrap(check.mend, max(20, width - len(indent) - 3), break_on_hyphens=False)
    yield from (f"{indent}{'-> ' if at == 0 else '   '}{m}" for at, m in enumerate(mends))


def _safe(text: str) -> str:
    """Return text that a terminal shows and nothing else: names and servers' words are data."""
    from turbo_tui.sandbox.process.sanitiser import sanitise  # noqa: PLC0415

    return " ".join(sanitise(os.fsencode(text)).split())
