"""One report: five guarantees, each once; a level; a rung that there is."""

from __future__ import annotations

import pytest

from turbo_tui.core.errors import StageError
from turbo_tui.core.ports import Guarantee
from turbo_tui.sandbox.confine.bubblewrap import Bubblewrap
from turbo_tui.sandbox.confine.landlock import Landlock
from turbo_tui.sandbox.confine.seatbelt import Seatbelt
from turbo_tui.sandbox.confine.unsandboxed import Unsandboxed
from turbo_tui.sandbox.place import Confiner
from turbo_tui.sandbox.report import NAMES, compose, once_each


@pytest.mark.parametrize(
    ("confiner", "level"),
    [(Bubblewrap(), "full"), (Landlock(), "reduced"), (Seatbelt(), "reduced")],
)
def test_a_report_names_the_rung_its_level_and_five_guarantees(
    confiner: Confiner, level: str
) -> None:
    report = compose("copy", confiner, ["why"])

    assert (report.rung, report.level) == (f"copy+{confiner.name}", level)
    assert tuple(each.name for each in report.guarantees) == NAMES
    assert report.reasons == ("why",)


def test_without_a_sandbox_nothing_is_held_whatever_is_said() -> None:
    report = compose("copy", Unsandboxed())

    assert report.level == "none"
    assert not any(each.held for each in report.guarantees)


def test_what_is_said_twice_is_told_once_and_holds_if_both_do() -> None:
    told = once_each(
        (
            Guarantee("tree", True, "ends with it"),
            Guarantee("tree", False, "but a daemon does not"),
            Guarantee("reads", True, "hidden"),
            Guarantee("reads", True, "hidden"),
        )
    )

    assert [each.name for each in told] == list(NAMES)
    by_name = {each.name: each for each in told}
    assert by_name["tree"] == Guarantee("tree", False, "ends with it; but a daemon does not")
    assert by_name["reads"] == Guarantee("reads", True, "hidden")
    assert by_name["network"] == Guarantee("network", False, "not known")


def test_an_overlay_is_not_taken_up_without_a_sandbox() -> None:
    with pytest.raises(StageError, match=r"with your own rights \(landlock: gone\). Its files are"):
        compose("overlay", Unsandboxed(), ["landlock: gone."])
