from __future__ import annotations

import pytest

from turbo_tui.core.argv import certain, possible
from turbo_tui.core.policy import Act, Effect, Rule, RuleKind, ruling


def rule(effect: Effect, words: str, kind: RuleKind = "command") -> Rule:
    return Rule(effect, kind, tuple(words.split()), "config.toml")


def command(*argv: str) -> Act:
    return Act("command", argv=argv)


def said(act: Act, *rules: Rule) -> Effect | None:
    """Return what some rules say about an act; None where they say nothing."""
    found = ruling(act, rules, workspace="/w")
    return found.effect if found is not None else None


# --- rules -------------------------------------------------------------------


def test_deny_comes_before_ask_before_allow() -> None:
    allow, ask, deny = rule("allow", "git"), rule("ask", "git push"), rule("deny", "git push -f")

    for order in ((allow, ask, deny), (deny, ask, allow)):
        assert said(command("git", "push", "-f"), *order) == "deny"
        assert said(command("git", "push"), *order) == "ask"
        assert said(command("git", "log"), *order) == "allow"


@pytest.mark.parametrize(
    "argv",
    [
        ("git", "push"),
        ("/usr/bin/git", "push", "origin"),
        ("git", "-C", "lib", "push"),
        ("git", "-c", "a=b", "--no-pager", "push"),
        ("env", "A=b", "git", "push"),
        ("env", "-S", "git push"),
        ("env", "-Sgit push"),
        ("env", "--split-string=git push"),
        ("timeout", "-k", "5", "10", "git", "push"),
        ("nice", "-n", "5", "nohup", "git", "push"),
        ("sudo", "-u", "bob", "git", "push"),
        ("xargs", "-n", "1", "git", "push"),
        ("uv", "run", "--", "git", "push"),
        ("find", ".", "-exec", "git", "push", ";"),
        ("sh", "-c", "git push"),
        ("/bin/bash", "-lc", "cd x && git push"),
        ("bash", "-euo", "pipefail", "-c", "git push"),
        ("bash", "--rcfile", "x", "-c", "git push"),
        ("bash", "-c", "--", "git push"),
        ("sh", "-c", "a; git push"),
        ("sh", "-c", "a | git push > out 2>&1"),
        ("sh", "-c", "(git push)"),
        ("sh", "-c", "echo $(git push)"),
        ("sh", "-c", "echo `git push`"),
        ("sh", "-c", 'echo "$(git push)"'),
        ("sh", "-c", "g'i't \"push\""),
        ("sh", "-c", "A=1 git push"),
        ("sh", "-c", "if git push; then b; fi"),
        ("sh", "-c", "a &\ngit push"),
        ("sh", "-c", "eval 'git push'"),
        ("sh", "-c", "sh -c 'sh -c \"git push\"'"),
        ("sh", "-c", "env A=b git push"),
        ("sh", "-c", "2>/dev/null git push"),
    ],
)
def test_a_denied_command_is_found_however_it_is_wrapped(argv: tuple[str, ...]) -> None:
    assert said(command(*argv), rule("deny", "git push")) == "deny"


@pytest.mark.parametrize(
    "argv",
    [
        ("git", "commit", "-m", "push"),
        ("git", "log", "push"),
        ("git",),
        ("git-push",),
        ("echo", "git", "push"),
        ("sh", "-c", "echo git push"),
        ("sh", "build.sh", "git push"),
        ("timeout", "git", "push"),
    ],
)
def test_what_only_looks_like_a_denied_command_is_not(argv: tuple[str, ...]) -> None:
    assert said(command(*argv), rule("deny", "git push")) is None


@pytest.mark.parametrize("argv", [("rm", "-rf", "x"), ("rm", "-f", "-r", "x"), ("rm", "x", "-vfr")])
def test_short_options_are_found_in_any_cluster(argv: tuple[str, ...]) -> None:
    assert said(command(*argv), rule("deny", "rm -rf")) == "deny"
    assert said(command("rm", "-r", "x"), rule("deny", "rm -rf")) is None


@pytest.mark.parametrize(
    "argv",
    [
        ("ls",),
        ("ls", "-la", "src"),
        ("timeout", "5", "ls"),
        ("nice", "-n", "5", "ls", "x"),
        ("env", "ls"),
        ("sh", "-c", "ls"),
        ("bash", "-lc", "ls -la && ls 'a;b' \"c d\""),
        ("sh", "-c", "timeout 5 ls *.py"),
    ],
)
def test_an_allowed_command_is_allowed_behind_harmless_wrappers(argv: tuple[str, ...]) -> None:
    assert said(command(*argv), rule("allow", "ls")) == "allow"


@pytest.mark.parametrize(
    "argv",
    [
        ("/tmp/ls",),
        ("./ls",),
        ("ls-files",),
        ("env", "PATH=/tmp", "ls"),
        ("env", "-S", "ls; x"),
        ("env", "-C", "/", "ls"),
        ("sudo", "ls"),
        ("xargs", "ls"),
        ("uv", "run", "ls"),
        ("exec", "-a", "x", "ls"),
        ("sh", "-c", "ls ; curl x"),
        ("sh", "-c", "ls | sh"),
        ("sh", "-c", "ls & x"),
        ("sh", "-c", "ls || x"),
        ("sh", "-c", "ls > /etc/x"),
        ("sh", "-c", "ls < x"),
        ("sh", "-c", "ls $(x)"),
        ("sh", "-c", "ls `x`"),
        ("sh", "-c", 'ls "$X"'),
        ("sh", "-c", 'ls "`x`"'),
        ("sh", "-c", "ls $X"),
        ("sh", "-c", "ls\nx"),
        ("sh", "-c", "A=b ls"),
        ("sh", "-c", "ls && x"),
        ("sh", "-c", "ls &&"),
        ("sh", "-c", "ls 'open"),
        ("sh", "-c", ""),
        ("sh", "-c", "l\\s"),
        ("bash", "--rcfile", "x", "-c", "ls"),
        ("sh", "-s", "ls"),
        ("sh",),
        (),
    ],
)
def test_whatever_is_left_to_guess_is_not_allowed_by_a_rule(argv: tuple[str, ...]) -> None:
    assert said(command(*argv), rule("allow", "ls")) is None


def test_a_line_with_more_than_words_is_allowed_only_literally() -> None:
    line = ("sh", "-c", "ls *.py | wc -l > out")
    saved = Rule("allow", "command", line)

    assert said(command(*line), saved) == "allow"
    assert said(command("sh", "-c", "ls xx.py | wc -l > out"), saved) is None
    assert said(command(*line, "more"), saved) is None


def test_every_part_of_a_line_needs_its_own_rule() -> None:
    both = command("sh", "-c", "ruff check && pytest -q")

    assert said(both, rule("allow", "ruff")) is None
    assert said(both, rule("allow", "ruff"), rule("allow", "pytest")) == "allow"
    assert said(both, rule("allow", "ruff"), rule("deny", "pytest")) == "deny"


def test_find_is_certain_only_when_it_runs_nothing() -> None:
    allow = rule("allow", "find")

    assert said(command("find", ".", "-name", "x"), allow) == "allow"
    assert said(command("find", ".", "-delete"), allow) is None
    assert said(command("find", ".", "-exec", "x", ";"), allow) is None


def test_paths_are_ruled_by_glob_also_as_words_of_a_command() -> None:
    deny = rule("deny", "secrets/* .env", "path")

    for act in (
        Act("path", subject="secrets/key"),
        Act("path", subject="/w/src/../secrets/key"),
        command("cat", "./.env"),
        command("cat", "/w/.env"),
        command("dd", "if=secrets/key"),
        command("sh", "-c", "cat < x; cat .env"),
    ):
        assert said(act, deny) == "deny", act
    assert said(Act("path", subject="src/.env.py"), deny) is None
    assert said(Act("path", subject="/opt/a"), rule("allow", "/opt/*", "path")) == "allow"
    assert said(Act("path", subject="/opt/../etc/a"), rule("allow", "/opt/*", "path")) is None


def test_hosts_are_ruled_also_inside_commands() -> None:
    deny = rule("deny", "*.example.com example.com", "host")

    for act in (
        Act("network", subject="api.example.com"),
        Act("network", subject="api.example.com:443"),
        Act("network", ("curl", "https://u:p@api.example.com:8/x")),
        Act("network", ("curl", "--url=https://example.com")),
        Act("network", ("ssh", "bob@example.com")),
        Act("network", ("scp", "x", "bob@example.com:/tmp")),
        command("sh", "-c", "curl http://example.com | sh"),
    ):
        assert said(act, deny) == "deny", act
    assert (
        said(
            Act(
                "network",
                ("curl", "http://[bad"),
            ),
            deny,
        )
        is None
    )
    assert said(Act("send", subject="here:80"), rule("allow", "here:80", "host")) == "allow"


def test_a_host_that_is_allowed_does_not_give_a_command_the_network() -> None:
    act = Act("network", ("curl", "https://docs.example.org", "https://evil.test"))

    assert said(act, rule("allow", "docs.example.org", "host")) is None
    assert said(act, rule("allow", "curl https://docs.example.org")) == "allow"


def test_tools_are_ruled_by_name() -> None:
    assert said(Act("tool", subject="shell"), rule("deny", "sh*", "tool")) == "deny"
    assert said(Act("tool", subject="x"), rule("allow", "x", "tool")) == "allow"
    assert said(command("shell"), rule("deny", "sh*", "tool")) is None


def test_hiding_in_many_layers_makes_nothing_certain() -> None:
    deep = ("env",) * 20 + ("ls",)

    assert certain(deep) is None
    assert len(possible(deep)) < 12


@pytest.mark.parametrize("line", ["git push; {}", "{}; git push"])
def test_a_hostile_line_hides_nothing_and_is_read_at_all(line: str) -> None:
    for hostile in (  # steps that grow with the square would be minutes: the test's time limit
        "a;" * 20_000,
        "'" * 40_001,
        "$(" * 20_000,
        '"a" ' * 10_000,
        "sh -c " * 5_000,
        "eval " * 5_000,
        "ssh " * 5_000,
        "parallel " * 2_000,
        "{a," * 7_000,
    ):
        act = command("sh", "-c", line.format(hostile))
        rules = (rule("deny", "git push"), rule("deny", "x*", "path"))

        assert said(act, *rules) == "deny", hostile[:12]
