"""Set the project's version wherever it is stated, and give the changelog its entry."""

from __future__ import annotations

import asyncio
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from turbo_tui.core.errors import ToolError
from turbo_tui.core.models import ToolSpec
from turbo_tui.core.ports import StageFiles, ToolContext
from turbo_tui.languages.text_edits import TextEdit, apply_edits, place_at
from turbo_tui.tools.arguments import Arguments, parameters
from turbo_tui.tools.changelog import CHANGELOGS, with_entry

NAME = "bump_version"
READ_ONLY = False

_SPEC = ToolSpec(
    NAME,
    "Set the project's version in every file that states it (pyproject.toml, __version__, "
    "setup.cfg, package.json, Cargo.toml, VERSION) and move the changelog's unreleased notes "
    "under it. Give `version`, or `part` to count up; `patch` if neither is said.",
    parameters(
        (),
        version={"type": "string", "description": "the new version, such as 1.2.3"},
        part={"type": "string", "enum": ["major", "minor", "patch"]},
    ),
)
_EXAMPLE = {"part": "minor"}
_VERSION = re.compile(r"v?(\d+(?:\.\d+)*)([-.+]?[A-Za-z][\w.+-]*)?")
_DUNDER = re.compile(
    rb"""^(__version__|VERSION)\s*(?::[^=\n]+)?=\s*(["'])([^"'\n]+)\2""", re.MULTILINE
)
_DUNDER_FILES = re.compile(r"(?:^|/)(?:__init__|__about__|__version__|_version|version)\.py$")
_PARTS = ("major", "minor", "patch")


@dataclass(frozen=True, slots=True)
class Stated:
    """One place that states the version; the bytes `start` to `end` are it."""

    path: str
    start: int
    end: int
    version: str


class BumpVersion:
    """One version, everywhere."""

    def __init__(self, today: Callable[[], str] | None = None) -> None:
        self._today = today or (lambda: datetime.now(UTC).astimezone().date().isoformat())

    @property
    def spec(self) -> ToolSpec:
        """Name, prompt text and parameters."""
        return _SPEC

    async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        """Set the version in the stage; return the places.

        Raises:
            ToolError: No place states a version, they disagree, or the new one is not later.
        """
        given = Arguments(_SPEC, _EXAMPLE, arguments)
        files = context.stage.files
        stated = await asyncio.to_thread(_all_stated, files)
        old = _agreed(files, stated)
        new = _next(old, given.text("version", "", empty=True), given.text("part", "", empty=True))
        edits: dict[str, list[TextEdit]] = {}
        for place in stated:
            edits.setdefault(place.path, []).append(TextEdit(place.start, place.end, new))
        lines = [f"Version {old} is now {new}.", ""]
        for path, found in edits.items():
            content = files.read(path)
            files.write(path, apply_edits(content, found))
            lines += [f"  {path}:{place_at(path, content, edit.start).line}" for edit in found]
        lines += ["", self._changelog(files, old, new)]
        return "\n".join(lines)

    def _changelog(self, files: StageFiles, old: str, new: str) -> str:
        path = next((name for name in CHANGELOGS if files.entry(name) is not None), "")
        if not path:
            return "No changelog was found; none was written."
        content = files.read(path)
        changed = with_entry(content, path, old=old, new=new, date=self._today())
        if changed is None:
            return f"{path} was left: no section for {old} or unreleased notes found to follow."
        files.write(path, changed)
        return f"{path} has an entry for {new}."


def _all_stated(files: StageFiles) -> list[Stated]:
    return list(_stated(files))


def _stated(files: StageFiles) -> Iterator[Stated]:
    """Yield the places that state the version, nearest to the root first."""
    for path in ("pyproject.toml", "Cargo.toml", "setup.cfg", "package.json", "VERSION"):
        entry = files.entry(path)
        if entry is None or entry.kind != "file":
            continue
        content = files.read(path)
        if path == "VERSION":
            hit = re.fullmatch(rb"\s*(\S+)\s*", content)
            if hit and _VERSION.fullmatch(hit[1].decode("utf-8", "replace")):
                yield _place(path, hit, 1)
        elif path == "package.json":
            yield from _in_package_json(path, content)
        else:
            yield from _in_sections(path, content)
    for path in files.walk():
        parts = path.split("/")
        top = parts[1:] if parts[0] == "src" else parts
        if _DUNDER_FILES.search(path) and len(top) == 2:  # noqa: PLR2004 - PACKAGE/__init__.py
            for hit in _DUNDER.finditer(files.read(path)):
                if _VERSION.fullmatch(hit[3].decode("utf-8", "replace")):
                    yield _place(path, hit, 3)


_SECTIONS = {
    "pyproject.toml": ("project", "tool.poetry"),
    "Cargo.toml": ("package", "workspace.package"),
    "setup.cfg": ("metadata",),
}


def _in_sections(path: str, content: bytes) -> Iterator[Stated]:
    for section in _SECTIONS[path]:
        head = re.search(
            rb"^\[\s*" + re.escape(section.encode()) + rb"\s*\]", content, re.MULTILINE
        )
        if head is None:
            continue
        following = re.compile(rb"^\[", re.MULTILINE).search(content, head.end())
        end = following.start() if following else len(content)
        line = re.compile(
            rb"""^version\s*=\s*["']?([\w.+-]+)["']?[ \t]*(?:#.*)?\r?$""", re.MULTILINE
        )
        hit = line.search(content, head.end(), end)
        if hit is not None:
            yield _place(path, hit, 1)


def _in_package_json(path: str, content: bytes) -> Iterator[Stated]:
    try:
        table: object = json.loads(content)
    except ValueError as error:
        raise ToolError(f"{path} is not valid JSON ({error}); mend it first.") from None
    version = cast("dict[str, object]", table).get("version") if isinstance(table, dict) else None
    if not isinstance(version, str):
        return
    for hit in re.finditer(rb'"version"\s*:\s*"([^"]*)"', content):
        # The top-level key is the one that stands inside one brace only.
        before = re.sub(rb'"(?:[^"\\]|\\.)*"', b"", content[: hit.start()])
        if before.count(b"{") - before.count(b"}") == 1 and hit[1] == version.encode():
            yield _place(path, hit, 1)
            return


def _place(path: str, hit: re.Match[bytes], group: int) -> Stated:
    version = hit[group].decode("utf-8", "replace")
    return Stated(path, hit.start(group), hit.end(group), version)


def _agreed(files: StageFiles, stated: list[Stated]) -> str:
    if not stated:
        dynamic = ""
        if files.entry("pyproject.toml") is not None and _is_dynamic(files):
            dynamic = " pyproject.toml says it is dynamic: it may come from a git tag."
        raise ToolError(
            "No file states a version: looked in pyproject.toml, Cargo.toml, setup.cfg, "
            f"package.json, VERSION and for __version__ in packages.{dynamic}"
        )
    versions = {place.version for place in stated}
    if len(versions) > 1:
        listed = "; ".join(
            f"{place.path}:{place_at(place.path, files.read(place.path), place.start).line} "
            f"says {place.version}"
            for place in stated
        )
        raise ToolError(f"The version is stated differently: {listed}. Make them agree first.")
    return stated[0].version


def _is_dynamic(files: StageFiles) -> bool:
    try:
        table = tomllib.loads(files.read("pyproject.toml").decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        return False
    project = table.get("project", {})
    return isinstance(project, dict) and "version" in cast("dict[str, list[str]]", project).get(
        "dynamic", []
    )


def _next(old: str, version: str, part: str) -> str:
    hit = _VERSION.fullmatch(old)
    numbers = [int(number) for number in hit[1].split(".")] if hit else []
    if version:
        wanted = _VERSION.fullmatch(version)
        if wanted is None:
            raise ToolError(f"{version!r} is not a version; write it such as 1.2.3 or 2.0.0rc1.")
        new = version.removeprefix("v")
        if new == old:
            raise ToolError(f"The version is {old} already.")
        if _order(new) < _order(old):
            raise ToolError(f"{new} is not later than the present version {old}.")
        return new
    part = part or "patch"
    if part not in _PARTS:
        raise ToolError(f"{part!r} is no part of a version; use major, minor or patch.")
    place = _PARTS.index(part)
    if hit and hit[2] and place == 2:  # noqa: PLR2004 - 1.2.3rc1 is completed to 1.2.3
        return hit[1]
    numbers += [0] * (place + 1 - len(numbers))
    numbers[place] += 1
    numbers[place + 1 :] = [0] * len(numbers[place + 1 :])
    return ".".join(map(str, numbers))


def _order(version: str) -> tuple[list[int], bool, str]:
    """Order versions: by numbers, then a pre-release before the release itself."""
    hit = _VERSION.fullmatch(version)
    if hit is None:
        return ([], False, version)
    numbers = [int(number) for number in hit[1].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    rest = hit[2] or ""
    final = not rest or rest.startswith((".post", "+"))
    return (numbers, final, rest)
