"""The heart over a scripted venue: doubts are settled by asking, as far as the venue's class can prove anything.

Virtual time; the venue's own list of what it accepted is the oracle.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import CommandKind, CommandState, Doubt, OrdStatus, OrdType, ResendClass, Side, TradingState
from nightdesk.model.errors import AuthExpired, OutcomeUnknown, RateLimited, Unsupported, VenueClosed
from nightdesk.model.execution import FactKind
from nightdesk.model.identifiers import AccountId, ClOrdId, ExecId, OrderId
from nightdesk.model.order import Order
from nightdesk.model.venue import Capabilities
from nightdesk.orders import person, store
from nightdesk.orders.config import OrdersConfig
from nightdesk.orders.heart import Heart
from nightdesk.orders.outgoing import store as outgoing
from nightdesk.portfolio.store import Cause, account_state
from nightdesk.runtime.clock import VirtualClock
from nightdesk.runtime.database import StoreUnavailable, Tx
from nightdesk.runtime.writer import Fenced
from tests.fakes import (
    ABLE,
    BTC,
    ETH,
    HAND,
    MAIN,
    START,
    Act,
    D,
    Desk,
    FakeVenue,
    a_fill,
    a_report,
    accept,
    an_ask,
    an_order,
    cancel_it,
    failing,
    filled,
    hanging,
    rejected,
    resting,
    until,
    whole,
)

Make = Callable[..., Desk]
CLASSES = [ResendClass.A, ResendClass.B, ResendClass.E]
LIMIT = {"ord_type": OrdType.LIMIT, "price": D(99)}


def able(resend: ResendClass, **changed: Any) -> Capabilities:
    return replace(ABLE, resend=resend, **changed)


@pytest.fixture(params=CLASSES, ids=lambda each: f"class {each}")
def classed(request: pytest.FixtureRequest, make_fast: Make) -> Desk:
    """A desk whose venue is of each class in turn; one that lets ids repeat where uniqueness is not declared."""
    desk = make_fast(capabilities=able(request.param))
    desk.venue.unique = request.param is ResendClass.A
    return desk


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Everything here goes wrong on purpose."""
    caplog.set_level(logging.CRITICAL)


def command_state(desk: Desk, order: Order, kind: CommandKind = CommandKind.NEW) -> CommandState:
    return {each.kind: each.state for each in desk.commands(order)}[kind]


def settled(desk: Desk, order: Order) -> Callable[[], bool]:
    def now() -> bool:
        state = desk.order(order.cl_ord_id).state
        return state.doubt is Doubt.NONE and state.ord_status is not OrdStatus.PENDING_NEW

    return now


@asynccontextmanager
async def ordered(desk: Desk, *acts: Act, **ask: Any) -> Any:
    """An order given to a beating heart whose venue acts by its script."""
    desk.venue.submits.extend(acts)
    async with desk.beating() as heart:
        yield heart, desk.buy(**ask)


# ------------------------------------------------------------------------------------------- sends without an answer


@pytest.mark.parametrize(
    "act", [hanging(accept), failing(OutcomeUnknown("reset"), after=accept)], ids=["hangs", "resets"]
)
async def test_taken_without_an_answer_is_found_and_adopted(classed: Desk, act: Act) -> None:
    """Rows 16, 19: one accept, in every class."""
    async with ordered(classed, act, **LIMIT) as (_, order):
        await until(classed.clock, settled(classed, order))

        stored = classed.order(order.cl_ord_id)
        assert (stored.state.ord_status, stored.state.order_id) == (OrdStatus.NEW, "v-1")
        assert command_state(classed, order) is CommandState.CONFIRMED
        await classed.clock.sleep(60)
        assert classed.venue.accepts == [order.cl_ord_id]
        assert len(classed.venue.asked) == 1
        classed.reserved_is_what_may_fill()


async def test_filled_without_an_answer_is_found_and_booked(classed: Desk) -> None:
    async with ordered(classed, hanging(filled("101"))) as (_, order):
        await until(classed.clock, settled(classed, order))

        assert classed.order(order.cl_ord_id).state.ord_status is OrdStatus.FILLED
        assert classed.position() == 1
        assert classed.venue.accepts == [order.cl_ord_id]


async def test_refused_without_an_answer_is_found_with_its_reason(classed: Desk) -> None:
    """Row 17: the venue keeps what it refused."""
    classed.venue.statuses.extend([lambda order: a_report(OrdStatus.REJECTED, text="margin")] * 99)
    async with ordered(classed, hanging(rejected())) as (_, order):
        await until(classed.clock, settled(classed, order))

        stored = classed.order(order.cl_ord_id)
        assert (stored.state.ord_status, stored.state.text) == (OrdStatus.REJECTED, "margin")
        assert classed.venue.accepts == []


@pytest.mark.parametrize("late", [21.0, 25.0, 29.0])
async def test_taken_late_is_one_order_in_every_class(classed: Desk, late: float) -> None:
    """Row 18, result 1: the first probe says not found, and then the venue takes it, inside its validity."""
    classed.venue._capabilities = replace(classed.venue.capabilities, validity=timedelta(seconds=30))
    async with ordered(classed, hanging(accept, late=late), **LIMIT) as (_, order):
        await until(classed.clock, settled(classed, order))
        await classed.clock.sleep(120)

        assert classed.venue.accepts == [order.cl_ord_id]
        assert classed.order(order.cl_ord_id).state.ord_status is OrdStatus.NEW
        assert FactKind.NOT_FOUND in {fact.kind for fact in classed.facts(order)}


async def test_never_arrived_a_is_sent_again_at_once(make_fast: Make) -> None:
    """Class A: the venue refuses a second order under the id, so that sending it again can only help."""
    desk = make_fast(capabilities=able(ResendClass.A))
    async with ordered(desk, hanging(), **LIMIT) as (_, order):
        await until(desk.clock, settled(desk, order), 40)

        assert desk.clock.monotonic() < 20
        assert desk.venue.accepts == [order.cl_ord_id]
        assert [each.attempt for each in desk.sends(order)] == [1, 2]
        assert {each.wire_id for each in desk.sends(order)} == {order.cl_ord_id}


async def test_never_arrived_b_is_sent_again_only_after_its_validity_and_two_denials(make_fast: Make) -> None:
    """Class B: uniqueness is unproven."""
    desk = make_fast(capabilities=able(ResendClass.B, validity=timedelta(seconds=30)))
    desk.venue.unique = False
    async with ordered(desk, hanging(), **LIMIT) as (_, order):
        await until(desk.clock, settled(desk, order))

        assert desk.clock.monotonic() > 30 + 2 + 1
        assert desk.venue.accepts == [order.cl_ord_id]
        assert [each.attempt for each in desk.sends(order)] == [1, 2]


@pytest.mark.parametrize("resend", [ResendClass.A, ResendClass.B])
async def test_never_arrived_and_no_longer_wanted_is_proven_absent(make_fast: Make, resend: ResendClass) -> None:
    """3.1: absence proof, never a count of tries. A market order's 30 seconds are over first."""
    desk = make_fast(capabilities=able(resend, validity=timedelta(seconds=40)))
    async with ordered(desk, *[hanging()] * 9) as (_, order):
        await until(desk.clock, lambda: desk.order(order.cl_ord_id).state.ord_status.terminal, 300)

        stored = desk.order(order.cl_ord_id)
        assert (stored.state.ord_status, stored.state.code) == (OrdStatus.DENIED, DenyCode.PROVEN_ABSENT)
        assert command_state(desk, order) is CommandState.ABSENT
        assert desk.clock.monotonic() > 43
        assert stored.reserved_qty == 0
        assert desk.venue.accepts == []
        desk.reserved_is_what_may_fill()


async def test_never_arrived_e_waits_for_a_person_and_keeps_its_reservation(make_fast: Make) -> None:
    """Class E: a person decides."""
    desk = make_fast(capabilities=able(ResendClass.E))
    async with ordered(desk, hanging(), size="2") as (_, order):
        await desk.clock.sleep(120)

        stored = desk.order(order.cl_ord_id)
        assert stored.state.doubt is Doubt.UNKNOWN
        assert stored.reserved_qty == 2
        assert len(desk.venue.asked) == 1
        desk.person(lambda tx, now: person.settle(tx, order.cl_ord_id, "abandon", "somebody", now, ""))
        asked = desk.venue.count("status")
        await desk.clock.sleep(60)
        assert desk.venue.count("status") == asked
        assert desk.book().stake(BTC, HAND).buy_qty == 0


async def test_without_a_validity_nothing_is_ever_proven_absent(make_fast: Make) -> None:
    desk = make_fast(capabilities=able(ResendClass.B, validity=None))
    async with ordered(desk, hanging()) as (_, order):
        await desk.clock.sleep(300)

        assert desk.order(order.cl_ord_id).state.doubt is Doubt.UNKNOWN
        assert len(desk.venue.asked) == 1


async def test_a_clock_that_jumps_ahead_proves_no_absence(make_fast: Make) -> None:
    """Row 43: by the wall clock the validity is over at once; the order is taken late all the same."""
    desk = make_fast(capabilities=able(ResendClass.B, validity=timedelta(seconds=60)))
    async with ordered(desk, hanging(accept, late=45), **LIMIT) as (_, order):
        await desk.clock.sleep(12)
        desk.clock.set_wall(START + timedelta(hours=1))
        await until(desk.clock, settled(desk, order))

        assert desk.order(order.cl_ord_id).state.ord_status is OrdStatus.NEW
        assert desk.venue.accepts == [order.cl_ord_id]


async def test_a_clock_set_back_an_hour_loses_no_evidence(make_fast: Make) -> None:
    """Row 43."""
    desk = make_fast()
    async with ordered(desk, **LIMIT) as (_, order):
        await until(desk.clock, settled(desk, order))
        desk.clock.set_wall(START - timedelta(hours=1))
        desk.venue.pushed.put_nowait(desk.venue.fill(order.cl_ord_id, D("0.4")))
        await until(desk.clock, lambda: desk.position() == D("0.4"))
        desk.venue.pushed.put_nowait(desk.venue.fill(order.cl_ord_id, D("0.6")))
        await until(desk.clock, lambda: desk.position() == 1)

        assert desk.order(order.cl_ord_id).state.ord_status is OrdStatus.FILLED
        assert desk.state()[0] is TradingState.ACTIVE


async def test_a_venue_that_cannot_be_asked_leaves_the_doubt(classed: Desk) -> None:
    async with ordered(classed, hanging(accept), **LIMIT) as (_, order):
        classed.venue.down = VenueClosed("no route")
        await classed.clock.sleep(60)
        assert classed.order(order.cl_ord_id).state.doubt is Doubt.UNKNOWN

        classed.venue.down = None
        await until(classed.clock, settled(classed, order))
        assert classed.venue.accepts == [order.cl_ord_id]


async def test_a_resend_that_is_proven_not_sent_goes_back_into_doubt(make_fast: Make) -> None:
    """Its first message may be at the venue."""
    desk = make_fast(capabilities=able(ResendClass.A, validity=None))
    async with ordered(desk, hanging(accept, late=25), failing(VenueClosed("no route")), **LIMIT) as (_, order):
        await desk.clock.sleep(18)
        assert len(desk.venue.asked) == 2
        assert desk.order(order.cl_ord_id).state.doubt is Doubt.UNKNOWN
        await until(desk.clock, settled(desk, order))

        assert desk.order(order.cl_ord_id).state.ord_status is OrdStatus.NEW
        assert desk.venue.accepts == [order.cl_ord_id]


# --------------------------------------------------------------------------------------------------------- cancels


@pytest.mark.parametrize("act", [hanging(), hanging(cancel_it), failing(OutcomeUnknown("reset"), after=cancel_it)])
async def test_a_cancel_without_an_answer_is_settled_by_asking(classed: Desk, act: Act) -> None:
    """Row 31: live in risk until proof; sent again while the order lives, since a second cancel can do no harm."""
    classed.venue.cancels.append(act)
    async with ordered(classed, **LIMIT) as (_, order):
        await until(classed.clock, settled(classed, order))
        classed.person(lambda tx, now: person.cancel(tx, order.cl_ord_id, "somebody", now))
        await classed.clock.sleep(5)
        assert classed.book().stake(BTC, HAND).buy_qty == 1
        await until(classed.clock, lambda: classed.order(order.cl_ord_id).state.ord_status.terminal)

        assert classed.order(order.cl_ord_id).state.ord_status is OrdStatus.CANCELED
        assert command_state(classed, order, CommandKind.CANCEL) is CommandState.CONFIRMED
        assert classed.book().stake(BTC, HAND).buy_qty == 0
        classed.reserved_is_what_may_fill()


# ------------------------------------------------------------------------------------------------------ the stream


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


# -------------------------------------------------------------------------------------------------------- restarts


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


# --------------------------------------------------------------------------------------------------- what is missing


async def test_an_order_the_venue_no_longer_knows_is_missing_and_never_placed_again(make_fast: Make) -> None:
    """Rows 36, 37: after three denials; an alert, 0 new orders; found again it is as before."""
    desk = make_fast()
    async with ordered(desk, size="2", **LIMIT) as (_, order):
        await until(desk.clock, settled(desk, order))
        desk.venue.pushed.put_nowait(desk.venue.fill(order.cl_ord_id, D("0.5"), D(99)))
        await until(desk.clock, lambda: desk.position() == D("0.5"))
        placed = desk.venue.orders.pop(order.cl_ord_id)
        desk.venue.extra_holdings[BTC] = D("0.5")
        await until(desk.clock, lambda: desk.order(order.cl_ord_id).state.doubt is Doubt.MISSING)
        await desk.clock.sleep(300)

        assert desk.venue.accepts == [order.cl_ord_id]
        assert desk.order(order.cl_ord_id).state.doubt is Doubt.MISSING
        assert desk.book().stake(BTC, HAND).buy_qty == D("1.5")
        desk.venue.orders[order.cl_ord_id] = placed
        desk.venue.extra_holdings.clear()
        await until(desk.clock, lambda: desk.order(order.cl_ord_id).state.doubt is Doubt.NONE)
        assert desk.order(order.cl_ord_id).state.ord_status is OrdStatus.PARTIALLY_FILLED


# ------------------------------------------------------------------------------------------------ what is not ours


async def test_an_order_that_is_not_ours_is_recorded_and_turns_the_account_to_reducing(make_fast: Make) -> None:
    """Row 39, I3."""
    desk = make_fast()
    desk.venue.strangers.append(
        a_report(OrdStatus.NEW, cl_ord_id=None, order_id=OrderId("x-9"), symbol=BTC, cum_qty=D(0))
    )
    async with desk.beating() as heart:
        state, reason = desk.state()
        assert state is TradingState.REDUCING
        assert "order x-9 at the venue is not ours: BTC-USD NEW" in reason
        assert desk.rows("SELECT result FROM reconciliations WHERE trigger = 'start'") == [("mismatch",)]
        assert heart.reconciled_at(MAIN) is not None
        await desk.clock.sleep(30)
        desk.venue.strangers.clear()
        await desk.clock.sleep(30)
        assert desk.state()[0] is TradingState.REDUCING


async def test_a_position_that_differs_is_no_silent_correction_until_a_person_acknowledges_it(make_desk: Make) -> None:
    """Row 38, I5."""
    desk = make_desk()
    desk.venue.extra_holdings[BTC] = D("0.7")
    async with desk.beating() as heart:
        state, reason = desk.state()
        assert state is TradingState.REDUCING
        assert "BTC-USD" in reason
        assert "0.7" in reason
        assert desk.book().stakes == {}
        booked = await heart.reconciler.acknowledge(MAIN, desk.venue, lambda _: D(100))

        assert booked == ["BTC-USD +0.7 at 100"]
        assert {sleeve: stake.position.qty for (_, sleeve), stake in desk.book().stakes.items()} == {
            "EXTERNAL": D("0.7")
        }
        assert desk.state() == (TradingState.ACTIVE, "")
        await desk.clock.sleep(60)
        assert desk.state() == (TradingState.ACTIVE, "")


async def test_a_fill_that_is_on_its_way_is_no_difference(make_fast: Make) -> None:
    """The venue's position is ahead of its stream by a moment."""
    desk = make_fast()
    async with ordered(desk, **LIMIT) as (_, order):
        await until(desk.clock, settled(desk, order))
        desk.venue.fill(order.cl_ord_id, D(1), D(99))
        desk.venue.history.clear()

        async def arrive() -> None:
            await desk.clock.sleep(10.5)
            desk.learn(order, whole(order, "99"))

        arriving = asyncio.create_task(arrive())
        await desk.clock.sleep(40)
        await arriving
        assert desk.state()[0] is TradingState.ACTIVE


async def test_a_fill_of_nobody_is_a_mismatch(make_fast: Make) -> None:
    desk = make_fast()
    desk.venue.history.append(a_fill("x1", "1", cl_ord_id=None, order_id=OrderId("x-9"), symbol=BTC))
    async with desk.beating():
        assert "order x-9 at the venue is not ours" in desk.state()[1]


async def test_where_external_orders_are_allowed_they_only_stand_on_record(make_fast: Make) -> None:
    desk = make_fast()
    desk.reconciler._external_allowed = frozenset({MAIN})
    desk.venue.strangers.append(a_report(OrdStatus.NEW, cl_ord_id=ClOrdId("f" * 32)))

    assert await desk.reconciler.recover(MAIN, desk.venue)

    assert desk.state() == (TradingState.ACTIVE, "")
    assert desk.rows("SELECT result FROM reconciliations") == [("external allowed",)]


async def test_a_venue_that_states_no_positions_is_compared_by_its_orders(
    make_fast: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_fast()
    desk.venue.extra_holdings[BTC] = D(5)

    async def cannot() -> Any:
        raise Unsupported("nobody there states positions")

    monkeypatch.setattr(desk.venue, "account", cannot)

    assert await desk.reconciler.recover(MAIN, desk.venue)
    assert desk.state()[0] is TradingState.ACTIVE


# -------------------------------------------------------------------------------------------------------- silence


async def test_a_venue_that_wants_a_login_gets_no_entries_until_it_answers_again(make_fast: Make) -> None:
    """B3, row 87."""
    desk = make_fast()
    async with desk.beating():
        desk.venue.down = AuthExpired("token expired")
        await until(desk.clock, lambda: desk.state()[0] is TradingState.REDUCING, 30)
        assert "wants a new login: token expired" in desk.state()[1]
        assert desk.take(desk.intent()).code is DenyCode.REDUCING_ONLY
        desk.venue.down = None
        await until(desk.clock, lambda: desk.state()[0] is TradingState.ACTIVE, 30)


async def test_five_minutes_without_an_answer_stop_entries_and_the_reason_survives(make_fast: Make) -> None:
    """B3."""
    desk = make_fast()
    async with desk.beating():
        desk.venue.down = VenueClosed("no route")
        await desk.clock.sleep(280)
        assert desk.state()[0] is TradingState.ACTIVE
        await desk.clock.sleep(60)
        assert desk.state()[0] is TradingState.REDUCING
        assert "has not answered for 5 minutes" in desk.state()[1]
    again = make_fast(venues={MAIN: desk.venue}, clock=desk.clock)
    assert "has not answered" in again.state()[1]
    again.venue.down = None
    again.venue.pushed, again.venue.closed = asyncio.Queue(), False
    async with again.beating():
        assert again.state()[0] is TradingState.ACTIVE


async def test_a_dispute_that_arises_during_a_silence_outlasts_it(make_fast: Make) -> None:
    """Row 33: an answer of the venue does not acknowledge what a person has to see."""
    desk = make_fast()
    order = desk.buy()
    async with desk.beating():
        await until(desk.clock, settled(desk, order))
        desk.venue.down = AuthExpired("token expired")
        await until(desk.clock, lambda: desk.state()[0] is TradingState.REDUCING, 30)
        desk.learn(order, a_report(OrdStatus.REJECTED), a_fill("e1", "0.5"))
        desk.venue.extra_holdings[BTC] = D("0.5")
        desk.venue.down = None
        await desk.clock.sleep(60)

        assert desk.state()[0] is TradingState.REDUCING
        assert desk.read(lambda tx: account_state(tx, MAIN))[2] is Cause.DISPUTE


# ----------------------------------------------------------------------------------------------------- the heart's own


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
