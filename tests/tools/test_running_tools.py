"""Tools that run the project's own commands: tests and formatters, as real processes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes import FolderStage, ScriptedAsker
from turbo_tui.core.errors import ToolError
from turbo_tui.core.ports import ToolContext
from turbo_tui.tools.format_code import FormatCode, configured
from turbo_tui.tools.list_failures import ListFailures


def _context(root: Path, files: dict[str, str]) -> ToolContext:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return ToolContext(FolderStage(root), ScriptedAsker(), root)


def _program(root: Path, name: str, script: str) -> None:
    """Put an executable shell script where a project keeps its tools."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


async def test_failures_are_listed_as_places_with_the_summary(tmp_path: Path) -> None:
    context = _context(tmp_path, {"a.py": ""})
    _program(
        tmp_path,
        "run",
        "echo 'tests/test_a.py:12: AssertionError'; echo 'FAILED tests/test_a.py::test_x - boo'\n"
        "echo '1 failed, 3 passed in 0.1s'; exit 1",
    )

    said = await ListFailures().call({"command": ["./run", "-q"]}, context)

    assert said.startswith("`./run -q` failed (exit 1, ")
    assert said.endswith(
        "\n\n1 place\n\n  tests/test_a.py:12\n\n"
        "  FAILED tests/test_a.py::test_x - boo\n  1 failed, 3 passed in 0.1s"
    )


async def test_of_a_fixed_call_failing_tests_are_a_failure_for_no_model_reads_of_them(
    tmp_path: Path,
) -> None:
    context = replace(_context(tmp_path, {"a.py": ""}), fixed=True)
    _program(tmp_path, "run", "echo 'a.py:12: AssertionError'; exit 1")

    with pytest.raises(
        ToolError, match=r"`./run` failed \(exit 1, [^)]*\)\n\n1 place\n\n  a.py:12"
    ):
        await ListFailures().call({"command": ["./run"]}, context)


async def test_passing_tests_say_so(tmp_path: Path) -> None:
    context = _context(tmp_path, {})
    _program(tmp_path, "run", "echo '=== 4 passed in 0.1s ==='")

    said = await ListFailures().call({"command": "./run"}, context)

    assert said.startswith("`./run`: all tests pass (")
    assert said.endswith(" — 4 passed in 0.1s")


async def test_output_without_places_is_shown_itself(tmp_path: Path) -> None:
    context = _context(tmp_path, {})
    _program(tmp_path, "run", "echo something broke; exit 2")

    said = await ListFailures().call({"command": ["./run"]}, context)

    assert "No file:line could be read from its output; it ends with:\n\n  something broke" in said


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"command": ["sh", "-c", "echo no such; exit 127"]}, "cannot be run here.*\nno such"),
        ({"command": ["sleep", "60"], "timeout_s": 1}, "did not end within"),
        ({}, "needs the argument 'command'"),
    ],
)
async def test_a_command_that_cannot_run_or_end_is_an_error(
    tmp_path: Path, arguments: dict[str, object], why: str
) -> None:
    with pytest.raises(ToolError, match=why):
        await ListFailures().call(arguments, _context(tmp_path, {}))


async def test_the_projects_own_formatters_run_in_their_order(tmp_path: Path) -> None:
    context = _context(tmp_path, {"pyproject.toml": "[tool.ruff]\n", "src/a.py": "x\n"})
    _program(tmp_path, ".venv/bin/ruff", 'echo "$@" >> ran; test "$1" = format || exit 1')

    said = await FormatCode().call({"path": "src"}, context)

    assert (tmp_path / "ran").read_text() == "check --fix src\nformat src\n"
    assert said == (
        "`ruff check --fix src` left problems to mend by hand (exit 1)\n\n`ruff format src` done"
    )


async def test_what_is_configured_but_missing_is_said(tmp_path: Path) -> None:
    files = {".prettierrc": "{}", ".eslintrc.json": "{}", "a.js": "x"}
    context = _context(tmp_path, files)

    with pytest.raises(
        ToolError, match=r"not installed here: eslint .*, prettier \(\.prettierrc\)"
    ):
        await FormatCode().call({}, context)
    _program(tmp_path, "node_modules/.bin/prettier", "seq 40")
    said = await FormatCode().call({}, context)

    assert said.startswith(
        "`prettier --write --log-level warn .` done\n  … 10 lines before\n  11\n"
    )
    assert said.endswith("Configured but not installed here: eslint (.eslintrc.json)")


async def test_nothing_configured_names_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="No formatter or linter is configured"):
        await FormatCode().call({}, _context(tmp_path, {"a.py": "x"}))


@pytest.mark.parametrize(
    ("files", "programs"),
    [
        ({"ruff.toml": ""}, ["ruff check", "ruff format"]),
        ({"pyproject.toml": "[tool.ruff]\n[tool.black]\n"}, ["ruff check", "black --quiet"]),
        (
            {"package.json": '{"prettier": {}, "eslintConfig": {}}'},
            ["eslint --fix", "prettier --write"],
        ),
        ({"package.json": '{"devDependencies": {"prettier": "3"}}'}, ["prettier --write"]),
        ({"go.mod": "", "Cargo.toml": ""}, ["gofmt -l", "cargo fmt"]),
        ({"pyproject.toml": "x =", "package.json": "{"}, []),
    ],
)
def test_formatters_are_told_by_the_projects_files(
    tmp_path: Path, files: dict[str, str], programs: list[str]
) -> None:
    found = configured(_context(tmp_path, files))

    assert [f"{formatter.program} {formatter.argv[0]}" for formatter in found] == programs


async def test_gofmt_gets_the_files_and_cargo_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = _context(tmp_path, {"go.mod": "", "Cargo.toml": "", "a.go": "", "vendored.txt": ""})
    for name in ("gofmt", "cargo"):
        _program(tmp_path, f"tools/{name}", f'echo {name} "$@" >> ran')
    monkeypatch.setenv("PATH", f"{tmp_path}/tools:/usr/bin:/bin")

    await FormatCode().call({}, context)

    assert (tmp_path / "ran").read_text() == "gofmt -l -w a.go\ncargo fmt\n"
