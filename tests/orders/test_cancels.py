"""Cancels: ahead of everything, never given up lightly, and the order live in risk until proof."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import CommandKind, CommandState, Doubt, OrdStatus, OrdType, Side
from nightdesk.model.errors import (
    GateClosed,
    OutcomeUnknown,
    Unsupported,
    VenueClosed,
)
from nightdesk.orders import person
from tests.desk import Desk
from tests.fakes import Act, cancel_it, failing, hanging
from tests.orders.scenes import command_state, sent
from tests.samples import ABLE, BTC, HAND, D, resting, whole


async def test_a_cancel_goes_before_an_exit_and_an_exit_before_an_entry(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(capabilities=replace(ABLE, orders_per_second=1.0, burst=1))
    held = desk.buy("5")
    desk.learn(held, whole(held))
    live = desk.buy(ord_type=OrdType.LIMIT, price=D(99))
    desk.learn(live, resting(live))
    desk.venue.place(live)
    desk.queued.clear()
    async with desk.sending():
        desk.buy()
        await desk.clock.sleep(0.1)
        entry, exit_ = desk.buy(), desk.buy("1", Side.SELL)
        desk.person(lambda tx, now: person.cancel(tx, live.cl_ord_id, "somebody", now))
        await desk.clock.sleep(20)

        assert [asked for _, asked in desk.venue.asked][1:] == [live.cl_ord_id, exit_.cl_ord_id, entry.cl_ord_id]
        assert desk.venue.asked[1][0] == "cancel"


@pytest.mark.parametrize("act", [hanging(), hanging(cancel_it), failing(OutcomeUnknown("reset"))])
async def test_a_cancel_without_an_answer_leaves_the_order_live_in_risk(fast: Desk, act: Act) -> None:
    """Row 31."""
    fast.venue.cancels.append(act)
    async with sent(fast, ord_type=OrdType.LIMIT, price=D(99), seconds=1) as order:
        fast.person(lambda tx, now: person.cancel(tx, order.cl_ord_id, "somebody", now))
        await fast.clock.sleep(20)

        stored = fast.order(order.cl_ord_id)
        assert (stored.state.ord_status, stored.state.doubt) == (OrdStatus.NEW, Doubt.NONE)
        assert command_state(fast, order, CommandKind.CANCEL) is CommandState.UNKNOWN
        assert fast.book().stake(BTC, HAND).buy_qty == 1


async def test_a_cancel_that_comes_too_late_tells_of_the_fill(fast: Desk) -> None:
    """Row 30: fills win."""
    async with sent(fast, ord_type=OrdType.LIMIT, price=D(99), seconds=1) as order:
        fast.venue.fill(order.cl_ord_id, D(1), D(99))
        fast.person(lambda tx, now: person.cancel(tx, order.cl_ord_id, "somebody", now))
        await fast.clock.sleep(5)

        assert fast.order(order.cl_ord_id).state.ord_status is OrdStatus.FILLED
        assert command_state(fast, order, CommandKind.CANCEL) is CommandState.REJECTED
        assert fast.position() == 1


async def test_a_cancel_proven_not_sent_is_tried_again_until_it_leaves(fast: Desk) -> None:
    """A cancel takes risk away: it is not given up after three tries."""
    fast.venue.cancels.extend([failing(VenueClosed("no route"))] * 7)
    async with sent(fast, ord_type=OrdType.LIMIT, price=D(99), seconds=1) as order:
        fast.person(lambda tx, now: person.cancel(tx, order.cl_ord_id, "somebody", now))
        await fast.clock.sleep(60)

        assert fast.order(order.cl_ord_id).state.ord_status is OrdStatus.CANCELED
        assert len(fast.sends(order)) == 9


@pytest.mark.parametrize("error", [GateClosed(DenyCode.DEADLINE, "late"), Unsupported("no cancels")])
async def test_a_cancel_that_can_never_leave_is_given_up(fast: Desk, error: Exception) -> None:
    fast.venue.cancels.extend([failing(error)] * 3)
    async with sent(fast, ord_type=OrdType.LIMIT, price=D(99), seconds=1) as order:
        fast.person(lambda tx, now: person.cancel(tx, order.cl_ord_id, "somebody", now))
        await fast.clock.sleep(60)

        assert command_state(fast, order, CommandKind.CANCEL) is CommandState.ENDED
        assert len(fast.venue.cancels) == 2


async def test_a_cancel_that_another_has_sent_is_not_sent_again(fast: Desk) -> None:
    async with sent(fast, ord_type=OrdType.LIMIT, price=D(99), seconds=1) as order:
        fast.person(lambda tx, now: person.cancel(tx, order.cl_ord_id, "somebody", now))
        stale = fast.queued[-1]
        await fast.clock.sleep(1)
        fast.sender.offer([stale])
        await fast.clock.sleep(1)

        assert fast.venue.count("cancel") == 1
