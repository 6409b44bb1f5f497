"""What may be imported where: the core stands alone, and nothing heavy comes before the app."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

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
import tempfile
from pathlib import Path
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


def test_at_the_first_frame_nothing_is_loaded_that_it_does_not_need() -> None:
    code = f"""
import asyncio, sys
from pathlib import Path
from turbo_tui.app.options import Options
from turbo_tui.app.turbo_app import TurboApp
from turbo_tui.commands.open import session_opener
from turbo_tui.wiring import open_workspace

class Stopping(TurboApp):
    def _open_behind(self):  # called once the first frame is painted
        print("painted", *[name for name in {HEAVY!r} if name in sys.modules])
        self.exit()

place = open_workspace(sys.argv[1], here=True)
opener = session_opener(place, new=False, session="", here=True)
asyncio.run(Stopping(opener, Options(title="x")).run_async(headless=True))
"""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "shop").mkdir()
        done = subprocess.run(
            (sys.executable, "-c", code, f"{folder}/shop"),
            env={**os.environ, "TURBO_TUI_HOME": f"{folder}/home"},
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout.split() == ["painted"]
