"""Take out Python imports that nothing uses.

What stays: re-exports (`__all__`, `as` the same name, anything in an `__init__.py`), `# noqa`,
imports in a `try` (their failure means something), `__future__`, and what other files take from
the module: by import, as an attribute, or by its dotted name in a string (`mock.patch`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from posixpath import basename

from tree_sitter import Node

from turbo_tui.languages.python_parsing import parsable
from turbo_tui.languages.python_project import ModuleMeaning, PythonProject
from turbo_tui.languages.python_reader import read_python
from turbo_tui.languages.python_scopes import Binding, PythonFile
from turbo_tui.languages.text_edits import Place, TextEdit, apply_edits, place_at

# Names that someone outside looks for: the export list, unittest's protocol, gettext's mark.
_MEANT = {"__all__", "load_tests", "_"}


@dataclass(frozen=True, slots=True)
class _Unused:
    """An import binding that nothing in its own file uses."""

    path: str
    name: str
    binding: Binding
    statement: Node


@dataclass(frozen=True, slots=True)
class UnusedImports:
    """Edits by path, and the place of each name they take out."""

    edits: dict[str, list[TextEdit]]
    places: list[Place]


def unused_imports(project: PythonProject, paths: Sequence[str]) -> UnusedImports:
    """Work out the edits that take unused imports out of some files.

    Args:
        project: Holds the contents of all files that may use them from outside, too.
        paths: The files to clean; others are only looked at.
    """
    unused = [
        found
        for path in paths
        if (file := project.file(path)) is not None
        and not file.broken
        and not basename(path).startswith("__init__.")
        for found in _unused_in(file)
    ]
    needed = _needed_elsewhere(project, unused)
    unused = [item for item in unused if (item.path, item.name) not in needed]
    edits: dict[str, list[TextEdit]] = {}
    for path in dict.fromkeys(item.path for item in unused):
        content = project.contents[path]
        found = _edits(content, [item for item in unused if item.path == path])
        if not read_python(path, apply_edits(content, found)).broken:
            edits[path] = found
    places = [
        place_at(item.path, project.contents[item.path], item.binding.start, item.name)
        for item in unused
        if item.path in edits
    ]
    return UnusedImports(edits, sorted(places))


def _unused_in(file: PythonFile) -> Iterator[_Unused]:
    fixtures = {
        name
        for scope in file.module.walk()
        for name, bindings in scope.bindings.items()
        if any(binding.kind == "param" for binding in bindings)
    }
    used = _used(file)
    roots = {
        binding.module.partition(".")[0]
        for scope in file.module.walk()
        for name, bindings in scope.bindings.items()
        for binding in bindings
        if binding.kind == "import" and (id(scope), name) in used
    }
    for scope in file.module.walk():
        if scope.kind == "class":
            continue  # a class's imports are its attributes
        for name, bindings in scope.bindings.items():
            # pytest finds fixtures by the names of parameters.
            if name in _MEANT | fixtures or (id(scope), name) in used:
                continue
            if any(binding.kind not in {"import", "from"} for binding in bindings):
                continue  # also assigned: a fallback or a default
            for binding in bindings:
                statement = binding.statement
                if statement is None or _stays(file, name, binding, statement):
                    continue
                # `import a.b` may be there for another name of `a` to have its `b`.
                dotted = binding.kind == "import" and "." in binding.module
                if not (dotted and binding.module.partition(".")[0] in roots):
                    yield _Unused(file.path, name, binding, statement)


def _used(file: PythonFile) -> set[tuple[int, str]]:
    """Return (id of the scope, name) of the variables that the file itself uses."""
    used = {
        (id(holder), use.name)
        for use in file.uses
        if (holder := use.scope.holder(use.name)) is not None
    }
    used |= {(id(file.module), name) for name, _start, _end in file.exported}
    types = b"\n".join(
        comment
        for text in file.texts
        if text.kind == "comment" and b"type:" in (comment := file.content[text.start : text.end])
    )
    if types:
        words = {word.decode("utf-8", "replace") for word in re.findall(rb"\w+", types)}
        used |= {
            (id(scope), name)
            for scope in file.module.walk()
            for name in scope.bindings
            if name in words
        }
    return used


def _stays(file: PythonFile, name: str, binding: Binding, statement: Node) -> bool:
    if statement.type == "future_import_statement" or binding.module == "__future__":
        return True
    if binding.aliased and name == (binding.imported or binding.module):
        return True  # `import x as x`: the mark of a re-export
    return _in_try(statement) or _has_noqa(file, statement)


def _needed_elsewhere(project: PythonProject, unused: Sequence[_Unused]) -> set[tuple[str, str]]:
    """Return (path, name) of what other files take from a file that merely imports it."""
    wanted = {(item.path, item.name) for item in unused}
    names = {item.name for item in unused}
    starred = {
        source
        for path in project.contents
        if (file := project.file(path)) is not None
        for star in file.stars
        if (source := project.modules.find(star, path))
    }
    needed = {(path, name) for path, name in wanted if path in starred}
    for path in project.contents:
        file = project.file(path)
        if file is None:
            continue
        for scope in file.module.walk():
            for bindings in scope.bindings.values():
                for binding in bindings:
                    if binding.kind == "from" and binding.imported in names:
                        source = project.modules.find(binding.module, path)
                        needed.add((source or "", binding.imported))
        for use in file.attributes:
            if use.name in names:
                base = project.meaning(use.base, use.scope)
                if isinstance(base, ModuleMeaning):
                    needed.add((base.handle, use.name))
        strings = b"\n".join(
            file.content[text.start : text.end] for text in file.texts if text.kind == "string"
        )
        needed |= {
            (item.path, item.name)
            for item in unused
            if f"{project.modules.name_of(item.path)}.{item.name}".encode() in strings
        }
    return needed & wanted


def _edits(content: bytes, unused: Sequence[_Unused]) -> list[TextEdit]:
    by_statement: dict[int, list[_Unused]] = {}
    for item in unused:
        by_statement.setdefault(item.statement.start_byte, []).append(item)
    whole = {
        start
        for start, items in by_statement.items()
        if len(items) == len(_names_of(items[0].statement))
    }
    edits: list[TextEdit] = []
    for start, items in by_statement.items():
        statement = items[0].statement
        if start in whole:
            edits.append(_without_statement(parsable(content), statement, whole))
        else:
            edits += _without_names(content, statement, {item.binding.start for item in items})
    return edits


def _in_try(statement: Node) -> bool:
    above = statement.parent
    while above is not None:
        if above.type == "try_statement":
            return True
        if above.type in {"function_definition", "class_definition"}:
            return False
        above = above.parent
    return False


def _has_noqa(file: PythonFile, statement: Node) -> bool:
    """A `# noqa` on any line of the statement, or a whole-file one."""
    first = statement.start_point.row
    last = statement.end_point.row
    lines = file.content.split(b"\n")
    here = b"\n".join(lines[first : last + 1]).lower()
    return b"noqa" in here or any(
        line.strip().lower().startswith((b"# flake8: noqa", b"# ruff: noqa")) for line in lines
    )


def _names_of(statement: Node) -> list[Node]:
    return statement.children_by_field_name("name")


def _without_statement(content: bytes, statement: Node, whole: set[int]) -> TextEdit:
    """Take out a statement: its whole line when it stands alone there, else leave the rest."""
    start, end = statement.start_byte, statement.end_byte
    block = statement.parent
    if block is not None and block.type == "block":
        code = [child for child in block.named_children if child.type != "comment"]
        if all(child.start_byte in whole for child in code):
            last = code[-1].start_byte == start
            # A block must not become empty: its last import turns into `pass`.
            if last:
                return TextEdit(start, end, "pass")
    line_start = content.rfind(b"\n", 0, start) + 1
    line_end = content.find(b"\n", end)
    line_end = len(content) if line_end < 0 else line_end + 1
    if content[line_start:start].strip():  # `x = 1; import os`
        separator = content.rfind(b";", line_start, start)
        return TextEdit(separator if separator >= 0 else start, end, "")
    after = content[end:line_end]
    if after.strip().startswith(b";"):  # `import os; x = 1`
        rest = end + after.index(b";") + 1
        while content[rest : rest + 1] in {b" ", b"\t"}:
            rest += 1
        return TextEdit(start, rest, "")
    return TextEdit(line_start, line_end, "")  # a comment on that line was about the import


def _without_names(content: bytes, statement: Node, spans: set[int]) -> list[TextEdit]:
    """Take some names out of a statement, with their commas and emptied lines."""
    names = _names_of(statement)
    in_parentheses = any(child.type == "(" for child in statement.children)
    last_kept = max(index for index, name in enumerate(names) if name.start_byte not in spans)
    edits: list[TextEdit] = []
    for index, name in enumerate(names):
        if name.start_byte not in spans:
            continue
        line_start = content.rfind(b"\n", 0, name.start_byte) + 1
        line_end = content.find(b"\n", name.end_byte)
        before = content[line_start : name.start_byte]
        after = content[name.end_byte : line_end].lstrip(b", \t\r")
        if in_parentheses and not before.strip() and (not after or after.startswith(b"#")):
            edits.append(TextEdit(line_start, line_end + 1, ""))
        elif index < last_kept:
            edits.append(TextEdit(name.start_byte, names[index + 1].start_byte, ""))
        else:
            edits.append(TextEdit(names[index - 1].end_byte, name.end_byte, ""))
    return edits
