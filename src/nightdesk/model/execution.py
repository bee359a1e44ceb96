"""What a venue tells us (`ExecutionReport`) and what we keep of it (`Fact`)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import ExecType, OrdStatus
from nightdesk.model.identifiers import ClOrdId, ExecId, OrderId, Symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionReport:
    """One statement of a venue about one order; None means the venue did not say.

    Quantities in base units, prices in quote currency, fees positive when paid.
    """

    cl_ord_id: ClOrdId | None
    """Ours where the venue returns it; None for an order that is not known to be ours."""
    exec_type: ExecType
    ord_status: OrdStatus
    order_id: OrderId | None = None
    symbol: Symbol | None = None
    exec_id: ExecId | None = None
    last_qty: Decimal | None = None
    last_px: Decimal | None = None
    fee: Decimal = Decimal(0)
    fee_currency: str = ""
    cum_qty: Decimal | None = None
    avg_px: Decimal | None = None
    text: str = ""
    transact_time: datetime | None = None
    order_qty: Decimal | None = None
    """Of an open order we do not know, or of one that was replaced."""
    price: Decimal | None = None
    revision: int = 0
    """Of a confirmed REPLACE: its number."""


class FactKind(StrEnum):
    """The sorts of evidence an order's state is a function of."""

    STATUS = "STATUS"
    """The venue named a status: acknowledged, filled so far, canceled, expired or rejected."""
    FILL = "FILL"
    BUST = "BUST"
    """The venue took a fill back; a tombstone for its exec_id, whichever of the two arrives first."""
    REPLACED = "REPLACED"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    """A NEW command left, or may have left, without an answer."""
    NOT_FOUND = "NOT_FOUND"
    """The venue, asked for this one order, did not know it."""
    DENIED = "DENIED"
    """Ended by us with a code; nothing is at the venue."""
    EXPIRED = "EXPIRED"
    """Its deadline passed before it was sent."""
    HELD = "HELD"
    APPROVED = "APPROVED"
    DECISION = "DECISION"
    """A person settled a doubt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One piece of evidence about one order; two facts with the same `key` are the same fact.

    `stamp` orders observations of one desk: it is taken when the observation began (the start of a probe,
    the arrival of a push, the number of a decision), so an old answer that arrives late stays old.
    """

    key: str
    kind: FactKind
    stamp: int
    at: datetime
    origin: str
    """`submit`, `stream`, `probe`, `desk` or who decided."""
    order_id: OrderId | None = None
    ord_status: OrdStatus | None = None
    exec_id: ExecId | None = None
    last_qty: Decimal | None = None
    last_px: Decimal | None = None
    fee: Decimal = Decimal(0)
    fee_currency: str = ""
    cum_qty: Decimal | None = None
    avg_px: Decimal | None = None
    order_qty: Decimal | None = None
    price: Decimal | None = None
    revision: int = 0
    code: DenyCode | None = None
    text: str = ""


def _plain(value: Decimal | None) -> str:
    return "-" if value is None else format(value.normalize(), "f")


def facts_of(report: ExecutionReport, *, stamp: int, at: datetime, origin: str) -> tuple[Fact, ...]:
    """The facts a report states: at most one about a fill and one about the status.

    A fill's key names its content too, so that the same exec_id with another price is seen as a contradiction
    and not as a repeat. A repeated report gives the same keys.
    """
    facts = []
    trade = _trade_fact(report, stamp, at, origin)
    if trade is not None:
        facts.append(trade)
    if report.exec_type is ExecType.REPLACED:
        facts.append(
            Fact(
                key=f"replaced:{report.revision}",
                kind=FactKind.REPLACED,
                stamp=stamp,
                at=at,
                origin=origin,
                order_id=report.order_id,
                order_qty=report.order_qty,
                price=report.price,
                revision=report.revision,
            )
        )
    facts.append(
        Fact(
            # What is stated, not when: the same statement read again is the same fact, seen once more.
            key=f"status:{report.ord_status}:{_plain(report.cum_qty)}@{_plain(report.avg_px)}",
            kind=FactKind.STATUS,
            stamp=stamp,
            at=at,
            origin=origin,
            order_id=report.order_id,
            ord_status=report.ord_status,
            cum_qty=report.cum_qty,
            avg_px=report.avg_px,
            text=report.text,
        )
    )
    return tuple(facts)


def _trade_fact(report: ExecutionReport, stamp: int, at: datetime, origin: str) -> Fact | None:
    if report.exec_id is None:
        return None
    if report.exec_type is ExecType.TRADE_CANCEL:
        return Fact(
            key=f"bust:{report.exec_id}",
            kind=FactKind.BUST,
            stamp=stamp,
            at=at,
            origin=origin,
            order_id=report.order_id,
            exec_id=report.exec_id,
            text=report.text,
        )
    if report.last_qty is None or report.last_px is None:
        return None
    return Fact(
        key=f"fill:{report.exec_id}:{_plain(report.last_qty)}@{_plain(report.last_px)}",
        kind=FactKind.FILL,
        stamp=stamp,
        at=report.transact_time or at,
        origin=origin,
        order_id=report.order_id,
        exec_id=report.exec_id,
        last_qty=report.last_qty,
        last_px=report.last_px,
        fee=report.fee,
        fee_currency=report.fee_currency,
    )
