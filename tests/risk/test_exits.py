"""Nothing may stand in the way of an exit, and what each trading state takes."""

from datetime import timedelta

import pytest

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import OrdType, Side, TimeInForce, TradingState
from nightdesk.model.identifiers import Sleeve
from nightdesk.risk.config import RiskConfig
from tests.risk.judging import BARE, a_book, a_sell, denied, hold, judged, passes
from tests.samples import BTC, HAND, START, D, an_order

CLOSED_TO_ALL_ENTRIES = RiskConfig(
    max_order_qty=D("0.001"),
    max_order_notional=D("0.01"),
    max_symbol_exposure=D("0.01"),
    max_total_exposure=D("0.01"),
    max_open_order_value=D("0.01"),
    max_leverage=D("0.01"),
    max_daily_loss=D("0.01"),
    max_orders_per_minute=1,
    duplicate_guard_seconds=60.0,
    stale_price_seconds=1.0,
)


def test_an_exit_skips_every_limit_on_size_exposure_rate_and_price() -> None:
    """X4: nothing may stand in the way of an exit."""
    late = START + timedelta(hours=1)

    passes(a_sell("4"), book=a_book(btc="4"), limits=CLOSED_TO_ALL_ENTRIES, recent_orders=999, twin=True, now=late)
    passes(a_sell("4"), book=a_book(btc="4"), limits=CLOSED_TO_ALL_ENTRIES, quote=None)
    passes(a_sell("4"), book=a_book(btc="4"), instrument={"min_notional": D(10**6)})
    passes(an_order(order_qty=D(4)), book=a_book(btc="-4"), limits=CLOSED_TO_ALL_ENTRIES)


def test_one_lot_more_than_can_be_closed_is_an_entry() -> None:
    book = a_book(btc="4")
    book.reserve(BTC, HAND, Side.SELL, D(1), D(100))

    passes(a_sell("3"), book=book, limits=CLOSED_TO_ALL_ENTRIES)
    assert denied(a_sell("3.001"), book=book, limits=CLOSED_TO_ALL_ENTRIES).code is DenyCode.MAX_ORDER_QTY


def test_reduce_only_is_proven_against_the_closes_under_way() -> None:
    book = a_book(btc="4")
    book.reserve(BTC, HAND, Side.SELL, D(1), D(100))

    passes(a_sell("3", reduce_only=True), book=book)
    refusal = denied(a_sell("3.001", reduce_only=True), book=book)

    assert (refusal.code, refusal.limit, refusal.value) == (DenyCode.NOTHING_TO_REDUCE, "4", "3.001")
    assert "of which 3 can still be closed" in refusal.text
    assert denied(an_order(reduce_only=True), book=book).code is DenyCode.NOTHING_TO_REDUCE


def test_another_sleeve_s_position_is_nothing_to_reduce() -> None:
    book = a_book()
    hold(book, D(4), sleeve=Sleeve("other"))

    assert denied(a_sell(reduce_only=True), book=book).code is DenyCode.NOTHING_TO_REDUCE


def test_an_exit_still_has_to_be_an_order_the_venue_can_take() -> None:
    book = a_book(btc="4")

    assert denied(a_sell("0.0005"), book=book).code is DenyCode.QTY_INVALID
    assert denied(a_sell(ord_type=OrdType.LIMIT), book=book).code is DenyCode.FIELD_MISSING
    assert denied(a_sell(time_in_force=TimeInForce.FOK), book=book, capabilities=BARE).field == "time_in_force"


STATES = {
    (TradingState.ACTIVE, False): None,
    (TradingState.ACTIVE, True): None,
    (TradingState.HALTED, False): DenyCode.HALTED,
    (TradingState.HALTED, True): None,
    (TradingState.REDUCING, False): DenyCode.REDUCING_ONLY,
    (TradingState.REDUCING, True): None,
    (TradingState.RECONCILING, False): DenyCode.RECONCILING,
    (TradingState.RECONCILING, True): DenyCode.RECONCILING,
}


@pytest.mark.parametrize(("state", "exits"), STATES)
def test_what_each_state_takes(state: TradingState, exits: bool) -> None:
    order, book = (a_sell(), a_book(btc="4")) if exits else (an_order(), a_book(btc="4"))

    outcome = judged(order, book=book, state=state, state_reason="a reason")

    code = STATES[(state, exits)]
    assert getattr(outcome, "code", None) is code
    if code is not None:
        assert "Reason: a reason" in outcome.text  # type: ignore[union-attr]  # a code is only on a refusal
        assert outcome.value == state.value  # type: ignore[union-attr]


def test_a_state_without_a_reason_says_so() -> None:
    assert "none given" in denied(state=TradingState.HALTED).text
