"""What the user settled for one project: kept in their config folder, never lost, never widened."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from turbo_tui.core.errors import ConfigError
from turbo_tui.core.policy import Rule
from turbo_tui.projects import FILE, load_project

ROOT = Path("/home/me/shop")

BY_HAND = """\
# mine
["/home/me/shop"]
show_secrets = [".env.test", "keys/*.pem"]  # for the tests

[["/home/me/shop".rules]]
effect = "deny"
kind = "command"
pattern = ["git", "push"]

["/home/me/other"]
odd = "not read here"
"""


def test_without_a_file_nothing_is_settled(tmp_path: Path) -> None:
    project = load_project(tmp_path / "none", ROOT)

    assert (project.show_secrets, project.rules) == ((), ())
    assert not project.has("network", "npm install")


def test_an_answer_counts_at_once_and_later_for_equal_questions_alone(tmp_path: Path) -> None:
    config = tmp_path / "config"
    project = load_project(config, ROOT)

    project.give("hosts", 'pypi.org\npip install "a b"  # ü\t\x1b')
    project.give("hosts", 'pypi.org\npip install "a b"  # ü\t\x1b')
    project.give("network", "npm install")

    for known in (project, load_project(config, ROOT)):
        assert known.has("hosts", 'pypi.org\npip install "a b"  # ü\t\x1b')
        assert known.has("network", "npm install")
        assert not known.has("network", "npm install x")
        assert not known.has("hosts", "npm install")
    assert not load_project(config, Path("/home/me/other")).has("network", "npm install")
    assert (config / FILE).read_text().count("npm install") == 1
    assert stat.S_IMODE((config / FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(config.stat().st_mode) == 0o700


def test_what_was_written_by_hand_is_read_and_stays(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(BY_HAND)
    project = load_project(tmp_path, ROOT)

    project.give("network", "npm install")

    assert project.show_secrets == (".env.test", "keys/*.pem")
    assert project.rules == (Rule("deny", "command", ("git", "push"), source=str(tmp_path / FILE)),)
    text = (tmp_path / FILE).read_text()
    assert all(line in text for line in BY_HAND.splitlines())
    again = load_project(tmp_path, ROOT)
    assert again.has("network", "npm install")
    assert (again.show_secrets, again.rules) == (project.show_secrets, project.rules)


def test_two_sessions_lose_no_answer_of_each_other(tmp_path: Path) -> None:
    first, second = load_project(tmp_path, ROOT), load_project(tmp_path, ROOT)

    first.give("network", "a")
    second.give("network", "b")

    known = load_project(tmp_path, ROOT)
    assert known.has("network", "a")
    assert known.has("network", "b")


def test_a_link_to_the_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    (tmp_path / "dotfiles/projects.toml").write_text(BY_HAND)
    (tmp_path / FILE).symlink_to("dotfiles/projects.toml")

    load_project(tmp_path, ROOT).give("network", "a")

    assert (tmp_path / FILE).is_symlink()
    assert "subject" in (tmp_path / "dotfiles/projects.toml").read_text()


def test_a_file_that_broke_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    project = load_project(tmp_path, ROOT)
    (tmp_path / FILE).write_text("[half")

    with pytest.raises(ConfigError, match="is not valid TOML"):
        project.give("network", "npm install")

    assert (tmp_path / FILE).read_text() == "[half"
    assert not project.has("network", "npm install")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[half", "is not valid TOML"),
        ('"/home/me/shop" = 1', "must be a table"),
        ('["/home/me/shop"]\nshow_secret = []', "Did you mean 'show_secrets'"),
        ('["/home/me/shop"]\nshow_secrets = ".env"', "give a list such as"),
        ('["/home/me/shop"]\nrules = [{}]', "rule 1: effect = None"),
        ('["/home/me/shop"]\nanswers = [{action = "network"}]', "answer 1 must have the texts"),
        ('["/home/me/shop"]\nanswers = ["yes"]', "answer 1 must have the texts"),
    ],
)
def test_what_cannot_be_used_is_named(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text)

    with pytest.raises(ConfigError, match=said) as raised:
        load_project(tmp_path, ROOT)

    assert str(tmp_path / FILE) in str(raised.value)


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"\xff\xfe")

    with pytest.raises(ConfigError, match="cannot be read"):
        load_project(tmp_path, ROOT)


def test_what_a_file_cannot_hold_is_refused(tmp_path: Path) -> None:
    project = load_project(tmp_path, ROOT)

    with pytest.raises(ConfigError, match="Answer for this plan instead"):
        project.give("network", "cat na\udcffme")

    assert not (tmp_path / FILE).exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    project = load_project(tmp_path / "file", ROOT)

    with pytest.raises(ConfigError, match="the answer cannot be kept"):
        project.give("network", "npm install")
