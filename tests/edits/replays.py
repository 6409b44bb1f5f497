"""Hunks of a git history, made anew on the files that they were made of."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from tests.edits.damage import misquoted, text_of
from turbo_tui.edits.values import Chunk

_MOST_BYTES = 120_000
_MOST_COMMITS = 2_000
_CONTEXT = (1, 2, 3, 3, 3, 4)  # rows around a change


@dataclass(frozen=True)
class Replay:
    """A hunk and the file it is for.

    Attributes:
        kind: `hunk` as it is, `again` on what it led to, `blank edges` and `blank edges again`
            with context up to a blank row, `row left out`, `row misquoted`.
        after: What it leads to; None where only a refusal is right.
    """

    kind: str
    before: str
    after: str | None
    chunk: Chunk


def replays(root: Path, number: int, seed: int = 1) -> Iterator[Replay]:
    """Yield replays of one hunk each of so many changed files; none without a history."""
    chance = random.Random(seed)  # noqa: S311
    for before, after in _changed_files(root, number, chance):
        yield from replays_of(before, after, chance)


def replays_of(before: str, after: str, chance: random.Random) -> Iterator[Replay]:
    """Yield replays of one hunk of a change; both texts end with a line end."""
    rows, fresh = before[:-1].split("\n"), after[:-1].split("\n")
    matcher = SequenceMatcher(None, rows, fresh, autojunk=False)
    groups = list(matcher.get_grouped_opcodes(chance.choice(_CONTEXT)))
    if groups:
        yield from _of_hunk(rows, fresh, chance.choice(groups), chance)


def _of_hunk(
    rows: list[str],
    fresh: list[str],
    ops: list[tuple[str, int, int, int, int]],
    chance: random.Random,
) -> Iterator[Replay]:
    first, stop = ops[0][1], ops[-1][2]
    new = fresh[ops[0][3] : ops[-1][4]]
    if not any(row.strip() for row in rows[first:stop]):
        return
    before, after = text_of(rows), text_of([*rows[:first], *new, *rows[stop:]])
    begin, end = first, stop
    while begin > 0 and rows[begin].strip():
        begin -= 1
    while end < len(rows) and rows[end - 1].strip():
        end += 1
    wide = [*rows[begin:first], *new, *rows[stop:end]]
    adds = len(new) > stop - first  # the rows that go could stand twice, and go twice
    for kind, old, rest in (
        ("hunk", rows[first:stop], new),
        ("blank edges", rows[begin:end], wide),
    ):
        chunk = Chunk(text_of(old), text_of(rest), whole_lines=True)
        yield Replay(kind, before, after, chunk)
        if adds:
            yield Replay(f"{kind} again", after, None, chunk)
    old = rows[first:stop]
    stays = [
        (op[1] - first + at, op[3] - ops[0][3] + at)
        for op in ops
        if op[0] == "equal"
        for at in range(op[2] - op[1])
    ]
    told = [(at, there) for at, there in stays if old[at].strip() and 0 < at < len(old) - 1]
    if told:
        at, there = chance.choice(told)
        for kind, row in (("left out", []), ("misquoted", [misquoted(old[at], chance)])):
            mine, others = (
                [*old[:at], *row, *old[at + 1 :]],
                [*new[:there], *row, *new[there + 1 :]],
            )
            if row != [old[at]]:
                chunk = Chunk(text_of(mine), text_of(others), whole_lines=True)
                yield Replay(f"row {kind}", before, after, chunk)


def _changed_files(root: Path, number: int, chance: random.Random) -> Iterator[tuple[str, str]]:
    git = shutil.which("git")
    if git is None or not (root / ".git").exists():
        return

    def output(*argv: str) -> bytes:
        done = subprocess.run([git, "-C", root, *argv], capture_output=True, check=False)
        return done.stdout

    raw = output(
        "log", "--no-merges", "--no-renames", "--diff-filter=M", "--raw", "--no-abbrev",
        "--format=", f"-n{_MOST_COMMITS}", "--", "*.py", "*.md",
    )  # fmt: skip
    changes = [row.split() for row in raw.decode().splitlines() if row.startswith(":100")]
    chance.shuffle(changes)
    for fields in changes[:number]:
        before, after = (output("cat-file", "blob", name) for name in fields[2:4])
        if max(len(before), len(after)) > _MOST_BYTES or b"\r" in before + after:
            continue
        if before.endswith(b"\n") and after.endswith(b"\n") and b"\0" not in before + after:
            yield before.decode(), after.decode()
