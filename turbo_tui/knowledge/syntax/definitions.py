"""Where symbols are defined, by one regular expression per language: quick, not complete.

Every quantifier is bounded or followed by something it cannot match itself, so that a file
made to hurt takes linear time. What a parser would find better, `languages` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

LONGEST_LINE = 500  # mean above that: generated or minified, no place to jump to


@dataclass(frozen=True, slots=True)
class Definition:
    """A symbol and the 1-based line that defines it; `last` is 0 where the end is not known."""

    name: str
    kind: str
    line: int
    last: int = 0


_RULES: dict[str, tuple[tuple[str, str], ...]] = {
    "python": (
        ("function", r"^[ \t]*(?:async[ \t]+)?def[ \t]+(\w+)"),
        ("function", r"^[ \t]*cp?def[ \t]+(?:[\w.*&\[\]]{1,60}[ \t]+){0,4}[*&]{0,2}(\w+)[ \t]*\("),
        ("class", r"^[ \t]*cdef[ \t]+(?:class|struct|enum)[ \t]+(\w+)"),
        ("class", r"^[ \t]*class[ \t]+(\w+)"),
        ("type", r"^type[ \t]+(\w+)[^=\n]*="),
        ("value", r"^(\w+)[ \t]*(?::[^=\n]{1,200})?=(?!=)"),
    ),
    "javascript": (
        ("function", (r"^[ \t]*(?:export[ \t]+)?(?:default[ \t]+)?(?:async[ \t]+)?function[ \t]*\*?"
                     r"[ \t]*([\w$]+)")),
        ("class", (r"^[ \t]*(?:export[ \t]+)?(?:default[ \t]+)?(?:declare[ \t]+)?"
                  r"(?:abstract[ \t]+)?class[ \t]+([\w$]+)")),
        ("type", (r"^[ \t]*(?:export[ \t]+)?(?:declare[ \t]+)?(?:const[ \t]+)?"
                 r"(?:interface|type|enum|namespace)[ \t]+([\w$]+)")),
        ("value", r"^[ \t]*(?:export[ \t]+)?(?:declare[ \t]+)?(?:const|let|var)[ \t]+([\w$]+)"),
        ("method", (r"^[ \t]+(?:(?:public|private|protected|static|async|get|set|override)[ \t]+)"
                   r"{0,4}"
                   r"(?!(?:if|for|while|switch|catch|function|return|with)\b)"
                   r"([\w$#]+)[ \t]*\([^;{}\n]{0,300}\)[ \t]*(?::[^{;=\n]{1,200})?\{")),
    ),
    "go": (
        ("function", r"^func[ \t]+(?:\([^)\n]{0,200}\)[ \t]*)?(\w+)"),
        ("type", r"^type[ \t]+(\w+)"),
        ("value", r"^(?:var|const)[ \t]+(\w+)"),
    ),
    "rust": (
        ("function", (r"^[ \t]*(?:pub(?:\([^)\n]{0,60}\))?[ \t]+)?"
                     r"(?:(?:default|const|async|unsafe|extern(?:[ \t]+\"[^\"\n]{0,20}\")?)[ \t]+)"
                     r"{0,4}"
                     r"fn[ \t]+(\w+)")),
        ("type", (r"^[ \t]*(?:pub(?:\([^)\n]{0,60}\))?[ \t]+)?(?:unsafe[ \t]+)?"
                 r"(?:struct|enum|trait|union|type)[ \t]+(\w+)")),
        ("value", (r"^[ \t]*(?:pub(?:\([^)\n]{0,60}\))?[ \t]+)?(?:const|static(?:[ \t]+mut)?)[ \t]+"
                  r"(\w+)[ \t]*:")),
        ("module", r"^[ \t]*(?:pub(?:\([^)\n]{0,60}\))?[ \t]+)?mod[ \t]+(\w+)"),
        ("macro", r"^[ \t]*macro_rules![ \t]*(\w+)"),
    ),
    "java": (
        ("class", (r"^[ \t]*(?:(?:public|private|protected|internal|static|final|abstract|sealed"
                  r"|data|open|partial|inner|case)[ \t]+){0,6}"
                  r"(?:class|interface|enum|record|@interface|object|trait|struct)[ \t]+(\w+)")),
        ("function", (r"^[ \t]*(?:(?:public|private|protected|internal|override|suspend|inline|open"
                     r"|abstract|final)[ \t]+){0,5}(?:fun|def)[ \t]+(?:<[^>\n]{1,80}>[ \t]*)?"
                     r"(\w+)")),
        ("method", (r"^[ \t]+(?:(?:public|private|protected|internal|static|final|abstract|native"
                   r"|synchronized|default|override|virtual|async)[ \t]+){1,6}"
                   r"(?:<[^>\n]{1,80}>[ \t]*)?"
                   r"(?:[\w.]+(?:<[^()\n;=]{1,120}>)?(?:\[\])?\??[ \t]+){0,2}(\w+)[ \t]*\(")),
    ),
    "c": (
        ("function", (r"^(?!(?:return|else|if|while|for|switch|case|goto|typedef|using|new|delete"
                     r"|throw|do)\b)(?:[A-Za-z_][\w:<>]*[ \t*&]+){1,6}(?:\w+::)?(~?\w+)[ \t]*"
                     r"\([^;\n]{0,400}$")),
        ("type", (r"^[ \t]*(?:typedef[ \t]+)?(?:struct|union|enum(?:[ \t]+class)?|class|namespace)"
                 r"[ \t]+(\w+)[^;\n]{0,200}$")),
        ("type", r"^[ \t]*(?:using[ \t]+(\w+)[ \t]*=)"),
        ("type", r"^\}[ \t]*(\w+)[ \t]*;"),
        ("macro", r"^[ \t]*#[ \t]*define[ \t]+(\w+)"),
    ),
    "ruby": (
        ("function", r"^[ \t]*def[ \t]+(?:self\.)?(\w+[?!=]?)"),
        ("class", r"^[ \t]*(?:class|module)[ \t]+(?:\w+::){0,6}(\w+)"),
        ("value", r"^[ \t]*([A-Z]\w*)[ \t]*=(?![=~])"),
    ),
    "php": (
        ("function", (r"^[ \t]*(?:(?:public|private|protected|static|final|abstract)[ \t]+){0,4}"
                     r"function[ \t]+&?(\w+)")),
        ("class", (r"^[ \t]*(?:(?:final|abstract|readonly)[ \t]+){0,3}"
                  r"(?:class|interface|trait|enum)[ \t]+(\w+)")),
        ("value", (r"^[ \t]*(?:(?:public|private|protected|final)[ \t]+){0,2}"
                  r"const[ \t]+(\w+)[ \t]*=")),
    ),
    "shell": (
        ("function", r"^[ \t]*(?:function[ \t]+)?([\w:.-]+)[ \t]*\([ \t]*\)"),
        ("function", r"^[ \t]*function[ \t]+([\w:.-]+)"),
    ),
}  # fmt: skip

_ENDINGS = {
    "python": "py pyi pyx",
    "javascript": "js jsx mjs cjs ts tsx mts cts vue svelte",
    "go": "go",
    "rust": "rs",
    "java": "java kt kts scala groovy cs",
    "c": "c h cc cpp cxx hh hpp hxx m mm",
    "ruby": "rb rake gemspec",
    "php": "php",
    "shell": "sh bash zsh",
}
_LANGUAGES = {
    ending: language for language, endings in _ENDINGS.items() for ending in endings.split()
}


def _compiled(rules: tuple[tuple[str, str], ...]) -> tuple[re.Pattern[str], tuple[str, ...]]:
    pattern = "|".join(f"(?:{rule})" for _, rule in rules)
    return re.compile(pattern, re.MULTILINE), tuple(kind for kind, _ in rules)


_PATTERNS = {language: _compiled(rules) for language, rules in _RULES.items()}


def language_of(path: str) -> str:
    """Return the name of the rules that fit a path; empty when there are none."""
    return _LANGUAGES.get(PurePosixPath(path).suffix.lower().lstrip("."), "")


def definitions(path: str, text: str) -> tuple[Definition, ...]:
    """List what a file defines, in order; nothing for a language that is not known."""
    language = language_of(path)
    lines = text.count("\n") + 1
    if not language or len(text) > LONGEST_LINE * lines:
        return ()
    return tuple(_definitions(text, *_PATTERNS[language]))


def _definitions(
    text: str, pattern: re.Pattern[str], kinds: tuple[str, ...]
) -> Iterator[Definition]:
    line, counted = 1, 0
    for found in pattern.finditer(text):
        group = found.lastindex or 1
        start = found.start(group)
        line += text.count("\n", counted, start)
        counted = start
        yield Definition(found.group(group), kinds[group - 1], line)
