"""Numbers from outside, bounded: at most 20 digits before the point and 18 after it, ASCII only."""

import re
from decimal import Decimal

from nightdesk.model.errors import Refused
from nightdesk.sources.tradingview.refusal import empty, wrong

INTEGER_DIGITS = 20
DECIMALS = 18

_PLAIN = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,2})?")
_SHORT = 18
"""A number without an exponent and of at most this length is inside both bounds."""


def decimal(value: object, field: str, *, positive: bool = False) -> Decimal:
    """The exact number in `value` (text, Decimal or int; never a float or a truth value).

    Raises `Refused` naming the field, the value and what is expected. With `positive` zero is refused as well.
    """
    text = value if isinstance(value, str) else _as_text(value, field, positive=positive)
    if not _PLAIN.fullmatch(text):
        raise empty(field) if not text.strip() else _refusal(field, value, positive=positive)
    number = Decimal(text)
    if len(text) > _SHORT or "e" in text or "E" in text:
        number = _bounded(number, field, value, positive=positive)
    if positive and number <= 0:
        raise _refusal(field, value, positive=positive)
    return number or Decimal(0)


def _as_text(value: object, field: str, *, positive: bool) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**INTEGER_DIGITS:
        return str(value)
    if isinstance(value, Decimal):
        return str(value)
    raise _refusal(
        field, value if not isinstance(value, int) or isinstance(value, bool) else "a huge integer", positive=positive
    )


def _bounded(number: Decimal, field: str, value: object, *, positive: bool) -> Decimal:
    sign, digits, exponent = number.as_tuple()
    kept = "".join(map(str, digits)).rstrip("0")
    if not kept:
        return Decimal(0)
    exponent = int(exponent) + len(digits) - len(kept)
    if number.adjusted() >= INTEGER_DIGITS or -exponent > DECIMALS:
        raise _refusal(field, value, positive=positive)
    plain = Decimal(f"{'-' if sign else ''}{kept}E{exponent}")
    return Decimal(format(plain, "f")) if exponent > 0 else plain


def _refusal(field: str, value: object, *, positive: bool) -> Refused:
    kind = "a plain positive number" if positive else "a plain number"
    return wrong(
        field,
        value,
        f"{kind} such as 0.25 with at most {INTEGER_DIGITS} digits before the point and {DECIMALS} after it",
    )
