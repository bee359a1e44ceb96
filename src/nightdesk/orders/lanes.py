"""One lane per account: what goes out next (cancels, then exits, then entries), and how fast the venue takes it."""

import asyncio
import heapq
import itertools
from collections.abc import Sequence

from nightdesk.model.enums import CommandKind
from nightdesk.orders.queued import Queued
from nightdesk.runtime.clock import Clock
from nightdesk.runtime.database import to_micros


class Budget:
    """A token bucket: `rate` messages a second, up to `burst` at once."""

    def __init__(self, clock: Clock, *, rate: float, burst: int) -> None:
        self._clock = clock
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at = clock.monotonic()

    def wait_seconds(self) -> float:
        """How long until the next message may leave; 0 takes a token."""
        now = self._clock.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return 0.0
        return (1.0 - self._tokens) / self._rate


class Lane:
    """The queue of one account; what stands in it is also in the database, so losing it loses nothing."""

    def __init__(self, clock: Clock, *, rate: float, burst: int) -> None:
        self._clock = clock
        self._budget = Budget(clock, rate=rate, burst=burst)
        self._heap: list[tuple[int, int, Queued]] = []
        self._tickets = itertools.count()
        self._known: set[tuple[str, str, int]] = set()
        self._arrived = asyncio.Event()

    @property
    def length(self) -> int:
        """How many commands wait here."""
        return len(self._heap)

    def add(self, queued: Sequence[Queued]) -> None:
        """The commands wait their turn; one that is waiting or being sent already is not added again."""
        for each in queued:
            key = _key(each)
            if key in self._known:
                continue
            self._known.add(key)
            heapq.heappush(self._heap, (_priority(each), next(self._tickets), each))
        if self._heap:
            self._arrived.set()

    async def next(self) -> Queued:
        """The most urgent command, once the venue's budget allows one."""
        while True:
            while not self._heap:
                self._arrived.clear()
                await self._arrived.wait()
            if self._heap[0][2].command.deadline_at <= to_micros(self._clock.now()):
                # Too late to send; the sweep ends it, and the budget is kept for what can still go.
                self.done(heapq.heappop(self._heap)[2])
                continue
            wait = self._budget.wait_seconds()
            if wait == 0.0:
                # Chosen after the wait, so that a cancel that came meanwhile goes first.
                return heapq.heappop(self._heap)[2]
            await self._clock.sleep(wait)

    def done(self, queued: Queued) -> None:
        """The command is out of the lane; if it has to go again it is added again."""
        self._known.discard(_key(queued))


def _key(queued: Queued) -> tuple[str, str, int]:
    return (queued.order.cl_ord_id, queued.command.kind.value, queued.command.number)


def _priority(queued: Queued) -> int:
    if queued.command.kind is CommandKind.CANCEL:
        return 0
    return 1 if queued.order.closing else 2
