"""Which file an edit is of, where its name is not quite that of one."""

from __future__ import annotations

import pytest

from tests.edit_trees import Refused, after, applied


def block(path: str, old: str, new: str) -> str:
    return f"{path}\n<<<<<<< SEARCH\n{old}=======\n{new}>>>>>>> REPLACE\n"


def patch(path: str, old: str, new: str) -> str:
    return f"*** Begin Patch\n*** Update File: {path}\n@@\n-{old}\n+{new}\n*** End Patch\n"


@pytest.mark.parametrize(
    ("named", "there"),
    [
        ("backend/app/config.py", "frontend/config.py"),
        ("src/app/__init__.py", "vendor/lib/__init__.py"),
        ("app/config.py", "myapp/config.py"),
        ("app/config.py", "app/old/config.py"),
        ("myconfig.py", "config.py"),
    ],
)
def test_a_file_of_another_folder_is_not_the_one_that_is_missing(named: str, there: str) -> None:
    for answer in (
        patch(named, "DEBUG = True", "DEBUG = False"),
        block(named, "DEBUG = True\n", "DEBUG = False\n"),
    ):
        with pytest.raises(Refused, match="there is no such file"):
            after({there: "DEBUG = True\n"}, answer)


@pytest.mark.parametrize(
    ("named", "there"),
    [
        ("config.py", "src/app/config.py"),
        ("app/config.py", "src/app/config.py"),
        ("project/app/config.py", "app/config.py"),
        ("path/to/config.py", "app/config.py"),
    ],
)
def test_a_name_that_lacks_or_adds_first_folders_is_completed_and_that_is_said(
    named: str, there: str
) -> None:
    outcome = applied({there: "DEBUG = True\n"}, patch(named, "DEBUG = True", "DEBUG = False"))

    assert [(file.path, file.content) for file in outcome.files] == [(there, b"DEBUG = False\n")]
    assert outcome.notes == (f"there is no {named}; its edit went to {there}",)


def test_a_name_is_completed_only_for_text_that_stands_there_exactly() -> None:
    answer = block("config.py", "  debug(value)\n  x = 1\n", "  debug(other)\n  x = 1\n")

    with pytest.raises(Refused, match="there is no such file") as refused:
        after({"app/config.py": "debug(value)\nx = 1\n"}, answer)
    assert refused.value.failures[0].advice == "It could be one of: app/config.py."


def test_in_a_folder_that_is_there_a_missing_file_is_missing() -> None:
    files = {"config.py": "DEBUG = True\n", "app/main.py": "x\n"}

    with pytest.raises(Refused, match="there is no such file"):
        after(files, patch("app/config.py", "DEBUG = True", "DEBUG = False"))


def test_a_whole_file_goes_only_where_the_rest_of_its_name_leads() -> None:
    answer = "path/to/app/config.py\n```python\nDEBUG = False\n```\n"
    files = {"web/config.py": "DEBUG = True\n"}

    assert after(files, answer) == {**files, "path/to/app/config.py": "DEBUG = False\n"}
    assert after({"src/app/config.py": "DEBUG = True\n"}, answer) == {
        "src/app/config.py": "DEBUG = False\n"
    }


@pytest.mark.parametrize("name", ["C:\\x", "c:/x", "~/.x", "~root/x", "~"])
def test_new_files_of_a_drive_or_a_home_folder_are_refused(name: str) -> None:
    for lines in (f"*** Add File: {name}\n+x", f"*** Update File: a\n*** Move to: {name}"):
        with pytest.raises(Refused, match="is no path in the workspace"):
            after({"a": "x\n"}, f"*** Begin Patch\n{lines}\n*** End Patch\n")
