"""One desk and its accounts at an exchange that several scenes share: started, killed, watched, and judged."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from nightdesk.model.identifiers import ClOrdId
from nightdesk.orders import store
from nightdesk.orders.person import settle
from nightdesk.orders.store import StoredOrder
from nightdesk.runtime.clock import SystemClock
from nightdesk.runtime.database import Database, Row, Tx
from nightdesk.runtime.store import schema_revision
from nightdesk.venues.paper.ledger import NAME, read_ledger
from tests.path.alerts import Asked
from tests.path.oracle import Answered, Verdict, judge, read_answers
from tests.path.victim import DeskPlan, desk_settings
from tests.path.zygote import Zygote

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A running exchange, and whether it refuses a client id it has seen."""

    url: str
    folder: Path
    pid: int
    unique: bool

    def fault(self, kind: str, account: str, **rule: object) -> None:
        """The fault is in force for the account, or has struck."""
        body = {"kind": kind, "account": account, **rule}
        httpx2.post(f"{self.url}/v1/faults", json=body, trust_env=False).raise_for_status()

    def lines(self, accounts: Iterable[str]) -> list[dict[str, Any]]:
        """The ledger's lines about some accounts."""
        names = set(accounts)
        return [line for line in read_ledger(self.folder / NAME) if line.get("account") in names]


def buy(key: str, *, size: str = "0.01", symbol: str = "BTC-USD", **more: str) -> Asked:
    """A market order to buy."""
    return Asked(key, json.dumps({"symbol": symbol, "side": "buy", "size": size, "id": key, **more}))


def rest(key: str, *, size: str = "0.01", price: str = "66000") -> Asked:
    """An order to buy BTC so far below the market that it rests."""
    return buy(key, size=size, order_type="limit", price=price)


def cancel(key: str, *, symbol: str = "BTC-USD") -> Asked:
    """All open orders of the hook in a symbol are to be canceled."""
    return Asked(key, json.dumps({"symbol": symbol, "side": "cancel", "id": key}))


@dataclass(slots=True, kw_only=True)
class Scene:
    """A desk through several lives. `accounts` are its own, so that scenes do not see each other."""

    zygote: Zygote
    exchange: Exchange
    folder: Path
    accounts: tuple[str, ...]
    database_url: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    pids: list[int] = field(default_factory=list)

    @property
    def account(self) -> str:
        """The first account."""
        return self.accounts[0]

    @property
    def database(self) -> Database:
        """Where the desk keeps its records."""
        return Database(self.database_url or self.folder / "desk" / "nightdesk.db")

    @property
    def log(self) -> Path:
        """What was asked and answered."""
        return self.folder / "answers.jsonl"

    def start(
        self,
        *asked: Asked,
        crash_at: str = "",
        seed: int | None = None,
        senders: int = 3,
        pause: float = 0.03,
        **settings: str,
    ) -> int:
        """The pid of a new life, which asks these things once it is up, and, with a seed, goes on with others."""
        own = desk_settings(self.folder / "desk", self.exchange.url, self.accounts, unique=self.exchange.unique)
        more = {key.replace("__", "."): value for key, value in settings.items()}
        plan = DeskPlan(
            settings={**own, "runtime.database": self.database_url, **self.settings, **more},
            log=str(self.log),
            crash_at=crash_at,
            asked=asked,
            seed=seed,
            prefix=f"life{len(self.pids)}-{seed}",
            senders=senders,
            pause=pause,
        )
        pid = self.zygote.desk(plan)
        self.pids.append(pid)
        return pid

    def start_more(self, *asked: Asked) -> int:
        """The pid of a new life in the place of the running one, which was killed; it asks these things."""
        for pid in tuple(self.pids):
            self.kill(pid)
        return self.start(*asked)

    def dies(self, pid: int, seconds: float = 5.0) -> bool:
        """True when the process is killed within the time; fails where it ends in another way."""
        code = self.zygote.ended(pid, seconds)
        if code is None:
            return False
        self.pids.remove(pid)
        assert code == -signal.SIGKILL, f"ended with {code}: {self.errors()}"
        return True

    def kill(self, pid: int) -> None:
        """As `kill -9` does it."""
        os.kill(pid, signal.SIGKILL)
        assert self.dies(pid)

    def stop(self, pid: int, seconds: float = 10.0) -> None:
        """The desk has ended by SIGTERM as it should."""
        os.kill(pid, signal.SIGTERM)
        code = self.zygote.ended(pid, seconds)
        assert code == 0, f"ended with {code}: {self.errors()}"
        self.pids.remove(pid)

    def errors(self) -> str:
        """What the lives printed."""
        path = self.log.with_suffix(".errors")
        return path.read_text()[-4000:] if path.exists() else ""

    def close(self) -> None:
        """No process of the scene is left."""
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
            self.zygote.ended(pid, 5.0)
        self.pids.clear()

    # ------------------------------------------------------------------------------------------------- what is seen

    def read(self, work: Callable[[Tx], Result]) -> Result:
        """What the work read from the desk's database."""
        connection = self.database.connect(read_only=True)
        try:
            return work(connection.begin_read())
        finally:
            connection.rollback()
            connection.close()

    def rows(self, sql: str, *params: object) -> list[Row]:
        """The rows of a query; none before there is a schema."""
        if not self.database_url and not (self.folder / "desk" / "nightdesk.db").exists():
            return []
        return self.read(lambda tx: tx.fetch(sql, params) if schema_revision(tx) is not None else [])

    def orders(self) -> list[StoredOrder]:
        """All orders, oldest first."""
        ids = self.rows("SELECT cl_ord_id FROM orders ORDER BY created_at, leg")
        found = (self._load(row[0]) for row in ids)
        return [each for each in found if each is not None]

    def _load(self, cl_ord_id: str) -> StoredOrder | None:
        return self.read(lambda tx: store.load_order(tx, ClOrdId(cl_ord_id)))

    def order(self) -> StoredOrder:
        """The one order there is."""
        orders = self.orders()
        assert len(orders) == 1, orders
        return orders[0]

    def states(self) -> list[str]:
        """Status and doubt of each order: `FILLED NONE`."""
        return [f"{each.state.ord_status} {each.state.doubt}" for each in self.orders()]

    def trading(self) -> str:
        """The state of the first account."""
        found = self.rows("SELECT state FROM accounts WHERE account_id = ?", self.account)
        return str(found[0][0]) if found else ""

    def answers(self) -> dict[str, Answered]:
        """The answers by their keys."""
        return {each.key: each for each in read_answers(self.log)}

    def lines(self, kind: str) -> list[dict[str, Any]]:
        """The exchange's lines of a kind about this desk."""
        return [line for line in self.exchange.lines(self.accounts) if line["kind"] == kind]

    def requests(self, verb: str = "order") -> int:
        """How many requests the exchange saw."""
        return sum(1 for line in self.lines("request") if line["verb"] == verb)

    def abandon(self) -> None:
        """A person has declared the one order ended; no desk runs meanwhile."""
        connection = self.database.connect()
        tx = connection.begin()
        settle(tx, self.order().order.cl_ord_id, "abandon", "operator", SystemClock().now(), "")
        connection.commit()
        connection.close()

    def fault(self, kind: str, **rule: object) -> None:
        """The fault is in force for the first account, or has struck."""
        self.exchange.fault(kind, self.account, **rule)

    def place_by_hand(self, symbol: str, size: str, price: str) -> None:
        """Somebody placed a limit order to buy at the exchange without the desk."""
        body = {"client_id": "", "symbol": symbol, "side": "BUY", "ord_type": "LIMIT", "time_in_force": "GTC"}
        body |= {"order_qty": size, "price": price}
        headers = {"X-Account": self.account}
        answer = httpx2.post(f"{self.exchange.url}/v1/orders", json=body, headers=headers, trust_env=False)
        answer.raise_for_status()

    def until(self, met: Callable[[], object], seconds: float = 15.0) -> None:
        """Fails, saying how things stand, unless the condition is met in time."""
        deadline = time.monotonic() + seconds
        while not met():
            assert time.monotonic() < deadline, f"not met: {self.told()}"
            time.sleep(0.02)

    def told(self) -> str:
        """How things stand, for a failed test."""
        kinds = [line["kind"] for line in self.exchange.lines(self.accounts)]
        commands = self.rows("SELECT cl_ord_id, kind, state, attempts, text FROM commands")
        return f"{self.states()} {self.trading()} commands {commands} ledger {kinds} {self.errors()}"

    def verdict(self) -> Verdict:
        """What the oracle says."""
        return judge(self.database, self.exchange.lines(self.accounts), read_answers(self.log))

    def settled(self, *, doubts: int = 0) -> bool:
        """True once the oracle finds nothing and no more than so many orders are in doubt."""
        if not self.rows("SELECT account_id FROM accounts"):
            return False
        verdict = self.verdict()
        return verdict.clean and len(verdict.in_doubt) == doubts

    def clean(self, *, doubts: int = 0, seconds: float = 15.0) -> Verdict:
        """The verdict, once it is clean; fails with the findings where it is not in time."""
        deadline = time.monotonic() + seconds
        while not self.settled(doubts=doubts) and time.monotonic() < deadline:
            time.sleep(0.05)
        verdict = self.verdict()
        assert verdict.clean, (verdict.findings(), self.told())
        assert len(verdict.in_doubt) == doubts, (verdict.in_doubt, self.told())
        return verdict

    def position(self, symbol: str = "BTC-USD") -> Decimal:
        """What the desk believes to hold over all accounts."""
        held = self.rows("SELECT qty FROM positions WHERE symbol = ?", symbol)
        return sum((Decimal(row[0]) for row in held), Decimal(0))
