"""What may be imported where: the core stands alone, and nothing heavy comes before the app."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    *("lancedb", "pyarrow", "numpy", "torch", "sentence_transformers", "mcp", "pygit2"),
    *("tree_sitter", "httpx2", "keyring", "pydantic_settings", "pydantic", "libcst", "jedi"),
    *("ast_grep_py", "sqlite3"),
    # None of them is heavy, and each was paid before the frame for what comes after it.
    *("hashlib", "json", "click", "turbo_tui.app.opened", "turbo_tui.app.dialogs"),
    *("turbo_tui.commands.opening", "turbo_tui.core.command", "turbo_tui.core.events"),
)


def imported_by(code: str) -> list[str]:
    """Return the heavy modules that running `code` brought in."""
    report = f"{code}\nimport sys\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run(
        (sys.executable, "-c", report), capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    "code",
    [
        "import turbo_tui.cli",
        "import turbo_tui.wiring",
        "import turbo_tui.app.main, turbo_tui.app.session_screen",
        "import turbo_tui.commands.open",
    ],
)
def test_nothing_heavy_is_imported_before_the_first_frame(code: str) -> None:
    assert imported_by(code) == []


def test_the_core_boots_where_nothing_else_is_installed() -> None:
    code = """
import sys
for name in ("textual", "rich", "lancedb", "httpx2", "pydantic", "pygit2", "click"):
    sys.modules[name] = None
import pkgutil, importlib, turbo_tui.core
for module in pkgutil.iter_modules(turbo_tui.core.__path__):
    importlib.import_module(f"turbo_tui.core.{module.name}")
print("booted")
"""
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=False)
    assert done.stdout == "booted\n", done.stderr


def test_help_imports_no_screen() -> None:
    code = "import sys, click.testing, turbo_tui.commands.program as c\n"
    code += "r = click.testing.CliRunner().invoke(c.program, ['--help'])\n"
    code += "assert 'sandbox' in r.output, r.output\nassert 'textual' not in sys.modules"
    subprocess.run((sys.executable, "-c", code), check=True)
