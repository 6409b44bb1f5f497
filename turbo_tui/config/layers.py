"""User's file, project's file, environment: later ones win, and a stranger's only tightens."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TypeVar

from turbo_tui.config.environment import dotenv, from_environment
from turbo_tui.config.files import apply, read, text_of
from turbo_tui.config.values import UNBOUNDED, Caps, SandboxSettings, Settings
from turbo_tui.core.errors import ConfigError

PROJECT_FILE = ".turbo/config.toml"


def load_settings(
    user_file: Path,
    *,
    project: Path | None = None,
    contents: Mapping[str, bytes] | None = None,
    trusted: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Read all sources and return the settings that count.

    Args:
        user_file: The user's `config.toml`; it need not exist.
        project: The workspace.
        contents: Its `.turbo/config.toml` and `.env` by path, as they were read when `trusted`
            was looked up; nothing is read again.
        trusted: The user trusts exactly these contents.
        environment: Default `os.environ`.

    Raises:
        ConfigError: A file or variable cannot be used; it names file, key and fix. A file of
            an untrusted project is left out instead, with a warning.
    """
    settings = read(user_file, Settings())
    env = dict(os.environ if environment is None else environment)
    given = contents or {}
    if project is not None and PROJECT_FILE in given:
        settings = _with_project(settings, project / PROJECT_FILE, given[PROJECT_FILE], trusted)
    if trusted and ".env" in given:
        env, keys = _with_dotenv(env, given[".env"])
        settings = replace(settings, keys=keys)
    return from_environment(settings, env)


def _with_project(settings: Settings, path: Path, content: bytes, trusted: bool) -> Settings:  # noqa: FBT001  private
    try:
        text = text_of(content, path)
        if not trusted:
            return _tightened(settings, apply(text, path, Settings(caps=UNBOUNDED)))
    except ConfigError as error:
        if trusted:
            raise
        # A stranger's broken file must not keep us from opening their repository.
        return replace(settings, warnings=(*settings.warnings, f"Left out: {error}"))
    fresh = apply(text, path, replace(settings, rules=()), origin="project")
    # What is sent where is agreed host by host, by the user.
    rules = tuple(rule for rule in fresh.rules if (rule.effect, rule.kind) != ("allow", "host"))
    warnings = fresh.warnings
    if fresh.sandbox.rung != settings.sandbox.rung:
        # A project would choose by what it needs; a weaker sandbox is for the user to choose.
        said = (
            f"Left out: {path}: [sandbox] rung = {fresh.sandbox.rung!r}: only your own "
            "config.toml or TURBO_TUI_RUNG chooses how commands are confined."
        )
        warnings = (*warnings, said)
    if fresh.knowledge != settings.knowledge:
        # A model is loaded into a process outside the sandbox.
        said = f"Left out: {path}: [knowledge]: only your own config.toml chooses the search model."
        warnings = (*warnings, said)
    sandbox = replace(fresh.sandbox, rung=settings.sandbox.rung)
    return replace(
        fresh,
        sandbox=sandbox,
        knowledge=settings.knowledge,
        rules=(*settings.rules, *rules),
        warnings=warnings,
    )


def _with_dotenv(env: dict[str, str], content: bytes) -> tuple[dict[str, str], dict[str, str]]:
    """Add a trusted `.env` below the environment; its host never gets the environment's key."""
    found = dotenv(content)
    merged = {**found, **env}
    if "TURBO_HOST" in found and not env.get("TURBO_HOST"):
        merged["OLLAMA_API_KEY"] = found.get("OLLAMA_API_KEY", "")
    key = merged.get("OLLAMA_API_KEY", "")
    return merged, {"OLLAMA_API_KEY": key} if key and key != env.get("OLLAMA_API_KEY") else {}


def _tightened(settings: Settings, project: Settings) -> Settings:
    """Take from an untrusted project only what makes things stricter."""
    stricter = tuple(rule for rule in project.rules if rule.effect != "allow")
    ours, theirs = settings.caps, project.caps
    caps = Caps(
        max_turns=_lower(ours.max_turns, theirs.max_turns),
        max_seconds=_lower(ours.max_seconds, theirs.max_seconds),
        max_tokens=_lower(ours.max_tokens, theirs.max_tokens),
        max_usd=_lower(ours.max_usd, theirs.max_usd),
    )
    sandbox = _tighter(settings.sandbox, project.sandbox)
    return replace(settings, caps=caps, sandbox=sandbox, rules=(*settings.rules, *stricter))


def _tighter(ours: SandboxSettings, theirs: SandboxSettings) -> SandboxSettings:
    """Take what holds commands to less; where we set nothing, less than the default."""
    if theirs == replace(SandboxSettings(), rung=theirs.rung):
        return ours
    from turbo_tui.core.command import MIB  # noqa: PLC0415  slow before a frame
    from turbo_tui.sandbox.process.limits import DEFAULTS  # noqa: PLC0415  a stranger's limits are rare

    default = SandboxSettings(
        command_timeout_s=DEFAULTS.wall_s,
        memory_mb=DEFAULTS.memory_bytes // MIB,
        processes=DEFAULTS.processes,
        open_files=DEFAULTS.open_files,
        file_mb=DEFAULTS.file_bytes // MIB,
        written_mb=DEFAULTS.written_bytes // MIB,
        tmp_mb=DEFAULTS.scratch_bytes // MIB,
    )
    lower: dict[str, float] = {}
    for each in fields(ours):
        if each.name != "rung" and (given := getattr(theirs, each.name)):
            bound = getattr(ours, each.name) or getattr(default, each.name)
            if not bound or given < bound:
                lower[each.name] = given
    return replace(ours, **lower)  # pyright: ignore[reportArgumentType]  as they were read


Bound = TypeVar("Bound", int, float)


def _lower(ours: Bound | None, theirs: Bound | None) -> Bound | None:
    given = [value for value in (ours, theirs) if value is not None]
    return min(given) if given else None
