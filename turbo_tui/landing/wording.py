"""How refusals speak of the two sides, and of what a rollback left or could not finish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wording:
    """How refusals speak of the two sides; by default of a step that lands.

    Attributes:
        since: When the compared path was as the change expects it.
        deletes, changes: What the change does to a path that someone else changed.
        ours, theirs: Names at conflict markers.
    """

    since: str = "the step began"
    deletes: str = "the step deletes it"
    changes: str = "the step changed it too"
    ours: str = "yours"
    theirs: str = "this step"


def of_undo(step_id: str) -> Wording:
    """Speak of taking back what a step landed."""
    return Wording(
        since=f"step {step_id} landed",
        deletes="undoing that deletes it",
        changes="that step had changed it",
        ours="now",
        theirs=f"before step {step_id}",
    )


def of_redo(step_id: str) -> Wording:
    """Speak of landing again what was undone."""
    return Wording(
        since=f"step {step_id} was undone",
        deletes="that step deletes it",
        changes="that step changes it",
        ours="now",
        theirs=f"after step {step_id}",
    )


def stuck_words(stuck: Sequence[str]) -> str:
    """Name what a rollback could not put back."""
    if not stuck:
        return ""
    return (
        f" These could not be put back yet: {', '.join(stuck)}. Their old content is kept beside "
        "them under hidden names; the next start tries again."
    )


def theirs_words(theirs: Sequence[tuple[str, str]]) -> str:
    """Name what someone else wrote meanwhile: each path, and where it is kept."""
    said = [path if path == where else f"{path} (kept as {where})" for path, where in theirs]
    if not said:
        return ""
    return f" Someone else changed these meanwhile, and theirs stays: {', '.join(said)}."
