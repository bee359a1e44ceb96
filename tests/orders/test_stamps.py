"""Stamps only grow, whatever the wall clock does, and over restarts."""

import itertools
import threading
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from nightdesk.orders import store
from nightdesk.orders.stamps import Stamps
from nightdesk.runtime.clock import VirtualClock
from nightdesk.runtime.database import to_micros
from tests.desk import Desk
from tests.samples import START, a_fill, resting


def test_a_stamp_is_the_wall_clock_where_that_has_moved_on() -> None:
    clock = VirtualClock(START)
    stamps = Stamps(clock)

    first, second = stamps.next(), stamps.next()
    clock.advance(1)

    assert (first, second) == (to_micros(START), to_micros(START) + 1)
    assert stamps.next() == to_micros(START) + 1_000_000


@given(st.lists(st.timedeltas(min_value=timedelta(days=-400), max_value=timedelta(days=400)), max_size=20))
def test_stamps_grow_under_every_jump_of_the_clock(jumps: list[timedelta]) -> None:
    """Row 43."""
    clock = VirtualClock(START)
    stamps = Stamps(clock, floor=5)
    given_ = [stamps.next()]
    for jump in jumps:
        clock.set_wall(START + jump)
        given_ += [stamps.next(), stamps.next()]

    assert all(later > earlier for earlier, later in itertools.pairwise(given_))


def test_threads_never_share_a_stamp() -> None:
    stamps = Stamps(VirtualClock(START))
    given_: list[int] = []

    def take() -> None:
        given_.extend(stamps.next() for _ in range(2000))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(given_)) == 8000


def test_after_a_restart_with_the_clock_set_back_new_evidence_is_still_newer(desk: Desk) -> None:
    """Row 43: the floor is the newest stamp on record."""
    assert desk.read(store.newest_stamp) == 0
    order = desk.buy()
    desk.learn(order, resting(order), a_fill("e1", "0.5"))
    newest = desk.read(store.newest_stamp)
    desk.clock.set_wall(START - timedelta(hours=1))

    assert Stamps(desk.clock, floor=newest).next() > newest
