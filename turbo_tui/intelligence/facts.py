"""Facts about a project as values, each with the file that says so."""

from __future__ import annotations

from dataclasses import dataclass, field

PURPOSES = ("test", "lint", "format", "build", "run")


@dataclass(frozen=True, slots=True)
class LanguageShare:
    """One language of the tree; `percent` (0 to 100, one decimal) is by lines."""

    name: str
    percent: float
    files: int
    lines: int


@dataclass(frozen=True, slots=True)
class Command:
    """A command, to be run in its part's folder; `evidence` is the file that suggests it."""

    argv: tuple[str, ...]
    evidence: str


@dataclass(frozen=True, slots=True)
class ProjectPart:
    """A folder with a manifest.

    Attributes:
        path: Relative to the workspace; `.` for its top.
        type: `python`, `node`, `rust`, `go`, `maven`, `gradle`, `cmake` or `make`.
        evidence: The manifests, relative to the workspace.
        commands: Purpose (`test`, `lint`, `format`, `build`, `run`) -> commands, best first.
    """

    path: str
    type: str
    evidence: tuple[str, ...]
    commands: dict[str, tuple[Command, ...]] = field(default_factory=dict[str, tuple[Command, ...]])


@dataclass(frozen=True, slots=True)
class Inspected:
    """All that was found; languages by lines, parts from the top down."""

    languages: tuple[LanguageShare, ...] = ()
    projects: tuple[ProjectPart, ...] = ()
