"""A real package to work on: the source distribution of click, as a git repository.

Downloaded once per machine into the user's cache, checked by its sha256; a machine without
network and cache skips what needs it, except under CI, where that is a failure.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

CLICK = "8.1.8"
_SHA256 = "ed53c9d8990d83c2a27deae68e4ee337473f6330c040a31d4225c9574d16096a"
_ARCHIVE = f"click-{CLICK}.tar.gz"


def click_repository(folder: Path) -> Path:
    """Unpack click into `folder`, commit it to a new git repository; return its root.

    Its own tests run with `PACKAGE_TESTS` and `package_environment()`.
    """
    with tarfile.open(_archive()) as archive:
        archive.extractall(folder, filter="data")
    root = folder / f"click-{CLICK}"
    for argv in (
        ("init", "-q", "-b", "main"),
        ("config", "user.name", "Someone"),
        ("config", "user.email", "someone@example.org"),
        ("config", "commit.gpgsign", "false"),
        ("config", "core.autocrlf", "false"),
        ("add", "--all"),
        ("commit", "-q", "-m", f"click {CLICK}"),
    ):
        subprocess.run(["git", *argv], cwd=root, check=True, capture_output=True)
    return root


# Plugins of our own test run would warn, and click turns warnings into errors.
PACKAGE_TESTS = (
    sys.executable,
    "-m",
    "pytest",
    "-q",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:asyncio",
    "-W",
    "ignore::pytest.PytestRemovedIn10Warning",
)


def package_environment() -> dict[str, str]:
    """Return the environment in which the package's tests import the package itself."""
    return {"PYTHONPATH": "src", "PYTHONDONTWRITEBYTECODE": "1"}


def _archive() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "turbo-tui-tests"
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _unavailable(f"{cache} cannot be made: {error.strerror}")
    path = cache / _ARCHIVE
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test workers may want it at once
        if not _is_whole(path):
            _download(path)
    return path


def _download(path: Path) -> None:
    with_pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    fresh = path.parent / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    ran = subprocess.run(
        [*with_pip, "--no-binary", ":all:", "--dest", str(fresh), f"click=={CLICK}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode != 0:
        _unavailable(f"pip could not download click {CLICK}: {ran.stderr.strip()[-400:]}")
    if not _is_whole(fresh / _ARCHIVE):
        pytest.fail(f"The download of click {CLICK} has not the expected sha256.")
    (fresh / _ARCHIVE).replace(path)
    shutil.rmtree(fresh)


def _is_whole(path: Path) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == _SHA256


def _unavailable(why: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"The real package is needed under CI. {why}")
    pytest.skip(why)
