"""Make every attempt in every configuration and print what came of it: `python -m tests.escape`.

`--copies` adds the stages that are copies; names of attempts make only those.
"""

from __future__ import annotations

import sys

from tests.escape.configurations import COPIES, USUAL, Outcome, counts, run
from tests.escape.run import ATTEMPTS
from tests.escape.staged import HOST


def main(arguments: list[str]) -> int:
    """Print the table; 1 when anything broke or could not be tried."""
    only = tuple(word for word in arguments if not word.startswith("-"))
    wanted = (*USUAL, *COPIES) if "--copies" in arguments else USUAL
    outcomes: dict[str, Outcome] = {}
    made = {group: run(group, only) for group in dict.fromkeys(each.group for each in wanted)}
    for configuration in wanted:
        outcome = outcomes[configuration.name] = made[configuration.group][configuration]
        said = outcome.crashed or outcome.refused or f"{outcome.rung} {counts(outcome)}"
        sys.stderr.write(f"{configuration.name}: {said}\n")
    titles = {each.name: each.title for each in (*ATTEMPTS, *HOST)}
    tried = {name: outcome for name, outcome in outcomes.items() if outcome.results}
    widths = [max(len(name), 9) for name in tried]
    heads = (name.ljust(width) for name, width in zip(tried, widths, strict=True))
    lines = ["  ".join((*heads, "attempt"))]
    for name, title in titles.items():
        if only and name not in only:
            continue
        words = (outcome.results[name].status for outcome in tried.values())
        cells = (word.ljust(width) for word, width in zip(words, widths, strict=True))
        lines.append("  ".join((*cells, f"{title} [{name}]")))
    lines.append("")
    for status in ("held", "gap", "BROKE", "not shown"):
        cells = (
            str(counts(outcome).get(status, 0)).ljust(width)
            for outcome, width in zip(tried.values(), widths, strict=True)
        )
        lines.append("  ".join((*cells, status)))
    lines += [
        "",
        "held: the same program succeeds without a sandbox. gap: the rung's report says so.",
        "not shown: without a sandbox it did not succeed here either, so it proves nothing.",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    broke = any(counts(outcome).get("BROKE") for outcome in tried.values())
    return 1 if broke or any(outcome.crashed for outcome in outcomes.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
