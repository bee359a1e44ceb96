"""What a body says beside its asks: ids, times, notes, and what the hook adds: K2, K3, rows 71 and 73."""

import pytest

from nightdesk.model.signal import SizeUnit
from nightdesk.sources.tradingview.parse import parse
from nightdesk.sources.tradingview.parsed import Parsed, ParseSettings
from tests.sources.asking import (
    BTC,
    BUY,
    CANCEL,
    DCA,
    INVALID,
    OKX,
    PLAIN,
    SELL,
    STUB,
    TP,
    UNSUPPORTED,
    read,
    refused,
    target,
    trade,
)


def test_what_no_form_knows_is_shown_the_simplest_body_that_works() -> None:
    found = refused({"foo": 1})
    assert "'foo'" in found.text
    body = found.text[found.text.index("{") :]
    assert read(body).asks == (trade(BUY),)
    assert "secret=***" in refused("secret=hush;colour=red").text


def test_several_commands_and_blocks_are_asked_for_in_their_order() -> None:
    parsed = read(
        "keys(BTC-USD) { cancel(); market(side=buy, amount=1, tag=a); stopOrTakeProfit(p=1); }\n"
        "#bot other keys(ETH-USD) { wait(2s); market(position=0) } #two".replace("#bot other", "#bot\nother")
    )
    assert parsed.asks == (CANCEL, trade(BUY, size="1"), target("0", "ETH-USD"))
    assert [note.split()[0] for note in parsed.notes] == ["'tag'", "stopOrTakeProfit", "wait"]


def test_codes_mean_what_the_hook_says_they_mean() -> None:
    ask = trade(BUY)
    settings = ParseSettings(opaque_codes={"ENTER-LONG_1a2b": ask})
    assert read(" ENTER-LONG_1a2b\n", settings) == Parsed(form="opaque", asks=(ask,))
    assert refused("ENTER-LONG_ffff", settings).code is INVALID


def test_the_hook_names_what_the_body_leaves_open() -> None:
    assert read({"side": "buy", "size": "0.1"}, ParseSettings(default_symbol=BTC)).asks == (trade(BUY),)
    started = read(DCA, ParseSettings(dca_side=SELL))
    assert started.asks == (trade(SELL, "USDT_BTC", None),)
    sized = ParseSettings(risk_unit=SizeUnit.PERCENT_OF_EQUITY)
    assert read("60123456789,buy,BTC-USD,risk=2", sized).asks == (
        trade(BUY, size="2", unit=SizeUnit.PERCENT_OF_EQUITY),
    )
    by_risk = ParseSettings(risk_unit=SizeUnit.RISK_PERCENT)
    assert refused("60123456789,buy,BTC-USD,risk=2,sl=5", by_risk).code is UNSUPPORTED


def test_what_is_read_and_not_acted_on_is_noted() -> None:
    parsed = read("60123456789,buy,BTC-USD,risk=1,sl=10,tp=20,comment=breakout")
    assert parsed.asks == (trade(BUY, size=None),)
    assert [note.split()[0] for note in parsed.notes] == ["risk='1'", "sl", "tp"]
    assert parsed.comment == "breakout"
    parsed = read(TP | {"action": "buy", "quantity": 1, "stopLoss": {"percent": 5}, "takeProfit": {"percent": 10}})
    assert parsed.notes == (
        "stopLoss an object was read; no stop is placed.",
        "takeProfit an object was read; no take-profit is placed.",
    )
    assert "only reduces" in read(TP | {"action": "sell", "sentiment": "long"}).notes[0]
    assert "closes all" in read(STUB | {"direction": "close", "size": "5"}).notes[0]
    assert read({"symbol": BTC, "side": "buy", "post_only": False, "leverage": ""}).notes == ()


def test_a_placeholder_in_free_text_is_only_noted_k2() -> None:
    parsed = read({"symbol": BTC, "side": "buy", "size": "0.1", "comment": "at {{plot_0}}", "x": [{"y": "{{close}}"}]})
    assert parsed.asks == (trade(BUY),)
    assert [note.split()[3] for note in parsed.notes] == ["{{plot_0}};", "{{close}};"]


def test_a_latin_1_body_keeps_its_note_row_77() -> None:
    parsed = parse('{"symbol": "BTC-USD", "side": "buy", "comment": "é"}'.encode("latin-1"), settings=PLAIN)
    assert "Latin-1" in parsed.notes[0]
    assert parsed.comment == "é"


BODY = {"symbol": BTC, "side": "buy", "size": "0.1"}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"id": "a"}, "a"),
        ({"id": "a", "alert_id": "b"}, "b"),
        ({"id": 12}, "12"),
        ({"alert_id": ""}, None),
        ({"cid": "c", "other": 1}, "c"),
        ({"signal_id": "s", "idempotency_key": "k", "cid": "c"}, "k"),
        ({"alertTimestamp": "BTC-2026"}, "BTC-2026"),
        ({}, None),
    ],
)
def test_an_explicit_id_is_found_k3_row_71(more: dict[str, object], expected: str | None) -> None:
    assert read(BODY | more).explicit_id == expected


def test_the_name_of_an_order_is_no_id_as_it_comes_again_with_every_trade_row_71() -> None:
    assert read(OKX | {"id": "Long", "action": "buy", "amount": "1"}).explicit_id is None
    assert read({"ticker": BTC, "side": "buy", "id": "Long"}).explicit_id is None


def test_when_it_fired_and_how_late_it_may_be_row_73() -> None:
    parsed = read(
        BODY | {"timenow": "2026-02-18T14:30:01Z", "time": "2026-02-18T14:00:00Z", "max_lag": "300", "test": 1}
    )
    assert parsed.fired_at is not None
    assert parsed.fired_at.isoformat() == "2026-02-18T14:30:01+00:00"
    assert parsed.max_lag == 300
    assert parsed.test
    assert read(BODY | {"max_lag": "", "time": "2026-02-18T14:00:00Z", "bar_time": "x"}) == read(BODY)


def test_the_time_of_traderspost_is_when_it_fired() -> None:
    fired = read(TP | {"action": "buy", "time": "2026-02-18T14:30:01Z"}).fired_at
    assert fired is not None
    assert fired.minute == 30


def test_strategy_and_comment_go_along() -> None:
    parsed = read(BODY | {"strategy": "s" * 300, "message": "crossed"})
    assert parsed.strategy == "s" * 200
    assert parsed.comment == "crossed"
