from __future__ import annotations

import pytest

from tests.edit_trees import Refused, after
from turbo_tui.edits.formats import parse
from turbo_tui.edits.values import EditSyntaxError

FILES = {"src/app.py": "one\ntwo\nthree\n", "b.txt": "two\n"}
DONE = {"src/app.py": "one\nTWO\nthree\n", "b.txt": "two\n"}


def block(old: str, new: str, marks: int = 7) -> str:
    head, middle, tail = "<" * marks, "=" * marks, ">" * marks
    return f"{head} SEARCH\n{old}{middle}\n{new}{tail} REPLACE\n"


@pytest.mark.parametrize(
    "before",
    [
        "src/app.py\n",
        "src/app.py\n```python\n",
        "```python\nsrc/app.py\n",
        "```python src/app.py\n",
        "```python:src/app.py\n",
        '```python title="src/app.py"\n',
        "**src/app.py**\n\n```\n",
        "### `src/app.py`\n```\n",
        "`src/app.py`:\n",
        "**`src/app.py`**:\n~~~~python\n",
        "File: src/app.py\n",
        "**File:** `src/app.py`\n",
        "1. src/app.py:\n```\n",
        "# src/app.py\n",
        "// src/app.py\n",
        "<!-- src/app.py -->\n",
        "./src/app.py\n",
        "### `src/app.py` (modified)\n",
        "src/app.py (updated imports):\n",
        "File 2: `src/app.py`\n",
        "Edit file src/app.py:\n",
        " ```python\nsrc/app.py\n```\n```python\n",
        "Some words first.\n\nsrc/app.py\n",
        "In `src/app.py`, change this:\n\n```python\n",
        "Update src/app.py:\n",
        "src\\app.py\n",
        "src/app.py\n<source>python\n",
    ],
)
def test_the_file_is_found_wherever_models_name_it(before: str) -> None:
    fence = "```\n" if "```" in before else ""

    assert after(FILES, before + block("two\n", "TWO\n") + fence) == DONE


@pytest.mark.parametrize("marks", range(5, 10))
def test_markers_have_five_to_nine_characters(marks: int) -> None:
    assert after(FILES, "src/app.py\n" + block("two\n", "TWO\n", marks)) == DONE


@pytest.mark.parametrize(
    "answer",
    [
        "src/app.py\n<<<<<<< SEARCH>\ntwo\n=======\nTWO\n>>>>>>> REPLACE\n",
        "<<<<<<< SEARCH src/app.py\ntwo\n=======\nTWO\n>>>>>>> REPLACE\n",
        "src/app.py\n------- SEARCH\ntwo\n=======\nTWO\n+++++++ REPLACE\n",
        "src/app.py\n<<<<<<< SEARCH\n:start_line:2\n-------\ntwo\n=======\nTWO\n>>>>>>> REPLACE\n",
        "src/app.py\n  <<<<<<< SEARCH\n  two\n  =======\n  TWO\n  >>>>>>> REPLACE\n",
        "src/app.py\n```\n<<<<<<< SEARCH\ntwo\n=======\nTWO\n=======\n```\n",
        "src/app.py\n<<<<<<< SEARCH\ntwo\n=======\nTWO\n=======\n>>>>>>> REPLACE\n",
        "src/app.py\n<<<<<<< SEARCH\n2 | two\n=======\n2 | TWO\n>>>>>>> REPLACE\n",
        "src/app.py\n<<<<<<< SEARCH\n2 | two\n3 | three\n\n=======\nTWO\nthree\n>>>>>>> REPLACE\n",
    ],
)
def test_dialects_are_read(answer: str) -> None:
    assert after(FILES, answer) == DONE


def test_later_blocks_without_a_name_are_for_the_same_file() -> None:
    first, second = block("two\n", "TWO\n"), block("one\n", "ONE\n")
    answer = f"```\nsrc/app.py\n{first}\n...\n\n{second}```\n"

    assert after(FILES, answer)["src/app.py"] == "ONE\nTWO\nthree\n"


def test_a_block_that_names_no_file_goes_to_the_only_one_that_holds_its_text() -> None:
    assert after(FILES, block("two\nthree\n", "TWO\nthree\n")) == DONE
    with pytest.raises(Refused, match="2 files hold its text"):
        after(FILES, block("two\n", "TWO\n"))
    with pytest.raises(Refused, match="none has it"):
        after(FILES, block("four\n", "FOUR\n"))


def test_a_name_cut_short_is_completed_only_where_one_file_has_it() -> None:
    answer = "app.py\n" + block("two\n", "TWO\n")

    assert after(FILES, answer) == DONE
    with pytest.raises(Refused) as refused:
        after({**FILES, "lib/app.py": "two\n"}, answer)
    assert "lib/app.py, src/app.py" in refused.value.failures[0].advice


def test_an_empty_search_makes_a_file_and_never_writes_over_one() -> None:
    answer = "new/file.py\n" + block("", "hello\n")

    assert after({"empty.py": ""}, answer) == {"empty.py": "", "new/file.py": "hello\n"}
    assert after({"empty.py": ""}, "empty.py\n" + block("", "x\n")) == {"empty.py": "x\n"}
    with pytest.raises(Refused, match="exists and is not empty"):
        after(FILES, "b.txt\n" + block("", "hello\n"))


@pytest.mark.parametrize(
    "name", ["app/(group)/[id]/page.tsx", "routes/$id.tsx", "Makefile", ".github/x.yml", "ü.md"]
)
def test_odd_names_of_new_files_are_names(name: str) -> None:
    created = block("", "x\n")

    assert after({}, f"**{name}** (new file)\n```\n{created}```\n")[name] == "x\n"


def test_blocks_compose_in_order() -> None:
    answer = "b.txt\n" + block("two\n", "three\n") + block("three\n", "four\n")

    assert after({"b.txt": "two\n"}, answer) == {"b.txt": "four\n"}


def test_a_line_of_the_text_that_looks_like_the_divider_has_to_be_told_apart() -> None:
    files = {"a.md": "Title\n=======\nold\n"}
    text = "Title\n=======\nold\n"

    with pytest.raises(EditSyntaxError, match="lines 4, 6 could each be"):
        after(files, "a.md\n" + block(text, "new\n"))
    assert after(files, "a.md\n" + block(text, "new\n", 9)) == {"a.md": "new\n"}
    escaped = block(text, "new\n").replace("Title\n=", "Title\n\\=")
    assert after(files, "a.md\n" + escaped) == {"a.md": "new\n"}


@pytest.mark.parametrize(
    "text",
    ["x\n=======\nnew\nHeading\n=======\n", "<<<<<<< HEAD\nx\n=======\ny\n>>>>>>> b\n=======\n"],
)
def test_a_last_divider_is_not_dropped_where_it_may_be_text(text: str) -> None:
    with pytest.raises(EditSyntaxError, match="could each be"):
        after(FILES, f"b.txt\n<<<<<<< SEARCH\n{text}>>>>>>> REPLACE\n")


@pytest.mark.parametrize(
    ("answer", "why", "line"),
    [
        ("a.py\n<<<<<<< SEARCH\nx\n=======\ny\n", "not closed", 2),
        ("a.py\n<<<<<<< SEARCH\nx\n>>>>>>> REPLACE\n", "no line =======", 2),
        ("a.py\nx\n>>>>>>> REPLACE\n<<<<<<< SEARCH\n", "never opened", 3),
        ("a.py\n<<<<<<< SEARCH\nx\n=======\ny\n<<<<<<< SEARCH\n", "not closed", 2),
        ("<<<<<<< SEARCH\n=======\nnew\n>>>>>>> REPLACE\n", "needs its name", 1),
    ],
)
def test_broken_blocks_are_refused_with_their_line(answer: str, why: str, line: int) -> None:
    with pytest.raises(EditSyntaxError, match=why) as refused:
        parse(answer, exists=lambda _: False)

    assert refused.value.line == line


def test_a_search_never_ends_within_a_line() -> None:
    with pytest.raises(Refused):
        after({"a": "forty-two\n"}, "a\n" + block("two\n", "three\n"), "search-replace")


def test_a_line_number_of_the_dialect_is_text_behind_a_backslash() -> None:
    answer = "a\n<<<<<<< SEARCH\n\\:start_line:3\n=======\nx\n>>>>>>> REPLACE\n"

    assert after({"a": ":start_line:3\ny\n"}, answer) == {"a": "x\ny\n"}
