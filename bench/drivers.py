"""`python -m bench.drivers`: psycopg called by the writer's thread against asyncpg on a loop in that thread.

Both do the batch of an accept (8 statements between BEGIN and COMMIT) on the PostgreSQL server at
NIGHTDESK_TEST_POSTGRES, in a schema of their own, in alternating rounds. asyncpg is no dependency: install it first.
"""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

from nightdesk.runtime.database import Database, PostgresConnection

URL = os.environ.get("NIGHTDESK_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")
SCHEMA = f"nightdesk_bench_{os.getpid()}"
ROUNDS = 7
SECONDS = 0.5
SIGNAL_TEXTS, ORDER_TEXTS = 19, 30

SIGNAL_COLUMNS = ", ".join(f"t{n} TEXT" for n in range(SIGNAL_TEXTS))
ORDER_COLUMNS = ", ".join(f"t{n} TEXT" for n in range(ORDER_TEXTS))

Row = tuple[object, ...]

TABLES = (
    "CREATE TABLE places (name TEXT PRIMARY KEY, batch BIGINT NOT NULL)",
    "CREATE TABLE accounts (account_id TEXT PRIMARY KEY, cash NUMERIC NOT NULL, event_seq BIGINT NOT NULL)",
    "CREATE TABLE positions (account_id TEXT, symbol TEXT, qty NUMERIC NOT NULL, PRIMARY KEY (account_id, symbol))",
    f"CREATE TABLE signals (id TEXT PRIMARY KEY, {SIGNAL_COLUMNS})",
    f"CREATE TABLE orders (id TEXT PRIMARY KEY, signal_id TEXT, qty NUMERIC, px NUMERIC, at BIGINT, {ORDER_COLUMNS})",
    "CREATE INDEX orders_signal ON orders (signal_id)",
    "CREATE TABLE events (account_id TEXT, seq BIGINT, at BIGINT, data TEXT, PRIMARY KEY (account_id, seq))",
    "INSERT INTO places VALUES ('desk', 0)",
    "INSERT INTO accounts VALUES ('a', 100000, 0)",
    "INSERT INTO positions SELECT 'a', 's' || n, n FROM generate_series(1, 10) n",
)
TOUCH = "UPDATE places SET batch = ? WHERE name = ?"
ACCOUNT = "SELECT account_id, cash, event_seq FROM accounts WHERE account_id = ? FOR UPDATE"
POSITIONS = "SELECT symbol, qty FROM positions WHERE account_id = ?"
SIGNALS = f"INSERT INTO signals VALUES ({','.join('?' * (SIGNAL_TEXTS + 1))})"
ORDERS = f"INSERT INTO orders VALUES ({','.join('?' * (ORDER_TEXTS + 5))})"
EVENTS = "INSERT INTO events VALUES (?,?,?,?)"
ACCOUNT_AFTER = "UPDATE accounts SET cash = ?, event_seq = ? WHERE account_id = ?"
POSITION_AFTER = "UPDATE positions SET qty = ? WHERE account_id = ? AND symbol = ?"


def rows(prefix: str, batch: int, size: int, seq: int) -> tuple[list[Row], list[Row], list[Row]]:
    """What one batch inserts: signals, orders, events."""
    ids = [f"{prefix}-{batch}-{number}" for number in range(size)]
    text = "a middling text of some length"
    return (
        [(each, *(text for _ in range(SIGNAL_TEXTS))) for each in ids],
        [(each, each, Decimal("0.1"), Decimal("68022.11"), batch, *(text for _ in range(ORDER_TEXTS))) for each in ids],
        [("a", seq + number + 1, batch, '{"ord_status":"PENDING_NEW"}') for number in range(size)],
    )


def with_psycopg(prefix: str, size: int) -> list[float]:
    """Seconds per batch, as the writer does them: each statement is called and waited for."""
    connection = PostgresConnection(URL, schema=SCHEMA)
    taken = []
    until = time.perf_counter() + SECONDS
    batch = 0
    while time.perf_counter() < until:
        batch += 1
        began = time.perf_counter()
        tx = connection.begin()
        tx.execute(TOUCH, (batch, "desk"))
        _, cash, seq = tx.fetch(ACCOUNT, ("a",))[0]
        tx.fetch(POSITIONS, ("a",))
        signals, orders, events = rows(prefix, batch, size, seq)
        tx.many(SIGNALS, signals)
        tx.many(ORDERS, orders)
        tx.many(EVENTS, events)
        tx.execute(ACCOUNT_AFTER, (cash, seq + size, "a"))
        tx.execute(POSITION_AFTER, (Decimal(batch), "a", "s1"))
        connection.commit()
        taken.append(time.perf_counter() - began)
    connection.close()
    return taken


def with_asyncpg(prefix: str, size: int) -> list[float]:
    """Seconds per batch on an event loop of this thread's own."""
    return asyncio.run(_on_a_loop(prefix, size))


async def _on_a_loop(prefix: str, size: int) -> list[float]:
    import asyncpg  # type: ignore[import-untyped]  # it ships no types, and is measured only

    connection = await asyncpg.connect(URL, server_settings={"search_path": SCHEMA})
    many: Callable[[str, Sequence[Row]], Awaitable[Any]] = connection.executemany
    taken = []
    until = time.perf_counter() + SECONDS
    batch = 0
    while time.perf_counter() < until:
        batch += 1
        began = time.perf_counter()
        await connection.execute("BEGIN")
        await connection.execute(dollars(TOUCH), batch, "desk")
        _, cash, seq = (await connection.fetch(dollars(ACCOUNT), "a"))[0]
        await connection.fetch(dollars(POSITIONS), "a")
        signals, orders, events = rows(prefix, batch, size, seq)
        await many(dollars(SIGNALS), signals)
        await many(dollars(ORDERS), orders)
        await many(dollars(EVENTS), events)
        await connection.execute(dollars(ACCOUNT_AFTER), cash, seq + size, "a")
        await connection.execute(dollars(POSITION_AFTER), Decimal(batch), "a", "s1")
        await connection.execute("COMMIT")
        taken.append(time.perf_counter() - began)
    await connection.close()
    return taken


_DOLLARS: dict[str, str] = {}


def dollars(sql: str) -> str:
    """The statement with asyncpg's placeholders."""
    text = _DOLLARS.get(sql)
    if text is None:
        first, *rest = sql.split("?")
        text = _DOLLARS[sql] = first + "".join(f"${number}{part}" for number, part in enumerate(rest, 1))
    return text


def measure() -> list[str]:
    """A line for each size of batch: the medians of the rounds' medians, and their ratio."""
    lines = []
    admin = Database(URL).connect()
    admin.begin().execute(f"CREATE SCHEMA {SCHEMA}")
    admin.commit()
    try:
        setting = PostgresConnection(URL, schema=SCHEMA)
        tx = setting.begin()
        for statement in TABLES:
            tx.execute(statement)
        setting.commit()
        setting.close()
        with ThreadPoolExecutor(1, thread_name_prefix="writer") as writer:
            for size in (1, 32):
                found: dict[str, list[float]] = {"psycopg": [], "asyncpg": []}
                for number in range(ROUNDS):
                    for name, run in (("psycopg", with_psycopg), ("asyncpg", with_asyncpg)):
                        taken = writer.submit(run, f"{name}-{size}-{number}", size).result()
                        found[name].append(statistics.median(taken) * 1e6)
                lines.append(line(size, found))
    finally:
        admin.begin().execute(f"DROP SCHEMA {SCHEMA} CASCADE")
        admin.commit()
        admin.close()
    return lines


def line(size: int, found: dict[str, list[float]]) -> str:
    """What is printed of one size."""
    ratios = [theirs / ours for ours, theirs in zip(found["psycopg"], found["asyncpg"], strict=True)]
    ours, theirs = statistics.median(found["psycopg"]), statistics.median(found["asyncpg"])
    return (
        f"drivers  batch of {size:>2}: psycopg {ours:,.0f} us, asyncpg {theirs:,.0f} us,"
        f" asyncpg/psycopg {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f} in {ROUNDS} rounds)"
    )


if __name__ == "__main__":
    sys.stdout.write("\n".join(measure()) + "\n")
