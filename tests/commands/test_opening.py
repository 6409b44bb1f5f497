"""What opening the app reads of a strange repository."""

from __future__ import annotations

import pytest

from turbo_tui.commands.opening import ago


@pytest.mark.parametrize(
    ("seconds", "words"), [(5, "just now"), (60, "1 minute ago"), (200_000, "2 days ago")]
)
def test_how_long_ago_is_said_in_words(seconds: float, words: str) -> None:
    assert ago(seconds) == words
