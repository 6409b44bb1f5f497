"""The profile for macOS, as text: its effect is for a Mac to show."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sandbox.confining import place_in
from turbo_tui.core.command import NOTHING, Command, Grants
from turbo_tui.core.errors import SandboxError
from turbo_tui.sandbox.confine import seatbelt
from turbo_tui.sandbox.confine.seatbelt import Seatbelt, missing, profile, quoted, refuse_grants
from turbo_tui.sandbox.place import Place
from turbo_tui.sandbox.probing.trials import trial


def balanced(text: str) -> bool:
    """Read parentheses and strings as a Scheme reader would."""
    depth = 0
    within = escaped = False
    for char in text:
        if escaped:
            escaped = False
        elif within:
            escaped, within = char == "\\", char != '"'
        elif char == '"':
            within = True
        else:
            depth += {"(": 1, ")": -1}.get(char, 0)
            assert depth >= 0
    return depth == 0 and not within


def rules(text: str, action: str) -> str:
    return "\n".join(line for line in text.splitlines() if line.startswith(f"({action}"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return place_in(tmp_path / "work")


def test_all_is_denied_first_and_only_stage_and_scratch_are_written(
    place: Place, tmp_path: Path
) -> None:
    text = profile(place, tmp_path / "scratch", (tmp_path / "tools",), NOTHING)

    assert text.startswith("(version 1)\n(deny default)\n")
    assert balanced(text)
    written = rules(text, "allow file-read* file-write*")
    assert written == (
        f'(allow file-read* file-write* (subpath "{place.tree}") '
        f'(subpath "{tmp_path / "scratch"}"))'
    )
    assert f'(subpath "{tmp_path / "tools"}")' in rules(text, "allow file-read* (subpath")
    assert "network" not in text
    assert "/Users" not in text


def test_what_git_runs_is_closed_after_the_stage_was_opened(place: Place, tmp_path: Path) -> None:
    text = profile(place, tmp_path / "scratch", (), NOTHING)

    lines = text.splitlines()
    opened = lines.index(rules(text, "allow file-read* file-write*"))
    closed = lines.index(rules(text, "deny file-write* "))
    assert opened < closed, "the last rule wins"
    assert f'"{place.tree}/.git/hooks"' in lines[closed]
    assert f'"{place.tree}/.git/config"' in lines[closed]
    assert f'"{place.tree}/.turbo"' in rules(text, "deny file-read* file-write*")


def test_the_network_is_opened_by_its_grant_alone(place: Place, tmp_path: Path) -> None:
    text = profile(place, tmp_path, (), Grants(network="all"))

    assert "(allow network* system-socket)" in text


def test_granted_paths_are_shown(place: Place, tmp_path: Path) -> None:
    grants = Grants(readable=(str(tmp_path / "data"),), writable=(str(tmp_path / "out"),))

    text = profile(place, tmp_path / "s", (), grants)

    assert f'(subpath "{tmp_path / "data"}")' in rules(text, "allow file-read* (subpath")
    assert f'(subpath "{tmp_path / "out"}")' in rules(text, "allow file-read* file-write*")


def test_quotes_and_backslashes_in_a_path_stay_in_their_string(tmp_path: Path) -> None:
    name = 'a" (allow default) "b\\'

    text = profile(place_in(tmp_path / name), tmp_path, (), NOTHING)

    assert balanced(text)
    assert "(allow default)" not in [line.strip() for line in text.splitlines()]
    assert quoted(name) == '"a\\" (allow default) \\"b\\\\"'


@pytest.mark.parametrize("name", ["a\nb", "a\x1bb", "a\x7f"])
def test_a_path_with_a_control_character_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="cannot be named to sandbox-exec"):
        profile(place_in(tmp_path / name), tmp_path, (), NOTHING)


def test_links_are_resolved_because_the_kernel_compares_real_paths(tmp_path: Path) -> None:
    place = place_in(tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    linked = Place(tmp_path / "link", tmp_path / "link", (), place.owner_uid, place.owner_gid)

    assert f'"{tmp_path}/link"' not in profile(linked, tmp_path / "s", (), NOTHING)


@pytest.mark.parametrize(
    ("grants", "word"),
    [
        (Grants(network="hosts", hosts=("a.example",)), "single hosts"),
        (Grants(ptrace=True), "debugging"),
        (Grants(unix_sockets=True), "unix sockets"),
    ],
)
def test_what_cannot_be_opened_alone_is_not_granted(grants: Grants, word: str) -> None:
    with pytest.raises(SandboxError, match=word):
        refuse_grants(grants)


async def test_a_sandbox_exec_that_refuses_nothing_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "sandbox-exec"
    fake.write_text('#!/bin/sh\nprintf "%s" "$2" > inside-profile\nshift 2\nexec "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setattr(seatbelt, "PROGRAM", str(fake))
    place = place_in(tmp_path / "work")

    result = await Seatbelt().run(place, Command(("sh", "-c", "echo ran; exit 3")))

    assert (result.exit_code, result.output) == (3, "ran\n")
    assert (place.tree / "inside-profile").read_text().startswith("(version 1)\n(deny default)")
    assert await trial(Seatbelt(), tmp_path) == "a command wrote outside its folder"


def test_it_says_everywhere_that_no_mac_has_tried_it() -> None:
    said = [each.detail for each in Seatbelt().guarantees if each.held]

    assert len(said) == 3
    assert all("not yet tried on a Mac" in detail for detail in said)


def test_it_is_for_macs_that_have_the_program(tmp_path: Path) -> None:
    assert missing("linux") == "works on macOS only"
    assert "is not there" in missing("darwin", str(tmp_path / "none"))
    assert missing("darwin", "/bin/sh") == ""
