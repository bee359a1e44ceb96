"""The heart over a scripted venue: streams that break, starts that are cut short, and the sweeps between them."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import OrdStatus, Side, TradingState
from nightdesk.model.errors import OutcomeUnknown, RateLimited, VenueClosed
from nightdesk.model.execution import FactKind
from nightdesk.model.identifiers import AccountId, ExecId, OrderId
from nightdesk.model.order import Order
from nightdesk.orders import store
from nightdesk.orders.config import OrdersConfig
from nightdesk.orders.heart import Heart
from nightdesk.orders.outgoing import store as outgoing
from nightdesk.runtime.clock import VirtualClock
from nightdesk.runtime.database import StoreUnavailable, Tx
from nightdesk.runtime.writer import Fenced
from tests.desk import until
from tests.fakes import FakeVenue, failing, filled, hanging
from tests.orders.scenes import LIMIT, Make, ordered, settled
from tests.samples import BTC, ETH, MAIN, START, D, an_ask, an_order, resting

pytestmark = pytest.mark.usefixtures("quiet")


async def test_what_the_venue_pushes_is_booked_once_however_often_it_comes(make_fast: Make) -> None:
    """Rows 26, 28: on the stream, in the list of trades and in the answer to a probe."""
    desk = make_fast()
    async with ordered(desk, size="2", **LIMIT) as (_, order):
        await until(desk.clock, settled(desk, order))
        push = desk.venue.fill(order.cl_ord_id, D("0.5"), D(99))
        for _ in range(5):
            desk.venue.pushed.put_nowait(push)
        desk.venue.pushed.put_nowait(replace(push, cl_ord_id=None))
        await desk.clock.sleep(120)

        assert desk.position() == D("0.5")
        assert len([fact for fact in desk.facts(order) if fact.kind is FactKind.FILL]) == 1
        assert desk.state()[0] is TradingState.ACTIVE


async def test_a_stream_that_breaks_is_opened_again_and_what_was_missed_is_read(make_fast: Make) -> None:
    """Rows 28, 29."""
    desk = make_fast()
    async with ordered(desk, size="2", **LIMIT) as (_, order):
        await until(desk.clock, settled(desk, order))
        desk.venue.fill(order.cl_ord_id, D("0.5"), D(99))
        desk.venue.pushed.put_nowait(OutcomeUnknown("gap"))
        await until(desk.clock, lambda: desk.position() == D("0.5"), 5)

        desk.venue.pushed.put_nowait(desk.venue.fill(order.cl_ord_id, D("0.5"), D(99)))
        await until(desk.clock, lambda: desk.position() == 1, 1)


async def test_a_report_that_cannot_be_read_does_not_deafen_the_desk(make_fast: Make) -> None:
    """Row 41: an adapter that trips over an answer is heard again."""
    desk = make_fast()
    async with ordered(desk, size="2", **LIMIT) as (_, order):
        await until(desk.clock, settled(desk, order))
        desk.venue.pushed.put_nowait(KeyError("px"))
        desk.venue.pushed.put_nowait(desk.venue.fill(order.cl_ord_id, D("0.5"), D(99)))
        await until(desk.clock, lambda: desk.position() == D("0.5"), 8)
        desk.venue.pushed.put_nowait(replace(resting(order), order_id=OrderId("v-from-the-stream")))
        await until(desk.clock, lambda: any(f.order_id == "v-from-the-stream" for f in desk.facts(order)), 20)


async def test_a_comparison_that_trips_is_made_again(make_fast: Make) -> None:
    desk = make_fast()
    async with ordered(desk, size="2", **LIMIT) as (_, order):
        await until(desk.clock, settled(desk, order))
        desk.venue.down = KeyError("px")
        await desk.clock.sleep(60)
        desk.venue.down = None
        desk.venue.fill(order.cl_ord_id, D("0.5"), D(99))

        await until(desk.clock, lambda: desk.position() == D("0.5"), 30)


async def test_a_start_sends_what_was_queued_and_asks_about_what_was_sending(make_desk: Make) -> None:
    """Rows 3, 4, 5, B3: start-up is recovery."""
    first = make_desk()
    queued, lost, taken = (first.buy(**LIMIT) for _ in range(3))
    for order in (lost, taken):
        (command,) = first.commands(order)
        wire = first.venue.prepare(order, now=first.clock.now())
        first.writer.call_blocking(lambda tx, o=order, c=command, w=wire: _begin(tx, o, c, w, first.micros))
    first.venue.place(taken)
    venue = first.venue
    second = make_desk(venues={MAIN: venue}, clock=first.clock)

    async with second.beating():
        for order in (queued, lost, taken):
            await until(second.clock, settled(second, order))

        assert sorted(venue.accepts) == sorted([queued.cl_ord_id, lost.cl_ord_id, taken.cl_ord_id])
        assert second.state() == (TradingState.ACTIVE, "")
        second.reserved_is_what_may_fill()


def _begin(tx: Tx, order: Order, command: Any, wire: Any, now: int) -> None:
    assert outgoing.begin_sending(tx, command, now)
    outgoing.add_sends(tx, [outgoing.send_row(order, command, wire, now)])


async def test_recovery_may_be_cut_short_and_begun_again(make_desk: Make) -> None:
    """Row 8: five starts in a row, each cut short, and one that ends."""
    desk = make_desk()
    order = desk.buy(**LIMIT)
    (command,) = desk.commands(order)
    wire = desk.venue.prepare(order, now=desk.clock.now())
    desk.writer.call_blocking(lambda tx: _begin(tx, order, command, wire, desk.micros))
    desk.venue.place(order)
    venue = desk.venue
    for number in range(5):
        desk = make_desk(venues={MAIN: venue}, clock=desk.clock)
        desk.open(MAIN)
        if number % 2:
            venue.down = VenueClosed("cut short")
        assert await desk.reconciler.recover(MAIN, venue) is (number % 2 == 0)
        venue.down = None

    assert desk.order(order.cl_ord_id).state.ord_status is OrdStatus.NEW
    assert venue.accepts == [order.cl_ord_id]
    desk.reserved_is_what_may_fill()


async def test_until_the_venue_has_been_compared_nothing_is_opened(make_fast: Make) -> None:
    """3.4: cancels allowed, creates denied with a code; recovery is tried again until the venue answers."""
    desk = make_fast()
    desk.venue.down = VenueClosed("no route")
    async with desk.beating():
        assert desk.state()[0] is TradingState.RECONCILING
        refused = desk.take(desk.intent())
        assert refused.code is DenyCode.RECONCILING
        desk.venue.down = None
        await until(desk.clock, lambda: desk.state()[0] is TradingState.ACTIVE, 20)

        assert desk.take(desk.intent()).code is None


async def test_recovery_waits_for_a_database_that_takes_writes(
    make_fast: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows 51, 52."""
    desk = make_fast()
    call = desk.writer.call

    async def full(work: Callable[[Tx], Any]) -> Any:
        if desk.clock.monotonic() > 0 or work is store.newest_stamp:
            return await call(work)
        raise StoreUnavailable("disk full")

    monkeypatch.setattr(desk.writer, "call", full)
    desk.open(MAIN, state=TradingState.RECONCILING)
    async with desk.beating():
        assert desk.state()[0] is TradingState.RECONCILING
        await until(desk.clock, lambda: desk.state()[0] is TradingState.ACTIVE, 20)


async def test_a_venue_that_cannot_push_is_compared_all_the_same(make_fast: Make) -> None:
    desk = make_fast()
    desk.venue.pushed.put_nowait(None)
    async with ordered(desk, **LIMIT) as (_, order):
        await until(desk.clock, settled(desk, order))
        desk.venue.fill(order.cl_ord_id, D(1), D(99))
        await until(desk.clock, lambda: desk.position() == 1, 15)


async def test_an_order_filled_while_the_desk_was_down_is_booked_at_the_start(make_desk: Make) -> None:
    first = make_desk()
    async with ordered(first, **LIMIT) as (_, order):
        await until(first.clock, settled(first, order))
    venue = first.venue
    venue.fill(order.cl_ord_id, D(1), D(98))
    venue.pushed, venue.closed = asyncio.Queue(), False
    second = make_desk(venues={MAIN: venue}, clock=first.clock)

    async with second.beating():
        assert second.order(order.cl_ord_id).state.avg_px == 98
        assert second.position() == 1
        assert second.state()[0] is TradingState.ACTIVE


async def test_one_account_s_venue_being_down_holds_up_no_other(make_fast: Make) -> None:
    second = AccountId("second")
    desk = make_fast(accounts=(MAIN, second))
    desk.venues[MAIN].down = VenueClosed("no route")
    async with desk.beating():
        await desk.clock.sleep(1)
        assert desk.state(MAIN)[0] is TradingState.RECONCILING
        assert desk.state(second)[0] is TradingState.ACTIVE
        tickets = desk.take(desk.intent()).tickets
        await until(desk.clock, settled(desk, tickets[1].order))

        assert [ticket.denied is None for ticket in tickets] == [False, True]


async def test_the_sweep_finds_what_nobody_was_woken_for(make_fast: Make) -> None:
    """Losing a wake-up loses nothing."""
    desk = make_fast()
    async with desk.beating():
        desk.offer = lambda queued: None
        order = desk.buy(**LIMIT)
        await until(desk.clock, settled(desk, order), 3)


async def test_the_sweep_waits_as_long_as_the_venue_asked_for(make_fast: Make) -> None:
    """Row 24: a rate limit is no invitation to come back every second."""
    desk = make_fast()
    async with ordered(desk, failing(RateLimited("slow", retry_after=20)), **LIMIT) as (_, order):
        await desk.clock.sleep(19)
        assert len(desk.venue.asked) == 1
        await until(desk.clock, settled(desk, order), 3)


async def test_a_stale_order_is_ended_without_a_request(make_fast: Make) -> None:
    """Row 48: what waited ten minutes is ended by the sweep."""
    desk = make_fast()
    order = desk.buy()
    desk.clock.advance(600)
    async with desk.beating():
        await until(desk.clock, lambda: desk.order(order.cl_ord_id).state.ord_status.terminal, 5)

        stored = desk.order(order.cl_ord_id)
        assert (stored.state.ord_status, stored.state.code) == (OrdStatus.EXPIRED, DenyCode.DEADLINE)
        assert desk.venue.asked == []
        desk.reserved_is_what_may_fill()


async def test_a_held_order_nobody_answered_in_time_is_ended(make_desk: Make) -> None:
    """Design 3.4: HELD expires, and gives back what it reserved."""
    desk = make_desk(config=OrdersConfig(held_expires=60.0))
    order = desk.take(desk.intent(hold=True)).tickets[0].order
    late = desk.take(desk.intent(hold=True, deadline_at=START + timedelta(hours=2))).tickets[0].order
    async with desk.beating():
        await desk.clock.sleep(desk.config.held_expires - 1)
        assert desk.order(order.cl_ord_id).state.ord_status is OrdStatus.HELD
        await desk.clock.sleep(3)

        stored = desk.order(order.cl_ord_id)
        assert (stored.state.ord_status, stored.state.code) == (OrdStatus.EXPIRED, DenyCode.DEADLINE)
        assert desk.order(late.cl_ord_id).state.ord_status is OrdStatus.HELD
        desk.reserved_is_what_may_fill()


async def test_the_heart_says_how_it_beats(make_fast: Make) -> None:
    """Row 68."""
    desk = make_fast()
    heart = desk._heart()
    assert not heart.beats()
    assert heart.latency(MAIN) is None
    assert heart.reconciled_at(MAIN) is None
    with pytest.raises(Exception, match="does not beat yet"):
        _ = heart.reconciler
    with pytest.raises(Exception, match="does not beat yet"):
        await heart.ask(_nothing)
    heart.offer(())
    heart.stop()

    async with ordered(desk, **LIMIT) as (beating, order):
        await until(desk.clock, settled(desk, order))
        assert beating.beats()
        assert beating.latency(MAIN) == 0.0
        assert beating.late_seconds == 0.0
        assert await beating.ask(_nothing) is None
        desk.clock.advance(10)
        assert not beating.beats()
        await until(desk.clock, lambda: beating.late_seconds > 1)


async def _nothing(heart: Heart) -> None:
    return None


async def test_a_heart_whose_writer_was_fenced_stops(make_fast: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 64: nothing more is sent by a process that another has replaced."""
    desk = make_fast()
    heart = desk._heart()
    ready = asyncio.Event()
    running = asyncio.create_task(heart.run(ready.set))
    await ready.wait()

    async def fenced(*_: object) -> Any:
        raise Fenced("taken over")

    monkeypatch.setattr(desk.reader, "read", fenced)
    async with asyncio.timeout(10):
        await running
    assert desk.venue.closed


async def test_the_whole_desk_on_two_symbols_and_both_sides(make_desk: Make) -> None:
    """I4, I5: after it all the venue's positions are ours."""
    desk = make_desk()
    desk.venue.submits.extend([filled("100"), filled("10"), hanging(filled("101")), filled("102")])
    async with desk.beating():
        orders = [
            desk.take(desk.intent(ask)).tickets[0].order
            for ask in (an_ask(Side.BUY, "3"), an_ask(Side.SELL, "5", symbol=ETH), an_ask(Side.BUY, "1"))
        ]
        for order in orders:
            await until(desk.clock, settled(desk, order))
        exit_ = desk.buy("4", Side.SELL)
        await until(desk.clock, settled(desk, exit_))
        await desk.clock.sleep(60)

        assert desk.position(BTC) == 0
        assert desk.position(ETH) == -5
        assert desk.state() == (TradingState.ACTIVE, "")
        assert {report.exec_id for report in desk.venue.history} == {ExecId(f"e-{n}") for n in range(1, 5)}
        desk.reserved_is_what_may_fill()


def test_the_fake_venue_refuses_a_second_order_only_when_ids_are_unique() -> None:
    """The oracle itself can see a duplicate."""
    for unique, accepts in ((True, 1), (False, 2)):
        venue = FakeVenue(VirtualClock(), unique=unique)
        venue.place(an_order())
        venue.place(an_order())
        assert len(venue.accepts) == accepts
