"""A position: the fold of what orders changed in it."""

from dataclasses import dataclass, replace
from decimal import Decimal

from nightdesk.model.identifiers import AccountId, Sleeve, Symbol

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What one sleeve of an account holds of one symbol.

    `qty` is signed (base units); `cost` is what the open quantity was bought (positive) or sold (negative) for;
    `realised_pnl` is in quote currency before `fees`.
    """

    account_id: AccountId
    symbol: Symbol
    sleeve: Sleeve
    qty: Decimal = ZERO
    cost: Decimal = ZERO
    realised_pnl: Decimal = ZERO
    fees: Decimal = ZERO

    @property
    def avg_px(self) -> Decimal | None:
        """Average entry price in quote currency, None when flat."""
        return self.cost / self.qty if self.qty else None

    def unrealised_pnl(self, px: Decimal) -> Decimal:
        """Gain of the open quantity at a price, in quote currency."""
        return self.qty * px - self.cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What new evidence changed in an order: signed quantity, signed value (buys positive), fees paid."""

    qty: Decimal
    value: Decimal
    fees: Decimal

    @property
    def empty(self) -> bool:
        """True when nothing changed."""
        return not (self.qty or self.value or self.fees)


def apply_change(position: Position, change: Change) -> Position:
    """The position after a change: quantity that closes realises PnL against the average cost, the rest opens.

    A change of value without quantity (a better price for a fill already counted) corrects the cost of the open
    position, or the realised PnL when flat.
    """
    after = replace(position, fees=position.fees + change.fees)
    if not change.qty:
        if after.qty:
            return replace(after, cost=after.cost + change.value)
        return replace(after, realised_pnl=after.realised_pnl - change.value)
    if after.qty == 0 or (after.qty > 0) == (change.qty > 0):
        return replace(after, qty=after.qty + change.qty, cost=after.cost + change.value)
    closed = min(abs(change.qty), abs(after.qty))
    px = change.value / change.qty
    direction = 1 if after.qty > 0 else -1
    closed_cost = after.cost if closed == abs(after.qty) else after.cost * closed / abs(after.qty)
    realised = direction * closed * px - closed_cost
    opened = change.qty + direction * closed
    return replace(
        after,
        qty=after.qty + change.qty,
        cost=opened * px if opened else after.cost - closed_cost,
        realised_pnl=after.realised_pnl + realised,
    )
