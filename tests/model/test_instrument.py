"""Steps and trading hours (X4: market hours; row 47 in part)."""

from datetime import UTC, datetime, time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightdesk.model.instrument import TradingHours
from tests.samples import an_instrument

NEW_YORK = TradingHours(zone="America/New_York", opens=time(9, 30), closes=time(16))


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        (datetime(2026, 7, 6, 13, 30, tzinfo=UTC), True),
        (datetime(2026, 7, 6, 13, 29, 59, tzinfo=UTC), False),
        (datetime(2026, 7, 6, 19, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 7, 6, 20, 0, tzinfo=UTC), False),
        (datetime(2026, 1, 5, 14, 30, tzinfo=UTC), True),
        (datetime(2026, 1, 5, 13, 30, tzinfo=UTC), False),
        (datetime(2026, 1, 3, 15, 0, tzinfo=UTC), False),
    ],
    ids=["opening", "before", "last second", "closed", "winter opening", "winter before", "saturday"],
)
def test_a_market_is_open_by_its_own_clock(moment: datetime, is_open: bool) -> None:
    assert NEW_YORK.open_at(moment) is is_open


def test_hours_are_said_in_words() -> None:
    assert str(NEW_YORK) == "09:30 to 16:00 America/New_York"


@given(st.decimals(min_value=0, max_value=10**9, places=8))
def test_a_quantity_is_only_ever_cut_down_to_whole_lots(qty: Decimal) -> None:
    instrument = an_instrument(lot_size=Decimal("0.003"))
    cut = instrument.round_qty(qty)
    assert cut <= qty
    assert instrument.in_lots(cut)
    assert qty - cut < instrument.lot_size


@given(st.decimals(min_value=0, max_value=10**9, places=8))
def test_a_price_lands_on_the_nearest_tick(px: Decimal) -> None:
    instrument = an_instrument(tick_size=Decimal("0.05"))
    landed = instrument.round_px(px)
    assert instrument.on_tick(landed)
    assert abs(landed - px) <= instrument.tick_size / 2
