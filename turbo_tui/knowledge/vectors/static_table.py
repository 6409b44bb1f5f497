"""A vector for each piece of a vocabulary, distilled from a model: texts embed as their mean.

Numpy alone reads and uses it; `distilling` makes it once. On disk it is a folder of plain files,
written whole or not at all:

    table.npy       float16, shape (pieces, dimensions), each row by its weight
    pieces.json     the vocabulary of an uncased BERT tokenizer, or
    tokenizer.json  what the `tokenizers` package needs for any other
    about.json      {"version", "model", "sha256": {file: digest}}
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from turbo_tui.core.errors import WeightsError
from turbo_tui.knowledge.vectors.extra import imported
from turbo_tui.knowledge.vectors.wordpiece import WordPiece

VERSION = 2
DIMENSIONS = 256
TOKENS = 128  # of a chunk; two of them are the model's own marks
BATCH = 64  # texts; their pieces' rows are some megabytes
_ABOUT, _TABLE, _PIECES, _TOKENIZER = "about.json", "table.npy", "pieces.json", "tokenizer.json"

Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]


class Tokenizer(Protocol):
    """Cuts text into the pieces of a vocabulary."""

    def ids(self, text: str, *, limit: int) -> list[int]:
        """Return the first `limit` pieces by number, without special tokens."""
        ...


@dataclass(frozen=True, slots=True)
class StaticTable:
    """A model's vocabulary as vectors.

    Attributes:
        model: The name of the model that it was distilled from.
        rows: float32, shape (pieces, dimensions), weighted by how much a piece tells.
    """

    model: str
    tokenizer: Tokenizer
    rows: Floats

    @property
    def dimensions(self) -> int:
        """How long a vector is."""
        return self.rows.shape[1]

    def embed(self, texts: Sequence[str]) -> Floats:
        """Embed texts by their first pieces; a chunk's text is "path" + newline + code.

        Returns:
            float32, shape (len(texts), dimensions); each row of unit length, or 0 where the
            text holds no piece that tells anything.
        """
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for first in range(0, len(texts), BATCH):
            pieces = [
                self.tokenizer.ids(text, limit=TOKENS - 2) for text in texts[first : first + BATCH]
            ]
            self._sums(pieces, vectors[first : first + BATCH])
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.divide(vectors, lengths, out=vectors, where=lengths > 0)

    def _sums(self, pieces: list[list[int]], sums: Floats) -> None:
        full = [at for at, ids in enumerate(pieces) if ids]
        if full:
            starts = np.cumsum([0, *(len(pieces[at]) for at in full[:-1])])
            flat = np.fromiter((number for ids in pieces for number in ids), np.int64)
            sums[full] = np.add.reduceat(self.rows[flat], starts, axis=0)


def chunk_text(path: str, code: str) -> str:
    """Return the text by which a chunk is embedded."""
    return f"{path}\n{code}"


def write(folder: Path, model: str, rows: Halves, *, vocabulary: bytes, is_bert: bool) -> None:
    """Write a table where none is; where another process was first, its table stays.

    Args:
        folder: Where it lies from now on; its parent is made.
        model: The model's name.
        rows: Shape (pieces, dimensions).
        vocabulary: A JSON list of the pieces by number if `is_bert`, else a tokenizer.json.
        is_bert: The vocabulary is an uncased BERT tokenizer's.

    Raises:
        WeightsError: There is no room, or the folder cannot be written.
    """
    buffer = BytesIO()
    np.save(buffer, rows)
    files = {_TABLE: buffer.getvalue(), _PIECES if is_bert else _TOKENIZER: vocabulary}
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    about = {"version": VERSION, "model": model, "sha256": sums}
    files[_ABOUT] = json.dumps(about, indent=1).encode()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        half_way = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
        try:
            for name, content in files.items():
                _write_private(half_way / name, content)
            with contextlib.suppress(FileExistsError, NotADirectoryError):
                _rename(half_way, folder)
        finally:
            shutil.rmtree(half_way, ignore_errors=True)
    except OSError as error:
        raise WeightsError(
            f"{folder}: the table of word vectors cannot be kept: {error}. Make room or set "
            "XDG_CACHE_HOME to another folder; until then search goes by words and structure."
        ) from error


def read(folder: Path) -> StaticTable | None:
    """Read a table; None where there is none, or one of another version.

    Raises:
        WeightsError: It is damaged; it has been removed, so that it is made anew.
    """
    try:
        about = cast("dict[str, object]", json.loads((folder / _ABOUT).read_bytes()))
        if about.get("version") != VERSION:
            return None
        sums = cast("dict[str, str]", about["sha256"])
        content = {name: (folder / name).read_bytes() for name in sums}
        broken = [name for name in sums if hashlib.sha256(content[name]).hexdigest() != sums[name]]
        if not broken:
            rows = np.load(BytesIO(content[_TABLE]), allow_pickle=False).astype(np.float32)
            return StaticTable(str(about["model"]), _tokenizer(content), rows)
    except FileNotFoundError as error:
        if not folder.exists():
            return None
        broken = [str(error.filename)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        broken = [str(error)]
    shutil.rmtree(folder, ignore_errors=True)
    raise WeightsError(
        f"{folder}: the table of word vectors was damaged ({', '.join(broken)}) and has been "
        "removed. It is made anew by itself, or with `make vectors`."
    )


def _tokenizer(content: dict[str, bytes]) -> Tokenizer:
    if _PIECES in content:
        return WordPiece(cast("list[str]", json.loads(content[_PIECES])))
    return _Foreign(content[_TOKENIZER])


class _Foreign:
    """Any other vocabulary, cut by the `tokenizers` package."""

    def __init__(self, definition: bytes) -> None:
        self._library = imported("tokenizers").Tokenizer.from_buffer(definition)
        self._library.no_padding()
        self._library.encode_special_tokens = True  # a special token's name in a text is text

    def ids(self, text: str, *, limit: int) -> list[int]:
        """Return the first `limit` pieces by number."""
        self._library.enable_truncation(limit)
        return list(self._library.encode(text, add_special_tokens=False).ids)


def _write_private(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _rename(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError as error:
        # A folder that is not empty: another process was first.
        if not (target / _ABOUT).exists():
            raise error from None
