"""The paper exchange: many accounts, one lock, one ledger that is written before anything is believed.

It may be called from any thread. Listeners are called inside the lock and in order, so they must only
hand over.
"""

import heapq
import itertools
import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal

from nightdesk.model.enums import OrdStatus
from nightdesk.model.execution import ExecutionReport
from nightdesk.model.identifiers import AccountId, OrderId, Symbol
from nightdesk.model.instrument import Instrument
from nightdesk.model.market import Prices, Quote
from nightdesk.model.venue import AccountSnapshot, Holding
from nightdesk.runtime.clock import Clock
from nightdesk.venues.paper import matching
from nightdesk.venues.paper.accounts import Accounts
from nightdesk.venues.paper.book import ZERO, Book, Placed, Terms, apply, end_step, fill_step
from nightdesk.venues.paper.config import PaperConfig
from nightdesk.venues.paper.faults import IMMEDIATE, ON_READ, ON_REQUEST, Fault, FaultKind, FaultScript
from nightdesk.venues.paper.ledger import Ledger
from nightdesk.venues.paper.payload import Malformed, read_object, read_order
from nightdesk.venues.paper.replies import Fate, Reply, fate_under
from nightdesk.venues.paper.reports import status_report
from nightdesk.venues.paper.rules import Rules, rules_of
from nightdesk.venues.paper.stream import Listener, Stream

SKEW = timedelta(seconds=0.5)
"""How far the clocks of the desk and the exchange may differ."""
DUPLICATE_ID = "duplicate client order id"
EXPIRED = "expired before receipt"
_PARTIAL = frozenset({FaultKind.PARTIAL})
_log = logging.getLogger(__name__)


class PaperExchange:
    """An exchange that trades against the prices it is given and forgets nothing that its ledger holds."""

    def __init__(
        self,
        *,
        prices: Prices,
        clock: Clock,
        instruments: Iterable[Instrument],
        config: PaperConfig | None = None,
        ledger: Ledger | None = None,
        script: FaultScript | None = None,
    ) -> None:
        self.config = config or PaperConfig()
        self.instruments = tuple(instruments)
        self.ledger = ledger
        self._rules: dict[Symbol, Rules] = {one.symbol: rules_of(one, self.config) for one in self.instruments}
        self._prices = prices
        self._clock = clock
        self._script = script or FaultScript()
        self._stream = Stream(self._script, self._rules)
        self._accounts = Accounts(config=self.config, clock=clock, ledger=ledger, stream=self._stream)
        self._lock = threading.RLock()
        self._later: list[tuple[float, int, Callable[[], object]]] = []
        self._tickets = itertools.count()
        self._failing = False
        self._unsubscribe = prices.subscribe(self._on_quote)

    # ------------------------------------------------------------------------------------------------- requests

    def submit(self, account: AccountId, payload: bytes) -> Reply:
        """The order was taken, refused or disturbed as scripted; the reply says what the caller gets to see of it."""
        with self._lock:
            self._run_due()
            try:
                fields = read_object(payload)
                terms, valid_until = read_order(fields)
            except Malformed as e:
                self._accounts.write({"kind": "request", "verb": "order", "account": account, "text": str(e)})
                return Reply(fate=Fate.REFUSED, text=str(e))
            fault = self._script.take(
                ON_REQUEST, "order", account=account, client_id=terms.client_id, symbol=terms.symbol
            )
            if fault is not None and fault.kind is FaultKind.LOST_REQUEST:
                return Reply(fate=Fate.DROP)
            self._accounts.write({"kind": "request", "verb": "order", "account": account, **fields})
            if fault is None:
                return self._receive(account, terms, valid_until)
            return self._receive_disturbed(account, terms, valid_until, fault)

    def cancel(self, account: AccountId, client_id: str, order_id: OrderId | None = None) -> Reply:
        """The order is canceled, or stands as the report says; no report where no such order is known."""
        with self._lock:
            self._run_due()
            fault = self._script.take(ON_REQUEST, "cancel", account=account, client_id=client_id)
            if fault is not None and fault.kind is FaultKind.LOST_REQUEST:
                return Reply(fate=Fate.DROP)
            named = {"client_id": client_id, "order_id": order_id}
            self._accounts.write({"kind": "request", "verb": "cancel", "account": account, **named})
            if fault is None:
                return self._cancel(account, client_id, order_id)
            return self._cancel_disturbed(account, client_id, order_id, fault)

    def pump(self) -> None:
        """What was due later and is due by now has been done."""
        with self._lock:
            self._run_due()

    def disturbance(self, account: AccountId, client_id: str = "") -> Reply | None:
        """What a scripted fault makes of a reading call, None when all goes well."""
        with self._lock:
            fault = self._script.take(ON_READ, "read", account=account, client_id=client_id)
        return Reply(fate=fate_under(fault.kind), retry_after=fault.delay) if fault is not None else None

    # ---------------------------------------------------------------------------------------------------- reads

    def order_status(self, account: AccountId, client_id: str) -> ExecutionReport | None:
        """The order as it stands, None where that id was never taken."""
        with self._lock:
            self._run_due()
            order = self._accounts.get(account).find(client_id)
            return self._status(order) if order is not None else None

    def open_orders(self, account: AccountId) -> list[ExecutionReport]:
        """All orders that may still fill, oldest first within a symbol."""
        with self._lock:
            self._run_due()
            working = self._accounts.get(account).book.working
            return [self._status(order) for orders in working.values() for order in orders.values()]

    def fills(self, account: AccountId, since: datetime) -> list[ExecutionReport]:
        """All fills from a moment on, oldest first."""
        with self._lock:
            self._run_due()
            fills = self._accounts.get(account).fills
            return [fill for fill in fills if fill.transact_time is not None and fill.transact_time >= since]

    def snapshot(self, account: AccountId) -> AccountSnapshot:
        """Cash and positions that are not flat."""
        with self._lock:
            self._run_due()
            book = self._accounts.get(account).book
            return AccountSnapshot(
                account_id=account,
                at=self._clock.now(),
                balances={self.config.currency: book.cash},
                holdings=tuple(
                    Holding(symbol=symbol, qty=position.qty, avg_px=position.avg_px)
                    for symbol, position in book.positions.items()
                    if position.qty
                ),
            )

    def listen(self, account: AccountId, listener: Listener) -> Callable[[], None]:
        """Every report from now on reaches the listener, in whatever thread it arose, until the result is called."""
        with self._lock:
            return self._stream.listen(account, listener)

    # --------------------------------------------------------------------------------------------------- faults

    def inject(self, fault: Fault) -> None:
        """The fault is in force, or has struck if it is of the immediate kind; Malformed when it names no order."""
        with self._lock:
            self._run_due()
            if fault.kind not in IMMEDIATE:
                self._script.add(fault)
                return
            if fault.kind is FaultKind.FORCE_FILL:
                self._force_fill(fault)
            elif fault.kind is FaultKind.WIPE_BOOK:
                for account in self._accounts.ids():
                    if fault.account in ("", account):
                        self._accounts.wipe(account)
            elif fault.account and fault.symbol and fault.qty is not None and fault.px is not None:
                self._accounts.adjust(AccountId(fault.account), Symbol(fault.symbol), fault.qty, fault.px)
            else:
                raise Malformed("adjust needs account, symbol, qty and px")

    def clear_faults(self) -> None:
        """No fault is in force."""
        with self._lock:
            self._script.clear()

    def close(self) -> None:
        """Prices are not listened to any more and the ledger is free."""
        self._unsubscribe()
        with self._lock:
            if self.ledger is not None:
                self.ledger.close()

    # ---------------------------------------------------------------------------------------------------- inner

    def _receive(self, account: AccountId, terms: Terms, valid_until: datetime | None) -> Reply:
        known = self._known(account, terms)
        if known is not None:
            return known
        now = self._clock.now()
        if valid_until is not None and now > valid_until + SKEW:
            self._turn_away(account, terms, EXPIRED)
            return Reply(fate=Fate.REFUSED, text=EXPIRED)
        record = self._accounts.open(account)
        rules = self._rules.get(terms.symbol)
        if rules is None:
            return self._reject(account, terms, f"{terms.symbol} is not listed here")
        part = self._script.take(_PARTIAL, "order", account=account, client_id=terms.client_id, symbol=terms.symbol)
        if part is not None:
            lot = rules.instrument.lot_size
            lots = (terms.order_qty / part.parts / lot).to_integral_value(rounding=ROUND_CEILING)
            terms = replace(terms, max_fill=lots * lot)
        quote = self._prices.quote(terms.symbol)
        marks = self._marks(record.book, terms.symbol)
        book, steps = matching.place(record.book, self._accounts.next_id(), terms, quote, now, rules, marks)
        return Reply(report=self._accounts.commit(account, record, book, steps))

    def _receive_disturbed(self, account: AccountId, terms: Terms, valid_until: datetime | None, fault: Fault) -> Reply:
        fate = fate_under(fault.kind)
        match fault.kind:
            case FaultKind.LATE_ACCEPT:
                self._after(fault.delay, lambda: self._receive(account, terms, valid_until))
                return Reply(fate=fate, wake_after=fault.delay)
            case FaultKind.REJECT | FaultKind.REJECT_AND_HANG:
                return replace(self._reject(account, terms, fault.text or "rejected as scripted"), fate=fate)
            case FaultKind.ASYNC_REJECT:
                return self._queue(account, terms, fault)
            case FaultKind.RATE_LIMITED:
                self._turn_away(account, terms, "rate limited")
                return Reply(fate=fate, retry_after=fault.delay)
        if fault.taken:
            self._receive(account, terms, valid_until)
        return Reply(fate=fate)

    def _known(self, account: AccountId, terms: Terms) -> Reply | None:
        """The first order's report when its client id is used again, as evidence that the first was taken."""
        if not (self.config.unique_ids and terms.client_id):
            return None
        order = self._accounts.get(account).find(terms.client_id)
        if order is None:
            return None
        text = f"{DUPLICATE_ID}: {order.text}" if order.text else DUPLICATE_ID
        return Reply(report=self._status(order, text))

    def _queue(self, account: AccountId, terms: Terms, fault: Fault) -> Reply:
        """Taken down and answered as queued, to be rejected later."""
        known = self._known(account, terms)
        if known is not None:
            return known
        self._accounts.open(account)
        order_id, now = self._accounts.next_id(), self._clock.now()
        order = Placed(order_id=order_id, terms=terms, at=now, status=OrdStatus.PENDING_NEW, text="queued")
        self._accounts.queue(account, order)
        text = fault.text or "rejected after it was queued"
        self._after(fault.delay, lambda: self._end_queued(account, order, text))
        return Reply(report=self._status(order), wake_after=fault.delay)

    def _end_queued(self, account: AccountId, order: Placed, text: str) -> None:
        record = self._accounts.open(account)
        self._accounts.commit(
            account, record, record.book, (end_step(order, OrdStatus.REJECTED, text, self._clock.now()),)
        )

    def _reject(self, account: AccountId, terms: Terms, text: str) -> Reply:
        known = self._known(account, terms)
        if known is not None:
            return known
        record, now = self._accounts.open(account), self._clock.now()
        order = Placed(order_id=self._accounts.next_id(), terms=terms, at=now)
        steps = (end_step(order, OrdStatus.REJECTED, text, now),)
        return Reply(report=self._accounts.commit(account, record, record.book, steps))

    def _turn_away(self, account: AccountId, terms: Terms, text: str) -> None:
        line = {"account": account, "order_id": None, "client_id": terms.client_id, "text": text}
        self._accounts.write({"kind": "reject", **line})

    def _cancel(self, account: AccountId, client_id: str, order_id: OrderId | None) -> Reply:
        record = self._accounts.get(account)
        order = record.find(client_id, order_id)
        if order is None:
            return Reply(text="no such order")
        book, steps = matching.cancel(record.book, order, self._clock.now())
        if not steps:
            return Reply(report=self._status(order, f"not canceled: the order is {order.status}"))
        return Reply(report=self._accounts.commit(account, record, book, steps))

    def _cancel_disturbed(self, account: AccountId, client_id: str, order_id: OrderId | None, fault: Fault) -> Reply:
        fate = fate_under(fault.kind)
        match fault.kind:
            case FaultKind.LATE_ACCEPT:
                self._after(fault.delay, lambda: self._cancel(account, client_id, order_id))
                return Reply(fate=fate, wake_after=fault.delay)
            case FaultKind.REJECT | FaultKind.REJECT_AND_HANG | FaultKind.ASYNC_REJECT:
                order = self._accounts.get(account).find(client_id, order_id)
                text = fault.text or "not canceled: refused as scripted"
                return Reply(fate=fate, report=self._status(order, text) if order is not None else None)
            case FaultKind.RATE_LIMITED:
                return Reply(fate=fate, retry_after=fault.delay)
        if fault.taken:
            self._cancel(account, client_id, order_id)
        return Reply(fate=fate)

    def _force_fill(self, fault: Fault) -> None:
        for account, record in self._accounts.items():
            order = record.find(fault.client_id) if fault.account in ("", account) else None
            if order is not None and fault.qty is not None and fault.px is not None:
                step = fill_step(order, fault.qty, fault.px, ZERO, self._clock.now())
                self._accounts.commit(account, record, apply(record.book, step), (step,))
                return
        raise Malformed("force_fill needs the client_id of a known order, qty and px")

    def _on_quote(self, quote: Quote) -> None:
        rules = self._rules.get(quote.symbol)
        if rules is None:
            return
        with self._lock:
            try:
                self._run_due()
                for account, record in self._accounts.items():
                    book, steps = matching.on_quote(record.book, quote, self._clock.now(), rules)
                    if steps:
                        self._accounts.commit(account, record, book, steps)
                self._failing = False
            except OSError as e:
                # Nothing was booked, so the next quote tries again; the feed must not end because a disk is full.
                if not self._failing:
                    _log.error("The paper ledger cannot be written, so nothing fills: %s", e)
                self._failing = True

    def _status(self, order: Placed, text: str = "") -> ExecutionReport:
        return status_report(order, self.config.currency, text)

    def _marks(self, book: Book, symbol: Symbol) -> dict[Symbol, Decimal]:
        others = (book.positions.keys() | book.working.keys()) - {symbol}
        quotes = (self._prices.quote(other) for other in others)
        return {quote.symbol: quote.mid for quote in quotes if quote is not None}

    def _after(self, delay: float, act: Callable[[], object]) -> None:
        heapq.heappush(self._later, (self._clock.monotonic() + delay, next(self._tickets), act))

    def _run_due(self) -> None:
        while self._later and self._later[0][0] <= self._clock.monotonic():
            heapq.heappop(self._later)[2]()
