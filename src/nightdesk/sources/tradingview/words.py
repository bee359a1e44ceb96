"""The vocabulary of senders: what is to be done, kinds of orders, units of sizes."""

from typing import NamedTuple

from nightdesk.model.enums import OrdType, Side, TimeInForce
from nightdesk.model.signal import Aim, SizeUnit

_FOLD = str.maketrans("", "", " _-.")


def fold(word: str) -> str:
    """The word in lower case without blanks, dots, dashes and underscores: `orderType` and `order_type` are one."""
    return word.lower().translate(_FOLD)


class Deed(NamedTuple):
    """What a word asks for; `position` says that it names a position (long) and not an order (buy)."""

    aim: Aim
    side: Side | None = None
    position: bool = False


BUY = Deed(Aim.TRADE, Side.BUY)
SELL = Deed(Aim.TRADE, Side.SELL)
LONG = Deed(Aim.TRADE, Side.BUY, position=True)
SHORT = Deed(Aim.TRADE, Side.SELL, position=True)
OPEN = Deed(Aim.TRADE)
CLOSE = Deed(Aim.CLOSE)
CLOSE_LONG = Deed(Aim.CLOSE, Side.BUY)
CLOSE_SHORT = Deed(Aim.CLOSE, Side.SELL)
CANCEL = Deed(Aim.CANCEL)

DEEDS: dict[str, Deed] = {
    "buy": BUY,
    "sell": SELL,
    "long": LONG,
    "short": SHORT,
    "bullish": LONG,
    "bearish": SHORT,
    "enterlong": LONG,
    "entrylong": LONG,
    "openlong": LONG,
    "golong": LONG,
    "entershort": SHORT,
    "entryshort": SHORT,
    "openshort": SHORT,
    "goshort": SHORT,
    "open": OPEN,
    "enter": OPEN,
    "entry": OPEN,
    "add": OPEN,
    "close": CLOSE,
    "exit": CLOSE,
    "flat": CLOSE,
    "flatten": CLOSE,
    "closeall": CLOSE,
    "exitall": CLOSE,
    "closeposition": CLOSE,
    "closelong": CLOSE_LONG,
    "exitlong": CLOSE_LONG,
    "closeshort": CLOSE_SHORT,
    "exitshort": CLOSE_SHORT,
    "cancel": CANCEL,
    "cancelall": CANCEL,
    "cancelorders": CANCEL,
    "cancellong": Deed(Aim.CANCEL, Side.BUY),
    "cancelshort": Deed(Aim.CANCEL, Side.SELL),
}

IDLE: dict[str, str] = {
    "heartbeat": "It is a heartbeat.",
    "ping": "It is a heartbeat.",
    "hold": "It says hold.",
    "none": "It says none.",
    "alert": "It is an alert that names no side.",
    "info": "It is an alert that names no side.",
    "disable": "It asks to switch a bot off; a hook is switched off in the desk.",
    "enable": "It asks to switch a bot on; a hook is switched on in the desk.",
}

ORD_TYPES: dict[str, OrdType] = {
    "market": OrdType.MARKET,
    "mkt": OrdType.MARKET,
    "limit": OrdType.LIMIT,
    "lmt": OrdType.LIMIT,
    "stop": OrdType.STOP,
    "stopmarket": OrdType.STOP,
    "stoplimit": OrdType.STOP_LIMIT,
}

TIMES_IN_FORCE: dict[str, TimeInForce] = {
    "gtc": TimeInForce.GTC,
    "goodtillcancel": TimeInForce.GTC,
    "goodtillcancelled": TimeInForce.GTC,
    "ioc": TimeInForce.IOC,
    "immediateorcancel": TimeInForce.IOC,
    "fok": TimeInForce.FOK,
    "fillorkill": TimeInForce.FOK,
}

UNITS: dict[str, SizeUnit] = {
    "base": SizeUnit.BASE,
    "fixed": SizeUnit.BASE,
    "fixedquantity": SizeUnit.BASE,
    "units": SizeUnit.BASE,
    "shares": SizeUnit.BASE,
    "quote": SizeUnit.QUOTE,
    "usd": SizeUnit.QUOTE,
    "dollaramount": SizeUnit.QUOTE,
    "percent": SizeUnit.PERCENT_OF_EQUITY,
    "percentofequity": SizeUnit.PERCENT_OF_EQUITY,
    "percentofposition": SizeUnit.PERCENT_OF_POSITION,
    "positionpercent": SizeUnit.PERCENT_OF_POSITION,
    "percentageposition": SizeUnit.PERCENT_OF_POSITION,
    "riskdollaramount": SizeUnit.RISK_QUOTE,
    "riskquote": SizeUnit.RISK_QUOTE,
    "riskpercent": SizeUnit.RISK_PERCENT,
}

BY_RISK = frozenset({SizeUnit.RISK_QUOTE, SizeUnit.RISK_PERCENT})


def listed(words: dict[str, OrdType] | dict[str, TimeInForce]) -> str:
    """The distinct meanings of a table, for a sentence that says what is expected."""
    return ", ".join(dict.fromkeys(value.value.lower() for value in words.values()))
