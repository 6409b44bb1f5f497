"""A workspace in memory for tests of edits: what an answer makes of it."""

from __future__ import annotations

from collections.abc import Mapping

from turbo_tui.edits.apply import apply_to
from turbo_tui.edits.formats import FormatName, parse
from turbo_tui.edits.outcome import Applied, Failure, Reading, UnreachableError

Files = Mapping[str, str]


class Refused(Exception):  # noqa: N818  # an answer that is expected
    """The edits were not applied."""

    def __init__(self, failures: tuple[Failure, ...]) -> None:
        super().__init__("; ".join(f"{each.path}: {each.why}" for each in failures))
        self.failures = failures


def applied(files: Files, answer: str, form: FormatName = "auto") -> Applied:
    """Apply an answer to files."""

    def read(path: str) -> bytes | None:
        if any(name.startswith(f"{path}/") for name in files):
            raise UnreachableError("it is a folder")
        content = files.get(path)
        return None if content is None else content.encode()

    parsed = parse(answer, form, exists=files.__contains__)
    return apply_to(parsed, Reading(read, "/workspace", paths=lambda: list(files)))


def after(files: Files, answer: str, form: FormatName = "auto") -> dict[str, str]:
    """Return the files after an answer.

    Raises:
        Refused: Something did not apply.
    """
    outcome = applied(files, answer, form)
    if outcome.failures:
        raise Refused(outcome.failures)
    tree = dict(files)
    for each in outcome.files:
        if each.moved_from:
            del tree[each.moved_from]
        if each.content is None:
            del tree[each.path]
        else:
            tree[each.path] = each.content.decode()
    return tree
