from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.edit_trees import Refused, after
from turbo_tui.edits import patch_envelope, search_replace_blocks, unified_diff, whole_files
from turbo_tui.edits.formats import FormatName, parse
from turbo_tui.edits.values import EditSyntaxError

EXAMPLES = {
    "patch": patch_envelope.EXAMPLE,
    "search-replace": search_replace_blocks.EXAMPLE,
    "unified": unified_diff.EXAMPLE,
    "whole": whole_files.EXAMPLE,
}
FILES = {"src/app.py": "def main():\n    return 1\n"}


@pytest.mark.parametrize("form", EXAMPLES)
def test_each_format_is_told_by_its_looks_and_its_example_is_right(form: str) -> None:
    answer = f"Sure:\n\n{EXAMPLES[form]}\n"

    assert parse(answer, exists=FILES.__contains__).format == form
    assert after(FILES, answer)["src/app.py"] != FILES["src/app.py"]


def test_two_formats_in_one_answer_both_apply() -> None:
    answer = f"{EXAMPLES['search-replace']}\n\n--- /dev/null\n+++ b/new.txt\n@@ -0,0 +1 @@\n+hi\n"

    assert after(FILES, answer) == {"src/app.py": "def main():\n    return 2\n", "new.txt": "hi\n"}


def test_a_format_inside_another_is_text() -> None:
    quoting = f"doc.md\n<<<<<<< SEARCH\n=======\n{EXAMPLES['patch']}\n>>>>>>> REPLACE\n"

    assert after(FILES, quoting) == {**FILES, "doc.md": EXAMPLES["patch"] + "\n"}


def test_shell_blocks_beside_edits_are_returned_and_those_inside_are_not() -> None:
    answer = (
        "```bash\npip install x\n```\n"
        "README.md\n```\n<<<<<<< SEARCH\n=======\n# Use\n```sh\nmake\n```\n>>>>>>> REPLACE\n```\n"
        "Then:\n```console\n$ make test\n$ make docs\n```\n```python\nprint()\n```\n"
    )

    parsed = parse(answer, exists=lambda _: False)

    assert parsed.shell == ("pip install x", "$ make test\n$ make docs")


def test_what_is_no_edit_is_told_what_one_looks_like() -> None:
    with pytest.raises(EditSyntaxError) as refused:
        parse("I could not find the file.\n", exists=lambda _: False)

    assert all(word in str(refused.value) for word in ("*** Begin Patch", "SEARCH", "unified"))
    with pytest.raises(EditSyntaxError, match="looked for a unified diff"):
        parse(EXAMPLES["search-replace"], "unified", exists=lambda _: False)


# --- whatever comes -------------------------------------------------------------------

_FORMS: tuple[FormatName, ...] = ("auto", "patch", "search-replace", "unified", "whole")
_LINES = st.sampled_from(
    [
        *("*** Begin Patch", "*** End Patch", "*** Update File: src/app.py", "*** Add File: n"),
        *(
            "*** Delete File: src/app.py",
            "*** Move to: m",
            "*** End of File",
            "@@",
            "@@ def main():",
        ),
        *("<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE", "```", "```python", "````", "~~~"),
        *("src/app.py", "--- a/src/app.py", "+++ b/src/app.py", "+++ /dev/null", "@@ -1,2 +1,2 @@"),
        *("@@ -9999999999999,1 +1 @@", "diff --git a/src/app.py b/n", "rename from src/app.py"),
        *("rename to n", "new file mode 100755", "new file mode 120000", "\\ No newline at end"),
        *(
            " def main():",
            "-    return 1",
            "+    return 2",
            "    return 1",
            "",
            "+",
            "-",
            " ",
            "...",
        ),
        *(":start_line:1", "-------", "GIT binary patch", "EOF", '--- "a/\\777"', "\x00\ud800"),
    ]
)
_TREE = {**FILES, "other.txt": "x\n"}


@settings(max_examples=200, deadline=None)
@given(st.lists(_LINES, max_size=25), st.sampled_from(_FORMS))
def test_whatever_is_read_is_edits_or_a_syntax_error(lines: list[str], form: FormatName) -> None:
    with suppress(EditSyntaxError, Refused):
        after(_TREE, "\n".join(lines), form)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(sorted(EXAMPLES)),
    st.lists(
        st.tuples(st.integers(0, 200), st.text("\n*@+- <>=`~/\\abc\t", max_size=4)), max_size=6
    ),
)
def test_a_damaged_answer_is_read_or_refused(form: str, damage: list[tuple[int, str]]) -> None:
    answer = EXAMPLES[form]
    for at, text in damage:
        answer = answer[:at] + text + answer[at + 1 :]
    with suppress(EditSyntaxError, Refused):
        after(_TREE, answer)


@pytest.mark.parametrize(
    "answer",
    [
        "<<<<<<< SEARCH\n" * 10_000,
        "<<<<<<< SEARCH\n=======\n>>>>>>> REPLACE\n" * 4_000,
        "=======\n" * 10_000 + ">>>>>>> REPLACE\n",
        "f\n<<<<<<< SEARCH\n" + "=======\n" * 10_000 + ">>>>>>> REPLACE\n",
        "*** Begin Patch\n" * 10_000,
        "*** Begin Patch\n*** Add File: f\n+x\n*** End Patch\n" * 4_000,
        "*** Begin Patch\n*** Update File: f\n" + "@@\n-x\n+y\n" * 6_000,
        "--- a/f\n+++ b/f\n" * 10_000,
        "--- a/f\n+++ b/f\n" + "@@ -1 +1 @@\n-x\n+y\n" * 6_000,
        "--- a/f\n+++ b/f\n@@ -1,99999 +1,99999 @@\n" + " x\n" * 20_000,
        "@@\n" * 20_000,
        "diff --git a/f b/f\n" * 10_000,
        "```\n" * 20_001,
        "````\n```\n" * 10_000,
        "```sh\nx\n" * 10_000,
        "f.py\n```\nx\n```\n" * 4_000,
        " " * 200_000 + "x",
        "<<<<<<< SEARCH" + " " * 200_000 + ">",
        "--- a/" + "\t " * 100_000 + "\n+++ b/x\n@@\n+y\n",
        "rename from " + " " * 200_000 + "x\ndiff --git a b\nrename to" + " " * 200_000 + "x\n",
        "# " * 200_000 + "\n```\nx\n```\n",
    ],
    ids=range(21),
)
def test_reading_takes_time_in_line_with_the_length(answer: str) -> None:
    begun = time.process_time()
    for form in _FORMS:
        with suppress(EditSyntaxError):
            parse(answer, form, exists=lambda _: False)

    # About a second on an idle machine; what is not linear takes minutes.
    assert time.process_time() - begun < 50


def test_an_edit_in_what_may_be_all_of_a_file_is_refused_until_it_is_told() -> None:
    diff = "--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-x\n+y\n```\n"
    shown = f"To patch:\n\n```diff\n{diff}"
    answer = f"docs/patching.md\n````\n{shown}````\n"

    with pytest.raises(EditSyntaxError, match=r"all of that file, or hold the edit in line 6"):
        after({"x.py": "x\n"}, answer)
    assert after({"x.py": "x\n"}, answer, "unified") == {"x.py": "y\n"}
    assert after({}, answer, "whole") == {"docs/patching.md": shown}
    # A block that is for an edit, or names nothing, holds one.
    for head in ("x.py\n```diff\nfor x:\n", "x.py\n```\nx.py\n", "```\nfor x:\n"):
        assert after({"x.py": "x\n"}, head + diff) == {"x.py": "y\n"}
    called = "In x.py:\n```\napply_patch <<'EOF'\n*** Begin Patch\n*** Update File: x.py\n-x\n+y\n"
    assert after({"x.py": "x\n"}, f"{called}*** End Patch\nEOF\n```\n") == {"x.py": "y\n"}
