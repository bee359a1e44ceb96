"""`?wait=true`: K4, K6."""

import asyncio
import threading
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from nightdesk.model.enums import Side, SignalOutcome
from nightdesk.model.order import Order, OrderState
from nightdesk.model.signal import Signal
from nightdesk.orders.intent import Acceptance, Ticket
from nightdesk.runtime.database import StoreUnavailable
from nightdesk.web.desk import Desk
from nightdesk.web.server import build_app
from tests.web.desks import WEBHOOK, acceptance, make_desk
from tests.web.world import World

PATH = f"/api/webhook/{WEBHOOK}?wait=true"


def taken(signal: Signal, *orders: Order) -> Acceptance:
    tickets = tuple(Ticket(order=order, state=OrderState(order_qty=order.order_qty)) for order in orders)
    return Acceptance(outcome=SignalOutcome.ACCEPTED, signal_id=signal.signal_id, tickets=tickets)


async def post(desk: Desk, path: str = PATH, **more: Any) -> httpx2.Response:
    transport = httpx2.ASGITransport(build_app(desk), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://desk.test") as client:
        return await client.post(path, content=b"{}", **more)


async def test_k4_the_answer_waits_until_the_legs_have_ended(world: World) -> None:
    desk, calls = make_desk(world)
    signal = world.signal()
    order = world.order(signal)
    done = threading.Event()

    async def answer(hook: str, raw: bytes, key: str | None) -> Acceptance:
        world.accepted(signal, order)

        def fill() -> None:
            world.filled(order)
            done.set()
            calls.changes.publish([order.cl_ord_id, signal.signal_id])

        asyncio.get_running_loop().call_later(0.05, lambda: threading.Thread(target=fill).start())
        return taken(signal, order)

    calls.answer = answer
    desk = replace(desk, signal_done=lambda signal_id: done.is_set())
    found = (await post(desk)).json()
    assert (found["signal_id"], found["status"], found["done"]) == (signal.signal_id, "success", True)
    (leg,) = found["results"]
    assert (leg["dex"], leg["status"], leg["cum_qty"], leg["avg_px"]) == ("paper", "filled", "0.5", "64000")
    assert leg["code"] is None


async def test_an_end_that_came_before_the_first_look_is_not_missed(world: World) -> None:
    desk, calls = make_desk(world)
    signal = world.signal()
    order = world.order(signal)

    async def answer(hook: str, raw: bytes, key: str | None) -> Acceptance:
        world.accepted(signal, order)
        world.filled(order)
        calls.changes.publish([order.cl_ord_id])
        return taken(signal, order)

    calls.answer = answer
    async with asyncio.timeout(3):
        assert (await post(desk)).json()["status"] == "success"


async def test_when_the_time_is_up_the_legs_are_told_as_they_stand(world: World) -> None:
    desk, calls = make_desk(world)
    signal = world.signal()
    order = world.order(signal)
    world.accepted(signal, order)

    async def answer(hook: str, raw: bytes, key: str | None) -> Acceptance:
        return taken(signal, order)

    calls.answer, calls.done = answer, False
    found = await post(desk, f"{PATH}&timeout=0.1")
    assert found.status_code == 200
    assert (found.json()["status"], found.json()["done"]) == ("partial", False)
    assert found.json()["results"][0]["status"] == "open"


async def test_k6_a_signal_on_disk_is_never_answered_with_5xx(world: World) -> None:
    desk, calls = make_desk(world)
    signal = world.signal()
    order = world.order(signal)

    async def answer(hook: str, raw: bytes, key: str | None) -> Acceptance:
        return taken(signal, order)

    def failing(signal_id: object) -> bool:
        raise StoreUnavailable("gone")

    calls.answer = answer
    found = await post(replace(desk, signal_done=failing))
    assert (found.status_code, found.json()["signal_id"]) == (202, signal.signal_id)


async def test_k6_a_refused_signal_has_failed_at_once(world: World) -> None:
    desk, calls = make_desk(world)
    calls.done = False

    async def answer(hook: str, raw: bytes, key: str | None) -> Acceptance:
        return acceptance(world, SignalOutcome.NO_ACTION)

    calls.answer = answer
    found = await post(desk)
    assert (found.status_code, found.json()["code"], found.json()["results"]) == (200, "NO_ACTION", [])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("wait=maybe", "wait"),
        ("wait=true&timeout=0", "timeout"),
        ("wait=true&timeout=31", "timeout"),
        ("wait=true&timeout=-1", "timeout"),
        ("wait=true&timeout=nan", "timeout"),
        ("wait=true&timeout=1e1", "timeout"),
        ("wait=true&timeout=", "timeout"),
        ("wait=true&timeout=%D9%A1", "timeout"),
    ],
)
async def test_a_wait_that_cannot_be_meant_is_refused_before_anything_is_taken(
    world: World, query: str, field: str
) -> None:
    desk, calls = make_desk(world)
    found = await post(desk, f"/api/webhook/{WEBHOOK}?{query}")
    assert (found.status_code, found.json()["field"]) == (422, field)
    assert calls.alerts == []


async def test_a_cancel_is_answered_with_the_orders_it_cancels(world: World) -> None:
    desk, calls = make_desk(world)
    older = world.signal()
    resting = world.order(older, side=Side.SELL)
    world.accepted(older, resting)
    cancel = world.signal()

    async def answer(hook: str, raw: bytes, key: str | None) -> Acceptance:
        return taken(cancel, resting)

    calls.answer = answer
    found = (await post(desk)).json()
    assert [leg["cl_ord_id"] for leg in found["results"]] == [resting.cl_ord_id]


async def test_too_many_waiting_are_told_so_before_anything_is_taken(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nightdesk.web.waiting.MOST", 0)
    desk, calls = make_desk(world)
    assert (await post(desk)).status_code == 429
    assert calls.alerts == []
