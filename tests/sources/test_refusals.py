"""What cannot be traded is refused by code and field: K2, row 76."""

import pytest

from nightdesk.model.denial import DenyCode
from tests.sources.asking import (
    BTC,
    DCA,
    HUB,
    OKX,
    STUB,
    THREE,
    TP,
    refused,
)

F, M, N, P, X = (
    DenyCode.FIELD_INVALID,
    DenyCode.FIELD_MISSING,
    DenyCode.NOT_SUPPORTED,
    DenyCode.PLACEHOLDER_UNFILLED,
    DenyCode.INVALID_SIGNAL,
)
LIMIT = {"symbol": BTC, "side": "buy", "order_type": "limit"}

REFUSED = [
    # numbers, K2
    ({"symbol": BTC, "side": "buy", "size": "-1"}, F, "size"),
    ({"symbol": BTC, "side": "buy", "size": 0}, F, "size"),
    ({"symbol": BTC, "side": "buy", "size": True}, F, "size"),
    ({"symbol": BTC, "side": "buy", "size": "NaN"}, F, "size"),
    ({"symbol": BTC, "side": "buy", "size": "%"}, M, "size"),
    ({"symbol": BTC, "side": "buy", "size": ""}, M, "size"),
    ({"symbol": BTC, "side": "buy", "size": {"value": 1}}, F, "size"),
    ({"symbol": BTC, "side": "buy", "qty": "1", "size": "2"}, F, "size"),
    ({"symbol": BTC, "side": "buy", "qty": "1", "usd_amount": "2"}, F, "usd_amount"),
    ({"symbol": BTC, "side": "buy", "size": "5%", "size_unit": "quote"}, F, "size"),
    ({"symbol": BTC, "side": "buy", "size": "5", "size_unit": "lots"}, F, "size_unit"),
    ({"symbol": BTC, "side": "close", "size": "101%"}, F, "size"),
    ({"symbol": BTC, "side": "buy", "size": "5", "size_unit": "risk_percent"}, M, "stop_loss"),
    ({"symbol": BTC, "side": "buy", "size": "5", "size_unit": "risk_percent", "stop_loss": "2%"}, M, "stop_loss"),
    # words
    ({"symbol": BTC, "side": ""}, M, "side"),
    ({"symbol": BTC, "side": "up"}, F, "side"),
    ({"symbol": BTC, "side": True}, F, "side"),
    ({"symbol": BTC, "side": ["buy"]}, F, "side"),
    ({"symbol": BTC, "action": "open"}, M, "side"),
    ({"symbol": BTC, "side": "buy", "action": "sell"}, F, "side"),
    ({"symbol": BTC, "side": "sell", "action": "exit_long"}, F, "side"),
    ({"symbol": BTC, "side": "close", "action": "cancel"}, F, "side"),
    ({"symbol": BTC, "side": "buy", "reduce_only": "perhaps"}, F, "reduce_only"),
    ({"symbol": BTC, "side": "buy", "reduce_only": []}, F, "reduce_only"),
    ({"symbol": BTC, "side": "buy", "time_in_force": "day"}, F, "time_in_force"),
    # symbols and venues
    ({"side": "buy", "size": "1"}, M, "symbol"),
    ({"symbol": "", "side": "buy"}, M, "symbol"),
    ({"symbol": True, "side": "buy"}, F, "symbol"),
    ({"symbol": "BTC;DROP", "side": "buy"}, F, "symbol"),
    ({"symbol": "B" * 65, "side": "buy"}, F, "symbol"),
    ({"symbol": "\uff22\uff34\uff23", "side": "buy"}, F, "symbol"),
    ({"symbol": BTC, "ticker": "ETH-USD", "side": "buy"}, F, "ticker"),
    ({"symbol": BTC, "side": "buy", "dex_ids": []}, F, "dex_ids"),
    ({"symbol": BTC, "side": "buy", "dex_ids": [1, True]}, F, "dex_ids"),
    ({"symbol": BTC, "side": "buy", "dex_ids": {"a": 1}}, F, "dex_ids"),
    ({"symbol": BTC, "side": "buy", "dex_ids": ["a b"]}, F, "dex_ids"),
    # prices
    (LIMIT, M, "price"),
    (LIMIT | {"price": "-1"}, F, "price"),
    ({"symbol": BTC, "side": "buy", "order_type": "stop", "price": "9"}, M, "stop_price"),
    ({"symbol": BTC, "side": "buy", "stop_price": "9"}, M, "order_type"),
    ({"symbol": BTC, "side": "buy", "order_type": "trailing_stop"}, N, "order_type"),
    ({"symbol": BTC, "side": "buy", "order_type": "iceberg"}, F, "order_type"),
    # what the body says about itself
    ({"symbol": BTC, "side": "buy", "alert_id": "x" * 201}, F, "alert_id"),
    ({"symbol": BTC, "side": "buy", "id": True}, F, "id"),
    ({"symbol": BTC, "side": "buy", "timenow": "noon"}, F, "timenow"),
    ({"symbol": BTC, "side": "buy", "max_lag": "0"}, F, "max_lag"),
    ({"symbol": BTC, "side": "buy", "max_lag": -1}, F, "max_lag"),
    ({"symbol": BTC, "side": "buy", "max_lag": "soon"}, F, "max_lag"),
    # placeholders
    ({"symbol": "{{ticker}}", "side": "buy"}, P, "symbol"),
    ({"symbol": BTC, "side": "{{strategy.order.action}}"}, P, "side"),
    ({"symbol": BTC, "message": "x", "qty": "{{strategy.order.contracts}}"}, P, "qty"),
    ({"symbol": BTC, "side": "buy", "price": "{{close}}"}, P, "price"),
    ({"symbol": BTC, "side": "buy", "timenow": "{{timenow}}"}, P, "timenow"),
    ({"symbol": BTC, "side": "buy", "alert_id": "{{ticker}}-1"}, P, "alert_id"),
    ({"symbol": BTC, "side": "buy", "dex_ids": ["{{plot_0}}"]}, P, "dex_ids"),
    (
        THREE | {"action": "buy", "strategy_info": {"market_position": "{{strategy.market_position}}"}},
        P,
        "market_position",
    ),
    (TP | {"action": "buy", "sentiment": "{{strategy.market_position}}"}, P, "sentiment"),
    ("symbol={{ticker}};message=crossed", P, "symbol"),
    ("{{ticker}},buy", P, "body"),
    ("k({{ticker}}) { market(side=buy, amount=1); }", P, "symbol"),
    ("k(BTC-USD) { market(side=buy, amount={{plot_0}}); }", P, "amount"),
    ("BTC crossed {{close}}", P, "body"),
    # forms
    (TP | {"action": "add"}, M, "sentiment"),
    (TP | {"action": "add", "sentiment": "flat"}, F, "sentiment"),
    (TP | {"action": "buy", "sentiment": "sideways"}, F, "sentiment"),
    (TP | {"action": None, "sentiment": "long"}, M, "action"),
    (TP | {"action": "buy", "quantity": 1, "quantityType": "risk_percent", "stopLoss": {"percent": 5}}, M, "stopLoss"),
    (TP | {"action": "buy", "orderType": "trailing_stop", "trailPercent": 2}, N, "orderType"),
    (THREE | {"action": "buy", "order": {"amount": "1", "currency_type": "margin_percent"}}, N, "currency_type"),
    (THREE | {"action": "buy", "order": {"amount": "1", "currency_type": 5}}, N, "currency_type"),
    (THREE | {"action": "buy", "order": "1"}, F, "order"),
    (DCA, M, "action"),
    (DCA | {"action": "close_at_market_price", "delay_seconds": 30}, N, "delay_seconds"),
    (DCA | {"action": "add_funds_in_quote"}, N, "action"),
    (OKX | {"action": "buy", "amount": "1", "investmentType": "contract"}, N, "investmentType"),
    (OKX | {"action": "buy", "amount": "1", "orderType": "limit", "orderPriceOffset": "0.1"}, N, "orderType"),
    (STUB | {"direction": "long", "size": "50", "mode": "reverse"}, N, "mode"),
    (STUB | {"direction": "long", "size": "50", "max": "500"}, N, "max"),
    (HUB | {"isBuy": True, "isSell": True}, F, "isSell"),
    (HUB | {"isBuy": "perhaps"}, F, "isBuy"),
    (HUB | {"isBuy": True, "units": 1, "unitsType": "risk"}, N, "unitsType"),
    ("AAPL,buy,150.25", M, "quantity"),
    ("60123456789,buylimit,BTC-USD,price=9", N, "command"),
    ("60123456789,newsltplong,BTC-USD,sl=9", N, "command"),
    ("60123456789,buy,BTC-USD,now", F, "option"),
    ("60123456789,buy,BTC-USD,risk=1,risk=2", F, "risk"),
    ("k(BTC-USD) { limit(side=buy, amount=1, offset=1%); }", N, "offset"),
    ("k(BTC-USD) { market(side=buy, amount=5%%); }", N, "amount"),
    ("k(BTC-USD) { market(side=buy); }", M, "amount"),
    ("k(BTC-USD) { market(amount=1); }", M, "side"),
    ("k(BTC-USD) { market(side=close, amount=1); }", F, "side"),
    ("k(BTC-USD) { market(side=buy, side=sell, amount=1); }", F, "side"),
    ("k(BTC-USD) { market(side=buy, 1); }", X, None),
    ("k(BTC-USD) { iceberg(side=buy, amount=1); }", N, "iceberg"),
    ("k(BTC-USD) { cancel(which=tagged); }", N, "which"),
    ("k(BTC-USD) { buy now }", X, None),
    ("k(BTC-USD) { cancel(); } and more", X, None),
    ("k(BTC-USD) {" + "cancel();" * 21 + "}", X, None),
    ("SYMBOL=BTC-USD;SIGNAL=BUY;VOLUME=1;ORDER_TYPE=LIMIT;PRICE=10d", F, "PRICE"),
    ("symbol=BTC;Symbol=ETH;side=buy", F, "Symbol"),
    # nothing we know
    ({}, X, None),
    ({"foo": 1, "bar": {"symbol": BTC}}, X, None),
    ("BTC is above its average", X, None),
    ("Alert: BTC", X, None),
    ("Price alert: BTC = 5", X, None),
    ("a,b,c", X, None),
    ("12345678,dance,BTC", X, None),
    ("ENTER-LONG_BINANCE_BTCUSDT", X, None),
]  # fmt: skip


@pytest.mark.parametrize(("body", "code", "field"), REFUSED)
def test_what_cannot_be_traded_is_refused_with_code_and_field_k2_row_76(
    body: object, code: DenyCode, field: str | None
) -> None:
    found = refused(body)
    assert (found.code, found.field) == (code, field), found.text
    assert found.text.endswith((".", "}"))
    assert "hush" not in found.text
