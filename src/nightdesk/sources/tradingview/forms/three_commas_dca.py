"""3Commas DCA bots. The pair is written quote first.

    {"message_type": "bot", "bot_id": 7, "email_token": "not-a-real-one", "delay_seconds": 0,
     "pair": "USDT_BTC", "action": "close_at_market_price"}

Without an action it starts a deal: a trade on the side the hook names for the bot (`dca_side`), sized by the hook.
close_at_market_price closes, cancel cancels, starting and stopping a bot is no action, anything else is refused.
A delay is refused: an order at another time is another order.
"""

from nightdesk.model.signal import Aim
from nightdesk.sources.tradingview.asks import finish, to_ask
from nightdesk.sources.tradingview.body import Body
from nightdesk.sources.tradingview.fields import Fields
from nightdesk.sources.tradingview.numbers import decimal
from nightdesk.sources.tradingview.parsed import Parsed, ParseSettings
from nightdesk.sources.tradingview.refusal import missing, not_done
from nightdesk.sources.tradingview.words import CANCEL, CLOSE, Deed
from nightdesk.sources.wording import clip

_FORM = "three_commas_dca"
_START = frozenset({None, "startdeal"})
_DEEDS = {"closeatmarketprice": CLOSE, "closeatmarketpriceall": CLOSE, "cancel": CANCEL, "cancelall": CANCEL}
_SWITCHES = frozenset({"startbot", "stopbot"})


def recognise(body: Body) -> bool:
    """True for a bot's number with the token or the message type of this form."""
    return "bot_id" in body.fields and ("email_token" in body.fields or "message_type" in body.fields)


def normalise(body: Body, settings: ParseSettings, notes: tuple[str, ...]) -> Parsed:
    """The action on the pair."""
    fields = Fields(body.fields)
    delay = body.fields.get("delay_seconds")
    if delay not in (None, "") and decimal(delay, "delay_seconds"):
        raise not_done("delay_seconds", "A delay is not done here; let the alert fire when the order is wanted.")
    word = fields.word("action")
    if word in _SWITCHES:
        reason = "It asks to start or stop a bot; a hook is switched on and off in the desk."
        return finish(_FORM, fields, no_action=reason, notes=notes)
    deed = _DEEDS.get(word or "")
    if word in _START:
        if settings.dca_side is None:
            raise missing("action", "starting a deal does not say which way the bot trades; name its side at the hook")
        deed = Deed(Aim.TRADE, settings.dca_side)
    if deed is None:
        raise not_done(
            "action", f"action {clip(fields.get('action'))} is not done here; send a form with side and size."
        )
    return finish(_FORM, fields, to_ask(fields, settings, deed, None), notes=notes)
