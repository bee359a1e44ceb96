"""The oracle: what the desk's database says must be what the exchange's ledger and the senders' answers say.

It trusts neither side's code: the ledger is folded here anew, and the desk's rows are read with plain queries. It asks
for a desk that has come to rest, and names every finding with its ids.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from nightdesk.accounts.audit import first_broken
from nightdesk.model.enums import Doubt, OrdStatus, Side
from nightdesk.model.identifiers import AccountId, SignalId, derive_cl_ord_id
from nightdesk.model.order import fold
from nightdesk.orders import store
from nightdesk.orders.store import StoredOrder
from nightdesk.runtime.database import Database, Row, Tx
from tests.path.exchange_book import ExchangeBook, Placed

ZERO = Decimal(0)
_AT_REST = (OrdStatus.NEW, OrdStatus.PARTIALLY_FILLED)
_TRADED = (OrdStatus.FILLED, OrdStatus.CANCELED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One answer a sender got: what it had asked under which key, and what it was told."""

    key: str
    outcome: str
    signal_id: str
    cl_ord_ids: tuple[str, ...] = ()
    """The orders the answer named as this signal's own."""


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What the oracle found; every finding is a sentence with its ids."""

    intents: int = 0
    """Distinct things asked for and answered."""
    orders: int = 0
    """Orders the exchange took."""
    states: list[str] = field(default_factory=list)
    """Accounts that do not trade freely, with the reason they give."""
    in_doubt: list[str] = field(default_factory=list)
    """Orders that say of themselves that they are in doubt or wait for a person: allowed, and never hidden."""
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Fills, positions, cash, reservations, events or records that do not agree."""

    @property
    def clean(self) -> bool:
        """True when nothing was found."""
        return not (self.lost or self.duplicated or self.unknown or self.wrong)

    def findings(self) -> list[str]:
        """Every finding as one line, worst first."""
        named = (("LOST", self.lost), ("DUPLICATED", self.duplicated), ("UNKNOWN", self.unknown), ("WRONG", self.wrong))
        return [f"{name} {sentence}" for name, sentences in named for sentence in sentences]


def read_answers(path: Path) -> list[Answered]:
    """Every answer in a log of JSON lines; a torn last line is an answer nobody got."""
    answers = []
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    for line in lines:
        fields = json.loads(line)
        if "answered" in fields:
            answers.append(
                Answered(
                    key=fields["answered"],
                    outcome=fields["outcome"],
                    signal_id=fields["signal_id"],
                    cl_ord_ids=tuple(fields["orders"]),
                )
            )
    return answers


def judge(database: Database, ledger: Iterable[Mapping[str, Any]], answered: Sequence[Answered]) -> Verdict:
    """What is wrong between a desk at rest, the exchange it traded at and those who asked it."""
    book = ExchangeBook.of(ledger)
    connection = database.connect(read_only=True)
    try:
        tx = connection.begin_read()
        verdict = Verdict(intents=len({each.key for each in answered}))
        desk = _Desk(tx)
        book = book.only(desk.accounts.keys())
        verdict.states = [f"{name} is {row[3]}: {row[4]}" for name, row in desk.accounts.items() if row[3] != "ACTIVE"]
        verdict.orders = sum(len(placed) for placed in book.orders.values())
        _no_answer_lost(desk, answered, verdict)
        _no_order_lost(desk, book, verdict)
        _none_duplicated(desk, book, verdict)
        _none_unknown(desk, book, verdict)
        _commands_done(desk, verdict)
        _fills_once(desk, book, verdict)
        _money_equal(desk, book, verdict)
        _reservations(desk, verdict)
        _events(desk, verdict)
        _records(tx, desk, book, verdict)
        return verdict
    finally:
        connection.rollback()
        connection.close()


class _Desk:
    """Everything the oracle reads from the desk, once, in one snapshot."""

    def __init__(self, tx: Tx) -> None:
        self.accounts: dict[str, Row] = {
            row[0]: row for row in tx.fetch("SELECT account_id, cash, event_seq, state, state_reason FROM accounts")
        }
        self.signals: dict[str, Row] = {
            row[0]: row
            for row in tx.fetch("SELECT signal_id, outcome, digest, first_signal_id, body_digest FROM signals")
        }
        self.flags: dict[str, Row] = {
            row[0]: row for row in tx.fetch("SELECT cl_ord_id, accepted, is_open, config_version, checks FROM orders")
        }
        loaded = (store.load_order(tx, cl_ord_id) for cl_ord_id in self.flags)  # type: ignore[arg-type]  # ids of rows
        self.orders: dict[str, StoredOrder] = {one.order.cl_ord_id: one for one in loaded if one is not None}
        self.fills: dict[str, list[Row]] = defaultdict(list)
        self.decided: set[str] = set()
        rows = tx.fetch("SELECT cl_ord_id, kind, exec_id, last_qty, last_px, fee, account_id FROM facts")
        for row in rows:
            if row[1] == "FILL":
                self.fills[row[0]].append(row)
            elif row[1] == "DECISION":
                self.decided.add(row[0])
        self.positions = tx.fetch(
            "SELECT account_id, symbol, sleeve, qty, buy_qty, buy_value, sell_qty, sell_value FROM positions"
        )
        self.events: dict[str, list[Row]] = defaultdict(list)
        for row in tx.fetch("SELECT account_id, seq, topic, cl_ord_id, data FROM events"):
            self.events[row[0]].append(row)
        self.commands = tx.fetch("SELECT cl_ord_id, kind, number, state FROM commands")
        self.sends = Counter(row[0] for row in tx.fetch("SELECT cl_ord_id FROM sends WHERE kind = 'NEW'"))


def _no_answer_lost(desk: _Desk, answered: Sequence[Answered], verdict: Verdict) -> None:
    for each in answered:
        signal = desk.signals.get(each.signal_id)
        if signal is None:
            verdict.lost.append(f"{each.key}: was answered {each.outcome} as signal {each.signal_id}, which is no row")
            continue
        # A repeat is answered with the first delivery's signal, which is one that was taken.
        expected = "ACCEPTED" if each.outcome == "DUPLICATE" else each.outcome
        if signal[1] != expected:
            verdict.lost.append(
                f"{each.key}: was answered {each.outcome}, the signal {each.signal_id} says {signal[1]}"
            )
        verdict.lost.extend(
            f"{each.key}: was told of order {cl_ord_id}, which is no row of signal {each.signal_id}"
            for cl_ord_id in each.cl_ord_ids
            if cl_ord_id not in desk.orders or desk.orders[cl_ord_id].order.signal_id != each.signal_id
        )


def _no_order_lost(desk: _Desk, book: ExchangeBook, verdict: Verdict) -> None:
    for cl_ord_id, stored in desk.orders.items():
        order, state = stored.order, stored.state
        placed = book.orders.get((order.account_id, cl_ord_id), [])
        name = f"order {cl_ord_id} of signal {order.signal_id}"
        if state.doubt is not Doubt.NONE or state.ord_status is OrdStatus.HELD:
            verdict.in_doubt.append(f"{name}: {state.ord_status.value} {state.doubt.value}")
            continue
        if state.ord_status is OrdStatus.PENDING_NEW:
            verdict.lost.append(f"{name}: is still on its way and nobody works on it")
        elif state.ord_status in _AT_REST or state.ord_status in _TRADED:
            if placed:
                _same_state(name, stored, placed[-1], verdict)
            elif state.ord_status is not OrdStatus.CANCELED or cl_ord_id not in desk.decided:
                verdict.lost.append(f"{name}: we say {state.ord_status.value}, the exchange never took it")
        elif placed:
            verdict.lost.append(
                f"{name}: we say {state.ord_status.value} ({state.code}), the exchange took it as"
                f" {placed[-1].order_id} and it is {placed[-1].status}"
            )
        elif state.ord_status is OrdStatus.REJECTED and not book.rejects[(order.account_id, cl_ord_id)]:
            verdict.wrong.append(f"{name}: we say REJECTED, the exchange never rejected it")


def _commands_done(desk: _Desk, verdict: Verdict) -> None:
    for cl_ord_id, kind, number, state in desk.commands:
        name = f"command {kind} {number} of order {cl_ord_id}"
        stored = desk.orders.get(cl_ord_id)
        if stored is None:
            verdict.wrong.append(f"{name}: there is no such order")
        elif state in ("QUEUED", "SENDING", "UNKNOWN") and stored.state.ord_status.terminal:
            verdict.wrong.append(f"{name}: {state}, though the order has ended")
        elif state in ("QUEUED", "SENDING") and stored.state.doubt is Doubt.NONE:
            verdict.lost.append(f"{name}: {state}, and nobody works on it")
        elif state == "UNKNOWN" and stored.state.doubt is Doubt.NONE:
            verdict.in_doubt.append(f"{name}: UNKNOWN")


def _same_state(name: str, stored: StoredOrder, placed: Placed, verdict: Verdict) -> None:
    state, order = stored.state, stored.order
    if state.ord_status.value != placed.status:
        verdict.lost.append(f"{name}: we say {state.ord_status.value}, the exchange says {placed.status}")
    if state.cum_qty != placed.cum_qty:
        verdict.wrong.append(f"{name}: we count {state.cum_qty:f} filled, the exchange {placed.cum_qty:f}")
    ours = (order.symbol, order.side.value, order.order_qty)
    theirs = (placed.symbol, placed.side, placed.order_qty)
    if ours != theirs:
        verdict.wrong.append(f"{name}: we asked for {ours}, the exchange took {theirs}")
    if state.order_id is not None and state.order_id != placed.order_id:
        verdict.wrong.append(f"{name}: we know it as {state.order_id}, the exchange as {placed.order_id}")


def _none_duplicated(desk: _Desk, book: ExchangeBook, verdict: Verdict) -> None:
    for (account, client_id), placed in book.orders.items():
        if len(placed) > 1:
            ids = ", ".join(each.order_id for each in placed)
            verdict.duplicated.append(
                f"order {client_id} of {account}: the exchange took it {len(placed)} times: {ids}"
            )
    legs = Counter((one.order.account_id, one.order.signal_id, one.order.leg) for one in desk.orders.values())
    verdict.duplicated.extend(f"leg {leg}: {count} orders" for leg, count in legs.items() if count > 1)
    taken: dict[str, list[str]] = defaultdict(list)
    for signal_id, outcome, digest, _, _ in desk.signals.values():
        if outcome == "ACCEPTED":
            taken[digest].append(signal_id)
    verdict.duplicated.extend(
        f"signals {', '.join(ids)}: the same was taken {len(ids)} times" for ids in taken.values() if len(ids) > 1
    )


def _none_unknown(desk: _Desk, book: ExchangeBook, verdict: Verdict) -> None:
    for (account, client_id), placed in book.orders.items():
        stored = desk.orders.get(client_id)
        if stored is None or stored.order.account_id != account:
            verdict.unknown.append(
                f"order {placed[-1].order_id} ({client_id or 'no client id'}) of {account}: not ours"
            )


def _fills_once(desk: _Desk, book: ExchangeBook, verdict: Verdict) -> None:
    for exec_id, count in book.exec_ids.items():
        if count > 1:
            verdict.wrong.append(f"fill {exec_id}: the exchange reports it {count} times")
    for cl_ord_id, stored in desk.orders.items():
        if stored.state.doubt is not Doubt.NONE:
            continue
        ours = Counter((row[2], Decimal(row[3]), Decimal(row[4]), Decimal(row[5])) for row in desk.fills[cl_ord_id])
        placed = book.orders.get((stored.order.account_id, cl_ord_id), [])
        theirs = Counter(fill for each in placed for fill in each.fills)
        for missing in theirs - ours:
            verdict.wrong.append(f"fill {missing[0]} of order {cl_ord_id}: not booked as the exchange did it {missing}")
        for extra in ours - theirs:
            verdict.wrong.append(f"fill {extra[0]} of order {cl_ord_id}: booked, the exchange never did it {extra}")
        booked = sum((qty * count for (_, qty, _, _), count in ours.items()), ZERO)
        if booked != stored.state.cum_qty:
            verdict.wrong.append(
                f"order {cl_ord_id}: its fills add up to {booked:f}, its row says {stored.state.cum_qty:f}"
            )


def _money_equal(desk: _Desk, book: ExchangeBook, verdict: Verdict) -> None:
    held: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for account, symbol, _, qty, *_ in desk.positions:
        held[(account, symbol)] += Decimal(qty)
    for key in held.keys() | book.positions.keys():
        ours, theirs = held.get(key, ZERO), book.positions.get(key, ZERO)
        if ours != theirs:
            verdict.wrong.append(f"position {key[1]} of {key[0]}: we hold {ours:f}, the exchange says {theirs:f}")
    for account, row in desk.accounts.items():
        if account in book.cash and Decimal(row[1]) != book.cash[account]:
            verdict.wrong.append(f"cash of {account}: we have {row[1]}, the exchange says {book.cash[account]:f}")


def _reservations(desk: _Desk, verdict: Verdict) -> None:
    reserved: dict[tuple[str, str, str, str], list[Decimal]] = defaultdict(lambda: [ZERO, ZERO])
    for cl_ord_id, stored in desk.orders.items():
        order, state = stored.order, stored.state
        ended = state.ord_status.terminal and state.doubt is Doubt.NONE
        leaves = ZERO if ended else max(state.order_qty - state.cum_qty, ZERO)
        accepted, is_open = bool(desk.flags[cl_ord_id][1]), bool(desk.flags[cl_ord_id][2])
        if stored.reserved_qty != (leaves if accepted else ZERO):
            verdict.wrong.append(f"order {cl_ord_id}: reserves {stored.reserved_qty:f}, {leaves:f} may still fill")
        if is_open == ended:
            verdict.wrong.append(f"order {cl_ord_id}: is_open is {is_open}, it is {state.ord_status} {state.doubt}")
        sums = reserved[(order.account_id, order.symbol, order.sleeve, order.side)]
        sums[0] += stored.reserved_qty
        sums[1] += stored.reserved_qty * stored.ref_px
    for account, symbol, sleeve, _, buy_qty, buy_value, sell_qty, sell_value in desk.positions:
        for side, qty, value in ((Side.BUY, buy_qty, buy_value), (Side.SELL, sell_qty, sell_value)):
            expected = reserved.pop((account, symbol, sleeve, side), [ZERO, ZERO])
            if [Decimal(qty), Decimal(value)] != expected:
                verdict.wrong.append(
                    f"reservation {side} {symbol} of {account}/{sleeve}: the position says {qty} worth {value},"
                    f" its open orders {expected[0]:f} worth {expected[1]:f}"
                )
    for key, (qty, _) in reserved.items():
        if qty:
            verdict.wrong.append(f"reservation {key}: {qty:f} open and no position row")


def _events(desk: _Desk, verdict: Verdict) -> None:
    for account, row in desk.accounts.items():
        seqs = sorted(event[1] for event in desk.events[account])
        if seqs != list(range(1, len(seqs) + 1)) or row[2] != len(seqs):
            gap = next((n for n, seq in enumerate(seqs, 1) if n != seq), len(seqs) + 1)
            verdict.wrong.append(f"events of {account}: {len(seqs)} rows, last seq {row[2]}, first gap at {gap}")
        told: dict[str, dict[str, str]] = {}
        for _, seq, topic, cl_ord_id, data in sorted(desk.events[account], key=lambda event: event[1]):
            if cl_ord_id is None:
                continue
            fields = json.loads(data)
            before = told.get(cl_ord_id)
            if (before is None) != (topic in ("order.accepted", "order.denied")):
                verdict.wrong.append(f"event {seq} of {account}: {topic} of order {cl_ord_id} at the wrong place")
            if before is not None and not _may_follow(before, fields):
                verdict.wrong.append(f"event {seq} of {account}: order {cl_ord_id} went from {before} to {fields}")
            told[cl_ord_id] = fields
        for cl_ord_id, stored in desk.orders.items():
            if stored.order.account_id == account:
                _told_as_it_stands(cl_ord_id, stored, told.get(cl_ord_id), verdict)


def _may_follow(before: Mapping[str, str], after: Mapping[str, str]) -> bool:
    """Nothing that was filled is taken back, and an end without doubt stays an end unless a dispute is declared."""
    if Decimal(after.get("cum_qty", "0")) < Decimal(before.get("cum_qty", "0")):
        return False
    was, now = OrdStatus(before.get("ord_status", "DENIED")), OrdStatus(after.get("ord_status", "DENIED"))
    settled = was.terminal and before.get("doubt", "NONE") == "NONE"
    return not settled or now.terminal or after.get("doubt") == "DISPUTED"


def _told_as_it_stands(cl_ord_id: str, stored: StoredOrder, told: Mapping[str, str] | None, verdict: Verdict) -> None:
    state = stored.state
    if told is None:
        verdict.wrong.append(f"order {cl_ord_id}: no event tells of it")
    elif "ord_status" in told and (told["ord_status"], told.get("doubt", "NONE")) != (state.ord_status, state.doubt):
        verdict.wrong.append(
            f"order {cl_ord_id}: its last event says {dict(told)}, its row {state.ord_status} {state.doubt}"
        )


def _records(tx: Tx, desk: _Desk, book: ExchangeBook, verdict: Verdict) -> None:
    install = tx.fetch("SELECT value FROM meta WHERE key = 'install_id'")[0][0]
    for cl_ord_id, stored in desk.orders.items():
        order = stored.order
        if derive_cl_ord_id(install, AccountId(order.account_id), SignalId(order.signal_id), order.leg) != cl_ord_id:
            verdict.wrong.append(f"order {cl_ord_id}: its id does not follow from its account, signal and leg")
        if order.signal_id not in desk.signals:
            verdict.wrong.append(f"order {cl_ord_id}: there is no signal {order.signal_id}")
        if not desk.flags[cl_ord_id][3] or desk.flags[cl_ord_id][4] in ("", "[]"):
            verdict.wrong.append(f"order {cl_ord_id}: no configuration or no checks are on record")
        folded = fold(order, store.facts_of_order(tx, order.cl_ord_id))
        if folded != stored.state:
            verdict.wrong.append(f"order {cl_ord_id}: its facts say {folded}, its row {stored.state}")
        seen = book.requests[(order.account_id, cl_ord_id)]
        if seen > desk.sends[cl_ord_id]:
            verdict.wrong.append(
                f"order {cl_ord_id}: the exchange saw {seen} requests, {desk.sends[cl_ord_id]} are on record"
            )
    broken = first_broken(tx)
    if broken is not None:
        verdict.wrong.append(f"audit: the chain is broken at line {broken}")
