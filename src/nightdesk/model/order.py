"""An order: its terms never change, its state is a pure function of the set of facts known about it.

Duplicates, disorder and late arrivals are harmless because `fold` looks at the set and never at the sequence.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import Doubt, OrdStatus, OrdType, Side, TimeInForce
from nightdesk.model.execution import Fact, FactKind
from nightdesk.model.identifiers import AccountId, ClOrdId, ExecId, OrderId, OwnerId, SignalId, Sleeve, Symbol, VenueId

ZERO = Decimal(0)

NOT_FOUND_PROOF = 3
"""How many single-order queries in a row must know nothing before a once known order counts as MISSING."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The terms of one order, fixed when it was accepted."""

    cl_ord_id: ClOrdId
    owner_id: OwnerId
    account_id: AccountId
    venue: VenueId
    signal_id: SignalId
    leg: int
    source: str
    sleeve: Sleeve
    symbol: Symbol
    side: Side
    ord_type: OrdType
    time_in_force: TimeInForce
    order_qty: Decimal
    price: Decimal | None
    stop_px: Decimal | None
    reduce_only: bool
    created_at: datetime
    deadline_at: datetime
    """Not sent after this."""
    closing: bool = False
    """It provably only reduces its sleeve's position: it goes ahead of entries, and a halt lets it live."""
    test: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderState:
    """Where an order stands: what `fold` makes of its facts. `cum_value` is in quote currency, before fees."""

    ord_status: OrdStatus = OrdStatus.PENDING_NEW
    doubt: Doubt = Doubt.NONE
    order_qty: Decimal = ZERO
    cum_qty: Decimal = ZERO
    cum_value: Decimal = ZERO
    fees: Decimal = ZERO
    order_id: OrderId | None = None
    code: DenyCode | None = None
    text: str = ""

    @property
    def avg_px(self) -> Decimal | None:
        """Quote currency per unit over all fills, None before the first."""
        return self.cum_value / self.cum_qty if self.cum_qty else None

    @property
    def leaves_qty(self) -> Decimal:
        """What can still fill, base units; zero once ended without doubt."""
        if self.ord_status.terminal and self.doubt is Doubt.NONE:
            return ZERO
        return max(self.order_qty - self.cum_qty, ZERO)


@dataclass(frozen=True, slots=True)
class _Filled:
    qty: Decimal
    value: Decimal
    fees: Decimal
    contradiction: int
    """The newest stamp of an exec_id told in two ways; -1 where there is none."""


_LIVE = frozenset({OrdStatus.NEW, OrdStatus.PARTIALLY_FILLED, OrdStatus.FILLED})
_TERMINAL_RANK = {OrdStatus.REJECTED: 1, OrdStatus.EXPIRED: 2, OrdStatus.CANCELED: 3, OrdStatus.FILLED: 4}


def fold(order: Order, facts: Iterable[Fact]) -> OrderState:
    """The state of an order given everything known about it, whatever the order or number of the facts."""
    known = distinct(facts)
    qty = _current_qty(order, known)
    filled = _filled(known)
    ended = _venue_end(known)
    local = _local_end(known)
    status = _status(qty, filled, ended, local, known)
    doubt = _doubt(status, qty, filled, ended, local, known)
    reason = local if local is not None and _local_status(local) is status else ended
    order_ids = sorted({fact.order_id for fact in known if fact.order_id is not None})
    return OrderState(
        ord_status=status,
        doubt=doubt,
        order_qty=qty,
        cum_qty=filled.qty,
        cum_value=filled.value,
        fees=filled.fees,
        order_id=order_ids[0] if order_ids else None,
        code=reason.code if reason is not None else None,
        text=reason.text if reason is not None else "",
    )


def is_positive(fact: Fact) -> bool:
    """True for evidence that the venue took the order; "queued" (PENDING_NEW) says only that it heard of it."""
    if fact.kind is FactKind.STATUS:
        return fact.ord_status is not OrdStatus.PENDING_NEW
    return fact.kind in (FactKind.FILL, FactKind.REPLACED)


def distinct(facts: Iterable[Fact]) -> list[Fact]:
    """Each fact once: a fill at the moment it was first seen, everything else at the moment it was last seen.

    A fill is an event, reading it again says nothing new; a status read again says that it still holds.
    """
    kept: dict[str, Fact] = {}
    for fact in facts:
        other = kept.get(fact.key)
        if other is None or supersedes(fact, other):
            kept[fact.key] = fact
    return sorted(kept.values(), key=lambda fact: fact.key)


def supersedes(fact: Fact, other: Fact) -> bool:
    """True when, of two facts with the same key, `fact` is the one to keep."""
    if fact.stamp == other.stamp:
        # Either will do, but it must be the same one whichever came first.
        return fact != other and repr(fact) > repr(other)
    return (fact.stamp < other.stamp) is (fact.kind is FactKind.FILL)


def _current_qty(order: Order, facts: list[Fact]) -> Decimal:
    replaced = [fact for fact in facts if fact.kind is FactKind.REPLACED and fact.order_qty is not None]
    if not replaced:
        return order.order_qty
    newest = max(replaced, key=lambda fact: (fact.revision, fact.stamp))
    return newest.order_qty if newest.order_qty is not None else order.order_qty


def _filled(facts: list[Fact]) -> _Filled:
    busts = {fact.exec_id: fact.stamp for fact in facts if fact.kind is FactKind.BUST}
    fills: dict[ExecId, Fact] = {}
    contradiction = -1
    for fact in facts:
        if fact.kind is not FactKind.FILL or fact.exec_id is None:
            continue
        other = fills.get(fact.exec_id)
        if other is None:
            fills[fact.exec_id] = fact
        else:
            contradiction = max(contradiction, fact.stamp, other.stamp)
            fills[fact.exec_id] = min(other, fact, key=lambda one: (one.stamp, one.key))
    live = [fact for exec_id, fact in fills.items() if exec_id not in busts]
    qty = sum((fact.last_qty for fact in live if fact.last_qty is not None), ZERO)
    value = sum((fact.last_qty * fact.last_px for fact in live if fact.last_qty and fact.last_px is not None), ZERO)
    fees = sum((fact.fee for fact in live), ZERO)
    told_qty, told_value = _told_by_venue(facts, fills, busts)
    if told_qty > qty:
        # The gap is one synthetic fill; real fills replace it as they arrive.
        gap = told_qty - qty
        gap_value = max(told_value - value, ZERO) if told_value is not None else (value / qty * gap if qty else ZERO)
        qty, value = told_qty, value + gap_value
    return _Filled(qty, value, fees, contradiction)


def _told_by_venue(
    facts: list[Fact], fills: dict[ExecId, Fact], busts: dict[ExecId | None, int]
) -> tuple[Decimal, Decimal | None]:
    """The largest cumulative quantity a venue named, less what it took back afterwards, and its value if named."""
    best: tuple[Decimal, int, Decimal | None] = (ZERO, -1, None)
    for fact in facts:
        if fact.kind is not FactKind.STATUS or fact.cum_qty is None:
            continue
        taken_back = [fills[exec_id] for exec_id in fills if busts.get(exec_id, -1) > fact.stamp]
        less_qty = sum((fill.last_qty for fill in taken_back if fill.last_qty is not None), ZERO)
        less_value = sum((f.last_qty * f.last_px for f in taken_back if f.last_qty and f.last_px is not None), ZERO)
        told = fact.cum_qty - less_qty
        value = fact.cum_qty * fact.avg_px - less_value if fact.avg_px is not None else None
        # Equal quantities: a statement with a price beats one without, then the newer one.
        if (told, value is not None, fact.stamp) > (best[0], best[2] is not None, best[1]):
            best = (told, fact.stamp, value)
    return best[0], best[2]


def _venue_end(facts: list[Fact]) -> Fact | None:
    ends = [fact for fact in facts if fact.kind is FactKind.STATUS and fact.ord_status in _TERMINAL_RANK]
    return max(ends, key=lambda fact: (_TERMINAL_RANK[fact.ord_status or OrdStatus.REJECTED], fact.stamp), default=None)


def _local_end(facts: list[Fact]) -> Fact | None:
    ends = [
        fact
        for fact in facts
        if fact.kind in (FactKind.DENIED, FactKind.EXPIRED)
        or (fact.kind is FactKind.DECISION and fact.ord_status is not None and fact.ord_status.terminal)
    ]
    return max(ends, key=lambda fact: (fact.stamp, fact.key), default=None)


def _local_status(local: Fact) -> OrdStatus:
    if local.ord_status is not None:
        return local.ord_status
    return OrdStatus.EXPIRED if local.kind is FactKind.EXPIRED else OrdStatus.DENIED


def _status(qty: Decimal, filled: _Filled, ended: Fact | None, local: Fact | None, facts: list[Fact]) -> OrdStatus:
    if filled.qty >= qty > 0:
        return OrdStatus.FILLED
    if local is not None and local.kind is FactKind.DECISION:
        return _local_status(local)
    if ended is not None and ended.ord_status is not None:
        return ended.ord_status
    if filled.qty > 0:
        return OrdStatus.PARTIALLY_FILLED
    if local is not None:
        return _local_status(local)
    if any(is_positive(fact) for fact in facts):
        return OrdStatus.NEW
    held = max((f for f in facts if f.kind in (FactKind.HELD, FactKind.APPROVED)), key=lambda f: f.stamp, default=None)
    if held is not None and held.kind is FactKind.HELD:
        return OrdStatus.HELD
    return OrdStatus.PENDING_NEW


def _doubt(
    status: OrdStatus, qty: Decimal, filled: _Filled, ended: Fact | None, local: Fact | None, facts: list[Fact]
) -> Doubt:
    decision = max((f for f in facts if f.kind is FactKind.DECISION), key=lambda f: f.stamp, default=None)
    settled = decision.stamp if decision is not None else -1
    # What a person has seen and accepted is no news, however often the venue repeats it.
    news = filled.qty != (decision.cum_qty if decision is not None and decision.cum_qty is not None else ZERO)
    if _disputed(qty, filled, ended, local, facts, settled=settled, news=news):
        return Doubt.DISPUTED
    if status.terminal or status is OrdStatus.HELD:
        return Doubt.NONE
    positive = max((fact.stamp for fact in facts if is_positive(fact)), default=None)
    if positive is None:
        unknown = any(fact.kind is FactKind.OUTCOME_UNKNOWN and fact.stamp > settled for fact in facts)
        return Doubt.UNKNOWN if unknown else Doubt.NONE
    since = max(positive, settled)
    missing = sum(1 for fact in facts if fact.kind is FactKind.NOT_FOUND and fact.stamp > since)
    return Doubt.MISSING if missing >= NOT_FOUND_PROOF else Doubt.NONE


def _disputed(
    qty: Decimal,
    filled: _Filled,
    ended: Fact | None,
    local: Fact | None,
    facts: list[Fact],
    *,
    settled: int,
    news: bool,
) -> bool:
    """True when evidence that no person has settled yet cannot be true together with the rest."""
    if filled.contradiction > settled:
        return True
    if news and (filled.qty > qty or (ended is not None and ended.ord_status is OrdStatus.FILLED and filled.qty < qty)):
        return True
    rejected = _newest_status(facts, frozenset({OrdStatus.REJECTED}))
    ruled_out = max(rejected, local.stamp if local is not None and local.kind is FactKind.DECISION else -1)
    if local is not None and local.kind is not FactKind.DECISION:
        # We said that nothing is at the venue, so any sign of life denies it, whenever it was seen.
        ruled_out = max(ruled_out, 0)
    if ruled_out < 0:
        return False
    if filled.qty > 0 and news:
        return True
    if settled >= 0 and _over(qty, filled, ended):
        # A person has seen what filled, and no more can: that it once lived is told again and again.
        return False
    since = settled if local is not None and local.kind is not FactKind.DECISION else max(ruled_out, settled)
    return _newest_status(facts, _LIVE) > since


def _over(qty: Decimal, filled: _Filled, ended: Fact | None) -> bool:
    """True when the venue accounts for the whole order, so that nothing of it can live there."""
    return filled.qty >= qty or (ended is not None and ended.ord_status in (OrdStatus.CANCELED, OrdStatus.EXPIRED))


def _newest_status(facts: list[Fact], wanted: frozenset[OrdStatus]) -> int:
    return max((f.stamp for f in facts if f.kind is FactKind.STATUS and f.ord_status in wanted), default=-1)
