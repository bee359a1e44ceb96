"""The JSON of the paper exchange: what is written can be read, what is wrong is refused at the door (row 41)."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightdesk.model.enums import ExecType, OrdStatus, OrdType, Side, TimeInForce
from nightdesk.model.execution import ExecutionReport
from nightdesk.model.identifiers import ClOrdId, ExecId, OrderId, Symbol
from nightdesk.venues.paper.book import Terms
from nightdesk.venues.paper.payload import (
    Malformed,
    order_payload,
    read_object,
    read_order,
    read_report,
    report_fields,
)

NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
REPORT = ExecutionReport(
    cl_ord_id=ClOrdId("a" * 32),
    exec_type=ExecType.TRADE,
    ord_status=OrdStatus.PARTIALLY_FILLED,
    order_id=OrderId("1"),
    symbol=Symbol("BTC-USD"),
    exec_id=ExecId("1-1"),
    last_qty=Decimal("0.5"),
    last_px=Decimal("100.10"),
    fee=Decimal("-0.01"),
    fee_currency="USD",
    cum_qty=Decimal("0.5"),
    avg_px=Decimal(1) / Decimal(3),
    text="hello",
    transact_time=NOW,
    order_qty=Decimal(1),
    price=Decimal(101),
)
AMOUNTS = st.decimals(min_value="0.000001", max_value=10**9, places=6)


@given(
    side=st.sampled_from(Side),
    ord_type=st.sampled_from(OrdType),
    tif=st.sampled_from(TimeInForce),
    qty=AMOUNTS,
    price=st.none() | AMOUNTS,
    stop_px=st.none() | AMOUNTS,
    reduce_only=st.booleans(),
)
def test_an_order_survives_the_wire(
    side: Side,
    ord_type: OrdType,
    tif: TimeInForce,
    qty: Decimal,
    price: Decimal | None,
    stop_px: Decimal | None,
    reduce_only: bool,
) -> None:
    terms = Terms(
        client_id="x",
        symbol=Symbol("BTC-USD"),
        side=side,
        ord_type=ord_type,
        time_in_force=tif,
        order_qty=qty,
        price=price,
        stop_px=stop_px,
        reduce_only=reduce_only,
    )
    assert read_order(read_object(order_payload(terms, NOW))) == (terms, NOW)


def test_a_report_survives_the_wire() -> None:
    assert read_report(report_fields(REPORT)) == REPORT
    bare = ExecutionReport(cl_ord_id=None, exec_type=ExecType.NEW, ord_status=OrdStatus.NEW)
    assert read_report(report_fields(bare)) == bare


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("last_px", "NaN"),
        ("last_px", "1e400"),
        ("last_px", "0"),
        ("last_px", "-1"),
        ("last_px", 100.1),
        ("last_px", "1_000"),
        ("last_qty", "\uff11"),
        ("cum_qty", "-1"),
        ("cum_qty", "9" * 30),
        ("avg_px", "Infinity"),
        ("avg_px", 1),
        ("ord_status", "DONE"),
        ("ord_status", None),
        ("exec_type", 7),
        ("transact_time", "yesterday"),
        ("transact_time", 17),
        ("transact_time", "2026-01-05T09:30:00"),
        ("text", "x" * 501),
        ("order_id", 17),
    ],
)
def test_row_41_a_report_with_a_value_that_cannot_be_is_refused(key: str, value: Any) -> None:
    with pytest.raises(Malformed, match=key):
        read_report({**report_fields(REPORT), key: value})


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"<html>", b"\xff\xfe", b"[" * 100_000, b'"text"'])
def test_row_41_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_object(body)


def test_row_41_a_report_that_is_no_object_is_refused() -> None:
    with pytest.raises(Malformed, match="not a JSON object"):
        read_report([])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"order_qty": None}, "order_qty is missing"),
        ({"order_qty": 1}, "order_qty is not a decimal"),
        ({"reduce_only": "yes"}, "reduce_only is neither"),
        ({"side": "LONG"}, "side is none of BUY, SELL"),
        ({"client_id": "x" * 65}, "client_id is not a text"),
        ({"valid_until": "soon"}, "valid_until is not a time"),
        ({"colour": "red"}, "unknown field: colour"),
    ],
)
def test_an_order_that_cannot_be_read_names_the_field(change: dict[str, Any], words: str) -> None:
    fields = {"client_id": "x", "symbol": "BTC-USD", "side": "BUY", "ord_type": "MARKET", "order_qty": "1"}
    assert read_order(fields)[0].time_in_force is TimeInForce.GTC
    with pytest.raises(Malformed, match=words):
        read_order({**fields, **change})


def test_a_report_never_shows_an_exponent() -> None:
    fields = report_fields(replace(REPORT, last_px=Decimal("1E+3"), fee=Decimal(0)))
    assert fields["last_px"] == "1000"
    assert "fee" not in fields
