"""What a desk does when more is asked than it may do: it waits, says no, and never sends late (K1, rows 48, 67)."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.app.desks import Answer, Desk, wait_for

CONFIG = """
[web]
rate_per_minute = 60
rate_burst = 30
[orders]
deadline_market = 1.5
[venues.slow]
kind = "paper"
orders_per_second = 1
burst = 2
"""


@pytest.fixture
def tight(tmp_path: Path) -> Iterator[Desk]:
    """A desk that takes 30 requests at once and may send one order a second."""
    one = Desk(tmp_path, config=CONFIG)
    try:
        yield one.start()
    finally:
        one.end()


def test_row_48_orders_that_waited_too_long_end_unsent(tight: Desk) -> None:
    body = {"symbol": "BTC-USD", "side": "buy", "size": "0.001"}
    taken = [tight.alert({**body, "id": f"order {number}"}) for number in range(8)]
    assert {each.status for each in taken} == {202}
    orders = [tight.ended(each.signal_id)[0] for each in taken]
    ended = Counter((each["ord_status"], each["code"]) for each in orders)
    assert ended.keys() == {("FILLED", None), ("EXPIRED", "DEADLINE")}
    assert 2 <= ended[("FILLED", None)] <= 5
    late = next(each for each in orders if each["ord_status"] == "EXPIRED")
    assert (late["order_id"], late["cum_qty"]) == (None, "0")
    assert tight.get(f"/api/orders/{late['cl_ord_id']}")["history"]["sends"] == []
    assert float(tight.held("tradingview")[("slow", "BTC-USD")]) == pytest.approx(0.001 * ended[("FILLED", None)])


def test_k1_row_67_a_flood_gets_429_before_it_is_read_and_goes_by(tight: Desk) -> None:
    def post(number: int) -> Answer:
        return tight.alert({"symbol": "NOPE", "side": "buy", "size": "1", "id": f"flood {number}"})

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(post, range(80)))
    by_status = Counter(each.status for each in answers)
    assert by_status.keys() == {422, 429}
    assert 25 <= by_status[422] <= 45
    refused = next(each for each in answers if each.status == 429)
    assert (refused.code, int(refused.headers["retry-after"]) >= 1) == ("RATE_LIMITED", True)
    kept = tight.get("/api/signals?limit=500")["signals"]
    assert len(kept) == by_status[422]
    wait_for(lambda: post(1000).status == 422, "the flood to have gone by", seconds=10)
