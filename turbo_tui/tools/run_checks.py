"""Run the checks of the step, or those that the project itself suggests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from turbo_tui.core.errors import ToolError
from turbo_tui.core.models import ToolSpec
from turbo_tui.core.ports import StageFiles, ToolContext
from turbo_tui.engine.checks import Check, run_check
from turbo_tui.engine.context import head_and_tail
from turbo_tui.tools.arguments import Arguments, parameters

SPEC = ToolSpec(
    "run_checks",
    "Run the checks of this step, or, if it has none, the project's tests; returns what failed "
    "and where. `only` picks those whose command contains it.",
    parameters((), only={"type": "string", "description": "part of a command, such as pytest"}),
)
EXAMPLE = {"only": "pytest"}
OUTPUT_CHARS = 6_000  # of each failing check

Argv = tuple[str, ...]


class RunChecks:
    """Run checks in the stage."""

    spec = SPEC

    async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        """Return a line for each check, and the output of those that fail."""
        only = Arguments(SPEC, EXAMPLE, arguments).text("only", "", empty=True)
        checks = context.checks or project_checks(context.stage.files)
        if not checks:
            raise ToolError(
                "This step has no checks and no test command was recognised here. Use shell to "
                "run what the project's documentation names."
            )
        chosen = [argv for argv in checks if only in " ".join(argv)]
        if not chosen:
            known = "; ".join(" ".join(argv) for argv in checks)
            raise ToolError(f"No check contains {only!r}. The checks are: {known}.")
        root = str(context.workspace)
        done = [await run_check(context.stage, argv, root=root) for argv in chosen]
        return "\n\n".join(_shown(check) for check in done)


def _shown(check: Check) -> str:
    if check.passed:
        return f"passed: {' '.join(check.argv)}"
    output = head_and_tail(check.result.output.strip(), OUTPUT_CHARS)
    return f"FAILED: {check.why}\n{output}".rstrip()


def project_checks(files: StageFiles) -> tuple[Argv, ...]:
    """Recognise a project's test commands by the files at its root."""
    names = {entry.name: entry.kind for entry in files.entries(".")}
    found: list[Argv] = []
    if _is_python(names):
        found.append(_python_tests(files, names))
    if "package.json" in names and _script(files, "test"):
        found.append(("npm", "test", "--silent"))
    if "Cargo.toml" in names:
        found.append(("cargo", "test", "--offline", "--quiet"))
    if "go.mod" in names:
        found.append(("go", "test", "./..."))
    if not found and "Makefile" in names and b"\ntest:" in b"\n" + _read(files, "Makefile"):
        found.append(("make", "test"))
    return tuple(found)


def _is_python(names: Mapping[str, str]) -> bool:
    if names.keys() & {"pyproject.toml", "setup.py", "setup.cfg", "pytest.ini", "tox.ini"}:
        return True
    return any(name.startswith("test_") and name.endswith(".py") for name in names)


def _python_tests(files: StageFiles, names: Mapping[str, str]) -> Argv:
    """Choose pytest unless nothing but unittest is in sight."""
    told = b"".join(_read(files, name) for name in ("pyproject.toml", "setup.cfg", "tox.ini"))
    folder = next((name for name in ("tests", "test") if names.get(name) == "folder"), "")
    if b"pytest" in told or "pytest.ini" in names or "conftest.py" in names:
        return ("python3", "-m", "pytest", "-q")
    shallow = [entry.name for entry in files.entries(folder or ".")]
    tests = [name for name in shallow if name.startswith("test") and name.endswith(".py")]
    below = f"{folder}/" if folder else ""
    sources = [_read(files, below + name) for name in tests[:5]]
    if sources and all(b"unittest" in source and b"pytest" not in source for source in sources):
        return ("python3", "-m", "unittest", "discover", *(("-s", folder) if folder else ()))
    return ("python3", "-m", "pytest", "-q")


def _script(files: StageFiles, name: str) -> bool:
    """Tell whether package.json has a script that is more than npm's placeholder."""
    try:
        manifest = json.loads(_read(files, "package.json"))
    except ValueError:
        return False
    scripts = _mapping(manifest).get("scripts")
    script = _mapping(scripts).get(name)
    return isinstance(script, str) and "no test specified" not in script


def _mapping(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _read(files: StageFiles, path: str) -> bytes:
    try:
        return files.read(path, limit_bytes=200_000)
    except ToolError:
        return b""
