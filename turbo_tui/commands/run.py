"""`turbo-tui run`: carry out a task without the app."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import cast

import click

from turbo_tui.commands import headless
from turbo_tui.commands.as_json import json_option
from turbo_tui.commands.completing import files, place_option
from turbo_tui.commands.telling import tell
from turbo_tui.core.errors import PlanError
from turbo_tui.core.plan import Plan
from turbo_tui.engine.approval import Approve
from turbo_tui.wiring import open_workspace


@click.command("run")
@click.argument("task", required=False, default="")
@place_option()
@click.option("--here", is_flag=True, help="Use PATH itself, not its enclosing git root.")
@click.option(
    "--approve",
    type=click.Choice(["none", "staged", "all"]),
    default="none",
    help="none: nothing lands, the review waits. staged: steps whose checks pass land. "
    "all: questions are answered yes, too.",
)
@click.option(
    "--plan",
    "plan_file",
    metavar="FILE",
    help="Run this plan (as `plan --json` writes).",
    shell_complete=files,
)
@click.option("--built-in", is_flag=True, help="Plan with the recipes even if a model is named.")
@json_option("One event a line on stdout.")
def command(
    task: str,
    *,
    path: str,
    here: bool,
    approve: str,
    plan_file: str | None,
    built_in: bool,
    as_json: bool,
) -> None:
    """Plan TASK, run its steps in stages, and land what --approve allows.

    Exit codes: 0 done, 1 a step or check failed, 2 usage, 3 needs an approval,
    4 model unreachable, 5 workspace or state problem, 130 interrupted.
    """
    plan = read_plan(Path(plan_file)) if plan_file else None
    if plan is None and not task.strip():
        raise click.UsageError("Give a task, or a plan with --plan FILE.")
    raise SystemExit(
        asyncio.run(
            _run(
                task,
                path,
                here=here,
                approve=cast("Approve", approve),
                plan=plan,
                built_in=built_in,
                as_json=as_json,
            )
        )
    )


async def _run(
    task: str,
    path: str,
    *,
    here: bool,
    approve: Approve,
    plan: Plan | None,
    built_in: bool,
    as_json: bool,
) -> int:
    from turbo_tui.wiring.running import open_run  # noqa: PLC0415  heavy

    workspace = open_workspace(path, here=here)
    headless.tell_untrusted(workspace)
    opened = await open_run(workspace, approve=approve, built_in=built_in)
    run = opened.run
    if as_json:
        run.session.subscribe(headless.json_lines(sys.stdout), replay=True)
    else:
        run.session.subscribe(headless.progress(run, sys.stdout), replay=True)

    async def work() -> None:
        if plan is not None:
            run.adopt_plan(plan)
        else:
            run.give_task(task)
            await run.idle()
        if not run.views.plan.failure and not workspace.settings.dry_run:
            run.go()

    try:
        whole = await headless.until_done(run, work)
        if whole:
            code = headless.finish(run)
        else:
            code = headless.finish(run, status="interrupted", reason="interrupted by a signal")
        if not as_json:
            tell(headless.closing_words(run))
        if workspace.settings.dry_run:
            tell("turbo-tui: DRY_RUN is set: the plan was made, and none of its steps was run.\n")
    finally:
        await opened.run.close()
    return code


def read_plan(file: Path) -> Plan:
    """Read a plan file; `-` is standard input.

    Raises:
        PlanError: It cannot be read as a plan, or none of our tools does what it says; the
            message names file and field.
    """
    from turbo_tui.engine.planner import plan_from_json  # noqa: PLC0415  pydantic

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        value = json.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise PlanError(f"{file}: cannot be read: {why}.") from error
    except ValueError as error:
        raise PlanError(
            f"{file}: is not JSON: {error}. Write one with: turbo-tui plan TASK --json"
        ) from error
    if not isinstance(value, dict):
        raise PlanError(f"{file}: a plan is a JSON object; see: turbo-tui plan TASK --json")
    try:
        plan = plan_from_json(cast("dict[str, object]", value))
        _refuse_misfits(plan)
    except PlanError as error:
        raise PlanError(f"{file}: {error}") from error
    return plan


def _refuse_misfits(plan: Plan) -> None:
    """Refuse fixed actions that no tool can carry out, before the steps ahead of them land.

    Raises:
        PlanError: There is no such tool, or it does not take these arguments.
    """
    if not any(step.actions for step in plan.steps):
        return
    from turbo_tui.tools.arguments import misfit  # noqa: PLC0415
    from turbo_tui.tools.catalogue import builtin_tools  # noqa: PLC0415  imports each tool
    from turbo_tui.vcs.repository import CommandLineGit  # noqa: PLC0415

    tools = builtin_tools(git=CommandLineGit())
    for step in plan.steps:
        for number, action in enumerate(step.actions, 1):
            tool = tools.get(action.tool)
            if tool is None:
                fault = f"there is no tool {action.tool!r}. The tools are: {', '.join(tools)}."
            else:
                fault = misfit(tool.spec, action.arguments)
            if fault:
                raise PlanError(f"step {step.id}, action {number}: {fault} Nothing was run.")
