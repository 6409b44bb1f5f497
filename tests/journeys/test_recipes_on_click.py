"""Every built-in recipe on a real package: typed in words, carried out, the tree compared."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from tests.fakes import FolderStage, MemoryBlobs, ScriptedAsker
from tests.real_package import PACKAGE_TESTS, click_repository, package_environment
from turbo_tui.core.errors import TaskError
from turbo_tui.core.events import Event
from turbo_tui.core.ports import ToolContext, Verdict
from turbo_tui.engine.executor import StepOutcome, run_step
from turbo_tui.engine.recipes import ProjectFacts, load_recipes, plan_from_recipes
from turbo_tui.languages.ask import names_in_workspace
from turbo_tui.tools.catalogue import builtin_tools
from turbo_tui.vcs.repository import CommandLineGit

TESTS = ("env", *(f"{key}={value}" for key, value in package_environment().items()), *PACKAGE_TESTS)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as it was published, committed."""
    return click_repository(tmp_path_factory.mktemp("pristine"))


@pytest.fixture
def package(pristine: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return Path(shutil.copytree(pristine, tmp_path / "click", symlinks=True))


async def _carry_out(
    task: str, package: Path, *, test: Sequence[str] = (), asker: ScriptedAsker | None = None
) -> StepOutcome:
    """Plan a task in words with the recipes and carry its only step out, no model involved."""
    plan = await plan_from_recipes(
        task,
        load_recipes(),
        facts=ProjectFacts({"test": [test]} if test else {}),
        symbols=partial(names_in_workspace, package),
    )
    (step,) = plan.steps
    stage = FolderStage(package)
    events: list[Event] = []
    outcome = await run_step(
        step,
        model=None,
        stage=stage,
        tools=builtin_tools(git=CommandLineGit()),
        context=ToolContext(stage, asker or ScriptedAsker(), package),
        append=events.append,
        blobs=MemoryBlobs(),
    )
    assert events
    return outcome


def _git(package: Path, *argv: str) -> str:
    ran = subprocess.run(["git", *argv], cwd=package, check=True, capture_output=True, text=True)
    return ran.stdout


def _changed(package: Path) -> list[str]:
    return _git(package, "diff", "--name-only").splitlines()


def _changed_lines(package: Path) -> tuple[list[str], list[str]]:
    """Return the lines taken out and those put in, in order."""
    rows = _git(package, "diff", "--unified=0").splitlines()
    before = [row[1:] for row in rows if row.startswith("-") and not row.startswith("---")]
    after = [row[1:] for row in rows if row.startswith("+") and not row.startswith("+++")]
    return before, after


def _run_tests(package: Path) -> None:
    ran = subprocess.run(TESTS, cwd=package, check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout


async def test_a_public_function_is_renamed_over_all_its_users(package: Path) -> None:
    _run_tests(package)

    outcome = await _carry_out("rename the function `click.style` to `paint`", package, test=TESTS)

    assert outcome.ok
    assert outcome.checks_passed
    assert _changed(package) == [
        "src/click/__init__.py",
        "src/click/core.py",
        "src/click/termui.py",
        "tests/test_custom_classes.py",
        "tests/test_testing.py",
        "tests/test_utils.py",
    ]
    before, after = _changed_lines(package)
    assert after == [re.sub(r"\bstyle\b", "paint", line) for line in before]
    documented = _git(package, "grep", "-h", "-E", r"\bstyle\(", "--", "src").splitlines()
    assert all(line.strip().startswith("click.echo(click.style(") for line in documented)


async def test_a_method_is_renamed_with_its_overrides(package: Path) -> None:
    outcome = await _carry_out("rename BaseCommand.make_context to new_context", package)

    assert outcome.ok
    assert "Not sure, left as they are" in outcome.summary
    core = (package / "src/click/core.py").read_text()
    assert "def new_context(" in core
    assert "def make_context(" not in core
    assert "with self.new_context(prog_name, args, **extra) as ctx:" in core


async def test_tests_are_run_and_failures_listed(package: Path) -> None:
    utils = package / "tests/test_utils.py"
    line = utils.read_text().splitlines().index("def test_echo(runner):") + 2
    lines = utils.read_text().splitlines(keepends=True)
    lines.insert(line - 1, "    assert 1 == 2\n")
    utils.write_text("".join(lines))

    outcome = await _carry_out(
        "run the tests and list failures", package, test=(*TESTS, "tests/test_utils.py")
    )

    assert not outcome.ok
    assert f"  tests/test_utils.py:{line}" in outcome.reason
    assert "FAILED tests/test_utils.py::test_echo" in outcome.reason
    assert _changed(package) == ["tests/test_utils.py"]


async def test_the_projects_own_linter_and_formatter_mend_a_file(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ruff = Path(PACKAGE_TESTS[0]).with_name("ruff")
    monkeypatch.setenv("PATH", f"{ruff.parent}:/usr/bin:/bin")
    parser = package / "src/click/parser.py"
    text = parser.read_text()
    parser.write_text(
        text.replace("import typing as t\n", "import os\nimport typing as t\n", 1).replace(
            "def __repr__(self) -> str:", "def __repr__(  self )->str:"
        )
    )

    outcome = await _carry_out("format and lint src/click/parser.py", package)

    assert outcome.ok
    assert parser.read_text() == text


async def test_usages_are_found_and_nothing_is_changed(package: Path) -> None:
    outcome = await _carry_out("where is click.unstyle used?", package)

    assert outcome.summary.endswith(
        "unstyle: 2 uses in 1 file.\n"
        "\n"
        "Defined\n"
        "  src/click/termui.py:591:5: def unstyle(text: str) -> str:\n"
        "\n"
        "Imported\n"
        "  src/click/__init__.py:53:21: from .termui import unstyle as unstyle\n"
        "\n"
        "Used (2)\n"
        '  tests/test_utils.py:95:18: assert click.unstyle(ref) == "x y"\n'
        "  tests/test_utils.py:100:18: assert click.unstyle(text) == expect"
    )
    assert _changed(package) == []


async def test_a_pattern_is_replaced_by_its_structure(package: Path) -> None:
    outcome = await _carry_out(
        "replace `isinstance($X, bytes)` with `is_bytes($X)` in src", package
    )

    assert outcome.ok
    before, after = _changed_lines(package)
    written = r"isinstance\(((?:[^()]|\(\w*\))+), bytes\)"
    assert after == [re.sub(written, r"is_bytes(\1)", line) for line in before]
    assert len(after) == len(_git(package, "grep", "-h", "is_bytes(", "--", "src").splitlines())
    sources = "".join(path.read_text() for path in (package / "src").rglob("*.py"))
    assert not re.search(written, sources)


async def test_unused_imports_go_and_used_ones_stay(package: Path) -> None:
    types = package / "src/click/types.py"
    text = types.read_text()
    types.write_text(
        text.replace("import stat\n", "import stat\nimport shlex\n", 1).replace(
            "from .utils import safecall", "from .utils import echo\nfrom .utils import safecall", 1
        )
    )

    outcome = await _carry_out("remove unused imports", package)

    assert "Removed 2 unused imports from 1 file." in outcome.summary
    assert types.read_text() == text
    assert _changed(package) == []


async def test_a_dependency_is_added_to_the_manifest(package: Path) -> None:
    outcome = await _carry_out("add dependency rich>=13", package)

    assert outcome.ok
    assert _changed(package) == ["pyproject.toml"]
    assert _changed_lines(package) == ([], ['    "rich>=13",'])


async def test_the_version_is_bumped_with_a_changelog_entry(package: Path) -> None:
    outcome = await _carry_out("bump the minor version", package)

    assert outcome.ok
    assert _changed(package) == ["CHANGES.rst", "src/click/__init__.py"]
    before, after = _changed_lines(package)
    assert before == ['__version__ = "8.1.8"']
    entry = "\n".join(after[:-1]).strip()
    assert re.fullmatch(
        r"Version 8\.2\.0\n-{13}\n\nReleased \d{4}-\d\d-\d\d\n\n-   Version 8\.2\.0\.", entry
    )
    assert after[-1] == '__version__ = "8.2.0"'


async def test_staged_changes_are_committed_once_allowed(package: Path) -> None:
    (package / "src/click/sparkle.py").write_text("def sparkle() -> None:\n    pass\n")
    (package / "README.md").write_text("not staged\n")
    _git(package, "add", "src/click/sparkle.py")
    asker = ScriptedAsker(Verdict(allowed=False), Verdict(allowed=True))

    refused = await _carry_out("commit the staged changes", package, asker=asker)
    assert not refused.ok
    assert _git(package, "rev-list", "--count", "HEAD").strip() == "1"

    outcome = await _carry_out("commit the staged changes", package, asker=asker)

    assert outcome.ok
    assert asker.asked[1].subject == "git commit -m 'feat(sparkle): add sparkle'"
    assert _git(package, "show", "--format=%s", "--name-only").split("\n\n") == [
        "feat(sparkle): add sparkle",
        "src/click/sparkle.py\n",
    ]
    assert _changed(package) == ["README.md"]


async def test_a_symbol_is_explained(package: Path) -> None:
    outcome = await _carry_out("explain click.open_file", package)

    said = outcome.summary
    assert "open_file — function in click.utils\nsrc/click/utils.py:355\n" in said
    assert '      mode: str = "r",\n' in said
    assert "Open a file, with extra behavior to handle ``'-'`` to indicate" in said
    assert "  test_utils.test_open_file_respects_ignore " in said
    assert _changed(package) == []


async def test_an_ambiguous_and_an_impossible_request_are_refused(package: Path) -> None:
    with pytest.raises(TaskError, match="could mean 2 things") as ambiguous:
        await _carry_out("replace style with paint", package)
    with pytest.raises(TaskError, match=r"nothing called 'stlye' .* Closest: .*style"):
        await _carry_out("rename stlye to paint", package)
    with pytest.raises(TaskError, match="No recipe fits"):
        await _carry_out("port click to Rust", package)
    taken = await _carry_out("rename click.style to secho", package)

    assert ambiguous.value.nearest == ("rename_symbol", "structural_replace")
    assert not taken.ok
    assert "'secho' is already taken" in taken.reason
    assert "src/click/termui.py" in taken.reason
    assert _changed(package) == []
