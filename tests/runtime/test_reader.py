"""Reads beside the writer: one snapshot each, never in the writer's way, over connections that are used again."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from nightdesk.runtime.database import Database, StoreUnavailable, Tx
from nightdesk.runtime.reader import Reader
from nightdesk.runtime.writer import Writer
from tests.runtime.starting import writing
from tests.runtime.victims import insert, keys_in

COUNT = "SELECT count(*) FROM meta"


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """One entry for each connection that was opened: whether it was to read only."""
    made: list[bool] = []
    real = Database.connect

    def connect(self: Database, *, read_only: bool = False) -> object:
        made.append(read_only)
        return real(self, read_only=read_only)

    monkeypatch.setattr(Database, "connect", connect)
    return made


def test_a_read_sees_one_snapshot_while_the_writer_goes_on(database: Database):
    reader = Reader(database)
    with writing(database) as writer:
        writer.run_blocking(insert, "a")

        def look(tx: Tx) -> tuple[int, int]:
            before = tx.fetch(COUNT)[0][0]
            # The writer is not held up by an open read, and the read does not see what it wrote meanwhile.
            writer.run_blocking(insert, "b", seconds=5)
            return before, tx.fetch(COUNT)[0][0]

        assert reader.run(look) == (1, 1)
        assert reader.run(lambda tx: tx.fetch(COUNT)[0][0]) == 2
    reader.close()


def test_a_read_does_not_wait_for_the_writer(database: Database):
    reader = Reader(database)
    with writing(database) as writer, ThreadPoolExecutor(1) as pool:
        wrote, release = threading.Event(), threading.Event()

        def slow(tx: Tx) -> None:
            insert(tx, ["a"])
            wrote.set()
            release.wait(10)

        done = pool.submit(writer.call_blocking, slow)
        assert wrote.wait(5)
        assert reader.run(lambda tx: tx.fetch(COUNT)[0][0]) == 0
        release.set()
        done.result(5)
        assert reader.run(lambda tx: tx.fetch(COUNT)[0][0]) == 1
    reader.close()


def test_connections_are_used_again_up_to_a_number(database: Database, connects: list[bool]):
    reader = Reader(database, most=2)
    for _ in range(5):
        reader.run(lambda tx: tx.fetch(COUNT))
    assert connects == [True]
    gate = threading.Barrier(4)

    def together(tx: Tx) -> int:
        gate.wait(5)
        return int(tx.fetch(COUNT)[0][0])

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: reader.run(together), range(4))) == [0] * 4
    assert connects == [True] * 4
    assert len(reader._idle) == 2
    reader.close()
    assert reader._idle == []


async def test_a_read_from_a_loop_lets_the_loop_go_on(sqlite: Database):
    reader, ticks = Reader(sqlite), 0

    def slow(tx: Tx) -> int:
        threading.Event().wait(0.1)
        return int(tx.fetch(COUNT)[0][0])

    reading = asyncio.create_task(reader.read(slow))
    while not reading.done():
        ticks += 1
        await asyncio.sleep(0.005)
    assert await reading == 0
    assert ticks > 5
    reader.close()


def test_a_reader_cannot_write(database: Database):
    reader = Reader(database)
    with pytest.raises(StoreUnavailable, match="reading failed"):
        reader.run(lambda tx: insert(tx, ["a"]))
    assert reader._idle == [], "a connection that failed is not used again"
    assert keys_in(database) == set()


def test_a_mistake_of_the_asker_is_its_own_error(database: Database):
    reader = Reader(database)
    with pytest.raises(ZeroDivisionError):
        reader.run(lambda _tx: 1 // 0)
    with pytest.raises(Exception, match="nowhere") as caught:
        reader.run(lambda tx: tx.fetch("SELECT a FROM nowhere"))
    assert not isinstance(caught.value, StoreUnavailable)
    assert reader.run(lambda tx: tx.fetch(COUNT)[0][0]) == 0
    reader.close()


def test_connections_that_the_server_ended_while_idle_are_no_failed_page(postgresql: Database):
    reader = Reader(postgresql)
    gate = threading.Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        pids = list(
            pool.map(
                lambda _: reader.run(lambda tx: (gate.wait(5), tx.fetch("SELECT pg_backend_pid()")[0][0])[1]), range(4)
            )
        )
    with psycopg.connect(postgresql.url, autocommit=True) as other:
        for pid in pids:
            other.execute("SELECT pg_terminate_backend(%s)", (pid,))
    assert reader.run(lambda tx: tx.fetch(COUNT)[0][0]) == 0
    reader.close()


def test_a_server_that_is_gone_is_said_so_after_one_try(postgresql: Database, connects: list[bool]):
    reader = Reader(Database("postgresql://nobody@127.0.0.1:9/none"))
    with pytest.raises(StoreUnavailable, match="could not be reached"):
        reader.run(lambda tx: tx.fetch(COUNT))
    assert connects == [True]


def test_reads_and_writes_at_full_speed_agree(database: Database):
    """Two rows are always written together, so no snapshot ever holds an odd number."""
    reader, seen = Reader(database), []

    def press(writer: Writer) -> None:
        for number in range(100):
            writer.call_blocking(lambda tx, number=number: insert(tx, [f"{number}-a", f"{number}-b"]))

    with writing(database) as writer:
        thread = threading.Thread(target=press, args=(writer,))
        thread.start()
        while thread.is_alive():
            seen.append(reader.run(lambda tx: tx.fetch(COUNT)[0][0]))
        thread.join()
    assert all(count % 2 == 0 for count in seen)
    assert seen == sorted(seen)
    reader.close()
