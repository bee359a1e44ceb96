"""Numbers, times and states as people read them, in the terminal and on every page."""

from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from nightdesk.model.enums import Doubt, OrdStatus
from nightdesk.web.records import OrderLine

MINUS = "−"
_DOUBTS = {
    Doubt.UNKNOWN: "no answer from the venue",
    Doubt.MISSING: "the venue no longer knows it",
    Doubt.DISPUTED: "the evidence contradicts itself",
}
_STATES = {
    OrdStatus.PENDING_NEW: ("info", "○", "Being sent"),
    OrdStatus.HELD: ("warn", "◆", "Waits for you"),
    OrdStatus.NEW: ("info", "●", "At the venue"),
    OrdStatus.PARTIALLY_FILLED: ("info", "◐", "Partly filled"),
    OrdStatus.FILLED: ("good", "●", "Filled"),
    OrdStatus.CANCELED: ("muted", "○", "Canceled"),
    OrdStatus.EXPIRED: ("muted", "○", "Expired"),
    OrdStatus.REJECTED: ("bad", "▲", "Rejected by the venue"),
    OrdStatus.DENIED: ("bad", "▲", "Denied"),
}


def amount(value: Decimal, *, places: int | None = None) -> str:
    """The number with thousands separated; all its digits, or so many places."""
    if places is not None:
        value = value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
    text = f"{abs(value):,f}"
    if places is None and "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{MINUS}{text}" if value < 0 and text.strip("0.,") else text


def price(value: Decimal) -> str:
    """A price: two places, more where it is small, so that six digits tell two prices apart."""
    if value == 0:
        return "0"
    places = max(2, 6 - value.adjusted() - 1)
    text = amount(value, places=min(places, 12))
    whole, point, rest = text.partition(".")
    rest = rest.rstrip("0").ljust(2, "0")
    return f"{whole}{point}{rest}"


def signed(value: Decimal, *, places: int | None = None) -> str:
    """As `amount`, with its sign always shown."""
    text = amount(value, places=places)
    return f"+{text}" if value > 0 and text.strip("0.,") else text


def money(value: Decimal, currency: str = "USD") -> str:
    """An amount of money in cents: `$1,234.50`, or with the currency behind it."""
    text = amount(value, places=2)
    if currency != "USD":
        return f"{text} {currency}"
    return f"{MINUS}${text[1:]}" if text.startswith(MINUS) else f"${text}"


def signed_money(value: Decimal, currency: str = "USD") -> str:
    """As `money`, with its sign always shown."""
    text = money(value, currency)
    return f"+{text}" if value > 0 and any(digit in text for digit in "123456789") else text


def span(length: timedelta) -> str:
    """A duration in the unit that fits: `2.9 ms`, `0:42`, `4 min`, `3 h`, `2 days`."""
    seconds = length.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min"
    if seconds < 172_800:
        return f"{int(seconds // 3600)} h"
    return f"{int(seconds // 86_400)} days"


def ago(at: datetime, now: datetime) -> str:
    """How long ago it was, to the second below a minute."""
    seconds = max(0, int((now - at).total_seconds()))
    if seconds < 60:
        return f"{seconds} s ago"
    return f"{span(timedelta(seconds=seconds))} ago"


def plural(count: int, one: str, many: str | None = None) -> str:
    """The count with its noun: `1 order`, `2 orders`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def listed(names: list[str]) -> str:
    """The names as a sentence lists them: `a`, `a and b`, `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def state_words(line: OrderLine) -> tuple[str, str, str]:
    """Colour, mark and word of an order's state: ("good", "●", "Filled")."""
    if line.doubt is not Doubt.NONE:
        return "warn", "◆", f"In doubt: {_DOUBTS[line.doubt]}"
    colour, mark, word = _STATES[line.ord_status]
    if line.ord_status is OrdStatus.DENIED and line.check:
        word = f"Denied: {line.check}"
    if line.cum_qty and line.ord_status in (OrdStatus.CANCELED, OrdStatus.EXPIRED):
        return "info", "◐", "Partly filled"
    return colour, mark, word


def did(line: OrderLine) -> str:
    """The verb of what was traded: Bought, Sold."""
    return "Bought" if line.side == "BUY" else "Sold"


def wish(line: OrderLine) -> str:
    """What the order is for: `buy 0.5 ETH-USD`."""
    return f"{line.side.lower()} {amount(line.order_qty)} {line.symbol}"
