"""OKX signal bots, for strategies (A) and for anything else (B).

    {"id": "Long", "action": "buy", "marketPosition": "long", "marketPositionSize": "0.1", "instrument": "BTCUSDT.P",
     "signalToken": "not-a-real-one", "timestamp": "2026-02-18T14:30:01Z", "maxLag": "300", "investmentType": "base",
     "amount": "0.1"}

buy and sell trade; ENTER_LONG and ENTER_SHORT trade; EXIT_LONG and EXIT_SHORT close that side. `id` is the name of
the strategy's order and comes again with every trade, so it is no id here. A hook that follows positions takes
`marketPosition` with its size. Amounts count base units or percents of the position; limit orders are refused, as
their price is a distance.
"""

from nightdesk.sources.tradingview.asks import understand
from nightdesk.sources.tradingview.body import Body
from nightdesk.sources.tradingview.fields import Fields
from nightdesk.sources.tradingview.parsed import Parsed, ParseSettings
from nightdesk.sources.tradingview.refusal import not_done
from nightdesk.sources.tradingview.words import fold
from nightdesk.sources.wording import clip

_UNITS = {"base": "base", "percentageposition": "percent_of_position"}


def recognise(body: Body) -> bool:
    """True for the bot's token, or an instrument with an investment type."""
    return "signalToken" in body.fields or ("instrument" in body.fields and "investmentType" in body.fields)


def normalise(body: Body, settings: ParseSettings, notes: tuple[str, ...]) -> Parsed:
    """The amount in the unit the investment type names."""
    fields = Fields(body.fields)
    kind = body.fields.get("investmentType")
    if kind not in (None, "") and "size" in fields:
        unit = _UNITS.get(fold(kind)) if isinstance(kind, str) else None
        if unit is None:
            raise not_done("investmentType", f"investmentType {clip(kind)} is not done here; send base.")
        fields.put("size_unit", "investmentType", unit)
    if fields.word("order_type") == "limit":
        raise not_done(
            "orderType", "A limit price as a distance is not done here; send market, or a form with a price."
        )
    return understand("okx", fields, settings, notes=notes)
