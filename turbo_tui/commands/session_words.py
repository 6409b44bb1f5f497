"""How `turbo-tui session` says what a log holds: lines for a person, objects for a program."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from turbo_tui.core.plain import one_line, plain
from turbo_tui.core.views import named_steps

if TYPE_CHECKING:
    from turbo_tui.adapters.sessions import SessionSummary
    from turbo_tui.core.views import HalfTurned, Views


def table(found: Sequence[SessionSummary], *, with_workspace: bool) -> list[str]:
    """Lay sessions out in columns, cut to the terminal."""
    rows = [
        (
            each.session_id,
            _moment(each.started),
            each.status,
            one_line(each.task) or "-",
            plain(each.workspace) or "?",
        )
        for each in found
    ]
    columns = (0, 1, 2, 4, 3) if with_workspace else (0, 1, 2, 3)
    widths = {column: max(len(row[column]) for row in rows) for column in columns[:-1]}
    shown = [
        "  ".join([*(row[c].ljust(widths[c]) for c in columns[:-1]), row[columns[-1]]])
        for row in rows
    ]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    return [line if not room or len(line) <= room else line[: room - 1] + "…" for line in shown]


def as_json_object(summary: SessionSummary, views: Views, *, with_log: bool) -> dict[str, object]:
    """Return a session as `session show --json` prints it."""
    shown: dict[str, object] = {
        **asdict(summary),
        "planner": views.plan.planner,
        "steps": [
            {
                "id": state.step.id,
                "title": state.step.title,
                "status": state.status,
                "paths": state.paths,
                "reason": state.reason,
            }
            for state in views.plan.steps
        ],
        "landings": [asdict(entry) for entry in views.timeline.landings],
        "tokens": {"in": views.cost.tokens_in, "out": views.cost.tokens_out},
        "cost_usd": views.cost.cost_usd,
        "bytes_sent": views.cost.bytes_sent,
    }
    return shown | ({"log": [asdict(entry) for entry in views.log.entries]} if with_log else {})


def in_words(summary: SessionSummary, views: Views, *, with_log: bool) -> list[str]:
    """Tell a session: its task, plan, landings, costs and, asked for, its log."""
    lines = [
        f"session    {summary.session_id}  ({summary.status})",
        f"workspace  {plain(summary.workspace)}",
        f"task       {one_line(summary.task) or '-'}",
        f"started    {_moment(summary.started)}, last used {_moment(summary.last)}",
        f"log        {summary.records} records, {size_in_words(summary.size_bytes)}",
    ]
    cost = views.cost
    if cost.bytes_sent:
        hosts = ", ".join(
            f"{plain(h)} {size_in_words(size)}" for h, size in sorted(cost.bytes_sent.items())
        )
        money = "" if cost.cost_usd is None else f", ${cost.cost_usd:.4f}"
        lines += [
            f"models     {cost.tokens_in} tokens in, {cost.tokens_out} out{money}; sent: {hosts}"
        ]
    if views.plan.steps:
        lines += ["", f"plan by {plain(views.plan.planner)}"]
        for state in views.plan.steps:
            name = plain(state.step.id)
            lines.append(f"  {name:>3}  {state.status:<11}  {plain(state.step.title)}")
            said = views.review.last(state.step.id).words
            lines += [f"{'':20}{plain(' '.join(each.split()))}" for each in said]
    if views.plan.failure:
        lines += ["", f"no plan: {plain(views.plan.failure)}"]
    if views.timeline.landings:
        lines += ["", "landed"]
    for entry in views.timeline.landings:
        state = "  (undone)" if entry.undone else "  (redone)" if entry.redone else ""
        lines.append(f"  {_moment(entry.at)}  step {plain(entry.step_id)}{state}")
        lines += [f"    {plain(name)}" for name in entry.files]
    if views.timeline.half_turned is not None:
        lines += ["", half_in_words(views.timeline.half_turned)]
    if with_log:
        lines += ["", "log"]
    for entry in views.log.entries if with_log else ():
        detail = f"  ({one_line(entry.detail)})" if entry.detail else ""
        lines.append(f"  {_moment(entry.at)}  {entry.state:<7}  {one_line(entry.title)}{detail}")
        lines += [f"      used: {plain(entry.usage)}"] if entry.usage else []
        lines += [f"      {plain(line)}" for line in entry.body.splitlines()]
    return lines


def half_in_words(half: HalfTurned) -> str:
    """Say what a turn of several left behind as it was cut off, and how to go on or back."""
    other = "redo" if half.way == "undo" else "undo"
    return (
        f"{half.words} `session {half.way} --step all` goes on with it; "
        f"`session {other} --step …` turns single steps back."
    )


def went_on_in_words(half: HalfTurned) -> str:
    """Say what had been done before a turn of several went on."""
    word = "taken back" if half.way == "undo" else "landed again"
    many = "was" if len(half.turned) == 1 else "were"
    return (
        f"this went on with an earlier {half.way} of several steps that was cut off: "
        f"{named_steps(half.turned)} {many} {word} then."
    )


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at)) if at else "-"


def size_in_words(size_bytes: int) -> str:
    """Return a size with its unit, in powers of a thousand."""
    size = float(size_bytes)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:  # noqa: PLR2004  # SI units
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def write_lines(lines: Iterable[str]) -> None:
    """Print lines; what the terminal cannot show becomes `?`."""
    encoding = sys.stdout.encoding or "utf-8"
    for line in lines:
        sys.stdout.write(line.encode(encoding, "replace").decode(encoding) + "\n")


def write_json(value: object) -> None:
    """Print one JSON object."""
    sys.stdout.write(json.dumps(value, indent=1) + "\n")
