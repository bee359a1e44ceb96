"""Time as a port: the system's clock, and the one that stands still until everybody waits."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from nightdesk.runtime.clock import Clock, SystemClock, VirtualClock

START = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)


async def test_virtual_time_moves_only_when_all_sleep():
    clock, woken = VirtualClock(), []

    async def sleeper(name: str, *seconds: float) -> None:
        for each in seconds:
            await clock.sleep(each)
            woken.append((name, clock.monotonic()))

    began = time.monotonic()
    await asyncio.gather(sleeper("a", 10, 10), sleeper("b", 15), sleeper("c", 3600))
    assert woken == [("a", 10.0), ("b", 15.0), ("a", 20.0), ("c", 3600.0)]
    assert clock.now() == START + timedelta(hours=1)
    assert time.monotonic() - began < 1.0


async def test_virtual_time_stands_still_while_work_is_handed_on():
    clock, arrived = VirtualClock(), []
    queues: list[asyncio.Queue[int]] = [asyncio.Queue() for _ in range(6)]

    async def hand_on(number: int) -> None:
        token = await queues[number].get()
        arrived.append(clock.monotonic())
        if number < 5:
            queues[number + 1].put_nowait(token)

    workers = [asyncio.create_task(hand_on(number)) for number in range(6)]
    sleeping = asyncio.create_task(clock.sleep(5))
    await asyncio.sleep(0)
    queues[0].put_nowait(1)
    await asyncio.gather(*workers)
    assert arrived == [0.0] * 6
    await sleeping
    assert clock.monotonic() == 5.0


async def test_sleepers_of_one_moment_wake_in_the_order_they_lay_down():
    clock, woken = VirtualClock(), []

    async def sleeper(number: int) -> None:
        await clock.sleep(1)
        woken.append(number)

    await asyncio.gather(*(sleeper(number) for number in range(20)))
    assert woken == list(range(20))


async def test_a_sleep_of_nothing_gives_way_and_takes_no_time():
    clock = VirtualClock()
    for seconds in (0, -1):
        await clock.sleep(seconds)
    assert clock.monotonic() == 0.0


async def test_a_sleeper_that_was_cancelled_moves_no_time():
    clock = VirtualClock()
    far = asyncio.create_task(clock.sleep(3600))
    await asyncio.sleep(0)
    far.cancel()
    await clock.sleep(1)
    for _ in range(100):
        await asyncio.sleep(0)
    assert clock.monotonic() == 1.0
    # So does a timeout that was not needed.
    async with clock.timeout(3600):
        await clock.sleep(1)
    for _ in range(100):
        await asyncio.sleep(0)
    assert clock.monotonic() == 2.0


async def test_advance_wakes_whoever_is_due():
    clock = VirtualClock()
    due, later = asyncio.create_task(clock.sleep(5)), asyncio.create_task(clock.sleep(50))
    await asyncio.sleep(0)
    clock.advance(7)
    await due
    assert clock.monotonic() == 7.0
    assert not later.done()
    await later
    assert clock.monotonic() == 50.0


async def test_a_step_of_the_wall_clock_leaves_durations_alone_row_43():
    clock = VirtualClock()
    sleeping = asyncio.create_task(clock.sleep(60))
    await asyncio.sleep(0)
    clock.set_wall(START - timedelta(hours=1))
    assert clock.now() == START - timedelta(hours=1)
    assert clock.monotonic() == 0.0
    await sleeping
    assert clock.monotonic() == 60.0
    assert clock.now() == START - timedelta(minutes=59)


@pytest.mark.parametrize("step", [timedelta(hours=-1), timedelta(minutes=5), timedelta(hours=3)])
async def test_sleep_until_waits_for_the_wall_clock_also_when_it_is_stepped_row_43(step: timedelta):
    clock, target = VirtualClock(), START + timedelta(hours=2)
    waiting = asyncio.create_task(clock.sleep_until(target))
    await asyncio.sleep(0)
    clock.set_wall(clock.now() + step)
    await waiting
    assert clock.now() >= target
    if step < timedelta(0):
        # Set back: it waited on, and woke at the moment itself.
        assert clock.now() == target
        assert clock.monotonic() == 3 * 3600.0
    await clock.sleep_until(START)
    assert clock.now() >= target


async def test_a_timeout_rings_at_its_time_and_not_before():
    clock = VirtualClock()
    with pytest.raises(TimeoutError):
        async with clock.timeout(5):
            await asyncio.Event().wait()
    assert clock.monotonic() == 5.0
    async with clock.timeout(5):
        await clock.sleep(4)
    assert clock.monotonic() == 9.0


async def test_a_timeout_leaves_the_task_as_it_was():
    clock = VirtualClock()
    task = asyncio.current_task()
    assert task is not None
    with pytest.raises(TimeoutError):
        async with clock.timeout(5):
            await asyncio.Event().wait()
    assert task.cancelling() == 0
    # What counts cancellations works afterwards: a group whose child fails says what failed.
    with pytest.raises(ExceptionGroup) as caught:
        await _a_group_whose_child_fails()
    assert isinstance(caught.value.exceptions[0], ValueError)


async def _a_group_whose_child_fails() -> None:
    async def fail() -> None:
        raise ValueError

    async with asyncio.TaskGroup() as group:
        group.create_task(fail())
        await asyncio.Event().wait()


async def test_timeouts_within_each_other_ring_for_the_right_block():
    clock = VirtualClock()
    async with clock.timeout(60):
        with pytest.raises(TimeoutError):
            async with clock.timeout(5):
                await asyncio.Event().wait()
        assert clock.monotonic() == 5.0
    with pytest.raises(TimeoutError):
        async with clock.timeout(5), clock.timeout(60):
            await asyncio.Event().wait()
    assert clock.monotonic() == 10.0


async def test_a_cancellation_from_elsewhere_is_no_timeout():
    clock = VirtualClock()

    async def guarded() -> None:
        async with clock.timeout(5):
            await asyncio.Event().wait()

    task = asyncio.create_task(guarded())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert clock.monotonic() == 0.0


async def test_another_error_in_the_block_goes_through():
    clock = VirtualClock()
    with pytest.raises(ValueError, match="other"):
        async with clock.timeout(5):
            raise ValueError("other")


async def test_the_systems_clock_sleeps_times_out_and_never_goes_back():
    clock: Clock = SystemClock()
    assert clock.now().tzinfo is UTC
    began = clock.monotonic()
    await clock.sleep(0.02)
    assert 0.02 <= clock.monotonic() - began < 1.0
    with pytest.raises(TimeoutError):
        async with clock.timeout(0.02):
            await asyncio.Event().wait()
    await clock.sleep_until(clock.now() + timedelta(seconds=0.02))
    await clock.sleep_until(clock.now() - timedelta(days=1))
    readings = [clock.monotonic() for _ in range(1000)]
    assert readings == sorted(readings)


def test_the_systems_monotonic_time_does_not_follow_the_wall_clock_row_43():
    clock = SystemClock()
    began = clock.monotonic()
    with time_machine.travel(START, tick=True) as traveller:
        assert abs(clock.now() - START) < timedelta(seconds=1)
        traveller.shift(timedelta(hours=-1))
        assert clock.now() < START
        assert 0 <= clock.monotonic() - began < 5.0
