"""Wake-ups: who waits for news of something is told that there is some. The news itself is in the database."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Iterable

log = logging.getLogger(__name__)


class Changes:
    """Says that rows changed, to any number of listeners in any thread; a lost wake-up loses nothing durable."""

    def __init__(self) -> None:
        self._listeners: dict[int, Callable[[frozenset[str]], None]] = {}
        self._lock = threading.Lock()
        self._next = 0

    def publish(self, subjects: Iterable[str]) -> None:
        """Every listener has been told which subjects changed; any thread may call."""
        changed = frozenset(subjects)
        if not changed or not self._listeners:
            return
        for listener in list(self._listeners.values()):
            try:
                listener(changed)
            except Exception:
                # One listener that fails must not keep the news from the others, nor from the publisher.
                log.exception("changes.listener_failed")

    def subscribe(self, listener: Callable[[frozenset[str]], None]) -> Callable[[], None]:
        """The listener is called with every set of subjects, in the publisher's thread, until the result is called."""
        with self._lock:
            self._next += 1
            key = self._next
            self._listeners[key] = listener
        return lambda: self._listeners.pop(key, None) and None


class Bell:
    """An asyncio listener: `ring` from any thread wakes `wait` in its loop; many rings are one."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def ring(self, _changed: frozenset[str] = frozenset()) -> None:
        """The waiting task wakes; a loop that has closed waits for nothing."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self) -> None:
        """Returns once the bell has rung since the last call."""
        await self._event.wait()
        self._event.clear()
