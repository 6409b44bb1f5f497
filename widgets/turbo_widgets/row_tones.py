"""What a piece of a row means, and how that looks in the colours of the theme."""

from __future__ import annotations

from typing import Literal, get_args

Tone = Literal[
    "plain",
    "dim",
    "strong",
    "accent",
    "good",
    "warn",
    "bad",
    "added",
    "removed",
    "heading",
    "band",
    "added-word",
    "removed-word",
    "space",
    "match",
    "match-here",
    "chosen",
    "code-keyword",
    "code-string",
    "code-comment",
    "code-number",
    "code-name",
    "code-type",
]

TONE_CLASSES = {
    *(f"rows--{tone}" for tone in get_args(Tone) if tone != "plain"),
    "rows--cursor",
    "rows--cursor-idle",
}

TONE_CSS = """
        & > .rows--dim { color: $foreground-darken-3; }
        & > .rows--strong { text-style: bold; }
        & > .rows--accent { color: $text-accent; }
        & > .rows--good { color: $text-success; }
        & > .rows--warn { color: $text-warning; }
        & > .rows--bad { color: $text-error; }
        & > .rows--added { color: $text-success; background: $success-muted; }
        & > .rows--removed { color: $text-error; background: $error-muted; }
        & > .rows--added-word { background: $success; color: $background; }
        & > .rows--removed-word { background: $error; color: $background; }
        &:light > .rows--added-word { background: $success-darken-3; color: $background; }
        &:light > .rows--removed-word { background: $error-darken-1; color: $background; }
        & > .rows--space { color: $text-warning; }
        & > .rows--match { background: $warning-muted; color: $text-warning; }
        & > .rows--match-here { background: $warning; color: $background; text-style: bold; }
        & > .rows--chosen { background: $accent-muted; }
        & > .rows--code-keyword { color: $text-primary; text-style: bold; }
        & > .rows--code-string { color: $text-warning; }
        & > .rows--code-comment { color: $foreground-darken-3; text-style: italic; }
        & > .rows--code-number { color: $text-accent; }
        & > .rows--code-name { color: $text-secondary; }
        & > .rows--code-type { color: $text-accent; }
        & > .rows--heading { text-style: bold; color: $text-primary; }
        & > .rows--band { background: $surface; }
        & > .rows--cursor { background: $primary-muted; text-style: bold; }
        & > .rows--cursor-idle { background: $surface; }
"""
