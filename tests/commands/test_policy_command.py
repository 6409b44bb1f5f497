"""`turbo-tui policy check`: what a step could run here, said and not done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

RULES = """
[[rules]]
effect = "deny"
kind = "command"
pattern = ["git", "push"]

[[rules]]
effect = "allow"
kind = "command"
pattern = ["ls"]
"""
ASKS = '[[rules]]\neffect = "ask"\nkind = "command"\npattern = ["make"]\n'
ALLOWS = '[[rules]]\neffect = "allow"\nkind = "command"\npattern = ["curl"]\n'


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "home/config").mkdir(parents=True)
    (tmp_path / "home/config/config.toml").write_text(RULES)
    (tmp_path / "shop/.turbo").mkdir(parents=True)
    (tmp_path / "shop/.turbo/config.toml").write_text(ASKS + ALLOWS)
    return tmp_path / "shop"


def policy(shop: Path, *words: str, rung: str = "") -> tuple[int, str, str]:
    done = subprocess.run(
        (sys.executable, "-m", "turbo_tui", "policy", *words),
        cwd=shop,
        env={
            **os.environ,
            "TURBO_TUI_HOME": str(shop.parent / "home"),
            "TURBO_TUI_RUNG": rung or "auto",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def decided(shop: Path, *argv: str, rung: str = "") -> dict[str, object]:
    code, out, err = policy(shop, "check", "--here", "--json", "--", *argv, rung=rung)
    assert (code, err) == (0, "")
    found: dict[str, object] = json.loads(out)
    assert list(found) == ["decision", "reason", "rule", "scopes"]
    return found


def test_the_users_rules_decide_through_wrappers(shop: Path) -> None:
    config = shop.parent / "home/config/config.toml"

    assert decided(shop, "env", "A=1", "sh", "-c", "ls; git push") == {
        "decision": "deny",
        "reason": f"A rule forbids it ({config}).",
        "rule": "deny command git push",
        "scopes": [],
    }


def test_a_strangers_project_can_only_make_it_stricter(shop: Path) -> None:
    assert decided(shop, "make", "x")["decision"] == "ask"
    assert decided(shop, "curl", "x", rung="copy+unsandboxed")["decision"] == "ask"


def test_without_a_sandbox_a_command_is_asked_unless_a_rule_allows_it(shop: Path) -> None:
    asked = decided(shop, "true", rung="copy+unsandboxed")

    assert (asked["decision"], asked["scopes"]) == ("ask", ["once", "step", "no"])
    assert decided(shop, "ls", "-a", rung="copy+unsandboxed")["rule"] == "allow command ls"


def test_what_was_answered_for_the_project_counts(shop: Path) -> None:
    answer = f'[["{shop}".answers]]\naction = "command"\nsubject = "make x"\n'
    (shop.parent / "home/config/projects.toml").write_text(answer)

    assert decided(shop, "make", "x")["decision"] == "allow"
    assert decided(shop, "make", "y")["decision"] == "ask"


def test_a_person_is_told_in_lines(shop: Path) -> None:
    code, out, _ = policy(shop, "check", "--here", "--", "make")

    assert code == 0
    assert out.splitlines() == [
        f"ask: A rule says to ask ({shop}/.turbo/config.toml).",
        "  rule: ask command make",
        "  answers: once, no",
    ]


def test_what_no_rule_speaks_of_is_said_with_what_it_can_reach(shop: Path) -> None:
    reason = str(decided(shop, "git", "fetch")["reason"])

    assert "no network unless you grant it" in reason or "holds only in part" in reason
    assert "review" in reason


def test_a_whole_line_as_one_word_is_told_from_a_program(shop: Path) -> None:
    err = policy(shop, "check", "--", "git push --force")[2]

    assert "no program called 'git push --force'" in err
    assert "policy check -- git push --force" in err


def test_nothing_is_run(shop: Path) -> None:
    assert decided(shop, "touch", "made")["decision"] == "allow"
    assert not (shop / "made").exists()


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("check",),
        ("check", "--"),
        ("check", "--jsn", "ls"),
        ("check", "--", ""),
        ("check", "--", "git push"),
        ("chek",),
    ],
)
def test_a_wrong_command_line_exits_2_and_says_why(shop: Path, words: tuple[str, ...]) -> None:
    code, out, err = policy(shop, *words)

    assert (code, out) == (2, "")
    assert "Error" in err or "Usage" in err


def test_a_setting_that_cannot_be_used_exits_2_and_names_its_file(shop: Path) -> None:
    config = shop.parent / "home/config/config.toml"
    config.write_text("[[rules]]\neffect = 'maybe'\n")

    code, out, err = policy(shop, "check", "--here", "--json", "--", "ls")

    assert code == 2
    assert str(config) in err
    assert str(config) in json.loads(out)["error"]["message"]
