"""The account inside a transaction: reservations, exposure at its worst, equity, the day and the minute."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightdesk.model.enums import Side, TradingState
from nightdesk.model.identifiers import OPERATOR, Sleeve
from nightdesk.model.position import Change
from nightdesk.portfolio.book import AccountBook
from tests.samples import BTC, ETH, FAKE, HAND, MAIN, D

OTHER = Sleeve("other")
QTY = st.sampled_from([D(0), D("0.5"), D(1), D(3)])
SIGNED = st.sampled_from([D(-3), D(-1), D(0), D("0.5"), D(2)])


def a_book(cash: str = "1000") -> AccountBook:
    return AccountBook(
        account_id=MAIN,
        owner_id=OPERATOR,
        venue=FAKE,
        currency="USD",
        cash=D(cash),
        state=TradingState.ACTIVE,
        state_reason="",
        event_seq=0,
        day="",
        day_equity=D(cash),
    )


def bought(qty: Decimal, px: str = "100", fees: str = "0") -> Change:
    return Change(qty=qty, value=qty * D(px), fees=D(fees))


def test_reservations_come_and_go_on_their_own_side() -> None:
    book = a_book()
    book.reserve(BTC, HAND, Side.BUY, D(2), D(100))
    book.reserve(BTC, HAND, Side.SELL, D(1), D(110))
    stake = book.stake(BTC, HAND)

    assert (stake.buy_qty, stake.buy_value, stake.sell_qty, stake.sell_value) == (2, 200, 1, 110)
    assert book.open_order_value() == 310
    assert stake.expected_qty == 1
    assert book.dirty == {(BTC, HAND)}

    book.reserve(BTC, HAND, Side.BUY, D(-2), D(100))
    book.reserve(BTC, HAND, Side.SELL, D(-1), D(110))
    assert not stake.is_open
    assert book.open_order_value() == 0


@pytest.mark.parametrize(
    ("held", "buys", "sells", "side", "reducible"),
    [
        ("3", "0", "0", Side.SELL, "3"),
        ("3", "0", "2", Side.SELL, "1"),
        ("3", "0", "3", Side.SELL, "0"),
        ("3", "0", "5", Side.SELL, "0"),
        ("3", "4", "0", Side.SELL, "3"),
        ("3", "0", "0", Side.BUY, "0"),
        ("-3", "0", "0", Side.BUY, "3"),
        ("-3", "1", "0", Side.BUY, "2"),
        ("-3", "0", "0", Side.SELL, "0"),
        ("0", "0", "0", Side.BUY, "0"),
    ],
)
def test_what_can_be_reduced_is_the_position_less_the_closes_under_way(
    held: str, buys: str, sells: str, side: Side, reducible: str
) -> None:
    """X4 and HALT: "reduces" is proven from our own position minus pending closes."""
    book = a_book()
    book.apply(BTC, HAND, bought(D(held)))
    book.reserve(BTC, HAND, Side.BUY, D(buys), D(100))
    book.reserve(BTC, HAND, Side.SELL, D(sells), D(100))

    assert book.stake(BTC, HAND).reducible(side) == D(reducible)


@given(st.lists(st.tuples(SIGNED, QTY, QTY), min_size=1, max_size=3), QTY, QTY, st.data())
def test_no_combination_of_fills_reaches_more_than_the_exposure(
    stakes: list[tuple[Decimal, Decimal, Decimal]], extra_buy: Decimal, extra_sell: Decimal, data: st.DataObject
) -> None:
    """I6: whatever part of what may fill does fill."""
    book = a_book()
    net = D(0)
    for number, (held, buys, sells) in enumerate(stakes):
        sleeve = Sleeve(f"sleeve-{number}")
        book.apply(BTC, sleeve, bought(held))
        book.reserve(BTC, sleeve, Side.BUY, buys, D(100))
        book.reserve(BTC, sleeve, Side.SELL, sells, D(100))
        part = st.sampled_from([D(0), D("0.3"), D(1)])
        net += held + buys * data.draw(part) - sells * data.draw(part)
    part = st.sampled_from([D(0), D("0.5"), D(1)])
    net += extra_buy * data.draw(part) - extra_sell * data.draw(part)

    exposure = book.exposure(BTC, D(10), extra_buy=extra_buy, extra_sell=extra_sell)

    assert abs(net) * 10 <= exposure


@given(st.lists(st.tuples(SIGNED, QTY, QTY), min_size=1, max_size=3), st.integers(0, 2), st.data())
def test_an_exit_never_raises_the_exposure(
    stakes: list[tuple[Decimal, Decimal, Decimal]], chosen: int, data: st.DataObject
) -> None:
    """I6: exits pass without limits, so neither taking one nor filling it may bring a limit nearer."""
    book = a_book()
    for number, (held, buys, sells) in enumerate(stakes):
        sleeve = Sleeve(f"sleeve-{number}")
        book.apply(BTC, sleeve, bought(held))
        book.reserve(BTC, sleeve, Side.BUY, buys, D(100))
        book.reserve(BTC, sleeve, Side.SELL, sells, D(100))
    sleeve = Sleeve(f"sleeve-{chosen % len(stakes)}")
    side = data.draw(st.sampled_from(list(Side)))
    qty = book.stake(BTC, sleeve).reducible(side) * data.draw(st.sampled_from([D("0.5"), D(1)]))
    before = book.exposure(BTC, D(10))

    book.reserve(BTC, sleeve, side, qty, D(100))
    assert book.exposure(BTC, D(10)) <= before
    filled = qty * data.draw(st.sampled_from([D("0.5"), D(1)]))
    book.reserve(BTC, sleeve, side, -filled, D(100))
    book.apply(BTC, sleeve, bought(side.sign * filled))
    assert book.exposure(BTC, D(10)) <= before


@pytest.mark.parametrize("side", list(Side))
def test_the_exit_of_a_sleeve_uncovers_no_other(side: Side) -> None:
    """I6: two sleeves that offset each other would come to nothing, until one of them closes."""
    book = a_book()
    book.apply(BTC, HAND, bought(D(2) * side.sign))
    book.apply(BTC, OTHER, bought(D(1) * side.opposite.sign))

    assert book.exposure(BTC, D(10)) == 20
    book.apply(BTC, OTHER, bought(D(1) * side.sign))
    assert book.exposure(BTC, D(10)) == 20


def test_more_of_a_sleeve_counts_from_where_it_stands() -> None:
    """A flip goes through zero; the same from a sleeve that holds nothing does not."""
    book = a_book()
    book.apply(BTC, HAND, bought(D(-3)))

    assert book.exposure(BTC, D(10), sleeve=HAND, extra_buy=D(5)) == 30
    assert book.exposure(BTC, D(10), sleeve=HAND, extra_buy=D(7)) == 40
    assert book.exposure(BTC, D(10), sleeve=OTHER, extra_buy=D(5)) == 50
    assert book.exposure(BTC, D(10), extra_sell=D(5)) == 80


def test_total_exposure_sums_the_symbols_and_values_unpriced_ones_at_cost_and_reservation() -> None:
    book = a_book()
    book.apply(BTC, HAND, bought(D(2), "100"))
    book.apply(ETH, HAND, bought(D(4), "10"))
    book.reserve(ETH, OTHER, Side.BUY, D(1), D(20))

    assert book.total_exposure({BTC: D(150), ETH: D(10)}) == 300 + 50
    assert book.total_exposure({BTC: D(150)}) == 300 + 5 * D(60) / 5
    assert book.total_exposure({}) == 200 + 60


def test_a_symbol_that_is_flat_and_quiet_counts_nothing() -> None:
    book = a_book()
    book.apply(BTC, HAND, bought(D(2), "100"))
    book.apply(BTC, HAND, bought(D(-2), "110"))

    assert book.total_exposure({BTC: D(100)}) == 0
    assert book.exposure(ETH, D(10)) == 0


@given(
    st.lists(
        st.tuples(st.sampled_from([BTC, ETH]), st.sampled_from([HAND, OTHER]), SIGNED, st.sampled_from(["90", "100"])),
        max_size=8,
    )
)
def test_equity_is_cash_and_holdings_and_the_gain_is_accounted_for(
    trades: list[tuple[str, str, Decimal, str]],
) -> None:
    """I5: cash plus position value is the start plus realised and unrealised gain less fees."""
    book, realised = a_book("1000"), D(0)
    px_of = {BTC: D(95), ETH: D(101)}
    for symbol, sleeve, qty, px in trades:
        realised += book.apply(symbol, sleeve, bought(qty, px, "0.5"))  # type: ignore[arg-type]  # drawn from ours

    unrealised = sum((stake.position.unrealised_pnl(px_of[symbol]) for (symbol, _), stake in book.stakes.items()), D(0))
    fees = sum((stake.position.fees for stake in book.stakes.values()), D(0))
    assert abs(book.equity(px_of) - (1000 + realised + unrealised - fees)) < D("1e-15")
    assert realised == sum((stake.position.realised_pnl for stake in book.stakes.values()), D(0))


def test_a_position_without_a_price_counts_at_its_cost() -> None:
    book = a_book("1000")
    book.apply(BTC, HAND, bought(D(2), "100"))

    assert book.equity({}) == 1000
    assert book.equity({BTC: D(110)}) == 1020


def test_an_empty_change_leaves_no_mark() -> None:
    book = a_book()

    assert book.apply(BTC, HAND, bought(D(0))) == 0
    assert not book.dirty
    assert not book.stakes


def test_the_minute_slides_and_is_not_the_clock_s() -> None:
    book = a_book()
    for second in (100, 100, 130, 159):
        book.count_order(second)

    assert book.recent_orders(159) == 4
    assert book.recent_orders(160) == 2
    assert book.recent_orders(218) == 1
    assert book.recent_orders(219) == 0
    book.count_order(200)
    assert set(book.rate) == {159, 200}


def test_the_day_begins_once_with_the_equity_of_its_first_look() -> None:
    book = a_book("1000")
    book.apply(BTC, HAND, bought(D(1), "100"))

    book.begin_day("2026-01-05", {BTC: D(150)})
    book.begin_day("2026-01-05", {BTC: D(50)})
    assert (book.day, book.day_equity) == ("2026-01-05", 1050)

    book.begin_day("2026-01-06", {BTC: D(50)})
    assert (book.day, book.day_equity) == ("2026-01-06", 950)
