"""The schema: old or new and never half, with a copy of the old one, and refused where it is newer."""

import itertools
import os
import random
import shutil
import signal
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from nightdesk.runtime import migrate
from nightdesk.runtime.clock import SystemClock
from nightdesk.runtime.database import Database, SqliteConnection, StoreUnavailable, Tx
from nightdesk.runtime.writer import Fenced, Writer
from tests.databases import Postgres
from tests.runtime.starting import findings, locked, opened, victims, words_of, writing
from tests.runtime.victims import NOW, insert, keys_in, soundness, state_of

_NUMBERS = itertools.count()
SECOND = """
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table("second", sa.Column("id", sa.Text(), nullable=False), sa.PrimaryKeyConstraint("id"))
    op.add_column("events", sa.Column("extra", sa.Text(), nullable=True))
    op.execute("INSERT INTO meta (key, value) VALUES ('second', 'second')")


def downgrade():
    op.execute("DELETE FROM meta WHERE value = 'second'")
    op.drop_column("events", "extra")
    op.drop_table("second")
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The migrations with one more revision after the newest."""
    folder = tmp_path_factory.mktemp("scripts") / "migrations"
    shutil.copytree(migrate.SCRIPTS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "r0002_second.py").write_text(SECOND)
    return folder


@pytest.fixture
def upgraded(scripts: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From the call on this version of the code knows revision 0002; databases made before are at 0001."""
    assert migrate.HEAD == "0001", "a real second revision is there: the tests' own needs the next number"

    def now() -> None:
        monkeypatch.setattr(migrate, "SCRIPTS", scripts)
        monkeypatch.setattr(migrate, "HEAD", "0002")
        monkeypatch.setattr(migrate, "KNOWN", ("0001", "0002"))

    return now


@pytest.fixture
def own(database: Database, postgres: Postgres) -> Database:
    """As `database`, but nobody else's afterwards: its schema may be changed."""
    if not database.postgres:
        return database
    fresh = empty_schema(postgres)
    migrate.ensure_schema(fresh, backups=None, now=NOW)
    return fresh


def empty_schema(postgres: Postgres, name: str = "own") -> Database:
    """A schema of this test's own."""
    return postgres.schema(f"nightdesk_test_{os.getpid()}_{name}_{next(_NUMBERS)}")


def tables(database: Database) -> set[str]:
    """The names of all tables."""
    ask = "SELECT name FROM sqlite_master WHERE type = 'table'"
    if database.postgres:
        ask = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
    with opened(database) as connection:
        return {row[0] for row in connection.begin_read().fetch(ask)}


def revision_of(database: Database) -> str | None:
    """The revision that the database says it is at."""
    with opened(database) as connection:
        return migrate.current_revision(connection)


def with_rows(database: Database, *keys: str) -> None:
    """The database has been at work."""
    with writing(database) as writer:
        for key in keys:
            writer.run_blocking(insert, key)


# ---------------------------------------------------------------------------------------------------- up and down


def test_down_to_nothing_and_up_again(own: Database):
    whole = tables(own)
    assert {"orders", "facts", "events", "writers", "audit"} < whole
    migrate.migrate(own, "base")
    assert tables(own) == {"alembic_version"}
    assert revision_of(own) is None
    migrate.ensure_schema(own, backups=None, now=NOW)
    assert tables(own) == whole
    assert revision_of(own) == migrate.HEAD


def test_a_start_on_the_newest_schema_changes_nothing(sqlite: Database, tmp_path: Path):
    with_rows(sqlite, "a")
    assert sqlite.path is not None
    before = sqlite.path.read_bytes()
    for _ in range(3):
        migrate.ensure_schema(sqlite, backups=tmp_path / "backups", now=NOW)
    assert sqlite.path.read_bytes() == before
    assert not (tmp_path / "backups").exists()


def test_an_old_database_is_copied_and_then_brought_up_row_14(
    upgraded: Callable[[], None], own: Database, tmp_path: Path
):
    upgraded()
    with_rows(own, "a", "b")
    migrate.ensure_schema(own, backups=tmp_path / "backups", now=NOW)
    assert state_of(own) == "new"
    assert keys_in(own) == {"a", "b"}
    copies = list((tmp_path / "backups").glob("*"))
    if own.postgres:
        assert copies == []
    else:
        assert [copy.name for copy in copies] == ["nightdesk-0001-20260105T093000.db"]
        assert copies[0].stat().st_mode & 0o777 == 0o600
        assert state_of(Database(copies[0])) == "old"
        assert keys_in(Database(copies[0])) == {"a", "b"}
    migrate.migrate(own, "0001")
    assert state_of(own) == "old"
    assert keys_in(own) == {"a", "b"}


def test_the_seven_newest_copies_are_kept(upgraded: Callable[[], None], sqlite: Database, tmp_path: Path):
    upgraded()
    for day in range(10):
        migrate.ensure_schema(sqlite, backups=tmp_path / "backups", now=NOW + timedelta(days=day))
        migrate.migrate(sqlite, "0001")
    kept = sorted(copy.name for copy in (tmp_path / "backups").iterdir())
    assert kept == [f"nightdesk-0001-202601{day:02}T093000.db" for day in range(8, 15)]


# --------------------------------------------------------------------------------------------------------- crashes


@pytest.mark.crash
def test_a_kill_before_the_commit_leaves_the_old_schema_and_the_copy_row_14(
    own: Database, scripts: Path, tmp_path: Path
):
    with_rows(own, "a")
    words = (*words_of(own), scripts, tmp_path / "backups")
    assert victims("upgrade", *words, crash_at="migrate.before_commit:1").returncode == -signal.SIGKILL
    assert state_of(own) == "old"
    assert keys_in(own) == {"a"}
    if not own.postgres:
        (copy,) = (tmp_path / "backups").iterdir()
        assert (state_of(Database(copy)), keys_in(Database(copy))) == ("old", {"a"})
    done = victims("upgrade", *words)
    assert done.returncode == 0, done.stderr
    assert state_of(own) == "new"
    assert keys_in(own) == {"a"}


@pytest.mark.crash
def test_a_kill_at_any_moment_leaves_the_old_schema_or_the_new_one_row_14(own: Database, scripts: Path, tmp_path: Path):
    seed = random.randrange(1_000_000)
    print(f"replay with seed {seed}")
    with_rows(own, *(f"{number}{'k' * 200}" for number in range(50)))
    found = findings("upgrade_again", *words_of(own), scripts, tmp_path / "backups", 15, seed)
    assert set(found) <= {"old", "new"}, f"seed {seed}"
    assert sum(int(str(count)) for count in found.values()) == 15
    if own.path is not None:
        assert soundness(own.path) == "ok"


@pytest.mark.crash
def test_a_kill_in_the_very_first_start_leaves_nothing_half_row_14(tmp_path: Path, scripts: Path):
    path = tmp_path / "nightdesk.db"
    words = (path, "", scripts, tmp_path / "backups")
    assert victims("upgrade", *words, crash_at="migrate.before_commit:1").returncode == -signal.SIGKILL
    assert revision_of(Database(path)) is None
    assert tables(Database(path)) == set()
    migrate.ensure_schema(Database(path), backups=tmp_path / "backups", now=NOW)
    assert revision_of(Database(path)) == migrate.HEAD
    assert not (tmp_path / "backups").exists()


# --------------------------------------------------------------------------------------------------------- refusals


def test_a_newer_schema_is_refused_and_left_alone_rows_14_65(own: Database):
    with_rows(own, "a")
    with opened(own) as connection:
        connection.begin().execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    before = own.path.read_bytes() if own.path is not None else b""
    with pytest.raises(migrate.SchemaTooNew, match="at schema 9999, this version knows up to 0001"):
        migrate.ensure_schema(own, backups=None, now=NOW)
    assert revision_of(own) == "9999"
    assert keys_in(own) == {"a"}
    assert before == (own.path.read_bytes() if own.path is not None else b"")


def test_a_copy_that_cannot_be_written_leaves_the_schema_as_it_was_row_52(
    upgraded: Callable[[], None], sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    upgraded()

    def full(_self: SqliteConnection, path: Path) -> None:
        path.write_bytes(b"half")
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    monkeypatch.setattr(SqliteConnection, "backup_to", full)
    with pytest.raises(StoreUnavailable, match=r"could not be written \(database or disk is full\).*make room there"):
        migrate.ensure_schema(sqlite, backups=tmp_path / "backups", now=NOW)
    assert state_of(sqlite) == "old"
    assert list((tmp_path / "backups").iterdir()) == []


def test_a_half_written_copy_is_no_copy(upgraded: Callable[[], None], sqlite: Database, tmp_path: Path):
    upgraded()
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "nightdesk-0001-20260105T093000.unfinished").write_bytes(b"half of an earlier try")
    migrate.ensure_schema(sqlite, backups=tmp_path / "backups", now=NOW)
    (copy,) = (tmp_path / "backups").iterdir()
    assert soundness(copy) == "ok"


def test_a_database_that_is_locked_is_not_migrated_row_51(
    upgraded: Callable[[], None], sqlite: Database, monkeypatch: pytest.MonkeyPatch
):
    upgraded()
    monkeypatch.setattr(migrate, "_sqlalchemy_url", lambda database: f"sqlite:///{database.path}?timeout=0.1")
    with locked(sqlite), pytest.raises(StoreUnavailable, match="the schema was left as it was: database is locked"):
        migrate.ensure_schema(sqlite, backups=None, now=NOW)
    assert state_of(sqlite) == "old"


@pytest.mark.postgres
def test_a_schema_is_not_changed_under_a_living_desk_and_an_old_one_writes_no_more_rows_64_65(
    upgraded: Callable[[], None], postgres: Postgres
):
    own = empty_schema(postgres)
    migrate.ensure_schema(own, backups=None, now=NOW)
    upgraded()
    writer = Writer(own, SystemClock(), name="desk", holder="there:1", lease=60.0)
    writer.start()
    try:
        with pytest.raises(Fenced, match=r"a desk of another version works on this database \(there:1\); stop it"):
            migrate.ensure_schema(own, backups=None, now=NOW)
        assert state_of(own) == "old"
        assert writer.run_blocking(insert, "a") == "a"
        # Its machine went away without a word, and its lease has ended.
        with opened(own) as connection:
            connection.begin().execute("UPDATE writers SET lease_until = 0")
            connection.commit()
        migrate.ensure_schema(own, backups=None, now=NOW)
        assert state_of(own) == "new"
        with pytest.raises(Fenced):
            writer.run_blocking(insert, "b")
        assert not writer.holds_lease()
    finally:
        writer.stop()
    assert keys_in(own) == {"a"}


@pytest.mark.postgres
def test_two_first_starts_at_once_make_one_schema(postgres: Postgres):
    own = empty_schema(postgres)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: migrate.ensure_schema(own, backups=None, now=NOW), range(4)))
    assert revision_of(own) == migrate.HEAD


def test_a_schema_name_is_a_name_and_no_sql(postgres: Postgres):
    own = empty_schema(postgres, 'Odd "name"; DROP TABLE x')
    migrate.ensure_schema(own, backups=None, now=NOW)
    assert "orders" in tables(own)

    def schema(tx: Tx) -> object:
        return tx.fetch("SELECT current_schema()")[0][0]

    with writing(own) as writer:
        assert writer.call_blocking(schema) == own.schema
