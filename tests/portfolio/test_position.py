"""A position keeps every cent: what was paid, what is held and what was gained always add up."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightdesk.model.position import Change, Position, apply_change
from tests.samples import BTC, HAND, MAIN, D

FLAT = Position(account_id=MAIN, symbol=BTC, sleeve=HAND)
TINY = D("1e-15")


def trade(qty: str | int | Decimal, px: str | int | Decimal, fees: str | Decimal = "0") -> Change:
    return Change(qty=D(qty), value=D(qty) * D(px), fees=D(fees))


@st.composite
def changes(draw: st.DrawFn) -> Change:
    qty = draw(st.sampled_from(["-3", "-1", "-0.7", "0", "0.001", "0.7", "1", "2.5"]))
    fees = draw(st.sampled_from([D(0), D("0.1"), D("-0.05")]))
    if D(qty) == 0:
        return Change(qty=D(0), value=draw(st.sampled_from([D(0), D("1.5"), D("-2")])), fees=fees)
    return trade(qty, draw(st.sampled_from(["90", "99.99", "100", "133.37"])), fees)


def after(position: Position, *made: Change) -> Position:
    for change in made:
        position = apply_change(position, change)
    return position


@given(st.lists(changes(), max_size=12), st.sampled_from([D("50"), D("100"), D("133.37")]))
def test_cash_paid_plus_what_is_held_is_what_was_gained(made: list[Change], px: Decimal) -> None:
    """I5: realised and unrealised gain together are the money that came in plus what the position is worth."""
    position = after(FLAT, *made)

    paid = sum((change.value for change in made), D(0))
    assert abs(position.realised_pnl + position.unrealised_pnl(px) - (position.qty * px - paid)) < TINY
    assert position.qty == sum((change.qty for change in made), D(0))
    assert position.fees == sum((change.fees for change in made), D(0))


@given(st.lists(changes(), max_size=12))
def test_a_flat_position_costs_nothing(made: list[Change]) -> None:
    position = after(FLAT, *made)
    flat = after(position, trade(-position.qty, "100")) if position.qty else position

    assert flat.qty == 0
    assert flat.cost == 0
    assert flat.avg_px is None


@given(st.lists(changes().filter(lambda change: change.qty > 0 and change.value > 0), min_size=1, max_size=6))
def test_only_adding_realises_nothing(made: list[Change]) -> None:
    assert after(FLAT, *made).realised_pnl == 0
    assert after(FLAT, *(replace(each, qty=-each.qty, value=-each.value) for each in made)).realised_pnl == 0


@pytest.mark.parametrize(
    ("made", "qty", "avg_px", "realised"),
    [
        ([trade(2, 100), trade(1, 130)], "3", "110", "0"),
        ([trade(2, 100), trade(-1, 130)], "1", "100", "30"),
        ([trade(2, 100), trade(-2, 90)], "0", None, "-20"),
        ([trade(-2, 100), trade(1, 90)], "-1", "100", "10"),
        ([trade(2, 100), trade(-5, 110)], "-3", "110", "20"),
        ([trade(-2, 100), trade(5, 90)], "3", "90", "20"),
        ([trade(1, 100), trade(1, 200), trade(-1, 150)], "1", "150", "0"),
    ],
)
def test_average_cost_and_flips_through_zero(made: list[Change], qty: str, avg_px: str | None, realised: str) -> None:
    position = after(FLAT, *made)

    assert position.qty == D(qty)
    assert position.avg_px == (D(avg_px) if avg_px is not None else None)
    assert position.realised_pnl == D(realised)


def test_a_better_known_price_corrects_the_cost_of_what_is_held() -> None:
    """The synthetic fill was priced, then its real fills came in."""
    position = after(FLAT, trade(2, 100), Change(qty=D(0), value=D(6), fees=D("0.2")))

    assert (position.qty, position.avg_px, position.realised_pnl, position.fees) == (2, 103, 0, D("0.2"))


def test_a_better_known_price_of_a_closed_position_corrects_what_was_realised() -> None:
    position = after(FLAT, trade(2, 100), trade(-2, 110), Change(qty=D(0), value=D(6), fees=D(0)))

    assert (position.qty, position.cost, position.realised_pnl) == (0, 0, 14)


def test_a_bust_takes_back_quantity_and_value() -> None:
    """Row 35: a reversing entry, as the change of an order shows it."""
    assert after(FLAT, trade(1, 100), trade(1, 120), trade(-1, 120)).qty == 1
    assert after(FLAT, trade(1, 100), trade(-1, 100)).realised_pnl == 0


def test_an_empty_change_is_known_as_such() -> None:
    assert Change(qty=D(0), value=D(0), fees=D(0)).empty
    assert not Change(qty=D(0), value=D(0), fees=D(1)).empty
    assert not Change(qty=D(0), value=D(1), fees=D(0)).empty
    assert not trade(1, 1).empty
