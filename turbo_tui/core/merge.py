"""Merge two changes of one text by lines, as git does: apart is clean, touching is a conflict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from turbo_tui.core.matching import Region, changed_regions, lines_of


@dataclass(frozen=True, slots=True)
class Clash:
    """Lines that both sides changed, differently; `base_start` and `ours_start` are 0-based."""

    base_start: int
    base: tuple[bytes, ...]
    ours: tuple[bytes, ...]
    theirs: tuple[bytes, ...]
    ours_start: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Taken:
    """Lines that `theirs` alone changed: they go together with ours; `ours_start` is 0-based."""

    ours: tuple[bytes, ...]
    theirs: tuple[bytes, ...]
    ours_start: int


Part = tuple[bytes, ...] | Taken | Clash


@dataclass(frozen=True, slots=True)
class Merged:
    """What came of a merge.

    Attributes:
        content: The merged text; with conflict markers where the sides clash.
        conflicts: Every clash, in order; empty when the merge is clean.
    """

    content: bytes
    conflicts: tuple[Clash, ...] = ()

    @property
    def clean(self) -> bool:
        """Tell whether nothing clashes."""
        return not self.conflicts


def merge(
    base: bytes,
    ours: bytes,
    theirs: bytes,
    *,
    our_name: str = "yours",
    their_name: str = "this step",
) -> Merged:
    """Bring two changes of `base` together.

    Args:
        base: The text both sides began with.
        ours: One side's text.
        theirs: The other side's text.
        our_name: Stands at the conflict marker of our lines.
        their_name: Stands at the conflict marker of their lines.

    Returns:
        A clean text when the changes lie at least one line apart or are the same.
    """
    clashes: list[Clash] = []
    result: list[bytes] = []
    for part in parts(base, ours, theirs):
        if isinstance(part, Clash):
            clashes.append(part)
            result += marked_lines(part, our_name, their_name)
        elif isinstance(part, Taken):
            result += part.theirs
        else:
            result += part
    return Merged(b"".join(result), tuple(clashes))


def parts(base: bytes | None, ours: bytes, theirs: bytes) -> list[Part]:
    """Take two changes of a text apart.

    Lines that stay or are ours, which may be none, begin and end the list, and stand between what
    theirs changed and clashes.

    Args:
        base: The text both sides began with; None where it is not known: then every
            difference is a clash.
        ours: One side's text.
        theirs: The other side's text.
    """
    if base is None:
        return _apart(lines_of(ours), lines_of(theirs))
    base_lines, our_lines, their_lines = lines_of(base), lines_of(ours), lines_of(theirs)
    our_regions = changed_regions(base_lines, our_lines)
    their_regions = changed_regions(base_lines, their_lines)
    found: list[Part] = []
    settled: list[bytes] = []
    at = 0
    shift = 0  # how much further down our lines lie than those of the base
    for group in _grouped(our_regions, their_regions):
        settled += base_lines[at : group.start]
        at = group.end
        was = base_lines[group.start : group.end]
        mine = _side(base_lines, our_lines, group.ours, group)
        other = _side(base_lines, their_lines, group.theirs, group)
        start = group.start + shift
        if not group.theirs or mine == other:
            settled += mine
        else:
            one = Taken(tuple(mine), tuple(other), start)
            if group.ours:
                one = Clash(group.start, tuple(was), tuple(mine), tuple(other), start)
            found += [tuple(settled), one]
            settled = []
        shift += len(mine) - len(was)
    return [*found, (*settled, *base_lines[at:])]


def _apart(ours: Sequence[bytes], theirs: Sequence[bytes]) -> list[Part]:
    found: list[Part] = []
    at = 0
    for region in changed_regions(ours, theirs):
        mine = tuple(ours[region.old_start : region.old_end])
        other = tuple(theirs[region.new_start : region.new_end])
        clash = Clash(0, (), mine, other, region.old_start)
        found += [tuple(ours[at : region.old_start]), clash]
        at = region.old_end
    return [*found, tuple(ours[at:])]


@dataclass(slots=True)
class _Group:
    """Regions that overlap or touch: what both sides did to `base[start:end]`."""

    start: int
    end: int
    ours: list[Region] = field(default_factory=list[Region])
    theirs: list[Region] = field(default_factory=list[Region])


def _grouped(ours: Sequence[Region], theirs: Sequence[Region]) -> list[_Group]:
    groups: list[_Group] = []
    both = [(region, False) for region in ours] + [(region, True) for region in theirs]
    for region, is_theirs in sorted(both):
        if not groups or region.old_start > groups[-1].end:
            groups.append(_Group(region.old_start, region.old_end))
        group = groups[-1]
        group.end = max(group.end, region.old_end)
        (group.theirs if is_theirs else group.ours).append(region)
    return groups


def _side(
    base: Sequence[bytes], lines: Sequence[bytes], regions: Sequence[Region], group: _Group
) -> list[bytes]:
    """Return what one side made of the group's lines."""
    result: list[bytes] = []
    at = group.start
    for region in regions:
        result += base[at : region.old_start]
        result += lines[region.new_start : region.new_end]
        at = region.old_end
    return result + list(base[at : group.end])


def marked_lines(clash: Clash, our_name: str, their_name: str) -> list[bytes]:
    """Return all versions of a clash, each under its marker."""
    parts = (
        (f"<<<<<<< {our_name}".encode(), clash.ours),
        (b"||||||| base", clash.base),
        (b"=======", clash.theirs),
    )
    known = [*clash.ours, *clash.base, *clash.theirs]
    end = b"\r\n" if known and known[0].endswith(b"\r\n") else b"\n"
    marked: list[bytes] = []
    for marker, lines in parts:
        marked.append(marker + end)
        marked += lines
        if lines and not lines[-1].endswith(b"\n"):
            marked[-1] += end  # an unterminated last line must not swallow the next marker
    return [*marked, f">>>>>>> {their_name}".encode() + end]
