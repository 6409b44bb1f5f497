from __future__ import annotations

import pytest

from turbo_tui.knowledge.ranking.exact import parse
from turbo_tui.knowledge.syntax.definitions import definitions, language_of
from turbo_tui.knowledge.syntax.words import parts_of

SAMPLES: dict[str, tuple[str, str]] = {
    "a.py": (
        (
            "import x\nLIMIT: int = 3\nasync def fetch(): ...\nclass A(B):\n    def m(self): ...\n"
            "type T[X] = list\nif a == b: pass\nprint(x)\n"
        ),
        "value LIMIT 2, function fetch 3, class A 4, function m 5, type T 6",
    ),
    "a.tsx": (
        (
            "export default async function load() {}\nexport abstract class View {\n"
            "  private async render(a: X): Promise<void> {\n    if (x) {\n    }\n  }\n}\n"
            "export const useIt = () => 1;\nexport interface Props {}\ntype Id = string;\n"
            "export const enum Color {}\nfunction* gen() {}\n"
        ),
        (
            "function load 1, class View 2, method render 3, value useIt 8,"
            " type Props 9, type Id 10, "
            "type Color 11, function gen 12"
        ),
    ),
    "a.go": (
        (
            "package a\nfunc Open(p string) {}\nfunc (s *Store[T]) Close() {}\n"
            "type Store struct {\n"
            "const Max = 1\nvar x int\n"
        ),
        "function Open 2, function Close 3, type Store 4, value Max 5, value x 6",
    ),
    "a.rs": (
        (
            'pub(crate) async unsafe fn run() {}\nextern "C" fn c_one() {}\nstruct S;\n'
            "pub trait T {}\n"
            "impl S {\n    pub const fn new() {}\n}\nstatic mut N: u8 = 1;\nmacro_rules! mac {}\n"
            "mod m;\n"
        ),
        (
            "function run 1, function c_one 2, type S 3, type T 4, function new 6, value N 8, "
            "macro mac 9, module m 10"
        ),
    ),
    "A.java": (
        (
            "public final class A<T> {\n    private static Map<String, T> of(int a) {\n"
            "        return new B(a);\n    }\n    public A(int x) {}\n}\nrecord P(int x) {}\n"
        ),
        "class A 1, method of 2, method A 5, class P 7",
    ),
    "a.kt": ("data class P(val x: Int)\nsuspend fun <T> go(a: T) {}\n", "class P 1, function go 2"),
    "a.c": (
        (
            "#define MAX 3\nstatic inline char *name_of(int a,\n    int b)\n{\n    "
            "return call(a);\n}\n"
            "int declared(void);\nstruct point {\n};\ntypedef struct {\n} pair_t;\n"
        ),
        "macro MAX 1, function name_of 2, type point 8, type pair_t 11",
    ),
    "a.cpp": (
        (
            "namespace n {\nclass Shape : public Base {\nvoid Shape::draw(int x) const {\n"
            "Shape::~Shape() {\nusing Id = int;\n"
        ),
        "type n 1, type Shape 2, function draw 3, type Id 5",
    ),
    "a.rb": (
        "module M\n  class N::A < B\n    def self.make!(x)\n    def ok?\n    LIMIT = 3\n",
        "class M 1, class A 2, function make! 3, function ok? 4, value LIMIT 5",
    ),
    "a.php": (
        "<?php\nfinal class A {\n  public static function &make($x) {}\n  const B = 1;\n}\n",
        "class A 2, function make 3, value B 4",
    ),
    "a.sh": (
        "build() {\n  echo x\n}\nfunction deploy {\n}\n",
        "function build 1, function deploy 4",
    ),
}


@pytest.mark.parametrize("path", SAMPLES)
def test_definitions_of_a_language_are_found(path: str) -> None:
    text, expected = SAMPLES[path]

    found = ", ".join(f"{each.kind} {each.name} {each.line}" for each in definitions(path, text))

    assert found == expected


def test_unknown_languages_and_minified_files_define_nothing() -> None:
    assert language_of("notes.txt") == ""
    assert definitions("notes.txt", "def x(): ...") == ()
    assert definitions("min.js", "function a(){}" * 1000) == ()


@pytest.mark.parametrize("path", SAMPLES)
def test_a_file_made_to_hurt_defines_what_it_did_before(path: str) -> None:
    text, _ = SAMPLES[path]
    for piece in (
        "a ",
        "\t",
        "public ",
        "a::",
        "(((",
        "static a<",
        "x: ",
        "export ",
        "a*&",
        "{",
        "<",
    ):
        hostile = (
            piece * (400 // len(piece)) + "\n"
        ) * 250  # 100 kB: a pattern that tries all ends hangs

        assert definitions(path, text + hostile) == definitions(path, text), piece


def test_names_are_taken_apart_into_words() -> None:
    assert parts_of("parseHTTPLine2_now") == ["parse", "http", "line", "2", "now"]
    assert parse("  fix parseMatch please ").names == ("parseMatch",)
    assert parse("fix").names == ("fix",)
