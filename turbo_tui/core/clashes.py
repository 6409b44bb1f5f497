"""Where a step's change meets the user's own: which places clash, and what is made of them.

The user's side is the file as it stands in the workspace, and a settled clash is a change of
that. Places count from 0 and are always the same for the same three contents.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from turbo_tui.core.changes import ChangeSet, FileChange, Node
from turbo_tui.core.diffs import MOST_TEXT_BYTES, Content, ended, is_binary
from turbo_tui.core.errors import UsageError
from turbo_tui.core.events import Take
from turbo_tui.core.landings import Conflict
from turbo_tui.core.matching import lines_of
from turbo_tui.core.merge import Clash, Part, Taken, marked_lines, merge, parts

Keep = Callable[[bytes], str]

WHOLE = -1  # the place of a file that is one side or the other

_MARKER = re.compile(rb"(?:<{7}|\|{7}|={7}|>{7})(?: |\r?$)")


@dataclass(frozen=True, slots=True)
class Sides:
    """What the versions of a place are called; by default where a step lands.

    Attributes:
        taken: Says that `theirs` stands there.
        merged: Said of changes of `theirs` that go together with `mine`.
    """

    mine: str = "yours"
    base: str = "before both"
    theirs: str = "the step's"
    taken: str = "the step's is taken"
    merged: str = "merged with your edit"


LANDING = Sides()
UNDO = Sides(
    "yours now",
    "as it landed",
    "before the step",
    "as before the step",
    "goes back, beside what is yours now",
)
REDO = Sides("yours now", "as it was undone", "the step's", merged="merged with yours now")


@dataclass(frozen=True, slots=True)
class Settled:
    """What stands in the place of a clash; `blob` where it was written by hand."""

    take: Take
    blob: str = ""


@dataclass(frozen=True, slots=True)
class Clashing:
    """A file that both sides changed.

    Attributes:
        places: How many places clash; 0 where it is one side or the other.
        base: Blob of what both began with; empty where that is not known.
        settled: Place -> what stands there.
        blocked: Something else is in the way of its path. There is nothing to settle: it lands
            once that is gone, or is left out.
        left_out: Numbers, from 0, of the changes beside those places that do not happen.
    """

    places: int = 0
    base: str = ""
    settled: Mapping[int, Settled] = field(default_factory=dict[int, Settled])
    blocked: bool = False
    left_out: frozenset[int] = frozenset()

    @property
    def undecided(self) -> Clashing:
        """The same with nothing said of it."""
        return replace(self, settled={}, left_out=frozenset[int]())

    @property
    def open(self) -> tuple[int, ...]:
        """Places that nothing was said of yet."""
        if self.blocked:
            return ()
        places = range(self.places) if self.places else (WHOLE,)
        return tuple(place for place in places if place not in self.settled)


# --- a refused landing, as something to settle ---------------------------------------


@dataclass(frozen=True, slots=True)
class Onto:
    """A change set carried over to the workspace as it is now.

    Attributes:
        changes: Merged where that goes; else the step's version over the user's.
        clashing: Path -> what is to be settled there.
        followed: New path -> old one of files that were moved, with what the user changed of the
            old one; the old path has no change of its own then.
    """

    changes: ChangeSet
    clashing: dict[str, Clashing] = field(default_factory=dict[str, Clashing])
    followed: dict[str, str] = field(default_factory=dict[str, str])


def onto(selected: ChangeSet, conflicts: Sequence[Conflict], content: Content, keep: Keep) -> Onto:
    """Carry what was to land over to what stands in the workspace.

    A change that cannot be made while something else is in its way stays as it is, to be left
    out, or tried again. A file that was moved and changed, and that the user changed as well, is
    merged at its new path.
    """
    files = {change.path: change for change in selected.files}
    clashing: dict[str, Clashing] = {}
    followed: dict[str, str] = {}
    met = {each.path for each in conflicts}
    for each in conflicts:
        if each.path not in files:
            continue
        new = went_to(each, selected, content)
        moved = None if new in {"", *met, *followed} else _moved(each, files, new, content)
        if moved is not None:
            del files[each.path]
            followed[new] = each.path
            found = _texts(moved, each.base, content)
            clashes = sum(isinstance(part, Clash) for part in parts(*found)) if found else 0
            files[new] = moved
            if clashes:
                clashing[new] = Clashing(clashes, each.base)
            elif found is not None:
                files[new] = _with(moved, merge(found[0] or b"", *found[1:]).content, keep)
            continue
        change = files[each.path] = each.change or files[each.path]
        if each.merged:
            continue
        found = _texts(change, each.base, content) if each.change is not None else None
        places = 0
        if found is not None:
            places = sum(isinstance(part, Clash) for part in parts(*found))
        if found is not None and not places and found[0] is not None:
            # Its lines go together, its mode does not: that alone is one or the other.
            files[each.path] = _with(change, merge(found[0], *found[1:]).content, keep)
        clashing[each.path] = Clashing(places, each.base, blocked=each.change is None)
    return Onto(replace(selected, files=tuple(files.values())), clashing, followed)


def _moved(
    conflict: Conflict, files: Mapping[str, FileChange], new: str, content: Content
) -> FileChange | None:
    """Return what moves the user's version of a file to where the step has it; None if no text."""
    was, here, after = files[conflict.path].before, conflict.change, files[new].after
    if here is None or here.before is None or after is None or was is None:
        return None
    mode = here.before.mode if after.mode == was.mode else after.mode
    moved = FileChange(new, here.before, replace(after, mode=mode), moved_from=conflict.path)
    return moved if _texts(moved, conflict.base, content) is not None else None


def went_to(conflict: Conflict, selected: ChangeSet, content: Content) -> str:
    """Return the new file that holds most lines of one that the step deletes; empty for none.

    A move whose file was changed as well is a deletion and an addition: what the user wrote to
    the old file meanwhile is not in the new one, and whoever takes the step's is to know.
    """
    gone = next((each for each in selected.files if each.path == conflict.path), None)
    if gone is None or gone.after is not None or not _is_text(gone.before) or not conflict.base:
        return ""
    lines = Counter(content(conflict.base).splitlines())
    shared: dict[str, int] = {}
    for each in selected.files:
        after = each.after
        if each.before is None and not each.moved_from and after is not None and _is_text(after):
            shared[each.path] = (lines & Counter(content(after.blob).splitlines())).total()
    best = max(shared, key=lambda path: shared[path], default="")
    return best if best and 2 * shared[best] > lines.total() else ""


def _with(change: FileChange, made: bytes, keep: Keep) -> FileChange:
    after = change.after
    if after is None:
        return change
    return replace(change, after=replace(after, size_bytes=len(made), blob=keep(made)))


def _texts(
    change: FileChange, base: str, content: Content
) -> tuple[bytes | None, bytes, bytes] | None:
    """Return base, ours and theirs; None where they are no texts, or one side has no file."""
    ours, theirs = change.before, change.after
    if not (_is_text(ours) and _is_text(theirs)) or ours is None or theirs is None:
        return None
    contents = content(base) if base else None, content(ours.blob), content(theirs.blob)
    if any(is_binary(each) for each in contents if each):
        return None
    return contents


def _is_text(node: Node | None) -> bool:
    return node is not None and node.kind == "file" and node.size_bytes <= MOST_TEXT_BYTES


# --- what is made of it ----------------------------------------------------------------


def clash_parts(change: FileChange, clashing: Clashing, content: Content) -> list[Part]:
    """Take a clashing file apart; one whole part where it is one side or the other."""
    found = _texts(change, clashing.base, content) if clashing.places else None
    return parts(*found) if found is not None else []


def taken(clash: Clash, settled: Settled, content: Content) -> tuple[bytes, ...]:
    """Return the lines that stand in the place of a settled clash."""
    match settled.take:
        case "mine":
            return clash.ours
        case "theirs":
            return clash.theirs
        case "both":
            return tuple(ended([*clash.ours, *clash.theirs]))
        case "written":
            return tuple(lines_of(content(settled.blob)))


def settled_content(
    change: FileChange, clashing: Clashing, content: Content, *, marked: Sides | None = None
) -> bytes:
    """Return a clashing file with what was settled in it, and without what was left out.

    Args:
        change: Leads from the user's side to the step's.
        clashing: How it clashes; has `places`.
        content: Fetches a blob.
        marked: Let open clashes stand there, their sides under markers with these names.

    Raises:
        UsageError: A clash is open.
    """
    lines: list[bytes] = []
    place = beside = -1
    for part in clash_parts(change, clashing, content):
        if isinstance(part, Taken):
            beside += 1
            lines += part.ours if beside in clashing.left_out else part.theirs
            continue
        if not isinstance(part, Clash):
            lines += part
            continue
        place += 1
        settled = clashing.settled.get(place)
        if settled is not None:
            lines += taken(part, settled, content)
        elif marked is not None:
            lines += marked_lines(part, marked.mine, marked.theirs)
        else:
            raise UsageError(open_words(change.path, place, clashing.places))
    return b"".join(ended(lines))


def open_words(path: str, place: int, places: int) -> str:
    """Say that a clash has to be settled first."""
    which = f"conflict {place + 1} of {places} in {path}" if places else f"the conflict of {path}"
    return (
        f"You have not said what becomes of {which}: keep yours, take the other, edit it, or "
        "leave the file out."
    )


def leftover_marker(written: bytes, *sides: bytes) -> tuple[int, str] | None:
    """Return number (from 1) and text of a conflict marker that neither side had."""
    known = {line for side in sides for line in side.splitlines()}
    for number, line in enumerate(written.splitlines(), 1):
        if _MARKER.match(line) and line not in known:
            return number, line.decode(errors="replace").strip()
    return None
