"""Unused imports: which go, which stay, and that the layout of the rest does."""

from __future__ import annotations

import pytest

from turbo_tui.languages.python_imports import unused_imports
from turbo_tui.languages.python_project import PythonProject
from turbo_tui.languages.text_edits import apply_edits


def _cleaned(text: str, path: str = "m.py", **others: str) -> str:
    tree = {path: text, **{f"{name}.py": content for name, content in others.items()}}
    project = PythonProject(list(tree), {name: body.encode() for name, body in tree.items()})
    edits = unused_imports(project, [path]).edits.get(path, [])
    return apply_edits(text.encode(), edits).decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import os\nimport sys\nsys.exit()\n", "import sys\nsys.exit()\n"),
        ("import os, sys\nsys.exit()\n", "import sys\nsys.exit()\n"),
        ("import sys, os\nsys.exit()\n", "import sys\nsys.exit()\n"),
        ("import a, b, c, d\nb, d\n", "import b, d\nb, d\n"),
        ("import a, b, c, d\na\n", "import a\na\n"),
        ("from x import a as b, c\nc\n", "from x import c\nc\n"),
        ("import os.path\nimport os\n", ""),
        ("import os.path\nos\n", "import os.path\nos\n"),
        ("import os; x = 1\n", "x = 1\n"),
        ("x = 1; import os\n", "x = 1\n"),
        ("import os  # for nothing\nx = 1\n", "x = 1\n"),
        ("def f():\n    import os\n", "def f():\n    pass\n"),
        ("def f():\n    import os\n    import re\n", "def f():\n    pass\n"),
        ("def f():\n    import os\n    return 1\n", "def f():\n    return 1\n"),
        (
            "from x import (\n    a,  # one\n    b,  # two\n    c,\n)\na, c\n",
            "from x import (\n    a,  # one\n    c,\n)\na, c\n",
        ),
        ("from x import (\n    a,\n    b,\n    c\n)\na\n", "from x import (\n    a,\n)\na\n"),
        ("from x import (a,\n    b)\na\n", "from x import (a)\na\n"),
        ("from x import (a,\n    b)\nb\n", "from x import (b)\nb\n"),
        ("from x import a, \\\n    b\na\n", "from x import a\na\n"),
        ("import os\r\nimport sys\r\nsys\r\n", "import sys\r\nsys\r\n"),
    ],
)
def test_what_is_unused_goes_and_the_rest_keeps_its_layout(before: str, after: str) -> None:
    assert _cleaned(before) == after


@pytest.mark.parametrize(
    "text",
    [
        "from __future__ import annotations\n",
        "import os as os\n",
        "from x import a as a\n",
        "import os  # noqa: F401\n",
        "# ruff: noqa\nimport os\n",
        "from x import (\n    a,  # noqa\n)\n",
        "import os\n__all__ = ['os']\n",
        "try:\n    import json5 as json\nexcept ImportError:\n    json = None\n",
        "try:\n    import fast\nexcept ImportError:\n    pass\n",
        "from t import List\ndef f(x: 'List[int]'): ...\n",
        "import t\nif t.TYPE_CHECKING:\n    from x import A\ndef f() -> 'A': ...\n",
        "from t import List\nx = []  # type: List[int]\n",
        "from fixtures import database\ndef test_x(database): ...\n",
        "class C:\n    import os\n",
        "from x import _\n",
        "import os\nos = os or None\n",
        "from x import __all__, load_tests\n",
        "import a as x\nimport a.b\nx.b()\n",
        "import a.b as x\nimport a.c\nx.b()\n",
        "from x import a, b\ndef f((\n",
        "import os\nf'{os.name}'\n",
        "from d import deco\n@deco\ndef f(): ...\n",
        "import os\ndef f():\n    global os\n    os = 1\n",
    ],
)
def test_what_is_used_or_meant_to_be_there_stays(text: str) -> None:
    assert _cleaned(text) == text


def test_a_type_checking_import_that_nothing_names_goes() -> None:
    text = "import t\nif t.TYPE_CHECKING:\n    from x import A\n    from x import B\nB\n"

    assert _cleaned(text) == text.replace("    from x import A\n", "")


def test_an_init_file_re_exports() -> None:
    assert _cleaned("from .a import b\n", path="p/__init__.py") == "from .a import b\n"


@pytest.mark.parametrize(
    "other",
    [
        "from m import helper\nhelper()\n",
        "import m\nm.helper()\n",
        "from m import *\nhelper()\n",
        "patch('m.helper')\n",
    ],
)
def test_what_another_file_takes_stays(other: str) -> None:
    assert _cleaned("from x import helper\n", other=other) == "from x import helper\n"


def test_a_name_another_file_takes_from_elsewhere_does_not_count() -> None:
    assert _cleaned("from x import helper\n", other="from y import helper\nhelper()\n") == ""


def test_each_name_taken_out_is_a_place() -> None:
    content = b"import os\nfrom x import (\n    a,\n    b,\n)\na\n"
    project = PythonProject(["m.py"], {"m.py": content})

    places = unused_imports(project, ["m.py"]).places

    assert [(place.line, place.note) for place in places] == [(1, "os"), (4, "b")]
