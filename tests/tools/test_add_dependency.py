"""Adding a dependency changes one line of the manifest and keeps all the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import FolderStage, ScriptedAsker
from turbo_tui.core.errors import ToolError
from turbo_tui.core.ports import ToolContext
from turbo_tui.tools.add_dependency import AddDependency


async def _added(root: Path, files: dict[str, str], **arguments: object) -> dict[str, str]:
    """Add; return the changed files, and what was said under an empty name."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, newline="")
    context = ToolContext(FolderStage(root), ScriptedAsker(), root)
    said = await AddDependency().call(arguments, context)
    now = {name: (root / name).read_bytes().decode() for name in files}
    return {"": said, **{name: text for name, text in now.items() if text != files[name]}}


PROJECT = '[project]  # ours\nname = "x"\ndependencies = [\n    "attrs",  # a\n    "zope",\n]\n'
POETRY = '[tool.poetry]\nname = "x"\n\n[tool.poetry.dependencies]\npython = "^3.11"\n'
PACKAGE = (
    '{\n    "name": "x",\n    "dependencies": {\n        "b": "1",\n        "d": "2"\n    }\n}\n'
)


@pytest.mark.parametrize(
    ("name", "before", "arguments", "after"),
    [
        (
            "pyproject.toml",
            PROJECT,
            {"requirement": "requests >= 2, <3"},
            PROJECT.replace('    "zope"', '    "requests>=2,<3",\n    "zope"'),
        ),
        (
            "pyproject.toml",
            PROJECT.replace("\n", "\r\n"),
            {"requirement": "zzz"},
            PROJECT.replace('"zope",\n', '"zope",\n    "zzz",\n').replace("\n", "\r\n"),
        ),
        (
            "pyproject.toml",
            '[project]\nname = "x"\n',
            {"requirement": "uvicorn[standard]"},
            '[project]\nname = "x"\ndependencies = ["uvicorn[standard]"]\n',
        ),
        (
            "pyproject.toml",
            PROJECT,
            {"requirement": "Zope>=5"},
            PROJECT.replace('"zope"', '"Zope>=5"'),
        ),
        (
            "pyproject.toml",
            PROJECT + '[project.optional-dependencies]\ntest = ["pytest"]\n',
            {"requirement": "tox", "group": "test"},
            PROJECT + '[project.optional-dependencies]\ntest = ["pytest", "tox"]\n',
        ),
        (
            "pyproject.toml",
            PROJECT,
            {"requirement": "tox", "group": "development"},
            PROJECT + '\n[dependency-groups]\ndev = ["tox"]\n',
        ),
        (
            "pyproject.toml",
            POETRY,
            {"requirement": "requests>=2"},
            POETRY + 'requests = ">=2"\n',
        ),
        (
            "pyproject.toml",
            POETRY,
            {"requirement": "uvicorn[standard]"},
            POETRY + 'uvicorn = {version = "*", extras = ["standard"]}\n',
        ),
        (
            "pyproject.toml",
            POETRY,
            {"requirement": "Python>=3.12"},
            POETRY.replace('"^3.11"', '">=3.12"'),
        ),
        (
            "requirements.txt",
            "# ours\r\n-r base.txt\r\nattrs\r\nzope==1  # pin\r\n",
            {"requirement": "requests"},
            "# ours\r\n-r base.txt\r\nattrs\r\nrequests\r\nzope==1  # pin\r\n",
        ),
        ("requirements.txt", "zope\nattrs", {"requirement": "b"}, "zope\nattrs\nb\n"),
        (
            "requirements.txt",
            "zope==1  # pin\n",
            {"requirement": "zope==2"},
            "zope==2  # pin\n",
        ),
        (
            "package.json",
            PACKAGE,
            {"requirement": "c@^1.3"},
            PACKAGE.replace('"d"', '"c": "^1.3",\n        "d"'),
        ),
        (
            "package.json",
            '{"name": "é"}\r\n',
            {"requirement": "@s/c", "group": "dev"},
            '{\r\n  "name": "é",\r\n  "devDependencies": {\r\n    "@s/c": "*"\r\n  }\r\n}\r\n',
        ),
    ],
)
async def test_only_the_one_line_changes(
    tmp_path: Path, name: str, before: str, arguments: dict[str, object], after: str
) -> None:
    assert (await _added(tmp_path, {name: before}, **arguments))[name] == after


async def test_a_poetry_group_is_made_when_missing(tmp_path: Path) -> None:
    changed = await _added(tmp_path, {"pyproject.toml": POETRY}, requirement="tox", group="dev")

    assert (
        changed["pyproject.toml"] == POETRY + '\n[tool.poetry.group.dev.dependencies]\ntox = "*"\n'
    )


async def test_it_says_where_it_wrote_and_what_is_not_done(tmp_path: Path) -> None:
    said = (await _added(tmp_path, {"pyproject.toml": PROJECT}, requirement="b"))[""]

    assert said == (
        "pyproject.toml: added b ([project] dependencies).\n"
        "The lock file and the installation are not done: run your package manager."
    )


async def test_a_group_has_its_own_requirements_file(tmp_path: Path) -> None:
    files = {"requirements.txt": "a\n", "requirements-dev.txt": "b\n"}

    changed = await _added(tmp_path, files, requirement="tox", group="dev")

    assert changed["requirements-dev.txt"] == "b\ntox\n"


async def test_the_form_of_the_requirement_tells_the_manifest(tmp_path: Path) -> None:
    files = {"pyproject.toml": PROJECT, "package.json": PACKAGE}

    assert "package.json" in await _added(tmp_path, files, requirement="left-pad@^1")
    assert "pyproject.toml" in await _added(tmp_path, files, requirement="left>=1")
    assert "package.json" in await _added(
        tmp_path, files, requirement="left", manifest="package.json"
    )
    with pytest.raises(ToolError, match=r"Both pyproject\.toml and package\.json could take"):
        await _added(tmp_path, files, requirement="left")


@pytest.mark.parametrize(
    ("files", "arguments", "why"),
    [
        ({}, {"requirement": "x"}, "No manifest to write into"),
        ({"pyproject.toml": "[tool.ruff]\n"}, {"requirement": "x"}, "No manifest"),
        ({"pyproject.toml": PROJECT}, {"requirement": "zope"}, "zope stands in .* already"),
        ({"pyproject.toml": PROJECT}, {"requirement": "a b c"}, "not a Python requirement"),
        ({"pyproject.toml": "[project]\nx = ="}, {"requirement": "x"}, "cannot be read"),
        ({"pyproject.toml": "[project]\ndependencies = 1\n"}, {"requirement": "x"}, "not a list"),
        (
            {"pyproject.toml": '[project]\ndynamic = ["dependencies"]\n'},
            {"requirement": "x"},
            "are dynamic",
        ),
        ({"pyproject.toml": POETRY + 'x = "*"\n'}, {"requirement": "x"}, "already"),
        ({"requirements.txt": "x==1\n"}, {"requirement": "x"}, "x==1 stands in"),
        ({"requirements.txt": "x\n"}, {"requirement": "y", "group": "dev"}, "no requirements file"),
        ({"package.json": PACKAGE}, {"requirement": "b"}, "b 1 stands in package.json"),
        ({"package.json": PACKAGE}, {"requirement": "b c"}, "not an npm package"),
        ({"package.json": "{"}, {"requirement": "b"}, "not valid JSON"),
        ({"package.json": "[]"}, {"requirement": "b"}, "not a JSON object"),
    ],
)
async def test_what_cannot_be_added_is_refused(
    tmp_path: Path, files: dict[str, str], arguments: dict[str, object], why: str
) -> None:
    with pytest.raises(ToolError, match=why):
        await _added(tmp_path, files, **arguments)
