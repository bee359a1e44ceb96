"""Rows of the desk itself: facts about the installation, events in their order, and how far each consumer has read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from nightdesk.runtime.database import Tx

_ENCODE = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One line of an account's history; `data` is JSON, `at` in microseconds."""

    account_id: str
    seq: int
    owner_id: str
    topic: str
    cl_ord_id: str | None
    at: int
    data: str


def event_row(
    account_id: str, seq: int, owner_id: str, topic: str, cl_ord_id: str | None, at: int, data: Mapping[str, str]
) -> tuple[object, ...]:
    """The row of one event, ready for `add_events`."""
    return (account_id, seq, owner_id, topic, cl_ord_id, at, _ENCODE(data))


def add_events(tx: Tx, rows: list[tuple[object, ...]]) -> None:
    """The events are part of this transaction."""
    tx.many("INSERT INTO events (account_id, seq, owner_id, topic, cl_ord_id, at, data) VALUES (?,?,?,?,?,?,?)", rows)


def events_after(tx: Tx, account_id: str, seq: int, limit: int) -> list[EventRow]:
    """The next events of an account, oldest first."""
    rows = tx.fetch(
        "SELECT account_id, seq, owner_id, topic, cl_ord_id, at, data FROM events"
        " WHERE account_id = ? AND seq > ? ORDER BY seq LIMIT ?",
        (account_id, seq, limit),
    )
    return [
        EventRow(account_id=r[0], seq=r[1], owner_id=r[2], topic=r[3], cl_ord_id=r[4], at=r[5], data=r[6]) for r in rows
    ]


def cursor(tx: Tx, consumer: str, account_id: str) -> int:
    """How far the consumer has read; 0 before its first event."""
    rows = tx.fetch("SELECT seq FROM cursors WHERE consumer = ? AND account_id = ?", (consumer, account_id))
    return int(rows[0][0]) if rows else 0


def move_cursor(tx: Tx, consumer: str, account_id: str, seq: int) -> None:
    """The consumer has dealt with everything up to `seq`, in the same transaction as what it did about it."""
    tx.execute(
        "INSERT INTO cursors (consumer, account_id, seq) VALUES (?,?,?)"
        " ON CONFLICT (consumer, account_id) DO UPDATE SET seq = excluded.seq",
        (consumer, account_id, seq),
    )


def remember(tx: Tx, key: str, value: str) -> str:
    """The value kept under the key: the given one, unless another was kept before."""
    tx.execute("INSERT INTO meta (key, value) VALUES (?,?) ON CONFLICT (key) DO NOTHING", (key, value))
    return str(tx.fetch("SELECT value FROM meta WHERE key = ?", (key,))[0][0])


def replace_remembered(tx: Tx, key: str, value: str) -> None:
    """The value kept under the key is the given one."""
    tx.execute(
        "INSERT INTO meta (key, value) VALUES (?,?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, value),
    )


def touch_place(tx: Tx, name: str, fence: int, batch: int, lease_micros: int) -> bool:
    """True when the writer still holds its place; the batch it is about to commit is noted with it."""
    if tx.postgres:
        return (
            tx.execute(
                "UPDATE writers SET batch = ?,"
                " lease_until = (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint + ?"
                " WHERE name = ? AND fence = ?",
                (batch, lease_micros, name, fence),
            )
            == 1
        )
    return tx.execute("UPDATE writers SET batch = ? WHERE name = ? AND fence = ?", (batch, name, fence)) == 1


def place(tx: Tx, name: str) -> tuple[int, int, str, int]:
    """The place's fence, last batch, holder and end of lease (microseconds), locked; made where it is new."""
    tx.execute(
        "INSERT INTO writers (name, fence, batch, holder, lease_until) VALUES (?, 0, 0, '', 0)"
        " ON CONFLICT (name) DO NOTHING",
        (name,),
    )
    row = tx.fetch_locked("SELECT fence, batch, holder, lease_until FROM writers WHERE name = ?", (name,))[0]
    return row[0], row[1], row[2], row[3]


def take_place(tx: Tx, name: str, fence: int, holder: str, lease_until: int) -> None:
    """The place belongs to the holder, under a new fence."""
    tx.execute(
        "UPDATE writers SET fence = ?, holder = ?, lease_until = ? WHERE name = ?", (fence, holder, lease_until, name)
    )


def leave_place(tx: Tx, name: str, fence: int) -> None:
    """The place is free, if it was still held under this fence."""
    tx.execute("UPDATE writers SET holder = '', lease_until = 0 WHERE name = ? AND fence = ?", (name, fence))


def living_holder(tx: Tx) -> str | None:
    """Who holds a place whose lease has not ended, None for nobody; PostgreSQL only, the places stay locked."""
    rows = tx.fetch_locked(
        "SELECT holder, lease_until - (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint FROM writers"
        " WHERE holder <> ''"
    )
    return next((str(holder) for holder, left in rows if left > 0), None)


def close_places(tx: Tx) -> None:
    """Whoever held a place before writes no more."""
    tx.execute("UPDATE writers SET fence = fence + 1, holder = '', lease_until = 0")


def schema_revision(tx: Tx) -> str | None:
    """The schema revision the database is at, None for an empty one."""
    if tx.postgres:
        probe = (
            "SELECT 1 FROM information_schema.tables"
            " WHERE table_schema = current_schema() AND table_name = 'alembic_version'"
        )
    else:
        probe = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
    if not tx.fetch(probe):
        return None
    rows = tx.fetch("SELECT version_num FROM alembic_version")
    return str(rows[0][0]) if rows else None


def bury(tx: Tx, consumer: str, account_id: str, seq: int, reason: str, now: int) -> None:
    """The event is set aside as a dead letter of the consumer, which goes on behind it."""
    tx.execute(
        "INSERT INTO dead_letters (consumer, account_id, seq, reason, at) VALUES (?,?,?,?,?)"
        " ON CONFLICT (consumer, account_id, seq) DO NOTHING",
        (consumer, account_id, seq, reason, now),
    )
    move_cursor(tx, consumer, account_id, seq)


def dead_letter(tx: Tx, consumer: str, account_id: str, seq: int) -> EventRow | None:
    """The event that was set aside, None where there is no such dead letter."""
    held = tx.fetch(
        "SELECT 1 FROM dead_letters WHERE consumer = ? AND account_id = ? AND seq = ?", (consumer, account_id, seq)
    )
    found = events_after(tx, account_id, seq - 1, 1) if held else []
    return found[0] if found and found[0].seq == seq else None


def dead_letters(tx: Tx, consumer: str) -> list[tuple[str, int, str]]:
    """Account, sequence and reason of everything the consumer set aside, oldest first."""
    rows = tx.fetch("SELECT account_id, seq, reason FROM dead_letters WHERE consumer = ? ORDER BY at, seq", (consumer,))
    return [(row[0], row[1], row[2]) for row in rows]


def unbury(tx: Tx, consumer: str, account_id: str, seq: int) -> None:
    """The dead letter is gone."""
    tx.execute(
        "DELETE FROM dead_letters WHERE consumer = ? AND account_id = ? AND seq = ?", (consumer, account_id, seq)
    )
