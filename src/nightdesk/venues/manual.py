"""A person as a venue: the order waits until somebody says what became of it.

Nothing is kept here but what happened since the start, because nothing else would be true: no machine can be asked
whether a person has acted. The desk's own record of the order and of the answers is the truth. Hence

- `submit` has no effect outside the desk. It answers NEW: the order waits for a person.
- `order_status` says that the order stands as far as is known here. After a restart that is NEW without sums, which
  takes nothing back from what the desk has already recorded, and is also the right end of a doubt about a submit that a
  crash cut short: the order is in the desk's records, so it is on the person's page, and it waits.
- `cancel` ends nothing, the person may be acting on the order this very moment. It asks, and reports the order as it
  stands; CANCELED comes with the person's answer.
- A fill never claims to be the last one: the desk adds up, and sees for itself when the order is filled.
- `account` is Unsupported: nobody states balances or positions, and an empty answer would read as flat.
"""

import asyncio
import hashlib
import json
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import ExecType, OrdStatus, OrdType, ResendClass, TimeInForce
from nightdesk.model.errors import Refused, Unsupported
from nightdesk.model.execution import ExecutionReport
from nightdesk.model.identifiers import ClOrdId, ExecId, OrderId, VenueId, WireId
from nightdesk.model.instrument import Instrument
from nightdesk.model.order import Order
from nightdesk.model.venue import AccountSnapshot, Capabilities, Gate, Wire
from nightdesk.runtime.clock import Clock

WAITS = "waits for a person"
CANCEL_ASKED = "a person is asked to cancel it"


class Verdict(StrEnum):
    """What a person says became of an order."""

    FILLED = "FILLED"
    """All or part of it was traded."""
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a person says.

    `answer_id` is the form's own: sent twice, it is one answer. The fee is in `fee_currency`, positive when paid.
    """

    answer_id: str
    verdict: Verdict
    qty: Decimal | None = None
    px: Decimal | None = None
    fee: Decimal = Decimal(0)
    fee_currency: str = ""
    text: str = ""


class ManualVenue:
    """Orders that a person carries out. `answer` may be called from any thread."""

    def __init__(self, name: str, *, clock: Clock, instruments: Sequence[Instrument] = (), live: bool = True) -> None:
        self._venue = VenueId(name)
        self._clock = clock
        self._live = live
        self._instruments = tuple(replace(one, venue=self._venue) for one in instruments)
        self._lock = threading.Lock()
        self._standing: dict[ClOrdId, ExecutionReport] = {}
        self._answers: dict[str, tuple[ClOrdId, Answer, ExecutionReport]] = {}
        self._streams: list[_Stream] = []

    @property
    def venue(self) -> VenueId:
        """Its name in configuration."""
        return self._venue

    @property
    def capabilities(self) -> Capabilities:
        """Everything a person can do, and no proof of anything."""
        return Capabilities(
            resend=ResendClass.E,
            ord_types=frozenset(OrdType),
            times_in_force=frozenset(TimeInForce),
            reduce_only=True,
            streaming=True,
            live=self._live,
            needs_person=True,
        )

    async def instruments(self) -> Sequence[Instrument]:
        """What the person may be asked to trade."""
        return self._instruments

    def prepare(self, order: Order, *, now: datetime) -> Wire:
        """The order in words for the records; Unsupported for a symbol that is not listed."""
        del now
        if all(one.symbol != order.symbol for one in self._instruments):
            raise Unsupported(f"{self._venue} does not list {order.symbol}. Use a symbol of its instruments.")
        words = {
            "side": order.side,
            "order_qty": format(order.order_qty, "f"),
            "symbol": order.symbol,
            "ord_type": order.ord_type,
            "price": None if order.price is None else format(order.price, "f"),
            "stop_px": None if order.stop_px is None else format(order.stop_px, "f"),
        }
        payload = json.dumps(words).encode()
        return Wire(
            wire_id=WireId(order.cl_ord_id),
            cl_ord_id=order.cl_ord_id,
            payload=payload,
            payload_hash=hashlib.sha256(payload).hexdigest(),
            valid_until=None,
        )

    async def submit(self, wire: Wire, gate: Gate) -> ExecutionReport:
        """NEW: the order waits for a person; submitting it again changes nothing."""
        gate()
        with self._lock:
            waiting = ExecutionReport(
                cl_ord_id=wire.cl_ord_id,
                exec_type=ExecType.NEW,
                ord_status=OrdStatus.NEW,
                text=WAITS,
                transact_time=self._clock.now(),
            )
            return self._standing.setdefault(wire.cl_ord_id, waiting)

    async def cancel(self, order: Order, order_id: OrderId | None, gate: Gate) -> ExecutionReport:
        """The order as it stands; a person is asked, and their answer cancels it."""
        del order_id
        gate()
        report = self._stands(order)
        return report if report.ord_status.terminal else replace(report, text=CANCEL_ASKED)

    async def order_status(self, order: Order) -> ExecutionReport | None:
        """The order as far as is known here: NEW after a restart, never None."""
        return self._stands(order)

    async def open_orders(self) -> Sequence[ExecutionReport]:
        """What waits for a person since the start."""
        with self._lock:
            return [report for report in self._standing.values() if not report.ord_status.terminal]

    async def fills(self, since: datetime) -> Sequence[ExecutionReport]:
        """The fills answered since the start, and since a moment."""
        with self._lock:
            reports = [report for _, answer, report in self._answers.values() if answer.verdict is Verdict.FILLED]
        return [one for one in reports if one.transact_time is not None and one.transact_time >= since]

    async def account(self) -> AccountSnapshot:
        """Unsupported: nobody states balances and positions."""
        raise Unsupported(f"{self._venue} is a person and states no balances. Compare the account by hand.")

    def reports(self) -> AsyncIterator[ExecutionReport]:
        """Every answer from this call on, until closed."""
        stream = _Stream(asyncio.get_running_loop(), asyncio.Queue())
        with self._lock:
            self._streams.append(stream)
        return self._drain(stream)

    async def close(self) -> None:
        """All streams have ended."""
        with self._lock:
            for stream in self._streams:
                stream.put(None)
            self._streams.clear()

    def answer(self, order: Order, answer: Answer) -> ExecutionReport:
        """The person's word as a report, which is also on the stream; Refused when it cannot be meant.

        The caller records it: a word that is only on a stream would be lost with the process.
        """
        with self._lock:
            known = self._answers.get(answer.answer_id)
            if known is not None:
                if known[:2] != (order.cl_ord_id, answer):
                    raise Refused(DenyCode.IDEMPOTENCY_KEY_REUSED, "This form was sent before with another answer.")
                return known[2]
            standing = self._standing.get(order.cl_ord_id)
            report = _report(order, answer, standing, self._clock.now())
            self._answers[answer.answer_id] = (order.cl_ord_id, answer, report)
            self._standing[order.cl_ord_id] = _without_fill(report)
            for stream in self._streams:
                stream.put(report)
            return report

    def _stands(self, order: Order) -> ExecutionReport:
        with self._lock:
            known = self._standing.get(order.cl_ord_id)
        if known is not None:
            return replace(known, exec_type=ExecType.ORDER_STATUS)
        return ExecutionReport(
            cl_ord_id=order.cl_ord_id,
            exec_type=ExecType.ORDER_STATUS,
            ord_status=OrdStatus.NEW,
            symbol=order.symbol,
            text=WAITS,
            # Always the same moment, so that asking a hundred times is one piece of evidence.
            transact_time=order.created_at,
        )

    async def _drain(self, stream: "_Stream") -> AsyncIterator[ExecutionReport]:
        try:
            while (report := await stream.queue.get()) is not None:
                yield report
        finally:
            with self._lock:
                if stream in self._streams:
                    self._streams.remove(stream)


@dataclass(frozen=True, slots=True, eq=False)
class _Stream:
    loop: asyncio.AbstractEventLoop
    queue: "asyncio.Queue[ExecutionReport | None]"

    def put(self, report: ExecutionReport | None) -> None:
        # A loop that has ended has nobody left to tell.
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.queue.put_nowait, report)


def _report(order: Order, answer: Answer, standing: ExecutionReport | None, now: datetime) -> ExecutionReport:
    ended = standing is not None and standing.ord_status.terminal
    if answer.verdict is not Verdict.FILLED:
        if answer.verdict is Verdict.REJECTED and standing is not None and standing.ord_status is not OrdStatus.NEW:
            raise Refused(DenyCode.FIELD_INVALID, "Something became of the order already. Answer CANCELED.")
        return ExecutionReport(
            cl_ord_id=order.cl_ord_id,
            exec_type=ExecType(answer.verdict),
            ord_status=OrdStatus(answer.verdict),
            symbol=order.symbol,
            text=answer.text,
            transact_time=now,
        )
    qty, px = _traded(order, answer)
    return ExecutionReport(
        cl_ord_id=order.cl_ord_id,
        exec_type=ExecType.TRADE,
        ord_status=standing.ord_status if ended and standing is not None else OrdStatus.PARTIALLY_FILLED,
        symbol=order.symbol,
        exec_id=ExecId(f"manual-{answer.answer_id}"),
        last_qty=qty,
        last_px=px,
        fee=answer.fee,
        fee_currency=answer.fee_currency,
        text=answer.text,
        transact_time=now,
    )


def _traded(order: Order, answer: Answer) -> tuple[Decimal, Decimal]:
    if answer.qty is None or not answer.qty.is_finite() or answer.qty <= 0:
        raise Refused(DenyCode.FIELD_INVALID, "The quantity filled is not a positive number.", field="qty")
    if answer.qty > order.order_qty:
        text = f"The quantity filled, {answer.qty:f}, is more than the order's {order.order_qty:f}."
        raise Refused(DenyCode.FIELD_INVALID, text, field="qty")
    if answer.px is None or not answer.px.is_finite() or answer.px <= 0:
        raise Refused(DenyCode.FIELD_INVALID, "The price is not a positive number.", field="px")
    if not answer.fee.is_finite():
        raise Refused(DenyCode.FIELD_INVALID, "The fee is not a number.", field="fee")
    return answer.qty, answer.px


def _without_fill(report: ExecutionReport) -> ExecutionReport:
    """The status alone, for those who ask how the order stands."""
    return replace(report, exec_id=None, last_qty=None, last_px=None, fee=Decimal(0), fee_currency="")
