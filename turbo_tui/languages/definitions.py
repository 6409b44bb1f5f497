"""Names that look defined in source files, of any language, found fast by pattern.

For suggestions and for telling at once that a symbol does not exist; what a name truly means
is for the structural tools.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from turbo_tui.languages.source_files import source_files

MOST_FILES = 20_000
MOST_BYTES = 1_000_000
_SOURCE = re.compile(
    r"\.(?:pyi?|[cm]?jsx?|tsx?|go|rs|java|kts?|scala|[ch]|cc|cpp|hpp|cs|rb|php|swift|lua|sh|exs?"
    r"|erl|hs|ml|dart|vue|svelte)$"
)
_WORDS = (
    rb"def|class|func|fn|function|struct|enum|interface|trait|type|module|object|record|"
    rb"const|let|var|val|static|macro_rules!|impl"
)
_DEFINITION = re.compile(
    rb"(?:^|(?<=[\s(;{]))(?:" + _WORDS + rb")\s+(?:\([^)\n]*\)\s*)?\*?([A-Za-z_$][\w$]*)"
    rb"|^([A-Za-z_]\w*)[ \t]*(?::[^=\n]+)?=(?!=)"  # NAME = … at the left edge
    rb"|^[ \t]+(?:[\w<>\[\],.?]+[ \t]+)+([A-Za-z_]\w*)[ \t]*\([^;\n]*\)[^;\n]*\{",  # Java, C#
    re.MULTILINE,
)


def defined_names(contents: Iterable[bytes]) -> set[str]:
    """Return the names that look defined in some contents."""
    return {
        name.decode("utf-8", "replace")
        for content in contents
        for groups in _DEFINITION.findall(content)
        for name in groups
        if name
    }


def names_under(root: Path) -> set[str]:
    """Return the names that look defined in a folder's sources, ignored ones left out.

    At most `MOST_FILES` files of `MOST_BYTES` each are read.
    """
    names: set[str] = set()
    sources = (found for found in source_files(root) if _SOURCE.search(found.path))
    for found in islice(sources, MOST_FILES):
        try:
            with Path(found.absolute).open("rb") as file:
                names |= defined_names([file.read(MOST_BYTES)])
        except OSError:
            continue  # unreadable or gone meanwhile: it only misses in suggestions
    return names


def closest(name: str, known: Iterable[str], count: int = 3) -> tuple[str, ...]:
    """Return the known names spelled most like one, best first."""
    lower = {item.lower(): item for item in sorted(known)}
    near = difflib.get_close_matches(name.lower(), list(lower), n=count, cutoff=0.6)
    return tuple(lower[item] for item in near)
