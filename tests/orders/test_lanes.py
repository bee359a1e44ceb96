"""A lane: cancels before exits before entries, no faster than the venue takes them, and none twice."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from nightdesk.model.enums import CommandKind
from nightdesk.model.identifiers import ClOrdId
from nightdesk.orders.lanes import Budget, Lane
from nightdesk.orders.queued import Queued, new_command
from nightdesk.runtime.clock import VirtualClock
from nightdesk.runtime.database import to_micros
from tests.samples import START, an_order


def waiting(
    number: int, kind: CommandKind = CommandKind.NEW, *, closing: bool = False, deadline: float = 3600.0
) -> Queued:
    order = an_order(cl_ord_id=ClOrdId(f"{number:032x}"), closing=closing)
    return Queued(order=order, command=new_command(order, kind, 1, to_micros(START + timedelta(seconds=deadline))))


def a_lane(*, rate: float = 1.0, burst: int = 1) -> tuple[Lane, VirtualClock]:
    clock = VirtualClock(START)
    return Lane(clock, rate=rate, burst=burst), clock


async def taken(lane: Lane, count: int) -> list[int]:
    return [int((await lane.next()).order.cl_ord_id, 16) for _ in range(count)]


async def test_cancels_go_before_exits_and_exits_before_entries() -> None:
    """Design 3.4: cancel > exit > entry, each in the order it came."""
    lane, _ = a_lane()
    lane.add(
        [
            waiting(1),
            waiting(2, closing=True),
            waiting(3, CommandKind.CANCEL),
            waiting(4),
            waiting(5, closing=True),
            waiting(6, CommandKind.CANCEL),
        ]
    )

    assert await taken(lane, 6) == [3, 6, 2, 5, 1, 4]


async def test_a_burst_goes_at_once_and_the_rest_at_the_venue_s_pace() -> None:
    lane, clock = a_lane(rate=2.0, burst=3)
    lane.add([waiting(number) for number in range(1, 8)])
    moments = []
    for _ in range(7):
        await lane.next()
        moments.append(clock.monotonic())

    assert moments == [0, 0, 0, 0.5, 1.0, 1.5, 2.0]


async def test_a_cancel_that_comes_while_the_budget_is_waited_for_goes_first() -> None:
    """Row 24: what goes next is chosen after the wait."""
    lane, clock = a_lane(rate=1.0, burst=1)
    lane.add([waiting(1), waiting(2)])
    await lane.next()

    async def cancel_soon() -> None:
        await clock.sleep(0.5)
        lane.add([waiting(3, CommandKind.CANCEL)])

    soon = asyncio.create_task(cancel_soon())
    assert await taken(lane, 2) == [3, 2]
    await soon


async def test_an_idle_budget_fills_up_to_its_burst_and_no_further() -> None:
    clock = VirtualClock(START)
    budget = Budget(clock, rate=10.0, burst=2)
    assert [budget.wait_seconds(), budget.wait_seconds()] == [0.0, 0.0]
    assert budget.wait_seconds() > 0
    clock.advance(3600)

    assert [budget.wait_seconds(), budget.wait_seconds()] == [0.0, 0.0]
    assert round(budget.wait_seconds(), 9) == 0.1


async def test_a_wall_clock_that_jumps_changes_no_budget() -> None:
    """Row 43."""
    clock = VirtualClock(START)
    budget = Budget(clock, rate=1.0, burst=1)
    budget.wait_seconds()
    clock.set_wall(START + timedelta(days=1))

    assert budget.wait_seconds() == 1.0


async def test_a_command_that_waits_or_is_being_sent_is_not_added_again() -> None:
    lane, _ = a_lane(rate=1000.0, burst=100)
    lane.add([waiting(1), waiting(1), waiting(1, CommandKind.CANCEL)])
    first = await lane.next()
    second = await lane.next()
    lane.add([waiting(1)])
    lane.add([waiting(2)])

    assert (first.command.kind, second.command.kind) == (CommandKind.CANCEL, CommandKind.NEW)
    assert await taken(lane, 1) == [2]


async def test_a_command_that_is_done_may_come_again() -> None:
    lane, _ = a_lane(rate=1000.0, burst=100)
    lane.add([waiting(1)])
    lane.done(await lane.next())
    again = waiting(1)
    lane.add([replace(again, command=replace(again.command, attempts=1))])

    assert (await lane.next()).command.attempts == 1


async def test_what_is_too_late_takes_nothing_from_the_budget() -> None:
    """Row 48: the sweep ends it."""
    lane, clock = a_lane(rate=1.0, burst=1)
    lane.add([waiting(1, deadline=5), waiting(2), waiting(3)])
    clock.advance(5)

    assert await taken(lane, 1) == [2]
    assert clock.monotonic() == 5
    assert await taken(lane, 1) == [3]
    assert clock.monotonic() == 6
    lane.add([waiting(1)])
    assert await taken(lane, 1) == [1]


async def test_an_empty_lane_waits_for_the_next_command() -> None:
    lane, clock = a_lane()
    taking = asyncio.create_task(taken(lane, 1))
    await clock.sleep(1)
    assert not taking.done()

    lane.add([waiting(7)])

    assert await taking == [7]
