"""The whole way from bytes to asks, with recorded bodies and with hostile ones: K2, rows 75 to 77."""

import contextlib
import json
import time
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import Side
from nightdesk.model.errors import Refused
from nightdesk.model.signal import Aim, Ask, Size
from nightdesk.sources.tradingview.body import read_body
from nightdesk.sources.tradingview.parse import parse
from nightdesk.sources.tradingview.parsed import ParseSettings
from nightdesk.sources.tradingview.secrets_in import blank

RECORDED = Path(__file__).parents[2].parent / "shared" / "data" / "payloads" / "tradingview"
PLAIN = ParseSettings()
FOLLOW = ParseSettings(target_position=True, default_symbol="BTC-USD", dca_side=Side.BUY)


def recorded(name: str) -> bytes:
    path = RECORDED / name
    if not path.exists():
        pytest.skip("the recorded payloads are not beside the repository")
    return path.read_bytes()


def test_the_recorded_action_body_buys_ten_k2() -> None:
    parsed = parse(recorded("action_symbol_body.json"), settings=PLAIN)
    assert parsed.asks == (
        Ask(
            aim=Aim.TRADE,
            symbol="NVDA",
            side=Side.BUY,
            size=Size(value=Decimal(10)),
            signal_px=Decimal("150.5"),
            stop_loss_px=Decimal("145.0"),
        ),
    )
    assert parsed.explicit_id == "unique_alert_id_123"
    assert parsed.fired_at is not None
    assert parsed.strategy == "rsi_pullback"
    assert [note.split()[0] for note in parsed.notes] == ["stop_loss", "take_profit"]


def test_the_recorded_body_with_a_secret_buys_and_keeps_none_k1() -> None:
    raw = recorded("flat_secret_body.json")
    parsed = parse(raw, settings=PLAIN)
    assert [(ask.symbol, ask.side, ask.size) for ask in parsed.asks] == [("AAPL", Side.BUY, Size(value=Decimal(10)))]
    kept = blank(read_body(raw))
    assert kept.tokens == ("your_webhook_secret",)
    assert "your_webhook_secret" not in kept.text


def test_the_recorded_indicator_template_is_refused_for_its_placeholder_k2() -> None:
    with pytest.raises(Refused, match=r"\{\{ticker\}\}") as caught:
        parse(recorded("indicator_alert_template.json"), settings=PLAIN)
    assert (caught.value.code, caught.value.field) == (DenyCode.PLACEHOLDER_UNFILLED, "symbol")


def test_the_recorded_forwarder_body_buys_by_the_rule_of_the_hook_k2() -> None:
    raw = recorded("redis_forwarder_filled.json")
    parsed = parse(raw, settings=PLAIN)
    assert parsed.form == "forwarder"
    assert parsed.asks == (Ask(aim=Aim.TRADE, symbol="EUR/USD", side=Side.BUY, signal_px=Decimal("1.1234")),)
    assert [note.split()[0] for note in parsed.notes] == ["sl-offset", "tp-offset"]
    assert parsed.strategy == "s1"
    assert blank(read_body(raw)).tokens == ("SECURITY_KEY",)


def test_the_recorded_strategy_body_needs_a_symbol_from_the_hook_k2() -> None:
    raw = recorded("strategy_cid_body.json")
    with pytest.raises(Refused) as caught:
        parse(raw, settings=PLAIN)
    assert (caught.value.code, caught.value.field) == (DenyCode.FIELD_MISSING, "symbol")
    parsed = parse(raw, settings=ParseSettings(default_symbol="BTC-USD"))
    assert parsed.explicit_id == "123456"
    assert parsed.fired_at is None
    assert parsed.asks == (Ask(aim=Aim.TRADE, symbol="BTC-USD", side=Side.BUY, signal_px=Decimal("98500.0")),)


BODIES = [
    b'{"symbol": "BTC-USD", "side": "buy", "size": "0.1", "id": "x", "timenow": "1771425001", "dex_ids": ["a"]}',
    b'{"ticker": "AMD", "action": "sell", "sentiment": "flat", "stopLoss": {"stopPrice": 5}, "time": "x"}',
    b'{"tv_instrument": "BTC", "action": "exit_long", "order": {"amount": "1", "currency_type": "base"}}',
    b'{"bot_id": 7, "email_token": "x", "pair": "USDT_BTC", "action": "close_at_market_price", "delay_seconds": 0}',
    b'{"signalToken": "x", "instrument": "BTC", "action": "buy", "marketPosition": "long", "maxLag": "9"}',
    b'{"pair": "BTC", "isBuy": true, "units": 0.1, "unitsType": "absolute", "alertTimestamp": "x", "isLimit": false}',
    b'{"stub": "dev", "direction": "long", "symbol": "ETH-PERP", "size": "50"}',
    b'{"data": {"strategy-order-action": "buy", "ticker": "EUR/USD", "heartbeat": false}, "key": "x"}',
    b'{"key": "WebhookReceived:0a1b2c", "data": {"ticker": "BTC", "side": "buy"}}',
    b"k(XBTUSD) { cancel(); market(side=buy, amount=100); limit(side=sell, amount=5%, offset=@9); wait(5); } #bot",
    b"60123456789,buy,EURUSD,risk=1,sl=10,tp=20,comment=x",
    b"AAPL,buy,150.25,10",
    b"SYMBOL=BTC;SIGNAL=BUY;VOLUME=2%;ORDER_TYPE=LIMIT;PRICE=9;TOKEN=x",
    b"symbol=BTC-USD, side=buy, size=0.1, secret=x",
]


def survives(raw: bytes) -> None:
    """Whatever the bytes: parsed or `Refused`, for every kind of hook, and fit to be kept."""
    for settings in (PLAIN, FOLLOW):
        try:
            parsed = parse(raw, settings=settings)
        except Refused:
            continue
        assert bool(parsed.asks) != bool(parsed.no_action)
        for ask in parsed.asks:
            assert ask.symbol
            assert (ask.aim is Aim.TRADE) <= (ask.side is not None)
            assert (ask.aim is Aim.TARGET) == (ask.target_qty is not None)
            assert ask.size is None or 0 < ask.size.value < 10**20


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_are_parsed_or_refused_row_76(raw: bytes) -> None:
    survives(raw)


NAMES = [
    "symbol", "ticker", "side", "action", "size", "quantity", "size_unit", "price", "order_type", "stop_price",
    "alert_id", "timenow", "max_lag", "test", "data", "key", "order", "strategy_info", "market_position",
    "market_position_size", "sentiment", "stopLoss", "bot_uuid", "bot_id", "email_token", "pair", "stub",
    "direction", "signalToken", "dex_ids", "investmentType", "isBuy", "unitsType", "units", "heartbeat",
    "target_position", "type", "comment", "time",
]  # fmt: skip
WORDS = [
    "buy",
    "sell",
    "flat",
    "long",
    "exit",
    "add",
    "limit",
    "base",
    "5%",
    "1",
    "0",
    "-1",
    "BTC",
    "{{x}}",
    "",
    "a:0a1b2c",
]
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(max_size=8)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*NAMES, "a-b"]) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), VALUES, max_size=8) | VALUES)
def test_any_json_is_parsed_or_refused_row_76(value: object) -> None:
    survives(json.dumps(value).encode())


@given(st.sampled_from(BODIES), st.integers(0, 200), st.integers(0, 12), st.binary(max_size=8))
def test_a_damaged_body_is_parsed_or_refused_rows_76_77(body: bytes, at: int, cut: int, put: bytes) -> None:
    at %= len(body)
    survives(body[:at] + put + body[at + cut :])


@given(st.sampled_from(BODIES), st.sampled_from(BODIES), st.integers(0, 200))
def test_two_bodies_in_one_are_parsed_or_refused(first: bytes, second: bytes, at: int) -> None:
    survives(first[:at] + second)


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_the_sample_bodies_are_real_ones(body: bytes) -> None:
    body = body.replace(b'"time": "x"', b'"time": "2026-02-18T14:30:01Z"')
    assert parse(body, settings=PLAIN).asks


@pytest.mark.parametrize(
    "raw",
    [
        b"k(B) {" + b"cancel();" * 1_700 + b"}",
        b"k(B){}" * 2_700,
        b"k" * 16_000 + b"(B){}",
        b"a" * 8_000 + b"=" + b"b" * 8_000,
        b"a=b;" * 4_000,
        b"token" * 3_200,
        b"key=" * 4_000,
        b'key="' * 3_200,
        b"{{" * 8_000,
        b"1" * 16_000,
        b"12345678,buy," + b"B" * 80 + b",a=" * 5_000,
        b"," * 16_000,
        b" \n" * 4_000 + b"x" + b" \n" * 4_000,
        b'{"symbol":"' + b"A" * 16_000 + b'","side":"buy"}',
        b'{"' + b'a":1,"' * 2 + b'b":[' + b"1," * 7_000 + b"1]}",
        json.dumps({"symbol": "BTC", "side": "buy", "comment": "{{" * 7_000}).encode(),
        json.dumps({f"token{i}": f"secret-number-{i}" for i in range(400)}).encode(),
    ],
)
def test_the_worst_bodies_take_bounded_time_row_75(raw: bytes) -> None:
    assert len(raw) <= 17_000
    began = time.perf_counter()
    survives(raw)
    if len(raw) <= 16_384:
        with contextlib.suppress(Refused):
            blank(read_body(raw))
    assert time.perf_counter() - began < 0.5
