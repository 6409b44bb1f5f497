"""Find places in a workspace by symbol and text, in a worker process."""

from __future__ import annotations

from turbo_tui.knowledge.text_search import TextSearch

__all__ = ["TextSearch"]
