"""Bring contents together as `Gathered`: by pyarrow, so in the helper that has the store."""
# pyarrow says little of its types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from turbo_tui.knowledge.indexing.gathered import Gathered
from turbo_tui.knowledge.indexing.postings import MOST
from turbo_tui.knowledge.syntax.words import terms

_LINE = 10


def gather(files: Sequence[tuple[str, Sequence[bytes]]]) -> Gathered:
    """Bring files together.

    Args:
        files: Path and packed digest of each.

    Raises:
        ValueError: One of them is no packed digest.
    """
    symbols = [json.loads(parts[0]) for _, parts in files]
    places = [Counter(terms(path)) for path, _ in files]
    sizes = np.array([len(each["chunks"]) for each in symbols], np.uint32)
    firsts = np.cumsum(sizes, dtype=np.uint32) - sizes
    own = [np.frombuffer(parts[4], np.uint32) for _, parts in files]
    totals = np.array([each.total() for each in places], np.uint32)
    lengths = np.concatenate([*own, np.zeros(0, np.uint32)]) + np.repeat(totals, sizes)
    ordered, words, ends = _postings(files, places, sizes, firsts)
    defined = [each["defined"] for each in symbols]
    return Gathered(
        sizes,
        _flat([span for each in symbols for span in each["chunks"]]),
        lengths.astype(np.uint32, copy=False),
        ordered,
        ends,
        words,
        np.array([len(each) for each in defined], np.uint32),
        "\n".join(f"{one[0]}\t{one[1]}" for each in defined for one in each).encode(
            "utf-8", "surrogatepass"
        ),
        _flat([one[2:] for each in defined for one in each]),
    )


def _flat(pairs: list[list[int]]) -> NDArray[np.uint32]:
    return np.array(pairs, np.uint32).reshape(-1)


def _postings(
    files: Sequence[tuple[str, Sequence[bytes]]],
    places: Sequence[Counter[str]],
    sizes: NDArray[np.uint32],
    firsts: NDArray[np.uint32],
) -> tuple[bytes, NDArray[np.uint32], NDArray[np.uint32]]:
    """Return terms, words and ends: a path's terms stand in all chunks of its file."""
    own = [parts[1] for _, parts in files if parts[1]]
    of_paths = [term.encode("utf-8", "surrogatepass") for each in places for term in each]
    ids, ordered = _ranked(b"\n".join((*own, *of_paths)))
    held = np.concatenate([*(np.frombuffer(p[2], np.uint16) for _, p in files), _NONE])
    words = [np.frombuffer(parts[3], np.uint32) for _, parts in files]
    shifts = np.repeat(firsts << np.uint32(8), [len(each) for each in words])
    first_keys = _keys(np.repeat(ids[: len(held)], held), np.concatenate([*words, _NONE]) + shifts)
    owners = np.repeat(np.arange(len(files)), [len(each) for each in places])
    counts = np.array([min(n, MOST) for each in places for n in each.values()], np.uint32)
    spread = sizes[owners]
    starts = np.cumsum(spread) - spread
    within = np.arange(int(spread.sum())) - np.repeat(starts, spread)
    numbers = (np.repeat(firsts[owners], spread) + within).astype(np.uint32)
    more_keys = _keys(
        np.repeat(ids[len(held) :], spread), numbers << np.uint32(8) | np.repeat(counts, spread)
    )
    keys = np.concatenate((first_keys, more_keys))
    del first_keys, more_keys, shifts, words
    keys.sort()
    # A term of the path that the chunk has as well: both counts are one.
    twice = np.flatnonzero(keys[1:] >> np.uint64(8) == keys[:-1] >> np.uint64(8))
    both = (keys[twice] & np.uint64(MOST)) + (keys[twice + 1] & np.uint64(MOST))
    keys[twice] = keys[twice] & ~np.uint64(MOST) | np.minimum(both, MOST).astype(np.uint64)
    keys = np.delete(keys, twice + 1)
    found = (keys >> np.uint64(32)).astype(np.uint32)
    ends = np.cumsum(np.bincount(found, minlength=len(ordered)), dtype=np.uint32)
    lines = b"\n".join([b"", *ordered, b""]) if ordered else b""
    return lines, keys.astype(np.uint32), ends


_NONE = np.zeros(0, np.uint32)


def _keys(ids: NDArray[np.uint32], words: NDArray[np.uint32]) -> NDArray[np.uint64]:
    return ids.astype(np.uint64) << np.uint64(32) | words.astype(np.uint64)


def _ranked(lines: bytes) -> tuple[NDArray[np.uint32], list[bytes]]:
    """Return of each line the place it has among all different ones in order, and those."""
    if not lines:
        return _NONE, []
    data = np.frombuffer(lines + b"\n", np.uint8)
    breaks = np.flatnonzero(data == _LINE)
    offsets = np.concatenate((np.zeros(1, np.int64), breaks + 1 - np.arange(1, len(breaks) + 1)))
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data[data != _LINE].tobytes())]
    texts = pa.Array.from_buffers(pa.large_binary(), len(breaks), buffers)
    encoded = cast("pa.DictionaryArray", texts.dictionary_encode())
    different = cast("list[bytes]", encoded.dictionary.to_pylist())
    order = sorted(range(len(different)), key=different.__getitem__)
    ranks = np.empty(len(order), np.uint32)
    ranks[order] = np.arange(len(order), dtype=np.uint32)
    indices = cast("NDArray[np.int32]", encoded.indices.to_numpy())
    return ranks[indices], [different[at] for at in order]
