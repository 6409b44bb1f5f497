"""What many tests of the sandbox start from; a file that needs another one has its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import MemoryBlobs
from tests.sandbox.confining import EXPECTED, needs_bubblewrap, needs_landlock, place_in
from tests.stage_fakes import OpenConfiner
from turbo_tui.sandbox.confine.bubblewrap import Bubblewrap
from turbo_tui.sandbox.confine.landlock import Landlock
from turbo_tui.sandbox.place import Confiner, Place
from turbo_tui.sandbox.staging.layers import Kind
from turbo_tui.sandbox.staging.stages import open_stages


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


@pytest.fixture(params=["overlay", "copy"])
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Kind:
    """Both kinds of stages."""
    wanted: Kind = request.param
    if wanted == "overlay":
        probe = tmp_path / "probe"
        probe.mkdir()
        stages = open_stages(probe, tmp_path / "probe-state", MemoryBlobs(), OpenConfiner())
        if stages.report.reasons:
            if EXPECTED == "bwrap":
                pytest.fail(f"An overlay was expected: {stages.report.reasons}")
            pytest.skip(f"no overlay here: {stages.report.reasons}")
    return wanted
