"""A desk made of plain functions over a real database, for the tests of the web room."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from nightdesk.model.denial import Denied
from nightdesk.model.enums import CommandKind, OrdStatus, OrdType, Side, SignalOutcome, TimeInForce, TradingState
from nightdesk.model.execution import Fact, FactKind
from nightdesk.model.identifiers import (
    OPERATOR,
    AccountId,
    ClOrdId,
    ExecId,
    HookId,
    OrderId,
    SignalId,
    Sleeve,
    Symbol,
    VenueId,
)
from nightdesk.model.order import Order, OrderState, fold
from nightdesk.model.signal import Aim, Ask, Signal, Size
from nightdesk.orders import store
from nightdesk.orders.ledger.store import add_signals, signal_row
from nightdesk.orders.outgoing import store as outgoing
from nightdesk.portfolio.book import AccountBook
from nightdesk.portfolio.store import Books, open_account, set_state
from nightdesk.runtime.database import Database, Tx, to_micros
from nightdesk.runtime.store import add_events, event_row

START = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
PAPER = AccountId("paper")
BTC = Symbol("BTC-USD")


@dataclass
class World:
    """The database and what was written into it; every row gets its moment from `now`."""

    database: Database
    now: datetime = START
    made: int = 0
    seq: dict[str, int] = field(default_factory=dict)

    def write(self, work: Callable[[Tx], Any]) -> Any:
        """What the work returned, committed."""
        connection = self.database.connect()
        try:
            result = work(connection.begin())
            connection.commit()
        finally:
            connection.close()
        return result

    def account(self, account_id: str = PAPER, venue: str = "paper", cash: str = "100000") -> None:
        """The account exists and is active."""

        def work(tx: Tx) -> None:
            now = to_micros(self.now)
            open_account(tx, AccountId(account_id), VenueId(venue), "USD", Decimal(cash), now)
            set_state(tx, AccountId(account_id), TradingState.ACTIVE, "", now)

        self.write(work)

    def signal(self, **changes: Any) -> Signal:
        """A signal that is not written yet."""
        self.made += 1
        given: dict[str, Any] = {
            "signal_id": SignalId(f"{self.made:032x}"),
            "owner_id": OPERATOR,
            "source": "tradingview",
            "hook": HookId("trend"),
            "sleeve": Sleeve("trend"),
            "received_at": self.now,
            "fired_at": self.now - timedelta(milliseconds=180),
            "digest": f"d{self.made}",
            "explicit_id": None,
            "body_digest": f"b{self.made}",
            "body": '{"symbol":"BTCUSD","side":"buy","size":"0.5","token":"***"}',
            "form": "native",
            "asks": (Ask(aim=Aim.TRADE, symbol="BTC-USD", side=Side.BUY, size=Size(value=Decimal("0.5"))),),
        }
        return Signal(**{**given, **changes})

    def record(
        self, signal: Signal, outcome: SignalOutcome, denied: Denied | None = None, text: str = "", first: Any = None
    ) -> None:
        """The signal is in the ledger with its outcome."""
        self.write(lambda tx: add_signals(tx, [signal_row(signal, outcome, denied=denied, text=text, first=first)]))

    def order(self, signal: Signal, leg: int = 0, **changes: Any) -> Order:
        """An order of the signal that is not written yet."""
        given: dict[str, Any] = {
            "cl_ord_id": ClOrdId(f"{int(signal.signal_id, 16):028x}{leg:04x}"),
            "owner_id": OPERATOR,
            "account_id": PAPER,
            "venue": VenueId("paper"),
            "signal_id": signal.signal_id,
            "leg": leg,
            "source": signal.source,
            "sleeve": signal.sleeve,
            "symbol": BTC,
            "side": Side.BUY,
            "ord_type": OrdType.MARKET,
            "time_in_force": TimeInForce.IOC,
            "order_qty": Decimal("0.5"),
            "price": None,
            "stop_px": None,
            "reduce_only": False,
            "created_at": signal.received_at + timedelta(milliseconds=1.3),
            "deadline_at": signal.received_at + timedelta(seconds=30),
        }
        return Order(**{**given, **changes})

    def accepted(self, signal: Signal, *orders: Order, first: bool = True) -> None:
        """The signal, its orders and their commands are written, as after an acceptance."""
        if first:
            self.record(signal, SignalOutcome.ACCEPTED)
        for order in orders:
            self.write(lambda tx, order=order: self._accept(tx, order))

    def _accept(self, tx: Tx, order: Order) -> None:
        now = to_micros(order.created_at)
        marks = [
            ("trading state", "ACTIVE", "ACTIVE"),
            ("price age", "30 s", "0.25 s"),
            ("quantity", "lot 0.0001", "0.5"),
            ("order value", "25000", "32000"),
            ("symbol exposure", "50000", "32000"),
            ("daily loss", "5000", "0"),
            ("order rate", "120", "3"),
        ]
        row = store.order_row(
            order,
            OrderState(order_qty=order.order_qty),
            accepted=True,
            reserved_qty=order.order_qty,
            ref_px=Decimal("64000"),
            marks=marks,  # type: ignore[arg-type]
            config_version="c0ffee",
            now=now,
        )
        store.add_orders(tx, [row])
        deadline = to_micros(order.deadline_at)
        outgoing.add_commands(
            tx, [outgoing.command_row(order, CommandKind.NEW, 1, deadline_at=deadline, actor=order.source, now=now)]
        )
        self._event(tx, order, "order.accepted")

    def _event(self, tx: Tx, order: Order, topic: str) -> None:
        seq = self.seq[order.account_id] = self.seq.get(order.account_id, 0) + 1
        at = to_micros(order.created_at)
        data = {"ord_status": "PENDING_NEW"}
        add_events(tx, [event_row(order.account_id, seq, order.owner_id, topic, order.cl_ord_id, at, data)])

    def denied(self, signal: Signal, order: Order, denied: Denied) -> None:
        """The signal is refused and its one order denied."""
        self.record(signal, SignalOutcome.REFUSED, denied=denied)
        fact = Fact(
            key="denied",
            kind=FactKind.DENIED,
            stamp=1,
            at=order.created_at,
            origin="desk",
            code=denied.code,
            text=denied.text,
        )

        def work(tx: Tx) -> None:
            now = to_micros(order.created_at)
            row = store.order_row(
                order,
                fold(order, (fact,)),
                accepted=False,
                reserved_qty=Decimal(0),
                ref_px=Decimal(0),
                marks=[("denied", denied.limit or "", denied.value or "")],
                config_version="c0ffee",
                now=now,
            )
            store.add_orders(tx, [row])
            store.add_facts(tx, order, (fact,), now)

        self.write(work)

    def sent(self, order: Order, payload: bytes = b'{"symbol":"BTC-USD","side":"BUY"}', answered: bool = True) -> None:
        """The order left for its venue."""
        at = to_micros(order.created_at + timedelta(milliseconds=1.6))

        def work(tx: Tx) -> None:
            command = outgoing.commands_of_order(tx, order.cl_ord_id)[0]
            tx.execute(
                "INSERT INTO sends (account_id, owner_id, wire_id, cl_ord_id, kind, number, attempt, payload,"
                " payload_hash, nonce, valid_until, sending_at, first_byte_at, answered_at, outcome, text)"
                " VALUES (?,?,?,?,'NEW',1,1,?,'hash',NULL,NULL,?,?,?,?,'')",
                (
                    order.account_id,
                    order.owner_id,
                    f"nd-{order.cl_ord_id[-8:]}",
                    order.cl_ord_id,
                    payload,
                    at - 400,
                    at,
                    at + 38_200 if answered else None,
                    "NEW" if answered else "UNKNOWN",
                ),
            )
            outgoing.begin_sending(tx, command, at - 400)

        self.write(work)

    def facts(self, order: Order, *facts: Fact) -> None:
        """The facts are known, and the order's row says what they come to."""

        def work(tx: Tx) -> None:
            now = max(to_micros(fact.at) for fact in facts)
            store.add_facts(tx, order, facts, now)
            state = fold(order, store.facts_of_order(tx, order.cl_ord_id))
            store.save_states(
                tx,
                [store.StoredOrder(order=order, state=state, reserved_qty=Decimal(0), ref_px=Decimal("64000"))],
                now,
            )

        self.write(work)

    def filled(self, order: Order, px: str = "64000", qty: Decimal | None = None, fee: str = "1.28") -> None:
        """The order was sent, taken and filled, and its sleeve holds the result."""
        self.sent(order)
        at = order.created_at + timedelta(milliseconds=41)
        done = qty or order.order_qty
        base = {"stamp": to_micros(at), "origin": "submit", "order_id": OrderId(f"v{order.cl_ord_id[-6:]}")}
        ack = Fact(key="status:NEW", kind=FactKind.STATUS, at=at, ord_status=OrdStatus.NEW, **base)  # type: ignore[arg-type]
        fill = Fact(
            key=f"fill:{order.cl_ord_id[-8:]}",
            kind=FactKind.FILL,
            at=at + timedelta(milliseconds=3.2),
            exec_id=ExecId(f"e{order.cl_ord_id[-8:]}"),
            last_qty=done,
            last_px=Decimal(px),
            fee=Decimal(fee),
            fee_currency="USD",
            **base,  # type: ignore[arg-type]
        )
        self.facts(order, ack, fill)

        def work(tx: Tx) -> None:
            from nightdesk.model.position import Change

            books = Books(tx)
            books.load((order.account_id,))
            book: AccountBook = books[order.account_id]
            book.begin_day(f"{order.created_at:%Y-%m-%d}", {})
            change = Change(qty=order.side.sign * done, value=order.side.sign * done * Decimal(px), fees=Decimal(fee))
            books.stake(order.account_id, order.symbol, order.sleeve)
            book.apply(order.symbol, order.sleeve, change)
            books.save(to_micros(at))

        self.write(work)

    def unanswered(self, order: Order) -> None:
        """The order was sent and no answer came."""
        self.sent(order, answered=False)
        at = order.created_at + timedelta(seconds=10)
        self.facts(
            order,
            Fact(
                key="unknown:1",
                kind=FactKind.OUTCOME_UNKNOWN,
                stamp=to_micros(at),
                at=at,
                origin="desk",
                text="TimeoutError: no answer within 10 s",
            ),
        )

    def held(self, order: Order) -> None:
        """The order waits for a person."""
        fact = Fact(key="held", kind=FactKind.HELD, stamp=1, at=order.created_at, origin="desk", text="waits")
        self.facts(order, fact)
