"""Evidence about one order: anything a venue may say and we may come to know, contradictory as often as not."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import strategies as st

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import ExecType, OrdStatus
from nightdesk.model.execution import ExecutionReport, Fact, FactKind, facts_of
from nightdesk.model.identifiers import ExecId, OrderId
from nightdesk.model.order import Order, OrderState, distinct, fold
from tests.samples import START, D, a_fill, a_report, an_order

ORDER = an_order()
QTYS = st.sampled_from([D("0.1"), D("0.4"), D("0.5"), D("1"), D("1.5")])
PRICES = st.sampled_from([D("90"), D("100"), D("110.5")])
STAMPS = st.integers(1, 12)
TERMINAL = [OrdStatus.FILLED, OrdStatus.CANCELED, OrdStatus.EXPIRED, OrdStatus.REJECTED]
STATED = [OrdStatus.PENDING_NEW, OrdStatus.NEW, OrdStatus.PARTIALLY_FILLED, *TERMINAL]


@st.composite
def reports(draw: st.DrawFn) -> ExecutionReport:
    """Anything a venue may say, whether or not it fits what it said before."""
    status = draw(st.sampled_from(STATED))
    kind = draw(st.sampled_from([ExecType.ORDER_STATUS, ExecType.TRADE, ExecType.TRADE_CANCEL, ExecType.REPLACED]))
    cum = draw(st.none() | st.sampled_from([D(0), D("0.4"), D("0.5"), D("0.9"), D("1"), D("1.5")]))
    report = ExecutionReport(
        cl_ord_id=ORDER.cl_ord_id,
        exec_type=kind,
        ord_status=status,
        order_id=draw(st.none() | st.sampled_from([OrderId("v1"), OrderId("v2")])),
        cum_qty=cum,
        avg_px=draw(st.none() | PRICES) if cum else None,
        text=draw(st.sampled_from(["", "margin", "closed"])),
    )
    if kind in (ExecType.TRADE, ExecType.TRADE_CANCEL):
        exec_id = draw(st.sampled_from([ExecId("e1"), ExecId("e2"), ExecId("e3")]))
        fee = draw(st.sampled_from([D(0), D("0.1")]))
        return replace(report, exec_id=exec_id, last_qty=draw(QTYS), last_px=draw(PRICES), fee=fee)
    if kind is ExecType.REPLACED:
        return replace(report, revision=draw(st.integers(1, 2)), order_qty=draw(QTYS))
    return report


@st.composite
def own_facts(draw: st.DrawFn) -> Fact:
    """Anything we ourselves may have come to know or decided."""
    kind = draw(
        st.sampled_from(
            [
                FactKind.OUTCOME_UNKNOWN,
                FactKind.NOT_FOUND,
                FactKind.DENIED,
                FactKind.EXPIRED,
                FactKind.HELD,
                FactKind.APPROVED,
                FactKind.DECISION,
            ]
        )
    )
    stamp = draw(STAMPS)
    fact = Fact(key=f"{kind}:{stamp}", kind=kind, stamp=stamp, at=START, origin="desk")
    if kind in (FactKind.DENIED, FactKind.EXPIRED):
        return replace(fact, key=kind.value, code=draw(st.sampled_from([DenyCode.PROVEN_ABSENT, DenyCode.DEADLINE])))
    if kind is FactKind.DECISION:
        status = draw(st.sampled_from([None, OrdStatus.DENIED, OrdStatus.CANCELED]))
        return replace(fact, ord_status=status, cum_qty=draw(st.none() | QTYS), code=DenyCode.ABANDONED)
    return fact


@st.composite
def evidence(draw: st.DrawFn) -> list[Fact]:
    """A heap of facts, contradictory as often as not."""
    heap: list[Fact] = draw(st.lists(own_facts(), max_size=4))
    for report in draw(st.lists(reports(), max_size=5)):
        heap += facts_of(report, stamp=draw(STAMPS), at=START, origin=draw(st.sampled_from(["stream", "probe"])))
    return heap


def one_by_one(order: Order, facts: list[Fact]) -> OrderState:
    """The state as confirm reaches it: each fact weighed in by itself."""
    known: list[Fact] = []
    state = fold(order, known)
    for fact in facts:
        known = distinct([*known, fact])
        state = fold(order, known)
    return state


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[ExecutionReport], Decimal, Decimal, OrdStatus]:
    """What a truthful venue says over an order's life, and what is true at its end."""
    said = [a_report(OrdStatus.NEW, order_id=OrderId("v1"), cum_qty=D(0))]
    cum, value, number = D(0), D(0), 0
    while cum < 1 and draw(st.booleans()):
        qty, px = min(draw(st.sampled_from([D("0.1"), D("0.3"), D("0.5")])), 1 - cum), draw(PRICES)
        cum, value, number = cum + qty, value + qty * px, number + 1
        status = OrdStatus.FILLED if cum == 1 else OrdStatus.PARTIALLY_FILLED
        told_sum = {"cum_qty": cum, "avg_px": value / cum} if draw(st.booleans()) else {}
        said.append(a_fill(f"e{number}", str(qty), str(px), status, order_id=OrderId("v1"), **told_sum))
    status = said[-1].ord_status
    if status is not OrdStatus.FILLED and draw(st.booleans()):
        status = draw(st.sampled_from([OrdStatus.CANCELED, OrdStatus.EXPIRED]))
        said.append(a_report(status, order_id=OrderId("v1"), cum_qty=cum, avg_px=value / cum if cum else None))
    return said, cum, value, status


def own(kind: FactKind, stamp: int, **changed: object) -> tuple[Fact, ...]:
    fact = Fact(key=f"{kind}:{stamp}", kind=kind, stamp=stamp, at=START, origin="desk")
    return (replace(fact, **changed),)  # type: ignore[arg-type]  # keyword names are checked by the dataclass
