from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import threading
from pathlib import Path

import pytest

from turbo_tui.adapters.blobs import FolderBlobs
from turbo_tui.core.errors import SessionError


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "state" / "blobs")


def place(tmp_path: Path, blob: str) -> Path:
    return tmp_path / "state" / "blobs" / blob[:2] / blob[2:]


@pytest.mark.parametrize("content", [b"", b"text\r\n", bytes(range(256)), b"x" * 3_000_000])
def test_content_comes_back_by_its_hash(blobs: FolderBlobs, content: bytes) -> None:
    blob = blobs.put(content)

    assert blob == hashlib.sha256(content).hexdigest()
    assert blobs.get(blob) == content
    assert blobs.put(content) == blob
    assert list(blobs) == [blob]
    assert blobs.size_bytes(blob) == len(content)


def test_a_file_is_kept_without_its_name(blobs: FolderBlobs, tmp_path: Path) -> None:
    file = tmp_path / "na\udcffme"
    file.write_bytes(b"y" * 2_500_000)

    assert blobs.put_file(file) == blobs.put(b"y" * 2_500_000)
    assert blobs.put_file(file) == blobs.put_file(file)
    assert file.exists()
    assert len(list(blobs)) == 1


def test_only_the_owner_can_read_blobs(blobs: FolderBlobs, tmp_path: Path) -> None:
    path = place(tmp_path, blobs.put(b"mine"))

    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.parent.parent.stat().st_mode & 0o777 == 0o700


def test_altered_content_is_never_given_out(blobs: FolderBlobs, tmp_path: Path) -> None:
    blob = blobs.put(b"right")
    place(tmp_path, blob).write_bytes(b"wrong")

    with pytest.raises(SessionError, match="was altered"):
        blobs.get(blob)
    with pytest.raises(SessionError, match="was altered"):
        blobs.copy_to(blob, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_content_that_is_not_there_is_refused(blobs: FolderBlobs, tmp_path: Path) -> None:
    absent = hashlib.sha256(b"absent").hexdigest()

    with pytest.raises(SessionError, match="is not in"):
        blobs.get(absent)
    with pytest.raises(SessionError, match="is not in"):
        blobs.copy_to(absent, tmp_path / "copy")
    assert absent not in blobs
    assert blobs.size_bytes(absent) == 0
    assert list(blobs) == []


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "ab", "G" * 64, "a" * 63 + "\n"])
def test_what_names_no_blob_leads_nowhere(blobs: FolderBlobs, name: str) -> None:
    with pytest.raises(SessionError, match="does not name a blob"):
        blobs.get(name)
    assert name not in blobs


def test_content_is_copied_to_a_new_file_only(blobs: FolderBlobs, tmp_path: Path) -> None:
    blob = blobs.put(b"z" * 3_000_000)
    blobs.copy_to(blob, tmp_path / "copy")

    assert (tmp_path / "copy").read_bytes() == b"z" * 3_000_000
    with pytest.raises(FileExistsError):
        blobs.copy_to(blob, tmp_path / "copy")


def test_content_is_copied_where_the_kernel_cannot_help(
    blobs: FolderBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> int:
        raise OSError(errno.EXDEV, "not on this file system")

    monkeypatch.setattr(os, "copy_file_range", refused)
    monkeypatch.setattr(fcntl, "ioctl", refused)
    blob = blobs.put(b"z" * 3_000_000)

    blobs.copy_to(blob, tmp_path / "copy")

    assert (tmp_path / "copy").read_bytes() == b"z" * 3_000_000


def test_a_copy_that_fails_leaves_no_file(
    blobs: FolderBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    blob = blobs.put(b"z")
    monkeypatch.setattr(fcntl, "ioctl", full)
    monkeypatch.setattr(os, "copy_file_range", full)

    with pytest.raises(OSError, match="No space left"):
        blobs.copy_to(blob, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(SessionError, match="Content cannot be kept in"):
        FolderBlobs(tmp_path / "file" / "blobs").put(b"x")


def test_many_writers_of_the_same_content_do_not_meet(blobs: FolderBlobs) -> None:
    ready = threading.Barrier(8)
    kept: list[str] = []

    def write(number: int) -> None:
        ready.wait()
        contents = [f"content {same} {number % 2}".encode() * 1000 for same in range(20)]
        kept.extend(map(blobs.put, contents))

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert set(blobs) == set(kept)
    assert len(set(kept)) == 40
    for blob in kept:
        assert blobs.get(blob)


def test_removed_content_is_gone(blobs: FolderBlobs) -> None:
    blob = blobs.put(b"x")
    blobs.remove(blob)
    blobs.remove(blob)

    assert blob not in blobs


@pytest.mark.parametrize("count", [3, 100])
def test_what_is_put_together_has_its_names_at_the_end(
    blobs: FolderBlobs, tmp_path: Path, count: int
) -> None:
    contents = [b"content %d" % number for number in range(count)]
    with blobs.together(), blobs.together():
        kept = [blobs.put(content) for content in contents]
        assert [blobs.put(content) for content in contents] == kept
        assert [blobs.get(blob) for blob in kept] == contents
        blobs.copy_to(kept[0], tmp_path / "copy")
        assert list(FolderBlobs(tmp_path / "state" / "blobs")) == []

    assert set(blobs) == set(kept)
    assert [blobs.get(blob) for blob in kept] == contents
    assert (tmp_path / "copy").read_bytes() == contents[0]
    assert list(blobs.leftovers()) == []


def test_what_was_put_together_before_a_failure_is_kept(blobs: FolderBlobs) -> None:
    def put_and_fail() -> None:
        with blobs.together():
            blobs.put(b"before")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        put_and_fail()
    assert blobs.get(hashlib.sha256(b"before").hexdigest()) == b"before"
    assert list(blobs.leftovers()) == []


def test_a_disk_that_refuses_at_the_end_leaves_no_name(
    blobs: FolderBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def put_on_a_full_disk() -> None:
        with blobs.together():
            blobs.put(b"lost")
            monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(SessionError, match="No space left"):
        put_on_a_full_disk()
    monkeypatch.undo()
    assert list(blobs) == []
    assert list(blobs.leftovers()) == []
    assert blobs.get(blobs.put(b"lost")) == b"lost"


def test_another_thread_is_no_part_of_what_is_put_together(blobs: FolderBlobs) -> None:
    with blobs.together():
        other = threading.Thread(target=blobs.put, args=(b"theirs",))
        other.start()
        other.join()
        blobs.put(b"ours")
        assert list(blobs) == [hashlib.sha256(b"theirs").hexdigest()]
