"""`?wait=true`: the answer that comes when every leg of a signal has ended, or when the patience has."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import SignalOutcome
from nightdesk.model.identifiers import SignalId
from nightdesk.orders.intent import Acceptance
from nightdesk.runtime.changes import Bell
from nightdesk.web.answers import Fields, answer, results
from nightdesk.web.desk import Desk
from nightdesk.web.plain import moment
from nightdesk.web.problems import Problem
from nightdesk.web.records import OrderLine, line_of, order_fields
from nightdesk.web.store import orders_of_signal

log = logging.getLogger(__name__)
Result = TypeVar("Result")

USUAL = 10.0
LONGEST = 30.0
MOST = 100
_LOOK_EVERY = 0.5
_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def wait_seconds(query: Mapping[str, str]) -> float:
    """How long the sender wants to wait for the results; 0.0 when it does not."""
    wanted = _WORDS.get(query.get("wait", "false").lower())
    if wanted is None:
        raise Problem(DenyCode.FIELD_INVALID, "wait is true or false", field="wait")
    text = query.get("timeout", f"{USUAL:g}")
    if not wanted:
        return 0.0
    if not text.isascii() or not text.replace(".", "", 1).isdigit() or not 0 < float(text) <= LONGEST:
        text = f"timeout is the number of seconds to wait, above 0 and at most {LONGEST:g}"
        raise Problem(DenyCode.FIELD_INVALID, text, field="timeout")
    return float(text)


class Waiting:
    """Those who wait for results, each with a thread to look from, apart from the threads that serve pages."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._count = 0
        self._threads: CapacityLimiter | None = None

    async def accept(self, take: Callable[[], Awaitable[Acceptance]], seconds: float) -> tuple[int, Fields]:
        """The status and the body once the legs have ended or the time is up."""
        if self._count >= MOST:
            raise Problem(DenyCode.RATE_LIMITED, f"{MOST} requests are waiting for results; send it without wait")
        self._count += 1
        bell = Bell()
        watched: set[str] = set()

        def ring(changed: frozenset[str]) -> None:
            if not watched or watched & changed:
                bell.ring()

        # Before the signal is taken, or its end could come unseen.
        unsubscribe = self._desk.changes.subscribe(ring)
        try:
            acceptance = await take()
            watched.update((acceptance.signal_id, *(ticket.order.cl_ord_id for ticket in acceptance.tickets)))
            return await self._outcome(acceptance, bell, seconds)
        finally:
            unsubscribe()
            self._count -= 1

    async def with_first_orders(self, acceptance: Acceptance, fields: Fields) -> Fields:
        """The body of an answer; a repeat's has the orders of the first delivery as they stand now."""
        if acceptance.outcome is not SignalOutcome.DUPLICATE:
            return fields
        try:
            lines = await self._in_thread(partial(_read, self._desk, acceptance.signal_id))
        except Exception:
            # That it is a repeat is known and on disk; its orders are a courtesy.
            log.exception("the orders of signal %s could not be read", acceptance.signal_id)
            return fields
        return {**fields, "orders": [order_fields(line) for line in lines]}

    async def _outcome(self, acceptance: Acceptance, bell: Bell, seconds: float) -> tuple[int, Fields]:
        try:
            if acceptance.outcome is not SignalOutcome.ACCEPTED:
                return await self._at_once(acceptance)
            done = await self._until_done(acceptance.signal_id, bell, seconds)
            return 200, await self._results(acceptance, done=done)
        except Exception:
            # The signal is on disk: an error now would make the sender repeat what was taken.
            log.exception("the results of signal %s could not be read", acceptance.signal_id)
            return answer(acceptance, self._desk.clock.now())

    async def _until_done(self, signal_id: SignalId, bell: Bell, seconds: float) -> bool:
        clock = self._desk.clock
        ends = clock.monotonic() + seconds
        while True:
            if await self._in_thread(partial(self._desk.signal_done, signal_id)):
                return True
            left = ends - clock.monotonic()
            if left <= 0:
                return False
            try:
                async with clock.timeout(min(left, _LOOK_EVERY)):
                    await bell.wait()
            except TimeoutError:
                continue

    async def _at_once(self, acceptance: Acceptance) -> tuple[int, Fields]:
        now = self._desk.clock.now()
        status, fields = answer(acceptance, now)
        lines = [line_of(ticket) for ticket in acceptance.tickets]
        if acceptance.outcome is SignalOutcome.DUPLICATE:
            lines = await self._in_thread(partial(_read, self._desk, acceptance.signal_id))
            fields["orders"] = [order_fields(line) for line in lines]
        word, legs = results(lines, now)
        if acceptance.outcome is SignalOutcome.NO_ACTION:
            word = "success"
        return status, {**fields, "status": word, "results": legs}

    async def _results(self, acceptance: Acceptance, *, done: bool) -> Fields:
        lines = await self._in_thread(partial(_read, self._desk, acceptance.signal_id))
        # A cancel has the orders of other signals for its legs.
        lines = lines or [line_of(ticket) for ticket in acceptance.tickets]
        now = self._desk.clock.now()
        word, legs = results(lines, now)
        return {
            "signal_id": acceptance.signal_id,
            "code": "ACCEPTED",
            "status": word,
            "done": done,
            "results": legs,
            "notes": list(acceptance.notes),
            "timestamp": moment(now),
        }

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        if self._threads is None:
            self._threads = CapacityLimiter(8)
        return await to_thread.run_sync(work, limiter=self._threads)


def _read(desk: Desk, signal_id: SignalId) -> list[OrderLine]:
    return desk.reader.run(lambda tx: orders_of_signal(tx, signal_id))
