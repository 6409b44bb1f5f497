"""Every error a user can meet, in one tree.

    TurboError                      exit code
    ├── UsageError                  2   the command line, a setting or a plan cannot be used
    │   ├── ConfigError                 names file, key and fix
    │   ├── PlanError                   a plan or an edit of it does not hold together
    │   └── TaskError                   the built-in planner cannot match or fill the task
    ├── ModelError                  4   a model or service did not serve us
    │   ├── ModelUnreachableError       no connection, timeout, disconnect
    │   ├── ModelRefusedError           401, 403, 404: key, address or model name is wrong
    │   ├── ModelBusyError              429 or 5xx after the last retry
    │   ├── ModelReplyError             the reply cannot be read
    │   ├── ContextTooLongError         the request exceeds the model's window
    │   └── WeightsError                the search model's weights are missing or damaged
    ├── WorkspaceError              5   the tree, the state folder or the log is in the way
    │   ├── StageError                  a stage cannot be made, read or mounted
    │   ├── LandingError                a landing stopped; the message says what stands where
    │   └── SessionError                no such session, locked, or its log is broken
    │       └── OtherVersionError           its log is whole, and of another turbo-tui
    ├── OutputError                 5   what is told on standard output cannot be written
    │   └── OutputClosedError       141 its reader has gone, as where SIGPIPE ends a program
    ├── SandboxError                125 the sandbox itself failed, not the command in it
    ├── ToolError                   1   a tool call cannot be done; goes back to the model
    └── BudgetError                 1   a cap on turns, tokens, money or time was reached

A message says what, where, why and what to do next. Source: docs/architecture.md.
"""

from __future__ import annotations

from typing import ClassVar


class TurboError(Exception):
    """The root: `str(error)` is written for the user, `exit_code` for the shell."""

    exit_code: ClassVar[int] = 1


class UsageError(TurboError):
    """The request itself cannot be used."""

    exit_code: ClassVar[int] = 2


class ConfigError(UsageError):
    """A setting cannot be used; the message names file, key and fix."""


class PlanError(UsageError):
    """A plan, or an edit of one, does not hold together."""


class TaskError(UsageError):
    """The built-in planner cannot match or fill the task.

    Attributes:
        nearest: Recipe names closest to the task, best first; empty when none is near.
    """

    def __init__(self, message: str, nearest: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.nearest = nearest


class ModelError(TurboError):
    """A model or service did not serve us."""

    exit_code: ClassVar[int] = 4


class ModelUnreachableError(ModelError):
    """No connection, a timeout, or a connection that broke off."""


class ModelRefusedError(ModelError):
    """The server answered that key, address or model name is wrong."""


class ModelBusyError(ModelError):
    """Rate limited or failing, still so after the last retry."""


class ModelReplyError(ModelError):
    """The reply cannot be read as what was asked for."""


class ContextTooLongError(ModelError):
    """The request exceeds the model's context window; compaction may help."""


class WeightsError(ModelError):
    """The search model's weights, or what is made of them, are missing or damaged."""


class WorkspaceError(TurboError):
    """The tree, the state folder or the session log is in the way."""

    exit_code: ClassVar[int] = 5


class StageError(WorkspaceError):
    """A stage cannot be made, read or mounted."""


class LandingError(WorkspaceError):
    """A landing stopped; the message says what stands where."""


class SessionError(WorkspaceError):
    """No such session, locked by another process, or its log is broken."""


class OtherVersionError(SessionError):
    """A log is as it was written, by a version of turbo-tui whose events this one cannot read."""


class OutputError(TurboError):
    """Standard output cannot be written."""

    exit_code: ClassVar[int] = 5


class OutputClosedError(OutputError):
    """What read standard output has gone."""

    exit_code: ClassVar[int] = 141  # 128 + SIGPIPE, as a shell tells it of other programs


class SandboxError(TurboError):
    """The sandbox itself failed, not the command in it."""

    exit_code: ClassVar[int] = 125


class ToolError(TurboError):
    """A tool call cannot be done; the message goes back to the model."""


class BudgetError(TurboError):
    """A cap on turns, tokens, money or time was reached."""
