"""Events as JSON and back: strict both ways, so that what is written can be read for ever.

`encode` refuses an event whose values are not what its class declares: a list where a tuple
belongs is found when it is written, not by whoever resumes the session. Nested values may be
dataclasses, tuples, dicts with str keys, literals, unions with None, and plain JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias, Union, cast, get_args, get_origin
from typing import get_type_hints as hints_of

from turbo_tui.core.errors import SessionError
from turbo_tui.core.events import Event
from turbo_tui.core.ports import Record

Json: TypeAlias = object
Data: TypeAlias = dict[str, object]
Convert: TypeAlias = Callable[[object], object]
Upcast: TypeAlias = Callable[[Data], Data]

UPCASTS: dict[tuple[str, int], Upcast] = {}
"""(kind, v) -> how data of that version becomes data of version v + 1."""

_dumps = json.JSONEncoder(
    sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False
).encode


def canonical(value: Json) -> str:
    """Write a JSON value in the one form that hashes are taken over.

    Sorted keys, no spaces, ASCII: so names that are not UTF-8 (lone surrogates) pass too.

    Raises:
        SessionError: The value is not JSON, or holds a NaN or an infinity.
    """
    try:
        return _dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise SessionError(f"A value cannot be written as JSON: {error}.") from error


def kind_of(event: Event) -> str:
    """Name an event's kind: its class name."""
    return type(event).__name__


def encode(event: Event) -> Data:
    """Return an event's fields as JSON values, without its kind.

    Raises:
        SessionError: A field holds something else than its class declares.
    """
    kind = kind_of(event)
    try:
        return cast("Data", _codec(type(event))[0](event))
    except _MismatchError as error:
        raise SessionError(f"{kind}{error.place}: {error}; the event is not written.") from None


def decode(kind: str, v: int, data: Json) -> Event:
    """Build the event of a kind from its fields, upcasting older versions first.

    Raises:
        SessionError: Unknown kind, version or field, a field missing or of the wrong type.
    """
    event_class = _event_class(kind)
    if event_class is None:
        raise SessionError(f"unknown kind {kind!r}")
    if not isinstance(data, dict):
        raise SessionError(f"{kind}: its fields are not an object")
    fields_of = cast("Data", data)
    if v != event_class.v:
        fields_of = _upcast(kind, v, event_class.v, fields_of)
    try:
        return cast("Event", _codec(event_class)[1](fields_of))
    except _MismatchError as error:
        raise SessionError(f"{kind}{error.place}: {error}") from None


def record_line(record: Record) -> Data:
    """Return the line of `run --json` for a record: seq, at, by, kind and the event's fields."""
    head: Data = {
        "seq": record.seq,
        "at": record.at,
        "by": record.by,
        "kind": kind_of(record.event),
    }
    return head | encode(record.event)


def kinds() -> Mapping[str, type[Event]]:
    """Return every kind of event that is defined, by name."""
    known: dict[str, type[Event]] = {}
    _walk(Event, known)
    return known


@cache
def _event_class(kind: str) -> type[Event] | None:
    return kinds().get(kind)


def _walk(root: type[Event], known: dict[str, type[Event]]) -> None:
    # `dataclass(slots=True)` makes a second class; the first lingers among the subclasses
    # until it is collected. They come in the order of definition, so the last one is real.
    for event_class in root.__subclasses__():
        known[event_class.__name__] = event_class
        _walk(event_class, known)


def _upcast(kind: str, v: int, wanted: int, data: Data) -> Data:
    for version in range(v, wanted):
        step = UPCASTS.get((kind, version))
        if step is None:
            raise SessionError(f"{kind}: version {version} cannot be read any more")
        data = step(dict(data))
    if v > wanted:
        raise SessionError(
            f"{kind}: version {v} was written by a newer turbo-tui (this one reads up to {wanted})"
        )
    return data


class _MismatchError(Exception):
    """A value that does not fit; `place` grows from the inside out."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.place = ""

    def inside(self, place: str) -> _MismatchError:
        self.place = place + self.place
        return self


@cache
def _codec(kind: Any) -> tuple[Convert, Convert]:  # noqa: ANN401  # any annotation
    """Return (encode, decode) for a type; unknown types are a mistake of ours: TypeError."""
    if kind in _PLAIN:
        return _plain(kind)
    if kind in _LOOSE:
        return _LOOSE[kind], _LOOSE[kind]
    if isinstance(kind, type) and is_dataclass(kind):
        return _dataclass_of(kind)
    build = _GENERIC.get(get_origin(kind))
    if build is None:
        raise TypeError(f"The codec knows no {kind!r}.")
    return build(get_args(kind))


_PLAIN: tuple[type, ...] = (str, int, bool, NoneType)
_WORDS = {str: "text", int: "an integer", bool: "true or false", NoneType: "null"}


def _plain(kind: type) -> tuple[Convert, Convert]:
    def check(value: object) -> object:
        if type(value) is not kind:
            raise _MismatchError(f"{_shown(value)} is not {_WORDS[kind]}")
        return value

    return check, check


def _number(value: object) -> object:
    if type(value) is int or type(value) is float:
        return float(value)
    raise _MismatchError(f"{_shown(value)} is not a number")


def _any_json(value: object) -> object:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_any_json(item) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        entries = cast("dict[object, object]", value)
        return {_key(name): _any_json(item) for name, item in entries.items()}
    raise _MismatchError(f"{_shown(value)} is not JSON")


_LOOSE: dict[object, Convert] = {float: _number, object: _any_json}


def _one_of(choices: tuple[Any, ...]) -> tuple[Convert, Convert]:
    known = frozenset(choices)

    def check(value: object) -> object:
        if not isinstance(value, str) or value not in known:
            raise _MismatchError(f"{_shown(value)} is none of {', '.join(map(str, choices))}")
        return value

    return check, check


def _tuple_of(arguments: tuple[Any, ...]) -> tuple[Convert, Convert]:
    encode_item, decode_item = _codec(arguments[0])

    def pack(value: object) -> object:
        if not isinstance(value, tuple):
            raise _MismatchError(f"{_shown(value)} is not a tuple")
        return _each(cast("tuple[object, ...]", value), encode_item)

    def unpack(value: object) -> object:
        if not isinstance(value, list):
            raise _MismatchError(f"{_shown(value)} is not a list")
        return tuple(_each(cast("list[object]", value), decode_item))

    return pack, unpack


def _each(items: list[object] | tuple[object, ...], convert: Convert) -> list[object]:
    try:
        return [convert(item) for item in items]
    except _MismatchError as error:
        raise error.inside("[…]") from None


def _dict_of(arguments: tuple[Any, ...]) -> tuple[Convert, Convert]:
    encode_item, decode_item = _codec(arguments[1])

    def build(convert: Convert) -> Convert:
        def each(value: object) -> object:
            if not isinstance(value, dict):
                raise _MismatchError(f"{_shown(value)} is not an object")
            entries = cast("dict[object, object]", value)
            return {_key(name): convert(item) for name, item in entries.items()}

        return each

    return build(encode_item), build(decode_item)


def _key(name: object) -> str:
    if type(name) is not str:
        raise _MismatchError(f"key {_shown(name)} is not text")
    return name


def _optional(choices: tuple[Any, ...]) -> tuple[Convert, Convert]:
    inner = [choice for choice in choices if choice is not NoneType]
    if len(inner) != 1 or len(choices) == 1:
        raise TypeError(f"The codec knows unions of one type with None, not of {choices!r}.")
    encode_inner, decode_inner = _codec(inner[0])
    return (
        lambda value: None if value is None else encode_inner(value),
        lambda value: None if value is None else decode_inner(value),
    )


_GENERIC: dict[object, Callable[[tuple[Any, ...]], tuple[Convert, Convert]]] = {
    Literal: _one_of,
    tuple: _tuple_of,
    dict: _dict_of,
    Union: _optional,
    UnionType: _optional,
}


def _dataclass_of(kind: type) -> tuple[Convert, Convert]:
    hints = hints_of(kind)
    shape = {each.name: _codec(hints[each.name]) for each in _fields(kind)}
    required = frozenset(
        each.name
        for each in _fields(kind)
        if each.default is MISSING and each.default_factory is MISSING
    )

    def pack(value: object) -> object:
        if type(value) is not kind:
            raise _MismatchError(f"{_shown(value)} is not a {kind.__name__}")
        return {
            name: _inside(f".{name}", pair[0], getattr(value, name)) for name, pair in shape.items()
        }

    def unpack(value: object) -> object:
        if not isinstance(value, dict):
            raise _MismatchError(f"{_shown(value)} is not an object")
        given = cast("Data", value)
        unknown = given.keys() - shape.keys()
        if unknown:
            raise _MismatchError(f"unknown field {min(unknown)!r}")
        missing = required - given.keys()
        if missing:
            raise _MismatchError(f"field {min(missing)!r} is missing")
        return kind(
            **{name: _inside(f".{name}", shape[name][1], item) for name, item in given.items()}
        )

    return pack, unpack


def _fields(kind: type) -> tuple[Field[object], ...]:
    return cast("tuple[Field[object], ...]", fields(kind))


def _inside(place: str, convert: Convert, value: object) -> object:
    try:
        return convert(value)
    except _MismatchError as error:
        raise error.inside(place) from None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004  # enough to recognise it
