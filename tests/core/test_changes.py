"""Change sets as bytes, their fingerprint and their inverse."""

from __future__ import annotations

import hashlib
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turbo_tui.core import changes
from turbo_tui.core.changes import ChangeSet, FileChange, IgnoredFolder, Node
from turbo_tui.core.errors import SessionError

A = Node("file", 0o644, 3, "a" * 64)
B = Node("file", 0o755, 4, "b" * 64)
FOLDER = Node("folder", 0o755)

SAMPLE = ChangeSet(
    files=(
        FileChange("a.py", A, B),
        FileChange("gone", FOLDER, None),
        FileChange("new/name.py", A, A, moved_from="old.py"),
        FileChange("unsure", A, B, base_known=False),
    ),
    ignored=(IgnoredFolder("node_modules", (FileChange("node_modules/x.js", None, A),)),),
    notes=(".git: 3 internal files",),
    warnings=("run.sh: executable",),
)

names = st.binary(min_size=1, max_size=6).filter(
    lambda raw: b"\0" not in raw and b"/" not in raw and raw not in (b".", b"..")
)
paths = st.lists(names, min_size=1, max_size=3).map(lambda parts: os.fsdecode(b"/".join(parts)))
nodes = st.builds(
    Node,
    st.sampled_from(["file", "symlink"]),
    st.integers(0, 0o777),
    st.integers(0, 10**12),
    st.binary(max_size=3).map(lambda content: hashlib.sha256(content).hexdigest()),
)
file_changes = st.builds(FileChange, paths, nodes, nodes, st.just(""), st.booleans())
change_sets = st.builds(
    ChangeSet,
    st.lists(file_changes, max_size=4).map(tuple),
    st.just(()),
    st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=2).map(tuple),
)


def test_a_change_set_survives_json() -> None:
    assert changes.from_json(changes.to_json(SAMPLE)) == SAMPLE


def test_a_name_that_is_not_utf8_survives_json() -> None:
    path = os.fsdecode(b"caf\xe9/\xff\xfe.txt")
    changed = ChangeSet((FileChange(path, None, A),))

    raw = changes.to_json(changed)

    assert raw.isascii()
    assert os.fsencode(changes.from_json(raw).files[0].path) == b"caf\xe9/\xff\xfe.txt"


@given(change_sets)
def test_any_change_set_survives_json(changed: ChangeSet) -> None:
    raw = changes.to_json(changed)

    assert changes.from_json(raw) == changed
    assert changes.to_json(changes.from_json(raw)) == raw


def test_a_fingerprint_is_the_hash_of_the_bytes_and_knows_every_part() -> None:
    assert changes.fingerprint(SAMPLE) == hashlib.sha256(changes.to_json(SAMPLE)).hexdigest()
    other = ChangeSet(SAMPLE.files, SAMPLE.ignored, SAMPLE.notes)
    assert changes.fingerprint(other) != changes.fingerprint(SAMPLE)


def _altered(**fields: object) -> bytes:
    shape = json.loads(changes.to_json(ChangeSet((FileChange("a", A, B),))))
    target = shape["files"][0]
    for name, value in fields.items():
        target[name] = value
    return json.dumps(shape).encode()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        changes.to_json(SAMPLE).replace(b'"v":1', b'"v":2'),
        changes.to_json(SAMPLE).replace(b'"notes":[', b'"notes":[1,'),
        changes.to_json(SAMPLE).replace(b'"files":[', b'"files":[1,'),
        changes.to_json(SAMPLE).replace(b'"notes":[".git: 3 internal files"]', b'"notes":"x"'),
        _altered(path="/etc/passwd"),
        _altered(path="../up"),
        _altered(path="a//b"),
        _altered(path=""),
        _altered(path="a\0b"),
        _altered(moved_from="./x"),
        _altered(moved_from="x", before=None),
        _altered(before=None, after=None),
        _altered(base_known=1),
        _altered(extra=1),
        _altered(before={"kind": "device", "mode": 0, "size_bytes": 0, "blob": ""}),
        _altered(before={"kind": "file", "mode": 8 << 12, "size_bytes": 0, "blob": "a" * 64}),
        _altered(before={"kind": "file", "mode": True, "size_bytes": 0, "blob": "a" * 64}),
        _altered(before={"kind": "file", "mode": 0, "size_bytes": -1, "blob": "a" * 64}),
        _altered(before={"kind": "file", "mode": 0, "size_bytes": 0, "blob": "../x"}),
        _altered(before={"kind": "folder", "mode": 0, "size_bytes": 0, "blob": "a" * 64}),
    ],
)
def test_anything_else_is_refused_with_a_way_out(raw: bytes) -> None:
    with pytest.raises(SessionError, match=r"cannot be read: .*Run the step again"):
        changes.from_json(raw)


def test_paths_names_both_ends_of_a_move_and_no_ignored_file() -> None:
    assert changes.paths(SAMPLE) == ("a.py", "gone", "new/name.py", "old.py", "unsure")


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ((FileChange("b", A, A, "a"), FileChange("c", A, B)), ("a → b", "c")),
        ((FileChange("b", A, A, "a"), FileChange("a", B, A, "b")), ("a", "b")),
        ((FileChange("b", A, B, "a"), FileChange("c", B, A, "b")), ("a → b", "c")),
        ((FileChange("b", A, A, "a"), FileChange("a", A, B)), ("a", "b")),
        ((FileChange("d/b", A, B, "a"),), ("a → d/b",)),
    ],
)
def test_as_many_files_are_named_as_change(
    files: tuple[FileChange, ...], named: tuple[str, ...]
) -> None:
    found = ChangeSet(files)

    assert changes.files_of(changes.paths(found), changes.moves(found)) == named


def test_a_change_set_of_notes_alone_is_empty() -> None:
    assert changes.is_empty(ChangeSet(notes=("x",)))
    assert not changes.is_empty(ChangeSet(ignored=SAMPLE.ignored))
    assert not changes.is_empty(SAMPLE)


def test_an_inverse_turns_every_action_round() -> None:
    changed = ChangeSet(
        (FileChange("add", None, A), FileChange("del", A, None), FileChange("to", A, B, "from"))
    )

    assert changes.invert(changed).files == (
        FileChange("add", A, None),
        FileChange("del", None, A),
        FileChange("from", B, A, "to"),
    )


def test_a_file_that_became_a_filled_folder_comes_back_in_its_place() -> None:
    deleted = ChangeSet((FileChange("d", A, None), FileChange("d/x", None, B)))
    moved = ChangeSet((FileChange("d/x", A, B, "d"),))

    assert changes.invert(deleted).files == (
        FileChange("d", FOLDER, A),
        FileChange("d/x", B, None),
    )
    assert changes.invert(moved).files == changes.invert(deleted).files
    deep = ChangeSet((FileChange("d", A, None), FileChange("d/e/x", None, B)))
    assert [(c.path, c.after) for c in changes.invert(deep).files] == [
        ("d", A),
        ("d/e", None),
        ("d/e/x", None),
    ]


def test_the_inverse_of_the_inverse_is_the_change_itself() -> None:
    there_and_back = changes.invert(changes.invert(SAMPLE))

    assert there_and_back == ChangeSet(SAMPLE.files, SAMPLE.ignored)


@pytest.mark.parametrize(
    ("change", "action"),
    [
        (FileChange("p", None, A), "add"),
        (FileChange("p", A, None), "delete"),
        (FileChange("p", A, B), "update"),
        (FileChange("p", A, A, "o"), "move"),
        (FileChange("p", A, FOLDER), "retype"),
        (FileChange("p", A, Node("file", 0o600, 3, A.blob)), "mode"),
    ],
)
def test_an_action_is_one_word(change: FileChange, action: str) -> None:
    assert change.action == action
