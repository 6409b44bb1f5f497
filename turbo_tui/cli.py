"""The door: opens the app at once, or reads names and flags and runs a command."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from turbo_tui.core.errors import OutputClosedError, TurboError
from turbo_tui.core.plain import plain_lines

INTERRUPTED = 130
COMPLETING = "_TURBO_TUI_COMPLETE"  # click's name for a shell's question what may follow
COMMANDS = frozenset(
    {"run", "plan", "apply", "sandbox", "policy", "index", "search", "session", "doctor"}
)


def main() -> None:
    """Run the command line; every foreseen error is one clear message and an exit code."""
    if sys.platform == "win32":
        sys.stderr.write(
            "turbo-tui runs on Linux and macOS. On Windows, use WSL2: `wsl --install`, then "
            "install turbo-tui inside it.\n"
        )
        raise SystemExit(2)
    try:
        if only_opens(sys.argv[1:]) and COMPLETING not in os.environ:
            from turbo_tui.commands.open import open_in_app  # noqa: PLC0415  Textual

            path = sys.argv[1] if sys.argv[1:] else "."
            code = open_in_app(path, demo=False, here=False, new=False, session="")
        else:
            from turbo_tui.commands.output import watched_output  # noqa: PLC0415
            from turbo_tui.commands.program import run_program  # noqa: PLC0415  click

            with watched_output():
                code = run_program()
    except KeyboardInterrupt:
        sys.stderr.write("turbo-tui: interrupted.\n")
        code = INTERRUPTED
    except OutputClosedError as error:  # as `| head` does: no other program says a word to it
        code = error.exit_code
    except TurboError as error:
        sys.stderr.write(plain_lines(f"turbo-tui: {error}\n"))  # it may quote a model or a file
        code = error.exit_code
    raise SystemExit(code)


def only_opens(words: Sequence[str]) -> bool:
    """Tell whether the words are nothing or a folder: then the flags' library need not load.

    It takes a fifth of the time to the first frame.
    """
    if len(words) != 1:
        return not words
    word = words[0]
    is_path = "/" in word or os.path.exists(word)  # noqa: PTH110  pathlib is imported later
    return is_path and word not in COMMANDS and not word.startswith("-")
