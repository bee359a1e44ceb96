"""What a settings dataclass may say about its keys beyond their type: bounds, patterns, names, secrecy.

Written as `Annotated[...]` beside the type, so that a room's `config.py` states each key once: name, type, bounds,
default, and one line of what it does in the docstring under it.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The numbers a key takes."""

    above: int | None = None
    at_least: int | None = None
    at_most: int | None = None

    def holds(self, value: Decimal | float) -> bool:
        """True when the number lies inside."""
        return (
            (self.above is None or value > self.above)
            and (self.at_least is None or value >= self.at_least)
            and (self.at_most is None or value <= self.at_most)
        )

    @property
    def words(self) -> str:
        """The range as a person says it: `above 0`, `from 0 to 65535`."""
        if self.at_least is not None and self.at_most is not None:
            return f"from {self.at_least} to {self.at_most}"
        parts = []
        if self.above is not None:
            parts.append(f"above {self.above}")
        if self.at_least is not None:
            parts.append(f"{self.at_least} or more")
        if self.at_most is not None:
            parts.append(f"at most {self.at_most}")
        return " and ".join(parts)


@dataclass(frozen=True, slots=True)
class Pattern:
    """The texts a key takes: a regular expression for the whole text, and its meaning in words."""

    regex: str
    words: str

    def holds(self, value: str) -> bool:
        """True when the whole text matches."""
        return re.fullmatch(self.regex, value) is not None


@dataclass(frozen=True, slots=True)
class Masked:
    """The value may hold a secret: it is never shown."""


@dataclass(frozen=True, slots=True)
class SymbolNames:
    """The names inside this table are symbols (`BTC-USD`); all other tables take lower-case names."""


Seconds = Annotated[float, Range(above=0)]
"""A duration that is never zero."""
Amount = Annotated[Decimal, Range(above=0)]
"""A quantity or a value in money, never zero."""
Count = Annotated[int, Range(at_least=1)]
"""A whole number of things, at least one."""
