"""`turbo-tui search`: places by name, phrase or question, for people and as JSON."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest

from turbo_tui.commands.search import progress, tell_progress
from turbo_tui.core.searching import IndexState
from turbo_tui.knowledge.service.client import WorkerSilentError
from turbo_tui.knowledge.service.habits import Habits


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    shop = tmp_path / "shop"
    (shop / ".git").mkdir(parents=True)
    (shop / "lib").mkdir()
    (shop / "lib/prices.py").write_text("import x\n\n\ndef total(items):\n    return sum(items)\n")
    (shop / "notes.md").write_text("# Prices\n\nthe total is \x1b[31mred\n")
    (shop / ".env").write_text("total=secret\n")
    return shop


def search(folder: Path, *words: str) -> tuple[int, str, str]:
    return turbo(folder, "search", *words)


def turbo(folder: Path, *words: str) -> tuple[int, str, str]:
    done = subprocess.run(
        (sys.executable, "-m", "turbo_tui", *words),
        cwd=folder,
        env={**os.environ, "TURBO_TUI_HOME": str(folder.parent / "home")},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    return done.returncode, done.stdout, done.stderr


def test_places_are_told_as_one_json_object(shop: Path) -> None:
    code, out, err = search(shop, "total", "--json", "-k", "1")

    assert (code, err) == (0, "")
    (place,) = json.loads(out)["results"]
    assert (place["path"], place["start_line"], place["end_line"]) == ("lib/prices.py", 4, 5)
    assert place["why"][0] == "defines total"
    assert place["score"] > 0
    index = json.loads(out)["index"]
    assert (index["files"], index["chunks"], index["vectors"]) == (2, 2, "none")
    assert 0 <= index["age_s"] < 60


def test_places_are_told_to_a_person_and_no_file_writes_to_the_terminal(shop: Path) -> None:
    code, out, _ = search(shop, "where is the total of prices summed")

    assert code == 0
    assert "lib/prices.py:1-5  (" in out
    assert "notes.md:1-" in out
    assert "\x1b" not in out
    assert "secret" not in out


def test_words_of_a_query_need_no_quotes(shop: Path) -> None:
    assert search(shop, "total", "of", "prices") == search(shop, "total of prices")


def test_the_git_root_is_searched_unless_this_folder_is_meant(shop: Path) -> None:
    _, around, _ = search(shop, "total", "--json", "-C", str(shop / "lib"))
    _, here, _ = search(shop, "total", "--json", "-C", str(shop / "lib"), "--here")

    assert json.loads(around)["results"][0]["path"] == "lib/prices.py"
    assert {each["path"] for each in json.loads(here)["results"]} == {"prices.py"}


def test_nothing_found_is_no_failure_and_wrong_words_are(shop: Path) -> None:
    code, out, _ = search(shop, "zebra", "--json")
    assert (code, json.loads(out)["results"]) == (0, [])
    assert search(shop, "zebra")[2] == "Nothing was found.\n"
    assert search(shop, "lang:rust total")[2] == "No file here is lang:rust; there are md, py.\n"
    code, out, err = search(shop, "total", "-C", "nowhere")
    assert (code > 0, out) == (True, "")
    assert "no such folder" in err
    assert search(shop, "total", "-k", "0")[0] == 2


def test_a_query_may_begin_with_the_minus_of_a_filter(shop: Path) -> None:
    code, out, _ = search(shop, "-k", "5", "-kind:docs total", "--json")

    assert code == 0
    assert [each["path"] for each in json.loads(out)["results"]] == ["lib/prices.py"]


def test_an_index_is_built_ahead_told_and_found_again(shop: Path) -> None:
    code, out, err = turbo(shop, "index", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["index"]["files"] == 2

    code, out, err = turbo(shop, "index")
    assert (code, out, err) == (0, "", "2 files, 2 pieces are indexed.\n")
    assert list((shop.parent / "home/cache/knowledge").glob("shop-*/tables/contents.lance"))


def test_what_was_learnt_is_forgotten_on_request_and_the_index_stays(shop: Path) -> None:
    assert turbo(shop, "index")[0] == 0
    (store,) = (shop.parent / "home/cache/knowledge").glob("shop-????????????????")
    habits = store.with_name(f"{store.name}.habits.json")
    Habits(habits).learn("opened", ["notes.md"])

    code, out, err = turbo(shop, "index", "--forget")

    assert (code, out, err) == (0, "", "What you opened, pinned and let land here is forgotten.\n")
    assert not habits.exists()
    assert (store / "tables").exists()
    code, out, _ = turbo(shop, "index", "--forget", "--json")
    assert (code, list(json.loads(out))) == (0, ["index"])
    assert "--forget" in turbo(shop, "index", "--help")[1]


def test_how_far_an_index_is_stands_in_one_line() -> None:
    assert progress(IndexState(files=3, chunks=9)) == "3 files, 9 pieces"
    half = IndexState(files=1000, chunks=8000, pending=500, rate=250.0, left_s=2.0)
    assert progress(half) == "1,000 files, 8,000 pieces · 500 files left · 250 files/s · 2 s left"
    assert progress(IndexState(files=1, chunks=1)) == "1 file, 1 piece"


def test_who_waits_at_a_terminal_for_an_index_is_told_how_far_it_is_until_it_is_there() -> None:
    over, out = Event(), io.StringIO()
    states = [IndexState(files=1, chunks=2, pending=3), IndexState(files=4, chunks=8)]

    def ask() -> IndexState:
        if len(states) == 1:
            over.set()
        return states.pop(0)

    tell_progress(ask, over, out, each_s=0.001)

    assert out.getvalue() == "\r\x1b[KIndexing: 1 file, 2 pieces · 3 files left\r\x1b[K"


def test_who_waits_at_a_terminal_for_a_worker_that_hangs_is_told_once() -> None:
    over, out, asked = Event(), io.StringIO(), iter("1234")

    def ask() -> IndexState:
        if next(asked) == "4":
            over.set()
        raise WorkerSilentError("It does not answer.")

    tell_progress(ask, over, out, each_s=0.001)

    assert out.getvalue() == "\r\x1b[KIt does not answer.\n"
