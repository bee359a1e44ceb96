"""Starts the victims, and writers that a test can take over."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from nightdesk.runtime.clock import Clock, SystemClock
from nightdesk.runtime.database import Database, PostgresConnection, SqliteConnection, Tx
from nightdesk.runtime.writer import LEASE_SECONDS, Verb, Writer

ROOT = Path(__file__).parents[2]


def victims(what: str, *words: object, crash_at: str = "", user: int | None = None) -> subprocess.CompletedProcess[str]:
    """The command has ended; its output is kept."""
    return subprocess.run(
        [sys.executable, "-m", "tests.runtime.victims", what, *(str(word) for word in words)],
        cwd=ROOT,
        env={**os.environ, "CRASH_AT": crash_at},
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
        user=user,
    )


def findings(what: str, *words: object) -> dict[str, object]:
    """What the command found."""
    done = victims(what, *words)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def words_of(database: Database) -> tuple[str, str]:
    """The address and the schema, as the victims take them."""
    return database.url, database.schema or ""


@contextmanager
def writing(
    database: Database, clock: Clock | None = None, *, holder: str = "here:1", lease: float = LEASE_SECONDS
) -> Iterator[Writer]:
    """A writer at work, stopped at the end."""
    writer = Writer(database, clock or SystemClock(), name="desk", holder=holder, lease=lease)
    writer.start()
    try:
        yield writer
    finally:
        writer.stop()


@contextmanager
def opened(database: Database, *, read_only: bool = False) -> Iterator[SqliteConnection | PostgresConnection]:
    """A connection, closed at the end."""
    connection = database.connect(read_only=read_only)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def locked(database: Database) -> Iterator[None]:
    """Another connection holds the write lock, on PostgreSQL the writer's own row."""
    with opened(database) as other:
        tx = other.begin()
        if database.postgres:
            tx.fetch_locked("SELECT name FROM writers")
        yield
        other.rollback()


@contextmanager
def held(writer: Writer) -> Iterator[None]:
    """The writer is busy with one piece of work until the block ends, so what is handed over meanwhile waits."""
    busy, release = threading.Event(), threading.Event()

    def work(_tx: Tx) -> None:
        busy.set()
        release.wait(10)

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(writer.call_blocking, work)
        assert busy.wait(10)
        try:
            yield
        finally:
            release.set()
            done.result(10)


def hand_over(writer: Writer, pool: ThreadPoolExecutor, verb: Verb[str, str], key: str) -> Future[str]:
    """The item waits in the writer's queue."""
    before = writer.waiting
    future = pool.submit(writer.run_blocking, verb, key)
    while writer.waiting == before and not future.done():
        threading.Event().wait(0.001)
    return future


async def waiting_for(writer: Writer, count: int) -> None:
    """So many items wait in the writer's queue."""
    while writer.waiting < count:  # noqa: ASYNC110 - nobody tells how long the queue is
        await asyncio.sleep(0)


def dead_pid() -> int:
    """The number of a process that no longer exists."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid
