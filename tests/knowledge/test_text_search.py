from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.knowledge.worker_kit import end_worker, home_in
from turbo_tui.core.searching import Hit
from turbo_tui.knowledge.indexing import tree
from turbo_tui.knowledge.ranking.finding import Folder
from turbo_tui.knowledge.service.text_search import TextSearch

FILES = {
    "src/greeting.py": (
        "def greet(name):\n    return f'hello {name}'\n\n\n"
        "class Greeter:\n    def greet_all(self): ...\n"
    ),
    "src/use.py": "from src.greeting import greet\n\nprint(greet('bob'))\nGREETING = greet('x')\n",
    "web/app.ts": "export function greetUser(name: string) {\r\n  return `hello`;\r\n}\r\n",
    "docs/guide.md": "# How to greet\n\nThe landing journal is written before the tree.\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for path, text in FILES.items():
        put(root, path, text.encode())
    return root


class SearchHere:
    """What the worker does, in this process."""

    def __init__(self, root: Path) -> None:
        self._finder = Folder(root)

    async def search(self, query: str, *, limit: int = 20) -> list[Hit]:
        return self._finder.find(query, limit=limit)

    def close(self) -> None:
        self._finder.close()


@pytest.fixture
def search(root: Path) -> Iterator[SearchHere]:
    search = SearchHere(root)
    yield search
    search.close()


@pytest.fixture
async def by_worker(root: Path) -> AsyncIterator[TextSearch]:
    home = home_in(root.parent, root)
    search = TextSearch(home)
    yield search
    await search.close()
    end_worker(home)


def put(root: Path, path: str, content: bytes) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(content)


def places(hits: list[Hit]) -> list[str]:
    return [f"{hit.path}:{hit.start_line}" for hit in hits]


async def test_a_definition_comes_first_then_each_file_then_further_lines(
    search: SearchHere,
) -> None:
    hits = await search.search("greet")

    assert places(hits)[0] == "src/greeting.py:1"
    assert hits[0].end_line == 2
    assert hits[0].why[0] == "defines greet"
    assert hits[0].text == "def greet(name):"
    files = [hit.path for hit in hits]
    assert sorted(files[:4]) == sorted(FILES), "each file once, before further lines of one"
    further = [(place, hit.why) for place, hit in zip(places(hits), hits, strict=True)][4:]
    assert further[0] == ("src/greeting.py:6", ("name greet_all",))
    assert "src/use.py:3" in places(hits)
    assert len(places(hits)) == len(set(places(hits)))


async def test_a_capital_letter_makes_case_count(search: SearchHere) -> None:
    assert places(await search.search("GREETING"))[0] == "src/use.py:4"
    assert "docs/guide.md:1" in places(await search.search("how to"))
    assert places(await search.search("How TO")) == []


async def test_a_phrase_is_found_as_it_stands(search: SearchHere) -> None:
    hits = await search.search("journal is written")

    assert places(hits) == ["docs/guide.md:3"]
    assert hits[0].why == ("text",)


async def test_a_sentence_finds_the_symbols_and_words_in_it(search: SearchHere) -> None:
    hits = await search.search("rename the function greetUser to welcomeUser")
    assert places(hits)[0] == "web/app.ts:1"

    hits = await search.search("where does the journal get written")
    assert (hits[0].path, hits[0].start_line, hits[0].end_line) == ("docs/guide.md", 1, 3)
    assert hits[0].text == "The landing journal is written before the tree."
    assert "words: journal, written" in hits[0].why

    hits = await search.search("all_greet")
    assert "src/greeting.py:6" in places(hits), "parts of a name, in any order"
    assert {hit.path for hit in hits} == {"src/greeting.py"}


async def test_files_are_found_by_name(search: SearchHere) -> None:
    for query in ("guide.md", "docs/guide", "guide"):
        hits = await search.search(query)
        assert hits[0].path == "docs/guide.md"
        assert "file name" in hits[0].why


async def test_the_limit_holds_and_nothing_is_found_for_nothing(by_worker: TextSearch) -> None:
    assert len(await by_worker.search("greet", limit=2, complete=True)) == 2
    assert await by_worker.search("greet", limit=0) == []
    assert await by_worker.search("  ") == []
    assert await by_worker.search("nowhere_to_be_found") == []
    assert await by_worker.search("([)*") == []


async def test_what_git_ignores_is_left_out(root: Path, search: SearchHere) -> None:
    put(root, ".gitignore", b"build/\n*.log\n/top.txt\n!keep.log\n")
    put(root, "sub/.gitignore", b"local.txt\n!special.log\n\xff[bad\n")
    put(root, ".git/info/exclude", b"private.txt\n")
    shown = ["keep.log", "sub/special.log", "sub/top.txt"]
    hidden = [
        "build/a.py", "x.log", "sub/y.log", "top.txt", "sub/local.txt", "private.txt",
        ".git/config", "node_modules/m/i.js", "env/pyvenv.cfg", "env/lib/z.py",
    ]  # fmt: skip
    for path in (*shown, *hidden):
        put(root, path, b"needle = 1\n")

    hits = await search.search("needle", limit=99)

    assert sorted(hit.path for hit in hits) == shown


async def test_binaries_large_files_and_links_are_left_out(root: Path, search: SearchHere) -> None:
    put(root, "a.bin", b"needle\0")
    put(root, "b.txt", b"needle\n" * 200_000)
    (root / "link.txt").symlink_to(root / "c.txt")
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe")
    put(root, "c.txt", b"needle \xff caf\xe9\r\n")

    hits = await search.search("needle")

    assert [(hit.path, hit.text) for hit in hits] == [("c.txt", "needle ÿ café")]


async def test_a_private_key_of_any_name_is_left_out(root: Path, search: SearchHere) -> None:
    put(root, "deploy", b"-----BEGIN OPENSSH PRIVATE KEY-----\nneedle\n")
    put(root, "test_keys.py", b'KEY = """-----BEGIN RSA PRIVATE KEY-----\nneedle"""\n')

    assert {hit.path for hit in await search.search("needle")} == {"test_keys.py"}


async def test_data_that_holds_a_key_is_left_out_and_a_token_in_code_is_not_shown(
    root: Path, search: SearchHere
) -> None:
    key = "-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0BAQEF\\n-----END PRIVATE KEY-----"
    put(root, "cloud.json", f'{{"needle": 1, "private_key": "{key}"}}\n'.encode())
    put(root, "test_cloud.py", f'needle = "{key}"\n'.encode())
    token = "ghp_" + "0123456789" * 4
    put(root, "deploy.sh", f"NEEDLE={token}\n".encode())

    hits = {hit.path: hit.text for hit in await search.search("needle")}

    assert set(hits) == {"test_cloud.py", "deploy.sh"}
    assert hits["deploy.sh"] == "NEEDLE=[redacted: GitHub token]"
    assert "MIIE" not in hits["test_cloud.py"]


@pytest.mark.parametrize("link", [".turbo", ".turbo/knowledge"])
async def test_notes_elsewhere_that_a_repository_links_to_are_left_out(
    root: Path, search: SearchHere, link: str
) -> None:
    put(root.parent / "private", "diary.md", b"needle\n")
    put(root.parent / "private", "knowledge/diary.md", b"needle\n")
    (root / link).parent.mkdir(exist_ok=True)
    (root / link).symlink_to(root.parent / "private")

    assert await search.search("needle") == []


async def test_a_file_that_became_a_pipe_or_a_link_is_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "pipe.py")
    (root / "link.py").symlink_to("/etc/hostname")

    assert tree.content_of(str(root / "pipe.py")) is None
    assert tree.content_of(str(root / "link.py")) is None


async def test_text_beyond_what_is_kept_is_read_again(
    search: SearchHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "KEPT_BYTES", 50)

    assert places(await search.search("greetUser"))[0] == "web/app.ts:1"
    assert places(await search.search("journal is written")) == ["docs/guide.md:3"]


async def test_a_repository_without_files_has_no_hits(tmp_path: Path) -> None:
    assert await SearchHere(tmp_path).search("x") == []
    assert await SearchHere(tmp_path / "nowhere").search("x") == []


async def test_names_that_are_not_utf8_survive(root: Path, by_worker: TextSearch) -> None:
    put(root, os.fsdecode(b"caf\xe9.txt"), b"needle\n")

    hits = await by_worker.search("needle", complete=True)

    assert (root / hits[0].path).read_bytes() == b"needle\n"


async def test_a_change_is_seen_by_a_later_query(root: Path, search: SearchHere) -> None:
    await search.search("greet")
    put(root, "src/new.py", b"def brand_new(): ...\n")
    (root / "src/greeting.py").unlink()

    async with asyncio.timeout(10):
        while places(await search.search("brand_new")) != ["src/new.py:1"]:
            pass  # within a few times what the last walk took
    assert "src/greeting.py:1" not in places(await search.search("greet"))


async def test_a_module_in_the_folder_we_stand_in_is_not_run(
    root: Path, by_worker: TextSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(root, "json.py", b"raise SystemExit(9)\n")
    put(root, "turbo_tui/__init__.py", b"raise SystemExit(9)\n")
    monkeypatch.chdir(root)

    assert places(await by_worker.search("greetUser", complete=True)) == ["web/app.ts:1"]


async def test_a_search_given_up_does_not_confuse_the_next(by_worker: TextSearch) -> None:
    first = asyncio.create_task(by_worker.search("hello"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait({first})

    assert places(await by_worker.search("greetUser", complete=True)) == ["web/app.ts:1"]
    both = await asyncio.gather(by_worker.search("Greeter"), by_worker.search("greetUser"))
    assert [places(hits)[0] for hits in both] == ["src/greeting.py:5", "web/app.ts:1"]


async def test_among_a_thousand_files_the_one_asked_for_comes_first(
    root: Path, by_worker: TextSearch
) -> None:
    body = "\n".join(f"def function_{n}(value):\n    return value + {n}\n" for n in range(60))
    for number in range(1000):
        put(root, f"package_{number % 20}/module_{number}.py", f"{body}\nx_{number} = 1\n".encode())

    first = await by_worker.search("x_999", complete=True)
    second = await by_worker.search("x_998")

    assert places(first)[0] == "package_19/module_999.py:181"
    assert places(second)[0] == "package_18/module_998.py:181"
