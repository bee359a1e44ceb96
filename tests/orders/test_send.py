"""Send: SENDING on disk before the first byte, one attempt, then its answer or the want of one."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import CommandKind, CommandState, Doubt, OrdStatus, OrdType, Side
from nightdesk.model.errors import (
    AuthExpired,
    GateClosed,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Unsupported,
    VenueClosed,
)
from nightdesk.model.execution import ExecutionReport
from nightdesk.model.identifiers import AccountId
from nightdesk.model.order import Order
from nightdesk.model.venue import Gate, Wire
from nightdesk.orders import person
from nightdesk.orders.outgoing import store as outgoing
from nightdesk.orders.send import MOST_TRIES, SUBMIT_SECONDS
from nightdesk.runtime.database import Database, StoreUnavailable, to_micros
from nightdesk.runtime.writer import Fenced, Overloaded
from tests.fakes import (
    ABLE,
    BTC,
    HAND,
    START,
    Act,
    D,
    Desk,
    FakeVenue,
    a_report,
    accept,
    cancel_it,
    failing,
    filled,
    hanging,
    rejected,
    resting,
    until,
    whole,
)


@asynccontextmanager
async def sent(desk: Desk, *acts: Act, seconds: float = 60.0, **ask: object) -> AsyncIterator[Order]:
    """An order that was accepted and sent while the venue acts by its script, and the time that took."""
    desk.venue.submits.extend(acts)
    async with desk.sending():
        order = desk.buy(**ask)  # type: ignore[arg-type]  # an ask's words
        await desk.clock.sleep(seconds)
        yield order


def state(desk: Desk, order: Order, kind: CommandKind = CommandKind.NEW) -> CommandState:
    return {each.kind: each.state for each in desk.commands(order)}[kind]


async def test_an_answered_order_rests_at_the_venue(desk: Desk) -> None:
    async with sent(desk) as order:
        stored = desk.order(order.cl_ord_id)
        (send,) = desk.sends(order)

    assert (stored.state.ord_status, stored.state.order_id) == (OrdStatus.NEW, "v-1")
    assert state(desk, order) is CommandState.CONFIRMED
    assert (send.wire_id, send.attempt, send.outcome) == (order.cl_ord_id, 1, "NEW")
    assert send.first_byte_at is not None
    assert send.sending_at <= send.first_byte_at
    assert desk.venue.accepts == [order.cl_ord_id]
    assert desk.sender.latencies == {"main": 0.0}


async def test_the_sending_is_on_disk_before_the_first_byte(desk: Desk) -> None:
    """B3: state, action, confirm. Whoever dies in between finds it SENDING, with what was about to leave."""
    found: list[tuple[object, ...]] = []

    async def look(venue: FakeVenue, order: Order | None, wire: Wire | None, gate: Gate) -> ExecutionReport:
        found.extend(
            desk.rows("SELECT commands.state, sends.outcome, payload FROM commands JOIN sends USING (cl_ord_id)")
        )
        return await accept(venue, order, wire, gate)

    async with sent(desk, look):
        assert [(row[0], row[1], bytes(row[2])) for row in found] == [("SENDING", "", b"order")]  # type: ignore[arg-type]  # a blob


async def test_a_fill_in_the_answer_is_booked(desk: Desk) -> None:
    async with sent(desk, filled("101"), size="2") as order:
        assert desk.order(order.cl_ord_id).state.avg_px == 101
        assert desk.position() == 2
        desk.reserved_is_what_may_fill()


async def test_a_refusal_of_the_venue_ends_the_order_in_its_own_words(desk: Desk) -> None:
    async with sent(desk, rejected("margin too small")) as order:
        stored = desk.order(order.cl_ord_id)

    assert (stored.state.ord_status, stored.state.text, stored.state.code) == (
        OrdStatus.REJECTED, "margin too small", None,
    )  # fmt: skip
    assert state(desk, order) is CommandState.REJECTED
    assert len(desk.venue.asked) == 1


async def test_queued_is_no_acceptance(fast: Desk) -> None:
    """Row 22: it stays in doubt until the venue says more."""

    async def queued(venue: FakeVenue, order: Order | None, wire: Wire | None, gate: Gate) -> ExecutionReport:
        gate()
        return a_report(OrdStatus.PENDING_NEW)

    async with sent(fast, queued) as order:
        assert fast.order(order.cl_ord_id).state.doubt is Doubt.UNKNOWN
        assert state(fast, order) is CommandState.UNKNOWN


# -------------------------------------------------------------------------------------------------- no answer


AMBIGUOUS = {
    "row 16: no answer, and it was taken": hanging(accept),
    "row 17: no answer, and it was refused": hanging(rejected()),
    "no answer, and it never arrived": hanging(),
    "row 19: the connection broke after it was taken": failing(OutcomeUnknown("reset"), after=accept),
    "row 20: a page of HTML": failing(OutcomeUnknown("<html>")),
    "an error nobody foresaw": failing(ValueError("half a JSON"), after=accept),
    "a timeout inside the adapter": failing(TimeoutError(), after=accept),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
async def test_without_an_answer_the_order_is_in_doubt_and_never_resent_by_the_sender(
    fast: Desk, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Rows 16, 17, 19, 20: UNKNOWN, never FAILED; the full quantity counts."""
    caplog.set_level(logging.CRITICAL)
    async with sent(fast, AMBIGUOUS[name], size="2") as order:
        stored = fast.order(order.cl_ord_id)

        assert (stored.state.ord_status, stored.state.doubt) == (OrdStatus.PENDING_NEW, Doubt.UNKNOWN)
        assert stored.reserved_qty == 2
        assert state(fast, order) is CommandState.UNKNOWN
        assert [each.outcome for each in fast.sends(order)] == ["UNKNOWN"]
        assert len(fast.venue.asked) == 1
        assert fast.prober.watched_seconds(order.cl_ord_id) > 0


async def test_a_venue_gets_ten_seconds_to_answer(fast: Desk) -> None:
    async with sent(fast, hanging(), seconds=SUBMIT_SECONDS - 0.1) as order:
        assert state(fast, order) is CommandState.SENDING
        await fast.clock.sleep(0.2)
        assert state(fast, order) is CommandState.UNKNOWN


async def test_the_stream_may_answer_before_the_answer(fast: Desk) -> None:
    """Row 27: filled on the stream while the answer hangs."""
    async with sent(fast, hanging(accept), seconds=1) as order:
        fast.learn(order, whole(order))
        await fast.clock.sleep(20)

        stored = fast.order(order.cl_ord_id)
        assert (stored.state.ord_status, stored.state.doubt) == (OrdStatus.FILLED, Doubt.NONE)
        assert state(fast, order) is CommandState.CONFIRMED
        assert fast.position() == 1


# ------------------------------------------------------------------------------------------------ proven not sent


async def test_what_was_proven_not_sent_is_tried_three_times(fast: Desk) -> None:
    assert MOST_TRIES == 3
    async with sent(fast, *[failing(VenueClosed("no route"))] * 9) as order:
        stored = fast.order(order.cl_ord_id)

        assert len(fast.venue.asked) == 3
        assert (stored.state.ord_status, stored.state.code) == (OrdStatus.DENIED, DenyCode.NOT_SENT)
        assert "no route" in stored.state.text
        assert [each.attempt for each in fast.sends(order)] == [1, 2, 3]
        assert {each.first_byte_at for each in fast.sends(order)} == {None}
        assert stored.reserved_qty == 0
        fast.reserved_is_what_may_fill()


async def test_a_second_try_goes_under_the_same_id_and_counts_once(fast: Desk) -> None:
    async with sent(fast, failing(AuthExpired("log in")), failing(NotSent("refused"))) as order:
        assert fast.order(order.cl_ord_id).state.ord_status is OrdStatus.NEW
        assert {each.wire_id for each in fast.sends(order)} == {order.cl_ord_id}
        assert fast.venue.accepts == [order.cl_ord_id]


async def test_what_the_venue_cannot_do_is_not_tried_again(fast: Desk) -> None:
    async with sent(fast, failing(Unsupported("no stops"))) as order:
        assert len(fast.venue.asked) == 1
        assert fast.order(order.cl_ord_id).state.code is DenyCode.ORD_TYPE_UNSUPPORTED


@pytest.mark.parametrize(
    ("retry_after", "waits"), [(None, 0.2), (3.0, 3.0), (-5.0, 0.05), (0.0, 0.05), (1e9, 30.0), (float("inf"), 30.0)]
)
async def test_a_rate_limit_is_waited_for_within_bounds(fast: Desk, retry_after: float | None, waits: float) -> None:
    """Row 24: seconds, negative, absurd, absent."""
    moments: list[float] = []

    async def note(venue: FakeVenue, order: Order | None, wire: Wire | None, gate: Gate) -> ExecutionReport:
        moments.append(venue.clock.monotonic())
        if len(moments) == 1:
            raise RateLimited("slow down", retry_after=retry_after)
        return await accept(venue, order, wire, gate)

    async with sent(fast, note, note, ord_type=OrdType.LIMIT, price=D(99)) as order:
        assert fast.order(order.cl_ord_id).state.ord_status is OrdStatus.NEW
        assert moments[1] - moments[0] == pytest.approx(waits, abs=1e-5)


async def test_a_message_that_cannot_be_built_ends_its_order_and_nothing_else(
    fast: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing left; the lane goes on."""
    caplog.set_level(logging.CRITICAL)
    prepare = fast.venue.prepare

    def fails_for_two(order: Order, **given: object) -> Wire:
        if order.order_qty == 2:
            raise ZeroDivisionError
        return prepare(order, **given)  # type: ignore[arg-type]  # the moment

    monkeypatch.setattr(fast.venue, "prepare", fails_for_two)
    async with fast.sending():
        bad, good = fast.buy("2"), fast.buy("1")
        await fast.clock.sleep(5)

        assert fast.order(bad.cl_ord_id).state.code is DenyCode.NOT_SENT
        assert "ZeroDivisionError" in fast.order(bad.cl_ord_id).state.text
        assert fast.order(good.cl_ord_id).state.ord_status is OrdStatus.NEW


async def test_prepare_may_say_that_the_venue_cannot(fast: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(order: Order, **given: object) -> Wire:
        raise Unsupported("no such market")

    monkeypatch.setattr(fast.venue, "prepare", cannot)
    async with sent(fast) as order:
        assert fast.order(order.cl_ord_id).state.code is DenyCode.ORD_TYPE_UNSUPPORTED
        assert fast.sends(order) == []
        assert fast.venue.asked == []


# -------------------------------------------------------------------------------------------------------- the gate


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
        assert state(fast, order) is CommandState.ENDED
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
        assert state(fast, order) is CommandState.QUEUED
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
        assert state(fast, order) is CommandState.SENDING
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
        assert state(fast, bad) is CommandState.QUEUED


# ------------------------------------------------------------------------------------------------------ one winner


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
    assert state(fast, order) is CommandState.QUEUED
    assert not begin()


# --------------------------------------------------------------------------------------------------------- cancels


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
        assert state(fast, order, CommandKind.CANCEL) is CommandState.UNKNOWN
        assert fast.book().stake(BTC, HAND).buy_qty == 1


async def test_a_cancel_that_comes_too_late_tells_of_the_fill(fast: Desk) -> None:
    """Row 30: fills win."""
    async with sent(fast, ord_type=OrdType.LIMIT, price=D(99), seconds=1) as order:
        fast.venue.fill(order.cl_ord_id, D(1), D(99))
        fast.person(lambda tx, now: person.cancel(tx, order.cl_ord_id, "somebody", now))
        await fast.clock.sleep(5)

        assert fast.order(order.cl_ord_id).state.ord_status is OrdStatus.FILLED
        assert state(fast, order, CommandKind.CANCEL) is CommandState.REJECTED
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

        assert state(fast, order, CommandKind.CANCEL) is CommandState.ENDED
        assert len(fast.venue.cancels) == 2


# ----------------------------------------------------------------------------------------------------------- others


async def test_before_the_start_commands_wait_in_the_database(fast: Desk) -> None:
    order = fast.buy()
    await fast.clock.sleep(1)

    assert fast.venue.asked == []
    assert state(fast, order) is CommandState.QUEUED


async def test_a_command_of_an_account_without_a_venue_is_left_alone(fast: Desk) -> None:
    order = fast.buy()
    stranger = replace(fast.queued[0], order=replace(order, account_id=AccountId("gone")))
    async with fast.sending():
        fast.sender.offer([stranger])
        await fast.clock.sleep(1)

    assert fast.venue.asked == []


async def test_one_that_hangs_holds_up_no_other(fast: Desk) -> None:
    fast.venue.submits.append(hanging())
    async with fast.sending():
        fast.buy()
        orders = [fast.buy() for _ in range(10)]
        await fast.clock.sleep(1)

        assert fast.venue.accepts == [order.cl_ord_id for order in orders]


async def test_a_cancel_that_another_has_sent_is_not_sent_again(fast: Desk) -> None:
    async with sent(fast, ord_type=OrdType.LIMIT, price=D(99), seconds=1) as order:
        fast.person(lambda tx, now: person.cancel(tx, order.cl_ord_id, "somebody", now))
        stale = fast.queued[-1]
        await fast.clock.sleep(1)
        fast.sender.offer([stale])
        await fast.clock.sleep(1)

        assert fast.venue.count("cancel") == 1


async def test_stopping_leaves_what_hangs_in_doubt_for_the_next_start(fast: Desk) -> None:
    """Row 11."""
    async with sent(fast, hanging(accept), seconds=1) as order:
        pass

    assert state(fast, order) is CommandState.SENDING
    assert not [task for task in asyncio.all_tasks() if task.get_name() in ("lane", "send")]


def test_a_command_s_deadline_is_the_order_s(fast: Desk) -> None:
    order = fast.buy()

    assert fast.commands(order)[0].deadline_at == to_micros(order.deadline_at)


async def test_until_fails_when_nothing_happens(fast: Desk) -> None:
    """The tests' own waiting can fail."""
    with pytest.raises(AssertionError, match="did not happen"):
        await until(fast.clock, lambda: False, 1.0)
