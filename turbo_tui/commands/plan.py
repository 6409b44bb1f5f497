"""`turbo-tui plan`: only plan a task."""

from __future__ import annotations

import asyncio
import json
import sys

import click

from turbo_tui.commands import headless
from turbo_tui.commands.as_json import json_option, tell_failure
from turbo_tui.commands.completing import place_option
from turbo_tui.commands.telling import tell
from turbo_tui.core import events as ev
from turbo_tui.core.plain import one_line, plain
from turbo_tui.core.plan import Plan
from turbo_tui.wiring import open_workspace


@click.command("plan")
@click.argument("task")
@place_option()
@click.option("--here", is_flag=True, help="Use PATH itself, not its enclosing git root.")
@click.option("--built-in", is_flag=True, help="Plan with the recipes even if a model is named.")
@click.option(
    "--approve",
    type=click.Choice(["none", "all"]),
    default="none",
    help="all: answer yes when asked whether the task may be sent to the model's host.",
)
@json_option("The plan as JSON; `run --plan` takes it.")
def command(
    task: str, *, path: str, here: bool, built_in: bool, approve: str, as_json: bool
) -> None:
    """Answer TASK with a plan; nothing is run."""
    raise SystemExit(
        asyncio.run(
            _plan(task, path, here=here, built_in=built_in, yes=approve == "all", as_json=as_json)
        )
    )


async def _plan(
    task: str, path: str, *, here: bool, built_in: bool, yes: bool, as_json: bool
) -> int:
    from turbo_tui.engine.planner import plan_to_json  # noqa: PLC0415  pydantic
    from turbo_tui.wiring.running import open_run  # noqa: PLC0415

    workspace = open_workspace(path, here=here)
    headless.tell_untrusted(workspace)
    opened = await open_run(workspace, approve="all" if yes else "none", built_in=built_in)
    run = opened.run

    async def work() -> None:
        run.give_task(task)

    try:
        if not await headless.until_done(run, work):
            tell("turbo-tui: interrupted.\n")
            return headless.finish(run, status="interrupted", reason="interrupted by a signal")
        if run.views.plan.failure:
            code = headless.finish(run)
            if as_json:
                tell_failure(run.views.plan.failure, code)
            tell(headless.closing_words(run))
            return code
        plan = run.views.plan.plan
        # It is done with that: nothing of it waits to be taken up.
        run.session.append(ev.RunFinished("done", run.session.session_id), "headless")
        if as_json:
            sys.stdout.write(json.dumps(plan_to_json(plan), indent=1) + "\n")
        else:
            sys.stdout.write(headless.encodable(in_words(plan), sys.stdout))
        return 0
    finally:
        await opened.run.close()


def in_words(plan: Plan) -> str:
    """Write a plan for reading."""
    lines = [one_line(f"Plan by {plan.planner}: {plan.task}")]
    for step in plan.steps:  # by the ids that they are called by
        lines.append(f"{plain(step.id):>3}. {plain(step.title)}")
        lines += [f"       {plain(line)}" for line in step.intent.splitlines() if line.strip()]
        lines += [f"       check: {plain(' '.join(argv))}" for argv in step.checks]
    return "\n".join(lines) + "\n"
