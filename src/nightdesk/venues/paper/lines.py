"""Steps as lines of the ledger, and back."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from nightdesk.model.enums import OrdStatus
from nightdesk.model.identifiers import AccountId, OrderId
from nightdesk.venues.paper.book import Placed, Step, StepKind, end_step, fill_step, trigger_step
from nightdesk.venues.paper.payload import plain, read_terms, terms_fields


def step_line(step: Step, account: AccountId) -> dict[str, object]:
    """One step as a line, with all that a replay needs."""
    order = step.order
    line: dict[str, object] = {
        "at": step.at.isoformat(),
        "kind": step.kind.value,
        "account": account,
        "order_id": order.order_id,
    }
    match step.kind:
        case StepKind.ACCEPT:
            return line | terms_fields(order.terms)
        case StepKind.REJECT:
            return line | terms_fields(order.terms) | {"text": order.text}
        case StepKind.FILL:
            return line | {
                "client_id": order.terms.client_id,
                "symbol": order.terms.symbol,
                "side": order.terms.side.value,
                "exec_id": step.exec_id,
                "qty": plain(step.qty),
                "px": plain(step.px),
                "fee": plain(step.fee),
                "maker": step.maker,
                "cum_qty": plain(order.cum_qty),
                "ord_status": order.status.value,
            }
        case _:
            return line | {"client_id": order.terms.client_id, "text": order.text}


def line_step(line: Mapping[str, Any], orders: Mapping[OrderId, Placed]) -> Step:
    """The step a line tells of, given the orders before it."""
    kind, at, order_id = StepKind(line["kind"]), datetime.fromisoformat(line["at"]), OrderId(line["order_id"])
    if kind is StepKind.ACCEPT:
        return Step(kind=kind, at=at, order=Placed(order_id=order_id, terms=read_terms(line), at=at))
    if kind is StepKind.REJECT:
        order = orders.get(order_id) or Placed(order_id=order_id, terms=read_terms(line), at=at)
        return end_step(order, OrdStatus.REJECTED, line["text"], at)
    order = orders[order_id]
    if kind is StepKind.TRIGGER:
        return trigger_step(order, at)
    if kind is StepKind.CANCEL:
        return end_step(order, OrdStatus.CANCELED, line["text"], at)
    return fill_step(order, Decimal(line["qty"]), Decimal(line["px"]), Decimal(line["fee"]), at, maker=line["maker"])
