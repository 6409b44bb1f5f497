"""Languages by file ending, and what a pattern needs of a file; light enough for any process."""

from __future__ import annotations

import re
from collections.abc import Mapping
from posixpath import basename

LANGUAGES: Mapping[str, str] = {
    ".py": "python",
    ".pyi": "python",
    ".js": "javascript",
    ".jsx": "javascript",
    ".mjs": "javascript",
    ".cjs": "javascript",
    ".ts": "typescript",
    ".mts": "typescript",
    ".tsx": "tsx",
    ".go": "go",
    ".rs": "rust",
    ".java": "java",
    ".c": "c",
    ".h": "c",
    ".cc": "cpp",
    ".cpp": "cpp",
    ".hpp": "cpp",
    ".cs": "csharp",
    ".rb": "ruby",
    ".php": "php",
    ".kt": "kotlin",
    ".swift": "swift",
    ".lua": "lua",
    ".sh": "bash",
    ".scala": "scala",
    ".ex": "elixir",
    ".exs": "elixir",
    ".hs": "haskell",
    ".html": "html",
    ".css": "css",
}
META_VARIABLE = re.compile(r"\$\$\$([A-Z_][A-Z0-9_]*)|\$([A-Z_][A-Z0-9_]*)")
"""`$X` and `$$$X` in patterns; https://ast-grep.github.io/guide/pattern-syntax.html"""


def language_of(path: str) -> str:
    """Return ast-grep's name for a file's language; empty when it is not known."""
    name = basename(path)
    return LANGUAGES.get(name[name.rfind(".") :].lower(), "") if "." in name else ""


def words_of(pattern: str) -> list[str]:
    """Return the words a file must hold for a pattern to match in it."""
    return re.findall(r"[^\W\d]\w+", META_VARIABLE.sub(" ", pattern))
