"""What each section of a settings file may hold: a check and words for every key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import cast
from urllib.parse import urlsplit

from turbo_tui.config.values import KINDS

Check = Callable[[object], bool]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_from(least: int, value: object) -> bool:
    return _is_count(value) and cast("int", value) >= least


def _is_wall_time(value: object) -> bool:
    return _is_number(value) and cast("float", value) >= 1


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def is_url(value: object) -> bool:
    """Tell whether a value is an address that a request can be sent to."""
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    is_host = bool(parts.hostname) and not any(each.isspace() for each in parts.netloc)
    return parts.scheme in {"http", "https"} and is_host


Rows = Mapping[str, tuple[Check, str]]

MODEL: Rows = {
    "kind": (lambda value: value in KINDS, 'one of "openai", "ollama", "anthropic"'),
    "base_url": (is_url, 'an address such as "http://127.0.0.1:11434"'),
    "model": (_is_text, 'a name such as "qwen2.5-coder"'),
    "key_env": (_is_text, 'the name of a variable, such as "OLLAMA_API_KEY"'),
    "key_keyring": (lambda value: isinstance(value, bool), "true or false"),
    "context_tokens": (_is_count, "a whole number above 0"),
    "price_in_usd": (_is_number, "a number above 0 (US dollars per million tokens)"),
    "price_out_usd": (_is_number, "a number above 0 (US dollars per million tokens)"),
    "timeout_s": (_is_number, "a number of seconds above 0"),
}
CAPS: Rows = {
    "max_turns": (_is_count, "a whole number above 0"),
    "max_seconds": (_is_number, "a number of seconds above 0"),
    "max_tokens": (_is_count, "a whole number above 0"),
    "max_usd": (_is_number, "a number of US dollars above 0"),
}
RUNGS = (
    "auto",
    "overlay+bubblewrap",
    "copy+bubblewrap",
    "overlay+landlock",
    "copy+landlock",
    "copy+seatbelt",
    "copy+unsandboxed",
)
SANDBOX: Rows = {
    "rung": (lambda value: value in RUNGS, f"one of {', '.join(RUNGS)}"),
    "command_timeout_s": (_is_wall_time, "a number of seconds, 1 or more"),
    # The sandbox itself must fit below them: a stranger's project could else bring it down.
    **{
        name: (partial(_is_from, least), f"a whole number, {least} or more")
        for name, least in (
            ("cpu_s", 1),
            ("memory_mb", 64),
            ("processes", 16),
            ("open_files", 64),
            ("file_mb", 1),
            ("written_mb", 16),
            ("tmp_mb", 1),
        )
    },
}
MOST_AHEAD = 8
RUN: Rows = {
    "ahead": (
        lambda value: type(value) is int and 0 <= value <= MOST_AHEAD,
        f"a whole number from 0 to {MOST_AHEAD}",
    ),
}
LANDING: Rows = {"checkpoints": (lambda value: isinstance(value, bool), "true or false")}
KNOWLEDGE: Rows = {
    "model": (_is_text, 'a name such as "all-MiniLM-L6-v2", a folder, or "" for none'),
    "own_vectors": (lambda value: isinstance(value, bool), "true or false"),
    "learn": (lambda value: isinstance(value, bool), "true or false"),
}
