"""File names as models write them: on a line of their own, decorated, or in a fence's info."""

from __future__ import annotations

import re

from turbo_tui.edits.found import Exists

_LEADS = re.compile(
    r"^(?:#{1,6}[ \t]+|[-*+][ \t]+|\d{1,3}[.)][ \t]+|>[ \t]*|//[ \t]*|<!--|/\*|--[ \t]+"
    r"|;+[ \t]*|%[ \t]+)+"
)
_TAILS = re.compile(r"(?:-->|\*/)$")
_LABEL = re.compile(
    r"^(?:(?:in|edit|update|create|modify|new|the)[ \t]+)*"
    r"(?:file[ _-]?(?:name|path)?|path)(?:[ \t]+\d{1,3})?"
    r"[ \t]*[:=]?[*_`]*[ \t]+|^(?:file[ _-]?(?:name|path)?|path)[:=]",
    re.IGNORECASE,
)
_NOTE = re.compile(
    r"[ \t]*\((?:new|created?|modified|updated?|edit(?:ed)?|changed|existing)[^()]{0,40}\)$",
    re.IGNORECASE,
)
_PLAIN = re.compile(r"^[^\s<>|\"*?:;,`'\\{}!=]+$")
_ENDING = re.compile(r"[^/.]\.[A-Za-z0-9_+-]{1,12}$|(?:^|/)\.[A-Za-z][\w.-]+$")
_NO_ENDING = frozenset(
    (
        *("Makefile", "makefile", "Dockerfile", "Containerfile", "LICENSE", "README", "CHANGELOG"),
        *("Gemfile", "Rakefile", "Procfile", "Vagrantfile", "Jenkinsfile", "Justfile", "justfile"),
        *("Brewfile", "Pipfile", "CODEOWNERS", "NOTICE", "AUTHORS", "VERSION", "TODO", "BUILD"),
        "WORKSPACE",
    )
)
_WINDOWS = re.compile(r"^[\w.@+-]+(?:\\[\w.@+-]+)+$")
_QUOTED = re.compile(r"`([^`\n]+)`|\*\*([^*\n]+)\*\*")
_LONGEST = 400
_HANDED_OVER = re.compile(
    r"\b(?:here(?:'s|\u2019s| is| are)|version|modified|updated|rewritten|contents?|full|complete|"
    r"entire|create|new file|replace)\b",
    re.IGNORECASE,
)
_USED = re.compile(
    r"\b(?:run|running|execute|test it|output|example|usage|command|terminal|call|import|"
    r"snippet|excerpt|part of|lines? \d)\b",
    re.IGNORECASE,
)


def looks_like_a_path(name: str, exists: Exists) -> bool:
    """Tell whether a text can only be meant as a file's name."""
    if not name or len(name) > _LONGEST or "\0" in name or name.endswith("/"):
        return False
    if name.strip(".") == "" or "://" in name:
        return False
    if _PLAIN.match(name) is None:
        return exists(name)
    base = name.rsplit("/", 1)[-1]
    return "/" in name or base in _NO_ENDING or _ENDING.search(name) is not None or exists(name)


def name_on(line: str, exists: Exists) -> str:
    """Return the file that a line names and nothing else; empty when it does not."""
    if len(line) > _LONGEST:
        return ""
    text = _LEADS.sub("", line.strip())
    text = _TAILS.sub("", text).strip()
    # A decoration may stand in another: **`path`**:
    for _ in range(4):
        text = text.strip().strip("*`").strip().removesuffix(":").strip()
        if not text.startswith("_"):
            text = text.removesuffix("_") if text.endswith("._") else text
        unlabelled = _LABEL.sub("", text, count=1)
        text = _NOTE.sub("", unlabelled or text)
    text = text.strip("\"'").strip()
    text = slashed(text.removeprefix("./"))
    return text if looks_like_a_path(text, exists) else ""


def slashed(path: str) -> str:
    """Return a path of Windows as it is called here."""
    return path.replace("\\", "/") if _WINDOWS.match(path) else path


def name_in_info(info: str, exists: Exists) -> str:
    """Return the file that a fence's info string names: `python app.py`, `py:app.py`, `app.py`."""
    words = info.replace("{", " ").replace("}", " ").split()
    for word in words:
        key, sign, value = word.partition("=")
        if sign and key in {"title", "file", "filename", "path", "name"}:
            return name_on(value, exists)
    if len(words) > 1:
        return name_on(" ".join(words[1:]), exists)
    language, sign, name = info.partition(":")
    if sign:
        return name_on(name, exists) if "/" not in language else ""
    return name_on(info, exists) if "." in info or "/" in info else ""


def name_handed_over(line: str, exists: Exists) -> str:
    """Return the one existing file of a sentence such as "Here is the new `app.py`:"."""
    if len(line) > _LONGEST or not _HANDED_OVER.search(line) or _USED.search(line):
        return ""
    named = [name for name in _quoted(line) if exists(name)]
    return named[0] if len(named) == 1 else ""


def name_mentioned(line: str, exists: Exists) -> str:
    """Return the one file that a sentence speaks of, such as "In `app.py`, change:"."""
    if len(line) > _LONGEST:
        return ""
    named = [name for name in _quoted(line) if looks_like_a_path(name, exists)]
    if not named:
        words = {word.strip("\"'`*()[],:;").removesuffix(".") for word in line.split()}
        named = [word for word in words if "." in word and exists(word)]
    return named[0] if len(named) == 1 else ""


def _quoted(line: str) -> set[str]:
    return {(match[1] or match[2]).strip("`* ") for match in _QUOTED.finditer(line)}
