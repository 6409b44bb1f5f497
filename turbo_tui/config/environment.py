"""Variables that the seed of this project understood, in the environment or a trusted `.env`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from turbo_tui.config.sections import is_url
from turbo_tui.config.values import (
    CODER_MODEL,
    OLLAMA_CLOUD,
    OLLAMA_LOCAL,
    PLANNER_MODEL,
    ModelSettings,
    Settings,
)
from turbo_tui.core.errors import ConfigError

SEED_VARIABLES = frozenset(
    {
        "OLLAMA_API_KEY",
        "TURBO_HOST",
        "PLANNER_MODEL",
        "CODER_MODEL",
        "OLLAMA_LOCAL",
        "MAX_STEPS",
        "REQUEST_TIMEOUT_S",
        "DRY_RUN",
    }
)


def from_environment(settings: Settings, env: Mapping[str, str]) -> Settings:
    """Understand the variables of the seed; they name models that are offered, not used."""
    timeout = _number(env, "REQUEST_TIMEOUT_S")
    turns = _number(env, "MAX_STEPS")
    planner, executor = settings.planner, settings.executor
    if not planner.configured:
        host = env.get("TURBO_HOST", "")
        named = env.get("PLANNER_MODEL", "")
        if env.get("OLLAMA_API_KEY") or host or named:
            planner = ModelSettings(
                kind="ollama",
                base_url=_address(host, OLLAMA_CLOUD, "TURBO_HOST"),
                model=named or PLANNER_MODEL,
                key_env="OLLAMA_API_KEY" if env.get("OLLAMA_API_KEY") else "",
                context_tokens=131_072,
                origin="environment",
            )
    if not executor.configured:
        host = env.get("OLLAMA_LOCAL", "")
        named = env.get("CODER_MODEL", "")
        if host or named:
            executor = ModelSettings(
                kind="ollama",
                base_url=_address(host, OLLAMA_LOCAL, "OLLAMA_LOCAL"),
                model=named or CODER_MODEL,
                origin="environment",
            )
    if timeout is not None:
        planner, executor = (
            replace(planner, timeout_s=timeout),
            replace(executor, timeout_s=timeout),
        )
    caps = settings.caps
    if turns is not None:
        caps = replace(caps, max_turns=max(1, int(turns)))
    dry_run = _flag(env, "DRY_RUN")
    return replace(settings, planner=planner, executor=executor, caps=caps, dry_run=dry_run)


def _address(given: str, default: str, variable: str) -> str:
    if not given:
        return default
    address = given if "://" in given else f"http://{given}"
    if not is_url(address):
        raise ConfigError(
            f"environment: {variable} = {given!r} is no address; give one such as {default}."
        )
    return address.rstrip("/")


def _number(env: Mapping[str, str], variable: str) -> float | None:
    given = env.get(variable, "").strip()
    if not given:
        return None
    try:
        value = float(given)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ConfigError(
            f"environment: {variable} = {given!r} cannot be used; give a number above 0, "
            f"or unset {variable}."
        )
    return value


def _flag(env: Mapping[str, str], variable: str) -> bool:
    given = env.get(variable, "").strip()
    if given.lower() in {"1", "true", "yes", "on", "y"}:
        return True
    if given.lower() in {"", "0", "false", "no", "off", "n"}:
        return False
    raise ConfigError(
        f"environment: {variable} = {given!r} cannot be used; give 1 or 0, or unset {variable}."
    )


def dotenv(content: bytes) -> dict[str, str]:
    """Read the seed's variables from a trusted workspace's .env; others are none of ours."""
    found: dict[str, str] = {}
    for line in content.decode("utf-8", "replace").splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and name.strip() in SEED_VARIABLES:
            found[name.strip()] = value.strip().strip("'\"")
    return found
