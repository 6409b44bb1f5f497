"""The files that a stack trace speaks of."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable

from turbo_tui.core.searching import Hit
from turbo_tui.core.traces import Frame, Trace
from turbo_tui.knowledge.indexing.index import Index
from turbo_tui.knowledge.indexing.tree import SourceFile
from turbo_tui.knowledge.syntax.chunks import LONGEST_LINES, Span

MOST_FRAMES = 40
SHOWN_CHARS = 300
AROUND = 10  # lines shown of a file that is not indexed yet
_LIBRARY = re.compile(
    r"(?:^|/)(?:site-packages|dist-packages|node_modules|\.cargo/registry|rustc/[0-9a-f]{6,}"
    r"|go/pkg/mod|usr/(?:local/)?(?:lib|go|share)|lib/python3?[\d.]*)/|^(?:node|internal):?/|^<"
)


def places(index: Index, trace: Trace, pending: Iterable[SourceFile] = ()) -> list[Hit]:
    """Return the places of a trace that are in the workspace, the innermost first.

    Places in installed packages that ours may be a copy of follow.

    Args:
        index: What is searched.
        trace: Whose frames are looked up.
        pending: Files that are not in the index yet.
    """
    files = {path: known.file for path, known in index.files.items()}
    files |= {each.path: each for each in pending}
    by_name: dict[str, list[str]] = {}
    wanted = {frame.path.rpartition("/")[2] for frame in trace.frames}
    for path in files:
        if (name := path.rpartition("/")[2]) in wanted:
            by_name.setdefault(name, []).append(path)
    found: dict[tuple[str, Span], Hit] = {}
    told = [(each, by_name.get(each.path.rpartition("/")[2], ())) for each in trace.frames]
    told = told[:MOST_FRAMES]
    said = "the line you named" if trace.named else "stack trace"
    ours = [(frame, meant(frame, paths, files), said) for frame, paths in told]
    copies = [(frame, copied(frame, paths), "stack trace of a copy") for frame, paths in told]
    for frame, path, said in (*ours, *copies):
        if path is None:
            continue
        lines = files[path].text().split("\n")
        if frame.line > len(lines):
            continue  # the file was another one then
        span = around(index, path, frame.line, len(lines))
        why = (said, f"in {frame.name}") if frame.name else (said,)
        shown = lines[frame.line - 1].strip()[:SHOWN_CHARS]
        score = round(1 / (1 + len(found)), 4)
        found.setdefault((path, span), Hit(path, *span, score, shown, why, frame.line))
    return list(found.values())


_PACKAGES = re.compile(r".*(?:^|/)(?:site-packages|dist-packages|node_modules/(?:@[^/]+/)?[^/]+)/")


def meant(frame: Frame, paths: Iterable[str], files: dict[str, SourceFile]) -> str | None:
    """Return the file that a frame means: all of one path must be the end of the other.

    A frame may come from another machine, from a container, from a folder below or above; a
    library's file is not ours because it has a name that ours has too.
    """
    written = frame.path.removeprefix("file://")
    for path in paths:
        if files[path].absolute == written:
            return path
    if _LIBRARY.search(written):
        return None
    written = re.sub(r"^(?:\./|\.\./)+", "", written)
    ours = [p for p in paths if f"/{written}".endswith(f"/{p}")]
    if not written.startswith("/"):
        ours = ours or [p for p in paths if f"/{p}".endswith(f"/{written}")]
    return max(ours, key=lambda path: (_shared(path, written), -len(path)), default=None)


def copied(frame: Frame, paths: Iterable[str]) -> str | None:
    """Return our file that an installed one is a copy of: its whole path in its package ends ours.

    Who maintains a library is sent traces of installations of it.
    """
    installed = _PACKAGES.match(frame.path)
    written = frame.path[installed.end() :] if installed else ""
    if "/" not in written:
        return None
    ours = [path for path in paths if f"/{path}".endswith(f"/{written}")]
    return min(ours, key=len, default=None)


def _shared(one: str, other: str) -> int:
    pairs = zip(reversed(one.split("/")), reversed(other.split("/")), strict=False)
    return sum(a == b for a, b in pairs)


def around(index: Index, path: str, line: int, last: int) -> Span:
    """Return the definition that a line is in, the innermost; else its chunk."""
    known = index.files.get(path)
    if known is None or not known.chunks:
        return max(1, line - AROUND), min(last, line + AROUND)
    holding = [each for each in known.defined if each.line <= line <= each.last]
    if holding:
        each = min(holding, key=lambda each: each.last - each.line)
        if each.last - each.line < LONGEST_LINES:
            return each.line, each.last
    return known.chunks[max(0, bisect_right(known.chunks, (line, last + 1)) - 1)]
