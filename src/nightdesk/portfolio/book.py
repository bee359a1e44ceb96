"""The state of one account as a transaction sees it: loaded under its lock, changed by pure steps, written back.

Exposure counts what is held and everything that may still fill, each side at its worst, so that no sequence of
fills can exceed a limit that was checked here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from nightdesk.model.enums import Side, TradingState
from nightdesk.model.identifiers import AccountId, OwnerId, Sleeve, Symbol, VenueId
from nightdesk.model.position import Change, Position, apply_change

ZERO = Decimal(0)


@dataclass(slots=True)
class Stake:
    """One sleeve's part of a symbol: its position, and what its live orders may still add on either side."""

    position: Position
    buy_qty: Decimal = ZERO
    buy_value: Decimal = ZERO
    sell_qty: Decimal = ZERO
    sell_value: Decimal = ZERO

    @property
    def is_open(self) -> bool:
        """True while anything is held or may still fill."""
        return bool(self.position.qty or self.buy_qty or self.sell_qty)

    @property
    def expected_qty(self) -> Decimal:
        """The position once every live order has filled (signed base units)."""
        return self.position.qty + self.buy_qty - self.sell_qty

    def reducible(self, side: Side) -> Decimal:
        """How much an order of this side would only reduce: the position less the closes already under way."""
        if side is Side.SELL:
            return max(self.position.qty - self.sell_qty, ZERO)
        return max(-self.position.qty - self.buy_qty, ZERO)


@dataclass(slots=True)
class AccountBook:
    """One account inside one transaction; every change marks what must be written back."""

    account_id: AccountId
    owner_id: OwnerId
    venue: VenueId
    currency: str
    cash: Decimal
    state: TradingState
    state_reason: str
    event_seq: int
    day: str
    day_equity: Decimal
    rate: dict[int, int] = field(default_factory=dict)
    """Orders accepted in each second of the last minute."""
    stakes: dict[tuple[Symbol, Sleeve], Stake] = field(default_factory=dict)
    dirty: set[tuple[Symbol, Sleeve]] = field(default_factory=set)

    def stake(self, symbol: Symbol, sleeve: Sleeve) -> Stake:
        """The sleeve's part of the symbol, empty where there was none."""
        found = self.stakes.get((symbol, sleeve))
        if found is None:
            position = Position(account_id=self.account_id, symbol=symbol, sleeve=sleeve)
            found = self.stakes[(symbol, sleeve)] = Stake(position)
        return found

    def of_symbol(self, symbol: Symbol) -> list[Stake]:
        """All sleeves' parts of a symbol."""
        return [stake for (name, _), stake in self.stakes.items() if name == symbol]

    def reserve(self, symbol: Symbol, sleeve: Sleeve, side: Side, qty: Decimal, px: Decimal) -> None:
        """So much more (or, negative, so much less) may still fill on this side, valued at `px`."""
        stake = self.stake(symbol, sleeve)
        if side is Side.BUY:
            stake.buy_qty += qty
            stake.buy_value += qty * px
        else:
            stake.sell_qty += qty
            stake.sell_value += qty * px
        self.dirty.add((symbol, sleeve))

    def apply(self, symbol: Symbol, sleeve: Sleeve, change: Change) -> Decimal:
        """The position and the cash have taken the change; returns the PnL it realised (quote currency)."""
        if change.empty:
            return ZERO
        stake = self.stake(symbol, sleeve)
        before = stake.position.realised_pnl
        stake.position = apply_change(stake.position, change)
        self.cash -= change.value + change.fees
        self.dirty.add((symbol, sleeve))
        return stake.position.realised_pnl - before

    def recent_orders(self, second: int) -> int:
        """How many orders were accepted in the 60 seconds up to this one."""
        return sum(count for at, count in self.rate.items() if at > second - 60)

    def count_order(self, second: int) -> None:
        """One more order was accepted in this second."""
        self.rate = {at: count for at, count in self.rate.items() if at > second - 60}
        self.rate[second] = self.rate.get(second, 0) + 1

    def begin_day(self, day: str, px_of: Mapping[Symbol, Decimal]) -> None:
        """Losses are counted from the equity at the first look of the day."""
        if day != self.day:
            self.day = day
            self.day_equity = self.equity(px_of)

    def exposure(
        self,
        symbol: Symbol,
        px: Decimal,
        *,
        sleeve: Sleeve | None = None,
        extra_buy: Decimal = ZERO,
        extra_sell: Decimal = ZERO,
    ) -> Decimal:
        """The largest value the symbol can reach whatever fills, with more of a sleeve on either side (quote currency).

        Sleeves do not offset each other: one that closes passes without limits, and must not uncover another.
        """
        longs = shorts = ZERO
        if (symbol, sleeve) not in self.stakes:
            longs, shorts = extra_buy, extra_sell
        for (name, whose), stake in self.stakes.items():
            if name != symbol:
                continue
            more_buy, more_sell = (extra_buy, extra_sell) if whose == sleeve else (ZERO, ZERO)
            longs += max(stake.position.qty + stake.buy_qty + more_buy, ZERO)
            shorts += max(stake.sell_qty + more_sell - stake.position.qty, ZERO)
        return max(longs, shorts) * px

    def total_exposure(self, px_of: Mapping[Symbol, Decimal]) -> Decimal:
        """The sum over all symbols; a symbol without a price counts at its cost and reserved value."""
        return sum((self.exposure(symbol, self._px(symbol, px_of)) for symbol in self._symbols()), ZERO)

    def open_order_value(self) -> Decimal:
        """What all live orders may still trade, at the prices they were checked at."""
        return sum((stake.buy_value + stake.sell_value for stake in self.stakes.values()), ZERO)

    def equity(self, px_of: Mapping[Symbol, Decimal]) -> Decimal:
        """Cash and positions at these prices; a position without a price counts at its cost."""
        held = ZERO
        for stake in self.stakes.values():
            position = stake.position
            px = px_of.get(position.symbol)
            held += position.qty * px if px is not None else position.cost
        return self.cash + held

    def _symbols(self) -> Iterable[Symbol]:
        return {symbol for (symbol, _), stake in self.stakes.items() if stake.is_open}

    def _px(self, symbol: Symbol, px_of: Mapping[Symbol, Decimal]) -> Decimal:
        px = px_of.get(symbol)
        if px is not None:
            return px
        stakes = self.of_symbol(symbol)
        qty = sum((abs(s.position.qty) + s.buy_qty + s.sell_qty for s in stakes), ZERO)
        value = sum((abs(s.position.cost) + s.buy_value + s.sell_value for s in stakes), ZERO)
        return value / qty if qty else ZERO
