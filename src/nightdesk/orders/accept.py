"""Accept: in one transaction the claim, the signal, every leg, its reservation and its NEW command.

Only after the commit is the sender told that the signal was taken, and only then does anything go out.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from nightdesk.model.denial import Denied, DenyCode
from nightdesk.model.enums import CommandKind, OrdType, SignalOutcome, TradingState
from nightdesk.model.execution import Fact, FactKind
from nightdesk.model.identifiers import Symbol, derive_cl_ord_id
from nightdesk.model.market import Prices
from nightdesk.model.order import Order, OrderState, fold
from nightdesk.model.signal import Aim
from nightdesk.orders import store
from nightdesk.orders.cancel import cancel_order
from nightdesk.orders.config import OrdersConfig
from nightdesk.orders.intent import Acceptance, Destination, Intent, Ledgered, Ticket, Want
from nightdesk.orders.ledger.store import Claim, add_signals, find_claims, key_of, signal_row, take_claims
from nightdesk.orders.outgoing import store as outgoing
from nightdesk.orders.queued import Queued, new_command
from nightdesk.orders.route import Draft, draft
from nightdesk.orders.rows import Rows
from nightdesk.orders.store import StoredOrder
from nightdesk.portfolio.book import AccountBook
from nightdesk.portfolio.store import Books
from nightdesk.risk.checks import judge
from nightdesk.risk.config import RiskConfig
from nightdesk.risk.halt import HaltState, HaltSwitch
from nightdesk.risk.proposal import Approved, Proposal
from nightdesk.risk.store import read_halt
from nightdesk.runtime.clock import Clock
from nightdesk.runtime.crashpoints import reached
from nightdesk.runtime.database import Tx, to_micros
from nightdesk.runtime.store import add_events
from nightdesk.runtime.writer import Again

ZERO = Decimal(0)


class ClaimLost(Again):
    """Another process claimed the same signal first; run again, this one is seen to be the repeat."""


class Accept:
    """The verb that turns intents into durable orders; hand it to the writer."""

    def __init__(
        self,
        *,
        install_id: str,
        limits: RiskConfig,
        orders: OrdersConfig,
        prices: Prices,
        halt: HaltSwitch,
        clock: Clock,
        on_queued: Callable[[Sequence[Queued]], None],
    ) -> None:
        self._install_id = install_id
        self._limits = limits
        self._orders = orders
        self._prices = prices
        self._halt = halt
        self._clock = clock
        self._on_queued = on_queued

    def __call__(self, tx: Tx, intents: Sequence[Intent], /) -> Sequence[Acceptance]:
        """One acceptance per intent: taken, repeated, refused or nothing to do; all of it durable on commit."""
        now = self._clock.now()
        micros = to_micros(now)
        books = Books(tx)
        books.load(where.account_id for intent in intents for want in intent.wants for where in want.destinations)
        row = read_halt(tx)
        halt = HaltState(halted=True, reason=row.reason) if row is not None and row.halted else self._halt.state
        rows = Rows(claims=find_claims(tx, [key_of(intent.signal) for intent in intents]))
        results = [self._one(tx, intent, books, halt, now, rows) for intent in intents]
        if not take_claims(tx, rows.claimed, micros):
            raise ClaimLost(f"one of {len(rows.claimed)} signals")
        add_signals(tx, rows.signals)
        rows.write_orders(tx, micros)
        add_events(tx, rows.events)
        books.save(micros)
        if rows.queued:
            tx.after_commit(lambda: self._on_queued(rows.queued))
        reached("accept.before_commit")
        tx.after_commit(lambda: reached("accept.after_commit"))
        return results

    def _one(self, tx: Tx, intent: Intent, books: Books, halt: HaltState, now: datetime, rows: Rows) -> Acceptance:
        signal = intent.signal
        window = int(intent.window_seconds * 1_000_000)
        claim = rows.claims.get(key_of(signal))
        if claim is not None and claim.holds(to_micros(now)):
            return _repeat(intent, claim, rows)
        tickets, reasons = self._legs(tx, intent, books, halt, now, rows)
        denied = [ticket.denied for ticket in tickets if ticket.denied is not None]
        if not tickets:
            text = "; ".join(dict.fromkeys(reasons)) or "the signal asks for nothing"
            rows.signals.append(signal_row(signal, SignalOutcome.NO_ACTION, text=text))
            return Acceptance(
                outcome=SignalOutcome.NO_ACTION,
                signal_id=signal.signal_id,
                code=DenyCode.NO_ACTION,
                text=text,
                notes=signal.notes,
            )
        if len(denied) == len(tickets):
            first = denied[0]
            rows.signals.append(signal_row(signal, SignalOutcome.REFUSED, denied=first))
            return Acceptance(
                outcome=SignalOutcome.REFUSED,
                signal_id=signal.signal_id,
                tickets=tuple(tickets),
                code=first.code,
                text=first.text,
                field=first.field,
                notes=signal.notes,
            )
        rows.claim(signal, window, to_micros(now))
        rows.signals.append(signal_row(signal, SignalOutcome.ACCEPTED))
        return Acceptance(
            outcome=SignalOutcome.ACCEPTED, signal_id=signal.signal_id, tickets=tuple(tickets), notes=signal.notes
        )

    def _legs(
        self, tx: Tx, intent: Intent, books: Books, halt: HaltState, now: datetime, rows: Rows
    ) -> tuple[list[Ticket], list[str]]:
        tickets: list[Ticket] = []
        reasons: list[str] = []
        for want in intent.wants:
            for destination in want.destinations:
                if want.ask.aim is Aim.CANCEL:
                    found = self._cancels(tx, books, intent, want, destination, now, rows)
                    tickets.extend(found)
                    if not found:
                        reasons.append(f"{intent.signal.sleeve} has no open order in {want.symbol} to cancel")
                    continue
                book = books[destination.account_id]
                stake = books.stake(destination.account_id, want.symbol, intent.signal.sleeve)
                drafted = draft(want, destination, intent, book, stake)
                if isinstance(drafted, str):
                    reasons.append(drafted)
                    continue
                tickets.append(self._leg(tx, intent, want, drafted, books, halt, len(tickets), now, rows))
        return tickets, reasons

    def _leg(
        self,
        tx: Tx,
        intent: Intent,
        want: Want,
        drafted: Draft,
        books: Books,
        halt: HaltState,
        leg: int,
        now: datetime,
        rows: Rows,
    ) -> Ticket:
        where = drafted.destination
        book = books[where.account_id]
        stake = books.stake(where.account_id, want.symbol, intent.signal.sleeve)
        order = self._order(intent, want, drafted, leg, now, closing=drafted.order_qty <= stake.reducible(drafted.side))
        if drafted.denied is not None:
            return _denied(intent, order, drafted.denied, book, now, rows)
        px_of = self._px_of(book, want)
        book.begin_day(f"{now:%Y-%m-%d}", px_of)
        second = to_micros(now) // 1_000_000
        verdict = judge(
            Proposal(
                order=order,
                instrument=where.instrument,
                capabilities=where.capabilities,
                quote=want.quote,
                signal_px=want.ask.signal_px,
                now=now,
                book=book,
                stake=stake,
                state=TradingState.HALTED if halt.halted else book.state,
                state_reason=halt.reason if halt.halted else book.state_reason,
                px_of=px_of,
                recent_orders=book.recent_orders(second),
                siblings=leg,
                twin=self._has_twin(tx, order, now, rows),
            ),
            self._limits,
        )
        if isinstance(verdict, Denied):
            return _denied(intent, order, verdict, book, now, rows)
        book.count_order(second)
        return self._queue(intent, verdict, book, now, rows)

    def _order(self, intent: Intent, want: Want, drafted: Draft, leg: int, now: datetime, *, closing: bool) -> Order:
        signal, where = intent.signal, drafted.destination
        if intent.hold:
            life = self._orders.held_expires
        elif want.ask.ord_type is OrdType.MARKET:
            life = self._orders.deadline_market
        else:
            life = self._orders.deadline_limit
        return Order(
            cl_ord_id=derive_cl_ord_id(self._install_id, where.account_id, signal.signal_id, leg),
            owner_id=signal.owner_id,
            account_id=where.account_id,
            venue=where.venue,
            signal_id=signal.signal_id,
            leg=leg,
            source=signal.source,
            sleeve=signal.sleeve,
            symbol=want.symbol,
            side=drafted.side,
            ord_type=want.ask.ord_type,
            time_in_force=drafted.time_in_force,
            order_qty=drafted.order_qty,
            price=want.ask.price,
            stop_px=want.ask.stop_px,
            reduce_only=drafted.reduce_only,
            created_at=now,
            deadline_at=intent.deadline_at or now + timedelta(seconds=life),
            closing=closing,
            test=signal.test or where.test,
        )

    def _queue(self, intent: Intent, verdict: Approved, book: AccountBook, now: datetime, rows: Rows) -> Ticket:
        order, micros = verdict.order, to_micros(now)
        state = OrderState(order_qty=order.order_qty)
        if intent.hold:
            held = Fact(key="held", kind=FactKind.HELD, stamp=micros, at=now, origin="desk", text="waits for a person")
            rows.facts.append((order, held))
            state = fold(order, (held,))
        else:
            deadline = to_micros(order.deadline_at)
            rows.commands.append(
                outgoing.command_row(order, CommandKind.NEW, 1, deadline_at=deadline, actor=order.source, now=micros)
            )
            rows.queued.append(Queued(order=order, command=new_command(order, CommandKind.NEW, 1, deadline)))
        book.reserve(order.symbol, order.sleeve, order.side, order.order_qty, verdict.ref_px)
        rows.orders.append(
            store.order_row(
                order,
                state,
                accepted=True,
                reserved_qty=order.order_qty,
                ref_px=verdict.ref_px,
                marks=verdict.marks,
                config_version=intent.config_version,
                now=micros,
            )
        )
        rows.event(book, order, "order.accepted", {"ord_status": state.ord_status.value}, micros)
        return Ticket(order=order, state=state)

    def judge_again(self, tx: Tx, stored: StoredOrder, where: Destination) -> Denied | None:
        """What the gate says of an order that waited, at today's prices and limits; None when it still passes."""
        order, now = stored.order, self._clock.now()
        books = Books(tx)
        books.load((order.account_id,))
        book = books[order.account_id]
        stake = books.stake(order.account_id, order.symbol, order.sleeve)
        # Its own reservation must not count against it.
        book.reserve(order.symbol, order.sleeve, order.side, -stored.reserved_qty, stored.ref_px)
        row = read_halt(tx)
        halted = self._halt.state.halted or (row is not None and row.halted)
        quote = self._prices.quote(order.symbol)
        verdict = judge(
            Proposal(
                order=order,
                instrument=where.instrument,
                capabilities=where.capabilities,
                quote=quote,
                signal_px=None,
                now=now,
                book=book,
                stake=stake,
                state=TradingState.HALTED if halted else book.state,
                state_reason=book.state_reason,
                px_of={order.symbol: quote.mid} if quote is not None else {},
                recent_orders=book.recent_orders(to_micros(now) // 1_000_000),
                siblings=order.leg,
                twin=False,
            ),
            self._limits,
        )
        return verdict if isinstance(verdict, Denied) else None

    def _cancels(
        self, tx: Tx, books: Books, intent: Intent, want: Want, where: Destination, now: datetime, rows: Rows
    ) -> list[Ticket]:
        tickets = []
        # What it cancels may have been accepted in this very transaction.
        rows.write_orders(tx, to_micros(now))
        for each in store.open_orders(tx, where.account_id):
            if each.order.symbol != want.symbol or each.order.sleeve != intent.signal.sleeve:
                continue
            cancel = cancel_order(tx, books, each, actor=intent.signal.source, now=now)
            if cancel is not None:
                rows.queued.append(cancel)
            after = store.load_order(tx, each.order.cl_ord_id) or each
            tickets.append(Ticket(order=each.order, state=after.state))
        return tickets

    def _px_of(self, book: AccountBook, want: Want) -> dict[Symbol, Decimal]:
        px_of = {want.symbol: want.quote.mid} if want.quote is not None else {}
        for symbol, _ in book.stakes:
            if symbol not in px_of:
                quote = self._prices.quote(symbol)
                if quote is not None:
                    px_of[symbol] = quote.mid
        return px_of

    def _has_twin(self, tx: Tx, order: Order, now: datetime, rows: Rows) -> bool:
        guard = self._limits.duplicate_guard_seconds
        if not guard:
            return False
        # Its twin may have been accepted in this very transaction.
        rows.write_orders(tx, to_micros(now))
        return store.has_twin(tx, order, since=to_micros(now) - int(guard * 1_000_000))


def record(tx: Tx, items: Sequence[Ledgered], /) -> Sequence[None]:
    """Signals that make no order are in the ledger with the reason; they claim nothing."""
    add_signals(tx, [signal_row(one.signal, one.outcome, denied=one.denied, text=one.text) for one in items])
    return [None] * len(items)


def _repeat(intent: Intent, claim: Claim, rows: Rows) -> Acceptance:
    signal = intent.signal
    if claim.expires_at is None and claim.body_digest != signal.body_digest:
        code = DenyCode.IDEMPOTENCY_KEY_REUSED
        text = f"the id {signal.explicit_id} belongs to signal {claim.signal_id}, which had another body"
        denied = Denied(code=code, text=text, field="id")
        rows.signals.append(signal_row(signal, SignalOutcome.REFUSED, denied=denied, first=claim.signal_id))
        return Acceptance(outcome=SignalOutcome.REFUSED, signal_id=signal.signal_id, code=code, text=text, field="id")
    text = f"the same signal was taken as {claim.signal_id}"
    denied = Denied(code=DenyCode.DUPLICATE_SIGNAL, text=text)
    rows.signals.append(signal_row(signal, SignalOutcome.DUPLICATE, denied=denied, first=claim.signal_id))
    return Acceptance(
        outcome=SignalOutcome.DUPLICATE, signal_id=claim.signal_id, code=DenyCode.DUPLICATE_SIGNAL, text=text
    )


def _denied(intent: Intent, order: Order, denied: Denied, book: AccountBook, now: datetime, rows: Rows) -> Ticket:
    micros = to_micros(now)
    fact = Fact(
        key="denied",
        kind=FactKind.DENIED,
        stamp=micros,
        at=now,
        origin="desk",
        code=denied.code,
        text=denied.text,
    )
    state = fold(order, (fact,))
    rows.facts.append((order, fact))
    marks = [("denied", denied.limit or "", denied.value or "")]
    rows.orders.append(
        store.order_row(
            order,
            state,
            accepted=False,
            reserved_qty=ZERO,
            ref_px=ZERO,
            marks=marks,
            config_version=intent.config_version,
            now=micros,
        )
    )
    rows.event(book, order, "order.denied", {"code": denied.code.name, "text": denied.text}, micros)
    return Ticket(order=order, state=state, denied=denied)
