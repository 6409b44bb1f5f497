"""A made-up table of word vectors: words of one subject have one direction."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from turbo_tui.knowledge.vectors.static_table import StaticTable, read, write

SUBJECTS = (("fetch", "download", "http"), ("paint", "colour", "draw"), ("parse", "syntax", "tree"))
LETTERS = [*map(chr, range(ord("a"), ord("z") + 1))]
PIECES = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *(word for words in SUBJECTS for word in words),
    *LETTERS,
    *(f"##{letter}" for letter in LETTERS),
    *"()_/.:",
]
MODEL = "all-MiniLM-L6-v2"


def write_tiny_table(folder: Path) -> Path:
    """Write the table: 8 dimensions; letters and marks tell nothing."""
    rows = np.zeros((len(PIECES), 8), np.float16)
    for direction, words in enumerate(SUBJECTS):
        for word in words:
            rows[PIECES.index(word), direction] = 1
    write(folder, MODEL, rows, vocabulary=json.dumps(PIECES).encode(), is_bert=True)
    return folder


def tiny_table(folder: Path) -> StaticTable:
    """Return the table, written and read."""
    table = read(write_tiny_table(folder))
    assert table is not None
    return table
