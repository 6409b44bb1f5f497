"""What the supervisor script is told: its order, as JSON."""

from __future__ import annotations

from typing import TypedDict


class Rules(TypedDict):
    """What Landlock lets through."""

    abi: int
    read: list[str]
    write: list[str]


class Order(TypedDict):
    """What to run, and under what."""

    argv: list[str]
    env: dict[str, str]
    cwd: str
    status_fd: int
    limits: dict[str, int]
    become: list[int]  # uid, gid: root turns into the owner; empty for no change
    parent: int  # who started the supervisor and must outlive it
    mount: list[str]  # what, where: a copy that only root can reach is shown there; or empty
    shown_as: list[int]  # uid, gid that the root of a user namespace is mapped to; or empty
    landlock: Rules | None
    seccomp: str
