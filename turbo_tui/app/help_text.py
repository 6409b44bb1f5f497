"""What the help screen says beside the live keys."""

from __future__ import annotations

TOPICS: list[tuple[str, str]] = [
    (
        "The way through",
        (
            "1. Type what you want done in the line at the bottom; enter sends it.\n"
            "2. A plan comes back. Change its steps as you like, then press g to start.\n"
            "3. Each step runs in a copy of your files, in a sandbox. Yours stay as they are.\n"
            "4. Look at the changes, leave hunks out with space, and press a to land the rest, "
            "or r to reject the step and say why."
        ),
    ),
    (
        "Fields and panes",
        (
            "In a field (task, search, filter) keys are text. Escape leaves the field; then"
            " single letters act. Tab goes to the next pane, 1 to 5 open one, and i comes back to"
            " the task line."
        ),
    ),
    (
        "auto and ask",
        (
            "A step on ask waits for you. A step on auto lands by itself when its checks pass; "
            "only you can set that (m in the plan)."
        ),
    ),
    (
        "Running ahead",
        (
            "While you review a step, the next ones already run on top of it. The plan says which "
            "were made on which; they land in that order, and v goes to the one to decide first. "
            "Reject a step, and those made on it run again."
        ),
    ),
    (
        "Stopping",
        (
            "ctrl+c interrupts what runs; its work is kept and can be continued. ctrl+q quits; the "
            "session can be resumed."
        ),
    ),
]
