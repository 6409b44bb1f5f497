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
# How the clock, numbers and messages are written; other names have been seen to carry tokens.
LOCALE = frozenset(
    {
        *("LC_ALL", "LC_CTYPE", "LC_COLLATE", "LC_MESSAGES", "LC_TIME", "LC_NUMERIC"),
        *("LC_MONETARY", "LC_PAPER", "LC_NAME", "LC_ADDRESS", "LC_TELEPHONE", "LC_MEASUREMENT"),
        "LC_IDENTIFICATION",
    }
)
# Only for a command that was granted the whole network; the address may hold a password.
PROXIES = (
    *("http_proxy", "https_proxy", "no_proxy", "all_proxy"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
)
# Only for a command that was granted any network.
CERTIFICATES = (
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
    proxy: Mapping[str, str] | None = None,
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
        proxy: Variables that name our own proxy, instead of the user's.
        extra: What the caller of this one command asks for; wins.
    """
    kept = (*KEPT, *LOCALE, *(CERTIFICATES if network else ()))
    kept += PROXIES if network and proxy is None else ()
    env = {name: host[name] for name in kept if host.get(name)}
    env.setdefault("LANG", "C.UTF-8")
    env |= tools
    env |= proxy or {}
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
