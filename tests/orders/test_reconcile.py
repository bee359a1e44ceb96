"""What is missing, what is not ours and a venue that says nothing: recorded, never silently corrected."""

import asyncio
from typing import Any

import pytest

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import Doubt, OrdStatus, TradingState
from nightdesk.model.errors import AuthExpired, Unsupported, VenueClosed
from nightdesk.model.identifiers import ClOrdId, OrderId
from nightdesk.portfolio.store import Cause, account_state
from tests.desk import until
from tests.orders.scenes import LIMIT, Make, ordered, settled
from tests.samples import BTC, HAND, MAIN, D, a_fill, a_report, whole

pytestmark = pytest.mark.usefixtures("quiet")


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
