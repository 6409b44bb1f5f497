from __future__ import annotations

import pytest

from turbo_tui.knowledge.grammars import grammar_of
from turbo_tui.knowledge.parsing import parse

# One sample for each language whose symbols are known: its text, and what it defines.
SAMPLES: dict[str, tuple[str, str]] = {
    "a.py": (
        "LIMIT = 3\n\n\nclass A:\n    async def m(self):\n        x = 1\n",
        "value LIMIT 1-1, class A 4-6, function m 5-6",
    ),
    "a.js": (
        "function f() {\n  const x = 1;\n}\nclass A {\n  m() {}\n}\nlet g;\na.use = () => 1;\n",
        "function f 1-3, class A 4-6, method m 5-5, value g 7-7, value use 8-8",
    ),
    "a.ts": (
        "interface P {\n  x: number;\n}\nexport type Id = string;\nenum E { A }\n",
        "type P 1-3, type Id 4-4, type E 5-5",
    ),
    "a.tsx": ("export function View() {\n  return <a />;\n}\n", "function View 1-3"),
    "a.go": (
        "package a\nfunc Open() {\n}\nfunc (s *S) Close() {}\ntype S struct {\n}\nconst Max = 1\n",
        "function Open 2-3, method Close 4-4, type S 5-6, value Max 7-7",
    ),
    "a.rs": (
        "pub struct S;\nimpl S {\n    fn new() {}\n}\ntrait T {}\nmod m {}\nmacro_rules! mac {}\n",
        "type S 1-1, function new 3-3, type T 5-5, module m 6-6, macro mac 7-7",
    ),
    "A.java": ("class A {\n  void run() {\n  }\n}\n", "class A 1-4, method run 2-3"),
    "a.kt": (
        "class A {\n  fun f() {}\n}\nfun String.ext() = 1\nobject O\n",
        "class A 1-3, function f 2-2, function ext 4-4, class O 5-5",
    ),
    "a.scala": (
        "trait T[A] {\n  def f(x: Int): Int = 1\n}\nobject O\n",
        "class T 1-3, function f 2-2, class O 4-4",
    ),
    "a.cs": (
        "class A {\n  int P { get; }\n  void M() {}\n}\n",
        "class A 1-4, method P 2-2, method M 3-3",
    ),
    "a.c": (
        "#define MAX 3\nstruct use *f(struct other *o)\n{\n  x();\n}\nstruct p {\n  int x;\n};\n",
        "macro MAX 1-1, function f 2-5, type p 6-8",
    ),
    "a.cpp": (
        "class Shape {\n  int x;\n};\nvoid Shape::draw() {\n}\n",
        "class Shape 1-3, function draw 4-5",
    ),
    "a.swift": (
        "class A {\n  func f() {}\n}\nprotocol P {}\n",
        "class A 1-3, function f 2-2, class P 4-4",
    ),
    "a.dart": ("class A {\n}\nenum E { a }\n", "class A 1-2, class E 3-3"),
    "a.rb": (
        "module M\n  class A\n    def m\n    end\n  end\nend\n",
        "class M 1-6, class A 2-5, function m 3-4",
    ),
    "a.php": (
        "<?php\nclass A {\n  function m() {}\n}\nfunction f() {}\n",
        "class A 2-4, method m 3-3, function f 5-5",
    ),
    "a.lua": ("local function f()\nend\nfunction M.g() end\n", "function f 1-2, function g 3-3"),
    "a.sh": ("f() {\n  echo x\n}\n", "function f 1-3"),
    "a.hs": ("module X where\ndata A = B\nf :: Int\nf = 1\n", "type A 2-2, function f 3-3"),
    "a.ml": ("let f x = 1\nmodule M = struct end\n", "function f 1-1, module M 2-2"),
    "a.pl": ("package A;\nsub f {\n}\n", "module A 1-1, function f 2-3"),
    "a.jl": ("function f(x)\nend\nstruct A end\n", "function f 1-2, type A 3-3"),
    "a.zig": ("pub fn f() void {\n}\nconst S = struct {};\n", "function f 1-2, value S 3-3"),
    "a.ex": (
        "defmodule A.B do\n  def f(x), do: x\nend\n",
        "function B 1-3, function f 2-2",
    ),
    "a.sol": ("contract C {\n  function f() public {}\n}\n", "class C 1-3, function f 2-2"),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_symbols_of_a_language_are_found_with_their_lines(name: str) -> None:
    text, expected = SAMPLES[name]
    grammar = grammar_of(name)
    assert grammar is not None

    chunks, defined = parse(text.encode(), grammar)

    found = ", ".join(f"{each.kind} {each.name} {each.line}-{each.last}" for each in defined)
    assert found == expected
    assert chunks[0][0] <= 2
    assert chunks[-1][1] <= text.count("\n")


def test_names_without_a_grammar_have_none() -> None:
    assert grammar_of("notes.txt") is None
    assert grammar_of("CMakeLists.txt") is not None
