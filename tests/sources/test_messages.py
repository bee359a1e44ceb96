"""The messages we offer to copy work once TradingView has filled them in: K15, K2."""

import re
from decimal import Decimal

import pytest

from nightdesk.model.denial import DenyCode
from nightdesk.model.errors import Refused
from nightdesk.model.signal import Aim, Ask, SizeUnit
from nightdesk.sources.tradingview import messages
from nightdesk.sources.tradingview.parse import parse
from nightdesk.sources.tradingview.parsed import Parsed, ParseSettings

FILLED = {
    "exchange": "BINANCE",
    "ticker": "BTCUSDT.P",
    "close": "60000.5",
    "timenow": "2026-02-18T14:30:01Z",
    "strategy.order.action": "sell",
    "strategy.order.contracts": "0.2",
    "strategy.order.price": "60001",
    "strategy.order.id": "Short",
    "strategy.order.comment": "crossed under",
    "strategy.market_position": "short",
    "strategy.market_position_size": "0.1",
}


def filled(message: messages.Message) -> bytes:
    return re.sub(r"\{\{([\w.]+)\}\}", lambda found: FILLED[found.group(1)], message.text).encode()


def read(message: messages.Message, *, follow: bool = False) -> tuple[Parsed, Ask]:
    parsed = parse(filled(message), settings=ParseSettings(target_position=follow))
    [ask] = parsed.asks
    assert ask.symbol == "BINANCE:BTCUSDT.P"
    assert parsed.fired_at is not None
    assert parsed.notes == ()
    return parsed, ask


def test_the_strategy_message_trades_each_order() -> None:
    parsed, ask = read(messages.STRATEGY)
    assert (parsed.form, ask.aim, ask.side) == ("native", Aim.TRADE, "SELL")
    assert ask.size is not None
    assert (ask.size.value, ask.size.unit) == (Decimal("0.2"), SizeUnit.BASE)
    assert ask.signal_px == 60001
    assert parsed.explicit_id == "BTCUSDT.P-2026-02-18T14:30:01Z-Short"
    assert parsed.comment == "crossed under"


def test_the_position_message_follows_and_trades_nothing_at_another_hook() -> None:
    _, ask = read(messages.POSITION, follow=True)
    assert (ask.aim, ask.target_qty) == (Aim.TARGET, Decimal("-0.1"))
    parsed = parse(filled(messages.POSITION), settings=ParseSettings())
    assert "following positions" in (parsed.no_action or "")


@pytest.mark.parametrize("message", [messages.INDICATOR, messages.KEY_VALUE])
def test_the_indicator_messages_trade_what_was_written(message: messages.Message) -> None:
    parsed, ask = read(message)
    assert (ask.aim, ask.side) == (Aim.TRADE, "BUY")
    assert parsed.explicit_id == "BTCUSDT.P-2026-02-18T14:30:01Z-buy"


def test_the_heartbeat_trades_nothing() -> None:
    parsed = parse(filled(messages.HEARTBEAT), settings=ParseSettings())
    assert (parsed.asks, parsed.no_action) == ((), "It is a heartbeat.")
    assert parsed.fired_at is not None


@pytest.mark.parametrize("message", messages.MESSAGES, ids=lambda message: message.title)
def test_a_message_that_was_not_filled_in_is_refused_k2(message: messages.Message) -> None:
    with pytest.raises(Refused) as caught:
        parse(message.text.encode(), settings=ParseSettings())
    assert caught.value.code is DenyCode.PLACEHOLDER_UNFILLED
    assert caught.value.field == "symbol"
