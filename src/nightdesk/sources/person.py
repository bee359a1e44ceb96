"""Orders a person asks for by page, API or command line: the same path and the same gate as every other signal."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from nightdesk.model.enums import OrdType, Side, TimeInForce
from nightdesk.model.identifiers import OPERATOR, HookId, SignalId, Sleeve
from nightdesk.model.market import Prices
from nightdesk.model.signal import Aim, Ask, Signal, Size, SizeUnit
from nightdesk.orders.intent import Intent, Want
from nightdesk.runtime.identity import new_id
from nightdesk.sources.destinations import Destinations
from nightdesk.sources.symbols import match

HOOK = HookId("person")


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonOrder:
    """An order a person asks for. `explicit_id` makes a double click harmless."""

    symbol: str
    side: Side | None
    size: Decimal | None
    size_unit: SizeUnit = SizeUnit.BASE
    ord_type: OrdType = OrdType.MARKET
    price: Decimal | None = None
    stop_px: Decimal | None = None
    time_in_force: TimeInForce | None = None
    reduce_only: bool = False
    close: bool = False
    """True: close the sleeve's position in the symbol; `side` and `size` are not looked at."""
    venues: tuple[str, ...] = ()
    sleeve: str = "person"
    explicit_id: str | None = None
    actor: str = "operator"


def intent_of(
    asked: PersonOrder, destinations: Destinations, prices: Prices, *, now: datetime, config_version: str
) -> Intent:
    """The order as the order path takes it; Refused UNKNOWN_SYMBOL or UNKNOWN_VENUE where it cannot go anywhere.

    Without an explicit id every request is an order of its own; with one it counts once, for good.
    """
    symbol = match(asked.symbol, destinations.symbols, {}).symbol
    ask = Ask(
        aim=Aim.CLOSE if asked.close else Aim.TRADE,
        symbol=symbol,
        side=None if asked.close else asked.side,
        size=None if asked.size is None or asked.close else Size(value=asked.size, unit=asked.size_unit),
        ord_type=asked.ord_type,
        price=asked.price,
        stop_px=asked.stop_px,
        time_in_force=asked.time_in_force,
        reduce_only=asked.reduce_only,
        venues=asked.venues,
    )
    body = json.dumps(_stated(asked), sort_keys=True)
    signal_id = SignalId(new_id(now))
    key = f"person:{asked.explicit_id}" if asked.explicit_id is not None else f"once:{signal_id}"
    signal = Signal(
        signal_id=signal_id,
        owner_id=OPERATOR,
        source="person",
        hook=HOOK,
        sleeve=Sleeve(asked.sleeve),
        received_at=now,
        fired_at=None,
        digest=hashlib.sha256(key.encode()).hexdigest(),
        explicit_id=asked.explicit_id,
        body_digest=hashlib.sha256(body.encode()).hexdigest(),
        body=body,
        form="person",
        asks=(ask,),
    )
    return Intent(
        signal=signal,
        wants=(
            Want(
                ask=ask,
                symbol=symbol,
                destinations=destinations.of(symbol, asked.venues),
                quote=prices.quote(symbol),
            ),
        ),
        window_seconds=0.0,
        default_size=None,
        max_qty=None,
        max_notional=None,
        allow_short=True,
        hold=False,
        config_version=config_version,
    )


def _stated(asked: PersonOrder) -> dict[str, str]:
    fields = {
        "symbol": asked.symbol,
        "side": asked.side,
        "size": asked.size,
        "size_unit": asked.size_unit,
        "order_type": asked.ord_type,
        "price": asked.price,
        "stop_price": asked.stop_px,
        "time_in_force": asked.time_in_force,
        "reduce_only": asked.reduce_only or None,
        "close": asked.close or None,
        "venues": ",".join(asked.venues) or None,
        "sleeve": asked.sleeve,
        "actor": asked.actor,
    }
    return {name: str(value) for name, value in fields.items() if value is not None}
