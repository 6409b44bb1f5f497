"""Lines such as `# ... rest of the code unchanged ...`, which stand for code that is left out."""

from __future__ import annotations

import re

_COMMENT = r"(?:\#+|//+|--|/\*+|<!--|\{/\*|%+|;+|\"\"\"|\*)"
_DOTS = r"(?:\.{3}|…)"
_WORDS = (
    r"\b(?:rest|remaind(?:er|ing)|remaining|existing|previous|unchanged|same|omitted|as\ before|"
    r"keep|code|implementation|methods?|functions?|goes\ here)\b"
)
_CLOSED = r"[ \t]*(?:\*/\}?|-->)?[ \t]*"
_HINTS = ("...", "…", "of ", "existing", "previous", "remaining", "other")
_STANDS_FOR = re.compile(
    rf"""^[ \t]*(?:
        {_COMMENT}?[ \t]*\(?{_DOTS}(?:[ \t].{{0,80}})?{_WORDS}.{{0,80}}  # … rest of the code …
      | {_COMMENT}[ \t]*{_DOTS}{_CLOSED}
      | {_COMMENT}?[ \t]*[\[(]?(?:the[ ])?{_WORDS}[^.(=]{{0,60}}{_DOTS}[\])]?{_CLOSED}
      | {_COMMENT}[ \t]*(?:the[ ])?(?:rest|remainder)[ ]of[ ].{{0,60}}
        (?:unchanged|same|as[ ]before).{{0,20}}
      | {_COMMENT}[ \t]*(?:(?:the|your|all)[ ])?(?:existing|previous|remaining|other)[ ]
        (?:code|methods?|functions?|implementation)
        (?:[ ](?:goes[ ])?(?:here|unchanged|as[ ]before))?{_CLOSED}
      )$""",
    re.IGNORECASE | re.VERBOSE,
)
_GAP = re.compile(
    rf"""^[ \t]*(?:
        [\[(]?{_DOTS}[\])]?                                 # dots alone
      | {_COMMENT}[ \t]*{_DOTS}(?:[ ]\S+){{0,10}}
      | {_COMMENT}[ \t]*(?:existing[ ]\w+|rest[ ](?:of|unchanged|is|stays|remains)|remaining|
        unchanged|same[ ]as[ ](?:before|above)|as[ ]before|previous[ ]code|
        other[ ](?:code|methods|functions|fields)|omitted|keep[ ](?:the[ ])?(?:rest|existing))\b
        (?:[ ]\S+){{0,8}}
      ){_CLOSED}$""",
    re.IGNORECASE | re.VERBOSE,
)
_ALONE = re.compile(rf"^[ \t]*{_DOTS}[ \t]*$")
_LONGEST = 200


def stands_for_code(line: str) -> bool:
    """Say whether a line says that code is left out; it is none itself in any language."""
    return (
        len(line) <= _LONGEST
        and any(hint in line.lower() for hint in _HINTS)
        and _STANDS_FOR.match(line) is not None
    )


def marks_gap(line: str) -> bool:
    """Say whether a line may stand for code that is left out, also dots alone."""
    return len(line) <= _LONGEST and (_GAP.match(line) is not None or stands_for_code(line))


def left_out(text: str, before: str) -> int:
    """Return the first line (1-based) of a whole new text that stands for others; 0 if none does.

    Lines that the file had before are its own, and so are dots that are a body in Python.
    """
    known: set[str] | None = None
    opener = ""
    for number, line in enumerate(text.split("\n"), 1):
        alone = _ALONE.match(line) is not None and not opener.endswith((":", '"""'))
        if alone or stands_for_code(line):
            known = known or {row.strip() for row in before.split("\n")}
            if line.strip() not in known:
                return number
        if line.strip():
            opener = line.rstrip()
    return 0
