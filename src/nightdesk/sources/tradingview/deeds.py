"""What a body wants done, from the words for it."""

from nightdesk.model.denial import DenyCode
from nightdesk.model.errors import Refused
from nightdesk.model.signal import Aim
from nightdesk.sources.tradingview.fields import Fields
from nightdesk.sources.tradingview.refusal import missing, wrong
from nightdesk.sources.tradingview.words import CLOSE, DEEDS, IDLE, Deed
from nightdesk.sources.wording import clip


def read_deed(fields: Fields) -> Deed | str | None:
    """What is to be done; text when the body says that nothing is, None when it says neither.

    `signal` and `type` are asked only where neither an action nor a side is named.
    """
    action = _deed(fields, "action") if "action" in fields else None
    side = _deed(fields, "side") if "side" in fields else None
    if action is None and side is None:
        if "signal" in fields:
            action = _deed(fields, "signal")
        elif "type" in fields and (word := fields.word("type")) and (word in DEEDS or word in IDLE):
            action = DEEDS.get(word) or IDLE[word]
    if isinstance(action, str) or isinstance(side, str):
        return action if isinstance(action, str) else side
    if action is None or side is None or action == side:
        return _sided(fields, action or side)
    return _sided(fields, _joined(fields, action, side))


def _deed(fields: Fields, name: str) -> Deed | str:
    word = fields.word(name) or ""
    deed = DEEDS.get(word) or IDLE.get(word)
    if deed is None:
        raise wrong(fields.key(name), fields.get(name), "buy, sell, long, short, close, exit, flat or cancel")
    return deed


def _sided(fields: Fields, deed: Deed | None) -> Deed | None:
    if deed is not None and deed.aim is Aim.TRADE and deed.side is None:
        raise missing(
            "side", f"{clip(fields.get(_deed_field(fields)))} says to open and not which way; send buy or sell"
        )
    return deed


def _deed_field(fields: Fields) -> str:
    """Our name of the field that says what to do."""
    return next((name for name in ("action", "side", "signal") if name in fields), "type")


def _joined(fields: Fields, action: Deed, side: Deed) -> Deed:
    """One deed of `action` and `side`. `close` with long or short names the position, with buy or sell the order."""
    if side.aim is not Aim.TRADE:
        action, side = side, action
    if side.aim is Aim.TRADE and side.side is not None and action.side in (None, side.side):
        if action.aim is Aim.TRADE:
            return side
        if action.aim is Aim.CANCEL:
            return Deed(Aim.CANCEL, side.side)
        if action is CLOSE:
            return Deed(Aim.CLOSE, side.side if side.position else side.side.opposite)
        if side.position:
            return action
    first, second = fields.key("action"), fields.key("side")
    raise Refused(
        DenyCode.FIELD_INVALID,
        f"{first} is {clip(fields.get('action'))} and {second} is {clip(fields.get('side'))}, which disagree.",
        field=second,
    )
