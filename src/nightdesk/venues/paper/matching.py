"""Matching without side effects, shared by the paper exchange and the backtest.

Against a quote, not an order book: BUY takes the ask, SELL the bid, and no more than the quoted size (a quote without
sizes has no bound). A size is had once per account and quote; accounts do not compete with each other.

- MARKET takes at once. What the quoted size does not cover fills over the following quotes (GTC) or is canceled (IOC).
- LIMIT takes at once what crosses, at the ask or bid with slippage but never beyond its price; the rest works and fills
  at its own price once the market reaches it.
- STOP and STOP_LIMIT wait until the last price reaches `stop_px` (at once if it already has), then act as the other
  two; IOC and FOK count from there.
- FOK fills whole or is canceled.
- Reduce-only fills no more than it reduces; the rest is canceled, also when another order closed the position.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from nightdesk.model.enums import OrdStatus, OrdType, Side, TimeInForce
from nightdesk.model.identifiers import OrderId, Symbol
from nightdesk.model.market import Quote
from nightdesk.venues.paper.book import (
    ZERO,
    Book,
    Placed,
    Step,
    StepKind,
    Taken,
    Terms,
    apply,
    end_step,
    fill_step,
    trigger_step,
)
from nightdesk.venues.paper.refusal import refusal
from nightdesk.venues.paper.rules import Rules, fee_of, slipped

NOTHING_LEFT = "nothing is left to reduce"


def place(
    book: Book,
    order_id: OrderId,
    terms: Terms,
    quote: Quote | None,
    now: datetime,
    rules: Rules,
    marks: Mapping[Symbol, Decimal] | None = None,
) -> tuple[Book, tuple[Step, ...]]:
    """The book after an order came in, and what happened: rejected, or accepted with all that filled at once.

    `marks` are prices of the other symbols of the account; one without a mark counts at its cost.
    """
    order = Placed(order_id=order_id, terms=terms, at=now)
    reason = refusal(book, terms, quote, rules, marks or {})
    if reason:
        return book, (end_step(order, OrdStatus.REJECTED, reason, now),)
    steps = [Step(kind=StepKind.ACCEPT, at=now, order=order)]
    book = _work(apply(book, steps[0]), order, quote, now, rules, steps, arriving=True)
    return _drop_useless(book, terms.symbol, now, steps), tuple(steps)


def on_quote(book: Book, quote: Quote, now: datetime, rules: Rules) -> tuple[Book, tuple[Step, ...]]:
    """The book after the market moved, and what it triggered and filled; oldest order first."""
    orders = book.working.get(quote.symbol)
    if not orders:
        return book, ()
    steps: list[Step] = []
    for order in orders.values():
        book = _work(book, order, quote, now, rules, steps, arriving=False)
    return _drop_useless(book, quote.symbol, now, steps), tuple(steps)


def cancel(book: Book, order: Placed, now: datetime, text: str = "") -> tuple[Book, tuple[Step, ...]]:
    """The book without the order; nothing happens to one that has already ended."""
    if order.order_id not in book.working.get(order.terms.symbol, {}):
        return book, ()
    step = end_step(order, OrdStatus.CANCELED, text, now)
    return apply(book, step), (step,)


def _work(
    book: Book, order: Placed, quote: Quote | None, now: datetime, rules: Rules, steps: list[Step], *, arriving: bool
) -> Book:
    """The book after one order has done all it can against one quote."""
    terms = order.terms
    taker = arriving
    if terms.stop_px is not None and not order.triggered:
        if quote is None or not _reached(terms, quote):
            return book
        step = trigger_step(order, now)
        steps.append(step)
        book, order, taker = apply(book, step), step.order, True
    fill = _fill(book, order, quote, now, rules, taker=taker) if quote is not None else None
    if terms.time_in_force is TimeInForce.FOK and (fill is None or fill.qty < order.leaves_qty):
        return _end(book, order, "fill or kill: not all of it could be filled at once", now, steps)
    if fill is not None and quote is not None:
        steps.append(fill)
        book, order = _took(apply(book, fill), quote, fill), fill.order
    if order.status is OrdStatus.FILLED:
        return book
    if terms.reduce_only and not book.reducible(terms.symbol, terms.side):
        return _end(book, order, NOTHING_LEFT, now, steps)
    if terms.time_in_force is TimeInForce.IOC:
        return _end(book, order, "immediate or cancel: the rest was not there", now, steps)
    return book


def _end(book: Book, order: Placed, text: str, now: datetime, steps: list[Step]) -> Book:
    step = end_step(order, OrdStatus.CANCELED, text, now)
    steps.append(step)
    return apply(book, step)


def _reached(terms: Terms, quote: Quote) -> bool:
    if terms.stop_px is None:
        return True
    return quote.last >= terms.stop_px if terms.side is Side.BUY else quote.last <= terms.stop_px


def _fill(book: Book, order: Placed, quote: Quote, now: datetime, rules: Rules, *, taker: bool) -> Step | None:
    terms = order.terms
    buying = terms.side is Side.BUY
    touch = quote.ask if buying else quote.bid
    limit = terms.price if terms.ord_type in (OrdType.LIMIT, OrdType.STOP_LIMIT) else None
    if limit is not None and (touch > limit if buying else touch < limit):
        return None
    there = _there(book, quote, terms.side)
    qty = order.leaves_qty if there is None else min(order.leaves_qty, there)
    if terms.reduce_only:
        qty = min(qty, book.reducible(terms.symbol, terms.side))
    if terms.max_fill is not None:
        qty = min(qty, terms.max_fill)
    qty = rules.instrument.round_qty(qty)
    if qty <= 0:
        return None
    maker = limit is not None and not taker
    px = limit if maker and limit is not None else slipped(touch, terms.side, qty, there, limit, rules)
    fee = fee_of(qty * px, rules.maker_bps if maker else rules.taker_bps)
    return fill_step(order, qty, px, fee, now, maker=maker)


def _there(book: Book, quote: Quote, side: Side) -> Decimal | None:
    """What the quote still offers this account, None where it is unbounded."""
    size = quote.ask_size if side is Side.BUY else quote.bid_size
    if size is None:
        return None
    taken = book.taken.get(quote.symbol)
    if taken is None or taken.quote != quote:
        return size
    return max(size - (taken.bought if side is Side.BUY else taken.sold), ZERO)


def _took(book: Book, quote: Quote, fill: Step) -> Book:
    taken = book.taken.get(quote.symbol)
    if taken is None or taken.quote != quote:
        taken = Taken(quote=quote)
    if fill.order.terms.side is Side.BUY:
        taken = replace(taken, bought=taken.bought + fill.qty)
    else:
        taken = replace(taken, sold=taken.sold + fill.qty)
    return replace(book, taken={**book.taken, quote.symbol: taken})


def _drop_useless(book: Book, symbol: Symbol, now: datetime, steps: list[Step]) -> Book:
    """Reduce-only orders go once the position they were for has gone: they could only do harm later."""
    if not any(step.kind is StepKind.FILL for step in steps):
        return book
    for order in book.working.get(symbol, {}).values():
        if order.terms.reduce_only and not book.reducible(symbol, order.terms.side):
            book = _end(book, order, NOTHING_LEFT, now, steps)
    return book
