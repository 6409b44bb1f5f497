"""Settings as frozen values; how they are read is none of their concern."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from turbo_tui.core.command import Limits
    from turbo_tui.core.policy import Rule

Kind = Literal["openai", "ollama", "anthropic"]
KINDS: tuple[Kind, ...] = ("openai", "ollama", "anthropic")
Origin = Literal["none", "file", "project", "environment", "flag"]

OLLAMA_CLOUD = "https://ollama.com"
OLLAMA_LOCAL = "http://127.0.0.1:11434"
PLANNER_MODEL = "gpt-oss:120b"
CODER_MODEL = "qwen2.5-coder"
# Where a kind's own service is; most servers of the kind "openai" are somebody else's.
SERVICES: Mapping[Kind, str] = {
    "openai": "https://api.openai.com/v1",
    "ollama": OLLAMA_LOCAL,
    "anthropic": "https://api.anthropic.com",
}


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
        from turbo_tui.core.command import MIB, Limits  # noqa: PLC0415  slow before a frame

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
class LandingSettings:
    """How approved changes land.

    Attributes:
        checkpoints: Each landing is kept as a git commit on a hidden ref, `refs/turbo-tui/…`.
    """

    checkpoints: bool = False


@dataclass(frozen=True, slots=True)
class KnowledgeSettings:
    """How places are found; only the user's own file says.

    Attributes:
        model: A sentence-transformers model: its name in Hugging Face's cache, or a folder;
            nothing: words and structure alone.
        own_vectors: A small project's pieces are encoded by the model itself as well as by its
            table of word vectors, for 550 MB of memory; that was not measurably better.
        learn: What the user opened, pinned and let land is remembered on this machine, and counts
            a little in later searches; `turbo-tui index --forget` forgets it.
    """

    model: str = "all-MiniLM-L6-v2"
    own_vectors: bool = False
    learn: bool = True


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
    landing: LandingSettings = field(default_factory=LandingSettings)
    knowledge: KnowledgeSettings = field(default_factory=KnowledgeSettings)
    rules: tuple[Rule, ...] = ()
    dry_run: bool = False
    keys: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    warnings: tuple[str, ...] = ()
