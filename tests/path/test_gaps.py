"""Row 38, the other side: what is on its way between the desk and a venue is not a mismatch."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

import pytest

from nightdesk.model.errors import Unsupported
from nightdesk.model.identifiers import AccountId, Symbol
from nightdesk.model.venue import AccountSnapshot, Holding, Venue
from nightdesk.orders import gaps
from nightdesk.orders.gaps import find_gaps
from nightdesk.runtime.reader import Reader

ACCOUNT = AccountId("main")
BTC, ETH = Symbol("BTC-USD"), Symbol("ETH-USD")


class Looks:
    """A reader that sees one state of the desk after the other: what is held, and what has an order under way."""

    def __init__(self, *seen: tuple[dict[Symbol, str], set[Symbol]]) -> None:
        self.left = [gaps._Standing({name: Decimal(qty) for name, qty in held.items()}, on) for held, on in seen]

    async def read(self, work: object) -> object:
        return self.left.pop(0)


class Holds:
    """A venue that states these positions."""

    def __init__(self, held: dict[Symbol, str] | None) -> None:
        self.held = held

    async def account(self) -> AccountSnapshot:
        if self.held is None:
            raise Unsupported("no positions here")
        holdings = tuple(Holding(symbol=name, qty=Decimal(qty)) for name, qty in self.held.items())
        return AccountSnapshot(account_id=ACCOUNT, at=datetime(2026, 1, 1, tzinfo=UTC), holdings=holdings)


async def found(
    seen: Sequence[tuple[dict[Symbol, str], set[Symbol]]], held: dict[Symbol, str] | None
) -> dict[Symbol, str]:
    looks, venue = cast(Reader, Looks(*seen)), cast(Venue, cast(Any, Holds(held)))
    return {symbol: str(gap.qty) for symbol, gap in (await find_gaps(looks, ACCOUNT, venue)).items()}


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ({BTC: "1"}, {BTC: "1"}, {}),
        ({BTC: "1"}, {BTC: "1.5"}, {BTC: "0.5"}),
        ({BTC: "1"}, {}, {BTC: "-1"}),
        ({}, {ETH: "2"}, {ETH: "2"}),
    ],
)
async def test_what_stands_still_is_compared(
    ours: dict[Symbol, str], theirs: dict[Symbol, str], expected: dict[Symbol, str]
) -> None:
    assert await found([(ours, set()), (ours, set())], theirs) == expected


async def test_a_symbol_with_an_order_under_way_before_or_after_is_not_judged() -> None:
    still: set[Symbol] = set()
    assert await found([({}, {BTC}), ({}, still)], {BTC: "1", ETH: "2"}) == {ETH: "2"}
    assert await found([({}, still), ({}, {BTC})], {BTC: "1", ETH: "2"}) == {ETH: "2"}


async def test_a_symbol_whose_fill_arrived_meanwhile_is_not_judged() -> None:
    assert await found([({BTC: "1"}, set()), ({BTC: "2"}, set())], {BTC: "1"}) == {}
    assert await found([({BTC: "1"}, set()), ({}, set())], {BTC: "1"}) == {}


async def test_a_venue_that_states_no_positions_has_no_gaps() -> None:
    assert await found([({BTC: "1"}, set()), ({BTC: "1"}, set())], None) == {}
