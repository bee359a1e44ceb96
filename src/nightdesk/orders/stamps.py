"""Order stamps: numbers that only grow, also when the wall clock is set back and over restarts."""

import threading

from nightdesk.runtime.clock import Clock
from nightdesk.runtime.database import to_micros


class Stamps:
    """Gives each observation the number it is ordered by: microseconds of the wall clock, or one more than the last."""

    def __init__(self, clock: Clock, *, floor: int = 0) -> None:
        self._clock = clock
        self._last = floor
        self._lock = threading.Lock()

    def next(self) -> int:
        """A number above every one given before, and above the floor."""
        with self._lock:
            self._last = max(self._last + 1, to_micros(self._clock.now()))
            return self._last
