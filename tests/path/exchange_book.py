"""The exchange's ledger folded anew, by plain code of its own: an oracle shares no fold with what it judges."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Fill = tuple[str, Decimal, Decimal, Decimal]
"""exec_id, quantity, price, fee."""
Key = tuple[str, str]
"""Account and client id, or account and symbol."""


@dataclass(slots=True, kw_only=True)
class Placed:
    """One order the exchange took."""

    order_id: str
    symbol: str
    side: str
    order_qty: Decimal
    status: str = "NEW"
    """`GONE` where the exchange lost its book."""
    fills: list[Fill] = field(default_factory=list)

    @property
    def cum_qty(self) -> Decimal:
        """What was filled, base units."""
        return sum((fill[1] for fill in self.fills), Decimal(0))


@dataclass(slots=True)
class ExchangeBook:
    """What the ledger tells."""

    orders: dict[Key, list[Placed]] = field(default_factory=lambda: defaultdict(list))
    rejects: Counter[Key] = field(default_factory=Counter)
    requests: Counter[Key] = field(default_factory=Counter)
    """How many requests for a new order were seen."""
    exec_ids: Counter[str] = field(default_factory=Counter)
    cash: dict[str, Decimal] = field(default_factory=dict)
    positions: dict[Key, Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    @classmethod
    def of(cls, lines: Iterable[Mapping[str, Any]]) -> "ExchangeBook":
        """The book after all lines."""
        book = cls()
        by_id: dict[str, Placed] = {}
        for line in lines:
            book._add(line, by_id)
        return book

    def only(self, accounts: Collection[str]) -> "ExchangeBook":
        """The part of some accounts; what a ledger that several desks share holds of one of them."""
        return ExchangeBook(
            orders=_part(self.orders, accounts),
            rejects=Counter({key: count for key, count in self.rejects.items() if key[0] in accounts}),
            requests=Counter({key: count for key, count in self.requests.items() if key[0] in accounts}),
            exec_ids=self.exec_ids,
            cash={account: cash for account, cash in self.cash.items() if account in accounts},
            positions=_part(self.positions, accounts),
        )

    def _add(self, line: Mapping[str, Any], by_id: dict[str, Placed]) -> None:
        account, client_id = line.get("account", ""), line.get("client_id", "")
        match line["kind"]:
            case "account":
                self.cash[account] = Decimal(line["cash"])
            case "request" if line["verb"] == "order":
                self.requests[(account, client_id)] += 1
            case "accept":
                placed = Placed(
                    order_id=line["order_id"],
                    symbol=line["symbol"],
                    side=line["side"],
                    order_qty=Decimal(line["order_qty"]),
                )
                by_id[placed.order_id] = placed
                self.orders[(account, client_id)].append(placed)
            case "reject":
                self.rejects[(account, client_id)] += 1
            case "cancel":
                by_id[line["order_id"]].status = "CANCELED"
            case "fill":
                self._fill(line, by_id[line["order_id"]])
            case "wipe":
                for order_id in line["order_ids"]:
                    by_id[order_id].status = "GONE"
            case "adjust":
                self._move(account, line["symbol"], Decimal(line["qty"]), Decimal(line["px"]), Decimal(0))

    def _fill(self, line: Mapping[str, Any], placed: Placed) -> None:
        qty, px, fee = Decimal(line["qty"]), Decimal(line["px"]), Decimal(line["fee"])
        placed.fills.append((line["exec_id"], qty, px, fee))
        placed.status = line["ord_status"]
        self.exec_ids[line["exec_id"]] += 1
        self._move(line["account"], line["symbol"], qty if line["side"] == "BUY" else -qty, px, fee)

    def _move(self, account: str, symbol: str, signed: Decimal, px: Decimal, fee: Decimal) -> None:
        self.positions[(account, symbol)] += signed
        self.cash[account] -= signed * px + fee


def _part(whole: Mapping[Key, Any], accounts: Collection[str]) -> Any:
    return {key: value for key, value in whole.items() if key[0] in accounts}
