"""What lists and pages read, on both databases. K12, X5."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from nightdesk.model.denial import Denied, DenyCode
from nightdesk.model.enums import Doubt, OrdStatus, Side, SignalOutcome
from nightdesk.model.execution import Fact, FactKind
from nightdesk.model.identifiers import AccountId, ClOrdId, ExecId, HookId, OwnerId, SignalId, Sleeve, Symbol, VenueId
from nightdesk.runtime.database import Database, Tx, to_micros
from nightdesk.runtime.reader import Reader
from nightdesk.web import store
from nightdesk.web.history.store import MOST_SHOWN, history, readable
from nightdesk.web.store import Filters, Place
from tests.web.desks import Board
from tests.web.world import START, World

SOMEBODY_ELSE = OwnerId("somebody else")


@pytest.fixture
def place(database: Database) -> Iterator[tuple[World, Reader]]:
    """An empty database with two accounts, on each dialect."""
    world = World(database)
    world.account()
    world.account("north", "north")
    reader = Reader(database)
    yield world, reader
    reader.close()


def several(world: World) -> None:
    """Six signals a minute apart, the later ones not traded."""
    for i in range(4):
        world.now = START + timedelta(minutes=i)
        signal = world.signal(hook=HookId("trend" if i % 2 else "swing"), sleeve=Sleeve("trend" if i % 2 else "swing"))
        order = world.order(signal, side=Side.BUY if i % 2 else Side.SELL)
        if i == 3:
            order = replace(order, account_id=AccountId("north"), venue=VenueId("north"), symbol=Symbol("ETH-USD"))
        world.accepted(signal, order)
        if i < 2:
            world.filled(order)
        if i == 2:
            world.unanswered(order)
    world.now = START + timedelta(minutes=4)
    denied = Denied(code=DenyCode.PRICE_COLLAR, text="price collar: too far", field="price", limit="5 %", value="6 %")
    signal = world.signal()
    world.denied(signal, world.order(signal), denied)
    world.now = START + timedelta(minutes=5)
    world.record(world.signal(source="person"), SignalOutcome.NO_ACTION, text="nothing to do")


def ids(lines: Any) -> list[str]:
    return [getattr(line, "cl_ord_id", None) or line.signal_id for line in lines]


def test_orders_come_newest_first_and_narrowed(place: tuple[World, Reader]) -> None:
    world, reader = place
    several(world)

    def count(**filters: Any) -> int:
        return len(reader.run(lambda tx: store.orders(tx, Filters(**filters), limit=50)))

    everything = reader.run(lambda tx: store.orders(tx, Filters(), limit=50))
    assert [line.created_at for line in everything] == sorted((line.created_at for line in everything), reverse=True)
    assert count() == 5
    assert count(venue="north") == 1
    assert count(symbol="ETH-USD") == 1
    assert count(sleeve="swing") == 2
    assert count(source="person") == 0
    assert count(status="FILLED") == 2
    assert count(status="DENIED") == 1
    assert count(status="IN_DOUBT") == 1
    assert count(status="OPEN") == 2
    assert count(since=to_micros(START + timedelta(minutes=3))) == 2
    assert count(until=to_micros(START + timedelta(minutes=3))) == 3
    assert count(venue="paper", status="FILLED", sleeve="trend") == 1
    assert reader.run(lambda tx: store.orders(tx, Filters(), limit=50, owner=SOMEBODY_ELSE)) == []


def test_a_denied_order_names_its_limit_and_value(place: tuple[World, Reader]) -> None:
    world, reader = place
    several(world)
    (line,) = reader.run(lambda tx: store.orders(tx, Filters(status="DENIED"), limit=50))
    assert (line.check, line.limit, line.value, line.code) == ("price collar", "5 %", "6 %", "PRICE_COLLAR")
    assert (line.ord_status, line.doubt, line.leaves_qty) == (OrdStatus.DENIED, Doubt.NONE, 0)


def test_an_order_is_read_with_its_decimals_exact(place: tuple[World, Reader]) -> None:
    world, reader = place
    signal = world.signal()
    order = world.order(signal, order_qty=Decimal("0.12345678"), price=Decimal("64000.10"))
    world.accepted(signal, order)
    world.filled(order, px="64000.10", qty=Decimal("0.1"), fee="0.00000001")
    line = reader.run(lambda tx: store.order(tx, order.cl_ord_id))
    assert line is not None
    assert (line.order_qty, line.cum_qty, line.avg_px) == (Decimal("0.12345678"), Decimal("0.1"), Decimal("64000.1"))
    assert (line.fees, line.leaves_qty, line.is_open) == (Decimal("0.00000001"), Decimal("0.02345678"), True)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_pages_skip_and_repeat_nothing_though_moments_are_equal(place: tuple[World, Reader], size: int) -> None:
    world, reader = place
    for _ in range(4):
        signal = world.signal()
        world.accepted(signal, world.order(signal), world.order(signal, 1))
        signal = world.signal()
        order = world.order(signal)
        world.accepted(signal, order)
        world.filled(order)
    reads: list[tuple[Any, Any]] = [
        (store.orders, lambda line: Place(to_micros(line.created_at), line.cl_ord_id)),
        (store.signals, lambda line: Place(to_micros(line.received_at), line.signal_id)),
        (store.executions, lambda line: Place(to_micros(line.at), line.cl_ord_id, line.key)),
    ]
    for read, place_of in reads:
        whole = reader.run(lambda tx, read=read: read(tx, Filters(), limit=500))
        found, after = [], Place()
        while page := reader.run(lambda tx, read=read, after=after: read(tx, Filters(), limit=size, after=after)):
            found += page
            after = place_of(page[-1])
        assert ids(found) == ids(whole)
        assert len(whole) in (12, 8, 4)


def test_signals_not_traded_are_in_the_list(place: tuple[World, Reader]) -> None:
    world, reader = place
    several(world)

    def found(**filters: Any) -> list[str]:
        return [line.outcome for line in reader.run(lambda tx: store.signals(tx, Filters(**filters), limit=50))]

    assert found() == ["NO_ACTION", "REFUSED", "ACCEPTED", "ACCEPTED", "ACCEPTED", "ACCEPTED"]
    assert found(outcome="REFUSED") == ["REFUSED"]
    assert found(source="person") == ["NO_ACTION"]
    assert len(found(hook="swing")) == 2
    assert found(venue="north") == ["ACCEPTED"]
    assert len(found(symbol="ETH-USD")) == 1
    assert len(found(symbol="BTC-USD")) == 6
    assert found(since=to_micros(START + timedelta(minutes=5))) == ["NO_ACTION"]


def test_a_signal_keeps_why_and_what_it_repeats(place: tuple[World, Reader]) -> None:
    world, reader = place
    first = world.signal()
    again = world.signal(notes=("stop_loss was read and is not acted on",))
    denied = Denied(code=DenyCode.DUPLICATE_SIGNAL, text="the same")
    world.record(again, SignalOutcome.DUPLICATE, denied=denied, first=first.signal_id)
    line = reader.run(lambda tx: store.signal(tx, again.signal_id))
    assert line is not None
    assert (line.outcome, line.code, line.first_signal_id) == ("DUPLICATE", "DUPLICATE_SIGNAL", first.signal_id)
    assert line.notes == ("stop_loss was read and is not acted on",)
    assert line.summary == "Buy 0.5 BTC-USD"


def test_fills_are_listed_and_a_busted_one_says_so(place: tuple[World, Reader]) -> None:
    world, reader = place
    several(world)
    fills = reader.run(lambda tx: store.executions(tx, Filters(), limit=50))
    assert len(fills) == 2
    newest = fills[0]
    assert (newest.last_qty, newest.last_px, newest.fee) == (Decimal("0.5"), Decimal(64000), Decimal("1.28"))
    order = world.order(world.signal(), cl_ord_id=ClOrdId(newest.cl_ord_id))
    bust = Fact(
        key=f"bust:{newest.exec_id}",
        kind=FactKind.BUST,
        stamp=to_micros(START) * 2,
        at=START + timedelta(hours=1),
        origin="stream",
        exec_id=ExecId(newest.exec_id),
    )
    world.facts(order, bust)
    found = reader.run(lambda tx: store.execution(tx, newest.cl_ord_id, newest.exec_id))
    assert found is not None
    assert found.busted
    assert [line.busted for line in reader.run(lambda tx: store.executions(tx, Filters(), limit=50))] == [True, False]
    assert reader.run(lambda tx: store.executions(tx, Filters(venue="north"), limit=50)) == []


@pytest.mark.parametrize("text", ["", "\x00", "a\x00b", "\ud800", "'; DROP TABLE orders; --", "%", "x" * 10_000])
def test_s21_what_is_no_id_finds_nothing_and_breaks_nothing(place: tuple[World, Reader], text: str) -> None:
    _, reader = place

    def look(tx: Tx) -> list[object]:
        return [
            store.order(tx, ClOrdId(text)),
            store.signal(tx, SignalId(text)),
            store.execution(tx, text, text),
            history(tx, ClOrdId(text)),
        ]

    assert reader.run(look) == [None] * 4


def test_positions_are_valued_at_the_price_of_the_moment_and_say_where_it_came_from(
    place: tuple[World, Reader],
) -> None:
    world, reader = place
    signal = world.signal()
    order = world.order(signal)
    world.accepted(signal, order)
    world.filled(order, px="63000", fee="2")
    board = Board(START)
    (held,) = reader.run(lambda tx: store.positions(tx, board))
    assert (held.qty, held.avg_px, held.px, held.simulated) == (Decimal("0.5"), Decimal(63000), Decimal(64000), True)
    assert (held.unrealised_pnl, held.notional, held.fees) == (Decimal(500), Decimal(32000), Decimal(2))
    board.mids.clear()
    (held,) = reader.run(lambda tx: store.positions(tx, board))
    assert (held.px, held.unrealised_pnl, held.notional) == (None, None, None)


def test_a_position_that_was_closed_is_not_held(place: tuple[World, Reader]) -> None:
    world, reader = place
    for side in (Side.BUY, Side.SELL):
        signal = world.signal()
        order = world.order(signal, side=side)
        world.accepted(signal, order)
        world.filled(order)
    assert reader.run(lambda tx: store.positions(tx, Board(START))) == []


def test_today_counts_from_midnight_and_doubts_of_every_day(place: tuple[World, Reader]) -> None:
    world, reader = place
    several(world)
    counts = reader.run(lambda tx: store.today(tx, 0))
    assert counts.signals == {"ACCEPTED": 4, "REFUSED": 1, "NO_ACTION": 1}
    assert counts.orders == {"FILLED": 2, "PENDING_NEW": 2, "DENIED": 1}
    assert counts.in_doubt == 1
    later = reader.run(lambda tx: store.today(tx, to_micros(START + timedelta(days=1))))
    assert (later.signals, later.orders, later.in_doubt) == ({}, {}, 1)


def test_x5_the_history_of_an_order_has_everything(place: tuple[World, Reader]) -> None:
    world, reader = place
    signal = world.signal()
    order, other = world.order(signal), world.order(signal, 1, account_id=AccountId("north"), venue=VenueId("north"))
    world.accepted(signal, order, other)
    world.filled(order)
    found = reader.run(lambda tx: history(tx, order.cl_ord_id))
    assert found is not None
    assert found.signal is not None
    assert "***" in found.signal.body
    assert [leg.venue for leg in found.legs] == ["paper", "north"]
    assert [(check.name, check.limit, check.value) for check in found.checks][3] == ("order value", "25000", "32000")
    assert [command.kind for command in found.commands] == ["NEW"]
    (send,) = found.sends
    assert (send.wire_id, send.attempt, send.outcome) == (f"nd-{order.cl_ord_id[-8:]}", 1, "NEW")
    assert send.first_byte_at is not None
    assert send.answered_at is not None
    assert send.sending_at < send.first_byte_at < send.answered_at
    assert [fact.kind for fact in found.facts] == [FactKind.STATUS, FactKind.FILL]
    assert [event.topic for event in found.events] == ["order.accepted"]
    assert found.config_version == "c0ffee"
    assert reader.run(lambda tx: history(tx, order.cl_ord_id, owner=SOMEBODY_ELSE)) is None


def test_what_was_sent_is_shown_without_its_secrets() -> None:
    canary = "canary-secret-canary-secret"
    for payload in (
        f'{{"symbol": "BTC-USD", "signature": "{canary}"}}',
        f"POST /order?api_key={canary}&qty=1",
        f"Authorization: Bearer {canary}",
        f'{{"private_key": "{canary}", "qty": 1}}',
    ):
        assert canary not in readable(payload.encode())
    assert "BTC-USD" in readable(b'{"symbol": "BTC-USD"}')
    assert readable(b"\xff\xfe\x00") == "fffe00"
    assert len(readable(b"x" * 100_000)) == MOST_SHOWN + 1
