"""One line of plain values: symbol, side, the price that was seen, quantity.

    AAPL,buy,150.25,10

Symbol and side alone leave the size to the hook; three values are refused, as the third may be a price or a size.
"""

import re

from nightdesk.sources.tradingview.asks import understand
from nightdesk.sources.tradingview.body import Body, BodyKind
from nightdesk.sources.tradingview.fields import Fields
from nightdesk.sources.tradingview.parsed import Parsed, ParseSettings
from nightdesk.sources.tradingview.refusal import missing
from nightdesk.sources.tradingview.words import DEEDS, fold

_LINE = re.compile(r"[^,=\n]{1,80}(?:,[^,=\n]{1,80}){1,3}")


def recognise(body: Body) -> bool:
    """True for two to four values of which the second is a side."""
    return (
        body.kind is BodyKind.TEXT and _LINE.fullmatch(body.text) is not None and fold(body.text.split(",")[1]) in DEEDS
    )


def normalise(body: Body, settings: ParseSettings, notes: tuple[str, ...]) -> Parsed:
    """The values by their places."""
    symbol, side, *rest = (value.strip() for value in body.text.split(","))
    fields = Fields({"symbol": symbol, "side": side})
    if len(rest) == 1:
        raise missing("quantity", "after symbol and side send both the price and the quantity, or neither")
    for name, value in zip(("price", "quantity"), rest, strict=False):
        fields.put("size" if name == "quantity" else name, name, value)
    return understand("csv", fields, settings, notes=notes)
