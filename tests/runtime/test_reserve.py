"""Row 52: room kept back for a full disk."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nightdesk.runtime.clock import SystemClock
from nightdesk.runtime.database import Database, StoreUnavailable
from nightdesk.runtime.migrate import ensure_schema
from nightdesk.runtime.reserve import Reserve, is_full
from nightdesk.runtime.store import remember
from nightdesk.runtime.writer import Writer


def test_the_reserve_takes_real_room_and_gives_it_back_once(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "reserve", size=1024 * 1024)

    assert reserve.hold()
    status = (tmp_path / "reserve").stat()
    assert status.st_size == 1024 * 1024
    assert status.st_blocks * 512 >= 1024 * 1024
    assert status.st_mode & 0o777 == 0o600
    assert reserve.hold()

    assert reserve.release()
    assert not (tmp_path / "reserve").exists()
    assert not reserve.release()


def test_a_disk_with_hardly_any_room_keeps_what_it_has(tmp_path: Path) -> None:
    assert not Reserve(tmp_path / "reserve", size=1 << 60).hold()
    assert not (tmp_path / "reserve").exists()


def test_only_a_full_disk_counts_as_full() -> None:
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = 13  # type: ignore[misc]  # set by the driver on real errors
    locked = sqlite3.OperationalError("database is locked")
    locked.sqlite_errorcode = 5  # type: ignore[misc]  # as above

    assert is_full(full)
    assert not is_full(locked)
    assert not is_full(ValueError("full"))


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(tmp_path / "desk.db")
    ensure_schema(database, backups=None, now=datetime.now(UTC))
    return database


def test_work_that_found_the_disk_full_is_done_once_there_is_room(database: Database) -> None:
    """Row 52: what is under way is recorded, and the caller hears nothing of it."""
    asked = []

    def make_room() -> bool:
        asked.append(1)
        limits(1_000_000)
        return True

    writer = Writer(database, SystemClock(), name="desk", holder="here:1", on_full=make_room)
    writer.start()
    connection = writer._connection

    def limits(pages: int) -> None:
        connection._db.execute(f"PRAGMA max_page_count={pages}")  # type: ignore[union-attr]  # started above

    try:
        pages = writer.call_blocking(lambda tx: tx.fetch("PRAGMA page_count")[0][0])
        limits(pages)
        kept = writer.call_blocking(lambda tx: remember(tx, "large", "x" * 1_000_000))
        assert len(kept) == 1_000_000
        assert asked == [1]
        assert not writer.failing
    finally:
        writer.stop()


def test_without_a_reserve_a_full_disk_is_said(database: Database) -> None:
    """Row 52."""
    writer = Writer(database, SystemClock(), name="desk", holder="here:1")
    writer.start()
    connection = writer._connection
    try:
        pages = writer.call_blocking(lambda tx: tx.fetch("PRAGMA page_count")[0][0])
        connection._db.execute(f"PRAGMA max_page_count={pages}")  # type: ignore[union-attr]  # started above
        with pytest.raises(StoreUnavailable):
            writer.call_blocking(lambda tx: remember(tx, "large", "x" * 1_000_000))
        assert writer.failing
        connection._db.execute("PRAGMA max_page_count=1000000")  # type: ignore[union-attr]  # as above
        assert writer.call_blocking(lambda tx: remember(tx, "small", "x")) == "x"
        assert not writer.failing
    finally:
        writer.stop()
