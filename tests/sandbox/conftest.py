"""What many tests of the sandbox start from; a file that needs another one has its own."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fakes import MemoryBlobs
from tests.sandbox.confining import (
    END_S,
    adopted,
    needs_bubblewrap,
    needs_landlock,
    needs_overlay,
    place_in,
)
from tests.stage_fakes import OpenConfiner
from turbo_tui.sandbox.confine.bubblewrap import Bubblewrap
from turbo_tui.sandbox.confine.landlock import Landlock
from turbo_tui.sandbox.place import Confiner, Place
from turbo_tui.sandbox.process import pool
from turbo_tui.sandbox.staging.layers import Kind
from turbo_tui.sandbox.staging.stages import open_stages


@pytest.fixture(autouse=True)
def nobody_is_left_to_the_next_test() -> Iterator[None]:
    """Reap what was killed and died only after the test's loop was closed, which was to reap it."""
    yield
    end = time.monotonic() + END_S
    while (left := adopted()) and time.monotonic() < end:
        for pid in left:
            with suppress(ChildProcessError):  # somebody else did
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.01)


@pytest.fixture(params=["bubblewrap", "landlock"])
async def confiner(request: pytest.FixtureRequest) -> Confiner:
    """Both that confine on Linux."""
    if request.param == "bubblewrap":
        await needs_bubblewrap()
        return Bubblewrap()
    await needs_landlock()
    return Landlock()


@pytest.fixture
async def bubblewrap() -> Bubblewrap:
    """The first choice alone."""
    await needs_bubblewrap()
    return Bubblewrap()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A workspace that is its own tree."""
    return place_in(tmp_path / "ws")


@pytest.fixture
def ready_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep sandboxes waiting also where time or memory is short: in earnest that is no gain."""
    monkeypatch.setattr(pool, "READY_S", 60.0)
    monkeypatch.setattr(pool, "FREE_BYTES", 0)


@pytest.fixture(scope="session")
def why_no_overlay(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Why no overlay can be mounted here; empty where one can."""
    probe = tmp_path_factory.mktemp("probe")
    state = tmp_path_factory.mktemp("probe-state")
    return open_stages(probe, state, MemoryBlobs(), OpenConfiner()).report.reasons


@pytest.fixture(params=["overlay", "copy"])
def kind(request: pytest.FixtureRequest, why_no_overlay: tuple[str, ...]) -> Kind:
    """Both kinds of stages."""
    wanted: Kind = request.param
    if wanted == "overlay":
        needs_overlay(why_no_overlay)
    return wanted
