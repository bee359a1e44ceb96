"""What a person decides: cancel, answer a held order, settle a doubt, halt; each on record and each one transaction."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from nightdesk.model.denial import Denied, DenyCode
from nightdesk.model.enums import CommandKind, CommandState, Doubt, OrdStatus, OrdType, Side, TradingState
from nightdesk.model.errors import Refused
from nightdesk.model.execution import Fact, FactKind
from nightdesk.model.identifiers import EXTERNAL, ClOrdId
from nightdesk.model.order import Order
from nightdesk.orders import person
from nightdesk.orders.outgoing import store as outgoing
from nightdesk.orders.person import Outcome
from nightdesk.runtime.database import to_micros
from tests.desk import Desk
from tests.samples import BTC, HAND, MAIN, START, WIDE, D, a_fill, a_quote, a_report, a_signal, an_ask, resting, whole

Make = Callable[..., Desk]


def cancel(desk: Desk, order: Order) -> Outcome:
    return desk.person(lambda tx, now: person.cancel(tx, order.cl_ord_id, "somebody", now))


def settle(desk: Desk, order: Order, action: str, text: str = "") -> Outcome:
    return desk.person(lambda tx, now: person.settle(tx, order.cl_ord_id, action, "somebody", now, text))


def held(desk: Desk, **changed: object) -> Order:
    return desk.take(desk.intent(an_ask(**changed), hold=True)).tickets[0].order  # type: ignore[arg-type]  # an ask's


def unknown(desk: Desk, order: Order) -> None:
    stamp = desk.stamps.next()
    desk.weigh(order, Fact(key=f"unknown:{stamp}", kind=FactKind.OUTCOME_UNKNOWN, stamp=stamp, at=START, origin="desk"))


# --------------------------------------------------------------------------------------------------------- cancel


def test_an_order_that_never_left_is_canceled_at_once_and_can_never_leave(desk: Desk) -> None:
    order = desk.buy()
    (command,) = desk.commands(order)

    outcome = cancel(desk, order)

    stored = desk.order(order.cl_ord_id)
    assert (stored.state.ord_status, stored.state.code, stored.reserved_qty) == (
        OrdStatus.CANCELED, DenyCode.ABANDONED, 0,
    )  # fmt: skip
    assert outcome.queued == ()
    assert set(outcome.subjects) == {order.cl_ord_id, order.signal_id}
    assert not desk.writer.call_blocking(lambda tx: outgoing.begin_sending(tx, command, desk.micros))
    desk.reserved_is_what_may_fill()


def test_an_order_at_the_venue_is_canceled_there_once(desk: Desk) -> None:
    order = desk.buy(ord_type=OrdType.LIMIT, price=D(99))
    desk.learn(order, resting(order))

    first, second = cancel(desk, order), cancel(desk, order)

    assert [each.command.kind for each in first.queued] == [CommandKind.CANCEL]
    assert second.queued == ()
    assert desk.queued[-1] == first.queued[0]
    assert first.queued[0].command.deadline_at == to_micros(START + timedelta(minutes=10))


def test_an_order_that_is_being_sent_is_canceled_at_the_venue(desk: Desk) -> None:
    """SENDING is no longer ours to end."""
    order = desk.buy()
    (command,) = desk.commands(order)
    desk.writer.call_blocking(lambda tx: outgoing.begin_sending(tx, command, desk.micros))

    assert len(cancel(desk, order).queued) == 1
    assert desk.order(order.cl_ord_id).state.ord_status is OrdStatus.PENDING_NEW


def test_an_order_waiting_to_be_sent_again_after_a_doubt_is_canceled_at_the_venue(desk: Desk) -> None:
    """QUEUED once more, but an earlier message may be there."""
    order = desk.buy()
    (command,) = desk.commands(order)
    unknown(desk, order)
    desk.weigh(order, command=command, command_state=CommandState.QUEUED)

    assert len(cancel(desk, order).queued) == 1


def test_after_a_cancel_was_refused_another_may_be_sent(desk: Desk) -> None:
    order = desk.buy(ord_type=OrdType.LIMIT, price=D(99))
    desk.learn(order, resting(order))
    command = cancel(desk, order).queued[0].command
    desk.weigh(order, command=command, command_state=CommandState.REJECTED)

    assert cancel(desk, order).queued[0].command.number == 2


def test_an_order_that_has_ended_cannot_be_canceled(desk: Desk) -> None:
    order = desk.buy()
    desk.learn(order, whole(order))

    with pytest.raises(Refused, match="FILLED") as refused:
        cancel(desk, order)
    assert refused.value.code is DenyCode.ORDER_ENDED


def test_an_order_that_is_disputed_may_be_canceled_though_it_has_ended(desk: Desk) -> None:
    order = desk.buy()
    desk.learn(order, a_report(OrdStatus.REJECTED), resting(order))

    assert len(cancel(desk, order).queued) == 1


def test_an_unknown_order_is_refused_by_name(desk: Desk) -> None:
    with pytest.raises(Refused, match="there is no order ffff") as refused:
        desk.person(lambda tx, now: person.cancel(tx, ClOrdId("f" * 32), "somebody", now))
    assert refused.value.code is DenyCode.UNKNOWN_ORDER


# ----------------------------------------------------------------------------------------------------------- held


def test_an_approved_order_goes_out_within_thirty_seconds(desk: Desk) -> None:
    order = held(desk)
    desk.clock.advance(100)

    outcome = desk.person(lambda tx, now: person.approve(tx, order.cl_ord_id, "somebody", now))

    (command,) = desk.commands(order)
    assert desk.order(order.cl_ord_id).state.ord_status is OrdStatus.PENDING_NEW
    assert command.deadline_at == to_micros(START + timedelta(seconds=130))
    assert outcome.queued[0].command == command
    assert desk.queued[-1].order == order
    desk.reserved_is_what_may_fill()


@pytest.mark.parametrize("twice", ["approve", "decline"])
def test_an_answer_counts_once(desk: Desk, twice: str) -> None:
    order = held(desk)
    desk.person(lambda tx, now: person.approve(tx, order.cl_ord_id, "somebody", now))
    again = {"approve": person.approve, "decline": person.decline}[twice]

    with pytest.raises(Refused, match="does not wait for an answer, it is PENDING_NEW"):
        desk.person(lambda tx, now: again(tx, order.cl_ord_id, "somebody", now))
    assert len(desk.commands(order)) == 1


def test_a_declined_order_ends_and_reserves_nothing(desk: Desk) -> None:
    order = held(desk)

    desk.person(lambda tx, now: person.decline(tx, order.cl_ord_id, "somebody", now))

    stored = desk.order(order.cl_ord_id)
    assert (stored.state.ord_status, stored.state.code) == (OrdStatus.DENIED, DenyCode.DECLINED)
    assert stored.state.text == "declined by somebody"
    assert desk.commands(order) == []
    desk.reserved_is_what_may_fill()


def test_a_held_order_that_no_longer_passes_ends_with_the_gate_s_reason(desk: Desk) -> None:
    order = held(desk)
    denied = Denied(code=DenyCode.MAX_SYMBOL_EXPOSURE, text="too much by now")

    desk.person(lambda tx, now: person.deny_held(tx, order.cl_ord_id, denied, now))

    stored = desk.order(order.cl_ord_id)
    assert (stored.state.ord_status, stored.state.code, stored.state.text) == (
        OrdStatus.DENIED, DenyCode.MAX_SYMBOL_EXPOSURE, "too much by now",
    )  # fmt: skip
    desk.reserved_is_what_may_fill()


def test_a_held_order_can_be_canceled(desk: Desk) -> None:
    order = held(desk)

    assert cancel(desk, order).queued == ()
    assert desk.order(order.cl_ord_id).state.ord_status is OrdStatus.CANCELED


def test_a_held_order_passes_the_gate_again_without_counting_against_itself(make_desk: Make) -> None:
    """Design 3.4: on approval it passes all checks again, at today's prices and limits."""
    desk = make_desk(limits=replace(WIDE, max_symbol_exposure=D(250)))
    order = held(desk, size="2")
    again = lambda: desk.writer.call_blocking(  # noqa: E731
        lambda tx: desk.accept.judge_again(tx, desk.order(order.cl_ord_id), desk.destination())
    )

    assert again() is None
    desk.prices.quotes[BTC] = a_quote("126")
    dearer = again()
    assert dearer is not None
    assert dearer.code is DenyCode.MAX_SYMBOL_EXPOSURE
    desk.prices.quotes.clear()
    unpriced = again()
    assert unpriced is not None
    assert unpriced.code is DenyCode.PRICE_MISSING
    desk.prices.quotes[BTC] = a_quote("100")
    desk.halt.halt("drill", "somebody")
    halted = again()
    assert halted is not None
    assert halted.code is DenyCode.HALTED
    desk.reserved_is_what_may_fill()


# --------------------------------------------------------------------------------------------------------- doubts


def test_an_order_nobody_answered_for_can_be_abandoned(desk: Desk) -> None:
    order = desk.buy()
    unknown(desk, order)

    settle(desk, order, "abandon", "looked it up at the venue")

    stored = desk.order(order.cl_ord_id)
    assert (stored.state.ord_status, stored.state.doubt, stored.state.code) == (
        OrdStatus.DENIED, Doubt.NONE, DenyCode.ABANDONED,
    )  # fmt: skip
    assert stored.state.text == "looked it up at the venue"
    assert stored.reserved_qty == 0
    assert [each.state for each in desk.commands(order)] == [CommandState.ENDED]


def test_what_had_filled_stays_when_the_rest_is_abandoned(desk: Desk) -> None:
    order = desk.buy("2")
    desk.learn(order, a_fill("e1", "0.5"))
    for _ in range(3):
        stamp = desk.stamps.next()
        desk.weigh(order, Fact(key=f"nf:{stamp}", kind=FactKind.NOT_FOUND, stamp=stamp, at=START, origin="probe"))
    assert desk.order(order.cl_ord_id).state.doubt is Doubt.MISSING

    settle(desk, order, "abandon")

    stored = desk.order(order.cl_ord_id)
    assert (stored.state.ord_status, stored.state.cum_qty, stored.reserved_qty) == (OrdStatus.CANCELED, D("0.5"), 0)
    assert stored.state.text == "declared ended by somebody"
    assert desk.position() == D("0.5")


def test_accepting_takes_the_evidence_as_it_stands(desk: Desk) -> None:
    """Row 34."""
    order = desk.buy("1")
    desk.learn(order, a_fill("e1", "0.8"), a_fill("e2", "0.8"))

    settle(desk, order, "accept")

    assert desk.order(order.cl_ord_id).state.doubt is Doubt.NONE
    assert desk.position() == D("1.6")
    desk.learn(order, a_fill("e1", "0.8"))
    assert desk.order(order.cl_ord_id).state.doubt is Doubt.NONE
    desk.learn(order, a_fill("e3", "0.1"))
    assert desk.order(order.cl_ord_id).state.doubt is Doubt.DISPUTED


def test_a_fill_of_an_abandoned_order_is_a_dispute(desk: Desk) -> None:
    """Row 33: seen, not swallowed."""
    order = desk.buy()
    unknown(desk, order)
    settle(desk, order, "abandon")

    stored = desk.learn(order, a_fill("e1", "0.5"))

    assert stored.state.doubt is Doubt.DISPUTED
    assert desk.state()[0] is TradingState.REDUCING
    assert desk.position() == D("0.5")
    desk.reserved_is_what_may_fill()


def test_there_is_nothing_to_settle_about_an_order_without_doubt(desk: Desk) -> None:
    with pytest.raises(Refused, match="nothing about this order is in doubt"):
        settle(desk, desk.buy(), "abandon")


def test_a_decision_is_newer_than_everything_known_even_with_the_clock_set_back(desk: Desk) -> None:
    """Row 43."""
    order = desk.buy("1")
    desk.learn(order, a_fill("e1", "0.8"), a_fill("e2", "0.8"))
    desk.clock.set_wall(START - timedelta(hours=1))

    settle(desk, order, "accept")

    assert desk.order(order.cl_ord_id).state.doubt is Doubt.NONE


def test_the_answer_of_a_person_who_is_the_venue_is_a_fact(desk: Desk) -> None:
    order = desk.buy("2")
    report = a_fill("person-1", "2", "99", OrdStatus.FILLED, cum_qty=D(2), cl_ord_id=order.cl_ord_id)

    for _ in range(2):
        desk.person(lambda tx, now: person.answered(tx, order.cl_ord_id, report, "somebody", now))

    stored = desk.order(order.cl_ord_id)
    assert (stored.state.ord_status, stored.state.doubt, stored.state.avg_px) == (OrdStatus.FILLED, Doubt.NONE, 99)
    assert {fact.origin for fact in desk.facts(order)} == {"somebody"}
    assert desk.position() == 2


# ----------------------------------------------------------------------------------------------------------- halt


def test_a_halt_ends_what_has_not_left_cancels_entries_and_keeps_exits(desk: Desk) -> None:
    """Design 3, HALT."""
    bought = desk.buy("5")
    desk.learn(bought, whole(bought))
    unsent = desk.buy()
    waiting = held(desk)
    resting_entry = desk.buy(ord_type=OrdType.LIMIT, price=D(99))
    desk.learn(resting_entry, resting(resting_entry))
    doubtful = desk.buy()
    unknown(desk, doubtful)
    exit_unsent = desk.buy("1", Side.SELL)
    exit_resting = desk.buy("1", Side.SELL, ord_type=OrdType.LIMIT, price=D(105))
    desk.learn(exit_resting, resting(exit_resting))
    foreign = desk.take(desk.intent(signal=a_signal(7, sleeve=EXTERNAL))).tickets[0].order

    outcome = desk.person(lambda tx, now: person.stop_entries(tx, (MAIN,), "somebody", now))

    states = {order.cl_ord_id: desk.order(order.cl_ord_id).state for order in (unsent, waiting)}
    assert {state.ord_status for state in states.values()} == {OrdStatus.CANCELED}
    assert {state.code for state in states.values()} == {DenyCode.HALTED}
    assert {each.order.cl_ord_id for each in outcome.queued} == {resting_entry.cl_ord_id, doubtful.cl_ord_id}
    assert {each.command.kind for each in outcome.queued} == {CommandKind.CANCEL}
    for kept in (exit_unsent, foreign):
        assert [each.state for each in desk.commands(kept)] == [CommandState.QUEUED]
    assert len(desk.commands(exit_resting)) == 1
    assert set(outcome.subjects) == {each.cl_ord_id for each in (unsent, waiting, resting_entry, doubtful)}
    assert desk.book().stake(BTC, HAND).buy_qty == 2
    desk.reserved_is_what_may_fill()


def test_a_halt_ends_two_hundred_entries_in_one_transaction(desk: Desk) -> None:
    """Section 5: 200 cancels within five seconds."""
    for _ in range(4):
        desk.take_together(*(desk.intent(an_ask(size="0.1")) for _ in range(50)))
    before = desk.writer.batches

    outcome = desk.person(lambda tx, now: person.stop_entries(tx, (MAIN,), "somebody", now))

    assert len(outcome.subjects) == 200
    assert desk.writer.batches == before + 1
    assert desk.book().stake(BTC, HAND).buy_qty == 0
