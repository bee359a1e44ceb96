"""The bytes of an alert as one JSON object or as text, with everything that could hurt later refused here.

TradingView sends `application/json` only when the filled-in message happens to be valid JSON, so the content type
is not asked. Bytes that are not UTF-8 are read as Latin-1 with a note: whatever can be traded is ASCII in any case.
"""

import json
import re
from dataclasses import dataclass
from enum import StrEnum

from nightdesk.model.denial import DenyCode
from nightdesk.model.errors import Refused
from nightdesk.sources.tradingview.refusal import PLACEHOLDER, SIMPLEST, unfilled, wrong
from nightdesk.sources.wording import clip

MAX_BYTES = 16 * 1024
MAX_DEPTH = 16
MAX_DIGITS = 40


class Number(str):
    """The digits of a JSON number as they were sent; `numbers.decimal` makes a number of them."""

    __slots__ = ()


class NotANumber(Number):
    """NaN or Infinity, which JSON does not know and Python's reader takes."""

    __slots__ = ()


Json = dict[str, "Json"] | list["Json"] | str | bool | None
"""A JSON value; numbers are `Number`, which is text."""


class BodyKind(StrEnum):
    """What a body was read as."""

    JSON = "JSON"
    TEXT = "TEXT"


@dataclass(frozen=True, slots=True)
class Body:
    """A body that was read: `fields` of a JSON object, or none of them for text; `text` is as received."""

    kind: BodyKind
    text: str
    fields: dict[str, Json]
    notes: tuple[str, ...] = ()


def read_body(raw: bytes) -> Body:
    """The body as one JSON object or as text; `Refused` with a code and a field for anything else."""
    if len(raw) > MAX_BYTES:
        raise Refused(DenyCode.BODY_TOO_LARGE, f"The body has {len(raw)} bytes; at most {MAX_BYTES} are read.")
    text, notes = _decoded(raw)
    if not text:
        raise Refused(DenyCode.INVALID_SIGNAL, f"The body is empty. The simplest one that works: {SIMPLEST}")
    if text[0] not in "{[":
        if found := _FORBIDDEN.search(text):
            raise _forbidden("body", found.group())
        return Body(BodyKind.TEXT, text, {}, notes)
    if text.count("{") + text.count("[") > MAX_DEPTH:
        _check_depth(text)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as e:
        raise _broken(text, e) from e
    if not isinstance(value, dict):
        raise Refused(
            DenyCode.INVALID_SIGNAL,
            f"The body is a list; send one alert per request. The simplest body that works: {SIMPLEST}",
        )
    if _SUSPECT.search(text):
        _check_values(value, "")
    return Body(BodyKind.JSON, text, value, notes)


_SPACE = " \t\r\n"
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_FORBIDDEN = re.compile(f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{_BIDI}\ud800-\udfff]")
# What may hide a forbidden value; nothing else pays for the walk that names the field.
_SUSPECT = re.compile(rf"{_FORBIDDEN.pattern}|\\u|\\[bf]|[0-9.eE+-]{{{MAX_DIGITS}}}|NaN|Infinity")
# The quote may be missing at the end: an unclosed string then takes the rest, and the scan stays linear.
_NESTING = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


def _decoded(raw: bytes) -> tuple[str, tuple[str, ...]]:
    try:
        return raw.decode("utf-8-sig").strip(_SPACE), ()
    except UnicodeDecodeError:
        return raw.decode("latin-1").strip(_SPACE), ("The body is not UTF-8; it was read as Latin-1.",)


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise Refused(DenyCode.FIELD_INVALID, f"{clip(key)} is given more than once.", field=key[:64])
            seen.add(key)
    return value


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=Number, parse_float=Number, parse_constant=NotANumber, strict=False
)


def _check_depth(text: str) -> None:
    depth = 0
    for token in _NESTING.finditer(text):
        mark = token.group()[0]
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise Refused(DenyCode.BODY_TOO_DEEP, f"The body is nested more than {MAX_DEPTH} levels deep.")
        elif mark != '"':
            depth -= 1


def _check_values(value: Json, path: str) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            inner = f"{path}.{key}" if path else key
            if found := _FORBIDDEN.search(key):
                raise _forbidden(_FORBIDDEN.sub("?", inner)[:64], found.group())
            _check_values(item, inner[:64])
    elif isinstance(value, list):
        for item in value:
            _check_values(item, path)
    elif isinstance(value, NotANumber):
        raise wrong(path, value, "a number")
    elif isinstance(value, Number):
        if (digits := sum(map(str.isdigit, value))) > MAX_DIGITS:
            raise wrong(path, value, f"a number of at most {MAX_DIGITS} digits, not {digits}")
    elif isinstance(value, str) and (found := _FORBIDDEN.search(value)):
        raise _forbidden(path, found.group())


def _forbidden(field: str, char: str) -> Refused:
    return Refused(
        DenyCode.FIELD_INVALID,
        f"{field} holds the character U+{ord(char):04X}, a control, direction or surrogate character. Remove it.",
        field=field,
    )


def _broken(text: str, e: json.JSONDecodeError) -> Refused:
    """A body that starts like JSON and is not; an unquoted placeholder is the usual cause, so it is named first."""
    if found := PLACEHOLDER.search(text):
        name = re.search(
            r'"([^"\n]{1,64})"\s{0,8}:\s{0,8}"?[^"\n]{0,40}$', text[max(0, found.start() - 160) : found.start()]
        )
        return unfilled(name.group(1) if name else "body", found.group())
    return Refused(
        DenyCode.INVALID_SIGNAL,
        f"The body starts like JSON and is not: {e.msg} at line {e.lineno}, column {e.colno}. "
        f"The simplest body that works: {SIMPLEST}",
        field="body",
    )
