"""A file's bytes as the text that was meant: to be read, searched and shown, never written back."""

from __future__ import annotations

import codecs


def decoded(content: bytes) -> str:
    """Return the text of a file in UTF-8; bytes that are none are of the old western encodings.

    A byte order mark is no part of it. `edits.text_file` is what keeps every byte.
    """
    return content.removeprefix(codecs.BOM_UTF8).decode("utf-8", _WESTERN)


def _as_western(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    try:
        return wrong.decode("cp1252"), error.end
    except UnicodeDecodeError:
        return wrong.decode("latin-1"), error.end


_WESTERN = "turbo_tui.western"
codecs.register_error(_WESTERN, _as_western)
