"""I6: whatever is accepted, and whatever part of it fills in whatever order, no limit on exposure is ever passed."""

from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nightdesk.model.enums import OrdType, Side
from nightdesk.model.identifiers import Sleeve, Symbol
from nightdesk.model.order import Order
from nightdesk.model.position import Change
from nightdesk.risk.config import SymbolLimits
from nightdesk.risk.proposal import Approved
from tests.risk.judging import a_book, judged, limits
from tests.samples import BTC, ETH, D, a_quote, an_order

MIDS = {BTC: D(100), ETH: D(10)}
MOST_BTC, MOST_SYMBOL, MOST_TOTAL, MOST_OPEN = D(800), D(1000), D(1500), D(1800)
LIMITS = limits(
    max_symbol_exposure=MOST_SYMBOL,
    max_total_exposure=MOST_TOTAL,
    max_open_order_value=MOST_OPEN,
    symbols={"BTC-USD": SymbolLimits(max_symbol_exposure=MOST_BTC)},
)


class Trading(RuleBasedStateMachine):
    """Three sleeves trade two symbols; the venue fills and ends their orders as it likes."""

    @initialize()
    def begin(self) -> None:
        self.book = a_book("100000")
        self.live: list[tuple[Order, Decimal, Decimal]] = []
        self.entries = D(0)

    @rule(
        symbol=st.sampled_from([BTC, ETH]),
        sleeve=st.sampled_from(["a", "b", "c"]),
        side=st.sampled_from(list(Side)),
        qty=st.sampled_from(["0.5", "1", "4", "8", "9", "20", "80", "100"]),
        limit=st.sampled_from([None, "0.95", "1", "1.05"]),
    )
    def order(self, symbol: Symbol, sleeve: str, side: Side, qty: str, limit: str | None) -> None:
        order = an_order(
            symbol=symbol,
            sleeve=Sleeve(sleeve),
            side=side,
            order_qty=D(qty),
            ord_type=OrdType.LIMIT if limit else OrdType.MARKET,
            price=MIDS[symbol] * D(limit) if limit else None,
        )
        mid = str(MIDS[symbol])
        outcome = judged(order, book=self.book, limits=LIMITS, quote=a_quote(mid, symbol=symbol), prices=MIDS)
        if isinstance(outcome, Approved):
            self.book.reserve(symbol, order.sleeve, side, order.order_qty, outcome.ref_px)
            self.live.append((order, order.order_qty, outcome.ref_px))
            if not outcome.order.closing:
                assert self.book.open_order_value() <= MOST_OPEN

    @precondition(lambda self: self.live)
    @rule(data=st.data(), part=st.sampled_from(["0.1", "0.5", "1"]), px=st.sampled_from(["0.9", "1", "1.1"]))
    def fill(self, data: st.DataObject, part: str, px: str) -> None:
        order, left, ref_px = self._pick(data)
        qty = left * D(part)
        self.book.reserve(order.symbol, order.sleeve, order.side, -qty, ref_px)
        value = order.side.sign * qty * MIDS[order.symbol] * D(px)
        self.book.apply(order.symbol, order.sleeve, Change(qty=order.side.sign * qty, value=value, fees=D(0)))
        if qty < left:
            self.live.append((order, left - qty, ref_px))

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        order, left, ref_px = self._pick(data)
        self.book.reserve(order.symbol, order.sleeve, order.side, -left, ref_px)

    def _pick(self, data: st.DataObject) -> tuple[Order, Decimal, Decimal]:
        return self.live.pop(data.draw(st.integers(0, len(self.live) - 1)))

    @invariant()
    def no_limit_is_passed(self) -> None:
        if not hasattr(self, "book"):
            return
        held = {
            symbol: abs(sum((stake.position.qty for stake in self.book.of_symbol(symbol)), D(0))) * mid
            for symbol, mid in MIDS.items()
        }
        assert held[BTC] <= self.book.exposure(BTC, MIDS[BTC]) <= MOST_BTC
        assert held[ETH] <= self.book.exposure(ETH, MIDS[ETH]) <= MOST_SYMBOL
        assert sum(held.values()) <= self.book.total_exposure(MIDS) <= MOST_TOTAL

    @invariant()
    def what_may_still_fill_is_what_is_reserved(self) -> None:
        if not hasattr(self, "book"):
            return
        left = sum((qty for _, qty, _ in self.live), D(0))
        stakes = self.book.stakes.values()
        assert left == sum((stake.buy_qty + stake.sell_qty for stake in stakes), D(0))


TestTrading = Trading.TestCase
TestTrading.settings = settings(max_examples=60, stateful_step_count=40)
