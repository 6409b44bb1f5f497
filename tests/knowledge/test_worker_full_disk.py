"""A full disk for the index, on a real one that is small: all is found, and it is kept later."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")
FILES = 120

SCRIPT = """
import json, subprocess, sys
from dataclasses import replace
from pathlib import Path

from tests.knowledge.worker_kit import end_worker, home_in, workers
from turbo_tui.knowledge.service.client import Client
from turbo_tui.knowledge.indexing.digest import version
from turbo_tui.knowledge.storing.store import Store

folder, size = Path(sys.argv[1]), sys.argv[2]
home = replace(home_in(folder, folder / "shop"), model="")
cache = home.store.parent.parent
cache.mkdir(parents=True)


def mount(*words):
    subprocess.run(("mount", "-t", "tmpfs", *words, "none", cache), check=True)


def built():
    *_, state = client.build()
    (hit,) = client.search("needle_77", limit=1)
    return state.files, state.note, hit.path


mount("-o", f"size={size}")
client = Client(home)
try:
    print(json.dumps(built()))
    (first,) = workers(home)
    (folder / "shop/n78.py").write_text("def needle_78(): ...")
    print(json.dumps(built()))
    mount("-o", "remount,size=200m")
    print(json.dumps(built()))
    (last,) = workers(home)
    assert last.pid == first.pid
finally:
    client.close()
    end_worker(home)
store = Store(home.store, version())
store.open()
whole = {key for key, _ in store.get(list(store.keys))}
print(json.dumps([len(store.files), {key for _, key in store.files.values()} == whole, store.note]))
store.close()
"""


@pytest.mark.parametrize("size", ["600k", "8k"], ids=["while writing", "from the start"])
def test_an_index_that_has_no_room_answers_says_so_and_is_kept_once_there_is(
    tmp_path: Path, size: str
) -> None:
    if subprocess.run((*NAMESPACE, "true"), check=False, capture_output=True).returncode:
        pytest.skip("no mount namespaces here")
    (tmp_path / "shop").mkdir()
    for number in range(FILES):
        words = "".join(f"    word_{number}_{each} = {each}\n" for each in range(600))
        text = f"def needle_{number}():\n{words}"
        (tmp_path / f"shop/n{number}.py").write_text(text)

    said = subprocess.run(
        (*NAMESPACE, sys.executable, "-c", SCRIPT, tmp_path, size),
        check=True,
        stdout=subprocess.PIPE,
    ).stdout

    full = "The disk is full: the index is kept in memory alone until there is room."
    first, second, recovered, kept = (json.loads(line) for line in said.splitlines())
    assert first == [FILES, full, "n77.py"]
    assert second == [FILES, full, "n77.py"]
    assert recovered == [FILES, "", "n77.py"]
    assert kept == [FILES, True, ""]
