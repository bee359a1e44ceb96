"""PostgreSQL goes away in the middle: inside COMMIT, inside a batch, for a moment or for longer."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from nightdesk.runtime.database import CommitUnknown, Database, StoreUnavailable, Tx
from nightdesk.runtime.writer import Fenced, Writer
from tests.proxy import Proxy, proxied
from tests.runtime.starting import hand_over, held, opened, writing
from tests.runtime.victims import insert, keys_in

pytestmark = pytest.mark.postgres


@contextmanager
def through_a_proxy(postgresql: Database) -> Iterator[tuple[Writer, Proxy]]:
    """A writer whose line to the server can be cut."""
    proxy, url = proxied(postgresql.url)
    with proxy, writing(Database(url, schema=postgresql.schema)) as writer:
        yield writer, proxy


class Counting:
    """Inserts its keys, then does something to the line; counts how often it ran."""

    def __init__(self, then: "list[object]") -> None:
        self.then = then
        self.runs = 0
        self.after = 0

    def __call__(self, tx: Tx, keys: Sequence[str], /) -> Sequence[str]:
        self.runs += 1
        insert(tx, keys)
        tx.after_commit(self._note)
        if self.then:
            # Every statement so far was answered, so the next message is the COMMIT.
            self.then.pop(0)()  # type: ignore[operator]
        return keys

    def _note(self) -> None:
        self.after += 1


def backends(database: Database, sql: str) -> list[tuple[object, ...]]:
    """Rows about the desk's connections, asked over another one; `sql` is what to ask of each."""
    with psycopg.connect(database.url, autocommit=True) as other:
        return other.execute(
            f"SELECT {sql} FROM pg_stat_activity WHERE application_name = 'nightdesk' AND pid <> pg_backend_pid()"
        ).fetchall()


def server_pid(writer: Writer) -> int:
    """The process that serves the writer's connection."""
    return int(writer.call_blocking(lambda tx: tx.fetch("SELECT pg_backend_pid()"))[0][0])


def end_backend(database: Database, pid: int) -> None:
    """The server process is told to end, as a restart of the server would."""
    with psycopg.connect(database.url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", (pid,))


def test_a_line_cut_after_the_commit_arrived_is_one_row_and_an_answer_row_57(postgresql: Database):
    with through_a_proxy(postgresql) as (writer, proxy):
        for turn in range(10):
            verb = Counting([proxy.cut_after_next])
            assert writer.run_blocking(verb, f"key-{turn}") == f"key-{turn}"
            assert verb.runs == 1, "the work was done by the first commit and not again"
            assert verb.after == 1
        assert proxy.cuts == 10
        assert not writer.failing
    assert keys_in(postgresql) == {f"key-{turn}" for turn in range(10)}


def test_a_line_cut_before_the_commit_arrived_is_one_row_too_row_57(postgresql: Database):
    with through_a_proxy(postgresql) as (writer, proxy):
        for turn in range(10):
            verb = Counting([proxy.cut_before_next])
            assert writer.run_blocking(verb, f"key-{turn}") == f"key-{turn}"
            assert verb.runs == 2, "the first commit never was, so the work was done anew"
            assert verb.after == 1
        assert proxy.cuts == 10
    assert keys_in(postgresql) == {f"key-{turn}" for turn in range(10)}


def test_a_commit_still_at_work_when_its_line_is_cut_is_waited_for_row_57(postgresql: Database):
    with opened(postgresql) as connection:
        tx = connection.begin()
        tx.execute(
            "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_sleep(0.4); RETURN NULL; END'"
        )
        tx.execute(
            "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON meta DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW WHEN (NEW.key = 'slow') EXECUTE FUNCTION dawdle()"
        )
        connection.commit()
    try:
        with through_a_proxy(postgresql) as (writer, proxy):
            verb = Counting([lambda: proxy.cut_after_next(reply_within=0.05)])
            assert writer.run_blocking(verb, "slow") == "slow"
            assert (verb.runs, verb.after) == (1, 1)
        assert keys_in(postgresql) == {"slow"}
    finally:
        with opened(postgresql) as connection:
            connection.begin().execute("DROP FUNCTION dawdle() CASCADE")
            connection.commit()


@pytest.mark.parametrize("arrived", [True, False], ids=["arrived", "did not arrive"])
def test_when_the_server_cannot_be_asked_the_outcome_is_called_unknown_row_57(postgresql: Database, arrived: bool):
    with through_a_proxy(postgresql) as (writer, proxy), ThreadPoolExecutor(4) as pool:

        def go_away() -> None:
            proxy.refusing = True
            (proxy.cut_after_next if arrived else proxy.cut_before_next)()

        verb = Counting([go_away])
        with held(writer):
            futures = [hand_over(writer, pool, verb, key) for key in "ab"]
        for future in futures:
            with pytest.raises(CommitUnknown, match="read it again before you repeat it"):
                future.result(10)
        # Neither was run again one by one: that could have done it twice.
        assert (verb.runs, verb.after) == (1, 0)
        assert writer.failing
        with pytest.raises(StoreUnavailable, match="could not be reached"):
            writer.run_blocking(insert, "c")
        proxy.refusing = False
        assert writer.run_blocking(insert, "d") == "d"
        assert not writer.failing
    assert keys_in(postgresql) == ({"a", "b", "d"} if arrived else {"d"})


def test_the_line_dies_again_while_the_outcome_is_asked_for_row_57(postgresql: Database):
    with through_a_proxy(postgresql) as (writer, proxy):
        real = writer._database.connect
        asked = []

        def connect(**kw: bool) -> object:
            asked.append(kw)
            connection = real(**kw)
            if len(asked) == 1:
                proxy.cut_before_next()
            return connection

        writer._database.connect = connect  # type: ignore[method-assign,assignment]
        verb = Counting([proxy.cut_after_next])
        with pytest.raises(CommitUnknown):
            writer.run_blocking(verb, "a")
        assert verb.runs == 1
        assert writer.run_blocking(insert, "b") == "b"
    assert keys_in(postgresql) == {"a", "b"}


def test_the_server_ends_the_writers_process_in_the_middle_of_a_batch_row_56(postgresql: Database):
    with writing(postgresql) as writer:
        pid = server_pid(writer)
        verb = Counting([lambda: end_backend(postgresql, pid)])
        assert writer.run_blocking(verb, "a") == "a"
        assert (verb.runs, verb.after) == (2, 1)
        assert server_pid(writer) != pid
        # While it is idle, too.
        end_backend(postgresql, server_pid(writer))
        assert writer.run_blocking(insert, "b") == "b"
        assert not writer.failing
    assert keys_in(postgresql) == {"a", "b"}


@pytest.mark.parametrize("count", [1, 5])
def test_a_transaction_that_stood_still_too_long_is_done_anew_row_58(postgresql: Database, count: int):
    runs = []

    def stall(tx: Tx) -> int:
        runs.append(1)
        insert(tx, [f"{number}" for number in range(count)])
        if len(runs) == 1:
            threading.Event().wait(0.3)
        return len(runs)

    with writing(postgresql) as writer:
        assert writer.call_blocking(lambda tx: tx.fetch("SHOW idle_in_transaction_session_timeout")) == [("30s",)]
        writer.call_blocking(lambda tx: tx.execute("SET idle_in_transaction_session_timeout = '50ms'"))
        assert writer.call_blocking(stall) == 2
    assert len(keys_in(postgresql)) == count


def test_a_deadlock_is_tried_again_row_58(postgresql: Database):
    with opened(postgresql) as other, writing(postgresql) as writer:
        writer.call_blocking(lambda tx: insert(tx, ["a", "b"]))
        writer.call_blocking(lambda tx: tx.execute("SET deadlock_timeout = '20ms'"))
        tx = other.begin()
        # The other side looks for deadlocks so late that the writer is always the one to give way.
        tx.execute("SET LOCAL deadlock_timeout = '10s'")
        tx.fetch_locked("SELECT key FROM meta WHERE key = ?", ("b",))
        runs = []
        threads = []

        def cross(writers: Tx) -> int:
            runs.append(1)
            writers.fetch_locked("SELECT key FROM meta WHERE key = ?", ("a",))
            if len(runs) == 1:
                waiting = threading.Thread(
                    target=lambda: (tx.fetch_locked("SELECT key FROM meta WHERE key = ?", ("a",)), other.commit())
                )
                waiting.start()
                threads.append(waiting)
                while not backends(postgresql, "pid") or ("Lock",) not in backends(postgresql, "wait_event_type"):
                    threading.Event().wait(0.005)
            writers.fetch_locked("SELECT key FROM meta WHERE key = ?", ("b",))
            return len(runs)

        assert writer.call_blocking(cross) == 2
        threads[0].join(5)
        assert not writer.failing


def test_a_serialization_failure_is_tried_three_times_and_no_more_row_58(postgresql: Database):
    clash = "DO 'BEGIN RAISE serialization_failure; END'"
    with writing(postgresql) as writer:
        runs: list[int] = []

        def always(tx: Tx) -> None:
            runs.append(1)
            tx.execute(clash)

        with pytest.raises(StoreUnavailable, match="SerializationFailure"):
            writer.call_blocking(always)
        assert len(runs) == 3

        def twice(tx: Tx) -> Sequence[str]:
            runs.append(1)
            if len(runs) < 3:
                tx.execute(clash)
            return insert(tx, ["a"])

        runs.clear()
        assert writer.call_blocking(twice) == ["a"]
        assert len(runs) == 3
        assert not writer.failing
    assert keys_in(postgresql) == {"a"}


def test_a_server_without_room_for_another_connection_is_unavailable_row_58(postgresql: Database):
    proxy, url = proxied(postgresql.url)
    with proxy:
        proxy.refusing = True
        with pytest.raises(StoreUnavailable, match="could not be reached"):
            Database(url, schema=postgresql.schema).connect()


def test_a_fence_that_moved_while_the_line_was_cut_is_seen_row_64(postgresql: Database):
    with through_a_proxy(postgresql) as (writer, proxy):

        def overtaken() -> None:
            real = writer._database.connect

            def connect(**kw: bool) -> object:
                # Between the lost commit and the question about it, another desk has taken the place.
                with opened(postgresql) as other:
                    other.begin().execute("UPDATE writers SET fence = fence + 1, holder = 'there:1'")
                    other.commit()
                return real(**kw)

            writer._database.connect = connect  # type: ignore[method-assign,assignment]
            proxy.cut_before_next()

        with pytest.raises(Fenced):
            writer.run_blocking(Counting([overtaken]), "a")
        assert not writer.holds_lease()
    assert keys_in(postgresql) == set()
