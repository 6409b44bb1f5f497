"""Take a session up where a crash left it: finish landings, keep work, run nothing twice."""

from __future__ import annotations

from turbo_tui.core import events as ev
from turbo_tui.core.errors import StageError
from turbo_tui.core.landings import LandedEntry, Landing
from turbo_tui.core.views import StepState, without_ground
from turbo_tui.engine.before import before_id
from turbo_tui.engine.run import Run
from turbo_tui.engine.taking_back import recovery_event, untold

CUT_OFF = "the app ended while it ran"


async def recover(run: Run) -> None:
    """Bring log, landings and stages of a reopened session into agreement.

    In this order: landings that a crash cut off are completed or rolled back; an approval
    whose landing is in the journal but not in the log is told; an approval without a landing
    lands now; a verification ends without a result; a running step becomes `interrupted` with
    its work kept; steps whose ground was taken away are set back; open questions close.
    """
    await _finish_landings(run)
    plan = run.views.plan
    for step_id, selected, stage_id in run.views.review.verifying:
        await run.footing.discard(stage_id)
        run.session.append(ev.VerifyFinished(step_id, selected, passed=False, reason=CUT_OFF))
    for state in plan.steps:
        if state.status == "approved":
            await _land_what_was_approved(run, state)
        elif _is_over(state) and state.stage_id not in plan.layers:
            await run.footing.discard(state.stage_id)  # where a crash came before that
    for stage_id in plan.left - set(plan.layers):
        await run.footing.discard(stage_id)
    if plan.running is not None:
        await _interrupt(run, plan.running)
    for state in without_ground(plan):
        run.session.append(ev.StepSetBack(state.step.id, "what it was made on is gone"))
        await run.footing.discard(state.stage_id)
    for ask_id in tuple(run.views.asks.waiting):
        run.session.append(ev.ApprovalAnswered(ask_id, "no", "the session was closed before"))
    if run.views.plan.planning:
        task = run.views.plan.task
        run.session.append(ev.PlanFailed(task, "Planning was interrupted; give the task again."))


def _is_over(state: StepState) -> bool:
    """Tell whether nothing of a step's stage is needed any more, but for a layer."""
    dropped = state.status == "rejected" and not state.feedback
    return state.settled or state.undone or dropped


async def _finish_landings(run: Run) -> None:
    session_id = run.session.session_id
    for recovery in await run.footing.lander.recover():
        if recovery.session_id != session_id:
            continue
        state = run.views.plan.state(recovery.step_id)
        layer = ""
        fresh = recovery.kind == "landing" and recovery.outcome == "completed"
        if fresh and state is not None and state.selected:
            run.landings.tell_moved(state, run.review.change_set(state.selected))
            layer = await run.footing.settle(state.stage_id, recovery.paths)
        run.session.append(recovery_event(recovery, layer))
    for event in untold(run.views.timeline, run.footing.lander.landings()):
        run.session.append(event)


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
    selected = run.review.change_set(state.selected)
    if done is not None:
        landing = Landing(done.landing_id, done.paths, written=selected)
        await run.landings.tell_landed(state, selected, landing)
        return
    await run.landings.land_approved(state, selected)


def _is_landing_of(entry: LandedEntry, session_id: str, step_id: str) -> bool:
    return entry.session_id == session_id and entry.step_id == step_id and entry.landed


async def _interrupt(run: Run, state: StepState) -> None:
    blob, paths = "", ()
    await run.footing.discard(before_id(state.stage_id))
    reason = CUT_OFF
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
