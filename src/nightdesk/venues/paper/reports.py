"""What the paper exchange says about its orders."""

from collections.abc import Sequence

from nightdesk.model.enums import ExecType
from nightdesk.model.execution import ExecutionReport
from nightdesk.model.identifiers import ClOrdId
from nightdesk.venues.paper.book import ZERO, Placed, Step, StepKind

_EXEC_TYPES = {
    StepKind.ACCEPT: ExecType.NEW,
    StepKind.REJECT: ExecType.REJECTED,
    StepKind.TRIGGER: ExecType.ORDER_STATUS,
    StepKind.FILL: ExecType.TRADE,
    StepKind.CANCEL: ExecType.CANCELED,
}


def step_report(step: Step, currency: str) -> ExecutionReport:
    """The report of one step."""
    return _report(step.order, _EXEC_TYPES[step.kind], step if step.kind is StepKind.FILL else None, currency)


def answer_report(steps: Sequence[Step], currency: str) -> ExecutionReport:
    """One report of all that an order led to at once: how it stands at the end, with its last fill if it has one."""
    last = steps[-1]
    fill = next((step for step in reversed(steps) if step.kind is StepKind.FILL), None)
    return _report(last.order, ExecType.TRADE if fill is not None else _EXEC_TYPES[last.kind], fill, currency)


def status_report(order: Placed, currency: str, text: str = "") -> ExecutionReport:
    """The order as it stands; dated by its last change, so that asking twice says the same."""
    return _report(order, ExecType.ORDER_STATUS, None, currency, text)


def _report(order: Placed, exec_type: ExecType, fill: Step | None, currency: str, text: str = "") -> ExecutionReport:
    terms = order.terms
    return ExecutionReport(
        cl_ord_id=ClOrdId(terms.client_id) if terms.client_id else None,
        exec_type=exec_type,
        ord_status=order.status,
        order_id=order.order_id,
        symbol=terms.symbol,
        exec_id=fill.exec_id if fill is not None else None,
        last_qty=fill.qty if fill is not None else None,
        last_px=fill.px if fill is not None else None,
        fee=fill.fee if fill is not None else ZERO,
        fee_currency=currency if fill is not None else "",
        cum_qty=order.cum_qty,
        avg_px=order.avg_px,
        text=text or order.text,
        transact_time=order.at,
        order_qty=terms.order_qty,
        price=terms.price,
    )
