"""The keys that a card may show; what it shows holds whatever pane has the keys."""

from __future__ import annotations

from textual.binding import Binding


def _choice(key: str, action: str, words: str) -> Binding:
    return Binding(key, f"choose('{action}')", words, show=False, priority=True)


CARD_KEYS = (
    _choice("y", "answer_once", "Yes, once"),
    _choice("S", "answer_step", "For this step"),
    _choice("L", "answer_plan", "For this plan"),
    _choice("P", "answer_project", "For this project"),
    _choice("n", "answer_no", "No…"),
    _choice("g", "go", "Start"),
    _choice("a", "approve", "Land it"),
    _choice("A", "approve_verified", "Land it if its checks pass on that"),
    _choice("K", "verify", "Run its checks on what is in"),
    _choice("r", "reject", "Reject…"),
    _choice("t", "retry", "Try again"),
    _choice("G", "proceed", "Go on from its work"),
    _choice("s", "skip", "Skip"),
    _choice("v", "review", "Review what waits"),
    _choice("R", "replan", "Plan anew"),
    _choice("e", "edit_step", "Edit step"),
)
