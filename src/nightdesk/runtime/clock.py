"""Time as a port: the system's, or a virtual one that jumps to the next sleeper when all are idle."""

import asyncio
import heapq
import itertools
import time
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """The only way to ask for the time or to wait."""

    def now(self) -> datetime:
        """The wall clock, aware UTC; it may jump, so never measure a duration with it."""

    def monotonic(self) -> float:
        """Seconds that never go back, from an arbitrary zero."""

    async def sleep(self, seconds: float) -> None:
        """Returns once so many monotonic seconds have passed."""

    async def sleep_until(self, moment: datetime) -> None:
        """Returns once the wall clock has reached the moment."""

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """Raises TimeoutError inside the block once so many seconds have passed."""


# Where the system has a clock that goes on while the machine sleeps, a lease ends under a closed lid as well.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The wall clock, aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never go back, those that the machine slept through included."""
        return time.clock_gettime(_STEADY)

    async def sleep(self, seconds: float) -> None:
        """Returns once so many seconds have passed."""
        await asyncio.sleep(seconds)

    async def sleep_until(self, moment: datetime) -> None:
        """Returns once the wall clock has reached the moment, also when it is set back or forward meanwhile."""
        while (left := (moment - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 - setting a clock is no event
            await asyncio.sleep(min(left, 30.0))

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """Raises TimeoutError inside the block once so many seconds have passed."""
        return asyncio.timeout(seconds)


class VirtualClock:
    """A clock for tests and replays: time stands still until every task sleeps, then jumps to the next waking."""

    def __init__(self, start: datetime = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = 0.0
        self._skew = timedelta(0)
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._tickets = itertools.count()
        self._driver: asyncio.Task[None] | None = None

    def now(self) -> datetime:
        """The virtual wall clock."""
        return self._start + timedelta(seconds=self._elapsed) + self._skew

    def monotonic(self) -> float:
        """Virtual seconds since the start."""
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Time has moved on by so many seconds; sleepers that are due wake when the loop next runs."""
        self._elapsed += seconds
        self._wake_due()

    def set_wall(self, moment: datetime) -> None:
        """The wall clock has jumped, as when NTP steps it; monotonic time has not."""
        self._skew = moment - (self._start + timedelta(seconds=self._elapsed))

    async def sleep(self, seconds: float) -> None:
        """Returns once so many virtual seconds have passed."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._tickets), future))
        if self._driver is None or self._driver.done():
            self._driver = asyncio.get_running_loop().create_task(self._drive())
        await future

    async def sleep_until(self, moment: datetime) -> None:
        """Returns once the virtual wall clock has reached the moment."""
        while (left := (moment - self.now()).total_seconds()) > 0:
            await self.sleep(left)

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """Raises TimeoutError inside the block once so many virtual seconds have passed."""
        return _VirtualTimeout(self, seconds)

    def _wake_due(self) -> None:
        while self._sleepers and (self._sleepers[0][2].done() or self._sleepers[0][0] <= self._elapsed):
            future = heapq.heappop(self._sleepers)[2]
            if not future.done():
                future.set_result(None)

    async def _drive(self) -> None:
        # Idle means that a number of turns of the loop woke nobody; only then may time move.
        while self._sleepers:
            for _ in range(20):
                await asyncio.sleep(0)
            # Sleepers that were cancelled meanwhile move nothing.
            self._wake_due()
            if self._sleepers:
                self._elapsed = max(self._elapsed, self._sleepers[0][0])
                self._wake_due()


class _VirtualTimeout:
    def __init__(self, clock: VirtualClock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._expired = False
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._alarm: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._task = asyncio.current_task()
        self._cancelling = self._task.cancelling() if self._task is not None else 0
        self._alarm = asyncio.get_running_loop().create_task(self._ring())

    async def _ring(self) -> None:
        await self._clock.sleep(self._seconds)
        self._expired = True
        if self._task is not None:
            self._task.cancel()

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        if not self._expired or self._task is None:
            return
        # As asyncio.timeout does: our own cancellation is taken back, and one from elsewhere goes on.
        ours = self._task.uncancel() <= self._cancelling
        if ours and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise TimeoutError
