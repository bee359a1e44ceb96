"""What people do to the desk: each durable when it returns and on the audit chain; and the halt without a database."""

import json
import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from nightdesk.accounts.audit import first_broken
from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import CommandKind, CommandState, Doubt, OrdStatus, OrdType, Side, TradingState
from nightdesk.model.errors import Refused, VenueClosed
from nightdesk.model.execution import ExecutionReport
from nightdesk.model.identifiers import AccountId, ClOrdId
from nightdesk.model.order import Order
from nightdesk.orders.controls import Controls, PersonAnswer
from nightdesk.orders.emergency import FILE_NAME, Emergency
from nightdesk.orders.heart import Heart
from nightdesk.risk.halt import FILE_NAME as HALT_FILE
from nightdesk.risk.store import read_halt
from nightdesk.runtime.database import StoreUnavailable
from tests.desk import Desk, until
from tests.fakes import failing, hanging
from tests.samples import BTC, ETH, MAIN, START, D, a_fill, a_quote, a_report, an_ask, resting, whole

Make = Callable[..., Desk]
LIMIT = {"ord_type": OrdType.LIMIT, "price": D(99)}


def answered(order: Order, given: PersonAnswer) -> ExecutionReport:
    if given.verdict == "filled":
        return a_fill(given.answer_id, str(given.qty), str(given.px), OrdStatus.FILLED, cl_ord_id=order.cl_ord_id)
    return a_report(OrdStatus.REJECTED, cl_ord_id=order.cl_ord_id, text=given.text)


def controls(desk: Desk, heart: Heart, **changed: Any) -> Controls:
    given: dict[str, Any] = {
        "writer": desk.writer,
        "decide": desk.decide,
        "accept": desk.accept,
        "halt": desk.halt,
        "heart": heart,
        "reader": desk.reader,
        "emergency": Emergency(desk.data, desk.venues, desk.clock),
        "clock": desk.clock,
        "prices": desk.prices,
        "destination_of": lambda account, symbol: desk.destination(account, symbol),
        "answer": answered,
        "on_changed": desk.changed.extend,
    }
    return Controls(**given | changed)


def audited(desk: Desk) -> list[tuple[str, str, str]]:
    return [(row[0], row[1], row[2]) for row in desk.rows("SELECT actor, action, subject FROM audit ORDER BY seq")]


async def test_a_cancel_reaches_the_venue_and_the_audit(make_desk: Make) -> None:
    desk = make_desk()
    async with desk.beating() as heart:
        order = desk.buy(**LIMIT)
        await until(desk.clock, lambda: desk.order(order.cl_ord_id).state.ord_status is OrdStatus.NEW)
        await controls(desk, heart).cancel(order.cl_ord_id, "somebody")
        await until(desk.clock, lambda: desk.order(order.cl_ord_id).state.ord_status is OrdStatus.CANCELED)

    assert audited(desk) == [("somebody", "order.cancel", order.cl_ord_id)]
    assert desk.read(first_broken) is None


async def test_what_is_refused_is_not_on_the_audit(make_fast: Make) -> None:
    desk = make_fast()

    with pytest.raises(Refused, match="there is no order"):
        await controls(desk, desk._heart()).cancel(ClOrdId("f" * 32), "somebody")
    assert audited(desk) == []


@pytest.mark.parametrize(
    ("action", "status"),
    [("approve", OrdStatus.PENDING_NEW), ("decline", OrdStatus.DENIED)],
)
async def test_a_held_order_is_answered(make_desk: Make, action: str, status: OrdStatus) -> None:
    desk = make_desk()
    order = desk.take(desk.intent(hold=True)).tickets[0].order

    await controls(desk, desk._heart()).settle(order.cl_ord_id, action, "somebody")

    assert desk.order(order.cl_ord_id).state.ord_status is status
    assert audited(desk) == [("somebody", f"order.{action}", order.cl_ord_id)]


async def test_an_approval_passes_the_gate_of_today(make_fast: Make) -> None:
    """Design 3.4: on approval it passes all checks again."""
    desk = make_fast()
    order = desk.take(desk.intent(hold=True)).tickets[0].order
    desk.open(MAIN, state=TradingState.REDUCING)

    await controls(desk, desk._heart()).settle(order.cl_ord_id, "approve", "somebody")

    stored = desk.order(order.cl_ord_id)
    assert (stored.state.ord_status, stored.state.code) == (OrdStatus.DENIED, DenyCode.REDUCING_ONLY)
    assert desk.commands(order) == []
    desk.reserved_is_what_may_fill()


async def test_an_approval_that_comes_too_late_is_refused(make_fast: Make) -> None:
    desk = make_fast()
    order = desk.take(desk.intent(hold=True)).tickets[0].order
    desk.clock.advance(3600)

    with pytest.raises(Refused, match="has passed") as refused:
        await controls(desk, desk._heart()).settle(order.cl_ord_id, "approve", "somebody")
    assert refused.value.code is DenyCode.DEADLINE


async def test_an_approval_for_a_venue_that_is_gone_is_refused(make_fast: Make) -> None:
    desk = make_fast()
    order = desk.take(desk.intent(hold=True)).tickets[0].order

    with pytest.raises(Refused, match="fake is not enabled any more"):
        await controls(desk, desk._heart(), destination_of=lambda *_: None).settle(order.cl_ord_id, "approve", "x")


@pytest.mark.parametrize(("action", "status"), [("abandon", OrdStatus.DENIED), ("accept", OrdStatus.PENDING_NEW)])
async def test_a_doubt_is_settled_with_the_person_s_words(make_fast: Make, action: str, status: OrdStatus) -> None:
    desk = make_fast()
    desk.venue.submits.append(hanging())
    async with desk.sending():
        order = desk.buy()
        await desk.clock.sleep(15)
        await controls(desk, desk._heart()).settle(order.cl_ord_id, action, "somebody", "seen at the venue")

        state = desk.order(order.cl_ord_id).state
        assert (state.ord_status, state.doubt) == (status, Doubt.NONE)
        assert "seen at the venue" in {fact.text for fact in desk.facts(order)}
        assert audited(desk) == [("somebody", f"order.{action}", order.cl_ord_id)]


async def test_an_unknown_action_is_named(make_fast: Make) -> None:
    desk = make_fast()

    with pytest.raises(Refused, match="the action explode is not known; use approve") as refused:
        await controls(desk, desk._heart()).settle(desk.buy().cl_ord_id, "explode", "somebody")
    assert (refused.value.code, refused.value.field) == (DenyCode.FIELD_INVALID, "action")


async def test_the_answer_about_an_order_carried_out_by_hand_counts_once(make_desk: Make) -> None:
    desk = make_desk()
    order = desk.buy("2")
    given = PersonAnswer(
        answer_id="a1", cl_ord_id=order.cl_ord_id, verdict="filled", actor="somebody", qty=D(2), px=D(101)
    )

    for _ in range(2):
        await controls(desk, desk._heart()).answer(given)

    assert desk.order(order.cl_ord_id).state.avg_px == 101
    assert desk.position() == 2
    assert audited(desk)[0] == ("somebody", "order.filled", order.cl_ord_id)


# ----------------------------------------------------------------------------------------------------------- halt


async def test_a_halt_stops_everything_new_and_is_known_three_ways(make_desk: Make) -> None:
    """Row 96, HALT: memory, file and row; entries ended or canceled, the exit stays."""
    desk = make_desk()
    held = desk.buy("5")
    desk.learn(held, whole(held))
    desk.venue.extra_holdings[BTC] = D(5)
    async with desk.beating() as heart:
        entry = desk.buy(**LIMIT)
        exit_ = desk.buy("1", Side.SELL, ord_type=OrdType.LIMIT, price=D(105))
        await until(desk.clock, lambda: desk.order(exit_.cl_ord_id).state.ord_status is OrdStatus.NEW)
        await controls(desk, heart).halt("too fast", "somebody")
        assert desk.take(desk.intent()).code is DenyCode.HALTED
        await until(desk.clock, lambda: desk.order(entry.cl_ord_id).state.ord_status is OrdStatus.CANCELED, 5)

        assert desk.order(exit_.cl_ord_id).state.ord_status is OrdStatus.NEW
        assert desk.halt.state.halted
        assert (desk.data / HALT_FILE).exists()
        row = desk.read(read_halt)
        assert (row.halted, row.reason, row.actor) == (True, "too fast", "somebody")
        assert audited(desk) == [("somebody", "desk.halt", "global")]


async def test_a_halt_holds_and_cancels_though_nothing_can_be_written(
    make_fast: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Rows 52, 53, 96: with the database read-only, new orders are blocked and the venue's entries canceled."""
    caplog.set_level(logging.CRITICAL)
    desk = make_fast()
    async with desk.beating() as heart:
        order = desk.buy(**LIMIT)
        await until(desk.clock, lambda: desk.order(order.cl_ord_id).state.ord_status is OrdStatus.NEW)

        async def full(*_: object) -> Any:
            raise StoreUnavailable("disk full")

        with monkeypatch.context() as broken:
            broken.setattr(desk.writer, "run", full)
            await controls(desk, heart).halt("drill", "somebody")
            assert desk.halt.state.halted
            assert desk.venue.orders[order.cl_ord_id].status is OrdStatus.CANCELED
        await until(desk.clock, lambda: desk.order(order.cl_ord_id).state.ord_status is OrdStatus.CANCELED, 60)

    (line,) = (desk.data / FILE_NAME).read_text().splitlines()
    assert json.loads(line)["cl_ord_id"] == order.cl_ord_id


async def test_a_cancel_goes_out_though_nothing_can_be_written(
    make_fast: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Row 52: cancels still work from memory and an emergency journal."""
    caplog.set_level(logging.CRITICAL)
    desk = make_fast()
    async with desk.beating() as heart:
        order = desk.buy(**LIMIT)
        await until(desk.clock, lambda: desk.order(order.cl_ord_id).state.ord_status is OrdStatus.NEW)

        async def full(*_: object) -> Any:
            raise StoreUnavailable("disk full")

        with monkeypatch.context() as broken:
            broken.setattr(desk.writer, "run", full)
            await controls(desk, heart).cancel(order.cl_ord_id, "somebody")
            with pytest.raises(Refused, match="there is no order"):
                await controls(desk, heart).cancel(ClOrdId("f" * 32), "somebody")

        assert desk.venue.orders[order.cl_ord_id].status is OrdStatus.CANCELED


async def test_an_emergency_cancel_that_is_not_answered_says_so(
    make_fast: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    desk = make_fast()
    order = desk.buy()
    desk.venue.cancels.extend([failing(VenueClosed("no route")), hanging()])
    emergency = Emergency(desk.data, desk.venues, desk.clock)

    assert not await emergency.cancel(order, "somebody")
    assert not await emergency.cancel(order, "somebody")
    assert len((desk.data / FILE_NAME).read_text().splitlines()) == 2


async def test_an_emergency_cancel_goes_out_without_room_for_its_line(
    make_fast: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    desk = make_fast()
    order = desk.buy()
    desk.venue.place(order)

    assert await Emergency(tmp_path / "missing", desk.venues, desk.clock).cancel(order, "somebody")
    assert desk.venue.orders[order.cl_ord_id].status is OrdStatus.CANCELED


async def test_trading_goes_on_in_two_steps(make_desk: Make) -> None:
    """Two-step re-arm; every use audited; a code is good once."""
    desk = make_desk()
    hands = controls(desk, desk._heart())
    await hands.halt("drill", "somebody")
    first = await hands.resume_begin("somebody")
    code = await hands.resume_begin("somebody")

    with pytest.raises(Refused, match="begin again"):
        await hands.resume_confirm(first, "somebody")
    assert desk.take(desk.intent()).code is DenyCode.HALTED
    await hands.resume_confirm(f" {code.lower()} ", "somebody")

    assert not desk.halt.state.halted
    assert not (desk.data / HALT_FILE).exists()
    assert desk.take(desk.intent()).code is None
    with pytest.raises(Refused, match="begin again"):
        await hands.resume_confirm(code, "somebody")
    assert [action for _, action, _ in audited(desk)] == [
        "desk.halt", "desk.resume_begun", "desk.resume_begun", "desk.resumed",
    ]  # fmt: skip
    assert code not in str(desk.rows("SELECT * FROM audit"))
    assert code not in str(desk.rows("SELECT * FROM halts"))


async def test_a_code_is_good_for_five_minutes(make_fast: Make) -> None:
    desk = make_fast()
    hands = controls(desk, desk._heart())
    await hands.halt("drill", "somebody")
    code = await hands.resume_begin("somebody")
    desk.clock.set_wall(START + timedelta(minutes=5, microseconds=1))

    with pytest.raises(Refused, match="older than five minutes"):
        await hands.resume_confirm(code, "somebody")
    assert desk.halt.state.halted


async def test_a_new_halt_makes_an_old_code_worthless(make_fast: Make) -> None:
    desk = make_fast()
    hands = controls(desk, desk._heart())
    await hands.halt("first", "somebody")
    code = await hands.resume_begin("somebody")
    await hands.halt("second", "somebody else")

    with pytest.raises(Refused, match="begin again"):
        await hands.resume_confirm(code, "somebody")
    assert desk.halt.state.halted


async def test_a_desk_that_is_not_halted_has_nothing_to_resume(make_fast: Make) -> None:
    desk = make_fast()

    with pytest.raises(Refused, match="not halted"):
        await controls(desk, desk._heart()).resume_begin("somebody")


async def test_a_halt_known_by_its_file_alone_can_be_resumed(make_fast: Make) -> None:
    """It was halted while the database took no writes."""
    desk = make_fast()
    hands = controls(desk, desk._heart())
    desk.halt.halt("file only", "cli")

    code = await hands.resume_begin("somebody")
    row = desk.read(read_halt)
    assert (row.halted, row.reason, row.actor) == (True, "file only", "cli")
    await hands.resume_confirm(code, "somebody")
    assert not desk.halt.state.halted


# ---------------------------------------------------------------------------------------------------- acknowledging


async def test_a_mismatch_is_acknowledged_on_record(make_desk: Make) -> None:
    """Row 38."""
    desk = make_desk()
    desk.venue.extra_holdings.update({BTC: D("0.7"), ETH: D(-2)})
    async with desk.beating() as heart:
        assert desk.state()[0] is TradingState.REDUCING
        await controls(desk, heart).acknowledge(MAIN, "somebody")

        assert desk.state() == (TradingState.ACTIVE, "")
        assert audited(desk) == [("somebody", "account.acknowledged", MAIN)]
        assert desk.rows("SELECT detail FROM audit") == [("BTC-USD +0.7 at 100; ETH-USD -2 at 10",)]


async def test_nothing_is_booked_at_a_price_that_is_not_known(make_fast: Make) -> None:
    desk = make_fast()
    desk.venue.extra_holdings.update({BTC: D("0.7")})
    async with desk.beating() as heart:
        desk.prices.quotes.clear()
        with pytest.raises(Refused, match="no price of BTC-USD is known") as refused:
            await controls(desk, heart).acknowledge(MAIN, "somebody")
        assert refused.value.code is DenyCode.PRICE_MISSING
        assert desk.state()[0] is TradingState.REDUCING
        assert audited(desk) == []
        desk.prices.quotes[BTC] = a_quote("100")
        with pytest.raises(Refused, match="there is no account nowhere"):
            await controls(desk, heart).acknowledge(AccountId("nowhere"), "somebody")


async def test_an_acknowledged_exit_may_close_what_was_booked(make_fast: Make) -> None:
    """The position of EXTERNAL is not the sleeve's: exits see their own."""
    desk = make_fast()
    desk.venue.extra_holdings.update({BTC: D(1)})
    async with desk.beating() as heart:
        await controls(desk, heart).acknowledge(MAIN, "somebody")

        refused = desk.take(desk.intent(an_ask(Side.SELL, "1", reduce_only=True)))
        assert refused.code is DenyCode.NOTHING_TO_REDUCE


async def test_a_canceled_command_that_failed_can_be_repeated(make_fast: Make) -> None:
    desk = make_fast()
    order = desk.buy(**LIMIT)
    desk.learn(order, resting(order))
    hands = controls(desk, desk._heart())

    await hands.cancel(order.cl_ord_id, "somebody")
    await hands.cancel(order.cl_ord_id, "somebody")

    cancels = [each for each in desk.commands(order) if each.kind is CommandKind.CANCEL]
    assert [each.state for each in cancels] == [CommandState.QUEUED]
    assert len(audited(desk)) == 2
