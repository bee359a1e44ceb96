"""Gaps: where a venue holds something else than we do, judged only where nothing of ours was moving meanwhile."""

from dataclasses import dataclass
from decimal import Decimal

from nightdesk.model.errors import Unsupported
from nightdesk.model.identifiers import AccountId, Symbol
from nightdesk.model.venue import Venue
from nightdesk.orders import store
from nightdesk.portfolio import store as portfolio
from nightdesk.runtime.database import Tx
from nightdesk.runtime.reader import Reader

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Gap:
    """What both sides say they hold of a symbol (signed base units)."""

    theirs: Decimal
    ours: Decimal

    @property
    def qty(self) -> Decimal:
        """How much more the venue holds."""
        return self.theirs - self.ours

    def __str__(self) -> str:
        return f"the venue says {self.theirs:f}, we say {self.ours:f}"


@dataclass(frozen=True, slots=True)
class _Standing:
    held: dict[Symbol, Decimal]
    moving: set[Symbol]
    """With an order under way, which the venue may have filled before we know of it."""


async def find_gaps(reader: Reader, account_id: AccountId, venue: Venue) -> dict[Symbol, Gap]:
    """The gaps in the symbols that stood still while the venue was asked; none where it states no positions.

    A fill of a resting order may still be on its way to us, so a gap is believed only when it is found twice.
    """
    before = await reader.read(lambda tx: _standing(tx, account_id))
    try:
        snapshot = await venue.account()
    except Unsupported:
        return {}
    after = await reader.read(lambda tx: _standing(tx, account_id))
    theirs = {holding.symbol: holding.qty for holding in snapshot.holdings}
    gaps = {}
    for symbol in (theirs.keys() | before.held.keys() | after.held.keys()) - before.moving - after.moving:
        ours = after.held.get(symbol, ZERO)
        gap = Gap(theirs.get(symbol, ZERO), ours)
        if gap.qty and ours == before.held.get(symbol, ZERO):
            gaps[symbol] = gap
    return gaps


def _standing(tx: Tx, account_id: AccountId) -> _Standing:
    return _Standing(portfolio.holdings(tx, account_id), store.symbols_under_way(tx, account_id))
