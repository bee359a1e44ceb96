"""A repeat is a repeat: within its window, across batches, restarts and writers; an id of its own for good."""

import asyncio
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import SignalOutcome, TradingState
from nightdesk.model.identifiers import AccountId
from nightdesk.model.signal import Aim
from nightdesk.orders.accept import ClaimLost
from nightdesk.orders.intent import Acceptance, Intent
from nightdesk.runtime.database import Database
from nightdesk.runtime.writer import Verb, Writer
from tests.desk import Desk
from tests.orders.scenes import ACCEPTED, DUPLICATE, REFUSED, Make, count
from tests.samples import (
    BTC,
    MAIN,
    START,
    a_quote,
    a_signal,
    a_signal_id,
    an_ask,
    whole,
)


def test_the_same_alert_within_a_minute_counts_once(desk: Desk) -> None:
    """Row 69, K3: answered with the first signal's id."""
    first = desk.take(desk.intent(signal=a_signal(1, body="buy")))
    desk.clock.advance(59.999)
    again = desk.take(desk.intent(signal=a_signal(2, body="buy")))

    assert (again.outcome, again.code) == (DUPLICATE, DenyCode.DUPLICATE_SIGNAL)
    assert again.signal_id == first.signal_id
    assert again.tickets == ()
    assert count(desk, "orders") == 1
    assert desk.rows("SELECT outcome, code, first_signal_id FROM signals WHERE signal_id = ?", a_signal_id(2)) == [
        ("DUPLICATE", "DUPLICATE_SIGNAL", first.signal_id)
    ]


def test_the_window_slides_and_is_not_a_clock_minute(desk: Desk) -> None:
    """Row 70: 10:00:59.9 and 10:01:00.1 are one alert."""
    desk.clock.set_wall(START.replace(minute=0, second=59, microsecond=900_000))
    desk.take(desk.intent(signal=a_signal(1, body="buy")))
    desk.clock.set_wall(START.replace(minute=1, second=0, microsecond=100_000))

    assert desk.take(desk.intent(signal=a_signal(2, body="buy"))).outcome is DUPLICATE


def test_after_the_window_the_same_body_is_a_new_signal(desk: Desk) -> None:
    """Row 71."""
    desk.take(desk.intent(signal=a_signal(1, body="buy")))
    desk.clock.advance(60)

    again = desk.take(desk.intent(signal=a_signal(2, body="buy")))

    assert again.outcome is ACCEPTED
    assert again.signal_id == a_signal_id(2)
    assert count(desk, "orders") == 2


def test_a_duplicate_does_not_extend_the_window(desk: Desk) -> None:
    """K3."""
    outcomes = []
    for second in (0, 40, 40, 40):
        desk.clock.advance(second)
        outcomes.append(desk.take(desk.intent(signal=a_signal(len(outcomes) + 1, body="buy"))).outcome)

    assert outcomes == [ACCEPTED, DUPLICATE, ACCEPTED, DUPLICATE]


def test_repeats_inside_one_batch_are_one(desk: Desk) -> None:
    """Row 69: two deliveries in one group commit."""
    results = desk.take_together(*(desk.intent(signal=a_signal(number, body="buy")) for number in range(5)))

    assert [each.outcome for each in results] == [ACCEPTED] + [DUPLICATE] * 4
    assert {each.signal_id for each in results} == {a_signal_id(0)}
    assert count(desk, "orders") == count(desk, "commands") == 1
    assert count(desk, "signals") == 5


def test_a_window_of_nothing_takes_every_delivery(desk: Desk) -> None:
    results = desk.take_together(*(desk.intent(signal=a_signal(number, body="buy"), window=0) for number in range(3)))

    assert [each.outcome for each in results] == [ACCEPTED] * 3


def test_a_repeat_after_a_restart_is_still_a_repeat(make_desk: Make) -> None:
    """Row 72: nothing about it lives in memory."""
    first = make_desk()
    taken = first.take(first.intent(signal=a_signal(1, body="buy")))
    second = make_desk()

    again = second.take(second.intent(signal=a_signal(2, body="buy")))

    assert (again.outcome, again.signal_id) == (DUPLICATE, taken.signal_id)


def test_an_explicit_id_is_remembered_for_good(desk: Desk) -> None:
    """Row 73, K3: a captured webhook replayed the next day."""
    first = desk.take(desk.intent(signal=a_signal(1, body="buy", explicit_id="abc")))
    desk.clock.advance(86_400 * 400)

    again = desk.take(desk.intent(signal=a_signal(2, body="buy", explicit_id="abc")))

    assert (again.outcome, again.signal_id) == (DUPLICATE, first.signal_id)
    assert count(desk, "orders") == 1


def test_an_explicit_id_with_another_body_is_refused(desk: Desk) -> None:
    """Row 79, K3: 422."""
    first = desk.take(desk.intent(signal=a_signal(1, body="buy", explicit_id="abc")))

    other = desk.take(desk.intent(signal=a_signal(2, body="sell", explicit_id="abc")))

    assert (other.outcome, other.code, other.field) == (REFUSED, DenyCode.IDEMPOTENCY_KEY_REUSED, "id")
    assert first.signal_id in other.text
    assert other.signal_id == a_signal_id(2)
    assert count(desk, "orders") == 1


def test_another_hook_or_owner_claims_for_itself(desk: Desk) -> None:
    signals = [
        a_signal(1, body="buy"),
        a_signal(2, body="buy", hook="other"),
        a_signal(3, body="buy", owner_id="somebody"),
    ]

    assert [desk.take(desk.intent(signal=each)).outcome for each in signals] == [ACCEPTED] * 3


def test_events_of_one_transaction_are_told_apart_by_their_ids(desk: Desk) -> None:
    """Row 78: many events in one delivery, each with an id of its own, and the whole delivery sent again."""
    delivery = [a_signal(number, body=f"tx:{number % 3}", explicit_id=f"tx:{number % 3}") for number in range(6)]

    outcomes = Counter(each.outcome for each in desk.take_together(*(desk.intent(signal=each) for each in delivery)))
    again = Counter(
        desk.take(desk.intent(signal=replace(e, signal_id=f"again-{e.signal_id}"))).outcome for e in delivery
    )

    assert outcomes == {ACCEPTED: 3, DUPLICATE: 3}
    assert again == {DUPLICATE: 6}


def test_a_refused_signal_claims_nothing(make_desk: Make) -> None:
    """K3: once the reason is gone, the same alert is taken."""
    desk = make_desk()
    desk.open(MAIN)
    desk.prices.quotes.clear()
    refused = desk.take(desk.intent(signal=a_signal(1, body="buy")))
    desk.prices.quotes[BTC] = a_quote("100")

    taken = desk.take(desk.intent(signal=a_signal(2, body="buy")))

    assert (refused.outcome, refused.code) == (REFUSED, DenyCode.PRICE_MISSING)
    assert taken.outcome is ACCEPTED


def test_a_signal_with_nothing_to_do_claims_nothing(desk: Desk) -> None:
    close = an_ask(None, None, aim=Aim.CLOSE)
    idle = desk.take(desk.intent(close, signal=a_signal(1, body="close")))
    order = desk.buy()
    desk.learn(order, whole(order))

    taken = desk.take(desk.intent(close, signal=a_signal(2, body="close")))

    assert (idle.outcome, idle.code) == (SignalOutcome.NO_ACTION, DenyCode.NO_ACTION)
    assert "no position of hand in BTC-USD" in idle.text
    assert taken.outcome is ACCEPTED


def test_a_signal_of_which_one_leg_is_taken_is_accepted_and_claimed(make_desk: Make) -> None:
    desk = make_desk(accounts=(MAIN, AccountId("second")))
    desk.open(AccountId("second"), state=TradingState.REDUCING)

    first = desk.take(desk.intent(signal=a_signal(1, body="buy")))
    again = desk.take(desk.intent(signal=a_signal(2, body="buy")))

    assert first.outcome is ACCEPTED
    assert [each.denied and each.denied.code for each in first.tickets] == [None, DenyCode.REDUCING_ONLY]
    assert again.outcome is DUPLICATE
    desk.reserved_is_what_may_fill()


async def test_fifty_at_once_with_one_idempotency_key_make_one_order(database: Database, tmp_path: Path) -> None:
    """Row 79, through the real writer thread: one order, one answer for all, 422 for another body."""
    desk = Desk(database, tmp_path)
    desk.writer.stop()
    writer = Writer(database, desk.clock, name="desk", holder="here:2")
    writer.start()
    try:
        same = [desk.intent(signal=a_signal(n, body="buy", explicit_id="abc")) for n in range(50)]
        other = [desk.intent(signal=a_signal(100 + n, body="sell", explicit_id="abc")) for n in range(5)]
        results = await asyncio.gather(*(writer.run(desk.accept, each) for each in [*same, *other]))
    finally:
        writer.stop()

    outcomes = Counter(each.outcome for each in results[:50])
    assert outcomes == {ACCEPTED: 1, DUPLICATE: 49}
    assert len({each.signal_id for each in results[:50]}) == 1
    assert {each.code for each in results[50:]} == {DenyCode.IDEMPOTENCY_KEY_REUSED}
    assert count(desk, "orders") == 1
    desk.reader.close()


@pytest.mark.postgres
def test_two_writers_at_once_take_a_signal_once(postgresql: Database, tmp_path: Path) -> None:
    """Row 72: two processes, each with its own writer, race for the same 40 alerts on the same account."""
    desk = Desk(postgresql, tmp_path)
    writers = [Writer(postgresql, desk.clock, name=name, holder=f"here:{name}") for name in ("left", "right")]
    for writer in writers:
        writer.start()
    start = threading.Barrier(2)
    results: dict[str, list[SignalOutcome]] = {"0": [], "1": []}

    def deliver(number: int) -> None:
        start.wait()
        for each in range(40):
            signal = a_signal(each * 2 + number, body=f"buy {each}")
            results[str(number)].append(writers[number].run_blocking(desk.accept, desk.intent(signal=signal)).outcome)

    threads = [threading.Thread(target=deliver, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for writer in writers:
        writer.stop()

    pairs = [sorted(pair) for pair in zip(results["0"], results["1"], strict=True)]
    assert pairs == [[ACCEPTED, DUPLICATE]] * 40
    assert count(desk, "orders") == 40
    assert [event.seq for event in desk.events()] == list(range(1, 41))
    desk.reserved_is_what_may_fill()
    desk.close()


@pytest.mark.postgres
def test_two_writers_over_different_accounts_take_a_signal_once_too(postgresql: Database, tmp_path: Path) -> None:
    """Row 72: no common account lock orders them, so the claim itself has to. The loser is run again as a repeat."""
    desk = Desk(postgresql, tmp_path, accounts=(MAIN, AccountId("second")))
    writers = [Writer(postgresql, desk.clock, name=name, holder=f"here:{name}") for name in ("left", "right")]
    for writer in writers:
        writer.start()
    reached, go_on = threading.Event(), threading.Event()

    def held(tx, intents):  # type: ignore[no-untyped-def]
        taken = desk.accept(tx, intents)
        reached.set()
        go_on.wait(10)
        return taken

    outcomes: list[str] = []

    def deliver(writer: Writer, verb: Verb[Intent, Acceptance], number: int, account: str) -> None:
        intent = desk.intent(signal=a_signal(number, body="buy"), accounts=(AccountId(account),))
        try:
            outcomes.append(writer.run_blocking(verb, intent).outcome)
        except ClaimLost:
            outcomes.append("LOST")

    first = threading.Thread(target=deliver, args=(writers[0], held, 1, "main"))
    second = threading.Thread(target=deliver, args=(writers[1], desk.accept, 2, "second"))
    first.start()
    assert reached.wait(10)
    second.start()
    # The second now waits for the first one's claim; it cannot be seen from here, so give it a moment.
    second.join(0.3)
    go_on.set()
    first.join(20)
    second.join(20)
    for writer in writers:
        writer.stop()

    assert sorted(outcomes) == [ACCEPTED, DUPLICATE]
    assert count(desk, "orders") == 1
    desk.close()
