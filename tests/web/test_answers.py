"""What became of the legs, in the words of the bridge."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from nightdesk.model.enums import Doubt, OrdStatus
from nightdesk.web.answers import results
from nightdesk.web.records import OrderLine, order_fields

NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)


def line(status: OrdStatus, **changes: Any) -> OrderLine:
    plain = OrderLine(
        cl_ord_id="a", account_id="paper", venue="paper", signal_id="s", leg=0, source="tradingview", sleeve="trend",
        symbol="BTC-USD", side="BUY", ord_type="MARKET", time_in_force="IOC", order_qty=Decimal(1), price=None,
        stop_px=None, reduce_only=False, closing=False, test=False, created_at=NOW, deadline_at=NOW, ord_status=status,
        doubt=Doubt.NONE, current_qty=Decimal(1), cum_qty=Decimal(0), cum_value=Decimal(0), fees=Decimal(0),
        order_id=None, code=None, text="", updated_at=NOW,
    )  # fmt: skip
    return replace(plain, **changes)


FILLED = line(OrdStatus.FILLED, cum_qty=Decimal(1), cum_value=Decimal(100))
HALF = {"cum_qty": Decimal("0.5"), "cum_value": Decimal(50)}
REJECTED = line(OrdStatus.REJECTED, text="post only would cross")
UNKNOWN = line(OrdStatus.PENDING_NEW, doubt=Doubt.UNKNOWN)


@pytest.mark.parametrize(
    ("leg", "status", "code"),
    [
        (FILLED, "filled", None),
        (line(OrdStatus.PARTIALLY_FILLED, **HALF), "partial", None),
        (line(OrdStatus.CANCELED, **HALF), "partial", None),
        (line(OrdStatus.CANCELED), "canceled", None),
        (line(OrdStatus.NEW), "open", None),
        (line(OrdStatus.PENDING_NEW), "open", None),
        (line(OrdStatus.HELD), "open", None),
        (REJECTED, "rejected", "DEX_REJECTED"),
        (line(OrdStatus.REJECTED, text="Insufficient margin"), "rejected", "INSUFFICIENT_FUNDS"),
        (line(OrdStatus.DENIED, code="INSUFFICIENT_FUNDS"), "denied", "INSUFFICIENT_FUNDS"),
        (line(OrdStatus.DENIED, code="MAX_ORDER_QTY"), "denied", "MAX_ORDER_QTY"),
        (line(OrdStatus.DENIED, code="NOT_SENT"), "denied", "DEX_ERROR"),
        (line(OrdStatus.EXPIRED, code="DEADLINE"), "denied", "DEADLINE"),
        (line(OrdStatus.EXPIRED), "canceled", None),
        (UNKNOWN, "unknown", "DEX_TIMEOUT"),
        (line(OrdStatus.NEW, doubt=Doubt.MISSING), "unknown", "DEX_ERROR"),
        (line(OrdStatus.FILLED, doubt=Doubt.DISPUTED, **HALF), "unknown", "DEX_ERROR"),
    ],
)
def test_k6_each_leg_has_a_status_and_a_code_where_something_went_wrong(
    leg: OrderLine, status: str, code: str | None
) -> None:
    _, (found,) = results([leg], NOW)
    assert (found["status"], found["code"]) == (status, code)
    assert found["dex"] == "paper"
    assert found["timestamp"] == "2026-01-05T09:30:00.000000Z"


@pytest.mark.parametrize(
    ("legs", "word"),
    [
        ([FILLED, FILLED], "success"),
        ([FILLED, line(OrdStatus.NEW)], "success"),
        ([FILLED, REJECTED], "partial"),
        ([REJECTED, line(OrdStatus.CANCELED)], "failed"),
        ([UNKNOWN], "partial"),
        ([UNKNOWN, REJECTED], "partial"),
        ([line(OrdStatus.PENDING_NEW)], "partial"),
        ([line(OrdStatus.CANCELED, **HALF)], "partial"),
        ([], "failed"),
    ],
)
def test_failed_is_said_only_where_every_leg_provably_came_to_nothing(legs: list[OrderLine], word: str) -> None:
    assert results(legs, NOW)[0] == word


def test_decimals_leave_as_plain_text_and_never_in_exponents() -> None:
    tiny = line(OrdStatus.FILLED, cum_qty=Decimal("3"), cum_value=Decimal("0.00000001"), order_qty=Decimal("1E+3"))
    fields = order_fields(tiny)
    assert fields["order_qty"] == "1000"
    assert fields["avg_px"] == "0.000000003333333333333333"
    assert fields["fees"] == "0"
