"""What of a step lies outside the tree, so that no undo takes it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from turbo_tui.core import events as ev
from turbo_tui.core.ports import Record

Reach = Literal["push", "network", "path", "unsandboxed", "commit"]

_FORGES = frozenset({"gh", "glab", "tea", "hub"})
_WITH_VALUE = frozenset({"-C", "-c", "--git-dir", "--work-tree", "--namespace", "--exec-path"})


@dataclass(frozen=True, slots=True)
class OutsideEffect:
    """Something that a step may have done where no undo reaches.

    Attributes:
        what: The command as a shell shows it, or what was agreed to.
        where: What it could reach: hosts, a path; empty where the kind says it all.
    """

    reach: Reach
    what: str
    where: str = ""

    def __str__(self) -> str:
        """Say in words why it cannot be taken back."""
        match self.reach:
            case "push":
                return f"{self.what} may have sent commits or requests to a forge; they stay there"
            case "network":
                return f"{self.what} could reach {self.where}; what it sent or changed there stays"
            case "path":
                return f"{self.what} could write {self.where}; what it wrote there stays"
            case "unsandboxed":
                return f"{self.what} ran without a sandbox; what it did outside the workspace stays"
            case "commit":
                return f"{self.what} was agreed to; only git takes a commit back"


class OutsideView:
    """A fold over the log: step -> what it did, or could do, outside the tree.

    It goes by what was granted and by what held: a command that could reach the network is
    named whether or not it did, since that is not known. What a sandbox refused to run is not,
    nor what models were sent: the cost view counts that.
    """

    def __init__(self) -> None:
        self.revision = 0
        self._effects: dict[str, list[OutsideEffect]] = {}
        self._commands: dict[str, ev.CommandRequested] = {}
        self._asked: dict[str, ev.ApprovalAsked] = {}

    def of(self, step_id: str) -> tuple[OutsideEffect, ...]:
        """Return what cannot be taken back of a step, in order, each once."""
        cut_off = [
            effect
            for command in self._commands.values()
            if command.step_id == step_id
            for effect in _granted(command, command.network)
        ]
        return tuple(dict.fromkeys([*self._effects.get(step_id, ()), *cut_off]))

    def apply(self, record: Record) -> None:
        """Take one record into account."""
        match record.event:
            case ev.CommandRequested() as command:
                self._commands[command.command_id] = command
            case ev.CommandFinished() as done:
                command = self._commands.pop(done.command_id, None)
                if command is not None and done.ended != "refused":
                    self._add(command.step_id, *_granted(command, done.network))
                    if _was_free(done):
                        self._add(
                            command.step_id, OutsideEffect("unsandboxed", _shown(command.argv))
                        )
            case ev.ApprovalAsked(ask_id, action="commit") as asked:
                self._asked[ask_id] = asked
            case ev.ApprovalAnswered(ask_id, answer):
                asked = self._asked.pop(ask_id, None)
                if asked is not None and answer != "no":
                    self._add(asked.step_id, OutsideEffect("commit", _shown((asked.subject,))))
            case _:
                return
        self.revision += 1

    def _add(self, step_id: str, *effects: OutsideEffect) -> None:
        self._effects.setdefault(step_id, []).extend(effects)


def _granted(command: ev.CommandRequested, network: str) -> list[OutsideEffect]:
    shown = _shown(command.argv)
    found: list[OutsideEffect] = []
    if network != "off":
        hosts = next((g for g in command.grants if g.startswith("network: ")), "network: all")
        named = hosts.removeprefix("network: ")
        where = "the network" if network == "all" or named == "all" else named
        reach: Reach = "push" if _pushes(command.argv) else "network"
        found.append(OutsideEffect(reach, shown, where))
    found += [
        OutsideEffect("path", shown, grant.removeprefix("writes "))
        for grant in command.grants
        if grant.startswith("writes ")
    ]
    return found


def _was_free(done: ev.CommandFinished) -> bool:
    """Tell whether nothing kept a command's writes in its stage."""
    if done.held is not None and "writes" in done.held:
        return not done.held["writes"]
    return done.rung.endswith("unsandboxed")


def _pushes(argv: tuple[str, ...]) -> bool:
    """Tell whether a command is a push or a forge's client, also as a line for a shell."""
    words = [word for part in argv for word in part.split()]
    for place, word in enumerate(words):
        name = word.rpartition("/")[2]
        if name in _FORGES:
            return True
        if name == "git":
            rest = iter(words[place + 1 :])
            for each in rest:
                if each in _WITH_VALUE:
                    next(rest, None)
                elif not each.startswith("-"):
                    if each in {"push", "send-email", "send-pack"}:
                        return True
                    break
    return False


def _shown(argv: tuple[str, ...]) -> str:
    """Show a command on one line, cut where it is long."""
    line = " ".join(" ".join(argv).split())
    return f"`{line if len(line) <= 80 else line[:79] + '…'}`"  # noqa: PLR2004  columns
