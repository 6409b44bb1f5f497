"""Stack traces as text: the places in them, the innermost first, and what went wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass

LINE_END = "↵"  # stands for one where a field holds a single line
MOST_CHARS = 50_000
_QUOTED = r'File "(?P<path>[^"\n]{1,500})", line (?P<line>\d{1,7})(?:, in (?P<name>[^\n]{1,200}))?'
_PYTEST = (
    r"(?P<path>[^\s:()\"']{1,500}\.py):(?P<line>\d{1,7}): (?:in (?P<name>[\w.<>]{1,200})|[A-Z])"
)
_JVM = (
    r"\bat (?:[\w.@-]{1,100}/)?(?P<in>[\w.$]{1,300})\.(?P<name>[\w$<>]{1,100})"
    r"\((?P<path>[\w$-]{1,100}\.(?:java|kt|scala|groovy)):(?P<line>\d{1,7})\)"
)
_NODE = (
    r"\bat (?:async )?(?:(?P<name>[\w$.<>#\[\] ]{1,200}) \()?(?:file://)?"
    r"(?P<path>[^\s():]{1,500}\.[cm]?[jt]sx?):(?P<line>\d{1,7}):\d{1,7}\b"
)
_GO = r"(?P<path>[^\s:()]{1,500}\.go):(?P<line>\d{1,7})(?: \+0x[0-9a-f]{1,16}|(?=\s|$))"
_RUST = (
    r"\b(?:at|panicked at(?: '[^'\n]{0,500}',)?) (?P<path>[^\s:()']{1,500}\.rs):(?P<line>\d{1,7})"
    r"(?::\d{1,7})?"
)
_LAST_IS_INNERMOST = tuple(re.compile(each) for each in (_QUOTED, _PYTEST))
_FIRST_IS_INNERMOST = tuple(re.compile(each) for each in (_JVM, _NODE, _RUST))
_GOROUTINE = re.compile(_GO)
# What a compiler, a linter or grep -n writes before what it says, at the begin of a line.
_NAMED = re.compile(
    r"^[ \t]*(?:--> )?"
    r"(?P<path>(?:[^\s:]{0,300}/)?[^\s:/]{1,100}\.\w{1,12}|[^\s:]{0,300}/[^\s:/]{1,100})"
    r":(?P<line>\d{1,7})(?::\d{1,7})?(?::|(?=\s|$))",
    re.MULTILINE,
)
_CAUSE = re.compile(r"^\s*Caused by: ", re.MULTILINE)
_SAID = re.compile(r"\b(?:\w*(?:Error|Exception)\b|panic\b|panicked\b|fatal\b|E {3})")
_BESIDE = re.compile(
    r"^\s*(?:at |File \"|Traceback |goroutine |note: |\S+\.py:\d+: |stack backtrace|\d+: "
    r"|\.\.\. \d+ more|thread '[^']*' .*panicked at \S+\.rs:\d+:\d+:?$)"
)


@dataclass(frozen=True, slots=True)
class Frame:
    """A place in a trace: its path as written there, and the 1-based line.

    Attributes:
        name: The function, where the trace says it.
    """

    path: str
    line: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """A stack trace.

    Attributes:
        frames: The innermost first; that of the first cause before what it led to.
        message: What went wrong, in the trace's words.
        named: It is no stack trace, but lines that begin with a place, as `src/a.c:12: …`.
    """

    frames: tuple[Frame, ...] = ()
    message: str = ""
    named: bool = False


def read_trace(text: str) -> Trace:
    """Read a trace of Python (pytest's too), JavaScript, Go, Rust or the JVM.

    Else the places that lines begin with, as compilers write them; else there are no frames.
    """
    whole = text[:MOST_CHARS].replace(LINE_END, "\n")
    frames: list[Frame] = []
    for pattern in _LAST_IS_INNERMOST:
        frames += reversed(_frames(pattern, whole))
    for part in reversed(_CAUSE.split(whole)):
        for pattern in _FIRST_IS_INNERMOST:
            frames += _frames(pattern, part)
    if "goroutine " in whole or " +0x" in whole:
        frames += _frames(_GOROUTINE, whole)
    if not frames:
        return _named_places(whole)
    return Trace(tuple(dict.fromkeys(frames)), _message(whole))


def _named_places(text: str) -> Trace:
    places = list(_NAMED.finditer(text))
    if not places:
        return Trace()
    frames = dict.fromkeys(Frame(each["path"], int(each["line"])) for each in places)
    said = text[places[0].end() :].strip().split("\n")[0]
    return Trace(tuple(frames), said, named=True)


def _frames(pattern: re.Pattern[str], text: str) -> list[Frame]:
    found: list[Frame] = []
    for match in pattern.finditer(text):
        groups = match.groupdict()
        path = match["path"].replace("\\", "/")
        package = "/".join((groups.get("in") or "").split(".")[:-1])
        name = (groups.get("name") or "").strip()
        found.append(Frame(f"{package}/{path}" if package else path, int(match["line"]), name))
    return found


def _message(text: str) -> str:
    """Return the line that says what went wrong; Python's comes last, of causes the last one."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    said = [line for line in lines if not _BESIDE.match(line)]
    told = [line for line in said if _SAID.search(line)]
    if not told:
        return said[0] if said else ""
    causes = [line for line in told if line.startswith("Caused by: ")]
    is_python = 'File "' in text or ".py:" in text
    chosen = causes[-1] if causes else told[-1 if is_python else 0]
    return chosen.removeprefix("Caused by: ").removeprefix("E   ").strip()
