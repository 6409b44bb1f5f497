"""The model itself, in a process of its own: it makes a static table, or encodes texts.

    python -m turbo_tui.knowledge.vectors.model_process table MODEL MODELS_FOLDER
    python -m turbo_tui.knowledge.vectors.model_process encode MODEL [THREADS]

`table` writes the table of a model and prints its folder. `encode` reads a JSON list of texts a
line on stdin and answers each on stdout with a line {"rows", "dimensions"} and so many float16;
it ends when stdin does. An error is one line on stderr, exit code 4.

Nothing else of turbo-tui imports torch. Of a model's folder no code is run.

Source: the table follows Tulkens & van Dongen 2024, model2vec; weights by Zipf's law after
Arora et al. 2017, "A simple but tough-to-beat baseline for sentence embeddings".
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import json
import os
import shutil
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from turbo_tui.core.errors import TurboError, WeightsError
from turbo_tui.knowledge.vectors.extra import imported
from turbo_tui.knowledge.vectors.static_table import DIMENSIONS, TOKENS, Floats, Halves, write
from turbo_tui.knowledge.vectors.weights import Weights, find, table_folder

PIECES_AT_ONCE = 1024
TEXTS_AT_ONCE = 32
NICE = 10  # whoever types goes first
RARITY = 1e-5  # a piece this likely counts half; Arora's a
_FAST_BF16 = ("avx512_bf16", "amx_bf16")


class Model:
    """A sentence-transformers model in memory, on the CPU."""

    def __init__(self, weights: Weights, *, threads: int) -> None:
        weights.check()
        os.environ["HF_HUB_OFFLINE"] = "1"
        os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = os.environ["TQDM_DISABLE"] = "1"
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        self._torch: Any = imported("torch")
        self._torch.set_num_threads(threads)
        library: Any = imported("sentence_transformers")
        try:
            self._model: Any = library.SentenceTransformer(
                os.fspath(weights.folder),
                device="cpu",
                trust_remote_code=False,
                local_files_only=True,
                model_kwargs={"use_safetensors": True},
            )
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            raise WeightsError(
                f"{weights.folder}: cannot be loaded as a sentence-transformers model: {error}. "
                "Name another one as [knowledge] model."
            ) from error
        self._model.max_seq_length = TOKENS
        self._bf16 = has_fast_bf16()

    def encode(self, texts: Sequence[str]) -> Halves:
        """Embed texts by their first 128 pieces; each row of unit length."""
        with self._torch.inference_mode(), self._autocast():
            rows = self._model.encode(
                list(texts),
                batch_size=TEXTS_AT_ONCE,
                normalize_embeddings=True,
                show_progress_bar=False,
                convert_to_numpy=True,
            )
        return np.asarray(rows, np.float16)

    def pieces(self, count: int, *, before: list[int], after: list[int]) -> Floats:
        """Read each piece of the vocabulary as a text of its own; return what it becomes.

        That is the piece's own last state, not the text's vector, in which the model's marks
        have a share: NDCG@10 of 480 queries is .004 better with it.
        """
        torch = self._torch
        found: list[Floats] = []
        with torch.inference_mode():
            for first in range(0, count, PIECES_AT_ONCE):
                numbers = range(first, min(first + PIECES_AT_ONCE, count))
                ids = torch.tensor([[*before, number, *after] for number in numbers])
                asked = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
                states = self._model(asked)["token_embeddings"][:, len(before)]
                found.append(states.float().numpy())
        return np.concatenate(found)

    def _autocast(self) -> contextlib.AbstractContextManager[object]:
        if not self._bf16:
            return contextlib.nullcontext()
        return cast(
            "contextlib.AbstractContextManager[object]",
            self._torch.autocast("cpu", dtype=self._torch.bfloat16),
        )


def has_fast_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Tell whether this CPU multiplies bfloat16 faster than float32."""
    try:
        text = cpuinfo.read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return any(flag in text.split() for flag in _FAST_BF16)


def make_table(name: str, models: Path) -> Path:
    """Distil a model into its static table, unless it is there already; return its folder.

    Raises:
        WeightsError: The weights are missing or damaged, or the table cannot be written.
    """
    folder = table_folder(models, name)
    with _alone(folder):
        if not (folder / "about.json").exists():
            _make(find(name), folder)
            _clear_others(folder)
    return folder


@contextlib.contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Let no other process make the same table meanwhile: it would be for nothing."""
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder.parent / f".{folder.name}.lock"
    lock = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _clear_others(folder: Path) -> None:
    """Remove what other versions made of the same model."""
    same, _, _ = folder.name.rpartition("-v")
    for other in folder.parent.glob(f"{glob.escape(same)}-v*"):
        if other.is_dir() and other != folder:
            shutil.rmtree(other, ignore_errors=True)


def _make(weights: Weights, folder: Path) -> None:
    definition = (weights.folder / "tokenizer.json").read_bytes()
    library: Any = imported("tokenizers")
    tokenizer = library.Tokenizer.from_buffer(definition)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    shown = tokenizer.encode("a")
    marks = list(shown.special_tokens_mask)
    first, last = marks.index(0), len(marks) - marks[::-1].index(0)
    count = int(tokenizer.get_vocab_size())
    model = Model(weights, threads=os.cpu_count() or 1)
    rows = model.pieces(count, before=shown.ids[:first], after=shown.ids[last:])
    special = [int(number) for number in tokenizer.get_added_tokens_decoder()]
    is_bert = is_uncased_bert(json.loads(definition))
    listed = [tokenizer.id_to_token(number) for number in range(count)]
    vocabulary = json.dumps(listed).encode() if is_bert else definition
    write(folder, weights.name, table(rows, special), vocabulary=vocabulary, is_bert=is_bert)


def table(pieces: Floats, special: Sequence[int]) -> Halves:
    """Turn the vectors of all pieces into a table's rows.

    Args:
        pieces: Shape (count, the model's dimensions), frequent pieces first.
        special: Which are the model's own marks; they weigh nothing.

    Returns:
        Shape (count, 256 or as many as the model has): the main directions, each row by how much
        its piece tells.
    """
    around = pieces - pieces.mean(axis=0)
    _, directions = np.linalg.eigh(around.T @ around)  # least first
    rows = around @ directions[:, ::-1][:, :DIMENSIONS]
    weight = rarity(len(rows))
    weight[list(special)] = 0
    # The largest length is 1 before weighing: float16 keeps three digits of small ones as well.
    return np.asarray(rows / np.linalg.norm(rows, axis=1).max() * weight[:, None], np.float16)


def rarity(count: int) -> Floats:
    """Return what each piece weighs, 0 to 1: a / (a + its share of all text, by Zipf's law)."""
    share = 1 / np.arange(2, count + 2)
    return np.asarray(RARITY / (RARITY + share / share.sum()), np.float32)


def is_uncased_bert(definition: dict[str, Any]) -> bool:
    """Tell whether `wordpiece` cuts text as this tokenizer does."""
    absent: dict[str, Any] = {}
    model, normal = definition["model"], definition.get("normalizer") or absent
    return bool(
        model.get("type") == "WordPiece"
        and model.get("continuing_subword_prefix") == "##"
        and model.get("unk_token") == "[UNK]"
        and model.get("max_input_chars_per_word") == 100  # noqa: PLR2004  wordpiece's own bound
        and normal.get("type") == "BertNormalizer"
        and all(normal.get(each) for each in ("clean_text", "handle_chinese_chars", "lowercase"))
        and normal.get("strip_accents") in {None, True}
        and (definition.get("pre_tokenizer") or absent).get("type") == "BertPreTokenizer"
    )


def _serve(model: Model) -> None:
    for line in sys.stdin.buffer:
        rows = model.encode(cast("list[str]", json.loads(line)))
        head = {"rows": rows.shape[0], "dimensions": rows.shape[1]}
        sys.stdout.buffer.write(json.dumps(head).encode() + b"\n" + rows.tobytes())
        sys.stdout.buffer.flush()


def main(argv: Sequence[str]) -> int:
    """Run; return the exit code."""
    os.nice(NICE)
    try:
        match list(argv):
            case ["table", name, models]:
                print(make_table(name, Path(models)))  # noqa: T201  its folder is the answer
            case ["encode", name, *threads]:
                _serve(Model(find(name), threads=int(threads[0]) if threads else 1))
            case _:
                print(__doc__, file=sys.stderr)  # noqa: T201
                return 2
    except TurboError as error:
        print(error, file=sys.stderr)  # noqa: T201  whoever started this shows it
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
