"""The exchange: restarts, threads, a failing ledger, and the rules for faults."""

import errno
import logging
import threading
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from nightdesk.model.enums import OrdStatus, OrdType, Side
from nightdesk.model.errors import OutcomeUnknown, Unsupported
from nightdesk.model.identifiers import AccountId, Symbol
from nightdesk.runtime.clock import VirtualClock
from nightdesk.venues.paper.adapter import PaperVenue
from nightdesk.venues.paper.exchange import PaperExchange
from nightdesk.venues.paper.faults import Fault, FaultKind, FaultScript, read_fault
from nightdesk.venues.paper.ledger import NAME, Ledger, LedgerError, read_ledger
from nightdesk.venues.paper.payload import Malformed
from nightdesk.venues.paper.replies import Fate
from tests.venues.stand import (
    ACCOUNT,
    BTC,
    PLAIN,
    CountingGate,
    HandPrices,
    Stand,
    inside,
    listed,
    make_exchange,
    make_order,
    quoted,
    until,
)


async def everything(stand: Stand) -> None:
    """One of each thing a ledger can hold."""
    stand.move("99.99", "100.00", size="1")
    await stand.submit(stand.order(Side.BUY, "3"))
    await stand.submit(stand.limit(Side.BUY, "1", "90.00"))
    canceled = stand.limit(Side.BUY, "1", "91.00")
    await stand.submit(canceled)
    await stand.cancel(canceled)
    await stand.submit(stand.order(Side.BUY, "100000"))
    await stand.submit(stand.order(Side.SELL, "1", ord_type=OrdType.STOP, stop_px=Decimal(95)))
    waiting = stand.order(Side.SELL, "1", ord_type=OrdType.STOP_LIMIT, stop_px=Decimal(99), price=Decimal(120))
    await stand.submit(waiting)
    stand.move("98.00", "98.01", last="98.00", size="0.5")
    stand.fault(FaultKind.FORCE_FILL, client_id=canceled.cl_ord_id, qty=Decimal(1), px=Decimal(91))
    stand.fault(FaultKind.ADJUST, account="main", symbol=BTC, qty=Decimal(-1), px=Decimal(50))
    stand.fault(FaultKind.ASYNC_REJECT)
    await stand.submit(stand.order())
    stand.later(0)
    stand.fault(FaultKind.RATE_LIMITED)
    stand.exchange.submit(ACCOUNT, stand.venue.prepare(stand.order(), now=stand.clock.now()).payload)
    stand.exchange.submit(ACCOUNT, b"not JSON")


async def test_x6_a_restart_rebuilds_everything_from_the_ledger(tmp_path: Path) -> None:
    async with inside(tmp_path) as stand:
        await everything(stand)
        venue, numbers = stand.venue, range(1, stand.numbers + 1)
        before = (
            await venue.open_orders(),
            await venue.fills(stand.clock.now() - timedelta(days=1)),
            replace(await venue.account(), at=stand.clock.now()),
            [await venue.order_status(make_order(stand.clock, number)) for number in numbers],
        )
        now = stand.clock.now()
    clock = VirtualClock(now)
    exchange = make_exchange(tmp_path / NAME, clock)
    again = PaperVenue(exchange, ACCOUNT, clock=clock)
    after = (
        await again.open_orders(),
        await again.fills(now - timedelta(days=1)),
        replace(await again.account(), at=now),
        [await again.order_status(make_order(clock, number)) for number in numbers],
    )
    assert after == before
    seqs = [line["seq"] for line in read_ledger(tmp_path / NAME)]
    assert seqs == list(range(1, len(seqs) + 1))
    exchange.close()


async def test_a_wiped_book_stays_wiped_after_a_restart_and_a_used_id_stays_used(tmp_path: Path) -> None:
    async with inside(tmp_path) as stand:
        first = stand.limit(Side.BUY, "1", "90.00")
        await stand.submit(first)
        stand.exchange.inject(Fault(kind=FaultKind.WIPE_BOOK, account="somebody else"))
        assert len(await stand.venue.open_orders()) == 1
        stand.exchange.submit(
            ACCOUNT, b'{"symbol":"BTC-USD","side":"BUY","ord_type":"LIMIT","order_qty":"2","price":"9"}'
        )
        stand.fault(FaultKind.WIPE_BOOK, account="main")
        second = stand.order()
        await stand.submit(second)
    async with inside(tmp_path) as stand:
        assert await stand.venue.order_status(first) is None
        report = await stand.submit(second)
        assert report.text == "duplicate client order id"
        assert stand.lines(second)["accept"] == 1


def test_a_torn_line_is_noted_and_order_ids_go_on_without_repeating(tmp_path: Path) -> None:
    path, clock = tmp_path / NAME, VirtualClock()
    make_exchange(path, clock).close()
    with path.open("ab") as file:
        file.write(b'{"seq":2,"at":')
    exchange = make_exchange(path, clock)
    exchange.close()
    assert read_ledger(path)[-1]["text"] == "cut off 14 bytes of an unfinished line"


def test_a_ledger_of_another_currency_is_refused(tmp_path: Path) -> None:
    path, clock = tmp_path / NAME, VirtualClock()
    make_exchange(path, clock).close()
    with pytest.raises(LedgerError, match="keeps USD, the settings say EUR"):
        make_exchange(path, clock, replace(PLAIN, currency="EUR"))


async def test_fills_from_the_feeds_thread_reach_the_loop_in_order(tmp_path: Path) -> None:
    async with inside(tmp_path) as stand, stand.listening() as seen:
        orders = [stand.limit(Side.BUY, "1", f"{90 - i}.00") for i in range(20)]
        for order in orders:
            await stand.submit(order)

        def fall() -> None:
            for i in range(20):
                stand.move(f"{90 - i}.00", f"{90 - i}.00")

        feed = threading.Thread(target=fall)
        feed.start()
        await until(lambda: len(seen) == 40)
        feed.join()
    assert [one.cl_ord_id for one in seen[20:]] == [order.cl_ord_id for order in orders]


async def test_without_a_ledger_everything_works_in_memory() -> None:
    clock, prices = VirtualClock(), HandPrices()
    exchange = PaperExchange(prices=prices, clock=clock, instruments=[listed()])
    prices.push(quoted(clock, "99.99", "100.00"))
    venue = PaperVenue(exchange, ACCOUNT, clock=clock)
    order = make_order(clock, 1)
    report = await venue.submit(venue.prepare(order, now=clock.now()), CountingGate())
    assert report.ord_status is OrdStatus.FILLED
    await venue.close()
    exchange.close()
    assert prices.listeners == []


async def test_accounts_share_nothing(tmp_path: Path) -> None:
    async with inside(tmp_path) as stand:
        other = PaperVenue(stand.exchange, AccountId("other"), clock=stand.clock)
        order = stand.order()
        await stand.submit(order)
        assert await other.order_status(order) is None
        assert (await other.account()).balances == {"USD": Decimal(100_000)}
        wire = other.prepare(order, now=stand.clock.now())
        assert (await other.submit(wire, CountingGate())).text == ""
        await other.close()


async def test_an_unlisted_symbol_is_unsupported_here_and_rejected_there(tmp_path: Path) -> None:
    async with inside(tmp_path) as stand:
        with pytest.raises(Unsupported, match="does not list DOGE-USD"):
            stand.venue.prepare(stand.order(symbol=Symbol("DOGE-USD")), now=stand.clock.now())
        reply = stand.exchange.submit(
            ACCOUNT, b'{"client_id":"x","symbol":"DOGE-USD","side":"BUY","ord_type":"MARKET","order_qty":"2"}'
        )
        assert reply.report is not None
        assert reply.report.text == "DOGE-USD is not listed here"
        stand.move("1", "2", symbol=Symbol("DOGE-USD"))


async def test_a_ledger_that_cannot_be_written_leaves_the_outcome_open_and_books_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with inside(tmp_path) as stand:
        resting = stand.limit(Side.BUY, "1", "90.00")
        await stand.submit(resting)

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "append", full)
            with pytest.raises(OutcomeUnknown, match="Free disk space"):
                await stand.submit(stand.order())
            with pytest.raises(OutcomeUnknown, match="Free disk space"):
                await stand.cancel(resting)
            with caplog.at_level(logging.ERROR):
                stand.move("89.00", "89.01")
                stand.move("88.00", "88.01")
        assert len(caplog.records) == 1
        assert len(await stand.venue.open_orders()) == 1
        stand.move("87.00", "87.01")
        assert await stand.venue.open_orders() == []


async def test_parts_fill_one_at_each_quote(tmp_path: Path) -> None:
    async with inside(tmp_path) as stand:
        stand.fault(FaultKind.PARTIAL, parts=3)
        order = stand.order(Side.BUY, "1")
        assert (await stand.submit(order)).cum_qty == Decimal("0.334")
        stand.move("99.99", "100.00")
        stand.move("99.99", "100.00")
        assert stand.lines(order)["fill"] == 3
        assert await stand.venue.open_orders() == []


async def test_faults_on_a_known_id_do_not_reject_the_first_order(tmp_path: Path) -> None:
    async with inside(tmp_path) as stand:
        order = stand.order()
        await stand.submit(order)
        for kind in (FaultKind.REJECT, FaultKind.ASYNC_REJECT):
            stand.fault(kind)
            assert (await stand.submit(order)).ord_status is OrdStatus.FILLED
        fresh = stand.order()
        stand.fault(FaultKind.REJECT)
        assert (await stand.submit(fresh)).text == "rejected as scripted"
        assert (await stand.submit(fresh)).text == "duplicate client order id: rejected as scripted"


async def test_a_refused_cancel_of_an_unknown_order_is_open_too(tmp_path: Path) -> None:
    async with inside(tmp_path) as stand:
        stand.fault(FaultKind.REJECT, verb="cancel")
        with pytest.raises(OutcomeUnknown):
            await stand.cancel(stand.order())
        stand.fault(FaultKind.LOST_REPLY, verb="cancel", taken=False)
        order = stand.limit(Side.BUY, "1", "90.00")
        await stand.submit(order)
        with pytest.raises(OutcomeUnknown):
            await stand.cancel(order)
        assert len(await stand.venue.open_orders()) == 1


async def test_x8_rules_filter_count_and_are_cleared(tmp_path: Path) -> None:
    async with inside(tmp_path) as stand:
        stand.fault(FaultKind.REJECT, symbol="ETH-USD")
        stand.fault(FaultKind.REJECT, account="other")
        stand.fault(FaultKind.REJECT, client_id="abc")
        stand.fault(FaultKind.REJECT, times=0)
        assert (await stand.submit(stand.order())).ord_status is OrdStatus.FILLED
        stand.fault(FaultKind.REJECT, times=None)
        for _ in range(3):
            assert (await stand.submit(stand.order())).ord_status is OrdStatus.REJECTED
        stand.exchange.clear_faults()
        assert (await stand.submit(stand.order())).ord_status is OrdStatus.FILLED


def test_x8_the_same_seed_strikes_the_same_requests() -> None:
    def struck(seed: int) -> list[bool]:
        script = FaultScript([Fault(kind=FaultKind.LOST_REPLY, times=None, probability=0.5)], seed=seed)
        kinds = frozenset({FaultKind.LOST_REPLY})
        return [script.take(kinds, "order", account="a") is not None for _ in range(200)]

    assert struck(1) == struck(1) != struck(2)
    assert 60 < sum(struck(1)) < 140


def test_faults_that_name_nothing_are_refused(tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path / NAME, VirtualClock())
    with pytest.raises(Malformed, match="force_fill needs"):
        exchange.inject(Fault(kind=FaultKind.FORCE_FILL, client_id="x", qty=Decimal(1), px=Decimal(1)))
    with pytest.raises(Malformed, match="adjust needs"):
        exchange.inject(Fault(kind=FaultKind.ADJUST, account="main"))
    exchange.close()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "nonsense"}, "kind is none of"),
        ({"kind": "reject", "colour": "red"}, "unknown field: colour"),
        ({"kind": "reject", "verb": "orders"}, "verb is none of order, cancel, read, report"),
        ({"kind": "reject", "delay": "soon"}, "delay is not a number"),
        ({"kind": "reject", "delay": -1}, "delay is not a number"),
        ({"kind": "reject", "times": True}, "times is not a number"),
        ({"kind": "reject", "qty": 1}, "qty is not a decimal number"),
    ],
)
def test_a_rule_that_cannot_be_read_is_refused(fields: dict[str, object], words: str) -> None:
    with pytest.raises(Malformed, match=words):
        read_fault(fields)


def test_a_rule_is_read_whole() -> None:
    assert read_fault({"kind": "late_accept", "times": None, "delay": 1.5, "probability": 0.5, "qty": "2"}) == Fault(
        kind=FaultKind.LATE_ACCEPT, times=None, delay=1.5, probability=0.5, qty=Decimal(2)
    )


def test_a_body_that_is_no_order_is_turned_away_and_its_id_stays_free(tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path / NAME, VirtualClock())
    reply = exchange.submit(ACCOUNT, b'{"client_id":"x","colour":"red"}')
    assert (reply.fate, reply.text) == (Fate.REFUSED, "unknown field: colour")
    assert exchange.order_status(ACCOUNT, "x") is None
    assert [line["kind"] for line in read_ledger(tmp_path / NAME)] == ["open", "request"]
    exchange.close()
