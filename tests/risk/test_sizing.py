"""X4: from what a signal says about size to a quantity; what cannot be worked out is refused, never guessed."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightdesk.model.denial import DenyCode
from nightdesk.model.errors import Refused
from nightdesk.model.signal import Size, SizeUnit
from nightdesk.risk.sizing import quantity_of
from tests.samples import D, an_instrument

LOT = an_instrument(lot_size=D("0.01"), tick_size=D("0.5"))


def sized(
    value: str,
    unit: SizeUnit,
    *,
    px: str | None = "100",
    equity: str = "1000",
    position: str = "0",
    stop: str | None = None,
) -> Decimal:
    return quantity_of(
        Size(value=D(value), unit=unit),
        LOT,
        px=D(px) if px is not None else None,
        equity=D(equity),
        position_qty=D(position),
        stop_px=D(stop) if stop is not None else None,
    )


@pytest.mark.parametrize(
    ("value", "unit", "given_", "qty"),
    [
        ("0.239", SizeUnit.BASE, {"px": None}, "0.23"),
        ("50", SizeUnit.QUOTE, {}, "0.5"),
        ("50", SizeUnit.QUOTE, {"px": "3"}, "16.66"),
        ("10", SizeUnit.PERCENT_OF_EQUITY, {}, "1"),
        ("25", SizeUnit.PERCENT_OF_POSITION, {"position": "2", "px": None}, "0.5"),
        ("25", SizeUnit.PERCENT_OF_POSITION, {"position": "-2"}, "0.5"),
        ("25", SizeUnit.PERCENT_OF_POSITION, {"position": "0"}, "0"),
        ("30", SizeUnit.RISK_QUOTE, {"stop": "90"}, "3"),
        ("30", SizeUnit.RISK_QUOTE, {"stop": "110"}, "3"),
        ("2", SizeUnit.RISK_PERCENT, {"stop": "96"}, "5"),
    ],
)
def test_each_unit(value: str, unit: SizeUnit, given_: dict[str, str], qty: str) -> None:
    assert sized(value, unit, **given_) == D(qty)  # type: ignore[arg-type]  # by name


PRICED = [SizeUnit.QUOTE, SizeUnit.PERCENT_OF_EQUITY, SizeUnit.RISK_QUOTE, SizeUnit.RISK_PERCENT]


@pytest.mark.parametrize("unit", PRICED)
@pytest.mark.parametrize("px", [None, "0", "-1"])
def test_a_size_in_money_without_a_price_is_unknown(unit: SizeUnit, px: str | None) -> None:
    with pytest.raises(Refused) as refused:
        sized("50", unit, px=px, stop="90")

    assert (refused.value.code, refused.value.field) == (DenyCode.SIZE_UNKNOWN, "size")
    assert "BTC-USD" in refused.value.text


@pytest.mark.parametrize("unit", [SizeUnit.RISK_QUOTE, SizeUnit.RISK_PERCENT])
@pytest.mark.parametrize("stop", [None, "100", "100.4", "99.6"])
def test_a_size_by_risk_needs_a_stop_at_least_a_tick_away(unit: SizeUnit, stop: str | None) -> None:
    with pytest.raises(Refused) as refused:
        sized("50", unit, stop=stop)

    assert (refused.value.code, refused.value.field) == (DenyCode.SIZE_UNKNOWN, "stop_loss")


def test_one_tick_is_far_enough() -> None:
    assert sized("50", SizeUnit.RISK_QUOTE, stop="99.5") == 100


@given(
    st.decimals(min_value="0.01", max_value="10000", places=2),
    st.sampled_from(list(SizeUnit)),
    st.decimals(min_value="0.5", max_value="5000", places=1),
    st.decimals(min_value="0", max_value="100000", places=2),
)
def test_a_quantity_is_in_lots_and_never_more_than_was_asked(
    value: Decimal, unit: SizeUnit, px: Decimal, equity: Decimal
) -> None:
    stop = px + 10
    qty = quantity_of(Size(value=value, unit=unit), LOT, px=px, equity=equity, position_qty=D("-7.5"), stop_px=stop)

    most = {
        SizeUnit.BASE: value,
        SizeUnit.QUOTE: value / px,
        SizeUnit.PERCENT_OF_EQUITY: equity * value / 100 / px,
        SizeUnit.PERCENT_OF_POSITION: D("7.5") * value / 100,
        SizeUnit.RISK_QUOTE: value / 10,
        SizeUnit.RISK_PERCENT: equity * value / 100 / 10,
    }[unit]
    assert LOT.in_lots(qty)
    assert most - LOT.lot_size < qty <= most
