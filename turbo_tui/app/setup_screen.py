"""Set up planner and executor: take an offered server or type one, test it, keep it."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from turbo_tui.app.dialogs import BOX, key_line
from turbo_tui.app.opened import Checked, ModelChoice, ModelKind, Offer, SavedSetup, Setup
from turbo_tui.core.errors import TurboError
from turbo_widgets.text import clean, clean_line

ROLES = ("planner", "executor")
KINDS: tuple[ModelKind, ...] = ("openai", "ollama", "anthropic")
_FIELDS = ("kind", "base_url", "model", "key_env")
_LABELS = {
    "kind": "kind",
    "base_url": "address",
    "model": "model",
    "key_env": "key from",
}
_HINTS = {
    "kind": "openai, ollama or anthropic",
    "base_url": "like http://127.0.0.1:11434",
    "model": "empty: no model",
    "key_env": "name of an environment variable, or empty",
}


class SetupScreen(ModalScreen[SavedSetup | None]):
    """Fields for both models; nothing is sent before the user tests or saves."""

    DEFAULT_CSS = f"""
    SetupScreen {{
        {BOX}
        & > .box {{ max-height: 100%; padding: 0 2; }}
        & VerticalScroll {{ height: auto; max-height: 100%; }}
        & .role {{ text-style: bold; color: $text-primary; margin-top: 1; }}
        & Horizontal {{ height: 1; }}
        & Horizontal Static {{ width: 10; color: $foreground-darken-3; }}
        & Horizontal Input {{ width: 1fr; }}
        & .result {{ color: $foreground-darken-3; }}
        & .result.-ok {{ color: $text-success; }}
        & .result.-bad {{ color: $text-error; }}
        & .keys {{ margin-top: 0; }}
    }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "Save", priority=True),
        Binding("ctrl+t", "check", "Test", priority=True),
        Binding("ctrl+o", "offer", "Take an offer", priority=True),
        Binding("escape", "back", "Back", priority=True),
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        self._setup = setup
        self.kept = setup  # what the fields say the next time
        self._offers: list[tuple[Offer, str]] = []
        self._taken = -1

    def compose(self) -> ComposeResult:
        """Lay out offers, fields and results."""
        with Vertical(classes="box") as box:
            box.border_title = "Models"
            with VerticalScroll():
                yield Static("Looking for local servers …", id="offers", markup=False)
                for role in ROLES:
                    choice: ModelChoice = getattr(self._setup, role)
                    what = "plans a task" if role == "planner" else "carries out steps"
                    yield Static(f"{role.capitalize()}: {what}", classes="role", markup=False)
                    for field in _FIELDS:
                        with Horizontal():
                            yield Static(_LABELS[field], markup=False)
                            yield Input(
                                getattr(choice, field),
                                id=f"{role}-{field}",
                                placeholder=_HINTS[field],
                                compact=True,
                            )
                    yield Static("", id=f"{role}-result", classes="result", markup=False)
            keys = key_line(
                ("^o", "take an offer"), ("^t", "test both"), ("^s", "save"), ("esc", "back")
            )
            yield Static(keys, classes="keys")

    def on_mount(self) -> None:
        """Look for local servers while the user reads."""
        self.query_one("#planner-base_url", Input).focus()
        self.look()

    @work(exclusive=True, group="offers")
    async def look(self) -> None:
        """Show which well-known local addresses answer."""
        offers = await self._setup.offers()
        self._offers = [(offer, model) for offer in offers for model in offer.models or ("",)]
        label = self.query_one("#offers", Static)
        if not self._offers:
            label.update(
                "No local model server was found. Type an address, or leave the models empty: "
                "the built-in planner works without one."
            )
            return
        names = "; ".join(
            clean_line(f"{offer.title}: {', '.join(offer.models) or 'no models'}")
            for offer in offers
        )
        label.update(f"Found {names}. ctrl+o takes one into the fields.")

    def chosen(self, role: str) -> ModelChoice:
        """Return what the fields of a role say."""
        text = {field: self._input(role, field).value.strip() for field in _FIELDS}
        kind = text["kind"] if text["kind"] in KINDS else "openai"
        return ModelChoice(
            kind=kind,
            base_url=text["base_url"],
            model=text["model"],
            key_env=text["key_env"],
        )

    def _input(self, role: str, field: str) -> Input:
        return self.query_one(f"#{role}-{field}", Input)

    def _role_in_focus(self) -> str:
        focused = self.focused
        name = focused.id or "" if focused is not None else ""
        return "executor" if name.startswith("executor") else "planner"

    def action_offer(self) -> None:
        """Put the next offered server and model into the fields of the role in focus."""
        if not self._offers:
            return
        self._taken = (self._taken + 1) % len(self._offers)
        offer, model = self._offers[self._taken]
        role = self._role_in_focus()
        choice = offer.choice
        self._input(role, "kind").value = choice.kind
        self._input(role, "base_url").value = choice.base_url
        self._input(role, "model").value = model or choice.model
        self._input(role, "key_env").value = choice.key_env

    def action_check(self) -> None:
        """Test both connections."""
        self._check()

    @work(exclusive=True, group="check")
    async def _check(self) -> None:
        for role in ROLES:
            choice = self.chosen(role)
            if not choice.model:
                self._say(role, Checked(ok=True, text=_without_model(role)))
                continue
            if (fault := self._fault(role)) is not None:
                self._say(role, Checked(ok=False, text=fault[1]))
                continue
            self.query_one(f"#{role}-result", Static).update(f"asking {choice.base_url} …")
            self._say(role, await self._setup.check(choice))

    def _fault(self, role: str) -> tuple[str, str] | None:
        """Return the field of a role that cannot be used, and why; None where all can."""
        kind = self._input(role, "kind").value.strip()
        if kind not in KINDS:
            return "kind", f"The kind {kind!r} is not known; use {', '.join(KINDS)}."
        choice = self.chosen(role)
        if choice.model and not choice.base_url.startswith(("http://", "https://")):
            what = f"the address {choice.base_url!r} cannot be used"
            if not choice.base_url:
                what = f"{choice.model} has no address"
            return "base_url", f"{what}; give one such as http://127.0.0.1:11434."
        return None

    def _say(self, role: str, checked: Checked) -> None:
        label = self.query_one(f"#{role}-result", Static)
        label.update(clean(checked.text))
        label.set_class(checked.ok, "-ok")
        label.set_class(not checked.ok, "-bad")

    def action_save(self) -> None:
        """Keep what the fields say."""
        for role in ROLES:
            if (fault := self._fault(role)) is not None:
                field, why = fault
                self._say(role, Checked(ok=False, text=why))
                self._input(role, field).focus()
                return
        self._save()

    @work(exclusive=True, group="save")
    async def _save(self) -> None:
        planner, executor = self.chosen("planner"), self.chosen("executor")
        try:
            saved = await self._setup.save(planner, executor)
        except TurboError as error:
            self._say("executor", Checked(ok=False, text=str(error)))
            return
        self.kept = replace(self._setup, planner=planner, executor=executor)
        self.dismiss(saved)

    def action_back(self) -> None:
        """Leave everything as it was."""
        self.dismiss(None)


def _without_model(role: str) -> str:
    if role == "planner":
        return "no model: the built-in planner plans from recipes"
    return "no model: only steps with fixed actions can run"
