"""Commands of a project as its manifests tell them: one reader per ecosystem.

A reader sees one folder and never runs anything: a project that is only looked at must not
get to execute code. What cannot be parsed is no error, only less is known.
"""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast

MANIFEST_BYTES = 1_000_000

Found = Iterator[tuple[str, tuple[str, ...], str]]
"""(purpose, argv, file that says so), best first within a purpose."""


@dataclass(frozen=True)
class Folder:
    """A folder that holds manifests; `names` is what lies directly in it."""

    path: Path
    names: frozenset[str]

    def text(self, name: str) -> str:
        """Return a file's text; empty when it is not there, too large or not text."""
        path = self.path / name
        try:
            # Of a link only what stays within the folder is of interest: none does for sure.
            if path.is_symlink() or not path.is_file() or path.stat().st_size > MANIFEST_BYTES:
                return ""
            return path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def has(self, name: str) -> bool:
        """Tell whether a path below the folder is there."""
        try:
            return (self.path / name).exists()
        except OSError:
            return False

    @cached_property
    def pyproject(self) -> dict[str, object]:
        """`pyproject.toml`, or nothing."""
        try:
            return tomllib.loads(self.text("pyproject.toml"))
        except tomllib.TOMLDecodeError:
            return {}

    @cached_property
    def package(self) -> dict[str, object]:
        """`package.json`, or nothing."""
        try:
            content: object = json.loads(self.text("package.json") or "{}")
        except (ValueError, RecursionError):
            return {}
        return cast("dict[str, object]", content) if isinstance(content, dict) else {}


def table(value: object, *names: str) -> dict[str, object]:
    """Return a table within tables; an empty one where anything on the way is not there."""
    for name in names:
        value = cast("dict[str, object]", value).get(name) if isinstance(value, dict) else None
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


# --- Python ------------------------------------------------------------------

PYTHON_FILES = ("pyproject.toml", "setup.py", "setup.cfg", "tox.ini", "noxfile.py", "pytest.ini")


def python(folder: Folder) -> Found:
    """Tests, linters and formatters that a Python project is set up for."""
    pytest = _configured(folder, "pytest", "pytest.ini", section="tool:pytest")
    if not pytest and (folder.has("conftest.py") or folder.has("tests/conftest.py")):
        pytest = "conftest.py" if folder.has("conftest.py") else "tests/conftest.py"
    pytest = pytest or _mentioned(folder, "pytest")
    if pytest:
        yield "test", (*_python(folder), "-m", "pytest"), pytest
    else:
        yield from _unittest(folder)
    if "tox.ini" in folder.names and "[testenv" in folder.text("tox.ini"):
        yield "test", _tool(folder, "tox"), "tox.ini"
    if "noxfile.py" in folder.names:
        yield "test", _tool(folder, "nox"), "noxfile.py"
    yield from _python_checks(folder)
    if table(folder.pyproject, "build-system"):
        yield "build", (*_python(folder), "-m", "build"), "pyproject.toml"
    yield from _python_runs(folder)


def _unittest(folder: Folder) -> Found:
    for name in ("tests", "test"):
        if folder.has(name):
            # Only a package can be imported from the top.
            top = ("-t", ".") if folder.has(f"{name}/__init__.py") else ()
            yield (
                "test",
                (*_python(folder), "-m", "unittest", "discover", "-s", name, *top),
                f"{name}/",
            )
            return


def _python_checks(folder: Folder) -> Found:
    ruff = _configured(folder, "ruff", "ruff.toml", ".ruff.toml") or _mentioned(folder, "ruff")
    if ruff:
        yield "lint", (*_tool(folder, "ruff"), "check", "."), ruff
    flake8 = _configured(folder, "flake8", ".flake8", section="flake8")
    if flake8:
        yield "lint", _tool(folder, "flake8"), flake8
    mypy = _configured(folder, "mypy", "mypy.ini", section="mypy")
    if mypy:
        yield "lint", (*_tool(folder, "mypy"), "."), mypy
    for name in ("basedpyright", "pyright"):
        config = _configured(folder, name, f"{name}config.json") or _mentioned(folder, name)
        if config:
            yield "lint", _tool(folder, name), config
            break
    black = _configured(folder, "black") or _mentioned(folder, "black")
    if black:
        yield "format", (*_tool(folder, "black"), "."), black
    elif ruff:
        yield "format", (*_tool(folder, "ruff"), "format", "."), ruff


def _python_runs(folder: Folder) -> Found:
    scripts = table(folder.pyproject, "project", "scripts")
    for name in list(scripts)[:3]:
        yield "run", _tool(folder, name), "pyproject.toml"
    if "manage.py" in folder.names:
        yield "run", (*_python(folder), "manage.py", "runserver"), "manage.py"


def _configured(folder: Folder, tool: str, *files: str, section: str = "") -> str:
    """Return the file that configures a tool; empty when none does."""
    for name in files:
        if name in folder.names:
            return name
    if table(folder.pyproject, "tool", tool):
        return "pyproject.toml"
    for name in ("setup.cfg", "tox.ini"):
        if name in folder.names and section:
            wanted = {section, section.removeprefix("tool:")} if name == "tox.ini" else {section}
            if wanted & _sections(folder.text(name)):
                return name
    return ""


def _sections(text: str) -> set[str]:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        return set()
    return set(parser.sections())


def _mentioned(folder: Folder, package: str) -> str:
    """Return the file that requires a package; empty when none does."""
    wanted = re.compile(rf"(?<![\w.-]){re.escape(package)}(?![\w.-])", re.IGNORECASE)
    lists = table(folder.pyproject, "dependency-groups") | table(
        folder.pyproject, "project", "optional-dependencies"
    )
    lists["project"] = table(folder.pyproject, "project").get("dependencies", [])
    for entries in lists.values():
        texts = cast("list[object]", entries) if isinstance(entries, list) else []
        if any(isinstance(text, str) and wanted.match(text) for text in texts):
            return "pyproject.toml"
    for group in ("dev-dependencies", "dependencies"):
        if package in table(folder.pyproject, "tool", "poetry", group):
            return "pyproject.toml"
    if package in table(folder.pyproject, "tool", "poetry", "group", "dev", "dependencies"):
        return "pyproject.toml"
    requirements = sorted(
        name for name in folder.names if re.fullmatch(r".*requirements.*\.(?:txt|in)", name)
    )
    for name in (
        *requirements,
        "requirements/dev.txt",
        "requirements/test.txt",
        "setup.py",
        "setup.cfg",
        "tox.ini",
    ):
        if any(wanted.match(line.strip(" \t'\",")) for line in folder.text(name).splitlines()):
            return name
    return ""


def _environment(folder: Folder) -> str:
    for name in (".venv", "venv", "env"):
        if folder.has(f"{name}/pyvenv.cfg") and folder.has(f"{name}/bin/python"):
            return name
    return ""


def _runner(folder: Folder) -> tuple[str, ...]:
    for lock, runner in (
        ("uv.lock", "uv"),
        ("poetry.lock", "poetry"),
        ("pdm.lock", "pdm"),
        ("Pipfile.lock", "pipenv"),
    ):
        if lock in folder.names:
            return (runner, "run")
    return ()


def _python(folder: Folder) -> tuple[str, ...]:
    environment = _environment(folder)
    if environment:
        return (f"{environment}/bin/python",)
    return (*_runner(folder), "python" if _runner(folder) else "python3")


def _tool(folder: Folder, name: str) -> tuple[str, ...]:
    environment = _environment(folder)
    if environment and folder.has(f"{environment}/bin/{name}"):
        return (f"{environment}/bin/{name}",)
    return (*(() if environment else _runner(folder)), name)


# --- Node --------------------------------------------------------------------

_NODE_SCRIPTS = {
    "test": ("test", "test:unit", "unit"),
    "lint": ("lint", "eslint", "typecheck", "type-check", "check"),
    "format": ("format", "fmt", "prettier"),
    "build": ("build", "compile"),
    "run": ("start", "dev", "serve"),
}


def node(folder: Folder) -> Found:
    """Scripts of `package.json`, run by the package manager whose lock file is there."""
    scripts = table(folder.package, "scripts")
    manager = _node_manager(folder)
    for purpose, names in _NODE_SCRIPTS.items():
        for name in names:
            script = scripts.get(name)
            if not isinstance(script, str) or "no test specified" in script:
                continue
            short = (manager, name) if name in {"test", "start"} else (manager, "run", name)
            yield purpose, short, "package.json"
    if "tsconfig.json" in folder.names and folder.has("node_modules/.bin/tsc"):
        yield "lint", ("node_modules/.bin/tsc", "--noEmit"), "tsconfig.json"


def _node_manager(folder: Folder) -> str:
    named = str(folder.package.get("packageManager", "")).partition("@")[0]
    if named in {"npm", "pnpm", "yarn", "bun"}:
        return named
    locks = {"pnpm-lock.yaml": "pnpm", "yarn.lock": "yarn", "bun.lockb": "bun", "bun.lock": "bun"}
    return next((manager for lock, manager in locks.items() if lock in folder.names), "npm")


# --- the others --------------------------------------------------------------


def rust(folder: Folder) -> Found:
    """Cargo's own commands."""
    manifest = "Cargo.toml"
    yield "test", ("cargo", "test"), manifest
    yield "lint", ("cargo", "clippy", "--all-targets"), manifest
    yield "format", ("cargo", "fmt"), manifest
    yield "build", ("cargo", "build"), manifest
    if folder.has("src/main.rs") or "[[bin]]" in folder.text(manifest):
        yield "run", ("cargo", "run"), manifest


def go(folder: Folder) -> Found:
    """The go tool's own commands."""
    yield "test", ("go", "test", "./..."), "go.mod"
    yield "lint", ("go", "vet", "./..."), "go.mod"
    yield "format", ("gofmt", "-l", "-w", "."), "go.mod"
    yield "build", ("go", "build", "./..."), "go.mod"
    if "main.go" in folder.names:
        yield "run", ("go", "run", "."), "main.go"


def maven(folder: Folder) -> Found:
    """Maven's phases, by the wrapper where there is one."""
    program = "./mvnw" if "mvnw" in folder.names else "mvn"
    yield "test", (program, "-B", "test"), "pom.xml"
    yield "build", (program, "-B", "package", "-DskipTests"), "pom.xml"


def gradle(folder: Folder) -> Found:
    """Gradle's usual tasks, by the wrapper where there is one."""
    manifest = next(name for name in GRADLE_FILES if name in folder.names)
    program = "./gradlew" if "gradlew" in folder.names else "gradle"
    yield "test", (program, "test"), manifest
    yield "build", (program, "assemble"), manifest
    if re.search(r"""\bapplication\b""", folder.text(manifest)):
        yield "run", (program, "run"), manifest


def cmake(folder: Folder) -> Found:
    """Configure into `build/`, build, and run the tests that are registered."""
    text = folder.text("CMakeLists.txt")
    yield "build", ("cmake", "-S", ".", "-B", "build"), "CMakeLists.txt"
    yield "build", ("cmake", "--build", "build"), "CMakeLists.txt"
    if re.search(r"(?im)^\s*(?:enable_testing|add_test|include\s*\(\s*CTest)\b", text):
        yield "test", ("ctest", "--test-dir", "build", "--output-on-failure"), "CMakeLists.txt"


_MAKE_TARGETS = {
    "test": ("test", "tests", "check"),
    "lint": ("lint",),
    "format": ("format", "fmt"),
    "build": ("build", "all"),
    "run": ("run", "start", "serve"),
}


def make(folder: Folder) -> Found:
    """Targets whose name says what they are for."""
    manifest = next(name for name in MAKE_FILES if name in folder.names)
    targets = set(re.findall(r"(?m)^([\w./-]+)[ \t]*::?(?!=)", folder.text(manifest)))
    for purpose, names in _MAKE_TARGETS.items():
        for name in names:
            if name in targets:
                yield purpose, ("make", name), manifest


MAKE_FILES = ("GNUmakefile", "makefile", "Makefile")
GRADLE_FILES = ("build.gradle.kts", "build.gradle")

ECOSYSTEMS: tuple[tuple[str, tuple[str, ...], Callable[[Folder], Found]], ...] = (
    ("python", PYTHON_FILES, python),
    ("node", ("package.json",), node),
    ("rust", ("Cargo.toml",), rust),
    ("go", ("go.mod",), go),
    ("maven", ("pom.xml",), maven),
    ("gradle", GRADLE_FILES, gradle),
    ("cmake", ("CMakeLists.txt",), cmake),
    ("make", MAKE_FILES, make),
)
"""Type, the files that make a folder one of it, its reader; in the order they are shown."""


def manifests(names: Iterable[str]) -> list[str]:
    """Return which of these names are manifests of any ecosystem."""
    known = {name for _, files, _ in ECOSYSTEMS for name in files}
    return sorted(name for name in names if name in known)
