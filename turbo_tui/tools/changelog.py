"""Give a changelog the entry of a new version, in the manner it is kept.

Source: https://keepachangelog.com/en/1.1.0/
"""

from __future__ import annotations

import re

CHANGELOGS = (
    "CHANGELOG.md",
    "CHANGES.md",
    "HISTORY.md",
    "NEWS.md",
    "CHANGELOG.rst",
    "CHANGES.rst",
    "HISTORY.rst",
    "NEWS.rst",
    "CHANGELOG",
    "CHANGES",
    "docs/CHANGELOG.md",
    "docs/changelog.md",
    "docs/changes.rst",
    "docs/changelog.rst",
)
_MARKDOWN_UNRELEASED = re.compile(
    r"^(#{1,3})[ \t]+(\[?)unreleased(\]?)[^\n]*$", re.IGNORECASE | re.MULTILINE
)
_MARKDOWN_VERSION = re.compile(r"^(#{1,3})[ \t]+\[?v?\d+\.\d+[^\n]*$", re.MULTILINE)
_LINK = re.compile(
    r"^\[unreleased\]:[ \t]*(?P<base>\S+/compare/)(?P<old>\S+?)\.\.\.(?P<head>\S+)[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_UNDERLINED = re.compile(r"^(?P<title>\S[^\n]*)\n(?P<line>([=\-~^#*+])\3{2,})[ \t]*$", re.MULTILINE)


def with_entry(content: bytes, path: str, *, old: str, new: str, date: str) -> bytes | None:
    """Return the changelog with an entry for a version; None when its manner is not known.

    Unreleased notes become the version's. Where there are none, the entry is put above the
    newest one.
    """
    text = content.decode("utf-8", "surrogateescape")
    crlf = "\r\n" in text
    text = text.replace("\r\n", "\n")
    changed = (
        _restructured(text, new, date)
        if path.endswith(".rst") or (not path.endswith(".md") and _UNDERLINED.search(text))
        else _markdown(text, old, new, date)
    )
    if changed is None:
        return None
    if crlf:
        changed = changed.replace("\n", "\r\n")
    return changed.encode("utf-8", "surrogateescape")


def _markdown(text: str, old: str, new: str, date: str) -> str | None:
    unreleased = _MARKDOWN_UNRELEASED.search(text)
    newest = _MARKDOWN_VERSION.search(text)
    if unreleased is not None:
        level, left, right = unreleased[1], unreleased[2], unreleased[3]
        title = f"{level} {left}{new}{right} - {date}"
        text = f"{text[: unreleased.end()]}\n\n{title}{text[unreleased.end() :]}"
    elif newest is not None:
        brackets = "[" in newest[0].split(old)[0] if old in newest[0] else "[" in newest[0]
        title = f"{newest[1]} {'[' if brackets else ''}{new}{']' if brackets else ''} - {date}"
        entry = f"{title}\n\n- Version {new}.\n\n"
        text = f"{text[: newest.start()]}{entry}{text[newest.start() :]}"
    else:
        return None
    return _with_link(text, new)


def _with_link(text: str, new: str) -> str:
    """Keep the comparison links at the end: a new one for the version, the old one moved on."""
    link = _LINK.search(text)
    if link is None:
        return text
    prefix = "v" if link["old"].startswith("v") else ""
    lines = (
        f"[Unreleased]: {link['base']}{prefix}{new}...{link['head']}\n"
        f"[{new}]: {link['base']}{link['old']}...{prefix}{new}"
    )
    return f"{text[: link.start()]}{lines}{text[link.end() :]}"


def _restructured(text: str, new: str, date: str) -> str | None:
    """Follow the newest section's title: `Version 8.1.8` -> `Version 8.1.9`."""
    sections = [hit for hit in _UNDERLINED.finditer(text) if re.search(r"\d+\.\d+", hit["title"])]
    unreleased = next(
        (hit for hit in _UNDERLINED.finditer(text) if hit["title"].strip().lower() == "unreleased"),
        None,
    )
    if unreleased is not None:
        title = f"{new} ({date})"
        heading = f"{title}\n{unreleased['line'][0] * len(title)}"
        return f"{text[: unreleased.end()]}\n\n{heading}{text[unreleased.end() :]}"
    if not sections:
        return None
    newest = sections[0]
    below = text[newest.end() : sections[1].start() if len(sections) > 1 else len(text)]
    if re.search(rf"(?<![\d.]){re.escape(new)}(?![\d.])", newest["title"]):
        dated = re.sub(
            r"^unreleased[ \t]*$",
            f"Released {date}",
            below,
            count=1,
            flags=re.IGNORECASE | re.MULTILINE,
        )
        return f"{text[: newest.end()]}{dated}{text[newest.end() + len(below) :]}"
    title = re.sub(r"\d+\.\d+[\w.+-]*", new, newest["title"], count=1)
    title = re.sub(r"\d{4}-\d{2}-\d{2}", date, title)
    underline = newest["line"][0] * len(title)
    released = f"Released {date}\n\n" if re.search(r"^Released ", below, re.MULTILINE) else ""
    bullet = "-   " if re.search(r"^-   \S", below, re.MULTILINE) else "- "
    gap = "\n" * max(2, len(below) - len(below.rstrip("\n")) if len(sections) > 1 else 2)
    entry = f"{title}\n{underline}\n\n{released}{bullet}Version {new}.{gap}"
    return f"{text[: newest.start()]}{entry}{text[newest.start() :]}"
