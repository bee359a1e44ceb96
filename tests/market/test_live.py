"""Live prices, with made-up exchanges: nothing here leaves the process."""

import logging
import random
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from nightdesk.market.board import PriceBoard
from nightdesk.market.errors import FeedError
from nightdesk.market.live import LiveFeed, load_exchange
from nightdesk.model.identifiers import Symbol, VenueId
from nightdesk.model.market import Quote
from nightdesk.runtime.clock import VirtualClock

BTC = Symbol("BTC-USD")
TICKER = {"bid": "68000.1", "ask": "68000.2", "last": "68000.15"}


class Unreachable(Exception):
    """What a library raises without a network."""


class FakeExchange:
    """Speaks like a CCXT exchange; fails while `down`, never answers while `hangs`."""

    def __init__(
        self,
        tickers: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        down: bool = False,
        batch: bool = True,
        clock: VirtualClock | None = None,
    ) -> None:
        self.has: Mapping[str, Any] = {"fetchTickers": batch}
        self.tickers = {"BTC/USD": TICKER} if tickers is None else tickers
        self.down = down
        self.clock = clock
        self.asked: list[float] = []
        self.closed = False

    async def load_markets(self) -> Mapping[str, Any]:
        if self.clock is not None:
            self.asked.append(self.clock.monotonic())
        if self.down:
            raise Unreachable("no route")
        return {symbol: {} for symbol in ("BTC/USD", "ETH/USD")}

    async def fetch_tickers(self, symbols: list[str]) -> Mapping[str, Mapping[str, Any]]:
        return {symbol: self.tickers[symbol] for symbol in symbols if symbol in self.tickers}

    async def fetch_ticker(self, symbol: str) -> Mapping[str, Any]:
        return self.tickers[symbol]

    async def close(self) -> None:
        self.closed = True
        raise Unreachable("already gone")


class HangingExchange(FakeExchange):
    async def load_markets(self) -> Mapping[str, Any]:
        assert self.clock is not None
        self.asked.append(self.clock.monotonic())
        await self.clock.sleep(10_000)
        return {}


def feed_of(symbols: tuple[str, ...] = ("BTC-USD",), **exchanges: FakeExchange) -> LiveFeed:
    return LiveFeed(
        exchanges=tuple(exchanges), load=exchanges.__getitem__, rng=random.Random(1), symbols=symbols, interval=0.25
    )


async def run_for(seconds: float, feed: LiveFeed, clock: VirtualClock | None = None) -> tuple[PriceBoard, list[Quote]]:
    board, clock = PriceBoard(), clock or VirtualClock()
    seen: list[Quote] = []
    board.subscribe(seen.append)
    with pytest.raises(TimeoutError):
        async with clock.timeout(seconds):
            await feed.run(board, clock)
    return board, seen


@pytest.mark.parametrize("batch", [True, False])
async def test_prices_are_decimals_of_the_exchanges_own_digits(batch: bool) -> None:
    exchange = FakeExchange(batch=batch)
    board, seen = await run_for(5, feed_of(first=exchange))
    quote = board.quote(BTC)
    assert quote is not None
    assert (quote.bid, quote.ask, quote.last) == (Decimal("68000.1"), Decimal("68000.2"), Decimal("68000.15"))
    assert (quote.source, quote.simulated) == ("first", False)
    assert len(seen) == 3  # at 0, 2 and 4 s: never asked for more often than every 2 s
    assert exchange.closed


async def test_without_a_network_it_says_so_once_and_prices_stay_missing(caplog: pytest.LogCaptureFixture) -> None:
    clock = VirtualClock()
    exchange = FakeExchange(down=True, clock=clock)
    board, seen = await run_for(600, feed_of(first=exchange), clock)
    assert seen == []
    assert board.quote(BTC) is None
    assert caplog.text.count("live prices cannot be had (first: Unreachable)") == 1
    assert "nothing is made up" in caplog.text
    pauses = [after - before for before, after in zip(exchange.asked, exchange.asked[1:], strict=False)]
    assert 2 <= pauses[0] <= 4
    assert pauses[1] <= 8
    assert all(30 <= pause <= 60 for pause in pauses[5:])
    assert len(set(pauses)) == len(pauses)


async def test_an_outage_that_ends_is_said_and_the_next_one_warned_of_again(caplog: pytest.LogCaptureFixture) -> None:
    exchange = FakeExchange(down=True)
    feed = feed_of(first=exchange)
    with caplog.at_level(logging.INFO):
        await run_for(30, feed)
        exchange.down = False
        _, seen = await run_for(30, feed)
        exchange.down = True
        await run_for(30, feed)
    assert seen != []
    assert caplog.text.count("cannot be had") == 2
    assert caplog.text.count("live prices are back, from first") == 1


async def test_the_next_exchange_is_asked_and_stayed_with(caplog: pytest.LogCaptureFixture) -> None:
    clock = VirtualClock()
    first, second = FakeExchange(down=True, clock=clock), FakeExchange()
    _, seen = await run_for(9, feed_of(first=first, second=second), clock)
    assert {quote.source for quote in seen} == {"second"}
    assert len(seen) == 5
    assert len(first.asked) == 1
    assert caplog.text == ""


async def test_an_exchange_that_hangs_is_given_up_on() -> None:
    clock = VirtualClock()
    hanging = HangingExchange(clock=clock)
    _, seen = await run_for(70, feed_of(first=hanging, second=FakeExchange()), clock)
    assert {quote.source for quote in seen} == {"second"}
    assert hanging.asked == [0.0]
    assert seen[0].at == VirtualClock().now().replace(minute=31)


@pytest.mark.parametrize(
    "ticker",
    [
        {"bid": None, "ask": "2", "last": "1"},
        {"bid": "1", "ask": "2", "last": None},
        {"bid": "1", "ask": "2"},
        {"bid": "zero", "ask": "2", "last": "1"},
        {"bid": ["1"], "ask": "2", "last": "1"},
        {"bid": "NaN", "ask": "2", "last": "1"},
        {"bid": "3", "ask": "2", "last": "1"},
        {"bid": "0", "ask": "2", "last": "1"},
    ],
)
async def test_row_41_a_ticker_that_makes_no_sense_gives_no_price(
    ticker: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    board, seen = await run_for(5, feed_of(first=FakeExchange({"BTC/USD": ticker})))
    assert seen == []
    assert board.quote(BTC) is None
    assert caplog.text.count("first: FeedError") == 1


async def test_a_missing_ticker_leaves_the_other_symbols_alone() -> None:
    board, _ = await run_for(5, feed_of(("BTC-USD", "ETH-USD"), first=FakeExchange()))
    assert board.symbols() == (BTC,)


async def test_an_unlisted_symbol_is_said_once_and_not_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    board, _ = await run_for(9, feed_of(("BTC-USD", "SPY"), first=FakeExchange()))
    assert board.symbols() == (BTC,)
    assert caplog.text.count("first lists no SPY") == 1


async def test_an_exchange_that_lists_nothing_asked_for_counts_as_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    _, seen = await run_for(9, feed_of(("SPY",), first=FakeExchange()))
    assert seen == []
    assert caplog.text.count("cannot be had (first: FeedError)") == 1


def test_it_says_what_it_is() -> None:
    feed = LiveFeed(exchanges=("a", "b"), load=lambda name: FakeExchange(), rng=random.Random(1))
    assert feed.describe() == "live public prices from a, else b"
    assert not feed.simulated
    assert feed.symbols == ("BTC-USD", "ETH-USD", "SOL-USD")
    assert [listed.symbol for listed in feed.instruments(VenueId("paper"))] == list(feed.symbols)


def test_no_exchange_is_refused() -> None:
    with pytest.raises(FeedError, match=r"market\.exchanges is empty"):
        LiveFeed(exchanges=(), load=lambda name: FakeExchange(), rng=random.Random(1))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_real_library_knows_the_default_exchanges_and_keeps_digits() -> None:
    make = load_exchange()
    kraken: Any = make("kraken")
    assert kraken.timeout == 10_000
    assert make("bitstamp").has["fetchTickers"]
    answer = {"a": ["68000.10000", "1", "1.000"], "b": ["68000.00000", "1", "1.000"], "c": ["68000.05000", "0.1"]}
    ticker = kraken.parse_ticker(answer)
    assert (ticker["bid"], ticker["ask"], ticker["last"]) == ("68000.00000", "68000.10000", "68000.05000")
    with pytest.raises(FeedError, match="names 'krakn', which CCXT does not know"):
        make("krakn")
