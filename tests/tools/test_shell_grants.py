"""What a command needs beyond its stage is asked for, one by one, and given to it alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest

from tests.fakes import FolderStage, ScriptedAsker
from turbo_tui.core.command import NOTHING, Command, Grants
from turbo_tui.core.errors import SandboxError, ToolError
from turbo_tui.core.policy import Rule
from turbo_tui.core.ports import Ask, CommandResult, OnOutput, ToolContext, Verdict
from turbo_tui.engine.rules import by_rules
from turbo_tui.tools.grants import MOST_HOSTS, wanted
from turbo_tui.tools.shell import SPEC, Shell

YES = Verdict(allowed=True)


@dataclass
class NotingStage(FolderStage):
    """A stage that notes what its commands were granted."""

    root: Path
    granted: list[Grants] = field(default_factory=list[Grants])
    fails: str = ""

    def __post_init__(self) -> None:
        super().__init__(self.root)

    async def run(self, command: Command, *, on_output: OnOutput | None = None) -> CommandResult:
        self.granted.append(command.grants)
        if self.fails:
            raise SandboxError(self.fails)
        return await super().run(command, on_output=on_output)


def a_context(root: Path, *verdicts: Verdict) -> tuple[ToolContext, NotingStage, ScriptedAsker]:
    stage, asker = NotingStage(root), ScriptedAsker(*verdicts)
    return ToolContext(stage, asker, root), stage, asker


async def test_what_cannot_be_granted_here_is_refused_and_nobody_is_asked(tmp_path: Path) -> None:
    context, stage, asker = a_context(tmp_path, YES, YES)
    seen: list[Grants] = []

    def why_not(grants: Grants) -> str:
        seen.append(grants)
        return "/nope cannot be granted to a command: it is not there." if grants.readable else ""

    context = replace(context, why_not=why_not)
    with pytest.raises(ToolError, match=r"not there\. It was not run, and the user"):
        await Shell().call({"command": "cat /nope", "grants": {"read": ["/nope"]}}, context)

    assert (asker.asked, stage.granted) == ([], [])
    await Shell().call({"command": "true", "grants": {"hosts": ["pypi.org"]}}, context)
    assert [ask.action for ask in asker.asked] == ["hosts"]
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("given", "grants"),
    [
        ({}, NOTHING),
        ({"grants": {}}, NOTHING),
        ({"grants": None}, NOTHING),
        ({"grants": {"network": True}}, Grants(network="all")),
        ({"network": True}, Grants(network="all")),
        ({"network": "yes"}, Grants(network="all")),
        ({"network": False, "hosts": []}, NOTHING),
        ({"grants": {"hosts": ["a.b", "a.b"]}}, Grants(network="hosts", hosts=("a.b",))),
        ({"hosts": "pypi.org"}, Grants(network="hosts", hosts=("pypi.org",))),
        ({"network": ["a.b", "c.d:1"]}, Grants(network="hosts", hosts=("a.b", "c.d:1"))),
        ({"grants": {"network": True, "hosts": ["a.b"]}}, Grants(network="all")),
        ({"grants": '{"ptrace": true}'}, Grants(ptrace=True)),
        ({"grants": ["ptrace", "unix_sockets"]}, Grants(ptrace=True, unix_sockets=True)),
        ({"grants": "network"}, Grants(network="all")),
        (
            {"grants": {"read": ["/a", "/b"], "write": ["/b"]}},
            Grants(readable=("/a",), writable=("/b",)),
        ),
    ],
)
def test_grants_are_read_as_models_write_them(given: Mapping[str, object], grants: Grants) -> None:
    assert wanted({"command": "x", **given}) == grants


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"grants": 7}, "must be an object with"),
        ({"grants": "{broken"}, "must be an object with"),
        ({"grants": "everything"}, "must be an object with"),
        ({"grants": {"everything": True}}, "must be an object with"),
        ({"grants": ["read"]}, "must be an object with"),
        ({"hosts": ["https://pypi.org/simple"]}, "names of hosts alone"),
        ({"hosts": ["a.b, c.d"]}, "names of hosts alone"),
        ({"hosts": ["a.b\nc.d"]}, "names of hosts alone"),
        ({"hosts": ["user@a.b"]}, "names of hosts alone"),
        ({"hosts": [""]}, "names of hosts alone"),
        ({"hosts": [7]}, "list of strings"),
        ({"hosts": [f"h{n}.example" for n in range(MOST_HOSTS + 1)]}, "names more than"),
        ({"read": ["data"]}, "absolute paths"),
        ({"read": ["~/data"]}, "absolute paths"),
        ({"write": ["/a/../b"]}, "absolute paths"),
        ({"write": ["/a\nread /b"]}, "absolute paths"),
        ({"write": ["/a\u202egpj"]}, "absolute paths"),
        ({"read": [f"/{n}" for n in range(9)]}, "names more than"),
        ({"ptrace": "perhaps"}, "true or false"),
    ],
)
def test_what_cannot_be_read_is_told_with_an_example(given: Mapping[str, object], why: str) -> None:
    with pytest.raises(ToolError, match=rf"{why}.*Example"):
        wanted({"command": "x", **given})


async def test_each_grant_is_asked_for_and_given_to_the_command(tmp_path: Path) -> None:
    context, stage, asker = a_context(tmp_path, YES, YES, YES, YES, YES)
    needed = {
        "hosts": ["pypi.org", "*.example.org:8443"],
        "ptrace": True,
        "unix_sockets": True,
        "read": ["/data/in"],
        "write": ["/data/out"],
    }

    await Shell().call({"command": "true", "grants": needed, "reason": "tests"}, context)
    await Shell().call({"command": "true"}, context)

    assert [(ask.action, ask.subject) for ask in asker.asked] == [
        ("hosts", "pypi.org, *.example.org:8443\ntrue"),
        ("ptrace", "true"),
        ("sockets", "true"),
        ("path", "read /data/in\ntrue"),
        ("path", "write /data/out\ntrue"),
    ]
    assert {ask.reason for ask in asker.asked if ask.action != "sockets"} == {"tests"}
    (sockets,) = (ask.reason for ask in asker.asked if ask.action == "sockets")
    assert sockets.startswith("tests (")
    assert "may reach services of the system" in sockets
    assert {ask.scopes for ask in asker.asked} == {("once", "step", "plan", "no")}
    assert stage.granted == [
        Grants(
            network="hosts",
            hosts=("pypi.org", "*.example.org:8443"),
            ptrace=True,
            unix_sockets=True,
            readable=("/data/in",),
            writable=("/data/out",),
        ),
        NOTHING,
    ]


async def test_the_first_grant_that_is_refused_ends_it(tmp_path: Path) -> None:
    context, stage, asker = a_context(
        tmp_path, YES, Verdict(allowed=False, feedback="read the log instead")
    )
    needed = {"network": True, "ptrace": True, "write": ["/data"]}

    with pytest.raises(
        ToolError,
        match=r"Debugging is off.*`gdb x`.*They said: read the log instead\. It was not run",
    ):
        await Shell().call({"command": "gdb x", "grants": needed}, context)

    assert [ask.action for ask in asker.asked] == ["network", "ptrace"]
    assert stage.granted == []


@pytest.mark.parametrize(
    ("needed", "said"),
    [
        ({"hosts": ["pypi.org"]}, r"pypi\.org: the user did not allow .* what is installed"),
        ({"read": ["/data"]}, r"/data stays closed: .* files of the workspace"),
        ({"unix_sockets": True}, "Unix sockets are off: .* Find out another way"),
    ],
)
async def test_a_refusal_tells_the_model_what_to_do(
    needed: dict[str, object], said: str, tmp_path: Path
) -> None:
    context, _, _ = a_context(tmp_path, Verdict(allowed=False))

    with pytest.raises(ToolError, match=said):
        await Shell().call({"command": "x", "grants": needed}, context)


async def test_sockets_with_the_whole_network_are_said_to_reach_further(tmp_path: Path) -> None:
    context, _, asker = a_context(tmp_path, YES, YES)

    await Shell().call(
        {"command": "true", "grants": {"network": True, "unix_sockets": True}}, context
    )

    assert "some sockets of your programs" in asker.asked[1].reason


async def test_a_grant_that_cannot_be_given_is_told_to_the_model(tmp_path: Path) -> None:
    context, stage, _ = a_context(tmp_path, YES)
    stage.fails = "/link cannot be granted to a command: it is a symlink."

    with pytest.raises(ToolError, match=r"it is a symlink\. It was not run"):
        await Shell().call({"command": "x", "grants": {"read": ["/link"]}}, context)
    with pytest.raises(SandboxError):
        await Shell().call({"command": "x"}, context)


def test_the_schema_is_small() -> None:
    properties = cast("dict[str, object]", SPEC.parameters["properties"])

    assert list(properties) == ["command", "cwd", "timeout_s", "grants", "reason"]


# --- the user's rules about them -------------------------------------------------


def answer(ask: Ask, *rules: Rule) -> str:
    return by_rules(rules, "/ws")(ask)[0]


def test_rules_speak_about_the_hosts_and_paths_of_a_grant() -> None:
    hosts = Ask("hosts", "pypi.org, files.example.org\npip install x", "")
    reading, writing = Ask("path", "read /data/in\nx", ""), Ask("path", "write /data/in\nx", "")
    pypi = Rule("allow", "host", ("pypi.org",))

    denied = (Rule("allow", "host", ("*.org",)), Rule("deny", "host", ("files.example.org",)))

    assert answer(hosts) == "ask"
    assert answer(hosts, pypi) == "ask"
    assert answer(hosts, pypi, Rule("allow", "host", ("*.example.org",))) == "allow"
    assert answer(hosts, pypi, Rule("deny", "host", ("files.example.org",))) == "deny"
    anywhere = Ask("hosts", "*.example.org, FILES.example.org.:8443\nx", "")
    assert answer(anywhere, Rule("deny", "host", ("files.example.org",))) == "deny"
    assert answer(Ask("hosts", "*.example.org\nx", ""), *denied) == "deny"
    assert answer(hosts, Rule("ask", "host", ("pypi.org",)), pypi) == "ask"
    assert answer(hosts, Rule("deny", "command", ("pip", "install"))) == "deny"
    assert answer(reading, Rule("deny", "path", ("/data/**",))) == "deny"
    assert answer(writing, Rule("allow", "path", ("/data/**",))) == "allow"
    assert answer(Ask("ptrace", "gdb x", ""), Rule("deny", "tool", ("ptrace",))) == "deny"
