"""The paper exchange as a venue inside the desk: no socket, the same answers, the same doubts."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NoReturn

from nightdesk.model.enums import ExecType, OrdStatus, OrdType, ResendClass, TimeInForce
from nightdesk.model.errors import OutcomeUnknown, RateLimited, Unsupported, VenueError
from nightdesk.model.execution import ExecutionReport
from nightdesk.model.identifiers import AccountId, OrderId, VenueId, WireId
from nightdesk.model.instrument import Instrument
from nightdesk.model.order import Order
from nightdesk.model.venue import AccountSnapshot, Capabilities, Gate, Wire
from nightdesk.runtime.clock import Clock
from nightdesk.venues.paper.book import terms_of
from nightdesk.venues.paper.config import PaperConfig
from nightdesk.venues.paper.exchange import PaperExchange
from nightdesk.venues.paper.inbox import Inbox
from nightdesk.venues.paper.payload import order_payload
from nightdesk.venues.paper.replies import Fate, Reply

_DOUBTS = {
    Fate.HANG: "did not answer in time",
    Fate.DROP: "broke the connection without an answer",
    Fate.HTML_500: "answered 500 with a page instead of a report",
    Fate.GARBAGE: "answered with something that cannot be read",
}


def capabilities_of(config: PaperConfig) -> Capabilities:
    """What a paper exchange with these settings can do and prove."""
    return Capabilities(
        resend=ResendClass.A if config.unique_ids else ResendClass.B,
        ord_types=frozenset(OrdType),
        times_in_force=frozenset(TimeInForce),
        reduce_only=True,
        streaming=True,
        validity=timedelta(seconds=config.validity_seconds),
        settle=timedelta(seconds=1),
        orders_per_second=config.orders_per_second,
        burst=config.burst,
    )


def wire_of(order: Order, *, now: datetime, validity: timedelta | None) -> Wire:
    """The message for an order; what goes over the wire is our own client order id."""
    valid_until = now + (validity or timedelta(0))
    payload = order_payload(terms_of(order), valid_until)
    return Wire(
        wire_id=WireId(order.cl_ord_id),
        cl_ord_id=order.cl_ord_id,
        payload=payload,
        payload_hash=hashlib.sha256(payload).hexdigest(),
        valid_until=valid_until,
    )


class PaperVenue:
    """One account at an exchange in this process."""

    def __init__(self, exchange: PaperExchange, account_id: AccountId, *, clock: Clock) -> None:
        self._exchange = exchange
        self._account = account_id
        self._clock = clock
        self._capabilities = capabilities_of(exchange.config)
        self._venue = VenueId(exchange.config.name)
        self._instruments = tuple(replace(one, venue=self._venue) for one in exchange.instruments)
        self._listed = frozenset(one.symbol for one in self._instruments)
        self._streams: dict[Inbox, Callable[[], None]] = {}
        self._pumps: set[asyncio.Task[None]] = set()

    @property
    def venue(self) -> VenueId:
        """Its name in configuration."""
        return self._venue

    @property
    def capabilities(self) -> Capabilities:
        """Class A, or B while client ids need not be unique."""
        return self._capabilities

    async def instruments(self) -> Sequence[Instrument]:
        """Everything it lists."""
        return self._instruments

    def prepare(self, order: Order, *, now: datetime) -> Wire:
        """The message for an order; Unsupported for a symbol that is not listed."""
        if order.symbol not in self._listed:
            raise Unsupported(f"{self._venue} does not list {order.symbol}. Use a symbol of its instruments.")
        return wire_of(order, now=now, validity=self._capabilities.validity)

    async def submit(self, wire: Wire, gate: Gate) -> ExecutionReport:
        """What the exchange answered; OutcomeUnknown wherever a scripted fault keeps the answer back."""
        gate()
        try:
            reply = self._exchange.submit(self._account, wire.payload)
        except OSError as e:
            raise OutcomeUnknown(f"The ledger of {self._venue} cannot be written: {e}. Free disk space.") from e
        if reply.fate is Fate.REFUSED:
            return ExecutionReport(
                cl_ord_id=wire.cl_ord_id,
                exec_type=ExecType.REJECTED,
                ord_status=OrdStatus.REJECTED,
                text=reply.text,
                transact_time=self._clock.now(),
            )
        return await self._answer(reply)

    async def cancel(self, order: Order, order_id: OrderId | None, gate: Gate) -> ExecutionReport:
        """CANCELED, or the order as it stands; OutcomeUnknown for an order not known here, which may yet arrive."""
        gate()
        try:
            reply = self._exchange.cancel(self._account, order.cl_ord_id, order_id)
        except OSError as e:
            raise OutcomeUnknown(f"The ledger of {self._venue} cannot be written: {e}. Free disk space.") from e
        return await self._answer(reply)

    async def order_status(self, order: Order) -> ExecutionReport | None:
        """The order as the exchange knows it, None when it knows no such order."""
        self._read()
        return self._exchange.order_status(self._account, order.cl_ord_id)

    async def open_orders(self) -> Sequence[ExecutionReport]:
        """All open orders of the account, ours or not."""
        self._read()
        return self._exchange.open_orders(self._account)

    async def fills(self, since: datetime) -> Sequence[ExecutionReport]:
        """All fills of the account since a moment, oldest first."""
        self._read()
        return self._exchange.fills(self._account, since)

    async def account(self) -> AccountSnapshot:
        """Balances and positions."""
        self._read()
        return self._exchange.snapshot(self._account)

    def reports(self) -> AsyncIterator[ExecutionReport]:
        """Every report from this call on, whatever thread it arose in, until closed."""
        inbox = Inbox(asyncio.get_running_loop())
        self._streams[inbox] = self._exchange.listen(self._account, inbox.put)
        return self._drain(inbox)

    async def close(self) -> None:
        """All streams have ended; the exchange lives on, it may have other accounts."""
        for inbox, stop in self._streams.items():
            stop()
            inbox.put(None)
        self._streams.clear()
        for task in self._pumps:
            task.cancel()

    async def _drain(self, inbox: Inbox) -> AsyncIterator[ExecutionReport]:
        try:
            while (report := await inbox.get()) is not None:
                yield report
        finally:
            stop = self._streams.pop(inbox, None)
            if stop is not None:
                stop()

    async def _answer(self, reply: Reply) -> ExecutionReport:
        if reply.wake_after is not None:
            task = asyncio.get_running_loop().create_task(self._pump_after(reply.wake_after))
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)
        if reply.fate is Fate.ANSWER and reply.report is not None:
            return reply.report
        if reply.fate is Fate.HANG:
            await self._clock.sleep(self._exchange.config.timeout_seconds)
        self._fail(reply)

    def _fail(self, reply: Reply) -> NoReturn:
        if reply.fate is Fate.RATE_LIMITED:
            raise RateLimited(f"{self._venue} takes no more requests for now.", retry_after=reply.retry_after)
        if reply.fate is Fate.ANSWER:
            raise OutcomeUnknown(f"{self._venue} knows no such order, which does not rule out that it arrives later.")
        raise OutcomeUnknown(f"{self._venue} {_DOUBTS[reply.fate]}. Ask it for the order.")

    async def _pump_after(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._exchange.pump()

    def _read(self) -> None:
        disturbed = self._exchange.disturbance(self._account)
        if disturbed is None:
            return
        if disturbed.fate is Fate.RATE_LIMITED:
            raise RateLimited(f"{self._venue} takes no more requests for now.", retry_after=disturbed.retry_after)
        raise VenueError(f"{self._venue} {_DOUBTS[disturbed.fate]}. It is asked again later.")
