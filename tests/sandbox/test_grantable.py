"""What a sandbox cannot grant is known before a person is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from turbo_tui.core.command import ANY_NETWORK, NOTHING, Grants
from turbo_tui.sandbox.confine.grantable import why_not
from turbo_tui.sandbox.confine.granted import Surroundings
from turbo_tui.sandbox.place import ConfinerName

HOSTS = Grants(network="hosts", hosts=("pypi.org",))


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    for name in ("shop", "home", "state", "data"):
        (tmp_path / name).mkdir()
    return Surroundings(tmp_path / "shop", tmp_path / "home", (tmp_path / "state",))


@pytest.mark.parametrize(
    ("confiner", "grants", "why"),
    [
        ("bubblewrap", NOTHING, ""),
        ("bubblewrap", HOSTS, ""),
        ("bubblewrap", Grants(ptrace=True, unix_sockets=True), ""),
        ("bubblewrap", Grants(network="hosts", hosts=("1.2",)), "cannot be granted as a host"),
        ("landlock", ANY_NETWORK, ""),
        ("landlock", HOSTS, "Landlock tells no hosts apart"),
        ("landlock", Grants(unix_sockets=True), "Unix sockets cannot be granted here"),
        ("seatbelt", ANY_NETWORK, ""),
        ("seatbelt", HOSTS, "single hosts"),
        ("unsandboxed", HOSTS, ""),
    ],
)
def test_what_a_confiner_cannot_open_alone_is_told(
    around: Surroundings, confiner: ConfinerName, grants: Grants, why: str
) -> None:
    said = why_not(grants, confiner, around)

    assert why in said
    assert bool(said) == bool(why)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("data", ""),
        ("nowhere", "is not there"),
        ("home", "all of the home folder"),
        ("state", "sessions of other projects"),
        ("shop/src", "is not there"),
        ("shop", "it is in the workspace"),
    ],
)
def test_a_path_that_cannot_be_granted_is_told(
    around: Surroundings, tmp_path: Path, path: str, why: str
) -> None:
    said = why_not(Grants(readable=(str(tmp_path / path),)), "bubblewrap", around)

    assert why in said
    assert bool(said) == bool(why)
