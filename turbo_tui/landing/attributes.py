"""Extended attributes of a file, ACLs among them: what new content takes over from the old."""

from __future__ import annotations

import os

# A new content must not inherit what was granted to the old one, nor marks of other layers.
_NEVER_COPIED = ("security.capability", "security.ima", "security.evm", "trusted.", "user.overlay.")


def copy_attributes(old: int, new: int) -> list[str]:
    """Copy extended attributes (ACLs are among them); return the names that were refused."""
    if not hasattr(os, "listxattr"):
        return []
    lost: list[str] = []
    try:
        names = os.listxattr(old)
    except OSError:  # the file system has none
        return []
    for name in names:
        if name.startswith(_NEVER_COPIED):
            continue
        try:
            os.setxattr(new, name, os.getxattr(old, name))
        except OSError:
            if not name.startswith("security."):  # labels that the system sets by itself
                lost.append(name)
    return lost
