from __future__ import annotations

import pytest

from tests.edit_trees import Refused, after, applied
from turbo_tui.edits.formats import FormatName, parse
from turbo_tui.edits.values import EditSyntaxError

FILES = {"a.txt": "before\n", "src/b.py": "x = 1\n"}


@pytest.mark.parametrize(
    "before",
    [
        "a.txt\n```\n",
        "a.txt\n\n```text\n",
        "### a.txt\n```\n",
        "**`a.txt`**:\n```\n",
        "```text a.txt\n",
        "```a.txt\n",
        "```text:a.txt\n",
        '```text title="a.txt"\n',
        "a.txt\n~~~~\n",
        "Here is a new version of `a.txt` for you:\n\n```\n",
        "path/to/a.txt\n```\n",
    ],
)
def test_a_named_fence_is_the_whole_file(before: str) -> None:
    fence = "~~~~\n" if "~" in before else "```\n"

    assert after(FILES, f"{before}after\n{fence}")["a.txt"] == "after\n"


def test_new_files_are_made_and_unnamed_fences_are_no_edits() -> None:
    answer = "new/c.py:\n```python\ny = 2\n```\nIt prints:\n```\n2\n```\n"

    assert after(FILES, answer) == {**FILES, "new/c.py": "y = 2\n"}


@pytest.mark.parametrize(
    "answer",
    [
        "To try `a.txt`, run:\n```\ncat a.txt\n```\n",
        "Use it like this:\n```python\nimport b\n```\n",
        "See `a.txt` and `src/b.py`, here are both:\n```\nx\n```\n",
        "Done.\n",
        "Files:\n- a.txt\n```\nx\n```\n",
        "src/b.py\n```bash\npython src/b.py\n```\n",
        "src/b.py\n```diff\n x = 1\n```\n",
    ],
)
def test_what_may_be_an_example_is_no_file(answer: str) -> None:
    with pytest.raises(EditSyntaxError, match="There is no edit in it"):
        parse(answer, exists=FILES.__contains__)


def test_a_script_is_a_file_in_a_shell_fence_too() -> None:
    assert after({}, "run.sh\n```bash\nmake\n```\n") == {"run.sh": "make\n"}
    assert parse("run.sh\n```bash\nmake\n```\n", exists=lambda _: False).shell == ()


def test_a_file_with_fences_needs_a_longer_one() -> None:
    text = "# Use\n```sh\nmake\n```\nend\n"

    assert after(FILES, f"README.md\n````markdown\n{text}````\n")["README.md"] == text
    with pytest.raises(EditSyntaxError, match="longer fence"):
        parse(f"README.md\n```markdown\n{text}```\n", exists=FILES.__contains__)
    with pytest.raises(EditSyntaxError, match="never closed"):
        parse("a.txt\n```\nhalf of it\n", exists=FILES.__contains__)


@pytest.mark.parametrize(
    "line", ["# ... rest of the code unchanged ...", "...", "// existing code here", "/* … */"]
)
def test_a_file_that_leaves_itself_out_is_refused(line: str) -> None:
    with pytest.raises(Refused, match="stands for code that is left out"):
        after(FILES, f"a.txt\n```\nafter\n{line}\n```\n")


def test_dots_that_the_file_had_are_text() -> None:
    assert after({"a.pyi": "def f(): ...\n...\n"}, "a.pyi\n```\n...\n```\n") == {"a.pyi": "...\n"}


def test_the_same_file_twice_is_refused() -> None:
    with pytest.raises(Refused, match="holds this file twice"):
        after(FILES, "a.txt\n```\none\n```\n\na.txt\n```\ntwo\n```\n")


def test_the_last_line_end_stays_as_it_was_under_a_last_line_that_stays() -> None:
    assert after({"a": "x\nend"}, "a\n```\ny\nend\n```\n", "whole") == {"a": "y\nend"}


@pytest.mark.parametrize(
    "line",
    [
        *("  ...props,", "# Handle the remaining functions here", "// process other methods"),
        *(
            "def f(): ...",
            "class P(Protocol):\n    def f(self) -> int:\n        ...",
            "x = (1, ...)",
        ),
        *('print("loading code...")', "# wait for the existing lock to be released"),
    ],
)
def test_code_that_only_looks_left_out_is_written(line: str) -> None:
    assert after(FILES, f"a.txt\n```\n{line}\n```\n")["a.txt"] == f"{line}\n"


SIX = "def a():\n    x = 1\n    return x\n\ndef b():\n    x = 1\n    return x\n"


@pytest.mark.parametrize("head", ["**d.py**\n```python\n", "d.py\n```\n", "```python d.py\n"])
def test_a_fence_with_half_of_the_file_or_less_is_the_file_only_where_that_is_said(
    head: str,
) -> None:
    answer = f"{head}def b():\n    x = 2\n    return x\n```\n"

    with pytest.raises(Refused, match="has 3 lines where the file has 6") as refused:
        after({"d.py": SIX}, answer)

    assert "--format whole" in refused.value.failures[0].advice
    assert after({"d.py": SIX}, answer, "whole")["d.py"] == "def b():\n    x = 2\n    return x\n"


@pytest.mark.parametrize(
    "before", [SIX.replace("    return x\n", "", 1), SIX.replace("def a", "\n\n\n\ndef a")]
)
def test_what_is_most_of_a_file_or_of_a_short_one_is_all_of_it(before: str) -> None:
    rows = [row for row in before.split("\n") if row.strip()]
    kept = "\n".join(rows[: 1 if len(rows) < 6 else 4]) + "\n"

    assert after({"d.py": before}, f"d.py\n```\n{kept}```\n") == {"d.py": kept}


THREE = "class A:\n    x = 1\n\n    y = 2\n"


def test_a_short_fence_that_keeps_nothing_of_a_short_file_is_the_file_only_where_that_is_said() -> (
    None
):
    answer = "a.py\n```\nadded = 3\n```\n"

    with pytest.raises(Refused, match=r"1 line where the file has 3 .* none of them kept"):
        after({"a.py": THREE}, answer)

    assert after({"a.py": THREE}, answer, "whole")["a.py"] == "added = 3\n"


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (THREE, "def added():\n    return 3\n", True),
        (SIX, "a\nb\nc\nd\n", True),
        ("a {\n  1;\n}\n", "b {\n  2;\n  3;\n}\n", True),
        (THREE, "class A:\n    z = 3\n", False),
        ("VERSION = 1\n", "VERSION = 2\n", False),
    ],
)
def test_that_nothing_is_kept_of_a_file_is_told(before: str, now: str, *, told: bool) -> None:
    answer = f"a.py\n```\n{now}```\n"

    notes = ("none of the lines that a.py had is kept",) if told else ()
    assert applied({"a.py": before}, answer).notes == notes
    assert applied({"a.py": before}, answer, "whole").notes == ()


@pytest.mark.parametrize("form", ["auto", "whole"])
@pytest.mark.parametrize("body", ["", "\n \n"])
def test_a_fence_with_nothing_in_it_empties_no_file(form: FormatName, body: str) -> None:
    with pytest.raises(Refused, match="nothing in it"):
        after(FILES, f"a.txt\n```\n{body}```\n", form)

    assert after({"a.txt": "\n"}, f"a.txt\n```\n{body}```\n", form) == {"a.txt": body}


def test_how_many_lines_became_how_many_is_told_of_a_file_that_is_replaced() -> None:
    (file,) = applied({"d.py": SIX}, "d.py\n```\nx\ny\n```\n", "whole").files

    assert (file.replaced, file.lines) == (True, (7, 2))
