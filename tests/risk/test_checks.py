"""X4: every check with the value just inside and just outside its limit, and what the refusal says."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import OrdType, Side, TimeInForce, TradingState
from nightdesk.model.identifiers import Sleeve
from nightdesk.risk.checks import ALWAYS, FOR_OPENING
from nightdesk.risk.config import SymbolLimits
from nightdesk.risk.proposal import plain
from tests.risk.judging import BARE, QUOTE, a_book, a_sell, denied, hold, limits, passes
from tests.samples import ABLE, BTC, ETH, HAND, START, WIDE, D, a_quote, an_order

SMALL, LARGE = an_order(order_qty=D("1.5")), an_order(order_qty=D("1.501"))


# Each row: what holds just inside the limit, what holds just outside, the code, and the field, limit and value told.
EDGES: dict[str, tuple[dict[str, Any], dict[str, Any], DenyCode, str | None, str, str]] = {
    "quantity of one order": (
        {"order": SMALL, "limits": limits(max_order_qty=D("1.5"))},
        {"order": LARGE, "limits": limits(max_order_qty=D("1.5"))},
        DenyCode.MAX_ORDER_QTY, "size", "1.5", "1.501",
    ),
    "value of one order, at the market": (
        {"order": SMALL, "limits": limits(max_order_notional=D(150))},
        {"order": LARGE, "limits": limits(max_order_notional=D(150))},
        DenyCode.MAX_ORDER_NOTIONAL, "size", "150", "150.1",
    ),
    "value of one order, at its own limit price": (
        {"order": an_order(ord_type=OrdType.LIMIT, price=D(101)), "limits": limits(max_order_notional=D(101))},
        {"order": an_order(ord_type=OrdType.LIMIT, price=D(101)), "limits": limits(max_order_notional=D("100.99"))},
        DenyCode.MAX_ORDER_NOTIONAL, "size", "100.99", "101",
    ),
    "a market order is valued at the market, whatever price it names": (
        {"order": an_order(price=D(1)), "limits": limits(max_order_notional=D(100))},
        {"order": an_order(price=D(1)), "limits": limits(max_order_notional=D("99.99"))},
        DenyCode.MAX_ORDER_NOTIONAL, "size", "99.99", "100",
    ),
    "a stop the market is past is valued at the market": (
        {"order": an_order(ord_type=OrdType.STOP, stop_px=D(1)), "limits": limits(max_order_notional=D(100))},
        {"order": an_order(ord_type=OrdType.STOP, stop_px=D(1)), "limits": limits(max_order_notional=D("99.99"))},
        DenyCode.MAX_ORDER_NOTIONAL, "size", "99.99", "100",
    ),
    "a stop the market has not reached is valued at its own price": (
        {"order": an_order(ord_type=OrdType.STOP, stop_px=D(120)), "limits": limits(max_order_notional=D(120))},
        {"order": an_order(ord_type=OrdType.STOP, stop_px=D(120)), "limits": limits(max_order_notional=D("119.99"))},
        DenyCode.MAX_ORDER_NOTIONAL, "size", "119.99", "120",
    ),
    "exposure in the symbol, with what is held": (
        {"book": a_book(btc="4"), "order": SMALL, "limits": limits(max_symbol_exposure=D(550))},
        {"book": a_book(btc="4"), "order": LARGE, "limits": limits(max_symbol_exposure=D(550))},
        DenyCode.MAX_SYMBOL_EXPOSURE, "size", "550", "550.1",
    ),
    "exposure in the symbol, short": (
        {"book": a_book(btc="-4"), "order": a_sell("1.5"), "limits": limits(max_symbol_exposure=D(550))},
        {"book": a_book(btc="-4"), "order": a_sell("1.501"), "limits": limits(max_symbol_exposure=D(550))},
        DenyCode.MAX_SYMBOL_EXPOSURE, "size", "550", "550.1",
    ),
    "a flip counts from the other side of zero": (
        {"book": a_book(btc="-4"), "order": an_order(order_qty=D(8)), "limits": limits(max_symbol_exposure=D(400))},
        {"book": a_book(btc="-4"), "order": an_order(order_qty=D("8.1")), "limits": limits(max_symbol_exposure=D(400))},
        DenyCode.MAX_SYMBOL_EXPOSURE, "size", "400", "410",
    ),
    "total exposure over the symbols": (
        {"book": a_book(eth="-40"), "order": SMALL, "limits": limits(max_total_exposure=D(550))},
        {"book": a_book(eth="-40"), "order": LARGE, "limits": limits(max_total_exposure=D(550))},
        DenyCode.MAX_TOTAL_EXPOSURE, "size", "550", "550.1",
    ),
    "leverage": (
        {"book": a_book("600", eth="-40"), "order": SMALL, "limits": limits(max_leverage=D("0.91666667"))},
        {"book": a_book("600", eth="-40"), "order": LARGE, "limits": limits(max_leverage=D("0.91666667"))},
        DenyCode.MAX_LEVERAGE, "size", "0.91666667", "0.91683333",
    ),
    "orders in a minute": (
        {"recent_orders": 4, "limits": limits(max_orders_per_minute=5)},
        {"recent_orders": 5, "limits": limits(max_orders_per_minute=5)},
        DenyCode.RATE_PER_MINUTE, None, "5", "5",
    ),
    "orders of one signal": (
        {"siblings": 2, "limits": limits(max_children_per_signal=3)},
        {"siblings": 3, "limits": limits(max_children_per_signal=3)},
        DenyCode.CHILDREN_PER_PARENT, "size", "3", "4",
    ),
    "today's loss": (
        {"book": a_book(), "prices": {}, "limits": limits(max_daily_loss=D("0.01"))},
        {"book": a_book(btc="4"), "quote": a_quote("97.5"), "limits": limits(max_daily_loss=D(10))},
        DenyCode.DAILY_LOSS, None, "10", "10",
    ),
    "age of the price": (
        {"now": START + timedelta(seconds=30), "limits": limits(stale_price_seconds=30.0)},
        {"now": START + timedelta(seconds=30.1), "limits": limits(stale_price_seconds=30.0)},
        DenyCode.PRICE_STALE, None, "30 s", "30.1 s",
    ),
    "a price from the future": (
        {"now": START - timedelta(seconds=30), "limits": limits(stale_price_seconds=30.0)},
        {"now": START - timedelta(seconds=30.1), "limits": limits(stale_price_seconds=30.0)},
        DenyCode.PRICE_STALE, None, "30 s", "30.1 s",
    ),
    "collar above the market for a buy": (
        {"order": an_order(ord_type=OrdType.LIMIT, price=D(105)), "limits": limits(price_collar_percent=D(5))},
        {"order": an_order(ord_type=OrdType.LIMIT, price=D("105.01")), "limits": limits(price_collar_percent=D(5))},
        DenyCode.PRICE_COLLAR, "price", "5 %", "5.01 %",
    ),
    "collar below the market for a sell": (
        {"order": a_sell(ord_type=OrdType.LIMIT, price=D(95)), "limits": limits(price_collar_percent=D(5))},
        {"order": a_sell(ord_type=OrdType.STOP_LIMIT, stop_px=D(96), price=D("94.99")),
         "limits": limits(price_collar_percent=D(5))},
        DenyCode.PRICE_COLLAR, "price", "5 %", "5.01 %",
    ),
    "collar for the price the signal saw, either way": (
        {"signal_px": D(95), "limits": limits(price_collar_percent=D(5))},
        {"signal_px": D("94.99"), "limits": limits(price_collar_percent=D(5))},
        DenyCode.PRICE_COLLAR, "price", "5 %", "5.01 %",
    ),
    "lots": (
        {"order": an_order(order_qty=D("0.001"))}, {"order": an_order(order_qty=D("0.0015"))},
        DenyCode.QTY_INVALID, "size", "0.001", "0.0015",
    ),
    "a quantity at all": (
        {"order": an_order(order_qty=D("0.001"))}, {"order": an_order(order_qty=D(0))},
        DenyCode.QTY_INVALID, "size", "0.001", "0",
    ),
    "the venue's least quantity": (
        {"order": an_order(order_qty=D("0.01")), "instrument": {"min_qty": D("0.01")}},
        {"order": an_order(order_qty=D("0.009")), "instrument": {"min_qty": D("0.01")}},
        DenyCode.QTY_BELOW_MINIMUM, "size", "0.01 BTC and 0 USD", "0.009",
    ),
    "the venue's least value": (
        {"order": an_order(order_qty=D("0.05")), "instrument": {"min_notional": D(5)}},
        {"order": an_order(order_qty=D("0.049")), "instrument": {"min_notional": D(5)}},
        DenyCode.QTY_BELOW_MINIMUM, "size", "0 BTC and 5 USD", "0.049",
    ),
    "a limit price on a tick": (
        {"order": an_order(ord_type=OrdType.LIMIT, price=D("100.01"))},
        {"order": an_order(ord_type=OrdType.LIMIT, price=D("100.015"))},
        DenyCode.FIELD_INVALID, "price", "0.01", "100.015",
    ),
    "a stop price above zero": (
        {"order": an_order(ord_type=OrdType.STOP, stop_px=D("0.01"))},
        {"order": an_order(ord_type=OrdType.STOP, stop_px=D(0))},
        DenyCode.FIELD_INVALID, "stop_px", "0.01", "0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EDGES)
def test_each_limit_lets_its_own_value_pass_and_the_next_one_not(name: str) -> None:
    """X4: the code, the field, the limit and the value are told, as data and in the text."""
    inside, outside, code, field, limit, value = EDGES[name]

    passes(**inside)
    refusal = denied(**outside)

    assert (refusal.code, refusal.field, refusal.limit, refusal.value) == (code, field, limit, value)
    assert value.removesuffix(" %").removesuffix(" s") in refusal.text
    assert all(part in refusal.text for part in limit.removesuffix(" s").split(" and "))


def test_the_value_of_all_open_orders() -> None:
    book = a_book()
    book.reserve(ETH, HAND, Side.SELL, D(40), D(10))

    passes(SMALL, book=book, limits=limits(max_open_order_value=D(550)))
    refusal = denied(LARGE, book=book, limits=limits(max_open_order_value=D(550)))

    assert (refusal.code, refusal.limit, refusal.value) == (DenyCode.MAX_OPEN_ORDER_VALUE, "550", "550.1")


def test_what_may_still_fill_counts_like_what_is_held() -> None:
    """I6: reservations of live and doubtful orders."""
    book = a_book()
    book.reserve(BTC, HAND, Side.BUY, D(4), D(100))

    passes(SMALL, book=book, limits=limits(max_symbol_exposure=D(550)))
    assert denied(LARGE, book=book, limits=limits(max_symbol_exposure=D(550))).code is DenyCode.MAX_SYMBOL_EXPOSURE


def test_another_sleeve_s_position_counts_and_does_not_offset() -> None:
    book = a_book()
    hold(book, D(4), sleeve=Sleeve("other"))

    assert denied(LARGE, book=book, limits=limits(max_symbol_exposure=D(550))).code is DenyCode.MAX_SYMBOL_EXPOSURE
    passes(a_sell("4"), book=book, limits=limits(max_symbol_exposure=D(400)))
    assert denied(a_sell("4.001"), book=book, limits=limits(max_symbol_exposure=D(400))).value == "400.1"


def test_without_equity_nothing_is_opened() -> None:
    refusal = denied(book=a_book("0"))

    assert (refusal.code, refusal.value) == (DenyCode.MAX_LEVERAGE, "none")
    assert "equity is 0 USD" in refusal.text


@pytest.mark.parametrize("quote", [None, a_quote("0", "1"), a_quote("-1", "1"), a_quote("101", "100")])
def test_without_a_usable_price_nothing_is_opened(quote: Any) -> None:
    """3.7: missing, zero or nonsense: deny."""
    refusal = denied(quote=quote)

    assert (refusal.code, refusal.field) == (DenyCode.PRICE_MISSING, "symbol")
    assert "BTC-USD" in refusal.text


def test_an_equal_order_within_the_guard_is_denied() -> None:
    guarded = limits(duplicate_guard_seconds=2.5)

    passes(twin=False, limits=guarded)
    refusal = denied(twin=True, limits=guarded)

    assert (refusal.code, refusal.limit) == (DenyCode.DUPLICATE_ORDER, "2.5 s")
    assert "2.5 s" in refusal.text


@pytest.mark.parametrize(
    ("order", "field"),
    [
        (an_order(ord_type=OrdType.LIMIT), "price"),
        (an_order(ord_type=OrdType.STOP), "stop_px"),
        (an_order(ord_type=OrdType.STOP_LIMIT, price=D(100)), "stop_px"),
        (an_order(ord_type=OrdType.STOP_LIMIT, stop_px=D(100)), "price"),
    ],
)
def test_an_order_that_lacks_its_price_is_denied(order: Any, field: str) -> None:
    refusal = denied(order)

    assert (refusal.code, refusal.field) == (DenyCode.FIELD_MISSING, field)


@pytest.mark.parametrize(
    ("order", "field", "value", "able"),
    [
        (an_order(ord_type=OrdType.STOP, stop_px=D(90)), "order_type", "STOP", "LIMIT, MARKET"),
        (an_order(time_in_force=TimeInForce.FOK), "time_in_force", "FOK", "GTC"),
        (an_order(time_in_force=TimeInForce.GTC, reduce_only=True), "reduce_only", "true", "false"),
    ],
)
def test_what_the_venue_cannot_do_is_refused_and_not_replaced(order: Any, field: str, value: str, able: str) -> None:
    refusal = denied(order, capabilities=BARE)

    assert (refusal.code, refusal.field, refusal.value, refusal.limit) == (
        DenyCode.ORD_TYPE_UNSUPPORTED, field, value, able,
    )  # fmt: skip
    assert value in refusal.text
    passes(an_order(time_in_force=TimeInForce.GTC), capabilities=BARE)


def test_an_approved_order_carries_the_mark_of_every_check_with_a_limit() -> None:
    """X4: the story of an order shows what it was judged by."""
    marks = {name: (limit, value) for name, limit, value in passes(SMALL, limits=limits(max_order_qty=D(2))).marks}

    assert {
        "trading state", "order type", "price age", "quantity", "order quantity", "order value", "symbol exposure",
        "open order value", "total exposure", "leverage", "daily loss", "order rate", "orders of the signal",
    } == marks.keys()  # fmt: skip
    assert marks["order quantity"] == (D(2), D("1.5"))
    assert marks["symbol exposure"] == (WIDE.max_symbol_exposure, 150)


def test_a_collar_leaves_its_mark_where_there_is_a_price_to_judge() -> None:
    order = an_order(ord_type=OrdType.LIMIT, price=D(99))

    assert ("price collar", "5 %", "0.00 %") in passes(order).marks


def test_a_symbol_s_own_limits_take_the_place_of_the_general_ones() -> None:
    own = SymbolLimits(
        max_order_qty=D(1),
        max_order_notional=D(100),
        price_collar_percent=D(1),
        max_symbol_exposure=D(100),
        stale_price_seconds=5.0,
    )
    general = limits(symbols={"BTC-USD": own}, max_order_qty=D(10))
    stranger = an_order(symbol=ETH, order_qty=D(10))

    assert denied(an_order(order_qty=D("1.001")), limits=general).limit == "1"
    assert denied(an_order(ord_type=OrdType.LIMIT, price=D("101.01")), limits=general).limit == "1 %"
    assert denied(now=START + timedelta(seconds=6), limits=general).limit == "5 s"
    assert denied(book=a_book(btc="0.5"), limits=general).limit == "100"
    passes(limits=general)
    passes(stranger, limits=general, quote=a_quote("10", symbol=ETH), now=START + timedelta(seconds=6))


def test_a_symbol_limit_left_out_keeps_the_general_one() -> None:
    general = limits(symbols={"BTC-USD": SymbolLimits(max_order_qty=D(5))}, max_order_notional=D(150))

    assert general.for_symbol("BTC-USD").max_order_notional == 150
    assert general.for_symbol("BTC-USD").max_order_qty == 5
    assert general.for_symbol("ETH-USD") is general
    assert denied(LARGE, limits=general).code is DenyCode.MAX_ORDER_NOTIONAL


def test_the_first_check_that_fails_is_the_one_told() -> None:
    refusal = denied(an_order(order_qty=D("0.0015")), quote=None, state=TradingState.HALTED)

    assert refusal.code is DenyCode.HALTED


def test_exits_pass_a_part_of_the_checks_of_entries() -> None:
    assert set(ALWAYS) < set(FOR_OPENING)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", "0"), ("10", "10"), ("1.500", "1.5"), ("1E+3", "1000"), ("0.123456789", "0.12345679"),
        ("1E-8", "0.00000001"), ("-0.5", "-0.5"), ("100.00", "100"), ("1E-9", "0"),
    ],
)  # fmt: skip
def test_numbers_are_told_without_exponents(value: str, text: str) -> None:
    assert plain(Decimal(value)) == text


def test_the_quote_of_the_tests_is_fresh() -> None:
    """So that each denial above is for its own reason."""
    assert QUOTE.at == START
    assert ABLE.reduce_only
