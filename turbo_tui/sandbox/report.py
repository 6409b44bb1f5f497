"""One report of what confines commands: composed here from the stage's kind and its confiner."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, cast, get_args

from turbo_tui.core.errors import StageError
from turbo_tui.core.ports import Guarantee, Level, Rung, SandboxReport
from turbo_tui.sandbox.place import Confiner

NAMES = ("writes", "reads", "network", "limits", "tree")
LABELS: dict[Level, str] = {"full": "full", "reduced": "reduced", "none": "UNSANDBOXED"}


def compose(
    kind: Literal["overlay", "copy"], confiner: Confiner, reasons: Sequence[str] = ()
) -> SandboxReport:
    """Say what holds where commands of a stage run.

    Args:
        kind: How the stage is made.
        confiner: What runs its commands.
        reasons: Why nothing better is used.

    Raises:
        StageError: There is no such rung: without a sandbox, commands run in copies only.
    """
    rung = f"{kind}+{confiner.name}"
    if rung not in get_args(Rung):
        why = "; ".join(reason.rstrip(".") for reason in reasons)
        raise StageError(
            f"This stage is an {kind}, made for commands in a sandbox, and here they run "
            f"{_words(confiner.name)}{f' ({why})' if why else ''}. Its files are kept. Bring the "
            "sandbox back and take it up again (`turbo-tui doctor` says how), or start the step "
            "again, in a copy."
        )
    held = once_each(confiner.guarantees)
    level: Level = "full" if all(each.held for each in held) else "reduced"
    if confiner.name == "unsandboxed":
        level = "none"
    return SandboxReport(cast("Rung", rung), level, held, tuple(reasons))


def once_each(given: Iterable[Guarantee]) -> tuple[Guarantee, ...]:
    """Return the five guarantees in their order; what is said twice holds if both do.

    What nobody speaks of is not held.
    """
    by_name: dict[str, list[Guarantee]] = {name: [] for name in NAMES}
    for each in given:
        by_name[each.name].append(each)
    return tuple(
        Guarantee(
            name,
            held=bool(said) and all(each.held for each in said),
            detail="; ".join(dict.fromkeys(each.detail for each in said)) or "not known",
        )
        for name, said in by_name.items()
    )


def _words(confiner: str) -> str:
    return "with your own rights" if confiner == "unsandboxed" else f"under {confiner}"
