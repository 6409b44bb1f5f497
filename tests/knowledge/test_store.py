"""What is kept on disk, and what happens where that cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import psutil
import pytest

from tests.knowledge.worker_kit import named, until
from turbo_tui.knowledge.indexing.digest import Digest, digest, key_of, packed
from turbo_tui.knowledge.indexing.tree import SourceFile
from turbo_tui.knowledge.storing import store as store_module
from turbo_tui.knowledge.storing import store_process
from turbo_tui.knowledge.storing.database import Database
from turbo_tui.knowledge.storing.family import family_of
from turbo_tui.knowledge.storing.store import Store

TEXT = b"parse the line\n\nand the page\n"
KEY = key_of("a.txt", TEXT)


def made() -> Digest:
    return digest("a.txt", TEXT, lambda _source, _grammar: None)


def file(path: str, at: int = 1) -> SourceFile:
    return SourceFile(path, f"/{path}", (at, 2, 3))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    store = Store(folder, "1")
    store.open()
    yield store
    store.close()


def opened(folder: Path, version: str = "1") -> Store:
    store = Store(folder, version)
    store.open()
    return store


def test_what_was_put_is_there_when_it_is_opened_again(store: Store, folder: Path) -> None:
    assert store.put([(KEY, packed(made()))], [(file("a.txt"), KEY), (file("b c'.txt"), KEY)])
    assert store.put([], [(file("a.txt", 7), KEY)], ["b c'.txt"])
    assert store.put_vectors("m", [("a.txt", KEY, b"123")])
    store.close()

    again = opened(folder)

    assert again.note == ""
    assert again.files == {"a.txt": ((7, 2, 3), KEY)}
    ((key, found),) = again.get([KEY, "nowhere"])
    assert key == KEY
    assert (found.chunks, found.terms) == (made().chunks, made().terms)
    assert found.words.tolist() == made().words.tolist()
    assert list(again.vectors("m")) == [("a.txt", KEY, b"123")]
    assert list(again.vectors("other")) == []
    again.close()


def test_another_version_is_built_anew_and_said(store: Store, folder: Path) -> None:
    store.put([(KEY, packed(made()))], [(file("a.txt"), KEY)])
    store.close()

    again = opened(folder, "2")

    assert again.note == store_module.OTHER_VERSION
    assert (again.files, again.keys) == ({}, set())
    assert again.put([(KEY, packed(made()))], [(file("a.txt"), KEY)])
    again.close()


@pytest.mark.parametrize("damage", ["cut", "noise", "no manifest"])
def test_a_damaged_store_is_built_anew_and_said(store: Store, folder: Path, damage: str) -> None:
    store.put([(KEY, packed(made()))], [(file("a.txt"), KEY)])
    store.close()
    parts = sorted(
        (folder / "tables/files.lance").rglob(
            "*.lance" if damage != "no manifest" else "*.manifest"
        )
    )
    for part in parts:
        content = part.read_bytes()
        part.write_bytes(content[: len(content) // 2] if damage == "cut" else os.urandom(64))

    again = opened(folder)

    assert again.note == store_module.BROKEN
    assert again.files == {}
    assert again.put([(KEY, packed(made()))], [(file("a.txt"), KEY)])
    again.close()


def test_a_store_that_somebody_holds_is_left_to_him(store: Store, folder: Path) -> None:
    second = opened(folder)

    assert second.note == store_module.TAKEN
    assert not second.put([(KEY, packed(made()))], [])
    assert list(second.get([KEY])) == []
    second.close()
    assert store.put([(KEY, packed(made()))], [])


def test_a_helper_that_was_killed_is_started_anew(folder: Path, store: Store) -> None:
    assert store.put([(KEY, packed(made()))], [(file("a.txt"), KEY)])
    helper = helper_of(folder)
    helper.kill()
    helper.wait()

    assert not store.put([], [(file("b.txt"), KEY)])
    assert store.put([], [(file("b.txt"), KEY)])
    assert (store.usable, store.note, store.behind) == (True, "", False)
    assert [key for key, _ in store.get([KEY])] == [KEY]


def helper_of(folder: Path) -> psutil.Process:
    ours = psutil.Process().children()  # an earlier test's may be ending yet
    (helper,) = named(os.fspath(folder), ours)
    return helper


def limit(monkeypatch: pytest.MonkeyPatch, **limits: store_process.Limits) -> None:
    monkeypatch.setattr(store_process, "LOOK_S", 0.01)
    for name, value in limits.items():
        monkeypatch.setattr(store_process, name, value)


def test_of_a_helper_that_is_stopped_nothing_is_read_for_a_while(
    folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put([(KEY, packed(made()))], [(file("a.txt"), KEY)])
    limit(monkeypatch, READING=store_process.Limits(0.2, 60.0))
    helper = helper_of(folder)
    helper.suspend()

    assert list(store.gather([("a.txt", KEY)])) == []
    assert psutil.wait_procs([helper], timeout=60)[1] == []
    assert (list(store.get([KEY])), list(store.vectors("m"))) == ([], [])
    assert (store.usable, store.note, store.keys) == (True, "", {KEY})

    monkeypatch.undo()
    store._reads_at = 0.0  # pyright: ignore[reportPrivateUsage]  a minute later
    assert [key for key, _ in store.get([KEY])] == [KEY]


def test_who_reads_does_not_wait_for_one_who_writes_and_hangs(
    folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put([(KEY, packed(made()))], [(file("a.txt"), KEY)])
    helper = helper_of(folder)
    helper.suspend()
    kept: list[bool] = []
    write = Thread(target=lambda: kept.append(store.put([], [(file("b.txt"), KEY)])))
    write.start()
    turn = store._process._turn  # pyright: ignore[reportPrivateUsage]
    until(turn.locked)
    monkeypatch.setattr(store_process, "TURN_S", 0.05)

    assert list(store.get([KEY])) == []

    assert write.is_alive()
    helper.resume()
    write.join(60)
    assert kept == [True]
    assert store.usable


def test_a_helper_that_is_stopped_while_it_writes_is_done_without_and_that_is_said(
    folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, WRITING=store_process.Limits(0.2, 60.0))
    helper_of(folder).suspend()

    assert not store.put([], [(file("b.txt"), KEY)])

    assert store.note == (
        "The index cannot be kept on disk (the process that writes it does not answer); it is kept "
        "in memory alone."
    )
    assert (store.usable, store.behind) == (False, True)
    monkeypatch.undo()
    assert store.recover(at_once=True)
    assert store.put([], [(file("b.txt"), KEY)])
    assert store.note == ""


def test_a_store_whose_helper_hangs_as_it_opens_is_left_as_it_is(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put([(KEY, packed(made()))], [(file("a.txt"), KEY)])
    store.close()
    instead(
        monkeypatch, "import signal\ndatabase.Database.open = lambda *_: signal.sigwait([14]) or []"
    )
    limit(monkeypatch)
    monkeypatch.setattr(store_module, "WRITING", store_process.Limits(0.5, 60.0))
    again = opened(folder)

    assert "does not answer" in again.note
    monkeypatch.undo()
    assert again.recover(at_once=True)
    assert (again.note, again.keys) == ("", {KEY})
    again.close()


def test_a_helper_that_is_busy_for_ever_is_ended_as_well(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put([(KEY, packed(made()))], [(file("a.txt"), KEY)])
    instead(monkeypatch, "def busy(*_):\n while True: pass\ndatabase.Database.contents = busy")
    store.close()
    store.open()
    limit(monkeypatch, READING=store_process.Limits(60.0, 0.5))

    assert list(store.get([KEY])) == []

    assert (store.usable, store.note) == (True, "")


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = opened(tmp_path / "file" / "store")

    assert store.note.startswith("The index cannot be kept on disk")
    assert not store.usable
    store.close()


def instead(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Have the helper begin with a program of the test's own."""
    begin = (
        "import os, sys; from pathlib import Path\n"
        "from turbo_tui.knowledge.storing import database\n"
    )
    serve = "database.serve(Path(sys.argv[1]), sys.stdin.buffer, sys.stdout.buffer)\n"
    monkeypatch.setattr(
        store_process, "COMMAND", (sys.executable, "-c", f"{begin}{program}\n{serve}")
    )


def test_a_full_disk_is_said_and_tried_again_later(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead(
        monkeypatch,
        "def full(*_): raise OSError(28, 'No space left on device')\ndatabase.Database.put = full",
    )
    store = opened(folder)

    assert not store.put([], [(file("b.txt"), KEY)])
    assert store.note == store_module.FULL
    assert (store.usable, store.recover(), store.behind) == (False, False, True)

    monkeypatch.undo()
    monkeypatch.setattr(store_module, "ROOM_BYTES", 2**62)
    assert not store.recover(at_once=True)
    monkeypatch.undo()
    assert store.recover(at_once=True)
    assert store.put([], [(file("b.txt"), KEY)])
    assert store.note == ""
    store.close()


def test_a_store_is_not_made_anew_because_its_helper_was_killed_as_it_opened(
    store: Store, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put([(KEY, packed(made()))], [(file("a.txt"), KEY)])
    store.close()
    ended = tmp_path / "ended"
    place = repr(str(ended))
    once = f"if not os.path.exists({place}):\n open({place}, 'w'); os.kill(os.getpid(), 9)"
    instead(monkeypatch, once)

    again = opened(folder)

    assert ended.exists()
    assert (again.note, again.keys, again.files.keys()) == ("", {KEY}, {"a.txt"})
    again.close()


def test_a_store_that_kills_its_helper_is_made_anew_and_said(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put([(KEY, packed(made()))], [(file("a.txt"), KEY)])
    store.close()
    instead(
        monkeypatch,
        "files = database.Database.files\n"
        "database.Database.files = lambda self: files(self) and os._exit(1) or {}",
    )

    again = opened(folder)

    assert again.note == store_module.BROKEN
    assert again.put([(KEY, packed(made()))], [])
    again.close()


def test_a_helper_that_ends_each_time_is_done_without_and_that_is_said(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead(monkeypatch, "database.Database.put = lambda *_: os._exit(1)")
    store.close()
    store.open()

    for usable in (True, True, False):
        assert not store.put([], [(file("a.txt"), KEY)])
        assert store.usable is usable

    assert "ends each time" in store.note
    monkeypatch.setattr(store_process, "COMMAND", ("/bin/false",))
    assert not store.recover(at_once=True)
    assert "ends each time" in store.note


def test_contents_that_cannot_be_read_any_more_are_built_anew_and_said(store: Store) -> None:
    store.put([(KEY, [b"no JSON"] * 5)], [(file("a.txt"), KEY)])

    assert list(store.get([KEY])) == []

    assert (store.note, store.behind, store.usable) == (store_module.BROKEN, True, True)
    assert (store.keys, store.files) == (set(), {})
    assert store.put([(KEY, packed(made()))], [(file("a.txt"), KEY)])
    assert [key for key, _ in store.get([KEY])] == [KEY]


def test_what_no_file_needs_is_forgotten_at_last_and_rows_are_packed(folder: Path) -> None:
    folder.mkdir()
    database = Database(folder)
    database.open("1")
    for turn in range(45):
        contents = [(f"{turn}-{number}", [b"x"] * 5) for number in range(50)]
        rows = [(f"p{number}", turn, 2, 3, f"{turn}-{number}") for number in range(50)]
        database.put(contents, rows)
    database.tidy()

    files, keys = Database(folder).open("1")

    assert files == {f"p{number}": (f"p{number}", 44, 2, 3, f"44-{number}") for number in range(50)}
    assert len(keys) < 500
    assert len(list((folder / "tables/files.lance/_versions").iterdir())) < 10


def test_its_helper_ends_with_whoever_started_it(folder: Path) -> None:
    folder.mkdir()
    helper = subprocess.Popen(
        (*store_process.COMMAND, str(folder)), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert helper.communicate(b"", timeout=60) == (b"", None)
    assert helper.returncode == 0


def test_a_clone_begins_with_what_another_knows(tmp_path: Path) -> None:
    first = Store(tmp_path / "one", "1", "family")
    first.open()
    first.put([(KEY, packed(made()))], [(file("a.txt"), KEY)])
    first.put_vectors("m", [("a.txt", KEY, b"123")])
    first.close()

    clone = Store(tmp_path / "two", "1", "family")
    assert clone.exists
    clone.open()
    assert (clone.note, clone.files, clone.keys) == ("", {}, {KEY})
    assert [key for key, _ in clone.get([KEY])] == [KEY]
    assert list(clone.vectors("m")) == [("a.txt", KEY, b"123")]
    clone.close()

    for version, family in (("2", "family"), ("1", "other"), ("1", "")):
        stranger = Store(tmp_path / "three", version, family)
        assert not stranger.exists
        stranger.close()


def test_clones_and_worktrees_are_one_family(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(("git", "-C", *words), check=True, capture_output=True)

    for name in ("one", "two", "alone"):
        (tmp_path / name).mkdir()
        git(str(tmp_path / name), "init", "-q")
    for name in ("one", "two"):
        git(str(tmp_path / name), "remote", "add", "origin", "https://example.org/shop.git")
    me = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    git(str(tmp_path / "one"), *me, "commit", "-q", "--allow-empty", "-m", "first")
    git(str(tmp_path / "one"), "worktree", "add", "-q", str(tmp_path / "tree"))

    one, two, tree, alone, none = (
        family_of(tmp_path / name) for name in ("one", "two", "tree", "alone", "none")
    )

    assert one == two == tree != alone
    assert (bool(one), bool(alone), none) == (True, True, "")


def test_a_configuration_written_to_keep_us_busy_is_read_line_by_line(tmp_path: Path) -> None:
    for name, between in (("plain", ""), ("busy", "\n" * 900_000)):  # the latter took half an hour
        git = tmp_path / name / ".git"
        git.mkdir(parents=True)
        rest = (
            '[branch "a]b"]\nurl = no\n[remote "origin"] ; ours\n' + between + "\turl=ssh://shop\n"
        )
        (git / "config").write_text('[remote "other"]\nurl = no\n' + rest)

    assert family_of(tmp_path / "busy") == family_of(tmp_path / "plain") != ""


@pytest.mark.parametrize("said", [b"gitdir: \xff\0\n", b"gitdir: ../nowhere\n", b"\xff"])
def test_a_git_file_of_any_content_is_of_no_family(tmp_path: Path, said: bytes) -> None:
    (tmp_path / ".git").write_bytes(said)

    assert family_of(tmp_path) == ""


@pytest.mark.parametrize(
    "path", [os.fsdecode(b"caf\xe9\xff.py"), "a\nb.py", "\\a.py", "caf\u00e9.py"]
)
def test_files_of_any_name_are_kept(store: Store, folder: Path, path: str) -> None:
    assert store.put([(KEY, packed(made()))], [(file(path), KEY), (file("a.txt"), KEY)])
    assert store.put_vectors("m", [(path, KEY, b"ab")])
    store.close()

    again = opened(folder)
    assert again.files.keys() == {path, "a.txt"}
    assert list(again.vectors("m")) == [(path, KEY, b"ab")]
    again.close()
