"""Look at a tree once: count its languages, read its manifests, describe it in a few lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from turbo_tui.core.plain import plural
from turbo_tui.intelligence.facts import (
    PURPOSES,
    Command,
    Inspected,
    LanguageShare,
    ProjectPart,
)
from turbo_tui.intelligence.manifests import ECOSYSTEMS, Folder, manifests
from turbo_tui.languages.source_files import FoundFile, source_files

LARGEST_BYTES = 1_000_000  # larger is data or generated
MOST_FILES = 20_000  # whose lines are counted; a larger tree is judged by these
DEEPEST = 3  # folders below the top that a part may lie in
MOST_PARTS = 30
BRIEF_CHARS = 2000

_ENDINGS = {
    "Python": "py pyi pyx",
    "JavaScript": "js jsx mjs cjs",
    "TypeScript": "ts tsx mts cts",
    "Vue": "vue",
    "Svelte": "svelte",
    "HTML": "html htm",
    "CSS": "css scss sass less",
    "Go": "go",
    "Rust": "rs",
    "Java": "java",
    "Kotlin": "kt kts",
    "Scala": "scala",
    "Groovy": "groovy",
    "C": "c h",
    "C++": "cc cpp cxx hh hpp hxx",
    "C#": "cs",
    "Objective-C": "m mm",
    "Swift": "swift",
    "Ruby": "rb rake",
    "PHP": "php",
    "Perl": "pl pm",
    "Lua": "lua",
    "Elixir": "ex exs",
    "Erlang": "erl",
    "Haskell": "hs",
    "OCaml": "ml mli",
    "R": "r",
    "Julia": "jl",
    "Dart": "dart",
    "Zig": "zig",
    "SQL": "sql",
    "Shell": "sh bash zsh fish",
    "PowerShell": "ps1",
}
_LANGUAGE_OF = {ending: name for name, endings in _ENDINGS.items() for ending in endings.split()}


def inspect(root: Path) -> Inspected:
    """Say what a project is. Nothing of it is run; blocking, so call it in a thread.

    Args:
        root: The workspace's top.
    """
    files = list(source_files(root))
    return Inspected(_languages(files), _parts(root, files))


def brief(inspected: Inspected) -> str:
    """Describe a project to a model, in at most 2,000 characters."""
    shares = [
        f"{each.name} {each.percent:g}% ({plural(each.files, 'file')})"
        for each in inspected.languages[:6]
    ]
    lines = [f"Languages: {', '.join(shares) or 'none found'}."]
    for part in inspected.projects:
        where = "the top folder" if part.path == "." else part.path
        lines.append(f"Project in {where}: {part.type} ({', '.join(part.evidence)}).")
        for purpose, commands in part.commands.items():
            shown = "; ".join(" ".join(command.argv) for command in commands[:2])
            lines.append(f"- {purpose}: {shown}")
    kept: list[str] = []
    room = BRIEF_CHARS
    for line in lines:
        if len(line) + 1 > room - 4:
            kept.append("…")
            break
        kept.append(line)
        room -= len(line) + 1
    return "\n".join(kept)


def _languages(files: Iterable[FoundFile]) -> tuple[LanguageShare, ...]:
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    read = 0
    for file in files:
        name = _LANGUAGE_OF.get(file.path.rpartition(".")[2].lower(), "")
        if not name or file.size_bytes > LARGEST_BYTES:
            continue
        read += 1
        if read > MOST_FILES:
            break
        counts[name][0] += 1
        counts[name][1] += _lines_of(file)
    total = sum(lines for _, lines in counts.values()) or 1
    shares = [
        LanguageShare(name, round(100 * lines / total, 1), number, lines)
        for name, (number, lines) in counts.items()
    ]
    return tuple(sorted(shares, key=lambda each: (-each.lines, each.name)))


def _lines_of(file: FoundFile) -> int:
    try:
        content = Path(file.absolute).read_bytes()
    except OSError:
        return 0
    if b"\0" in content[:8192]:
        return 0
    return content.count(b"\n") + (not content.endswith(b"\n") and bool(content))


def _parts(root: Path, files: Iterable[FoundFile]) -> tuple[ProjectPart, ...]:
    names: dict[str, set[str]] = defaultdict(set)
    for file in files:
        folder, _, name = file.path.rpartition("/")
        if folder.count("/") < DEEPEST:
            names[folder].add(name)
    found: list[ProjectPart] = []
    for path in sorted(names, key=lambda each: (each.count("/") + bool(each), each)):
        if manifests(names[path]) and len(found) < MOST_PARTS:
            folder = Folder(root / path, frozenset(names[path]) | _ignored_names(root / path))
            found += _parts_of(folder, path, found)
    return tuple(found)


def _ignored_names(folder: Path) -> frozenset[str]:
    # Lock files are now and then ignored, but still tell the package manager.
    locks = ("uv.lock", "poetry.lock", "pdm.lock", "pnpm-lock.yaml", "yarn.lock")
    return frozenset(name for name in locks if (folder / name).is_file())


def _parts_of(folder: Folder, path: str, above: list[ProjectPart]) -> list[ProjectPart]:
    parts: list[ProjectPart] = []
    for kind, files, reader in ECOSYSTEMS:
        evidence = [name for name in files if name in folder.names]
        if not evidence:
            continue
        # A member of a workspace is built from above, by the same tool.
        if kind in {"rust", "maven", "gradle", "cmake", "make"} and _covered(kind, path, above):
            continue
        commands: dict[str, list[Command]] = {}
        for purpose, argv, file in reader(folder):
            commands.setdefault(purpose, []).append(Command(argv, _joined(path, file)))
        ordered = {name: tuple(commands[name]) for name in PURPOSES if name in commands}
        # A Makefile in a folder, or a lone tox.ini, that tells no command tells nothing.
        if ordered or kind not in {"make", "python"}:
            shown = tuple(_joined(path, name) for name in evidence)
            parts.append(ProjectPart(path or ".", kind, shown, ordered))
    return parts


def _covered(kind: str, path: str, above: list[ProjectPart]) -> bool:
    return any(
        part.type == kind and (part.path == "." or path.startswith(f"{part.path}/"))
        for part in above
        if part.path != (path or ".")
    )


def _joined(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name
