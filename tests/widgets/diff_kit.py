"""A change set to look at and decide on."""

from __future__ import annotations

from turbo_widgets.diff_pane import DiffComment, DiffFile, DiffHunk, DiffLine, DiffValue

CALL = DiffHunk(
    "line 1",
    (
        DiffLine("same", "import os", 1, 1),
        DiffLine("removed", "answer = get(path, timeout=3)", 2),
        DiffLine("added", "answer = get(path, timeout_s=3)", 0, 2),
        DiffLine("added", "    return None", 0, 3),
        DiffLine("same", "end = True", 3, 4),
    ),
)
LAST = DiffHunk("line 40", (DiffLine("same", "x", 40, 41), DiffLine("added", "y = 1", 0, 42)))
API = DiffFile(
    "src/api.py", "update", (CALL, LAST), added=3, removed=1, by_line=True, editable=True
)
LOGO = DiffFile("docs/logo.png", "add", notes=("not shown as text: 3.1 kB",))
VALUE = DiffValue("step s1", (API, LOGO), commentable=True)
SAID = DiffComment(3, "why None?")
