"""What the sender of a signal is told: one answer for each outcome, and one result for each leg."""

import re
from collections.abc import Sequence
from datetime import datetime

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import Doubt, OrdStatus, SignalOutcome
from nightdesk.orders.intent import Acceptance
from nightdesk.web.plain import moment, number
from nightdesk.web.problems import problem_fields, status_of
from nightdesk.web.records import OrderLine, line_of, order_fields

Fields = dict[str, object]

_CODES = {
    SignalOutcome.DUPLICATE: DenyCode.DUPLICATE_SIGNAL,
    SignalOutcome.REFUSED: DenyCode.INVALID_SIGNAL,
    SignalOutcome.EXPIRED: DenyCode.STALE_SIGNAL,
    SignalOutcome.NO_ACTION: DenyCode.NO_ACTION,
}
# The venue's own words, read only to tell a caller of the webhook which of its few codes fits.
_NO_FUNDS = re.compile(r"insufficient|not enough|exceeds? (the )?(available )?balance|buying power", re.IGNORECASE)


def answer(acceptance: Acceptance, now: datetime) -> tuple[int, Fields]:
    """The status and the body: 202 for an accepted signal, the flat form with its reason for any other."""
    orders = [order_fields(line_of(ticket)) for ticket in acceptance.tickets]
    if acceptance.outcome is SignalOutcome.ACCEPTED:
        fields: Fields = {
            "signal_id": acceptance.signal_id,
            "code": "ACCEPTED",
            "orders": orders,
            "notes": list(acceptance.notes),
            "timestamp": moment(now),
        }
        return 202, fields
    code = acceptance.code or _CODES[acceptance.outcome]
    text = acceptance.text or code.meaning
    fields = problem_fields(code, text, now=now, field=acceptance.field, signal_id=acceptance.signal_id)
    denied = next((ticket.denied for ticket in acceptance.tickets if ticket.denied is not None), None)
    fields |= {
        "outcome": acceptance.outcome.value,
        "limit": denied.limit if denied is not None else None,
        "value": denied.value if denied is not None else None,
        "orders": orders,
        "notes": list(acceptance.notes),
    }
    return (status_of(code) if acceptance.outcome is SignalOutcome.REFUSED else 200), fields


def results(lines: Sequence[OrderLine], now: datetime) -> tuple[str, list[Fields]]:
    """`success`, `partial` or `failed`, and what became of each leg.

    Success: every leg filled, or rests at its venue. Failed: every leg provably came to nothing. Anything else,
    above all a leg whose outcome is not known, is partial: nobody should repeat it on the word failed.
    """
    legs = [_leg(line, now) for line in lines]
    found = {leg["status"] for leg in legs}
    good = all(
        leg["status"] == "filled" or (leg["status"] in ("open", "partial") and _rests(line))
        for leg, line in zip(legs, lines, strict=True)
    )
    if legs and good:
        return "success", legs
    return ("failed" if found <= {"rejected", "denied", "canceled"} else "partial"), legs


def _rests(line: OrderLine) -> bool:
    return line.ord_status in (OrdStatus.NEW, OrdStatus.PARTIALLY_FILLED)


def _leg(line: OrderLine, now: datetime) -> Fields:
    status = _leg_status(line)
    return {
        "dex": line.venue,
        "venue": line.venue,
        "cl_ord_id": line.cl_ord_id,
        "signal_id": line.signal_id,
        "status": status,
        "code": _leg_code(line, status),
        "ord_status": line.ord_status.value,
        "doubt": line.doubt.value,
        "order_qty": number(line.order_qty),
        "cum_qty": number(line.cum_qty),
        "avg_px": number(line.avg_px),
        "text": line.text,
        "limit": line.limit,
        "value": line.value,
        "timestamp": moment(now),
    }


def _leg_status(line: OrderLine) -> str:
    if line.doubt is not Doubt.NONE:
        return "unknown"
    if line.ord_status is OrdStatus.FILLED:
        return "filled"
    if line.cum_qty:
        return "partial"
    match line.ord_status:
        case OrdStatus.REJECTED:
            return "rejected"
        case OrdStatus.DENIED:
            return "denied"
        case OrdStatus.CANCELED:
            return "canceled"
        case OrdStatus.EXPIRED:
            return "denied" if line.code is not None else "canceled"
        case _:
            return "open"


def _leg_code(line: OrderLine, status: str) -> str | None:
    """The bridge's own words for what went wrong at a venue; where the desk said no, the desk's code."""
    if status == "unknown":
        return "DEX_TIMEOUT" if line.doubt is Doubt.UNKNOWN else "DEX_ERROR"
    if status == "rejected":
        return "INSUFFICIENT_FUNDS" if _NO_FUNDS.search(line.text) else "DEX_REJECTED"
    if line.code in (DenyCode.NOT_SENT.name, DenyCode.PROVEN_ABSENT.name):
        return "DEX_ERROR"
    return line.code
