"""From the raw bytes of an alert to its durable outcome: understood, matched to our symbols, and handed to accept.

Whatever was sent with a good token ends in the ledger of signals, also when it could not be read.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from nightdesk.model.denial import Denied, DenyCode
from nightdesk.model.enums import Side, SignalOutcome
from nightdesk.model.errors import Refused
from nightdesk.model.identifiers import OPERATOR, HookId, SignalId, Sleeve, Symbol
from nightdesk.model.market import Prices
from nightdesk.model.signal import Ask, Signal, Size, SizeUnit
from nightdesk.orders.accept import Accept, record
from nightdesk.orders.intent import Acceptance, Intent, Ledgered, Want
from nightdesk.runtime.identity import new_id
from nightdesk.runtime.writer import Writer
from nightdesk.sources.config import HookConfig
from nightdesk.sources.destinations import Destinations, Listing
from nightdesk.sources.symbols import match
from nightdesk.sources.tradingview.body import Body, read_body
from nightdesk.sources.tradingview.parse import parse, understand
from nightdesk.sources.tradingview.parsed import Parsed, ParseSettings
from nightdesk.sources.tradingview.secrets_in import Blanked, blank, blank_unread

SOURCE = "tradingview"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hook:
    """One hook with everything worked out that does not change from alert to alert."""

    name: HookId
    config: HookConfig
    parse: ParseSettings
    destinations: Destinations
    matched: dict[str, tuple[Symbol, str | None]]
    """Senders' symbols that were matched before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What is known of a body, however far it could be read."""

    blanked: Blanked
    parsed: Parsed | None
    refused: Refused | None


class TradingViewSource:
    """Takes alerts for all hooks."""

    def __init__(
        self,
        hooks: Mapping[str, HookConfig],
        listings: Iterable[Listing],
        *,
        accept: Accept,
        writer: Writer,
        prices: Prices,
        config_version: str,
        on_recorded: Callable[[Iterable[str]], None],
    ) -> None:
        everything = tuple(listings)
        self._hooks = {name: _compiled(name, config, everything) for name, config in hooks.items()}
        self._accept = accept
        self._writer = writer
        self._prices = prices
        self._config_version = config_version
        self._on_recorded = on_recorded

    async def take(self, hook: str, raw: bytes, *, idempotency_key: str | None, received_at: datetime) -> Acceptance:
        """The durable outcome of the alert.

        Raises StoreUnavailable or Overloaded where nothing was stored.
        """
        rules = self._hooks.get(hook)
        if rules is None:
            known = ", ".join(sorted(self._hooks))
            unknown = Refused(
                DenyCode.INVALID_SIGNAL, f"there is no hook {hook[:40]}; there are: {known}", field="hook"
            )
            return await self.refuse(hook, unknown, received_at=received_at)
        read = _read(raw, rules)
        signal = _signal(rules, read, idempotency_key, received_at)
        made = self._intent(rules, read, signal)
        if isinstance(made, Intent):
            acceptance = await self._writer.run(self._accept, made)
        else:
            await self._writer.run(record, made)
            acceptance = _acceptance(made)
        self._on_recorded((acceptance.signal_id, "signals"))
        return acceptance

    async def refuse(self, hook: str, why: Refused, *, received_at: datetime) -> Acceptance:
        """The ledger holds that an alert with a good token came and could not even be read: too large, too slow, ..."""
        made = _refusal(_unread(hook, received_at), why)
        await self._writer.run(record, made)
        self._on_recorded((made.signal.signal_id, "signals"))
        return _acceptance(made)

    def _intent(self, rules: _Hook, read: _Read, signal: Signal) -> Intent | Ledgered:
        if read.refused is not None or read.parsed is None:
            return _refusal(signal, read.refused or Refused(DenyCode.INVALID_SIGNAL, "the body could not be read"))
        config, parsed = rules.config, read.parsed
        if not config.enabled:
            return _refusal(signal, Refused(DenyCode.SIGNAL_DISABLED, f"the hook {rules.name} is switched off"))
        late = _late(signal, parsed, config)
        if late is not None:
            return late
        if parsed.no_action is not None:
            return Ledgered(signal=signal, outcome=SignalOutcome.NO_ACTION, denied=None, text=parsed.no_action)
        try:
            wants = tuple(self._want(rules, ask) for ask in parsed.asks)
        except Refused as error:
            return _refusal(signal, error)
        return Intent(
            signal=signal,
            wants=wants,
            window_seconds=config.window_seconds,
            default_size=Size(value=config.size, unit=config.size_unit) if config.size is not None else None,
            max_qty=config.max_qty,
            max_notional=config.max_notional,
            allow_short=config.allow_short,
            hold=config.hold,
            config_version=self._config_version,
        )

    def _want(self, rules: _Hook, ask: Ask) -> Want:
        known = rules.matched.get(ask.symbol)
        if known is None:
            found = match(ask.symbol, rules.destinations.symbols, rules.config.symbols)
            known = (found.symbol, found.note)
            if len(rules.matched) < 10_000:
                rules.matched[ask.symbol] = known
        symbol = known[0]
        destinations = rules.destinations.of(symbol, ask.venues)
        return Want(ask=ask, symbol=symbol, destinations=destinations, quote=self._prices.quote(symbol))


def body_tokens(raw: bytes) -> tuple[str, ...]:
    """The tokens a body carries, for a request that has none elsewhere; never raises."""
    try:
        return blank(read_body(raw)).tokens
    except Refused:
        return blank_unread(raw).tokens


def ask_of_code(text: str) -> Ask:
    """What an opaque code stands for, written as any alert: `symbol=BTC-USD side=buy size=0.01`.

    Raises Refused where it is not exactly one order.
    """
    asks = parse(text.encode(), settings=ParseSettings()).asks
    if len(asks) != 1:
        raise Refused(DenyCode.INVALID_SIGNAL, f"{text!r} is not one order")
    return asks[0]


def _compiled(name: str, config: HookConfig, listings: tuple[Listing, ...]) -> _Hook:
    codes: dict[str, Ask] = {}
    for code, text in config.codes.items():
        codes[code] = ask_of_code(text)
    return _Hook(
        name=HookId(name),
        config=config,
        parse=ParseSettings(
            target_position=config.target_position,
            default_symbol=config.default_symbol or None,
            opaque_codes=codes,
            risk_unit=SizeUnit(config.risk_unit.upper()) if config.risk_unit else None,
            dca_side=Side(config.dca_side.upper()) if config.dca_side else None,
        ),
        destinations=Destinations(listings, only=config.venues, test=config.test),
        matched={},
    )


def _read(raw: bytes, rules: _Hook) -> _Read:
    body: Body | None = None
    try:
        body = read_body(raw)
        return _Read(blanked=blank(body), parsed=understand(body, rules.parse), refused=None)
    except Refused as error:
        return _Read(blanked=blank(body) if body is not None else blank_unread(raw), parsed=None, refused=error)


def _signal(rules: _Hook, read: _Read, idempotency_key: str | None, received_at: datetime) -> Signal:
    parsed = read.parsed
    explicit = idempotency_key or (parsed.explicit_id if parsed is not None else None)
    key = f"id:{explicit}" if explicit is not None else f"body:{read.blanked.digest}"
    return Signal(
        signal_id=SignalId(new_id(received_at)),
        owner_id=OPERATOR,
        source=SOURCE,
        hook=rules.name,
        sleeve=Sleeve(rules.config.sleeve or rules.name),
        received_at=received_at,
        fired_at=parsed.fired_at if parsed is not None else None,
        digest=hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest(),
        explicit_id=explicit,
        body_digest=read.blanked.digest,
        body=read.blanked.text,
        form=parsed.form if parsed is not None else "unread",
        asks=parsed.asks if parsed is not None else (),
        test=rules.config.test or (parsed is not None and parsed.test),
        notes=parsed.notes if parsed is not None else (),
    )


def _unread(hook: str, received_at: datetime) -> Signal:
    signal_id = SignalId(new_id(received_at))
    return Signal(
        signal_id=signal_id,
        owner_id=OPERATOR,
        source=SOURCE,
        hook=HookId(hook[:64]),
        sleeve=Sleeve(hook[:64]),
        received_at=received_at,
        fired_at=None,
        digest=f"unread:{signal_id}",
        explicit_id=None,
        body_digest="",
        body="",
        form="unread",
        asks=(),
    )


def _late(signal: Signal, parsed: Parsed, config: HookConfig) -> Ledgered | None:
    lag = parsed.max_lag if parsed.max_lag is not None else config.max_lag
    if lag is None or signal.fired_at is None:
        return None
    age = (signal.received_at - signal.fired_at).total_seconds()
    if age <= lag:
        return None
    denied = Denied(
        code=DenyCode.STALE_SIGNAL,
        text=f"the alert fired {age:.0f} s before it came, at most {lag:g} s are allowed",
        field="timestamp",
        limit=f"{lag:g} s",
        value=f"{age:.0f} s",
    )
    return Ledgered(signal=signal, outcome=SignalOutcome.EXPIRED, denied=denied, text=denied.text)


def _refusal(signal: Signal, error: Refused) -> Ledgered:
    denied = Denied(code=error.code, text=error.text, field=error.field)
    return Ledgered(signal=signal, outcome=SignalOutcome.REFUSED, denied=denied, text=error.text)


def _acceptance(made: Ledgered) -> Acceptance:
    denied = made.denied
    return Acceptance(
        outcome=made.outcome,
        signal_id=made.signal.signal_id,
        code=denied.code if denied is not None else DenyCode.NO_ACTION,
        text=made.text,
        field=denied.field if denied is not None else None,
        notes=made.signal.notes,
    )
