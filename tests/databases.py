"""Real databases for tests: a fresh SQLite file, and PostgreSQL where there is a server or one can be started.

The server is looked for at NIGHTDESK_TEST_POSTGRES, then a private one is started from the installed programs (its
socket in a folder of its own, no port) and stopped at the end. Each run works in schemas of its own.
"""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from nightdesk.runtime.database import Database
from nightdesk.runtime.migrate import ensure_schema

VARIABLE = "NIGHTDESK_TEST_POSTGRES"
DEFAULT = "postgresql://postgres@127.0.0.1:5432/test"
INSTALLED = Path("/usr/lib/postgresql")
NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
DIALECTS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@dataclass
class Postgres:
    """A server to test on, or why there is none."""

    url: str = ""
    missing: str = ""
    schemas: list[str] = field(default_factory=list)

    def required(self) -> str:
        if self.missing:
            pytest.skip(f"PostgreSQL: not run, {self.missing}")
        return self.url

    def schema(self, name: str) -> Database:
        """An empty schema of this run's own."""
        url = self.required()
        with psycopg.connect(url, autocommit=True) as server:
            # A run that was killed left its schema behind, and its process number may come round again.
            server.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))
            server.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
        self.schemas.append(name)
        return Database(url, schema=name)

    def drop(self) -> None:
        if not self.schemas:
            return
        with psycopg.connect(self.url, autocommit=True) as server:
            # A test that failed may have left a transaction open; the end of the run does not wait for it.
            server.execute("SET lock_timeout = '5s'")
            while self.schemas:
                server.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(self.schemas.pop())))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The PostgreSQL server of this run."""
    with _found() as server:
        yield server
        server.drop()


@contextlib.contextmanager
def _found() -> Iterator[Postgres]:
    named = os.environ.get(VARIABLE)
    url = named or DEFAULT
    refused = _refusal(url)
    if refused is None:
        yield Postgres(url)
        return
    if named:
        yield Postgres(missing=f"{VARIABLE} names a server that does not answer ({refused})")
        return
    with _private() as server:
        yield server


def _refusal(url: str) -> str | None:
    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.Error as error:
        return type(error).__name__
    return None


@contextlib.contextmanager
def _private() -> Iterator[Postgres]:
    programs = sorted(INSTALLED.glob("*/bin/initdb"))
    if not programs:
        yield Postgres(missing=f"nothing answers at {DEFAULT} and no server is installed under {INSTALLED}")
        return
    folder = Path(tempfile.mkdtemp(prefix="nightdesk-postgres-"))
    run = _as_plain_user(folder)
    program, data = programs[-1].parent, folder / "data"
    start = f"-k {folder} -c listen_addresses= -c max_connections=50"
    try:
        run([str(program / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync"])
        run([str(program / "pg_ctl"), "-D", str(data), "-o", start, "-l", str(folder / "log"), "-w", "start"])
    except subprocess.CalledProcessError as error:
        shutil.rmtree(folder, ignore_errors=True)
        yield Postgres(missing=f"a private server could not be started ({error})")
        return
    try:
        yield Postgres(f"postgresql://postgres@/postgres?host={folder}")
    finally:
        run([str(program / "pg_ctl"), "-D", str(data), "-m", "immediate", "-w", "stop"])
        shutil.rmtree(folder, ignore_errors=True)


def _as_plain_user(folder: Path) -> Callable[[list[str]], object]:
    """PostgreSQL refuses to run as root, so there it runs as `postgres` or, where nobody is called that, `nobody`."""
    user: str | int | None = None
    if os.geteuid() == 0:
        names = {entry.pw_name for entry in pwd.getpwall()}
        user = "postgres" if "postgres" in names else "nobody"
        shutil.chown(folder, user)

    def run(command: list[str]) -> object:
        return subprocess.run(
            command, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60
        )

    return run


@dataclass
class Templates:
    """Migrated once, handed out many times."""

    postgres: Postgres
    folder: Path
    _schema: Database | None = None

    def sqlite(self, path: Path) -> Database:
        """A migrated SQLite file at the path."""
        template = self.folder / "template.db"
        if not template.exists():
            ensure_schema(Database(template), backups=None, now=NOW)
        shutil.copyfile(template, path)
        return Database(path)

    def postgresql(self) -> Database:
        """The migrated schema of this run, with every table empty."""
        if self._schema is None:
            self._schema = self.postgres.schema(f"nightdesk_test_{os.getpid()}")
            ensure_schema(self._schema, backups=None, now=NOW)
        with psycopg.connect(self._schema.url, autocommit=True) as server:
            server.execute("SET lock_timeout = '5s'")
            tables = server.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename <> 'alembic_version'",
                (self._schema.schema,),
            ).fetchall()
            # DELETE, since TRUNCATE makes new files for every table and index each time.
            for (table,) in tables:
                server.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(str(self._schema.schema), table)))
        return self._schema


@pytest.fixture(scope="session")
def templates(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """Databases at the newest schema."""
    return Templates(postgres, tmp_path_factory.mktemp("databases"))


@pytest.fixture(params=DIALECTS)
def database(request: pytest.FixtureRequest, templates: Templates, tmp_path: Path) -> Database:
    """An empty migrated database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return templates.sqlite(tmp_path / "nightdesk.db")
    return templates.postgresql()


@pytest.fixture
def sqlite(templates: Templates, tmp_path: Path) -> Database:
    """An empty migrated SQLite database."""
    return templates.sqlite(tmp_path / "nightdesk.db")


@pytest.fixture
def postgresql(templates: Templates) -> Database:
    """An empty migrated PostgreSQL schema; the test is skipped where there is no server."""
    return templates.postgresql()
