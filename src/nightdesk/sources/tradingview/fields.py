"""The one table of field names, and a reader that finds a field under any of its names."""

from collections.abc import Mapping
from decimal import Decimal

from nightdesk.model.denial import DenyCode
from nightdesk.model.errors import Refused
from nightdesk.sources.tradingview.body import Json
from nightdesk.sources.tradingview.numbers import decimal
from nightdesk.sources.tradingview.refusal import empty, wrong
from nightdesk.sources.tradingview.words import fold

_TRADABLE: dict[str, str] = {
    "symbol": "symbol ticker pair instrument tv_instrument trading_pair",
    "side": "side direction order_side",
    "action": "action order_action strategy_order_action",
    "signal": "signal",
    "type": "type",
    "size": "size qty quantity contracts amount order_size order_qty order_quantity strategy_order_contracts",
    "quote_size": "quote_size quote_qty quote_quantity quote_amount usd_amount amount_usd notional cost",
    "size_unit": "size_unit size_type unit quantity_type qty_type",
    "price": "price order_price strategy_order_price",
    "limit_price": "limit_price",
    "signal_price": "signal_price close",
    "stop_price": "stop_price stop_px trigger_px",
    "order_type": "order_type ord_type",
    "time_in_force": "time_in_force tif",
    "reduce_only": "reduce_only",
    "venues": "venues venue dex_ids dex_id",
    "market_position": "market_position strategy_market_position",
    "market_position_size": "market_position_size strategy_market_position_size",
    "position_size": "position_size strategy_position_size",
    "target_position": "target_position target_qty",
    "timenow": "timenow time_now",
    "timestamp": "timestamp",
    "fired_at": "fired_at",
    "sent_at": "sent_at",
    "max_lag": "max_lag",
    "alert_id": "alert_id",
    "signal_id": "signal_id",
    "cid": "cid",
    "idempotency_key": "idempotency_key",
    "alert_timestamp": "alert_timestamp",
    "test": "test is_test test_mode dry_run",
    "heartbeat": "heartbeat",
}
"""A placeholder left in one of these refuses the signal; two names of one of them must say the same."""

_FREE: dict[str, str] = {
    "id": "id",
    "time": "time",
    "strategy": "strategy strategy_name strategy_id",
    "comment": "comment message text alert_message strategy_order_comment strategy_order_alert_message tag",
    "stop_loss": "stop_loss stop_loss_price",
    "sl": "sl sl_price sl_offset",
    "take_profit": "take_profit take_profit_price tp tp_price tp_offset tp1 tp2 tp3 targets",
    "trailing": "trailing_stop trail_amount trail_percent trailing",
    "leverage": "leverage",
    "post_only": "post_only",
}

TRADABLE = frozenset(_TRADABLE)

WISHES: dict[str, str] = {
    "stop_loss": "no stop is placed",
    "sl": "no stop is placed",
    "take_profit": "no take-profit is placed",
    "trailing": "no trailing stop is placed",
    "leverage": "leverage is set at the venue",
    "post_only": "orders are not limited to the maker side",
}
"""What can be read and is not acted on, with what that means."""


def _spellings(table: dict[str, str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for name, aliases in table.items():
        for alias in aliases.split():
            head, *tail = alias.split("_")
            camel = head + "".join(word.capitalize() for word in tail)
            for spelling in (alias, camel, fold(alias), alias.upper(), alias.replace("_", "-")):
                names[spelling] = name
    return names


NAMES: dict[str, str] = _spellings(_TRADABLE) | _spellings(_FREE)
"""From the spellings seen most, and from every folded one, to our name of the field."""

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off", ""})
_SHOWN = 200


def name_of(key: str) -> str | None:
    """Our name of a field, whatever its spelling; None when we know nothing of it."""
    return NAMES.get(key) or NAMES.get(fold(key))


class Fields:
    """What a body says, by our names; `key` gives the sender's own name back for errors. null counts as absent."""

    __slots__ = ("_given", "_keys")

    def __init__(self, *levels: Mapping[str, Json]) -> None:
        self._given: dict[str, Json] = {}
        self._keys: dict[str, str] = {}
        for level in levels:
            for key, value in level.items():
                name = NAMES.get(key) or NAMES.get(fold(key))
                if name is None or value is None:
                    continue
                if name in self._given and name in TRADABLE:
                    self._agree(name, key, value)
                    continue
                self._given[name] = value
                self._keys[name] = key

    def __contains__(self, name: str) -> bool:
        return name in self._given

    def get(self, name: str) -> Json:
        """The value as it was sent, or None."""
        return self._given.get(name)

    def key(self, name: str) -> str:
        """The sender's name of the field, or ours when it is absent."""
        return self._keys.get(name, name)

    def put(self, name: str, key: str, value: Json) -> None:
        """The field is known under `name` from here on; for forms whose own names mean something else elsewhere."""
        if value is not None:
            self._given[name] = value
            self._keys[name] = key

    def drop(self, name: str) -> Json:
        """The value, and the field is gone."""
        return self._given.pop(name, None)

    def word(self, name: str) -> str | None:
        """The folded word; `Refused` when it is there and is empty or no text."""
        value = self._given.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise wrong(self.key(name), value, "a word")
        if not (word := fold(value)):
            raise empty(self.key(name))
        return word

    def number(self, name: str, *, positive: bool = True) -> Decimal | None:
        """The number, or None when the field is absent."""
        value = self._given.get(name)
        return None if value is None else decimal(value, self.key(name), positive=positive)

    def filled(self, name: str) -> bool:
        """True when the field is there and is not empty text."""
        value = self._given.get(name)
        return value is not None and value != ""

    def flag(self, name: str) -> bool:
        """The truth value; absent and empty are false."""
        value = self._given.get(name)
        if value is None or isinstance(value, bool):
            return bool(value)
        word = value.lower() if isinstance(value, str) else None
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        raise wrong(self.key(name), value, "true or false")

    def passed_on(self, name: str) -> str | None:
        """Free text that goes along unread, cut to 200 characters."""
        value = self._given.get(name)
        return value[:_SHOWN] if isinstance(value, str) and value else None

    def _agree(self, name: str, key: str, value: Json) -> None:
        known = self._given[name]
        if known != value and str(known).lower() != str(value).lower():
            raise Refused(
                DenyCode.FIELD_INVALID,
                f"{self._keys[name]} and {key[:64]} mean the same field and differ. Send one of them.",
                field=key[:64],
            )
