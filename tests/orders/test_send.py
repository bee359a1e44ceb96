"""Send: SENDING on disk before the first byte, one attempt, then its answer or the want of one."""

import asyncio
import logging
from dataclasses import replace

import pytest

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import CommandState, Doubt, OrdStatus, OrdType
from nightdesk.model.errors import (
    AuthExpired,
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
from nightdesk.orders.send import MOST_TRIES, SUBMIT_SECONDS
from nightdesk.runtime.database import to_micros
from tests.desk import Desk, until
from tests.fakes import FakeVenue, accept, failing, filled, hanging, rejected
from tests.orders.scenes import command_state, sent
from tests.samples import D, a_report, whole


async def test_an_answered_order_rests_at_the_venue(desk: Desk) -> None:
    async with sent(desk) as order:
        stored = desk.order(order.cl_ord_id)
        (send,) = desk.sends(order)

    assert (stored.state.ord_status, stored.state.order_id) == (OrdStatus.NEW, "v-1")
    assert command_state(desk, order) is CommandState.CONFIRMED
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
    assert command_state(desk, order) is CommandState.REJECTED
    assert len(desk.venue.asked) == 1


async def test_queued_is_no_acceptance(fast: Desk) -> None:
    """Row 22: it stays in doubt until the venue says more."""

    async def queued(venue: FakeVenue, order: Order | None, wire: Wire | None, gate: Gate) -> ExecutionReport:
        gate()
        return a_report(OrdStatus.PENDING_NEW)

    async with sent(fast, queued) as order:
        assert fast.order(order.cl_ord_id).state.doubt is Doubt.UNKNOWN
        assert command_state(fast, order) is CommandState.UNKNOWN


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
        assert command_state(fast, order) is CommandState.UNKNOWN
        assert [each.outcome for each in fast.sends(order)] == ["UNKNOWN"]
        assert len(fast.venue.asked) == 1
        assert fast.prober.watched_seconds(order.cl_ord_id) > 0


async def test_a_venue_gets_ten_seconds_to_answer(fast: Desk) -> None:
    async with sent(fast, hanging(), seconds=SUBMIT_SECONDS - 0.1) as order:
        assert command_state(fast, order) is CommandState.SENDING
        await fast.clock.sleep(0.2)
        assert command_state(fast, order) is CommandState.UNKNOWN


async def test_the_stream_may_answer_before_the_answer(fast: Desk) -> None:
    """Row 27: filled on the stream while the answer hangs."""
    async with sent(fast, hanging(accept), seconds=1) as order:
        fast.learn(order, whole(order))
        await fast.clock.sleep(20)

        stored = fast.order(order.cl_ord_id)
        assert (stored.state.ord_status, stored.state.doubt) == (OrdStatus.FILLED, Doubt.NONE)
        assert command_state(fast, order) is CommandState.CONFIRMED
        assert fast.position() == 1


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


async def test_before_the_start_commands_wait_in_the_database(fast: Desk) -> None:
    order = fast.buy()
    await fast.clock.sleep(1)

    assert fast.venue.asked == []
    assert command_state(fast, order) is CommandState.QUEUED


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


async def test_stopping_leaves_what_hangs_in_doubt_for_the_next_start(fast: Desk) -> None:
    """Row 11."""
    async with sent(fast, hanging(accept), seconds=1) as order:
        pass

    assert command_state(fast, order) is CommandState.SENDING
    assert not [task for task in asyncio.all_tasks() if task.get_name() in ("lane", "send")]


def test_a_command_s_deadline_is_the_order_s(fast: Desk) -> None:
    order = fast.buy()

    assert fast.commands(order)[0].deadline_at == to_micros(order.deadline_at)


async def test_until_fails_when_nothing_happens(fast: Desk) -> None:
    """The tests' own waiting can fail."""
    with pytest.raises(AssertionError, match="did not happen"):
        await until(fast.clock, lambda: False, 1.0)
