"""One version everywhere, and the changelog's entry."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import FolderStage, ScriptedAsker
from turbo_tui.core.errors import ToolError
from turbo_tui.core.ports import ToolContext
from turbo_tui.tools.bump_version import BumpVersion
from turbo_tui.tools.changelog import with_entry


def _today() -> str:
    return "2026-11-22"


async def _bumped(root: Path, files: dict[str, str], **arguments: object) -> dict[str, str]:
    """Bump; return the changed files, and what was said under an empty name."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, newline="")
    context = ToolContext(FolderStage(root), ScriptedAsker(), root)
    said = await BumpVersion(_today).call(arguments, context)
    now = {name: (root / name).read_bytes().decode() for name in files}
    return {"": said, **{name: text for name, text in now.items() if text != files[name]}}


PYPROJECT = """\
[tool.x]
version = "9.9"
[project]
name = "x"
version = "1.2.3"  # now
[tool.y]
version = "7"
"""


async def test_every_place_that_states_the_version_is_set(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": PYPROJECT,
        "src/x/__init__.py": '"""X."""\r\n\r\n__version__ = "1.2.3"\r\nother = "1.2.3"\r\n',
        "package.json": '{"a": {"version": "1.2.3"}, "version": "1.2.3"}\n',
        "Cargo.toml": '[package]\nname = "x"\nversion = "1.2.3"\n[dependencies]\ny = "1.2.3"\n',
        "setup.cfg": "[metadata]\nversion = 1.2.3\n",
        "VERSION": "1.2.3\n",
        "vendor/deep/y/__init__.py": '__version__ = "5"\n',
    }

    changed = await _bumped(tmp_path, files, part="minor")

    assert changed.pop("").startswith(
        "Version 1.2.3 is now 1.3.0.\n\n  pyproject.toml:5\n  Cargo.toml:3\n"
    )
    assert changed == {
        "pyproject.toml": PYPROJECT.replace("1.2.3", "1.3.0"),
        "src/x/__init__.py": files["src/x/__init__.py"].replace('_ = "1.2.3"', '_ = "1.3.0"'),
        "package.json": '{"a": {"version": "1.2.3"}, "version": "1.3.0"}\n',
        "Cargo.toml": files["Cargo.toml"].replace('version = "1.2.3"', 'version = "1.3.0"'),
        "setup.cfg": "[metadata]\nversion = 1.3.0\n",
        "VERSION": "1.3.0\n",
    }


@pytest.mark.parametrize(
    ("old", "arguments", "new"),
    [
        ("1.2.3", {}, "1.2.4"),
        ("1.2.3", {"part": "major"}, "2.0.0"),
        ("1.2", {"part": "patch"}, "1.2.1"),
        ("1.2.3rc1", {}, "1.2.3"),
        ("1.2.3", {"version": "v1.2.4rc1"}, "1.2.4rc1"),
        ("1.2.3rc1", {"version": "1.2.3"}, "1.2.3"),
        ("1.9.0", {"version": "1.10.0"}, "1.10.0"),
    ],
)
async def test_the_next_version(
    tmp_path: Path, old: str, arguments: dict[str, object], new: str
) -> None:
    changed = await _bumped(tmp_path, {"VERSION": old}, **arguments)

    assert changed["VERSION"] == new


@pytest.mark.parametrize(
    ("files", "arguments", "why"),
    [
        ({"a.py": ""}, {}, "No file states a version"),
        ({"pyproject.toml": '[project]\ndynamic = ["version"]\n'}, {}, "dynamic"),
        ({"pyproject.toml": "x = ="}, {}, "No file states"),
        ({"package.json": "{"}, {}, "not valid JSON"),
        ({"package.json": "{}"}, {}, "No file states"),
        (
            {"pyproject.toml": PYPROJECT, "x/__init__.py": '\n__version__ = "1.2.2"\n'},
            {},
            r"pyproject\.toml:5 says 1\.2\.3; x/__init__\.py:2 says 1\.2\.2",
        ),
        ({"VERSION": "1.2.3"}, {"version": "1.2.3"}, "is 1.2.3 already"),
        ({"VERSION": "1.2.3"}, {"version": "1.2.3rc1"}, "not later"),
        ({"VERSION": "1.2.3"}, {"version": "latest"}, "not a version"),
        ({"VERSION": "1.2.3"}, {"part": "tiny"}, "no part"),
    ],
)
async def test_what_cannot_be_bumped_is_refused(
    tmp_path: Path, files: dict[str, str], arguments: dict[str, object], why: str
) -> None:
    with pytest.raises(ToolError, match=why):
        await _bumped(tmp_path, files, **arguments)


async def test_unreleased_notes_become_the_versions(tmp_path: Path) -> None:
    log = (
        "# Changelog\r\n\r\n## [Unreleased]\r\n\r\n### Added\r\n- A thing.\r\n\r\n"
        "## [1.2.3] - 2026-01-01\r\n\r\n"
        "[unreleased]: https://example.org/compare/v1.2.3...HEAD\r\n"
        "[1.2.3]: https://example.org/x\r\n"
    )

    changed = await _bumped(tmp_path, {"VERSION": "1.2.3", "CHANGELOG.md": log})

    assert changed["CHANGELOG.md"] == (
        "# Changelog\r\n\r\n## [Unreleased]\r\n\r\n## [1.2.4] - 2026-11-22\r\n\r\n"
        "### Added\r\n- A thing.\r\n\r\n## [1.2.3] - 2026-01-01\r\n\r\n"
        "[Unreleased]: https://example.org/compare/v1.2.4...HEAD\r\n"
        "[1.2.4]: https://example.org/compare/v1.2.3...v1.2.4\r\n"
        "[1.2.3]: https://example.org/x\r\n"
    )
    assert changed[""].endswith("CHANGELOG.md has an entry for 1.2.4.")


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        (
            "CHANGELOG.md",
            "# Log\n\n## 1.0.0 - 2020-01-01\n- x\n",
            "# Log\n\n## 1.1.0 - 2026-11-22\n\n- Version 1.1.0.\n\n## 1.0.0 - 2020-01-01\n- x\n",
        ),
        (
            "CHANGELOG.md",
            "## [1.0.0]\n",
            "## [1.1.0] - 2026-11-22\n\n- Version 1.1.0.\n\n## [1.0.0]\n",
        ),
        (
            "CHANGES.rst",
            (
                "Version 1.0.0\n-------------\n\nReleased 2020-01-01\n\n-   x\n\n\n"
                "Version 0.9\n-----------\n"
            ),
            (
                "Version 1.1.0\n-------------\n\nReleased 2026-11-22\n\n-   Version 1.1.0.\n\n\n"
                "Version 1.0.0\n-------------\n\nReleased 2020-01-01\n\n-   x\n\n\n"
                "Version 0.9\n-----------\n"
            ),
        ),
        (
            "CHANGES.rst",
            "Version 1.1.0\n-------------\n\nUnreleased\n\n-   x\n",
            "Version 1.1.0\n-------------\n\nReleased 2026-11-22\n\n-   x\n",
        ),
        (
            "HISTORY.rst",
            "Unreleased\n==========\n\n- x\n",
            "Unreleased\n==========\n\n1.1.0 (2026-11-22)\n==================\n\n- x\n",
        ),
        (
            "CHANGES",
            "1.0.0 (2020-01-01)\n==================\n- x\n",
            (
                "1.1.0 (2026-11-22)\n==================\n\n- Version 1.1.0.\n\n"
                "1.0.0 (2020-01-01)\n==================\n- x\n"
            ),
        ),
    ],
)
def test_a_changelog_is_continued_in_its_own_manner(path: str, before: str, after: str) -> None:
    changed = with_entry(before.encode(), path, old="1.0.0", new="1.1.0", date="2026-11-22")

    assert (changed or b"").decode() == after


@pytest.mark.parametrize("path", ["CHANGELOG.md", "CHANGES.rst"])
async def test_a_changelog_of_unknown_form_is_left_and_said(tmp_path: Path, path: str) -> None:
    changed = await _bumped(tmp_path, {"VERSION": "1.0", path: "Hello.\n"})

    assert path not in changed
    assert f"{path} was left" in changed[""]


async def test_no_changelog_is_said(tmp_path: Path) -> None:
    assert "No changelog was found" in (await _bumped(tmp_path, {"VERSION": "1.0"}))[""]
