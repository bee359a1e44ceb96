"""The one place that chooses a feed."""

from pathlib import Path

import pytest

from nightdesk.market import feed as feed_file
from nightdesk.market.config import MarketConfig
from nightdesk.market.errors import FeedError
from nightdesk.market.feed import Feed, open_feed
from nightdesk.market.live import LiveFeed
from nightdesk.market.replay import ReplayFeed
from nightdesk.market.simulated import Regime, SimulatedFeed, Step
from tests.market.test_live import FakeExchange


def test_the_default_is_the_simulated_market() -> None:
    config = MarketConfig()
    feed: Feed = open_feed(config.source, config)
    assert isinstance(feed, SimulatedFeed)
    assert feed.describe() == "simulated market, seed 7"


def test_the_regime_can_be_pinned() -> None:
    feed = open_feed("simulated", MarketConfig(regime="CRASHING"))
    assert isinstance(feed, SimulatedFeed)
    step: Step = next(feed._steps)
    assert step.regime is Regime.CRASHING


def test_a_path_is_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "btc_usd_1h.csv"
    path.write_text("ts,open,high,low,close\n1704067200,1,2,0.5,1.5\n")
    feed = open_feed(str(path), MarketConfig(speed=3600))
    assert isinstance(feed, ReplayFeed)
    assert feed.symbols == ("BTC-USD",)
    assert "at 3600x" in feed.describe()


def test_what_is_neither_a_word_nor_a_file_is_refused() -> None:
    with pytest.raises(FeedError, match=r"'simulatd' is not a file; name a recorded .* simulated or live"):
        open_feed("simulatd", MarketConfig())


def test_live_prices_come_from_the_configured_exchanges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_file, "load_exchange", lambda: lambda name: FakeExchange())
    feed = open_feed("live", MarketConfig(exchanges=("first", "second"), symbols=("BTC-USD",)))
    assert isinstance(feed, LiveFeed)
    assert not feed.simulated
    assert feed.describe() == "live public prices from first, else second"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (MarketConfig(interval=0), "market.interval is 0; it must be more than 0"),
        (MarketConfig(speed=-1), "market.speed is -1"),
        (MarketConfig(speed=float("nan")), "market.speed is nan"),
        (MarketConfig(stale_after=0), "market.stale_after is 0"),
        (MarketConfig(spread_bps=-1), "market.spread_bps is -1; it must be between 0 and 1000"),
        (MarketConfig(regime="crash"), "market.regime is 'crash'; use one of RANGING, TRENDING"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_their_key(config: MarketConfig, words: str) -> None:
    with pytest.raises(FeedError, match=words):
        open_feed("simulated", config)
