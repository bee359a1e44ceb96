"""The alerts that play into the desk when it is shown."""

import itertools
import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from nightdesk.demo.alerts import Alert, Expect, alerts
from nightdesk.market.simulated import SimulatedFeed, start_price
from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import Side
from nightdesk.model.errors import Refused
from nightdesk.model.identifiers import VenueId
from nightdesk.model.instrument import Instrument
from nightdesk.model.signal import Aim, Ask
from nightdesk.sources.tradingview.parse import parse
from nightdesk.sources.tradingview.parsed import Parsed, ParseSettings

NOON = datetime(2026, 1, 5, 12, 0, 0, 700_000, tzinfo=UTC)
TOKEN = "a-token-made-for-tests-only"
LISTED = SimulatedFeed().instruments(VenueId("paper"))
BY_TICKER = {listed.symbol.replace("-", ""): listed for listed in LISTED}
ROUND = 26


def some(count: int, seed: int = 7) -> list[Alert]:
    return list(itertools.islice(alerts(seed, LISTED), count))


def read(alert: Alert, now: datetime = NOON) -> Parsed:
    return parse(alert.body(now, TOKEN), settings=ParseSettings())


def listed_as(ask: Ask) -> Instrument:
    return BY_TICKER[ask.symbol.removeprefix("DEMO:")]


def worth(ask: Ask) -> Decimal:
    assert ask.size is not None
    return ask.size.value * start_price(listed_as(ask).symbol)


def test_same_seed_same_alerts_and_another_seed_others() -> None:
    assert some(60) == some(60)
    assert some(60) != some(60, seed=8)


def test_every_round_holds_every_form_and_every_refusal() -> None:
    stream = some(ROUND * 3)
    for begin in range(0, len(stream), ROUND):
        met = stream[begin : begin + ROUND]
        assert {alert.expect for alert in met} == set(Expect)
        assert len({alert.form for alert in met}) == 10


def test_pauses_leave_every_alert_a_second_of_its_own_and_average_what_was_asked() -> None:
    stream = list(itertools.islice(alerts(7, LISTED, pause=2.0), ROUND * 20))
    assert min(alert.pause for alert in stream) >= 1.0
    assert 1.7 < sum(alert.pause for alert in stream) / len(stream) < 2.3


def test_the_time_and_the_token_are_filled_in_when_it_fires() -> None:
    for alert in some(ROUND):
        body = alert.body(NOON, TOKEN)
        assert b"{{timenow}}" not in body
        assert b"{{webhook.token}}" not in body
        assert TOKEN not in repr(alert)
    native = next(alert for alert in some(ROUND) if alert.form == "native" and alert.expect is Expect.TRADED)
    assert json.loads(native.body(NOON, TOKEN))["timenow"] == "2026-01-05T12:00:00Z"


@pytest.mark.parametrize("seed", [1, 7, 42])
def test_k2_what_is_to_be_traded_is_understood_and_worth_what_it_should_be(seed: int) -> None:
    for alert in some(ROUND * 4, seed):
        if alert.expect not in (Expect.TRADED, Expect.DUPLICATE):
            continue
        (ask,) = read(alert).asks
        listed = listed_as(ask)
        if ask.aim is Aim.CLOSE:
            continue
        assert ask.aim is Aim.TRADE, alert
        assert ask.size is not None
        assert listed.in_lots(ask.size.value)
        assert 200 <= worth(ask) <= 3000, alert
        if ask.price is not None:
            assert listed.on_tick(ask.price)


def test_limit_prices_are_a_little_better_than_the_market() -> None:
    asks = [read(alert).asks[0] for alert in some(ROUND * 4) if alert.form == "native limit"]
    assert {ask.side for ask in asks} == {Side.BUY, Side.SELL}
    for ask in asks:
        assert ask.price is not None
        edge = ask.price / start_price(listed_as(ask).symbol) - 1
        assert Decimal("0.0005") < (-edge if ask.side is Side.BUY else edge) < Decimal("0.0015")


def test_a_stale_alert_says_so_itself() -> None:
    stale = [alert for alert in some(ROUND * 2) if alert.expect is Expect.STALE]
    assert stale != []
    for alert in stale:
        understood = read(alert)
        assert understood.fired_at == NOON.replace(microsecond=0) - timedelta(minutes=20)
        assert understood.max_lag == 300


def test_an_unfilled_placeholder_is_refused_by_name() -> None:
    for alert in some(ROUND * 2):
        if alert.expect is Expect.PLACEHOLDER_UNFILLED:
            with pytest.raises(Refused) as refused:
                read(alert)
            assert refused.value.code is DenyCode.PLACEHOLDER_UNFILLED
            assert refused.value.field == "side"


def test_unknown_symbols_and_too_large_sizes_are_left_to_the_desk_to_refuse() -> None:
    met = defaultdict(list)
    for alert in some(ROUND * 4):
        if alert.expect in (Expect.UNKNOWN_SYMBOL, Expect.TOO_LARGE):
            met[alert.expect].append(read(alert).asks[0])
    assert {ask.symbol for ask in met[Expect.UNKNOWN_SYMBOL]} == {"NIGHTUSD"}
    assert all(worth(ask) > 1_000_000 for ask in met[Expect.TOO_LARGE])
    assert len(met[Expect.TOO_LARGE]) == 4


def test_a_duplicate_follows_the_alert_it_repeats_well_within_a_minute() -> None:
    stream = some(ROUND * 3)
    repeats = [(before, alert) for before, alert in itertools.pairwise(stream) if alert.again]
    assert len(repeats) == 3
    for before, alert in repeats:
        assert alert.message == before.message
        assert before.expect is Expect.TRADED
        assert alert.pause < 30


def test_nothing_but_the_duplicates_is_ever_the_same_twice_within_a_minute() -> None:
    now = NOON
    last_seen: dict[bytes, datetime] = {}
    for alert in itertools.islice(alerts(7, LISTED, pause=1.0), 2000):
        now += timedelta(seconds=alert.pause)
        body = alert.body(now, TOKEN)
        if not alert.again:
            assert now - last_seen.get(body, datetime.min.replace(tzinfo=UTC)) > timedelta(seconds=60), alert
        last_seen[body] = now


@pytest.mark.parametrize("seed", range(5))
def test_positions_stay_far_within_the_default_limits(seed: int) -> None:
    held: Counter[str] = Counter()
    for alert in some(1500, seed):
        if alert.expect is not Expect.TRADED:
            continue
        (ask,) = read(alert).asks
        if ask.aim is Aim.CLOSE:
            held[listed_as(ask).symbol] = 0
            continue
        assert ask.side is not None
        held[listed_as(ask).symbol] += ask.side.sign * int(worth(ask))
        assert abs(held[listed_as(ask).symbol]) < 8000


def test_prices_are_taken_from_whom_it_is_told() -> None:
    (alert,) = (
        alert
        for alert in itertools.islice(alerts(7, LISTED[:1], price=lambda symbol: Decimal(50_000)), ROUND // 2)
        if alert.form == "3Commas" and alert.expect is Expect.TRADED
    )
    assert json.loads(alert.message)["trigger_price"] == "50000.00"
