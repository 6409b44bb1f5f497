"""Keep what a sandboxed command did as a session that waits for its review."""

from __future__ import annotations

import os
import shlex

from turbo_tui.core import events as ev
from turbo_tui.core.changes import ChangeSet
from turbo_tui.core.command import Command
from turbo_tui.core.plan import Step
from turbo_tui.core.ports import CommandResult, Stage
from turbo_tui.core.redact import Redactor, secrets_of
from turbo_tui.engine.review import Review
from turbo_tui.engine.staging import head_and_tail
from turbo_tui.wiring import Workspace
from turbo_tui.wiring.running import open_session

SHOWN_CHARS = 16_000


def keep_for_review(
    workspace: Workspace,
    stage: Stage,
    ordered: Command,
    result: CommandResult,
    changes: ChangeSet,
) -> str:
    """Write the command as a session of one staged step; return the session's id.

    Raises:
        SessionError: The log cannot be written; the stage is as it was.
    """
    session, _ = open_session(workspace, "", Redactor(secrets_of(os.environ)))
    command = shlex.join(ordered.argv)
    step = Step("s1", command, "A command of yours, run in the sandbox.")
    reach = ordered.grants.network
    held = {each.name: each.held for each in stage.report.guarantees}
    try:
        for event in (
            ev.TaskGiven(f"keep what `{command}` did"),
            ev.PlanProposed(f"keep what `{command}` did", "user", (step,)),
            ev.StepStarted("s1", 1, stage.stage_id, stage.report.rung),
            ev.CommandRequested("sandbox", "s1", tuple(ordered.argv), reach, ordered.grants.words),
            ev.CommandFinished(
                "sandbox",
                result.exit_code,
                result.ended,
                head_and_tail(result.output, SHOWN_CHARS),
                result.duration_s,
                network=reach,
                held=held,
                rung=stage.report.rung,
                usage=result.usage,
            ),
            ev.StepStaged(
                "s1",
                Review(workspace.blobs).keep(changes),
                tuple(change.path for change in changes.files),
                checks_passed=result.exit_code == 0,
                summary=f"exit {result.exit_code}",
            ),
        ):
            session.append(event, "user")
    finally:
        session.close()
    return session.session_id
