"""3Commas signal bots, both kinds; every number is text.

    {"secret": "not-a-real-one", "tv_instrument": "BTCUSDT", "action": "buy", "timestamp": "2026-02-18T14:30:01Z",
     "bot_uuid": "0000", "max_lag": "300",
     "trigger_price": "60000", "order": {"amount": "0.1", "currency_type": "base"},
     "strategy_info": {"market_position": "long", "market_position_size": "0.1"}}

buy and sell trade the order's amount; enter_long and enter_short trade; exit_long and exit_short close that side;
disable is no action. A hook that follows positions takes `strategy_info` instead of the action. The trigger price
is the price that was seen. Amounts in percents of a margin are refused.
"""

from nightdesk.sources.tradingview.asks import understand
from nightdesk.sources.tradingview.body import Body
from nightdesk.sources.tradingview.fields import Fields
from nightdesk.sources.tradingview.parsed import Parsed, ParseSettings
from nightdesk.sources.tradingview.refusal import not_done, wrong
from nightdesk.sources.tradingview.words import fold
from nightdesk.sources.wording import clip

_UNITS = {"base": "base", "quote": "quote", "positionpercent": "percent_of_position"}


def recognise(body: Body) -> bool:
    """True for the bot's id, or the instrument with `tv_`."""
    return "bot_uuid" in body.fields or "tv_instrument" in body.fields or "strategy_info" in body.fields


def normalise(body: Body, settings: ParseSettings, notes: tuple[str, ...]) -> Parsed:
    """The fields of the head, of `order` and of `strategy_info` together."""
    nested = []
    for name in ("order", "strategy_info"):
        inner = body.fields.get(name)
        if isinstance(inner, dict):
            nested.append(inner)
        elif inner is not None:
            raise wrong(name, inner, "an object")
    fields = Fields(body.fields, *nested)
    fields.put("signal_price", "trigger_price", body.fields.get("trigger_price"))
    order = body.fields.get("order")
    kind = order.get("currency_type") if isinstance(order, dict) else None
    if kind is not None and "size" in fields:
        unit = _UNITS.get(fold(kind)) if isinstance(kind, str) else None
        if unit is None:
            raise not_done("currency_type", f"currency_type {clip(kind)} is not done here; send base or quote.")
        fields.put("size_unit", "currency_type", unit)
    return understand("three_commas", fields, settings, notes=notes)
