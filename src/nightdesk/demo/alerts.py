"""Alerts as TradingView would send them: the forms of many bridges, and some that the desk has to refuse."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from nightdesk.market.simulated import start_price
from nightdesk.model.enums import Side
from nightdesk.model.identifiers import Symbol
from nightdesk.model.instrument import Instrument

_TIMENOW = "{{timenow}}"
_TOKEN = "{{webhook.token}}"  # noqa: S105  the place where the token goes, not a token
_VALUES = (210.0, 2_900.0)
_TOO_LARGE = 2_000_000.0
_LARGEST_POSITION = 4_000.0
_FINE = 2
_REPEATED_AFTER = 2.0
_SHORTEST_PAUSE = 1.0
"""TradingView's {{timenow}} counts whole seconds: two alerts in one second could be one alert to the desk."""


class Expect(StrEnum):
    """What the desk should make of an alert."""

    TRADED = "TRADED"
    DUPLICATE = "DUPLICATE"
    UNKNOWN_SYMBOL = "UNKNOWN_SYMBOL"
    PLACEHOLDER_UNFILLED = "PLACEHOLDER_UNFILLED"
    TOO_LARGE = "TOO_LARGE"
    STALE = "STALE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert and how long to wait before it; the time and the token are filled in when it fires."""

    form: str
    message: str
    expect: Expect = Expect.TRADED
    pause: float = 0.0
    """Seconds since the alert before."""
    lag: timedelta = timedelta(0)
    """How long before its sending it claims to have fired."""
    again: bool = False
    """The body of the alert before goes out once more, byte for byte, as a resend would."""

    def body(self, now: datetime, token: str) -> bytes:
        """What goes over the wire: {{timenow}} in whole seconds, as TradingView writes it, and the token."""
        fired = (now - self.lag).strftime("%Y-%m-%dT%H:%M:%SZ")
        return self.message.replace(_TIMENOW, fired).replace(_TOKEN, token).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deal:
    """What an alert is about; `ticker` as TradingView shows it."""

    ticker: str
    action: str
    qty: str
    price: str
    limit: str
    """A price 0.1 % better than the market, on a tick."""

    @property
    def position(self) -> str:
        return "long" if self.action == "buy" else "short"


def alerts(
    seed: int,
    listed: Sequence[Instrument],
    *,
    price: Callable[[Symbol], Decimal] = start_price,
    pause: float = 6.0,
) -> Iterator[Alert]:
    """Yields alerts without end, the same for the same seed and prices, `pause` seconds apart on average.

    Each is worth 210 to 2,900 of quote currency; buys and sells are kept in balance, so that no position outgrows
    the default limits. Every form comes twice in a round, and everything that is not to be traded once.
    """
    rng = random.Random(seed)
    dealer = _Dealer(rng, listed, price)
    while True:
        deck = [*_TRADED, *_TRADED, *_NOT_TRADED]
        rng.shuffle(deck)
        for make in deck:
            yield replace(make(dealer), pause=max(_SHORTEST_PAUSE, pause * rng.uniform(0.4, 1.6)))
        alert = replace(_native(dealer), pause=max(_SHORTEST_PAUSE, pause))
        yield alert
        yield replace(alert, pause=_REPEATED_AFTER, again=True, expect=Expect.DUPLICATE)


class _Dealer:
    """Thinks of deals, and remembers what they add up to."""

    def __init__(self, rng: random.Random, listed: Sequence[Instrument], price: Callable[[Symbol], Decimal]) -> None:
        self._rng = rng
        self._listed = listed
        self._price = price
        self._held: dict[Symbol, float] = {}

    def deal(self, value: float | None = None, *, fine: bool = False) -> _Deal:
        """A deal of some value in quote currency; only those without a value of their own count as held.

        `fine` asks for small lots: forms that carry no time differ by their quantity alone.
        """
        listed = [each for each in self._listed if each.lot_size * self._price(each.symbol) < _FINE] if fine else []
        instrument = self._rng.choice(listed or self._listed)
        held = self._held.get(instrument.symbol, 0.0)
        if abs(held) > _LARGEST_POSITION:
            side = Side.SELL if held > 0 else Side.BUY
        else:
            side = self._rng.choice((Side.BUY, Side.SELL))
        worth = value or self._rng.uniform(*_VALUES)
        price = instrument.round_px(self._price(instrument.symbol)).quantize(instrument.tick_size)
        qty = max(instrument.min_qty, instrument.round_qty(Decimal(worth) / price))
        if value is None:
            self._held[instrument.symbol] = held + side.sign * float(qty * price)
        return _Deal(
            ticker=instrument.symbol.replace("-", ""),
            action=side.value.lower(),
            qty=f"{qty.normalize():f}",
            price=f"{price:f}",
            limit=f"{instrument.round_px(price * (1000 - side.sign) / 1000).quantize(instrument.tick_size):f}",
        )

    def leave(self) -> _Deal:
        """A deal in the largest position, which is held no more."""
        symbol = max(self._held, key=lambda held: abs(self._held[held]), default=self._listed[0].symbol)
        self._held.pop(symbol, None)
        return replace(self.deal(_VALUES[0]), ticker=symbol.replace("-", ""))


def _alert(form: str, fields: dict[str, object], *, expect: Expect = Expect.TRADED) -> Alert:
    return Alert(form=form, message=json.dumps(fields), expect=expect)


def _id_of(ticker: str) -> str:
    return f"{ticker}-{_TIMENOW}"


def _native_fields(deal: _Deal) -> dict[str, object]:
    return {
        "symbol": deal.ticker,
        "side": deal.action,
        "size": deal.qty,
        "alert_id": _id_of(deal.ticker),
        "timenow": _TIMENOW,
    }


def _native(dealer: _Dealer) -> Alert:
    return _alert("native", _native_fields(dealer.deal()))


def _native_limit(dealer: _Dealer) -> Alert:
    deal = dealer.deal()
    return _alert("native limit", _native_fields(deal) | {"order_type": "limit", "price": deal.limit})


def _traderspost(dealer: _Dealer) -> Alert:
    deal = dealer.deal()
    return _alert(
        "TradersPost",
        {
            "ticker": deal.ticker,
            "action": deal.action,
            "orderType": "market",
            "quantityType": "fixed_quantity",
            "quantity": deal.qty,
            "signalPrice": deal.price,
            "time": _TIMENOW,
            "interval": "5",
        },
    )


def _traderspost_exit(dealer: _Dealer) -> Alert:
    return _alert(
        "TradersPost exit", {"ticker": dealer.leave().ticker, "action": "exit", "sentiment": "flat", "time": _TIMENOW}
    )


def _three_commas_fields(deal: _Deal) -> dict[str, object]:
    return {
        "secret": _TOKEN,
        "max_lag": "300",
        "timestamp": _TIMENOW,
        "trigger_price": deal.price,
        "tv_exchange": "DEMO",
        "tv_instrument": deal.ticker,
        "action": deal.action,
        "bot_uuid": "7d0e3a52-4f3c-4a55-9a3c-0d3b0a6f1c11",
        "strategy_info": {
            "market_position": deal.position,
            "market_position_size": deal.qty,
            "prev_market_position": "flat",
            "prev_market_position_size": "0",
        },
        "order": {"amount": deal.qty, "currency_type": "base"},
    }


def _three_commas(dealer: _Dealer) -> Alert:
    return _alert("3Commas", _three_commas_fields(dealer.deal()))


def _okx(dealer: _Dealer) -> Alert:
    deal = dealer.deal()
    return _alert(
        "OKX",
        {
            "id": deal.position.capitalize(),
            "action": deal.action,
            "marketPosition": deal.position,
            "prevMarketPosition": "flat",
            "marketPositionSize": deal.qty,
            "prevMarketPositionSize": "0",
            "instrument": deal.ticker,
            "signalToken": _TOKEN,
            "timestamp": _TIMENOW,
            "maxLag": "60",
            "investmentType": "base",
            "amount": deal.qty,
        },
    )


def _simple(dealer: _Dealer) -> Alert:
    deal = dealer.deal()
    return _alert(
        "simple",
        {
            "passphrase": _TOKEN,
            "ticker": deal.ticker,
            "action": deal.action,
            "contracts": deal.qty,
            "price": deal.price,
            "strategy": "night breakout",
            "timenow": _TIMENOW,
        },
    )


def _key_values(dealer: _Dealer) -> Alert:
    deal = dealer.deal(fine=True)
    return Alert(form="key=value text", message=f"symbol={deal.ticker} side={deal.action} qty={deal.qty}")


def _csv(dealer: _Dealer) -> Alert:
    deal = dealer.deal(fine=True)
    return Alert(form="CSV text", message=f"DEMO:{deal.ticker},{deal.action},{deal.price},{deal.qty}")


def _alertatron(dealer: _Dealer) -> Alert:
    deal = dealer.deal(fine=True)
    return Alert(
        form="Alertatron", message=f"desk({deal.ticker}) {{ market(side={deal.action}, amount={deal.qty}); }} #bot"
    )


def _unknown_symbol(dealer: _Dealer) -> Alert:
    fields = _native_fields(dealer.deal(_VALUES[0])) | {"symbol": "NIGHTUSD", "alert_id": _id_of("NIGHTUSD")}
    return _alert("native", fields, expect=Expect.UNKNOWN_SYMBOL)


def _unfilled_placeholder(dealer: _Dealer) -> Alert:
    fields = _native_fields(dealer.deal(_VALUES[0])) | {"side": "{{strategy.order.action}}"}
    return _alert("native", fields, expect=Expect.PLACEHOLDER_UNFILLED)


def _too_large(dealer: _Dealer) -> Alert:
    return _alert("native", _native_fields(dealer.deal(_TOO_LARGE)), expect=Expect.TOO_LARGE)


def _stale(dealer: _Dealer) -> Alert:
    fields = _three_commas_fields(dealer.deal(_VALUES[0]))
    return replace(_alert("3Commas", fields, expect=Expect.STALE), lag=timedelta(minutes=20))


_TRADED = (
    _native,
    _native_limit,
    _traderspost,
    _traderspost_exit,
    _three_commas,
    _okx,
    _simple,
    _key_values,
    _csv,
    _alertatron,
)
_NOT_TRADED = (_unknown_symbol, _unfilled_placeholder, _too_large, _stale)
