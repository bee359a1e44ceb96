"""Wake-ups between threads and loops."""

import asyncio
import logging
import threading

import pytest

from nightdesk.runtime.changes import Bell, Changes


def test_every_listener_hears_what_changed_until_it_leaves():
    changes = Changes()
    first: list[frozenset[str]] = []
    second: list[frozenset[str]] = []
    leave = changes.subscribe(first.append)
    changes.subscribe(second.append)
    changes.publish(["a", "b", "a"])
    leave()
    leave()
    changes.publish(iter(["c"]))
    assert first == [frozenset({"a", "b"})]
    assert second == [frozenset({"a", "b"}), frozenset({"c"})]


def test_no_news_is_not_told():
    changes = Changes()
    heard: list[frozenset[str]] = []
    changes.publish(["nobody listens"])
    changes.subscribe(heard.append)
    changes.publish([])
    assert heard == []


def test_a_listener_that_fails_keeps_the_news_from_nobody(caplog: pytest.LogCaptureFixture):
    changes = Changes()
    heard: list[frozenset[str]] = []
    changes.subscribe(lambda _changed: [][1])
    changes.subscribe(heard.append)
    changes.publish(["a"])
    assert heard == [frozenset({"a"})]
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == [
        "changes.listener_failed"
    ]


def test_a_listener_may_leave_while_it_is_told():
    changes = Changes()
    heard: list[str] = []

    def once(_changed: frozenset[str]) -> None:
        heard.append("once")
        leave()

    leave = changes.subscribe(once)
    changes.publish(["a"])
    changes.publish(["b"])
    assert heard == ["once"]


def test_listeners_come_and_go_in_many_threads_and_none_is_lost():
    changes, stop = Changes(), threading.Event()
    steady: list[frozenset[str]] = []
    changes.subscribe(steady.append)
    rounds: list[int] = []

    def come_and_go() -> None:
        count = 0
        while not stop.is_set():
            leave = changes.subscribe(lambda _changed: None)
            leave()
            count += 1
        rounds.append(count)

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(2000):
        changes.publish([str(number)])
    stop.set()
    for thread in threads:
        thread.join()
    assert steady == [frozenset({str(number)}) for number in range(2000)]
    assert len(rounds) == 4
    assert min(rounds) > 0


async def test_a_bell_rung_in_another_thread_wakes_the_loop():
    changes, bell = Changes(), Bell()
    changes.subscribe(bell.ring)
    threading.Timer(0.02, changes.publish, args=(["a"],)).start()
    async with asyncio.timeout(5):
        await bell.wait()


async def test_many_rings_are_one_and_a_ring_before_the_wait_is_kept():
    bell = Bell()
    for _ in range(10):
        bell.ring()
    async with asyncio.timeout(5):
        await bell.wait()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await bell.wait()


async def test_no_ring_is_lost_between_two_waits():
    bell = Bell()
    rung, seen = 0, 0

    def press() -> None:
        nonlocal rung
        for _ in range(500):
            rung += 1
            bell.ring()

    thread = threading.Thread(target=press)
    thread.start()
    async with asyncio.timeout(10):
        while seen < 500:
            await bell.wait()
            # Whoever waits reads what there is after it woke; the last ring always comes with a wake-up.
            seen = rung
    thread.join()


def test_a_bell_whose_loop_has_closed_is_silent():
    async def make() -> Bell:
        return Bell()

    bell = asyncio.run(make())
    bell.ring()
