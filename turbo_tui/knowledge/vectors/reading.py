"""The texts of a file's chunks, by which they are embedded."""

from __future__ import annotations

from collections.abc import Callable

from turbo_tui.core.decoding import decoded
from turbo_tui.knowledge.indexing.index import Indexed
from turbo_tui.knowledge.indexing.tree import content_of
from turbo_tui.knowledge.vectors.static_table import chunk_text

ChunkTexts = Callable[[Indexed], list[str] | None]


def chunk_texts(known: Indexed, key_of: Callable[[str, bytes], str]) -> list[str] | None:
    """Read a file's chunks; None if it is gone or changed since: it comes again as it is then.

    Args:
        known: The file as the index has it.
        key_of: Names a path's content, as the index does.
    """
    path = known.file.path
    content = content_of(known.file.absolute)
    if content is None or key_of(path, content) != known.key:
        return None
    lines = decoded(content).split("\n")
    return [chunk_text(path, "\n".join(lines[a - 1 : b])) for a, b in known.chunks]
