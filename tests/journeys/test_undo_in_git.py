"""Five steps in a git repository are taken back and landed again, out of order, from a shell."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.journeys.plans import run_steps, shell
from tests.journeys.turbo import Ended, Turbo

LINES = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n"
STEPS = (
    [shell("sed -i s/two/TWO/ a.txt; echo log > build.log; mkdir -p out; echo o > out/x")],
    [shell("sed -i s/eight/EIGHT/ a.txt; chmod +x run.sh")],
    [shell("rm dead.txt; mkdir -p new/deep; echo n > new/deep/n.txt; ln -s ../b.py new/l")],
    [shell("mv b.py c.py; echo 'print(2)' >> c.py")],
    [shell("sed -i s/TWO/Zwei/ a.txt; echo more >> new/deep/n.txt")],
)


class Shell:
    """A user in their repository, after five steps landed."""

    def __init__(self, base: Path) -> None:
        self.root = base / "ws"
        self.root.mkdir()
        self.turbo = Turbo(base / "home", self.root)
        self.turbo.home.mkdir()
        for name, text in (
            *(("a.txt", LINES), ("b.py", "print(1)\n"), ("dead.txt", "old\n")),
            *(("run.sh", "true\n"), (".gitignore", "out/\n*.log\n")),
        ):
            (self.root / name).write_text(text)
        self.git("init", "-q")
        self.git("add", ".")
        self.git("-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qm", "start")
        ended = run_steps(self.turbo, *STEPS)
        assert ended.code == 0, ended.err

    def git(self, *argv: str) -> str:
        ran = subprocess.run(("git", *argv), cwd=self.root, check=True, capture_output=True)
        return ran.stdout.decode()

    def session(self, way: str, step: str, *flags: str) -> Ended:
        return self.turbo("session", way, "--step", step, *flags)

    def text(self, name: str = "a.txt") -> str:
        return (self.root / name).read_text()


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    os.umask(0o022)
    return Shell(tmp_path_factory.mktemp("undo"))


def test_steps_are_undone_out_of_order_around_a_clash_and_come_back(start: Shell) -> None:
    user = start
    landed = user.git("status", "--short"), user.text()

    clash = user.session("undo", "s1")
    assert clash.code == 1
    assert "a.txt: it was changed since step s1 landed" in clash.err
    assert "--step s5`, and so on with s2." in clash.err
    assert "--step s5`." in user.session("undo", "s3", "--dry-run").err
    assert (user.git("status", "--short"), user.text()) == landed

    assert user.session("undo", "s4").code == 0
    assert (user.text("b.py"), (user.root / "c.py").exists()) == ("print(1)\n", False)
    assert "merged with what changed since" in user.session("undo", "s2").out
    assert not os.access(user.root / "run.sh", os.X_OK)
    assert user.text() == LINES.replace("two", "Zwei")
    assert user.session("undo", "s5").code == 0
    assert user.session("undo", "s3").code == 0
    assert user.session("undo", "s1").code == 0
    assert user.git("status", "--short") == ""
    assert not (user.root / "new").exists()
    assert user.session("undo", "s1").code == 2

    assert "--step s1`, and so on with s2, s3." in user.session("redo", "s5").err
    assert user.session("redo", "all").code == 0
    assert (user.git("status", "--short"), user.text()) == landed


def test_an_edit_of_the_users_is_never_undone(start: Shell) -> None:
    user = start
    mine = user.text().replace("EIGHT", "acht")
    (user.root / "a.txt").write_text(mine)

    refused = user.session("undo", "all")

    assert refused.code == 1
    assert "a.txt: it was changed since step s2 landed" in refused.err
    assert "nothing was written. Go on in one of these ways:" in refused.err
    assert user.text() == mine
    (user.root / "a.txt").write_text(mine.replace("acht", "EIGHT"))
    (user.root / "mine.txt").write_text("mine")
    assert user.session("undo", "all").code == 0
    assert user.git("status", "--short") == "?? mine.txt\n"
