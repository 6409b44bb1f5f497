"""The user's own editor at a line."""

from __future__ import annotations

import pytest

from turbo_tui.app.editor import at_line


@pytest.mark.parametrize(
    ("editor", "words"),
    [
        (["vim"], ["vim", "+45", "/w/a.py"]),
        (["emacsclient", "-t"], ["emacsclient", "-t", "+45", "/w/a.py"]),
        (["/usr/bin/code", "--wait"], ["/usr/bin/code", "--wait", "--goto", "/w/a.py:45"]),
        (["zed", "--wait"], ["zed", "--wait", "/w/a.py:45"]),
    ],
)
def test_an_editor_is_told_the_line_in_its_own_way(editor: list[str], words: list[str]) -> None:
    assert at_line(editor, "/w/a.py", 45) == words
