"""Tickers as senders write them: K2, K5."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightdesk.model.denial import DenyCode
from nightdesk.model.errors import Refused
from nightdesk.sources.symbols import match, split_ticker

LISTED = {"BTC-USD", "ETH-USDT", "ETH-USDC", "SOL-USDC", "EUR-USD", "AAPL", "ETH-BTC", "ES", "DOGE-EUR"}


@pytest.mark.parametrize(
    ("ticker", "expected"),
    [
        ("BTC-USD", "BTC-USD"), ("BTCUSD", "BTC-USD"), ("btc_usd", "BTC-USD"), ("BTC/USD", "BTC-USD"),
        ("BINANCE:BTCUSDT.P", "BTC-USD"), ("BTC/USDT:USDT", "BTC-USD"), ("BTCUSDT", "BTC-USD"), ("XBTUSD", "BTC-USD"),
        ("USDT_BTC", "BTC-USD"), ("BTC-USDT-SWAP", "BTC-USD"), ("BTC-PERP", "BTC-USD"), ("BTC-USD-PERP", "BTC-USD"),
        ("BTC_ETH", "ETH-BTC"), ("ETH_BTC", "ETH-BTC"), ("ETH/USDT", "ETH-USDT"), ("SOLUSDT", "SOL-USDC"),
        ("EUR/USD", "EUR-USD"), ("eurusd", "EUR-USD"), ("FX:EURUSD", "EUR-USD"), ("EUR_USD", "EUR-USD"),
        ("AAPL", "AAPL"), ("NASDAQ:AAPL", "AAPL"), (" aapl ", "AAPL"), ("DOGEEUR", "DOGE-EUR"), ("BTCPERP", "BTC-USD"),
    ],
)  # fmt: skip
def test_a_ticker_finds_its_listed_symbol_k5(ticker: str, expected: str) -> None:
    assert match(ticker, LISTED, {}).symbol == expected


def test_another_dollar_leaves_a_note_and_the_right_one_does_not() -> None:
    assert match("BTCUSDT", LISTED, {}).note == "'BTCUSDT' is not listed; BTC-USD was taken for it."
    assert match("ETHUSDT", LISTED, {}).note is None


def test_two_other_dollars_are_refused_not_chosen_from() -> None:
    with pytest.raises(Refused, match="may mean ETH-USDT or ETH-USDC") as caught:
        match("ETHUSD", LISTED, {})
    assert caught.value.code is DenyCode.UNKNOWN_SYMBOL
    assert caught.value.field == "symbol"


def test_a_ticker_that_may_be_cut_in_two_ways_is_refused_when_both_are_listed() -> None:
    assert match("DOTUSD", {"DOT-USD"}, {}).symbol == "DOT-USD"
    with pytest.raises(Refused, match="may mean DO-TUSD or DOT-USD"):
        match("DOTUSD", {"DOT-USD", "DO-TUSD"}, {})


def test_a_continuous_future_is_not_the_share_of_that_name() -> None:
    with pytest.raises(Refused) as caught:
        match("CME_MINI:ES1!", LISTED, {})
    assert caught.value.code is DenyCode.UNKNOWN_SYMBOL


@pytest.mark.parametrize("ticker", ["ES1!", "CME_MINI:ES1!", "es1!"])
def test_the_mapping_of_the_hook_comes_first(ticker: str) -> None:
    assert match(ticker, LISTED, {"ES1!": "AAPL"}).symbol == "AAPL"


def test_a_mapping_to_nothing_listed_says_so() -> None:
    with pytest.raises(Refused, match=r"mapped to 'BTC-USDX'.*BTC-USD"):
        match("BTCUSD", LISTED, {"BTCUSD": "BTC-USDX"})


def test_an_unknown_symbol_names_the_nearest_k2() -> None:
    with pytest.raises(Refused, match="Near it: BTC-USD"):
        match("BTC-USX", LISTED, {})
    with pytest.raises(Refused, match="Add a symbol mapping"):
        match("QQQQ9999", LISTED, {})


def test_candidates_come_in_order() -> None:
    assert split_ticker("BINANCE:BTCUSDT.P") == (("BTCUSDT.P", "BTCUSDT"), ("BTC-USDT",), ("BTC-USD", "BTC-USDC"))
    assert split_ticker("DOTUSD").pairs == ("DO-TUSD", "DOT-USD")
    assert split_ticker("ETH-PERP").aliases == ("ETH-USD", "ETH-USDT", "ETH-USDC")
    assert split_ticker("A-B-C") == (("A-B-C",), (), ())
    assert split_ticker("AAPL") == (("AAPL",), (), ())


@given(st.text(max_size=80))
def test_any_text_is_matched_or_refused(ticker: str) -> None:
    with contextlib.suppress(Refused):
        assert match(ticker, LISTED, {}).symbol in LISTED
