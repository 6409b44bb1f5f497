"""Run a step's checks and read where they failed: `file:line` out of what tools print."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from turbo_tui.core.command import Command
from turbo_tui.core.ports import CommandResult, Stage

CHECK_TIMEOUT_S = 600.0
MOST_FAILURES = 50
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126  # exit codes of a shell; bash(1), EXIT STATUS

_PATH = r"(?P<path>(?:[A-Za-z]:)?[^\s:()\"'<>|]+\.\w+)"
_FORMATS = tuple(
    re.compile(pattern)
    for pattern in (
        # pytest: `tests/test_a.py:12: AssertionError`; gcc, mypy, ruff, go, eslint --format unix:
        # `src/a.c:3:5: error: …`; go test: `    a_test.go:7: …`
        rf"^\s*{_PATH}:(?P<line>\d+)(?::\d+)?(?::| -|\s|$)",
        # Python traceback: `  File "a.py", line 3, in f`
        r'^\s*File "(?P<path>[^"]+)", line (?P<line>\d+)',
        # rustc, ruff (full), cargo: ` --> src/main.rs:4:9`
        rf"^\s*-->\s+{_PATH}:(?P<line>\d+):\d+",
        # rust panic: `thread 'main' panicked at src/lib.rs:5:9:`
        rf"panicked at {_PATH}:(?P<line>\d+):\d+",
        # tsc: `src/a.ts(3,7): error TS2322: …`
        rf"^{_PATH}\((?P<line>\d+),\d+\):",
        # node stack: `    at f (/w/a.js:3:5)`; `    at /w/a.js:3:5`
        rf"^\s+at (?:.*\()?(?:file://)?{_PATH}:(?P<line>\d+):\d+\)?$",
    )
)
_WARNING = re.compile(r"^[^\s].*?:\d+(?::\d+)?:?\s+(?:warning|note|info)\b", re.IGNORECASE)
_ESLINT_FILE = re.compile(r"^(?P<path>/?[^\s:]+\.\w+)$")
_ESLINT_ROW = re.compile(r"^\s+(?P<line>\d+):\d+\s+error\s")
_PYRIGHT_ROW = re.compile(rf"^\s+{_PATH}:(?P<line>\d+):\d+ - error")
_PYTEST_SHORT = re.compile(r"^(?:FAILED|ERROR) (?P<path>[^\s:]+\.py)(?:::|\s|$)")
_SGR = re.compile(r"\x1b\[[\d;]*m")
_NOT_THEIRS = ("site-packages/", "dist-packages/", "node_modules/", "/lib/python", "<frozen")


@dataclass(frozen=True, slots=True)
class Check:
    """How one check went.

    Attributes:
        failures: `file:line`, or `file` where no line was given.
        failed_before: It fails without the step's changes as well.
    """

    argv: tuple[str, ...]
    result: CommandResult
    failures: tuple[str, ...] = ()
    failed_before: bool = False

    @property
    def passed(self) -> bool:
        """It ran to its end and exited 0."""
        return self.result.ended == "exited" and self.result.exit_code == 0

    @property
    def why(self) -> str:
        """Say in one line how it failed; empty when it passed."""
        command = shlex.join(self.argv)
        if self.passed:
            return ""
        if self.result.ended == "timeout":
            return f"`{command}` did not end within its time limit"
        if self.result.ended != "exited":
            return f"`{command}` was ended: {self.result.ended}"
        if self.result.exit_code in {_NOT_FOUND, _NOT_EXECUTABLE}:
            return f"`{command}` cannot be run here (exit {self.result.exit_code})"
        where = f" at {', '.join(self.failures[:5])}" if self.failures else ""
        more = f" and {len(self.failures) - 5} more" if len(self.failures) > 5 else ""  # noqa: PLR2004
        before = ", as it did before this step" if self.failed_before else ""
        return f"`{command}` failed (exit {self.result.exit_code}){where}{more}{before}"


async def run_check(
    stage: Stage, argv: Sequence[str], *, root: str = "", timeout_s: float = CHECK_TIMEOUT_S
) -> Check:
    """Run one check in a stage.

    Args:
        stage: Where.
        argv: The command.
        root: Absolute path of the workspace as commands see it, taken off failing paths.
        timeout_s: After this many seconds it is stopped and has failed.

    Raises:
        SandboxError: The sandbox could not be started.
    """
    result = await stage.run(Command(argv, timeout_s=timeout_s))
    failed = result.ended != "exited" or result.exit_code != 0
    failures = tuple(read_failures(result.output, root=root)) if failed else ()
    return Check(tuple(argv), result, failures)


def read_failures(output: str, *, root: str = "", most: int = MOST_FAILURES) -> list[str]:
    """Read where a check failed, in the order first named.

    Knows pytest, unittest and other Python tracebacks, ruff, mypy, pyright, tsc, eslint, go,
    rustc and cargo, gcc and clang, node. Places in installed libraries are left out.

    Args:
        output: What the check printed; colours are ignored.
        root: Absolute path of the workspace, taken off absolute paths.
        most: Most places to return.

    Returns:
        `file:line`, or `file` where only pytest's summary names it; no doubles.
    """
    found: dict[str, None] = {}
    bare: dict[str, None] = {}
    for path, line in _places(_SGR.sub("", output)):
        name = _relative(path, root)
        if name is None:
            continue
        if line:
            found[f"{name}:{line}"] = None
        else:
            bare[name] = None
        if len(found) >= most:
            break
    named = {place.rpartition(":")[0] for place in found}
    return [*found, *(name for name in bare if name not in named)][:most]


def _places(output: str) -> Iterator[tuple[str, str]]:
    eslint_file = ""
    for row in output.splitlines():
        if _WARNING.match(row):
            continue
        heading = _ESLINT_FILE.match(row)
        if heading:
            eslint_file = heading["path"]
            continue
        in_file = _ESLINT_ROW.match(row)
        if in_file and eslint_file:
            yield eslint_file, in_file["line"]
            continue
        short = _PYTEST_SHORT.match(row)
        if short:
            yield short["path"], ""
            continue
        yield from _place(row)


def _place(row: str) -> Iterator[tuple[str, str]]:
    pyright = _PYRIGHT_ROW.match(row)
    if pyright:
        yield pyright["path"], pyright["line"]
        return
    if re.match(r"^\s+.*:\d+:\d+ - (?:warning|information)\b", row):
        return
    for pattern in _FORMATS:
        match = pattern.search(row)
        if match:
            yield match["path"], match["line"]
            return


def _relative(path: str, root: str) -> str | None:
    """Name a path as the workspace does; None when it is not the project's own."""
    if root and path.startswith(root.rstrip("/") + "/"):
        path = path[len(root.rstrip("/")) + 1 :]
    path = path.removeprefix("./")
    if path.startswith(("/", "<", "..")) or any(part in path for part in _NOT_THEIRS):
        return None
    return path
