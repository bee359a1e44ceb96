"""The alerts processor with account stubs.

    {"stub": "dev", "direction": "long", "symbol": "ETH-PERP", "size": "50"}

long and short trade, close closes. A plain size is in quote currency, `5%` is of equity, on a close of the position;
a close with a plain size closes all, as it does there. `mode` and `max` change how much is traded and are refused.
"""

from nightdesk.sources.tradingview.asks import understand
from nightdesk.sources.tradingview.body import Body
from nightdesk.sources.tradingview.fields import Fields
from nightdesk.sources.tradingview.parsed import Parsed, ParseSettings
from nightdesk.sources.tradingview.refusal import not_done


def recognise(body: Body) -> bool:
    """True for the field `stub` with a direction."""
    return "stub" in body.fields and "direction" in body.fields


def normalise(body: Body, settings: ParseSettings, notes: tuple[str, ...]) -> Parsed:
    """Plain sizes become quote currency."""
    for name in ("mode", "max"):
        if body.fields.get(name) not in (None, ""):
            raise not_done(name, f"{name} is not done here; leave it out and set a maximum at the hook.")
    fields = Fields(body.fields)
    size = fields.get("size")
    if not (isinstance(size, str) and size.endswith("%")):
        key = fields.key("size")
        fields.drop("size")
        if fields.word("side") != "close":
            fields.put("quote_size", key, size)
        elif size is not None:
            notes += ("A close with a size that is no percentage closes all of the position.",)
    return understand("stub", fields, settings, notes=notes)
