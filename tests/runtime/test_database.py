"""Durability, the one text of a decimal, and what a database says that cannot be used."""

import os
import shutil
import socket
import sqlite3
import stat
import tempfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nightdesk.runtime.database import (
    Database,
    PostgresConnection,
    SqliteConnection,
    StoreDamaged,
    StoreUnavailable,
    canonical,
    from_micros,
    to_micros,
)
from nightdesk.runtime.migrate import ensure_schema
from tests.runtime.starting import findings, opened, writing
from tests.runtime.victims import NOW, insert, keys_in, soundness

AMOUNTS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40)


def _written_longer(value: Decimal) -> Decimal:
    """The same amount with one more zero at its end; arithmetic would round it."""
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    return Decimal((sign, (*digits, 0), exponent - 1))


# ------------------------------------------------------------------------------------------------------- durability


def test_sqlite_commits_survive_the_loss_of_power_row_13(sqlite: Database):
    with writing(sqlite) as writer:
        ask = lambda name: writer.call_blocking(lambda tx: tx.fetch(f"PRAGMA {name}")[0][0])  # noqa: E731
        assert ask("journal_mode") == "wal"
        assert ask("synchronous") == 2
        assert ask("foreign_keys") == 1
        assert ask("busy_timeout") == 2000


@pytest.mark.parametrize("said", ["", "?options=-c%20synchronous_commit%3Doff"], ids=["as it is", "switched off"])
def test_postgres_commits_wait_for_the_disk_whatever_the_server_says_row_13(postgresql: Database, said: str):
    url = postgresql.url + (said.replace("?", "&") if "?" in postgresql.url else said)
    with writing(Database(url, schema=postgresql.schema)) as writer:
        assert writer.call_blocking(lambda tx: tx.fetch("SHOW synchronous_commit")) == [("on",)]
        assert writer.call_blocking(lambda tx: tx.fetch("SHOW TimeZone")) == [("UTC",)]
        assert writer.call_blocking(lambda tx: tx.fetch("SHOW lock_timeout")) == [("2s",)]


def test_a_server_that_falls_silent_is_noticed_in_ten_seconds(postgresql: Database):
    with opened(postgresql) as connection:
        assert isinstance(connection, PostgresConnection)
        with socket.socket(fileno=os.dup(connection._db.pgconn.socket)) as line:
            if line.family == socket.AF_UNIX:
                pytest.skip("PostgreSQL: reached without TCP here, so no line can fall silent")
            assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 10_000
            assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1


def test_files_copied_while_a_desk_writes_hold_every_answered_row_row_13(sqlite: Database, tmp_path: Path):
    found = findings("copy", sqlite.url, tmp_path, 30, 20260105)
    assert found["lost"] == []
    assert found["checks"] == ["ok"]
    assert int(str(found["answered"])) > 100


def test_a_log_cut_anywhere_gives_a_prefix_of_the_commits_row_13(sqlite: Database, tmp_path: Path):
    assert sqlite.path is not None
    wal = sqlite.path.with_name("nightdesk.db-wal")
    keys, durable_at = [], []
    with writing(sqlite) as writer:
        for number in range(25):
            keys.append(writer.run_blocking(insert, f"{number:03}{'k' * 500}"))
            durable_at.append(wal.stat().st_size)
        database, log = sqlite.path.read_bytes(), wal.read_bytes()
    page = int.from_bytes(log[8:12], "big")
    frames = range(32, len(log) + 1, page + 24)
    cuts = sorted({0, 1, 31, *frames, *(at + page - 1 for at in frames), len(log)})
    copy = tmp_path / "copy.db"
    seen = 0
    for cut in (at for at in cuts if at <= len(log)):
        copy.write_bytes(database)
        copy.with_name("copy.db-wal").write_bytes(log[:cut])
        copy.with_name("copy.db-shm").unlink(missing_ok=True)
        assert soundness(copy) == "ok"
        present = sorted(keys_in(Database(copy)))
        assert present == keys[: len(present)], f"cut at byte {cut}"
        # Whatever had been answered by the time the log had this length is there.
        assert len(present) >= sum(size <= cut for size in durable_at), f"cut at byte {cut}"
        assert len(present) >= seen
        seen = len(present)
    assert seen == len(keys)


def test_the_file_and_its_log_are_private_s39(sqlite: Database, tmp_path: Path):
    path = tmp_path / "new.db"
    connection = SqliteConnection(path)
    connection.begin().execute("CREATE TABLE t (a TEXT)")
    connection.commit()
    assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.glob("new.db*")} == {0o600}
    assert len(list(tmp_path.glob("new.db*"))) == 3
    connection.close()


# --------------------------------------------------------------------------------------------------- what goes wrong


def test_a_damaged_page_refuses_the_start_and_changes_nothing_row_55(sqlite: Database, tmp_path: Path):
    assert sqlite.path is not None
    with writing(sqlite) as writer:
        for number in range(200):
            writer.run_blocking(insert, f"{number:04}{'k' * 400}")
    # Rows that only the log holds must not be moved into the damaged file either.
    with writing(sqlite) as writer:
        writer.run_blocking(insert, "in-the-log")
        wal = sqlite.path.with_name("nightdesk.db-wal")
        file, log = bytearray(sqlite.path.read_bytes()), wal.read_bytes()
    refused = 0
    broken = tmp_path / "broken.db"
    for page in range(len(file) // 4096):
        damaged = bytearray(file)
        damaged[page * 4096 + 8 : page * 4096 + 120] = bytes(255 - byte for byte in file[page * 4096 + 8 :][:112])
        broken.write_bytes(damaged)
        broken.with_name("broken.db-wal").write_bytes(log)
        try:
            ensure_schema(Database(broken), backups=tmp_path / "backups", now=NOW)
        except StoreDamaged as error:
            refused += 1
            text = str(error)
            assert text.startswith(f"{broken} is damaged (")
            assert f"newest copy from {tmp_path / 'backups'}" in text
            assert broken.read_bytes() == damaged
            assert broken.with_name("broken.db-wal").read_bytes() == log
        for each in tmp_path.glob("broken.db*"):
            each.unlink()
    # A page that the log replaces, or that is free, is no damage: nobody reads it.
    assert refused > len(file) // 4096 // 2


def test_a_file_that_is_no_database_is_named_row_55(tmp_path: Path):
    path = tmp_path / "nightdesk.db"
    path.write_bytes(b"not a database, " * 400)
    with pytest.raises(StoreDamaged, match=f"{path} is damaged"):
        ensure_schema(Database(path), backups=None, now=NOW)
    assert path.read_bytes() == b"not a database, " * 400


def test_a_large_file_gets_the_quick_check(sqlite: Database, monkeypatch: pytest.MonkeyPatch):
    connection = SqliteConnection(Path(sqlite.url))
    asked: list[str] = []
    connection._db.set_trace_callback(asked.append)
    connection.check()
    real = Path.stat
    monkeypatch.setattr(Path, "stat", lambda self, **kw: os.stat_result((*real(self, **kw)[:6], 1 << 30, 0, 0, 0)))
    connection.check()
    monkeypatch.undo()
    assert [line for line in asked if "check" in line] == ["PRAGMA integrity_check(1)", "PRAGMA quick_check(1)"]
    connection.close()


def test_a_directory_that_cannot_be_written_is_named_row_53(sqlite: Database):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "nightdesk.db"
        shutil.copyfile(sqlite.url, file)
        file.chmod(0o444)
        Path(folder).chmod(0o555)
        assert findings("open_as_nobody", file) == {
            "refused": f"{file}: Permission denied; the data directory must be writable"
        }
        Path(folder).chmod(0o755)


def test_an_unreachable_server_is_said_without_its_password():
    with pytest.raises(StoreUnavailable) as caught:
        Database("postgresql://desk:hunter2@127.0.0.1:9/none").connect()
    assert str(caught.value) == "PostgreSQL could not be reached (OperationalError)"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_reading_connection_never_makes_a_file(tmp_path: Path):
    with pytest.raises(StoreUnavailable, match="unable to open"):
        Database(tmp_path / "none.db").connect(read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_in_a_statement_is_no_failing_disk(sqlite: Database):
    with opened(sqlite) as connection:
        with pytest.raises(sqlite3.OperationalError) as caught:
            connection.begin().execute("SELECT a FROM nowhere")
        assert not connection.unavailable(caught.value)


def test_a_commit_after_a_swallowed_failure_is_not_taken_for_done(postgresql: Database):
    with opened(postgresql) as connection:
        tx = connection.begin()
        insert(tx, ["a"])
        with pytest.raises(Exception, match="nowhere"):
            tx.execute("SELECT a FROM nowhere")
        with pytest.raises(RuntimeError, match="nothing of it was kept"):
            connection.commit()
    assert keys_in(postgresql) == set()


# ------------------------------------------------------------------------------------------------ values and the tx


@given(value=AMOUNTS)
def test_a_decimal_has_one_text_whatever_its_exponent(value: Decimal):
    text = canonical(value)
    assert Decimal(text) == value
    assert "E" not in text
    assert not ("." in text and text.endswith("0"))
    assert canonical(Decimal(text)) == canonical(_written_longer(value)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1E+3", "1000"),
        ("-0", "0"),
        ("0E-9", "0"),
        ("1.500", "1.5"),
        ("-0.10", "-0.1"),
        ("1E-9", "0.000000001"),
    ],
)
def test_the_text_of_known_decimals(value: str, text: str):
    assert canonical(Decimal(value)) == text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(values=st.lists(AMOUNTS, min_size=1, max_size=20))
def test_money_comes_back_as_it_went_in(database: Database, values: list[Decimal]):
    with opened(database) as connection:
        tx = connection.begin()
        # As the migrations do: the next test looks at every column of every table.
        money = "NUMERIC" if database.postgres else "TEXT"
        tx.execute(f"CREATE TABLE amounts (id INTEGER PRIMARY KEY, one {money} NOT NULL, other {money} NOT NULL)")
        tx.many("INSERT INTO amounts (id, one, other) VALUES (?,?,?)", [(n, v, v) for n, v in enumerate(values)])
        for number, value in enumerate(values):
            kept = tx.fetch("SELECT one FROM amounts WHERE id = ?", (number,))[0][0]
            assert isinstance(kept, Decimal if database.postgres else str)
            assert Decimal(kept) == value
            assert canonical(Decimal(kept)) == canonical(value)
            # Equal amounts are equal in SQL too, which the canonical text is for.
            same = (number, _written_longer(value))
            assert tx.fetch("SELECT 1 FROM amounts WHERE id = ? AND one = other AND one = ?", same) == [(1,)]
            assert tx.execute("UPDATE amounts SET one = ? WHERE one = ? AND id = ?", (value, value, number)) == 1


def test_no_column_of_any_table_is_a_float(database: Database):
    with opened(database) as connection:
        tx = connection.begin_read()
        if database.postgres:
            rows = tx.fetch("SELECT data_type FROM information_schema.columns WHERE table_schema = current_schema()")
            assert ("numeric",) in rows
            known = {"numeric", "text", "bigint", "smallint", "integer", "bytea", "character varying"}
        else:
            rows = tx.fetch("SELECT c.type FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table'")
            known = {"TEXT", "BIGINT", "SMALLINT", "INTEGER", "BLOB", "VARCHAR(32)"}
        assert {row[0] for row in rows} <= known
        assert len(rows) > 100


@given(moment=st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - the bounds are naive by the strategy's rule
def test_moments_keep_their_microseconds(moment: datetime):
    assert from_micros(to_micros(moment)) == moment
    assert to_micros(moment + timedelta(microseconds=1)) == to_micros(moment) + 1


def test_statements_mean_the_same_on_both_databases(database: Database):
    with opened(database) as connection:
        tx = connection.begin()
        tx.many("INSERT INTO meta (key, value) VALUES (?, ?)", [])
        tx.many("INSERT INTO meta (key, value) VALUES (?, ?)", ((key, "100%") for key in "abc"))
        found = tx.fetch("SELECT key FROM meta WHERE value LIKE '100%' AND key <> ? ORDER BY key", ("b",))
        assert found == [("a",), ("c",)]
        assert tx.execute("UPDATE meta SET value = ? WHERE key IN ('a', 'b')", ("%s",)) == 2
        assert tx.fetch_locked("SELECT value FROM meta WHERE key = ?", ("a",)) == [("%s",)]
        connection.rollback()
    assert keys_in(database) == set()
