"""Why the paper exchange refuses an order."""

from collections.abc import Mapping
from decimal import Decimal

from nightdesk.model.enums import OrdType, Side
from nightdesk.model.identifiers import Symbol
from nightdesk.model.market import Quote
from nightdesk.venues.paper.book import ZERO, Book, Terms
from nightdesk.venues.paper.rules import Rules, fee_of

_PRICED = frozenset({OrdType.LIMIT, OrdType.STOP_LIMIT})
_STOPPED = frozenset({OrdType.STOP, OrdType.STOP_LIMIT})


def refusal(book: Book, terms: Terms, quote: Quote | None, rules: Rules, marks: Mapping[Symbol, Decimal]) -> str:
    """Why the order cannot be taken, in words for people; empty when it can."""
    reason = _bad_terms(terms, rules)
    if reason:
        return reason
    px = _reference(terms, quote)
    if px is None:
        return f"there is no price for {terms.symbol} yet"
    if terms.reduce_only:
        return (
            ""
            if book.reducible(terms.symbol, terms.side)
            else "nothing to reduce: the position is not on the other side"
        )
    minimum = rules.instrument.min_notional
    if terms.order_qty * px < minimum:
        return f"the value is below the smallest of {minimum:f} {rules.currency}"
    return _beyond_means(book, terms, px, quote, rules, marks)


def _bad_terms(terms: Terms, rules: Rules) -> str:
    instrument = rules.instrument
    if instrument.quote != rules.currency:
        return f"{terms.symbol} is quoted in {instrument.quote}, this account keeps {rules.currency}"
    qty = terms.order_qty
    if not qty.is_finite() or qty <= 0:
        return "the quantity is not a positive number"
    if not instrument.in_lots(qty):
        return f"the quantity {qty:f} is not a multiple of {instrument.lot_size:f}"
    if qty < instrument.min_qty and not terms.reduce_only:
        return f"the quantity {qty:f} is below the smallest of {instrument.min_qty:f}"
    return _bad_price("price", terms.price, terms.ord_type in _PRICED, terms, rules) or _bad_price(
        "stop_px", terms.stop_px, terms.ord_type in _STOPPED, terms, rules
    )


def _bad_price(name: str, px: Decimal | None, wanted: bool, terms: Terms, rules: Rules) -> str:
    if px is None:
        return f"a {terms.ord_type} order needs {name}" if wanted else ""
    if not wanted:
        return f"a {terms.ord_type} order takes no {name}"
    if not px.is_finite() or px <= 0:
        return f"{name} is not a positive number"
    if not rules.instrument.on_tick(px):
        return f"{name} {px:f} is not a multiple of {rules.instrument.tick_size:f}"
    return ""


def _reference(terms: Terms, quote: Quote | None) -> Decimal | None:
    """The most a unit can be worth when it fills: what a BUY may pay, or what a SELL would be short of."""
    buying = terms.side is Side.BUY
    if buying and terms.price is not None:
        return terms.price
    touch = None if quote is None else quote.ask if buying else quote.bid
    return max((px for px in (terms.price, terms.stop_px, touch) if px is not None), default=None)


def _beyond_means(
    book: Book, terms: Terms, px: Decimal, quote: Quote | None, rules: Rules, marks: Mapping[Symbol, Decimal]
) -> str:
    """Empty when the worst that all open orders could lead to stays within equity times leverage."""
    symbol, held = terms.symbol, book.qty(terms.symbol)
    bought, sold = _pending(book, symbol)
    before = max(abs(held + bought), abs(held - sold))
    if terms.side is Side.BUY:
        bought += terms.order_qty
    else:
        sold += terms.order_qty
    if not rules.instrument.shortable and held - sold < 0:
        return f"{symbol} cannot be sold short, the account holds {held:f}"
    added = max(abs(held + bought), abs(held - sold)) - before
    if added <= 0:
        return ""
    mark = quote.mid if quote is not None else px
    equity, exposure = book.cash + held * mark, before * mark + added * px
    for other in book.positions.keys() | book.working.keys():
        if other != symbol:
            mark = _mark(book, other, marks)
            qty = book.qty(other)
            more, less = _pending(book, other)
            equity += qty * mark
            exposure += max(abs(qty + more), abs(qty - less)) * mark
    free = equity * rules.leverage - exposure - fee_of(terms.order_qty * px, rules.taker_bps)
    if free < 0:
        return f"insufficient balance: {-free:.2f} {rules.currency} short"
    return ""


def _mark(book: Book, symbol: Symbol, marks: Mapping[Symbol, Decimal]) -> Decimal:
    mark = marks.get(symbol)
    if mark is not None:
        return mark
    position = book.positions.get(symbol)
    avg_px = position.avg_px if position is not None else None
    if avg_px is not None:
        return avg_px
    return max(
        (order.terms.price or order.terms.stop_px or ZERO for order in book.working.get(symbol, {}).values()),
        default=ZERO,
    )


def _pending(book: Book, symbol: Symbol) -> tuple[Decimal, Decimal]:
    """What open orders may still buy and sell; reduce-only ones add no exposure."""
    bought = sold = ZERO
    for order in book.working.get(symbol, {}).values():
        if order.terms.reduce_only:
            continue
        if order.terms.side is Side.BUY:
            bought += order.leaves_qty
        else:
            sold += order.leaves_qty
    return bought, sold
