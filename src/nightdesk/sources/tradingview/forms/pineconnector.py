"""PineConnector: licence, command, symbol, then options, all between commas.

    60123456789,buy,EURUSD,risk=1,sl=10,tp=20,comment=breakout

buy and sell trade at the market; closelong, closeshort and closeall close; cancellong and cancelshort cancel.
What `risk=` counts is set in the sender's terminal, so it is used only when the hook says what it is (`risk_unit`).
Pending orders and changes of stops are refused: their prices may be pips, percents or prices. sl and tp are noted.
"""

import re

from nightdesk.model.signal import Aim
from nightdesk.sources.tradingview.asks import finish, to_ask
from nightdesk.sources.tradingview.body import Body, BodyKind
from nightdesk.sources.tradingview.fields import Fields
from nightdesk.sources.tradingview.parsed import Parsed, ParseSettings
from nightdesk.sources.tradingview.reading import sized
from nightdesk.sources.tradingview.refusal import not_done, wrong
from nightdesk.sources.tradingview.words import BY_RISK, CLOSE, DEEDS
from nightdesk.sources.wording import clip

_MESSAGE = re.compile(
    r"[0-9]{8,20}\s{0,4},\s{0,4}(?P<command>[A-Za-z]{3,24})\s{0,4},\s{0,4}(?P<symbol>[^,=\n]{1,80})(?:,(?P<rest>.*))?"
)
_DONE = frozenset({"buy", "sell", "closelong", "closeshort", "closeall", "closelongshort", "cancellong", "cancelshort"})
_PENDING = frozenset({"buystop", "buylimit", "sellstop", "selllimit"})
_SWITCHES = frozenset({"eaon", "eaoff"})
_DEEDS = {"closelongshort": CLOSE}
_OPTIONS = {"sl": "sl", "tp": "take_profit", "comment": "comment"}


def recognise(body: Body) -> bool:
    """True for a licence, a command of this family and a symbol."""
    found = _MESSAGE.fullmatch(body.text) if body.kind is BodyKind.TEXT else None
    if found is None:
        return False
    command = found["command"].lower()
    return command in _DONE | _PENDING | _SWITCHES or command.startswith(("newsltp", "close", "cancel"))


def normalise(body: Body, settings: ParseSettings, notes: tuple[str, ...]) -> Parsed:
    """The command on the symbol, its size by the hook unless the hook knows what risk counts."""
    found = _MESSAGE.fullmatch(body.text)
    command = found["command"].lower() if found else ""
    if found is None or command not in _DONE | _SWITCHES:
        raise not_done("command", f"{clip(command)} is not done here; its prices may be pips, percents or prices.")
    fields = Fields({"symbol": found["symbol"].strip()})
    options = _options(found["rest"] or "")
    for name, ours in _OPTIONS.items():
        fields.put(ours, name, options.get(name))
    if command in _SWITCHES:
        reason = "It asks to switch a terminal on or off; a hook is switched in the desk."
        return finish("pineconnector", fields, no_action=reason, notes=notes)
    deed = _DEEDS.get(command) or DEEDS[command]
    size = None
    if deed.aim is Aim.TRADE and "risk" in options:
        if settings.risk_unit is None:
            notes += (f"risk={clip(options['risk'])} was read; the hook sizes the order.",)
        elif settings.risk_unit in BY_RISK:
            raise not_done("risk", "A size by the risk to the stop needs the stop as a price, which sl= may not be.")
        else:
            size = sized(options["risk"], "risk", settings.risk_unit, deed.aim)
    return finish("pineconnector", fields, to_ask(fields, settings, deed, size), notes=notes)


def _options(text: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, sign, value = part.partition("=")
        name = name.strip().lower()
        if not sign:
            raise wrong("option", part, "options such as risk=1 after the symbol")
        if name in options:
            raise wrong(name, value, "one value, and it is given twice")
        options[name] = value.strip().strip('"')
    return options
