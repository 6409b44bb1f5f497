"""What went wrong at a server, in the words of our errors: host, what happened, what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape

from turbo_tui.adapters.providers.address import ModelAddress
from turbo_tui.adapters.providers.shapes import as_dict, as_int, as_str, object_of
from turbo_tui.core.errors import (
    ContextTooLongError,
    ModelBusyError,
    ModelError,
    ModelRefusedError,
    ModelReplyError,
)

MOST_QUOTED = 300  # characters of a server's own words in a message

# One line for each wording seen. OpenAI, Groq and OpenRouter; llama.cpp (three ages of it);
# vLLM; Anthropic (two); Ollama with `truncate: false`; LM Studio; Mistral; Gemini; TGI.
_TOO_LONG = re.compile(
    r"""context_length_exceeded|maximum\ context\ length|reduce\ the\ length\ of
    |exceed_context_size_error|exceeds?\ the\ available\ context
    |context\ size\ (has\ been\ )?exceeded
    |longer\ than\ the\ maximum\ model\ length|longer\ than\ the\ model's\ context
    |prompt\ is\ too\ long|exceed\ context\ limit
    |exceeds?\ (the\ )?(model's\ )?(maximum\ )?context\ (length|window|size)
    |exceed(s|ed)\ (the\ )?(maximum\ )?context|when\ context\ the\ overflows
    |too\ large\ for\ model\ with|exceeds\ the\ maximum\ number\ of\ tokens
    |inputs`?\ tokens\ \+\ `?max_new_tokens|request_too_large""",
    re.VERBOSE | re.IGNORECASE,
)
_NO_TOOLS = re.compile(
    r"(does not|doesn't|do not|don't|not) support (tool|function)|requires --jinja"
    r"|--enable-auto-tool-choice|support(s)? tool use|tools? (is|are) not supported"
    r"|unsupported.{0,40}tools",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model.{0,80}(not found|does not exist|not exist)|not a valid model|model_not_found"
    r"|unknown model|no such model|invalid model",
    re.IGNORECASE,
)
_TITLE = re.compile(r"<title[^>]*>([^<]*\S[^<]*)</title>", re.IGNORECASE)
_NO_CREDIT = re.compile(r"insufficient_quota|credit balance|billing|payment", re.IGNORECASE)
# Words for a failure that stand inside a stream, where there is no status any more.
_STATUS_OF_WORD = {
    "overloaded_error": 529,
    "overloaded": 529,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "invalid_request_error": 400,
    "request_too_large": 413,
}
_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})


@dataclass(frozen=True, slots=True)
class Refusal:
    """A server's answer that is not a reply: a status other than 200, or an error in a stream.

    Attributes:
        words: All the server said, to look for known wordings in.
        said: Its message for people, on one line, safe to show.
        retry_after_s: What it asked to wait; None when it did not say.
    """

    status: int
    words: str
    said: str
    retry_after_s: float | None = None

    @property
    def is_passing(self) -> bool:
        """Say whether the same request may succeed a little later."""
        return self.status in _PASSING and not self.is_too_long and not self.is_out_of_credit

    @property
    def is_too_long(self) -> bool:
        """Say whether the request does not fit the model's window."""
        return self.status == 413 or _TOO_LONG.search(self.words) is not None  # noqa: PLR2004

    @property
    def is_about_tools(self) -> bool:
        """Say whether the model was refused only for the tools offered to it."""
        return _NO_TOOLS.search(self.words) is not None

    @property
    def is_about_model(self) -> bool:
        """Say whether the server has no such model, or no such address."""
        named = self.status in {400, 404, 422} and _NO_MODEL.search(self.words) is not None
        return self.status == 404 or named  # noqa: PLR2004

    @property
    def is_out_of_credit(self) -> bool:
        """Say whether waiting does not help, paying does."""
        if self.status == 429 and self.retry_after_s is not None:  # noqa: PLR2004
            return False
        known = self.status in {400, 403, 429} and _NO_CREDIT.search(self.words) is not None
        return self.status == 402 or known  # noqa: PLR2004


def read_refusal(status: int, body: str, address: ModelAddress, retry_after: str = "") -> Refusal:
    """Read the answer of a server that refused, whatever shape it has."""
    value = as_dict(object_of(body))
    inner = as_dict(value.get("error"))
    message = as_str(inner.get("message")) or as_str(value.get("error"))
    message = message or as_str(value.get("message")) or as_str(value.get("detail"))
    if not message and not value:
        message = _words_of_page(body)
    return Refusal(status, body[:20_000], quoted(message, address), _seconds(retry_after))


def read_stream_error(payload: dict[str, object], address: ModelAddress) -> Refusal:
    """Read an error object that came inside a stream that began well."""
    error = payload.get("error")
    inner = as_dict(error)
    message = as_str(inner.get("message")) or as_str(error) or as_str(payload.get("message"))
    status = as_int(inner.get("code")) or as_int(inner.get("status"))
    for word in (inner.get("type"), inner.get("code")):
        status = status or _STATUS_OF_WORD.get(as_str(word), 0)
    words = f"{inner.get('type', '')} {inner.get('code', '')} {message}"
    return Refusal(status or 500, words, quoted(message or words, address))


def error_of(  # noqa: PLR0911 - a table of cases reads best
    refusal: Refusal, address: ModelAddress, served: tuple[str, ...] | None = None
) -> ModelError:
    """Choose the error for a refusal.

    Args:
        refusal: What the server answered.
        address: Who was asked.
        served: The models the server lists; None when it lists none or was not asked.
    """
    host, model = address.host, address.model
    what = f"{host} answered {refusal.status}" + (f": {refusal.said}" if refusal.said else "")
    if refusal.is_too_long:
        return ContextTooLongError(
            f"{what}. The request is longer than the window of {model}: give it less context,"
            " or raise `context_tokens` if the model can hold more."
        )
    if refusal.is_out_of_credit:
        return ModelRefusedError(f"{what}. The account has no credit left; add some there.")
    if refusal.is_about_model:
        return _no_model(what, address, served)
    match refusal.status:
        case 401 | 403 if not address.header_key:
            return ModelRefusedError(
                f"{what}. It wants a key and none is set for it: put the key into an environment"
                ' variable, and name that beside the model: key_env = "ITS_NAME".'
            )
        case 401 | 403:
            return ModelRefusedError(
                f"{what}. The key was refused: check it, and that it may use {model}."
            )
        case 429:
            return ModelBusyError(f"{what}. Too many requests{_wait(refusal)}")
        case status if refusal.is_passing:
            loading = " It may still be loading the model." if status == 503 else ""  # noqa: PLR2004
            return ModelBusyError(f"{what}.{loading} Try again later{_wait(refusal)}")
        case status if 300 <= status < 400:  # noqa: PLR2004
            return ModelRefusedError(
                f"{what}. It sends us elsewhere, and a key does not follow:"
                " set base_url to the address it means."
            )
        case status if status >= 500:  # noqa: PLR2004
            return ModelBusyError(f"{what}. The server failed; its own log says why.")
        case _:
            return ModelReplyError(f"{what}. It does not take this request for {model}.")


def page_error(page: str, address: ModelAddress) -> ModelError:
    """Say that a web page came where a reply should: another address, or a login, is meant."""
    words = quoted(_words_of_page(page), address)
    shown = f" (“{words}”)" if words else ""
    path = " Most servers of the kind openai have it end in /v1." * (address.kind == "openai")
    return ModelRefusedError(
        f"{address.host} answered with a web page{shown} where a reply should be. Is base_url"
        f" ({address.root}) right?{path} A proxy or network that wants a login first answers so,"
        " too: open the address in a browser."
    )


def _words_of_page(page: str) -> str:
    """Return what a web page is called, or what it says; text that is no page is as it was."""
    titled = _TITLE.search(page)
    return unescape(titled[1]) if titled else re.sub(r"<[^>]{0,200}>", " ", page[:2000])


def quoted(text: str, address: ModelAddress) -> str:
    """Make a stranger's words fit to show: one short line, no control characters, no key."""
    if address.header_key:
        text = text.replace(address.header_key, "[key]")
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    line = line.rstrip(".")
    return line if len(line) <= MOST_QUOTED else line[: MOST_QUOTED - 1] + "…"


def _no_model(what: str, address: ModelAddress, served: tuple[str, ...] | None) -> ModelError:
    """Say that the model is missing, with what there is instead."""
    model = address.model
    if served is None:
        return ModelRefusedError(
            f"{what}. Check the model's name ({model}) and base_url ({address.root})."
        )
    if model in served:
        return ModelRefusedError(
            f"{what}. It lists {model}, so base_url ({address.root}) or `kind` is wrong."
        )
    names = ", ".join(quoted(name, address) for name in served[:8])
    names += f" and {len(served) - 8} more" if len(served) > 8 else ""  # noqa: PLR2004
    has = f"It has: {names}." if names else "It has no model at all."
    pull = f" Get it with `ollama pull {model}`, or choose another." * (address.kind == "ollama")
    return ModelRefusedError(f"{what}. {has}{pull or ' Choose one of these.' * bool(names)}")


def _wait(refusal: Refusal) -> str:
    """Say how long the server wants to be left alone, if it said so."""
    if refusal.retry_after_s is None:
        return "."
    return f"; it asks to wait {refusal.retry_after_s:.0f} s."


def _seconds(text: str) -> float | None:
    """Read a Retry-After header: seconds, or an HTTP date; RFC 9110, section 10.2.3."""
    import email.utils  # noqa: PLC0415 - only where a server is busy
    import time  # noqa: PLC0415

    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None
