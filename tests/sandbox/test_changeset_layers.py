"""Reading layers and copies by hand-made examples: what a kernel of another age may write."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes import MemoryBlobs
from tests.stage_fakes import words_of
from turbo_tui.core.changes import FileChange, Node
from turbo_tui.core.errors import StageError
from turbo_tui.sandbox.staging.beneath import Beneath
from turbo_tui.sandbox.staging.changeset import build_change_set
from turbo_tui.sandbox.staging.contents import Contents, Originals
from turbo_tui.sandbox.staging.copytree import Manifest, copy_tree, read_copy
from turbo_tui.sandbox.staging.deltas import Delta
from turbo_tui.sandbox.staging.ignore import Ignores
from turbo_tui.sandbox.staging.upper import read_upper
from turbo_tui.sandbox.staging.warn import folded, warnings_of


@pytest.fixture
def lower(tmp_path: Path) -> Iterator[Beneath]:
    folder = tmp_path / "lower"
    (folder / "d" / "deep").mkdir(parents=True)
    for name in ("d/a", "d/b", "d/deep/c", "f"):
        (folder / name).write_text(name)
    tree = Beneath(folder, shown_at=folder)
    yield tree
    tree.close()


@pytest.fixture
def upper(tmp_path: Path) -> Iterator[Beneath]:
    (tmp_path / "upper" / "d").mkdir(parents=True)
    tree = Beneath(tmp_path / "upper", shown_at=tmp_path / "lower")
    yield tree
    tree.close()


def marked(path: Path, name: str, value: bytes) -> None:
    try:
        os.setxattr(path, f"user.overlay.{name}", value)
    except OSError as error:
        pytest.skip(f"no user attributes here: {error}")


def removed(deltas: Iterator[Delta]) -> list[str]:
    return sorted(delta.path for delta in deltas if delta.after is None)


def test_whiteouts_written_as_attributes_are_removals(
    upper: Beneath, lower: Beneath, tmp_path: Path
) -> None:
    folder = tmp_path / "upper" / "d"
    (folder / "a").write_text("")
    (folder / "b").write_text("")
    marked(folder, "opaque", b"x")
    marked(folder / "a", "whiteout", b"")

    assert removed(read_upper(upper, lower, [])) == ["d/a"]


def test_an_opaque_folder_hides_all_that_it_does_not_hold(
    upper: Beneath, lower: Beneath, tmp_path: Path
) -> None:
    (tmp_path / "upper" / "d" / "deep").mkdir()
    (tmp_path / "upper" / "d" / "b").write_text("")
    marked(tmp_path / "upper" / "d", "opaque", b"y")

    assert removed(read_upper(upper, lower, [])) == ["d/a", "d/deep/c"]


def test_a_disk_that_is_full_while_contents_are_kept_is_an_error(
    upper: Beneath, lower: Beneath, tmp_path: Path
) -> None:
    class FullBlobs(MemoryBlobs):
        def put(self, content: bytes) -> str:
            raise OSError(28, f"No space left on device for {len(content)} bytes")

    (tmp_path / "upper" / "new").write_text("x")
    blobs = FullBlobs()

    with pytest.raises(StageError, match=r"Cannot keep new for review: No space left"):
        build_change_set(
            read_upper(upper, lower, []),
            originals=Originals(Contents(lower, blobs), time.time_ns()),
            written=Contents(upper, blobs),
            merged=upper,
            ignores=Ignores(lambda _folder: None),
            blobs=blobs,
        )


def test_of_several_equal_files_the_one_of_the_same_name_was_moved(
    upper: Beneath, lower: Beneath, tmp_path: Path
) -> None:
    old, new = tmp_path / "lower", tmp_path / "upper"
    blobs = MemoryBlobs()
    for name in ("one", "two", "empty"):
        (old / name).write_text("same" if name != "empty" else "")
    (new / "moved").mkdir()
    for name in ("two", "other", "third", "empty"):
        (new / "moved" / name).write_text("same" if name != "empty" else "")
    gone = [Delta(name, (old / name).lstat(), None) for name in ("one", "two", "empty")]

    found = build_change_set(
        [*read_upper(upper, lower, []), *gone],
        originals=Originals(Contents(lower, blobs), time.time_ns()),
        written=Contents(upper, blobs),
        merged=upper,
        ignores=Ignores(lambda _folder: None),
        blobs=blobs,
    )

    assert words_of(found) == [
        "delete empty",
        "add moved/empty",
        "move moved/other <- one",
        "add moved/third",
        "move moved/two <- two",
    ]


def test_a_manifest_comes_back_as_it_was_written(lower: Beneath, tmp_path: Path) -> None:
    odd = os.fsdecode(b"\xff\xfe")
    (tmp_path / "lower" / odd).write_text("x")
    copy = tmp_path / "copy"
    copy.mkdir()
    manifest = copy_tree(lower, copy)
    manifest.write(tmp_path / "manifest.json")

    again = Manifest.load(tmp_path / "manifest.json")

    assert again == manifest
    assert odd in again.stamps
    tree = Beneath(copy, shown_at=copy)
    assert list(read_copy(tree, lower, again, [])) == []
    tree.close()


def test_copying_stops_when_told(lower: Beneath, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()

    with pytest.raises(OSError, match="ancel"):
        copy_tree(lower, copy, stopped=lambda: True)


@pytest.mark.parametrize(
    ("path", "content", "why"),
    [
        (
            "web/package.json",
            {"scripts": {"prepare": "x", "a": "b"}},
            "its scripts changed: a, prepare; installing runs prepare",
        ),
        ("package.json", {"scripts": {"test": "x"}}, "its scripts changed: test"),
        ("package.json", {"scripts": "x"}, "its scripts changed"),
        ("package.json", {"scripts": {}}, ""),
        (".ENVRC", "", "direnv runs it on entering the folder"),
        ("a/conftest.py", "", "pytest runs it first, also where an editor looks for tests"),
        ("crate/build.rs", "", "cargo runs it at every build, and editors build by themselves"),
        (".cargo/config.toml", "", "can name programs that cargo runs"),
        (".vscode/extensions.json", "", "names extensions that an editor offers to install"),
        ("pip.conf", "", "can name where packages come from"),
        (".gitlab-ci.yml", "", "runs on the forge with its secrets"),
        ("docker/Dockerfile", "", "its commands run wherever its image is built"),
        (".claude/settings.json", "", "can name commands that a coding agent runs"),
        ("Makefile", "", ""),
        ("src/setup.cfg", "", ""),
        ("web/package.json", {"name": "x"}, ""),
        ("web/package.json", ["no object"], ""),
        (".github/workflows/ci.yml", "", "runs on the forge with its secrets"),
        ("lib/x.pth", "", "Python runs lines of it at every start"),
        (".idea/x.xml", "", "an editor setting that can run commands"),
        ("notes/envrc", "", ""),
    ],
)
def test_what_may_run_later_is_named(path: str, content: object, why: str) -> None:
    blobs = MemoryBlobs()
    before = Node("file", 0o644, 2, blobs.put(b"{}"))
    data = json.dumps(content).encode()
    after = Node("file", 0o644, len(data), blobs.put(data))

    said = warnings_of(FileChange(path, before, after), blobs)

    assert said == ([why] if why else [])


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        ("* text=auto eol=lf\n\n# filter=x\n*.png binary -diff !merge\n", False),
        ('"a b" text\r\n*.min.js linguist-generated=true diff merge -filter\n', False),
        ("* text filter=x\n", True),
        ("*.ipynb diff=jupyter", True),
        ("lock merge=ours", True),
        ("[attr]mine filter=x", True),
        ("* mine", True),
        ('"a filter=x', True),
        ('"*" filter=x', True),
        ("\ufeff* filter=x", True),
        ("not understood", True),
        ("evil", True),
        ("", False),
    ],
)
def test_attributes_are_named_unless_they_start_nothing(text: str, *, warned: bool) -> None:
    blobs = MemoryBlobs()
    after = Node("file", 0o644, len(text.encode()), blobs.put(text.encode()))

    said = warnings_of(FileChange("lib/.gitattributes", None, after), blobs)

    assert said == (["may name filters that git runs"] if warned else [])


@pytest.mark.parametrize("after", [Node("symlink", 0o777), Node("file", 0o644, 10_000_000, "x")])
def test_attributes_that_cannot_be_read_are_named(after: Node) -> None:
    said = warnings_of(FileChange(".gitattributes", None, after), MemoryBlobs())

    assert said == ["may name filters that git runs"]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("", '[project]\nname = "x"', ""),
        ("", '[build-system]\nrequires = ["x"]', "changed; installing it runs that"),
        (
            '[build-system]\nrequires = ["x"]',
            '[build-system]\nrequires = ["x"]\n[tool.ruff]\nx = 1',
            "",
        ),
        ("", '[tool.hatch.build.hooks.custom]\npath = "x.py"', "changed; installing it runs that"),
        ("", "[broken", "may have changed"),
    ],
)
def test_what_builds_a_python_project_is_compared(old: str, new: str, why: str) -> None:
    blobs = MemoryBlobs()
    before, after = (
        Node("file", 0o644, len(text), blobs.put(text.encode())) for text in (old, new)
    )

    said = warnings_of(FileChange("pyproject.toml", before, after), blobs)

    assert said == ([f"what builds the project {why}"] if why else [])


def test_many_warnings_of_one_kind_are_one_line() -> None:
    found = [(f"bin/{number:03}", "is executable now") for number in range(500)]

    lines = folded([*found, (".envrc", "direnv"), *((f"l{n}", "link") for n in range(6))])

    assert lines == [
        ".envrc: direnv",
        "bin/000, bin/001 and 498 more: is executable now",
        *(f"l{n}: link" for n in range(6)),
    ]


def test_a_manifest_that_cannot_be_read_is_warned_of() -> None:
    blobs = MemoryBlobs()
    broken = Node("file", 0o644, 1, blobs.put(b"{"))
    huge = Node("file", 0o644, 10_000_000, blobs.put(b"{}"))

    assert warnings_of(FileChange("package.json", None, broken), blobs) == ["its scripts changed"]
    assert warnings_of(FileChange("package.json", None, huge), blobs) == ["its scripts changed"]
    assert warnings_of(FileChange("package.json", broken, None), blobs) == []


def test_an_original_that_changes_while_it_is_read_is_not_known(
    lower: Beneath, tmp_path: Path
) -> None:
    class BusyBlobs(MemoryBlobs):
        """The user saves the file just as its content is kept."""

        def put(self, content: bytes) -> str:
            while (tmp_path / "lower" / "f").stat().st_ctime_ns <= started_ns:
                (tmp_path / "lower" / "f").write_text("the user's")
            return super().put(content)

    started_ns = time.time_ns()
    originals = Originals(Contents(lower, BusyBlobs()), started_ns)

    _, known = originals.keep(Delta("f", lower.lstat("f"), None))

    assert not known


def test_a_copy_from_a_file_system_that_cannot_share_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object) -> int:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "copy_file_range", refuse)
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.mkdir()
    copy.mkdir()
    (source / "f").write_bytes(b"x" * 3_000_000)
    tree = Beneath(source, shown_at=source)

    copy_tree(tree, copy)

    assert (copy / "f").read_bytes() == b"x" * 3_000_000
    tree.close()
