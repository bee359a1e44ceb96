"""Accounts and positions in the database."""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum

from nightdesk.model.enums import TradingState
from nightdesk.model.identifiers import EXTERNAL, OPERATOR, AccountId, OwnerId, Sleeve, Symbol, VenueId
from nightdesk.model.position import Change, Position
from nightdesk.portfolio.book import AccountBook, Stake
from nightdesk.runtime.database import Row, Tx

_ACCOUNT = (
    "SELECT account_id, owner_id, venue, currency, cash, state, state_reason, event_seq, day, day_equity, rate"
    " FROM accounts WHERE account_id = ?"
)
_STAKES = (
    "SELECT symbol, sleeve, qty, cost, realised_pnl, fees, buy_qty, buy_value, sell_qty, sell_value"
    " FROM positions WHERE account_id = ?"
)
_OPEN_STAKES = _STAKES + " AND is_open = 1"
_STAKE = _STAKES + " AND symbol = ? AND sleeve = ?"
_SAVE_ACCOUNT = "UPDATE accounts SET cash = ?, event_seq = ?, day = ?, day_equity = ?, rate = ? WHERE account_id = ?"
_SAVE_STATE = "UPDATE accounts SET state = ?, state_reason = ?, state_cause = ?, state_at = ? WHERE account_id = ?"
_SAVE_STAKE = (
    "INSERT INTO positions (account_id, symbol, sleeve, owner_id, qty, cost, realised_pnl, fees, buy_qty, buy_value,"
    " sell_qty, sell_value, is_open, updated_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
    " ON CONFLICT (account_id, symbol, sleeve) DO UPDATE SET qty = excluded.qty, cost = excluded.cost,"
    " realised_pnl = excluded.realised_pnl, fees = excluded.fees, buy_qty = excluded.buy_qty,"
    " buy_value = excluded.buy_value, sell_qty = excluded.sell_qty, sell_value = excluded.sell_value,"
    " is_open = excluded.is_open, updated_at = excluded.updated_at"
)


class Books:
    """The accounts of one transaction, each loaded once under its lock."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._books: dict[AccountId, AccountBook] = {}

    def load(self, account_ids: Iterable[AccountId]) -> None:
        """The accounts are locked, in key order so that two transactions never wait for each other, and loaded."""
        for account_id in sorted(set(account_ids) - self._books.keys()):
            rows = self._tx.fetch_locked(_ACCOUNT, (account_id,))
            if not rows:
                raise LookupError(f"account {account_id} is not in the database; add its venue to the settings")
            self._books[account_id] = _load(self._tx, rows[0])

    def __getitem__(self, account_id: AccountId) -> AccountBook:
        return self._books[account_id]

    def stake(self, account_id: AccountId, symbol: Symbol, sleeve: Sleeve) -> Stake:
        """The sleeve's part of the symbol, read from the database if it was closed before."""
        book = self._books[account_id]
        if (symbol, sleeve) not in book.stakes:
            for row in self._tx.fetch(_STAKE, (account_id, symbol, sleeve)):
                _add_stake(book, row)
        return book.stake(symbol, sleeve)

    def save(self, now: int) -> None:
        """Everything that changed is written; `now` in microseconds."""
        for book in self._books.values():
            rate = ",".join(f"{second}:{count}" for second, count in book.rate.items())
            account = (book.cash, book.event_seq, book.day, book.day_equity, rate, book.account_id)
            self._tx.execute(_SAVE_ACCOUNT, account)
            self._tx.many(_SAVE_STAKE, [_stake_row(book, key, now) for key in sorted(book.dirty)])
            book.dirty.clear()


def _load(tx: Tx, row: Row) -> AccountBook:
    book = AccountBook(
        account_id=row[0],
        owner_id=row[1],
        venue=row[2],
        currency=row[3],
        cash=Decimal(row[4]),
        state=TradingState(row[5]),
        state_reason=row[6],
        event_seq=row[7],
        day=row[8],
        day_equity=Decimal(row[9]),
        rate={int(second): int(count) for second, count in (pair.split(":") for pair in row[10].split(",") if pair)},
    )
    for stake in tx.fetch(_OPEN_STAKES, (book.account_id,)):
        _add_stake(book, stake)
    return book


def _add_stake(book: AccountBook, row: Row) -> None:
    symbol, sleeve = Symbol(row[0]), Sleeve(row[1])
    position = Position(
        account_id=book.account_id,
        symbol=symbol,
        sleeve=sleeve,
        qty=Decimal(row[2]),
        cost=Decimal(row[3]),
        realised_pnl=Decimal(row[4]),
        fees=Decimal(row[5]),
    )
    book.stakes[(symbol, sleeve)] = Stake(position, Decimal(row[6]), Decimal(row[7]), Decimal(row[8]), Decimal(row[9]))


def _stake_row(book: AccountBook, key: tuple[Symbol, Sleeve], now: int) -> Row:
    stake = book.stakes[key]
    position = stake.position
    return (
        book.account_id,
        *key,
        book.owner_id,
        position.qty,
        position.cost,
        position.realised_pnl,
        position.fees,
        stake.buy_qty,
        stake.buy_value,
        stake.sell_qty,
        stake.sell_value,
        int(stake.is_open),
        now,
    )


def open_account(tx: Tx, account_id: AccountId, venue: VenueId, currency: str, cash: Decimal, now: int) -> None:
    """The account exists; one that existed before keeps everything it had."""
    tx.execute(
        "INSERT INTO accounts (account_id, owner_id, venue, currency, cash, state, state_reason, state_cause, state_at,"
        " event_seq, day, day_equity, rate) VALUES (?,?,?,?,?,?,?,'',?,0,'',?,'') ON CONFLICT (account_id) DO NOTHING",
        (account_id, OPERATOR, venue, currency, cash, TradingState.RECONCILING, "starting", now, cash),
    )


class Cause(StrEnum):
    """What put an account where it is; it decides who can take it out again."""

    NONE = ""
    SILENCE = "SILENCE"
    """The venue did not answer, or wants a login: over once it has answered and all is explained."""
    MISMATCH = "MISMATCH"
    """The venue holds what we cannot explain: a person acknowledges it."""
    DISPUTE = "DISPUTE"
    """An order's evidence contradicts itself: a person acknowledges it."""


def set_state(
    tx: Tx, account_id: AccountId, state: TradingState, reason: str, now: int, *, cause: Cause = Cause.NONE
) -> None:
    """The account takes orders as the state allows, and the reason survives restarts."""
    tx.execute(_SAVE_STATE, (state.value, reason, cause.value, now, account_id))


def account_state(tx: Tx, account_id: AccountId) -> tuple[TradingState, str, Cause]:
    """What orders the account takes, why, and what put it there."""
    rows = tx.fetch("SELECT state, state_reason, state_cause FROM accounts WHERE account_id = ?", (account_id,))
    return TradingState(rows[0][0]), rows[0][1], Cause(rows[0][2])


def holdings(tx: Tx, account_id: AccountId) -> dict[Symbol, Decimal]:
    """What the account holds of each symbol, over all its sleeves (signed base units)."""
    held: dict[Symbol, Decimal] = {}
    for symbol, qty in tx.fetch("SELECT symbol, qty FROM positions WHERE account_id = ?", (account_id,)):
        held[symbol] = held.get(symbol, Decimal(0)) + Decimal(qty)
    return {symbol: qty for symbol, qty in held.items() if qty}


def owner_of(tx: Tx, account_id: AccountId) -> OwnerId | None:
    """Whose account it is."""
    rows = tx.fetch("SELECT owner_id FROM accounts WHERE account_id = ?", (account_id,))
    return OwnerId(rows[0][0]) if rows else None


def add_reconciliation(
    tx: Tx, account_id: AccountId, trigger: str, started: int, ended: int, result: str, detail: str
) -> None:
    """The comparison is on record; moments in microseconds, `detail` a JSON list of sentences."""
    tx.execute(
        "INSERT INTO reconciliations (run_id, account_id, owner_id, trigger, started_at, ended_at, result, detail)"
        " VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (run_id, account_id) DO NOTHING",
        (f"{started}-{trigger}", account_id, OPERATOR, trigger, started, ended, result, detail),
    )


def book_external(tx: Tx, account_id: AccountId, symbol: Symbol, qty: Decimal, px: Decimal, now: int) -> None:
    """What the venue holds beyond our orders belongs to the EXTERNAL sleeve (signed base units, at a price)."""
    books = Books(tx)
    books.load((account_id,))
    books.stake(account_id, symbol, EXTERNAL)
    books[account_id].apply(symbol, EXTERNAL, Change(qty=qty, value=qty * px, fees=Decimal(0)))
    books.save(now)
