"""One order told to people, the same on the page and in the terminal. X5."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from nightdesk.model.denial import Denied, DenyCode
from nightdesk.model.enums import OrdStatus
from nightdesk.model.execution import Fact, FactKind
from nightdesk.model.identifiers import ClOrdId
from nightdesk.model.order import Order
from nightdesk.runtime.database import to_micros
from nightdesk.runtime.reader import Reader
from nightdesk.web.history.records import Check
from nightdesk.web.history.store import history
from nightdesk.web.story import Story, found_words, since, story_lines, tell
from tests.web.world import START, World

Told = Callable[[Order], tuple[Story, str]]


@pytest.fixture
def told(world: World) -> Told:
    """Tells the story of an order, as parts and as text."""

    def tell_it(order: Order) -> tuple[Story, str]:
        reader = Reader(world.database)
        found = reader.run(lambda tx: history(tx, ClOrdId(order.cl_ord_id)))
        reader.close()
        assert found is not None
        return tell(found), "\n".join(story_lines(found))

    return tell_it


def ordered(world: World) -> Order:
    signal = world.signal()
    order = world.order(signal)
    world.accepted(signal, order)
    return order


def test_a_fill_is_told_from_the_alert_to_the_last_byte(world: World, told: Told) -> None:
    order = ordered(world)
    world.filled(order, px="63850.5")
    story, text = told(order)
    assert story.headline == "Bought 0.5 BTC-USD on paper at 63,850.50"
    assert "the trend hook asked for it" in story.meaning
    assert [step.title for step in story.steps] == [
        "Alert received",
        "New, not seen before",
        "Passed 7 checks",
        "Stored, then answered the sender",
        "Sent to paper",
        "Accepted",
        "Filled 0.5 at 63,850.50",
    ]
    assert [name for name, _ in story.spans] == [
        "read and decided",
        "stored and sent",
        "answered by the venue",
        "filled",
    ]
    for words in ("+1.3 ms", "+2.9 ms", "32,000 of 25,000", '"token":"***"', "nd-", "fee 1.28 USD"):
        assert words in text


def test_a_doubt_says_that_nothing_is_guessed(world: World, told: Told) -> None:
    order = ordered(world)
    world.unanswered(order)
    story, text = told(order)
    assert story.headline == "In doubt: buy 0.5 BTC-USD on paper"
    assert "Nothing is sent again on a guess" in story.meaning
    assert story.steps[-1].mark == "doubt"
    assert "◆ No answer: not known whether paper took it" in text


def test_x4_a_denial_names_the_check_the_limit_and_the_value(world: World, told: Told) -> None:
    signal = world.signal()
    order = world.order(signal)
    text = "order value: the value would be 32000 USD, the limit is 25000."
    world.denied(
        signal, order, Denied(code=DenyCode.MAX_ORDER_NOTIONAL, text=text, field="size", limit="25000", value="32000")
    )
    story, lines = told(order)
    assert story.headline == "Denied by order value: buy 0.5 BTC-USD on paper"
    last = story.steps[-1]
    assert (last.title, last.aside, last.mark) == ("Denied: order value", "MAX_ORDER_NOTIONAL", "bad")
    assert last.checks == (Check(name="order value", limit="25000", value="32000"),)
    assert "32,000 of 25,000" in lines
    assert "Stored, then answered" not in lines


def test_a_part_of_it_is_said_to_be_one(world: World, told: Told) -> None:
    order = ordered(world)
    world.filled(order, qty=Decimal("0.2"))
    assert told(order)[0].headline == "Bought 0.2 of 0.5 BTC-USD on paper at 64,000.00"


def test_a_rejection_is_in_the_venues_own_words(world: World, told: Told) -> None:
    order = ordered(world)
    world.sent(order)
    at = order.created_at + timedelta(milliseconds=40)
    world.facts(
        order,
        Fact(
            key="status:REJECTED",
            kind=FactKind.STATUS,
            stamp=to_micros(at),
            at=at,
            origin="submit",
            ord_status=OrdStatus.REJECTED,
            text="margin too small",
        ),
    )
    story, text = told(order)
    assert story.headline == "Rejected by paper: buy 0.5 BTC-USD"
    assert "margin too small" in text
    assert story.colour == "bad"


def test_a_held_order_waits_for_you(world: World, told: Told) -> None:
    order = ordered(world)
    world.held(order)
    assert told(order)[0].headline == "Waits for you: buy 0.5 BTC-USD on paper"


@pytest.mark.parametrize("kind", [*FactKind])
def test_every_kind_of_fact_can_be_told(world: World, told: Told, kind: FactKind) -> None:
    order = ordered(world)
    at = order.created_at + timedelta(seconds=1)
    status = OrdStatus.CANCELED if kind in (FactKind.STATUS, FactKind.DECISION) else None
    fact = Fact(
        key=f"{kind}:1",
        kind=kind,
        stamp=to_micros(at),
        at=at,
        origin="operator",
        ord_status=status,
        code=DenyCode.NOT_SENT if kind is FactKind.DENIED else None,
        last_qty=Decimal("0.1") if kind is FactKind.FILL else None,
        last_px=Decimal(64000) if kind is FactKind.FILL else None,
        text="because",
    )
    world.facts(order, fact)
    story, text = told(order)
    assert [step for step in story.steps if step.at == at]
    assert "because" in text or kind is FactKind.FILL


@pytest.mark.parametrize("status", [*OrdStatus])
def test_every_status_has_a_headline(world: World, told: Told, status: OrdStatus) -> None:
    order = ordered(world)
    world.write(
        lambda tx: tx.execute("UPDATE orders SET ord_status = ? WHERE cl_ord_id = ?", (status.value, order.cl_ord_id))
    )
    headline = told(order)[0].headline
    assert "BTC-USD" in headline
    assert "None" not in headline


def test_times_before_the_alert_are_not_negative() -> None:
    assert since(START - timedelta(seconds=1), START) == "before"
    assert since(START, START) == "0 ms"
    assert since(START + timedelta(milliseconds=2.94), START) == "+2.9 ms"


def test_a_check_shows_its_limit_where_that_is_a_number() -> None:
    assert found_words(Check(name="a", limit="30 s", value="0.25 s")) == "0.25 s of 30 s"
    assert found_words(Check(name="a", limit="5000", value="1706.5")) == "1,706.5 of 5,000"
    assert found_words(Check(name="a", limit="ACTIVE", value="ACTIVE")) == "ACTIVE"
    assert found_words(Check(name="a", limit="", value="x")) == "x"
    assert found_words(Check(name="leverage", limit="3", value="0.0135975449054132759")) == "0.0135975449054 of 3"
    assert found_words(Check(name="quantity", limit="0.0001", value="0.5")) == "0.5, in steps of 0.0001"
