from __future__ import annotations

import numpy as np
import pytest

from turbo_tui.knowledge.vectors.chunk_vectors import Vectors
from turbo_tui.knowledge.vectors.likelihood import Waiting, likelihood
from turbo_tui.knowledge.vectors.static_table import Floats


def unit_rows(count: int, dimensions: int = 64, seed: int = 7) -> Floats:
    rows = np.random.default_rng(seed).normal(size=(count, dimensions)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_similarities_are_cosines_to_two_digits_and_0_where_there_is_no_vector() -> None:
    rows, query = unit_rows(5000), unit_rows(1, seed=8)[0]
    vectors = Vectors(64)
    vectors.put(range(0, 5000, 2), rows[::2])

    found = vectors.similarities(query, 6000)

    assert found.shape == (6000,)
    assert np.abs(found[:5000:2] - rows[::2] @ query).max() < 0.01
    assert not found[1:5000:2].any()
    assert not found[5000:].any()


def test_fewer_chunks_than_vectors_can_be_asked_for() -> None:
    vectors = Vectors(64)
    vectors.put(range(10), unit_rows(10))

    assert vectors.similarities(unit_rows(1)[0], 3).shape == (3,)
    assert vectors.similarities(unit_rows(1)[0], 0).shape == (0,)


def test_some_chunks_are_compared_as_all_are() -> None:
    vectors, query = Vectors(64), unit_rows(1, seed=8)[0]
    vectors.put([3, 5, 9], unit_rows(3))
    numbers = [9, 4, 3, 100_000]

    some = vectors.similarities_of(query, numbers)

    assert np.allclose(some[:3], vectors.similarities(query, 10)[numbers[:3]], atol=1e-5)
    assert some[[1, 3]].tolist() == [0, 0]


def test_a_dropped_chunk_is_like_nothing_until_it_is_put_again() -> None:
    vectors, rows = Vectors(64), unit_rows(2)
    vectors.put([0, 1], rows)

    vectors.drop([1, 99_999])

    assert vectors.has([0, 1, 99_999]).tolist() == [True, False, False]
    assert vectors.similarities(rows[1], 2)[1] == 0
    vectors.put([1], rows[1:])
    assert vectors.similarities(rows[1], 2)[1] == pytest.approx(1, abs=0.01)


def test_a_chunk_without_meaning_counts_as_done_and_is_like_nothing() -> None:
    vectors = Vectors(4)

    vectors.put([2], np.zeros((1, 4), np.float32))
    vectors.put([], np.zeros((0, 4), np.float32))

    assert vectors.has([2]).all()
    assert not vectors.similarities(np.ones(4, np.float32), 3).any()


def test_vectors_come_back_from_bytes_exactly() -> None:
    one, other, query = Vectors(64), Vectors(64), unit_rows(1, seed=8)[0]
    one.put([5, 6, 7], unit_rows(3))

    assert other.unpack(range(2000, 2003), one.packed([5, 6, 7]))

    back = other.similarities_of(query, [2000, 2001, 2002])
    assert back.tolist() == one.similarities_of(query, [5, 6, 7]).tolist()


@pytest.mark.parametrize("packed", [b"", b"x" * 63, b"x" * 128])
def test_bytes_that_do_not_fit_are_refused(packed: bytes) -> None:
    vectors = Vectors(64)

    assert not vectors.unpack([0], packed)
    assert not vectors.has([0]).any()


def test_vectors_move_to_other_numbers() -> None:
    vectors, rows = Vectors(64), unit_rows(3)
    vectors.put([10, 20, 5000], rows)

    moved = vectors.renumbered(np.array([5000, 10, 11]), np.array([0, 1, 2]))

    assert moved.has([0, 1, 2, 20]).tolist() == [True, True, False, False]
    assert moved.similarities(rows[2], 1)[0] == pytest.approx(1, abs=0.01)
    assert not vectors.renumbered(np.array([], np.intp), np.array([], np.intp)).has([10]).any()


def test_a_chunk_is_most_like_itself_and_one_without_vector_like_none() -> None:
    vectors = Vectors(64)
    vectors.put(range(50), unit_rows(50))

    assert vectors.similar(7, 60).argmax() == 7
    assert not vectors.similar(55, 60).any()


def order(waiting: Waiting) -> list[str]:
    found: list[str] = []
    while (path := waiting.take()) is not None:
        found.append(path)
    return found


def test_files_near_what_was_used_come_first_and_tests_last() -> None:
    waiting = Waiting()
    waiting.add(["tests/test_a.py", "src/net/http.py", "src/ui/view.py", "vendor/x/y.py", "z.py"])

    waiting.near(["src/ui/app.py"])

    assert order(waiting)[:2] == ["src/ui/view.py", "src/net/http.py"]
    waiting.add(["tests/test_a.py", "a.py", "pkg/thing_test.go"])
    assert order(waiting)[0] == "a.py"


def test_a_file_that_was_opened_comes_before_all_others_even_if_it_is_a_test() -> None:
    recent = ["src/tests/test_view.py", "src/a.py"]
    paths = ["src/b.py", "src/tests/test_view.py", "c.py"]

    assert max(paths, key=lambda path: likelihood(path, recent)) == "src/tests/test_view.py"


def test_what_is_removed_is_waited_for_no_longer_and_what_came_later_is() -> None:
    waiting = Waiting()
    waiting.add(["a.py", "b.py"])
    assert waiting.take() == "b.py"

    waiting.remove(["a.py"])
    assert (waiting.take(), len(waiting)) == (None, 0)

    waiting.add(["c.py"])
    assert (len(waiting), waiting.take()) == (1, "c.py")
