"""Files that likely hold secrets, by their names: no model is shown them unasked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase

_ENDINGS = (
    *(".pem", ".key", ".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".ppk"),
    *(".tfstate", ".tfvars", ".tfvars.json"),
)
_NAMES = frozenset(
    {
        *("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", ".netrc", "_netrc", ".npmrc", ".pypirc"),
        *(".git-credentials", ".pgpass", ".htpasswd", ".dockercfg", "credentials.json"),
        *("secrets.json", "secrets.yml", "secrets.yaml", "secrets.toml"),
        *("service-account.json", "service_account.json", "kubeconfig", ".kubeconfig"),
    }
)
_PATHS = (".aws/credentials", ".docker/config.json", ".kube/config")
_TEMPLATES = (".example", ".sample", ".template", ".dist", ".defaults")


def is_secret(path: str) -> bool:
    """Tell whether a file is likely to hold secrets; a template of one (`.env.example`) is not."""
    path = path.lower().rstrip("/")
    name = path.rpartition("/")[2]
    if name.startswith(".env") or name.endswith(".env"):
        return not name.endswith(_TEMPLATES)
    return name in _NAMES or name.endswith(_ENDINGS) or path.endswith(_PATHS)


def is_shown(path: str, globs: Collection[str]) -> bool:
    """Tell whether the user lets a secret file be read: by its path, or by its name alone."""
    name = path.rpartition("/")[2]
    return any(fnmatchcase(path, glob) or fnmatchcase(name, glob) for glob in globs)


def variables(text: str) -> Mapping[str, str]:
    """Read the `NAME=value` lines of a `.env` file."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and name.strip().isidentifier():
            found[name.strip()] = value.strip().strip("'\"")
    return found
