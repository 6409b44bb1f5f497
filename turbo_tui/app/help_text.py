"""What the help screen says beside the live keys."""

from __future__ import annotations

TOPICS: list[tuple[str, str]] = [
    (
        "The way through",
        (
            "1. Type what you want done in the line at the bottom; enter sends it.\n"
            "2. A plan comes back. Change its steps as you like (in the plan, e writes one anew, o"
            " adds one, d deletes, z takes that back), then press g to start.\n"
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
            " the task line. A pasted task keeps its lines: ␤ stands where one ends, ctrl+j begins"
            " one."
        ),
    ),
    (
        "Reviewing",
        (
            "Only what is marked [x] lands. In the changes, n and p go from hunk to hunk, f and b"
            " from file to file, o shows the list of files.\n"
            "space  leaves a hunk out or takes it in; x does that with the whole file\n"
            "V      chooses lines, up and down stretch it, then space leaves just them out\n"
            "e      edits a hunk here (ctrl+s keeps it), E the whole file; EDITOR is used for a"
            " whole file if it is set, and for what does not fit here. What you wrote lands.\n"
            "c      says something about a line; C takes that back. The step is told when you"
            " reject it (r) or try it again (t).\n"
            "K      runs the step's checks on exactly what is in, A lands that if they pass; both"
            " are there once you left something out or edited it\n"
            "[!]    marks where you changed the same lines meanwhile: < keeps yours, > takes the"
            " step's, + both, e edits; n and p go from one to the next. Then a lands that.\n"
            "l side by side, w wraps, W shows white space, / searches.\n"
            "Where the card above the task line shows a key, it means what the card says."
        ),
    ),
    (
        "Knowledge",
        (
            "4 (or /) searches the project: a name, a phrase, a question. Words of the query"
            " narrow it: lang:py, path:src/ (or a pattern, path:src/*.c), kind:code, tests, docs or"
            " config; with a minus they leave out. Between double quotes a phrase is meant as it"
            " stands. A stack trace, pasted, leads to its places.\n"
            "enter shows the place, o opens it in your editor, s finds places like it (esc comes"
            " back), t goes through the kinds of file, l keeps to its language, w shows all that"
            " speaks for each place.\n"
            "p pins a file: it is given to the next task, and named in the task line until then."
        ),
    ),
    (
        "Timeline",
        (
            "T shows what landed, newest first, each with what it brought. enter compares your"
            " files now with those right after it. u takes a landing back and r lands it again, any"
            " of them, not only the last. Where you have changed the same lines since, nothing is"
            " written; settle it in the changes as at a landing (there > has it as before the"
            " step), then a takes that back. What left your machine is named; it cannot be taken"
            " back."
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
