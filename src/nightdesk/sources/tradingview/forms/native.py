"""The desk's own form: `symbol`, `side`, `size`, and what an order can say.

    {"symbol": "BTC-USD", "side": "buy", "size": "0.1", "dex_ids": ["paradex"], "id": "btc-1700000000"}

`side` may also be long, short, close, flat or cancel; a size without a unit counts base units, `5%` is of equity.
`id` (or `alert_id`) is remembered for good, so it has to be new for each alert. A `price` without an `order_type` is
the price that was seen. `time` is the bar's; `timenow` or `timestamp` says when the alert fired.
"""

from nightdesk.sources.tradingview.asks import understand
from nightdesk.sources.tradingview.body import Body
from nightdesk.sources.tradingview.fields import Fields
from nightdesk.sources.tradingview.parsed import Parsed, ParseSettings

_NAMES = frozenset(
    {"symbol", "side", "size", "size_unit", "order_type", "price", "limit_price", "stop_price", "signal_price"}
    | {"time_in_force", "reduce_only", "dex_ids", "venues", "id", "alert_id", "timenow", "timestamp", "max_lag", "test"}
    | {"heartbeat", "target_position", "market_position", "market_position_size", "position_size", "stop_loss"}
    | {
        "take_profit",
        "strategy",
        "comment",
        "message",
        "token",
        "secret",
        "passphrase",
        "time",
        "bar_time",
        "interval",
        "exchange",
    }
)


def recognise(body: Body) -> bool:
    """True when every field is one of ours and the symbol is there."""
    fields = body.fields
    return "symbol" in fields and fields.keys() <= _NAMES


def normalise(body: Body, settings: ParseSettings, notes: tuple[str, ...]) -> Parsed:
    """The fields as they are named."""
    fields = Fields(body.fields)
    if "id" in fields and "alert_id" not in fields:
        fields.put("alert_id", "id", fields.get("id"))
    return understand("native", fields, settings, notes=notes)
