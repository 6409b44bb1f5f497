"""A block whose twin alone is there: never edited, whatever looks alike."""

from __future__ import annotations

import pytest

from turbo_tui.edits.ladder import MatchError, replace_chunks
from turbo_tui.edits.text_file import decode
from turbo_tui.edits.values import Chunk


def refused(text: str, old: str, new: str) -> bool:
    chunk = Chunk(old, new)
    assert old != new
    with pytest.raises(MatchError):
        replace_chunks(decode(text.encode()), [chunk])
    return True


BODIES = {
    "ini": ("[{}]\nhost = db.example\nport = 5432\ndebug = false\n", "debug = true"),
    "css": (".{} {{\n  color: red;\n  margin: 0 auto;\n  debug = false\n}}\n", "color: blue"),
    "css id": ("#{} {{\n  color: red;\n  margin: 0 auto;\n  debug = false\n}}\n", "x"),
    "yaml": ("{}:\n  host: db.example\n  port: 5432\n  debug = false\n", "x"),
    "json": ('  "{}": {{\n    "host": "db",\n    "port": 1,\n    debug = false\n  }}\n', "x"),
    "make": ("{}:\n\tbuild all\n\tpush registry\n\tdebug = false\n\trestart fleet\n", "x"),
    "markdown": ("## {}\nthe host is here\nand the port\ndebug = false\nis the end\n", "x"),
    "test": ("def test_{}():\n    one = make(1)\n    debug = false\n    assert run(one)\n", "x"),
    "slow test": (
        "@pytest.mark.slow\ndef test_{}():\n    one = make(1)\n    debug = false\n    run(one)\n",
        "x",
    ),
    "case": (
        "  case {}:\n    open(door);\n    debug = false\n    notify(owner);\n    break;\n",
        "x",
    ),
    "route": (
        '@app.get("/{}")\ndef handle(request):\n    load(request)\n    debug = false\n    end()\n',
        "x",
    ),
    "inner route": (
        '@login\n@app.get("/{}")\ndef handle(it):\n    load(it)\n    debug = false\n    end()\n',
        "x",
    ),
    "number": ("limits = (\n    a_{},\n    debug = false\n    other_value,\n    more,\n)\n", "x"),
}


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize(("meant", "there"), [("dev", "prod"), ("one", "1"), ("user", "users")])
def test_a_block_under_another_name_is_another_block(kind: str, meant: str, there: str) -> None:
    body, fresh = BODIES[kind]
    old = body.format(meant)

    assert refused(body.format(there), old, old.replace("debug = false", fresh))


@pytest.mark.parametrize(
    ("meant", "there"),
    [
        ("else:", "if ok:"),
        ("if user.admin:", "if not user.admin:"),
        ("if (user.admin) {", "if (!user.admin) {"),
        ("if count > 10:", "if count > 20:"),
        ("unless user.admin:", "if user.admin:"),
    ],
)
def test_another_condition_is_another_block_at_its_edge_and_within(meant: str, there: str) -> None:
    body = "{}\n    open(door)\n    notify(owner)\n    log(entry)\n"
    old = body.format(meant)
    assert refused(body.format(there), old, old.replace("owner", "police"))

    within = (
        "def check(user):\n    start(user)\n    {}\n        open(door)\n        notify(owner)\n"
    )
    old = within.format(meant)
    assert refused(within.format(there), old, old.replace("owner", "police"))


def test_a_block_does_not_reach_into_the_next_case() -> None:
    text = "  case 1:\n    open(door);\n    break;\n  case 2:\n    notify(owner);\n    break;\n"
    old = "  case 1:\n    open(door);\n    notify(owner);\n    break;\n"

    assert refused(text, old, old.replace("owner", "police"))


@pytest.mark.parametrize(
    ("text", "old"),
    [
        (
            "class A:\n    def f(it):\n        a()\n    def g(it):\n        return value_of(x)\n",
            "    def f(it):\n        ...\n        return value_of(x)\n",
        ),
        (
            "function f() {\n  a();\n}\n\nfunction g() {\n  b();\n  return value_of(x);\n}\n",
            "function f() {\n  // ... existing code ...\n  return value_of(x);\n}\n",
        ),
        (
            "def f(x):\n    a()\n    return 1\n\n\ndef g(x):\n    a()\n    return value_of(x)\n",
            "def f(x):\n    a()\n    # ... existing code ...\n    return value_of(x)\n",
        ),
        (
            "[dev]\nhost = a\n\n[prod]\nhost = b\nurl = value_of(x)\n",
            "[dev]\nhost = a\n...\nurl = value_of(x)\n",
        ),
        (
            "if a:\n    one()\nelse:\n    return value_of(x)\n",
            "if a:\n    ...\n    return value_of(x)\n",
        ),
        (
            "dev:\n  host: a\n  port: 1\nprod:\n  port: 2\n  url: value_of(x)\n",
            "dev:\n  host: a\n  # ...\n  url: value_of(x)\n",
        ),
    ],
)
def test_what_is_left_out_stays_in_the_block_that_is_told(text: str, old: str) -> None:
    assert refused(text, old, old.replace("value_of", "other"))


@pytest.mark.parametrize("head", ["def f(x):", "def f(\n    x,\n) -> int:", "int f(x)\n{"])
def test_what_is_left_out_may_follow_a_signature_of_several_lines(head: str) -> None:
    text = f"{head}\n    a()\n    b()\n    return value_of(x)\n"
    old = f"{head}\n    ...\n    return value_of(x)\n"

    done = replace_chunks(decode(text.encode()), [Chunk(old, old.replace("value_of", "other"))])

    assert done.file.text == text.replace("value_of", "other")


def test_a_name_that_is_to_change_must_be_the_one_that_is_there() -> None:
    text = "@slow\ndef test_a():\n    x = make(1)\n    run(x)\n    done()\n"
    old = text.replace("test_a", "test_b")

    assert refused(text, old, old.replace("test_b", "test_c"))


def test_comments_alone_with_another_number_are_another_block() -> None:
    old = "# one of 3 rows\n# and of two\n# and the third\n# and the end\n"

    assert refused(old.replace("3", "4"), old, old.replace("two", "many"))


LISTED = """\
    def listed(self, items, limit):
        first = self.start(items)
        for each in items:
            self.note(each, limit)
        self.close(first)
        return first
"""


@pytest.mark.parametrize(
    ("meant", "there"),
    [
        ("items:", "itms:"),  # one letter less
        ("items)", "items_)"),
        ("self.note", "selfs.note"),
        ("self.close", "self.colse"),
    ],
)
def test_a_word_that_is_nearly_the_files_and_nowhere_else_is_a_slip(meant: str, there: str) -> None:
    text = LISTED.replace("colse", "close")
    old = text.replace(meant, there, 1)
    new = old.replace("return first", "return None")

    done = replace_chunks(decode(text.encode()), [Chunk(old, new)])

    assert done.file.text == text.replace("return first", "return None")
    assert done.places[0].rung == "anchored"


@pytest.mark.parametrize(
    ("meant", "there"),
    [
        ("note(each", "note(every"),
        ("note(each", "note(each_too"),
        ("limit)\n        self", "limit1)\n        self"),
        ("self.close", "self.open"),
        ("listed(", "listeds("),  # the name of the block
        ("each in", "not each in"),
        ("each in items", "item in items"),
    ],
)
def test_another_word_is_another_row(meant: str, there: str) -> None:
    old = LISTED.replace(meant, there, 1)

    assert refused(LISTED, old, old.replace("return first", "return None"))


def test_a_word_that_the_file_has_elsewhere_is_no_slip() -> None:
    old = LISTED.replace("self.close", "self.closed")
    new = old.replace("return first", "return None")

    assert refused(LISTED + "\n    def closed(self):\n        pass\n", old, new)


def test_a_value_in_quotes_is_no_slip() -> None:
    text = LISTED.replace("limit)\n        self", '"user", limit)\n        self')
    old = text.replace('"user"', '"users"')

    assert refused(text, old, old.replace("return first", "return None"))


def test_a_block_does_not_reach_into_the_next_one_like_it() -> None:
    text = "collect(the, rows)\nstore(x)\n\ncollect(the, rows2)\nstore(x)\nfinally_do(y)\ndone(z)\n"
    old = "collect(the, rows)\nstore(x)\nfinally_do(y)\ndone(z)\n"

    assert refused(text, old, old.replace("(y)", "(w)"))


def test_code_left_out_is_refused_where_a_copy_holds_the_parts_as_close_together() -> None:
    copy = (
        "rows = split(all)\n    if each:\n        keep(each)\n    elif other:\n        last(each)\n"
    )
    text = copy.replace("    if each", "for each in rows:\n    if each") + "\nend\n\n" + copy
    old = "rows = split(all)\n...\n        keep(each)\n    elif other:\n"

    assert refused(text, old, old.replace("split", "cut"))
