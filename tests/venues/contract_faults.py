"""The numbered contract of the venue port, continued: what must be survived, by row of the fault matrix."""

from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from nightdesk.model.enums import ExecType, OrdStatus, ResendClass, Side
from nightdesk.model.errors import NotSent, OutcomeUnknown, RateLimited, VenueError
from nightdesk.venues.paper.faults import FaultKind
from tests.venues.contract import Case, known, needs
from tests.venues.stand import ACCOUNT, BTC, CountingGate, Stand, until

FAULTY_ANSWERS = (
    FaultKind.HANG_AFTER_ACCEPT,
    FaultKind.LOST_REPLY,
    FaultKind.HTTP_500_HTML,
    FaultKind.GARBAGE_200,
)


async def p22_rows_16_19_20_an_unusable_answer_leaves_the_outcome_open(stand: Stand) -> None:
    for kind in FAULTY_ANSWERS:
        stand.fault(kind)
        order = stand.order()
        wire = stand.venue.prepare(order, now=stand.clock.now())
        with pytest.raises(OutcomeUnknown) as caught:
            await stand.venue.submit(wire, CountingGate())
        assert not isinstance(caught.value, NotSent)
        probed = await stand.venue.order_status(order)
        assert probed is not None
        assert probed.ord_status is OrdStatus.FILLED
        if stand.venue.capabilities.resend is ResendClass.A:
            assert (await stand.venue.submit(wire, CountingGate())).order_id == probed.order_id
        assert stand.lines(order)["accept"] == 1


async def p23_an_unusable_answer_may_also_hide_that_nothing_was_taken(stand: Stand) -> None:
    stand.fault(FaultKind.LOST_REQUEST)
    stand.fault(FaultKind.HTTP_500_HTML, taken=False)
    for seen_by_venue in (0, 1):
        order = stand.order()
        with pytest.raises(OutcomeUnknown):
            await stand.submit(order)
        assert await stand.venue.order_status(order) is None
        assert stand.lines(order)["request"] == seen_by_venue
        assert stand.lines(order)["accept"] == 0


async def p24_row_17_a_rejection_that_got_lost_is_found_by_asking(stand: Stand) -> None:
    stand.fault(FaultKind.REJECT_AND_HANG, text="margin check failed")
    order = stand.order()
    with pytest.raises(OutcomeUnknown):
        await stand.submit(order)
    report = await stand.venue.order_status(order)
    assert report is not None
    assert (report.ord_status, report.text) == (OrdStatus.REJECTED, "margin check failed")


async def p25_row_18_accepted_after_the_first_probe_said_not_found(stand: Stand) -> None:
    stand.fault(FaultKind.LATE_ACCEPT, delay=3.0)
    order = stand.order()
    wire = stand.venue.prepare(order, now=stand.clock.now())
    with pytest.raises(OutcomeUnknown):
        await stand.venue.submit(wire, CountingGate())
    assert await stand.venue.order_status(order) is None
    stand.later(3.0)
    report = await stand.venue.order_status(order)
    assert report is not None
    assert report.ord_status is OrdStatus.FILLED
    assert stand.lines(order)["accept"] == 1


async def p26_row_18_nothing_is_accepted_after_the_validity_however_late_it_comes(stand: Stand) -> None:
    validity = stand.venue.capabilities.validity
    needs(validity is not None, "validity")
    assert validity is not None
    stand.fault(FaultKind.LATE_ACCEPT, delay=validity.total_seconds() + 1)
    order = stand.order()
    with pytest.raises(OutcomeUnknown):
        await stand.submit(order)
    stand.later(validity.total_seconds() + stand.venue.capabilities.settle.total_seconds() + 1)
    assert await stand.venue.order_status(order) is None
    assert stand.lines(order)["accept"] == 0


async def p27_row_24_a_rate_limit_is_definite_and_names_the_wait(stand: Stand) -> None:
    stand.fault(FaultKind.RATE_LIMITED, delay=7)
    order = stand.order()
    with pytest.raises(RateLimited) as caught:
        await stand.submit(order)
    assert caught.value.retry_after == 7
    assert await stand.venue.order_status(order) is None


async def p28_row_22_queued_is_not_accepted(stand: Stand) -> None:
    stand.fault(FaultKind.ASYNC_REJECT, delay=1.0, text="post-trade check failed")
    order = stand.order()
    queued = await stand.submit(order)
    assert queued.ord_status is OrdStatus.PENDING_NEW
    stand.later(1.0)
    report = await stand.venue.order_status(order)
    assert report is not None
    assert (report.ord_status, report.text) == (OrdStatus.REJECTED, "post-trade check failed")
    assert known(order, [queued, report]).ord_status is OrdStatus.REJECTED


async def p29_row_26_repeated_reports_change_nothing(stand: Stand) -> None:
    stand.fault(FaultKind.DUPLICATE, verb="report", parts=100)
    async with stand.listening() as seen:
        order = stand.order()
        answer = await stand.submit(order)
        await until(lambda: len(seen) == 200)
    assert known(order, [answer]) == known(order, [answer, *seen])


async def p30_row_26_one_fill_told_at_two_prices_shows(stand: Stand) -> None:
    stand.fault(FaultKind.CONFLICT, verb="report")
    async with stand.listening() as seen:
        await stand.submit(stand.order())
        await until(lambda: len(seen) == 3)
    told = [one for one in seen if one.exec_id is not None]
    assert told[0].exec_id == told[1].exec_id
    assert told[0].last_px != told[1].last_px


async def p31_row_27_a_fill_before_its_acknowledgement(stand: Stand) -> None:
    stand.fault(FaultKind.REORDER, verb="report")
    async with stand.listening() as seen:
        order = stand.order()
        await stand.submit(order)
        await until(lambda: len(seen) == 2)
    assert [one.exec_type for one in seen] == [ExecType.TRADE, ExecType.NEW]
    assert known(order, seen).ord_status is OrdStatus.FILLED


async def p32_row_31_a_cancel_without_an_answer_is_open(stand: Stand) -> None:
    for kind in FAULTY_ANSWERS:
        order = stand.limit(Side.BUY, "1", "90.00")
        await stand.submit(order)
        stand.fault(kind, verb="cancel")
        with pytest.raises(OutcomeUnknown):
            await stand.cancel(order)
        report = await stand.venue.order_status(order)
        assert report is not None
        assert report.ord_status is OrdStatus.CANCELED


async def p33_a_cancel_may_be_refused_limited_lost_or_late(stand: Stand) -> None:
    order = stand.limit(Side.BUY, "1", "90.00")
    await stand.submit(order)
    stand.fault(FaultKind.REJECT, verb="cancel", text="too fast")
    refused = await stand.cancel(order)
    assert (refused.exec_type, refused.ord_status, refused.text) == (ExecType.ORDER_STATUS, OrdStatus.NEW, "too fast")
    stand.fault(FaultKind.RATE_LIMITED, verb="cancel", delay=2)
    with pytest.raises(RateLimited):
        await stand.cancel(order)
    for kind in (FaultKind.LOST_REQUEST, FaultKind.LATE_ACCEPT):
        stand.fault(kind, verb="cancel", delay=1.0)
        with pytest.raises(OutcomeUnknown):
            await stand.cancel(order)
        assert len(await stand.venue.open_orders()) == 1
    stand.later(1.0)
    assert await stand.venue.open_orders() == []


async def p34_rows_32_33_34_late_and_excess_fills_are_told(stand: Stand) -> None:
    canceled = stand.limit(Side.BUY, "1", "90.00")
    await stand.submit(canceled)
    await stand.cancel(canceled)
    rejected = stand.order(Side.BUY, "100000")
    await stand.submit(rejected)
    filled = stand.order(Side.BUY, "1")
    await stand.submit(filled)
    async with stand.listening() as seen:
        for order in (canceled, rejected, filled):
            stand.fault(FaultKind.FORCE_FILL, client_id=order.cl_ord_id, qty=Decimal(1), px=Decimal(100))
        await until(lambda: len(seen) == 3)
    assert [one.cl_ord_id for one in seen] == [canceled.cl_ord_id, rejected.cl_ord_id, filled.cl_ord_id]
    assert [one.ord_status for one in seen] == [OrdStatus.CANCELED, OrdStatus.REJECTED, OrdStatus.FILLED]
    assert seen[2].cum_qty == Decimal(2)
    assert (await stand.venue.account()).holdings[0].qty == Decimal(4)


async def p35_row_36_a_wiped_book_knows_the_order_no_more(stand: Stand) -> None:
    await stand.submit(stand.order(Side.BUY, "1"))
    order = stand.limit(Side.BUY, "1", "90.00")
    await stand.submit(order)
    stand.fault(FaultKind.WIPE_BOOK)
    assert await stand.venue.order_status(order) is None
    assert await stand.venue.open_orders() == []
    assert (await stand.venue.account()).holdings[0].qty == Decimal(1)
    stand.move("80.00", "80.01")
    assert stand.lines(order)["fill"] == 0


async def p36_row_20_a_reading_call_that_fails_is_no_doubt_about_an_order(stand: Stand) -> None:
    order, since = stand.order(), stand.clock.now()
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: stand.venue.order_status(order),
        stand.venue.open_orders,
        lambda: stand.venue.fills(since),
        stand.venue.account,
    ]
    for call in calls:
        for kind in (FaultKind.HTTP_500_HTML, FaultKind.GARBAGE_200, FaultKind.LOST_REPLY):
            stand.fault(kind, verb="read")
            with pytest.raises(VenueError) as caught:
                await call()
            assert not isinstance(caught.value, OutcomeUnknown | NotSent)
        stand.fault(FaultKind.RATE_LIMITED, verb="read", delay=3)
        with pytest.raises(RateLimited):
            await call()
        await call()


async def p37_rows_38_39_what_others_do_on_the_account_shows(stand: Stand) -> None:
    stand.exchange.submit(
        ACCOUNT,
        b'{"symbol":"BTC-USD","side":"BUY","ord_type":"LIMIT","order_qty":"2","price":"90.00"}',
    )
    stand.fault(FaultKind.ADJUST, account="main", symbol=BTC, qty=Decimal(-3), px=Decimal(100))
    by_hand = (await stand.venue.open_orders())[0]
    assert (by_hand.cl_ord_id, by_hand.order_qty, by_hand.price) == (None, Decimal(2), Decimal("90.00"))
    account = await stand.venue.account()
    assert account.holdings[0].qty == Decimal(-3)
    assert account.balances == {"USD": Decimal(100300)}


CASES: tuple[Case, ...] = tuple(
    case for name, case in sorted(globals().items()) if name[0] == "p" and name[1:3].isdecimal()
)
