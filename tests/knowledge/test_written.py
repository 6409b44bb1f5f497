"""What is left out of the search though it is text: its content tells."""

from __future__ import annotations

import base64
import random
from pathlib import Path

import pytest

from turbo_tui.knowledge.indexing.tree import SourceTree, content_of
from turbo_tui.knowledge.syntax.written import is_written

CHANCE = random.Random(1)  # noqa: S311
BYTES = CHANCE.randbytes(9_000)
ARMOUR = base64.encodebytes(BYTES)
NUMBERS = "".join(f"{n},{CHANCE.random():.6f},{n * 7:.1e}\n" for n in range(900)).encode()
PACKED = b"function parse(a){return a.words}var x;" * 300
DRAWING = b"<svg xmlns='http://www.w3.org/2000/svg'><path d='M1 2'/></svg>\n"
PROSE = b"A sentence with words in it, and a number: 12.\n" * 300


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("logo.ai", b"%PDF-1.6\r%\xe2\xe3\n" + b"<</Metadata 2 0 R/Pages 3 0 R>>\n" * 400),
        ("logo.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%Title: parse\n0 0 moveto\n"),
        ("logo", b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- parse -->\n<!DOCTYPE svg>\n" + DRAWING),
        ("logo.svg.eex", DRAWING),
        ("server.crt", b"-----BEGIN CERTIFICATE-----\n" + ARMOUR[:900]),
        ("signature.txt", b"\n-----BEGIN PGP SIGNATURE-----\n\nabc\n"),
        ("bundle.pem", b"Bag Attributes\n    friendlyName: parse\n" + ARMOUR),
        ("page.map", b'{"version":3,"sources":["parse.ts"],"mappings":"' + b"AAAA,SAASA;" * 900),
        ("bundle.js", b"/*! parse */\n" + PACKED),
        ("rows.csv", b"step,loss,rate\n" + NUMBERS),
        ("late.dat", PROSE + b"\x01\x02\x00\x03" * 200),
        ("early.dat", b"words\0"),
    ],
)
def test_data_is_told_by_its_content(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)

    assert content_of(str(tmp_path / name)) is None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.txt", PROSE),
        ("notes.md", PROSE.replace(b"\n", b" ")),
        ("page.html", b"<html><body><svg></svg>" + PROSE.replace(b"\n", b" ")),
        ("a.ipynb", b'{\n "cells": [\n  {"image/png": "' + ARMOUR.replace(b"\n", b"") + b'"}\n'),
        ("tutorial.py", b'IMAGE = """\n' + ARMOUR + b'"""\n\ndef show():\n    pass\n'),
        ("table.c", b"static const int t[] = {\n" + NUMBERS + b"};\n"),
        ("people.csv", b"name,town,born\n" + b"Ada Lovelace,London,1815\n" * 400),
        ("package.json", b'{"name":"parse","scripts":{"test":"vitest"}}'),
        ("guide.txt", "数据解析器的说明。\n".encode() * 400),
        ("colours.lua", b"local escape = '\x1b[0m\x01'\n" + b"print('words')\n" * 400),
        ("key.md", b"Begin with:\n\n-----BEGIN CERTIFICATE-----\n"),
    ],
)
def test_what_somebody_wrote_stays(name: str, content: bytes) -> None:
    assert is_written(name, content)


@pytest.mark.parametrize(
    ("name", "is_left_out"),
    [
        *((name, True) for name in ("mix.lock", "flake.lock", "gradle.lockfile", "deno.lock")),
        *((name, True) for name in ("packages.lock.json", "conda-lock.yml", "pylock.dev.toml")),
        *((name, False) for name in ("lock.py", "deadlock.c", "bin/lock", "block.json")),
    ],
)
def test_lists_of_what_is_locked_are_left_out(
    tmp_path: Path, name: str, *, is_left_out: bool
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / name).write_text("parse = 1\n")

    assert (name not in SourceTree(tmp_path).files()) == is_left_out
