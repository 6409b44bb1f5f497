"""Write one file's text anew, in part or as a whole, as the formats mean it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from turbo_tui.core.plain import plural
from turbo_tui.edits.ladder import Replaced, replace_chunks
from turbo_tui.edits.left_out import left_out
from turbo_tui.edits.match_error import MatchError
from turbo_tui.edits.numbered import unnumbered
from turbo_tui.edits.outcome import RefusedError
from turbo_tui.edits.text_file import TextFile, decode
from turbo_tui.edits.values import Chunk

_BRACKETS = "{}[]();, "
_SHORT = 3  # such rows, from which on half of them may be so where none of them is the file's
_LONG = 6  # rows that are not blank, from which on half of them may be a part of a file


def replaced(file: TextFile, chunks: Sequence[Chunk]) -> Replaced:
    """Return a file with chunks replaced.

    Raises:
        RefusedError: One has no place; it says what stands there and what to do.
    """
    text = file.text
    chunks = [_fitted(chunk, text) for chunk in chunks]
    try:
        return replace_chunks(file, chunks)
    except MatchError as error:
        done = _replaced_unnumbered(file, chunks)
        if done is None:
            raise _match_refused(error, len(chunks)) from None
        return done


def _fitted(chunk: Chunk, text: str) -> Chunk:
    """Fit a chunk to how the file ends, and refuse to insert where numbers contradict.

    Raises:
        RefusedError: Nothing but numbers says where lines go.
    """
    if not chunk.old and chunk.line and not chunk.context and not chunk.at_end:
        last = text.count("\n") + (not text.endswith("\n") if text else 0)
        if chunk.line not in {last, last + 1}:
            raise RefusedError(
                f"lines are to go in at line {chunk.line}, with no line of the file beside them",
                "Give a line before or after them as context.",
            )
        return replace(chunk, line=0)
    if chunk.at_end and chunk.old and not chunk.old.endswith("\n") and text.endswith("\n"):
        new = chunk.new if chunk.new.endswith("\n") or not chunk.new else f"{chunk.new}\n"
        return replace(chunk, old=f"{chunk.old}\n", new=new)
    takes_end_away = chunk.old.endswith("\n") and not chunk.new.endswith("\n")
    if chunk.at_end and takes_end_away and text and not text.endswith("\n"):
        return replace(chunk, old=chunk.old.removesuffix("\n"))
    return chunk


def ended(file: TextFile, text: str) -> TextFile:
    """Give a file without a last line end one, where its last line was written anew.

    Each line of the patch format is a whole line.
    """
    now = file.text
    if not text or text.endswith("\n") or not now or now.endswith("\n"):
        return file
    if now.rsplit("\n", 1)[-1] == text.rsplit("\n", 1)[-1]:
        return file
    return file.replaced(len(now), len(now), "\n")


def rewritten(before: bytes, content: str) -> TextFile:
    """Return a file with all its text replaced: encoding, mark and line ends stay."""
    file = decode(before)
    text = file.text
    if (
        text
        and not text.endswith("\n")
        and content.removesuffix("\n").endswith(text.rsplit("\n", 1)[-1])
    ):
        last = content.removesuffix("\n").rsplit("\n", 1)[-1]
        if last == text.rsplit("\n", 1)[-1]:
            content = content.removesuffix("\n")
    return file.replaced(0, len(text), content)


def refuse_left_out(before: bytes, content: str, *, may_be_a_part: bool) -> None:
    """Refuse a whole file that leaves some of itself out.

    Where it `may_be_a_part` nobody said that it is all of the file: a fence under a file's name
    often holds no more than what changes.

    Raises:
        RefusedError: A line stands for others, or too much of the file is missing.
    """
    text = decode(before).text
    were, are = _told_rows(text), _told_rows(content)
    if were and not are:
        raise RefusedError(
            "there is nothing in it, and the file is not empty", "Delete a file by *** Delete File:"
        )
    is_short = _SHORT <= were < _LONG and keeps_nothing(text, content)
    if may_be_a_part and are * 2 <= were and (were >= _LONG or is_short):
        lines = plural(are, "line")
        other = " none of them kept," if is_short else ""
        raise RefusedError(
            f"it has {lines} where the file has {were:,} (blank ones not counted),{other} so it "
            "may be a part of the file",
            "If that is all of the file, say --format whole; else write what changes as "
            "SEARCH/REPLACE blocks.",
        )
    number = left_out(content, text)
    if number:
        line = content.split("\n")[number - 1].strip()
        raise RefusedError(
            f"line {number} of the new text, {line[:60]!r}, stands for code that is left out",
            "Write all of the file, or edit only what changes.",
        )


def keeps_nothing(text: str, content: str) -> bool:
    """Say whether no row of several is left of a text; bare brackets and the like are none."""
    were, are = ({row.strip() for row in each.split("\n")} for each in (text, content))
    return _told_rows(text) > 1 and not any(row.strip(_BRACKETS) for row in were & are)


def _told_rows(text: str) -> int:
    return sum(1 for row in text.split("\n") if row.strip())


def _replaced_unnumbered(file: TextFile, chunks: Sequence[Chunk]) -> Replaced | None:
    """Try again without line numbers that were copied along; None when that is not it."""
    bare = [unnumbered(chunk) for chunk in chunks]
    if not any(bare):
        return None
    try:
        return replace_chunks(file, [new or old for old, new in zip(chunks, bare, strict=True)])
    except MatchError:
        return None


def _match_refused(error: MatchError, chunks: int) -> RefusedError:
    which = f"chunk {error.chunk + 1} of {chunks}: " if chunks > 1 else ""
    return RefusedError(f"{which}{error}", _advice(error), line=error.line, closest=error.closest)


def _advice(error: MatchError) -> str:
    match error.kind:
        case "ambiguous":
            return "Add lines before or after it until only one place fits."
        case "missing" if error.closest:
            return (
                "Copy the lines marked + as they stand in the file (→ is a tab), and leave out "
                "those marked -."
            )
        case "missing":
            return "Read the file again: what was written is not in it."
        case _:
            return ""
