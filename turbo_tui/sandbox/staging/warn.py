"""Changes that the host may run by itself later: a reviewer is pointed at them, with the reason.

Left out is what a user starts by its name and knows to be code, such as a Makefile's targets:
a warning about everything is read by nobody.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import cast

from turbo_tui.core.changes import FileChange, Node
from turbo_tui.core.errors import SessionError
from turbo_tui.core.ports import Blobs

MAX_MANIFEST_BYTES = 5_000_000
FEW = 6  # of one kind, each has a line of its own

EXECUTABLE = "is executable now"
_AT_COMMIT = "names commands that run at every commit"
_ON_FORGE = "runs on the forge with its secrets"
_HOOK = "a git hook"
_EDITOR = "an editor setting that can run commands"
_AGENT = "can name commands that a coding agent runs"
_REGISTRY = "can name where packages come from"
_LINTED = "editors run it to check code"
_IMPORTED = "editors run it when they open the project"
_SHELL_TOOL = "names commands that run on entering the folder"
_IMAGE = "its commands run wherever its image is built"

_FILES = {
    ".envrc": "direnv runs it on entering the folder",
    **dict.fromkeys(("mise.toml", ".mise.toml", ".autoenv", ".autoenv.zsh"), _SHELL_TOOL),
    **dict.fromkeys(
        (
            *(".pre-commit-config.yaml", ".pre-commit-config.yml", ".overcommit.yml"),
            *("lefthook.yml", ".lefthook.yml", "lefthook.yaml", "lefthook.toml", "lefthook.json"),
            *(".lintstagedrc", ".lintstagedrc.json", ".lintstagedrc.js", "lint-staged.config.js"),
            *(".huskyrc", ".huskyrc.js", ".simple-git-hooks.json", ".simple-git-hooks.js"),
        ),
        _AT_COMMIT,
    ),
    ".gitmodules": "names repositories that git fetches",
    ".npmrc": "can name scripts and registries for npm",
    **dict.fromkeys((".yarnrc", ".yarnrc.yml"), "can name a program that yarn starts as itself"),
    ".pnpmfile.cjs": "pnpm runs it as it installs",
    **dict.fromkeys(("pip.conf", "pip.ini", ".gemrc", "nuget.config", "uv.toml"), _REGISTRY),
    **dict.fromkeys(("sitecustomize.py", "usercustomize.py"), "Python runs it at every start"),
    "conftest.py": "pytest runs it first, also where an editor looks for tests",
    "setup.py": "installing the project runs it",
    "build.rs": "cargo runs it at every build, and editors build by themselves",
    **dict.fromkeys(
        ("build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"), _IMPORTED
    ),
    **dict.fromkeys((".exrc", ".nvimrc", ".nvim.lua", ".vimrc", ".lvimrc"), _EDITOR),
    ".dir-locals.el": _EDITOR,
    **dict.fromkeys((".mcp.json", ".cursorrules", ".claude.json"), _AGENT),
    **dict.fromkeys(
        (
            *("eslint.config.js", "eslint.config.mjs", "eslint.config.cjs", "eslint.config.ts"),
            *(".eslintrc.js", ".eslintrc.cjs", ".prettierrc.js", ".prettierrc.cjs"),
            *("prettier.config.js", "prettier.config.mjs", "stylelint.config.js"),
        ),
        _LINTED,
    ),
    **dict.fromkeys(
        (
            *(".gitlab-ci.yml", ".travis.yml", "jenkinsfile", "azure-pipelines.yml", ".drone.yml"),
            *("bitbucket-pipelines.yml", "appveyor.yml", ".appveyor.yml", ".woodpecker.yml"),
        ),
        _ON_FORGE,
    ),
    **dict.fromkeys(("dockerfile", "containerfile"), _IMAGE),
    ".devcontainer.json": "describes a container that editors start",
}
_FOLDERS = {
    ".husky": _HOOK,
    ".githooks": _HOOK,
    ".git-hooks": _HOOK,
    ".idea": _EDITOR,
    ".zed": _EDITOR,
    ".fleet": _EDITOR,
    ".devcontainer": "describes a container that editors start",
    ".circleci": _ON_FORGE,
    ".buildkite": _ON_FORGE,
    ".woodpecker": _ON_FORGE,
    ".claude": _AGENT,
    ".cursor": _AGENT,
    ".direnv": "direnv reads it on entering the folder",
}
_PATHS = {
    (".vscode", "tasks.json"): "editor tasks",
    (".vscode", "settings.json"): "editor settings that can name commands",
    (".vscode", "launch.json"): "editor launch commands",
    (".vscode", "extensions.json"): "names extensions that an editor offers to install",
    (".vscode", "mcp.json"): _AGENT,
    (".github", "workflows"): _ON_FORGE,
    (".github", "actions"): _ON_FORGE,
    (".cargo", "config.toml"): "can name programs that cargo runs",
    (".cargo", "config"): "can name programs that cargo runs",
    (".mvn", "extensions.xml"): "Maven loads it at every start",
    (".mvn", "jvm.config"): "Maven starts with it",
    (".yarn", "releases"): "yarn starts as this program",
    (".yarn", "plugins"): "yarn loads it at every start",
    (".bundle", "config"): _REGISTRY,
    ("mise", "config.toml"): _SHELL_TOOL,
}
_ENDINGS = {
    ".pth": "Python runs lines of it at every start",
    ".code-workspace": "editor settings that can name commands",
    ".sublime-project": "editor settings that can name commands",
    ".dockerfile": _IMAGE,
}
# Scripts that npm runs by itself; docs.npmjs.com/cli/using-npm/scripts, "life cycle scripts".
_LIFE_CYCLE = frozenset(
    {
        *("preinstall", "install", "postinstall", "preprepare", "prepare", "postprepare"),
        *("prepublish", "prepublishonly", "prepack", "postpack", "dependencies"),
    }
)


def warnings_of(change: FileChange, blobs: Blobs) -> list[str]:
    """Say what of a change may be run later without being asked for; empty for most."""
    after = change.after
    if after is None or after.kind == "folder":
        return []
    # Some file systems do not tell `.ENVRC` from `.envrc`.
    parts = change.path.casefold().split("/")
    name = parts[-1]
    found: list[str] = []
    was_executable = change.before is not None and bool(change.before.mode & 0o111)
    if after.kind == "file" and after.mode & 0o111 and not was_executable:
        found.append(EXECUTABLE)
    if name in _FILES:
        found.append(_FILES[name])
    found.extend(_FOLDERS[part] for part in parts[:-1] if part in _FOLDERS)
    found.extend(why for pair, why in _PATHS.items() if pair in pairwise(parts))
    found.extend(why for ending, why in _ENDINGS.items() if name.endswith(ending))
    if name in _READERS:
        found.extend(_READERS[name](change, blobs))
    return list(dict.fromkeys(found))


def is_read(path: str) -> bool:
    """Say whether what is said of a path depends on its content."""
    return path.casefold().rpartition("/")[2] in _READERS


def folded(found: Iterable[tuple[str, str]]) -> list[str]:
    """Return (path, why) as lines, in path order; many paths with one reason share a line."""
    by_reason: defaultdict[str, list[str]] = defaultdict(list)
    for path, why in found:
        by_reason[why].append(path)
    lines: list[str] = []
    for why, paths in by_reason.items():
        paths.sort()
        if len(paths) <= FEW:
            lines.extend(f"{path}: {why}" for path in paths)
        else:
            lines.append(f"{paths[0]}, {paths[1]} and {len(paths) - 2:,} more: {why}")
    return sorted(lines)


def _package(change: FileChange, blobs: Blobs) -> list[str]:
    """Name the scripts of a `package.json` that are new or changed."""
    unreadable = ["its scripts changed"]  # whatever reads it may see more in it than we do
    try:
        before, after = (_json(node, blobs) for node in (change.before, change.after))
    except ValueError:
        return unreadable
    if before.get("scripts") == after.get("scripts"):
        return []
    was, now = (_table(side.get("scripts")) for side in (before, after))
    if was is None or now is None:
        return unreadable
    names = [each for each, line in now.items() if was.get(each) != line]
    if not names:
        return []
    alone = sorted(each for each in names if each.casefold() in _LIFE_CYCLE)
    said = f"its scripts changed: {', '.join(sorted(names)[:FEW])}"
    said += " and more" if len(names) > FEW else ""
    return [f"{said}; installing runs {', '.join(alone)}" if alone else said]


def _pyproject(change: FileChange, blobs: Blobs) -> list[str]:
    """Say whether what builds a Python project changed."""
    try:
        old, new = (_build_parts(_toml(node, blobs)) for node in (change.before, change.after))
    except ValueError:
        return ["what builds the project may have changed"]
    return ["what builds the project changed; installing it runs that"] if old != new else []


def _build_parts(value: Mapping[str, object]) -> object:
    """Return the tables of a `pyproject.toml` that name code to run at a build."""
    tools = _table(value.get("tool")) or {}
    parts: list[object] = [value.get("build-system")]
    for name in ("hatch", "pdm", "poetry", "setuptools", "flit", "scikit-build", "maturin"):
        table = _table(tools.get(name)) or {}
        parts.append([table.get(key) for key in ("build", "cmdclass", "hooks", "scripts")])
    return parts


def _attributes(change: FileChange, blobs: Blobs) -> list[str]:
    """Say whether a `.gitattributes` may name drivers: the commands are in the user's own config.

    Only attributes that never start anything are passed over: what is not understood is named.
    """
    try:
        text = _content(change.after, blobs)
    except ValueError:
        text = b"too long"
    if change.after is not None and change.after.kind == "symlink":
        text = b"a link: older git reads what it leads to"
    lines = (line.strip() for line in text.removeprefix(b"\xef\xbb\xbf").split(b"\n"))
    named = any(line and not line.startswith(b"#") and not _is_plain(line) for line in lines)
    return ["may name filters that git runs"] if named else []


def _is_plain(line: bytes) -> bool:
    """Whether a line gives a pattern nothing but harmless attributes; gitattributes(5)."""
    _, *attributes = _PATTERN_OR_WORD.findall(line)
    return bool(attributes) and all(
        each[:1] in {b"-", b"!"} or _HARMLESS.fullmatch(each) for each in attributes
    )


_PATTERN_OR_WORD = re.compile(rb'^"(?:[^"\\]|\\.)*"|[^ \t\r]+')
_HARMLESS = re.compile(
    rb"(?:text|eol|crlf|whitespace|encoding|working-tree-encoding|conflict-marker-size)(?:=.*)?"
    rb"|(?:linguist|gitlab)-[a-z-]+(?:=.*)?|binary|ident|delta|diff|merge|export-(?:ignore|subst)"
)


_READERS: dict[str, Callable[[FileChange, Blobs], list[str]]] = {
    "package.json": _package,
    "pyproject.toml": _pyproject,
    ".gitattributes": _attributes,
}


def _json(node: Node | None, blobs: Blobs) -> dict[str, object]:
    try:
        value: object = json.loads(_content(node, blobs) or b"{}")
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    return _table(value) or {}


def _table(value: object) -> dict[str, object] | None:
    """Return a mapping as it is, an absent one as empty, and anything else as None."""
    if value is None:
        return {}
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def _toml(node: Node | None, blobs: Blobs) -> dict[str, object]:
    try:
        return tomllib.loads(_content(node, blobs).decode("utf-8"))
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _content(node: Node | None, blobs: Blobs) -> bytes:
    """Return a file's content, empty where none stands.

    Raises:
        ValueError: It is too long to be looked at, or cannot be read.
    """
    if node is None or node.kind != "file" or not node.blob:
        return b""
    if node.size_bytes > MAX_MANIFEST_BYTES:
        raise ValueError("too long")
    try:
        return blobs.get(node.blob)
    except SessionError as error:
        raise ValueError(str(error)) from error
