"""Where checks failed, read out of what real tools print."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import FolderStage
from turbo_tui.core.ports import CommandResult
from turbo_tui.engine.checks import Check, read_failures, run_check

PYTEST = """\
=================================== FAILURES ===================================
_________________________________ test_total ___________________________________

    def test_total():
>       assert total([1, 2]) == 4
E       assert 3 == 4

tests/test_a.py:5: AssertionError
____________________________ test_deeper _______________________________________

tests/test_a.py:9:
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _
src/app.py:12: in deeper
    raise ValueError
/usr/lib/python3.11/json/decoder.py:337: in decode
    obj, end = self.raw_decode(s)
.venv/lib/python3.11/site-packages/click/core.py:10: ValueError
=========================== short test summary info ============================
FAILED tests/test_a.py::test_total - assert 3 == 4
ERROR tests/test_broken.py - ImportError
2 failed in 0.01s
"""
UNITTEST = """\
FAIL: test_x (test_x.X)
----------------------------------------------------------------------
Traceback (most recent call last):
  File "/work/space/test_x.py", line 6, in test_x
    self.assertEqual(1, 2)
  File "<frozen importlib._bootstrap>", line 1, in f
AssertionError: 1 != 2
"""
RUFF = """\
F401 [*] `os` imported but unused
 --> src/app.py:1:8
  |
1 | import os
Found 1 error.
"""
RUFF_SHORT = "src/app.py:1:8: F401 [*] `os` imported but unused\n"
MYPY = """\
src/app.py:3: error: Incompatible return value type  [return-value]
src/app.py:4: note: See https://mypy.readthedocs.io
Found 1 error in 1 file (checked 1 source file)
"""
PYRIGHT = """\
/work/space/src/app.py
  /work/space/src/app.py:2:5 - error: Type "int" is not assignable to "str"
  /work/space/src/app.py:9:5 - warning: Import cycles
1 error, 1 warning, 0 notes
"""
TSC = "src/a.ts(3,7): error TS2322: Type 'string' is not assignable to type 'number'.\n"
TSC_PRETTY = (
    "\x1b[96msrc/a.ts\x1b[0m:\x1b[93m3\x1b[0m:\x1b[93m7\x1b[0m - \x1b[91merror\x1b[0m TS2322: x\n"
)
ESLINT = """\

/work/space/src/a.js
  1:7   error    'x' is assigned a value but never used  no-unused-vars
  4:1   warning  Unexpected console statement            no-console

/work/space/src/b.js
  2:3  error  Unexpected token
"""
GO = """\
--- FAIL: TestAdd (0.00s)
    add_test.go:8: got 3, want 4
FAIL
./main.go:5:2: undefined: x
"""
RUSTC = """\
error[E0308]: mismatched types
 --> src/main.rs:2:18
  |
2 |     let x: i32 = "a";
thread 'tests::it_works' panicked at src/lib.rs:9:9:
"""
GCC = """\
src/a.c: In function 'main':
src/a.c:3:5: error: 'x' undeclared (first use in this function)
src/a.c:7:1: warning: unused variable
"""
NODE = """\
Error: no
    at f (/work/space/lib/a.js:3:9)
    at Module._compile (node:internal/modules/cjs/loader:1256:14)
    at file:///work/space/lib/b.mjs:1:7
    at g (/work/space/node_modules/x/i.js:1:1)
"""


@pytest.mark.parametrize(
    ("output", "places"),
    [
        (
            PYTEST,
            ["tests/test_a.py:5", "tests/test_a.py:9", "src/app.py:12", "tests/test_broken.py"],
        ),
        (UNITTEST, ["test_x.py:6"]),
        (RUFF, ["src/app.py:1"]),
        (RUFF_SHORT, ["src/app.py:1"]),
        (MYPY, ["src/app.py:3"]),
        (PYRIGHT, ["src/app.py:2"]),
        (TSC, ["src/a.ts:3"]),
        (TSC_PRETTY, ["src/a.ts:3"]),
        (ESLINT, ["src/a.js:1", "src/b.js:2"]),
        (GO, ["add_test.go:8", "main.go:5"]),
        (RUSTC, ["src/main.rs:2", "src/lib.rs:9"]),
        (GCC, ["src/a.c:3"]),
        (NODE, ["lib/a.js:3", "lib/b.mjs:1"]),
        ("All good at 12:30:45\nversion 1.2.3: fine\nhttp://localhost:8000/x\n", []),
        ("../outside.py:3: error\n/etc/other.py:4: error\n", []),
        ("", []),
    ],
)
def test_places_are_read(output: str, places: list[str]) -> None:
    assert read_failures(output, root="/work/space") == places


def test_doubles_are_named_once_and_their_number_is_bounded() -> None:
    output = "".join(f"a.py:{number}: error\n" * 2 for number in range(1, 200))

    places = read_failures(output, most=10)

    assert places == [f"a.py:{number}" for number in range(1, 11)]


async def test_a_real_failing_script_is_placed(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def f():\n    return 1 / 0\nf()\n")

    check = await run_check(FolderStage(tmp_path), ("python3", "a.py"), root=str(tmp_path))

    assert not check.passed
    assert check.failures == ("a.py:3", "a.py:2")
    assert check.why == "`python3 a.py` failed (exit 1) at a.py:3, a.py:2"


async def test_a_passing_check_has_no_failures_whatever_it_prints(tmp_path: Path) -> None:
    check = await run_check(FolderStage(tmp_path), ("echo", "a.py:3: error"))

    assert check.passed
    assert check.failures == ()
    assert check.why == ""


async def test_a_check_that_hangs_fails(tmp_path: Path) -> None:
    check = await run_check(FolderStage(tmp_path), ("sleep", "60"), timeout_s=0.05)

    assert check.why == "`sleep 60` did not end within its time limit"


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (CommandResult(127, "exited", "", 0), "`t -q` cannot be run here (exit 127)"),
        (CommandResult(137, "limit", "", 0), "`t -q` was ended: limit"),
        (CommandResult(2, "exited", "", 0), "`t -q` failed (exit 2)"),
    ],
)
def test_each_way_of_failing_is_said(result: CommandResult, why: str) -> None:
    assert Check(("t", "-q"), result).why == why


def test_many_places_are_summed_up() -> None:
    places = tuple(f"a.py:{number}" for number in range(1, 9))

    why = Check(("t",), CommandResult(1, "exited", "", 0), places).why

    assert why.endswith("a.py:5 and 3 more")
