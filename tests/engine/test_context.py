"""What a model is given to read, within its window."""

from __future__ import annotations

from turbo_tui.core.models import Message, ToolCall
from turbo_tui.engine.context import (
    FinishedStep,
    choose_reading,
    digest,
    estimate_tokens,
    head_and_tail,
    message_tokens,
)


def test_estimates_are_near_what_tokenizers_give() -> None:
    english = (
        "The quick brown fox jumps over the lazy dog. " * 10
    )  # about 100 tokens in all of them
    assert 95 <= estimate_tokens(english) <= 140
    assert estimate_tokens("") == 0
    assert estimate_tokens("日本語") == 3


def test_a_conversation_counts_texts_and_calls() -> None:
    call = ToolCall("1", "shell", '{"command": "ls"}')
    bare = message_tokens([Message("assistant", "hello")])

    assert message_tokens([Message("assistant", "hello", calls=(call,))]) > bare > 5


def test_files_are_framed_by_path_and_their_bytes_are_counted() -> None:
    reading = choose_reading({"a.py": "x = 'é'\n"}, max_tokens=1000)

    assert "===== file a.py =====\nx = 'é'\n===== end of a.py =====" in reading.text
    assert reading.sizes == {"a.py": 9}
    assert reading.left_out == ()


def test_files_are_taken_in_order_until_the_room_is_used_up() -> None:
    files = {"first": "1\n" * 500, "second": "2\n" * 2000, "third": "3\n" * 2000}

    reading = choose_reading(files, max_tokens=700)

    assert "more lines; read_file shows them]" in reading.text
    assert list(reading.sizes) == ["first", "second"]
    assert reading.left_out == ("third",)
    assert estimate_tokens(reading.text) <= 700


def test_no_room_leaves_all_out() -> None:
    assert choose_reading({"a": "x" * 500}, max_tokens=0).left_out == ("a",)
    assert choose_reading({}, max_tokens=10).text == ""


def test_a_digest_names_each_steps_outcome_and_files() -> None:
    text = digest(
        [
            FinishedStep("Find callers", "done", summary="There are\n three."),
            FinishedStep("Change it", "landed", tuple(f"f{n}.py" for n in range(10))),
        ]
    )

    assert text.splitlines() == [
        "1. Find callers: done",
        "   There are three.",
        "2. Change it: landed (f0.py, f1.py, f2.py, f3.py, f4.py, f5.py, f6.py, f7.py and 2 more)",
    ]
    assert digest([]) == ""


def test_a_digest_that_is_too_long_forgets_the_oldest_first() -> None:
    steps = [FinishedStep(f"Step number {n}", "landed", summary="word " * 80) for n in range(30)]

    text = digest(steps, max_tokens=400)

    assert text.splitlines()[-2].startswith("30. Step number 29: landed")
    assert "earlier steps are not listed" in text.splitlines()[0]
    assert estimate_tokens(text) <= 420


def test_the_middle_of_a_long_text_is_cut() -> None:
    text = "a" * 500 + "z" * 500

    cut = head_and_tail(text, 300)

    assert cut.startswith("aaa")
    assert cut.endswith("zzz")
    assert len(cut) <= 300
    assert "characters left out" in cut
    assert head_and_tail("short", 300) == "short"
