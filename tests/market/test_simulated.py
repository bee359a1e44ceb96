"""The simulated market."""

import asyncio
import itertools
import math
import statistics
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightdesk.market.board import PriceBoard, flaw
from nightdesk.market.errors import FeedError
from nightdesk.market.listing import instrument
from nightdesk.market.simulated import SYMBOLS, Regime, SimulatedFeed, Step, paths, start_price
from nightdesk.model.identifiers import Symbol, VenueId
from nightdesk.model.market import Quote
from nightdesk.runtime.clock import VirtualClock

BTC = Symbol("BTC-USD")
SPY = Symbol("SPY")


def steps(seed: int, count: int, symbols: tuple[Symbol, ...] = SYMBOLS, regime: Regime | None = None) -> list[Step]:
    return list(itertools.islice(paths(seed, symbols, regime=regime), count))


def returns(regime: Regime, symbol: Symbol = BTC, seed: int = 3, count: int = 1500) -> list[float]:
    """Log returns of the mid, in basis points a step."""
    mids = [float(step.ticks[0].bid + step.ticks[0].ask) for step in steps(seed, count, (symbol,), regime)]
    return [10_000 * math.log(after / before) for before, after in itertools.pairwise(mids)]


def test_same_seed_same_path_and_another_seed_another() -> None:
    assert steps(7, 500) == steps(7, 500)
    assert steps(7, 50) != steps(8, 50)


def test_the_path_does_not_change_between_versions() -> None:
    """A recorded point of the path of seed 7: whoever changes the walk changes every published example with it."""
    tick = steps(7, 1000, (BTC,))[-1].ticks[0]
    assert (tick.bid, tick.ask) == (Decimal("69321.21"), Decimal("69328.16"))


def test_a_symbol_takes_the_same_path_whichever_others_are_asked_for() -> None:
    together = [step.ticks[SYMBOLS.index(SPY)] for step in steps(7, 300)]
    alone = [step.ticks[0] for step in steps(7, 300, (SPY,))]
    assert together == alone


def test_the_pace_does_not_change_the_path() -> None:
    async def played(interval: float, speed: float) -> list[tuple[Symbol, Decimal, Decimal]]:
        board, clock = PriceBoard(), VirtualClock()
        seen: list[Quote] = []
        board.subscribe(seen.append)
        feed = SimulatedFeed(seed=7, interval=interval, speed=speed)
        with pytest.raises(TimeoutError):
            async with clock.timeout(interval / speed * 100):
                await feed.run(board, clock)
        return [(quote.symbol, quote.bid, quote.ask) for quote in seen][:400]

    slow = asyncio.run(played(0.25, 1.0))
    fast = asyncio.run(played(1.0, 60.0))
    assert slow == fast
    assert len(slow) == 400


async def test_quotes_come_at_the_configured_rate_on_the_clock_they_are_given() -> None:
    board, clock = PriceBoard(), VirtualClock()
    seen: list[Quote] = []
    board.subscribe(seen.append)
    start = clock.now()
    with pytest.raises(TimeoutError):
        async with clock.timeout(9.9):
            await SimulatedFeed(interval=0.25, speed=2.0).run(board, clock)
    moments = sorted({(quote.at - start).total_seconds() for quote in seen})
    assert moments == [number * 0.125 for number in range(80)]
    assert len(seen) == 80 * len(SYMBOLS)
    assert board.rejected == 0
    assert all(quote.simulated and quote.source == "simulated" for quote in seen)


async def test_run_again_goes_on_where_it_was() -> None:
    feed = SimulatedFeed(seed=7, symbols=["BTC-USD"])
    seen: list[Quote] = []
    for _ in range(2):
        board, clock = PriceBoard(), VirtualClock()
        board.subscribe(seen.append)
        with pytest.raises(TimeoutError):
            async with clock.timeout(9.9):
                await feed.run(board, clock)
    expected = [step.ticks[0].bid for step in steps(7, 80, (BTC,))]
    assert [quote.bid for quote in seen] == expected


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(), regime=st.none() | st.sampled_from(Regime))
def test_no_seed_ever_gives_a_nonsense_quote(seed: int, regime: Regime | None) -> None:
    now = VirtualClock().now()
    rules = {symbol: instrument(symbol, VenueId("paper")) for symbol in SYMBOLS}
    for step in itertools.islice(paths(seed, regime=regime), 150):
        for tick in step.ticks:
            quote = tick.quote(now)
            assert flaw(quote) is None
            assert quote.bid < quote.ask
            assert quote.bid <= quote.last <= quote.ask
            rule = rules[quote.symbol]
            assert rule.on_tick(quote.bid)
            assert rule.on_tick(quote.ask)
            assert rule.on_tick(quote.last)
            assert rule.in_lots(tick.bid_size)
            assert rule.in_lots(tick.ask_size)
            assert tick.bid_size >= rule.min_qty
            assert tick.ask_size >= rule.min_qty


def test_a_crash_that_never_ends_keeps_its_floor() -> None:
    last = steps(1, 20_000, (Symbol("SOL-USD"),), Regime.CRASHING)[-1].ticks[0]
    start = start_price(Symbol("SOL-USD"))
    assert start / 3 < last.bid < start / 2


def test_ranging_goes_nowhere_and_stays_calm() -> None:
    moves = returns(Regime.RANGING)
    assert 0.4 < statistics.stdev(moves) < 1.5
    assert abs(sum(moves)) < 40
    # The walk is pulled back: over the whole way it strays far less than free steps of that size would.
    assert abs(sum(moves)) < 0.5 * statistics.stdev(moves) * math.sqrt(len(moves)) + 10


def test_trending_drifts_one_way_and_both_ways_occur() -> None:
    drifts = [statistics.fmean(returns(Regime.TRENDING, seed=seed)) for seed in range(12)]
    assert all(0.2 < abs(drift) < 0.6 for drift in drifts)
    assert min(drifts) < 0 < max(drifts)
    calm = [statistics.fmean(returns(Regime.RANGING, seed=seed)) for seed in range(12)]
    assert max(map(abs, calm)) < 0.1


def test_gapping_jumps_now_and_then() -> None:
    moves = returns(Regime.GAPPING)
    jumps = [move for move in moves if abs(move) > 25]
    assert 10 < len(jumps) < 60
    assert min(jumps) < 0 < max(jumps)
    assert not [move for move in returns(Regime.RANGING) + returns(Regime.TRENDING) if abs(move) > 25]


def test_crashing_falls_fast_and_wild_and_recovering_rises() -> None:
    falling = returns(Regime.CRASHING, count=120)
    rising = returns(Regime.RECOVERING, count=240)
    assert -700 < sum(falling) < -250
    assert 200 < sum(rising) < 700
    assert statistics.stdev(falling) > 2.5 * statistics.stdev(returns(Regime.RANGING))


def test_a_crash_widens_spreads_and_thins_the_book() -> None:
    def spread_and_size(regime: Regime) -> tuple[float, float]:
        ticks = [step.ticks[0] for step in steps(3, 300, (BTC,), regime)]
        return (
            statistics.fmean(float((tick.ask - tick.bid) / tick.bid) for tick in ticks),
            statistics.fmean(float(tick.bid_size) for tick in ticks),
        )

    calm_spread, calm_size = spread_and_size(Regime.RANGING)
    wild_spread, wild_size = spread_and_size(Regime.CRASHING)
    assert wild_spread > 3 * calm_spread
    assert wild_size < 0.5 * calm_size


def test_crypto_moves_together_and_the_euro_hardly_with_it() -> None:
    ranging = {
        symbol: returns(Regime.RANGING, Symbol(symbol)) for symbol in ("BTC-USD", "ETH-USD", "SOL-USD", "EUR-USD")
    }
    assert statistics.correlation(ranging["BTC-USD"], ranging["ETH-USD"]) > 0.4
    assert statistics.correlation(ranging["BTC-USD"], ranging["SOL-USD"]) > 0.4
    assert abs(statistics.correlation(ranging["BTC-USD"], ranging["EUR-USD"])) < 0.3
    assert statistics.stdev(ranging["EUR-USD"]) < 0.3 * statistics.stdev(ranging["BTC-USD"])


def test_regimes_take_turns_and_a_crash_is_followed_by_a_recovery() -> None:
    turns = [regime for regime, _ in itertools.groupby(step.regime for step in steps(7, 30_000, (BTC,)))]
    assert set(turns) == set(Regime)
    after_crash = {after for before, after in itertools.pairwise(turns) if before is Regime.CRASHING}
    assert after_crash == {Regime.RECOVERING}


def test_a_pinned_regime_never_turns() -> None:
    assert {step.regime for step in steps(7, 3000, (BTC,), Regime.GAPPING)} == {Regime.GAPPING}


def test_the_feed_says_what_it_is_and_what_it_lists() -> None:
    feed = SimulatedFeed(seed=7)
    assert feed.describe() == "simulated market, seed 7"
    assert feed.simulated
    listed = {listing.symbol: listing for listing in feed.instruments(VenueId("paper"))}
    assert tuple(listed) == feed.symbols == SYMBOLS
    assert listed[SPY].base == "SPY"
    assert listed[SPY].quote == "USD"
    assert listed[BTC].venue == "paper"


def test_an_unknown_symbol_is_refused_with_the_known_ones() -> None:
    with pytest.raises(FeedError, match=r"no DOGE-USD; set market\.symbols to some of: BTC-USD"):
        SimulatedFeed(symbols=["DOGE-USD"])
