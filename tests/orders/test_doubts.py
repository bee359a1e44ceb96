"""Orders and cancels without an answer are settled by asking, as far as the venue's class can prove anything (3.3)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import CommandKind, CommandState, Doubt, OrdStatus, ResendClass, TradingState
from nightdesk.model.errors import OutcomeUnknown, VenueClosed
from nightdesk.model.execution import FactKind
from nightdesk.orders import person
from tests.desk import Desk, until
from tests.fakes import Act, accept, cancel_it, failing, filled, hanging, rejected
from tests.orders.scenes import CLASSES, LIMIT, Make, able, command_state, ordered, settled
from tests.samples import BTC, HAND, START, D, a_report

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture(params=CLASSES, ids=lambda each: f"class {each}")
def classed(request: pytest.FixtureRequest, make_fast: Make) -> Desk:
    """A desk whose venue is of each class in turn; one that lets ids repeat where uniqueness is not declared."""
    desk = make_fast(capabilities=able(request.param))
    desk.venue.unique = request.param is ResendClass.A
    return desk


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
