# ruff: noqa: E501, ISC004 - one source and its outcome a row reads best
"""Which variable a name means: the corners of Python's scoping, seen through a rename."""

from __future__ import annotations

import pytest

from turbo_tui.languages.python_project import PythonProject
from turbo_tui.languages.python_reader import read_python
from turbo_tui.languages.python_rename import RenameRefusedError, rename
from turbo_tui.languages.text_edits import apply_edits

Tree = dict[str, str]


def _renamed(tree: Tree, symbol: str = "area", new: str = "surface") -> Tree:
    project = PythonProject(list(tree), {path: text.encode() for path, text in tree.items()})
    edits = rename(project, symbol, new).edits
    return {
        path: apply_edits(text.encode(), edits.get(path, [])).decode()
        for path, text in tree.items()
    }


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("area = 1\nx = [area := i for i in y]\n", "surface = 1\nx = [surface := i for i in y]\n"),
        ("area = 1\nx = [area for area in area]\n", "surface = 1\nx = [area for area in surface]\n"),
        ("area = 1\nx = {a: area for a in b for c in area}\n",
         "surface = 1\nx = {a: surface for a in b for c in surface}\n"),
        ("area = 1\nf = lambda area, b=area: area\n", "surface = 1\nf = lambda area, b=surface: area\n"),
        ("area = 1\ndel area\n", "surface = 1\ndel surface\n"),
        ("area = 1\narea += 2\n", "surface = 1\nsurface += 2\n"),
        ("area = 1\nfor area in x: area\nelse: area\n",
         "surface = 1\nfor surface in x: surface\nelse: surface\n"),
        ("area = 1\nwith f() as (area, b): pass\n", "surface = 1\nwith f() as (surface, b): pass\n"),
        ("area = 1\ntry: pass\nexcept E as area: area\n",
         "surface = 1\ntry: pass\nexcept E as surface: surface\n"),
        ("area, (b, *c) = 1, d\nc, area\n", "surface, (b, *c) = 1, d\nc, surface\n"),
        ("area: int\nx = area\n", "surface: int\nx = surface\n"),
        ("area = b = 1\n", "surface = b = 1\n"),
        ("area = 1\ndef f():\n    def g():\n        nonlocal area\n    area = 2\n    area\n",
         "surface = 1\ndef f():\n    def g():\n        nonlocal area\n    area = 2\n    area\n"),
        ("area = 1\ndef f():\n    def g():\n        nonlocal area\n        area = 3\n    area = 2\n",
         "surface = 1\ndef f():\n    def g():\n        nonlocal area\n        area = 3\n    area = 2\n"),
        ("def f():\n    global area\n    area = 1\narea = 0\n",
         "def f():\n    global surface\n    surface = 1\nsurface = 0\n"),
        ("def f():\n    global area\n    from x import area\narea = 0\n",
         "def f():\n    global surface\n    from x import area as surface\nsurface = 0\n"),
        ("area = 1\ndef f(*area, **b): area\ndef g(a, /, *, area: int = area): area\n",
         "surface = 1\ndef f(*area, **b): area\ndef g(a, /, *, area: int = surface): area\n"),
        ("area = 1\nclass C:\n    area = area\n    x = [area for _ in y]\n",
         "surface = 1\nclass C:\n    area = area\n    x = [surface for _ in y]\n"),
        ("area = 1\nmatch x:\n    case [area, *b] | {'k': area, **c}: area\n",
         "surface = 1\nmatch x:\n    case [surface, *b] | {'k': surface, **c}: surface\n"),
        ("area = 1\nmatch x:\n    case P(area=1) as area: pass\n    case _: area\n",
         "surface = 1\nmatch x:\n    case P(area=1) as surface: pass\n    case _: surface\n"),
        ("area = 1\n@area.register(area)\nclass C(area, area=area): pass\n",
         "surface = 1\n@surface.register(surface)\nclass C(surface, area=surface): pass\n"),
        ("if x:\n    def area(): pass\nelse:\n    area = None\n",
         "if x:\n    def surface(): pass\nelse:\n    surface = None\n"),
        ("area = 1\nx = f'{area:{area}} {y.area} area {area!r}'\n",
         "surface = 1\nx = f'{surface:{surface}} {y.area} area {surface!r}'\n"),
        ("area = 1\n__all__ = ['area', 'b'] + x.__all__\n",
         "surface = 1\n__all__ = ['surface', 'b'] + x.__all__\n"),
        ("area = 1\n__all__ = []\n__all__ += ['area']\n__all__.extend(('area',))\n__all__.append('area')\n",
         "surface = 1\n__all__ = []\n__all__ += ['surface']\n__all__.extend(('surface',))\n"
         "__all__.append('surface')\n"),
        ("async def area():\n    await area()\n    async for area in b: pass\n",
         "async def surface():\n    await area()\n    async for area in b: pass\n"),
    ],
)  # fmt: skip
def test_a_module_variable_is_told_from_all_others(text: str, after: str) -> None:
    assert _renamed({"m.py": text})["m.py"] == after


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("class Box: pass\ndef f[T: Box](x: T) -> Box: ...\n",
         "class Crate: pass\ndef f[T: Crate](x: T) -> Crate: ...\n"),
        ("class Box: pass\ndef f[Box](x: int): Box\nclass D[Box]:\n    x: Box\n",
         "class Crate: pass\ndef f[Box](x: int): Box\nclass D[Box]:\n    x: Box\n"),
        ("class Box: pass\ntype Alias[T] = dict[T, Box]\n",
         "class Crate: pass\ntype Alias[T] = dict[T, Crate]\n"),
        ("class Box: pass\nx: 'dict[str, m.Box | Box]'\n",
         "class Crate: pass\nx: 'dict[str, m.Box | Crate]'\n"),
        ("class Box: pass\nx: 'Box is no type'\ny: f'Box'\n",
         "class Crate: pass\nx: 'Box is no type'\ny: f'Box'\n"),
        ("import typing as t\nclass Box: pass\nx: t.Annotated[list['Box'], 'Box'] = t.cast('Box', 1)\n",
         "import typing as t\nclass Crate: pass\nx: t.Annotated[list['Crate'], 'Box'] = "
         "t.cast('Crate', 1)\n"),
    ],
)  # fmt: skip
def test_types_are_code_where_python_reads_them_as_types(text: str, after: str) -> None:
    assert _renamed({"m.py": text}, "Box", "Crate")["m.py"] == after


@pytest.mark.parametrize(
    ("importing", "after"),
    [
        ("from .. import shapes\nshapes.area()\n", "from .. import shapes\nshapes.surface()\n"),
        ("from ..shapes import area\narea()\n", "from ..shapes import surface\nsurface()\n"),
        ("from ..shapes import (\n    area as a,  # one\n)\na()\n",
         "from ..shapes import (\n    surface as a,  # one\n)\na()\n"),
        ("import pkg.shapes\npkg.shapes.area()\n", "import pkg.shapes\npkg.shapes.surface()\n"),
        ("import pkg.shapes as s\ns.area()\n", "import pkg.shapes as s\ns.surface()\n"),
        ("def f():\n    from pkg.shapes import area\n    return area\narea = 1\n",
         "def f():\n    from pkg.shapes import surface\n    return surface\narea = 1\n"),
        ("from pkg import shapes as s\nx = s\nx.area()\n",
         "from pkg import shapes as s\nx = s\nx.surface()\n"),
        ("from elsewhere import area\nimport pkg.other as o\narea(); o.area()\n",
         "from elsewhere import area\nimport pkg.other as o\narea(); o.area()\n"),
        ("import os\nos.area(); (1).area(); ''.area()\n", "import os\nos.area(); (1).area(); ''.area()\n"),
        ("match x:\n    case shapes.area: pass\n    case pkg.shapes.area: pass\nimport pkg.shapes\n",
         "match x:\n    case shapes.area: pass\n    case pkg.shapes.surface: pass\nimport pkg.shapes\n"),
    ],
)  # fmt: skip
def test_every_way_to_import_is_followed(importing: str, after: str) -> None:
    tree = {
        "src/pkg/__init__.py": "",
        "src/pkg/shapes.py": "def area(): pass\n",
        "src/pkg/other.py": "def area(): pass\n",
        "src/pkg/sub/__init__.py": "",
        "src/pkg/sub/use.py": importing,
    }

    renamed = _renamed(tree, "pkg.shapes.area")

    assert renamed["src/pkg/sub/use.py"] == after
    assert renamed["src/pkg/other.py"] == tree["src/pkg/other.py"]


def test_a_folder_without_init_is_a_package_too() -> None:
    tree = {"tools/shapes.py": "def area(): pass\n", "use.py": "from tools.shapes import area\n"}

    assert _renamed(tree)["use.py"] == "from tools.shapes import surface\n"


def test_circular_imports_come_to_an_end() -> None:
    tree = {
        "a.py": "from b import *\nfrom b import area\n",
        "b.py": "from a import area\ndef area(): pass\n",
        "c.py": "from c import area\narea()\n",
    }

    renamed = _renamed(tree, "b.py:area")

    assert renamed["a.py"] == "from b import *\nfrom b import surface\n"
    assert renamed["c.py"] == tree["c.py"]


def test_modules_of_one_name_are_not_mixed_up() -> None:
    tree = {
        "x/helpers.py": "def area(): pass\n",
        "x/use.py": "from helpers import area\n",
        "y/helpers.py": "def area(): pass\n",
        "y/use.py": "from helpers import area\n",
    }

    renamed = _renamed(tree, "x/helpers.py:area")

    assert renamed["x/use.py"] == "from helpers import surface\n"
    assert renamed["y/use.py"] == tree["y/use.py"]


def test_methods_are_followed_through_classes_of_classes_and_annotations() -> None:
    text = (
        "class Outer:\n"
        "    class Inner(dict[str, int]):\n"
        "        def area(self): ...\n"
        "        @staticmethod\n        def make(area): return area\n"
        "    inner: Inner\n"
        "box: Outer.Inner = make()\n"
        "Outer.Inner.area(box); (box).area(); Outer().area()\n"
        "def f(x: 'Outer'): x.area\n"
    )

    assert _renamed({"m.py": text}, "Outer.Inner.area")["m.py"] == (
        text.replace("def area", "def surface").replace("Inner.area", "Inner.surface")
        .replace("(box).area", "(box).surface")
    )  # fmt: skip


def test_a_base_class_may_hide_an_object_of_the_subclass() -> None:
    text = "class A: ...\nclass B(A):\n    def area(self): ...\ndef f(x: A): x.area()\n"
    project = PythonProject(["m.py"], {"m.py": text.encode()})

    assert [place.line for place in rename(project, "B.area", "surface").left] == [4]


def test_a_name_hidden_by_the_new_one_in_a_star_importing_file_is_refused() -> None:
    tree = {
        "a.py": "def area(): pass\n",
        "b.py": "from a import *\ndef f(surface):\n    return area()\n",
    }

    with pytest.raises(RenameRefusedError, match=r"b\.py:2:7 \(would hide the new name\)"):
        _renamed(tree)


def test_a_file_that_cannot_be_parsed_is_marked() -> None:
    assert read_python("m.py", b"def f(:\n").broken
    assert not read_python("m.py", b"\xef\xbb\xbfdef f(): ...\n").broken


def test_an_import_under_nonlocal_binds_the_name_of_the_function_around() -> None:
    source = "def f():\n    a = 1\n    def g():\n        nonlocal a\n        import os as a\n"
    (outer,) = read_python("shop.py", source.encode()).module.children

    assert [binding.kind for binding in outer.bindings["a"]] == ["assign", "import"]
