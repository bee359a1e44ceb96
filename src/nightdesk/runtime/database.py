"""Two databases behind one small face: SQLite (WAL, FULL) and PostgreSQL, with the same subset of SQL.

Statements use `?`; money goes in and out as Decimal (canonical text on SQLite, NUMERIC on PostgreSQL); moments are
whole microseconds since 1970 UTC. A store gets an open transaction and never commits.
"""

import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

Row = tuple[Any, ...]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

BUSY_SECONDS = 2.0
# What says that the file takes no write, whoever asks; any other code is a mistake in the statement itself.
_NO_WRITES = frozenset(
    getattr(sqlite3, f"SQLITE_{name}")
    for name in (
        "PERM", "BUSY", "LOCKED", "NOMEM", "READONLY", "INTERRUPT",
        "IOERR", "CORRUPT", "FULL", "CANTOPEN", "PROTOCOL", "NOTADB",
    )
)  # fmt: skip
# A server that is gone without a word is noticed within this many seconds, and not when TCP gives up.
_SILENCE_SECONDS = 10


class StoreUnavailable(Exception):
    """The database took no write, and nothing of the work was kept: locked, full, read-only or unreachable."""


class CommitUnknown(StoreUnavailable):
    """The connection died inside COMMIT and the database cannot be asked: the work was kept whole, or not at all."""


class StoreDamaged(Exception):
    """The database failed its integrity check; the message names the file and the way to restore it."""


def to_micros(moment: datetime) -> int:
    """The aware moment as whole microseconds since 1970 UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware UTC moment of whole microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=micros)


def canonical(value: Decimal) -> str:
    """The one text of a decimal: no exponent, no trailing zeros."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text if text not in ("-0", "") else "0"


sqlite3.register_adapter(Decimal, canonical)


class Tx:
    """One open transaction; only the unit of work that was given it may use it."""

    __slots__ = ("_after", "_cursor", "_translate", "postgres")

    def __init__(self, cursor: Any, *, postgres: bool) -> None:
        self._cursor = cursor
        self.postgres = postgres
        self._translate = _numbered if postgres else _as_is
        self._after: list[Callable[[], None]] = []

    def execute(self, sql: str, params: Sequence[object] = ()) -> int:
        """The statement has run; returns how many rows it touched."""
        self._cursor.execute(self._translate(sql), params)
        return int(self._cursor.rowcount)

    def fetch(self, sql: str, params: Sequence[object] = ()) -> list[Row]:
        """All rows of a query, in its order."""
        self._cursor.execute(self._translate(sql), params)
        rows: list[Row] = self._cursor.fetchall()
        return rows

    def fetch_locked(self, sql: str, params: Sequence[object] = ()) -> list[Row]:
        """All rows of a query, locked until the transaction ends (SQLite's one writer needs no row locks)."""
        return self.fetch(sql + " FOR UPDATE" if self.postgres else sql, params)

    def many(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        """The statement has run once for each row; returns how many rows it touched in all.

        An INSERT goes out as few statements of many rows: each statement lets go of the interpreter lock once, and
        waits for it again while another thread is busy. No two rows of one call may meet in the same ON CONFLICT.
        """
        batch = rows if isinstance(rows, list) else list(rows)
        group = _VALUES.search(sql)
        if group is None or group.group().count("?") != sql.count("?"):
            return self._each(sql, batch)
        touched, start = 0, 0
        while start < len(batch):
            # Powers of two, so that few different statements have to be prepared.
            size = min(MOST_ROWS, 1 << (len(batch) - start).bit_length() - 1)
            part = batch[start : start + size]
            text = _widened(sql, group.group(), size)
            self._cursor.execute(self._translate(text), [value for row in part for value in row])
            touched += int(self._cursor.rowcount)
            start += size
        return touched

    def _each(self, sql: str, batch: list[Sequence[object]]) -> int:
        if len(batch) < 2:
            return self.execute(sql, batch[0]) if batch else 0
        self._cursor.executemany(self._translate(sql), batch)
        return int(self._cursor.rowcount)

    def after_commit(self, call: Callable[[], None]) -> None:
        """The call is made once, after the commit, in the writer's thread; never if the work is rolled back."""
        self._after.append(call)

    def take_after(self) -> list[Callable[[], None]]:
        """The calls to make after the commit; forgotten here."""
        calls, self._after = self._after, []
        return calls


MOST_ROWS = 64
_VALUES = re.compile(r"VALUES (\([?, ]+\))")
_WIDENED: dict[tuple[str, int], str] = {}


def _widened(sql: str, group: str, size: int) -> str:
    text = _WIDENED.get((sql, size))
    if text is None:
        places = group.removeprefix("VALUES ")
        text = _WIDENED[(sql, size)] = sql.replace(group, "VALUES " + ",".join([places] * size), 1)
    return text


def _as_is(sql: str) -> str:
    return sql


_TRANSLATED: dict[str, str] = {}


def _numbered(sql: str) -> str:
    text = _TRANSLATED.get(sql)
    if text is None:
        text = _TRANSLATED[sql] = sql.replace("%", "%%").replace("?", "%s")
    return text


class SqliteConnection:
    """SQLite in WAL mode with synchronous=FULL, so that a commit survives the loss of power."""

    postgres = False

    def __init__(self, path: Path, *, read_only: bool = False, busy_seconds: float = BUSY_SECONDS) -> None:
        if not read_only:
            _create_private(path)
        # A reader never makes the file, and leaves the log of a file that it found damaged as it was.
        address = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}"
        try:
            self._db = sqlite3.connect(
                address,
                uri=True,
                isolation_level=None,
                check_same_thread=False,
                timeout=busy_seconds,
                cached_statements=256,
            )
        except sqlite3.DatabaseError as error:
            raise _opening_error(path, error) from error
        try:
            self._db.execute("PRAGMA foreign_keys=ON")
            if not read_only:
                self._make_durable(path)
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise _opening_error(path, error) from error
        except StoreUnavailable:
            self._db.close()
            raise
        self._cursor = self._db.cursor()

    def _make_durable(self, path: Path) -> None:
        mode = self._db.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        self._db.execute("PRAGMA synchronous=FULL")
        level = self._db.execute("PRAGMA synchronous").fetchone()[0]
        if mode != "wal" or level != 2:
            raise StoreUnavailable(
                f"{path}: durable writes need journal_mode=wal and synchronous=2, was {mode} and {level};"
                " put the data directory on a local disk"
            )

    def begin(self) -> Tx:
        """A transaction that holds the write lock is open."""
        self._cursor.execute("BEGIN IMMEDIATE")
        return Tx(self._cursor, postgres=False)

    def begin_read(self) -> Tx:
        """A transaction over one snapshot is open."""
        self._cursor.execute("BEGIN")
        return Tx(self._cursor, postgres=False)

    def commit(self) -> None:
        """Everything since `begin` is on disk."""
        self._cursor.execute("COMMIT")

    def rollback(self) -> None:
        """Nothing since `begin` was kept."""
        if self._db.in_transaction:
            self._cursor.execute("ROLLBACK")

    def now_micros(self) -> int:
        """The machine's clock; only this process can hold the file."""
        return time.time_ns() // 1000  # noqa: TID251 - the database's clock, as on PostgreSQL: no Clock may bend it

    def close(self) -> None:
        """The file is closed."""
        self._db.close()

    @property
    def dead(self) -> bool:
        """False: a file does not go away."""
        return False

    def lost(self, error: BaseException) -> bool:
        """False: a file does not go away."""
        return False

    def contended(self, error: BaseException) -> bool:
        """False: BEGIN IMMEDIATE leaves nothing to collide with later."""
        return False

    def unavailable(self, error: BaseException) -> bool:
        """True for locked, full, read-only, damaged and failing files."""
        return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _NO_WRITES

    def check(self) -> None:
        """The file's structure is sound.

        Raises StoreDamaged. Files of 64 MiB and more get the quick form of the check.
        """
        path = Path(self._db.execute("PRAGMA database_list").fetchone()[2])
        deep = path.stat().st_size < 64 * 1024 * 1024
        try:
            found = self._db.execute("PRAGMA integrity_check(1)" if deep else "PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            raise _opening_error(path, error) from error
        if found != "ok":
            raise StoreDamaged(_damage(path, str(found)))

    def backup_to(self, path: Path) -> None:
        """A consistent copy of the database stands at the path."""
        _create_private(path)
        with sqlite3.connect(path) as copy:
            self._db.backup(copy)
        copy.close()


def _create_private(path: Path) -> None:
    # Journal and shared-memory files inherit the mode of the database file.
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
    except OSError as error:
        raise StoreUnavailable(f"{path}: {error.strerror}; the data directory must be writable") from error


def _opening_error(path: Path, error: sqlite3.DatabaseError) -> Exception:
    if isinstance(error, sqlite3.OperationalError):
        return StoreUnavailable(f"{path}: {error}")
    return StoreDamaged(_damage(path, str(error)))


def _damage(path: Path, found: str) -> str:
    return (
        f"{path} is damaged ({found}). Nothing was changed. Move it and its -wal and -shm files aside and put the"
        f" newest copy from {path.parent / 'backups'} in its place, then start again: the desk compares itself with"
        " every venue before it trades."
    )


class PostgresConnection:
    """PostgreSQL through psycopg, one server connection, synchronous_commit=on."""

    postgres = True

    def __init__(self, url: str, *, schema: str | None = None) -> None:
        import psycopg

        self._psycopg = psycopg
        try:
            self._db = psycopg.connect(
                url,
                autocommit=True,
                connect_timeout=5,
                application_name="nightdesk",
                keepalives_idle=_SILENCE_SECONDS // 2,
                keepalives_interval=1,
                keepalives_count=_SILENCE_SECONDS // 2,
                tcp_user_timeout=_SILENCE_SECONDS * 1000,
            )
        except psycopg.Error as error:
            # The text of a connection error may repeat the URL with its password.
            raise StoreUnavailable(f"PostgreSQL could not be reached ({type(error).__name__})") from None
        try:
            self._db.execute("SET synchronous_commit = on")
            self._db.execute("SET TIME ZONE 'UTC'")
            self._db.execute(f"SET lock_timeout = {int(BUSY_SECONDS * 1000)}")
            self._db.execute("SET idle_in_transaction_session_timeout = '30s'")
            if schema is not None:
                self._db.execute(psycopg.sql.SQL("SET search_path TO {}").format(psycopg.sql.Identifier(schema)))
        except psycopg.Error as error:
            self._db.close()
            raise StoreUnavailable(f"PostgreSQL could not be reached ({type(error).__name__})") from error
        self._cursor = self._db.cursor()

    def begin(self) -> Tx:
        """A transaction is open."""
        self._cursor.execute("BEGIN")
        return Tx(self._cursor, postgres=True)

    def begin_read(self) -> Tx:
        """A transaction that only reads, over one snapshot, is open."""
        self._cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return Tx(self._cursor, postgres=True)

    def commit(self) -> None:
        """Everything since `begin` is durable on the server."""
        self._cursor.execute("COMMIT")
        # After a failed statement PostgreSQL answers COMMIT with a rollback, and with no error.
        if self._cursor.statusmessage != "COMMIT":
            raise RuntimeError("the work went on after a statement of it had failed; nothing of it was kept")

    def rollback(self) -> None:
        """Nothing since `begin` was kept."""
        if not self._db.closed:
            self._cursor.execute("ROLLBACK")

    def now_micros(self) -> int:
        """The server's clock: leases of several machines are judged by it alone."""
        self._cursor.execute("SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint")
        row = self._cursor.fetchone()
        return int(row[0]) if row is not None else 0

    def close(self) -> None:
        """The connection is closed."""
        self._db.close()

    @property
    def dead(self) -> bool:
        """True when the server or the network ended the connection."""
        return bool(self._db.closed or self._db.broken)

    def lost(self, error: BaseException) -> bool:
        """True when the server or the network ended the connection."""
        return isinstance(error, self._psycopg.Error) and self.dead

    def contended(self, error: BaseException) -> bool:
        """True for deadlocks and serialization failures."""
        return isinstance(error, self._psycopg.errors.DeadlockDetected | self._psycopg.errors.SerializationFailure)

    def unavailable(self, error: BaseException) -> bool:
        """True for a full, read-only, stopping or unreachable server."""
        return isinstance(error, self._psycopg.OperationalError | self._psycopg.errors.ReadOnlySqlTransaction)


class Database:
    """Where the truth lives: opens connections to one SQLite file or one PostgreSQL database."""

    def __init__(self, url: str | Path, *, schema: str | None = None) -> None:
        self._url = url
        self._schema = schema
        self.postgres = isinstance(url, str) and url.startswith(("postgresql://", "postgres://"))

    @property
    def path(self) -> Path | None:
        """The SQLite file, None on PostgreSQL."""
        return None if self.postgres else Path(self._url)

    @property
    def url(self) -> str:
        """The address for the migration tool; holds the password on PostgreSQL, so it is never shown."""
        return str(self._url)

    @property
    def schema(self) -> str | None:
        """The PostgreSQL schema in use where it is not the default one."""
        return self._schema

    def connect(self, *, read_only: bool = False) -> "SqliteConnection | PostgresConnection":
        """A new connection; StoreUnavailable or StoreDamaged say what is in the way."""
        if self.postgres:
            return PostgresConnection(str(self._url), schema=self._schema)
        return SqliteConnection(Path(self._url), read_only=read_only)
