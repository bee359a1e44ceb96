"""The numbered contract of the venue port: what every venue must do, whatever is behind it.

Each case takes a stand and is skipped only where the venue's declared capabilities say that it cannot apply.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import ExecType, OrdStatus, OrdType, ResendClass, Side, TimeInForce
from nightdesk.model.errors import GateClosed, OutcomeUnknown
from nightdesk.model.execution import ExecutionReport, facts_of
from nightdesk.model.order import Order, OrderState, fold
from tests.venues.stand import BTC, CountingGate, Stand, until

Case = Callable[[Stand], Awaitable[None]]


def needs(met: bool, what: str) -> None:
    if not met:
        pytest.skip(f"the venue declares that it has no {what}")


async def p01_declares_what_it_can_do(stand: Stand) -> None:
    can = stand.venue.capabilities
    assert can.ord_types
    assert can.times_in_force
    assert can.orders_per_second > 0
    assert can.validity is None or can.validity > timedelta(0)
    assert can.settle > timedelta(0)
    assert not can.live


async def p02_lists_instruments_under_its_own_name(stand: Stand) -> None:
    listed = await stand.venue.instruments()
    assert len({one.symbol for one in listed}) == len(listed) > 0
    for one in listed:
        assert one.venue == stand.venue.venue
        assert one.tick_size > 0
        assert one.lot_size > 0


async def p03_prepares_the_same_bytes_for_the_same_order(stand: Stand) -> None:
    order, now = stand.order(), stand.clock.now()
    wire = stand.venue.prepare(order, now=now)
    assert wire == stand.venue.prepare(order, now=now)
    assert wire.payload_hash == hashlib.sha256(wire.payload).hexdigest()
    validity = stand.venue.capabilities.validity
    assert wire.valid_until == (now + validity if validity is not None else None)
    assert stand.lines(order) == {}


async def p04_fills_a_market_order(stand: Stand) -> None:
    order = stand.order(Side.BUY, "2")
    report = await stand.submit(order)
    assert report.cl_ord_id == order.cl_ord_id
    assert (report.exec_type, report.ord_status) == (ExecType.TRADE, OrdStatus.FILLED)
    assert (report.last_qty, report.last_px, report.cum_qty) == (Decimal(2), Decimal("100.00"), Decimal(2))
    assert report.avg_px == Decimal(100)
    assert report.fee == Decimal("0.2")
    assert report.exec_id
    assert report.order_id


async def p05_asks_the_gate_once_and_nothing_leaves_when_it_is_closed(stand: Stand) -> None:
    def closed() -> None:
        raise GateClosed(DenyCode.HALTED, "Trading is halted.")

    order, gate = stand.order(), CountingGate()
    wire = stand.venue.prepare(order, now=stand.clock.now())
    with pytest.raises(GateClosed):
        await stand.venue.submit(wire, closed)
    with pytest.raises(GateClosed):
        await stand.venue.cancel(order, None, closed)
    assert stand.lines(order) == {}
    await stand.venue.submit(wire, gate)
    assert gate.asked == 1
    await stand.venue.cancel(order, None, gate)
    assert gate.asked == 2


async def p06_a_limit_order_rests_and_fills_when_reached(stand: Stand) -> None:
    order = stand.limit(Side.BUY, "1", "90.00")
    assert (await stand.submit(order)).ord_status is OrdStatus.NEW
    assert [one.cl_ord_id for one in await stand.venue.open_orders()] == [order.cl_ord_id]
    stand.move("89.50", "90.00")
    report = await stand.venue.order_status(order)
    assert report is not None
    assert (report.ord_status, report.cum_qty, report.avg_px) == (OrdStatus.FILLED, Decimal(1), Decimal(90))
    assert await stand.venue.open_orders() == []


async def p07_cancels_an_open_order(stand: Stand) -> None:
    order = stand.limit(Side.BUY, "1", "90.00")
    await stand.submit(order)
    report = await stand.cancel(order)
    assert (report.exec_type, report.ord_status) == (ExecType.CANCELED, OrdStatus.CANCELED)
    assert await stand.venue.open_orders() == []
    stand.move("80.00", "80.01")
    assert stand.lines(order)["fill"] == 0


async def p08_row_30_a_cancel_that_comes_too_late_reports_the_fill(stand: Stand) -> None:
    order = stand.order(Side.BUY, "2")
    await stand.submit(order)
    report = await stand.cancel(order)
    assert (report.exec_type, report.ord_status) == (ExecType.ORDER_STATUS, OrdStatus.FILLED)
    assert report.cum_qty == Decimal(2)
    assert "not canceled" in report.text


async def p09_states_that_it_knows_no_such_order(stand: Stand) -> None:
    order = stand.order()
    assert await stand.venue.order_status(order) is None
    with pytest.raises(OutcomeUnknown):
        await stand.cancel(order)


async def p10_a_rejection_is_a_report_with_the_venues_words(stand: Stand) -> None:
    order = stand.order(Side.BUY, "100000")
    report = await stand.submit(order)
    assert (report.exec_type, report.ord_status) == (ExecType.REJECTED, OrdStatus.REJECTED)
    assert "insufficient balance" in report.text
    assert stand.lines(order)["accept"] == 0
    probed = await stand.venue.order_status(order)
    assert probed is not None
    assert probed.ord_status is OrdStatus.REJECTED


async def p11_row_23_the_same_wire_twice_is_one_order_where_ids_are_unique(stand: Stand) -> None:
    order = stand.order()
    wire = stand.venue.prepare(order, now=stand.clock.now())
    first = await stand.venue.submit(wire, CountingGate())
    second = await stand.venue.submit(wire, CountingGate())
    if stand.venue.capabilities.resend is not ResendClass.A:
        assert stand.lines(order)["accept"] == 2
        return
    assert stand.lines(order)["accept"] == 1
    assert (second.exec_type, second.text) == (ExecType.ORDER_STATUS, "duplicate client order id")
    assert (second.order_id, second.ord_status) == (first.order_id, first.ord_status)


async def p12_an_order_past_its_validity_is_never_taken(stand: Stand) -> None:
    validity = stand.venue.capabilities.validity
    needs(validity is not None, "validity")
    assert validity is not None
    order = stand.order()
    wire = stand.venue.prepare(order, now=stand.clock.now())
    stand.later(validity.total_seconds() + 0.6)
    report = await stand.venue.submit(wire, CountingGate())
    assert (report.ord_status, report.text) == (OrdStatus.REJECTED, "expired before receipt")
    assert stand.lines(order)["accept"] == 0
    assert await stand.venue.order_status(order) is None
    assert (await stand.submit(order)).ord_status is OrdStatus.FILLED


async def p13_k7_partial_fills_add_up(stand: Stand) -> None:
    stand.move("99.99", "100.00", size="1")
    order = stand.order(Side.BUY, "3")
    first = await stand.submit(order)
    assert (first.ord_status, first.cum_qty) == (OrdStatus.PARTIALLY_FILLED, Decimal(1))
    began = stand.clock.now()
    stand.move("100.99", "101.00", size="1.5")
    stand.move("101.99", "102.00", size="9")
    fills = await stand.venue.fills(began - timedelta(seconds=1))
    assert [(one.last_qty, one.last_px) for one in fills] == [
        (Decimal(1), Decimal("100.00")),
        (Decimal("1.5"), Decimal("101.00")),
        (Decimal("0.5"), Decimal("102.00")),
    ]
    assert len({one.exec_id for one in fills}) == 3
    assert await stand.venue.fills(stand.clock.now() + timedelta(seconds=1)) == []
    state = known(order, [first, *fills])
    assert (state.ord_status, state.cum_qty, state.leaves_qty) == (OrdStatus.FILLED, Decimal(3), Decimal(0))
    assert state.cum_value == Decimal("302.5")
    assert state.fees == Decimal("0.3025")


async def p14_the_account_agrees_with_the_fills(stand: Stand) -> None:
    await stand.submit(stand.order(Side.BUY, "2"))
    await stand.submit(stand.order(Side.SELL, "0.5"))
    account = await stand.venue.account()
    assert account.account_id == "main"
    fills = await stand.venue.fills(stand.clock.now() - timedelta(hours=1))
    paid = sum(((one.fee for one in fills)), Decimal(0))
    assert account.balances == {"USD": Decimal(100000) - Decimal(200) + Decimal("0.5") * Decimal("99.99") - paid}
    assert [(one.symbol, one.qty, one.avg_px) for one in account.holdings] == [(BTC, Decimal("1.5"), Decimal(100))]


async def p15_pushes_what_happens(stand: Stand) -> None:
    needs(stand.venue.capabilities.streaming, "stream")
    async with stand.listening() as seen:
        order = stand.limit(Side.BUY, "1", "90.00")
        await stand.submit(order)
        stand.move("89.50", "90.00")
        await until(lambda: len(seen) == 2)
    assert [one.exec_type for one in seen] == [ExecType.NEW, ExecType.TRADE]
    fills = await stand.venue.fills(stand.clock.now() - timedelta(hours=1))
    assert seen[1] == fills[0]


async def p16_immediate_or_cancel(stand: Stand) -> None:
    needs(TimeInForce.IOC in stand.venue.capabilities.times_in_force, "IOC")
    stand.move("99.99", "100.00", size="1")
    order = stand.order(Side.BUY, "3", time_in_force=TimeInForce.IOC)
    report = await stand.submit(order)
    assert (report.ord_status, report.cum_qty, report.last_qty) == (OrdStatus.CANCELED, Decimal(1), Decimal(1))
    assert known(order, [report]).cum_qty == Decimal(1)
    assert await stand.venue.open_orders() == []


async def p17_fill_or_kill(stand: Stand) -> None:
    needs(TimeInForce.FOK in stand.venue.capabilities.times_in_force, "FOK")
    stand.move("99.99", "100.00", size="1")
    killed = await stand.submit(stand.order(Side.BUY, "3", time_in_force=TimeInForce.FOK))
    assert (killed.ord_status, killed.cum_qty) == (OrdStatus.CANCELED, Decimal(0))
    filled = await stand.submit(stand.order(Side.BUY, "1", time_in_force=TimeInForce.FOK))
    assert filled.ord_status is OrdStatus.FILLED


async def p18_reduce_only_never_opens_or_flips(stand: Stand) -> None:
    needs(stand.venue.capabilities.reduce_only, "reduce-only")
    refused = await stand.submit(stand.order(Side.SELL, "1", reduce_only=True))
    assert refused.ord_status is OrdStatus.REJECTED
    assert "nothing to reduce" in refused.text
    await stand.submit(stand.order(Side.BUY, "1"))
    cut = await stand.submit(stand.order(Side.SELL, "5", reduce_only=True))
    assert (cut.ord_status, cut.cum_qty) == (OrdStatus.CANCELED, Decimal(1))
    assert (await stand.venue.account()).holdings == ()


async def p19_a_stop_waits_for_its_price(stand: Stand) -> None:
    needs(OrdType.STOP in stand.venue.capabilities.ord_types, "stop orders")
    await stand.submit(stand.order(Side.BUY, "1"))
    stop = stand.order(Side.SELL, "1", ord_type=OrdType.STOP, stop_px=Decimal("95.00"))
    assert (await stand.submit(stop)).ord_status is OrdStatus.NEW
    stand.move("95.50", "95.51", last="95.50")
    assert len(await stand.venue.open_orders()) == 1
    stand.move("94.00", "94.01", last="94.00")
    report = await stand.venue.order_status(stop)
    assert report is not None
    assert (report.ord_status, report.avg_px) == (OrdStatus.FILLED, Decimal(94))


async def p20_a_stop_limit_does_not_sell_below_its_price(stand: Stand) -> None:
    needs(OrdType.STOP_LIMIT in stand.venue.capabilities.ord_types, "stop-limit orders")
    await stand.submit(stand.order(Side.BUY, "1"))
    order = stand.order(Side.SELL, "1", ord_type=OrdType.STOP_LIMIT, stop_px=Decimal("95.00"), price=Decimal("94.50"))
    await stand.submit(order)
    stand.move("94.00", "94.01", last="94.00")
    assert len(await stand.venue.open_orders()) == 1
    stand.move("94.60", "94.61", last="94.60")
    report = await stand.venue.order_status(order)
    assert report is not None
    assert (report.ord_status, report.avg_px) == (OrdStatus.FILLED, Decimal("94.50"))


async def p21_closing_ends_the_stream(stand: Stand) -> None:
    stream = stand.venue.reports()

    async def read() -> list[object]:
        return [report async for report in stream]

    task = asyncio.create_task(read())
    await asyncio.sleep(0.05)
    await stand.venue.close()
    async with asyncio.timeout(3):
        assert await task == []


def known(order: Order, reports: list[ExecutionReport]) -> OrderState:
    """What the desk makes of these reports."""
    facts = [
        fact
        for stamp, report in enumerate(reports)
        for fact in facts_of(report, stamp=stamp, at=order.created_at, origin="stream")
    ]
    return fold(order, facts)


CASES: tuple[Case, ...] = tuple(
    case for name, case in sorted(globals().items()) if name[0] == "p" and name[1:3].isdecimal()
)
