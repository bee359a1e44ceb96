"""A desk without its web: everything an order passes through, over a real database and virtual time."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from nightdesk.model.enums import Side, TradingState
from nightdesk.model.execution import ExecutionReport, Fact, facts_of
from nightdesk.model.identifiers import (
    AccountId,
    ClOrdId,
    Sleeve,
    Symbol,
)
from nightdesk.model.order import Order
from nightdesk.model.signal import Ask, Signal
from nightdesk.model.venue import Capabilities
from nightdesk.orders import store
from nightdesk.orders.accept import Accept
from nightdesk.orders.config import OrdersConfig
from nightdesk.orders.confirm import Confirm, Evidence
from nightdesk.orders.heart import Heart
from nightdesk.orders.intent import Acceptance, Destination, Intent, Want
from nightdesk.orders.outgoing.store import StoredCommand, StoredSend, commands_of_order, sends_of_order
from nightdesk.orders.person import Decide, Outcome
from nightdesk.orders.probe import Prober
from nightdesk.orders.queued import Queued
from nightdesk.orders.reconcile import Reconciler
from nightdesk.orders.send import Sender
from nightdesk.orders.stamps import Stamps
from nightdesk.orders.store import StoredOrder
from nightdesk.portfolio.book import AccountBook
from nightdesk.portfolio.store import Books, open_account, set_state
from nightdesk.risk.config import RiskConfig
from nightdesk.risk.halt import HaltSwitch
from nightdesk.runtime.clock import VirtualClock
from nightdesk.runtime.database import Database, Tx, to_micros
from nightdesk.runtime.reader import Reader
from nightdesk.runtime.store import EventRow, events_after
from nightdesk.runtime.writer import Writer
from tests.fakes import FakeVenue
from tests.samples import (
    ABLE,
    BTC,
    ETH,
    FAKE,
    HAND,
    MAIN,
    PLENTY,
    START,
    WIDE,
    D,
    HandPrices,
    a_quote,
    a_signal,
    an_ask,
    an_instrument,
)


class InlineWriter(Writer):
    """A writer whose callers stand still until it has written, and virtual time with them."""

    async def run(self, verb: Any, item: Any) -> Any:
        return self.run_blocking(verb, item)


class InlineReader(Reader):
    """A reader that reads in the caller's thread, for the same reason."""

    async def read(self, work: Callable[[Tx], Any]) -> Any:
        return self.run(work)


class Desk:
    """Everything an order passes through, in one thread, over a real database and virtual time."""

    def __init__(
        self,
        database: Database,
        data: Path,
        *,
        limits: RiskConfig = WIDE,
        config: OrdersConfig | None = None,
        venues: Mapping[AccountId, FakeVenue] | None = None,
        accounts: Iterable[AccountId] = (MAIN,),
        capabilities: Capabilities = ABLE,
        clock: VirtualClock | None = None,
        cash: Decimal = PLENTY,
    ) -> None:
        self.database = database
        self.data = data
        self.clock = clock or VirtualClock(START)
        self.config = config or OrdersConfig()
        self.writer = InlineWriter(database, self.clock, name="desk", holder="here:1")
        self.writer.start()
        self.reader = InlineReader(database)
        self.prices = HandPrices(a_quote("100"), a_quote("10", symbol=ETH))
        self.halt = HaltSwitch(data, self.clock)
        self.venues = (
            dict(venues)
            if venues is not None
            else {account: FakeVenue(self.clock, capabilities, account=account) for account in accounts}
        )
        self.queued: list[Queued] = []
        self.changed: list[str] = []
        self.accept = Accept(
            install_id="install",
            limits=limits,
            orders=self.config,
            prices=self.prices,
            halt=self.halt,
            clock=self.clock,
            on_queued=self._on_queued,
        )
        self.confirm_verb = Confirm(self.clock, self.changed.extend)
        self.decide = Decide(self._on_queued, self.changed.extend)
        self.stamps = Stamps(self.clock)
        self.sender = Sender(
            venues=self.venues,
            writer=self.writer,
            confirm=self.confirm_verb,
            halt=self.halt,
            clock=self.clock,
            stamps=self.stamps,
            on_doubt=lambda order: self.prober.watch(order),
        )
        self.prober = Prober(
            venues=self.venues,
            writer=self.writer,
            reader=self.reader,
            confirm=self.confirm_verb,
            sender=self.sender,
            clock=self.clock,
            stamps=self.stamps,
        )
        self.reconciler = Reconciler(
            writer=self.writer,
            reader=self.reader,
            confirm=self.confirm_verb,
            sender=self.sender,
            prober=self.prober,
            clock=self.clock,
            stamps=self.stamps,
        )
        self.offer: Callable[[Sequence[Queued]], None] = self.sender.offer
        self._numbers = itertools.count(100_001)
        known = {row[0] for row in self.rows("SELECT account_id FROM accounts")}
        for account in self.venues.keys() - known:
            self.open(account, cash)

    @property
    def venue(self) -> FakeVenue:
        """The one venue of a desk that has one."""
        return next(iter(self.venues.values()))

    def open(self, account: AccountId, cash: Decimal = PLENTY, state: TradingState = TradingState.ACTIVE) -> None:
        """The account exists and takes orders."""

        def work(tx: Tx) -> None:
            open_account(tx, account, FAKE, "USD", cash, self.micros)
            set_state(tx, account, state, "", self.micros)

        self.writer.call_blocking(work)

    def close(self) -> None:
        self.reader.close()
        self.writer.stop()

    @property
    def micros(self) -> int:
        return to_micros(self.clock.now())

    def _on_queued(self, queued: Sequence[Queued]) -> None:
        self.queued.extend(queued)
        self.offer(queued)

    # Signals in.

    def destination(self, account: AccountId = MAIN, symbol: Symbol = BTC, **instrument: Any) -> Destination:
        venue = self.venues.get(account)
        return Destination(
            account_id=account,
            venue=FAKE,
            instrument=an_instrument(symbol, **instrument),
            capabilities=venue.capabilities if venue is not None else ABLE,
        )

    def intent(
        self,
        *asks: Ask,
        accounts: Iterable[AccountId] | None = None,
        window: float = 60.0,
        signal: Signal | None = None,
        **changed: Any,
    ) -> Intent:
        """A signal of these asks (a buy of 1 BTC-USD), for every account of the desk."""
        asks = asks or (an_ask(),)
        wants = tuple(
            Want(
                ask=ask,
                symbol=Symbol(ask.symbol),
                destinations=tuple(
                    self.destination(account, Symbol(ask.symbol)) for account in accounts or self.venues
                ),
                quote=self.prices.quote(Symbol(ask.symbol)),
            )
            for ask in asks
        )
        intent = Intent(
            signal=signal or a_signal(next(self._numbers), *asks),
            wants=wants,
            window_seconds=window,
            default_size=None,
            max_qty=None,
            max_notional=None,
            allow_short=True,
            hold=False,
            config_version="v1",
        )
        return replace(intent, **changed)

    def take(self, intent: Intent) -> Acceptance:
        return self.writer.run_blocking(self.accept, intent)

    def take_together(self, *intents: Intent) -> Sequence[Acceptance]:
        """All in one transaction, as neighbours in the writer's queue."""
        return self.writer.call_blocking(lambda tx: self.accept(tx, intents))

    def buy(self, size: str = "1", side: Side = Side.BUY, **changed: Any) -> Order:
        """An accepted order."""
        acceptance = self.take(self.intent(an_ask(side, size, **changed)))
        assert acceptance.tickets, acceptance.text
        ticket = acceptance.tickets[0]
        assert ticket.denied is None, ticket.denied
        return ticket.order

    # Evidence in.

    def learn(self, order: Order, *reports: ExecutionReport, origin: str = "stream") -> StoredOrder:
        """The reports are facts now, each with a stamp of its own."""
        for report in reports:
            self.weigh(order, *facts_of(report, stamp=self.stamps.next(), at=self.clock.now(), origin=origin))
        return self.order(order.cl_ord_id)

    def weigh(self, order: Order, *facts: Fact, **more: Any) -> StoredOrder | None:
        evidence = Evidence(account_id=order.account_id, cl_ord_id=order.cl_ord_id, facts=facts, **more)
        return self.writer.run_blocking(self.confirm_verb, evidence)

    def person(self, decision: Callable[[Tx, datetime], Outcome]) -> Outcome:
        return self.writer.run_blocking(self.decide, lambda tx: decision(tx, self.clock.now()))

    # What stands in the database.

    def read(self, work: Callable[[Tx], Any]) -> Any:
        return self.reader.run(work)

    def rows(self, sql: str, *params: object) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self.read(lambda tx: tx.fetch(sql, params))
        return found

    def order(self, cl_ord_id: str) -> StoredOrder:
        stored: StoredOrder | None = self.read(lambda tx: store.load_order(tx, ClOrdId(cl_ord_id)))
        assert stored is not None
        return stored

    def facts(self, order: Order) -> list[Fact]:
        found: list[Fact] = self.read(lambda tx: store.facts_of_order(tx, order.cl_ord_id))
        return found

    def commands(self, order: Order) -> list[StoredCommand]:
        found: list[StoredCommand] = self.read(lambda tx: commands_of_order(tx, order.cl_ord_id))
        return found

    def sends(self, order: Order) -> list[StoredSend]:
        found: list[StoredSend] = self.read(lambda tx: sends_of_order(tx, order.cl_ord_id))
        return found

    def book(self, account: AccountId = MAIN) -> AccountBook:
        """The account with every stake it ever had."""

        def work(tx: Tx) -> AccountBook:
            books = Books(tx)
            books.load((account,))
            for symbol, sleeve in tx.fetch("SELECT symbol, sleeve FROM positions WHERE account_id = ?", (account,)):
                books.stake(account, symbol, sleeve)
            return books[account]

        book: AccountBook = self.writer.call_blocking(work)
        return book

    def state(self, account: AccountId = MAIN) -> tuple[TradingState, str]:
        row = self.rows("SELECT state, state_reason FROM accounts WHERE account_id = ?", account)[0]
        return TradingState(row[0]), row[1]

    def events(self, account: AccountId = MAIN) -> list[EventRow]:
        found: list[EventRow] = self.read(lambda tx: events_after(tx, account, 0, 100_000))
        return found

    def position(self, symbol: Symbol = BTC, sleeve: Sleeve = HAND, account: AccountId = MAIN) -> Decimal:
        return self.book(account).stake(symbol, sleeve).position.qty

    @contextlib.asynccontextmanager
    async def sending(self) -> AsyncIterator[Sender]:
        """The sender's lanes are open meanwhile; whatever hangs at the end is given up."""
        self.sender.start()
        yield self.sender
        await self.sender.stop(drain_seconds=0)

    @contextlib.asynccontextmanager
    async def beating(self) -> AsyncIterator[Heart]:
        """A heart with a sender, a prober and a reconciler of its own beats meanwhile, and every account is ready."""
        heart = self._heart()
        ready = asyncio.Event()
        task = asyncio.create_task(heart.run(ready.set))
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            waiting.cancel()
            task.result()
        self.offer = heart.offer
        try:
            yield heart
        finally:
            self.offer = self.sender.offer
            heart.stop()
            await task

    def _heart(self) -> Heart:
        return Heart(
            venues=self.venues,
            writer=self.writer,
            reader=self.reader,
            confirm=self.confirm_verb,
            halt=self.halt,
            clock=self.clock,
            config=self.config,
        )

    def reserved_is_what_may_fill(self) -> None:
        """Fails unless each reservation is the sum of what the live orders of its sleeve may still fill."""
        for account in self.venues:
            book = self.book(account)
            wanted: dict[tuple[Symbol, Sleeve, Side], Decimal] = {}
            values: dict[tuple[Symbol, Sleeve, Side], Decimal] = {}
            open_now: list[StoredOrder] = self.read(lambda tx, account=account: store.open_orders(tx, account))
            for each in open_now:
                key = (each.order.symbol, each.order.sleeve, each.order.side)
                assert each.reserved_qty == each.state.leaves_qty
                wanted[key] = wanted.get(key, D(0)) + each.state.leaves_qty
                values[key] = values.get(key, D(0)) + each.state.leaves_qty * each.ref_px
            for (symbol, sleeve), stake in book.stakes.items():
                assert stake.buy_qty == wanted.pop((symbol, sleeve, Side.BUY), D(0))
                assert stake.sell_qty == wanted.pop((symbol, sleeve, Side.SELL), D(0))
                assert stake.buy_value == values.pop((symbol, sleeve, Side.BUY), D(0))
                assert stake.sell_value == values.pop((symbol, sleeve, Side.SELL), D(0))
            assert not any(wanted.values())


async def until(clock: VirtualClock, met: Callable[[], bool], seconds: float = 120.0) -> None:
    """Returns once the condition holds; fails when it does not within so many virtual seconds."""
    ends = clock.monotonic() + seconds
    while not met():
        assert clock.monotonic() < ends, "it did not happen in time"
        await clock.sleep(0.05)
