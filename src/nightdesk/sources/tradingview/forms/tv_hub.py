"""tv-hub trade commands.

    {"pair": "BTCUSDT", "isBuy": true, "isMarket": true, "units": 0.01, "unitsType": "absolute",
     "alertTimestamp": "BTCUSDT-2026-02-18T14:30:01Z", "token": "not-a-real-one"}

isBuy and isSell trade, isClose closes (closeLong and closeShort one side), cancelAllOrders cancels; `orderType` may
hold the side of a strategy alert. `alertTimestamp` is the id. Units are base units, `unitsPercent` is of equity.
A limit order takes `price`. Stops, targets and leverage are noted.
"""

from nightdesk.model.denial import DenyCode
from nightdesk.model.errors import Refused
from nightdesk.sources.tradingview.asks import understand
from nightdesk.sources.tradingview.body import Body
from nightdesk.sources.tradingview.fields import Fields
from nightdesk.sources.tradingview.parsed import Parsed, ParseSettings
from nightdesk.sources.tradingview.refusal import not_done
from nightdesk.sources.tradingview.words import DEEDS
from nightdesk.sources.wording import clip

_FLAGS = {"isBuy": "buy", "isSell": "sell", "isClose": "close", "cancelAllOrders": "cancel"}
_MARKS = frozenset({*_FLAGS, "unitsType", "unitsPercent", "isMarket", "isLimit"})


def recognise(body: Body) -> bool:
    """True for `pair` or `token` with a field that is tv-hub's own."""
    fields = body.fields
    if "pair" not in fields and "token" not in fields:
        return False
    return not _MARKS.isdisjoint(fields) or ("alertTimestamp" in fields and "pair" in fields)


def normalise(body: Body, settings: ParseSettings, notes: tuple[str, ...]) -> Parsed:
    """The flags become an action, the units a size."""
    fields = Fields(body.fields)
    given = Fields({})
    for key in (*_FLAGS, "closeLong", "closeShort", "isLimit"):
        given.put(key, key, body.fields.get(key))
    _put_action(fields, given)
    _put_units(fields, body)
    if given.flag("isLimit"):
        fields.put("order_type", "isLimit", "limit")
    return understand("tv_hub", fields, settings, notes=notes)


def _put_action(fields: Fields, given: Fields) -> None:
    meant = [key for key in _FLAGS if given.flag(key)]
    one_side = given.flag("closeLong") != given.flag("closeShort")
    if not meant and one_side:
        meant = ["isClose"]
    if len(meant) > 1:
        raise Refused(DenyCode.FIELD_INVALID, f"{' and '.join(meant)} are both true. Send one of them.", field=meant[1])
    if fields.word("order_type") in DEEDS:
        key = fields.key("order_type")
        word = fields.drop("order_type")
        if not meant:
            fields.put("action", key, word)
    if not meant:
        return
    action = _FLAGS[meant[0]]
    if action == "close" and one_side:
        action = "closelong" if given.flag("closeLong") else "closeshort"
    fields.put("action", meant[0], action)


def _put_units(fields: Fields, body: Body) -> None:
    kind = body.fields.get("unitsType")
    if kind in (None, "", "absolute"):
        fields.put("size", "units", body.fields.get("units"))
    elif kind in ("percent", "percentage"):
        fields.put("size", "unitsPercent", body.fields.get("unitsPercent"))
        fields.put("size_unit", "unitsType", "percent")
    else:
        raise not_done("unitsType", f"unitsType {clip(kind)} is not done here; send absolute or percent.")
