"""Values of settings by type, strictly: nothing is rounded, guessed or converted on the way."""

import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union

from nightdesk.runtime.config_tree import Masked, Pattern, Range, SymbolNames

_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,18})?")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a type hint of a settings dataclass allows."""

    base: Any
    """bool, int, float, Decimal, str, Path, an Enum, a dataclass, tuple (of texts) or Mapping."""
    item: Any = None
    """Mapping: str, or the dataclass of its tables."""
    optional: bool = False
    choices: tuple[str, ...] = ()
    markers: tuple[object, ...] = ()

    @property
    def masked(self) -> bool:
        """True where the value may hold a secret."""
        return any(isinstance(each, Masked) for each in self.markers)

    @property
    def ranged(self) -> bool:
        """True where the number has bounds; only one without may be `inf`."""
        return any(isinstance(each, Range) for each in self.markers)

    @property
    def symbol_names(self) -> bool:
        """True for a table whose names are symbols."""
        return any(isinstance(each, SymbolNames) for each in self.markers)

    @property
    def is_section(self) -> bool:
        """True for a table with the keys of one dataclass."""
        return is_dataclass(self.base)

    @property
    def is_sections(self) -> bool:
        """True for a table of named tables."""
        return self.base is Mapping and is_dataclass(self.item)

    @property
    def words(self) -> str:
        """What is expected, as a person says it."""
        words = next((each.words for each in self.markers if isinstance(each, Pattern)), "") or self._base_words()
        ranges = [each.words for each in self.markers if isinstance(each, Range)]
        return " ".join([words, *ranges]) + (", or none" if self.optional else "")

    def _base_words(self) -> str:
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.is_section or self.is_sections:
            return "a table"
        known = {
            bool: "true or false",
            int: "a whole number",
            float: "a number",
            Decimal: "a number",
            str: "a text",
            Path: "a path",
            tuple: "a list of texts (in the environment: one,two)",
            Mapping: "a table of texts (in the environment: A=B,C=D)",
        }
        return known[self.base]


def shape_of(hint: Any, markers: tuple[object, ...] = ()) -> Shape:
    """The shape of a type hint, with `Annotated`, `X | None`, `Literal` and `NewType` taken apart."""
    if isinstance(hint, typing.NewType):
        return shape_of(hint.__supertype__, markers)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return shape_of(arguments[0], (*markers, *arguments[1:]))
    if origin in (Union, types.UnionType):
        (inner,) = (each for each in arguments if each is not types.NoneType)
        shape = shape_of(inner, markers)
        return Shape(base=shape.base, item=shape.item, choices=shape.choices, markers=shape.markers, optional=True)
    if origin is Literal:
        return Shape(base=str, choices=tuple(arguments), markers=markers)
    if origin is tuple:
        return Shape(base=tuple, item=str, markers=markers)
    if origin is not None:
        return Shape(base=Mapping, item=arguments[1], markers=markers)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return Shape(base=hint, choices=tuple(str(each.value).lower() for each in hint), markers=markers)
    return Shape(base=hint, markers=markers)


def read_value(shape: Shape, value: object, *, textual: bool) -> object:
    """The value in the shape's type; raises ValueError where it is not exactly that.

    `textual` values come from the environment or the command line, others from TOML.
    """
    if value == "none" and shape.optional:
        return None
    result = _from_text(shape, value) if textual and isinstance(value, str) else _from_toml(shape, value)
    for marker in shape.markers:
        if isinstance(marker, (Range, Pattern)) and not marker.holds(result):  # type: ignore[arg-type]
            raise ValueError(shape.words)
    return result


def _from_text(shape: Shape, text: str) -> object:
    if shape.base is bool:
        if text not in ("true", "false"):
            raise ValueError(shape.words)
        return text == "true"
    if shape.base is int:
        if not _INTEGER.fullmatch(text):
            raise ValueError(shape.words)
        return int(text)
    if shape.base in (float, Decimal):
        return _from_toml(shape, Decimal(text) if text == "inf" else text)
    if shape.base is tuple:
        return tuple(_plain(shape, each.strip()) for each in text.split(",")) if text.strip() else ()
    if shape.base is Mapping:
        pairs = [each.partition("=") for each in text.split(",")] if text.strip() else []
        if not all(equals and name.strip() and value.strip() for name, equals, value in pairs):
            raise ValueError(shape.words)
        return {_plain(shape, name.strip()): _plain(shape, value.strip()) for name, _, value in pairs}
    return _from_toml(shape, text)


def _from_toml(shape: Shape, value: object) -> object:
    if shape.base in (bool, int):
        if type(value) is not shape.base:
            raise ValueError(shape.words)
        return value
    if shape.base is float and value == Decimal("inf") and not shape.ranged:
        return float("inf")
    if shape.base in (float, Decimal):
        return shape.base(_number(shape, value))
    if shape.base is tuple:
        if not isinstance(value, list):
            raise ValueError(shape.words)
        return tuple(_plain(shape, each) for each in value)
    if shape.base is Mapping:
        if value != {}:
            raise ValueError(shape.words)
        return {}
    return _named(shape, _plain(shape, value, empty=True))


def _named(shape: Shape, text: str) -> object:
    if isinstance(shape.base, type) and issubclass(shape.base, Enum):
        for member in shape.base:
            if str(member.value).lower() == text.lower():
                return member
        raise ValueError(shape.words)
    if shape.choices and text not in shape.choices:
        raise ValueError(shape.words)
    if shape.base is Path:
        if not text:
            raise ValueError(shape.words)
        return Path(text).expanduser()
    return text


def _number(shape: Shape, value: object) -> str:
    # The text of the number, so that a Decimal is what was written and never what a float made of it.
    if isinstance(value, Decimal):
        text = format(value, "f") if value.is_finite() and -30 < value.adjusted() < 30 else ""
    elif type(value) is int:
        text = str(value) if value.bit_length() < 70 else ""
    else:
        text = value if isinstance(value, str) else ""
    if not _NUMBER.fullmatch(text):
        raise ValueError(shape.words)
    return text


def _plain(shape: Shape, value: object, *, empty: bool = False) -> str:
    if not isinstance(value, str) or _CONTROL.search(value) or not (value or empty):
        raise ValueError(shape.words)
    return value
