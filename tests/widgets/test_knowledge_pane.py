"""Search results as they come, and the file at the right line."""

from __future__ import annotations

from tests.widgets.pane_kit import on_bench, shown
from turbo_widgets.knowledge_pane import KnowledgePane
from turbo_widgets.knowledge_values import IndexProgress, Preview, SearchHit

HITS = (
    SearchHit("src/api.py", 12, "def greet(name):", ("symbol",)),
    SearchHit("README.md", 3, "greet [people] \x1b[0m", ("text",)),
)
FILE = "".join(f"line {number}\n" for number in range(1, 61))


async def test_every_keystroke_asks_and_results_show_where_and_why() -> None:
    pane = KnowledgePane()
    async with on_bench(pane) as bench:
        pane.field.focus()
        await bench.press(*"gre")
        asked = [each.query for each in bench.sent(KnowledgePane.QueryChanged)]
        pane.show_hits("gre", HITS)

        text = shown(pane.places)

    assert asked == ["g", "gr", "gre"]
    assert "src/api.py:12" in text
    assert "symbol" in text
    assert "def greet(name):" in text
    assert "greet [people] ^[[0m" in text


async def test_an_answer_to_an_older_query_is_not_shown() -> None:
    pane = KnowledgePane()
    async with on_bench(pane) as bench:
        pane.field.focus()
        await bench.press(*"new")
        pane.show_hits("old", HITS)

        assert "src/api.py" not in shown(pane.places)


async def test_enter_asks_for_the_file_at_the_line_of_the_result() -> None:
    pane = KnowledgePane()
    async with on_bench(pane) as bench:
        pane.field.focus()
        await bench.press(*"gre")
        pane.show_hits("gre", HITS)
        await bench.press("enter", "down", "enter")

        wanted = bench.sent(KnowledgePane.PreviewWanted)

    assert [(each.path, each.line) for each in wanted] == [("README.md", 3)]


async def test_the_preview_opens_at_its_line_and_escape_goes_back_to_the_result() -> None:
    pane = KnowledgePane()
    async with on_bench(pane) as bench:
        pane.field.focus()
        await bench.press(*"gre")
        pane.show_hits("gre", HITS)
        await bench.press("down", "down")
        pane.show_preview(Preview("README.md", 40, FILE))
        await bench.pilot.pause()
        assert "40  line 40" in shown(pane.places)
        assert pane.places.cursor == 39
        assert pane.border_title == "Knowledge · README.md:40"
        await bench.press("escape")

        assert "src/api.py:12" in shown(pane.places)
        assert pane.places.cursor == 1


async def test_the_editor_is_asked_for_at_the_line_under_the_cursor() -> None:
    pane = KnowledgePane()
    async with on_bench(pane) as bench:
        pane.show_preview(Preview("README.md", 40, FILE))
        await bench.press("down", "o")

        wanted = bench.sent(KnowledgePane.EditorWanted)

    assert [(each.path, each.line) for each in wanted] == [("README.md", 41)]


async def test_nothing_found_and_nothing_asked_are_said_apart() -> None:
    pane = KnowledgePane()
    async with on_bench(pane) as bench:
        assert "Type a name" in shown(pane.places)
        pane.field.focus()
        await bench.press(*"zz")
        pane.show_hits("zz", ())
        assert "Nothing found for “zz”." in shown(pane.places)
        await bench.press("escape")

        assert "Type a name" in shown(pane.places)


async def test_a_new_search_starts_from_the_results() -> None:
    pane = KnowledgePane()
    async with on_bench(pane) as bench:
        pane.field.focus()
        await bench.press(*"gre")
        pane.show_hits("gre", HITS, note="only text search: no index yet")
        await bench.press("enter")
        assert "no index yet" in shown(pane.places)
        await bench.press("f")

        assert pane.field.has_focus


async def test_an_empty_file_says_so() -> None:
    pane = KnowledgePane()
    async with on_bench(pane):
        pane.show_preview(Preview("empty.txt", 1, ""))

        assert "The file is empty." in shown(pane.places)


async def test_pinned_files_are_marked_and_pinning_asks_for_the_file_under_the_cursor() -> None:
    pane = KnowledgePane()
    async with on_bench(pane) as bench:
        pane.field.focus()
        await bench.press(*"gre")
        pane.show_hits("gre", HITS)
        await bench.press("enter", "down", "p")
        pane.show_pins({"README.md"})

        rows = shown(pane.places).splitlines()

    assert [each.path for each in bench.sent(KnowledgePane.PinWanted)] == ["README.md"]
    assert [row.split()[0] for row in rows if "pinned" in row] == ["README.md:3"]


async def test_similar_kind_and_language_are_words_of_the_query() -> None:
    pane = KnowledgePane()
    asked: list[str] = []
    async with on_bench(pane) as bench:
        pane.field.focus()
        await bench.press(*"gre")
        for keys in ("enter l", "l", "t", "t", "t", "t", "t", "s"):
            pane.show_hits(pane.field.value.strip(), HITS)
            await bench.press(*keys.split())
            asked.append(pane.field.value)

    assert asked == [
        "gre lang:py",
        "gre",
        "gre kind:code",
        "gre kind:tests",
        "gre kind:docs",
        "gre kind:config",
        "gre",
        "like:src/api.py:12",
    ]


async def test_a_path_with_blanks_is_asked_for_in_quotes_and_escape_comes_back_to_the_query() -> (
    None
):
    pane = KnowledgePane()
    async with on_bench(pane) as bench:
        pane.field.focus()
        await bench.press(*"gre")
        pane.show_hits("gre", (SearchHit("my dir/my file.py", 2, "x"),))
        await bench.press("enter", "s")
        similar = pane.field.value
        pane.show_hits(similar, HITS)
        await bench.press("t", "escape")

        assert (similar, pane.field.value) == ('like:"my dir/my file.py":2', "gre")
        assert pane.places.has_focus
        assert not pane.check_action("back", ())


async def test_a_file_without_an_ending_offers_no_language_and_without_hits_one_is_taken_off() -> (
    None
):
    pane = KnowledgePane()
    async with on_bench(pane) as bench:
        pane.field.focus()
        await bench.press(*"gre")
        pane.show_hits("gre", (SearchHit(".gitignore", 2, "x"),))
        await bench.press("enter", "l")
        assert pane.field.value == "gre"
        pane.field.value = "gre lang:rs"
        pane.show_hits("gre lang:rs", ())
        await bench.press("l")

        assert pane.field.value == "gre"


async def test_a_query_that_is_asked_is_said_to_be_and_enter_goes_ahead_to_its_results() -> None:
    pane = KnowledgePane()
    async with on_bench(pane) as bench:
        pane.field.focus()
        await bench.press(*"gre")
        assert "Searching for “gre” …" in shown(pane.places)
        assert pane.border_title == "Knowledge · searching …"
        await bench.press("down", "t", "l", "p")
        assert pane.field.value == "gre"
        pane.show_hits("gre", HITS)
        await bench.press("enter")

    assert [each.path for each in bench.sent(KnowledgePane.PreviewWanted)] == ["src/api.py"]


async def test_who_went_ahead_to_results_that_are_none_is_back_in_the_query() -> None:
    pane = KnowledgePane()
    async with on_bench(pane) as bench:
        pane.field.focus()
        await bench.press(*"zz", "enter")
        pane.show_hits("zz", ())
        await bench.press("y")

        assert pane.field.value == "y"


async def test_another_answer_to_the_same_query_leaves_the_cursor_and_the_file_shown() -> None:
    pane = KnowledgePane()
    first = SearchHit("better.py", 1, "gre")
    async with on_bench(pane) as bench:
        pane.field.focus()
        await bench.press(*"gre")
        pane.show_hits("gre", HITS)
        await bench.press("enter", "down")
        pane.show_hits("gre", (first, *HITS))
        await bench.press("enter")
        pane.show_preview(Preview("README.md", 40, FILE))
        pane.show_hits("gre", (first, first, *HITS))
        await bench.pilot.pause()
        assert "40  line 40" in shown(pane.places)
        await bench.press("escape", "enter")

    wanted = [each.path for each in bench.sent(KnowledgePane.PreviewWanted)]
    assert wanted == ["README.md", "README.md"]


async def test_while_files_are_pending_nothing_found_is_no_last_word() -> None:
    pane = KnowledgePane()
    async with on_bench(pane) as bench:
        pane.field.focus()
        await bench.press(*"zz")
        pane.show_progress(IndexProgress(200, 800))
        pane.show_hits("zz", ())
        await bench.pilot.pause()
        assert "“zz” yet; 800 files" in shown(pane.places)
        pane.show_progress(IndexProgress(1000, 0))
        await bench.pilot.pause()

        assert "Nothing found for “zz”." in shown(pane.places)


async def test_a_note_on_the_index_is_read_in_full_below_the_results_and_without_any() -> None:
    pane = KnowledgePane()
    note = "Only the first 200,000 files here are searched: name folders to leave out."
    async with on_bench(pane) as bench:
        pane.show_progress(IndexProgress(10, note=note))
        await bench.pilot.pause()
        assert " ".join(shown(pane.places).split()).endswith(note)
        pane.field.focus()
        await bench.press(*"gre")
        pane.show_hits("gre", HITS)

        assert " ".join(shown(pane.places).split()).endswith(note)


async def test_the_title_says_how_far_the_index_is() -> None:
    pane = KnowledgePane()
    async with on_bench(pane, (90, 20)) as bench:
        pane.field.focus()
        await bench.press(*"gre")
        pane.show_hits("gre", HITS)
        pane.show_progress(IndexProgress(200, 800, 40.0, 20.0))
        await bench.pilot.pause()
        begun = pane.border_title
        pane.show_progress(IndexProgress(200, 99_800, 40.0, 2495.0))
        long = pane.border_title
        pane.show_progress(IndexProgress(1000, 0))

    assert begun == ("Knowledge · 2 places · indexing 200 of 1,000 files, 40 a second, 20 s left")
    assert long is not None
    assert long.endswith("42 min left")
    assert pane.border_title == "Knowledge · 2 places"


async def test_a_narrow_title_says_how_far_the_index_is_without_its_rate() -> None:
    pane = KnowledgePane()
    async with on_bench(pane):
        pane.show_progress(IndexProgress(2_000, 18_000, 40.0, 2495.0))

        assert pane.border_title == "Knowledge · 2,000 of 20,000 indexed, 42 min left"


async def test_the_place_meant_is_marked_with_the_words_that_were_asked_for() -> None:
    pane = KnowledgePane()
    async with on_bench(pane) as bench:
        pane.field.focus()
        await bench.press(*"line lang:py")
        pane.show_hits("line lang:py", HITS)
        pane.show_preview(
            Preview("a.py", 12, FILE, (11, 13), {12: [(0, 4, "code-keyword"), (5, 7, "match")]})
        )
        await bench.pilot.pause()

        bands = [number for number, row in enumerate(pane.places.rows, 1) if row.band == "band"]
        tones = pane.places.rows[11].spans[1]

    assert bands == [11, 12, 13]
    assert tones == ("line", ("plain", "code-keyword", "match"))


async def test_another_answer_is_read_from_its_top() -> None:
    pane = KnowledgePane()
    many = tuple(SearchHit(f"f{number}.py", number, "text") for number in range(1, 60))
    async with on_bench(pane) as bench:
        pane.field.focus()
        await bench.press(*"gre")
        pane.show_hits("gre", many)
        await bench.press("enter", "end")
        assert "f1.py:1" not in shown(pane.places).split()
        pane.field.value = "greet"
        pane.show_hits("greet", many)
        await bench.pilot.pause()

        assert "f1.py:1" in shown(pane.places).split()


async def test_of_a_long_first_reason_what_fits_is_shown_and_a_key_shows_it_all() -> None:
    pane = KnowledgePane()
    why = "words: " + ", ".join(f"exceptions{number}" for number in range(9))
    async with on_bench(pane) as bench:
        pane.field.focus()
        await bench.press(*"gre")
        pane.show_hits("gre", (SearchHit("a.py", 1, "x", (why, "file name")), *HITS))
        assert shown(pane.places).splitlines()[0].endswith("…")
        await bench.press("enter", "down", "w")
        text = " ".join(shown(pane.places).split())
        assert f"{why} · file name" in text
        assert pane.places.cursor == 1
        await bench.press("w")

        assert "exceptions8" not in shown(pane.places)


async def test_reasons_that_do_not_fit_beside_the_place_are_left_out_the_weakest_first() -> None:
    pane = KnowledgePane()
    async with on_bench(pane) as bench:
        pane.field.focus()
        await bench.press(*"gre")
        pane.show_hits("gre", (SearchHit("a.py", 1, "x", ("symbol", "y" * 500)),))

        text = shown(pane.places)

    assert "symbol" in text
    assert "yyy" not in text
