"""Write the models that the setup screen chose into the user's file."""

from __future__ import annotations

from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError

from turbo_tui.config.files import load_plain
from turbo_tui.config.sections import MODEL
from turbo_tui.config.values import ModelSettings
from turbo_tui.core.errors import ConfigError


def save_models(
    config_file: Path, *, planner: ModelSettings | None, executor: ModelSettings | None
) -> None:
    """Write model sections into the user's file; everything else in it, comments too, stays.

    Args:
        config_file: Made when missing.
        planner: What the section shall say; without a model the section is removed, and
            None leaves it as it is.
        executor: The same.

    Raises:
        ConfigError: The file that is there is no valid TOML, or cannot be written, or what
            would stand in it could not be used: then it is left as it was.
    """
    try:
        text = config_file.read_text(encoding="utf-8") if config_file.exists() else ""
        document = tomlkit.parse(text)
        for name, settings in (("planner", planner), ("executor", executor)):
            if settings is not None and settings.model:
                document[name] = _table(settings)
            elif settings is not None and name in document:
                del document[name]
        written = tomlkit.dumps(document)
        load_plain(written, config_file)
        config_file.parent.mkdir(parents=True, exist_ok=True)
        fresh = config_file.with_suffix(".toml.new")
        fresh.write_text(written, encoding="utf-8")
        fresh.replace(config_file)
    except (OSError, TOMLKitError) as error:
        raise ConfigError(f"{config_file}: cannot be written: {error}.") from error


def _table(settings: ModelSettings) -> dict[str, object]:
    defaults = ModelSettings()
    return {
        key: getattr(settings, key)
        for key in MODEL
        if key in {"kind", "base_url", "model"} or getattr(settings, key) != getattr(defaults, key)
    }
