"""The desk at a glance: one sentence that says how it stands, then the figures and lists that back it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from nightdesk.model.enums import TradingState
from nightdesk.model.market import Quote
from nightdesk.runtime.database import Tx, to_micros
from nightdesk.web.desk import AccountStatus, Desk, DeskStatus
from nightdesk.web.feed import FeedRow, feed
from nightdesk.web.plain import ratio
from nightdesk.web.records import AccountLine, OrderLine, PositionLine, SignalLine, Today
from nightdesk.web.store import Filters, accounts, orders, positions, signals, today
from nightdesk.web.todos import Todo, todos
from nightdesk.web.words import ago, plural, signed

FEED_ROWS = 12
MOST_TODOS = 25
ZERO = Decimal(0)
_COUNTED = ("FILLED", "PARTIALLY_FILLED", "NEW", "PENDING_NEW", "HELD", "CANCELED", "EXPIRED", "REJECTED", "DENIED")
_SAID = {
    "FILLED": "filled",
    "PARTIALLY_FILLED": "partly filled",
    "NEW": "open",
    "PENDING_NEW": "on their way",
    "HELD": "held",
    "CANCELED": "canceled",
    "EXPIRED": "expired",
    "REJECTED": "rejected",
    "DENIED": "denied",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """Everything the first page shows, read at one moment; money is in `currency`, None where it cannot be told."""

    now: datetime
    day: datetime
    status: DeskStatus
    lamp: str
    headline: str
    meaning: str
    todos: tuple[Todo, ...]
    feed: tuple[FeedRow, ...]
    newest: SignalLine | None
    positions: tuple[PositionLine, ...]
    today: Today
    currency: str
    equity: Decimal | None
    exposure: Decimal | None
    pnl: Decimal | None
    quotes: tuple[Quote, ...]

    @property
    def live(self) -> bool:
        """True where real money can move."""
        return any(account.live for account in self.status.accounts)

    @property
    def pnl_percent(self) -> str:
        """Today's gain against the equity the day began with, in words."""
        if self.pnl is None or self.equity is None:
            return "counts from the day's first order"
        share = ratio(self.pnl * 100, self.equity - self.pnl)
        return f"{signed(share, places=2)} % of equity" if share is not None else ""

    @property
    def orders_today(self) -> int:
        """How many orders were made today, denied ones among them."""
        return sum(self.today.orders.values())

    @property
    def orders_words(self) -> str:
        """Today's orders by what became of them: `12 filled, 1 denied, 1 in doubt`."""
        parts = [f"{self.today.orders[name]} {_SAID[name]}" for name in _COUNTED if self.today.orders.get(name)]
        if self.today.in_doubt:
            parts.append(f"{self.today.in_doubt} in doubt")
        return ", ".join(parts) or "none yet"

    @property
    def signals_words(self) -> str:
        """Today's signals by outcome."""
        counts = self.today.signals
        total = sum(counts.values())
        parts = [f"{count} {outcome.lower().replace('_', ' ')}" for outcome, count in sorted(counts.items())]
        return f"{plural(total, 'signal')} today" + (f": {', '.join(parts)}" if parts else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    newest: list[SignalLine]
    feed: list[FeedRow]
    waiting: list[OrderLine]
    positions: list[PositionLine]
    accounts: list[AccountLine]
    today: Today


def look(desk: Desk) -> Glance:
    """The desk as it stands; it blocks, so call it from a worker thread."""
    status, now = desk.status(), desk.clock.now()
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    by_hand = tuple(account for account in status.accounts if account.kind == "manual")
    seen = desk.reader.run(lambda tx: _read(tx, desk, day, by_hand))
    waiting = todos(status, seen.waiting)
    lamp, headline, meaning = sentence(status, waiting, seen.newest, now)
    currencies = {account.currency for account in seen.accounts}
    one = len(currencies) <= 1
    quotes = (desk.prices.quote(symbol) for symbol in desk.default_symbols or desk.prices.symbols()[:8])
    return Glance(
        now=now,
        day=day,
        status=status,
        lamp=lamp,
        headline=headline,
        meaning=meaning,
        todos=tuple(waiting),
        feed=tuple(seen.feed),
        newest=seen.newest[0] if seen.newest else None,
        positions=tuple(seen.positions),
        today=seen.today,
        currency=next(iter(currencies), "USD"),
        equity=_equity(seen.accounts, seen.positions) if one and seen.accounts else None,
        exposure=_exposure(seen.positions) if one else None,
        pnl=_pnl(seen.accounts, seen.positions) if one else None,
        quotes=tuple(quote for quote in quotes if quote is not None),
    )


def _read(tx: Tx, desk: Desk, day: datetime, by_hand: Sequence[AccountStatus]) -> _Read:
    newest = signals(tx, Filters(), limit=FEED_ROWS)
    waiting = orders(tx, Filters(status="IN_DOUBT"), limit=MOST_TODOS)
    waiting += orders(tx, Filters(status="HELD"), limit=MOST_TODOS)
    known = {line.cl_ord_id for line in waiting}
    for account in by_hand:
        lines = orders(tx, Filters(status="OPEN", venue=account.venue), limit=MOST_TODOS)
        waiting += [line for line in lines if line.cl_ord_id not in known]
    return _Read(
        newest=newest,
        feed=feed(tx, newest),
        waiting=waiting[:MOST_TODOS],
        positions=positions(tx, desk.prices),
        accounts=accounts(tx, day=f"{day:%Y-%m-%d}"),
        today=today(tx, to_micros(day)),
    )


def sentence(
    status: DeskStatus, waiting: Sequence[Todo], newest: Sequence[SignalLine], now: datetime
) -> tuple[str, str, str]:
    """Lamp, headline and meaning: what a person reads in three seconds."""
    down = [each for each in status.components if each.status == "down"]
    degraded = [each for each in status.components if each.status == "degraded"]
    if status.halted:
        return "red", "Trading is halted.", f"{status.halt_reason or 'No reason was given'}. Exits already placed stay."
    if down:
        return "red", f"{down[0].name.capitalize()} is down.", f"{down[0].text} Look at it with nightdesk doctor."
    if waiting:
        rest = f"{degraded[0].name.capitalize()} is degraded, too." if degraded else "Everything else is running."
        need = _need(waiting)
        return "yellow", f"{need} {rest}", waiting[0].text
    if degraded:
        return "yellow", f"Running, but {degraded[0].name} is degraded.", degraded[0].text
    starting = [account.venue for account in status.accounts if account.state is TradingState.RECONCILING]
    if starting:
        return (
            "yellow",
            f"Starting: {starting[0]} is being compared.",
            "Orders for it are refused until that has ended.",
        )
    if not newest:
        return (
            "green",
            "Ready, and waiting for the first signal.",
            "Everything is running. Nothing was asked of it yet.",
        )
    return "green", "All quiet. Everything is running.", f"The last signal came {ago(newest[0].received_at, now)}."


def _need(waiting: Sequence[Todo]) -> str:
    nouns: Mapping[str, str] = {"doubt": "order", "held": "order", "by_hand": "order", "mismatch": "account"}
    kinds = {nouns.get(each.kind, "thing") for each in waiting}
    noun = kinds.pop() if len(kinds) == 1 else "thing"
    return f"One {noun} needs you." if len(waiting) == 1 else f"{len(waiting)} {noun}s need you."


def _value(line: PositionLine) -> Decimal:
    """What a position is worth, at its cost where it has no price."""
    return line.cost if line.px is None else line.qty * line.px


def _equity(money: Sequence[AccountLine], held: Sequence[PositionLine]) -> Decimal:
    return sum((account.cash for account in money), ZERO) + sum((_value(line) for line in held), ZERO)


def _exposure(held: Sequence[PositionLine]) -> Decimal:
    return sum((abs(_value(line)) for line in held), ZERO)


def _pnl(money: Sequence[AccountLine], held: Sequence[PositionLine]) -> Decimal | None:
    """Today's gain of the accounts whose day has begun, None where none has."""
    begun = {account.account_id: account.day_equity for account in money if account.day_equity is not None}
    if not begun:
        return None
    counted = [account for account in money if account.account_id in begun]
    within = [line for line in held if line.account_id in begun]
    return _equity(counted, within) - sum(begun.values(), ZERO)
