"""Ask the analysis worker: a process of its own, ended when the asker is cancelled."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn, cast

from turbo_tui.core.errors import ToolError
from turbo_tui.core.ports import StageFiles
from turbo_tui.core.secret_files import is_secret
from turbo_tui.languages.definitions import closest

TIMEOUT_S = 120.0
MAX_FILE_BYTES = 2_000_000  # larger ones are data or generated; they are named, not read
PYTHON_ENDINGS = (".py", ".pyi")


async def ask_worker(
    job: str,
    *,
    paths: Sequence[str],
    files: Mapping[str, bytes],
    timeout_s: float = TIMEOUT_S,
    **arguments: object,
) -> dict[str, object]:
    """Run one job of `languages.jobs` in a process.

    Args:
        job: A name in `JOBS`.
        paths: All paths of the language, read or not: what imports can find.
        files: Contents to analyse.
        timeout_s: The worker is killed after this.
        arguments: What else the job needs, as JSON values.

    Raises:
        ToolError: The job refused, failed or took too long; the message is the job's.
    """
    request = await asyncio.to_thread(_encoded, job, paths, files, arguments)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-m",
        "turbo_tui.languages.worker",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(timeout_s):
            out, err = await process.communicate(request)
    except TimeoutError:
        raise ToolError(
            f"Analysing {len(files)} files took over {timeout_s:.0f} s and was stopped. "
            "Narrow the request to a folder or a file."
        ) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        last = err.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no message"]
        raise ToolError(f"The code analysis ended with an error: {last[0]}")
    answer = cast("dict[str, object]", json.loads(out))
    if not answer.pop("ok", False):
        raise ToolError(str(answer.get("error", "the code analysis refused")))
    return answer


def _encoded(
    job: str, paths: Sequence[str], files: Mapping[str, bytes], arguments: Mapping[str, object]
) -> bytes:
    texts = {path: content.decode("latin-1") for path, content in files.items()}
    request = {**arguments, "do": job, "paths": list(paths), "files": texts}
    return json.dumps(request).encode()


def files_holding(
    files: StageFiles, paths: Iterable[str], needles: Sequence[bytes]
) -> tuple[dict[str, bytes], list[str]]:
    """Read the files that hold one of some byte strings.

    Returns:
        The contents by path, and the paths that were passed over for their size.
    """
    held: dict[str, bytes] = {}
    too_large: list[str] = []
    for path in paths:
        entry = files.entry(path)
        if entry is None or entry.kind != "file" or is_secret(path):  # no tool is shown secrets
            continue
        if entry.size_bytes > MAX_FILE_BYTES:
            too_large.append(path)
            continue
        content = files.read(path)
        if any(needle in content for needle in needles):
            held[path] = content
    return held, too_large


def python_sources(
    files: StageFiles, names: Sequence[str]
) -> tuple[list[str], list[str], dict[str, bytes]]:
    """Gather what the resolution of Python names needs.

    Returns:
        All paths of the tree, those of Python files, and the contents of the Python files that
        hold one of the names, pass names on (`import *`) or stand for a package.
    """
    everything = list(files.walk())
    python = [path for path in everything if path.endswith(PYTHON_ENDINGS)]
    needles = [name.encode() for name in names] + [b"import *"]
    contents, _too_large = files_holding(files, python, needles)
    for path in python:
        if path.endswith(("/__init__.py", "/__init__.pyi")) and path not in contents:
            contents[path] = files.read(path, limit_bytes=MAX_FILE_BYTES)
    return everything, python, contents


async def names_in_workspace(workspace: Path) -> list[str]:
    """Return the names that look defined in a folder's sources, in name order.

    Raises:
        ToolError: The worker failed or took too long.
    """
    answer = await ask_worker("names", paths=(), files={}, root=str(workspace))
    return cast("list[str]", answer["names"])


async def refuse_unknown(
    files: StageFiles, python: Sequence[str], symbol: str, name: str
) -> NoReturn:
    """Refuse a name that no Python file spells, with the closest ones that exist.

    Raises:
        ToolError: Always.
    """
    contents, _too_large = await asyncio.to_thread(files_holding, files, python, [b""])
    answer = await ask_worker("names", paths=(), files=contents)
    near = closest(name, cast("list[str]", answer["names"]))
    hint = f" Closest: {', '.join(near)}." if near else ""
    raise ToolError(f"No Python symbol {symbol!r} is defined in this project.{hint}")
