"""What became of a signal, in one chip and one line."""

from collections.abc import Callable
from typing import Any

import pytest

from nightdesk.model.denial import Denied, DenyCode
from nightdesk.model.enums import OrdStatus, SignalOutcome
from nightdesk.model.identifiers import AccountId, VenueId
from nightdesk.model.order import Order
from nightdesk.runtime.reader import Reader
from nightdesk.web.feed import FeedRow, feed
from nightdesk.web.store import Filters, signals
from tests.web.world import World

VENUES = ("paper", "north", "south")


@pytest.fixture
def newest(world: World) -> Callable[[], FeedRow]:
    """The first row of the feed."""

    def read() -> FeedRow:
        reader = Reader(world.database)
        rows = reader.run(lambda tx: feed(tx, signals(tx, Filters(), limit=1)))
        reader.close()
        return rows[0]

    return read


def three(world: World) -> list[Order]:
    """One signal with a leg on each venue."""
    for name in VENUES[1:]:
        world.account(name, name)
    signal = world.signal()
    legs = [world.order(signal, i, account_id=AccountId(name), venue=VenueId(name)) for i, name in enumerate(VENUES)]
    world.accepted(signal, *legs)
    return legs


def end(world: World, order: Order, status: OrdStatus, text: str) -> None:
    """The order's row says that it ended so."""
    params: tuple[Any, ...] = (status.value, text, order.cl_ord_id)
    world.write(
        lambda tx: tx.execute("UPDATE orders SET ord_status = ?, is_open = 0, text = ? WHERE cl_ord_id = ?", params)
    )


def test_all_legs_filled_is_one_word(world: World, newest: Callable[[], FeedRow]) -> None:
    for leg in three(world):
        world.filled(leg)
    row = newest()
    assert (row.colour, row.word, row.detail) == ("good", "Filled on 3 of 3", "avg 64,000.00 on paper")
    assert row.latency == "2.9 ms"
    assert row.href.startswith("/signals/")


def test_one_leg_in_doubt_is_said_before_the_fills(world: World, newest: Callable[[], FeedRow]) -> None:
    first, second, third = three(world)
    world.filled(first)
    world.filled(third)
    world.unanswered(second)
    row = newest()
    assert (row.colour, row.word, row.detail) == ("warn", "In doubt on north", "filled on 2 of 3")


def test_a_refused_leg_is_said_with_its_reason(world: World, newest: Callable[[], FeedRow]) -> None:
    first, second, third = three(world)
    world.filled(first)
    world.filled(second)
    end(world, third, OrdStatus.REJECTED, "no margin")
    row = newest()
    assert (row.colour, row.word, row.detail) == ("warn", "Filled on 2 of 3", "1 leg refused: no margin")


def test_nothing_filled_and_something_refused_is_bad(world: World, newest: Callable[[], FeedRow]) -> None:
    end(world, three(world)[0], OrdStatus.DENIED, "too large")
    assert (newest().colour, newest().word) == ("bad", "Filled on 0 of 3")


def test_legs_on_their_way_share_a_word(world: World, newest: Callable[[], FeedRow]) -> None:
    three(world)
    assert newest().word == "Being sent on 3 venues"


@pytest.mark.parametrize(
    ("outcome", "code", "word"),
    [
        (SignalOutcome.REFUSED, DenyCode.UNKNOWN_SYMBOL, "Refused: unknown symbol"),
        (SignalOutcome.DUPLICATE, DenyCode.DUPLICATE_SIGNAL, "Duplicate"),
        (SignalOutcome.EXPIRED, DenyCode.STALE_SIGNAL, "Too old"),
        (SignalOutcome.NO_ACTION, None, "No action"),
        (SignalOutcome.ACCEPTED, None, "Taken"),
    ],
)
def test_what_was_not_traded_says_why(
    world: World, newest: Callable[[], FeedRow], outcome: SignalOutcome, code: DenyCode | None, word: str
) -> None:
    denied = Denied(code=code, text="the reason") if code is not None else None
    world.record(world.signal(), outcome, denied=denied, text="the reason")
    row = newest()
    assert (row.word, row.detail) == (word, "the reason")
    assert row.latency == ("" if outcome is SignalOutcome.NO_ACTION else "not sent")
