"""The rhythm of a feed."""

from nightdesk.runtime.clock import Clock

_FORGIVEN = 1.0


class Pace:
    """Keeps waits from drifting: each is counted from when the last one was due, not from when it ended."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due = clock.monotonic()

    async def wait(self, seconds: float) -> None:
        """Returns when so many seconds have passed since the last wait was due.

        After a pause of more than a second (a machine that slept) it counts from now, so what was missed is not
        played in one burst.
        """
        now = self._clock.monotonic()
        self._due += seconds
        if self._due < now - _FORGIVEN:
            self._due = now
        await self._clock.sleep(max(0.0, self._due - now))
