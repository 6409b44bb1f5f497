"""Keys and consent: where a key comes from, and what is said when it does not come."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from tests.session_fakes import MemoryEventStore
from turbo_tui.config import ModelSettings, Origin
from turbo_tui.core.errors import ConfigError
from turbo_tui.core.session import Session
from turbo_tui.engine.approval import Asks
from turbo_tui.trust import Consents
from turbo_tui.wiring.models import KEYRING_SERVICE, consented, key_of, model_of

ADDRESS = "https://models.example"


class PocketKeyring(KeyringBackend):
    """A keyring in memory; a locked one refuses."""

    priority = 1  # pyright: ignore[reportAssignmentType]  a property of the class there

    def __init__(self, *, locked: bool = False) -> None:
        super().__init__()
        self.locked = locked
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked("the collection is locked")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


@pytest.fixture
def pocket() -> Iterator[PocketKeyring]:
    before = keyring.get_keyring()
    backend = PocketKeyring()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


def named(*, env: str = "", in_keyring: bool = False, origin: Origin = "file") -> ModelSettings:
    return ModelSettings(
        base_url=ADDRESS, model="m", key_env=env, key_keyring=in_keyring, origin=origin
    )


def test_no_key_is_needed_where_none_is_named() -> None:
    assert key_of(named(), {}) == ""


def test_a_key_comes_from_the_variable_that_is_named() -> None:
    assert key_of(named(env="MODEL_KEY"), {"MODEL_KEY": "secret"}) == "secret"


def test_a_variable_that_is_not_set_is_named_with_its_host() -> None:
    with pytest.raises(ConfigError, match=f"{ADDRESS}.*MODEL_KEY, which is not set"):
        key_of(named(env="MODEL_KEY"), {})


def test_a_key_comes_from_the_keyring(pocket: PocketKeyring) -> None:
    pocket.kept[KEYRING_SERVICE, ADDRESS] = "secret"

    assert key_of(named(in_keyring=True), {}) == "secret"


def test_a_keyring_without_the_key_says_how_to_store_it(pocket: PocketKeyring) -> None:
    assert not pocket.kept

    with pytest.raises(ConfigError, match=f"keyring set {KEYRING_SERVICE} {ADDRESS}"):
        key_of(named(in_keyring=True), {})


def test_a_locked_keyring_points_to_the_environment(pocket: PocketKeyring) -> None:
    pocket.locked = True

    with pytest.raises(ConfigError, match=r"is locked.*key_env"):
        key_of(named(in_keyring=True), {})


def test_a_machine_without_a_keyring_points_to_the_environment() -> None:
    from keyring.backends.fail import Keyring

    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    try:
        with pytest.raises(ConfigError, match=r"cannot be read here.*key_env"):
            key_of(named(in_keyring=True), {})
    finally:
        keyring.set_keyring(before)


async def test_a_step_may_name_another_model_of_the_same_server() -> None:
    usual, other = model_of(named()), model_of(named(), model="larger")

    assert (usual.name, other.name) == ("m", "larger")
    assert usual.host == other.host == "models.example"
    await usual.close()
    await other.close()


@pytest.mark.parametrize(
    ("origin", "agreed"), [("file", True), ("flag", True), ("environment", False)]
)
async def test_only_what_the_user_wrote_down_counts_as_agreed(
    tmp_path: Path, origin: Origin, *, agreed: bool
) -> None:
    consents = Consents(tmp_path)
    settings = named(origin=origin)
    session = Session(MemoryEventStore("s"), clock=lambda: 0.0)

    model = consented(model_of(settings), settings, "planner", consents, Asks(session.append))

    assert consents.has("models.example") is agreed
    assert model.name == "m"
    await model.close()
