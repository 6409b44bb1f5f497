"""The setup screen: offers, fields, a test of the connection, and what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.app.screen_kit import SMALL, Seat, seated
from tests.app.session_kit import Stand
from turbo_tui.app.opened import Checked, ModelChoice, Offer, SavedSetup, Setup
from turbo_tui.core.errors import ConfigError

OLLAMA = ModelChoice("ollama", "http://127.0.0.1:11434", "qwen2.5-coder")


@dataclass
class Servers:
    """What answers, and what was asked and kept."""

    found: Sequence[Offer] = ()
    refuse: str = ""
    checked: list[ModelChoice] = field(default_factory=list[ModelChoice])
    saved: list[tuple[ModelChoice, ModelChoice]] = field(
        default_factory=list[tuple[ModelChoice, ModelChoice]]
    )

    async def offers(self) -> Sequence[Offer]:
        return self.found

    async def check(self, choice: ModelChoice) -> Checked:
        self.checked.append(choice)
        if choice.model == "missing":
            return Checked(ok=False, text="The server has no model [missing].")
        return Checked(ok=True, text=f"{choice.model} answered.")

    async def save(self, planner: ModelChoice, executor: ModelChoice) -> SavedSetup:
        if self.refuse:
            raise ConfigError(self.refuse)
        self.saved.append((planner, executor))
        return SavedSetup(planner.model or "built-in", executor.model, "Saved in config.toml.")


def with_setup(folder: Path, servers: Servers) -> Stand:
    stand = Stand(folder)
    setup = Setup(ModelChoice(), ModelChoice(), servers.offers, servers.check, servers.save)
    stand.opened = replace(stand.opened, setup=setup)
    return stand


async def open_setup(seat: Seat) -> None:
    await seat.press("escape", "M")
    await seat.sees("Executor: carries out steps")


async def test_an_offered_server_fills_the_fields_and_is_kept(tmp_path: Path) -> None:
    servers = Servers((Offer("Ollama", OLLAMA, ("qwen2.5-coder", "llama3.2")),))
    async with seated(with_setup(tmp_path, servers), SMALL) as seat:
        await open_setup(seat)
        await seat.sees("Found Ollama: qwen2.5-coder, llama3.2")
        await seat.press("ctrl+o", "ctrl+o")
        await seat.sees("llama3.2")
        await seat.press(*["tab"] * 4, "ctrl+o", "ctrl+t")
        await seat.sees("qwen2.5-coder answered.")
        await seat.press("ctrl+s")
        await seat.until(lambda: servers.saved)
        await seat.sees("Saved in config.toml.")

    planner, executor = servers.saved[0]
    assert planner == replace(OLLAMA, model="llama3.2")
    assert executor == OLLAMA


async def test_what_was_kept_stands_in_the_fields_the_next_time(tmp_path: Path) -> None:
    servers = Servers((Offer("Ollama", OLLAMA, ("qwen2.5-coder",)),))
    async with seated(with_setup(tmp_path, servers), SMALL) as seat:
        await open_setup(seat)
        await seat.sees("Found Ollama")
        await seat.press("ctrl+o", "ctrl+s")
        await seat.until(lambda: len(servers.saved) == 1)
        await seat.sees("what do you want done?")
        await seat.press("M")
        await seat.sees("Executor: carries out steps")
        await seat.press("ctrl+s")
        await seat.until(lambda: len(servers.saved) == 2)

    assert servers.saved[1] == servers.saved[0] == (OLLAMA, ModelChoice())


async def test_without_a_server_it_says_what_works_anyway(tmp_path: Path) -> None:
    async with seated(with_setup(tmp_path, Servers()), SMALL) as seat:
        await open_setup(seat)
        await seat.sees("No local model server was found.")
        await seat.press("ctrl+t")
        await seat.sees("the built-in planner plans from recipes")
        await seat.press("escape")
        await seat.sees("Type below what you want done")


async def test_a_failed_check_says_why_and_is_never_markup(tmp_path: Path) -> None:
    servers = Servers()
    async with seated(with_setup(tmp_path, servers), SMALL) as seat:
        await open_setup(seat)
        await seat.type("http://x")
        await seat.press("tab")
        await seat.type("missing")
        await seat.press("ctrl+t")
        await seat.sees("The server has no model [missing].")

    assert servers.checked == [ModelChoice("openai", "http://x", "missing")]


async def test_an_unknown_kind_is_not_kept(tmp_path: Path) -> None:
    servers = Servers()
    async with seated(with_setup(tmp_path, servers), SMALL) as seat:
        await open_setup(seat)
        await seat.press("up", "ctrl+u")
        await seat.type("grpc")
        await seat.press("ctrl+s")
        await seat.sees("The kind 'grpc' is not known")

    assert not servers.saved


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("", "llama3 has no address; give one"),
        ("localhost", "'localhost' cannot be used; give one"),
    ],
)
async def test_a_model_without_an_address_that_can_be_used_is_neither_kept_nor_asked(
    tmp_path: Path, address: str, why: str
) -> None:
    servers = Servers()
    async with seated(with_setup(tmp_path, servers), SMALL) as seat:
        await open_setup(seat)
        await seat.type(address)
        await seat.press("tab")
        await seat.type("llama3")
        await seat.press("ctrl+t")
        await seat.sees(why)
        await seat.press("ctrl+s")
        await seat.until(lambda: getattr(seat.app.focused, "id", "") == "planner-base_url")

    assert not servers.saved
    assert not servers.checked


async def test_a_config_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    servers = Servers(refuse="config.toml: read-only file system.")
    async with seated(with_setup(tmp_path, servers), SMALL) as seat:
        await open_setup(seat)
        await seat.press("ctrl+s")
        await seat.sees("config.toml: read-only file system.")


async def test_where_models_cannot_be_changed_there_is_no_key(tmp_path: Path) -> None:
    async with seated(Stand(tmp_path), SMALL) as seat:
        await seat.press("escape", "M")

        assert len(seat.app.screen_stack) == 1


async def test_without_a_model_the_empty_plan_says_what_works_and_how_to_name_one(
    tmp_path: Path,
) -> None:
    stand = with_setup(tmp_path, Servers((Offer("Ollama", OLLAMA, ("qwen2.5-coder",)),)))
    stand.opened = replace(stand.opened, planner="built-in")
    async with seated(stand, SMALL) as seat:
        await seat.sees("then M, and name a model.")
        await open_setup(seat)
        await seat.sees("Found Ollama")
        await seat.press("ctrl+o", "ctrl+s")
        await seat.until(lambda: "No model is set up" not in seat.text)
        await seat.sees("Type below what you want done")
