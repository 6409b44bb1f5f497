"""A command's grants, limits and usage, as values and in words."""

from __future__ import annotations

import pytest

from turbo_tui.core.command import ANY_NETWORK, NOTHING, CommandUsage, Grants, Limits


@pytest.mark.parametrize(
    ("grants", "words"),
    [
        (NOTHING, ()),
        (ANY_NETWORK, ("network: all",)),
        (Grants(network="hosts", hosts=("pypi.org", "*.x")), ("network: pypi.org, *.x",)),
        (Grants(network="hosts"), ("network: no host",)),
        (
            Grants(ptrace=True, unix_sockets=True, readable=("/r",), writable=("/w",)),
            ("writes /w", "reads /r", "ptrace", "unix sockets"),
        ),
    ],
)
def test_grants_in_words(grants: Grants, words: tuple[str, ...]) -> None:
    assert grants.words == words
    assert bool(grants) == bool(words)


@pytest.mark.parametrize(
    ("usage", "words"),
    [
        (CommandUsage(), ""),
        (
            CommandUsage(0.84, 120_400_000, 2_130_000, 3),
            "0.8 s cpu · 120 MB · 3 procs · 2.1 MB written",
        ),
        (CommandUsage(0.0042, 999, 0, 1), "4 ms cpu · 999 B · 1 proc"),
        (CommandUsage(written_bytes=3_400_000_000), "3.4 GB written"),
        (CommandUsage(peak_memory_bytes=64_000), "64 kB"),
    ],
)
def test_usage_in_words(usage: CommandUsage, words: str) -> None:
    assert str(usage) == words


def test_limits_left_open_are_taken_from_the_wider() -> None:
    held = Limits(cpu_s=5).over(Limits(cpu_s=9, processes=7))

    assert (held.cpu_s, held.processes) == (5, 7)
