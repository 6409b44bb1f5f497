"""Places in stack traces, as their languages print them."""

from __future__ import annotations

import pytest

from turbo_tui.core.traces import LINE_END, Frame, read_trace

PYTHON = """Traceback (most recent call last):
  File "/app/src/main.py", line 10, in <module>
    run()
  File "/app/src/retry.py", line 5, in again
    raise TimeoutError("gave up")
TimeoutError: gave up after 3 tries
"""
PYTEST = """    def test_sum():
>       assert total() == 1
E       assert 2 == 1

tests/test_sum.py:12: AssertionError
"""
NODE = """TypeError: Cannot read properties of undefined (reading 'x')
    at parse (/home/u/app/src/parse.js:12:7)
    at async Object.<anonymous> (file:///home/u/app/src/main.mjs:3:1)
    at node:internal/main/run_main_module:23:47
"""
GO = """panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
main.pick(...)
	/home/u/app/pick.go:9
main.main()
	/home/u/app/cmd/main.go:14 +0x1d
"""
RUST = """thread 'main' panicked at src/parse.rs:4:5:
called `Option::unwrap()` on a `None` value
stack backtrace:
   1: app::parse::read
             at ./src/parse.rs:4:5
   2: app::main
             at ./src/main.rs:2:3
"""
JAVA = """Exception in thread "main" java.lang.IllegalStateException: cannot open
	at com.example.Store.open(Store.java:31)
	at com.example.Main.main(Main.java:8)
Caused by: java.io.IOException: disk full
	at java.base/java.io.FileOutputStream.write(FileOutputStream.java:5)
	at com.example.Disk$Writer.flush(Disk.java:17)
	... 1 more
"""
TRACES = {
    "python": (
        PYTHON,
        [Frame("/app/src/retry.py", 5, "again"), Frame("/app/src/main.py", 10, "<module>")],
        "TimeoutError: gave up after 3 tries",
    ),
    "pytest": (PYTEST, [Frame("tests/test_sum.py", 12)], "assert 2 == 1"),
    "node": (
        NODE,
        [
            Frame("/home/u/app/src/parse.js", 12, "parse"),
            Frame("/home/u/app/src/main.mjs", 3, "Object.<anonymous>"),
        ],
        "TypeError: Cannot read properties of undefined (reading 'x')",
    ),
    "go": (
        GO,
        [Frame("/home/u/app/pick.go", 9), Frame("/home/u/app/cmd/main.go", 14)],
        "panic: runtime error: index out of range [5] with length 3",
    ),
    "rust": (
        RUST,
        [Frame("src/parse.rs", 4), Frame("./src/parse.rs", 4), Frame("./src/main.rs", 2)],
        "called `Option::unwrap()` on a `None` value",
    ),
    "java": (
        JAVA,
        [
            Frame("java/io/FileOutputStream.java", 5, "write"),
            Frame("com/example/Disk.java", 17, "flush"),
            Frame("com/example/Store.java", 31, "open"),
            Frame("com/example/Main.java", 8, "main"),
        ],
        "java.io.IOException: disk full",
    ),
}


@pytest.mark.parametrize("language", TRACES)
def test_the_innermost_place_of_the_first_cause_comes_first(language: str) -> None:
    text, frames, message = TRACES[language]

    trace = read_trace(text)

    assert list(trace.frames) == frames
    assert trace.message == message


@pytest.mark.parametrize("language", TRACES)
def test_a_trace_in_a_field_of_one_line_says_the_same(language: str) -> None:
    text, *_ = TRACES[language]
    lines = (line.strip() for line in text.split("\n"))

    assert read_trace(f" {LINE_END} ".join(filter(None, lines))) == read_trace(text)


def test_a_path_of_windows_has_slashes() -> None:
    trace = read_trace('  File "C:\\app\\main.py", line 3, in run\nValueError: no\n')

    assert trace.frames == (Frame("C:/app/main.py", 3, "run"),)


@pytest.mark.parametrize(
    "text",
    [
        "retry with backoff",
        "where is main.go:14 written",
        "at (x.js)",
        "File x line 3",
        "kind:test",
    ],
)
def test_a_question_is_no_trace(text: str) -> None:
    assert read_trace(text).frames == ()


def test_a_trace_that_says_nothing_but_places_has_no_message() -> None:
    assert read_trace("    at f (a.js:1:2)\n    at g (b.js:2:3)\n").message == ""


def test_words_made_to_hurt_are_read_in_time() -> None:
    assert read_trace("at " * 20_000 + "a." * 20_000).frames == ()


@pytest.mark.parametrize(
    ("text", "frame", "message"),
    [
        ("lib/url.c:3295", Frame("lib/url.c", 3295), ""),
        ("url.c:12:3: error: expected ';'", Frame("url.c", 12), "error: expected ';'"),
        ("bin/tool:4:exec x", Frame("bin/tool", 4), "exec x"),
        ("error[E0308]: mismatched\n  --> src/main.rs:10:5\n", Frame("src/main.rs", 10), ""),
    ],
)
def test_a_place_that_a_line_begins_with_is_one(text: str, frame: Frame, message: str) -> None:
    trace = read_trace(text)

    assert trace.named
    assert trace.frames == (frame,)
    assert trace.message == message


@pytest.mark.parametrize("text", ["kind:12", "like:src/a.py:3", "std::a.b", "12:30", "see a.c:3"])
def test_a_filter_a_time_or_a_word_is_no_place(text: str) -> None:
    assert read_trace(text).frames == ()
