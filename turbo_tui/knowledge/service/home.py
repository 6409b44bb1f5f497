"""Where a workspace's search worker and its index are found."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_MODEL = "all-MiniLM-L6-v2"
LONGEST_SOCKET = 100  # bytes; sockaddr_un has 108 on Linux, 104 on macOS


@dataclass(frozen=True, slots=True)
class Home:
    """What a worker is started with.

    Attributes:
        root: The workspace.
        store: Folder of the index.
        socket: Where the worker answers; in a folder that is the user's alone.
        notes: The user's own notes.
        models: Where tables of word vectors are kept.
        model: Makes them; nothing means that none is wanted.
        own_vectors: The model encodes the chunks of a small project itself, too.
    """

    root: Path
    store: Path
    socket: Path
    notes: Path
    models: Path
    model: str = DEFAULT_MODEL
    own_vectors: bool = False

    @property
    def habits(self) -> Path:
        """What the user did with the workspace's files; it outlives the index."""
        return self.store.with_name(f"{self.store.name}.habits.json")

    @property
    def log(self) -> Path:
        """Why workers ended (`service.worker_log`); it outlives the index."""
        return self.store.with_name(f"{self.store.name}.worker.log")


def _is_ours(folder: str) -> bool:
    """Tell whether a runtime folder is there and the user's: `sudo` passes on that of another."""
    try:
        return folder.startswith("/") and os.stat(folder).st_uid == os.getuid()  # noqa: PTH116
    except OSError:
        return False


def home_of(
    root: Path,
    *,
    cache: Path,
    state: Path,
    config: Path,
    model: str = DEFAULT_MODEL,
    own_vectors: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Home:
    """Return where things are for a workspace.

    Args:
        root: The workspace; absolute, links resolved.
        cache: Our cache folder.
        state: Our state folder.
        config: Our settings folder.
        model: Compares by meaning.
        own_vectors: By its own vectors as well, where a project is small.
        environment: Names the runtime folder; that of the process by default.
    """
    import hashlib  # noqa: PLC0415  not before the first frame

    from turbo_tui import __version__  # noqa: PLC0415

    env = os.environ if environment is None else environment
    knowledge = cache / "knowledge"
    name = hashlib.blake2b(os.fsencode(root), digest_size=8).hexdigest()
    # Another version, or another installation, does not speak with this one's workers.
    spoken = os.fsencode(knowledge) + __version__.encode() + os.fsencode(__file__)
    tongue = hashlib.blake2b(spoken, digest_size=4).hexdigest()
    given = "" if env.get("TURBO_TUI_HOME") else env.get("XDG_RUNTIME_DIR", "")
    runtime = Path(given) / "turbo-tui" if _is_ours(given) else state / "run"
    socket = runtime / f"{name}-{tongue}.sock"
    if len(os.fsencode(socket)) > LONGEST_SOCKET:
        socket = Path("/tmp") / f"turbo-tui-{os.getuid()}" / socket.name  # noqa: S108  checked
    return Home(
        root,
        knowledge / f"{root.name[:40]}-{name}",
        socket,
        config / "knowledge",
        cache / "models",
        model,
        own_vectors,
    )
