from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from turbo_tui.intelligence import Command, LanguageShare, ProjectPart, brief, inspect

NPM_DEFAULT = 'echo "Error: no test specified" && exit 1'


def put(root: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def commands(root: Path, part: int = 0) -> dict[str, list[str]]:
    found = inspect(root).projects[part].commands
    return {purpose: [" ".join(each.argv) for each in those] for purpose, those in found.items()}


def first_tests(root: Path) -> list[str]:
    return commands(root).get("test", [])


# --- languages ---------------------------------------------------------------


def test_languages_are_counted_by_lines_of_files_that_are_the_projects_own(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "a.py": "x\n" * 60,
            "b/c.py": "x\n" * 15 + "no newline at the end",
            "web/app.tsx": "x\n" * 24,
            "README.md": "x\n" * 500,
            ".gitignore": "build/\n",
            "build/gen.py": "x\n" * 500,
            "node_modules/m/i.js": "x\n" * 500,
            "empty.go": "",
        },
    )
    (tmp_path / "data.py").write_bytes(b"\0" * 5000 + b"\n" * 50)

    assert inspect(tmp_path).languages == (
        LanguageShare("Python", 76.0, 3, 76),
        LanguageShare("TypeScript", 24.0, 1, 24),
        LanguageShare("Go", 0.0, 1, 0),
    )


def test_an_empty_folder_is_no_project(tmp_path: Path) -> None:
    found = inspect(tmp_path)

    assert (found.languages, found.projects) == ((), ())
    assert brief(found) == "Languages: none found."


# --- Python ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"pyproject.toml": "[tool.pytest.ini_options]\n"}, "python3 -m pytest"),
        ({"pyproject.toml": "[dependency-groups]\ndev=['pytest>=8']\n"}, "python3 -m pytest"),
        (
            {"pyproject.toml": "[project.optional-dependencies]\nt=['Pytest']\n"},
            "python3 -m pytest",
        ),
        ({"pyproject.toml": "[tool.poetry.dev-dependencies]\npytest='*'\n"}, "python3 -m pytest"),
        (
            {"pyproject.toml": "[tool.poetry.group.dev.dependencies]\npytest='*'"},
            "python3 -m pytest",
        ),
        ({"pytest.ini": ""}, "python3 -m pytest"),
        ({"setup.cfg": "[tool:pytest]\n"}, "python3 -m pytest"),
        ({"tox.ini": "[pytest]\n"}, "python3 -m pytest"),
        ({"tox.ini": "[testenv]\ndeps =\n  pytest\n"}, "python3 -m pytest"),
        ({"setup.py": "", "tests/conftest.py": ""}, "python3 -m pytest"),
        ({"setup.py": "", "requirements-dev.txt": "pytest==8\n"}, "python3 -m pytest"),
        ({"setup.py": "", "requirements/test.txt": "pytest\n"}, "python3 -m pytest"),
        ({"setup.py": "", "tests/test_a.py": ""}, "python3 -m unittest discover -s tests"),
        ({"setup.py": "", "test/__init__.py": ""}, "python3 -m unittest discover -s test -t ."),
        ({"pytest.ini": "", "uv.lock": ""}, "uv run python -m pytest"),
        ({"pytest.ini": "", "poetry.lock": ""}, "poetry run python -m pytest"),
        ({"noxfile.py": ""}, "nox"),
    ],
)
def test_python_tests_are_found_wherever_they_are_set_up(
    tmp_path: Path, files: dict[str, str], expected: str
) -> None:
    assert first_tests(put(tmp_path, files))[0] == expected


@pytest.mark.parametrize(
    "files",
    [
        {"setup.py": "# pytest-like\n"},
        {"pyproject.toml": "[project]\ndependencies=['pytest-plugin', 3]\n"},
        {"pyproject.toml": "[[[ broken"},
        {"setup.cfg": "broken ["},
    ],
)
def test_nothing_is_guessed_where_nothing_is_set_up(tmp_path: Path, files: dict[str, str]) -> None:
    parts = inspect(put(tmp_path, files)).projects

    assert all("test" not in part.commands for part in parts)


def test_a_python_projects_own_environment_is_used(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "pyproject.toml": "[tool.pytest.x]\n[tool.ruff]\nline-length=3\n"
            "[tool.mypy]\nstrict=true\n"
            "[build-system]\nrequires=[]\n[project.scripts]\ncli='a:b'\n",
            ".venv/pyvenv.cfg": "",
            ".venv/bin/python": "",
            ".venv/bin/ruff": "",
        },
    )

    assert commands(tmp_path) == {
        "test": [".venv/bin/python -m pytest"],
        "lint": [".venv/bin/ruff check .", "mypy ."],
        "format": [".venv/bin/ruff format ."],
        "build": [".venv/bin/python -m build"],
        "run": ["cli"],
    }


def test_python_linters_and_formatters_are_found(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "setup.cfg": "[flake8]\n",
            "tox.ini": "[mypy]\n[testenv]\n",
            "pyrightconfig.json": "{}",
            "requirements-dev.in": "black\n",
            "manage.py": "",
        },
    )

    assert commands(tmp_path) == {
        "test": ["tox"],
        "lint": ["flake8", "mypy .", "pyright"],
        "format": ["black ."],
        "run": ["python3 manage.py runserver"],
    }


# --- the others --------------------------------------------------------------


def test_scripts_of_a_node_project_are_run_by_its_package_manager(tmp_path: Path) -> None:
    scripts = {"test": "jest", "lint": "eslint .", "typecheck": "tsc", "dev": "vite", "build": 3}
    put(tmp_path, {"package.json": json.dumps({"scripts": scripts}), "pnpm-lock.yaml": ""})

    assert commands(tmp_path) == {
        "test": ["pnpm test"],
        "lint": ["pnpm run lint", "pnpm run typecheck"],
        "run": ["pnpm run dev"],
    }


@pytest.mark.parametrize(
    ("files", "manager"),
    [
        ({}, "npm"),
        ({"yarn.lock": ""}, "yarn"),
        ({"bun.lockb": ""}, "bun"),
        (
            {"yarn.lock": "", "package.json": '{"packageManager":"pnpm@9","scripts":{"test":"x"}}'},
            "pnpm",
        ),
    ],
)
def test_the_package_manager_is_the_one_whose_lock_file_is_there(
    tmp_path: Path, files: dict[str, str], manager: str
) -> None:
    put(tmp_path, {"package.json": '{"scripts":{"test":"x"}}', **files})

    assert first_tests(tmp_path) == [f"{manager} test"]


@pytest.mark.parametrize("package", [json.dumps({"scripts": {"test": NPM_DEFAULT}}), "[]", "{", ""])
def test_a_node_project_without_tests_has_none(tmp_path: Path, package: str) -> None:
    put(tmp_path, {"package.json": package, "tsconfig.json": "", "node_modules/.bin/tsc": ""})

    assert commands(tmp_path) == {"lint": ["node_modules/.bin/tsc --noEmit"]}


@pytest.mark.parametrize(
    ("files", "kind", "test", "run"),
    [
        ({"Cargo.toml": "", "src/main.rs": ""}, "rust", "cargo test", "cargo run"),
        ({"go.mod": "", "main.go": ""}, "go", "go test ./...", "go run ."),
        ({"pom.xml": "", "mvnw": ""}, "maven", "./mvnw -B test", ""),
        ({"build.gradle.kts": "plugins { application }"}, "gradle", "gradle test", "gradle run"),
        ({"build.gradle": "", "gradlew": ""}, "gradle", "./gradlew test", ""),
        (
            {"CMakeLists.txt": "enable_testing()"},
            "cmake",
            "ctest --test-dir build --output-on-failure",
            "",
        ),
        (
            {"Makefile": "X := 1\n.PHONY: test\ntest: a\n\tx\nrun:\n"},
            "make",
            "make test",
            "make run",
        ),
    ],
)
def test_other_ecosystems_have_their_own_commands(
    tmp_path: Path, files: dict[str, str], kind: str, test: str, run: str
) -> None:
    put(tmp_path, files)

    assert inspect(tmp_path).projects[0].type == kind
    assert first_tests(tmp_path)[0] == test
    assert commands(tmp_path).get("run", [""])[0] == run


# --- parts -------------------------------------------------------------------


def test_parts_are_listed_from_the_top_down_with_their_evidence(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "web/package.json": '{"scripts":{"test":"x"}}',
            "pytest.ini": "",
            "Makefile": "test:\n",
            "Cargo.toml": "[workspace]",
            "crates/a/Cargo.toml": "",
            "web/Makefile": "deploy:\n",
            "a/b/c/d/package.json": "{}",
        },
    )

    found = inspect(tmp_path).projects

    assert [(part.path, part.type) for part in found] == [
        (".", "python"),
        (".", "rust"),
        (".", "make"),
        ("web", "node"),
    ]
    assert found[3] == ProjectPart(
        "web",
        "node",
        ("web/package.json",),
        {"test": (Command(("npm", "test"), "web/package.json"),)},
    )


def test_manifests_that_lead_elsewhere_or_are_huge_are_not_read(tmp_path: Path) -> None:
    root = tmp_path / "project"
    put(tmp_path, {"outside.json": '{"scripts":{"test":"x"}}'})
    put(root, {"Makefile": "test:\n" + "#" * 1_100_000, "package.json": ""})
    (root / "package.json").unlink()
    (root / "package.json").symlink_to(tmp_path / "outside.json")
    os.mkfifo(root / "setup.cfg")

    assert inspect(root).projects == ()


def test_the_brief_says_what_a_planner_needs_and_stays_short(tmp_path: Path) -> None:
    put(tmp_path, {"a.py": "x\n", "pytest.ini": ""})

    assert brief(inspect(tmp_path)) == (
        "Languages: Python 100% (1 file).\n"
        "Project in the top folder: python (pytest.ini).\n"
        "- test: python3 -m pytest"
    )
    for number in range(40):
        put(tmp_path, {f"part_{number}/package.json": '{"scripts":{"test":"x","build":"x"}}'})
    assert 1800 < len(brief(inspect(tmp_path)).encode()) <= 2000
