"""The main job in a real terminal, by keys only, on the source of a real package."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.journeys.screen import Screen
from tests.journeys.test_headless import FEATURE, two_steps
from tests.journeys.turbo import Turbo, differences, give_venv, whole_tree
from tests.model_server import ModelServer
from tests.real_package import click_repository

SIZES = [(120, 40), (80, 24)]
# A card does not take keys for half a second after it appears, so that no keystroke meant for
# something else answers it. The tests wait for the footer to offer the key.


@pytest.fixture
def turbo(tmp_path: Path) -> Turbo:
    home = tmp_path / "home"
    home.mkdir()
    return Turbo(home, click_repository(tmp_path / "click"))


@pytest.mark.parametrize("size", SIZES)
def test_the_demo_by_keys_only(turbo: Turbo, size: tuple[int, int]) -> None:
    with Screen(turbo, "--demo", size=size) as screen:
        screen.wait_for("recorded", "currency")
        screen.press("enter")
        screen.wait_for("The plan has 3 steps")
        screen.press("g")
        screen.wait_for("wants to land 2 files")
        press_until(screen, "a", "wants to land 3 files")
        screen.press("ctrl+q")
        assert screen.wait_until_ended() == 0


def press_until(screen: Screen, key: str, text: str) -> None:
    """Press a key until it has answered the card, as a person does who was too quick."""
    for _ in range(20):
        screen.press(key)
        try:
            screen.wait_for(text)
        except AssertionError:
            continue
        return
    raise AssertionError(f"{key!r} never led to {text!r}:\n{screen.text}")
