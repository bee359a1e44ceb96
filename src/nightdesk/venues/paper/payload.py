"""The paper exchange's own JSON: an order as it is asked for, and a report as it is answered."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar

from nightdesk.model.enums import ExecType, OrdStatus, OrdType, Side, TimeInForce
from nightdesk.model.execution import ExecutionReport
from nightdesk.model.identifiers import ClOrdId, ExecId, OrderId, Symbol
from nightdesk.venues.paper.book import Terms

_NUMBER = re.compile(r"-?[0-9]{1,14}(\.[0-9]{1,12})?")
_AMOUNT = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,40})?")
_LONGEST_ID = 64
_ORDER_KEYS = frozenset(
    {"client_id", "symbol", "side", "ord_type", "time_in_force", "order_qty", "price", "stop_px", "reduce_only"}
    | {"valid_until"}
)
_encode = json.JSONEncoder(separators=(",", ":")).encode
Word = TypeVar("Word", bound=StrEnum)


class Malformed(ValueError):
    """A body that is not what this exchange speaks; the text names the field."""


def compact(value: Mapping[str, object]) -> str:
    """One line of JSON without spaces."""
    return _encode(value)


def plain(value: Decimal | None) -> str | None:
    """The number in plain digits, never in exponents."""
    return None if value is None else format(value, "f")


def terms_fields(terms: Terms) -> dict[str, object]:
    """The terms as JSON fields; what was not asked for is left out."""
    fields: dict[str, object] = {
        "client_id": terms.client_id,
        "symbol": terms.symbol,
        "side": terms.side.value,
        "ord_type": terms.ord_type.value,
        "time_in_force": terms.time_in_force.value,
        "order_qty": plain(terms.order_qty),
    }
    if terms.price is not None:
        fields["price"] = plain(terms.price)
    if terms.stop_px is not None:
        fields["stop_px"] = plain(terms.stop_px)
    if terms.reduce_only:
        fields["reduce_only"] = True
    return fields


def order_payload(terms: Terms, valid_until: datetime) -> bytes:
    """The body of a new order."""
    return _encode({**terms_fields(terms), "valid_until": valid_until.isoformat()}).encode()


def read_object(body: bytes | str) -> dict[str, Any]:
    """The JSON object in a body; Malformed for anything else."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as e:
        raise Malformed("the body is not JSON") from e
    if not isinstance(value, dict):
        raise Malformed("the body is not a JSON object")
    return value


def read_order(fields: Mapping[str, Any]) -> tuple[Terms, datetime | None]:
    """The terms asked for and how long they are valid; Malformed names the field at fault."""
    unknown = fields.keys() - _ORDER_KEYS
    if unknown:
        raise Malformed(f"unknown field: {min(unknown)}")
    return read_terms(fields), read_moment(fields, "valid_until")


def read_terms(fields: Mapping[str, Any]) -> Terms:
    """The terms in JSON fields; Malformed names the field at fault."""
    order_qty = read_number(fields, "order_qty")
    if order_qty is None:
        raise Malformed("order_qty is missing")
    reduce_only = fields.get("reduce_only", False)
    if not isinstance(reduce_only, bool):
        raise Malformed("reduce_only is neither true nor false")
    return Terms(
        client_id=read_text(fields, "client_id"),
        symbol=Symbol(read_text(fields, "symbol")),
        side=read_word(fields, "side", Side),
        ord_type=read_word(fields, "ord_type", OrdType),
        time_in_force=read_word(fields, "time_in_force", TimeInForce, TimeInForce.GTC),
        order_qty=order_qty,
        price=read_number(fields, "price"),
        stop_px=read_number(fields, "stop_px"),
        reduce_only=reduce_only,
    )


def report_fields(report: ExecutionReport) -> dict[str, object]:
    """The report as JSON fields; what was not said is left out."""
    fields: dict[str, object] = {
        "client_id": report.cl_ord_id,
        "exec_type": report.exec_type.value,
        "ord_status": report.ord_status.value,
        "order_id": report.order_id,
        "symbol": report.symbol,
        "exec_id": report.exec_id,
        "last_qty": plain(report.last_qty),
        "last_px": plain(report.last_px),
        "fee": plain(report.fee) if report.fee else None,
        "fee_currency": report.fee_currency or None,
        "cum_qty": plain(report.cum_qty),
        "avg_px": plain(report.avg_px),
        "order_qty": plain(report.order_qty),
        "price": plain(report.price),
        "text": report.text or None,
        "transact_time": report.transact_time.isoformat() if report.transact_time else None,
    }
    return {key: value for key, value in fields.items() if value is not None}


def read_report(fields: object) -> ExecutionReport:
    """The report in JSON fields; Malformed names the field at fault."""
    if not isinstance(fields, dict):
        raise Malformed("the report is not a JSON object")
    order_id, exec_id, symbol = (read_text(fields, key) for key in ("order_id", "exec_id", "symbol"))
    client_id = read_text(fields, "client_id")
    return ExecutionReport(
        cl_ord_id=ClOrdId(client_id) if client_id else None,
        exec_type=read_word(fields, "exec_type", ExecType),
        ord_status=read_word(fields, "ord_status", OrdStatus),
        order_id=OrderId(order_id) if order_id else None,
        symbol=Symbol(symbol) if symbol else None,
        exec_id=ExecId(exec_id) if exec_id else None,
        last_qty=read_positive(fields, "last_qty"),
        last_px=read_positive(fields, "last_px"),
        fee=read_number(fields, "fee") or Decimal(0),
        fee_currency=read_text(fields, "fee_currency"),
        cum_qty=read_positive(fields, "cum_qty", zero=True),
        avg_px=read_amount(fields, "avg_px"),
        order_qty=read_positive(fields, "order_qty"),
        price=read_positive(fields, "price"),
        text=read_text(fields, "text", longest=500),
        transact_time=read_moment(fields, "transact_time"),
    )


def read_text(fields: Mapping[str, Any], key: str, *, longest: int = _LONGEST_ID) -> str:
    """A text, empty where absent."""
    value = fields.get(key, "")
    if not isinstance(value, str) or len(value) > longest:
        raise Malformed(f"{key} is not a text of at most {longest} characters")
    return value


def read_number(fields: Mapping[str, Any], key: str) -> Decimal | None:
    """A decimal written as a JSON string of plain digits, None where absent."""
    value = fields.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        raise Malformed(f"{key} is not a decimal number in a string")
    return Decimal(value)


def read_positive(fields: Mapping[str, Any], key: str, *, zero: bool = False) -> Decimal | None:
    """A decimal above zero, or zero where that is allowed; None where absent."""
    value = read_number(fields, key)
    if value is not None and (value < 0 or (value == 0 and not zero)):
        raise Malformed(f"{key} is not positive")
    return value


def read_amount(fields: Mapping[str, Any], key: str) -> Decimal | None:
    """A number that was computed, so it may have any sign and more decimals than one that was asked for."""
    value = fields.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
        raise Malformed(f"{key} is not a decimal number in a string")
    return Decimal(value)


def read_word(fields: Mapping[str, Any], key: str, words: type[Word], default: Word | None = None) -> Word:
    """One of the words of an enum, the default where absent."""
    value = fields.get(key)
    if value is None and default is not None:
        return default
    try:
        return words(str(value))
    except ValueError as e:
        raise Malformed(f"{key} is none of {', '.join(words)}") from e


def read_moment(fields: Mapping[str, Any], key: str) -> datetime | None:
    """An aware moment in UTC, None where absent."""
    value = fields.get(key)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError) as e:
        raise Malformed(f"{key} is not a time") from e
    if moment.tzinfo is None:
        raise Malformed(f"{key} has no time zone")
    return moment.astimezone(UTC)
