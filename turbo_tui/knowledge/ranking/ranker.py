"""Which places answer a query best: a linear mix of named features, weights as data."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import islice

from turbo_tui.core.searching import Hit
from turbo_tui.knowledge.indexing.index import Index
from turbo_tui.knowledge.ranking.asked import Asked, ask
from turbo_tui.knowledge.ranking.features import Candidate, Scores, candidates
from turbo_tui.knowledge.ranking.leaning import Lean, Leaning
from turbo_tui.knowledge.ranking.reasons import best_line, reasons
from turbo_tui.knowledge.syntax.chunks import LONGEST_LINES, Span
from turbo_tui.knowledge.syntax.definitions import Definition
from turbo_tui.knowledge.syntax.words import joined, joined_name, parts_of

SHOWN_CHARS = 300
SURE = 0.5  # from there on a name in a sentence means its definition
EXACT = 8.0  # no mix of features comes to that
ASIDE = frozenset({"test", "example", "data", "template"})
SECOND = -6.0  # a second place in a file, against its first: after files that may answer


@dataclass(frozen=True, slots=True)
class Place:
    """Lines of a candidate, and how well they answer."""

    candidate: Candidate
    span: Span
    score: float


def rank(
    index: Index,
    text: str,
    *,
    limit: int,
    similar: Scores | None = None,
    leaning: Leaning | None = None,
) -> list[Hit]:
    """Return the best places, best first; a file has more than one where that is worth it.

    Args:
        index: Where to look.
        text: The query.
        limit: How many places at most.
        similar: How close each chunk's vector is to the query's, by chunk number.
        leaning: Settles close calls.
    """
    asked = ask(text)
    has_vectors = similar is not None
    found = candidates(index, asked, similar)
    level = Lean()
    leans = {
        each.known.file.path: leaning.of(each.known.file.path) if leaning else level
        for each in found
    }
    scored = [
        (
            score(each, asked, has_vectors=has_vectors) + leans[each.known.file.path].gain,
            each,
        )
        for each in found
    ]
    scored.sort(key=lambda each: (-each[0], each[1].known.file.path))
    totals = {each.known.file.path: total for total, each in scored}
    places = [
        place
        for each in meant([each for _, each in scored], asked, limit)
        for place in places_of(each, asked, totals[each.known.file.path], limit)
    ]
    places.sort(key=lambda each: (-each.score, each.candidate.known.file.path, each.span))
    best = places[0].score if places else 0.0
    return [
        _hit(each, asked, best, leans[each.candidate.known.file.path]) for each in places[:limit]
    ]


def meant(found: list[Candidate], asked: Asked, most: int | None = None) -> list[Candidate]:
    """Keep, for a single name, the first files that hold it; where none does, all its parts.

    The parts of a name are looked for apart only when the name itself is nowhere.
    """
    if not asked.is_symbol:
        return found[:most]
    whole = asked.text.strip().lower()
    # One after the other: what is behind the last one that is shown need not be read.
    parts = parts_of(asked.text)
    holding = list(islice((e for e in found if e.named or _holds(e, [whole])), most))
    return holding or list(islice((e for e in found if _holds(e, parts)), most))


def _holds(candidate: Candidate, parts: list[str]) -> bool:
    file = candidate.known.file
    path = file.path.lower()
    return all(part in path or part in file.lower() for part in parts)


def score(candidate: Candidate, asked: Asked, *, has_vectors: bool = False) -> float:
    """Mix a candidate's features; what it is beside the thing itself lowers it."""
    mix = weights()["symbol" if asked.is_symbol else "sentence"]
    mix = mix["vectors" if has_vectors else "words"]
    total = sum([mix[name] * value for name, value in candidate.features.items() if value])
    total += sum([mix[kind] for kind in candidate.kinds])
    return total + EXACT * is_exact(candidate, asked)


def is_exact(candidate: Candidate, asked: Asked) -> bool:
    """Tell whether a file defines the one name that was asked for, letter for letter.

    A plain word is a subject as well: a fixture or a build target of that name is not meant.
    """
    if not asked.is_symbol or not candidate.named:
        return False
    is_plain = asked.symbol.islower() and not joined_name(asked.symbol)
    if is_plain and not ASIDE.isdisjoint(candidate.kinds):
        return False
    return any(
        each.name == asked.symbol and (each.kind != "value" or not each.name.islower())
        for each in candidate.named
    )


def places_of(candidate: Candidate, asked: Asked, total: float, limit: int) -> list[Place]:
    """Choose the lines last: the definition that was named, else the best chunk; then others.

    What follows the first place competes with other files, as far below it as it fits worse.
    """
    chunks, fits = candidate.known.chunks, candidate.fits
    order = sorted(range(len(chunks)), key=lambda at: (-fits[at], at))
    first = named_span(candidate, asked) or (chunks[order[0]] if order else (1, 1))
    if is_path_of(candidate, asked):
        first = chunks[0] if chunks else (1, 1)
    found = [Place(candidate, first, total)]
    best = float(fits[order[0]]) if order else 0.0
    if asked.is_symbol or best <= 0:
        return found
    for at in order[:limit]:
        start, end = chunks[at]
        apart = all(end < each.span[0] or start > each.span[1] for each in found)
        if fits[at] > 0 and apart:
            below = SECOND * len(found) + math.log(float(fits[at]) / best)
            found.append(Place(candidate, (start, end), total + below))
    return found


def is_path_of(candidate: Candidate, asked: Asked) -> bool:
    """Tell whether a query is the path of a file, or its end: then the file's begin is meant."""
    text = asked.text.strip().removeprefix("./")
    tells = "/" in text or "." in text.strip(".")
    return asked.is_symbol and tells and f"/{candidate.known.file.path}".endswith(f"/{text}")


def named_span(candidate: Candidate, asked: Asked) -> Span | None:
    """Return the lines of the definition that is meant; None where the query means none."""
    sure = asked.is_symbol or candidate.features["defines"] > SURE
    members = [each for each in candidate.named if joined(each.name) in asked.members]
    each = min(
        members,
        key=lambda each: (not _is_owned(each, candidate, asked), each.last <= each.line),
        default=None,
    )
    if each is None and candidate.named and sure:
        each = candidate.named[0]
    if each is None:
        return None
    return each.line, min(max(each.last, each.line), each.line + LONGEST_LINES - 1)


def _is_owned(member: Definition, candidate: Candidate, asked: Asked) -> bool:
    """Tell whether a member is that of what was typed before it: `Border` of `Border:close`."""
    if any(
        joined(each.name) not in asked.members and each.line <= member.line <= each.last
        for each in candidate.named
    ):
        return True
    here = slice(member.line - 1, member.line)
    return asked.is_symbol and asked.text in "".join(candidate.known.file.text().split("\n")[here])


def _hit(place: Place, asked: Asked, best: float, lean: Lean) -> Hit:
    known = place.candidate.known
    first, last = place.span
    lines = known.file.text().split("\n", last)[:last]
    named = {each.line for each in place.candidate.named}
    shown = first if first in named else best_line(lines, place.span, asked)
    text = lines[shown - 1].strip()[:SHOWN_CHARS] if shown <= len(lines) else ""
    why = [*reasons(place.candidate, asked, place.span), *lean.why]
    # How likely against the best one: comparable within this answer.
    share = round(math.exp(place.score - best), 4)
    return Hit(known.file.path, first, last, share, text, tuple(why), shown)


@cache
def weights() -> dict[str, dict[str, dict[str, float]]]:
    """Return the weights: symbol or sentence -> words or vectors -> feature or kind -> weight."""
    text = (resources.files("turbo_tui.knowledge.ranking") / "weights.toml").read_text(
        encoding="utf-8"
    )
    return tomllib.loads(text)
