"""Alerts that others have recorded, at desks that play recorded markets: each ends in exactly one way (K2, K5, K7)."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from tests.app.desks import SHARED, Desk, desk

ALERTS = SHARED / "payloads" / "tradingview"
MARKETS = SHARED / "market"
pytestmark = pytest.mark.skipif(not ALERTS.exists(), reason=f"recorded alerts and markets: not at {SHARED}")

CONFIG = """
[market]
source = "{file}"
symbols = ["{symbol}"]
speed = 3600
loop = true
[risk]
price_collar_percent = {collar}
[hooks.plain]
size = 2
[hooks.mapped]
size = 2
default_symbol = "{symbol}"
[hooks.mapped.symbols]
NVDA = "{symbol}"
AAPL = "{symbol}"
"""

DESKS = {
    # Bitcoin in October 2013 at 83 to 215 USD, the euro in 2017 at 1.03 to 1.21, Bitcoin in 2022 at 39,000 to 48,000.
    "btc 2013": ("btcusd_1h_bitfinex_lean.parquet", "BTC-USD", 100),
    "eur 2017": ("eurusd_1h_2017_gymanytrading.parquet", "EUR-USD", 20),
    "btc 2022": ("btc_perp_1m_2022.parquet", "BTC-USD", 200),
}


@dataclass(frozen=True)
class Case:
    """An alert at a hook of a desk, and what becomes of it: filled by so much, or refused with a code."""

    desk: str
    alert: str
    hook: str
    form: str
    filled: str = ""
    code: str = ""
    field: str = ""


TABLE = [
    # NVDA at 150.50 and AAPL at 150.25, ten each: traded where the hook says what they are here, at a fitting price.
    Case("btc 2013", "action_symbol_body", "plain", "simple", code="UNKNOWN_SYMBOL", field="symbol"),
    Case("btc 2013", "action_symbol_body", "mapped", "simple", filled="10"),
    Case("btc 2013", "flat_secret_body", "plain", "simple", code="UNKNOWN_SYMBOL", field="symbol"),
    Case("btc 2013", "flat_secret_body", "mapped", "simple", filled="10"),
    Case("eur 2017", "action_symbol_body", "mapped", "simple", code="PRICE_COLLAR", field="price"),
    # A template that nobody filled in.
    Case("btc 2013", "indicator_alert_template", "plain", "unread", code="PLACEHOLDER_UNFILLED", field="symbol"),
    Case("eur 2017", "indicator_alert_template", "mapped", "unread", code="PLACEHOLDER_UNFILLED", field="symbol"),
    # EUR/USD at 1.1234 without a size: found by its parts, sized by the hook.
    Case("eur 2017", "redis_forwarder_filled", "plain", "forwarder", filled="2"),
    Case("btc 2013", "redis_forwarder_filled", "plain", "forwarder", code="UNKNOWN_SYMBOL", field="symbol"),
    # Neither symbol nor size, 98,500: the hook supplies both, and the price has to fit.
    Case("btc 2022", "strategy_cid_body", "plain", "unread", code="FIELD_MISSING", field="symbol"),
    Case("btc 2022", "strategy_cid_body", "mapped", "simple", filled="0.2"),
    Case("btc 2013", "strategy_cid_body", "mapped", "simple", code="PRICE_COLLAR", field="price"),
]


@pytest.fixture(scope="module", params=DESKS)
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Desk]]:
    """A desk over each recorded market."""
    file, symbol, collar = DESKS[request.param]
    config = CONFIG.format(file=MARKETS / file, symbol=symbol, collar=collar)
    if request.param == "btc 2022":
        config = config.replace("size = 2", "size = 0.2")
    with desk(Path(tmp_path_factory.mktemp("played")), config) as one:
        yield request.param, one


def test_k2_every_recorded_alert_ends_as_the_table_says(played: tuple[str, Desk]) -> None:
    name, one = played
    expected: dict[str, Decimal] = {}
    for case in TABLE:
        if case.desk == name:
            _check(one, case)
            if case.filled:
                expected[case.hook] = expected.get(case.hook, Decimal(0)) + Decimal(case.filled)
    symbol = DESKS[name][1]
    for hook in ("plain", "mapped"):
        held = one.held(hook)
        assert held.keys() <= {("paper", symbol)}
        assert Decimal(held.get(("paper", symbol), "0")) == expected.get(hook, 0)
    status = one.get("/api/status")
    assert (status["today"]["in_doubt"], status["market_simulated"]) == (0, True)
    assert status["market"].startswith("recorded market, ")


def _check(one: Desk, case: Case) -> None:
    raw = (ALERTS / f"{case.alert}.json").read_bytes()
    answer = one.alert(raw, hook=case.hook, wait="10")
    kept = one.signal(answer.signal_id)
    assert (kept["form"], kept["hook"]) == (case.form, case.hook), case
    assert "your_webhook_secret" not in kept["body"]
    assert "SECURITY_KEY" not in kept["body"]
    if case.filled:
        assert (answer.status, answer.fields["status"]) == (200, "success"), (case, answer.fields)
        assert kept["outcome"] == "ACCEPTED"
        (order,) = kept["orders"]
        assert (order["side"], order["ord_status"], order["cum_qty"]) == ("BUY", "FILLED", case.filled), case
        fills = [
            each
            for each in one.get("/api/executions?limit=500")["executions"]
            if each["cl_ord_id"] == order["cl_ord_id"]
        ]
        assert sum(Decimal(each["last_qty"]) for each in fills) == Decimal(case.filled)
        low, high = {"btc 2013": (83, 215), "eur 2017": (1.03, 1.21), "btc 2022": (39_000, 49_000)}[case.desk]
        assert low < float(order["avg_px"]) < high
    else:
        assert (answer.status, answer.code, answer.fields["field"]) == (422, case.code, case.field), (
            case,
            answer.fields,
        )
        assert (kept["outcome"], kept["code"]) == ("REFUSED", case.code)
        assert {each["ord_status"] for each in kept["orders"]} <= {"DENIED"}


def test_the_table_names_every_alert_that_was_recorded() -> None:
    assert {case.alert for case in TABLE} == {path.stem for path in ALERTS.glob("*.json")}
