"""Confirm: evidence in any order, number and grouping leaves the same order, position, reservation and events."""

import itertools
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import CommandKind, CommandState, Doubt, ExecType, OrdStatus, OrdType, Side, TradingState
from nightdesk.model.execution import ExecutionReport, Fact, FactKind
from nightdesk.model.identifiers import AccountId, ClOrdId, Sleeve
from nightdesk.model.order import Order, fold
from nightdesk.orders import person, store
from nightdesk.orders.confirm import Answer, Evidence
from nightdesk.runtime.store import cursor, events_after, move_cursor
from tests.desk import Desk
from tests.model.evidence import evidence
from tests.samples import BTC, HAND, MAIN, START, D, a_fill, a_report, a_signal, an_ask, resting, told, whole

Make = Callable[..., Desk]


def own(kind: FactKind, stamp: int, **changed: object) -> Fact:
    fact = Fact(key=f"{kind}:{stamp}", kind=kind, stamp=stamp, at=START, origin="desk")
    return replace(fact, **changed)  # type: ignore[arg-type]  # keyword names are checked by the dataclass


def test_a_fill_moves_order_position_cash_reservation_and_history_at_once(desk: Desk) -> None:
    """I4, I5."""
    order = desk.buy("2")

    stored = desk.learn(order, a_fill("e1", "0.5", "101", fee=D("0.1"), cum_qty=D("0.5"), order_id="v-1"))

    book = desk.book()
    position = book.stake(BTC, HAND).position
    assert (stored.state.ord_status, stored.state.cum_qty, stored.state.avg_px) == (
        OrdStatus.PARTIALLY_FILLED, D("0.5"), 101,
    )  # fmt: skip
    assert stored.reserved_qty == D("1.5")
    assert (position.qty, position.cost, position.fees) == (D("0.5"), D("50.5"), D("0.1"))
    assert book.cash == 10**9 - D("50.6")
    assert [event.topic for event in desk.events()] == ["order.accepted", "order.updated"]
    assert json.loads(desk.events()[-1].data) == {
        "ord_status": "PARTIALLY_FILLED", "doubt": "NONE", "cum_qty": "0.5",
    }  # fmt: skip
    assert set(desk.changed) == {order.cl_ord_id, order.signal_id}
    desk.reserved_is_what_may_fill()


def test_the_same_evidence_again_changes_nothing_and_says_nothing(desk: Desk) -> None:
    """Row 26: replayed a hundred times."""
    order = desk.buy("2")
    desk.learn(order, a_fill("e1", "0.5"))
    before, seen = desk.order(order.cl_ord_id), len(desk.events())

    for _ in range(100):
        desk.learn(order, a_fill("e1", "0.5"))

    assert desk.order(order.cl_ord_id) == before
    assert desk.position() == D("0.5")
    assert len(desk.events()) == seen
    assert len(desk.facts(order)) == 2


LIFE = [
    resting,
    lambda order: a_fill("e1", "0.4", "100", fee=D("0.1"), cl_ord_id=order.cl_ord_id),
    lambda order: a_fill("e2", "0.3", "102", fee=D("0.1"), cl_ord_id=order.cl_ord_id),
    lambda order: a_fill("e1", "0.4", exec_type=ExecType.TRADE_CANCEL, cl_ord_id=order.cl_ord_id),
    lambda order: a_report(OrdStatus.CANCELED, cum_qty=D("0.3"), avg_px=D(102), cl_ord_id=order.cl_ord_id),
]


def test_all_orders_of_arrival_end_in_the_same_database(desk: Desk) -> None:
    """Rows 27, 28, 30, 32, 35: all 120 permutations, each on an order and a sleeve of its own."""
    ends = set()
    for number, some in enumerate(itertools.permutations(enumerate(LIFE, 1))):
        signal = a_signal(number, an_ask(), sleeve=Sleeve(f"sleeve-{number}"))
        order = desk.take(desk.intent(signal=signal)).tickets[0].order
        for stamp, said in some:
            desk.weigh(order, *told(said(order), stamp))
        stored = desk.order(order.cl_ord_id)
        stake = desk.book().stake(BTC, signal.sleeve)
        ends.add(
            (
                stored.state.ord_status, stored.state.doubt, stored.state.cum_qty, stored.state.cum_value,
                stored.state.fees, stake.position.qty, stake.position.qty * 100 - stake.position.cost
                + stake.position.realised_pnl, stake.position.fees, stake.buy_qty,
            )
        )  # fmt: skip

    assert ends == {
        (OrdStatus.CANCELED, Doubt.NONE, D("0.3"), D("30.6"), D("0.1"), D("0.3"), D("-0.6"), D("0.1"), 0),
    }  # fmt: skip


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(facts=evidence(), data=st.data())
def test_weighed_one_by_one_or_all_at_once_or_in_batches_the_rows_say_what_the_fold_says(
    fast: Desk, facts: list[Fact], data: st.DataObject
) -> None:
    """The state kept beside the facts is always the fold of the facts that are kept, also of contradictory ones."""
    fast.open(MAIN)
    one, all_at_once, batched = (fast.buy() for _ in range(3))
    shuffled = data.draw(st.permutations(facts))
    for fact in shuffled:
        fast.weigh(one, fact)
    fast.weigh(all_at_once, *facts)
    cut = data.draw(st.integers(0, len(facts)))
    items = [
        Evidence(account_id=MAIN, cl_ord_id=batched.cl_ord_id, facts=tuple(part)) for part in (facts[:cut], facts[cut:])
    ]
    fast.writer.call_blocking(lambda tx: fast.confirm_verb(tx, items))

    for order in (one, all_at_once, batched):
        stored = fast.order(order.cl_ord_id)
        assert stored.state == fold(order, facts)
        assert fold(order, fast.facts(order)) == stored.state
    fast.reserved_is_what_may_fill()


def test_a_batch_loads_each_order_once_and_answers_each_item_with_its_end(desk: Desk) -> None:
    order = desk.buy("2")
    items = [
        Evidence(account_id=MAIN, cl_ord_id=order.cl_ord_id, facts=told(a_fill(f"e{n}", "0.5"), n)) for n in (1, 2)
    ]

    results = desk.writer.call_blocking(lambda tx: desk.confirm_verb(tx, items))

    assert [each.state.cum_qty for each in results if each is not None] == [1, 1]
    assert desk.position() == 1


def test_evidence_about_no_order_of_ours_is_told_so(desk: Desk) -> None:
    evidence_ = Evidence(account_id=MAIN, cl_ord_id=ClOrdId("f" * 32), facts=told(a_report(OrdStatus.NEW), 1))

    assert desk.writer.run_blocking(desk.confirm_verb, evidence_) is None
    assert desk.rows("SELECT COUNT(*) FROM facts") == [(0,)]


def test_evidence_from_another_account_is_not_about_our_order(make_desk: Make) -> None:
    """S2: an id that one account's venue names belongs to that account's orders alone."""
    desk = make_desk(accounts=(MAIN, AccountId("second")))
    order = desk.take(desk.intent(accounts=(MAIN,))).tickets[0].order
    foreign = Evidence(account_id=AccountId("second"), cl_ord_id=order.cl_ord_id, facts=told(whole(order), 5))

    assert desk.writer.run_blocking(desk.confirm_verb, foreign) is None
    assert desk.order(order.cl_ord_id).state.cum_qty == 0


# --------------------------------------------------------------------------------------------- races and contradictions


def test_a_fill_before_its_acknowledgement_and_before_the_answer(desk: Desk) -> None:
    """Row 27: the stream is faster than the answer to the order, whose stamp is older."""
    order = desk.buy("2")
    answered = desk.stamps.next()
    desk.learn(order, a_fill("e1", "0.5"))

    desk.weigh(order, *told(resting(order), answered, "submit"))

    stored = desk.order(order.cl_ord_id)
    assert (stored.state.ord_status, stored.state.doubt, stored.state.cum_qty) == (
        OrdStatus.PARTIALLY_FILLED, Doubt.NONE, D("0.5"),
    )  # fmt: skip


def test_a_late_fill_after_a_cancel_is_booked_and_told(desk: Desk) -> None:
    """Row 32: booked, told, and the position right, without a dispute."""
    order = desk.buy("2", ord_type=OrdType.LIMIT, price=D(100))
    desk.learn(order, resting(order), a_report(OrdStatus.CANCELED, cum_qty=D(0)))
    assert desk.book().stake(BTC, HAND).buy_qty == 0

    stored = desk.learn(order, a_fill("e1", "0.5", status=OrdStatus.CANCELED))

    assert (stored.state.ord_status, stored.state.doubt) == (OrdStatus.CANCELED, Doubt.NONE)
    assert desk.position() == D("0.5")
    assert json.loads(desk.events()[-1].data)["late_fill"] == "0.5"
    assert desk.state() == (TradingState.ACTIVE, "")
    desk.reserved_is_what_may_fill()


@pytest.mark.parametrize(
    ("said", "cum"),
    [
        ([a_report(OrdStatus.REJECTED), a_fill("e1", "0.5", status=OrdStatus.REJECTED)], "0.5"),
        ([a_fill("e1", "2"), a_fill("e2", "0.5")], "2.5"),
        ([a_fill("e1", "0.5", "100"), a_fill("e1", "0.5", "101")], "0.5"),
    ],
)
def test_a_contradiction_turns_the_account_to_reducing(desk: Desk, said: list[ExecutionReport], cum: str) -> None:
    """Rows 26, 33, 34: booked as real, the excess flagged, nothing more opened until a person has looked."""
    order = desk.buy("2")

    stored = desk.learn(order, *said)

    assert stored.state.doubt is Doubt.DISPUTED
    assert desk.position() == D(cum)
    state, reason = desk.state()
    assert state is TradingState.REDUCING
    assert order.cl_ord_id in reason
    assert desk.take(desk.intent()).code is DenyCode.REDUCING_ONLY
    desk.reserved_is_what_may_fill()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (TradingState.RECONCILING, TradingState.REDUCING),
        (TradingState.REDUCING, TradingState.REDUCING),
        (TradingState.HALTED, TradingState.HALTED),
    ],
)
def test_a_contradiction_never_opens_an_account(desk: Desk, before: TradingState, after: TradingState) -> None:
    """One found by the comparison at the start outlasts it; an account that takes less already keeps its reason."""
    order = desk.buy("1")
    desk.open(MAIN, state=before)

    desk.learn(order, a_report(OrdStatus.REJECTED), a_fill("e1", "0.5"))

    assert desk.state()[0] is after
    assert (order.cl_ord_id in desk.state()[1]) is (before is TradingState.RECONCILING)


def test_while_in_doubt_the_whole_quantity_counts(desk: Desk) -> None:
    """I6, 3.3: UNKNOWN reserves in full."""
    order = desk.buy("2")

    desk.weigh(order, own(FactKind.OUTCOME_UNKNOWN, desk.stamps.next()))

    assert desk.order(order.cl_ord_id).state.doubt is Doubt.UNKNOWN
    assert desk.book().stake(BTC, HAND).buy_qty == 2
    assert len(desk.read(lambda tx: store.open_orders(tx, MAIN))) == 1


def test_what_a_sale_gained_is_told(desk: Desk) -> None:
    bought = desk.buy("1")
    desk.learn(bought, whole(bought, "100"))
    sold = desk.buy("1", Side.SELL)

    desk.learn(sold, whole(sold, "107"))

    assert json.loads(desk.events()[-1].data)["realised_pnl"] == "7"
    assert desk.position() == 0


def test_evidence_for_an_older_sight_of_the_order_is_left_alone(desk: Desk) -> None:
    """A held order is approved in the moment its time is up: whichever is durable first counts."""
    order = desk.take(desk.intent(hold=True)).tickets[0].order
    late = own(FactKind.EXPIRED, desk.micros + 5, code=DenyCode.DEADLINE)
    desk.person(lambda tx, now: person.approve(tx, order.cl_ord_id, "somebody", now))

    stored = desk.weigh(order, late, only_while=OrdStatus.HELD)

    assert stored is not None
    assert stored.state.ord_status is OrdStatus.PENDING_NEW
    assert len(desk.facts(order)) == 2


# ------------------------------------------------------------------------------------------------------- commands


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        (lambda order: told(resting(order), 1), CommandState.CONFIRMED),
        (lambda order: told(a_fill("e1", "0.1"), 1), CommandState.CONFIRMED),
        (lambda order: told(a_report(OrdStatus.REJECTED), 1), CommandState.REJECTED),
        (lambda order: told(a_report(OrdStatus.PENDING_NEW), 1), CommandState.QUEUED),
        (lambda order: (own(FactKind.DENIED, 1, code=DenyCode.PROVEN_ABSENT),), CommandState.ABSENT),
        (lambda order: (own(FactKind.DENIED, 1, code=DenyCode.NOT_SENT),), CommandState.ENDED),
        (lambda order: (own(FactKind.EXPIRED, 1, code=DenyCode.DEADLINE),), CommandState.ENDED),
    ],
)
def test_the_facts_settle_the_command(
    desk: Desk, facts: Callable[[Order], tuple[Fact, ...]], state: CommandState
) -> None:
    order = desk.buy()

    desk.weigh(order, *facts(order))

    assert [each.state for each in desk.commands(order)] == [state]


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (a_report(OrdStatus.CANCELED, cum_qty=D(0)), CommandState.CONFIRMED),
        (a_fill("e1", "1", status=OrdStatus.FILLED), CommandState.REJECTED),
        (a_report(OrdStatus.EXPIRED, cum_qty=D(0)), CommandState.REJECTED),
    ],
)
def test_the_end_of_the_order_settles_its_cancel(desk: Desk, said, state: CommandState) -> None:  # type: ignore[no-untyped-def]
    """Row 30: a cancel that came too late was refused by the fill."""
    order = desk.buy("1", ord_type=OrdType.LIMIT, price=D(100))
    desk.learn(order, resting(order))
    desk.person(lambda tx, now: person.cancel(tx, order.cl_ord_id, "somebody", now))

    desk.learn(order, said)

    assert {each.kind: each.state for each in desk.commands(order)}[CommandKind.CANCEL] is state


def test_a_command_that_no_fact_settles_goes_where_its_sender_says(desk: Desk) -> None:
    order = desk.buy()
    (command,) = desk.commands(order)
    answer = Answer(attempt=1, first_byte_at=None, outcome="NOT_SENT", text="no socket" * 100)

    desk.weigh(order, command=command, command_state=CommandState.QUEUED, not_before=77, answer=answer)

    assert desk.rows("SELECT state, not_before, text FROM commands") == [("QUEUED", 77, ("no socket" * 100)[:500])]


def test_a_late_word_of_the_sender_does_not_undo_what_the_facts_settled(desk: Desk) -> None:
    """Row 27: the stream confirmed it while the answer timed out."""
    order = desk.buy()
    (command,) = desk.commands(order)
    desk.learn(order, resting(order))

    desk.weigh(order, own(FactKind.OUTCOME_UNKNOWN, 1), command=command, command_state=CommandState.UNKNOWN)

    assert [each.state for each in desk.commands(order)] == [CommandState.CONFIRMED]
    assert desk.order(order.cl_ord_id).state.doubt is Doubt.NONE


# --------------------------------------------------------------------------------------------------------- events


def test_events_have_no_gap_over_all_that_can_happen(make_desk: Make) -> None:
    """I7: accepted, denied, filled, canceled and decided, in one transaction or many, on two accounts."""
    second = AccountId("second")
    desk = make_desk(accounts=(MAIN, second))
    orders = [desk.take(desk.intent()).tickets for _ in range(3)]
    desk.take(desk.intent(an_ask(Side.BUY, "0.0001")))
    desk.take_together(desk.intent(), desk.intent(), desk.intent(an_ask(Side.BUY, "0.0001")))
    for ticket in orders[0]:
        desk.learn(ticket.order, a_fill("e1", "0.5"), a_fill("e2", "0.5"))
    for ticket in orders[1]:
        desk.person(lambda tx, now, ticket=ticket: person.cancel(tx, ticket.order.cl_ord_id, "somebody", now))
    desk.person(lambda tx, now: person.stop_entries(tx, (MAIN, second), "somebody", now))

    for account in (MAIN, second):
        seqs = [event.seq for event in desk.events(account)]
        assert seqs == list(range(1, len(seqs) + 1))
        assert len(seqs) > 9


def test_an_event_that_was_rolled_back_leaves_no_gap(desk: Desk) -> None:
    order = desk.buy()
    connection = desk.database.connect()
    desk.confirm_verb(
        connection.begin(), [Evidence(account_id=MAIN, cl_ord_id=order.cl_ord_id, facts=told(whole(order), 1))]
    )
    connection.rollback()
    connection.close()

    desk.learn(order, resting(order))

    assert [event.seq for event in desk.events()] == [1, 2]


def test_a_consumer_s_cursor_moves_with_its_effect_or_not_at_all(desk: Desk) -> None:
    """Design 3: durable consumers keep their cursor in the transaction of their effect."""
    for _ in range(3):
        desk.buy()

    def consume(tx, *, fails: bool):  # type: ignore[no-untyped-def]
        at = cursor(tx, "notify", MAIN)
        for event in events_after(tx, MAIN, at, 2):
            tx.execute("INSERT INTO meta (key, value) VALUES (?,?)", (f"effect:{event.seq}", event.topic))
            move_cursor(tx, "notify", MAIN, event.seq)
        if fails:
            raise RuntimeError("after the effect, before the commit")

    with pytest.raises(RuntimeError):
        desk.writer.call_blocking(lambda tx: consume(tx, fails=True))
    assert desk.read(lambda tx: cursor(tx, "notify", MAIN)) == 0
    for _ in range(3):
        desk.writer.call_blocking(lambda tx: consume(tx, fails=False))

    effects = [row[0] for row in desk.rows("SELECT key FROM meta WHERE key LIKE 'effect:%' ORDER BY key")]
    assert effects == ["effect:1", "effect:2", "effect:3"]
    assert desk.read(lambda tx: cursor(tx, "notify", MAIN)) == 3
