from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from turbo_tui.core.searching import Hit
from turbo_tui.knowledge.ranking import ranker
from turbo_tui.knowledge.ranking.asked import ask
from turbo_tui.knowledge.ranking.features import candidates
from turbo_tui.knowledge.ranking.finding import Folder
from turbo_tui.knowledge.syntax.file_kinds import KINDS, kinds_of, newest_versions


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    folder = Folder(tmp_path)
    yield folder
    folder.close()


def written(folder: Folder, root: Path, **files: str) -> Folder:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    folder.refresh()
    return folder


def paths(hits: list[Hit]) -> list[str]:
    return [hit.path for hit in hits]


def kinds(path: str, *others: str, query: str = "") -> list[str]:
    everything = {path, *others}
    return kinds_of(path, everything, newest_versions(everything), query=query)


def test_a_query_is_taken_apart() -> None:
    asked = ask("how does res.send set the content type")

    assert asked.members == {"=send"}
    assert "=contenttype" in asked.pairs
    assert not asked.is_symbol
    assert ask("Sinatra::Base").symbol == "Base"
    assert ask("parse_match").is_symbol


def test_what_a_file_is_beside_the_thing_itself_is_known_by_its_path() -> None:
    assert kinds("tests/test_a.py") == ["test"]
    assert kinds("lib/a.h", "lib/a.c") == ["header"]
    assert kinds("lib/a.h") == []
    assert kinds("src/v3/types.ts", "src/v4/types.ts") == ["older"]
    assert kinds("src/v4/types.ts", "src/v3/types.ts") == []
    assert kinds("v1/fields.py", "fields.py") == ["older"]
    assert kinds("README.md") == ["prose"]
    assert kinds("data.json") == ["data"]
    assert kinds(".agents/SKILL.md") == ["prose", "hidden"]
    assert kinds("app/view.html.erb") == ["template", "data"]
    assert kinds("lib/_internal/a.py") == kinds("internal/a.go") == ["internal"]
    assert kinds("lib/_fields.py") == []


def test_a_kind_that_the_query_names_is_not_in_the_way() -> None:
    assert kinds("tests/test_a.py", query="which test covers this") == []
    assert kinds("src/v3/types.ts", "src/v4/types.ts", query="types of v3") == []
    assert kinds("_internal/a.py", query="internals of a") == []


def test_every_feature_and_kind_has_a_weight_with_vectors_and_without(
    tmp_path: Path, folder: Folder
) -> None:
    index = written(folder, tmp_path, a_dot_py="def run(): ...\n").index
    similar = np.ones(index.chunks.numbers, np.float32)

    for text, query in (("run", "symbol"), ("how does it run", "sentence")):
        for mode, vectors in (("words", None), ("vectors", similar)):
            weights = ranker.weights()[query][mode]
            found = candidates(index, ask(text), vectors)
            assert found[0].features.keys() | set(KINDS) == weights.keys()
            assert all(0 <= value <= 1 for value in found[0].features.values())
            assert all(weights[kind] <= 0 for kind in KINDS)


def test_a_file_by_name_and_words_comes_before_its_test_and_its_older_version(
    tmp_path: Path, folder: Folder
) -> None:
    text = "def check_token(request):\n    '''Validate the login token.'''\n"
    found = written(
        folder,
        tmp_path,
        v2__auth_dot_py=text,
        v1__auth_dot_py=text,
        tests__test_auth_dot_py=text,
        notes_dot_md="login token validation\n",
    )

    hits = ranker.rank(found.index, "how is a login token validated in authentication", limit=9)

    assert hits[0].path == "v2/auth.py"
    assert set(paths(hits)[1:]) == {"v1/auth.py", "tests/test_auth.py", "notes.md"}


def test_a_file_that_defines_a_name_like_the_query_comes_before_one_that_only_uses_the_words(
    tmp_path: Path, folder: Folder
) -> None:
    found = written(
        folder,
        tmp_path,
        a_dot_py="# retry a failed request\ndef one():\n    pass\n",
        b_dot_py="# retry a failed request\ndef retry_request(): ...\n",
    )
    asked = "retrying a request that failed"

    assert paths(ranker.rank(found.index, asked, limit=2)) == ["b.py", "a.py"]

    (tmp_path / "b.py").write_text("# retry a failed request\ndef two():\n    pass\n")
    found.refresh()

    assert paths(ranker.rank(found.index, asked, limit=2)) == ["a.py", "b.py"]


def test_a_single_letter_is_asked_for_as_any_word(tmp_path: Path, folder: Folder) -> None:
    found = written(folder, tmp_path, a_dot_py="def scroll_y(): ...\n", b_dot_py="def f(): ...\n")

    assert paths(ranker.rank(found.index, "scroll in y", limit=2)) == ["a.py"]


def test_a_member_is_that_of_what_is_typed_before_it(tmp_path: Path, folder: Folder) -> None:
    lua = "function A:close()\n  return 1\nend\n\nfunction B:close()\n  return 2\nend\n"
    rb = "class A\n  def close\n  end\nend\nclass B\n  def close\n  end\nend\n"
    found = written(folder, tmp_path, a_dot_lua=lua, b_dot_rb=rb)

    hits = ranker.rank(found.index, "B:close", limit=2)

    assert {(hit.path, hit.start_line) for hit in hits} == {("a.lua", 5), ("b.rb", 6)}


def test_a_mark_in_a_name_may_be_typed_or_not(tmp_path: Path, folder: Folder) -> None:
    found = written(folder, tmp_path, a_dot_ts="\n\nexport class $ZodCheck {}\n")

    hits = [ranker.rank(found.index, name, limit=1)[0] for name in ("$ZodCheck", "ZodCheck")]

    assert [(hit.start_line, hit.why[0]) for hit in hits] == [(3, "defines $ZodCheck")] * 2


def test_a_script_without_an_ending_is_code(tmp_path: Path, folder: Folder) -> None:
    script = "#!/bin/sh\ndeploy_site() {\n  rsync\n}\n"
    index = written(folder, tmp_path, bin__deploy=script, bin__data="deploy site\n").index

    found = candidates(index, ask("how the site is deployed"))

    assert [each.kinds for each in found] == [["data"], []]


def test_the_definition_with_a_body_is_shown_not_the_import_of_the_same_name(
    tmp_path: Path, folder: Folder
) -> None:
    text = (
        "var send = require('send');\n" * 1
        + "\n" * 70
        + "res.send = function (body) {\n  x();\n};\n"
    )
    found = written(folder, tmp_path, response_dot_js=text)

    hit = ranker.rank(found.index, "what res.send does with the body", limit=3)[0]

    assert (hit.start_line, hit.end_line) == (72, 74)
    assert hit.why[0] == "defines send"


def test_a_plain_word_means_its_subject_before_a_fixture_or_a_build_target_of_that_name(
    tmp_path: Path, folder: Folder
) -> None:
    found = written(
        folder,
        tmp_path,
        app__sandbox_dot_py="class Stage:\n    '''A sandbox.'''\n",
        tests__conftest_dot_py="def sandbox():\n    return 1\n",
        Makefile="sandbox:\n\techo sandbox\n",
    )

    hits = ranker.rank(found.index, "sandbox", limit=5)

    assert paths(hits)[0] == "app/sandbox.py"
    assert len(hits) == 3


def test_a_name_behind_colons_is_what_was_asked_for(tmp_path: Path, folder: Folder) -> None:
    text = "module App\n  class Base\n    def go\n    end\n  end\nend\n"
    found = written(folder, tmp_path, app_dot_rb=text, base_dot_rb="x = 1\n")

    hit = ranker.rank(found.index, "App::Base", limit=3)[0]

    assert (hit.path, hit.start_line, hit.end_line) == ("app.rb", 2, 5)


def test_further_places_of_a_file_come_after_other_files(tmp_path: Path, folder: Folder) -> None:
    many = "".join(f"def retry_{n}():\n    '''Retry the upload.'''\n" for n in range(90))
    found = written(
        folder, tmp_path, upload_dot_py=many, other_dot_py="def upload():\n    '''retry'''\n"
    )

    hits = ranker.rank(found.index, "where is the upload tried again, a retry", limit=10)

    assert paths(hits)[:2] == ["upload.py", "other.py"]
    assert len({(hit.path, hit.start_line) for hit in hits}) == len(hits)
    assert paths(hits).count("upload.py") > 1
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_vectors_find_what_shares_no_word_with_the_query(tmp_path: Path, folder: Folder) -> None:
    found = written(
        folder,
        tmp_path,
        a_dot_py="def dispose(): ...\n",
        b_dot_py="def paint(): ...\n",
    )
    similar = np.zeros(found.index.chunks.numbers, np.float32)
    similar[found.index.files["a.py"].first] = 0.8

    assert ranker.rank(found.index, "free the memory", limit=5) == []
    hits = ranker.rank(found.index, "free the memory", limit=5, similar=similar)

    assert paths(hits) == ["a.py"]
    assert "similar in meaning" in hits[0].why


def test_an_abbreviated_file_name_is_akin_to_the_word_in_full(
    tmp_path: Path, folder: Folder
) -> None:
    same = "def load(): ...\n# configuration\n"
    found = written(folder, tmp_path, config_dot_py=same, other_dot_py=same)

    hits = ranker.rank(found.index, "loading the configuration", limit=5)

    assert paths(hits) == ["config.py", "other.py"]


def test_what_speaks_for_a_place_is_said_in_words(tmp_path: Path, folder: Folder) -> None:
    found = written(
        folder, tmp_path, retry__backoff_dot_py="def backoff():\n    '''Exponential retry.'''\n"
    )

    hits = ranker.rank(found.index, "exponential backoff of a retry", limit=5)

    assert hits[0].why == (
        "defines backoff",
        "file name",
        "words: exponential, backoff, retry",
        "folder",
    )


def test_of_a_name_that_is_nowhere_the_parts_that_are_there_are_named(
    tmp_path: Path, folder: Folder
) -> None:
    found = written(folder, tmp_path, net_dot_py="# Wait with backoff, then retry it.\n")

    hits = ranker.rank(found.index, "where is retryOnBackoffer", limit=5)

    assert hits[0].why[0] == "words: retry, backoffer"
