"""Numbers and times as people read them."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightdesk.web.words import MINUS, ago, amount, listed, money, plural, price, signed, signed_money, span
from tests.web.world import START


@pytest.mark.parametrize(
    ("value", "text"),
    [("1234567.50", "1,234,567.5"), ("-0.10", f"{MINUS}0.1"), ("1E+3", "1,000"), ("0", "0"), ("-0.00", "0")],
)
def test_amounts(value: str, text: str) -> None:
    assert amount(Decimal(value)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("64000", "64,000.00"),
        ("3412.1", "3,412.10"),
        ("172.055", "172.055"),
        ("0.00001234567", "0.0000123457"),
        ("0", "0"),
        ("1.5", "1.50"),
        ("63850.123456789", "63,850.12"),
    ],
)
def test_prices_have_cents_and_more_where_they_are_small(value: str, text: str) -> None:
    assert price(Decimal(value)) == text


def test_gains_always_show_their_sign() -> None:
    assert signed_money(Decimal("182.4")) == "+$182.40"
    assert signed_money(Decimal("-10.2")) == f"{MINUS}$10.20"
    assert signed_money(Decimal("0.001")) == "$0.00"
    assert signed_money(Decimal(5), "EUR") == "+5.00 EUR"
    assert money(Decimal("-0.004")) == "$0.00"
    assert signed(Decimal("0.91"), places=2) == "+0.91"


def test_durations_take_the_unit_that_fits() -> None:
    lengths = [timedelta(microseconds=2940), timedelta(seconds=12.34), timedelta(minutes=4), timedelta(hours=30)]
    assert [span(each) for each in lengths] == ["2.9 ms", "12.3 s", "4 min", "30 h"]
    assert span(timedelta(days=3)) == "3 days"
    assert ago(START, START + timedelta(seconds=42)) == "42 s ago"
    assert ago(START, START - timedelta(seconds=5)) == "0 s ago"
    assert ago(START, START + timedelta(hours=3)) == "3 h ago"


def test_lists_and_plurals() -> None:
    assert [listed([]), listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert [plural(1, "leg"), plural(2, "leg"), plural(0, "loss", "losses")] == ["1 leg", "2 legs", "0 losses"]


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=8))
def test_no_number_loses_its_value_or_shows_an_exponent(value: Decimal) -> None:
    text = amount(value)
    assert Decimal(text.replace(",", "").replace(MINUS, "-")) == value
    for shown in (text, price(value), money(value), signed(value, places=2)):
        assert "e" not in shown.lower()
