"""The reports of one account, kept for those who read them over HTTP and may come back for what they missed."""

import asyncio
from collections import deque

from nightdesk.model.execution import ExecutionReport
from nightdesk.venues.paper.payload import compact, report_fields

KEPT = 20_000


class Gone(LookupError):
    """The cursor points before what is still kept."""


class Tape:
    """Numbered lines since this process began; the epoch in a cursor tells this process from an earlier one."""

    def __init__(self, loop: asyncio.AbstractEventLoop, epoch: str, *, kept: int = KEPT) -> None:
        self._loop = loop
        self._epoch = epoch
        self._lines: deque[str] = deque(maxlen=kept)
        self._count = 0
        self._grown = asyncio.Event()

    def put(self, report: ExecutionReport) -> None:
        """The report will be on the tape; for any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._append, report)

    def cursor(self) -> str:
        """Where the tape ends."""
        return f"{self._epoch}-{self._count}"

    def start(self, cursor: str) -> int:
        """The number after which to go on: the end for no cursor, all of this process for one of an earlier process."""
        epoch, _, number = cursor.partition("-")
        if not cursor:
            return self._count
        if epoch != self._epoch or not number.isdecimal():
            return 0
        return min(int(number), self._count)

    def after(self, number: int) -> tuple[str, int]:
        """All lines after a number, and the number of the last; Gone when some of them are no longer kept."""
        first = self._count - len(self._lines)
        if number < first:
            raise Gone
        lines = [line for i, line in enumerate(self._lines, first) if i >= number] if number < self._count else []
        return "".join(lines), self._count

    async def grown(self, number: int) -> None:
        """Returns once there is more than so many lines."""
        while self._count <= number:
            self._grown.clear()
            await self._grown.wait()

    def wake(self) -> None:
        """Whoever waits for more looks again."""
        self._grown.set()

    def _append(self, report: ExecutionReport) -> None:
        self._count += 1
        self._lines.append(compact({"cursor": self.cursor(), "report": report_fields(report)}) + "\n")
        self._grown.set()
