"""A database that takes no writes: nothing is kept, it is said, and work goes on once it takes them again."""

import logging
import os
import subprocess
from pathlib import Path

import pytest

from nightdesk.runtime.database import Database, SqliteConnection, StoreUnavailable
from nightdesk.runtime.migrate import ensure_schema
from nightdesk.runtime.writer import Fenced, Writer
from tests.runtime.starting import findings, locked, opened, writing
from tests.runtime.victims import NOW, fill, insert, keys_in, soundness


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock is waited for 0.1 s and not 2 s."""
    assert SqliteConnection.__init__.__kwdefaults__ is not None
    monkeypatch.setitem(SqliteConnection.__init__.__kwdefaults__, "busy_seconds", 0.1)


@pytest.mark.usefixtures("impatient")
def test_a_lock_held_too_long_refuses_the_work_and_keeps_nothing_row_51(
    database: Database, caplog: pytest.LogCaptureFixture
):
    words = "LockNotAvailable" if database.postgres else "OperationalError: database is locked"
    with writing(database) as writer:
        writer.run_blocking(insert, "before")
        assert not writer.failing
        with locked(database):
            for key in ("a", "b") if not database.postgres else ("a",):
                with pytest.raises(StoreUnavailable, match=words):
                    writer.run_blocking(insert, key)
                assert writer.failing
        assert keys_in(database) == {"before"}
        assert writer.run_blocking(insert, "after") == "after"
        assert not writer.failing
    assert keys_in(database) == {"before", "after"}
    # Said once, however long it lasts.
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == ["store.unavailable"]


@pytest.mark.usefixtures("impatient")
def test_a_writer_that_finds_the_file_locked_does_not_start_row_51(sqlite: Database):
    with locked(sqlite), pytest.raises(StoreUnavailable, match="database is locked"), writing(sqlite):
        pass
    with writing(sqlite) as writer:
        writer.run_blocking(insert, "a")


def test_no_room_for_the_log_row_52(sqlite: Database):
    found = findings("full", sqlite.url, 300_000)
    assert found["words"] == "OperationalError: disk I/O error"
    assert found["same"], "what is there is what was answered"
    assert int(str(found["answered"])) > 10
    assert found["refused"] == 3
    assert found["failing"]
    assert found["healed"]
    assert found["check"] == "ok"


def test_no_page_left_row_52(sqlite: Database):
    with writing(sqlite) as writer:
        pages = writer.call_blocking(lambda tx: tx.fetch("PRAGMA page_count")[0][0])
        writer.call_blocking(lambda tx: tx.fetch(f"PRAGMA max_page_count = {pages + 20}"))
        answered, refused, words = fill(writer)
        assert words == "OperationalError: database or disk is full"
        assert len(refused) == 3
        assert writer.failing
        assert keys_in(sqlite) == answered
        # What needs no room is still done: a page is freed, and the next row takes it.
        writer.call_blocking(lambda tx: tx.execute("DELETE FROM meta WHERE key LIKE ?", ("1-%",)))
        writer.call_blocking(lambda tx: tx.fetch(f"PRAGMA max_page_count = {pages + 2000}"))
        answered = {key for key in answered if not key.startswith("1-")}
        answered.add(writer.run_blocking(insert, "afterwards"))
        assert not writer.failing
    assert keys_in(sqlite) == answered
    assert soundness(Path(sqlite.url)) == "ok"


def test_a_full_file_system_row_52(tmp_path: Path):
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("row 52 on a small file system: not run, a file system cannot be mounted here")
    try:
        database, ballast = Database(small / "nightdesk.db"), small / "reserve"
        ensure_schema(database, backups=None, now=NOW)
        ballast.write_bytes(b"0" * 512 * 1024)
        with writing(database) as writer:
            answered, refused, words = fill(writer)
            assert "full" in words or "I/O" in words
            assert len(refused) == 3
            assert len(answered) > 10
            assert writer.failing
            ballast.unlink()
            answered.add(writer.run_blocking(insert, "afterwards"))
            assert not writer.failing
            assert keys_in(database) == answered
        assert soundness(small / "nightdesk.db") == "ok"
    finally:
        subprocess.run(["umount", "-l", str(small)], check=False)


def test_a_database_that_turns_read_only_row_53(sqlite: Database):
    with writing(sqlite) as writer:
        writer.run_blocking(insert, "before")
        writer.call_blocking(lambda tx: tx.execute("PRAGMA query_only = ON"))
        with pytest.raises(StoreUnavailable, match="attempt to write a readonly database"):
            writer.run_blocking(insert, "a")
        assert writer.failing
        assert keys_in(sqlite) == {"before"}
        assert isinstance(writer._connection, SqliteConnection)
        writer._connection._db.execute("PRAGMA query_only = OFF")
        writer.run_blocking(insert, "after")
        assert not writer.failing
    assert keys_in(sqlite) == {"before", "after"}


def test_a_file_made_immutable_while_in_use_row_53(tmp_path: Path, sqlite: Database):
    assert sqlite.path is not None
    wal = sqlite.path.with_name("nightdesk.db-wal")
    with writing(sqlite) as writer:
        writer.run_blocking(insert, "before")
        if os.geteuid() != 0 or subprocess.run(["chattr", "+i", str(wal)], capture_output=True, check=False).returncode:
            pytest.skip("row 53 on an immutable file: not run, the file's attributes cannot be set here")
        try:
            with pytest.raises(StoreUnavailable, match="I/O error"):
                writer.run_blocking(insert, "a")
            assert writer.failing
        finally:
            subprocess.run(["chattr", "-i", str(wal)], check=True)
        writer.run_blocking(insert, "after")
        assert not writer.failing
    assert keys_in(sqlite) == {"before", "after"}


def test_a_server_that_takes_only_reads_row_53(postgresql: Database):
    with writing(postgresql) as writer:
        writer.call_blocking(lambda tx: tx.execute("SET default_transaction_read_only = on"))
        with pytest.raises(StoreUnavailable, match="read-only transaction"):
            writer.run_blocking(insert, "a")
        assert writer.failing
        assert writer._connection is not None
        writer._connection._cursor.execute("SET default_transaction_read_only = off")
        writer.run_blocking(insert, "after")
        assert not writer.failing
    assert keys_in(postgresql) == {"after"}


def test_a_connection_that_cannot_even_roll_back_is_replaced(sqlite: Database, monkeypatch: pytest.MonkeyPatch):
    with writing(sqlite) as writer:
        first = writer._connection
        monkeypatch.setattr(SqliteConnection, "rollback", lambda _self: 1 // 0)
        with pytest.raises(ValueError, match="invalid literal"):
            writer.call_blocking(lambda tx: int(f"{insert(tx, ['a'])}"))
        monkeypatch.undo()
        assert writer.run_blocking(insert, "after") == "after"
        assert writer._connection is not first
    assert keys_in(sqlite) == {"after"}


def test_a_damaged_page_met_at_work_is_unavailable_and_not_the_items_fault_row_55(sqlite: Database):
    assert sqlite.path is not None
    with writing(sqlite) as writer:
        for number in range(200):
            writer.run_blocking(insert, f"{number:04}{'k' * 400}")
    with opened(sqlite) as connection:
        name = "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_meta_1'"
        root = connection.begin_read().fetch(name)[0][0]
        connection.rollback()
    with sqlite.path.open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xff" * 200)
    with writing(sqlite) as writer:
        with pytest.raises(StoreUnavailable, match="malformed"):
            writer.run_blocking(insert, "a")
        assert writer.failing


def test_nobody_waits_for_a_writer_that_was_taken_over(sqlite: Database):
    first = Writer(sqlite, NeverAsked(), name="desk", holder="here:1")
    first.start()
    with writing(sqlite, holder="here:2") as second:
        with pytest.raises(Fenced, match="another process has taken over"):
            first.run_blocking(insert, "a")
        with pytest.raises(Fenced, match="no longer writes"):
            first.run_blocking(insert, "b")
        assert not first.holds_lease()
        assert second.run_blocking(insert, "c") == "c"
        first.stop()
        # The place that the first one left was no longer its own to free.
        assert second.run_blocking(insert, "d") == "d"
    assert keys_in(sqlite) == {"c", "d"}


class NeverAsked:
    """A clock whose wall time nobody may ask for: leases are durations."""

    def monotonic(self) -> float:
        """Stands still."""
        return 1.0

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"the writer asked the clock for {name}")
