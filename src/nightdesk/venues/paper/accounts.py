"""All accounts of the paper exchange: written to the ledger before anything is believed, and rebuilt from it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from nightdesk.model.execution import ExecutionReport
from nightdesk.model.identifiers import AccountId, OrderId, Symbol
from nightdesk.runtime.clock import Clock
from nightdesk.venues.paper.book import Book, Placed, Step, StepKind, adjusted, apply
from nightdesk.venues.paper.config import PaperConfig
from nightdesk.venues.paper.ledger import Ledger, LedgerError
from nightdesk.venues.paper.lines import line_step, step_line
from nightdesk.venues.paper.payload import plain
from nightdesk.venues.paper.records import Record
from nightdesk.venues.paper.reports import answer_report, step_report
from nightdesk.venues.paper.stream import Stream


class Accounts:
    """What is known of every account; one that was never used has the starting cash."""

    def __init__(self, *, config: PaperConfig, clock: Clock, ledger: Ledger | None, stream: Stream) -> None:
        self._config = config
        self._clock = clock
        self._ledger = ledger
        self._stream = stream
        self._records: dict[AccountId, Record] = {}
        self._seq = 0
        self._birth = self._replay()

    def ids(self) -> list[AccountId]:
        """Every account that was ever used."""
        return list(self._records)

    def items(self) -> list[tuple[AccountId, Record]]:
        """Every account with what is known of it."""
        return list(self._records.items())

    def get(self, account: AccountId) -> Record:
        """What is known of an account; a new one is not kept by asking."""
        return self._records.get(account) or Record(Book(account_id=account, cash=self._config.cash))

    def open(self, account: AccountId) -> Record:
        """The account is kept, with the starting cash when it is new."""
        record = self._records.get(account)
        if record is None:
            self.write({"kind": "account", "account": account, "cash": plain(self._config.cash)})
            record = self._records[account] = self.get(account)
        return record

    def next_id(self) -> OrderId:
        """The id of an order that the next line takes down; it names the ledger's first moment and that line."""
        return OrderId(f"{self._birth}-{self._seq + 1}")

    def commit(self, account: AccountId, record: Record, book: Book, steps: Sequence[Step]) -> ExecutionReport:
        """The steps are in the ledger, then known, then told; OSError and nothing of it where the ledger fails.

        Returns one report of all of it.
        """
        self.write(*(step_line(step, account) for step in steps))
        record.book = book
        reports = [step_report(step, self._config.currency) for step in steps]
        for step, report in zip(steps, reports, strict=True):
            record.remember(step, report)
        self._stream.publish(account, reports)
        if steps[-1].kind is StepKind.FILL:
            return reports[-1]
        return answer_report(steps, self._config.currency)

    def queue(self, account: AccountId, order: Placed) -> None:
        """The order is known and not yet looked at; a restart forgets it."""
        named = {"order_id": order.order_id, "client_id": order.terms.client_id}
        self.write({"kind": "queue", "account": account, **named})
        self._records[account].keep(order)

    def wipe(self, account: AccountId) -> None:
        """The open orders of the account are forgotten."""
        record = self.get(account)
        self.write({"kind": "wipe", "account": account, "order_ids": record.open_ids()})
        record.forget_open()

    def adjust(self, account: AccountId, symbol: Symbol, qty: Decimal, px: Decimal) -> None:
        """A signed quantity came in at a price without any order."""
        record = self.open(account)
        self.write({"kind": "adjust", "account": account, "symbol": symbol, "qty": plain(qty), "px": plain(px)})
        record.book = adjusted(record.book, symbol, qty=qty, px=px)

    def write(self, *lines: dict[str, object]) -> None:
        """The lines are in the ledger, dated now."""
        at = self._clock.now().isoformat()
        if self._ledger is not None:
            self._ledger.append([{"at": at, **line} for line in lines])
            self._seq = self._ledger.seq
        else:
            self._seq += len(lines)

    def _replay(self) -> str:
        """What the ledger holds is known again; the moment it was begun starts every order id."""
        lines = self._ledger.replay() if self._ledger is not None else []
        begun = self._clock.now()
        if lines:
            begun = datetime.fromisoformat(lines[0]["at"])
            if lines[0].get("currency") != self._config.currency:
                raise LedgerError(
                    f"The ledger keeps {lines[0].get('currency')}, the settings say {self._config.currency}. "
                    "Change the setting back, or use another data directory."
                )
            for line in lines:
                self._again(line)
            self._seq = len(lines)
        else:
            self.write({"kind": "open", "version": 1, "currency": self._config.currency})
        if self._ledger is not None and self._ledger.torn:
            self.write({"kind": "note", "text": f"cut off {self._ledger.torn} bytes of an unfinished line"})
        return format(int(begun.timestamp() * 1000), "x")

    def _again(self, line: Mapping[str, Any]) -> None:
        """One line of the ledger has had its effect again."""
        kind = line["kind"]
        if kind == "account":
            account = AccountId(line["account"])
            self._records[account] = Record(Book(account_id=account, cash=Decimal(line["cash"])))
        elif kind == "wipe":
            self.get(AccountId(line["account"])).forget_open()
        elif kind == "adjust":
            record, qty = self._records[AccountId(line["account"])], Decimal(line["qty"])
            record.book = adjusted(record.book, Symbol(line["symbol"]), qty=qty, px=Decimal(line["px"]))
        elif kind in tuple(StepKind) and line.get("order_id") is not None:
            record = self._records[AccountId(line["account"])]
            step = line_step(line, record.orders)
            record.book = apply(record.book, step)
            record.remember(step, step_report(step, self._config.currency))
