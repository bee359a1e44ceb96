"""The board of newest prices."""

import logging
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightdesk.market.board import Freshness, PriceBoard, flaw, freshness
from nightdesk.model.identifiers import Symbol
from nightdesk.model.market import Prices, Quote

BTC = Symbol("BTC-USD")
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
GOOD = Quote(
    symbol=BTC,
    bid=Decimal("99.5"),
    ask=Decimal("100.5"),
    last=Decimal("100"),
    at=NOON,
    source="simulated",
    simulated=True,
    bid_size=Decimal(0),
    ask_size=Decimal("1.5"),
)


def test_newest_quote_wins_and_an_unseen_symbol_has_none() -> None:
    board: Prices = PriceBoard()
    assert board.quote(BTC) is None
    assert board.symbols() == ()
    assert isinstance(board, PriceBoard)
    assert board.update(GOOD)
    later = replace(GOOD, bid=Decimal("99.6"), at=NOON + timedelta(seconds=1))
    assert board.update(later)
    assert board.quote(BTC) == later
    assert board.symbols() == (BTC,)


def test_a_quote_after_the_wall_clock_was_set_back_is_still_the_newest() -> None:
    board = PriceBoard()
    board.update(GOOD)
    earlier = replace(GOOD, at=NOON - timedelta(hours=1))
    assert board.update(earlier)
    assert board.quote(BTC) == earlier
    assert [at for _, at in board.history(BTC)] == [GOOD.at, earlier.at]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bid": Decimal("101")}, "bid is above ask"),
        ({"bid": Decimal(0)}, "bid is not between"),
        ({"bid": Decimal(-1)}, "bid is not between"),
        ({"ask": Decimal("NaN")}, "ask is not a finite"),
        ({"ask": Decimal("sNaN")}, "ask is not a finite"),
        ({"ask": Decimal("Infinity")}, "ask is not a finite"),
        ({"ask": Decimal("1e400")}, "ask is not between"),
        ({"last": Decimal("1e-400")}, "last is not between"),
        ({"last": Decimal("-Infinity")}, "last is not a finite"),
        ({"bid_size": Decimal(-1)}, "bid_size"),
        ({"ask_size": Decimal("NaN")}, "ask_size"),
        ({"at": NOON.replace(tzinfo=None)}, "no time zone"),
    ],
)
def test_row_41_nonsense_is_counted_and_dropped(change: dict[str, object], words: str) -> None:
    board = PriceBoard()
    board.update(GOOD)
    heard: list[Quote] = []
    board.subscribe(heard.append)
    assert not board.update(replace(GOOD, **change))  # type: ignore[arg-type]
    assert board.quote(BTC) == GOOD
    assert heard == []
    assert board.rejected == 1
    assert board.last_flaw is not None
    assert words in board.last_flaw


_ANY_DECIMAL = st.decimals(allow_nan=True, allow_infinity=True)


@given(bid=_ANY_DECIMAL, ask=_ANY_DECIMAL, last=_ANY_DECIMAL, size=st.none() | _ANY_DECIMAL)
def test_row_41_whatever_comes_the_board_never_shows_nonsense(
    bid: Decimal, ask: Decimal, last: Decimal, size: Decimal | None
) -> None:
    board = PriceBoard()
    taken = board.update(replace(GOOD, bid=bid, ask=ask, last=last, bid_size=size))
    shown = board.quote(BTC)
    assert taken == (shown is not None)
    assert board.rejected == (not taken)
    if shown is not None:
        assert flaw(shown) is None
        assert 0 < shown.bid <= shown.ask < Decimal("1e19")


def test_an_unsubscribed_listener_hears_no_more() -> None:
    board = PriceBoard()
    first: list[Quote] = []
    second: list[Quote] = []
    leave = board.subscribe(first.append)
    board.subscribe(second.append)
    board.update(GOOD)
    leave()
    leave()
    board.update(GOOD)
    assert (len(first), len(second)) == (1, 2)


def test_a_listener_may_come_or_go_while_one_is_told() -> None:
    board = PriceBoard()
    late: list[Quote] = []

    def once(quote: Quote) -> None:
        leave()
        board.subscribe(late.append)

    leave = board.subscribe(once)
    assert board.update(GOOD)
    assert late == []
    assert board.update(GOOD)
    assert late == [GOOD]


def test_one_failing_listener_starves_nobody_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    board = PriceBoard()
    heard: list[Quote] = []
    sick = True

    def faulty(quote: Quote) -> None:
        if sick:
            raise ValueError("broken")

    board.subscribe(faulty)
    board.subscribe(heard.append)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert board.update(GOOD)
        assert len(caplog.records) == 1
        sick = False
        board.update(GOOD)
        sick = True
        board.update(GOOD)
    assert len(caplog.records) == 2
    assert len(heard) == 5


def test_history_is_bounded_and_spaced() -> None:
    board = PriceBoard(points=5, spacing=timedelta(seconds=1))
    assert board.history(BTC) == ()
    for quarter in range(40):
        price = Decimal(100 + quarter)
        at = NOON + timedelta(seconds=quarter / 4)
        board.update(replace(GOOD, bid=price, ask=price, at=at))
    history = board.history(BTC)
    assert [at for _, at in history] == [NOON + timedelta(seconds=second) for second in range(5, 10)]
    assert [mid for mid, _ in history] == [Decimal(100 + 4 * second) for second in range(5, 10)]


def test_age_is_counted_from_the_quotes_moment() -> None:
    board = PriceBoard()
    assert board.age(BTC, NOON) is None
    board.update(GOOD)
    assert board.age(BTC, NOON + timedelta(seconds=7)) == timedelta(seconds=7)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, Freshness.FRESH),
        (30, Freshness.FRESH),
        (30.001, Freshness.STALE),
        (-30, Freshness.FRESH),
        (-31, Freshness.STALE),
    ],
)
def test_freshness_by_distance_from_now(seconds: float, expected: Freshness) -> None:
    assert freshness(GOOD, NOON + timedelta(seconds=seconds), 30.0) is expected


def test_freshness_of_no_quote_is_missing() -> None:
    assert freshness(None, NOON, 30.0) is Freshness.MISSING


def whole(board: PriceBoard, symbol: Symbol) -> bool:
    quote = board.quote(symbol)
    history = board.history(symbol)
    return quote is not None and quote.ask - quote.bid == 1 and all(mid % 1 == Decimal("0.5") for mid, _ in history)


def test_readers_in_other_threads_only_see_whole_values() -> None:
    board = PriceBoard(points=50, spacing=timedelta(0))
    stop = threading.Event()
    faults: list[str] = []

    def read() -> None:
        while not stop.is_set():
            faults.extend(symbol for symbol in board.symbols() if not whole(board, symbol))

    def come_and_go() -> None:
        while not stop.is_set():
            board.subscribe(lambda quote: None)()

    threads = [threading.Thread(target=work) for work in (read, read, come_and_go)]
    for thread in threads:
        thread.start()
    for number in range(3000):
        price = Decimal(1 + number)
        board.update(replace(GOOD, symbol=Symbol(f"S{number % 300}"), bid=price, ask=price + 1))
    stop.set()
    for thread in threads:
        thread.join(10)
    assert faults == []
    assert len(board.symbols()) == 300
