"""Read what is staged in a git repository, and commit it as the user would."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from turbo_tui.core.errors import ToolError
from turbo_tui.engine.commit_message import Staged, StagedFile, StagedStatus

READ_TIMEOUT_S = 30.0
COMMIT_TIMEOUT_S = 300.0  # hooks may run the tests
PATCH_CHARS = 400_000

# A repository's own configuration must not run anything while it is only read.
READING = (
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "--no-optional-locks",
    "--no-pager",
)
# A partial clone fetches what it lacks, by commands that its own configuration names.
OFFLINE = {"GIT_ALLOW_PROTOCOL": "", "GIT_NO_LAZY_FETCH": "1"}
_STATUSES: Mapping[str, StagedStatus] = {
    "A": "added",
    "C": "added",
    "M": "modified",
    "D": "deleted",
    "R": "renamed",
    "T": "retyped",
}
_REDIRECTING = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY")


class CommandLineGit:
    """Git by its command line, on the real workspace."""

    async def staged(self, workspace: Path) -> Staged:
        """Return what the index holds against HEAD.

        Raises:
            ToolError: Not a git repository, unmerged paths, or git is not installed.
        """
        await self._read(workspace, "rev-parse", "--git-dir")
        unmerged = await self._read(workspace, "ls-files", "--unmerged", "-z")
        if unmerged:
            paths = {row.split("\t", 1)[-1] for row in unmerged.split("\0") if row}
            raise ToolError(f"A merge is not finished: resolve {', '.join(sorted(paths))} first.")
        diff = ("diff", "--cached", "--no-ext-diff", "--no-textconv", "--no-color")
        diff = (*diff, "--submodule=short")  # else a second git reads the submodule, unguarded
        raw = await self._read(workspace, *diff, "--raw", "--no-abbrev", "-M", "-z")
        counts = await self._read(workspace, *diff, "--numstat", "-M", "-z")
        patch = await self._read(workspace, *diff, "--unified=0", "-M")
        head = await self._read(workspace, "rev-parse", "--verify", "--quiet", "HEAD", ok=(0, 1))
        branch = await self._read(
            workspace, "symbolic-ref", "--quiet", "--short", "HEAD", ok=(0, 1)
        )
        fingerprint = hashlib.sha256(f"{head}{branch}{raw}".encode("utf-8", "surrogateescape"))
        return Staged(
            tuple(_files(raw, _counts(counts))),
            patch[:PATCH_CHARS],
            branch.strip(),
            fingerprint.hexdigest(),
        )

    async def commit(self, workspace: Path, message: str) -> str:
        """Commit the index with the user's own hooks and signing; return git's words.

        Raises:
            ToolError: A hook or git refused; nothing was committed.
        """
        argv = ("commit", "-m", message.rstrip())  # exactly what the approval showed
        code, out = await run_git(workspace, argv, timeout_s=COMMIT_TIMEOUT_S)
        if code != 0:
            raise ToolError(
                f"git did not commit (exit {code}); nothing was changed:\n{out.strip()}"
            )
        return out.strip()

    async def _read(self, workspace: Path, *argv: str, ok: tuple[int, ...] = (0,)) -> str:
        code, out = await run_git(
            workspace,
            (*READING, *argv),
            timeout_s=READ_TIMEOUT_S,
            errors=False,
            environment=OFFLINE,
        )
        if code not in ok:
            _code, said = await run_git(
                workspace, (*READING, *argv), timeout_s=READ_TIMEOUT_S, environment=OFFLINE
            )
            raise ToolError(f"{workspace} cannot be read by git: {said.strip()}")
        return out


async def run_git(
    workspace: Path,
    argv: tuple[str, ...],
    *,
    timeout_s: float,
    errors: bool = True,
    environment: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
) -> tuple[int, str]:
    """Run git in the workspace; with `errors` stderr is part of the output.

    Raises:
        ToolError: git is not installed, or did not end in time.
    """
    inherited = {key: value for key, value in os.environ.items() if key not in _REDIRECTING}
    inherited["PATH"] = path_outside(workspace, inherited.get("PATH", os.defpath))
    inherited |= {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_LITERAL_PATHSPECS": "1"}
    try:
        process = await asyncio.create_subprocess_exec(
            "git",
            *argv,
            cwd=workspace,
            env={**inherited, **(environment or {})},
            stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT if errors else asyncio.subprocess.DEVNULL,
            start_new_session=True,  # a hook or a signer must not reach for the terminal
        )
    except FileNotFoundError:
        raise ToolError("git is not installed, or not on PATH; install it and try again.") from None
    try:
        async with asyncio.timeout(timeout_s):
            out, _none = await process.communicate(stdin)
    except TimeoutError:
        raise ToolError(f"git did not end within {timeout_s:.0f} s and was stopped.") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, os.fsdecode(out)


def path_outside(workspace: Path, path: str) -> str:
    """Return PATH without the folders of a workspace: what a step wrote is not taken for git.

    `.` and `bin` mean the workspace, and so does an environment that is activated in it.
    """
    root = os.path.realpath(workspace)
    folders = (folder for folder in path.split(os.pathsep) if folder.startswith("/"))
    outside = (
        folder for folder in folders if os.path.commonpath((root, os.path.realpath(folder))) != root
    )
    return os.pathsep.join(outside) or os.defpath  # an empty one means the current folder


def _counts(numstat: str) -> dict[str, tuple[int | None, int | None]]:
    """Read `added TAB removed TAB path NUL`; a rename has `NUL old NUL new NUL` for its path."""
    counts: dict[str, tuple[int | None, int | None]] = {}
    fields = iter(numstat.split("\0"))
    for field in fields:
        if not field:
            continue
        added, removed, path = field.split("\t", 2)
        if not path:
            next(fields)
            path = next(fields)
        counts[path] = (
            None if added == "-" else int(added),
            None if removed == "-" else int(removed),
        )
    return counts


def _files(raw: str, counts: Mapping[str, tuple[int | None, int | None]]) -> list[StagedFile]:
    """Read `:mode mode hash hash STATUS NUL path NUL [new path NUL]`."""
    files: list[StagedFile] = []
    fields = iter(raw.split("\0"))
    for field in fields:
        if not field:
            continue
        letter = field.rsplit(" ", 1)[-1][0]
        path, old = next(fields), ""
        if letter in "RC":
            old, path = path, next(fields)
        added, removed = counts.get(path, (0, 0))
        files.append(
            StagedFile(path, _STATUSES.get(letter, "modified"), old, added=added, removed=removed)
        )
    return files
