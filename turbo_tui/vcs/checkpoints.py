"""A git commit per landing on a hidden ref: nothing the user sees in git moves.

`refs/turbo-tui/SESSION` is a chain of commits, one a landing, an undo or a redo, on the commit
that HEAD named when the session first landed. `git log refs/turbo-tui/SESSION` shows the steps,
`git diff A B` what was between two. HEAD, index and files are never touched.

Each commit is written by one `git fast-import` from the very bytes that landed, so no file of
the workspace but `.gitignore` is read, and no filter, attribute, hook, signer or file system
monitor that a step may have written is run.

It holds what a commit of the user's would: nothing that git ignores, and no file that likely holds
secrets unless HEAD has it, for a mirroring push takes every ref along. The commit names those.

Source: git-fast-import(1).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from turbo_tui.core.changes import ChangeSet, FileChange
from turbo_tui.core.errors import ToolError
from turbo_tui.core.ports import Blobs
from turbo_tui.core.secret_files import is_secret
from turbo_tui.vcs.head import git_at
from turbo_tui.vcs.repository import OFFLINE, READ_TIMEOUT_S, READING, run_git

REFS = "refs/turbo-tui"
IMPORT_TIMEOUT_S = 120.0
_COMMITTER = "turbo-tui <turbo-tui@localhost>"
_HEAD = re.compile(r"^Head: ([0-9a-f]{40,64})$", re.MULTILINE)
_OUT_OF_A_REF = re.compile(r"[^A-Za-z0-9_-]+")
_OWNER_EXECUTES = 0o100
_IMPORT = "fast-import"
_LITERAL = "GIT_LITERAL_PATHSPECS"
_MOST_NAMED = 20
_PLAIN = ("-c", "core.logAllRefUpdates=false", "-c", "fastimport.unpackLimit=1000")


class GitCheckpoints:
    """Keeps landings of one workspace as commits; see `core.landings.Checkpoints`."""

    def __init__(
        self, workspace: Path, blobs: Blobs, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._workspace = workspace
        self._blobs = blobs
        self._clock = clock

    async def keep(
        self, written: ChangeSet, *, title: str, session_id: str, landing_id: str
    ) -> None:
        """Commit what a landing wrote on the session's hidden ref; nothing where there is no git.

        Raises:
            ToolError: Git refused; only the checkpoint is missing.
        """
        if git_at(self._workspace) is None:
            return
        try:
            prefix = await self._prefix()
            head = await self._commit_of("HEAD")
            ref = f"{REFS}/{_OUT_OF_A_REF.sub('-', session_id)}"
            last = await self._commit_of(ref)
            carried = await self._carried(last, head) if last else None
            left_out = await self._left_out(written, head)
            stream = b"".join((
                f"commit {ref}\n".encode(),
                f"committer {_COMMITTER} {int(self._clock())} +0000\n".encode(),
                _data(_message(title, session_id, landing_id, head, left_out)),
                *_parents(last, head, moved=carried is not None),
                carried or b"",
                *_changed(written, prefix, self._blobs.get, left_out),
                b"\ndone\n",
            ))  # fmt: skip
            await self._git(
                *_PLAIN, _IMPORT, "--quiet", "--done", stdin=stream, limit_s=IMPORT_TIMEOUT_S
            )
        except ToolError as error:
            raise ToolError(
                f"No git checkpoint of landing {landing_id} was kept; it stands all the same. "
                f"{error} Set `checkpoints = false` under [landing] to do without."
            ) from error

    async def _prefix(self) -> str:
        """Return where the workspace lies in its repository: empty, or `folder/`."""
        code, said = await run_git(
            self._workspace, (*READING, "rev-parse", "--show-prefix"), timeout_s=READ_TIMEOUT_S
        )
        if code != 0:
            raise ToolError(f"{said.strip().splitlines()[-1].rstrip('.')}.")
        return said.removesuffix("\n")

    async def _left_out(self, written: ChangeSet, head: str) -> frozenset[str]:
        """Return the paths whose content a commit is not to hold: ignored ones, and secrets."""
        there = [change.path for change in written.files if change.after is not None]
        # It takes no literal pathspecs; behind `./` none is anything else.
        asked = b"".join(b"./" + os.fsencode(path) + b"\0" for path in there)
        said = await self._git(
            *("check-ignore", "-z", "--stdin"), stdin=asked, ok=(0, 1), more={_LITERAL: "0"}
        )
        secret = [path for path in there if is_secret(path)]
        known = ""
        if secret and head:
            known = await self._git("ls-tree", "-z", "--name-only", head, "--", *secret)
        ignored = {path.removeprefix("./") for path in said.split("\0") if path}
        return frozenset(ignored | (set(secret) - set(known.split("\0"))))

    async def _carried(self, last: str, head: str) -> bytes | None:
        """Return what puts earlier landings on a HEAD that has moved since; None where not.

        A path that HEAD changed on its way is as HEAD has it: the user committed it.
        """
        told = _HEAD.search(await self._git("cat-file", "commit", last))
        was = told.group(1) if told else ""
        if was == head or not head:
            return None
        landed = await self._differences(was, last)
        committed = await self._differences(was, head)
        lines = [line for path, line in landed.items() if path not in committed]
        return b"".join(lines)

    async def _differences(self, one: str, other: str) -> Mapping[str, bytes]:
        """Return path -> the line of an import that makes it as the other commit has it."""
        empty = (await self._git("hash-object", "-t", "tree", "--stdin", stdin=b"")).strip()
        raw = await self._git("diff-tree", "-r", "--raw", "--no-renames", "-z", one or empty, other)
        lines: dict[str, bytes] = {}
        fields = iter(raw.split("\0"))
        for field in fields:
            if field:
                _, mode, _, blob, status = field.split(" ")
                path = next(fields)
                gone = status.startswith("D")
                lines[path] = (
                    b"D " + _quoted(path) + b"\n"
                    if gone
                    else f"M {mode} {blob} ".encode() + _quoted(path) + b"\n"
                )
        return lines

    async def _commit_of(self, name: str) -> str:
        found = await self._git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", ok=(0, 1))
        return found.strip()

    async def _git(
        self,
        *argv: str,
        stdin: bytes | None = None,
        ok: tuple[int, ...] = (0,),
        limit_s: float = READ_TIMEOUT_S,
        more: Mapping[str, str] | None = None,
    ) -> str:
        code, out = await run_git(
            self._workspace,
            (*READING, *argv),
            timeout_s=limit_s,
            errors=_IMPORT in argv,
            environment={**OFFLINE, **(more or {})},
            stdin=stdin,
        )
        if code not in ok:
            said = out.strip().splitlines() or [f"git {argv[0]} ended with exit {code}"]
            raise ToolError(f"{said[0].rstrip('.')}.")
        return out


def _parents(last: str, head: str, *, moved: bool) -> Iterator[bytes]:
    """Yield the commits to build on: the tree begins as the first of them has it."""
    first, second = (head, last) if moved else (last or head, "")
    if first:
        yield f"from {first}\n".encode()
    if second:
        yield f"merge {second}\n".encode()


def _message(
    title: str, session_id: str, landing_id: str, head: str, left_out: Collection[str]
) -> bytes:
    subject = " ".join(title.split()) or "landing"
    lines = [subject, "", f"Session: {session_id}", f"Landing: {landing_id}"]
    if head:
        lines.append(f"Head: {head}")
    named = sorted(left_out)[:_MOST_NAMED]
    lines += [f"Left-Out: {' '.join(path.split())}" for path in named]
    if len(left_out) > len(named):
        lines.append(f"Left-Out: and {len(left_out) - len(named)} more")
    return "\n".join([*lines, ""]).encode("utf-8", "replace")


def _changed(
    written: ChangeSet, prefix: str, content: Callable[[str], bytes], left_out: Collection[str]
) -> Iterator[bytes]:
    """Yield the lines that carry a change set out, deletions first."""
    gone = [change.moved_from or change.path for change in written.files if _goes(change)]
    for path in sorted(gone):
        yield b"D " + _quoted(prefix + path) + b"\n"
    for change in written.files:
        after = change.after
        if after is None or after.kind == "folder" or change.path in left_out:
            continue  # git knows no folders
        runs = after.kind == "file" and after.mode & _OWNER_EXECUTES
        mode = "120000" if after.kind == "symlink" else "100755" if runs else "100644"
        yield f"M {mode} inline ".encode() + _quoted(prefix + change.path) + b"\n"
        yield _data(content(after.blob))


def _goes(change: FileChange) -> bool:
    before, after = change.before, change.after
    if before is None or before.kind == "folder":
        return False
    return after is None or after.kind == "folder" or bool(change.moved_from)


def _data(content: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(content), content)


def _quoted(path: str) -> bytes:
    """Quote a path as C does, so that no byte of it is read as anything else."""
    quoted = b"".join(
        bytes((byte,)) if byte not in b'"\\' and 32 <= byte < 127 else b"\\%03o" % byte  # noqa: PLR2004  ASCII
        for byte in os.fsencode(path)
    )
    return b'"' + quoted + b'"'
