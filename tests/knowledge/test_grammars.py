from __future__ import annotations

import json

import pytest

from turbo_tui.knowledge.indexing.digest import digest
from turbo_tui.knowledge.syntax.chunks import by_cell, by_html, cutter_of
from turbo_tui.knowledge.syntax.grammars import grammar_for, grammar_of
from turbo_tui.knowledge.syntax.parsing import parse

# One sample for each language whose symbols are known: its text, what it defines, what it uses.
SAMPLES: dict[str, tuple[str, str, str]] = {
    "a.py": (
        ("class A(Base):\n    def m(self):\n        helper()\n        self.other()\nLIMIT = 3\n"),
        "class A 1-4, function m 2-4, value LIMIT 5-5",
        "Base helper other self",
    ),
    "a.js": (
        (
            "class A extends Base {\n  m() { helper(); this.other(); }\n}\n"
            "const f = () => {\n  new Thing();\n};\n"
        ),
        "class A 1-3, method m 2-2, function f 4-6",
        "Base Thing helper other",
    ),
    "a.ts": (
        (
            "interface I {}\nabstract class A extends Base {\n"
            "  m(): Kind { helper(); }\n}\nexport const f = () => 1;\n"
        ),
        "type I 1-1, class A 2-4, method m 3-3, function f 5-5",
        "Base Kind helper",
    ),
    "a.tsx": (
        "function View() {\n  return <Panel />;\n}\nexport const Row = () => <Cell />;\n",
        "function View 1-3, function Row 4-4",
        "Cell Panel",
    ),
    "a.go": (
        (
            "package a\nfunc Open() {\n\thelper()\n}\n"
            "func (s *Store) Close() { s.flush() }\ntype Store struct {\n}\nconst Max = 1\n"
        ),
        "function Open 2-4, method Close 5-5, type Store 6-7, value Max 8-8",
        "Store flush helper",
    ),
    "a.rs": (
        (
            "pub struct S;\nimpl S {\n    fn new() { helper(); println!(); }\n"
            "}\ntrait T {}\nmod m {}\nmacro_rules! mac {}\n"
        ),
        "type S 1-1, function new 3-3, type T 5-5, module m 6-6, macro mac 7-7",
        "helper println",
    ),
    "A.java": (
        "class A extends Base {\n  void run() {\n    helper(new Thing());\n  }\n}\n",
        "class A 1-5, method run 2-4",
        "Base Thing helper",
    ),
    "a.kt": (
        "class A : Base() {\n  fun f() { helper() }\n}\nfun String.ext() = 1\nobject O\n",
        "class A 1-3, function f 2-2, function ext 4-4, class O 5-5",
        "Base String helper",
    ),
    "a.scala": (
        "trait T[A] extends Base {\n  def f(x: Int): Kind = helper(x)\n}\nobject O\n",
        "class T 1-3, function f 2-2, class O 4-4",
        "Base Int Kind helper",
    ),
    "a.cs": (
        "class A : Base {\n  int P { get; }\n  void M() { helper(); }\n}\n",
        "class A 1-4, method P 2-2, method M 3-3",
        "Base helper",
    ),
    "a.c": (
        ("#define MAX 3\nstruct use *f(other_t *o)\n{\n  helper();\n}\nstruct p {\n  int x;\n};\n"),
        "macro MAX 1-1, function f 2-5, type p 6-8",
        "helper other_t use",
    ),
    "a.cpp": (
        "class Shape {\n  int x;\n};\nvoid Shape::draw() {\n  helper();\n}\n",
        "class Shape 1-3, function draw 4-6",
        "helper",
    ),
    "a.m": (
        ("@interface A : Base\n@end\n@implementation A\n- (void)run {\n  helper();\n}\n@end\n"),
        "class A 1-2, class A 3-7, method run 4-6",
        "helper",
    ),
    "a.swift": (
        "class A: Base {\n  func f() { helper() }\n}\nprotocol P {}\n",
        "class A 1-3, function f 2-2, class P 4-4",
        "Base helper",
    ),
    "a.dart": (
        "class A extends Base {\n}\nenum E { a }\n",
        "class A 1-2, class E 3-3",
        "Base",
    ),
    "a.rb": (
        "module M\n  class A < Base\n    def m\n      helper(1)\n    end\n  end\nend\n",
        "class M 1-7, class A 2-6, function m 3-5",
        "Base helper",
    ),
    "a.php": (
        (
            "<?php\nclass A extends Base {\n"
            "  function m() { helper(); }\n}\nfunction f() { new Thing(); }\n"
        ),
        "class A 2-4, method m 3-3, function f 5-5",
        "Base Thing helper",
    ),
    "a.lua": (
        "local function f()\n  helper()\nend\nfunction M.g() end\n",
        "function f 1-3, function g 4-4",
        "helper",
    ),
    "a.luau": (
        "local function f(x: number)\n  helper()\nend\n",
        "function f 1-3",
        "helper",
    ),
    "a.sh": (
        "f() {\n  helper\n}\n",
        "function f 1-3",
        "helper",
    ),
    "a.hs": (
        "module X where\ndata A = B\nf :: Int\nf = helper 1\n",
        "type A 2-2, function f 3-4",
        "Int helper",
    ),
    "a.ml": (
        "let f x = helper x\nmodule M = struct end\n",
        "function f 1-1, module M 2-2",
        "helper",
    ),
    "a.pl": (
        "package A;\nsub f {\n  helper(1);\n}\n",
        "module A 1-1, function f 2-4",
        "helper",
    ),
    "a.jl": (
        "function f(x)\n  helper(x)\nend\nstruct A end\n",
        "function f 1-3, type A 4-4",
        "helper",
    ),
    "a.zig": (
        "pub fn f() void {\n    helper();\n}\nconst S = struct {};\n",
        "function f 1-3, value S 4-4",
        "helper",
    ),
    "a.ex": (
        "defmodule A.B do\n  def f(x), do: helper(x)\nend\n",
        "function B 1-3, function f 2-2",
        "helper",
    ),
    "a.erl": (
        "-module(a).\n-record(rec, {x}).\n-define(MAX, 1).\nf(X) ->\n  helper(X).\n",
        "module a 1-1, type rec 2-2, function f 4-5",
        "helper",
    ),
    "a.clj": (
        "(ns a.b)\n(defn f [x]\n  (helper x))\n(def limit 1)\n(defmacro mac [])\n",
        "module b 1-1, function f 2-3, value limit 4-4, macro mac 5-5",
        "a.b helper",
    ),
    "a.r": (
        "f <- function(x) {\n  helper(x)\n}\na + b\n",
        "function f 1-3",
        "helper",
    ),
    "a.nix": (
        "{\n  f = x: helper x;\n  limit = 3;\n}\n",
        "function f 2-2, value limit 3-3",
        "helper",
    ),
    "a.tf": (
        'resource "aws_x" "web" {\n  a = var.size\n}\nvariable "size" {\n}\n',
        "type web 1-3, type size 4-5",
        "size var",
    ),
    "a.sol": (
        "contract C {\n  function f() public { helper(); }\n}\n",
        "class C 1-3, function f 2-2",
        "helper",
    ),
    "a.proto": (
        "message M {\n  Kind k = 1;\n}\nservice S {\n  rpc Get(M) returns (M);\n}\n",
        "type M 1-3, class S 4-6, method Get 5-5",
        "Kind",
    ),
    "CMakeLists.txt": (
        "function(f a)\nendfunction()\nmacro(mac)\nendmacro()\nhelper(1)\n",
        "function f 1-2, macro mac 3-4",
        "helper",
    ),
    "a.graphql": (
        "type A {\n  x: Kind\n}\nenum E { B }\nquery Q { x }\n",
        "type A 1-3, type E 4-4, function Q 5-5",
        "Kind",
    ),
    "a.scss": (
        "@mixin m {\n}\n",
        "macro m 1-2",
        "",
    ),
    "a.ps1": (
        "function F {\n  Get-Helper\n}\n",
        "function F 1-3",
        "Get-Helper",
    ),
    "a.f90": (
        ("module m\ncontains\nsubroutine s(x)\n  call helper(x)\nend subroutine\nend module\n"),
        "module m 1-6, function s 3-5",
        "helper",
    ),
    "A.elm": (
        "module A exposing (..)\ntype B = C\nf x = helper x\n",
        "type B 2-2, function f 3-3",
        "helper",
    ),
    "a.fs": (
        "module A\nlet f x = helper x\ntype T = { X: int }\n",
        "function f 2-2, type T 3-3",
        "helper",
    ),
    "a.sql": (
        "CREATE TABLE t (id int);\nCREATE VIEW v AS SELECT 1 FROM helper;\n",
        "type t 1-1, type v 2-2",
        "helper",
    ),
    "Makefile": (
        "LIMIT = 1\nall: build\n\techo $(LIMIT)\n",
        "value LIMIT 1-1, function all 2-3",
        "LIMIT build",
    ),
    "Dockerfile": (
        "FROM a AS build\nRUN x\n",
        "module build 1-1",
        "",
    ),
    "a.vim": (
        "function! Foo(a)\n  call helper(1)\nendfunction\n",
        "function Foo 1-3",
        "helper",
    ),
    "a.lisp": (
        "(defun f (x)\n  (helper x))\n(defmacro mac ())\n",
        "function f 1-2, function mac 3-3",
        "helper",
    ),
    "a.el": (
        "(defun f (x)\n  (helper x))\n",
        "function f 1-2",
        "helper",
    ),
    "a.scm": (
        "(define (f x)\n  (helper x))\n(define limit 1)\n",
        "function f 1-2, function limit 3-3",
        "helper",
    ),
    "a.rkt": (
        "#lang racket\n(define (f x)\n  (helper x))\n(struct point (x y))\n",
        "function f 2-3, type point 4-4",
        "helper",
    ),
    "a.nim": (
        "proc f(x: int) =\n  helper(x)\ntype\n  A = object\n",
        "function f 1-2, type A 4-4",
        "helper",
    ),
    "a.d": (
        "class A {\n}\nvoid f(int x) {\n  helper(x);\n}\n",
        "class A 1-2, function f 3-5",
        "helper",
    ),
    "a.pas": (
        "program a;\nprocedure f;\nbegin\n  helper(1);\nend;\nbegin\nend.\n",
        "function f 2-5",
        "helper",
    ),
    "a.adb": (
        "procedure F is\nbegin\n   Helper;\nend F;\n",
        "function F 1-4",
        "Helper",
    ),
    "a.v": (
        "module m(input a);\n  helper h(a);\nendmodule\n",
        "module m 1-3",
        "",
    ),
    "a.gleam": (
        "pub fn f(x) {\n  helper(x)\n}\npub type T { A }\n",
        "function f 1-3, type T 4-4",
        "helper",
    ),
    "a.odin": (
        "package a\nf :: proc() {\n  helper()\n}\nS :: struct {}\n",
        "function f 2-4, type S 5-5",
        "helper",
    ),
    "a.bzl": (
        "def f(x):\n  helper(x)\n",
        "function f 1-2",
        "helper",
    ),
    "a.prisma": (
        "model A {\n  id Int\n}\n",
        "type A 1-3",
        "",
    ),
    "a.thrift": (
        "struct A {\n  1: i32 x\n}\nservice S {\n  void get()\n}\n",
        "type A 1-3, class S 4-6, method get 5-5",
        "",
    ),
    "a.tcl": (
        "proc f {x} {\n  helper x\n}\n",
        "function f 1-3",
        "helper",
    ),
    "a.gd": (
        "class_name A\nfunc f(x):\n  helper(x)\n",
        "class A 1-1, function f 2-3",
        "helper",
    ),
    "a.purs": (
        "module A where\ndata T = B\nf x = helper x\n",
        "type T 2-2, function f 3-3",
        "helper",
    ),
    "a.wgsl": (
        "struct S {\n  x: f32,\n}\nfn f() {\n}\n",
        "type S 1-3, function f 4-5",
        "",
    ),
    "a.glsl": (
        "void f() {\n  helper();\n}\n",
        "function f 1-3",
        "helper",
    ),
    "a.cu": (
        "struct p {\n  int x;\n};\n__global__ void f() {\n  helper();\n}\n",
        "type p 1-3, function f 4-6",
        "helper",
    ),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_symbols_of_a_language_are_found_with_their_lines_and_what_it_uses(name: str) -> None:
    text, expected, used = SAMPLES[name]
    grammar = grammar_of(name)
    assert grammar is not None

    chunks, defined, references = parse(text.encode(), grammar)

    found = ", ".join(f"{each.kind} {each.name} {each.line}-{each.last}" for each in defined)
    assert found == expected
    assert " ".join(each for each, _ in references) == used
    assert chunks[0][0] <= 2
    assert chunks[-1][1] <= text.count("\n")


def test_thirty_languages_and_more_have_definitions_and_references() -> None:
    grammars = {str(grammar_of(name)) for name, (_, _, used) in SAMPLES.items() if used}

    assert len(grammars) >= 50


def test_names_without_a_grammar_have_none() -> None:
    assert grammar_of("notes.txt") is None
    assert grammar_of("CMakeLists.txt") is not None


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("a.h", "#pragma once\nint f(void);\n", "c"),
        ("a.h", "template <typename T> struct V {};\n", "cpp"),
        ("a.h", "namespace a {\n}\n", "cpp"),
        ("a.h", "struct S {\n private:\n  int x;\n};\n", "cpp"),
        ("bin/run", "#!/usr/bin/env bash\nf() { :; }\n", "bash"),
        ("bin/run", "#!/usr/bin/python3 -I\n", "python"),
        ("bin/run", "#!/bin/dash\n", "bash"),
    ],
)
def test_a_header_of_cpp_and_a_script_say_by_their_text_what_they_are(
    path: str, text: str, expected: str
) -> None:
    grammar = grammar_for(path, text)

    assert grammar is not None
    assert grammar.name == expected


def test_text_that_says_nothing_has_no_grammar() -> None:
    assert grammar_for("LICENSE", "Do what you want.\n#!/bin/sh\n") is None
    assert grammar_for("notes.txt", "#!/bin/sh\n") is None


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("a.hs", "f :: Int -> Int\nf 0 = 1\nf n = n\n\nx = 3\n", "f 1-3, x 5-5"),
        ("a.hs", "data P = P\n  { deep :: Int\n  }\n", "P 1-3, deep 2-2"),
        ("a.ts", "export function f(a: 1): 1;\nexport function f(a: 2) {\n}\n", "f 1-3"),
        ("a.lua", "function A:f()\nend\nfunction B:f()\nend\n", "f 1-2, f 3-4"),
    ],
)
def test_a_signature_and_clauses_that_follow_it_are_one_definition(
    path: str, text: str, expected: str
) -> None:
    grammar = grammar_of(path)
    assert grammar is not None

    defined = parse(text.encode(), grammar).defined

    assert ", ".join(f"{each.name} {each.line}-{each.last}" for each in defined) == expected


def test_a_name_over_several_lines_is_no_term() -> None:
    told = digest("a.sh", b"f() {\n  x |\n\\.\n  \\\n\n\\.nvm ls\n}\n", parse)

    assert not any("\n" in term for term in told.terms)


def test_a_function_that_is_called_is_a_term_of_the_chunk_that_calls_it() -> None:
    caller = digest("a.py", b"def main():\n    # not stop\n    run()\n", parse)

    assert "=run" in caller.terms
    assert "=stop" not in caller.terms


def test_a_page_is_cut_at_its_headings() -> None:
    page = ["<html>", "<h1>One</h1>", "text", "<section>", "<p>two</p>", "</section>"]

    assert by_html(page) == [(1, 1), (2, 3), (4, 6)]
    assert cutter_of("docs/index.html") is by_html


def test_a_notebook_is_cut_into_its_cells_without_what_they_printed() -> None:
    cells: list[dict[str, object]] = [
        {"cell_type": "markdown", "metadata": None, "source": ["# Title\n", "words"]},
        {
            "cell_type": "code",
            "execution_count": 1,
            "metadata": None,
            "outputs": [{"output_type": "stream", "text": ["printed\n"]}],
            "source": ["import x\n", "x.run([1])"],
        },
        {"cell_type": "code", "metadata": None, "outputs": [], "source": "single"},
    ]
    lines = json.dumps({"cells": cells, "nbformat": 4}, indent=1).split("\n")

    parts = ["\n".join(lines[first - 1 : last]) for first, last in by_cell(lines)]

    assert ["# Title" in parts[0], "x.run([1])" in parts[1], "single" in parts[2]] == [True] * 3
    assert len(parts) == 3
    assert not any("printed" in part for part in parts)
    assert cutter_of("A.ipynb") is by_cell
    assert by_cell(["{}"]) == [(1, 1)]
