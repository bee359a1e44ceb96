"""Every family of messages as what it asks for: K2."""

import pytest

from nightdesk.model.enums import OrdType, TimeInForce
from nightdesk.model.signal import Aim, Ask, Size, SizeUnit
from tests.sources.asking import (
    BTC,
    BUY,
    CANCEL,
    DCA,
    FOLLOW,
    HUB,
    OKX,
    SELL,
    STUB,
    THREE,
    TP,
    D,
    close,
    percent,
    read,
    refused,
    target,
    trade,
)

READ = [
    # native
    ("native", {"symbol": BTC, "side": "buy", "size": "0.1"}, trade(BUY)),
    ("native", {"symbol": BTC, "side": "SHORT", "size": 0.1}, trade(SELL)),
    ("native", {"symbol": BTC, "side": "buy"}, trade(BUY, size=None)),
    ("native", {"symbol": BTC, "side": "buy", "size": None}, trade(BUY, size=None)),
    ("native", {"symbol": BTC, "side": "buy", "size": "5%"}, trade(BUY, size="5", unit=SizeUnit.PERCENT_OF_EQUITY)),
    (
        "native",
        {"symbol": BTC, "side": "sell", "size": "5%", "size_unit": "percent_of_position"},
        trade(SELL, size="5", unit=SizeUnit.PERCENT_OF_POSITION),
    ),
    (
        "native",
        {"symbol": BTC, "side": "buy", "size": "50", "size_unit": "quote"},
        trade(BUY, size="50", unit=SizeUnit.QUOTE),
    ),
    (
        "native",
        {"symbol": BTC, "side": "buy", "size": "0.1", "dex_ids": ["Paradex", "extended", "paradex"]},
        trade(BUY, venues=("paradex", "extended")),
    ),
    ("native", {"symbol": BTC, "side": "buy", "size": "0.1", "venues": "a, b"}, trade(BUY, venues=("a", "b"))),
    ("native", {"symbol": BTC, "side": "buy", "size": "0.1", "price": 100}, trade(BUY, signal_px=D(100))),
    ("native", {"symbol": BTC, "side": "buy", "size": "0.1", "price": ""}, trade(BUY)),
    (
        "native",
        {"symbol": BTC, "side": "buy", "size": "0.1", "order_type": "market", "signal_price": "99", "price": "98"},
        trade(BUY, signal_px=D(99)),
    ),
    (
        "native",
        {"symbol": BTC, "side": "buy", "size": "0.1", "order_type": "limit", "price": "100", "time_in_force": "IOC"},
        trade(BUY, ord_type=OrdType.LIMIT, price=D(100), time_in_force=TimeInForce.IOC),
    ),
    (
        "native",
        {"symbol": BTC, "side": "buy", "size": "0.1", "limit_price": "100", "signal_price": "101"},
        trade(BUY, ord_type=OrdType.LIMIT, price=D(100), signal_px=D(101)),
    ),
    (
        "native",
        {"symbol": BTC, "side": "sell", "size": "0.1", "order_type": "stop", "stop_price": "90", "reduce_only": "true"},
        trade(SELL, ord_type=OrdType.STOP, stop_px=D(90), reduce_only=True),
    ),
    (
        "native",
        {"symbol": BTC, "side": "sell", "size": "0.1", "order_type": "STOP_LIMIT", "stop_price": "90", "price": 89},
        trade(SELL, ord_type=OrdType.STOP_LIMIT, stop_px=D(90), price=D(89)),
    ),
    (
        "native",
        {"symbol": BTC, "side": "buy", "size": 2, "size_unit": "risk_percent", "stop_loss": "90"},
        trade(BUY, size="2", unit=SizeUnit.RISK_PERCENT, stop_loss_px=D(90)),
    ),
    ("native", {"symbol": BTC, "side": "close"}, close()),
    ("native", {"symbol": BTC, "side": "close", "size": "50%"}, close(size=percent("50"))),
    ("native", {"symbol": BTC, "side": "cancel", "dex_ids": "a"}, Ask(aim=Aim.CANCEL, symbol=BTC, venues=("a",))),
    ("native", {"symbol": BTC, "target_position": "-0.5"}, target("-0.5")),
    (
        "native",
        {"symbol": BTC, "target_position": 0, "venues": ["a"], "time_in_force": "gtc"},
        target("0", venues=("a",), time_in_force=TimeInForce.GTC),
    ),
    # simple
    ("simple", {"ticker": "BINANCE:BTCUSDT.P", "action": "sell", "contracts": "0.1"}, trade(SELL, "BINANCE:BTCUSDT.P")),
    ("simple", {"pair": BTC, "direction": "long", "qty": "0.1"}, trade(BUY)),
    ("simple", {"Symbol": BTC, "orderSide": "buy", "Quantity": "0.1", "orderType": "MKT"}, trade(BUY)),
    ("simple", {"symbol": BTC, "signal": "buy", "amount": "0.1", "exchange": "BINANCE"}, trade(BUY)),
    ("simple", {"symbol": BTC, "type": "sell", "amount": "0.1"}, trade(SELL)),
    ("simple", {"symbol": BTC, "side": "buy", "qty": "0.1", "type": "nothing of ours"}, trade(BUY)),
    (
        "simple",
        {"symbol": BTC, "side": "buy", "qty": "0.1", "type": "limit", "price": "9"},
        trade(BUY, ord_type=OrdType.LIMIT, price=D(9)),
    ),
    ("simple", {"symbol": BTC, "side": "buy", "usd_amount": "50"}, trade(BUY, size="50", unit=SizeUnit.QUOTE)),
    ("simple", {"symbol": BTC, "ticker": "btc-usd", "side": "buy", "qty": "0.1"}, trade(BUY)),
    ("simple", {"symbol": BTC, "action": "open", "side": "buy", "qty": "0.1"}, trade(BUY)),
    ("simple", {"symbol": BTC, "action": "buy", "direction": "long", "qty": "0.1"}, trade(BUY)),
    ("simple", {"symbol": BTC, "action": "close", "side": "long"}, close(side=BUY)),
    ("simple", {"symbol": BTC, "action": "close", "side": "sell"}, close(side=BUY)),
    ("simple", {"symbol": BTC, "action": "exit", "direction": "short"}, close(side=SELL)),
    ("simple", {"symbol": BTC, "side": "close", "action": "buy"}, close(side=SELL)),
    ("simple", {"symbol": BTC, "action": "exit_long", "direction": "long"}, close(side=BUY)),
    ("simple", {"symbol": BTC, "action": "cancel", "side": "buy"}, Ask(aim=Aim.CANCEL, symbol=BTC, side=BUY)),
    ("simple", {"symbol": BTC, "action": "closelong", "qty": 1}, close(side=BUY, size=Size(value=D(1)))),
    # TradersPost
    ("traderspost", TP | {"action": "buy", "quantity": 0.1}, trade(BUY, signal_px=D(100))),
    ("traderspost", TP | {"action": "exit"}, close(signal_px=D(100))),
    ("traderspost", TP | {"action": "exit", "sentiment": "flat"}, close(signal_px=D(100))),
    (
        "traderspost",
        TP | {"action": "exit", "quantity": 50, "quantityType": "percent_of_position"},
        close(size=percent("50"), signal_px=D(100)),
    ),
    ("traderspost", TP | {"action": "cancel"}, CANCEL),
    ("traderspost", TP | {"action": "cancel", "sentiment": "long"}, CANCEL),
    ("traderspost", TP | {"action": "sell", "sentiment": "flat", "quantity": 3}, close(side=BUY, signal_px=D(100))),
    ("traderspost", TP | {"action": "buy", "sentiment": "flat"}, close(side=SELL, signal_px=D(100))),
    ("traderspost", TP | {"action": "buy", "sentiment": "long", "quantity": 0.1}, trade(BUY, signal_px=D(100))),
    (
        "traderspost",
        TP | {"action": "sell", "sentiment": "bullish", "quantity": 0.1},
        trade(SELL, signal_px=D(100), reduce_only=True),
    ),
    ("traderspost", TP | {"action": "add", "sentiment": "bearish", "quantity": 0.1}, trade(SELL, signal_px=D(100))),
    (
        "traderspost",
        TP | {"action": "buy", "quantity": 9, "quantityType": "dollar_amount"},
        trade(BUY, size="9", unit=SizeUnit.QUOTE, signal_px=D(100)),
    ),
    (
        "traderspost",
        TP | {"action": "buy", "quantity": 1, "quantityType": "risk_percent", "stopLoss": {"stopPrice": 90}},
        trade(BUY, size="1", unit=SizeUnit.RISK_PERCENT, signal_px=D(100), stop_loss_px=D(90)),
    ),
    (
        "traderspost",
        TP | {"action": "buy", "quantity": 0.1, "orderType": "limit", "limitPrice": 99},
        trade(BUY, ord_type=OrdType.LIMIT, price=D(99), signal_px=D(100)),
    ),
    # 3Commas
    (
        "three_commas",
        THREE | {"action": "buy", "trigger_price": "100", "order": {"amount": "0.1", "currency_type": "base"}},
        trade(BUY, signal_px=D(100)),
    ),
    (
        "three_commas",
        THREE | {"action": "sell", "order": {"amount": "9", "currency_type": "quote"}, "strategy_info": None},
        trade(SELL, size="9", unit=SizeUnit.QUOTE),
    ),
    ("three_commas", THREE | {"action": "enter_long"}, trade(BUY, size=None)),
    ("three_commas", THREE | {"action": "enter_short"}, trade(SELL, size=None)),
    ("three_commas", THREE | {"action": "exit_long"}, close(side=BUY)),
    (
        "three_commas",
        THREE | {"action": "exit_short", "order": {"amount": "40", "currency_type": "position_percent"}},
        close(side=SELL, size=percent("40")),
    ),
    ("three_commas_dca", DCA | {"action": "close_at_market_price", "delay_seconds": 0}, close("USDT_BTC")),
    ("three_commas_dca", DCA | {"action": "cancel"}, Ask(aim=Aim.CANCEL, symbol="USDT_BTC")),
    # OKX
    ("okx", OKX | {"id": "Long", "action": "buy", "amount": "0.1", "investmentType": "base"}, trade(BUY)),
    ("okx", OKX | {"action": "ENTER_SHORT", "amount": "0.1"}, trade(SELL)),
    (
        "okx",
        OKX | {"action": "EXIT_LONG", "amount": "100", "investmentType": "percentage_position", "orderType": "market"},
        close(side=BUY, size=percent("100")),
    ),
    # Alertatron
    ("alertatron", "MyKeys(BTC-USD) { market(side=buy, amount=0.1); } #bot", trade(BUY)),
    (
        "alertatron",
        "k(BTC-USD){limit(side=sell,amount=0.1,offset=@99)}",
        trade(SELL, ord_type=OrdType.LIMIT, price=D(99)),
    ),
    (
        "alertatron",
        "k(BTC-USD) { stopOrder(side=sell, amount=50%p, offset=@90, reduceOnly=true); }",
        trade(
            SELL, size="50", unit=SizeUnit.PERCENT_OF_POSITION,
            ord_type=OrdType.STOP, stop_px=D(90), reduce_only=True,
        ),
    ),
    (
        "alertatron",
        "k(BTC-USD) { market(side=buy, amount=5%b); }",
        trade(BUY, size="5", unit=SizeUnit.PERCENT_OF_EQUITY),
    ),
    ("alertatron", "k(BTC-USD) { market(position=-0.5); }", target("-0.5")),
    ("alertatron", "k(BTC-USD) { cancel(which=all); }", CANCEL),
    # PineConnector and CSV
    ("pineconnector", "60123456789,buy,BTC-USD", trade(BUY, size=None)),
    ("pineconnector", "60123456789, closelong, BTC-USD", close(side=BUY)),
    ("pineconnector", "60123456789,closelongshort,BTC-USD,comment=done", close()),
    ("pineconnector", "60123456789,cancelshort,BTC-USD", Ask(aim=Aim.CANCEL, symbol=BTC, side=SELL)),
    ("csv", "AAPL,buy,150.25,10", trade(BUY, "AAPL", "10", signal_px=D("150.25"))),
    ("csv", "BTC-USD, sell", trade(SELL, size=None)),
    # tv-hub
    ("tv_hub", HUB | {"isBuy": True, "isMarket": True, "units": 0.1, "unitsType": "absolute"}, trade(BUY)),
    (
        "tv_hub",
        HUB | {"isSell": True, "unitsType": "percent", "unitsPercent": 5, "isBuy": False},
        trade(SELL, size="5", unit=SizeUnit.PERCENT_OF_EQUITY),
    ),
    (
        "tv_hub",
        HUB | {"isBuy": True, "isLimit": True, "price": 9, "units": "0.1"},
        trade(BUY, ord_type=OrdType.LIMIT, price=D(9)),
    ),
    ("tv_hub", HUB | {"isClose": True}, close()),
    ("tv_hub", HUB | {"isClose": True, "closeLong": True}, close(side=BUY)),
    ("tv_hub", HUB | {"closeShort": True, "isBuy": False}, close(side=SELL)),
    ("tv_hub", HUB | {"cancelAllOrders": True}, CANCEL),
    ("tv_hub", HUB | {"orderType": "sell", "units": "0.1", "alertTimestamp": "x"}, trade(SELL)),
    ("tv_hub", HUB | {"orderType": "sell", "units": "0.1", "isBuy": True}, trade(BUY)),
    # robswc, the forwarder, stubs
    ("robswc", {"key": "WebhookReceived:0a1b2c", "data": {"ticker": BTC, "side": "buy", "qty": 0.1}}, trade(BUY)),
    ("robswc", {"key": "WebhookReceived:0a1b2c", "ticker": BTC, "side": "buy", "qty": 0.1}, trade(BUY)),
    (
        "forwarder",
        {"data": {"strategy-order-action": "buy", "strategy-order-contracts": "0.1", "ticker": BTC}, "key": "hush"},
        trade(BUY),
    ),
    ("stub", STUB | {"direction": "long", "size": "50"}, trade(BUY, size="50", unit=SizeUnit.QUOTE)),
    ("stub", STUB | {"direction": "short", "size": "5%"}, trade(SELL, size="5", unit=SizeUnit.PERCENT_OF_EQUITY)),
    ("stub", STUB | {"direction": "close"}, close()),
    ("stub", STUB | {"direction": "close", "size": "50%"}, close(size=percent("50"))),
    ("stub", STUB | {"direction": "close", "size": "50"}, close()),
    # OctoBot and key=value
    ("octobot", "SYMBOL=BTC-USD;SIGNAL=BUY;VOLUME=0.1;TOKEN=hush", trade(BUY)),
    ("octobot", "SYMBOL=BTC-USD\nSIGNAL=SELL\nVOLUME=2%", trade(SELL, size="2", unit=SizeUnit.PERCENT_OF_EQUITY)),
    ("octobot", "SYMBOL=BTC-USD;SIGNAL=BUY;VOLUME=9q", trade(BUY, size="9", unit=SizeUnit.QUOTE)),
    (
        "octobot",
        "SYMBOL=BTC-USD;SIGNAL=BUY;VOLUME=0.1;ORDER_TYPE=LIMIT;PRICE=9;REDUCE_ONLY=FALSE",
        trade(BUY, ord_type=OrdType.LIMIT, price=D(9)),
    ),
    ("octobot", "SYMBOL=BTC-USD;SIGNAL=CANCEL", CANCEL),
    ("key_value", "symbol=BTC-USD, side=buy, size=0.1, secret=hush", trade(BUY)),
    ("key_value", "symbol: BTC-USD\nside: buy\nsize: '0.1'", trade(BUY)),
    ("key_value", "symbol=BTC-USD&side=buy&size=0.1", trade(BUY)),
    ("key_value", "symbol=BTC-USD side=buy size=0.1", trade(BUY)),
    ("key_value", "ticker = BINANCE:BTCUSDT; action = close", close("BINANCE:BTCUSDT")),
]  # fmt: skip


@pytest.mark.parametrize(("form", "body", "ask"), READ, ids=[f"{form} {i}" for i, (form, _, _) in enumerate(READ)])
def test_a_message_asks_for_what_it_says_k2(form: str, body: object, ask: Ask) -> None:
    parsed = read(body)
    assert parsed.form == form
    assert parsed.asks == (ask,)
    assert parsed.no_action is None


@pytest.mark.parametrize(
    ("body", "qty"),
    [
        ({"symbol": BTC, "side": "buy", "market_position": "long", "market_position_size": "0.1"}, "0.1"),
        ({"symbol": BTC, "market_position": "short", "market_position_size": 2}, "-2"),
        ({"symbol": BTC, "side": "sell", "market_position": "flat", "market_position_size": "0"}, "0"),
        ({"symbol": BTC, "side": "sell", "position_size": "-3"}, "-3"),
        ({"symbol": BTC, "market_position": "short", "position_size": "-3"}, "-3"),
        (THREE | {"action": "sell", "strategy_info": {"market_position": "short", "market_position_size": "1"}}, "-1"),
        (OKX | {"action": "buy", "marketPosition": "long", "marketPositionSize": "7", "amount": "9"}, "7"),
        (TP | {"action": "buy", "sentiment": "long", "market_position_size": 4}, "4"),
        ("symbol=BTC-USD;market_position=long;market_position_size=4", "4"),
    ],
)
def test_a_hook_that_follows_positions_takes_the_position_not_the_order_k2(body: object, qty: str) -> None:
    [ask] = read(body, FOLLOW).asks
    assert (ask.aim, ask.target_qty, ask.side, ask.size) == (Aim.TARGET, D(qty), None, None)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"symbol": BTC, "side": "buy", "size": "1"}, "market_position"),
        ({"symbol": BTC, "market_position": "long"}, "market_position_size"),
        ({"symbol": BTC, "market_position": "up", "market_position_size": "1"}, "market_position"),
        ({"symbol": BTC, "market_position": "long", "market_position_size": "0"}, "market_position_size"),
        (
            {"symbol": BTC, "market_position": "long", "market_position_size": "1", "position_size": "-1"},
            "position_size",
        ),
        ({"symbol": BTC, "market_position": ""}, "market_position"),
    ],
)
def test_a_position_that_is_not_clear_is_refused(body: object, field: str) -> None:
    assert refused(body, FOLLOW).field == field


def test_close_and_cancel_work_at_a_hook_that_follows_positions() -> None:
    assert read({"symbol": BTC, "side": "close"}, FOLLOW).asks == (close(),)
    assert read(TP | {"action": "exit", "sentiment": "long"}, FOLLOW).asks == (close(signal_px=D(100)),)


NOTHING = [
    ({"symbol": BTC, "heartbeat": True}, "heartbeat"),
    ({"heartbeat": "true"}, "heartbeat"),
    ({"symbol": BTC, "side": "hold"}, "hold"),
    ({"symbol": BTC, "side": "buy", "action": "none"}, "none"),
    ({"symbol": BTC, "type": "heartbeat"}, "heartbeat"),
    ({"symbol": BTC, "message": "crossed"}, "names no side"),
    ({"symbol": BTC, "type": "crossing"}, "names no side"),
    ({"symbol": BTC, "market_position": "long", "market_position_size": "1"}, "following positions"),
    (THREE | {"action": "disable"}, "switched off"),
    (DCA | {"action": "stop_bot"}, "start or stop"),
    (TP | {"action": "hold", "sentiment": "long"}, "hold"),
    ({"key": "WebhookReceived:0a1b2c", "message": "crossed"}, "names no side"),
    ({"data": {"heartbeat": True, "strategy-order-action": "buy", "ticker": BTC}}, "heartbeat"),
    ("60123456789,eaoff,eaoff", "terminal"),
    ("k(BTC-USD) { wait(5s); }", "no order"),
    ("symbol=BTC-USD;message=crossed", "names no side"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "reason"), NOTHING)
def test_an_alert_that_asks_for_nothing_is_no_action_with_its_reason_k2(body: object, reason: str) -> None:
    parsed = read(body)
    assert parsed.asks == ()
    assert reason in (parsed.no_action or "")
