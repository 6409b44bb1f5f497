"""Tools as functions: the form that OpenAI's servers read, and Ollama's as well."""

from __future__ import annotations

from collections.abc import Iterable

from turbo_tui.core.models import ToolSpec


def as_functions(tools: Iterable[ToolSpec]) -> list[dict[str, object]]:
    """Return what a request says of its tools."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
            },
        }
        for tool in tools
    ]
