"""A reply while it streams in: text, calls and usage as the pieces come."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from turbo_tui.adapters.providers.shapes import mended, object_of
from turbo_tui.core.models import OnDelta, ToolCall, Usage

STARTED_AGAIN = "\n[the connection broke off; the model starts again]\n"


@dataclass(slots=True)
class CallDraft:
    """A tool call whose arguments arrive in pieces."""

    call_id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list[str])

    @property
    def arguments(self) -> str:
        """All that came so far."""
        return "".join(self.pieces)

    @property
    def is_complete(self) -> bool:
        """Say whether the arguments are an object already, so that more is another call."""
        return object_of(self.arguments) is not None


@dataclass(slots=True)
class Draft:
    """What came so far of one attempt; `ended` only when the server said that it was all."""

    on_text: Callable[[str], None]
    pieces: list[str] = field(default_factory=list[str])
    calls: list[CallDraft] = field(default_factory=list[CallDraft])
    slots: dict[int, CallDraft] = field(default_factory=dict[int, CallDraft])
    legacy: CallDraft = field(default_factory=CallDraft)
    usage: Usage = field(default_factory=Usage)
    finish: str = ""
    ended: bool = False

    def add_text(self, piece: str) -> None:
        """Take a piece of text and pass it on."""
        if piece:
            self.pieces.append(piece)
            self.on_text(piece)

    def add_call(self, call_id: str, name: str, arguments: str = "") -> CallDraft:
        """Begin another call."""
        call = CallDraft(call_id, name, [arguments] if arguments else [])
        self.calls.append(call)
        return call

    @property
    def text(self) -> str:
        """All text so far."""
        return mended("".join(self.pieces))

    @property
    def was_cut(self) -> bool:
        """Say whether the server stopped because the reply became too long."""
        return self.finish in {"length", "max_tokens"}


def numbered(calls: Iterable[ToolCall], taken: Iterable[str]) -> tuple[ToolCall, ...]:
    """Give each call an id that no other has, where the server gave none, or one twice."""
    used = set(taken)
    named: list[ToolCall] = []
    for call in calls:
        call_id, number = call.call_id, len(used)
        while not call_id or call_id in used:
            number += 1
            call_id = f"call_{number}"
        used.add(call_id)
        named.append(ToolCall(call_id, call.name, call.arguments))
    return tuple(named)


def arguments_object(call: ToolCall) -> dict[str, object]:
    """Return a call's arguments as servers insist on them in a history: an object."""
    value = object_of(call.arguments or "{}")
    return {"unreadable": call.arguments} if value is None else value


def arguments_text(call: ToolCall) -> str:
    """Return a call's arguments as JSON text of an object, as the model wrote it if it is one."""
    value = arguments_object(call)
    return json.dumps(value, ensure_ascii=False)


class Deltas:
    """Pass text on as it streams; after a restart, nothing that was shown is shown again."""

    def __init__(self, on_delta: OnDelta | None) -> None:
        self._on_delta = on_delta
        self._shown: list[str] = []
        self._behind = ""  # shown before the restart and not yet come again
        self._held = ""  # come again so far

    def restart(self) -> None:
        """Expect the text from its beginning."""
        self._behind, self._held = "".join(self._shown), ""

    def add(self, piece: str) -> None:
        """Take the next piece of this attempt's text."""
        if self._behind:
            self._held += piece
            if self._behind.startswith(self._held) and len(self._held) < len(self._behind):
                return
            if self._held.startswith(self._behind):
                piece = self._held[len(self._behind) :]
            else:
                self._tell(STARTED_AGAIN)
                self._shown.clear()
                piece = self._held
            self._behind = self._held = ""
        self._shown.append(piece)
        self._tell(piece)

    def _tell(self, text: str) -> None:
        if self._on_delta is not None and text:
            self._on_delta(mended(text))
