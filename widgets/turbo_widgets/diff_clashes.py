"""Where a change set meets the user's own: saying what stands there."""

from __future__ import annotations

from typing import ClassVar, Literal

from textual.binding import Binding, BindingType
from textual.message import Message

from turbo_widgets.diff_reader import DiffReader
from turbo_widgets.diff_values import WHOLE_FILE, DiffClash

Take = Literal["mine", "theirs", "both"]


class DiffClashes(DiffReader):
    """Ask for one side, or both, to stand where two changes meet."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("less_than_sign", "settle('mine')", "Keep yours", key_display="<"),
        Binding("greater_than_sign", "settle('theirs')", "The step's", key_display=">"),
        Binding("greater_than_sign", "settle('before')", "As before it", key_display=">"),
        Binding("plus", "settle('both')", "Both", key_display="+"),
    ]

    class SettleWanted(Message, namespace="diff_pane"):
        """Let one side, or both, stand where two changes meet; `place` as in `DiffClash`."""

        def __init__(self, subject: str, path: str, place: int, take: Take) -> None:
            super().__init__()
            self.subject = subject
            self.path = path
            self.place = place
            self.take: Take = take

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the keys of a clash only where one is."""
        if action != "settle":
            return super().check_action(action, parameters)
        take = parameters[0] if parameters else ""
        if take == ("theirs" if self._value.goes_back else "before"):
            return False  # the same key, and another word for what it takes
        return self._value.decidable and self._clash_here(both=take == "both") is not None

    def _clash_here(self, *, both: bool = False) -> int | None:
        """Return the place of the clash under the cursor; of all, on a file's own lines."""
        place = self._here
        file = self._value.files[place.file] if place is not None and place.file >= 0 else None
        if place is None or file is None or not file.clashes:
            return None
        if file.clash is not None:
            return None if both else file.clash.place
        clash = file.hunks[place.hunk].clash if place.hunk != WHOLE_FILE else DiffClash(WHOLE_FILE)
        return clash.place if clash is not None else None

    @property
    def _is_on_head(self) -> bool:
        return self._here is not None and self._here.hunk == WHOLE_FILE

    @property
    def _is_toggled_here(self) -> bool:
        """What is under the cursor has a mark; of a file that clashes only what merges has one."""
        place = self._here
        file = self._value.files[place.file] if place is not None and place.file >= 0 else None
        if place is None or file is None or not file.clashes or self._is_on_head:
            return True
        return file.by_hunk and file.hunks[place.hunk].clash is None

    @property
    def _edited_here(self) -> int:
        """What `EditWanted` calls the hunk under the cursor; `WHOLE_FILE` where there is none."""
        place = self._here
        if place is None or place.hunk == WHOLE_FILE:
            return WHOLE_FILE
        file = self._value.files[place.file]
        clash = file.hunks[place.hunk].clash
        if clash is not None:
            return clash.place
        return WHOLE_FILE if file.clashes else place.hunk

    def action_settle(self, take: Take | Literal["before"]) -> None:
        """Ask for one side, or both, to stand in the place under the cursor."""
        if take == "before":
            take = "theirs"
        here, at = self._here, self._clash_here()
        if here is not None and at is not None:
            path = self._value.files[here.file].path
            self.post_message(self.SettleWanted(self._value.subject, path, at, take))
