"""Brings a database to the schema this version of the code knows, or refuses."""

import logging
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from nightdesk.runtime.crashpoints import reached
from nightdesk.runtime.database import Database, PostgresConnection, SqliteConnection, StoreUnavailable, Tx
from nightdesk.runtime.store import close_places, living_holder, schema_revision
from nightdesk.runtime.writer import Fenced

if TYPE_CHECKING:
    from sqlalchemy import Connection

log = logging.getLogger(__name__)

HEAD = "0001"
KNOWN = ("0001",)
SCRIPTS = Path(__file__).parent / "migrations"
KEPT_BACKUPS = 7


class SchemaTooNew(StoreUnavailable):
    """The database was written by a newer version; this one does not touch it."""


def current_revision(connection: SqliteConnection | PostgresConnection) -> str | None:
    """The schema revision the database is at, None for an empty one."""
    try:
        return schema_revision(connection.begin_read())
    finally:
        connection.rollback()


def ensure_schema(database: Database, *, backups: Path | None, now: datetime) -> None:
    """The database has exactly the schema of this version; an older one was copied to `backups` first.

    The change is one transaction, so a crash leaves the old schema or the new one. Raises SchemaTooNew, StoreDamaged,
    StoreUnavailable, and Fenced where a living desk still works on an older schema.
    """
    if database.path is not None and database.path.exists():
        _check(database)
    connection = database.connect()
    try:
        revision = current_revision(connection)
        if revision == HEAD:
            return
        if revision is not None and revision not in KNOWN:
            raise SchemaTooNew(
                f"the database is at schema {revision}, this version knows up to {HEAD}; start the newer version, or"
                " restore the backup that was made when it was upgraded"
            )
        if revision is not None and backups is not None and isinstance(connection, SqliteConnection):
            _back_up(connection, backups, revision, now)
    finally:
        connection.close()
    migrate(database, HEAD)


def _check(database: Database) -> None:
    # Read-only: the last writing connection to close would move the log into a file that may be damaged.
    connection = database.connect(read_only=True)
    try:
        if isinstance(connection, SqliteConnection):
            connection.check()
    finally:
        connection.close()


def _back_up(connection: SqliteConnection, backups: Path, revision: str, now: datetime) -> None:
    backups.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = backups / f"nightdesk-{revision}-{now:%Y%m%dT%H%M%S}.db"
    # Only a whole copy bears the name of one.
    unfinished = target.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    try:
        connection.backup_to(unfinished)
    except Exception as error:
        unfinished.unlink(missing_ok=True)
        if connection.unavailable(error):
            raise StoreUnavailable(
                f"{target} could not be written ({error}), so the schema was left at {revision}; make room there, then"
                " start again"
            ) from error
        raise
    unfinished.replace(target)
    log.info("store.backed_up", extra={"path": str(target), "revision": revision})
    for old in sorted(backups.glob("nightdesk-*.db"))[:-KEPT_BACKUPS]:
        old.unlink()


def migrate(database: Database, revision: str) -> None:
    """The database is at the revision, up or down; `base` empties it.

    Raises StoreUnavailable, and Fenced where a living desk works on another schema.
    """
    import sqlalchemy as sa
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    engine = sa.create_engine(_sqlalchemy_url(database), poolclass=sa.NullPool)
    if not database.postgres:
        _explicit_transactions(engine)
    try:
        with engine.connect() as connection, connection.begin():
            if database.postgres:
                _take_turn(connection, database.schema, revision)
            config.attributes["connection"] = connection
            if revision == "base" or (revision in KNOWN and _is_below(connection, revision)):
                command.downgrade(config, revision)
            else:
                command.upgrade(config, revision)
            reached("migrate.before_commit")
    except sa.exc.OperationalError as error:
        raise StoreUnavailable(f"the schema was left as it was: {error.orig}") from error
    finally:
        engine.dispose()


def _is_below(connection: "Connection", revision: str) -> bool:
    from alembic.runtime.migration import MigrationContext

    current = MigrationContext.configure(connection).get_current_revision()
    return current is not None and current > revision


def _take_turn(connection: "Connection", schema: str | None, revision: str) -> None:
    """No other process migrates or writes until the transaction ends, and none of an older version afterwards."""
    import sqlalchemy as sa

    if schema is not None:
        connection.execute(sa.select(sa.func.set_config("search_path", sa.func.quote_ident(schema), sa.true())))
    # Two processes that start at once take turns; the second finds the work done.
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(7166316)"))
    tx = Tx(connection.connection.cursor(), postgres=True)
    if schema_revision(tx) in (None, revision):
        return
    holder = living_holder(tx)
    if holder is not None:
        raise Fenced(f"a desk of another version works on this database ({holder}); stop it, then start this one")
    close_places(tx)


def _sqlalchemy_url(database: Database) -> str:
    if database.postgres:
        return "postgresql+psycopg://" + database.url.split("://", 1)[1]
    return f"sqlite:///{database.path}"


def _explicit_transactions(engine: "object") -> None:
    """SQLAlchemy's SQLite driver opens transactions only when it thinks it must; schema changes must be in one."""
    from sqlalchemy import Connection, event

    def on_connect(dbapi_connection: object, _record: object) -> None:
        dbapi_connection.isolation_level = None  # type: ignore[attr-defined]  # sqlite3's name for "leave BEGIN to me"

    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
