"""Renames by meaning: what follows, what stays, what is refused."""

from __future__ import annotations

import pytest

from turbo_tui.languages.python_project import PythonProject
from turbo_tui.languages.python_rename import Rename, RenameRefusedError, rename
from turbo_tui.languages.python_symbols import SymbolNotFoundError
from turbo_tui.languages.text_edits import apply_edits

Tree = dict[str, str]


def _project(tree: Tree) -> PythonProject:
    return PythonProject(list(tree), {path: text.encode() for path, text in tree.items()})


def _plan(tree: Tree, symbol: str, new: str) -> Rename:
    return rename(_project(tree), symbol, new)


def _renamed(tree: Tree, symbol: str = "area", new: str = "surface") -> Tree:
    planned = _plan(tree, symbol, new)
    return {
        path: apply_edits(text.encode(), planned.edits.get(path, [])).decode()
        for path, text in tree.items()
    }


def test_a_function_is_renamed_where_it_is_defined_imported_and_used() -> None:
    tree = {
        "pkg/__init__.py": "from .shapes import area as area\nfrom .shapes import Box\n\n"
        '__all__ = ["area", "Box"]\n',
        "pkg/shapes.py": "def area(a):\n    return a\n\nclass Box:\n    size = area(2)\n",
        "app.py": "import pkg\nimport pkg.shapes as s\nfrom pkg import area as measure, Box\n"
        "print(pkg.area(1), s.area(2), measure(3), pkg.shapes.area(4))\n",
    }

    assert _renamed(tree) == {
        "pkg/__init__.py": "from .shapes import surface as surface\nfrom .shapes import Box\n\n"
        '__all__ = ["surface", "Box"]\n',
        "pkg/shapes.py": "def surface(a):\n    return a\n\nclass Box:\n    size = surface(2)\n",
        "app.py": "import pkg\nimport pkg.shapes as s\nfrom pkg import surface as measure, Box\n"
        "print(pkg.surface(1), s.surface(2), measure(3), pkg.shapes.surface(4))\n",
    }


def test_strings_comments_longer_names_and_keyword_arguments_stay() -> None:
    text = (
        '"""The area module."""\n'
        "def area(a): return a\n"
        "area_of = 1  # not area\n"
        'print("area", areas, x.area, f(area=area(1)))\n'
    )

    renamed = _renamed({"m.py": text})["m.py"]

    assert renamed == text.replace("def area", "def surface").replace("=area(", "=surface(")


def test_what_looks_like_the_name_but_was_left_is_listed() -> None:
    text = 'def area(a): pass\ngetattr(m, "area")\nthing.area()\n# area\n'

    planned = _plan({"m.py": text}, "area", "surface")

    assert [(place.line, place.note) for place in planned.left] == [
        (2, "in a string"),
        (3, "not sure: what stands before the dot cannot be told"),
        (4, "in a comment"),
    ]


def test_a_local_of_the_same_name_is_another_variable() -> None:
    text = (
        "def area(): pass\n"
        "def f(area): return area\n"
        "def g():\n    area = 1\n    return [area for area in (area,)]\n"
        "def h():\n    global area\n    area = 2\n"
        "def k():\n    def n():\n        return area()\n    return n\n"
        "class C:\n    area = 3\n    def m(self): return area()\n"
    )

    assert _renamed({"m.py": text})["m.py"] == (
        "def surface(): pass\n"
        "def f(area): return area\n"
        "def g():\n    area = 1\n    return [area for area in (area,)]\n"
        "def h():\n    global surface\n    surface = 2\n"
        "def k():\n    def n():\n        return surface()\n    return n\n"
        "class C:\n    area = 3\n    def m(self): return surface()\n"
    )


def test_quoted_annotations_follow_but_literals_stay() -> None:
    text = (
        "import typing as t\n"
        "class Box: pass\n"
        'def f(a: "Box", b: "list[Box]" = None) -> t.Optional["Box"]: ...\n'
        'x: t.Literal["Box"] = "Box"\n'
        'y = t.cast("Box", x)\n'
        'z: t.Annotated["Box", "Box"]\n'
    )

    assert _renamed({"m.py": text}, "Box", "Crate")["m.py"] == (
        "import typing as t\n"
        "class Crate: pass\n"
        'def f(a: "Crate", b: "list[Crate]" = None) -> t.Optional["Crate"]: ...\n'
        'x: t.Literal["Box"] = "Box"\n'
        'y = t.cast("Crate", x)\n'
        'z: t.Annotated["Crate", "Box"]\n'
    )


def test_f_strings_decorators_defaults_and_patterns_are_uses() -> None:
    text = (
        "class Box: pass\n"
        "@Box\n"
        "def f(a=Box, *b: Box, c: Box = Box()): return f'{Box!r:>{Box}} Box'\n"
        "match x:\n    case Box(size=Box.size): pass\n"
        "try: pass\nexcept Box as e: pass\n"
        "with Box() as b, open(Box): pass\n"
    )

    renamed = _renamed({"m.py": text}, "Box", "Crate")["m.py"]

    assert renamed == text.replace("Box", "Crate").replace("} Crate'", "} Box'")


def test_crlf_a_byte_order_mark_and_latin_1_bytes_are_kept() -> None:
    content = b"\xef\xbb\xbfdef area():\r\n\treturn 1\r\n"
    latin = b"# -*- coding: latin-1 -*-\nfrom m import area\ns = '\xe9\xff'; area()  # \xfc\n"
    project = PythonProject(["m.py", "n.py"], {"m.py": content, "n.py": latin})

    planned = rename(project, "area", "surface")

    assert apply_edits(content, planned.edits["m.py"]) == content.replace(b"area", b"surface")
    assert apply_edits(latin, planned.edits["n.py"]) == latin.replace(b"area", b"surface")


def test_a_star_import_passes_the_name_on() -> None:
    tree = {
        "pkg/__init__.py": "from .a import *\n",
        "pkg/a.py": "from .b import *\n",
        "pkg/b.py": "def area(): pass\n",
        "use.py": "from pkg import *\nimport pkg\narea()\npkg.area()\n",
    }

    renamed = _renamed(tree)

    assert renamed["use.py"] == "from pkg import *\nimport pkg\nsurface()\npkg.surface()\n"
    assert renamed["pkg/b.py"] == "def surface(): pass\n"


def test_an_import_of_something_else_as_a_fallback_gets_an_alias() -> None:
    tree = {
        "slow.py": "def area(): pass\n",
        "m.py": "try:\n    from fast import area\nexcept ImportError:\n"
        "    from slow import area\narea()\n",
    }

    assert _renamed(tree)["m.py"] == (
        "try:\n    from fast import area as surface\nexcept ImportError:\n"
        "    from slow import surface\nsurface()\n"
    )


def test_a_module_of_the_same_name_elsewhere_is_not_touched() -> None:
    tree = {
        "a/__init__.py": "",
        "a/util.py": "def area(): pass\n",
        "b/__init__.py": "",
        "b/util.py": "def area(): pass\n",
        "b/use.py": "from .util import area\nfrom a.util import area as other\narea()\n",
    }

    renamed = _renamed(tree, "a.util.area")

    assert renamed["a/util.py"] == "def surface(): pass\n"
    assert renamed["b/util.py"] == tree["b/util.py"]
    assert renamed["b/use.py"] == (
        "from .util import area\nfrom a.util import surface as other\narea()\n"
    )


def test_a_stub_file_follows_its_module() -> None:
    tree = {"m.py": "def area(): pass\n", "m.pyi": "def area() -> None: ...\n"}

    assert _renamed(tree, "m.py:area")["m.pyi"] == "def surface() -> None: ...\n"


def test_a_method_follows_its_overrides_and_proven_receivers() -> None:
    text = (
        "class Base:\n"
        "    def area(self): return self.area()\n"
        "    @classmethod\n    def of(cls): return cls.area\n"
        "class Sub(Base):\n"
        "    def area(self): return super().area()\n"
        "class Other:\n    def area(self): return self.area()\n"
        "box = Sub()\n"
        "def f(b: Base, c: 'Sub', d):\n"
        "    return b.area() + c.area() + d.area() + box.area() + Other().area()\n"
    )

    planned = _plan({"m.py": text}, "Base.area", "surface")
    renamed = apply_edits(text.encode(), planned.edits["m.py"]).decode()

    assert renamed == (
        "class Base:\n"
        "    def surface(self): return self.surface()\n"
        "    @classmethod\n    def of(cls): return cls.surface\n"
        "class Sub(Base):\n"
        "    def surface(self): return super().surface()\n"
        "class Other:\n    def area(self): return self.area()\n"
        "box = Sub()\n"
        "def f(b: Base, c: 'Sub', d):\n"
        "    return b.surface() + c.surface() + d.area() + box.surface() + Other().area()\n"
    )
    assert [place.line for place in planned.left] == [11]


def test_a_method_that_overrides_is_renamed_at_its_base() -> None:
    text = "class A:\n    def f(self): ...\nclass B(A):\n    def f(self): ...\n"

    with pytest.raises(RenameRefusedError, match=r"overrides A\.f .* Rename `A\.f` instead"):
        _plan({"m.py": text}, "B.f", "g")


def test_a_base_class_from_outside_is_a_caution() -> None:
    text = "from lib import Base\nclass A(Base):\n    def f(self): ...\n"

    assert "base class outside" in _plan({"m.py": text}, "A.f", "g").cautions[0]


def test_a_file_with_a_syntax_error_is_a_caution() -> None:
    planned = _plan({"m.py": "def f(): pass\n", "n.py": "from m import f\nf((\n"}, "f", "g")

    assert "n.py has a syntax error" in planned.cautions[0]


@pytest.mark.parametrize(
    ("text", "new", "line"),
    [
        ("def area(): pass\nsurface = 1\n", "surface", 2),
        ("def area(): pass\ndef f(surface): return area()\n", "surface", 2),
        ("def area(): pass\nprint(1)\n", "print", 2),
        ("def area(): pass\ndef f():\n    surface = 1\n    return area()\n", "surface", 3),
    ],
)
def test_a_new_name_that_is_taken_is_refused_with_its_place(text: str, new: str, line: int) -> None:
    with pytest.raises(RenameRefusedError, match=rf"already taken.*m\.py:{line}:"):
        _plan({"m.py": text}, "area", new)


def test_a_new_name_taken_in_a_file_that_imports_it_is_refused() -> None:
    tree = {"m.py": "def area(): pass\n", "n.py": "from m import area\nsurface = 2\n"}

    with pytest.raises(RenameRefusedError, match=r"n\.py:2:1 \(is bound here\)"):
        _plan(tree, "area", "surface")


def test_a_new_name_that_is_a_submodule_is_refused() -> None:
    tree = {"pkg/__init__.py": "def area(): pass\n", "pkg/surface.py": ""}

    with pytest.raises(RenameRefusedError, match="is a module of that name"):
        _plan(tree, "pkg.area", "surface")


def test_a_new_method_name_that_the_class_uses_is_refused() -> None:
    text = (
        "class A:\n    def g(self): ...\n"
        "class B(A):\n    def f(self): ...\n    def h(self): self.k = 1\n"
    )

    with pytest.raises(RenameRefusedError, match="is inherited"):
        _plan({"m.py": text}, "B.f", "g")
    with pytest.raises(RenameRefusedError, match="is an attribute of it"):
        _plan({"m.py": text}, "B.f", "k")


@pytest.mark.parametrize(
    ("new", "why"), [("1a", "not a valid"), ("class", "keyword"), ("area", "already called")]
)
def test_a_name_that_cannot_be_given_is_refused(new: str, why: str) -> None:
    with pytest.raises(RenameRefusedError, match=why):
        _plan({"m.py": "def area(): pass\n"}, "area", new)


def test_a_name_python_looks_for_stays() -> None:
    with pytest.raises(RenameRefusedError, match="Python itself looks for"):
        _plan({"m.py": "class A:\n    def __init__(self): ...\n"}, "A.__init__", "start")


def test_an_unknown_symbol_is_refused_with_the_closest_names() -> None:
    with pytest.raises(SymbolNotFoundError, match="Closest: area"):
        _plan({"m.py": "def area(): pass\n"}, "aera", "surface")


def test_an_ambiguous_symbol_is_refused_with_all_places() -> None:
    tree = {"a.py": "def area(): pass\n", "b.py": "\ndef area(): pass\n"}

    with pytest.raises(SymbolNotFoundError, match=r"a\.py:1; area at b\.py:2.*`a\.py:area`"):
        _plan(tree, "area", "surface")
    assert list(_plan(tree, "b.py:area", "surface").edits) == ["b.py"]


def test_the_package_is_meant_where_its_tests_define_the_name_too() -> None:
    tree = {"m.py": "def area(): pass\n", "tests/test_m.py": "def area(): pass\n"}

    assert list(_plan(tree, "area", "surface").edits) == ["m.py"]


def test_a_method_named_alone_is_refused_with_its_full_name() -> None:
    with pytest.raises(SymbolNotFoundError, match=r"say `A\.area`"):
        _plan({"m.py": "class A:\n    def area(self): ...\n"}, "area", "surface")


def test_what_is_no_name_is_refused() -> None:
    with pytest.raises(SymbolNotFoundError, match="is not a Python name"):
        _plan({"m.py": ""}, "a b", "c")
