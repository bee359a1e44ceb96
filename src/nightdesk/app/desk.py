"""The whole desk: the core, its sources, and what the web may do with them."""

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from nightdesk import __version__
from nightdesk.app.order_path import OrderPath
from nightdesk.app.venues import answer_by_hand
from nightdesk.model.enums import TradingState
from nightdesk.model.errors import Refused, VenueError
from nightdesk.model.identifiers import AccountId, SignalId, Symbol, VenueId
from nightdesk.model.instrument import Instrument
from nightdesk.orders.controls import Controls, PersonAnswer
from nightdesk.orders.emergency import Emergency
from nightdesk.orders.heart import Heart
from nightdesk.orders.intent import Acceptance, Destination
from nightdesk.orders.outgoing.store import count_waiting
from nightdesk.orders.store import signal_settled
from nightdesk.portfolio.store import account_state
from nightdesk.runtime.database import StoreUnavailable
from nightdesk.runtime.secrets import Tokens
from nightdesk.sources.destinations import Destinations, Listing
from nightdesk.sources.person import PersonOrder, intent_of
from nightdesk.sources.tradingview.intake import TradingViewSource, body_tokens
from nightdesk.web.desk import AccountStatus, Component, Desk, DeskStatus, Settlement


@dataclass(slots=True)
class _Sources:
    """What is rebuilt when a venue's list becomes known."""

    listings: dict[AccountId, Listing]
    alerts: TradingViewSource
    person: Destinations


class OpenDesk:
    """A started core with sources and controls, offering itself to the web as `desk`."""

    def __init__(self, core: OrderPath, tokens: Tokens) -> None:
        self._core = core
        self._started_at = core.clock.now()
        self._started = core.clock.monotonic()
        self._last_signal_at: datetime | None = None
        self.instruments: dict[VenueId, Sequence[Instrument]] = {}
        self._sources = self._built({})
        self.controls = Controls(
            writer=core.writer,
            decide=core.decide,
            accept=core.accept,
            halt=core.halt,
            heart=core.heart,
            reader=core.reader,
            emergency=Emergency(core.data, core.venues, core.clock),
            clock=core.clock,
            prices=core.board,
            destination_of=self._destination_of,
            answer=lambda order, given: answer_by_hand(core.venues[order.account_id], order, given),
            on_changed=core.changes.publish,
        )
        self.desk = self._offer(tokens)

    async def list_venues(self) -> None:
        """Every venue that answers has said what it lists, and the sources know it."""
        listings = dict(self._sources.listings)
        for account_id, venue in self._core.venues.items():
            if account_id in listings:
                continue
            try:
                instruments = await self._core.heart.ask(_asking(account_id))
            except (VenueError, TimeoutError):
                continue
            listings[account_id] = Listing(
                account_id=account_id,
                venue=venue.venue,
                capabilities=venue.capabilities,
                instruments=tuple(instruments),
            )
            self.instruments[venue.venue] = instruments
        if listings.keys() != self._sources.listings.keys():
            self._sources = self._built(listings)

    async def keep_listing(self) -> None:
        """Venues that were silent at the start are asked again until all have answered."""
        while len(self._sources.listings) < len(self._core.venues):
            await self._core.clock.sleep(5.0)
            await self.list_venues()

    def _built(self, listings: dict[AccountId, Listing]) -> _Sources:
        core = self._core
        alerts = TradingViewSource(
            core.settings.hooks,
            listings.values(),
            accept=core.accept,
            writer=core.writer,
            prices=core.board,
            config_version=core.settings.version,
            on_recorded=core.changes.publish,
        )
        return _Sources(listings=listings, alerts=alerts, person=Destinations(listings.values()))

    def _destination_of(self, account_id: AccountId, symbol: Symbol) -> Destination | None:
        found = self._sources.person.of(symbol, ()) if symbol in self._sources.person.symbols else ()
        return next((one for one in found if one.account_id == account_id), None)

    async def _take(self, hook: str, raw: bytes, *, idempotency_key: str | None, received_at: datetime) -> Acceptance:
        self._last_signal_at = received_at
        return await self._sources.alerts.take(hook, raw, idempotency_key=idempotency_key, received_at=received_at)

    async def _refuse(self, hook: str, why: Refused, received_at: datetime) -> SignalId:
        return (await self._sources.alerts.refuse(hook, why, received_at=received_at)).signal_id

    async def _place(self, asked: PersonOrder) -> Acceptance:
        core = self._core
        now, version = core.clock.now(), core.settings.version
        intent = intent_of(asked, self._sources.person, core.board, now=now, config_version=version)
        acceptance = await core.writer.run(core.accept, intent)
        core.changes.publish((acceptance.signal_id, "signals"))
        return acceptance

    async def _settle(self, settlement: Settlement) -> None:
        if settlement.action in ("filled", "canceled", "rejected"):
            given = PersonAnswer(
                cl_ord_id=settlement.cl_ord_id,
                verdict=settlement.action,
                actor=settlement.actor,
                qty=settlement.qty,
                px=settlement.px,
                text=settlement.text,
                answer_id=settlement.explicit_id or _said(settlement),
            )
            await self.controls.answer(given)
        else:
            await self.controls.settle(settlement.cl_ord_id, settlement.action, settlement.actor, settlement.text)

    def _offer(self, tokens: Tokens) -> Desk:
        core = self._core
        return Desk(
            config=core.settings.web,
            clock=core.clock,
            webhook_token=tokens.webhook,
            operator_token=tokens.operator,
            reader=core.reader,
            changes=core.changes,
            prices=core.board,
            instruments=self.instruments,
            hooks=tuple(core.settings.hooks),
            take_alert=self._take,
            refuse_alert=self._refuse,
            body_tokens=body_tokens,
            place=self._place,
            cancel=self.controls.cancel,
            settle=self._settle,
            acknowledge=self.controls.acknowledge,
            halt=self.controls.halt,
            resume_begin=self.controls.resume_begin,
            resume_confirm=self.controls.resume_confirm,
            status=self.status,
            signal_done=self._signal_done,
            default_symbols=core.feed.symbols,
        )

    def _signal_done(self, signal_id: SignalId) -> bool:
        return self._core.reader.run(lambda tx: signal_settled(tx, signal_id))

    def status(self) -> DeskStatus:
        """What is so, right now.

        Blocks on reads: call it from a worker thread.
        """
        core = self._core
        halt = core.halt.state
        accounts, unreadable = self._accounts()
        return DeskStatus(
            started_at=self._started_at,
            uptime_seconds=core.clock.monotonic() - self._started,
            halted=halt.halted,
            halt_reason=halt.reason,
            halt_actor=halt.actor,
            market=core.feed.describe(),
            market_simulated=core.feed.simulated,
            accounts=accounts,
            components=tuple(self._components(accounts, unreadable)),
            last_signal_at=self._last_signal_at,
            version=__version__,
        )

    def _accounts(self) -> tuple[tuple[AccountStatus, ...], str]:
        core = self._core
        try:
            found = core.reader.run(
                lambda tx: {
                    account_id: (account_state(tx, account_id), count_waiting(tx, account_id))
                    for account_id in core.venues
                }
            )
        except StoreUnavailable as error:
            return (), str(error)
        accounts = []
        for account_id, venue in core.venues.items():
            (state, reason, _), waiting = found[account_id]
            latency = core.heart.latency(account_id)
            accounts.append(
                AccountStatus(
                    account_id=account_id,
                    venue=venue.venue,
                    kind=core.settings.venues[venue.venue].kind,
                    live=venue.capabilities.live,
                    state=state,
                    state_reason=reason,
                    reconciled_at=core.heart.reconciled_at(account_id),
                    waiting=waiting,
                    last_answer_ms=latency * 1000 if latency is not None else None,
                )
            )
        return tuple(accounts), ""

    def _components(self, accounts: Iterable[AccountStatus], unreadable: str) -> Iterable[Component]:
        core = self._core
        if unreadable or core.writer.failing:
            yield Component(name="database", status="down", text=unreadable or "the database takes no writes")
        else:
            yield Component(name="database", status="healthy", text="reads and writes")
        beats = core.heart.beats()
        text = "sends and listens" if beats else "does not answer; nothing is sent"
        yield Component(name="heart", status="healthy" if beats else "down", text=text)
        yield _market(core)
        for account in accounts:
            fine = account.state is TradingState.ACTIVE
            text = "trades" if fine else f"{account.state.value.lower()}: {account.state_reason}"
            yield Component(name=f"account {account.account_id}", status="healthy" if fine else "degraded", text=text)
        if core.halt.state.halted:
            yield Component(name="trading", status="degraded", text=f"halted: {core.halt.state.reason}")


def _said(settlement: Settlement) -> str:
    """The id of an answer that came without one: the same words about the same order are one answer.

    A second fill of the same size and price needs a key of its own, and until then the order shows what is left; the
    other way round a click too many would be a position that nobody has.
    """
    numbers = tuple(None if each is None else str(each.normalize()) for each in (settlement.qty, settlement.px))
    words = (settlement.cl_ord_id, settlement.action, numbers, settlement.text)
    return hashlib.sha256(repr(words).encode()).hexdigest()[:32]


def _asking(account_id: AccountId) -> Callable[[Heart], Awaitable[Sequence[Instrument]]]:
    return lambda heart: heart.venues[account_id].instruments()


def _market(core: OrderPath) -> Component:
    now, limit = core.clock.now(), core.settings.market.stale_after
    stale = [
        symbol
        for symbol in core.feed.symbols
        if (age := core.board.age(symbol, now)) is None or age.total_seconds() > limit
    ]
    if not stale:
        return Component(name="market", status="healthy", text=core.feed.describe())
    text = f"no fresh price of {', '.join(stale[:5])}; opening is blocked there"
    return Component(name="market", status="degraded", text=text)
