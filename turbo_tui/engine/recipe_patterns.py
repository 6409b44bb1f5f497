"""Match what a user typed against a recipe's patterns: deterministic, quotes respected.

A pattern is plain words with `[optional ]`, `(either|or)` and `{parameter}`. Quoted text in a
task (backticks, double or single quotes) is one value: words inside it never match a pattern.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

FIRST_QUOTED = 0xE000  # private use area: stands for the n-th quoted text in a task
_QUOTED_CHAR = "[\ue000-\uf8ff]"
_QUOTES = re.compile(
    r"(?P<fence>`+)(?P<code>.+?)(?P=fence)"
    r'|"(?P<double>[^"]+)"|“(?P<curly>[^”]+)”'
    r"|(?<![\w])'(?P<single>[^']+)'(?![\w])"
)
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_POLITE = re.compile(
    r"^(?:please|pls|hey|can you|could you|would you|i want to|i'd like to|let's|now)[\s,]+",
    re.IGNORECASE,
)

KINDS: Mapping[str, str] = {
    "symbol": r"[\w.$:/-]+(?:\(\))?",
    "name": r"\S+?",
    "word": r"\S+",
    "path": r"\S+",
    "code": r".+?",
    "text": r".+?",
    "requirement": r"@?[\w./@\[\],-]+(?:\s*[<>=!~^]=?=?\s*[\w.*]+(?:\s*,\s*[<>=!~]=?\s*[\w.*]+)*)?",
    "version": r"v?\d+(?:\.\d+)*[\w.+-]*",
    "choice": r"\w+",
}


class PatternError(ValueError):
    """A pattern cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A task with its quoted texts taken out.

    Attributes:
        text: The task on one line, quoted texts replaced by one private character each.
        quoted: The texts, in order.
    """

    text: str
    quoted: tuple[str, ...]

    def restore(self, part: str) -> str:
        """Put quoted texts back into a part, without their quotes."""
        return "".join(
            self.quoted[ord(char) - FIRST_QUOTED]
            if 0 <= ord(char) - FIRST_QUOTED < len(self.quoted)
            else char
            for char in part
        ).strip()

    def parts(self) -> list[Sentence]:
        """Split at `then`, `and`, commas and semicolons that stand outside quotes."""
        pieces = re.split(
            r"\s*(?:[,;]\s*(?:and\s+)?(?:then\s+)?|\s(?:and\s+)?then\s|\sand\s)\s*", self.text
        )
        return [Sentence(_tidy(piece), self.quoted) for piece in pieces if piece.strip()]


@dataclass(frozen=True, slots=True)
class Match:
    """A pattern that fits a whole sentence.

    Attributes:
        values: Parameter -> what stood there.
        literal: Characters that the pattern's own words cover; more is a better fit.
    """

    values: dict[str, str]
    literal: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern; `words` are its literal words in lower case."""

    source: str
    regex: re.Pattern[str]
    words: frozenset[str]

    def match(self, sentence: Sentence) -> Match | None:
        """Fit the whole sentence, or nothing."""
        hit = self.regex.fullmatch(sentence.text)
        if hit is None:
            return None
        found = {name: text for name, text in hit.groupdict().items() if text}
        taken = sum(len(text) for text in found.values())
        values = {name: sentence.restore(text) for name, text in found.items()}
        return Match(values, len(sentence.text) - taken)


def read_sentence(task: str) -> Sentence:
    """Take the quoted texts out of a task, and its politeness and final punctuation off."""
    quoted: list[str] = []

    def keep(hit: re.Match[str]) -> str:
        quoted.append(
            next(hit[name] for name in ("code", "double", "curly", "single") if hit[name])
        )
        return chr(FIRST_QUOTED + len(quoted) - 1)

    # What a task holds of the private characters by itself must not be taken for a quote.
    plain = re.sub(_QUOTED_CHAR, "\ufffd", task)
    return Sentence(_tidy(_QUOTES.sub(keep, plain)), tuple(quoted))


def compile_pattern(source: str, kinds: Mapping[str, str]) -> Pattern:
    """Read a pattern.

    Args:
        source: As written in a recipe.
        kinds: Parameter -> regular expression of what it may be when it is not quoted.

    Raises:
        PatternError: A bracket is not closed, or a parameter is not declared or used twice.
    """
    pieces: list[str] = []
    depth: list[str] = []
    position = 0
    used: set[str] = set()
    while position < len(source):
        char = source[position]
        placeholder = _PLACEHOLDER.match(source, position)
        if placeholder:
            pieces.append(_parameter(placeholder[1], kinds, used))
            position = placeholder.end()
            continue
        if char in "[(":
            depth.append("])"["[(".index(char)])
            pieces.append("(?:")
        elif char in "])":
            if not depth or depth.pop() != char:
                raise PatternError(f"the bracket {char!r} closes nothing")
            pieces.append(")?" if char == "]" else ")")
        elif char == "|":
            pieces.append("|")
        elif char.isspace():
            pieces.append(r"\s+")
        else:
            pieces.append(re.escape(char))
        position += 1
    if depth:
        raise PatternError(f"a bracket is not closed: {depth[-1]!r} is missing")
    words = frozenset(re.findall(r"[a-z]+", _PLACEHOLDER.sub(" ", source).lower()))
    return Pattern(source, re.compile("".join(pieces), re.IGNORECASE | re.DOTALL), words)


def _parameter(name: str, kinds: Mapping[str, str], used: set[str]) -> str:
    if name not in kinds:
        raise PatternError(f"{{{name}}} is not declared under [parameters]")
    if name in used:
        raise PatternError(f"{{{name}}} stands there twice; write two patterns instead")
    used.add(name)
    return f"(?P<{name}>{_QUOTED_CHAR}|{kinds[name]})"


def _tidy(text: str) -> str:
    line = " ".join(text.split()).rstrip(".!? ")
    while (shorter := _POLITE.sub("", line)) != line:
        line = shorter
    return line
