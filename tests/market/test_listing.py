"""The steps symbols trade in."""

from decimal import Decimal

import pytest

from nightdesk.market.listing import instrument
from nightdesk.model.identifiers import Symbol, VenueId

PAPER = VenueId("paper")


def test_a_known_symbol_has_its_own_steps_whatever_the_price() -> None:
    listed = instrument(Symbol("BTC-USD"), PAPER, near=Decimal("0.06"))
    assert (listed.tick_size, listed.lot_size, listed.base, listed.quote) == (
        Decimal("0.01"),
        Decimal("0.00001"),
        "BTC",
        "USD",
    )
    assert listed.min_notional == 1


@pytest.mark.parametrize(
    ("near", "tick", "lot"),
    [
        ("8733.86", "0.01", "0.0001"),
        ("126.4", "0.001", "0.001"),
        ("0.0825", "1e-7", "10"),
        ("1", "0.00001", "0.1"),
        ("12345678", "1", "1e-8"),
    ],
)
def test_an_unknown_symbol_gets_six_digits_of_price_and_small_lots(near: str, tick: str, lot: str) -> None:
    listed = instrument(Symbol("LTC-BTC"), PAPER, near=Decimal(near))
    assert (listed.tick_size, listed.lot_size) == (Decimal(tick), Decimal(lot))
    assert Decimal("0.1") <= listed.lot_size * Decimal(near) <= 1
    assert listed.min_notional == 0
    assert "E+" not in f"{listed.tick_size} {listed.lot_size}"


def test_without_a_price_the_steps_are_tiny() -> None:
    listed = instrument(Symbol("DOGE-USD"), PAPER)
    assert listed.tick_size == listed.lot_size == listed.min_qty == Decimal("1e-8")


def test_a_bare_ticker_is_quoted_in_dollars() -> None:
    listed = instrument(Symbol("AAPL"), PAPER)
    assert (listed.base, listed.quote) == ("AAPL", "USD")
