"""What all tests of landing start from."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """Modes of files that are made are compared; a user may share files with their group."""
    before = os.umask(0o022)
    yield
    os.umask(before)
