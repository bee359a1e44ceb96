"""A person as a venue: nothing happens until somebody says so, and nothing is claimed that nobody said."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import Doubt, ExecType, OrdStatus, ResendClass, Side
from nightdesk.model.errors import GateClosed, Refused, Unsupported
from nightdesk.model.identifiers import Symbol
from nightdesk.runtime.clock import VirtualClock
from nightdesk.venues.manual import Answer, ManualVenue, Verdict
from tests.venues.contract import known
from tests.venues.stand import BTC, CountingGate, listed, make_order

CLOCK = VirtualClock()
ORDER = make_order(CLOCK, 1, Side.BUY, "3")


def make() -> ManualVenue:
    return ManualVenue("broker", clock=CLOCK, instruments=[listed()])


def traded(name: str, qty: str, px: str, **more: object) -> Answer:
    answer = Answer(answer_id=name, verdict=Verdict.FILLED, qty=Decimal(qty), px=Decimal(px))
    return replace(answer, **more)  # type: ignore[arg-type]  # keyword names are checked by the dataclass


async def test_it_proves_nothing_and_needs_a_person() -> None:
    venue = make()
    assert venue.venue == "broker"
    can = venue.capabilities
    assert (can.resend, can.needs_person, can.live, can.validity) == (ResendClass.E, True, True, None)
    assert [(one.symbol, one.venue) for one in await venue.instruments()] == [(BTC, "broker")]
    with pytest.raises(Unsupported, match="does not list"):
        venue.prepare(make_order(CLOCK, 1, symbol=Symbol("XYZ")), now=CLOCK.now())
    with pytest.raises(Unsupported, match="states no balances"):
        await venue.account()


async def test_k7_an_order_waits_and_then_fills_as_the_person_says() -> None:
    venue = make()
    wire = venue.prepare(ORDER, now=CLOCK.now())
    waiting = await venue.submit(wire, CountingGate())
    assert (waiting.ord_status, waiting.text) == (OrdStatus.NEW, "waits for a person")
    assert await venue.submit(wire, CountingGate()) == waiting
    assert await venue.open_orders() == [waiting]
    first = venue.answer(ORDER, traded("a", "1", "100", fee=Decimal("0.5"), fee_currency="USD"))
    second = venue.answer(ORDER, traded("b", "2", "103"))
    state = known(ORDER, [waiting, first])
    assert (state.ord_status, state.cum_qty, state.fees) == (OrdStatus.PARTIALLY_FILLED, Decimal(1), Decimal("0.5"))
    state = known(ORDER, [waiting, first, second])
    assert (state.ord_status, state.cum_value, state.doubt) == (OrdStatus.FILLED, Decimal(306), Doubt.NONE)
    assert await venue.fills(CLOCK.now() - timedelta(days=1)) == [first, second]
    assert await venue.fills(CLOCK.now() + timedelta(days=1)) == []


async def test_the_gate_is_asked() -> None:
    def closed() -> None:
        raise GateClosed(DenyCode.HALTED, "Trading is halted.")

    venue = make()
    with pytest.raises(GateClosed):
        await venue.submit(venue.prepare(ORDER, now=CLOCK.now()), closed)
    with pytest.raises(GateClosed):
        await venue.cancel(ORDER, None, closed)
    assert await venue.open_orders() == []


async def test_one_form_sent_twice_is_one_answer() -> None:
    venue = make()
    assert venue.answer(ORDER, traded("a", "1", "100")) == venue.answer(ORDER, traded("a", "1", "100"))
    assert len(await venue.fills(CLOCK.now())) == 1
    with pytest.raises(Refused) as caught:
        venue.answer(ORDER, traded("a", "2", "100"))
    assert caught.value.code is DenyCode.IDEMPOTENCY_KEY_REUSED


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        (traded("a", "0", "100"), "qty"),
        (traded("a", "NaN", "100"), "qty"),
        (traded("a", "3.1", "100"), "qty"),
        (traded("a", "1", "0"), "px"),
        (Answer(answer_id="a", verdict=Verdict.FILLED, qty=Decimal(1)), "px"),
        (traded("a", "1", "100", fee=Decimal("NaN")), "fee"),
    ],
)
def test_an_answer_that_cannot_be_meant_is_refused(answer: Answer, field: str) -> None:
    with pytest.raises(Refused) as caught:
        make().answer(ORDER, answer)
    assert caught.value.field == field


async def test_a_cancel_asks_and_the_persons_word_ends_the_order() -> None:
    venue = make()
    await venue.submit(venue.prepare(ORDER, now=CLOCK.now()), CountingGate())
    asked = await venue.cancel(ORDER, None, CountingGate())
    assert (asked.exec_type, asked.ord_status, asked.text) == (
        ExecType.ORDER_STATUS,
        OrdStatus.NEW,
        "a person is asked to cancel it",
    )
    done = venue.answer(ORDER, Answer(answer_id="c", verdict=Verdict.CANCELED, text="too far away"))
    assert (done.exec_type, done.ord_status, done.text) == (ExecType.CANCELED, OrdStatus.CANCELED, "too far away")
    assert await venue.open_orders() == []
    again = await venue.cancel(ORDER, None, CountingGate())
    assert (again.ord_status, again.text) == (OrdStatus.CANCELED, "too far away")


async def test_row_32_a_fill_after_the_cancel_is_booked() -> None:
    venue = make()
    canceled = venue.answer(ORDER, Answer(answer_id="c", verdict=Verdict.CANCELED))
    late = venue.answer(ORDER, traded("a", "1", "100"))
    state = known(ORDER, [canceled, late])
    assert (state.ord_status, state.cum_qty, state.doubt) == (OrdStatus.CANCELED, Decimal(1), Doubt.NONE)


async def test_what_was_filled_cannot_be_rejected_any_more() -> None:
    venue = make()
    venue.answer(ORDER, traded("a", "1", "100"))
    with pytest.raises(Refused, match="Answer CANCELED"):
        venue.answer(ORDER, Answer(answer_id="r", verdict=Verdict.REJECTED))
    fresh = make_order(CLOCK, 2)
    assert venue.answer(fresh, Answer(answer_id="r", verdict=Verdict.REJECTED)).ord_status is OrdStatus.REJECTED


async def test_after_a_restart_an_order_still_waits_and_nothing_recorded_is_taken_back() -> None:
    before = make()
    waiting = await before.submit(before.prepare(ORDER, now=CLOCK.now()), CountingGate())
    part = before.answer(ORDER, traded("a", "1", "100"))
    after = make()
    probes = [await after.order_status(ORDER) for _ in range(100)]
    assert probes[0] is not None
    assert (probes[0].ord_status, probes[0].text, probes[0].cum_qty) == (OrdStatus.NEW, "waits for a person", None)
    assert len(set(probes)) == 1
    state = known(ORDER, [waiting, part, *(one for one in probes if one is not None)])
    assert (state.ord_status, state.cum_qty, state.doubt) == (OrdStatus.PARTIALLY_FILLED, Decimal(1), Doubt.NONE)


async def test_answers_given_in_another_thread_reach_the_stream_until_closed() -> None:
    venue = make()
    stream = venue.reports()
    given = await asyncio.to_thread(venue.answer, ORDER, traded("a", "1", "100"))
    assert await anext(stream) == given
    status = await venue.order_status(ORDER)
    assert status is not None
    assert (status.ord_status, status.last_qty) == (OrdStatus.PARTIALLY_FILLED, None)
    other = venue.reports()
    await venue.close()
    assert [report async for report in stream] == []
    assert [report async for report in other] == []
    left = venue.reports()
    task = asyncio.ensure_future(anext(left))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    venue.answer(ORDER, traded("b", "1", "100"))
