"""tradingview-webhooks-bot: a key made of an event's name and six hex digits, then free fields.

    {"key": "WebhookReceived:0a1b2c", "message": "breakout", "data": {"ticker": "BTCUSD", "side": "buy", "qty": 1}}

Free fields are read under their usual names, at the top and inside `data` or `order`; a message alone is no action.
"""

import re

from nightdesk.sources.tradingview.asks import understand
from nightdesk.sources.tradingview.body import Body
from nightdesk.sources.tradingview.fields import Fields
from nightdesk.sources.tradingview.parsed import Parsed, ParseSettings

_KEY = re.compile(r"\w{1,60}:[0-9a-f]{6}", re.ASCII)


def recognise(body: Body) -> bool:
    """True for a key of that shape."""
    key = body.fields.get("key")
    return isinstance(key, str) and _KEY.fullmatch(key) is not None


def normalise(body: Body, settings: ParseSettings, notes: tuple[str, ...]) -> Parsed:
    """The fields of all levels."""
    nested = [inner for name in ("data", "order") if isinstance(inner := body.fields.get(name), dict)]
    return understand("robswc", Fields(body.fields, *nested), settings, notes=notes)
