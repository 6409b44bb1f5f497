"""One settings file's text -> what it says, laid over what counted before."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar, cast

from turbo_tui.config.sections import CAPS, KNOWLEDGE, LANDING, MODEL, RUN, SANDBOX, Rows
from turbo_tui.config.values import (
    OLLAMA_LOCAL,
    SERVICES,
    Caps,
    KnowledgeSettings,
    LandingSettings,
    ModelSettings,
    Origin,
    RunSettings,
    SandboxSettings,
    Settings,
)
from turbo_tui.core.errors import ConfigError

if TYPE_CHECKING:
    from turbo_tui.core.policy import Rule

Section = TypeVar(
    "Section", ModelSettings, Caps, SandboxSettings, RunSettings, LandingSettings, KnowledgeSettings
)


def load_plain(text: str, source: Path) -> Settings:
    """Parse one file's text; used to check a file before it is written."""
    return apply(text, source, Settings())


def read(path: Path, settings: Settings) -> Settings:
    """Lay a file over `settings`; one that is not there changes nothing.

    Raises:
        ConfigError: It cannot be read or used; the message names place and fix.
    """
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return settings
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error}. Mend or remove the file.") from error
    return apply(text_of(content, path), path, settings)


def text_of(content: bytes, path: Path) -> str:
    """Return the text of a file that was read.

    Raises:
        ConfigError: It is not UTF-8.
    """
    try:
        return content.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: cannot be read: {error}. Mend or remove the file.") from error


def apply(text: str, path: Path, settings: Settings, origin: Origin = "file") -> Settings:
    """Lay a file's text over `settings`.

    Args:
        text: TOML.
        path: Where it stands, for errors and as the rules' source.
        settings: What counted before.
        origin: What a model named there is known by.

    Raises:
        ConfigError: Something in it cannot be used; the message names place and fix.
    """
    import tomllib  # noqa: PLC0415  not needed where there is no file

    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: is not valid TOML: {error}. Mend that line.") from error
    known = ("planner", "executor", "caps", "sandbox", "run", "landing", "knowledge", "rules")
    for name in document:
        if name not in known:
            raise ConfigError(f"{path}: unknown section [{name}].{nearest(name, known)}")
    return replace(
        settings,
        planner=_model(document, "planner", path, settings.planner, origin),
        executor=_model(document, "executor", path, settings.executor, origin),
        caps=_section(document, "caps", path, settings.caps, CAPS),
        sandbox=_section(document, "sandbox", path, settings.sandbox, SANDBOX),
        run=_section(document, "run", path, settings.run, RUN),
        landing=_section(document, "landing", path, settings.landing, LANDING),
        knowledge=_section(document, "knowledge", path, settings.knowledge, KNOWLEDGE),
        rules=(*settings.rules, *read_rules(document.get("rules", []), path)),
    )


def _section(
    document: Mapping[str, object], name: str, path: Path, base: Section, rows: Rows
) -> Section:
    values = document.get(name, {})
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: {name} must be a section: write [{name}] on a line of its own.")
    table = cast("dict[str, object]", values)
    for key, value in table.items():
        if key == "key":
            raise ConfigError(
                f"{path}: [{name}] key: keys are not kept in files. Put it into an environment "
                'variable and write key_env = "ITS_NAME", or use the keyring: key_keyring = true.'
            )
        if key not in rows:
            raise ConfigError(f"{path}: [{name}] has no setting {key!r}.{nearest(key, rows)}")
        good, wanted = rows[key]
        if not good(value):
            raise ConfigError(f"{path}: [{name}] {key} = {value!r} cannot be used; give {wanted}.")
    return replace(base, **table)  # pyright: ignore[reportArgumentType]  the rows checked it


def _model(
    document: Mapping[str, object], name: str, path: Path, base: ModelSettings, origin: Origin
) -> ModelSettings:
    settings = _section(document, name, path, base, MODEL)
    if name not in document:
        return settings
    address = _address(cast("dict[str, object]", document[name]), settings, base)
    if address != base.base_url:
        # A key belongs to the address it was named with: it does not go to another one.
        bare = replace(base, key_env="", key_keyring=False)
        settings = replace(_section(document, name, path, bare, MODEL), base_url=address)
    if settings.model and not settings.base_url:
        raise ConfigError(
            f"{path}: [{name}] model is given without base_url; add the server's address, such as "
            f'base_url = "{OLLAMA_LOCAL}". What does without: kind = "anthropic", '
            'kind = "ollama" (this machine), and kind = "openai" with the key_env of OpenAI.'
        )
    return replace(settings, origin=origin)


def _address(table: Mapping[str, object], settings: ModelSettings, base: ModelSettings) -> str:
    """Return where a model is; one that is named by its kind alone is at the kind's own service.

    A server of the kind "openai" is OpenAI's only where a key is named for it, too: who forgot
    the address of another one sends nothing there.
    """
    if "base_url" in table or "kind" not in table:
        return settings.base_url
    is_chosen = base.base_url not in {"", SERVICES[base.kind]}
    has_key = bool(table.get("key_env") or table.get("key_keyring"))
    if is_chosen or (settings.kind == "openai" and not has_key):
        return settings.base_url
    return SERVICES[settings.kind]


def read_rules(given: object, path: Path) -> tuple[Rule, ...]:
    """Read the list of tables `rules` of a file.

    Raises:
        ConfigError: One of them cannot be used; the message says which and why.
    """
    if given == []:
        return ()
    from turbo_tui.core.policy import Rule  # noqa: PLC0415  brings all events, slow before a frame

    if not isinstance(given, list):
        raise ConfigError(f"{path}: rules must be a list: begin each with [[rules]].")
    rules: list[Rule] = []
    for number, entry in enumerate(cast("list[object]", given), 1):
        where = f"{path}: rule {number}"
        if not isinstance(entry, dict):
            raise ConfigError(f"{where} must be a table: begin it with [[rules]].")
        table = cast("dict[str, object]", entry)
        effect, kind, pattern = (table.get(key) for key in ("effect", "kind", "pattern"))
        if effect not in {"allow", "ask", "deny"}:
            raise ConfigError(f'{where}: effect = {effect!r}; give "allow", "ask" or "deny".')
        if kind not in {"command", "path", "host", "tool"}:
            raise ConfigError(
                f'{where}: kind = {kind!r}; give "command", "path", "host" or "tool".'
            )
        words = [pattern] if isinstance(pattern, str) else pattern
        if not isinstance(words, list) or not words:
            raise ConfigError(
                f'{where}: pattern = {pattern!r}; give a list such as ["git", "push"].'
            )
        texts = cast("list[object]", words)
        if not all(isinstance(word, str) and word for word in texts):
            raise ConfigError(f"{where}: pattern holds something that is no text.")
        rules.append(
            Rule(
                effect=cast('Literal["allow", "ask", "deny"]', effect),
                kind=cast('Literal["command", "path", "host", "tool"]', kind),
                pattern=tuple(cast("list[str]", texts)),
                source=str(path),
            )
        )
    return tuple(rules)


def nearest(name: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    """Say, for an error, which known name may be meant."""
    close = difflib.get_close_matches(name, list(known), n=1)
    if close:
        return f" Did you mean {close[0]!r}?"
    return f" Known: {', '.join(known)}."
