"""How much a query and the names that a file defines are alike, for many files in one look."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import accumulate

from turbo_tui.knowledge.indexing.index import Index, Indexed
from turbo_tui.knowledge.syntax.words import terms_of


def defines_like(
    index: Index, files: Sequence[Indexed], rarity: Mapping[str, float]
) -> list[float]:
    """How much alike the query and a name are that a file defines: what both share, of both.

    Names of a single part, and values, say little about what a file is for.

    Args:
        index: That of the files.
        files: Of each, the name that is most alike counts.
        rarity: Of the query's terms.

    Returns:
        A value from 0 to 1 for each file.
    """
    texts = [parts_of_names(index, each) for each in files]
    ends = list(accumulate(map(len, texts)))
    text = "".join(texts)
    best = [0.0] * len(files)
    for start, shared in _shared(text, rarity).items():
        parts = text.count(" ", start, text.find("\n", start)) - 1
        at = bisect_right(ends, start)
        best[at] = max(best[at], sum(shared) * len(shared) / parts)
    whole = sum(rarity.values()) or 1.0
    return [each / whole for each in best]


def parts_of_names(index: Index, known: Indexed) -> str:
    """Return the stems of each name of several parts that a file defines: ` pars lin ` a line."""
    path = known.file.path
    held = index.name_parts.get(path)
    if held is None:
        names = {each.name for each in known.defined if each.kind != "value"}
        # The last term is the name as a whole, if it has several.
        parts = (dict.fromkeys(terms_of(name)[:-1]) for name in names)
        lines = {f" {' '.join(each)} \n" for each in parts if len(each) > 1}
        held = index.name_parts[path] = "".join(lines)
    return held


def _shared(text: str, rarity: Mapping[str, float]) -> dict[int, list[float]]:
    """Return, by where a line begins, the rarities of the terms that stand in it."""
    found: dict[int, list[float]] = defaultdict(list)
    for term, rare in rarity.items():
        wanted = f" {term} "
        at = text.find(wanted)
        while at >= 0:
            found[text.rfind("\n", 0, at) + 1].append(rare)
            at = text.find(wanted, text.find("\n", at))
    return found
