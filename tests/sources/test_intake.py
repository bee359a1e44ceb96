"""From bytes to what the order path is handed: K2, K5, K14, X1 (no source reaches a venue on its own)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import OrdType, Side, SignalOutcome
from nightdesk.model.errors import Refused
from nightdesk.model.identifiers import AccountId, SignalId, Symbol, VenueId
from nightdesk.model.signal import Aim
from nightdesk.model.venue import Capabilities
from nightdesk.orders.intent import Acceptance, Intent, Ledgered
from nightdesk.sources.config import HookConfig
from nightdesk.sources.destinations import Destinations, Listing
from nightdesk.sources.person import PersonOrder, intent_of
from nightdesk.sources.tradingview.intake import TradingViewSource, ask_of_code, body_tokens
from tests.samples import an_instrument

NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
BODY = b'{"symbol": "BTCUSDT", "side": "buy", "size": "0.5"}'


class _Prices:
    def quote(self, symbol: Symbol) -> None:
        return None


class _Writer:
    """Keeps what it is handed."""

    def __init__(self) -> None:
        self.handed: list[Any] = []

    async def run(self, verb: object, item: Any) -> Any:
        self.handed.append(item)
        if isinstance(item, Intent):
            return Acceptance(outcome=SignalOutcome.ACCEPTED, signal_id=item.signal.signal_id)
        return None


def listing(venue: str, *symbols: str, live: bool = False) -> Listing:
    return Listing(
        account_id=AccountId(f"{venue}-account"),
        venue=VenueId(venue),
        capabilities=Capabilities(live=live),
        instruments=tuple(an_instrument(Symbol(symbol), venue=VenueId(venue)) for symbol in symbols),
    )


LISTINGS = (listing("north", "BTC-USD", "ETH-USD"), listing("south", "BTC-USD"), listing("real", "BTC-USD", live=True))


def source(hooks: Mapping[str, HookConfig]) -> tuple[TradingViewSource, _Writer, list[str]]:
    writer, told = _Writer(), []
    made = TradingViewSource(
        hooks,
        LISTINGS,
        accept=object(),  # type: ignore[arg-type]  # only handed on
        writer=writer,  # type: ignore[arg-type]  # runs nothing
        prices=_Prices(),  # type: ignore[arg-type]  # knows none
        config_version="v1",
        on_recorded=told.extend,
    )
    return made, writer, told


async def take(config: HookConfig, body: bytes, *, key: str | None = None) -> tuple[Acceptance, Any]:
    made, writer, _ = source({"trend": config})
    acceptance = await made.take("trend", body, idempotency_key=key, received_at=NOW)
    return acceptance, writer.handed[0]


async def test_an_alert_fans_out_to_every_venue_that_lists_the_symbol() -> None:
    """K5."""
    _, intent = await take(HookConfig(size=Decimal(2), max_qty=Decimal(9), hold=True), BODY)
    want = intent.wants[0]
    assert want.symbol == "BTC-USD"
    assert [one.venue for one in want.destinations] == ["north", "south", "real"]
    assert (intent.max_qty, intent.hold, intent.default_size.value) == (Decimal(9), True, Decimal(2))
    assert (intent.signal.sleeve, intent.signal.source, intent.config_version) == ("trend", "tradingview", "v1")


async def test_a_hook_names_its_venues_and_a_test_hook_leaves_out_real_money() -> None:
    """K14."""
    _, only = await take(HookConfig(venues=("south",)), BODY)
    assert [one.venue for one in only.wants[0].destinations] == ["south"]
    _, test = await take(HookConfig(test=True), BODY)
    assert [(one.venue, one.test) for one in test.wants[0].destinations] == [("north", True), ("south", True)]
    assert test.signal.test


async def test_an_alert_may_narrow_its_venues_again_and_again() -> None:
    body = b'{"symbol": "BTC-USD", "side": "buy", "size": "1", "dex_ids": ["south"]}'
    made, writer, _ = source({"trend": HookConfig()})
    for _ in range(2):
        await made.take("trend", body, idempotency_key=None, received_at=NOW)
    assert [[one.venue for one in handed.wants[0].destinations] for handed in writer.handed] == [["south"], ["south"]]


@pytest.mark.parametrize(
    ("config", "body", "outcome", "code"),
    [
        (HookConfig(), b"nonsense", SignalOutcome.REFUSED, DenyCode.INVALID_SIGNAL),
        (HookConfig(), b"\xff\x00", SignalOutcome.REFUSED, None),
        (HookConfig(), b'{"symbol": "DOGE", "side": "buy", "size": 1}', SignalOutcome.REFUSED, DenyCode.UNKNOWN_SYMBOL),
        (
            HookConfig(),
            b'{"symbol": "ETH-USD", "side": "buy", "size": 1, "dex_ids": ["south"]}',
            SignalOutcome.REFUSED,
            DenyCode.UNKNOWN_SYMBOL,
        ),
        (
            HookConfig(),
            b'{"symbol": "BTC-USD", "side": "buy", "size": 1, "dex_ids": ["west"]}',
            SignalOutcome.REFUSED,
            DenyCode.UNKNOWN_VENUE,
        ),
        (HookConfig(enabled=False), BODY, SignalOutcome.REFUSED, DenyCode.SIGNAL_DISABLED),
        (
            HookConfig(max_lag=60.0),
            b'{"symbol": "BTC-USD", "side": "buy", "size": 1, "timestamp": "2026-01-05T09:00:00Z"}',
            SignalOutcome.EXPIRED,
            DenyCode.STALE_SIGNAL,
        ),
        (HookConfig(), b'{"symbol": "BTC-USD", "message": "look"}', SignalOutcome.NO_ACTION, DenyCode.NO_ACTION),
    ],
    ids=["unread", "no text", "symbol", "not listed there", "venue", "off", "late", "nothing to do"],
)
async def test_what_is_not_traded_is_in_the_ledger_with_its_reason(
    config: HookConfig, body: bytes, outcome: SignalOutcome, code: DenyCode | None
) -> None:
    """K2."""
    acceptance, kept = await take(config, body)
    assert isinstance(kept, Ledgered)
    assert (kept.outcome, acceptance.outcome) == (outcome, outcome)
    assert acceptance.signal_id == kept.signal.signal_id
    assert code is None or acceptance.code is code
    assert acceptance.text


async def test_an_alert_that_came_in_time_is_not_late() -> None:
    body = b'{"symbol": "BTC-USD", "side": "buy", "size": 1, "timestamp": "2026-01-05T09:29:30Z"}'
    acceptance, _ = await take(HookConfig(max_lag=60.0), body)
    assert acceptance.outcome is SignalOutcome.ACCEPTED


async def test_a_hook_that_does_not_exist_is_named_in_the_ledger() -> None:
    """K2."""
    made, writer, told = source({"trend": HookConfig()})
    acceptance = await made.take("swing", BODY, idempotency_key=None, received_at=NOW)
    assert (acceptance.code, acceptance.field) == (DenyCode.INVALID_SIGNAL, "hook")
    assert writer.handed[0].signal.hook == "swing"
    assert told == [acceptance.signal_id, "signals"]


async def test_an_idempotency_key_and_an_id_in_the_body_are_the_same_kind_of_key() -> None:
    """K3."""
    _, by_header = await take(HookConfig(), BODY, key="k-1")
    _, by_body = await take(HookConfig(), b'{"symbol": "BTC-USD", "side": "buy", "size": "0.5", "id": "k-1"}')
    assert by_header.signal.digest == by_body.signal.digest
    assert by_header.signal.explicit_id == by_body.signal.explicit_id == "k-1"


async def test_an_opaque_code_stands_for_its_order() -> None:
    hook = HookConfig(codes={"ENTER_7": "symbol=BTC-USD side=sell size=0.01"}, dca_side="buy", risk_unit="risk_quote")
    _, intent = await take(hook, b"ENTER_7")
    assert (intent.wants[0].ask.side, intent.wants[0].ask.size.value) == (Side.SELL, Decimal("0.01"))
    with pytest.raises(Refused):
        ask_of_code("MyKeys(BTCUSD) { market(side=buy, amount=1); market(side=sell, amount=1); } #bot")


def test_tokens_are_found_in_bodies_that_can_and_cannot_be_read() -> None:
    """K1."""
    assert body_tokens(b'{"token": "abcdefgh12345678", "side": "buy"}') == ("abcdefgh12345678",)
    assert "abcdefgh12345678" in body_tokens(b'{"token": "abcdefgh12345678", "a": NaN}')


def person(**given: Any) -> Intent:
    asked = PersonOrder(**({"symbol": "btcusd", "side": Side.BUY, "size": Decimal(1)} | given))
    return intent_of(asked, Destinations(LISTINGS), _Prices(), now=NOW, config_version="v1")  # type: ignore[arg-type]


def test_a_person_s_order_takes_the_same_path() -> None:
    """X1, X9."""
    intent = person(ord_type=OrdType.LIMIT, price=Decimal(100), venues=("north",), reduce_only=True)
    ask = intent.wants[0].ask
    assert (intent.signal.source, ask.aim, ask.price, ask.reduce_only) == ("person", Aim.TRADE, Decimal(100), True)
    assert [one.account_id for one in intent.wants[0].destinations] == ["north-account"]
    assert '"price": "100"' in intent.signal.body


def test_a_person_s_id_makes_a_double_click_one_order_and_no_id_two() -> None:
    """X9."""
    assert person(explicit_id="a").signal.digest == person(explicit_id="a").signal.digest
    assert person().signal.digest != person().signal.digest
    assert person().signal.signal_id != SignalId("")


def test_a_person_closes_without_side_or_size() -> None:
    """X9."""
    ask = person(close=True).wants[0].ask
    assert (ask.aim, ask.side, ask.size) == (Aim.CLOSE, None, None)
    with pytest.raises(Refused):
        person(symbol="DOGE")
