"""Secret files of a workspace: found at little cost, and empty to a confined command."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.sandbox.confining import needs_bubblewrap, outside, place_in, python
from turbo_tui.core.errors import SandboxError
from turbo_tui.sandbox.confine.bubblewrap import Bubblewrap
from turbo_tui.sandbox.place import Place
from turbo_tui.sandbox.staging import secrets
from turbo_tui.sandbox.staging.masks import Masks
from turbo_tui.sandbox.staging.secrets import SecretFiles

PRIVATE_KEY = "-----BEGIN PRIVATE KEY-----\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "ws"
    folder.mkdir()
    return folder


def put(root: Path, name: str, content: str = "the-secret") -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(content)


def settle(root: Path) -> None:
    """Wait until the clock has left the tick in which the tree was written."""
    newest = max(path.lstat().st_ctime_ns for path in (root, *root.rglob("*")))
    while time.time_ns() - newest < 150_000_000:
        time.sleep(0.01)


def test_secrets_are_found_by_name_and_templates_are_none(workspace: Path) -> None:
    for name in (".env", ".env.local", "deploy/prod.env", "deep/er/id_ed25519", "a b/ü.key"):
        put(workspace, name)
    for name in (".env.example", "src/env.py", "keys.txt"):
        put(workspace, name)
    (workspace / ".env.d").mkdir()

    assert SecretFiles(workspace).scan() == (
        *(".env", ".env.local", "a b/ü.key", "deep/er/id_ed25519", "deploy/prod.env"),
    )


def test_what_was_installed_is_left_out(workspace: Path) -> None:
    for folder in ("node_modules/x", "lib/site-packages/certifi", ".venv", "a/vendor", ".git"):
        put(workspace, f"{folder}/cacert.pem", PRIVATE_KEY)
        put(workspace, f"{folder}/.env")
    put(workspace, "environment/pyvenv.cfg", "")
    put(workspace, "environment/lib/server.key")

    assert SecretFiles(workspace).scan() == ()


def test_a_file_of_certificates_or_of_plain_npm_settings_is_no_secret(workspace: Path) -> None:
    put(workspace, "ca.pem", "-----BEGIN CERTIFICATE-----\n")
    put(workspace, "server.pem", PRIVATE_KEY)
    put(workspace, ".npmrc", "node-linker=hoisted\n")
    put(workspace, "app/.npmrc", "//registry/:_authToken=x\n")
    put(workspace, "large.pem", "-" * 1_000_001)
    found = SecretFiles(workspace)

    assert found.scan() == ("app/.npmrc", "large.pem", "server.pem")

    settle(workspace)
    found.scan()
    with (workspace / ".npmrc").open("a") as file:  # the folder does not change by this
        file.write("//registry/:_authToken=x\n")
    assert ".npmrc" in found.scan()


def test_the_users_globs_show_files_after_all(workspace: Path) -> None:
    for name in (".env", "tests/certs/a.key", "tests/certs/b.key", "live/c.key"):
        put(workspace, name)

    shown = SecretFiles(workspace, ("tests/certs/*", ".env")).scan()

    assert shown == ("live/c.key",)
    assert SecretFiles(workspace, ("*.key",)).scan() == (".env",)


def test_a_link_with_a_secrets_name_masks_what_it_leads_to(workspace: Path, tmp_path: Path) -> None:
    put(workspace, "config/production", "the-secret")
    put(tmp_path, "outside.env")
    (workspace / ".env").symlink_to("config/production")
    (workspace / ".env.other").symlink_to("../outside.env")
    (workspace / ".env.gone").symlink_to("nowhere")
    (workspace / ".env.loop").symlink_to(".env.loop")
    (workspace / "plain.txt").symlink_to(".env")

    assert SecretFiles(workspace).scan() == ("config/production",)


def test_other_names_of_a_secret_file_are_masked_too(workspace: Path) -> None:
    put(workspace, ".env")
    put(workspace, "src/a.py", "")
    found = SecretFiles(workspace)
    assert found.scan() == (".env",)
    settle(workspace)
    found.scan()

    (workspace / "src/plain.txt").hardlink_to(workspace / ".env")
    assert found.scan() == (".env", "src/plain.txt")
    settle(workspace)
    assert found.scan() == found.scan() == (".env", "src/plain.txt")
    (workspace / "src/plain.txt").unlink()
    assert found.scan() == (".env",)


def test_later_scans_see_what_changed_and_read_nothing_else(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a/.env", "b/x.py", "c/d/y.key", "e/z.py"):
        put(workspace, name)
    found = SecretFiles(workspace)
    found.scan()
    settle(workspace)
    assert found.scan() == ("a/.env", "c/d/y.key")
    read: list[str] = []
    scandir = os.scandir

    def noting(path: str) -> object:
        read.append(os.path.relpath(path, workspace))
        return scandir(path)

    monkeypatch.setattr(secrets.os, "scandir", noting)

    found.scan()
    assert [path for path in read if ".git" not in path] == []

    put(workspace, "b/.env")
    (workspace / "c/d/y.key").unlink()
    assert found.scan() == ("a/.env", "b/.env")
    assert {path for path in read if ".git" not in path} == {"b", "c/d"}

    (workspace / "a").rename(workspace / "moved")
    assert found.scan() == ("b/.env", "moved/.env")
    (workspace / "b").rename(workspace / "t")
    (workspace / "e").rename(workspace / "b")
    (workspace / "t").rename(workspace / "e")
    assert found.scan() == ("e/.env", "moved/.env")


def test_changes_within_one_tick_of_the_clock_are_not_missed(workspace: Path) -> None:
    found = SecretFiles(workspace)
    for number in range(30):
        put(workspace, f".env.{number}")
        assert len(found.scan()) == number + 1


def test_more_than_can_be_hidden_is_an_error_that_says_what_to_do(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "MOST", 3)
    for number in range(4):
        put(workspace, f"{number}.key")

    with pytest.raises(SandboxError, match=r"4 files .* 0\.key to 3\.key.*`show_secrets`"):
        SecretFiles(workspace).scan()
    assert SecretFiles(workspace, ("3.*",)).scan() == ("0.key", "1.key", "2.key")


def test_inner_repositories_are_found_on_the_way(workspace: Path) -> None:
    for name in (".git/config", "lib/a/.git/config", ".git/modules/b/c/config"):
        put(workspace, name)
    for name in ("objects", "refs"):
        (workspace / ".git/modules/b/c" / name).mkdir()
    put(workspace, "sub/.git", "gitdir: ../.git/modules/b/c")
    found = SecretFiles(workspace)
    found.scan()

    assert found.repositories == ("lib/a/.git", "sub/.git", ".git/modules/b/c")


# --- shown to a command ------------------------------------------------------


def masked_place(workspace: Path) -> Place:
    found = SecretFiles(workspace)
    masked = found.scan()
    return replace(place_in(workspace), masked=masked, read_only=found.repositories)


READ_ALL = """
    import os
    for folder, _, names in os.walk("."):
        for name in sorted(names):
            path = os.path.join(folder, name)
            try:
                print(path, os.path.isfile(path), repr(open(path).read()))
            except OSError as error:
                print(path, error.strerror)
"""


async def test_a_masked_file_is_empty_and_its_template_is_not(workspace: Path) -> None:
    await needs_bubblewrap()
    for name in (".env", ".env.example", "a b/server.key", "src/main.py"):
        put(workspace, name, f"the-secret of {name}")
    (workspace / "a.txt").symlink_to(".env")
    (workspace / "absolute.txt").symlink_to(workspace / "a b/server.key")
    assert "the-secret of .env'" in outside(READ_ALL, workspace)

    result = await python(Bubblewrap(), masked_place(workspace), READ_ALL)

    said = result.output.splitlines()
    assert "./.env True ''" in said
    assert "./a b/server.key True ''" in said
    assert "./a.txt True ''" in said
    assert "./absolute.txt True ''" in said
    assert "./.env.example True 'the-secret of .env.example'" in said
    assert "./src/main.py True 'the-secret of src/main.py'" in said


WAYS_AROUND = {
    "hard link": "os.link('.env', 'seen'); print(open('seen').read())",
    "rename": "os.rename('.env', 'seen'); print(open('seen').read())",
    "folder renamed": "os.rename('conf', 'c2'); print(open('c2/.env').read())",
    "own root": "print(open('/proc/self/root' + os.getcwd() + '/.env').read())",
    "copy of the tree": "import shutil; shutil.copytree('.', 'c', symlinks=True);"
    " print(open('c/.env').read(), open('c/conf/.env').read())",
    "remove": "os.remove('.env'); print(open('.env').read())",
    "unmount": "import ctypes; print(ctypes.CDLL(None).umount2(b'.env', 2));"
    " print(open('.env').read())",
    "archive": "import tarfile; t = tarfile.open('t.tar', 'w'); t.add('.');"
    " t.close(); print(open('t.tar').read())",
}


@pytest.mark.parametrize("way", WAYS_AROUND)
async def test_a_masked_file_cannot_be_read_by_a_way_around(way: str, workspace: Path) -> None:
    await needs_bubblewrap()
    put(workspace, ".env")
    put(workspace, "conf/.env")
    code = f"import os\nprint('started', flush=True)\n{WAYS_AROUND[way]}"

    result = await python(Bubblewrap(), masked_place(workspace), code)

    assert result.output.startswith("started")
    assert "the-secret" not in result.output
    assert (workspace / ".env").read_text() == "the-secret"


@pytest.mark.parametrize("way", ["hard link", "rename", "folder renamed", "archive"])
def test_the_ways_around_are_real(way: str, workspace: Path) -> None:
    put(workspace, ".env")
    put(workspace, "conf/.env")

    assert "the-secret" in outside(f"import os\n{WAYS_AROUND[way]}", workspace)


async def test_a_masked_file_cannot_be_written_and_nothing_new_appears(workspace: Path) -> None:
    await needs_bubblewrap()
    put(workspace, ".env")
    code = """
        for mode in "wa":
            try:
                open(".env", mode).write("evil")
                print("written")
            except OSError as error:
                print(error.strerror)
    """

    result = await python(Bubblewrap(), masked_place(workspace), code)

    assert len(result.output.splitlines()) == 2
    assert "written" not in result.output
    assert (workspace / ".env").read_text() == "the-secret"
    assert os.listdir(workspace) == [".env"]  # noqa: PTH208 - pathlib is no better


async def test_what_a_step_made_of_a_path_is_not_in_the_way(workspace: Path) -> None:
    await needs_bubblewrap()
    place = replace(place_in(workspace), masked=("gone/.env", "linked/.env", ".env"))
    put(workspace, "other/.env", "made by the step")
    (workspace / "linked").symlink_to("other")
    (workspace / ".env").mkdir()

    result = await python(Bubblewrap(), place, "print(open('linked/.env').read())")

    assert result.output == "made by the step\n"


async def test_each_asker_is_told_of_a_look_that_began_after_it_asked(workspace: Path) -> None:
    found = SecretFiles(workspace)
    scans = asyncio.Queue[asyncio.Event]()
    loop = asyncio.get_running_loop()

    class Slow:
        """Looks, then waits until it may tell."""

        repositories = ()

        def scan(self) -> tuple[str, ...]:
            seen, go_on = found.scan(), asyncio.Event()
            loop.call_soon_threadsafe(scans.put_nowait, go_on)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()
            return seen

    masks = Masks(Slow())
    first = asyncio.create_task(masks.now())
    go_on = await scans.get()
    put(workspace, ".env")
    later = [asyncio.create_task(masks.now()) for _ in range(3)]
    await asyncio.sleep(0)
    go_on.set()
    (await scans.get()).set()

    assert (await first).secrets == ()
    assert [(await task).secrets for task in later] == [(".env",)] * 3
    assert scans.empty()  # one look served the three


async def test_a_look_that_failed_serves_nobody(workspace: Path) -> None:
    put(workspace, ".env")

    class Refusing(SecretFiles):
        refuses = True

        def scan(self) -> tuple[str, ...]:
            if self.refuses:
                raise SandboxError("too many")
            return super().scan()

    scanner = Refusing(workspace)
    masks = Masks(scanner)
    asked = [asyncio.create_task(masks.now()) for _ in range(2)]
    refused = await asyncio.gather(*asked, return_exceptions=True)
    scanner.refuses = False

    assert [type(each) for each in refused] == [SandboxError, SandboxError]
    assert (await masks.now()).secrets == (".env",)


def a_workspace_with_repositories(root: Path) -> None:
    for name in ("sub/.git/config", "sub/.git/hooks/pre-commit", "sub/.git/index"):
        put(root, name, "mine")
    put(root, "link/.git", "gitdir: elsewhere")


async def test_inner_repositories_keep_their_hooks_and_config(workspace: Path) -> None:
    await needs_bubblewrap()
    a_workspace_with_repositories(workspace)
    a_workspace_with_repositories(workspace / "control")
    code = """
        import os
        def attempt(what, name):
            try:
                what()
                print("done", name)
            except OSError as error:
                print("refused", name)
        for name in ("sub/.git/config", "sub/.git/hooks/pre-commit", "link/.git", "sub/.git/index"):
            attempt(lambda: open(name, "w").write("evil"), name)
        attempt(lambda: open("sub/.git/hooks/new", "w"), "new hook")
        attempt(lambda: os.rename("sub/.git", "sub/.old"), "rename")
    """
    assert "refused" not in outside(code, workspace / "control")

    result = await python(Bubblewrap(), masked_place(workspace), code)

    assert result.output.splitlines() == [
        *("refused sub/.git/config", "refused sub/.git/hooks/pre-commit", "refused link/.git"),
        *("done sub/.git/index", "refused new hook", "refused rename"),
    ]
