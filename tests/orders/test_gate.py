"""The gate between the decision and the first byte, and the one winner who may pass it."""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import CommandState, OrdStatus, OrdType, Side
from nightdesk.model.execution import ExecutionReport
from nightdesk.model.order import Order
from nightdesk.model.venue import Gate, Wire
from nightdesk.orders import person
from nightdesk.orders.outgoing import store as outgoing
from nightdesk.runtime.database import Database, StoreUnavailable
from nightdesk.runtime.writer import Fenced, Overloaded
from tests.desk import Desk
from tests.fakes import Act, FakeVenue, accept, filled
from tests.orders.scenes import command_state, sent
from tests.samples import START, D, whole


def first(happens: Callable[[], object], then: Act = accept) -> Act:
    """Something happens after the decision to send and before the first byte."""

    async def act(venue: FakeVenue, order: Order | None, wire: Wire | None, gate: Gate) -> ExecutionReport:
        happens()
        return await then(venue, order, wire, gate)

    return act


async def test_a_halt_between_decision_and_first_byte_stops_the_order(fast: Desk) -> None:
    """Row 96: 0 requests."""
    async with sent(fast, first(lambda: fast.halt.halt("drill", "somebody"))) as order:
        stored = fast.order(order.cl_ord_id)

        assert fast.venue.requests == []
        assert (stored.state.ord_status, stored.state.code) == (OrdStatus.DENIED, DenyCode.HALTED)
        assert "drill" in stored.state.text
        assert command_state(fast, order) is CommandState.ENDED
        assert [each.first_byte_at for each in fast.sends(order)] == [None]
        fast.reserved_is_what_may_fill()


async def test_a_halt_lets_an_exit_leave(fast: Desk) -> None:
    bought = fast.buy("2")
    fast.learn(bought, whole(bought))
    fast.queued.clear()
    async with fast.sending():
        exit_ = fast.buy("2", Side.SELL)
        fast.halt.halt("drill", "somebody")
        await fast.clock.sleep(5)

        assert fast.order(exit_.cl_ord_id).state.ord_status is OrdStatus.NEW


async def test_a_halt_lets_a_cancel_leave(fast: Desk) -> None:
    async with sent(fast, ord_type=OrdType.LIMIT, price=D(99)) as order:
        fast.halt.halt("drill", "somebody")
        fast.person(lambda tx, now: person.cancel(tx, order.cl_ord_id, "somebody", now))
        await fast.clock.sleep(5)

        assert fast.order(order.cl_ord_id).state.ord_status is OrdStatus.CANCELED


async def test_a_deadline_that_passes_before_the_first_byte_ends_the_order(fast: Desk) -> None:
    """Row 48."""
    async with sent(fast, first(lambda: fast.clock.set_wall(START + timedelta(seconds=30)))) as order:
        stored = fast.order(order.cl_ord_id)

        assert fast.venue.requests == []
        assert (stored.state.ord_status, stored.state.code) == (OrdStatus.EXPIRED, DenyCode.DEADLINE)


async def test_an_order_that_waited_past_its_deadline_is_never_asked_about_at_the_venue(fast: Desk) -> None:
    """Row 48: queued for ten minutes, 0 requests."""
    order = fast.buy()
    fast.clock.advance(600)
    async with fast.sending():
        fast.sender.offer(fast.queued)
        await fast.reconciler.end_overdue(order.account_id)
        await fast.clock.sleep(1)

        stored = fast.order(order.cl_ord_id)
        assert fast.venue.asked == []
        assert (stored.state.ord_status, stored.state.code) == (OrdStatus.EXPIRED, DenyCode.DEADLINE)
        assert fast.sends(order) == []


async def test_a_writer_that_lost_its_lease_sends_nothing(fast: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows 12, 64: re-checked right before the first byte."""

    def lose() -> None:
        monkeypatch.setattr(fast.writer, "holds_lease", lambda: False)

    async with sent(fast, first(lose)) as order:
        assert fast.venue.requests == []
        assert fast.order(order.cl_ord_id).state.code is DenyCode.NOT_SENT


@pytest.mark.parametrize("error", [StoreUnavailable("disk full"), Fenced("taken over")])
async def test_without_a_durable_sending_nothing_is_sent(
    fast: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """Rows 51, 52, 53: no send without a committed row; the command stays, and goes once there is space again."""
    caplog.set_level(logging.CRITICAL)
    run = fast.writer.run

    async def full(verb: object, item: object) -> object:
        raise error

    monkeypatch.setattr(fast.writer, "run", full)
    async with sent(fast, seconds=5) as order:
        assert fast.venue.asked == []
        assert command_state(fast, order) is CommandState.QUEUED
        monkeypatch.setattr(fast.writer, "run", run)
        await fast.reconciler.offer_queued(order.account_id)
        await fast.clock.sleep(1)

        assert fast.venue.accepts == [order.cl_ord_id]


@pytest.mark.parametrize("error", [StoreUnavailable("disk full"), Overloaded("too many")])
async def test_an_answer_that_cannot_be_written_waits_until_it_can(
    fast: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """Rows 52, 53: only this process knows what came back."""
    caplog.set_level(logging.CRITICAL)
    run = fast.writer.run

    async def full(verb: object, item: object) -> object:
        if verb is fast.confirm_verb:
            raise error
        return await run(verb, item)

    monkeypatch.setattr(fast.writer, "run", full)
    async with sent(fast, filled("101")) as order:
        assert command_state(fast, order) is CommandState.SENDING
        monkeypatch.setattr(fast.writer, "run", run)
        await fast.clock.sleep(10)

        assert fast.order(order.cl_ord_id).state.ord_status is OrdStatus.FILLED
        assert fast.position() == 1
        assert fast.venue.accepts == [order.cl_ord_id]


async def test_an_error_nobody_foresaw_stops_no_lane(
    fast: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    run = fast.writer.run

    async def fails(verb: object, item: object) -> object:
        raise ZeroDivisionError

    async with fast.sending():
        monkeypatch.setattr(fast.writer, "run", fails)
        bad = fast.buy()
        await fast.clock.sleep(1)
        monkeypatch.setattr(fast.writer, "run", run)
        good = fast.buy()
        await fast.clock.sleep(1)

        assert fast.venue.accepts == [good.cl_ord_id]
        assert command_state(fast, bad) is CommandState.QUEUED


async def test_offered_many_times_it_is_sent_once(fast: Desk) -> None:
    """By the accept, by the sweep and by the sweep again."""
    order = fast.buy()
    async with fast.sending():
        for _ in range(5):
            fast.sender.offer(fast.queued)
            await fast.clock.sleep(0.5)

        assert fast.venue.accepts == [order.cl_ord_id]
        assert len(fast.venue.asked) == 1


def test_of_many_that_would_send_a_command_one_wins(database: Database, tmp_path: Path) -> None:
    """Rows 8, 15: the conditional update, over connections of their own."""
    desk = Desk(database, tmp_path)
    commands = [desk.commands(desk.buy())[0] for _ in range(20)]
    desk.close()
    start = threading.Barrier(4)
    won: list[int] = []

    def take() -> None:
        connection = database.connect()
        start.wait()
        for number, command in enumerate(commands):
            tx = connection.begin()
            if outgoing.begin_sending(tx, command, 1):
                won.append(number)
            connection.commit()
        connection.close()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(won) == list(range(20))


def test_a_stale_sight_of_a_command_wins_nothing(fast: Desk) -> None:
    """It was sent and queued again meanwhile: the one who saw the first attempt does not send the second."""
    order = fast.buy()
    (command,) = fast.commands(order)
    begin = lambda: fast.writer.call_blocking(lambda tx: outgoing.begin_sending(tx, command, 1))  # noqa: E731

    assert begin()
    assert not begin()
    fast.weigh(order, command=command, command_state=CommandState.QUEUED)
    assert command_state(fast, order) is CommandState.QUEUED
    assert not begin()
