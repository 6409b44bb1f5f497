"""The environment of a confined command: a list of what it gets, never all but some."""

from __future__ import annotations

from collections.abc import Mapping

# From the user's environment when set: language, time and how tools behave; no credentials.
KEPT = (
    "LANG",
    "LANGUAGE",
    "TZ",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHASHSEED",
    "PYTHONUTF8",
    "SOURCE_DATE_EPOCH",
    "MAKEFLAGS",
    "GOFLAGS",
    "JAVA_HOME",
    "NODE_ENV",
)
# Only for a command that was granted the network; a proxy's address may hold a password.
KEPT_WITH_NETWORK = (
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
)


def environment(
    host: Mapping[str, str],
    *,
    path: tuple[str, ...],
    home: str,
    scratch: str,
    tools: Mapping[str, str],
    network: bool,
    extra: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Build a command's environment.

    Args:
        host: Where the kept variables come from.
        path: Folders for PATH.
        home: A writable, empty home folder.
        scratch: TMPDIR.
        tools: By which toolchains find themselves.
        network: Whether proxies and certificates are of use.
        extra: What the caller of this one command asks for; wins.
    """
    kept = KEPT + (KEPT_WITH_NETWORK if network else ())
    env = {name: host[name] for name in kept if host.get(name)}
    env |= {name: value for name, value in host.items() if name.startswith("LC_") and value}
    env.setdefault("LANG", "C.UTF-8")
    env |= tools
    env |= {
        "PATH": ":".join(path),
        "HOME": home,
        "TMPDIR": scratch,
        "TERM": "dumb",
        "USER": "user",
        "LOGNAME": "user",
        "SHELL": "/bin/sh",
        # Nobody answers a question here, and nobody sees a bar move.
        "CI": "true",
        "NO_COLOR": "1",
        "PAGER": "cat",
        "GIT_PAGER": "cat",
        "GIT_EDITOR": "true",
        "EDITOR": "true",
        "GIT_TERMINAL_PROMPT": "0",
        "PIP_NO_INPUT": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "DEBIAN_FRONTEND": "noninteractive",
    }
    env |= extra or {}
    return {name: value for name, value in env.items() if usable(name, value)}


def usable(name: str, value: str) -> bool:
    """Whether the system takes this as a variable."""
    return bool(name) and "=" not in name and "\0" not in name and "\0" not in value
