"""Apply all edits of an answer to the files they name: all of them, or none."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from turbo_tui.core.plain import plural
from turbo_tui.edits.ladder import Place
from turbo_tui.edits.outcome import (
    Applied,
    EditedFile,
    Failure,
    Reading,
    RefusedError,
    UnreachableError,
)
from turbo_tui.edits.rewriting import ended, keeps_nothing, refuse_left_out, replaced, rewritten
from turbo_tui.edits.targets import PLACEHOLDER, Targets
from turbo_tui.edits.text_file import NotTextError, TextFile, decode
from turbo_tui.edits.values import Chunk, FileEdit, Parsed

_MOST_FAILURES = 50
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def apply_edits(parsed: Parsed, read: Callable[[str], bytes | None]) -> Applied:
    """Apply edits to files that `read` gives; see `apply_to`."""
    return apply_to(parsed, Reading(read))


def apply_to(parsed: Parsed, tree: Reading) -> Applied:
    """Apply edits one after the other, each to what the ones before it left.

    Every failure of every file is collected; with one there are no files.
    """
    moving = {edit.path for edit in parsed.edits if edit.moved_to}
    draft = _Draft(tree, envelope=parsed.format == "patch", named=parsed.named, moving=moving)
    for number, edit in enumerate(parsed.edits):
        draft.take(edit)
        if len(draft.failures) >= _MOST_FAILURES:
            draft.stop(len(parsed.edits) - number - 1)
            break
    if draft.failures:
        return Applied((), tuple(draft.failures), parsed.shell)
    return Applied(tuple(draft.files()), (), parsed.shell, tuple(draft.notes))


@dataclass(slots=True)
class _Touched:
    """A path that some edit touched.

    Attributes:
        content: What it holds now; None when it is gone.
        came_from: The path that its file had before any edit; empty when an edit made it.
        anew: All of its text was written by one edit, nothing found in what was there.
    """

    content: bytes | None
    came_from: str
    anew: bool = False
    written_at: int = 0
    mode: int = 0
    places: list[Place] = field(default_factory=list[Place])


class _Draft:
    """The files as the edits so far leave them."""

    def __init__(
        self, tree: Reading, *, envelope: bool, named: bool, moving: Collection[str]
    ) -> None:
        self.failures: list[Failure] = []
        self.notes: list[str] = []
        self._tree = tree
        self._targets = Targets(tree)
        self._envelope = envelope
        self._named = named
        self._touched: dict[str, _Touched] = {}
        self._before: dict[str, bytes | None] = {}
        # Files that change places in a diff: a name's old file waits until its own turn.
        self._moving = moving
        self._parked: dict[str, _Touched] = {}

    def take(self, edit: FileEdit) -> None:
        """Make one edit, or note why it cannot be made."""
        try:
            self._make(edit)
        except RefusedError as error:
            self._fail(edit, str(error), error.advice, error.line, error.closest)
        except UnreachableError as error:
            self._fail(edit, str(error))
        except NotTextError as error:
            self._fail(edit, f"it cannot be edited as text: {error}")
        except UnicodeEncodeError as error:
            missing = error.object[error.start]
            self._fail(
                edit, f"its encoding {error.encoding} has no {missing!r}", "Write it without."
            )

    def stop(self, left: int) -> None:
        """Say that the edits left were not tried: what failed so far is enough to act on."""
        if left:
            self.failures.append(Failure("", 0, f"{left:,} more edits were not tried"))

    def _fail(
        self, edit: FileEdit, why: str, advice: str = "", line: int = 0, closest: str = ""
    ) -> None:
        self.failures.append(Failure(edit.path, edit.at, why, advice, line, closest))

    def _make(self, edit: FileEdit) -> None:
        if not edit.path:
            edit = replace(
                edit, path=self._targets.holding(edit, lambda path: self._at(path).content)
            )
        match edit.action:
            case "add":
                self._add(edit)
            case "delete":
                self._delete(edit)
            case "update":
                self._update(edit)

    # --- paths -------------------------------------------------------------------

    def _at(self, path: str) -> _Touched:
        """Return the state of a checked path."""
        if path not in self._touched:
            content = self._before[path] = self._tree.read(path)
            self._touched[path] = _Touched(content, path if content is not None else "")
        return self._touched[path]

    def _new_path(self, path: str) -> str:
        """Return the checked path of what may be a new file.

        Raises:
            RefusedError: It is a name of another system's, or of a folder that a shell would know,
                or would be a new one with control characters.
        """
        if self._targets.is_elsewhere(path):
            checked = self._targets.checked(path)
            if self._at(checked).content is None:
                raise RefusedError(
                    f"{path!r} is no path in the workspace", "Paths are relative to the workspace."
                )
        checked = self._targets.checked(path)
        if _CONTROLS.search(checked) and self._at(checked).content is None:
            raise RefusedError(
                f"{checked!r} has control characters, which no new file is named with"
            )
        return checked

    def _existing(self, path: str, chunks: Sequence[Chunk] = ()) -> str:
        """Return the checked path of a file that is there.

        A name that is cut short, or has folders too many before it, is completed only where all
        chunks' text must be in the file: nothing is deleted or moved by a guess.
        """
        checked = self._targets.checked(path)
        if self._at(checked).content is not None:
            return checked
        gone = self._touched[checked]
        if gone.written_at:
            raise RefusedError(
                f"an edit before it (line {gone.written_at}) deletes or moves this file"
            )
        return self._targets.completed(checked, chunks)

    # --- edits -------------------------------------------------------------------

    def _add(self, edit: FileEdit) -> None:
        content = edit.content
        if edit.copied_from:
            source = self._existing(edit.copied_from)
            copied = self._replaced(self._at(source), edit.chunks)
        else:
            copied = None
        path = self._new_path(edit.path)
        state = self._at(path)
        if state.written_at and state.content is not None:
            raise RefusedError(
                f"an edit before it (line {state.written_at}) writes this file already",
                "Say it once.",
            )
        if state.content and not self._envelope:
            raise RefusedError(
                "a file is to be added that exists and is not empty",
                "Edit it with the text that stands there; if it is to go, delete it before this "
                "in the same answer.",
            )
        if copied is not None:
            state.content = copied.encode()
        elif state.content is not None:
            state.content = rewritten(state.content, content).encode()
        else:
            state.content = content.encode("utf-8", "surrogateescape")
        state.written_at, state.anew = edit.at or 1, True
        state.mode = edit.mode or state.mode

    def _delete(self, edit: FileEdit) -> None:
        path = self._existing(edit.path)
        self._targets.refuse_link(edit.path)
        state = self._at(path)
        if edit.chunks:
            _refuse_rest(self._replaced(state, edit.chunks).text)
        state.content, state.written_at = None, edit.at or 1
        state.came_from = ""

    def _update(self, edit: FileEdit) -> None:
        if edit.whole:
            self._write_whole(edit)
            return
        path = self._existing(edit.path, () if edit.moved_to else edit.chunks)
        state = self._parked.pop(path, None) or self._at(path)
        if edit.chunks:
            before, places = state.content, len(state.places)
            try:
                file = self._replaced(state, edit.chunks)
                self._refuse_guess(edit.path, path, state.places[places:])
                state.content = file.encode()
            except (RefusedError, UnicodeEncodeError):
                state.content = before
                del state.places[places:]
                raise
        state.mode = edit.mode or state.mode
        if edit.moved_to:
            self._move(edit, path, state)

    def _refuse_guess(self, named: str, path: str, places: Sequence[Place]) -> None:
        """Take a file of another name only for the very text that is in it.

        Raises:
            RefusedError: The text is nearly there.
        """
        if self._targets.checked(named) == path:
            return
        if any(place.rung != "exact" for place in places):
            raise RefusedError("there is no such file", f"It could be one of: {path}.")
        self._note(named, path)

    def _note(self, named: str, path: str) -> None:
        note = f"there is no {named}; its edit went to {path}"
        if note not in self.notes:
            self.notes.append(note)

    def _write_whole(self, edit: FileEdit) -> None:
        path = self._whole_path(edit.path)
        state = self._at(path)
        if state.written_at and state.content is not None:
            raise RefusedError(
                f"the answer holds this file twice (line {state.written_at} too)", "Say it once."
            )
        if state.content is None:
            state.content = edit.content.encode("utf-8", "surrogateescape")
        else:
            refuse_left_out(state.content, edit.content, may_be_a_part=not self._named)
            if not self._named and keeps_nothing(decode(state.content).text, edit.content):
                self.notes.append(f"none of the lines that {path} had is kept")
            state.content = rewritten(state.content, edit.content).encode()
        state.written_at, state.anew = edit.at or 1, True

    def _whole_path(self, path: str) -> str:
        """Return where a whole file goes; the `path/to/` of the instructions is no folder."""
        checked = self._new_path(path)
        if self._at(checked).content is None and checked.startswith(PLACEHOLDER):
            named = checked.removeprefix(PLACEHOLDER)
            fitting = [each for each in self._targets.paths if f"/{each}".endswith(f"/{named}")]
            if len(fitting) == 1:
                self._note(path, fitting[0])
                return self._targets.checked(fitting[0])
        return checked

    def _move(self, edit: FileEdit, path: str, state: _Touched) -> None:
        target = self._new_path(edit.moved_to)
        if target == path:
            return
        self._targets.refuse_link(edit.path)
        there = self._at(target)
        if there.written_at and there.content is not None:
            raise RefusedError(f"an edit before it (line {there.written_at}) writes {target}")
        if there.content is not None and not self._envelope:
            if edit.moved_to not in self._moving:
                raise RefusedError(
                    f"it is to be moved to {target}, which exists",
                    f"If that is to go, delete {target} before it in the same answer; else move "
                    "to another name.",
                )
            self._parked[target] = there
        self._touched[target] = replace(state, written_at=edit.at or 1)
        if self._touched[path] is state:
            self._touched[path] = _Touched(None, "", written_at=edit.at or 1)

    def _replaced(self, state: _Touched, chunks: Sequence[Chunk]) -> TextFile:
        """Return the file with chunks replaced; where they were goes to the state.

        Raises:
            RefusedError: One has no place.
        """
        file = decode(state.content or b"")
        before = self._before.get(state.came_from)
        if before is not None:  # an edit before this one may have left a single line
            file = replace(file, default_end=decode(before).newline)
        done = replaced(file, chunks)
        state.places += done.places
        return ended(done.file, file.text) if self._envelope else done.file

    # --- the outcome ---------------------------------------------------------------

    def files(self) -> Iterable[EditedFile]:
        """Return what happens to each path, in path order."""
        moved = {
            state.came_from: path
            for path, state in self._touched.items()
            if state.came_from and state.came_from != path and state.content is not None
        }
        for path in sorted(self._touched):
            state, before = self._touched[path], self._before.get(path)
            places = tuple(state.places)
            if state.content is None:
                if before is not None and (path not in moved or self._is_taken(moved[path])):
                    yield EditedFile(path, "delete", None)
            elif before is not None:
                if state.content != before or state.mode:
                    yield _updated(path, before, state, state.content)
            elif moved.get(state.came_from) == path and self._is_gone(state.came_from):
                yield EditedFile(
                    path,
                    "move",
                    state.content,
                    state.came_from,
                    state.mode,
                    places,
                    like=state.came_from,
                )
            else:
                yield EditedFile(
                    path, "add", state.content, "", state.mode, places, like=state.came_from
                )

    def _is_taken(self, path: str) -> bool:
        return self._before.get(path) is not None

    def _is_gone(self, path: str) -> bool:
        return self._touched[path].content is None


def _updated(path: str, before: bytes, state: _Touched, content: bytes) -> EditedFile:
    mover = state.came_from if state.came_from != path else ""
    anew = content != before and (state.anew or bool(mover))
    return EditedFile(
        path,
        "update",
        content,
        mode=state.mode,
        places=tuple(state.places),
        replaced=anew,
        replaced_by=mover if anew else "",
        lines=_lines(before, content) if anew else None,
    )


def _lines(*contents: bytes) -> tuple[int, int] | None:
    """Count the lines of two contents; None when one is no text."""
    try:
        texts = [decode(content).text for content in contents]
    except NotTextError:
        return None
    before, after = (text.count("\n") + bool(text and text[-1] != "\n") for text in texts)
    return before, after


def _refuse_rest(text: str) -> None:
    """Refuse to delete what the model did not know of.

    Raises:
        RefusedError: The diff that deletes a file does not take all of its lines out.
    """
    rest = [line for line in text.split("\n") if line.strip()]
    if rest:
        lines = plural(len(rest), "line")
        raise RefusedError(
            f"the diff deletes it, but {lines} of it would be left; the first is {rest[0][:80]!r}",
            "Take out all of its lines, or write *** Delete File: in a patch.",
        )
