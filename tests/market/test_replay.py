"""A recorded market, played again."""

import logging
import math
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from nightdesk.market.board import Freshness, PriceBoard, flaw, freshness
from nightdesk.market.errors import FeedError
from nightdesk.market.replay import ReplayFeed, symbol_in
from nightdesk.model.identifiers import VenueId
from nightdesk.model.market import Quote
from nightdesk.runtime.clock import VirtualClock

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "market"
HEAD = "ts,open,high,low,close,volume\n"
TWO_BARS = HEAD + "1704067200,100,104,98,102,5\n1704067260,102,103,97,99,5\n"
PLAYED = [100, 98, 104, 102, 102, 103, 97, 99]


@pytest.fixture
def two_bars(tmp_path: Path) -> Path:
    path = tmp_path / "xyz_1m.csv"
    path.write_text(TWO_BARS)
    return path


async def play(feed: ReplayFeed) -> tuple[list[Quote], VirtualClock, PriceBoard]:
    board, clock = PriceBoard(), VirtualClock()
    seen: list[Quote] = []
    board.subscribe(seen.append)
    await feed.run(board, clock)
    return seen, clock, board


@pytest.mark.parametrize(("speed", "step"), [(1.0, 15.0), (60.0, 0.25), (math.inf, 0.0)])
async def test_bars_are_played_at_any_speed(two_bars: Path, speed: float, step: float) -> None:
    start = VirtualClock().now()
    seen, _, board = await play(ReplayFeed(two_bars, speed=speed))
    assert [quote.last for quote in seen] == PLAYED
    assert [(quote.at - start).total_seconds() for quote in seen] == [step * number for number in range(8)]
    assert board.rejected == 0


async def test_quotes_are_labelled_and_carry_the_stated_spread(two_bars: Path) -> None:
    seen, _, _ = await play(ReplayFeed(two_bars, speed=math.inf, spread_bps=20))
    assert {(quote.source, quote.simulated, quote.symbol) for quote in seen} == {("recorded", True, "XYZ")}
    assert (seen[0].bid, seen[0].ask) == (Decimal("99.9"), Decimal("100.1"))


async def test_the_spread_is_rounded_outwards_to_the_tick(tmp_path: Path) -> None:
    path = tmp_path / "xyz_1m.csv"
    path.write_text(HEAD + "1704067200,101.2345,101.2345,101.2345,101.2345,5\n")
    seen, _, _ = await play(ReplayFeed(path, speed=math.inf, spread_bps=2))
    assert (seen[0].bid, seen[0].last, seen[0].ask) == (Decimal("101.224"), Decimal("101.234"), Decimal("101.245"))


async def test_without_a_spread_bid_and_ask_meet_on_the_price(two_bars: Path) -> None:
    seen, _, _ = await play(ReplayFeed(two_bars, speed=math.inf, spread_bps=0))
    assert all(quote.bid == quote.ask == quote.last for quote in seen)


async def test_a_price_below_its_tick_is_lifted_to_one(tmp_path: Path) -> None:
    path = tmp_path / "xyz_1m.csv"
    path.write_text(HEAD + "1704067200,100,100,0.0001,100,5\n")
    seen, _, board = await play(ReplayFeed(path, speed=math.inf))
    assert board.rejected == 0
    assert seen[1].bid == seen[1].last == Decimal("0.001")


async def test_at_the_end_prices_turn_stale(two_bars: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        seen, clock, board = await play(ReplayFeed(two_bars, speed=60))
    assert "has ended after 2 bars" in caplog.text
    quote = board.quote(seen[0].symbol)
    assert freshness(quote, clock.now(), 30) is Freshness.FRESH
    await clock.sleep(31)
    assert freshness(quote, clock.now(), 30) is Freshness.STALE


async def test_told_to_loop_it_starts_again(two_bars: Path) -> None:
    board, clock = PriceBoard(), VirtualClock()
    seen: list[Quote] = []
    board.subscribe(seen.append)
    with pytest.raises(TimeoutError):
        async with clock.timeout(8 * 0.25 * 3 - 0.1):
            await ReplayFeed(two_bars, speed=60, loop=True).run(board, clock)
    assert [quote.last for quote in seen] == PLAYED * 3


async def test_pauses_of_the_recording_are_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "xyz_1m.csv"
    path.write_text(TWO_BARS + "1704499200,99,99,99,99,1\n")
    _, clock, _ = await play(ReplayFeed(path, speed=60))
    assert clock.monotonic() == 3.0


def test_too_slow_a_speed_is_said_with_the_one_that_works(two_bars: Path, caplog: pytest.LogCaptureFixture) -> None:
    ReplayFeed(two_bars, speed=1, stale_after=30)
    assert caplog.text == ""
    ReplayFeed(two_bars, speed=0.25, stale_after=30)
    assert "set market.speed to at least 1" in caplog.text


def test_it_says_what_it_plays(two_bars: Path) -> None:
    feed = ReplayFeed(two_bars, speed=60)
    assert feed.describe() == "recorded market, xyz_1m.csv, 2024-01-01 to 2024-01-01, at 60x"
    assert ReplayFeed(two_bars, speed=math.inf).describe().endswith("as fast as possible")
    assert feed.simulated
    (listed,) = feed.instruments(VenueId("paper"))
    assert (listed.symbol, listed.quote, listed.tick_size) == ("XYZ", "USD", Decimal("0.001"))


def test_the_symbol_comes_from_the_settings_or_the_file_name(two_bars: Path, tmp_path: Path) -> None:
    assert ReplayFeed(two_bars, symbols=["ABC-EUR"]).symbols == ("ABC-EUR",)
    with pytest.raises(FeedError, match="names 2; name one"):
        ReplayFeed(two_bars, symbols=["A", "B"])
    nameless = tmp_path / "export_of_my_bars.csv"
    nameless.write_text(TWO_BARS)
    with pytest.raises(FeedError, match=r"does not tell its symbol; set market\.symbols"):
        ReplayFeed(nameless)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match=r"none\.parquet' is not a file"):
        ReplayFeed(tmp_path / "none.parquet")


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("btc_usd_1h_bitstamp", "BTC-USD"),
        ("btc_usdt_15m_binance_octobot_201804", "BTC-USDT"),
        ("btcusd_1m_coinbase_lean", "BTC-USD"),
        ("eurusd_1h_2017_gymanytrading", "EUR-USD"),
        ("gbpusd_m1_bid_2012", "GBP-USD"),
        ("spy_1d_lean", "SPY"),
        ("googl_1d_lean", "GOOGL"),
        ("eth_btc_5m_freqtrade", "ETH-BTC"),
        ("ETH-USD", "ETH-USD"),
        ("btc_perp_1m_2022", None),
        ("stockind_bitcoin_1d", None),
        ("xrp_usdt_perp_1h_freqtrade", None),
        ("recording", None),
        ("1h", None),
    ],
)
def test_symbols_in_file_names(name: str, symbol: str | None) -> None:
    assert symbol_in(name) == symbol


@pytest.mark.skipif(not RECORDED.is_dir(), reason=f"no recorded market data beside the repository ({RECORDED})")
@pytest.mark.parametrize("name", ["eth_usd_5m_binanceus", "eth_btc_5m_freqtrade", "btc_usdt_1h_binance_octobot_201804"])
async def test_a_recorded_file_plays_without_a_nonsense_quote(name: str) -> None:
    feed = ReplayFeed(RECORDED / f"{name}.parquet", speed=math.inf)
    seen, _, board = await play(feed)
    assert board.rejected == 0
    assert len(seen) % 4 == 0
    assert len(seen) >= 4 * 500
    assert all(flaw(quote) is None and quote.bid < quote.ask for quote in seen)
    rule = feed.instruments(VenueId("paper"))[0]
    assert all(rule.on_tick(quote.bid) and rule.on_tick(quote.ask) and rule.on_tick(quote.last) for quote in seen)
    assert seen[-1].at - seen[0].at < timedelta(seconds=1)
