"""TradersPost.

    {"ticker": "AMD", "action": "buy", "sentiment": "bullish", "quantity": 1, "quantityType": "fixed_quantity",
     "signalPrice": 143.12, "stopLoss": {"type": "stop", "percent": 5}, "takeProfit": {"percent": 10}}

buy and sell trade; exit closes; cancel cancels open orders; add trades on the side of the sentiment.
sentiment flat closes the position the action would end; a sentiment against the action only reduces.
`time` is when it fired, `interval` and `extras` are passed over. Stops and targets are noted and not placed;
`stopLoss.stopPrice` also sizes by risk. A buy while short is one buy here: the closing part is not added to it.
"""

from nightdesk.model.enums import Side
from nightdesk.model.signal import Aim, Size
from nightdesk.sources.tradingview.asks import finish, to_ask, understand
from nightdesk.sources.tradingview.body import Body, Json
from nightdesk.sources.tradingview.deeds import read_deed
from nightdesk.sources.tradingview.fields import Fields
from nightdesk.sources.tradingview.parsed import Parsed, ParseSettings
from nightdesk.sources.tradingview.reading import read_size
from nightdesk.sources.tradingview.refusal import missing, wrong
from nightdesk.sources.tradingview.words import Deed, fold

_MARKS = frozenset(
    {"sentiment", "quantityType", "signalPrice", "stopLoss", "takeProfit", "trailAmount", "trailPercent", "extras"}
)
_SENTIMENTS = {"bullish": Side.BUY, "long": Side.BUY, "bearish": Side.SELL, "short": Side.SELL, "flat": None}


def recognise(body: Body) -> bool:
    """True for `ticker` and `action` together with a field that is TradersPost's own."""
    fields = body.fields
    return "ticker" in fields and "action" in fields and not _MARKS.isdisjoint(fields)


def normalise(body: Body, settings: ParseSettings, notes: tuple[str, ...]) -> Parsed:
    """Action and sentiment together say what is to be done."""
    fields = Fields(body.fields)
    if fields.filled("time") and not fields.filled("timenow"):
        fields.put("timenow", "time", fields.get("time"))
    stop_loss = fields.get("stop_loss")
    if isinstance(stop_loss, dict):
        if stop_loss.get("stopPrice") is None:
            fields.put("sl", "stopLoss", fields.drop("stop_loss"))
        else:
            fields.put("stop_loss", "stopLoss.stopPrice", stop_loss["stopPrice"])
    sentiment = body.fields.get("sentiment")
    action = fields.word("action")
    if sentiment in (None, ""):
        if action == "add":
            raise missing("sentiment", "add does not say which way; send bullish or bearish")
        return understand("traderspost", fields, settings, notes=notes)
    if settings.target_position and action not in ("exit", "cancel") and sentiment != "flat":
        fields.put("market_position", "sentiment", _position_word(sentiment))
        return understand("traderspost", fields, settings, notes=notes)
    deed, reduce_only = _deed(fields, action, _side(sentiment))
    if isinstance(deed, str):
        return finish("traderspost", fields, no_action=deed, notes=notes)
    if reduce_only:
        notes += ("The sentiment is against the action, so the order only reduces the position.",)
    ask = to_ask(fields, settings, deed, _size(fields, deed, sentiment), reduce_only=reduce_only)
    return finish("traderspost", fields, ask, notes=notes)


def _side(sentiment: Json) -> Side | None:
    word = fold(sentiment) if isinstance(sentiment, str) else ""
    if word not in _SENTIMENTS:
        raise wrong("sentiment", sentiment, "bullish, bearish, long, short or flat")
    return _SENTIMENTS[word]


def _position_word(sentiment: Json) -> str:
    return "long" if _side(sentiment) is Side.BUY else "short"


def _size(fields: Fields, deed: Deed, sentiment: Json) -> Size | None:
    """A flat sentiment closes all of it: the quantity beside it is what the sender's own book held."""
    return None if deed.aim is Aim.CLOSE and sentiment == "flat" else read_size(fields, deed.aim)


def _deed(fields: Fields, action: str | None, side: Side | None) -> tuple[Deed | str, bool]:
    """What to do, and whether it may only reduce."""
    if action == "add":
        if side is None:
            raise wrong("sentiment", "flat", "bullish or bearish where the action is add")
        return Deed(Aim.TRADE, side), False
    deed = read_deed(fields)
    if deed is None:
        raise missing("action", "send buy, sell, exit, cancel or add")
    if isinstance(deed, str) or deed.aim is not Aim.TRADE or deed.side is None:
        return deed, False
    if side is None:
        return Deed(Aim.CLOSE, deed.side.opposite), False
    return deed, deed.side is not side
