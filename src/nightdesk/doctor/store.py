"""Reading a database without touching it."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from nightdesk.runtime.database import Database, SqliteConnection, StoreDamaged, StoreUnavailable, Tx

_DEEP_BELOW = 64 * 1024 * 1024
"""Bytes; larger files get the quick form of the check."""


@contextlib.contextmanager
def reading(url: str, path: Path) -> Iterator[Tx]:
    """A transaction that reads a database found whole, and changes no file.

    Raises StoreDamaged and StoreUnavailable.
    """
    if not url and not path.with_name(f"{path.name}-wal").exists():
        # Nobody has it open. Any usual way of opening would leave a -wal and a -shm file beside it.
        with _untouched(path) as tx:
            yield tx
        return
    connection = Database(url or path).connect(read_only=True)
    try:
        if isinstance(connection, SqliteConnection):
            connection.check()
        yield connection.begin_read()
        connection.rollback()
    except sqlite3.DatabaseError as error:
        raise StoreDamaged(f"{path} is damaged ({error})") from error
    finally:
        connection.close()


@contextlib.contextmanager
def _untouched(path: Path) -> Iterator[Tx]:
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)) as file:
            thorough = path.stat().st_size < _DEEP_BELOW
            found = file.execute("PRAGMA integrity_check(1)" if thorough else "PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise StoreDamaged(f"{path} is damaged ({found})")
            yield Tx(file.cursor(), postgres=False)
    except sqlite3.OperationalError as error:
        raise StoreUnavailable(f"{path}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise StoreDamaged(f"{path} is damaged ({error})") from error
