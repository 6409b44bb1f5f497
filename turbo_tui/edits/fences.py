"""Code fences of Markdown: blocks of an answer, and the shell blocks among them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_OPENING = re.compile(r"^[ \t]*(`{3,}|~{3,})(.*)$")
_SHELLS = frozenset(
    (
        *("bash", "sh", "shell", "zsh", "fish", "console", "terminal", "shell-session"),
        *("shellsession", "sh-session", "powershell", "ps1", "pwsh", "cmd", "bat", "batch"),
    )
)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block.

    Attributes:
        start: Its opening line, 0-based.
        end: The line after its closing one; the number of lines when it is never closed.
        info: What stands after the opening marks.
        body: The lines between.
        nested: An opening fence of the same kind stands in it: where it ends is a guess.
    """

    start: int
    end: int
    info: str
    body: tuple[str, ...]
    closed: bool
    nested: bool

    @property
    def language(self) -> str:
        """The first word of the info string, in small letters."""
        return (self.info.split() or [""])[0].strip("{}.").lower()


def is_fence(line: str) -> bool:
    """Tell whether a line opens or closes a fence."""
    return info_of(line) is not None


def info_of(line: str) -> str | None:
    """Return what stands after the marks of a fence; None when the line is none."""
    match = _OPENING.match(line)
    if match is None or ("`" in match[2] and match[1][0] == "`"):
        return None
    return match[2].strip()


def blocks(lines: Sequence[str]) -> list[Block]:
    """Return the fenced blocks; the first line of equal or more marks alone closes one."""
    found: list[Block] = []
    index = 0
    while index < len(lines):
        info = info_of(lines[index])
        if info is None:
            index += 1
            continue
        block = _block(lines, index, info)
        found.append(block)
        index = block.end
    return found


def _block(lines: Sequence[str], start: int, info: str) -> Block:
    marks = lines[start].strip()
    marks = marks[: len(marks) - len(marks.lstrip(marks[0]))]
    nested = False
    for index in range(start + 1, len(lines)):
        inner = lines[index].strip()
        if not inner.startswith(marks):
            continue
        rest = inner.lstrip(marks[0])
        if not rest:
            return Block(start, index + 1, info, tuple(lines[start + 1 : index]), True, nested)
        nested = nested or info_of(inner) is not None
    return Block(start, len(lines), info, tuple(lines[start + 1 :]), False, nested)


def shell_blocks(lines: Sequence[str], spans: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    """Return the shell blocks that share no line with the edits at `spans`."""
    found: list[str] = []
    used = bytearray(len(lines) + 1)
    for start, end in spans:
        used[start:end] = b"\1" * (end - start)
    hidden = ["" if used[index] else line for index, line in enumerate(lines)]
    for block in blocks(hidden):
        if block.language in _SHELLS and not any(used[block.start : block.end]):
            text = "\n".join(block.body).strip("\n")
            if text.strip():
                found.append(text)
    return tuple(found)


def is_shell(block: Block) -> bool:
    """Tell whether a block says that it is for a shell."""
    return block.language in _SHELLS
