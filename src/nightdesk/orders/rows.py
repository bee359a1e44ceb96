"""What one transaction of accepting will write, gathered over its signals and written in bulk."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from nightdesk.model.execution import Fact
from nightdesk.model.order import Order
from nightdesk.model.signal import Signal
from nightdesk.orders import store
from nightdesk.orders.ledger.store import Claim, Key, key_of
from nightdesk.orders.outgoing import store as outgoing
from nightdesk.orders.queued import Queued
from nightdesk.portfolio.book import AccountBook
from nightdesk.runtime.database import Row, Tx
from nightdesk.runtime.store import event_row


@dataclass(slots=True)
class Rows:
    """What one transaction will write, gathered over its signals."""

    claims: dict[Key, Claim]
    """Those found before, and those this transaction makes: a repeat inside one batch is a repeat."""
    claimed: dict[Key, Claim] = field(default_factory=dict)
    signals: list[Row] = field(default_factory=list)
    orders: list[Row] = field(default_factory=list)
    commands: list[Row] = field(default_factory=list)
    facts: list[tuple[Order, Fact]] = field(default_factory=list)
    events: list[tuple[object, ...]] = field(default_factory=list)
    queued: list[Queued] = field(default_factory=list)

    def claim(self, signal: Signal, window: int, now: int) -> None:
        """The signal is taken, for good where it has an id of its own, else for its window (microseconds)."""
        claim = Claim(
            signal_id=signal.signal_id,
            body_digest=signal.body_digest,
            expires_at=None if signal.explicit_id is not None else now + window,
        )
        self.claims[key_of(signal)] = self.claimed[key_of(signal)] = claim

    def event(self, book: AccountBook, order: Order, topic: str, data: Mapping[str, str], at: int) -> None:
        """The account's history gets a line; `at` in microseconds."""
        book.event_seq += 1
        row = event_row(order.account_id, book.event_seq, order.owner_id, topic, order.cl_ord_id, at, data)
        self.events.append(row)

    def write_orders(self, tx: Tx, at: int) -> None:
        """The orders gathered so far are in the database, where the rest of the transaction finds them."""
        store.add_orders(tx, self.orders)
        outgoing.add_commands(tx, self.commands)
        for order, fact in self.facts:
            store.add_facts(tx, order, (fact,), at)
        self.orders, self.commands, self.facts = [], [], []
