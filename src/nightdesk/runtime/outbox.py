"""Durable reactions to events: each consumer keeps its place in the transaction of its effect.

Publishing is only a wake-up. An event that a consumer cannot digest is tried a few times, then set aside as a dead
letter, so that the queue moves on; it can be replayed once the cause is mended.
"""

import contextlib
import logging
from collections.abc import Callable, Sequence

from nightdesk.runtime import store
from nightdesk.runtime.changes import Bell, Changes
from nightdesk.runtime.clock import Clock
from nightdesk.runtime.database import StoreUnavailable, Tx, to_micros
from nightdesk.runtime.store import EventRow
from nightdesk.runtime.writer import Overloaded, Writer

log = logging.getLogger(__name__)

Reaction = Callable[[Tx, EventRow], None]
"""What one event does, inside the transaction that also moves the cursor; it may run again after a rollback."""

MOST_AT_ONCE = 100
TRIES = 5
SWEEP_SECONDS = 1.0
PAUSE_SECONDS = 0.25


class Consumer:
    """One durable reader of the events of some accounts."""

    def __init__(self, name: str, react: Reaction, writer: Writer, clock: Clock) -> None:
        self._name = name
        self._react = react
        self._writer = writer
        self._clock = clock
        self._failures: dict[tuple[str, int], int] = {}

    async def run(self, account_ids: Sequence[str], changes: Changes) -> None:
        """Every event of the accounts is reacted to, soon after it happened, until cancelled."""
        bell = Bell()
        forget = changes.subscribe(bell.ring)
        try:
            while True:
                for account_id in account_ids:
                    await self.catch_up(account_id)
                with contextlib.suppress(TimeoutError):
                    async with self._clock.timeout(SWEEP_SECONDS):
                        await bell.wait()
                # Many changes in a row are one piece of news: a look costs a commit.
                await self._clock.sleep(PAUSE_SECONDS)
        finally:
            forget()

    async def catch_up(self, account_id: str) -> None:
        """The consumer has dealt with everything that was there, as far as the database allowed."""
        while True:
            try:
                more = await self._writer.call(lambda tx: self._batch(tx, account_id))
            except (StoreUnavailable, Overloaded) as error:
                log.warning("outbox.waits", extra={"consumer": self._name, "reason": str(error)})
                return
            except Exception:
                log.exception("outbox.failed", extra={"consumer": self._name, "account_id": account_id})
                if not await self._one_by_one(account_id):
                    return
                continue
            if not more:
                return

    def _batch(self, tx: Tx, account_id: str) -> bool:
        after = store.cursor(tx, self._name, account_id)
        events = store.events_after(tx, account_id, after, MOST_AT_ONCE)
        for event in events:
            self._react(tx, event)
        if events:
            store.move_cursor(tx, self._name, account_id, events[-1].seq)
        return len(events) == MOST_AT_ONCE

    async def _one_by_one(self, account_id: str) -> bool:
        """True when the next event is out of the way: digested, or set aside after its last try."""
        try:
            await self._writer.call(lambda tx: self._next(tx, account_id))
        except (StoreUnavailable, Overloaded):
            return False
        except Exception as error:  # noqa: BLE001 - kept in words with the dead letter, and logged there
            return await self._set_aside(account_id, f"{type(error).__name__}: {error}")
        return True

    def _next(self, tx: Tx, account_id: str) -> None:
        after = store.cursor(tx, self._name, account_id)
        for event in store.events_after(tx, account_id, after, 1):
            self._react(tx, event)
            store.move_cursor(tx, self._name, account_id, event.seq)

    async def _set_aside(self, account_id: str, reason: str) -> bool:
        now = to_micros(self._clock.now())
        seq = await self._writer.call(lambda tx: store.cursor(tx, self._name, account_id)) + 1
        tries = self._failures[account_id, seq] = self._failures.get((account_id, seq), 0) + 1
        if tries < TRIES:
            return False
        await self._writer.call(lambda tx: store.bury(tx, self._name, account_id, seq, reason[:500], now))
        del self._failures[account_id, seq]
        log.error("outbox.dead_letter", extra={"consumer": self._name, "account_id": account_id, "seq": seq})
        return True


def replay(tx: Tx, consumer: str, account_id: str, seq: int, react: Reaction) -> bool:
    """True when the dead letter was digested now and is gone; what the reaction raises leaves it where it is."""
    event = store.dead_letter(tx, consumer, account_id, seq)
    if event is None:
        return False
    react(tx, event)
    store.unbury(tx, consumer, account_id, seq)
    return True
