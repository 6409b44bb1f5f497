"""How a model's edits fare: generated from real files, damaged, with near copies beside them.

    python bench/edits.py [--cases N] [--seed N] [--json]

For each damage it counts edits of the same seeded corpus as tests/edits: applied as meant, refused,
and applied in another way (wrong: the target is 0). The time is that of finding and writing one
edit in its file; the floor beside it is bytes.replace of the text as it stands there. A refusal is
right where a near copy differs in just the rows that are damaged.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, os.fspath(Path(__file__).parents[1]))

from tests.edits.corpus import Case, damaged_cases, npm_files, outcome, plain_cases
from tests.edits.replays import Replay, replays
from turbo_tui.edits.ladder import replace_chunks
from turbo_tui.edits.match_error import MatchError
from turbo_tui.edits.outcome import RefusedError
from turbo_tui.edits.rewriting import replaced
from turbo_tui.edits.text_file import decode
from turbo_tui.edits.values import Chunk

WORST_ROWS = 20_000
WORST_MS = 500


class Settings(argparse.Namespace):
    """What the command line says."""

    cases: int
    seed: int
    json: bool


class Row:
    """What became of the edits of one kind."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.rungs: Counter[str] = Counter()
        self.part_ms: list[float] = []
        self.floor_ms: list[float] = []

    def add(self, case: Case) -> None:
        """Apply a case and time its parts."""
        result, rung = outcome(case)
        self.outcomes[result] += 1
        if rung:
            self.rungs[rung] += 1
        if case.form != "whole":
            self.part_ms.append(milliseconds(lambda: found(case)))
            gone, new = changed(case)
            self.floor_ms.append(milliseconds(lambda: case.before.replace(gone, new, 1)))


def found(case: Case) -> None:
    with suppress(MatchError):
        replace_chunks(decode(case.before), [case.chunk])


def changed(case: Case) -> tuple[bytes, bytes]:
    """Return what of the file goes and what comes."""
    head = len(os.path.commonprefix([case.before, case.after]))  # noqa: RUF071  # of bytes
    return case.before[head : head + 400], case.after[head : head + 400]


def replayed(number: int, seed: int) -> dict[str, Counter[str]]:
    """Replay hunks of this project's own history; a second time they must be refused."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in replays(Path(__file__).parents[1], number, seed):
        found[one.kind][replay_outcome(one)] += 1
    return dict(found)


def replay_outcome(one: Replay) -> str:
    """Say what became of a hunk."""
    try:
        text = replaced(decode(one.before.encode()), [one.chunk]).file.text
    except RefusedError:
        return "refused"
    if one.after is None:
        return "unchanged" if text == one.before else "wrong"
    return "applied" if text == one.after else "wrong"


def milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3


def worst_ms() -> float:
    """Time the refusal of 200 lines that a file of 20,000 has not."""
    text = "".join(
        f"    value_{n} = compute({n * 7919 % 10007}, other)\n" for n in range(WORST_ROWS)
    )
    lines = (f"    vulue_{n * 13} = computes({n}, something)\n" for n in range(200))
    old = "".join(lines)
    file = decode(text.encode())

    def refused() -> None:
        with suppress(MatchError):
            replace_chunks(file, [Chunk(old, "x\n")])

    return statistics.median(milliseconds(refused) for _ in range(5))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cases", type=int, default=40, help="of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(namespace=Settings())
    rows: defaultdict[tuple[str, bool], Row] = defaultdict(Row)
    for made in (plain_cases, damaged_cases):
        for case in made(given.cases, given.seed):
            rows[case.name, case.decoy].add(case)
    wrong = sum(row.outcomes["wrong"] for row in rows.values())
    history = replayed(given.cases * 5, given.seed)
    worst = worst_ms()
    if given.json:
        kinds = [as_json(*pair) for pair in rows.items()]
        print(json.dumps({"rows": kinds, "history": history, "worst_ms": worst}))
        return int(wrong > 0)
    print(f"{'':34}{'applied':>9}{'refused':>9}{'wrong':>7}{'ms':>8}{'floor':>8}  rungs")
    for (name, decoy), row in rows.items():
        counts = "".join(
            f"{row.outcomes[result]:{width}}"
            for result, width in (("applied", 9), ("refused", 9), ("wrong", 7))
        )
        times = f"{statistics.median(row.part_ms):8.2f}{statistics.median(row.floor_ms):8.3f}"
        rungs = " ".join(f"{rung} {count}" for rung, count in row.rungs.most_common())
        print(f"{name + (', near copy' if decoy else ''):34}{counts}{times}  {rungs}")
    total = sum((row.outcomes for row in rows.values()), Counter[str]())
    print(
        f"{total.total()} edits: {total['applied']} applied, {total['refused']} refused, "
        f"{wrong} wrong (target 0: {'MISSED' if wrong else 'held'})"
    )
    for kind, counts in history.items():
        told = ", ".join(f"{count} {result}" for result, count in sorted(counts.items()))
        print(f"history, {kind}: {told}")
    held = "held" if worst < WORST_MS else "MISSED"
    print(f"200 missing lines in {WORST_ROWS:,}: {worst:.0f} ms (target {WORST_MS}: {held})")
    if not npm_files():
        print("without files of npm: it was not found beside node")
    return int(wrong > 0 or worst >= WORST_MS)


def as_json(kind: tuple[str, bool], row: Row) -> dict[str, object]:
    return {
        "kind": kind[0],
        "near_copy": kind[1],
        **{result: row.outcomes[result] for result in ("applied", "refused", "wrong")},
        "rungs": dict(row.rungs),
        "ms": statistics.median(row.part_ms),
        "floor_ms": statistics.median(row.floor_ms),
    }


if __name__ == "__main__":
    sys.exit(main())
