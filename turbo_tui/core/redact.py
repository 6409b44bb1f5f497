"""Secrets out of texts, before they are written to the log.

Two sources: values that are known (keys from the environment or the keyring), and shapes that
nothing but a credential has. Every pattern runs in linear time: no nested repetition, bounded
look-back. What is replaced is named, so that a reader sees that something was there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import cast

SHORTEST = 8  # a shorter "secret" (`test`, `1234567`) would blank out ordinary text

# A key that was cut off counts too; what only mentions the first line does not.
_PEM = (
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----(?=[\s\\nr]{0,8}(?:Proc-Type|[A-Za-z0-9+/=]{16}))"
    r"(?:[A-Za-z0-9+/=\s:,.\\]|-(?!-))*(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?"
)
_PACKAGES = r"\b(?:npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,512}|hf_[A-Za-z0-9]{30,64})"
_JWT = r"\beyJ[A-Za-z0-9_-]{10,4096}\.eyJ[A-Za-z0-9_-]{10,8192}\.[A-Za-z0-9_-]{10,1024}"
_IN_ADDRESS = r"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@'\"$<>{}]{0,128}:([^\s:/@'\"$<>{}]{3,256})@"
_BEARER = r"(?i:\bbearer +)(?=[A-Za-z._~+/-]{0,64}[0-9])([A-Za-z0-9._~+/-]{16,4096}=*)"

_SHAPES: tuple[tuple[str, str], ...] = (
    ("private key", _PEM),
    ("GitHub token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{50,255})"),
    ("GitLab token", r"\bglpat-[A-Za-z0-9_-]{20,64}"),
    ("API key", r"\bsk-(?:ant-|proj-|or-|svcacct-)?(?=[A-Za-z_-]{0,64}[0-9])[A-Za-z0-9_-]{20,255}"),
    ("AWS key id", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("Google key", r"\bAIza[A-Za-z0-9_-]{35}"),
    ("Slack token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,255}"),
    ("Stripe key", r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,255}"),
    ("package token", _PACKAGES),
    ("web token", _JWT),
)
# Here only what follows the name of the thing is the secret.
_AFTER: tuple[tuple[str, str], ...] = (
    ("bearer token", _BEARER),
    ("password in address", _IN_ADDRESS),
)

_BY_SHAPE = re.compile("|".join(f"({pattern})" for _, pattern in _SHAPES))
_BY_PLACE = tuple((name, re.compile(pattern)) for name, pattern in _AFTER)
# Letters that any of the shapes needs; most texts have none of them and are done.
_HINTS = ("-----BEGIN", "gh", "glpat-", "sk-", "A", "xox", "k_", "npm_", "pypi-", "hf_", "eyJ")


class Redactor:
    """Replace secrets in a text by `[redacted: NAME]`.

    Args:
        secrets: Name (of the variable, or where it is from) -> value; or values alone.
            Those shorter than 8 characters are left alone.
    """

    def __init__(self, secrets: Mapping[str, str] | Iterable[str] = ()) -> None:
        if isinstance(secrets, Mapping):
            pairs = list(cast("Mapping[str, str]", secrets).items())
        else:
            pairs = [("secret", value) for value in secrets]
        self._names = {value: name for name, value in pairs if len(value) >= SHORTEST}
        # Longest first, so that a secret within another leaves no rest of it behind.
        known = sorted(self._names, key=lambda value: (-len(value), value))
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        """Return the text with its secrets replaced; the same object when it has none."""
        if self._known is not None:
            text = self._known.sub(self._named, text)
        if any(hint in text for hint in _HINTS):
            text = _BY_SHAPE.sub(_shaped, text)
        for name, pattern in _BY_PLACE:
            if "://" in text or "earer" in text or "EARER" in text:
                text = pattern.sub(lambda found, name=name: _kept_around(found, name), text)
        return text

    def _named(self, found: re.Match[str]) -> str:
        return marker(self._names[found.group()])


def marker(name: str) -> str:
    """Return what stands in a secret's place."""
    return f"[redacted: {name}]"


def secrets_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables whose name says that they hold a secret."""
    telling = re.compile(r"(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD|PAT|CREDENTIALS?)$")
    return {
        name: value
        for name, value in environment.items()
        if telling.search(name.upper()) and len(value) >= SHORTEST and "/" not in value[:1]
    }


def _shaped(found: re.Match[str]) -> str:
    return marker(_SHAPES[(found.lastindex or 1) - 1][0])


def _kept_around(found: re.Match[str], name: str) -> str:
    start, end = found.start(1) - found.start(), found.end(1) - found.start()
    whole = found.group()
    return whole[:start] + marker(name) + whole[end:]
