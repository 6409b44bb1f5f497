"""The house: what is packed, and that the words outside speak of what is inside."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from textual.binding import Binding, BindingsMap

from turbo_tui import __version__
from turbo_tui.app.session_screen import SessionScreen
from turbo_tui.app.turbo_app import TurboApp
from turbo_tui.commands import session
from turbo_tui.commands.program import Commands, program
from turbo_tui.engine.recipes import BUILT_IN, load_recipes
from turbo_tui.tools.catalogue import builtin_tools
from turbo_widgets.diff_pane import DiffPane
from turbo_widgets.plan_pane import PlanPane

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")

# Words between backticks in the README's main job and around it that are keys.
KEY = re.compile(r"`([A-Za-z?]|space|Ctrl\+[A-Z])`")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if "No module named hatchling" in built.stderr:
        pytest.skip("hatchling is not installed; `make test` installs it")
    assert built.returncode == 0, built.stderr
    (file,) = folder.glob("*.whl")
    return zipfile.ZipFile(file)


def tracked(*folders: str) -> set[str]:
    listed = subprocess.run(
        ("git", "ls-files", "-z", *folders), cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git repository")
    return {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}


def test_the_wheel_holds_all_files_of_both_packages(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    expected = {
        name.removeprefix("widgets/") for name in tracked("turbo_tui", "widgets/turbo_widgets")
    }

    assert expected - names == set()
    assert {"turbo_tui/py.typed", "turbo_tui/demo/session.json", "turbo_tui/demo/project/sales.csv",
            "turbo_tui/recipes/rename_symbol.toml",
            "turbo_tui/sandbox/confine/filters/x86_64-none.bpf",
            "turbo_widgets/diff_pane.py"} <= names  # fmt: skip
    assert not [name for name in names if name.startswith(("tests/", "bench/", "widgets/"))]


def test_the_wheel_starts_the_program_by_its_name(wheel: zipfile.ZipFile) -> None:
    (points,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))

    assert "turbo-tui = turbo_tui.cli:main" in wheel.read(points).decode()
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())


def test_the_version_is_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert project["version"] == __version__ == importlib.metadata.version("turbo-tui")


# --- README -------------------------------------------------------------------------


def shell_lines() -> Iterator[str]:
    """Yield the README's commands, those between backticks too."""
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL):
        yield from (line.split("  #")[0].strip() for line in block.splitlines())
    yield from re.findall(r"`((?:turbo-tui|make) [^`]+)`", README.replace("\n", " "))


def test_the_readme_names_only_commands_that_exist() -> None:
    given = [line.split()[1] for line in shell_lines() if line.startswith("turbo-tui ")]

    assert {"run", "plan", "sandbox", "session", "doctor"} <= set(given)
    assert {word for word in given if not word.startswith("-")} <= set(Commands.modules)


def test_the_readme_names_all_session_commands_and_no_others() -> None:
    (line,) = (line for line in shell_lines() if line.startswith("turbo-tui session list |"))

    named = set(line.removeprefix("turbo-tui session ").split(" | "))

    assert named == set(session.command.list_commands(click.Context(session.command)))


def test_options_in_the_readme_exist() -> None:
    for line in shell_lines():
        words = line.split()
        if words[0] != "turbo-tui" or words[1] not in Commands.modules:
            continue
        ours = words[: words.index("--")] if "--" in words else words
        assert {word for word in ours if word.startswith("--")} <= options_of(words[1]), line


def options_of(name: str) -> set[str]:
    """Return a command's options as they are typed."""
    command = program.get_command(click.Context(program), name)
    assert command is not None
    return {option for parameter in command.params for option in parameter.opts}


def test_the_readme_names_only_make_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    named = {line.split()[1] for line in shell_lines() if line.startswith("make ")}

    assert {"run", "test", "semantic", "clean"} <= named <= targets


def keys_of(*owners: type[SessionScreen | TurboApp | DiffPane | PlanPane]) -> set[str]:
    found: set[str] = set()
    for owner in owners:
        bindings = BindingsMap(owner.BINDINGS)
        found |= set(bindings.key_to_bindings)
    return found


def test_the_readmes_keys_are_the_apps() -> None:
    ours = keys_of(SessionScreen, TurboApp, DiffPane, PlanPane)
    palette = Binding(TurboApp.COMMAND_PALETTE_BINDING, "command_palette")
    shown = {"?": "question_mark"}

    named = {shown.get(key, key.lower() if "+" in key else key) for key in KEY.findall(README)}

    assert {"e", "d", "J", "K", "m", "g", "a", "r", "u", "space", "question_mark"} <= named
    assert named - {palette.key} <= ours


def test_the_readmes_picture_and_links_are_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert "://" in target or (ROOT / target).exists(), target


def test_every_recipe_is_named_where_users_look() -> None:
    """By a word of its name in README or changelog: nobody reads the recipes' files first."""
    said = (README + (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")).lower()
    signs = {
        "rename_symbol": "rename a symbol", "list_failures": "run the tests",
        "format_code": "format and lint", "find_usages": "find usages",
        "structural_replace": "replace a pattern", "add_dependency": "add a dependency",
        "remove_unused_imports": "remove unused imports", "bump_version": "bump the version",
        "git_commit": "commit", "explain_symbol": "explain a symbol",
    }  # fmt: skip

    names = {file.stem for file in BUILT_IN.glob("*.toml")}

    assert names == set(signs), "a new recipe is to be named in the README or the changelog"
    assert len(load_recipes([BUILT_IN])) == len(names)
    flat = " ".join(said.split())
    assert [name for name in names if signs[name] not in flat] == []


def test_every_tool_tells_models_what_it_does() -> None:
    for name, tool in builtin_tools().items():
        assert tool.spec.name == name
        assert len(tool.spec.description) > 20, name


# --- the rest -----------------------------------------------------------------------


def test_the_changelog_has_a_place_for_what_comes_next() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    headings = re.findall(r"^## \[(.+?)\]", changelog, re.MULTILINE)
    kinds = set(re.findall(r"^### (.+)$", changelog, re.MULTILINE))

    assert headings[0] == "Unreleased"
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_every_make_target_that_is_shown_is_phony() -> None:
    shown = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))
    (phony,) = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)

    assert shown <= set(phony.split())


def test_the_gates_run_what_the_readme_names() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    assert "make check" in script
    assert "TURBO_TUI_EXPECT=bwrap" in script
