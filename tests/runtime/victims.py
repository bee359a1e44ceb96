"""Processes for tests to kill: `python -m tests.runtime.victims <what> ...` imports all once, then forks each victim.

The last line that a command prints is JSON about what happened.
"""

import asyncio
import contextlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from nightdesk.runtime import crashpoints, migrate
from nightdesk.runtime.clock import SystemClock
from nightdesk.runtime.database import Database, SqliteConnection, StoreUnavailable, Tx
from nightdesk.runtime.store import schema_revision
from nightdesk.runtime.writer import Fenced, Writer

CALLERS = 8
NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)


def insert(tx: Tx, keys: Sequence[str], /) -> Sequence[str]:
    """Each key is a row."""
    tx.many("INSERT INTO meta (key, value) VALUES (?, ?)", [(key, "x") for key in keys])
    return keys


def keys_in(database: Database) -> set[str]:
    """The keys that are rows, read by a new connection."""
    connection = database.connect()
    try:
        rows = connection.begin_read().fetch("SELECT key FROM meta WHERE value = 'x'")
        connection.rollback()
        return {row[0] for row in rows}
    finally:
        connection.close()


def soundness(path: Path) -> str:
    """What SQLite's own check says of the file."""
    connection = SqliteConnection(path)
    try:
        connection.check()
        return "ok"
    finally:
        connection.close()


def forked(life: Callable[[], None]) -> int:
    """A process that lives the life and ends without the parent's clean-up."""
    pid = os.fork()
    if pid == 0:
        try:
            life()
        except BaseException as error:  # noqa: BLE001 - whatever it was, a victim ends here
            sys.stderr.write(f"victim: {error!r}\n")
        os._exit(3)
    return pid


def write_for_ever(database: Database, prefix: str, answers: int) -> None:
    """Many callers at once; a key is told to the parent only once its caller has the answer."""
    writer = Writer(database, SystemClock(), name="desk", holder=f"here:{os.getpid()}")
    writer.start()

    async def caller(number: int) -> None:
        for count in range(1_000_000):
            key = f"{prefix}-{number}-{count}"
            await writer.run(insert, key)
            os.write(answers, f"{key}\n".encode())

    async def everybody() -> None:
        await asyncio.gather(*(caller(number) for number in range(CALLERS)))

    asyncio.run(everybody())


def drained(answers: int) -> set[str]:
    """The answers that have arrived; the last may be half a line, which counts as none."""
    os.set_blocking(answers, False)
    text = b""
    with contextlib.suppress(BlockingIOError):
        while chunk := os.read(answers, 65536):
            text += chunk
    return set(text.decode().split("\n")[:-1])


def kill(url: str, schema: str, kills: int, seed: int) -> dict[str, object]:
    """Victims that write are killed at random moments and at the crash points; what was answered is compared."""
    database, rng = Database(url, schema=schema or None), random.Random(seed)
    longest = 0.06 if database.postgres else 0.03
    answered: set[str] = set()
    at_points = 0
    for number in range(kills):
        theirs, ours = os.pipe()
        point = rng.choice(("writer.before_commit", "writer.after_commit")) if number % 4 == 0 else ""
        passage = rng.randint(1, 12)

        def life(point: str = point, passage: int = passage, number: int = number, ours: int = ours) -> None:
            crashpoints.arm(f"{point}:{passage}" if point else "")
            write_for_ever(database, str(number), ours)

        pid = forked(life)
        os.close(ours)
        until = time.monotonic() + (5.0 if point else rng.uniform(0.0, longest))
        gone = 0
        while not gone and time.monotonic() < until:
            time.sleep(0.001)
            gone, _ = os.waitpid(pid, os.WNOHANG)
        if gone:
            at_points += 1
        else:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        answered |= drained(theirs)
        os.close(theirs)
    present = keys_in(database)
    return {
        "answered": len(answered),
        "present": len(present),
        "lost": sorted(answered - present)[:5],
        "never_handed_over": sorted(_beyond(answered, present))[:5],
        "at_points": at_points,
        "check": "ok" if database.path is None else soundness(database.path),
    }


def _beyond(answered: set[str], present: set[str]) -> set[str]:
    """Rows that no caller can have asked for: each asks for its next key only after the answer to the last."""
    known: dict[tuple[str, str], int] = {}
    for key in answered:
        victim, caller, count = key.split("-")
        known[victim, caller] = max(known.get((victim, caller), -1), int(count))
    found = set()
    for key in present:
        victim, caller, count = key.split("-")
        if int(count) > known.get((victim, caller), -1) + 1:
            found.add(key)
    return found


def copy(url: str, folder: str, copies: int, seed: int) -> dict[str, object]:
    """A victim that writes is stopped at random moments, and what its files hold then is opened elsewhere."""
    database, rng = Database(url), random.Random(seed)
    assert database.path is not None
    theirs, ours = os.pipe()
    pid = forked(lambda: write_for_ever(database, "0", ours))
    os.close(ours)
    answered: set[str] = set()
    lost: list[str] = []
    checks: set[str] = set()
    wal_sizes = []
    try:
        for number in range(copies):
            time.sleep(rng.uniform(0.0, 0.04) if number else 0.2)
            os.kill(pid, signal.SIGSTOP)
            os.waitpid(pid, os.WUNTRACED)
            answered |= drained(theirs)
            target = Path(folder) / f"{number}.db"
            wal = database.path.with_name(f"{database.path.name}-wal")
            shutil.copyfile(database.path, target)
            shutil.copyfile(wal, target.with_name(f"{target.name}-wal"))
            wal_sizes.append(wal.stat().st_size)
            os.kill(pid, signal.SIGCONT)
            checks.add(soundness(target))
            lost += answered - keys_in(Database(target))
            target.unlink()
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return {"answered": len(answered), "lost": lost[:5], "checks": sorted(checks), "most_wal": max(wal_sizes)}


def full(url: str, room: int) -> dict[str, object]:
    """No file may grow beyond a limit, as on a full disk; then there is room again."""
    database = Database(url)
    assert database.path is not None
    writer = Writer(database, SystemClock(), name="desk", holder="here:1")
    writer.start()
    wal = database.path.with_name(f"{database.path.name}-wal")
    largest = max(database.path.stat().st_size, wal.stat().st_size)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest + room, resource.RLIM_INFINITY))
    answered, refused, words = fill(writer)
    failing = writer.failing
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    answered.add(writer.run_blocking(insert, "afterwards"))
    present = keys_in(database)
    healed = not writer.failing
    writer.stop()
    return {
        "words": words,
        "answered": len(answered),
        "refused": len(refused),
        "same": present == answered,
        "failing": failing,
        "healed": healed,
        "check": soundness(database.path),
    }


def fill(writer: Writer) -> tuple[set[str], set[str], str]:
    """Keys written until three in a row were refused: those answered, those refused, and the words."""
    answered: set[str] = set()
    refused: set[str] = set()
    words = ""
    for number in range(20_000):
        key = f"{number}-{'k' * 2000}"
        try:
            answered.add(writer.run_blocking(insert, key))
        except StoreUnavailable as error:
            refused.add(key)
            words = str(error)
            if len(refused) == 3:
                break
    return answered, refused, words


def open_as_nobody(url: str) -> dict[str, object]:
    """Root may write anywhere, so it opens the database as somebody else."""
    if os.geteuid() == 0:
        os.setuid(65534)
    try:
        Database(url).connect().close()
    except StoreUnavailable as error:
        return {"refused": str(error)}
    return {}


def write_once(url: str, schema: str, key: str) -> dict[str, object]:
    """One row is handed over; CRASH_AT counts from here."""
    armed = os.environ.get("CRASH_AT", "")
    crashpoints.arm("")
    writer = Writer(Database(url, schema=schema or None), SystemClock(), name="desk", holder=f"here:{os.getpid()}")
    writer.start()
    crashpoints.arm(armed)
    print("handed over", flush=True)
    writer.run_blocking(insert, key)
    print("answered", flush=True)
    return {}


def lease(url: str, schema: str, seconds: float) -> dict[str, object]:
    """A writer that says, line by line, whether it holds its lease and what became of a write."""
    writer = Writer(Database(url, schema=schema), SystemClock(), name="desk", holder="elsewhere:1", lease=seconds)
    writer.start()
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() == "lease":
            print(writer.holds_lease(), flush=True)
            continue
        try:
            print(writer.run_blocking(insert, line.strip()), flush=True)
        except Fenced:
            print("fenced", flush=True)
    writer.stop()
    return {}


def use_scripts(scripts: str) -> None:
    """Migrations come from the folder, which has a revision 0002."""
    migrate.SCRIPTS, migrate.HEAD, migrate.KNOWN = Path(scripts), "0002", ("0001", "0002")


def upgrade(url: str, schema: str, scripts: str, backups: str) -> dict[str, object]:
    """The database is brought to revision 0002; CRASH_AT may end the process on the way."""
    use_scripts(scripts)
    migrate.ensure_schema(Database(url, schema=schema or None), backups=Path(backups), now=NOW)
    return {}


def upgrade_again(url: str, schema: str, scripts: str, backups: str, kills: int, seed: int) -> dict[str, object]:
    """Migrations are killed at random moments, over and over, each time from the old schema."""
    import alembic.command  # noqa: F401 - imported before the fork, so that the kill falls into the work

    database, rng = Database(url, schema=schema or None), random.Random(seed)
    use_scripts(scripts)
    found: dict[str, object] = {}
    began = time.monotonic()
    migrate.ensure_schema(database, backups=None, now=NOW)
    longest = (time.monotonic() - began) * 1.2
    for number in range(kills):
        migrate.migrate(database, "0001")
        folder = Path(backups) / str(number)
        pid = forked(lambda folder=folder: migrate.ensure_schema(database, backups=folder, now=NOW))  # type: ignore[misc]
        time.sleep(rng.uniform(0.0, longest))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        state = state_of(database)
        if state == "new" and not database.postgres:
            assert [soundness(each) for each in folder.glob("*.db")] == ["ok"]
        found[state] = int(str(found.get(state, 0))) + 1
    return found


def state_of(database: Database) -> str:
    """`old` or `new` when revision, table and data agree with each other, else what they are."""
    connection = database.connect()
    try:
        tx = connection.begin_read()
        revision = schema_revision(tx)
        table = bool(tx.fetch(_HAS_SECOND_PG if database.postgres else _HAS_SECOND))
        marked = tx.fetch("SELECT count(*) FROM meta WHERE value = 'second'")[0][0]
        connection.rollback()
    finally:
        connection.close()
    named = {("0001", False, 0): "old", ("0002", True, 1): "new"}
    return named.get((str(revision), table, int(marked)), f"half: {revision} {table} {marked}")


_HAS_SECOND = "SELECT 1 FROM sqlite_master WHERE name = 'second'"
_HAS_SECOND_PG = "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'second'"


def main(what: str, *words: str) -> None:
    """The command has run; its findings are the last line."""
    numbers = [int(word) if word.isdigit() else word for word in words]
    commands: dict[str, Callable[..., dict[str, object]]] = {
        "kill": kill, "copy": copy, "full": full, "open_as_nobody": open_as_nobody,
        "write_once": write_once, "upgrade": upgrade, "upgrade_again": upgrade_again,
    }  # fmt: skip
    result = lease(words[0], words[1], float(words[2])) if what == "lease" else commands[what](*numbers)
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
