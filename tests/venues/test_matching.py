"""Pure matching: what every order type does against a quote, and what can never happen."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightdesk.model.enums import OrdStatus, OrdType, Side, TimeInForce
from nightdesk.model.identifiers import OrderId, Symbol
from nightdesk.model.market import Quote
from nightdesk.runtime.clock import VirtualClock
from nightdesk.venues.paper.book import Book, Step, StepKind, Terms, adjusted
from nightdesk.venues.paper.matching import cancel, on_quote, place
from nightdesk.venues.paper.rules import Rules
from tests.venues.stand import ACCOUNT, BTC, ETH, listed, quoted

NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
CLOCK = VirtualClock(NOW)
RULES = Rules(instrument=listed(), currency="USD", leverage=Decimal(2), taker_bps=Decimal(10), maker_bps=Decimal(5))
EMPTY = Book(account_id=ACCOUNT, cash=Decimal(100_000))
CALM = quoted(CLOCK, "99.99", "100.00")


def asked(side: Side = Side.BUY, qty: str = "1", ord_type: OrdType = OrdType.MARKET, **more: object) -> Terms:
    terms = Terms(
        client_id="",
        symbol=BTC,
        side=side,
        ord_type=ord_type,
        time_in_force=TimeInForce.GTC,
        order_qty=Decimal(qty),
    )
    return replace(terms, **more)  # type: ignore[arg-type]  # keyword names are checked by the dataclass


def put(book: Book, terms: Terms, quote: Quote | None = CALM, rules: Rules = RULES) -> tuple[Book, tuple[Step, ...]]:
    return place(book, OrderId("1"), terms, quote, NOW, rules)


def refused(terms: Terms, quote: Quote | None = CALM, rules: Rules = RULES, book: Book = EMPTY) -> str:
    after, steps = put(book, terms, quote, rules)
    assert after is book
    (step,) = steps
    assert (step.kind, step.order.status) == (StepKind.REJECT, OrdStatus.REJECTED)
    return step.order.text


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        (asked(qty="0"), "not a positive number"),
        (asked(qty="-1"), "not a positive number"),
        (asked(qty="NaN"), "not a positive number"),
        (asked(qty="0.0005"), "not a multiple of 0.001"),
        (asked(ord_type=OrdType.LIMIT), "a LIMIT order needs price"),
        (asked(ord_type=OrdType.STOP), "a STOP order needs stop_px"),
        (asked(price=Decimal(1)), "a MARKET order takes no price"),
        (asked(ord_type=OrdType.LIMIT, price=Decimal("0")), "price is not a positive number"),
        (asked(ord_type=OrdType.LIMIT, price=Decimal("99.999")), "price 99.999 is not a multiple of 0.01"),
        (asked(ord_type=OrdType.STOP, stop_px=Decimal("Infinity")), "stop_px is not a positive number"),
        (asked(qty="0.001"), "the value is below the smallest of 1 USD"),
        (asked(qty="2001"), "insufficient balance"),
    ],
)
def test_row_40_what_cannot_be_taken_is_refused_in_words(terms: Terms, words: str) -> None:
    assert words in refused(terms)


def test_an_order_below_the_smallest_quantity_is_refused_unless_it_only_reduces() -> None:
    rules = replace(RULES, instrument=listed(min_qty=Decimal("0.01")))
    assert "below the smallest of 0.01" in refused(asked(qty="0.005", ord_type=OrdType.MARKET), rules=rules)
    held = adjusted(EMPTY, BTC, qty=Decimal("0.005"), px=Decimal(100))
    _, steps = put(held, asked(Side.SELL, "0.005", reduce_only=True), rules=rules)
    assert steps[-1].order.status is OrdStatus.FILLED


def test_another_currency_is_refused() -> None:
    assert "quoted in EUR" in refused(asked(), rules=replace(RULES, instrument=listed(quote="EUR")))


def test_without_a_price_a_market_order_is_refused_and_a_limit_order_rests() -> None:
    assert "no price" in refused(asked(), None)
    _, steps = put(EMPTY, asked(ord_type=OrdType.LIMIT, price=Decimal(90)), None)
    assert [step.kind for step in steps] == [StepKind.ACCEPT]
    _, steps = put(EMPTY, asked(ord_type=OrdType.STOP, stop_px=Decimal(110)), None)
    assert [step.kind for step in steps] == [StepKind.ACCEPT]
    _, steps = put(EMPTY, asked(ord_type=OrdType.LIMIT, price=Decimal(90), time_in_force=TimeInForce.IOC), None)
    assert [step.kind for step in steps] == [StepKind.ACCEPT, StepKind.CANCEL]


def test_what_cannot_be_sold_short_is_refused() -> None:
    rules = replace(RULES, instrument=listed(shortable=False))
    assert "cannot be sold short" in refused(asked(Side.SELL), rules=rules)
    held = adjusted(EMPTY, BTC, qty=Decimal(1), px=Decimal(100))
    _, steps = put(held, asked(Side.SELL), rules=rules)
    assert steps[-1].order.status is OrdStatus.FILLED


def test_balance_counts_open_orders_and_other_symbols_at_their_marks() -> None:
    book, _ = put(EMPTY, asked(qty="1900", ord_type=OrdType.LIMIT, price=Decimal(99)))
    assert "insufficient" in refused(asked(qty="200"), book=book)
    held = adjusted(EMPTY, ETH, qty=Decimal(1900), px=Decimal(100))
    assert "insufficient" in refused(asked(qty="200"), book=held)
    marked = {ETH: Decimal(150)}
    _, steps = place(held, OrderId("1"), asked(qty="90"), CALM, NOW, RULES, marked)
    assert steps[-1].order.status is OrdStatus.FILLED
    _, steps = place(held, OrderId("1"), asked(qty="1100"), CALM, NOW, RULES, marked)
    assert steps[-1].order.status is OrdStatus.REJECTED
    waiting, _ = place(
        EMPTY,
        OrderId("1"),
        replace(asked(qty="1900", ord_type=OrdType.LIMIT, price=Decimal(99)), symbol=ETH),
        None,
        NOW,
        replace(RULES, instrument=listed(ETH)),
    )
    assert "insufficient" in refused(asked(qty="200"), book=waiting)


def test_an_order_is_valued_at_what_its_fill_can_be_worth() -> None:
    low = asked(Side.SELL, "3000", ord_type=OrdType.LIMIT, price=Decimal("1.00"))
    assert "insufficient" in refused(low)
    reached = asked(qty="3000", ord_type=OrdType.STOP, stop_px=Decimal("50.00"))
    assert "insufficient" in refused(reached)
    cheap = asked(qty="2200", ord_type=OrdType.LIMIT, price=Decimal("90.00"))
    _, steps = put(EMPTY, cheap)
    assert steps[-1].kind is StepKind.ACCEPT
    deep = replace(adjusted(EMPTY, BTC, qty=Decimal(1000), px=Decimal(100)), cash=Decimal(-99_000))
    assert "insufficient" in refused(asked(qty="5", ord_type=OrdType.LIMIT, price=Decimal("200.00")), book=deep)


def test_what_reduces_is_taken_whatever_the_balance() -> None:
    deep = replace(adjusted(EMPTY, BTC, qty=Decimal(1000), px=Decimal(100)), cash=Decimal(-99_000))
    _, steps = put(deep, asked(Side.SELL, "1000"))
    assert steps[-1].order.status is OrdStatus.FILLED
    assert "insufficient" in refused(asked(qty="0.1"), book=deep)


def test_a_taker_pays_slippage_and_impact_on_a_tick_and_never_beyond_a_limit() -> None:
    rules = replace(RULES, slippage_bps=Decimal(10), impact_bps=Decimal(20))
    quote = quoted(CLOCK, "99.99", "100.00", size="2")
    _, steps = put(EMPTY, asked(qty="1"), quote, rules)
    assert steps[-1].px == Decimal("100.20")
    _, steps = put(EMPTY, asked(Side.SELL, qty="1"), quote, rules)
    assert steps[-1].px == Decimal("99.79")
    _, steps = put(EMPTY, asked(qty="1", ord_type=OrdType.LIMIT, price=Decimal("100.05")), quote, rules)
    assert (steps[-1].px, steps[-1].maker) == (Decimal("100.05"), False)
    _, steps = put(EMPTY, asked(Side.SELL, "1", ord_type=OrdType.LIMIT, price=Decimal("99.95")), quote, rules)
    assert steps[-1].px == Decimal("99.95")


def test_a_maker_gets_its_own_price_and_pays_the_makers_fee() -> None:
    book, _ = put(EMPTY, asked(ord_type=OrdType.LIMIT, price=Decimal("99.00")))
    after, steps = on_quote(book, quoted(CLOCK, "98.00", "98.50"), NOW, RULES)
    assert (steps[0].px, steps[0].maker, steps[0].fee) == (Decimal("99.00"), True, Decimal("0.0495"))
    assert after.working[BTC] == {}


def test_a_size_is_had_once_per_quote() -> None:
    quote = quoted(CLOCK, "99.99", "100.00", size="1")
    book, first = put(EMPTY, asked(qty="0.6"), quote)
    assert first[-1].order.status is OrdStatus.FILLED
    book, second = place(book, OrderId("2"), asked(qty="0.6"), quote, NOW, RULES)
    assert second[-1].qty == Decimal("0.4")
    book, third = place(book, OrderId("3"), asked(qty="0.6"), quote, NOW, RULES)
    assert [step.kind for step in third] == [StepKind.ACCEPT]
    book, sold = place(book, OrderId("4"), asked(Side.SELL, qty="0.6"), quote, NOW, RULES)
    assert sold[-1].order.status is OrdStatus.FILLED
    later = replace(quote, at=quote.at + timedelta(seconds=1))
    book, steps = on_quote(book, later, NOW, RULES)
    assert [(step.order.order_id, step.qty) for step in steps] == [("2", Decimal("0.2")), ("3", Decimal("0.6"))]


def test_reduce_only_orders_go_with_the_position() -> None:
    book = adjusted(EMPTY, BTC, qty=Decimal(1), px=Decimal(100))
    book, _ = place(
        book,
        OrderId("stop"),
        asked(Side.SELL, ord_type=OrdType.STOP, stop_px=Decimal(90), reduce_only=True),
        CALM,
        NOW,
        RULES,
    )
    book, steps = place(book, OrderId("out"), asked(Side.SELL), CALM, NOW, RULES)
    assert [(step.order.order_id, step.kind) for step in steps] == [
        ("out", StepKind.ACCEPT),
        ("out", StepKind.FILL),
        ("stop", StepKind.CANCEL),
    ]
    assert "nothing is left to reduce" in steps[-1].order.text
    assert book.working[BTC] == {}


def test_a_stop_that_is_reached_already_acts_at_once() -> None:
    _, steps = put(EMPTY, asked(ord_type=OrdType.STOP, stop_px=Decimal("99.00")))
    assert [step.kind for step in steps] == [StepKind.ACCEPT, StepKind.TRIGGER, StepKind.FILL]


def test_immediate_or_cancel_counts_from_the_trigger() -> None:
    terms = asked(ord_type=OrdType.STOP, stop_px=Decimal("105.00"), time_in_force=TimeInForce.IOC, qty="3")
    book, steps = put(EMPTY, terms)
    assert [step.kind for step in steps] == [StepKind.ACCEPT]
    _, steps = on_quote(book, quoted(CLOCK, "105.00", "105.01", size="1"), NOW, RULES)
    assert [step.kind for step in steps] == [StepKind.TRIGGER, StepKind.FILL, StepKind.CANCEL]


def test_canceling_twice_changes_nothing() -> None:
    book, steps = put(EMPTY, asked(ord_type=OrdType.LIMIT, price=Decimal(90)))
    book, canceled = cancel(book, steps[-1].order, NOW)
    assert canceled[0].order.status is OrdStatus.CANCELED
    assert cancel(book, canceled[0].order, NOW) == (book, ())


def test_a_quote_of_a_symbol_without_orders_is_no_work() -> None:
    assert on_quote(EMPTY, CALM, NOW, RULES) == (EMPTY, ())


PRICES = st.integers(min_value=9_000, max_value=11_000).map(lambda cents: Decimal(cents) / 100)
LOTS = st.integers(min_value=1, max_value=20_000).map(lambda lots: Decimal(lots) / 1000)


@st.composite
def orders(draw: st.DrawFn) -> Terms:
    ord_type = draw(st.sampled_from(OrdType))
    return asked(
        draw(st.sampled_from(Side)),
        str(draw(LOTS)),
        ord_type,
        time_in_force=draw(st.sampled_from(TimeInForce)),
        price=draw(PRICES) if ord_type in (OrdType.LIMIT, OrdType.STOP_LIMIT) else None,
        stop_px=draw(PRICES) if ord_type in (OrdType.STOP, OrdType.STOP_LIMIT) else None,
        reduce_only=draw(st.booleans()),
    )


@st.composite
def quotes(draw: st.DrawFn) -> Quote:
    bid = draw(PRICES)
    ask = bid + draw(st.integers(min_value=0, max_value=50)) / Decimal(100)
    size = draw(st.none() | LOTS | st.just(Decimal(0)))
    return replace(quoted(CLOCK, str(bid), str(ask)), bid_size=size, ask_size=size)


ACTIONS = st.lists(st.one_of(orders(), quotes(), st.integers(min_value=0, max_value=30)), min_size=1, max_size=30)


@given(actions=ACTIONS)
@settings(max_examples=150, deadline=None)
def test_k7_money_and_quantities_are_conserved_whatever_happens(actions: list[Terms | Quote | int]) -> None:
    rules = replace(RULES, slippage_bps=Decimal(3), impact_bps=Decimal(7), maker_bps=Decimal(-1))
    book, quote = EMPTY, CALM
    steps: list[Step] = []
    for number, action in enumerate(actions):
        before = book
        if isinstance(action, Terms):
            book, new = place(book, OrderId(str(number)), action, quote, NOW, rules)
        elif isinstance(action, Quote):
            quote = replace(action, at=NOW + timedelta(seconds=number))
            book, new = on_quote(book, quote, NOW, rules)
        else:
            open_orders = [order for order in book.working.get(BTC, {}).values()]
            book, new = cancel(book, open_orders[action % len(open_orders)], NOW) if open_orders else (book, ())
        steps.extend(new)
        check_reduce_only(before, new)
        check_book(book, steps)


def check_reduce_only(before: Book, new: tuple[Step, ...]) -> None:
    held = before.qty(BTC)
    for step in new:
        if step.kind is not StepKind.FILL:
            continue
        after = held + step.order.terms.side.sign * step.qty
        if step.order.terms.reduce_only:
            assert abs(after) < abs(held)
            assert after * held >= 0
        held = after


def check_book(book: Book, steps: list[Step]) -> None:
    fills = [step for step in steps if step.kind is StepKind.FILL]
    signed = [step.order.terms.side.sign * step.qty for step in fills]
    assert book.qty(BTC) == sum(signed, Decimal(0))
    spent = sum((qty * step.px for qty, step in zip(signed, fills, strict=True)), Decimal(0))
    assert book.cash == EMPTY.cash - spent - sum((step.fee for step in fills), Decimal(0))
    newest = {step.order.order_id: step.order for step in steps}
    for order_id, order in newest.items():
        own = [step for step in fills if step.order.order_id == order_id]
        assert order.cum_qty == sum((step.qty for step in own), Decimal(0)) <= order.terms.order_qty
        assert order.cum_value == sum((step.qty * step.px for step in own), Decimal(0))
        assert order.fees == sum((step.fee for step in own), Decimal(0))
        assert (order.status is OrdStatus.FILLED) == (order.cum_qty == order.terms.order_qty)
        assert order.status.terminal == (order_id not in book.working.get(Symbol(BTC), {}))
        check_prices(order.terms, own)
    assert len({step.exec_id for step in fills}) == len(fills)


def check_prices(terms: Terms, fills: list[Step]) -> None:
    for step in fills:
        assert listed().on_tick(step.px)
        assert listed().in_lots(step.qty)
        if terms.price is not None:
            assert (step.px - terms.price) * terms.side.sign <= 0
