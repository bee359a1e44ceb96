"""Reconcile: compares an account with its venue, at every start, on a clock and on demand. Start-up IS recovery.

Commands found SENDING come first, then open orders, fills and positions. Nothing is corrected silently: what we cannot
explain is recorded as EXTERNAL and the account takes only reducing orders until a person acknowledges it.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import CommandKind, CommandState, Doubt, OrdStatus, TradingState
from nightdesk.model.errors import AuthExpired, VenueError
from nightdesk.model.execution import ExecutionReport, Fact, FactKind, facts_of
from nightdesk.model.identifiers import AccountId, ClOrdId, Symbol
from nightdesk.model.order import Order
from nightdesk.model.venue import Venue
from nightdesk.orders import store
from nightdesk.orders.confirm import Confirm, Evidence
from nightdesk.orders.gaps import ZERO, Gap, find_gaps
from nightdesk.orders.outgoing import store as outgoing
from nightdesk.orders.outgoing.store import StoredCommand
from nightdesk.orders.probe import READ_SECONDS, Prober
from nightdesk.orders.queued import Queued
from nightdesk.orders.send import Sender, unknown_fact
from nightdesk.orders.stamps import Stamps
from nightdesk.orders.store import StoredOrder
from nightdesk.portfolio import store as portfolio
from nightdesk.portfolio.store import Cause
from nightdesk.runtime.clock import Clock
from nightdesk.runtime.crashpoints import reached
from nightdesk.runtime.database import Tx, from_micros, to_micros
from nightdesk.runtime.reader import Reader
from nightdesk.runtime.store import remember, replace_remembered
from nightdesk.runtime.writer import Writer

log = logging.getLogger(__name__)

START_OVERLAP = timedelta(hours=1)
CLOCK_OVERLAP = timedelta(minutes=1)
PROBES_AT_ONCE = 10
SILENCE_SECONDS = 300.0
"""A venue that has answered nothing for this long gets no more entries."""
MOST_OFFERED = 200
SETTLE_SECONDS = 2.0
"""A position that differs is looked at once more after this: a fill may be on its way."""


@dataclass(slots=True)
class Findings:
    """What a comparison found: plain sentences, and what to hold against the account."""

    unknown_orders: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """True when everything at the venue is explained."""
        return not self.unknown_orders and not self.differences


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    commands: list[StoredCommand]
    orders: dict[ClOrdId, StoredOrder]


class Reconciler:
    """Brings our records and one venue's together."""

    def __init__(
        self,
        *,
        writer: Writer,
        reader: Reader,
        confirm: Confirm,
        sender: Sender,
        prober: Prober,
        clock: Clock,
        stamps: Stamps,
        external_allowed: frozenset[AccountId] = frozenset(),
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._confirm = confirm
        self._sender = sender
        self._prober = prober
        self._clock = clock
        self._stamps = stamps
        self._external_allowed = external_allowed
        self.reconciled_at: dict[AccountId, datetime] = {}
        self._answered_at: dict[AccountId, float] = {}

    async def recover(self, account_id: AccountId, venue: Venue) -> bool:
        """The account is ready to trade, or takes only what reduces; False where the venue could not be asked."""
        await self._writer.call(lambda tx: _begin(tx, account_id, self._clock.now()))
        reached("recover.begun")
        work = await self._reader.read(lambda tx: _load(tx, account_id))
        await self._doubt_what_was_sending(work)
        reached("recover.doubted")
        if not await self.compare(account_id, venue, trigger="start"):
            return False
        reached("recover.compared")
        await self.offer_queued(account_id)
        return True

    async def _doubt_what_was_sending(self, work: _Work) -> None:
        for command in work.commands:
            if command.state is not CommandState.SENDING:
                continue
            order = work.orders[command.cl_ord_id].order
            text = "the desk stopped while it was being sent"
            facts: tuple[Fact, ...] = ()
            if command.kind is CommandKind.NEW:
                facts = (unknown_fact(self._stamps, self._clock, command.attempts, text),)
            evidence = Evidence(
                account_id=command.account_id,
                cl_ord_id=command.cl_ord_id,
                facts=facts,
                command=command,
                command_state=CommandState.UNKNOWN,
            )
            await self._writer.run(self._confirm, evidence)
            self._prober.watch(order)

    async def offer_queued(self, account_id: AccountId) -> None:
        """The oldest queued commands of the account that are due are in its lane."""
        if self._sender.backlog(account_id) >= MOST_OFFERED:
            return
        now = to_micros(self._clock.now())
        self._sender.offer(await self._reader.read(lambda tx: _due(tx, account_id, now)))

    async def end_overdue(self, account_id: AccountId) -> None:
        """Commands that were not sent in time are ended: orders as EXPIRED/DEADLINE, unless one is in doubt."""
        now = to_micros(self._clock.now())
        held = await self._reader.read(lambda tx: store.overdue_held(tx, account_id, now, MOST_OFFERED))
        queued = await self._reader.read(lambda tx: _overdue(tx, account_id, now))
        evidence = [
            Evidence(
                account_id=account_id,
                cl_ord_id=each.order.cl_ord_id,
                facts=(self._too_late("nobody answered it before its deadline"),),
                only_while=OrdStatus.HELD,
            )
            for each in held
        ]
        evidence += [self._overdue_evidence(each) for each in queued]
        # Handed over together, they are few commits.
        await asyncio.gather(*(self._writer.run(self._confirm, each) for each in evidence))

    def _overdue_evidence(self, overdue: Queued) -> Evidence:
        ends = overdue.command.kind is CommandKind.NEW and not overdue.in_doubt
        state = CommandState.UNKNOWN if overdue.in_doubt else CommandState.ENDED
        return Evidence(
            account_id=overdue.order.account_id,
            cl_ord_id=overdue.order.cl_ord_id,
            facts=(self._too_late("its deadline passed before it could be sent"),) if ends else (),
            command=overdue.command,
            command_state=None if ends else state,
        )

    def _too_late(self, text: str) -> Fact:
        return Fact(
            key="ended:DEADLINE",
            kind=FactKind.EXPIRED,
            stamp=self._stamps.next(),
            at=self._clock.now(),
            origin="desk",
            code=DenyCode.DEADLINE,
            text=text,
        )

    async def probe_doubts(self, account_id: AccountId, *, after: float = 0.0) -> None:
        """Every order of the account that has been in doubt for `after` seconds was asked about once."""
        work = await self._reader.read(lambda tx: _load(tx, account_id))
        in_doubt = {c.cl_ord_id for c in work.commands if c.state is CommandState.UNKNOWN}
        due = [each for each in in_doubt if self._prober.watched_seconds(each) >= after]
        await self._probe_all([work.orders[each].order for each in due if each in work.orders])

    async def _probe_all(self, orders: Sequence[Order]) -> None:
        free = asyncio.Semaphore(PROBES_AT_ONCE)

        async def probe(order: Order) -> None:
            async with free:
                await self._prober.probe(order)

        await asyncio.gather(*(probe(order) for order in orders))

    async def compare(self, account_id: AccountId, venue: Venue, *, trigger: str) -> bool:
        """The account was compared with its venue and the result recorded; False where the venue did not answer."""
        started = self._clock.now()
        findings = Findings()
        overlap = CLOCK_OVERLAP if trigger == "clock" else START_OVERLAP
        try:
            await self.probe_doubts(account_id)
            await self._open_orders(account_id, venue, findings)
            reached("recover.orders")
            await self._fills(account_id, venue, started, findings, overlap)
            reached("recover.fills")
            await self._positions(account_id, venue, findings)
        except (VenueError, TimeoutError) as error:
            await self._silent(account_id, error)
            return False
        ended = self._clock.now()
        allowed = account_id in self._external_allowed
        await self._writer.call(
            lambda tx: _conclude(tx, account_id, trigger, started, ended, findings, allowed=allowed)
        )
        self.reconciled_at[account_id] = ended
        self._answered_at[account_id] = self._clock.monotonic()
        return True

    async def _silent(self, account_id: AccountId, error: Exception) -> None:
        """A venue that wants a new login, or has not answered for long, gets no more entries until it answers again."""
        reason = f"{type(error).__name__}: {error}"
        log.warning("reconcile.failed", extra={"account_id": account_id, "reason": reason})
        now = self._clock.monotonic()
        silence = now - self._answered_at.setdefault(account_id, now)
        if isinstance(error, AuthExpired):
            words = f"the venue wants a new login: {error}"
        elif silence >= SILENCE_SECONDS:
            words = f"the venue has not answered for {silence / 60:.0f} minutes ({type(error).__name__})"
        else:
            return
        moment = to_micros(self._clock.now())
        if await self._writer.call(lambda tx: _stop_entries(tx, account_id, words, moment)):
            log.error("account.stopped", extra={"account_id": account_id, "reason": words})

    async def _open_orders(self, account_id: AccountId, venue: Venue, findings: Findings) -> None:
        stamp = self._stamps.next()
        async with self._clock.timeout(READ_SECONDS):
            reports = await venue.open_orders()
        listed = await self._reader.read(lambda tx: store.open_orders(tx, account_id))
        ours = {each.order.cl_ord_id: each for each in listed}
        seen: set[ClOrdId] = set()
        for report in reports:
            stored = ours.get(report.cl_ord_id) if report.cl_ord_id is not None else None
            if stored is not None and _says_nothing_new(report, stored):
                seen.add(stored.order.cl_ord_id)
            elif report.cl_ord_id is not None and await self._learn(account_id, report, stamp):
                seen.add(report.cl_ord_id)
            else:
                findings.unknown_orders.append(_sentence(report))
        # What never left, or is being sent this moment, cannot be in the venue's list yet.
        missing = [
            stored.order
            for cl_ord_id, stored in ours.items()
            if cl_ord_id not in seen and (stored.state.order_id is not None or stored.state.doubt is not Doubt.NONE)
        ]
        await self._probe_all(missing)

    async def _fills(
        self, account_id: AccountId, venue: Venue, started: datetime, findings: Findings, overlap: timedelta
    ) -> None:
        key = f"fills_until:{account_id}"
        since = await self._writer.call(lambda tx: from_micros(int(remember(tx, key, "0"))))
        stamp = self._stamps.next()
        async with self._clock.timeout(READ_SECONDS):
            reports = await venue.fills(max(since - overlap, from_micros(0)))
        keys = [_fill_key(report, stamp, started) for report in reports]
        known = await self._reader.read(lambda tx: store.known_facts(tx, keys))
        for report, fact in zip(reports, keys, strict=True):
            if fact not in known and not await self._learn(account_id, report, stamp):
                findings.unknown_orders.append(_sentence(report))
        await self._writer.call(lambda tx: replace_remembered(tx, key, str(to_micros(started))))

    async def _learn(self, account_id: AccountId, report: ExecutionReport, stamp: int) -> bool:
        """True when the report is about an order of ours; it is part of the order's facts now."""
        if report.cl_ord_id is None:
            return False
        facts = facts_of(report, stamp=stamp, at=self._clock.now(), origin="reconcile")
        evidence = Evidence(account_id=account_id, cl_ord_id=report.cl_ord_id, facts=facts)
        return await self._writer.run(self._confirm, evidence) is not None

    async def _positions(self, account_id: AccountId, venue: Venue, findings: Findings) -> None:
        gaps = await find_gaps(self._reader, account_id, venue)
        if gaps:
            # What a fill on its way explains is gone at a second look, or is another quantity.
            await self._clock.sleep(SETTLE_SECONDS)
            again = await find_gaps(self._reader, account_id, venue)
            gaps = {symbol: gap for symbol, gap in again.items() if symbol in gaps and gap.qty == gaps[symbol].qty}
        findings.differences.extend(f"{symbol}: {gaps[symbol]}" for symbol in sorted(gaps))

    async def acknowledge(
        self, account_id: AccountId, venue: Venue, price_of: Callable[[Symbol], Decimal]
    ) -> list[str]:
        """What the venue holds beyond our orders now belongs to the EXTERNAL sleeve, and the account trades again."""
        gaps = await find_gaps(self._reader, account_id, venue)
        now = to_micros(self._clock.now())
        return await self._writer.call(lambda tx: _take_over(tx, account_id, gaps, price_of, now))


def _says_nothing_new(report: ExecutionReport, stored: StoredOrder) -> bool:
    state = stored.state
    return state.doubt is Doubt.NONE and state.ord_status is report.ord_status and state.cum_qty == report.cum_qty


def _sentence(report: ExecutionReport) -> str:
    name = report.order_id or report.cl_ord_id or "without an id"
    return f"order {name} at the venue is not ours: {report.symbol or 'unknown symbol'} {report.ord_status.value}"


def _take_over(
    tx: Tx, account_id: AccountId, gaps: Mapping[Symbol, Gap], price_of: Callable[[Symbol], Decimal], now: int
) -> list[str]:
    held = portfolio.holdings(tx, account_id)
    booked = []
    for symbol, gap in sorted(gaps.items()):
        # A fill that was confirmed since the gap was found explains some of it: the next comparison says how much.
        if held.get(symbol, ZERO) == gap.ours:
            px = price_of(symbol)
            portfolio.book_external(tx, account_id, symbol, gap.qty, px, now)
            booked.append(f"{symbol} {gap.qty:+f} at {px:f}")
    portfolio.set_state(tx, account_id, TradingState.ACTIVE, "", now)
    portfolio.add_reconciliation(tx, account_id, "acknowledged", now, now, "acknowledged", json.dumps(booked))
    return booked


def _begin(tx: Tx, account_id: AccountId, now: datetime) -> None:
    state, _, _ = portfolio.account_state(tx, account_id)
    if state is TradingState.ACTIVE:
        portfolio.set_state(tx, account_id, TradingState.RECONCILING, "comparing with the venue", to_micros(now))


def _load(tx: Tx, account_id: AccountId) -> _Work:
    commands = outgoing.open_questions(tx, account_id)
    orders = {}
    for cl_ord_id in {command.cl_ord_id for command in commands}:
        stored = store.load_order(tx, cl_ord_id)
        if stored is not None:
            orders[cl_ord_id] = stored
    return _Work(commands=commands, orders=orders)


def _overdue(tx: Tx, account_id: AccountId, now: int) -> list[Queued]:
    return _with_orders(tx, outgoing.overdue_commands(tx, account_id, now, MOST_OFFERED))


def _due(tx: Tx, account_id: AccountId, now: int) -> list[Queued]:
    return _with_orders(tx, outgoing.queued_commands(tx, account_id, now, MOST_OFFERED))


def _with_orders(tx: Tx, commands: Sequence[StoredCommand]) -> list[Queued]:
    found = []
    for command in commands:
        stored = store.load_order(tx, command.cl_ord_id)
        if stored is not None:
            in_doubt = command.kind is CommandKind.NEW and stored.state.doubt is Doubt.UNKNOWN
            found.append(Queued(order=stored.order, command=command, in_doubt=in_doubt))
    return found


def _fill_key(report: ExecutionReport, stamp: int, at: datetime) -> tuple[str, str]:
    return (report.cl_ord_id or "", facts_of(report, stamp=stamp, at=at, origin="reconcile")[0].key)


def _stop_entries(tx: Tx, account_id: AccountId, reason: str, now: int) -> bool:
    """True when the account took entries until now."""
    state, _, _ = portfolio.account_state(tx, account_id)
    if state is TradingState.REDUCING:
        return False
    portfolio.set_state(tx, account_id, TradingState.REDUCING, reason, now, cause=Cause.SILENCE)
    return True


def _conclude(
    tx: Tx,
    account_id: AccountId,
    trigger: str,
    started: datetime,
    ended: datetime,
    findings: Findings,
    *,
    allowed: bool,
) -> None:
    state, reason, cause = portfolio.account_state(tx, account_id)
    now = to_micros(ended)
    sentences = [*findings.unknown_orders, *findings.differences]
    if findings.clean or allowed:
        if state is TradingState.RECONCILING or cause is Cause.SILENCE:
            portfolio.set_state(tx, account_id, TradingState.ACTIVE, "", now)
    elif state is not TradingState.REDUCING or reason != "; ".join(sentences)[:1000]:
        portfolio.set_state(
            tx, account_id, TradingState.REDUCING, "; ".join(sentences)[:1000], now, cause=Cause.MISMATCH
        )
    result = "clean" if findings.clean else "external allowed" if allowed else "mismatch"
    if trigger != "clock" or not findings.clean:
        portfolio.add_reconciliation(tx, account_id, trigger, to_micros(started), now, result, json.dumps(sentences))
