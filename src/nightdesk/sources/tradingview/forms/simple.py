"""What most people write themselves: one flat object, a field for each thing under any usual name.

    {"ticker": "BINANCE:BTCUSDT", "action": "sell", "contracts": "0.1", "secret": "not-a-real-one"}

`close` or `exit` with long or short names the position, with buy or sell the order that ends it. A price without an
order type is the price that was seen. `strategy_id`, `bar_time` and `time` are passed over; `cid` and
`alert_id` are ids. An object that names a symbol and no side is recorded as no action.
"""

from nightdesk.sources.tradingview.asks import understand
from nightdesk.sources.tradingview.body import Body
from nightdesk.sources.tradingview.fields import Fields, name_of
from nightdesk.sources.tradingview.parsed import Parsed, ParseSettings

MARKS = frozenset({"symbol", "side", "action", "target_position", "market_position", "heartbeat"})
"""A body without any of these is no alert."""


def recognise(body: Body) -> bool:
    """True when a symbol, a side or a position is named."""
    return any(name_of(key) in MARKS for key in body.fields)


def normalise(body: Body, settings: ParseSettings, notes: tuple[str, ...]) -> Parsed:
    """The fields under their usual names."""
    return understand("simple", Fields(body.fields), settings, notes=notes)
