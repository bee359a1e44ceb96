"""The forwarder shape: everything inside `data`, under names with dashes.

    {"data": {"strategy-order-action": "buy", "ticker": "EUR/USD", "heartbeat": false}, "key": "not-a-real-one"}

The order's price is the price that was seen, heartbeat true is no action, offsets of stop and target are noted.
"""

from nightdesk.sources.tradingview.asks import understand
from nightdesk.sources.tradingview.body import Body
from nightdesk.sources.tradingview.fields import Fields
from nightdesk.sources.tradingview.parsed import Parsed, ParseSettings


def recognise(body: Body) -> bool:
    """True for an object under `data` with a name that has a dash."""
    data = body.fields.get("data")
    return isinstance(data, dict) and any("-" in key for key in data)


def normalise(body: Body, settings: ParseSettings, notes: tuple[str, ...]) -> Parsed:
    """The fields of both levels."""
    data = body.fields["data"]
    levels = (body.fields, data) if isinstance(data, dict) else (body.fields,)
    return understand("forwarder", Fields(*levels), settings, notes=notes)
