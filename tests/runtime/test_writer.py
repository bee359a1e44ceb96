"""The writer's queue: batches, their order, whose error is whose, and what happens at its ends."""

import asyncio
import contextlib
import itertools
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from nightdesk.runtime import writer as writing_room
from nightdesk.runtime.clock import SystemClock
from nightdesk.runtime.database import Database, StoreUnavailable, Tx
from nightdesk.runtime.writer import Overloaded, Writer
from tests.runtime.starting import hand_over, held, opened, waiting_for, writing
from tests.runtime.victims import insert, keys_in


class Noting:
    """A verb that notes how it was called, and refuses the key `bad`."""

    def __init__(self, name: str, calls: list[tuple[str, list[str]]]) -> None:
        self._name = name
        self._calls = calls

    def __call__(self, tx: Tx, keys: Sequence[str], /) -> Sequence[str]:
        self._calls.append((self._name, list(keys)))
        insert(tx, keys)
        if "bad" in keys:
            raise ValueError("this item cannot be done")
        return [f"{self._name} {key}" for key in keys]

    def method(self, tx: Tx, keys: Sequence[str], /) -> Sequence[str]:
        """As the call; a bound method is a new object each time it is named."""
        return self(tx, keys)


async def test_one_commit_answers_every_caller_that_waited(database: Database):
    calls: list[tuple[str, list[str]]] = []
    with writing(database) as writer:
        verb, before = Noting("take", calls), writer.batches
        with held(writer):
            waiting = [asyncio.create_task(writer.run(verb, f"k{number:02}")) for number in range(100)]
            await waiting_for(writer, 100)
        answers = await asyncio.gather(*waiting)
        assert answers == [f"take k{number:02}" for number in range(100)]
        assert calls == [("take", [f"k{number:02}" for number in range(100)])]
        assert writer.batches - before == 2
        assert keys_in(database) == {f"k{number:02}" for number in range(100)}


def test_a_batch_is_bounded(sqlite: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(writing_room, "MOST_IN_A_BATCH", 3)
    calls: list[tuple[str, list[str]]] = []
    verb = Noting("take", calls)
    with writing(sqlite) as writer, ThreadPoolExecutor(8) as pool:
        with held(writer):
            futures = [hand_over(writer, pool, verb, key) for key in "abcdefg"]
        assert [future.result(5) for future in futures] == [f"take {key}" for key in "abcdefg"]
    assert [keys for _, keys in calls] == [list("abc"), list("def"), ["g"]]


def test_the_order_of_the_work_is_kept_across_verbs(sqlite: Database):
    calls: list[tuple[str, list[str]]] = []
    first, second = Noting("first", calls), Noting("second", calls)
    with writing(sqlite) as writer, ThreadPoolExecutor(8) as pool:
        with held(writer):
            futures = [
                hand_over(writer, pool, verb, key)
                for verb, key in ((first.method, "a"), (first.method, "b"), (second, "c"), (first.method, "d"))
            ]
        assert [future.result(5) for future in futures] == ["first a", "first b", "second c", "first d"]
    assert calls == [("first", ["a", "b"]), ("second", ["c"]), ("first", ["d"])]


def test_one_bad_item_does_not_take_its_neighbours_down_row_61(database: Database):
    calls: list[tuple[str, list[str]]] = []
    verb = Noting("take", calls)
    with writing(database) as writer, ThreadPoolExecutor(8) as pool:
        with held(writer):
            futures = {key: hand_over(writer, pool, verb, key) for key in ("a", "bad", "b")}
        assert futures["a"].result(5) == "take a"
        assert futures["b"].result(5) == "take b"
        with pytest.raises(ValueError, match="cannot be done"):
            futures["bad"].result(5)
        # The queue has moved on, and the bad item has not marked the database as failing.
        assert writer.run_blocking(verb, "c") == "take c"
        assert not writer.failing
    assert calls[:4] == [("take", ["a", "bad", "b"]), ("take", ["a"]), ("take", ["bad"]), ("take", ["b"])]
    assert keys_in(database) == {"a", "b", "c"}


@pytest.mark.parametrize("given", [0, 1, 3])
def test_a_verb_with_the_wrong_number_of_results_keeps_nothing(sqlite: Database, given: int):
    def verb(tx: Tx, keys: Sequence[str], /) -> Sequence[str]:
        insert(tx, keys)
        return ["?"] * given

    with writing(sqlite) as writer, ThreadPoolExecutor(8) as pool:
        with held(writer):
            futures = [hand_over(writer, pool, verb, key) for key in "ab"]
        for future in futures:
            if given == 1:
                # Alone, each has its one result.
                assert future.result(5) == "?"
            else:
                with pytest.raises(ValueError, match="zip"):
                    future.result(5)
    assert keys_in(sqlite) == (set("ab") if given == 1 else set())


def test_an_answer_comes_only_after_the_commit(database: Database):
    with writing(database) as writer, opened(database) as connection:
        for number in range(20):
            writer.run_blocking(insert, f"{number}")
            tx = connection.begin_read()
            assert tx.fetch("SELECT key FROM meta WHERE key = ?", (f"{number}",)), "answered, and not there"
            connection.rollback()


def test_a_call_after_the_commit_is_made_once_and_never_after_a_rollback(database: Database):
    made: list[str] = []

    def verb(tx: Tx, keys: Sequence[str], /) -> Sequence[None]:
        for key in keys:
            tx.after_commit(lambda key=key: made.append(f"{key} {sorted(keys_in(database))}"))  # type: ignore[misc]
            if key == "bad":
                raise ValueError(key)
        insert(tx, keys)
        return [None] * len(keys)

    with writing(database) as writer, ThreadPoolExecutor(8) as pool:
        with held(writer):
            futures = [hand_over(writer, pool, verb, key) for key in ("a", "bad", "b")]  # type: ignore[arg-type]
        assert [future.exception(5) is None for future in futures] == [True, False, True]
        with pytest.raises(ValueError, match="bad"):
            writer.run_blocking(verb, "bad")
    # Each call saw its own row: the commit had come first.
    assert made == ["a ['a']", "b ['a', 'b']"]


def test_a_call_that_fails_after_the_commit_does_not_run_the_work_again(
    database: Database, caplog: pytest.LogCaptureFixture
):
    calls: list[tuple[str, list[str]]] = []
    verb, made = Noting("take", calls), []

    def breaking(tx: Tx, keys: Sequence[str], /) -> Sequence[str]:
        tx.after_commit(lambda: [][1])
        tx.after_commit(lambda: made.append("second"))
        return verb(tx, keys)

    with writing(database) as writer, ThreadPoolExecutor(8) as pool:
        with held(writer):
            futures = [hand_over(writer, pool, breaking, key) for key in "ab"]
        assert [future.result(5) for future in futures] == ["take a", "take b"]
        assert writer.run_blocking(verb, "c") == "take c"
    assert calls == [("take", ["a", "b"]), ("take", ["c"])]
    assert made == ["second"]
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == [
        "writer.after_commit_failed"
    ]


def test_a_full_queue_refuses_and_keeps_nothing_of_what_it_refused_row_67(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(writing_room, "MOST_WAITING", 5)
    with writing(sqlite) as writer, ThreadPoolExecutor(8) as pool:
        with held(writer):
            futures = [hand_over(writer, pool, insert, key) for key in "abcde"]
            with pytest.raises(Overloaded, match="5 items are waiting"):
                writer.run_blocking(insert, "one too many")
        assert [future.result(5) for future in futures] == list("abcde")
        assert writer.run_blocking(insert, "f") == "f"
    assert keys_in(sqlite) == set("abcdef")


async def test_ten_thousand_at_once_are_taken_or_refused_but_never_lost_row_67(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(writing_room, "MOST_WAITING", 2_000)
    with writing(sqlite) as writer:
        results = await asyncio.gather(
            *(writer.run(insert, str(number)) for number in range(10_000)), return_exceptions=True
        )
        taken = {result for result in results if isinstance(result, str)}
        refused = [result for result in results if isinstance(result, Overloaded)]
        assert len(taken) + len(refused) == 10_000
        assert refused
        assert keys_in(sqlite) == taken


def test_a_caller_whose_loop_has_closed_hinders_nobody(sqlite: Database):
    with writing(sqlite) as writer, ThreadPoolExecutor(2) as pool:
        with held(writer):

            async def give_up() -> None:
                task = asyncio.create_task(writer.run(insert, "gone"))
                await waiting_for(writer, 1)
                task.cancel()

            asyncio.run(give_up())
            other = hand_over(writer, pool, insert, "here")
        assert other.result(5) == "here"
    # Nobody waits for it any more, and the work is durable all the same.
    assert keys_in(sqlite) == {"gone", "here"}


async def test_a_caller_that_gave_up_hinders_nobody_in_its_own_loop(sqlite: Database):
    with writing(sqlite) as writer:
        with held(writer):
            gone = asyncio.create_task(writer.run(insert, "gone"))
            here = asyncio.create_task(writer.run(insert, "here"))
            await waiting_for(writer, 2)
            gone.cancel()
            await asyncio.sleep(0)
        assert await here == "here"
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert keys_in(sqlite) == {"gone", "here"}


def test_stop_does_all_that_was_handed_over_before(sqlite: Database):
    writer = Writer(sqlite, SystemClock(), name="desk", holder="here:1")
    writer.start()
    with ThreadPoolExecutor(50) as pool:
        with held(writer):
            futures = [hand_over(writer, pool, insert, f"{number}") for number in range(40)]
            stopping = threading.Thread(target=writer.stop)
            stopping.start()
        stopping.join(10)
        assert {future.result(0.5) for future in futures} == {f"{number}" for number in range(40)}
    assert keys_in(sqlite) == {f"{number}" for number in range(40)}
    assert not writer.holds_lease()
    with pytest.raises(StoreUnavailable, match="has stopped; start the desk again"):
        writer.run_blocking(insert, "late")
    writer.stop()


def test_work_that_races_with_the_stop_is_answered_either_way(sqlite: Database):
    for turn in range(20):
        writer = Writer(sqlite, SystemClock(), name="desk", holder="here:1")
        writer.start()
        answered: list[str] = []

        def press(number: int, writer: Writer = writer, turn: int = turn, answered: list[str] = answered) -> None:
            with contextlib.suppress(StoreUnavailable):
                for count in itertools.count():
                    key = writer.run_blocking(insert, f"{turn}-{number}-{count}", seconds=5)
                    answered.append(key)

        threads = [threading.Thread(target=press, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        writer.stop()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()
        assert {key for key in keys_in(sqlite) if key.startswith(f"{turn}-")} == set(answered)


def test_a_writer_that_never_started_says_so(sqlite: Database):
    writer = Writer(sqlite, SystemClock(), name="desk", holder="here:1")
    with pytest.raises(StoreUnavailable, match="has stopped"):
        writer.run_blocking(insert, "early")
    writer.stop()
