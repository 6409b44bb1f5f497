"""What a stage's folder says of itself, and which others it lies on.

state/stages/STAGE_ID/   mode 0700
    meta.json            workspace, start, how it is made, on what; written last
    gone.json            the same of a discarded stage that others still lie on
    upper/ work/         overlay; on/ where it lies on others: links to their layers
    tree/ manifest.json  copy; below.json where it lies on others
    settled-upper/       what a settled stage kept, of an overlay
    settled-tree/ settled.json   the same of a copy
    originals.jsonl      what changed files were before
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

Kind = Literal["overlay", "copy"]
Part = Literal["upper", "tree", "settled-upper", "settled-tree"]
META_VERSION = 2
META, GONE = "meta.json", "gone.json"
_PARTS = ("upper", "tree", "settled-upper", "settled-tree")


@dataclass(frozen=True, slots=True)
class Layer:
    """A stage that another lies on: all that it wrote, or what it kept when it was settled."""

    stage_id: str
    part: Part

    @property
    def kind(self) -> Kind:
        """How it was made: only what an overlay wrote can be mounted."""
        return "overlay" if self.part.endswith("upper") else "copy"

    @property
    def name(self) -> str:
        """Its folder, named from the folder of all stages."""
        return f"{self.stage_id}/{self.part}"

    @property
    def manifest(self) -> str:
        """The manifest of a copy, named likewise."""
        return f"{self.stage_id}/{'manifest' if self.part == 'tree' else 'settled'}.json"


@dataclass(frozen=True, slots=True)
class Meta:
    """What a stage's folder says of itself.

    Attributes:
        on: What it lies on, oldest first.
        settled: It was decided on; only what it kept counts.
    """

    workspace: str
    kind: Kind
    started_ns: int
    on: tuple[Layer, ...] = ()
    settled: bool = False

    def write(self, folder: Path) -> None:
        """Write it whole or not at all."""
        value = {
            "version": META_VERSION,
            "workspace": self.workspace,
            "kind": self.kind,
            "started_ns": self.started_ns,
            "on": [[layer.stage_id, layer.part] for layer in self.on],
            "settled": self.settled,
        }
        beside = folder / f"{META}.new"
        beside.write_text(json.dumps(value), encoding="ascii")
        beside.replace(folder / META)

    @classmethod
    def load(cls, folder: Path, name: str = META) -> Meta:
        """Read it; of a stage that is gone from `GONE`.

        Raises:
            OSError, ValueError, KeyError: It is not there, or not whole.
        """
        value = cast("dict[str, object]", json.loads((folder / name).read_bytes()))
        kind, started, on = value["kind"], value["started_ns"], value.get("on", [])
        if value["version"] not in {1, META_VERSION} or not isinstance(started, int):
            raise ValueError(f"version {value['version']}")
        if kind not in {"overlay", "copy"}:
            raise ValueError(f"kind {kind}")
        if not isinstance(on, list):
            raise ValueError("it does not say what the stage lies on")  # noqa: TRY004 - not whole
        layers = tuple(_layer(pair) for pair in cast("list[object]", on))
        settled = value.get("settled") is True
        return cls(str(value["workspace"]), cast("Kind", kind), started, layers, settled)

    def as_layer(self, stage_id: str) -> Layer:
        """Name what a stage that is opened on this one lies on."""
        if self.settled:
            return Layer(stage_id, "settled-upper" if self.kind == "overlay" else "settled-tree")
        return Layer(stage_id, "upper" if self.kind == "overlay" else "tree")

    def once_settled(self) -> Meta:
        """Return what is said of it once it was decided on."""
        return replace(self, settled=True)

    def copied(self, started_ns: int) -> Meta:
        """Return what is said of it once it is a copy."""
        return replace(self, kind="copy", started_ns=started_ns)


def _layer(pair: object) -> Layer:
    match pair:
        case [str(stage_id), str(part)] if part in _PARTS and "/" not in stage_id:
            return Layer(stage_id, part)
        case _:
            raise ValueError(f"{pair!r} is no layer")


def bury(folder: Path) -> bool:
    """Let a stage be gone, for `sweep` to delete; needs no room on the disk.

    Returns:
        Whether there was one.
    """
    with suppress(FileNotFoundError):
        os.rename(folder / META, folder / GONE)  # noqa: PTH104 - replaces what is there
    return (folder / GONE).exists()


def is_needed(stages: Path, layer: Layer) -> bool:
    """Say whether another stage lies on it."""
    return any(layer in meta.on for _, meta in _metas(stages))


def sweep(
    stages: Path, remove: Callable[[Path], None], *, used: Collection[str] = frozenset()
) -> None:
    """Delete what discarded and settled stages left, as soon as no other lies on it.

    Args:
        stages: The folder of all stages.
        remove: Deletes a folder; one that is not there is no error.
        used: Ids of stages that are in no meta yet, but will be.

    Raises:
        OSError: Something cannot be deleted.
    """
    metas = dict(_metas(stages))
    needed = {layer.name for meta in metas.values() for layer in meta.on}
    for grave in stages.glob(f"*/{GONE}"):
        folder = grave.parent
        if folder.name not in used and not any(f"{folder.name}/{p}" in needed for p in _PARTS):
            remove(folder)
    for stage_id, meta in metas.items():
        if meta.settled and stage_id not in used:
            for part, with_it in (("upper", "work"), ("tree", "")):
                if f"{stage_id}/{part}" not in needed:
                    for name in filter(None, (part, with_it)):
                        if (stages / stage_id / name).exists():
                            remove(stages / stage_id / name)


def _metas(stages: Path) -> Iterator[tuple[str, Meta]]:
    """Read those of all stages that are not gone; one that is damaged lies on nothing."""
    for file in stages.glob(f"*/{META}"):
        with suppress(OSError, ValueError, KeyError):
            yield file.parent.name, Meta.load(file.parent)
