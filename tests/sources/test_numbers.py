"""The bounded decimal: row 76, K2."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightdesk.model.denial import DenyCode
from nightdesk.model.errors import Refused
from nightdesk.sources.tradingview.numbers import DECIMALS, INTEGER_DIGITS, decimal


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0.1", "0.1"),
        ("-2.50", "-2.50"),
        ("1e3", "1000"),
        ("1E-7", "0.0000001"),
        ("0.10000000000000000000000000", "0.1"),
        ("99999999999999999999", "99999999999999999999"),
        ("0.000000000000000001", "0.000000000000000001"),
        ("0e50", "0"),
        ("-0", "0"),
        ("12345678901234567890.123456789012345678", "12345678901234567890.123456789012345678"),
        (7, "7"),
        (Decimal("1E+2"), "100"),
    ],
)
def test_plain_numbers_are_read_exactly_row_76(value: object, expected: str) -> None:
    number = decimal(value, "size")
    assert format(number, "f") == expected


@pytest.mark.parametrize(
    "value",
    [
        "NaN", "Infinity", "-inf", "1e999", "1e400", "1_000", "1,000", "\uff11", " 1", "1 ", "+1", "--1", ".5", "5.",
        "0x1", "1e", "\u0663", "1e20", "1e-19", "100000000000000000000", "0.0000000000000000001", "1" * 41, "abc",
        True, False, 1.5, 10**20,
        pytest.param(10**5000, id="5001 digits"), Decimal("NaN"), Decimal("1E+400"), [], {}, None, "1\n",
    ],
)  # fmt: skip
def test_what_is_no_plain_number_is_refused_by_name_row_76(value: object) -> None:
    with pytest.raises(Refused, match=r"size is .*expected a plain number") as caught:
        decimal(value, "size")
    assert caught.value.code is DenyCode.FIELD_INVALID
    assert caught.value.field == "size"
    assert len(caught.value.text) < 250


@pytest.mark.parametrize("value", ["0", "-1", "0.0", "-0", "1e-99", 0, -3])
def test_zero_and_less_are_refused_where_a_positive_number_is_needed_k2(value: object) -> None:
    with pytest.raises(Refused, match="positive"):
        decimal(value, "size", positive=True)


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_number_is_a_missing_one(value: str) -> None:
    with pytest.raises(Refused) as caught:
        decimal(value, "size")
    assert caught.value.code is DenyCode.FIELD_MISSING


def test_a_placeholder_in_a_number_is_named_k2() -> None:
    with pytest.raises(Refused, match=r"\{\{strategy.order.contracts\}\}") as caught:
        decimal("{{strategy.order.contracts}}", "size")
    assert caught.value.code is DenyCode.PLACEHOLDER_UNFILLED


@given(st.decimals(allow_nan=False, allow_infinity=False, places=DECIMALS, min_value=-(10**18), max_value=10**18))
def test_every_number_in_bounds_comes_back_equal(number: Decimal) -> None:
    assert decimal(format(number, "f"), "x") == number


@given(st.text(max_size=60) | st.from_regex(r"-?[0-9]{1,45}(\.[0-9]{1,45})?([eE][+-]?[0-9]{1,3})?", fullmatch=True))
def test_what_is_read_lies_in_bounds_row_76(text: str) -> None:
    try:
        number = decimal(text, "x")
    except Refused:
        return
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    assert abs(number) < 10**INTEGER_DIGITS
    assert -DECIMALS <= exponent <= 0
