"""Make the word vectors of the user's search model now, not at the first search: `make vectors`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from turbo_tui.core.errors import TurboError
from turbo_tui.wiring.places import search_home


def main() -> int:
    """Make them unless they are there; print their folder and return the exit code."""
    from turbo_tui.knowledge.vectors import model_process  # noqa: PLC0415  numpy is slow

    try:
        home = search_home(Path.cwd())
    except TurboError as error:
        print(error, file=sys.stderr)  # noqa: T201  a command of its own
        return error.exit_code
    if not home.model:
        print("turbo-tui: [knowledge] model is empty: there is nothing to make.")  # noqa: T201
        return 0
    print(f"turbo-tui: word vectors of {home.model}, about a minute when they are not there yet")  # noqa: T201
    return model_process.main(["table", home.model, os.fspath(home.models)])


if __name__ == "__main__":
    sys.exit(main())
