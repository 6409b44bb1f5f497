"""What the parts cost on large and on hostile inputs, each beside a floor in the same run.

    python bench/core.py [--rounds N] [--only WORD] [--json]

A floor is the least that could be done with the same input: json.loads of the same lines, difflib,
a plain replace, reading the same files. A hostile input is one made to hurt (nested quotes, halves
of secrets); its floor is the same work on the text's two halves, so that work which grows with the
length is 1.0, work which grows with its square 2.0, and the target is at most 1.5. Part and floor
take turns, so that a busy machine slows both alike; figures are medians.
"""

from __future__ import annotations

import argparse
import asyncio
import codecs
import difflib
import json
import os
import random
import shlex
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from inspect import isawaitable
from itertools import chain
from pathlib import Path

sys.path.insert(0, os.fspath(Path(__file__).parents[1]))

from rich.segment import Segment
from textual.app import App, ComposeResult
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from turbo_tui.adapters.event_store import SqliteEventStore, read_log
from turbo_tui.core import events
from turbo_tui.core.codec import canonical, encode
from turbo_tui.core.diffs import diff
from turbo_tui.core.policy import Act, Rule, ruling
from turbo_tui.core.redact import Redactor
from turbo_tui.core.session import Session
from turbo_tui.knowledge.syntax.definitions import definitions
from turbo_tui.sandbox.process.sanitiser import Sanitiser
from turbo_widgets.diff_pane import DiffFile, DiffHunk, DiffLine, DiffPane, DiffValue

TARGET_GROWTH = 1.5
EVENTS = LINES = 10_000
FILES = 1_000
SECRET = "Kx7Qm2Zp9Rt4Vw8Ys3Bd6Nf1Hj5Lg0Tc"  # noqa: S105  # made up
CHUNK = 65_536

Work = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """A part and its floor; the target is for their ratio, 0: none."""

    name: str
    floor_name: str
    part: Work
    floor: Work
    target: float = 0.0


@dataclass(frozen=True)
class Row:
    """What was measured of a case."""

    name: str
    part_ms: float
    floor: str
    floor_ms: float
    ratio: float
    target: float

    @property
    def missed(self) -> bool:
        """Whether there is a target and the ratio is above it."""
        return 0 < self.target < self.ratio


class Settings(argparse.Namespace):
    """What the command line says."""

    rounds: int
    only: str
    json: bool


# --- the session's log ---------------------------------------------------------


def log_cases(base: Path) -> Iterator[Case]:
    happened = [
        events.ToolFinished(str(number), ok=True, output="text " * 40) for number in range(EVENTS)
    ]
    written = write_log(base / "read", happened)
    lines = [canonical(encode(event)) for event in happened]
    yield Case(
        f"log, {EVENTS:,} events read",
        "json.loads of them",
        lambda: sum(1 for _ in read_log(written)),
        lambda: [json.loads(line) for line in lines],
    )
    yield Case(
        f"log, {EVENTS:,} events written",
        "json.dumps, a file",
        lambda: write_log(base / "written", happened),
        lambda: (base / "lines").write_text("\n".join(map(json.dumps, map(encode, happened)))),
    )


def write_log(folder: Path, happened: Sequence[events.Event]) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    with closing(Session(SqliteEventStore(folder), clock=lambda: 1.0)) as session:
        for event in happened:
            session.append(event)
    return folder


# --- texts ---------------------------------------------------------------------


def diff_cases() -> Iterator[Case]:
    chance = random.Random(1)  # noqa: S311  # a seed, not a secret
    old = [b"    return value_%d\n" % chance.randrange(4000) for _ in range(LINES)]
    new = list(old)
    for _ in range(300):
        at = chance.randrange(len(new))
        new[at : at + chance.randrange(3)] = [b"new %d\n" % chance.randrange(50)]
    shuffled = chance.sample(old, len(old))
    for name, other in (("300 edits", new), ("all lines moved", shuffled)):
        before, after = b"".join(old), b"".join(other)
        yield Case(
            f"diff, {LINES:,} lines, {name}",
            "difflib",
            lambda before=before, after=after: diff(before, after),
            lambda other=other: difflib.SequenceMatcher(None, old, other).get_opcodes(),
        )


def redaction_cases() -> Iterator[Case]:
    redact = Redactor({"SOME_KEY": SECRET})
    source = Path(argparse.__file__).read_text(encoding="utf-8") * 4
    yield Case(
        f"redaction, {len(source) // 1000} kB of source",
        "str.replace",
        lambda: redact(source),
        lambda: source.replace(SECRET, ""),
    )
    pieces = (
        "a", "sk-", "sk-a", "-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "eyJaaaaaaaaaaaa.",
        "eyJ", "bearer ", "bearer a", "http://a:", "http://", "a://b:c", "ghp_", "A",
    )  # fmt: skip
    yield hostile("redaction", [piece * (400_000 // len(piece)) for piece in pieces], redact)


def policy_cases() -> Iterator[Case]:
    rules = (
        Rule("deny", "command", ("git", "push"), "config.toml"),
        Rule("deny", "path", ("x*",), "config.toml"),
    )

    def judge(line: str) -> object:
        return ruling(Act("command", argv=("sh", "-c", line)), rules, workspace="/w")

    plain = "cd src && python -m pytest -q tests/core | tail -5 > 'the log.txt'"
    yield Case(
        "policy, 500 ordinary commands",
        "shlex.split",
        lambda: [judge(plain) for _ in range(500)],
        lambda: [shlex.split(plain) for _ in range(500)],
    )
    pieces = ("a;", "'", "$(", '"a" ', "sh -c ", "eval ")
    yield hostile("policy", [piece * (20_000 // len(piece)) for piece in pieces], judge)


def definition_cases() -> Iterator[Case]:
    paths = ("a.py", "a.tsx", "a.go", "a.rs", "A.java", "a.kt", "a.c", "a.rb", "a.php", "a.sh")
    pieces = ("a ", "\t", "public ", "a::", "(((", "static a<", "x: ", "export ", "a*&", "{", "<")
    texts = [(piece * (400 // len(piece)) + "\n") * 50 for piece in pieces]
    yield hostile("definitions", texts, lambda text: [definitions(path, text) for path in paths])


def sanitiser_cases() -> Iterator[Case]:
    flood = b"0123456789\n" * 500_000
    coloured = b"\x1b[32mPASSED\x1b[0m tests/test_a.py\r\n" * 60_000
    for name, output in (("plain", flood), ("coloured", coloured)):
        yield Case(
            f"output made safe, {len(output) / 1e6:.1f} MB, {name}",
            "decoding UTF-8",
            lambda output=output: flow(output, Sanitiser().feed),
            lambda output=output: flow(
                output, codecs.getincrementaldecoder("utf-8")("replace").decode
            ),
        )
    pieces = (b"\x1b", b"\x1b[", b"\x1b]", b"\r", b"\x1b[31m", b"\xff", b"\x1bP0;", b"x\x08")
    texts = [(piece * (200_000 // len(piece))).decode("latin-1") for piece in pieces]
    yield hostile(
        "output made safe", texts, lambda text: flow(text.encode("latin-1"), Sanitiser().feed)
    )


def flow(output: bytes, feed: Callable[[bytes], str]) -> int:
    """Feed output as a pipe would; return the length of what came out."""
    return sum(len(feed(output[at : at + CHUNK])) for at in range(0, len(output), CHUNK))


def hostile(name: str, texts: Sequence[str], work: Callable[[str], object]) -> Case:
    halves = [half for text in texts for half in (text[: len(text) // 2], text[len(text) // 2 :])]
    return Case(
        f"{name}, {sum(map(len, texts)) // 1000:,} kB made to hurt",
        "the same in halves",
        lambda: [work(text) for text in texts],
        lambda: [work(half) for half in halves],
        TARGET_GROWTH,
    )


# --- the diff pane -------------------------------------------------------------


class Lines(ScrollView):
    """The least that shows as many lines: no values, no styles, nothing kept."""

    def render_line(self, y: int) -> Strip:
        """Draw a visible line."""
        return Strip([Segment(f"line {y}")])


class OneWidget(App[None]):
    """Shows a widget."""

    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self.widget = widget

    def compose(self) -> ComposeResult:
        """Make what is on the screen."""
        yield self.widget


async def shown_in_pane(value: DiffValue) -> None:
    pane = DiffPane()
    async with OneWidget(pane).run_test(size=(100, 40)) as pilot:
        pane.show(value)
        await pilot.pause()


async def shown_bare() -> None:
    bare = Lines()
    async with OneWidget(bare).run_test(size=(100, 40)) as pilot:
        bare.virtual_size = Size(100, LINES)
        bare.refresh()
        await pilot.pause()


def pane_cases() -> Iterator[Case]:
    value = value_of("line")
    yield Case(
        f"diff pane, {LINES:,} lines, first frame",
        "a bare ScrollView",
        lambda: shown_in_pane(value),
        shown_bare,
    )


def value_of(word: str) -> DiffValue:
    lines = tuple(DiffLine("added", f"{word} {number}", 0, number) for number in range(LINES))
    hunk = DiffHunk("line 1", lines)
    return DiffValue(word, (DiffFile(f"{word}.py", "update", (hunk,), added=LINES),))


# --- measuring -----------------------------------------------------------------


async def seconds(work: Work) -> float:
    began = time.perf_counter()
    done = work()
    if isawaitable(done):
        await done
    return time.perf_counter() - began


async def measure(case: Case, rounds: int) -> Row:
    """Let part and floor take turns; the first, which warms the caches, is dropped."""
    taken = [(await seconds(case.part), await seconds(case.floor)) for _ in range(rounds + 1)]
    part, floor = (statistics.median(column) for column in zip(*taken[1:], strict=True))
    return Row(case.name, part * 1e3, case.floor_name, floor * 1e3, part / floor, case.target)


async def measure_all(base: Path, given: Settings) -> list[Row]:
    at_once = chain(
        log_cases(base),
        diff_cases(),
        redaction_cases(),
        policy_cases(),
        definition_cases(),
        sanitiser_cases(),
        pane_cases(),
    )
    return [await measure(case, given.rounds) for case in at_once if given.only in case.name]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", help="cases whose name holds this word")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(namespace=Settings())
    base = Path(tempfile.mkdtemp(prefix="turbo-tui-bench-"))
    try:
        rows = asyncio.run(measure_all(base, given))
    finally:
        shutil.rmtree(base, ignore_errors=True)
    missed = [row.name for row in rows if row.missed]
    if given.json:
        print(json.dumps({"rows": [asdict(row) for row in rows], "missed": missed}))
        return int(bool(missed))
    print(f"Medians of {given.rounds} turns each, ms")
    print(f"{'':44}{'part':>10}{'floor':>10}{'ratio':>9}  floor is")
    for row in rows:
        verdict = ""
        if row.target:
            verdict = f" (target <= {row.target}: {'MISSED' if row.missed else 'held'})"
        cells = f"{row.part_ms:10.2f}{row.floor_ms:10.2f}{row.ratio:9.2f}"
        print(f"{row.name:44}{cells}  {row.floor}{verdict}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
