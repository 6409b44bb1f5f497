"""The tools that read and change files of a stage."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.fakes import FolderStage, ScriptedAsker
from turbo_tui.core.errors import ToolError
from turbo_tui.core.ports import ToolContext
from turbo_tui.engine.commit_message import Staged
from turbo_tui.tools.arguments import Arguments
from turbo_tui.tools.catalogue import BUILT_IN, FOR_MODELS, builtin_tools
from turbo_tui.tools.regex_worker import match_lines
from turbo_tui.tools.search_text import SPEC, SearchText


@pytest.fixture(name="context")
def _context(tmp_path: Path) -> ToolContext:
    return ToolContext(FolderStage(tmp_path), ScriptedAsker(), tmp_path)


async def call(context: ToolContext, tool: str, /, **arguments: object) -> str:
    return await builtin_tools([tool])[tool].call(arguments, context)


async def refused(context: ToolContext, tool: str, /, **arguments: object) -> str:
    with pytest.raises(ToolError) as caught:
        await call(context, tool, **arguments)
    return str(caught.value)


# --- the catalogue -------------------------------------------------------------


def test_commits_need_a_repository() -> None:
    class NoRepository:
        async def staged(self, workspace: Path) -> Staged:
            raise AssertionError(workspace)

        async def commit(self, workspace: Path, message: str) -> str:
            raise AssertionError(workspace, message)

    assert "git_commit" not in builtin_tools()
    assert builtin_tools([], git=NoRepository())["git_commit"].spec.name == "git_commit"


def test_every_tool_is_offered_under_its_own_name_with_a_schema() -> None:
    tools = builtin_tools()

    assert set(tools) == set(BUILT_IN) >= set(FOR_MODELS)
    for name, tool in tools.items():
        assert tool.spec.name == name
        assert tool.spec.description
        assert tool.spec.parameters["type"] == "object"


# --- listing ---------------------------------------------------------------------


async def test_files_are_listed_with_sizes_and_ignored_ones_are_not(context: ToolContext) -> None:
    root = context.workspace
    (root / "src").mkdir()
    (root / "src/a.py").write_text("x" * 1234)
    (root / "b.txt").write_text("")
    (root / ".gitignore").write_text("*.log\n")
    (root / "c.log").write_text("")

    listed = await call(context, "list_files")

    assert listed.splitlines() == [
        "        6  .gitignore",
        "        0  b.txt",
        "    1,234  src/a.py",
    ]
    assert await call(context, "list_files", path="src") == "    1,234  src/a.py"
    assert await call(context, "list_files", pattern="*.py") == "    1,234  src/a.py"


async def test_a_long_list_is_cut_and_says_how_much_is_missing(context: ToolContext) -> None:
    for number in range(5):
        (context.workspace / f"f{number}").write_text("")

    listed = await call(context, "list_files", limit=2)

    assert listed.splitlines()[-1] == "… 3 more; give a narrower `path` or `pattern`."


async def test_a_folder_that_is_not_there_and_a_file_are_told_apart(context: ToolContext) -> None:
    (context.workspace / "a.py").write_text("1\n")

    assert "There is no folder 'lib'" in await refused(context, "list_files", path="lib")
    assert await call(context, "list_files", path="a.py") == "a.py is a file of 2 bytes."
    assert "No file matches '*.rs'" in await call(context, "list_files", pattern="*.rs")


# --- reading ---------------------------------------------------------------------


async def test_lines_are_numbered_and_a_range_can_be_asked_for(context: ToolContext) -> None:
    (context.workspace / "a.py").write_text("".join(f"line {n}\n" for n in range(1, 13)))

    whole = (await call(context, "read_file", path="a.py")).splitlines()
    part = (await call(context, "read_file", path="a.py", start_line=4, end_line=5)).splitlines()

    assert whole[0] == " 1| line 1"
    assert whole[-1] == "12| line 12"
    assert part == ["4| line 4", "5| line 5"]


async def test_numbers_written_as_strings_are_understood(context: ToolContext) -> None:
    (context.workspace / "a.py").write_text("one\ntwo\n")

    assert await call(context, "read_file", path="./a.py", start_line="2") == "2| two"


async def test_a_long_file_is_cut_and_says_where_to_go_on(context: ToolContext) -> None:
    (context.workspace / "a.py").write_text("".join(f"{n}\n" for n in range(1, 1001)))

    shown = await call(context, "read_file", path="a.py")

    assert shown.splitlines()[-1] == "[lines 1-400 of 1000; go on at start_line 401]"


async def test_long_lines_and_many_characters_are_cut(context: ToolContext) -> None:
    (context.workspace / "min.js").write_text("x" * 5_000 + "\n" + "y" * 900 + "\n")
    (context.workspace / "wide.txt").write_text(("z" * 900 + "\n") * 100)

    assert "[… 4000 more characters]" in await call(context, "read_file", path="min.js")
    wide = await call(context, "read_file", path="wide.txt")
    assert len(wide) < 25_000
    assert "go on at start_line" in wide


async def test_encoding_and_line_ends_out_of_the_ordinary_are_said(context: ToolContext) -> None:
    (context.workspace / "a.txt").write_bytes(b"caf\xe9\r\nau lait\r\n")

    shown = (await call(context, "read_file", path="a.txt")).splitlines()

    assert shown == ["1| café", "2| au lait", "[latin-1, CRLF line ends; kept when you edit]"]


async def test_binary_missing_and_empty_files_are_said_so(context: ToolContext) -> None:
    (context.workspace / "a.bin").write_bytes(b"\x00\x01\x02")
    (context.workspace / "empty").write_text("")

    assert "it is binary (3 bytes)" in await refused(context, "read_file", path="a.bin")
    assert "There is no file 'b'" in await refused(context, "read_file", path="b")
    assert await call(context, "read_file", path="empty") == "empty is empty."


async def test_a_range_that_makes_no_sense_is_refused(context: ToolContext) -> None:
    (context.workspace / "a").write_text("1\n2\n")

    assert "a has 2 lines" in await refused(context, "read_file", path="a", start_line=3)
    backwards = await refused(context, "read_file", path="a", start_line=2, end_line=1)
    assert "'end_line' must not be before start_line (2)" in backwards


async def test_only_the_beginning_of_a_huge_file_is_looked_at(context: ToolContext) -> None:
    with (context.workspace / "big").open("wb") as file:
        file.write(b"first\n")
        for _ in range(17):
            file.write((b"x" * 99 + b"\n") * 10_486)

    shown = await call(context, "read_file", path="big", end_line=1)

    assert shown.splitlines()[0] == "1| first"
    assert "only the first 16,777,216 bytes" in shown


# --- searching -------------------------------------------------------------------


async def test_matches_are_path_line_and_text(context: ToolContext) -> None:
    root = context.workspace
    (root / "src").mkdir()
    (root / "src/a.py").write_text("import os\ndef f(x): ...\n")
    (root / "b.md").write_text("call f(x) so\n")
    (root / "c.bin").write_bytes(b"\x00f(x)")

    assert (await call(context, "search_text", query="f(x)")).splitlines() == [
        "b.md:1:call f(x) so",
        "src/a.py:2:def f(x): ...",
    ]
    assert await call(context, "search_text", query="F(X)", path="src", ignore_case=True) == (
        "src/a.py:2:def f(x): ..."
    )
    assert await call(context, "search_text", query=r"^def \w+", regex="true", pattern="*.py") == (
        "src/a.py:2:def f(x): ..."
    )


async def test_no_match_says_what_was_searched(context: ToolContext) -> None:
    (context.workspace / "a").write_text("x\n")

    assert await call(context, "search_text", query="zz") == "Nothing matches 'zz' below '.' (*)."


async def test_many_matches_are_cut(context: ToolContext) -> None:
    (context.workspace / "a").write_text("x\n" * 10 + "x" * 400)

    rows = (await call(context, "search_text", query="x", limit=3)).splitlines()

    assert rows[-1] == "[more than 3 rows; narrow `query`, `path` or `pattern`]"
    assert len(rows) == 4
    last = (await call(context, "search_text", query="x")).splitlines()[-1]
    assert len(last) < 320


async def test_a_broken_expression_and_a_missing_folder_are_refused(context: ToolContext) -> None:
    broken = await refused(context, "search_text", query="f(", regex=True)
    assert "is no regular expression" in broken
    assert "leave `regex` out" in broken
    assert "There is no 'lib' to search" in await refused(
        context, "search_text", query="x", path="lib"
    )


async def test_an_expression_that_takes_for_ever_is_stopped(context: ToolContext) -> None:
    (context.workspace / "a").write_text("a" * 60 + "!\n")
    tool = SearchText(time_limit_s=1.0)

    said = await tool.call({"query": "(a+)+$", "regex": True}, context)

    assert said == ("[stopped after 1 s at a; narrow `path`, or use a simpler query]")


async def test_large_trees_are_matched_in_batches(context: ToolContext) -> None:
    for number in range(5):
        (context.workspace / f"f{number}").write_text(f"{'x' * 1_900_000}\nhit {number}\n")

    rows = await call(context, "search_text", query=r"hit \d", regex=True)

    assert rows.splitlines() == [f"f{number}:2:hit {number}" for number in range(5)]


async def test_files_that_are_too_large_are_not_searched(context: ToolContext) -> None:
    (context.workspace / "big").write_text("x" * 2_100_000)

    assert (await call(context, "search_text", query="x")).startswith("Nothing matches")


def test_lines_are_matched_in_order_up_to_a_limit() -> None:
    texts = {"b": "x\ny\nx", "a": "x"}

    assert match_lines(re.compile("x"), texts, 3) == [("b", 1, "x"), ("b", 3, "x"), ("a", 1, "x")]
    assert match_lines(re.compile("x"), texts, 1) == [("b", 1, "x")]


# --- editing ---------------------------------------------------------------------


async def test_an_edit_changes_the_file_and_says_where(context: ToolContext) -> None:
    file = context.workspace / "a.py"
    file.write_bytes(b"a = 1\r\nb = 2\r\n")

    said = await call(context, "edit_file", path="a.py", old="b = 2\n", new="b = 3\nc = 4\n")

    assert said == "Replaced 1 place in a.py, at line 2."
    assert file.read_bytes() == b"a = 1\r\nb = 3\r\nc = 4\r\n"


async def test_a_mismatch_shows_the_closest_lines_and_changes_nothing(context: ToolContext) -> None:
    file = context.workspace / "a.py"
    file.write_text("def f():\n    return 1\n")

    said = await refused(
        context, "edit_file", path="a.py", old="def f():\n    return 2\n    x()", new="x"
    )

    assert "closest is lines 1-2" in said
    assert "+     return 1" in said
    assert "Copy the lines marked +" in said
    assert file.read_text() == "def f():\n    return 1\n"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("def f():\n    a = “x”\n", "def f():\n    a = “y”\n", "quotes, dashes or spaces differed"),
        ('def f():\n  a = "x"\n', 'def f():\n  a = "y"\n', "`new` was re-indented"),
        ('    a = \\"x\\"\n', '    a = \\"y\\"\n', "escapes in it were undone"),
        ('    a = "x" \n', '    a = "y"\n', "white space at line ends differed"),
    ],
)
async def test_a_slip_is_looked_past_and_said(
    context: ToolContext, old: str, new: str, said: str
) -> None:
    file = context.workspace / "a.py"
    file.write_text('def f():\n    a = "x"\n    return a\n')

    assert said in await call(context, "edit_file", path="a.py", old=old, new=new)
    assert file.read_text() == 'def f():\n    a = "y"\n    return a\n'


async def test_an_edit_that_was_made_before_or_leaves_code_out_is_said_so(
    context: ToolContext,
) -> None:
    file = context.workspace / "a.py"
    file.write_text("def f():\n    a = 1\n    return a + 1\n")

    again = {"path": "a.py", "old": "return a + 5\n", "new": "return a + 1\n"}
    assert "Go on with what is next" in await refused(context, "edit_file", **again)
    lazy = {"path": "a.py", "old": "    a = 1\n", "new": "    # ... existing code ...\n"}
    assert "leave the same lines out of `old` too" in await refused(context, "edit_file", **lazy)


async def test_an_ambiguous_edit_names_the_lines(context: ToolContext) -> None:
    (context.workspace / "a.py").write_text("x\ny\nx\n")

    said = await refused(context, "edit_file", path="a.py", old="x", new="z")

    assert "occurs 2 times (lines 1, 3)" in said
    assert "Make `old` longer" in said
    assert "at line 1, 3" in await call(
        context, "edit_file", path="a.py", old="x", new="z", count=2
    )


async def test_edits_that_cannot_be_are_refused_with_the_way_out(context: ToolContext) -> None:
    (context.workspace / "a").write_bytes(b"caf\xe9\n")
    (context.workspace / "b").write_bytes(b"\x00")

    assert "write_file makes a new file" in await refused(
        context, "edit_file", path="a", old="", new="x"
    )
    assert "nothing would change" in await refused(context, "edit_file", path="a", old="x", new="x")
    assert "latin-1, which has no '→'" in await refused(
        context, "edit_file", path="a", old="café", new="→"
    )
    assert "cannot be edited as text: it is binary" in await refused(
        context, "edit_file", path="b", old="x", new="y"
    )
    assert "nothing in the file is close" in await refused(
        context, "edit_file", path="a", old="quite another thing", new="y"
    )


async def test_an_empty_new_text_deletes(context: ToolContext) -> None:
    (context.workspace / "a").write_text("one\ntwo\n")

    await call(context, "edit_file", path="a", old="one\n", new="")

    assert (context.workspace / "a").read_text() == "two\n"


# --- writing, moving, deleting -----------------------------------------------------


async def test_a_new_file_is_written_with_its_folders(context: ToolContext) -> None:
    said = await call(context, "write_file", path="src/new/a.py", content="x = 1\ny = 2")

    assert said == "Created src/new/a.py: 2 lines, 11 bytes."
    assert (context.workspace / "src/new/a.py").read_text() == "x = 1\ny = 2"


async def test_a_rewritten_file_keeps_line_ends_mark_and_encoding(context: ToolContext) -> None:
    crlf, latin = context.workspace / "a", context.workspace / "b"
    crlf.write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    latin.write_bytes(b"caf\xe9\n")

    await call(context, "write_file", path="a", content="three\nfour\n")
    await call(context, "write_file", path="b", content="thé\n")

    assert crlf.read_bytes() == b"\xef\xbb\xbfthree\r\nfour\r\n"
    assert latin.read_bytes() == b"th\xe9\n"


async def test_a_rewrite_that_the_old_encoding_cannot_hold_becomes_utf8(
    context: ToolContext,
) -> None:
    (context.workspace / "b").write_bytes(b"caf\xe9\n")

    await call(context, "write_file", path="b", content="→\n")

    assert (context.workspace / "b").read_text() == "→\n"


async def test_folders_and_binary_files_are_not_overwritten_by_text(context: ToolContext) -> None:
    (context.workspace / "d").mkdir()
    (context.workspace / "b").write_bytes(b"\x00\x01")

    assert "is a folder" in await refused(context, "write_file", path="d", content="x")
    assert "is not a text file" in await refused(context, "write_file", path="b", content="x")


async def test_an_empty_file_can_be_written(context: ToolContext) -> None:
    assert "0 lines" in await call(context, "write_file", path="pkg/__init__.py", content="")
    assert (context.workspace / "pkg/__init__.py").read_bytes() == b""


async def test_files_are_moved_and_deleted(context: ToolContext) -> None:
    (context.workspace / "a").write_text("x")
    (context.workspace / "d").mkdir()

    assert await call(context, "move_file", path="a", target="sub/b") == "Moved a to sub/b."
    assert await call(context, "delete_file", path="sub/b") == "Deleted sub/b."
    assert not (context.workspace / "sub/b").exists()
    assert "is a folder" in await refused(context, "delete_file", path="d")
    assert "There is no file 'a'" in await refused(context, "delete_file", path="a")


# --- arguments -------------------------------------------------------------------


async def test_a_missing_argument_is_named_with_a_call_that_works(context: ToolContext) -> None:
    said = await refused(context, "read_file", file="a.py")

    assert said.startswith("read_file needs the argument 'path'. You gave 'file'")
    assert 'Example: {"path": "src/app.py"' in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"path": 1.5, "start_line": 1}, "There is no file '1.5'"),
        ({"path": ["a"]}, "'path' must be a string; given was [\"a\"]"),
        ({"path": "  "}, "'path' must not be empty"),
        ({"path": "/etc/passwd"}, "must be relative to the workspace"),
        ({"path": "../x"}, "must stay in the workspace"),
        ({"path": "a", "start_line": "ten"}, "'start_line' must be a whole number"),
        ({"path": "a", "start_line": True}, "'start_line' must be a whole number"),
        ({"path": "a", "start_line": -3}, "'start_line' must be at least 0"),
        ({"path": "x" * 200 + "/../"}, "…. Example"),
    ],
)
async def test_a_wrong_argument_is_named_with_what_was_given(
    context: ToolContext, arguments: dict[str, object], said: str
) -> None:
    assert said in await refused(context, "read_file", **arguments)


async def test_a_wrong_flag_is_refused(context: ToolContext) -> None:
    said = await refused(context, "search_text", query="x", regex="maybe")

    assert "'regex' must be true or false" in said


async def test_an_absolute_path_into_the_workspace_is_taken_as_meant(context: ToolContext) -> None:
    (context.workspace / "a").write_text("x\n")

    assert await call(context, "read_file", path=f"{context.workspace}/a") == "1| x"


def test_lists_of_strings_are_read_as_lists_or_as_one() -> None:
    def texts(value: object) -> list[str]:
        return Arguments(SPEC, {"paths": ["a"]}, {"paths": value}).texts("paths")

    assert texts(["a", "b"]) == ["a", "b"]
    assert texts("a") == ["a"]
    assert texts("") == texts(None) == []
    for wrong in ([1], {"a": 1}, 3):
        with pytest.raises(ToolError, match="'paths' must be a list of strings"):
            texts(wrong)


async def test_whole_floats_and_oversized_limits_are_taken_as_meant(context: ToolContext) -> None:
    (context.workspace / "a").write_text("x\ny\n")

    assert await call(context, "read_file", path="a", start_line=2.0) == "2| y"
    assert "a:1:x" in await call(context, "search_text", query="x", limit=10**9)
