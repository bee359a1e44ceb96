"""One field of a body at a time, under the rules all forms share."""

import re
from datetime import datetime
from decimal import Decimal

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import OrdType, TimeInForce
from nightdesk.model.errors import Refused
from nightdesk.model.signal import Aim, Size, SizeUnit
from nightdesk.sources.tradingview.body import Json
from nightdesk.sources.tradingview.fields import Fields
from nightdesk.sources.tradingview.numbers import decimal
from nightdesk.sources.tradingview.parsed import ParseSettings
from nightdesk.sources.tradingview.refusal import empty, missing, not_done, wrong
from nightdesk.sources.tradingview.times import instant
from nightdesk.sources.tradingview.words import ORD_TYPES, TIMES_IN_FORCE, UNITS, listed

_SYMBOL = re.compile(r"[A-Za-z0-9$^][A-Za-z0-9:/._!&+$^-]*(?: [A-Za-z0-9]+)?")
_SYMBOL_LENGTH = 64
_VENUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
_VENUES = 32
_ID_LENGTH = 200
_MAX_LAG = re.compile(r"[0-9]{1,7}(?:\.0+)?")
_DAY = 86_400
_HUNDRED = Decimal(100)

_IDS = ("idempotency_key", "alert_id", "signal_id", "cid", "alert_timestamp")
_TIMES = ("timenow", "timestamp", "fired_at", "sent_at")


def read_symbol(fields: Fields, settings: ParseSettings) -> str:
    """The sender's own symbol, or the hook's where the body names none."""
    value = fields.get("symbol")
    if value is None:
        if settings.default_symbol is None:
            raise missing("symbol", "name what to trade, for example BTC-USD")
        return settings.default_symbol
    if isinstance(value, str):
        symbol = value.strip()
        if len(symbol) <= _SYMBOL_LENGTH and _SYMBOL.fullmatch(symbol):
            return symbol
        if not symbol:
            raise empty(fields.key("symbol"))
    raise wrong(fields.key("symbol"), value, "a symbol such as BTC-USD or BINANCE:BTCUSDT")


def read_size(fields: Fields, aim: Aim) -> Size | None:
    """The size and its unit; None where the body leaves it to the hook (TRADE) or means all of it (CLOSE)."""
    if "size" not in fields:
        if "quote_size" not in fields:
            return None
        amount = fields.number("quote_size")
        return None if amount is None else Size(value=amount, unit=SizeUnit.QUOTE)
    key = fields.key("size")
    if "quote_size" in fields:
        raise Refused(
            DenyCode.FIELD_INVALID,
            f"{key} and {fields.key('quote_size')} both name a size. Send one of them.",
            field=fields.key("quote_size"),
        )
    unit = _unit(fields) if "size_unit" in fields else None
    return sized(fields.get("size"), key, unit, aim)


def sized(value: Json, key: str, unit: SizeUnit | None, aim: Aim) -> Size:
    """A size such as `0.5` or `5%`; a percent is of equity for a trade and of the position for a close."""
    if isinstance(value, str) and value.endswith("%"):
        of_position = aim is Aim.CLOSE or unit is SizeUnit.PERCENT_OF_POSITION
        meant = SizeUnit.PERCENT_OF_POSITION if of_position else SizeUnit.PERCENT_OF_EQUITY
        if unit not in (None, SizeUnit.PERCENT_OF_EQUITY, SizeUnit.PERCENT_OF_POSITION):
            raise wrong(key, value, f"a number without a percent sign, as its unit is {unit.value.lower()}")
        value, unit = value[:-1], meant
    amount = decimal(value, key, positive=True)
    if unit is SizeUnit.PERCENT_OF_POSITION and amount > _HUNDRED:
        raise wrong(key, str(amount), "at most 100 percent of the position")
    return Size(value=amount) if unit is None else Size(value=amount, unit=unit)


def _unit(fields: Fields) -> SizeUnit:
    unit = UNITS.get(fields.word("size_unit") or "")
    if unit is None:
        known = ", ".join(unit.value.lower() for unit in SizeUnit)
        raise wrong(fields.key("size_unit"), fields.get("size_unit"), f"one of {known}")
    return unit


def read_target(fields: Fields) -> Decimal | None:
    """The strategy's position after this order, signed; None where the body does not tell it."""
    signed = fields.number("position_size", positive=False)
    word = fields.word("market_position")
    if word is None:
        return signed
    sign = {"long": 1, "short": -1, "flat": 0}.get(word)
    if sign is None:
        raise wrong(fields.key("market_position"), fields.get("market_position"), "long, short or flat")
    size = fields.number("market_position_size", positive=False) if sign else Decimal(0)
    if size is None:
        size = signed
    if size is None:
        raise missing("market_position_size", f"market_position is {word} and does not say how much")
    target = abs(size) * sign
    if sign and not target:
        raise wrong(fields.key("market_position_size"), "0", f"more than 0 where market_position is {word}")
    if signed is not None and signed != target:
        raise wrong(fields.key("position_size"), str(signed), f"{target}, as market_position says")
    return target


def read_prices(fields: Fields) -> tuple[OrdType, Decimal | None, Decimal | None, Decimal | None]:
    """Order type, limit price, stop price and the price the sender saw.

    A `price` without an order type is the price that was seen; a `limit_price` without one makes a limit order.
    """
    ord_type = _ord_type(fields)
    seen = _optional(fields, "signal_price") if "signal_price" in fields else None
    price = _optional(fields, "price") if "price" in fields else None
    if ord_type is OrdType.MARKET:
        return ord_type, None, None, price if seen is None else seen
    limit = stop = None
    if ord_type is not OrdType.STOP:
        limit = fields.number("limit_price") if "limit_price" in fields else price
        if limit is None:
            raise missing("price", f"a {ord_type.value.lower()} order needs one")
    if ord_type is not OrdType.LIMIT:
        stop = fields.number("stop_price")
        if stop is None:
            raise missing("stop_price", f"a {ord_type.value.lower()} order needs one")
    return ord_type, limit, stop, seen


def _ord_type(fields: Fields) -> OrdType:
    name = "order_type" if "order_type" in fields else "type"
    if name in fields and (word := fields.word(name)):
        if found := ORD_TYPES.get(word):
            return found
        if name == "order_type":
            if word.startswith("trailing"):
                raise not_done(
                    fields.key(name), "Trailing orders are not taken from alerts; send a market or stop order."
                )
            raise wrong(fields.key(name), fields.get(name), f"one of {listed(ORD_TYPES)}")
    if "stop_price" in fields and fields.filled("stop_price"):
        raise missing("order_type", "stop_price does not say whether it starts a stop or a stop_limit order")
    return OrdType.LIMIT if "limit_price" in fields and fields.filled("limit_price") else OrdType.MARKET


def _optional(fields: Fields, name: str) -> Decimal | None:
    return fields.number(name) if fields.filled(name) else None


def plain_price(fields: Fields, name: str) -> Decimal | None:
    """An absolute price; a distance (`2%`, an object) is only noted."""
    value = fields.get(name)
    if isinstance(value, (dict, list, bool)) or value in (None, "") or str(value).endswith("%"):
        return None
    return fields.number(name)


def read_time_in_force(fields: Fields) -> TimeInForce:
    """GTC, IOC or FOK."""
    found = TIMES_IN_FORCE.get(fields.word("time_in_force") or "")
    if found is None:
        raise wrong(fields.key("time_in_force"), fields.get("time_in_force"), f"one of {listed(TIMES_IN_FORCE)}")
    return found


def read_venues(fields: Fields) -> tuple[str, ...]:
    """The venues named, in order and once each, in lower case; a list, or one text with commas between them."""
    value, key = fields.get("venues"), fields.key("venues")
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not 0 < len(names) <= _VENUES:
        raise wrong(key, value, "a list of venue names")
    venues = []
    for name in names:
        venue = name.strip() if isinstance(name, str) else ""
        if not _VENUE.fullmatch(venue):
            raise wrong(key, name, "venue names")
        venues.append(venue.lower())
    return tuple(dict.fromkeys(venues))


def read_id(fields: Fields) -> str | None:
    """The sender's own id of this alert, kept for good; the most deliberate of several wins."""
    for name in _IDS:
        if name in fields and fields.filled(name):
            value = fields.get(name)
            if isinstance(value, str) and len(value) <= _ID_LENGTH and value.isprintable() and "{{" not in value:
                return value
            raise wrong(fields.key(name), value, f"text of at most {_ID_LENGTH} characters")
    return None


def read_time(fields: Fields) -> datetime | None:
    """When the sender says it fired. `time` and `bar_time` are the bar's and say nothing about it."""
    for name in _TIMES:
        if name in fields and fields.filled(name):
            return instant(fields.get(name), fields.key(name))
    return None


def read_max_lag(fields: Fields) -> int | None:
    """Whole seconds, from 1 to a day."""
    value = fields.get("max_lag")
    if value == "":
        return None
    if isinstance(value, str) and _MAX_LAG.fullmatch(value) and 0 < (seconds := int(value.split(".")[0])) <= _DAY:
        return seconds
    raise wrong(fields.key("max_lag"), value, f"whole seconds from 1 to {_DAY}")
