"""Take a session up where a crash left it: finish landings, keep work, run nothing twice."""

from __future__ import annotations

from turbo_tui.core import events as ev
from turbo_tui.core.errors import StageError
from turbo_tui.core.ports import LandedEntry
from turbo_tui.core.views import StepState
from turbo_tui.engine.run import Run


async def recover(run: Run) -> None:
    """Bring log, landings and stages of a reopened session into agreement.

    In this order: landings that a crash cut off are completed or rolled back; an approval
    whose landing is in the journal but not in the log is told; an approval without a landing
    lands now; a running step becomes `interrupted` with its work kept; open questions close.
    """
    await _finish_landings(run)
    for state in run.views.plan.steps:
        if state.status == "approved":
            await _land_what_was_approved(run, state)
        elif state.status in {"landed", "done", "skipped"} and state.stage_id:
            await run.footing.stages.discard(state.stage_id)  # where a crash came before that
    running = run.views.plan.running
    if running is not None:
        await _interrupt(run, running)
    for ask_id in tuple(run.views.asks.waiting):
        run.session.append(ev.ApprovalAnswered(ask_id, "no", "the session was closed before"))
    if run.views.plan.planning:
        task = run.views.plan.task
        run.session.append(ev.PlanFailed(task, "Planning was interrupted; give the task again."))


async def _finish_landings(run: Run) -> None:
    session_id = run.session.session_id
    for recovery in await run.footing.lander.recover():
        if recovery.session_id != session_id:
            continue
        run.session.append(
            ev.LandingRecovered(
                recovery.landing_id,
                recovery.outcome,
                recovery.paths,
                recovery.left_alone,
                recovery.step_id,
            )
        )


async def _land_what_was_approved(run: Run, state: StepState) -> None:
    known = {entry.landing for entry in run.views.timeline.landings}
    done = next(
        (
            entry
            for entry in run.footing.lander.landings()
            if _is_landing_of(entry, run.session.session_id, state.step.id)
            and entry.landing_id not in known
        ),
        None,
    )
    if done is not None:
        run.session.append(ev.StepLanded(state.step.id, done.landing_id, done.paths))
        await run.footing.stages.discard(state.stage_id)
        return
    selected = run.review.change_set(state.selected)
    await run.landings.land_approved(state.step.id, selected, stage_id=state.stage_id)


def _is_landing_of(entry: LandedEntry, session_id: str, step_id: str) -> bool:
    return entry.session_id == session_id and entry.step_id == step_id and entry.landed


async def _interrupt(run: Run, state: StepState) -> None:
    blob, paths = "", ()
    reason = "the app ended while it ran"
    try:
        stage = await run.footing.stages.reopen(state.stage_id)
        changes = await stage.changes()
        await stage.close(keep=True)
    except StageError as error:
        reason = f"{reason}; its work is lost: {error}"
    else:
        if changes.files or changes.ignored:
            blob = run.review.keep(changes)
            paths = tuple(change.path for change in changes.files)
    run.session.append(ev.StepInterrupted(state.step.id, reason, blob, paths))
