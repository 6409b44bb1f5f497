"""What opening the app does behind its first frame: questions, the session, all beside it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from turbo_tui.adapters.sessions import find_session, list_sessions
from turbo_tui.adapters.unkept import unkept_folder
from turbo_tui.app.opened import (
    Checked,
    Front,
    Language,
    ModelChoice,
    Offer,
    Opened,
    Part,
    Project,
    SavedSetup,
    Setup,
    resume_question,
    trust_question,
)
from turbo_tui.config import ModelSettings, load_settings
from turbo_tui.config.writing import save_models
from turbo_tui.core.errors import TurboError
from turbo_tui.trust import FILES_THAT_COUNT, project_files
from turbo_tui.vcs.head import branch_of
from turbo_tui.wiring import Workspace, open_workspace
from turbo_tui.wiring.running import OpenedRun, open_run

if TYPE_CHECKING:
    from turbo_tui.wiring.reading import Project as ReadProject

OFFERED = {
    "ollama": "Ollama",
    "openai": "OpenAI-compatible server (llama.cpp, LM Studio, vLLM)",
    "anthropic": "Anthropic",
}


async def open_session(
    workspace: Workspace, front: Front, *, new: bool, session: str, here: bool
) -> Opened:
    """Open a session on a workspace, after the questions that come first."""
    place = await _trusted(workspace, front, here=here)
    session_id = await _which_session(place, front, new=new, session=session)
    front.say("Preparing the sandbox …")
    run = await open_run(place, session_id=session_id)
    return _opened(place, run)


async def open_demo(folder: Path, front: Front) -> Opened:
    """Open the bundled project, written to `folder`, with its recorded session."""
    from turbo_tui.adapters.recorded import RecordedModel, read_recording  # noqa: PLC0415  rare
    from turbo_tui.demo import SESSION, prepare_demo  # noqa: PLC0415
    from turbo_tui.wiring.minds import Recorded  # noqa: PLC0415

    front.say("Preparing the demo …")
    recording = read_recording(SESSION)
    place = open_workspace(prepare_demo(folder / "tally"), here=True)
    models = Recorded(RecordedModel("planner", recording), RecordedModel("executor", recording))
    run = await open_run(place, recorded=models)
    note = "A recorded session: no model is asked. Stage, sandbox and landing are real."
    return replace(
        _opened(place, run), label="recorded", task=recording.task, setup=None, notes=(note,)
    )


async def _trusted(workspace: Workspace, front: Front, *, here: bool) -> Workspace:
    seen = project_files(workspace.root)
    if not workspace.trust.asked_for(workspace.root):
        return workspace
    files = [name for name in FILES_THAT_COUNT if (workspace.root / name).exists()]
    if await front.choose(trust_question(workspace.root, files)) != "trust":
        return workspace
    workspace.trust.give(workspace.root, seen)  # and nothing that came while the question stood
    return open_workspace(workspace.root, here=here)


async def _which_session(workspace: Workspace, front: Front, *, new: bool, session: str) -> str:
    if session:
        return find_session(workspace.state, session)
    if new:
        return ""
    last = next(
        (each for each in list_sessions(workspace.state, workspace.root) if each.status != "empty"),
        None,
    )
    if last is None or last.status not in {"waiting", "interrupted"}:
        return ""
    state = {
        "waiting": "It waits for you.",
        "interrupted": "It was cut off while something ran; the work done so far is kept.",
    }[last.status]
    question = resume_question(last.session_id, ago(time.time() - last.last), last.task, state)
    return last.session_id if await front.choose(question) == "resume" else ""


def ago(seconds: float) -> str:
    """Say how long ago in words."""
    for size, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        count = int(seconds // size)
        if count:
            return f"{count} {word}{'' if count == 1 else 's'} ago"
    return "just now"


def _opened(workspace: Workspace, opened: OpenedRun) -> Opened:
    return Opened(
        run=opened.run,
        root=workspace.root,
        branch=branch_of(workspace.root),
        find_branch=lambda: branch_of(workspace.root),
        planner=opened.minds.planner_name,
        executor=opened.minds.executor_name,
        live=opened.live,
        search=opened.project.search,
        look_at_project=lambda: _look(opened.project),
        setup=_setup(workspace, opened),
        aside=unkept_folder(workspace.state),
    )


async def _look(project: ReadProject) -> Project:
    found = await project.inspected()
    return Project(
        languages=tuple(
            Language(each.name, each.percent, each.files, each.lines) for each in found.languages
        ),
        parts=tuple(
            Part(
                each.path,
                each.type,
                tuple(
                    (purpose, " ".join(command.argv))
                    for purpose, commands in each.commands.items()
                    for command in commands
                ),
                tuple(each.evidence),
            )
            for each in found.projects
        ),
    )


def _setup(workspace: Workspace, opened: OpenedRun) -> Setup:
    async def offers() -> Sequence[Offer]:
        from turbo_tui.adapters.providers import probe_local  # noqa: PLC0415  httpx2

        return [
            Offer(
                f"{OFFERED[found.kind]} at {found.base_url}",
                ModelChoice(found.kind, found.base_url, found.models[0] if found.models else ""),
                found.models,
            )
            for found in await probe_local()
        ]

    async def check(choice: ModelChoice) -> Checked:
        from turbo_tui.adapters.providers import ModelAddress, check  # noqa: PLC0415
        from turbo_tui.wiring.models import key_of  # noqa: PLC0415

        try:
            settings = _settings(choice, ModelSettings())
            address = ModelAddress(
                choice.kind, choice.base_url, choice.model, key=key_of(settings), retries=0
            )
            return Checked(ok=True, text=await check(address))
        except TurboError as error:
            return Checked(ok=False, text=str(error))

    async def save(planner: ModelChoice, executor: ModelChoice) -> SavedSetup:
        now = workspace.settings
        file = workspace.paths.config_file
        save_models(
            file,
            planner=_settings(planner, now.planner),
            executor=_settings(executor, now.executor),
        )
        seen = project_files(workspace.root)
        workspace.trusted = workspace.trust.has(workspace.root, seen)
        workspace.settings = load_settings(
            file, project=workspace.root, contents=seen.contents, trusted=workspace.trusted
        )
        minds = opened.minds
        return SavedSetup(minds.planner_name, minds.executor_name, f"Saved in {file}.")

    return Setup(
        planner=_choice(workspace.settings.planner),
        executor=_choice(workspace.settings.executor),
        offers=offers,
        check=check,
        save=save,
    )


def _choice(settings: ModelSettings) -> ModelChoice:
    return ModelChoice(settings.kind, settings.base_url, settings.model, settings.key_env)


def _settings(choice: ModelChoice, now: ModelSettings) -> ModelSettings:
    return replace(
        now,
        kind=choice.kind,
        base_url=choice.base_url,
        model=choice.model,
        key_env=choice.key_env,
        origin="file",
    )
