"""Write a dependency into the project's manifest; nothing is downloaded."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import cast

from turbo_tui.core.errors import ToolError
from turbo_tui.core.models import ToolSpec
from turbo_tui.core.ports import StageFiles, ToolContext
from turbo_tui.tools.arguments import Arguments, parameters

NAME = "add_dependency"
READ_ONLY = False

_SPEC = ToolSpec(
    NAME,
    "Write a dependency into pyproject.toml (PEP 621 or Poetry), requirements*.txt or "
    "package.json, keeping its format. Nothing is downloaded, locked or installed.",
    parameters(
        ("requirement",),
        requirement={"type": "string", "description": "requests>=2,<3, or left-pad@^1.3 for npm"},
        group={"type": "string", "description": "dev, test, docs: not needed to run the project"},
        manifest={"type": "string", "description": "the file to write, when there are several"},
    ),
)
_EXAMPLE = {"requirement": "requests>=2"}
_PYTHON = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(?P<extras>\[[\w\s,.-]+\])?\s*"
    r"(?P<version>(?:(?:===|[<>=!~]=|[<>])\s*[\w.*+!-]+\s*,?\s*)*)(?P<marker>;.*)?"
)
_NPM = re.compile(r"(?P<name>@?[\w.~-]+(?:/[\w.~-]+)?)(?:@(?P<range>[\w.^~<>=*| -]+))?")
_MANIFESTS = ("pyproject.toml", "requirements.txt", "requirements.in", "package.json")
_GROUPS = {"development": "dev"}


@dataclass(frozen=True, slots=True)
class Requirement:
    """A Python requirement, taken apart; `line` is how it is written in a manifest."""

    name: str
    extras: str
    version: str
    line: str

    @property
    def key(self) -> str:
        """The name as indexes compare it; PEP 503."""
        return normal_name(self.name)


class AddDependency:
    """One more line in a manifest."""

    @property
    def spec(self) -> ToolSpec:
        """Name, prompt text and parameters."""
        return _SPEC

    async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        """Write the manifest in the stage; return what stands there now.

        Raises:
            ToolError: No manifest, several, or the dependency is there already.
        """
        given = Arguments(_SPEC, _EXAMPLE, arguments)
        wanted = given.text("requirement").strip()
        group = given.text("group", "", empty=True).strip().lower()
        group = _GROUPS.get(group, group)
        files = context.stage.files
        path = given.path("manifest", default=".")
        path = _manifest(files, wanted) if path == "." else path
        content = files.read(path)
        if path.endswith(".json"):
            changed, said = _in_package_json(path, content, wanted, group)
        elif path.endswith(".toml"):
            changed, said = _in_pyproject(path, content, _requirement(wanted), group)
        else:
            path = _requirements_of(files, path, group)
            content = files.read(path)
            changed, said = _in_requirements(path, content, _requirement(wanted))
        files.write(path, changed)
        return f"{said}\nThe lock file and the installation are not done: run your package manager."


def normal_name(name: str) -> str:
    """Return a Python package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _manifest(files: StageFiles, wanted: str) -> str:
    there = [path for path in _MANIFESTS if files.entry(path) is not None]
    if "pyproject.toml" in there and not _has_project(files):
        there.remove("pyproject.toml")
    if not there:
        raise ToolError(
            "No manifest to write into: looked for pyproject.toml (with [project] or "
            "[tool.poetry]), requirements.txt and package.json. Name one as `manifest`."
        )
    npm = "package.json" in there and (
        wanted.startswith("@") or re.search(r"\w@[\d^~*<>=]", wanted)
    )
    if npm:
        return "package.json"
    python = [path for path in there if path != "package.json"]
    pinned = bool(re.search(r"[<>=!~]=|[<>]|\[", wanted))
    if "package.json" in there and python and not pinned:
        raise ToolError(
            f"Both {python[0]} and package.json could take {wanted!r}. Say which as `manifest`, "
            "or give a version: `name>=1` is for Python, `name@^1` for npm."
        )
    return python[0] if python else "package.json"


def _has_project(files: StageFiles) -> bool:
    text = files.read("pyproject.toml").decode("utf-8", "replace")
    return bool(re.search(r"^\[\s*(?:project|tool\.poetry)\s*\]", text, re.MULTILINE))


def _requirement(wanted: str) -> Requirement:
    hit = _PYTHON.fullmatch(wanted)
    if hit is None:
        raise ToolError(
            f"{wanted!r} is not a Python requirement; write it such as requests>=2,<3 or "
            "uvicorn[standard]."
        )
    version = re.sub(r"\s+", "", hit["version"]).rstrip(",")
    extras = re.sub(r"\s+", "", hit["extras"] or "")
    marker = f"; {hit['marker'][1:].strip()}" if hit["marker"] else ""
    return Requirement(hit["name"], extras, version, f"{hit['name']}{extras}{version}{marker}")


# --- pyproject.toml ----------------------------------------------------------


def _in_pyproject(
    path: str, content: bytes, requirement: Requirement, group: str
) -> tuple[bytes, str]:
    import tomlkit  # noqa: PLC0415 - only this manifest needs it
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415

    try:
        document = tomlkit.parse(content.decode("utf-8"))
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise ToolError(f"{path} cannot be read ({error}); mend it first.") from None
    table = cast("MutableMapping[str, object]", document)
    poetry = _table(_table(table, "tool"), "poetry")
    project = _table(table, "project")
    if poetry and "dependencies" not in project:
        where, said = _in_poetry(poetry, requirement, group)
    else:
        if "dependencies" in cast("list[str]", project.get("dynamic", [])) and not group:
            raise ToolError(
                f"{path} says that the dependencies are dynamic: the build reads them from "
                "elsewhere, often requirements.txt. Name that file as `manifest`."
            )
        where, said = _in_lists(table, project, requirement, group)
    return tomlkit.dumps(document).encode("utf-8"), f"{path}: {said} ({where})."


def _in_lists(
    table: MutableMapping[str, object],
    project: MutableMapping[str, object],
    requirement: Requirement,
    group: str,
) -> tuple[str, str]:
    import tomlkit  # noqa: PLC0415
    from tomlkit.items import Array  # noqa: PLC0415

    optional = _table(project, "optional-dependencies")
    if not group:
        holder, key, where = project, "dependencies", "[project] dependencies"
    elif group in optional:
        holder, key = optional, group
        where = f"[project.optional-dependencies] {group}"
    else:
        if "dependency-groups" not in table:
            table["dependency-groups"] = tomlkit.table()
        holder, key = _table(table, "dependency-groups"), group
        where = f"[dependency-groups] {group}"
    if key not in holder:
        holder[key] = tomlkit.array()
    listed = holder[key]
    if not isinstance(listed, Array):
        raise ToolError(f"{where} is not a list; mend it first.")
    names = [_name_in(item) for item in cast("list[object]", listed)]
    if requirement.key in names:
        place = names.index(requirement.key)
        before = str(listed[place])
        _refuse_same(before, requirement, where)
        listed[place] = requirement.line
        return where, f"{before} is now {requirement.line}"
    in_order = names == sorted(names) and len(names) > 1
    later = next((i for i, name in enumerate(names) if name > requirement.key), len(names))
    listed.insert(later if in_order else len(names), requirement.line)
    return where, f"added {requirement.line}"


def _in_poetry(
    poetry: MutableMapping[str, object], requirement: Requirement, group: str
) -> tuple[str, str]:
    import tomlkit  # noqa: PLC0415

    if not group:
        where, holder = "[tool.poetry.dependencies]", poetry
    elif group == "dev" and "dev-dependencies" in poetry:
        where, holder = "[tool.poetry.dev-dependencies]", poetry
    else:
        where = f"[tool.poetry.group.{group}.dependencies]"
        if "group" not in poetry:
            poetry["group"] = tomlkit.table(is_super_table=True)
        groups = _table(poetry, "group")
        if group not in groups:
            groups[group] = tomlkit.table(is_super_table=True)
        holder = _table(groups, group)
    key = where.strip("[]").rpartition(".")[2]
    if key not in holder:
        holder[key] = tomlkit.table()
    listed = _table(holder, key)
    version = requirement.version or "*"
    value: object = version
    if requirement.extras:
        inline = tomlkit.inline_table()
        inline["version"] = version
        inline["extras"] = requirement.extras.strip("[]").split(",")
        value = inline
    for name in listed:
        if normal_name(name) == requirement.key:
            before = str(listed[name])
            if before == version:
                raise ToolError(f"{name} = {before!r} stands in {where} already.")
            listed[name] = value
            return where, f"{name} = {before!r} is now {version!r}"
    listed[requirement.name] = value
    return where, f"added {requirement.name} = {version!r}"


def _table(table: Mapping[str, object], key: str) -> MutableMapping[str, object]:
    value = table.get(key)
    return cast("MutableMapping[str, object]", value) if isinstance(value, MutableMapping) else {}


def _name_in(item: object) -> str:
    hit = _PYTHON.match(str(item)) if isinstance(item, str) else None
    return normal_name(hit["name"]) if hit else ""


def _refuse_same(before: str, requirement: Requirement, where: str) -> None:
    same = re.sub(r"\s+", "", before) == re.sub(r"\s+", "", requirement.line)
    if same or (not requirement.version and not requirement.extras):
        raise ToolError(f"{before} stands in {where} already.")


# --- requirements*.txt -------------------------------------------------------


def _requirements_of(files: StageFiles, path: str, group: str) -> str:
    if not group:
        return path
    ending = path.rpartition(".")[2]
    for candidate in (
        f"requirements-{group}.{ending}",
        f"{group}-requirements.{ending}",
        f"requirements_{group}.{ending}",
        f"requirements/{group}.{ending}",
    ):
        if files.entry(candidate) is not None:
            return candidate
    raise ToolError(
        f"There is no requirements file for {group!r} beside {path}; create "
        f"requirements-{group}.{ending}, or name a file as `manifest`."
    )


def _in_requirements(path: str, content: bytes, requirement: Requirement) -> tuple[bytes, str]:
    text = content.decode("utf-8", "surrogateescape")
    end = "\r\n" if "\r\n" in text else "\n"
    rows = text.splitlines()
    names = [
        "" if row.lstrip().startswith(("#", "-")) or not row.strip() else _name_in(row.strip())
        for row in rows
    ]
    if requirement.key in names:
        place = names.index(requirement.key)
        before = rows[place].split("#")[0].strip()
        _refuse_same(before, requirement, path)
        comment = re.search(r"\s+#.*$", rows[place])
        rows[place] = requirement.line + (comment[0] if comment else "")
        said = f"{before} is now {requirement.line}"
    else:
        real = [name for name in names if name]
        place = len(rows)
        if len(real) > 1 and real == sorted(real):
            place = next(
                (i for i, name in enumerate(names) if name and name > requirement.key), len(rows)
            )
        rows.insert(place, requirement.line)
        said = f"added {requirement.line}"
    changed = end.join(rows) + end
    return changed.encode("utf-8", "surrogateescape"), f"{path}: {said}."


# --- package.json ------------------------------------------------------------


def _in_package_json(path: str, content: bytes, wanted: str, group: str) -> tuple[bytes, str]:
    hit = _NPM.fullmatch(wanted)
    if hit is None:
        raise ToolError(f"{wanted!r} is not an npm package; write it such as left-pad@^1.3.")
    text = content.decode("utf-8")
    try:
        table: object = json.loads(text)
    except ValueError as error:
        raise ToolError(f"{path} is not valid JSON ({error}); mend it first.") from None
    if not isinstance(table, dict):
        raise ToolError(f"{path} is not a JSON object; mend it first.")
    package = cast("dict[str, object]", table)
    section = "devDependencies" if group else "dependencies"
    listed = cast("dict[str, str]", package.get(section) or {})
    name, wanted_range = hit["name"], (hit["range"] or "*").strip()
    before = listed.get(name)
    if before is not None and (before == wanted_range or not hit["range"]):
        raise ToolError(f"{name} {before} stands in {path} {section} already.")
    listed[name] = wanted_range
    package[section] = dict(sorted(listed.items()))  # npm keeps it in order, too
    indent = re.search(r"\n([ \t]+)\"", text)
    written = json.dumps(package, indent=indent[1] if indent else 2, ensure_ascii=False)
    if text.endswith("\n"):
        written += "\n"
    if "\r\n" in text:
        written = written.replace("\n", "\r\n")
    note = "" if hit["range"] else " No version was given, so any is allowed."
    changed = f"{name} {before} is now {wanted_range}" if before else f"added {name} {wanted_range}"
    return written.encode("utf-8"), f"{path}: {changed} ({section}).{note}"
