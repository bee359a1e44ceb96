"""The rhythm of a feed."""

from nightdesk.market.pace import Pace
from nightdesk.runtime.clock import VirtualClock


async def test_waits_do_not_drift_when_the_work_between_them_takes_time() -> None:
    clock = VirtualClock()
    pace = Pace(clock)
    moments = []
    for _ in range(4):
        await clock.sleep(0.1)
        await pace.wait(0.25)
        moments.append(clock.monotonic())
    assert moments == [0.25, 0.5, 0.75, 1.0]


async def test_a_short_delay_is_caught_up_with() -> None:
    clock = VirtualClock()
    pace = Pace(clock)
    await clock.sleep(0.6)
    await pace.wait(0.25)
    await pace.wait(0.25)
    assert clock.monotonic() == 0.6
    await pace.wait(0.25)
    assert clock.monotonic() == 0.75


async def test_a_long_pause_is_not_made_up_for_in_a_burst() -> None:
    clock = VirtualClock()
    pace = Pace(clock)
    await clock.sleep(3600)
    await pace.wait(0.25)
    assert clock.monotonic() == 3600
    await pace.wait(0.25)
    assert clock.monotonic() == 3600.25
