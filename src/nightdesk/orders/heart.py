"""The heart: one event loop, in a thread of its own, that sends, listens, probes and reconciles.

It talks to the rest of the desk by messages only, so a slow page or strategy never delays an order.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from nightdesk.model.errors import VenueError
from nightdesk.model.execution import facts_of
from nightdesk.model.identifiers import AccountId
from nightdesk.model.order import Order
from nightdesk.model.venue import Venue
from nightdesk.orders import store
from nightdesk.orders.config import OrdersConfig
from nightdesk.orders.confirm import Confirm, Evidence
from nightdesk.orders.probe import Prober
from nightdesk.orders.queued import Queued
from nightdesk.orders.reconcile import Reconciler
from nightdesk.orders.send import Sender
from nightdesk.orders.stamps import Stamps
from nightdesk.risk.halt import HaltSwitch
from nightdesk.runtime.clock import Clock
from nightdesk.runtime.database import StoreUnavailable
from nightdesk.runtime.reader import Reader
from nightdesk.runtime.writer import Fenced, Overloaded, Writer

log = logging.getLogger(__name__)

Result = TypeVar("Result")

HEARTBEAT = 0.25
RECOVER_AGAIN = 5.0


class Heart:
    """Carries accepted orders to their venues and brings back what became of them."""

    def __init__(
        self,
        *,
        venues: Mapping[AccountId, Venue],
        writer: Writer,
        reader: Reader,
        confirm: Confirm,
        halt: HaltSwitch,
        clock: Clock,
        config: OrdersConfig,
        beside: Sequence[Callable[[], Coroutine[object, object, None]]] = (),
    ) -> None:
        self._venues = venues
        self._writer = writer
        self._reader = reader
        self._confirm = confirm
        self._halt = halt
        self._clock = clock
        self._config = config
        self._beside = beside
        self._stopping: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sender: Sender | None = None
        self._prober: Prober | None = None
        self._reconciler: Reconciler | None = None
        self._beat_at = 0.0
        self.late_seconds = 0.0
        """How far behind its time the newest heartbeat came."""

    def offer(self, queued: Sequence[Queued]) -> None:
        """The commands are in their lanes; before the heart beats they stay in the database.

        Any thread may call.
        """
        if self._sender is not None:
            self._sender.offer(queued)

    def stop(self) -> None:
        """The heart drains and ends, and `run` returns soon after; any thread may call."""
        if self._loop is not None and self._stopping is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopping.set)

    async def ask(self, work: Callable[["Heart"], Awaitable[Result]]) -> Result:
        """What the work returned, run in the heart's own loop for a caller in another one."""
        if self._loop is None:
            raise StoreUnavailable("the heart does not beat yet; try again in a moment")

        async def run() -> Result:
            return await work(self)

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(run(), self._loop))

    @property
    def reconciler(self) -> Reconciler:
        """Compares accounts with their venues; there once the heart beats."""
        if self._reconciler is None:
            raise StoreUnavailable("the heart does not beat yet; try again in a moment")
        return self._reconciler

    @property
    def venues(self) -> Mapping[AccountId, Venue]:
        """The venue of each account."""
        return self._venues

    def beats(self) -> bool:
        """True while the loop answers in time."""
        return self._loop is not None and self._clock.monotonic() - self._beat_at < 10 * HEARTBEAT

    def latency(self, account_id: AccountId) -> float | None:
        """Seconds the newest answer of the account's venue took."""
        return self._sender.latencies.get(account_id) if self._sender is not None else None

    def reconciled_at(self, account_id: AccountId) -> datetime | None:
        """When the account last was compared with its venue."""
        return self._reconciler.reconciled_at.get(account_id) if self._reconciler is not None else None

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Runs until `stop`. `on_ready` is called once every account was compared with its venue, or could not be."""
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._beat_at = self._clock.monotonic()
        stamps = Stamps(self._clock, floor=await self._writer.call(store.newest_stamp))
        sender = self._build(stamps)
        sender.start()
        tasks = [asyncio.create_task(work(), name="beside") for work in self._beside]
        tasks.append(asyncio.create_task(self._beat(), name="beat"))
        tasks += [
            asyncio.create_task(self._listen(account_id, venue, stamps), name=f"reports {account_id}")
            for account_id, venue in self._venues.items()
        ]
        try:
            recovered = await asyncio.gather(*(self._recover(each) for each in self._venues))
            on_ready()
            for account_id, done in zip(self._venues, recovered, strict=True):
                tasks += self._watch(account_id, recovered=done)
            await self._stopping.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await sender.stop()
            for venue in self._venues.values():
                await venue.close()

    def _build(self, stamps: Stamps) -> Sender:
        self._sender = sender = Sender(
            venues=self._venues,
            writer=self._writer,
            confirm=self._confirm,
            halt=self._halt,
            clock=self._clock,
            stamps=stamps,
            on_doubt=self._on_doubt,
        )
        self._prober = Prober(
            venues=self._venues,
            writer=self._writer,
            reader=self._reader,
            confirm=self._confirm,
            sender=sender,
            clock=self._clock,
            stamps=stamps,
        )
        self._reconciler = Reconciler(
            writer=self._writer,
            reader=self._reader,
            confirm=self._confirm,
            sender=sender,
            prober=self._prober,
            clock=self._clock,
            stamps=stamps,
        )
        return sender

    def _on_doubt(self, order: Order) -> None:
        if self._prober is not None:
            self._prober.watch(order)

    def _watch(self, account_id: AccountId, *, recovered: bool) -> list[asyncio.Task[None]]:
        config = self._config
        loops = [
            self._every(config.sweep, lambda: self.reconciler.offer_queued(account_id)),
            self._every(config.sweep, lambda: self.reconciler.end_overdue(account_id)),
            self._every(
                config.probe_interval, lambda: self.reconciler.probe_doubts(account_id, after=config.probe_after)
            ),
            self._compare_for_ever(account_id, recovered=recovered),
        ]
        return [asyncio.create_task(loop, name=f"watch {account_id}") for loop in loops]

    async def _recover(self, account_id: AccountId) -> bool:
        try:
            return await self.reconciler.recover(account_id, self._venues[account_id])
        except (StoreUnavailable, Overloaded) as error:
            log.error("recover.not_written", extra={"account_id": account_id, "reason": str(error)})
            return False

    async def _compare_for_ever(self, account_id: AccountId, *, recovered: bool) -> None:
        venue = self._venues[account_id]
        while not recovered:
            await self._clock.sleep(RECOVER_AGAIN)
            recovered = await self._recover(account_id)
        await self._every(
            self._config.open_orders_every, lambda: self.reconciler.compare(account_id, venue, trigger="clock")
        )

    async def _every(self, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
        while True:
            await self._clock.sleep(seconds)
            if not await self._try(work):
                return

    async def _try(self, work: Callable[[], Awaitable[object]]) -> bool:
        """True unless another process has taken this one's place; what fails is tried again at the next turn."""
        try:
            await work()
        except (StoreUnavailable, Overloaded, VenueError, TimeoutError) as error:
            log.warning("watch.failed", extra={"reason": f"{type(error).__name__}: {error}"})
        except Fenced as error:
            log.critical("desk.fenced", extra={"reason": str(error)})
            self.stop()
            return False
        except Exception:
            # One answer nobody foresaw must not end the looking for good.
            log.exception("watch.unforeseen")
        return True

    async def _beat(self) -> None:
        while True:
            due = self._clock.monotonic() + HEARTBEAT
            await self._clock.sleep(HEARTBEAT)
            self._beat_at = self._clock.monotonic()
            self.late_seconds = max(0.0, self._beat_at - due)
            if self.late_seconds > 1.0:
                log.error("heart.late", extra={"seconds": round(self.late_seconds, 3)})

    async def _listen(self, account_id: AccountId, venue: Venue, stamps: Stamps) -> None:
        """Every report the venue pushes becomes facts; a stream that breaks is opened anew."""
        pause = 0.1
        while True:
            try:
                async for report in venue.reports():
                    pause = 0.1
                    if report.cl_ord_id is None:
                        continue
                    facts = facts_of(report, stamp=stamps.next(), at=self._clock.now(), origin="stream")
                    evidence = Evidence(account_id=account_id, cl_ord_id=report.cl_ord_id, facts=facts)
                    await self._writer.run(self._confirm, evidence)
                return
            except (VenueError, StoreUnavailable, Overloaded, TimeoutError) as error:
                reason = f"{type(error).__name__}: {error}"
                log.warning("stream.broken", extra={"account_id": account_id, "reason": reason})
            except Exception:
                # One report nobody foresaw must not make the desk deaf to all that follow.
                log.exception("stream.unforeseen", extra={"account_id": account_id})
            await self._clock.sleep(pause)
            pause = min(pause * 2, 15.0)
            # What was missed meanwhile is read back; the stream alone is never the truth.
            if not await self._try(lambda: self.reconciler.compare(account_id, venue, trigger="stream")):
                return
