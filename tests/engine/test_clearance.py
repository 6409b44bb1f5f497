"""What is foretold about a command is what its stage does."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes import FolderStage, MemoryBlobs
from turbo_tui.core.command import Command
from turbo_tui.core.errors import ToolError, UsageError
from turbo_tui.core.events import ApprovalAnswered, ApprovalAsked
from turbo_tui.core.policy import HIDDEN_WHY, Decision, Effect, Rule
from turbo_tui.core.ports import CommandResult, Level, OnOutput
from turbo_tui.engine.approval import Asks
from turbo_tui.engine.clearance import foretell
from turbo_tui.engine.gating import GatedStage
from turbo_tui.engine.rules import by_rules
from turbo_tui.engine.staging import LoggedStage

RULES = (
    Rule("deny", "command", ("git", "push"), "/c/config.toml"),
    Rule("ask", "command", ("make",), "/w/.turbo/config.toml"),
    Rule("allow", "command", ("ls",), "/c/config.toml"),
    Rule("allow", "command", ("sh", "-c", "ls > out"), "/c/config.toml"),
    Rule("deny", "path", (".env",), "/c/config.toml"),
)
COMMANDS: dict[str, tuple[str, ...]] = {
    "no rule speaks of it": ("true",),
    "a rule allows it": ("ls", "-a"),
    "a rule denies it": ("git", "push"),
    "a rule asks": ("make", "x"),
    "a rule asks behind wrappers": ("env", "A=1", "timeout", "5", "make"),
    "a rule denies behind sudo": ("sudo", "-nu", "bob", "git", "push"),
    "a line is allowed in part": ("bash", "-c", "ls && true"),
    "a line is denied in part": ("bash", "-c", "ls; git push"),
    "a line is asked and denied": ("bash", "-c", "make && git push"),
    "a line is allowed literally": ("sh", "-c", "ls > out"),
    "a line is allowed with another target": ("sh", "-c", "ls > other"),
    "a name is made while it runs": ("sh", "-c", "X=git; $X push"),
    "a path is denied": ("sh", "-c", "cat <.env"),
    "a word only quotes what is denied": ("grep", "-c", "git push", "x"),
    "a word stays a word": ("echo", "$(git push)"),
}
REASONS = {
    "full": "In the sandbox: it has no network unless you grant it; what it changes is staged, "
    "and you review that before anything lands.",
    "none": "Nothing confines commands here.",
}


class Pretending(FolderStage):
    """Runs nothing, and says that it is confined so far."""

    def __init__(self, root: Path, level: Level) -> None:
        super().__init__(root)
        self.report = replace(self.report, level=level)

    async def run(self, command: Command, *, on_output: OnOutput | None = None) -> CommandResult:
        del on_output
        self.ran.append(tuple(command.argv))
        return CommandResult(0, "exited", "", 0.0)


class Refuser:
    """A person who says no to every question, and counts them."""

    def __init__(self) -> None:
        self.asked = 0
        self.asks = Asks(self.append, rules=by_rules(RULES, "/w"))

    def append(self, event: ApprovalAsked | ApprovalAnswered, by: str) -> None:
        if isinstance(event, ApprovalAsked):
            asyncio.get_running_loop().call_soon(self.refuse, event.ask_id)
        self.asked += by == "user"

    def refuse(self, ask_id: str) -> None:
        with suppress(UsageError):  # a rule answered already
            self.asks.answer(ask_id, "no")


@pytest.mark.parametrize("level", ["full", "reduced", "none"])
@pytest.mark.parametrize("argv", COMMANDS.values(), ids=COMMANDS)
async def test_what_is_foretold_is_what_happens(
    tmp_path: Path, argv: tuple[str, ...], level: Level
) -> None:
    person = Refuser()
    inner = Pretending(tmp_path, level)
    gated = GatedStage(inner, by_rules(RULES, "/w"), person.asks, "s1")
    stage = LoggedStage(gated, lambda _: None, "s1", blobs=MemoryBlobs(), ask=person.asks.ask)

    try:
        await stage.run(Command(argv))
    except ToolError:
        happened: Effect = "ask" if person.asked else "deny"
    else:
        happened = "allow"

    foretold = foretell(argv, RULES, workspace="/w", level=level)
    assert foretold.decision == happened
    assert bool(inner.ran) == (happened == "allow")


class Answered:
    """Everything was allowed for the project."""

    def has(self, action: str, subject: str) -> bool:
        return action == "command" and subject == "make x"

    def give(self, action: str, subject: str) -> None:
        raise AssertionError((action, subject))


def told(*argv: str, level: Level = "full", answers: Answered | None = None) -> Decision:
    return foretell(argv, RULES, answers, workspace="/w", level=level)


def test_a_decision_names_its_rule_and_the_file_it_stands_in() -> None:
    assert told("git", "push") == Decision(
        "deny", "A rule forbids it (/c/config.toml).", "deny command git push"
    )
    assert told("make") == Decision(
        "ask", "A rule says to ask (/w/.turbo/config.toml).", "ask command make", ("once", "no")
    )
    assert told("ls") == Decision("allow", "A rule allows it (/c/config.toml).", "allow command ls")


def test_a_name_that_is_made_while_it_runs_is_asked_with_the_reason() -> None:
    assert told("sh", "-c", "X=git; $X push").reason == HIDDEN_WHY


def test_without_a_rule_the_sandbox_decides() -> None:
    assert told("true") == Decision("allow", REASONS["full"])
    assert told("true", level="none") == Decision(
        "ask", REASONS["none"], "", ("once", "step", "no")
    )
    assert told("ls", level="none").decision == "allow"


def test_what_was_allowed_for_the_project_is_not_asked_again() -> None:
    assert told("make", "x", answers=Answered()).decision == "allow"
    assert told("make", "y", answers=Answered()).decision == "ask"
