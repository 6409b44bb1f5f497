"""Models from settings: address, key, consent."""

from __future__ import annotations

import os
from collections.abc import Mapping

from turbo_tui.config import ModelSettings
from turbo_tui.core.errors import ConfigError
from turbo_tui.core.models import Model
from turbo_tui.engine.approval import Asks, ConsentedModel
from turbo_tui.trust import Consents

KEYRING_SERVICE = "turbo-tui"


def key_of(settings: ModelSettings, environment: Mapping[str, str] | None = None) -> str:
    """Return the key that the settings point to; empty when they point to none.

    Raises:
        ConfigError: The variable is not set, or the keyring cannot be read.
    """
    env = os.environ if environment is None else environment
    if settings.key_env:
        key = env.get(settings.key_env, "")
        if not key:
            raise ConfigError(
                f"The key for {settings.base_url} is to come from the environment variable "
                f"{settings.key_env}, which is not set. Set it, or change key_env."
            )
        return key
    if not settings.key_keyring:
        return ""
    import keyring  # noqa: PLC0415  slow to import, and rarely used
    from keyring.errors import KeyringError  # noqa: PLC0415

    try:
        stored = keyring.get_password(KEYRING_SERVICE, settings.base_url)
    except KeyringError as error:
        raise ConfigError(
            f"The keyring cannot be read here ({error}). Put the key for {settings.base_url} into "
            "an environment variable and name it with key_env."
        ) from error
    if not stored:
        raise ConfigError(
            f"The keyring holds no key for {settings.base_url}. Store one with: "
            f"keyring set {KEYRING_SERVICE} {settings.base_url}"
        )
    return stored


def model_of(
    settings: ModelSettings, *, model: str = "", environment: Mapping[str, str] | None = None
) -> Model:
    """Make the model that the settings name; `model` takes another one of the same server."""
    from turbo_tui.adapters.providers import ModelAddress, make_model  # noqa: PLC0415

    return make_model(
        ModelAddress(
            kind=settings.kind,
            base_url=settings.base_url,
            model=model or settings.model,
            key=key_of(settings, environment),
            context_tokens=settings.context_tokens,
            price_in_usd=settings.price_in_usd,
            price_out_usd=settings.price_out_usd,
            timeout_s=settings.timeout_s,
        )
    )


def consented(
    model: Model, settings: ModelSettings, role: str, consents: Consents, asks: Asks
) -> Model:
    """Let nothing be sent before the user agreed: by naming the model in a file, or when asked."""
    key = f"${settings.key_env}" if settings.key_env else "in the keyring"
    has_key = bool(settings.key_env or settings.key_keyring)
    what = (
        f"the {role} {model.name} gets {f'your key {key}, ' * has_key}the task, a description of "
        "the project and the files it reads; your answer is remembered for this host"
    )
    # Agreeing to a host is not agreeing to send it a key that someone else names.
    scope = f"{model.host} with the key {key}" if has_key else model.host
    if settings.origin in {"file", "flag"}:
        consents.give(model.host, what)
        consents.give(scope, what)
    return ConsentedModel(model, consents, asks, what, scope=scope)
