"""What stands between a step and its stage: the user's rules, and their secrets."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import replace

from turbo_tui.core.command import Command
from turbo_tui.core.errors import ToolError
from turbo_tui.core.ports import CommandResult, Entry, OnOutput, Stage, StageFiles
from turbo_tui.core.secret_files import is_secret, is_shown
from turbo_tui.engine.approval import Asks, Rules
from turbo_tui.engine.clearance import question_of_rule
from turbo_tui.engine.wrapping import StageAround


class GatedStage(StageAround):
    """A stage whose commands obey the user's `deny` and `ask` rules, and that keeps secrets.

    Without a rule a staged command runs: its effects are reviewed afterwards.

    Args:
        redact: Takes known secrets out of what commands write.
        pinned: Files the user named: read even if they look like secrets.
        shown: Globs of such files that the user lets steps of this project read.
    """

    def __init__(
        self,
        stage: Stage,
        rules: Rules,
        asks: Asks,
        step_id: str,
        *,
        redact: Callable[[str], str] = str,
        pinned: Collection[str] = (),
        shown: Collection[str] = (),
    ) -> None:
        super().__init__(stage)
        self._redact = redact
        self._files = GuardedFiles(stage.files, pinned, shown)
        self._rules = rules
        self._asks = asks
        self._step_id = step_id

    @property
    def files(self) -> StageFiles:
        """The wrapped stage's files, without secrets."""
        return self._files

    async def run(
        self,
        command: Command,
        *,
        on_output: OnOutput | None = None,
    ) -> CommandResult:
        """Run a command that the rules let through.

        Raises:
            ToolError: A rule, or the user whom a rule made us ask, forbids it.
        """
        ask = question_of_rule(command.argv, self._rules, self._step_id)
        if ask is not None:
            verdict = await self._asks.ask(ask)
            if not verdict.allowed:
                why = verdict.feedback or "the user said no"
                raise ToolError(
                    f"`{ask.subject}` is not allowed here: {why}. Reach the goal another way."
                )
        result = await self._stage.run(command, on_output=on_output)
        return replace(result, output=self._redact(result.output))


class GuardedFiles:
    """A stage's files, without the contents of those that hold secrets by their name.

    Their names are shown, and they may be written: the user reviews that.
    """

    def __init__(
        self, files: StageFiles, pinned: Collection[str], shown: Collection[str] = ()
    ) -> None:
        self._files = files
        self._shown = tuple(shown)
        self._pinned = frozenset(map(posixpath.normpath, pinned))

    def read(self, path: str, *, limit_bytes: int | None = None) -> bytes:
        """Read a file that is no secret.

        Raises:
            ToolError: It looks like one, or it cannot be read.
        """
        self._refuse_secret(path)
        return self._files.read(path, limit_bytes=limit_bytes)

    def write(self, path: str, content: bytes) -> None:
        """Write a file."""
        self._files.write(path, content)

    def remove(self, path: str) -> None:
        """Delete a file."""
        self._files.remove(path)

    def move(self, path: str, target: str) -> None:
        """Move a file that is no secret: under another name it would be shown."""
        self._refuse_secret(path)
        self._files.move(path, target)

    def entries(self, path: str = ".") -> list[Entry]:
        """List a folder."""
        return self._files.entries(path)

    def entry(self, path: str) -> Entry | None:
        """Describe a path."""
        return self._files.entry(path)

    def real(self, path: str) -> str:
        """Return where a path leads."""
        return self._files.real(path)

    def walk(self) -> Iterator[str]:
        """Yield all files."""
        return self._files.walk()

    def _refuse_secret(self, path: str) -> None:
        names = {posixpath.normpath(path)}
        with suppress(ToolError):  # nothing is there, or it leads outside: the reading says so
            names.add(self._files.real(path))  # a link shows its target's content
        secret = [each for each in names if is_secret(each) and each not in self._pinned]
        if any(not is_shown(each, self._shown) for each in secret):
            raise ToolError(
                f"{path} likely holds secrets, so it is not shown to a model. Work without it; "
                "if it is needed, the user pins it to the task, or names it in `show_secrets` of "
                "projects.toml."
            )
