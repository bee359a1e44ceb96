"""Reports on their way from any thread into one event loop."""

import asyncio
from collections import deque

from nightdesk.model.execution import ExecutionReport


class Inbox:
    """A queue that is filled from any thread and emptied by one task; the loop is woken once per batch."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._items: deque[ExecutionReport | None] = deque()
        self._arrived = asyncio.Event()
        self._waking = False

    def put(self, item: ExecutionReport | None) -> None:
        """The item is in the queue and its reader will wake; None ends it."""
        self._items.append(item)
        # A loop that has ended has nobody left to tell.
        if not self._waking and not self._loop.is_closed():
            self._waking = True
            self._loop.call_soon_threadsafe(self._wake)

    async def get(self) -> ExecutionReport | None:
        """The oldest item, as soon as there is one."""
        while not self._items:
            self._arrived.clear()
            await self._arrived.wait()
        return self._items.popleft()

    def _wake(self) -> None:
        # Down before up: an item that finds the flag still up was queued before the reader looks.
        self._waking = False
        self._arrived.set()
