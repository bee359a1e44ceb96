"""What the paper exchange knows: one record per account, rebuilt from the ledger at a start."""

from dataclasses import dataclass, field, replace

from nightdesk.model.execution import ExecutionReport
from nightdesk.model.identifiers import OrderId
from nightdesk.venues.paper.book import Book, Placed, Step, StepKind


@dataclass(slots=True)
class Record:
    """One account: its book, every order it ever placed, which client id names which, and its fills in order."""

    book: Book
    orders: dict[OrderId, Placed] = field(default_factory=dict)
    ids: dict[str, list[OrderId]] = field(default_factory=dict)
    fills: list[ExecutionReport] = field(default_factory=list)

    def remember(self, step: Step, report: ExecutionReport) -> None:
        """The step and its report are part of what is known; the book is not touched."""
        self.keep(step.order)
        if step.kind is StepKind.FILL:
            self.fills.append(report)

    def keep(self, order: Placed) -> None:
        """The order is known as it stands."""
        if order.order_id not in self.orders and order.terms.client_id:
            self.ids.setdefault(order.terms.client_id, []).append(order.order_id)
        self.orders[order.order_id] = order

    def find(self, client_id: str, order_id: OrderId | None = None) -> Placed | None:
        """The order of that id (ours first, the newest where several share it), None where there is none."""
        known = self.ids.get(client_id)
        if known:
            return self.orders[known[-1]]
        return self.orders.get(order_id) if order_id is not None else None

    def open_ids(self) -> list[OrderId]:
        """The ids of all open orders."""
        return [order_id for orders in self.book.working.values() for order_id in orders]

    def forget_open(self) -> None:
        """The open orders are gone as if they had never been placed; positions and cash stay."""
        for order_id in self.open_ids():
            order = self.orders.pop(order_id)
            if order.terms.client_id:
                self.ids[order.terms.client_id].remove(order_id)
        self.book = replace(self.book, working={})
