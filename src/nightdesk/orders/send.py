"""Send: a second commit says SENDING before the first byte, then one attempt, then the answer or its absence.

So a command found QUEUED was provably never sent, and only one found SENDING is in doubt.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import CommandKind, CommandState, OrdStatus
from nightdesk.model.errors import GateClosed, NotSent, OutcomeUnknown, RateLimited, Unsupported
from nightdesk.model.execution import ExecutionReport, Fact, FactKind, facts_of
from nightdesk.model.identifiers import AccountId, WireId
from nightdesk.model.order import Order
from nightdesk.model.venue import Gate, Venue, Wire
from nightdesk.orders.confirm import Answer, Confirm, Evidence
from nightdesk.orders.lanes import Lane
from nightdesk.orders.outgoing import store as outgoing
from nightdesk.orders.outgoing.store import StoredCommand
from nightdesk.orders.queued import Queued
from nightdesk.orders.stamps import Stamps
from nightdesk.risk.halt import HaltSwitch
from nightdesk.runtime.clock import Clock
from nightdesk.runtime.crashpoints import reached
from nightdesk.runtime.database import StoreUnavailable, Tx, to_micros
from nightdesk.runtime.writer import Fenced, Overloaded, Writer

log = logging.getLogger(__name__)

SUBMIT_SECONDS = 10.0
MOST_TRIES = 3
MOST_AT_ONCE = 32
WRITE_AGAIN = 0.5
"""Seconds until an answer that could not be written is written again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leaving:
    order: Order
    command: StoredCommand
    wire: Wire


class BeginSending:
    """The verb that moves commands from QUEUED to SENDING, each with the message that is about to leave."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __call__(self, tx: Tx, items: Sequence[_Leaving], /) -> Sequence[bool]:
        """True for each command this caller, and nobody else, may send now."""
        now = to_micros(self._clock.now())
        won = [outgoing.begin_sending(tx, item.command, now) for item in items]
        rows = [
            outgoing.send_row(item.order, item.command, item.wire, now)
            for item, mine in zip(items, won, strict=True)
            if mine
        ]
        outgoing.add_sends(tx, rows)
        reached("send.before_commit")
        return won


class Sender:
    """Sends queued commands, one lane per account; everything it decides is written through the writer."""

    def __init__(
        self,
        *,
        venues: Mapping[AccountId, Venue],
        writer: Writer,
        confirm: Confirm,
        halt: HaltSwitch,
        clock: Clock,
        stamps: Stamps,
        on_doubt: Callable[[Order], None],
    ) -> None:
        self._venues = venues
        self._writer = writer
        self._confirm = confirm
        self._begin = BeginSending(clock)
        self._halt = halt
        self._clock = clock
        self._stamps = stamps
        self._on_doubt = on_doubt
        self._lanes: dict[AccountId, Lane] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.latencies: dict[AccountId, float] = {}
        """Seconds the newest answer of each account's venue took."""

    def start(self) -> None:
        """The lanes take commands; call it in the heart's loop, before anything is offered."""
        self._loop = asyncio.get_running_loop()
        for account_id, venue in self._venues.items():
            can = venue.capabilities
            lane = Lane(self._clock, rate=can.orders_per_second, burst=can.burst)
            self._lanes[account_id] = lane
            self._spawn(self._serve(lane))

    async def stop(self, *, drain_seconds: float = 2.0) -> None:
        """Nothing more is sent; what is under way has been answered, or is left in doubt for the next start."""
        for lane_task in [task for task in self._tasks if task.get_name() == "lane"]:
            lane_task.cancel()
        rest = [task for task in self._tasks if task.get_name() != "lane"]
        if rest:
            _, pending = await asyncio.wait(rest, timeout=drain_seconds)
            for task in pending:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def offer(self, queued: Sequence[Queued]) -> None:
        """The commands are in their lanes; before the start and after the stop they stay in the database.

        The sweep finds them there. Any thread may call.
        """
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._add, queued)

    def backlog(self, account_id: AccountId) -> int:
        """How many commands stand in the account's lane."""
        lane = self._lanes.get(account_id)
        return lane.length if lane is not None else 0

    def _add(self, queued: Sequence[Queued]) -> None:
        for each in queued:
            lane = self._lanes.get(each.order.account_id)
            if lane is not None:
                lane.add((each,))

    def _spawn(self, work: Awaitable[None], name: str = "lane") -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        task.set_name(name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, lane: Lane) -> None:
        free = asyncio.Semaphore(MOST_AT_ONCE)
        while True:
            await free.acquire()
            queued = await lane.next()
            self._spawn(self._one(lane, queued, free), "send")

    async def _one(self, lane: Lane, queued: Queued, free: asyncio.Semaphore) -> None:
        again: Queued | None = None
        try:
            again = await (self._new(queued) if queued.command.kind is CommandKind.NEW else self._cancel(queued))
        except (Fenced, StoreUnavailable, Overloaded) as error:
            # The command stands in the database as it last was; the sweep or the next start goes on from there.
            log.error("send.not_written", extra={"cl_ord_id": queued.order.cl_ord_id, "reason": str(error)})
        except Exception:
            # One order nobody foresaw must not stop its lane; what is not settled is in doubt at the next start.
            log.exception("send.failed", extra={"cl_ord_id": queued.order.cl_ord_id})
        finally:
            free.release()
            lane.done(queued)
        if again is not None:
            await self._clock.sleep(max(0.0, (again.command.not_before - to_micros(self._clock.now())) / 1_000_000))
            lane.add((again,))

    def _gate(self, queued: Queued, first_byte: list[int]) -> Gate:
        def gate() -> None:
            now = self._check(queued)
            reached("send.before_first_byte")
            first_byte.append(now)

        return gate

    def _check(self, queued: Queued) -> int:
        """The gate's questions, asked before any work and again at the first byte; the moment (microseconds)."""
        order, command = queued.order, queued.command
        if not self._writer.holds_lease():
            raise GateClosed(DenyCode.NOT_SENT, "another process has taken over the account")
        state = self._halt.state
        if state.halted and not (order.closing or command.kind is CommandKind.CANCEL):
            raise GateClosed(DenyCode.HALTED, f"trading is halted: {state.reason}")
        now = to_micros(self._clock.now())
        if now >= command.deadline_at:
            raise GateClosed(DenyCode.DEADLINE, "its deadline passed before it could be sent")
        return now

    async def _new(self, queued: Queued) -> Queued | None:
        order = queued.order
        venue = self._venues[order.account_id]
        first_byte: list[int] = []
        gate = self._gate(queued, first_byte)
        try:
            self._check(queued)
            wire = venue.prepare(order, now=self._clock.now())
        except NotSent as error:
            return await self._not_sent(queued, error, None)
        except Exception as error:
            # A message that could not be built is one that never left; the lane goes on with the others.
            log.exception("send.not_built", extra={"cl_ord_id": order.cl_ord_id})
            shut = GateClosed(DenyCode.NOT_SENT, f"its message could not be built ({type(error).__name__})")
            return await self._not_sent(queued, shut, None)
        if not await self._writer.run(self._begin, _Leaving(order=order, command=queued.command, wire=wire)):
            return None
        sending = replace(queued, command=replace(queued.command, attempts=queued.command.attempts + 1))
        reached("send.after_commit")
        return await self._attempt(sending, first_byte, lambda: venue.submit(wire, gate))

    async def _cancel(self, queued: Queued) -> Queued | None:
        order = queued.order
        venue = self._venues[order.account_id]
        first_byte: list[int] = []
        gate = self._gate(queued, first_byte)
        wire = _cancel_wire(queued)
        if not await self._writer.run(self._begin, _Leaving(order=order, command=queued.command, wire=wire)):
            return None
        sending = replace(queued, command=replace(queued.command, attempts=queued.command.attempts + 1))
        return await self._attempt(sending, first_byte, lambda: venue.cancel(order, None, gate))

    async def _attempt(
        self, sending: Queued, first_byte: list[int], call: Callable[[], Awaitable[ExecutionReport]]
    ) -> Queued | None:
        stamp, began = self._stamps.next(), self._clock.monotonic()
        try:
            async with self._clock.timeout(SUBMIT_SECONDS):
                report = await call()
        except NotSent as error:
            return await self._not_sent(sending, error, first_byte)
        except (OutcomeUnknown, TimeoutError) as error:
            await self._unknown(sending, first_byte, f"{type(error).__name__}: {error}")
            return None
        except Exception as error:
            log.exception("send.unforeseen", extra={"cl_ord_id": sending.order.cl_ord_id})
            await self._unknown(sending, first_byte, f"unforeseen {type(error).__name__}")
            return None
        self.latencies[sending.order.account_id] = self._clock.monotonic() - began
        reached("send.answered")
        if report.ord_status is OrdStatus.PENDING_NEW:
            # "Queued" is no acceptance: it may still be refused, and nobody will say so unless asked.
            await self._unknown(sending, first_byte, report.text or "the venue has queued it and not yet taken it")
            return None
        facts = facts_of(report, stamp=stamp, at=self._clock.now(), origin="submit")
        await self._write(sending, facts, CommandState.CONFIRMED, first_byte, report.ord_status.value, report.text)
        return None

    async def _not_sent(self, queued: Queued, error: NotSent, first_byte: list[int] | None) -> Queued | None:
        """Proven not sent: again within the deadline, at most three tries in all, unless asking again is pointless."""
        order, command = queued.order, queued.command
        if command.kind is CommandKind.NEW and not queued.in_doubt:
            ended = self._end_of(order, error, command)
            if ended is not None:
                await self._write(queued, (ended,), None, first_byte, "NOT_SENT", str(error))
                return None
        if command.kind is CommandKind.CANCEL and isinstance(error, GateClosed | Unsupported):
            await self._write(queued, (), CommandState.ENDED, first_byte, "NOT_SENT", str(error))
            return None
        pause = _pause(error, command.attempts)
        not_before = to_micros(self._clock.now() + pause)
        # An earlier message of this order may be at the venue: then it goes back into doubt, not into the queue.
        state = CommandState.UNKNOWN if queued.in_doubt else CommandState.QUEUED
        await self._write(queued, (), state, first_byte, "NOT_SENT", str(error), not_before=not_before)
        if queued.in_doubt:
            self._on_doubt(order)
            return None
        return replace(queued, command=replace(command, not_before=not_before))

    def _end_of(self, order: Order, error: NotSent, command: StoredCommand) -> Fact | None:
        now = self._clock.now()
        code, kind = DenyCode.NOT_SENT, FactKind.DENIED
        if isinstance(error, GateClosed):
            code = error.code
            kind = FactKind.EXPIRED if code is DenyCode.DEADLINE else FactKind.DENIED
        elif isinstance(error, Unsupported):
            code = DenyCode.ORD_TYPE_UNSUPPORTED
        elif command.attempts < MOST_TRIES and now < order.deadline_at:
            return None
        text = str(error)
        return Fact(
            key=f"ended:{code.name}", kind=kind, stamp=self._stamps.next(), at=now, origin="desk", code=code, text=text
        )

    async def _unknown(self, sending: Queued, first_byte: list[int], text: str) -> None:
        facts: tuple[Fact, ...] = ()
        if sending.command.kind is CommandKind.NEW:
            facts = (unknown_fact(self._stamps, self._clock, sending.command.attempts, text),)
        await self._write(sending, facts, CommandState.UNKNOWN, first_byte, "UNKNOWN", text)
        self._on_doubt(sending.order)

    async def _write(
        self,
        sending: Queued,
        facts: tuple[Fact, ...],
        state: CommandState | None,
        first_byte: list[int] | None,
        outcome: str,
        text: str,
        *,
        not_before: int = 0,
    ) -> None:
        answer = None
        if first_byte is not None:
            first = first_byte[0] if first_byte else None
            answer = Answer(attempt=sending.command.attempts, first_byte_at=first, outcome=outcome, text=text)
        evidence = Evidence(
            account_id=sending.order.account_id,
            cl_ord_id=sending.order.cl_ord_id,
            facts=facts,
            command=sending.command,
            command_state=state,
            not_before=not_before,
            answer=answer,
        )
        while True:
            try:
                await self._writer.run(self._confirm, evidence)
                return
            except (StoreUnavailable, Overloaded) as error:
                # Only this process knows what came back, and nobody else looks after a command that is SENDING.
                log.error("send.answer_waits", extra={"cl_ord_id": evidence.cl_ord_id, "reason": str(error)})
                await self._clock.sleep(WRITE_AGAIN)


def unknown_fact(stamps: Stamps, clock: Clock, attempt: int, text: str) -> Fact:
    """The fact that an attempt may or may not have reached the venue."""
    return Fact(
        key=f"unknown:{attempt}",
        kind=FactKind.OUTCOME_UNKNOWN,
        stamp=stamps.next(),
        at=clock.now(),
        origin="desk",
        text=text[:500],
    )


def _cancel_wire(queued: Queued) -> Wire:
    command = queued.command
    name = f"cancel-{queued.order.cl_ord_id}-{command.number}"
    return Wire(
        wire_id=WireId(name),
        cl_ord_id=queued.order.cl_ord_id,
        payload=b"",
        payload_hash="",
        valid_until=None,
    )


def _pause(error: NotSent, attempts: int) -> timedelta:
    if isinstance(error, RateLimited) and error.retry_after is not None:
        return timedelta(seconds=min(max(error.retry_after, 0.05), 30.0))
    return timedelta(seconds=min(0.1 * 2**attempts, 5.0))
