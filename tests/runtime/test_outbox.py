"""Reactions survive: row 7 (published later, never lost) and row 61 (a poison message)."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nightdesk.runtime import store
from nightdesk.runtime.changes import Changes
from nightdesk.runtime.clock import SystemClock
from nightdesk.runtime.database import Database, Tx
from nightdesk.runtime.migrate import ensure_schema
from nightdesk.runtime.outbox import TRIES, Consumer, replay
from nightdesk.runtime.store import EventRow
from nightdesk.runtime.writer import Writer

ACCOUNT = "paper"


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    database = Database(tmp_path / "desk.db")
    ensure_schema(database, backups=None, now=datetime.now(UTC))
    writer = Writer(database, SystemClock(), name="desk", holder="here:1")
    writer.start()
    yield writer
    writer.stop()


def happen(writer: Writer, *seqs: int) -> None:
    rows = [store.event_row(ACCOUNT, seq, "operator", "order.updated", None, seq, {"n": str(seq)}) for seq in seqs]
    writer.call_blocking(lambda tx: store.add_events(tx, rows))


def effects(writer: Writer) -> list[str]:
    return writer.call_blocking(lambda tx: [row[0] for row in tx.fetch("SELECT key FROM meta ORDER BY value")])


def note(tx: Tx, event: EventRow) -> None:
    store.remember(tx, f"seen:{event.seq}", f"{event.seq:06d}")


async def test_every_event_has_its_effect_once_and_the_place_is_kept_with_it(writer: Writer) -> None:
    """Row 7."""
    happen(writer, *range(1, 251))
    clock = SystemClock()
    await Consumer("notes", note, writer, clock).catch_up(ACCOUNT)
    assert len(effects(writer)) == 250

    happen(writer, 251)
    again = []

    def count(tx: Tx, event: EventRow) -> None:
        again.append(event.seq)
        note(tx, event)

    await Consumer("notes", count, writer, clock).catch_up(ACCOUNT)
    assert again == [251]


async def test_an_effect_that_was_rolled_back_comes_again(writer: Writer) -> None:
    """Row 7: cursor and effect stand or fall together."""
    happen(writer, 1, 2, 3)
    fails = [True]

    def once(tx: Tx, event: EventRow) -> None:
        note(tx, event)
        if event.seq == 2 and fails.pop():
            fails.append(False)
            raise ValueError("not now")

    consumer = Consumer("notes", once, writer, SystemClock())
    await consumer.catch_up(ACCOUNT)
    assert effects(writer) == ["seen:1", "seen:2", "seen:3"]


async def test_a_poison_event_is_set_aside_after_its_tries_and_the_queue_moves_on(writer: Writer) -> None:
    """Row 61."""
    happen(writer, 1, 2, 3)
    tried = []

    def chokes(tx: Tx, event: EventRow) -> None:
        if event.seq == 2:
            tried.append(2)
            raise ValueError("cannot digest")
        note(tx, event)

    consumer = Consumer("notes", chokes, writer, SystemClock())
    for _ in range(TRIES + 1):
        await consumer.catch_up(ACCOUNT)

    assert effects(writer) == ["seen:1", "seen:3"]
    letters = writer.call_blocking(lambda tx: store.dead_letters(tx, "notes"))
    assert letters == [(ACCOUNT, 2, "ValueError: cannot digest")]
    assert len(tried) <= 3 * TRIES


async def test_a_dead_letter_is_replayed_once_its_cause_is_mended(writer: Writer) -> None:
    """Row 61."""
    happen(writer, 1)
    writer.call_blocking(lambda tx: store.bury(tx, "notes", ACCOUNT, 1, "ValueError", 5))

    with pytest.raises(ZeroDivisionError):
        writer.call_blocking(lambda tx: replay(tx, "notes", ACCOUNT, 1, lambda _tx, _event: 1 / 0))
    assert writer.call_blocking(lambda tx: replay(tx, "notes", ACCOUNT, 1, note))
    assert effects(writer) == ["seen:1"]
    assert not writer.call_blocking(lambda tx: replay(tx, "notes", ACCOUNT, 1, note))
    assert writer.call_blocking(lambda tx: store.dead_letters(tx, "notes")) == []


async def test_a_running_consumer_hears_of_news_at_once(writer: Writer) -> None:
    changes = Changes()
    consumer = Consumer("notes", note, writer, SystemClock())
    running = asyncio.create_task(consumer.run([ACCOUNT], changes))
    await asyncio.sleep(0.05)
    await asyncio.to_thread(happen, writer, 1)
    changes.publish(["order"])
    for _ in range(80):
        if await asyncio.to_thread(effects, writer):
            break
        await asyncio.sleep(0.01)
    assert await asyncio.to_thread(effects, writer) == ["seen:1"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
