"""Route: from what a signal asks to one draft per leg, from the sleeve's own position and never beyond it."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import OrdType, Side, TimeInForce
from nightdesk.model.signal import Aim, Ask, Size, SizeUnit
from nightdesk.model.venue import Capabilities
from nightdesk.orders.intent import Destination, Intent, Want
from nightdesk.orders.route import Draft, draft
from tests.risk.judging import a_book
from tests.samples import ABLE, BTC, FAKE, HAND, MAIN, D, a_quote, a_signal, an_ask, an_instrument


def drafted(
    ask: Ask,
    *,
    held: str = "0",
    buys: str = "0",
    sells: str = "0",
    quoted: bool = True,
    capabilities: Capabilities = ABLE,
    **rules: Any,
) -> Draft | str:
    book = a_book("100000", btc=held)
    book.reserve(BTC, HAND, Side.BUY, D(buys), D(100))
    book.reserve(BTC, HAND, Side.SELL, D(sells), D(100))
    where = Destination(account_id=MAIN, venue=FAKE, instrument=an_instrument(), capabilities=capabilities)
    want = Want(ask=ask, symbol=BTC, destinations=(where,), quote=a_quote("100") if quoted else None)
    intent = Intent(
        signal=a_signal(1, ask),
        wants=(want,),
        window_seconds=60,
        default_size=None,
        max_qty=None,
        max_notional=None,
        allow_short=True,
        hold=False,
        config_version="v1",
    )
    return draft(want, where, replace(intent, **rules), book, book.stake(BTC, HAND))


def leg(*args: Any, **kwargs: Any) -> tuple[Side, Decimal, bool]:
    made = drafted(*args, **kwargs)
    assert isinstance(made, Draft), made
    assert made.denied is None
    return made.side, made.order_qty, made.reduce_only


def refused(*args: Any, **kwargs: Any) -> tuple[DenyCode, str | None]:
    made = drafted(*args, **kwargs)
    assert isinstance(made, Draft), made
    assert made.denied is not None
    return made.denied.code, made.denied.field


def idle(*args: Any, **kwargs: Any) -> str:
    made = drafted(*args, **kwargs)
    assert isinstance(made, str), made
    return made


def target(qty: str) -> Ask:
    return an_ask(None, None, aim=Aim.TARGET, target_qty=D(qty))


def close(side: Side | None = None, size: Size | None = None) -> Ask:
    return replace(an_ask(side, None, aim=Aim.CLOSE), size=size)


HALF = Size(value=D(50), unit=SizeUnit.PERCENT_OF_POSITION)


@pytest.mark.parametrize(
    ("ask", "state", "expected"),
    [
        (an_ask(Side.BUY, "1.2345"), {}, (Side.BUY, "1.234", False)),
        (an_ask(Side.SELL, "2"), {}, (Side.SELL, "2", False)),
        (an_ask(Side.SELL, "2", reduce_only=True), {"held": "5"}, (Side.SELL, "2", True)),
        (an_ask(Side.SELL, "9", reduce_only=True), {"held": "5", "sells": "1"}, (Side.SELL, "4", True)),
        (an_ask(Side.SELL, "9", reduce_only=True), {}, (Side.SELL, "9", True)),
        (target("3"), {}, (Side.BUY, "3", False)),
        (target("3"), {"held": "1"}, (Side.BUY, "2", False)),
        (target("3"), {"held": "1", "buys": "0.5"}, (Side.BUY, "1.5", False)),
        (target("3"), {"held": "5"}, (Side.SELL, "2", True)),
        (target("-3"), {"held": "5"}, (Side.SELL, "8", False)),
        (target("0"), {"held": "-5"}, (Side.BUY, "5", True)),
        (close(), {"held": "5"}, (Side.SELL, "5", True)),
        (close(), {"held": "5", "sells": "2"}, (Side.SELL, "3", True)),
        (close(), {"held": "-5"}, (Side.BUY, "5", True)),
        (close(Side.BUY), {"held": "5"}, (Side.SELL, "5", True)),
        (close(Side.SELL), {"held": "-5"}, (Side.BUY, "5", True)),
        (close(size=HALF), {"held": "5"}, (Side.SELL, "2.5", True)),
        (close(size=Size(value=D(9))), {"held": "5"}, (Side.SELL, "5", True)),
    ],
)
def test_what_each_ask_comes_to(ask: Ask, state: dict[str, Any], expected: tuple[Side, str, bool]) -> None:
    side, qty, reduces = expected
    assert leg(ask, **state) == (side, D(qty), reduces)


@pytest.mark.parametrize(
    ("ask", "state", "words"),
    [
        (target("3"), {"held": "3"}, "is, or is on its way to, 3 already"),
        (target("3"), {"held": "1", "buys": "2"}, "is, or is on its way to, 3 already"),
        (target("3.0004"), {"held": "3"}, "3 already"),
        (close(), {}, "there is no position of hand in BTC-USD to close"),
        (close(Side.BUY), {"held": "-5"}, "there is no long position of hand"),
        (close(Side.SELL), {"held": "5"}, "there is no short position of hand"),
        (close(), {"held": "5", "sells": "5"}, "is being closed already"),
        (an_ask(Side.SELL, "1"), {"allow_short": False}, "the hook does not short, and hand holds no BTC-USD"),
    ],
)
def test_what_there_is_nothing_to_do_for(ask: Ask, state: dict[str, Any], words: str) -> None:
    assert words in idle(ask, **state)


def test_a_hook_that_does_not_short_sells_no_more_than_it_holds() -> None:
    assert leg(an_ask(Side.SELL, "9"), held="5", allow_short=False) == (Side.SELL, 5, False)
    assert leg(target("-3"), held="5", allow_short=False)[:2] == (Side.SELL, 5)
    assert leg(an_ask(Side.SELL, "5"), held="5", allow_short=False)[:2] == (Side.SELL, 5)


def test_sizes_come_from_the_ask_then_from_the_hook() -> None:
    default = Size(value=D(250), unit=SizeUnit.QUOTE)

    assert leg(an_ask(Side.BUY, None), default_size=default)[1] == D("2.5")
    assert leg(an_ask(Side.BUY, "1"), default_size=default)[1] == 1
    assert leg(an_ask(Side.BUY, None, price=D(50), ord_type=OrdType.LIMIT), default_size=default)[1] == 5


@pytest.mark.parametrize(
    ("ask", "state", "expected"),
    [
        (an_ask(Side.BUY, None), {}, (DenyCode.SIZE_UNKNOWN, "size")),
        (an_ask(None, "1"), {}, (DenyCode.FIELD_MISSING, "side")),
        (an_ask(Side.BUY, "0.0009"), {}, (DenyCode.QTY_INVALID, "size")),
        (
            an_ask(Side.BUY, None),
            {"default_size": Size(value=D(1), unit=SizeUnit.QUOTE), "quoted": False},
            (DenyCode.SIZE_UNKNOWN, "size"),
        ),
        (an_ask(Side.BUY, "2"), {"max_qty": D("1.999")}, (DenyCode.SIZE_ABOVE_HOOK_MAXIMUM, "size")),
        (an_ask(Side.BUY, "2"), {"max_notional": D("199.99")}, (DenyCode.SIZE_ABOVE_HOOK_MAXIMUM, "size")),
    ],
)
def test_what_is_refused_before_any_check(ask: Ask, state: dict[str, Any], expected: tuple[DenyCode, str]) -> None:
    assert refused(ask, **state) == expected


def test_the_hook_s_maximum_lets_its_own_value_pass() -> None:
    assert leg(an_ask(Side.BUY, "2"), max_qty=D(2), max_notional=D(200))[1] == 2
    assert leg(an_ask(Side.BUY, "2"), max_notional=D(1), quoted=False)[1] == 2


@pytest.mark.parametrize("ask", [close(), target("0"), close(size=Size(value=D(9)))])
def test_the_hook_s_maximum_stands_in_the_way_of_no_exit(ask: Ask) -> None:
    """X4: a position that several alerts have built is closed by one."""
    assert leg(ask, held="5", max_qty=D(1), max_notional=D(100))[:2] == (Side.SELL, 5)


@pytest.mark.parametrize("ask", [target("-0.001"), an_ask(Side.SELL, "5")])
def test_the_hook_s_maximum_holds_for_every_size_that_is_asked_for(ask: Ask) -> None:
    """K2."""
    assert refused(ask, held="5", max_qty=D("4.9"))[0] is DenyCode.SIZE_ABOVE_HOOK_MAXIMUM


def test_a_market_order_is_sized_and_bounded_at_the_market_whatever_price_it_names() -> None:
    in_money = Size(value=D(100), unit=SizeUnit.QUOTE)

    assert leg(replace(an_ask(price=D(1)), size=in_money))[1] == 1
    assert refused(an_ask(Side.BUY, "2", price=D(1)), max_notional=D(199))[0] is DenyCode.SIZE_ABOVE_HOOK_MAXIMUM


def test_a_venue_without_reduce_only_is_not_asked_for_it() -> None:
    assert leg(close(), held="5", capabilities=replace(ABLE, reduce_only=False)) == (Side.SELL, 5, False)
    assert leg(target("0"), held="5", capabilities=replace(ABLE, reduce_only=False)) == (Side.SELL, 5, False)


@pytest.mark.parametrize(
    ("ask", "able", "tif"),
    [
        (an_ask(), set(TimeInForce), TimeInForce.IOC),
        (an_ask(), {TimeInForce.GTC}, TimeInForce.GTC),
        (an_ask(ord_type=OrdType.LIMIT, price=D(99)), set(TimeInForce), TimeInForce.GTC),
        (an_ask(time_in_force=TimeInForce.FOK), {TimeInForce.GTC}, TimeInForce.FOK),
    ],
)
def test_how_long_it_lives_where_the_signal_does_not_say(ask: Ask, able: set[TimeInForce], tif: TimeInForce) -> None:
    made = drafted(ask, capabilities=replace(ABLE, times_in_force=frozenset(able)))

    assert isinstance(made, Draft)
    assert made.time_in_force is tif
