"""A proposal that passes every check, to be changed one thing at a time."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from nightdesk.model.denial import Denied
from nightdesk.model.enums import OrdType, Side, TimeInForce, TradingState
from nightdesk.model.identifiers import OPERATOR, Sleeve, Symbol
from nightdesk.model.market import Quote
from nightdesk.model.order import Order
from nightdesk.model.position import Change
from nightdesk.model.venue import Capabilities
from nightdesk.portfolio.book import AccountBook
from nightdesk.risk.checks import judge
from nightdesk.risk.config import RiskConfig
from nightdesk.risk.proposal import Approved, Proposal
from tests.samples import ABLE, BTC, ETH, FAKE, HAND, MAIN, START, WIDE, D, a_quote, an_instrument, an_order

QUOTE = a_quote("100")


def a_book(cash: str = "1000000", **held: str) -> AccountBook:
    """An account of so much cash that holds so much of BTC and ETH (at 100 and 10), in the sleeve `hand`."""
    book = AccountBook(
        account_id=MAIN,
        owner_id=OPERATOR,
        venue=FAKE,
        currency="USD",
        cash=D(cash),
        state=TradingState.ACTIVE,
        state_reason="",
        event_seq=0,
        day="2026-01-05",
        day_equity=D(cash),
    )
    for name, qty in held.items():
        hold(book, D(qty), symbol=Symbol(f"{name.upper()}-USD"), px="100" if name == "btc" else "10")
    return book


def hold(book: AccountBook, qty: Decimal, *, symbol: Symbol = BTC, sleeve: Sleeve = HAND, px: str = "100") -> None:
    book.apply(symbol, sleeve, Change(qty=qty, value=qty * D(px), fees=D(0)))


def judged(
    order: Order | None = None,
    *,
    book: AccountBook | None = None,
    limits: RiskConfig = WIDE,
    quote: Quote | None = QUOTE,
    capabilities: Capabilities = ABLE,
    instrument: dict[str, Any] | None = None,
    prices: dict[Symbol, Decimal] | None = None,
    **changed: Any,
) -> Approved | Denied:
    """What the gate says of an order (a market buy of 1), after so much was changed."""
    order = order or an_order()
    book = book or a_book()
    stake = book.stake(order.symbol, order.sleeve)
    order = replace(order, closing=order.order_qty <= stake.reducible(order.side))
    px_of = {ETH: D(10)} if prices is None else prices
    if quote is not None:
        px_of = {**px_of, quote.symbol: quote.mid}
    values: dict[str, Any] = {
        "signal_px": None,
        "now": START + timedelta(seconds=1),
        "state": TradingState.ACTIVE,
        "state_reason": "",
        "recent_orders": 0,
        "siblings": 0,
        "twin": False,
    }
    return judge(
        Proposal(
            order=order,
            instrument=an_instrument(order.symbol, **instrument or {}),
            capabilities=capabilities,
            quote=quote,
            book=book,
            stake=stake,
            px_of=px_of,
            **values | changed,
        ),
        limits,
    )


def denied(*args: Any, **changed: Any) -> Denied:
    outcome = judged(*args, **changed)
    assert isinstance(outcome, Denied), "the gate let it pass"
    return outcome


def passes(*args: Any, **changed: Any) -> Approved:
    outcome = judged(*args, **changed)
    assert isinstance(outcome, Approved), f"denied: {outcome.text}" if isinstance(outcome, Denied) else ""
    return outcome


def a_sell(qty: str = "1", **changed: Any) -> Order:
    return an_order(side=Side.SELL, order_qty=D(qty), **changed)


def limits(**changed: Any) -> RiskConfig:
    return replace(WIDE, **changed)


BARE = Capabilities(ord_types=frozenset({OrdType.MARKET, OrdType.LIMIT}), times_in_force=frozenset({TimeInForce.GTC}))
