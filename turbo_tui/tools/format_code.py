"""Run the project's own formatters and linters, with autofix."""

from __future__ import annotations

import asyncio
import json
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from turbo_tui.core.command import GIB, Command, Limits
from turbo_tui.core.errors import ToolError
from turbo_tui.core.models import ToolSpec
from turbo_tui.core.ports import ToolContext
from turbo_tui.tools.arguments import Arguments, parameters
from turbo_tui.tools.structural_replace import paths_under

NAME = "format_code"
READ_ONLY = False
TIMEOUT_S = 300.0
LIMITS = Limits(cpu_s=300, memory_bytes=2 * GIB, processes=256, written_bytes=GIB)
LOOKING = Limits(cpu_s=10, processes=64)
TAIL_LINES = 30

_SPEC = ToolSpec(
    NAME,
    "Run the formatters and linters that the project has configured (ruff, black, prettier, "
    "eslint, gofmt, cargo fmt), with autofix; says what is configured but not installed.",
    parameters(
        (),
        path={"type": "string", "description": "a file or folder; the whole workspace if not said"},
    ),
)
_EXAMPLE = {"path": "src"}
_ESLINT_FILES = (
    "eslint.config.js",
    "eslint.config.mjs",
    "eslint.config.cjs",
    "eslint.config.ts",
    ".eslintrc",
    ".eslintrc.js",
    ".eslintrc.cjs",
    ".eslintrc.json",
    ".eslintrc.yml",
    ".eslintrc.yaml",
)
_PRETTIER_FILES = (
    ".prettierrc",
    ".prettierrc.json",
    ".prettierrc.yml",
    ".prettierrc.yaml",
    ".prettierrc.js",
    ".prettierrc.cjs",
    ".prettierrc.mjs",
    ".prettierrc.toml",
    "prettier.config.js",
    "prettier.config.mjs",
    "prettier.config.cjs",
)


@dataclass(frozen=True, slots=True)
class Formatter:
    """A command the project is configured for.

    Attributes:
        program: What must be installed.
        argv: Its arguments; paths follow.
        why: What configures it.
        places: Where to look for the program besides PATH, best first.
        takes_paths: Paths may follow; else it always works on the whole project.
    """

    program: str
    argv: tuple[str, ...]
    why: str
    places: tuple[str, ...] = ()
    takes_paths: bool = True
    endings: tuple[str, ...] = ()


class FormatCode:
    """The project's own formatters and linters."""

    @property
    def spec(self) -> ToolSpec:
        """Name, prompt text and parameters."""
        return _SPEC

    async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        """Run them in the stage; what a linter still complains about is part of the answer.

        Raises:
            ToolError: None is configured, or none of those that are is installed.
        """
        path = Arguments(_SPEC, _EXAMPLE, arguments).path(default=".")
        paths = await asyncio.to_thread(paths_under, context, path)
        wanted = configured(context)
        if not wanted:
            raise ToolError(
                "No formatter or linter is configured in this project. Known ones: ruff or black "
                "in pyproject.toml, prettier or eslint for package.json, gofmt for go.mod, "
                "cargo fmt for Cargo.toml."
            )
        lines: list[str] = []
        missing: list[str] = []
        for formatter in wanted:
            program = await _installed(context, formatter)
            if not program:
                name = f"{formatter.program} ({formatter.why})"
                missing += [name] if name not in missing else []
                continue
            lines.append(await _run(context, formatter, program, path, paths))
        if not lines:
            raise ToolError(
                f"Configured but not installed here: {', '.join(missing)}. Install it where the "
                "project's tools are, such as .venv or node_modules, and try again."
            )
        lines += [f"Configured but not installed here: {name}" for name in missing]
        return "\n\n".join(lines)


def configured(context: ToolContext) -> list[Formatter]:
    """Return the formatters that the project's files name, linters with autofix first."""
    pyproject = _pyproject(context)
    found: list[Formatter] = []
    in_venv = (".venv/bin", "venv/bin")
    ruff = next((name for name in ("ruff.toml", ".ruff.toml") if _there(context, name)), "")
    ruff = ruff or ("[tool.ruff] in pyproject.toml" if "ruff" in pyproject else "")
    if ruff:
        found.append(Formatter("ruff", ("check", "--fix"), ruff, in_venv))
    if "black" in pyproject:
        why = "[tool.black] in pyproject.toml"
        found.append(Formatter("black", ("--quiet",), why, in_venv))
    elif ruff:
        found.append(Formatter("ruff", ("format",), ruff, in_venv))
    node = ("node_modules/.bin",)
    package = _package(context)
    eslint = next((name for name in _ESLINT_FILES if _there(context, name)), "")
    eslint = eslint or ("eslintConfig in package.json" if "eslintConfig" in package else "")
    if eslint:
        found.append(Formatter("eslint", ("--fix",), eslint, node))
    prettier = next((name for name in _PRETTIER_FILES if _there(context, name)), "")
    uses = {**_mapping(package.get("dependencies")), **_mapping(package.get("devDependencies"))}
    if not prettier and ("prettier" in package or "prettier" in uses):
        prettier = "package.json"
    if prettier:
        found.append(Formatter("prettier", ("--write", "--log-level", "warn"), prettier, node))
    if _there(context, "go.mod"):
        found.append(Formatter("gofmt", ("-l", "-w"), "go.mod", ("/usr/local/go/bin",)))
    if _there(context, "Cargo.toml"):
        found.append(Formatter("cargo", ("fmt",), "Cargo.toml", takes_paths=False))
    return found


async def _installed(context: ToolContext, formatter: Formatter) -> str:
    for place in formatter.places:
        candidate = f"{place}/{formatter.program}"
        if place.startswith("/"):
            line = ["sh", "-c", 'test -x "$1"', "sh", candidate]
            asked = await context.stage.run(Command(line, limits=LOOKING))
            if asked.exit_code == 0:
                return candidate
        elif context.stage.files.entry(candidate) is not None:
            return candidate
    asked = await context.stage.run(
        Command(["sh", "-c", 'command -v "$1"', "sh", formatter.program], limits=LOOKING)
    )
    return formatter.program if asked.exit_code == 0 else ""


async def _run(
    context: ToolContext, formatter: Formatter, program: str, path: str, paths: Sequence[str]
) -> str:
    argv = [program, *formatter.argv]
    if formatter.takes_paths:
        if formatter.program == "gofmt":  # it would go into ignored folders by itself
            argv += [found for found in paths if found.endswith(".go")]
        else:
            argv.append(path)
    result = await context.stage.run(Command(argv, timeout_s=TIMEOUT_S, limits=LIMITS))
    shown = shlex.join([formatter.program, *formatter.argv, path])
    rows = result.output.rstrip().splitlines()
    if result.ended != "exited":
        outcome = f"was ended: {result.ended}"
    elif result.exit_code == 0:
        outcome = "done"
    else:
        outcome = f"left problems to mend by hand (exit {result.exit_code})"
    cut = [f"  … {len(rows) - TAIL_LINES} lines before"] if len(rows) > TAIL_LINES else []
    return "\n".join([f"`{shown}` {outcome}", *cut, *(f"  {row}" for row in rows[-TAIL_LINES:])])


def _there(context: ToolContext, path: str) -> bool:
    return context.stage.files.entry(path) is not None


def _pyproject(context: ToolContext) -> Mapping[str, object]:
    """Return the `[tool]` table; empty when there is none or it cannot be read."""
    if not _there(context, "pyproject.toml"):
        return {}
    try:
        table = tomllib.loads(context.stage.files.read("pyproject.toml").decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}
    return _mapping(table.get("tool"))


def _package(context: ToolContext) -> Mapping[str, object]:
    if not _there(context, "package.json"):
        return {}
    try:
        return _mapping(json.loads(context.stage.files.read("package.json")))
    except ValueError:
        return {}


def _mapping(value: object) -> Mapping[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
