"""The operator's API. K10, K12, X9."""

from typing import Any

import httpx2
import pytest

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import OrdType, Side, SignalOutcome, TimeInForce, TradingState
from nightdesk.model.identifiers import AccountId
from nightdesk.model.signal import SizeUnit
from nightdesk.orders.intent import Acceptance
from nightdesk.web.desk import Component
from tests.web.desks import Calls, account_status
from tests.web.world import START, World


async def test_k10_health_says_little_to_anybody_and_more_to_the_operator(
    anybody: httpx2.AsyncClient, operator: httpx2.AsyncClient, calls: Calls
) -> None:
    calls.components = (
        Component(name="database", status="degraded", text="/data/nightdesk.db grows"),
        Component(name="account of-alice", status="healthy", text="trades"),
        Component(name="account of-bob", status="degraded", text="reduces"),
    )
    del anybody.headers["authorization"]
    for path in ("/api/health", "/health"):
        answer = await anybody.get(path)
        assert answer.status_code == 200
        assert answer.json()["status"] == "degraded"
        assert answer.json()["components"] == {"database": "degraded", "account": "degraded"}
        assert "alice" not in answer.text
        assert answer.json()["uptime_seconds"] == 3600.0
        assert "nightdesk.db" not in answer.text
        assert "0.1.0" not in answer.text
    anybody.headers["authorization"] = "Bearer operator-token-of-the-tests-00001"
    found = (await anybody.get("/api/health")).json()
    assert found["details"]["database"] == "/data/nightdesk.db grows"
    assert found["components"]["account of-bob"] == "degraded"


async def test_k10_a_desk_that_is_down_is_503_and_alive(anybody: httpx2.AsyncClient, calls: Calls) -> None:
    calls.components = (Component(name="database", status="down", text="full"),)
    answer = await anybody.get("/api/health")
    assert (answer.status_code, answer.json()["status"], answer.json()["code"]) == (503, "down", "DESK_DOWN")
    assert (await anybody.get("/api/health/ready")).status_code == 503
    assert (await anybody.get("/api/health/live")).status_code == 200


async def test_k10_one_venue_that_hangs_at_the_start_does_not_keep_alerts_away(
    anybody: httpx2.AsyncClient, calls: Calls
) -> None:
    hanging = account_status(account_id=AccountId("north"), state=TradingState.RECONCILING)
    calls.accounts = (hanging,)
    assert (await anybody.get("/api/health/ready")).json()["code"] == "NOT_READY"
    calls.accounts = (hanging, account_status())
    assert (await anybody.get("/api/health/ready")).status_code == 200


async def test_k12_status_has_the_sentence_and_its_figures(operator: httpx2.AsyncClient, calls: Calls) -> None:
    calls.last_signal_at = START
    found = (await operator.get("/api/status")).json()
    assert found["sentence"] == "Ready, and waiting for the first signal."
    assert found["accounts"][0]["state"] == "ACTIVE"
    assert found["equity"] == "100000"
    assert found["market_simulated"] is True
    assert found["last_signal_at"] == "2026-01-05T09:30:00.000000Z"
    assert found["components"][0]["name"] == "database"


async def test_k12_lists_lead_from_page_to_page(operator: httpx2.AsyncClient, world: World) -> None:
    for _ in range(5):
        signal = world.signal()
        order = world.order(signal)
        world.accepted(signal, order)
        world.filled(order)
    for path, name, key in (
        ("/api/orders", "orders", "cl_ord_id"),
        ("/api/signals", "signals", "signal_id"),
        ("/api/executions", "executions", "execution_id"),
    ):
        found: list[str] = []
        after: str | None = ""
        while after is not None:
            page = (await operator.get(f"{path}?limit=2&cursor={after}")).json()
            found += [each[key] for each in page[name]]
            after = page["next"]
        assert len(found) == len(set(found)) == 5
        assert (await operator.get(f"{path}?limit=5")).json()["next"] is None


async def test_x5_one_order_comes_with_its_history(operator: httpx2.AsyncClient, world: World) -> None:
    signal = world.signal()
    order = world.order(signal)
    world.accepted(signal, order)
    world.filled(order)
    found = (await operator.get(f"/api/orders/{order.cl_ord_id}")).json()
    assert (found["ord_status"], found["avg_px"]) == ("FILLED", "64000")
    assert found["history"]["signal"]["signal_id"] == signal.signal_id
    assert found["history"]["checks"][3] == {"name": "order value", "limit": "25000", "value": "32000"}
    assert found["history"]["sends"][0]["outcome"] == "NEW"
    fill = (await operator.get("/api/executions")).json()["executions"][0]
    assert (await operator.get(f"/api/executions/{fill['execution_id']}")).json() == fill
    assert (await operator.get(f"/api/signals/{signal.signal_id}")).json()["orders"][0]["ord_status"] == "FILLED"


async def test_x9_an_order_is_placed_with_every_field_it_can_have(operator: httpx2.AsyncClient, calls: Calls) -> None:
    body: dict[str, Any] = {
        "symbol": "ETH-USD", "side": "Sell", "size": 0.10000000000000000001, "size_unit": "quote",
        "order_type": "stop_limit", "price": "3400.10", "stop_price": 3410, "time_in_force": "gtc",
        "reduce_only": True, "venues": ["paper"], "sleeve": "trend",
    }  # fmt: skip
    answer = await operator.post("/api/orders", json=body, headers={"idempotency-key": "k-1"})
    assert answer.status_code == 202
    (asked,) = calls.placed
    assert (asked.symbol, asked.side, asked.size_unit) == ("ETH-USD", Side.SELL, SizeUnit.QUOTE)
    assert (asked.ord_type, asked.time_in_force) == (OrdType.STOP_LIMIT, TimeInForce.GTC)
    assert (str(asked.size), str(asked.price), str(asked.stop_px)) == ("0.1", "3400.10", "3410")
    assert (asked.reduce_only, asked.venues, asked.sleeve) == (True, ("paper",), "trend")
    assert (asked.explicit_id, asked.actor) == ("k-1", "operator (API)")


async def test_a_number_is_read_from_its_digits_and_not_through_a_float(
    operator: httpx2.AsyncClient, calls: Calls
) -> None:
    body = b'{"symbol": "BTC-USD", "side": "buy", "size": 0.100000000000000055, "id": "mine"}'
    await operator.post("/api/orders", content=body, headers={"content-type": "application/json"})
    assert str(calls.placed[0].size) == "0.100000000000000055"
    assert calls.placed[0].explicit_id == "mine"


async def test_row_79_a_repeated_order_is_answered_with_the_first(
    operator: httpx2.AsyncClient, calls: Calls, world: World
) -> None:
    signal = world.signal()
    order = world.order(signal)
    world.accepted(signal, order)
    calls.place_answer = lambda asked: Acceptance(outcome=SignalOutcome.DUPLICATE, signal_id=signal.signal_id)
    answer = await operator.post("/api/orders", json={"symbol": "BTC-USD", "side": "buy", "size": "1"})
    assert (answer.status_code, answer.json()["code"]) == (200, "DUPLICATE_SIGNAL")
    assert answer.json()["orders"][0]["cl_ord_id"] == order.cl_ord_id


async def test_x9_a_refused_order_is_422_with_the_code(
    operator: httpx2.AsyncClient, calls: Calls, world: World
) -> None:
    signal_id = world.signal().signal_id
    calls.place_answer = lambda asked: Acceptance(
        outcome=SignalOutcome.REFUSED, signal_id=signal_id, code=DenyCode.HALTED, text="Trading is halted."
    )
    answer = await operator.post("/api/orders?wait=true", json={"symbol": "BTC-USD", "side": "buy", "size": "1"})
    assert (answer.status_code, answer.json()["code"], answer.json()["status"]) == (422, "HALTED", "failed")


async def test_x9_a_position_is_closed_without_a_side(operator: httpx2.AsyncClient, calls: Calls) -> None:
    answer = await operator.post("/api/positions/close", json={"symbol": "BTC-USD", "sleeve": "trend"})
    assert answer.status_code == 202
    assert (calls.placed[0].close, calls.placed[0].side, calls.placed[0].sleeve) == (True, None, "trend")


async def test_x9_cancel_settle_acknowledge(operator: httpx2.AsyncClient, calls: Calls) -> None:
    assert (await operator.post("/api/orders/abc/cancel")).status_code == 202
    body = {"action": "filled", "qty": "0.5", "px": 64000.5, "text": "by phone"}
    assert (
        await operator.post("/api/orders/abc/settle", json=body, headers={"idempotency-key": "s1"})
    ).status_code == 200
    assert (await operator.post("/api/accounts/paper/acknowledge")).status_code == 200
    assert calls.canceled == [("abc", "operator (API)")]
    (given,) = calls.settled
    assert (given.action, str(given.qty), str(given.px), given.text) == ("filled", "0.5", "64000.5", "by phone")
    assert given.explicit_id == "s1"
    assert calls.acknowledged == [("paper", "operator (API)")]


async def test_halting_takes_one_step_and_resuming_two(operator: httpx2.AsyncClient, calls: Calls) -> None:
    answer = await operator.post("/api/halt", json={"reason": "odd prices"})
    assert (answer.status_code, calls.halts) == (200, [("odd prices", "operator (API)")])
    first = (await operator.post("/api/resume")).json()
    assert calls.halted
    assert first["confirm"] == "4711"
    assert "4711" in first["next_step"]
    assert first["expires_at"].endswith("Z")
    assert (await operator.post("/api/resume", json={"confirm": "4711"})).json()["halted"] is False


@pytest.mark.parametrize("path", ["/api/orders", "/api/signals", "/api/executions"])
async def test_dates_and_moments_narrow_a_list(operator: httpx2.AsyncClient, world: World, path: str) -> None:
    signal = world.signal()
    order = world.order(signal)
    world.accepted(signal, order)
    world.filled(order)
    name = path.rsplit("/", 1)[-1]
    for query, count in (
        ("since=2026-01-05", 1),
        ("since=2026-01-06", 0),
        ("until=2026-01-05T09:30:00Z", 0),
        ("since=2026-01-05T10:29:00%2B01:00&until=2026-01-05T09:31", 1),
    ):
        assert len((await operator.get(f"{path}?{query}")).json()[name]) == count, query
