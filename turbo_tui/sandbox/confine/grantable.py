"""Whether a command could be granted something here at all: known before anyone is asked."""

from __future__ import annotations

from turbo_tui.core.command import Grants
from turbo_tui.core.errors import SandboxError
from turbo_tui.sandbox.confine import landlock, seatbelt
from turbo_tui.sandbox.confine.granted import Surroundings
from turbo_tui.sandbox.confine.hosts import AllowList
from turbo_tui.sandbox.place import ConfinerName


def why_not(grants: Grants, confiner: ConfinerName, around: Surroundings) -> str:
    """Say why a confiner cannot give these grants; empty when it can.

    It is what the confiner itself will say to a command, and no more: what has changed by then
    is refused then. Without a sandbox grants change nothing, and none is refused.
    """
    if confiner == "unsandboxed":
        return ""
    try:
        if confiner == "landlock":
            landlock.refuse_grants(grants)
        elif confiner == "seatbelt":
            seatbelt.refuse_grants(grants)
        AllowList(grants.hosts)
        around.granted_paths(grants)
    except SandboxError as error:
        return str(error)
    return ""
