"""Read the JSON that models write: fenced, with prose around it, with small slips mended.

Only slips that leave one reading are mended; anything else is an error that says where.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from typing import cast

_FENCE = re.compile(r"```[\w-]*[ \t]*\n(.*?)```", re.DOTALL)
_THINKING = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_PYTHON_WORD = re.compile(r"\b(None|True|False)\b")
_WORDS = {"None": "null", "True": "true", "False": "false"}
_JSON_WORD = re.compile(r"\b(null|true|false)\b")
_PYTHON_WORDS = {json_word: word for word, json_word in _WORDS.items()}


def read_json_object(text: str) -> dict[str, object]:
    """Read the first JSON object of a reply.

    Raises:
        ValueError: There is none, or it is broken beyond a slip; the message says where.
    """
    problem: ValueError | None = None
    for candidate in _candidates(text):
        try:
            value = _mended(candidate)
        except ValueError as error:
            problem = problem or error
            continue
        if isinstance(value, dict):
            return cast("dict[str, object]", value)
        problem = problem or ValueError(f"it is a {type(value).__name__}, not an object")
    raise problem or ValueError("there is no JSON object in it")


def _candidates(text: str) -> list[str]:
    """List what may be the object, likeliest first."""
    spoken = _THINKING.sub("", text).strip()
    found = [spoken] if spoken.startswith("{") else []
    found += [match.group(1).strip() for match in _FENCE.finditer(spoken)]
    start = spoken.find("{")
    if start >= 0:
        found.append(_balanced(spoken[start:]))
        found.append(spoken[start : spoken.rfind("}") + 1])
    elif spoken.startswith("["):
        found.append(spoken)
    return [each for each in found if each]


def _balanced(text: str) -> str:
    """Cut a text that begins with `{` after its matching `}`; strings are looked through."""
    depth, at = 0, 0
    while at < len(text):
        if text[at] == '"':
            string = _STRING.match(text, at)
            if string is None:
                return text
            at = string.end()
            continue
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
        if depth == 0:
            return text[:at]
    return text


def _mended(text: str) -> object:
    try:
        # strict=False: raw newlines and tabs within strings, which small models write.
        return json.loads(text, strict=False)
    except json.JSONDecodeError as error:
        first = error
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    plain = _outside_strings(text, _TRAILING_COMMA, lambda match: match.group(1))
    plain = _outside_strings(plain, _PYTHON_WORD, lambda match: _WORDS[match.group()])
    try:
        return json.loads(plain, strict=False)
    except (json.JSONDecodeError, RecursionError):
        pass
    try:
        # Single quotes: the text of a Python dict. literal_eval evaluates nothing else.
        value: object = ast.literal_eval(
            _JSON_WORD.sub(lambda match: _PYTHON_WORDS[match.group()], text)
        )
        return json.loads(json.dumps(value))  # there and back: sets, bytes and such are refused
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise ValueError(f"{first.msg} at line {first.lineno} column {first.colno}") from None


def _outside_strings(
    text: str, pattern: re.Pattern[str], new: Callable[[re.Match[str]], str]
) -> str:
    """Replace a pattern everywhere but within double-quoted strings."""
    strings: list[str] = []

    def keep(match: re.Match[str]) -> str:
        strings.append(match.group())
        return f'"\x00{len(strings) - 1}"'

    bare = _STRING.sub(keep, text)
    bare = pattern.sub(new, bare)
    return re.sub(r'"\x00(\d+)"', lambda match: strings[int(match.group(1))], bare)
