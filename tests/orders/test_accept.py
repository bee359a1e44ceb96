"""Accept: one transaction for the signal, every leg, its reservation and its command."""

import asyncio
import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import CommandKind, CommandState, OrdStatus, OrdType, Side, SignalOutcome, TradingState
from nightdesk.model.identifiers import AccountId, Sleeve, derive_cl_ord_id
from nightdesk.model.signal import Aim
from nightdesk.orders.accept import Accept, record
from nightdesk.orders.config import OrdersConfig
from nightdesk.orders.intent import Ledgered
from nightdesk.orders.ledger.store import summary
from nightdesk.risk.store import GLOBAL, HaltRow, write_halt
from nightdesk.runtime.database import Database, to_micros
from nightdesk.runtime.writer import Overloaded, Writer
from tests.desk import Desk
from tests.orders.scenes import ACCEPTED, REFUSED, Make, count
from tests.samples import (
    BTC,
    ETH,
    HAND,
    MAIN,
    START,
    WIDE,
    D,
    HandPrices,
    a_quote,
    a_signal,
    an_ask,
    resting,
    whole,
)


def test_an_accepted_signal_is_on_disk_with_everything_that_belongs_to_it(desk: Desk) -> None:
    """B3: the intent is on disk before the venue hears of it."""
    acceptance = desk.take(desk.intent(an_ask(Side.BUY, "1.5")))

    ticket = acceptance.tickets[0]
    stored = desk.order(ticket.order.cl_ord_id)
    assert acceptance.outcome is ACCEPTED
    assert stored.order == ticket.order
    assert stored.state == ticket.state
    assert (stored.state.ord_status, stored.reserved_qty, stored.ref_px) == (OrdStatus.PENDING_NEW, D("1.5"), 100)
    assert stored.order.cl_ord_id == derive_cl_ord_id("install", MAIN, acceptance.signal_id, 0)
    assert stored.order.deadline_at == START + timedelta(seconds=30)
    (command,) = desk.commands(ticket.order)
    assert (command.kind, command.state, command.attempts) == (CommandKind.NEW, CommandState.QUEUED, 0)
    assert command.deadline_at == to_micros(stored.order.deadline_at)
    assert [each.order for each in desk.queued] == [ticket.order]
    assert desk.queued[0].command == command
    assert desk.book().stake(BTC, HAND).buy_qty == D("1.5")
    assert [event.topic for event in desk.events()] == ["order.accepted"]
    outcome, summed, marks = desk.rows(
        "SELECT signals.outcome, summary, checks FROM signals JOIN orders ON orders.signal_id = signals.signal_id"
    )[0]
    assert (outcome, summed) == ("ACCEPTED", "Buy 1.5 BTC-USD")
    assert {"symbol exposure", "order value"} <= {name for name, _, _ in json.loads(marks)}
    desk.reserved_is_what_may_fill()


def test_one_leg_for_each_account_and_each_its_own_id(make_desk: Make) -> None:
    desk = make_desk(accounts=(MAIN, AccountId("second")))

    acceptance = desk.take(desk.intent(an_ask(), an_ask(Side.SELL, "2", symbol=ETH)))

    legs = [(each.order.account_id, each.order.symbol, each.order.leg) for each in acceptance.tickets]
    assert legs == [("main", BTC, 0), ("second", BTC, 1), ("main", ETH, 2), ("second", ETH, 3)]
    assert len({each.order.cl_ord_id for each in acceptance.tickets}) == 4
    desk.reserved_is_what_may_fill()


@pytest.mark.parametrize(
    ("ord_type", "changed", "seconds"),
    [
        (OrdType.MARKET, {}, 30),
        (OrdType.LIMIT, {"price": D(99)}, 300),
        (OrdType.STOP, {"stop_px": D(101)}, 300),
    ],
)
def test_each_type_has_its_deadline(desk: Desk, ord_type: OrdType, changed: dict[str, object], seconds: int) -> None:
    """Row 48."""
    order = desk.buy(ord_type=ord_type, **changed)
    named = desk.take(desk.intent(an_ask(), deadline_at=START + timedelta(seconds=7))).tickets[0].order

    assert order.deadline_at == START + timedelta(seconds=seconds)
    assert named.deadline_at == START + timedelta(seconds=7)


def test_a_denied_leg_is_kept_with_its_reason_and_reserves_nothing(desk: Desk) -> None:
    """X4: the ledger of what was not traded."""
    acceptance = desk.take(desk.intent(an_ask(Side.BUY, "0.0001", price=D(100))))

    ticket = acceptance.tickets[0]
    stored = desk.order(ticket.order.cl_ord_id)
    assert (acceptance.outcome, acceptance.code, acceptance.field) == (REFUSED, DenyCode.QTY_INVALID, "size")
    assert (stored.state.ord_status, stored.state.code) == (OrdStatus.DENIED, DenyCode.QTY_INVALID)
    assert stored.state.text == acceptance.text
    assert stored.reserved_qty == 0
    assert desk.commands(ticket.order) == []
    assert desk.queued == []
    assert [event.topic for event in desk.events()] == ["order.denied"]
    assert count(desk, "dedupe") == 0
    assert desk.rows("SELECT outcome, code FROM signals") == [("REFUSED", "QTY_INVALID")]


def test_a_signal_that_makes_no_order_is_in_the_ledger(desk: Desk) -> None:
    late = Ledgered(signal=a_signal(1), outcome=SignalOutcome.EXPIRED, denied=None, text="too late")

    desk.writer.run_blocking(record, late)

    assert desk.rows("SELECT outcome, code, text FROM signals") == [("EXPIRED", None, "too late")]


@pytest.mark.parametrize("row_only", [False, True])
def test_a_halt_denies_entries_and_takes_exits(make_desk: Make, row_only: bool) -> None:
    """HALT: flag or row, either is enough."""
    desk = make_desk()
    order = desk.buy("2")
    desk.learn(order, whole(order))
    if row_only:
        row = HaltRow(scope=GLOBAL, halted=True, reason="drill", actor="person", at=1)
        desk.writer.call_blocking(lambda tx: write_halt(tx, row))
    else:
        desk.halt.halt("drill", "person")

    entry = desk.take(desk.intent(an_ask(Side.BUY)))
    exit_ = desk.take(desk.intent(an_ask(Side.SELL, "2")))
    beyond = desk.take(desk.intent(an_ask(Side.SELL, "1")))

    assert (entry.outcome, entry.code) == (REFUSED, DenyCode.HALTED)
    assert "drill" in entry.text
    assert exit_.outcome is ACCEPTED
    assert exit_.tickets[0].order.closing
    assert beyond.code is DenyCode.HALTED


def test_the_rate_limit_bounds_a_burst_of_ten_thousand(make_desk: Make) -> None:
    """Row 67, I6: what passes in a minute is what may pass, whatever comes in, in batches or alone."""
    desk = make_desk(limits=replace(WIDE, max_orders_per_minute=120, max_symbol_exposure=D(5000)))
    intents = [desk.intent(an_ask(Side.BUY, "0.1")) for _ in range(1500)]
    results = [result for begin in range(0, 1500, 250) for result in desk.take_together(*intents[begin : begin + 250])]

    codes = Counter(each.code for each in results)
    assert codes == {None: 120, DenyCode.RATE_PER_MINUTE: 1380}
    assert desk.book().exposure(BTC, D(100)) == 1200
    desk.clock.advance(60)
    assert desk.take(desk.intent(an_ask(Side.BUY, "0.1"))).outcome is ACCEPTED
    desk.reserved_is_what_may_fill()


async def test_a_full_queue_refuses_and_keeps_nothing(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 67: bounded; every signal is either answered with its outcome or refused as overload, none is half there."""
    monkeypatch.setattr("nightdesk.runtime.writer.MOST_WAITING", 50)
    desk = Desk(database, tmp_path)
    desk.writer.stop()
    writer = Writer(database, desk.clock, name="desk", holder="here:2")
    writer.start()
    results = await asyncio.gather(
        *(writer.run(desk.accept, desk.intent(an_ask(Side.BUY, "0.1"))) for _ in range(600)), return_exceptions=True
    )
    writer.stop()

    kinds = Counter(type(each).__name__ for each in results)
    assert set(kinds) == {"Acceptance", "Overloaded"}
    assert any(isinstance(each, Overloaded) for each in results)
    assert count(desk, "orders") == count(desk, "signals") == kinds["Acceptance"]
    desk.reader.close()


def test_the_loss_of_today_is_counted_from_the_first_look_of_the_day(make_desk: Make) -> None:
    desk = make_desk(limits=replace(WIDE, max_daily_loss=D(50)), cash=D(1000))
    order = desk.buy("2")
    desk.learn(order, whole(order))
    desk.prices.quotes[BTC] = a_quote("74")

    lost = desk.take(desk.intent())
    desk.clock.advance(86_400)
    next_day = desk.take(desk.intent())

    assert (lost.code, next_day.outcome) == (DenyCode.DAILY_LOSS, ACCEPTED)
    assert "52 USD lost today" in lost.text


def test_an_equal_order_within_the_guard_is_denied_after_it_taken(make_desk: Make) -> None:
    desk = make_desk(limits=replace(WIDE, duplicate_guard_seconds=5.0))
    desk.take(desk.intent(an_ask(Side.BUY, "1")))

    codes = []
    for ask in (an_ask(Side.BUY, "1"), an_ask(Side.BUY, "1.001"), an_ask(Side.SELL, "1"), an_ask(symbol=ETH)):
        codes.append(desk.take(desk.intent(ask)).code)  # noqa: PERF401  # one after the other
    desk.clock.advance(5)

    assert codes == [DenyCode.DUPLICATE_ORDER, None, None, None]
    assert desk.take(desk.intent(an_ask(Side.BUY, "1"))).outcome is ACCEPTED


def test_the_guard_sees_equal_orders_of_the_same_batch(make_desk: Make) -> None:
    """X4: whether two alerts share a group commit is chance, and must not decide."""
    desk = make_desk(limits=replace(WIDE, duplicate_guard_seconds=5.0))

    results = desk.take_together(desk.intent(an_ask(Side.BUY, "1")), desk.intent(an_ask(Side.BUY, "1")))

    assert [each.code for each in results] == [None, DenyCode.DUPLICATE_ORDER]


def test_a_denied_order_is_nobody_s_twin(make_desk: Make) -> None:
    desk = make_desk(limits=replace(WIDE, duplicate_guard_seconds=5.0))
    desk.open(MAIN, state=TradingState.REDUCING)
    desk.take(desk.intent(an_ask(Side.BUY, "1")))
    desk.open(MAIN)

    assert desk.take(desk.intent(an_ask(Side.BUY, "1"))).outcome is ACCEPTED


def test_a_held_order_reserves_and_has_no_command(desk: Desk) -> None:
    """Design 3.4: HELD reserves."""
    ticket = desk.take(desk.intent(hold=True)).tickets[0]

    assert ticket.state.ord_status is OrdStatus.HELD
    assert desk.order(ticket.order.cl_ord_id).state == ticket.state
    assert desk.commands(ticket.order) == []
    assert desk.queued == []
    assert desk.book().stake(BTC, HAND).buy_qty == 1
    assert ticket.order.deadline_at == START + timedelta(seconds=OrdersConfig().held_expires)
    desk.reserved_is_what_may_fill()


CANCEL_ALL = an_ask(None, None, aim=Aim.CANCEL)


def test_a_signal_may_cancel_its_sleeve_s_orders(desk: Desk) -> None:
    order = desk.buy(ord_type=OrdType.LIMIT, price=D(90))
    desk.learn(order, resting(order))
    desk.queued.clear()

    acceptance = desk.take(desk.intent(CANCEL_ALL))

    assert acceptance.outcome is ACCEPTED
    assert [each.order.cl_ord_id for each in acceptance.tickets] == [order.cl_ord_id]
    assert [each.command.kind for each in desk.queued] == [CommandKind.CANCEL]
    assert {each.kind: each.state for each in desk.commands(order)} == {
        CommandKind.NEW: CommandState.CONFIRMED,
        CommandKind.CANCEL: CommandState.QUEUED,
    }


def test_a_cancel_leaves_other_symbols_and_sleeves_alone(desk: Desk) -> None:
    desk.take(desk.intent(an_ask(symbol=ETH)))
    desk.take(desk.intent(signal=a_signal(50, sleeve=Sleeve("other"))))

    acceptance = desk.take(desk.intent(CANCEL_ALL))

    assert acceptance.outcome is SignalOutcome.NO_ACTION
    assert "hand has no open order in BTC-USD to cancel" in acceptance.text


def test_a_signal_cancels_an_order_that_has_not_left_for_good(desk: Desk) -> None:
    """A cancel goes ahead of entries in its lane: sent to a venue that has not heard of the order, it would be lost,
    and the order would follow it."""
    order = desk.buy()
    desk.queued.clear()

    desk.take(desk.intent(CANCEL_ALL))

    stored = desk.order(order.cl_ord_id)
    assert stored.state.ord_status is OrdStatus.CANCELED
    assert desk.queued == []
    assert [each.state for each in desk.commands(order)] == [CommandState.ENDED]
    desk.reserved_is_what_may_fill()
    assert [event.seq for event in desk.events()] == list(range(1, len(desk.events()) + 1))


def test_a_cancel_in_the_batch_of_its_order_finds_it(desk: Desk) -> None:
    """Two alerts a moment apart may share a group commit."""
    entered, canceled = desk.take_together(desk.intent(), desk.intent(CANCEL_ALL))

    assert canceled.outcome is ACCEPTED
    assert desk.order(entered.tickets[0].order.cl_ord_id).state.ord_status is OrdStatus.CANCELED
    desk.reserved_is_what_may_fill()


def test_the_same_work_run_again_after_a_rollback_writes_the_same(desk: Desk) -> None:
    """Row 58: a verb may be run again."""
    intent = desk.intent()
    connection = desk.database.connect()
    first = desk.accept(connection.begin(), [intent])
    connection.rollback()
    connection.close()

    again = desk.take(intent)

    assert again == first[0]
    assert count(desk, "orders") == 1


def test_an_account_that_is_not_there_is_named(desk: Desk) -> None:
    with pytest.raises(LookupError, match="account nowhere is not in the database"):
        desk.take(desk.intent(accounts=(AccountId("nowhere"),)))


def test_a_signal_without_asks_has_nothing_to_do(desk: Desk) -> None:
    acceptance = desk.take(replace(desk.intent(), wants=()))

    assert (acceptance.outcome, acceptance.text) == (SignalOutcome.NO_ACTION, "the signal asks for nothing")


def test_prices_of_what_is_held_are_looked_up_for_the_total(desk: Desk) -> None:
    """An ETH position is valued at its market and not at its cost."""
    order = desk.take(desk.intent(an_ask(Side.BUY, "10", symbol=ETH))).tickets[0].order
    desk.learn(order, whole(order))
    strict = Accept(
        install_id="install",
        limits=replace(WIDE, max_total_exposure=D(699)),
        orders=OrdersConfig(),
        prices=HandPrices(a_quote("100"), a_quote("60", symbol=ETH)),
        halt=desk.halt,
        clock=desk.clock,
        on_queued=lambda _: None,
    )

    refused = desk.writer.run_blocking(strict, desk.intent())

    assert refused.code is DenyCode.MAX_TOTAL_EXPOSURE
    assert refused.tickets[0].denied is not None
    assert refused.tickets[0].denied.value == "700"


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (an_ask(Side.SELL, "2"), "Sell 2 BTC-USD"),
        (an_ask(Side.SELL, None), "Sell BTC-USD"),
        (an_ask(None, None), "Trade BTC-USD"),
        (an_ask(None, None, aim=Aim.CLOSE), "Close BTC-USD"),
        (an_ask(None, None, aim=Aim.CANCEL), "Cancel BTC-USD"),
        (an_ask(None, None, aim=Aim.TARGET, target_qty=D("-1")), "Hold -1 BTC-USD"),
    ],
)
def test_a_signal_in_a_few_words(ask, words: str) -> None:  # type: ignore[no-untyped-def]
    assert summary([ask]) == words
    assert summary([ask, ask]) == f"{words}; {words}"
