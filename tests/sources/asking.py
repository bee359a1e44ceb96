"""What the tests of message forms share: a body in, and the asks it should come to."""

import json
from decimal import Decimal

import pytest

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import Side
from nightdesk.model.errors import Refused
from nightdesk.model.signal import Aim, Ask, Size, SizeUnit
from nightdesk.sources.tradingview.parse import parse
from nightdesk.sources.tradingview.parsed import Parsed, ParseSettings

D = Decimal
BTC = "BTC-USD"
PLAIN = ParseSettings()
FOLLOW = ParseSettings(target_position=True)


def read(body: object, settings: ParseSettings = PLAIN) -> Parsed:
    raw = body if isinstance(body, str) else json.dumps(body)
    return parse(raw.encode(), settings=settings)


def refused(body: object, settings: ParseSettings = PLAIN) -> Refused:
    with pytest.raises(Refused) as caught:
        read(body, settings)
    return caught.value


def trade(
    side: Side, symbol: str = BTC, size: str | None = "0.1", unit: SizeUnit = SizeUnit.BASE, **more: object
) -> Ask:
    return Ask(
        aim=Aim.TRADE,
        symbol=symbol,
        side=side,
        size=None if size is None else Size(value=D(size), unit=unit),
        **more,  # type: ignore[arg-type]
    )


def close(symbol: str = BTC, side: Side | None = None, size: Size | None = None, **more: object) -> Ask:
    return Ask(aim=Aim.CLOSE, symbol=symbol, side=side, size=size, **more)  # type: ignore[arg-type]


def target(qty: str, symbol: str = BTC, **more: object) -> Ask:
    return Ask(aim=Aim.TARGET, symbol=symbol, target_qty=D(qty), **more)  # type: ignore[arg-type]


def percent(value: str, unit: SizeUnit = SizeUnit.PERCENT_OF_POSITION) -> Size:
    return Size(value=D(value), unit=unit)


INVALID = DenyCode.INVALID_SIGNAL
UNSUPPORTED = DenyCode.NOT_SUPPORTED
BUY, SELL = Side.BUY, Side.SELL
CANCEL = Ask(aim=Aim.CANCEL, symbol=BTC)
THREE = {"secret": "hush", "tv_instrument": BTC, "bot_uuid": "0000"}
OKX = {"signalToken": "hush", "instrument": BTC}
TP = {"ticker": BTC, "signalPrice": 100}
DCA = {"message_type": "bot", "bot_id": 7, "email_token": "hush", "pair": "USDT_BTC"}
HUB = {"token": "hush", "pair": BTC}
STUB = {"stub": "dev", "symbol": BTC}
