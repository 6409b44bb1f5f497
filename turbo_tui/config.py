"""Settings: user's file, project's file, environment and flags -> frozen values.

Read with the standard library alone, because settings are needed before the first frame
(docs/decisions/0003). Later sources win: user's `config.toml`, trusted project's
`.turbo/config.toml`, environment, flags. An untrusted project can only tighten: its lower
caps and its `deny` and `ask` rules count, everything else in its file is ignored.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar, cast

from turbo_tui.core.command import MIB, Limits
from turbo_tui.core.errors import ConfigError

if TYPE_CHECKING:
    from turbo_tui.core.policy import Rule

Kind = Literal["openai", "ollama", "anthropic"]
KINDS: tuple[Kind, ...] = ("openai", "ollama", "anthropic")
Origin = Literal["none", "file", "project", "environment", "flag"]

OLLAMA_CLOUD = "https://ollama.com"
OLLAMA_LOCAL = "http://127.0.0.1:11434"
PLANNER_MODEL = "gpt-oss:120b"
CODER_MODEL = "qwen2.5-coder"


@dataclass(frozen=True, slots=True)
class Paths:
    """Where data lies: state (sessions, stages, blobs), cache (index), config (settings)."""

    state: Path
    cache: Path
    config: Path

    @property
    def config_file(self) -> Path:
        """The user's settings."""
        return self.config / "config.toml"


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """One model's address. Without `model` there is none.

    Attributes:
        key_env: Name of the environment variable that holds the key; never the key itself.
        key_keyring: The key lies in the system keyring under `turbo-tui` and `base_url`.
        price_in_usd: Per million tokens; None when unknown.
        origin: Where it was named. Only `file` (the user's own) and `flag` count as the user's
            consent; `project` is a file of a trusted repository.
    """

    kind: Kind = "openai"
    base_url: str = ""
    model: str = ""
    key_env: str = ""
    key_keyring: bool = False
    context_tokens: int = 32_768
    price_in_usd: float | None = None
    price_out_usd: float | None = None
    timeout_s: float = 120.0
    origin: Origin = "none"

    @property
    def configured(self) -> bool:
        """A model is named."""
        return bool(self.model and self.base_url)


@dataclass(frozen=True, slots=True)
class Caps:
    """Bounds of one session and one step; None means unbounded."""

    max_turns: int | None = 40
    max_seconds: float | None = 1800.0
    max_tokens: int | None = None
    max_usd: float | None = None


UNBOUNDED = Caps(max_turns=None, max_seconds=None)


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """How commands are confined.

    Attributes:
        rung: `auto` takes the best there is; a named rung is used or refused, never replaced.
        command_timeout_s: Wall time of one command. Of this and all that follow, 0 leaves it to
            the command's tool, and that to the sandbox's own default.
        memory_mb: Of a command's whole tree of processes, as are all but the next two.
        file_mb: Of one file.
        open_files: Of one process.
        tmp_mb: Of the private /tmp.
    """

    rung: str = "auto"
    command_timeout_s: float = 0.0
    cpu_s: int = 0
    memory_mb: int = 0
    processes: int = 0
    open_files: int = 0
    file_mb: int = 0
    written_mb: int = 0
    tmp_mb: int = 0

    @property
    def limits(self) -> Limits:
        """What a command may use, as far as it is set."""
        return Limits(
            wall_s=self.command_timeout_s,
            cpu_s=self.cpu_s,
            memory_bytes=self.memory_mb * MIB,
            processes=self.processes,
            open_files=self.open_files,
            file_bytes=self.file_mb * MIB,
            written_bytes=self.written_mb * MIB,
            scratch_bytes=self.tmp_mb * MIB,
        )


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How a plan is run.

    Attributes:
        ahead: So many steps may wait for their review while the next one runs on top of them;
            0 runs no step before all earlier ones are decided.
    """

    ahead: int = 2


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, as they count now.

    Attributes:
        keys: Keys that a trusted project's `.env` holds, by variable; they win over the
            environment's.
        warnings: What of the project's files could not be used.
    """

    planner: ModelSettings = field(default_factory=ModelSettings)
    executor: ModelSettings = field(default_factory=ModelSettings)
    caps: Caps = field(default_factory=Caps)
    sandbox: SandboxSettings = field(default_factory=SandboxSettings)
    run: RunSettings = field(default_factory=RunSettings)
    rules: tuple[Rule, ...] = ()
    dry_run: bool = False
    keys: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    warnings: tuple[str, ...] = ()


def paths(environment: Mapping[str, str] | None = None) -> Paths:
    """Return the folders of state, cache and config; `TURBO_TUI_HOME` moves all of them."""
    env = os.environ if environment is None else environment
    home = env.get("TURBO_TUI_HOME")
    if home:
        root = Path(home).expanduser().absolute()
        return Paths(root / "state", root / "cache", root / "config")
    user = Path(env.get("HOME") or "~").expanduser()

    def base(variable: str, default: str) -> Path:
        given = env.get(variable, "")
        # The XDG specification says to ignore relative paths.
        return (Path(given) if given.startswith("/") else user / default) / "turbo-tui"

    return Paths(
        base("XDG_STATE_HOME", ".local/state"),
        base("XDG_CACHE_HOME", ".cache"),
        base("XDG_CONFIG_HOME", ".config"),
    )


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
    settings = _read(user_file, Settings())
    env = dict(os.environ if environment is None else environment)
    given = contents or {}
    if project is not None and PROJECT_FILE in given:
        settings = _with_project(settings, project / PROJECT_FILE, given[PROJECT_FILE], trusted)
    if trusted and ".env" in given:
        env, keys = _with_dotenv(env, given[".env"])
        settings = replace(settings, keys=keys)
    return _from_environment(settings, env)


PROJECT_FILE = ".turbo/config.toml"


def _with_project(settings: Settings, path: Path, content: bytes, trusted: bool) -> Settings:  # noqa: FBT001  private
    try:
        text = _text(content, path)
        if not trusted:
            return _tightened(settings, _apply(text, path, Settings(caps=UNBOUNDED)))
    except ConfigError as error:
        if trusted:
            raise
        # A stranger's broken file must not keep us from opening their repository.
        return replace(settings, warnings=(*settings.warnings, f"Left out: {error}"))
    fresh = _apply(text, path, replace(settings, rules=()), origin="project")
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
    sandbox = replace(fresh.sandbox, rung=settings.sandbox.rung)
    return replace(fresh, sandbox=sandbox, rules=(*settings.rules, *rules), warnings=warnings)


def _with_dotenv(env: dict[str, str], content: bytes) -> tuple[dict[str, str], dict[str, str]]:
    """Add a trusted `.env` below the environment; its host never gets the environment's key."""
    found = _dotenv(content)
    merged = {**found, **env}
    if "TURBO_HOST" in found and not env.get("TURBO_HOST"):
        merged["OLLAMA_API_KEY"] = found.get("OLLAMA_API_KEY", "")
    key = merged.get("OLLAMA_API_KEY", "")
    return merged, {"OLLAMA_API_KEY": key} if key and key != env.get("OLLAMA_API_KEY") else {}


def load_plain(text: str, source: Path) -> Settings:
    """Parse one file's text; used to check a file before it is written."""
    return _apply(text, source, Settings())


# --- files ---------------------------------------------------------------------


def _read(path: Path, settings: Settings) -> Settings:
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return settings
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error}. Mend or remove the file.") from error
    return _apply(_text(content, path), path, settings)


def _text(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: cannot be read: {error}. Mend or remove the file.") from error


def _apply(text: str, path: Path, settings: Settings, origin: Origin = "file") -> Settings:
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: is not valid TOML: {error}. Mend that line.") from error
    known = ("planner", "executor", "caps", "sandbox", "run", "rules")
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
        rules=(*settings.rules, *read_rules(document.get("rules", []), path)),
    )


Check = Callable[[object], bool]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_from(least: int, value: object) -> bool:
    return _is_count(value) and cast("int", value) >= least


def _is_wall_time(value: object) -> bool:
    return _is_number(value) and cast("float", value) >= 1


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_url(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://"))


Rows = Mapping[str, tuple[Check, str]]

MODEL: Rows = {
    "kind": (lambda value: value in KINDS, 'one of "openai", "ollama", "anthropic"'),
    "base_url": (_is_url, 'an address such as "http://127.0.0.1:11434"'),
    "model": (_is_text, 'a name such as "qwen2.5-coder"'),
    "key_env": (_is_text, 'the name of a variable, such as "OLLAMA_API_KEY"'),
    "key_keyring": (lambda value: isinstance(value, bool), "true or false"),
    "context_tokens": (_is_count, "a whole number above 0"),
    "price_in_usd": (_is_number, "a number above 0 (US dollars per million tokens)"),
    "price_out_usd": (_is_number, "a number above 0 (US dollars per million tokens)"),
    "timeout_s": (_is_number, "a number of seconds above 0"),
}
CAPS: Rows = {
    "max_turns": (_is_count, "a whole number above 0"),
    "max_seconds": (_is_number, "a number of seconds above 0"),
    "max_tokens": (_is_count, "a whole number above 0"),
    "max_usd": (_is_number, "a number of US dollars above 0"),
}
RUNGS = (
    "auto",
    "overlay+bubblewrap",
    "copy+bubblewrap",
    "overlay+landlock",
    "copy+landlock",
    "copy+seatbelt",
    "copy+unsandboxed",
)
SANDBOX: Rows = {
    "rung": (lambda value: value in RUNGS, f"one of {', '.join(RUNGS)}"),
    "command_timeout_s": (_is_wall_time, "a number of seconds, 1 or more"),
    # The sandbox itself must fit below them: a stranger's project could else bring it down.
    **{
        name: (partial(_is_from, least), f"a whole number, {least} or more")
        for name, least in (
            ("cpu_s", 1),
            ("memory_mb", 64),
            ("processes", 16),
            ("open_files", 64),
            ("file_mb", 1),
            ("written_mb", 16),
            ("tmp_mb", 1),
        )
    },
}
MOST_AHEAD = 8
RUN: Rows = {
    "ahead": (
        lambda value: type(value) is int and 0 <= value <= MOST_AHEAD,
        f"a whole number from 0 to {MOST_AHEAD}",
    ),
}


Section = TypeVar("Section", ModelSettings, Caps, SandboxSettings, RunSettings)


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
    if settings.base_url != base.base_url:
        # A key belongs to the address it was named with: it does not go to another one.
        bare = replace(base, key_env="", key_keyring=False)
        settings = _section(document, name, path, bare, MODEL)
    if name not in document:
        return settings
    if settings.model and not settings.base_url:
        raise ConfigError(
            f"{path}: [{name}] model is given without base_url; add the server's address, such as "
            f'base_url = "{OLLAMA_LOCAL}".'
        )
    return replace(settings, origin=origin)


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


# --- environment ---------------------------------------------------------------


def _from_environment(settings: Settings, env: Mapping[str, str]) -> Settings:
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
    dry_run = env.get("DRY_RUN", "").strip().lower() in {"1", "true", "yes", "on"}
    return replace(settings, planner=planner, executor=executor, caps=caps, dry_run=dry_run)


def _address(given: str, default: str, variable: str) -> str:
    if not given:
        return default
    address = given if "://" in given else f"http://{given}"
    if not address.startswith(("http://", "https://")):
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


def _dotenv(content: bytes) -> dict[str, str]:
    """Read the seed's variables from a trusted workspace's .env; others are none of ours."""
    found: dict[str, str] = {}
    for line in content.decode("utf-8", "replace").splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and name.strip() in SEED_VARIABLES:
            found[name.strip()] = value.strip().strip("'\"")
    return found


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


# --- writing -------------------------------------------------------------------


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
        ConfigError: The file that is there is no valid TOML, or cannot be written.
    """
    import tomlkit  # noqa: PLC0415  only the setup screen writes
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415

    try:
        text = config_file.read_text(encoding="utf-8") if config_file.exists() else ""
        document = tomlkit.parse(text)
        for name, settings in (("planner", planner), ("executor", executor)):
            if settings is not None and settings.model:
                document[name] = _table(settings)
            elif settings is not None and name in document:
                del document[name]
        config_file.parent.mkdir(parents=True, exist_ok=True)
        fresh = config_file.with_suffix(".toml.new")
        fresh.write_text(tomlkit.dumps(document), encoding="utf-8")
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
