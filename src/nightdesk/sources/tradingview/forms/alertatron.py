"""Alertatron: blocks of commands for a symbol.

    MyKeys(XBTUSD) { cancel(); market(side=buy, amount=100); } #bot

market, limit and stopOrder trade `amount` on `side`, or hold exactly `position`; cancel cancels. `amount=5%` is of
equity, `5%p` of the position. A price is fixed (`offset=@60000`) or refused: a distance would be guessed.
wait and settings of an exchange are noted, and so are protective exits (stopOrTakeProfit, trailingStop,
trailingTakeProfit): no stop is placed. Any other command refuses the whole message.
"""

import re

from nightdesk.model.denial import DenyCode
from nightdesk.model.errors import Refused
from nightdesk.model.signal import Aim, Ask, SizeUnit
from nightdesk.sources.tradingview.asks import finish, to_ask, to_target
from nightdesk.sources.tradingview.body import Body, BodyKind
from nightdesk.sources.tradingview.fields import Fields
from nightdesk.sources.tradingview.numbers import decimal
from nightdesk.sources.tradingview.parsed import Parsed, ParseSettings
from nightdesk.sources.tradingview.reading import sized
from nightdesk.sources.tradingview.refusal import PLACEHOLDER, missing, not_done, unfilled, wrong
from nightdesk.sources.tradingview.words import CANCEL, DEEDS, Deed
from nightdesk.sources.wording import clip

_START = re.compile(r"[\w .-]{1,40}\([^()]{1,80}\)\s{0,80}\{", re.ASCII)
_BLOCK = re.compile(
    r"\s*[\w .-]{1,40}\((?P<symbol>[^()]{1,80})\)\s{0,80}\{(?P<commands>[^{}]*)\}\s*(?:#[\w-]+\s*)*", re.ASCII
)
_COMMAND = re.compile(r"\s*(?P<name>[A-Za-z]{1,40})\s{0,8}\((?P<given>[^()]*)\)\s*;?\s*", re.ASCII)
_ARGUMENT = re.compile(r"(?P<name>[A-Za-z]{1,40})\s*=\s*(?P<value>[^\s].*)", re.ASCII)
_ORDERS = {"market": "market", "limit": "limit", "stoporder": "stop"}
_EXITS = frozenset({"stopOrTakeProfit", "trailingStop", "trailingTakeProfit", "stopLoss", "takeProfit"})
_PASSED = frozenset({"wait", "exchangeSettings", "continue", "notify"})
_USED = frozenset({"side", "amount", "position", "offset", "price", "reduceonly"})
_MOST = 20


def recognise(body: Body) -> bool:
    """True for a name, a symbol in brackets and an opening brace."""
    return body.kind is BodyKind.TEXT and _START.match(body.text) is not None


def normalise(body: Body, settings: ParseSettings, notes: tuple[str, ...]) -> Parsed:
    """One ask per order or cancel, in the order they were written."""
    if found := PLACEHOLDER.search(body.text):
        name = re.search(r"(\w{1,40})\s{0,8}=\s{0,8}\Z", body.text[max(0, found.start() - 60) : found.start()])
        raise unfilled(name.group(1) if name else "symbol", found.group())
    asks: list[Ask] = []
    for block in _all(_BLOCK, body.text, "a block such as MyKeys(BTCUSD) { market(side=buy, amount=1) }"):
        for command in _all(_COMMAND, block["commands"], "a command such as market(side=buy, amount=1)"):
            ask, note = _command(command["name"], command["given"], block["symbol"], settings)
            asks += (ask,) if ask else ()
            notes += (note,) if note else ()
    if len(asks) > _MOST:
        raise Refused(
            DenyCode.INVALID_SIGNAL, f"The message has {len(asks)} orders; at most {_MOST} are taken at once."
        )
    no_action = None if asks else "The message has no order in it."
    return finish("alertatron", Fields({}), *asks, no_action=no_action, notes=notes)


def _all(pattern: re.Pattern[str], text: str, expected: str) -> list[re.Match[str]]:
    found, at = [], 0
    while at < len(text) and text[at:].strip():
        match = pattern.match(text, at)
        if match is None:
            raise Refused(DenyCode.INVALID_SIGNAL, f"Seen was {clip(text[at : at + 60].strip())}; expected {expected}.")
        found.append(match)
        at = match.end()
    return found


def _arguments(text: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        found = _ARGUMENT.fullmatch(part)
        if found is None:
            raise Refused(DenyCode.INVALID_SIGNAL, f"Seen was {clip(part)}; expected an argument such as side=buy.")
        if found["name"].lower() in given:
            raise Refused(DenyCode.FIELD_INVALID, f"{found['name']} is given more than once.", field=found["name"])
        given[found["name"].lower()] = found["value"]
    return given


def _command(name: str, arguments: str, symbol: str, settings: ParseSettings) -> tuple[Ask | None, str | None]:
    """The ask of one command, or the note on it."""
    if name in _PASSED:
        return None, f"{name} was read and is passed over."
    if name in _EXITS:
        return None, f"{name} was read; no stop is placed."
    given = _arguments(arguments)
    fields = Fields({"symbol": symbol})
    if name == "cancel":
        if given.get("which", "all") != "all":
            raise not_done("which", "Cancelling some of the open orders is not done here; send cancel().")
        return to_ask(fields, settings, CANCEL, None), None
    ord_type = _ORDERS.get(name.lower())
    if ord_type is None:
        raise not_done(name, f"{name} is not done here; send market, limit, stopOrder or cancel.")
    fields.put("order_type", name, ord_type)
    if ord_type != "market":
        fields.put("limit_price" if ord_type == "limit" else "stop_price", "offset", _fixed(given))
    fields.put("reduce_only", "reduceOnly", given.get("reduceonly"))
    unused = ", ".join(sorted(given.keys() - _USED))
    return _ask(fields, given, settings), f"{clip(unused)} was read and is not acted on." if unused else None


def _ask(fields: Fields, given: dict[str, str], settings: ParseSettings) -> Ask:
    if "position" in given:
        return to_target(fields, settings, decimal(given["position"], "position"))
    if "side" not in given:
        raise missing("side", "send side=buy or side=sell, or a position")
    deed = DEEDS.get(given["side"].lower())
    if deed is None or deed.aim is not Aim.TRADE or deed.side is None:
        raise wrong("side", given["side"], "buy or sell")
    amount = given.get("amount")
    if amount is None:
        raise missing("amount", "send amount=, or a position")
    if amount.endswith(("%%", "%a")):
        raise not_done("amount", "A percentage of what is available is not done here; send % of equity or %p.")
    if amount.endswith("%p"):
        size = sized(amount[:-2], "amount", SizeUnit.PERCENT_OF_POSITION, Aim.TRADE)
    else:
        size = sized(amount.removesuffix("b") if amount.endswith("%b") else amount, "amount", None, Aim.TRADE)
    return to_ask(fields, settings, Deed(Aim.TRADE, deed.side), size)


def _fixed(given: dict[str, str]) -> str:
    price = given.get("offset") or given.get("price")
    if price is None or not price.startswith("@"):
        raise not_done("offset", "A price as a distance is not done here; send a fixed one such as offset=@60000.")
    return price[1:]
