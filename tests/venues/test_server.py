"""The paper exchange as a process: killed, restarted, locked, losing answers, and its endpoints."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from nightdesk.model.enums import ExecType, OrdStatus, Side
from nightdesk.model.errors import OutcomeUnknown, VenueClosed, VenueError
from nightdesk.model.execution import ExecutionReport
from nightdesk.runtime.clock import SystemClock
from nightdesk.venues.paper.ledger import NAME, read_ledger
from nightdesk.venues.paper.payload import read_object
from nightdesk.venues.paper.remote import PaperRemote
from nightdesk.venues.paper.server import serve
from nightdesk.venues.paper.tape import Gone, Tape
from tests.venues.stand import (
    ACCOUNT,
    PLAIN,
    CountingGate,
    HandPrices,
    Stand,
    apart,
    listed,
    make_order,
    quoted,
    until,
)

ROOT = Path(__file__).parents[2]


class Server:
    """A server process on a data directory."""

    def __init__(self, data: Path, loss: float = 0.0, seed: int = 0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.venues.paper_server", str(data), str(loss), str(seed)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=10)
        return self.process.returncode


@contextlib.contextmanager
def server(data: Path, loss: float = 0.0, seed: int = 0) -> Iterator[Server]:
    one = Server(data, loss, seed)
    try:
        yield one
    finally:
        one.process.kill()
        one.process.communicate(timeout=10)


@contextlib.asynccontextmanager
async def remote(url: str) -> AsyncIterator[PaperRemote]:
    venue = PaperRemote(replace(PLAIN, url=url, timeout_seconds=2.0), ACCOUNT, clock=SystemClock())
    yield venue
    await venue.close()


@pytest.mark.crash
async def test_x6_a_killed_server_comes_back_with_every_order_it_answered(tmp_path: Path) -> None:
    clock = SystemClock()
    orders = [make_order(clock, number) for number in range(20)]
    with server(tmp_path) as first:
        async with remote(first.url) as venue:
            for order in orders:
                report = await venue.submit(venue.prepare(order, now=clock.now()), CountingGate())
                assert report.ord_status is OrdStatus.FILLED
            before = await venue.account()
        first.end(signal.SIGKILL)
    with server(tmp_path) as second:
        async with remote(second.url) as venue:
            for order in orders:
                again = await venue.submit(venue.prepare(order, now=clock.now()), CountingGate())
                assert again.text == "duplicate client order id"
            after = await venue.account()
        assert second.end(signal.SIGTERM) == 0
    assert (after.balances, after.holdings) == (before.balances, before.holdings)
    assert sum(line["kind"] == "accept" for line in read_ledger(tmp_path / NAME)) == len(orders)


@pytest.mark.crash
async def test_x6_a_server_killed_under_load_has_taken_each_answered_order_once(tmp_path: Path) -> None:
    clock = SystemClock()
    answered: list[str] = []

    async def send(venue: PaperRemote) -> None:
        for number in range(100_000):
            order = make_order(clock, number, Side.BUY if number % 2 else Side.SELL)
            try:
                await venue.submit(venue.prepare(order, now=clock.now()), CountingGate())
            except (OutcomeUnknown, VenueClosed):
                return
            answered.append(order.cl_ord_id)

    with server(tmp_path) as one:
        async with remote(one.url) as venue:
            sending = asyncio.create_task(send(venue))
            await until(lambda: len(answered) > 50)
            one.process.send_signal(signal.SIGKILL)
            await sending
    accepted = [line["client_id"] for line in read_ledger(tmp_path / NAME) if line["kind"] == "accept"]
    assert len(set(accepted)) == len(accepted)
    assert set(answered) <= set(accepted)
    assert len(accepted) <= len(answered) + 1


@pytest.mark.crash
async def test_row_16_lost_answers_leave_orders_that_asking_finds(tmp_path: Path) -> None:
    clock = SystemClock()
    lost = 0
    with server(tmp_path, 0.5, 7) as one:
        async with remote(one.url) as venue:
            for number in range(40):
                order = make_order(clock, number)
                try:
                    await venue.submit(venue.prepare(order, now=clock.now()), CountingGate())
                except OutcomeUnknown:
                    lost += 1
                assert await venue.order_status(order) is not None
    assert 8 < lost < 32
    assert sum(line["kind"] == "accept" for line in read_ledger(tmp_path / NAME)) == 40


def test_a_server_runs_with_its_feed_until_it_is_told_to_stop(tmp_path: Path) -> None:
    clock, prices = SystemClock(), HandPrices()
    urls: list[str] = []

    async def feed() -> None:
        prices.push(quoted(clock, "99.99", "100.00"))
        os.kill(os.getpid(), signal.SIGTERM)
        await clock.sleep(60)

    for loss in (0.0, 0.5):
        serve(
            data=tmp_path,
            port=0,
            prices=prices,
            clock=clock,
            instruments=[listed()],
            loss=loss,
            feed=feed,
            ready=urls.append,
        )
    assert [url.startswith("http://127.0.0.1:") for url in urls] == [True, True]
    assert prices.listeners == []
    assert [line["kind"] for line in read_ledger(tmp_path / NAME)] == ["open"]


@pytest.mark.crash
def test_a_second_server_on_the_same_data_does_not_start(tmp_path: Path) -> None:
    with server(tmp_path):
        second = Server(tmp_path)
        assert second.url == ""
        _, said = second.process.communicate(timeout=10)
        assert "in use by another process" in said
        assert second.process.returncode == 1


async def call(stand: Stand, method: str, path: str, **more: Any) -> httpx2.Response:
    venue = stand.venue
    assert isinstance(venue, PaperRemote)
    return await venue._client.request(method, path, **more)


async def test_every_wrong_request_is_told_in_our_json(tmp_path: Path) -> None:
    async with apart(tmp_path) as stand:
        wrong: list[tuple[str, str, dict[str, Any], str]] = [
            ("POST", "/v1/orders", {"content": b"nonsense"}, "the body is not JSON"),
            ("POST", "/v1/orders", {"content": b"x" * 70_000}, "longer than 65536"),
            ("POST", "/v1/orders", {"headers": {"X-Account": ""}}, "X-Account is missing"),
            ("POST", "/v1/cancel", {"content": b"[]"}, "not a JSON object"),
            ("POST", "/v1/faults", {"content": b'{"kind":"none"}'}, "kind is none of"),
            ("GET", "/v1/orders", {}, "add open=1"),
            ("GET", "/v1/fills", {}, "since is missing"),
            ("GET", "/v1/ledger?after=x", {}, "after is not a line number"),
        ]
        for method, path, more, words in wrong:
            response = await call(stand, method, path, **more)
            assert response.status_code == 400
            assert words in response.json()["error"]["text"]


async def test_x8_faults_are_scripted_and_cleared_over_http(tmp_path: Path) -> None:
    async with apart(tmp_path) as stand:
        rule = {"kind": "reject", "times": None, "text": "not today"}
        assert (await call(stand, "POST", "/v1/faults", json=rule)).status_code == 200
        assert (await stand.submit(stand.order())).text == "not today"
        assert (await call(stand, "DELETE", "/v1/faults")).status_code == 200
        assert (await stand.submit(stand.order())).ord_status is OrdStatus.FILLED


async def test_the_ledger_is_read_over_http_from_any_line_on(tmp_path: Path) -> None:
    async with apart(tmp_path) as stand:
        await stand.submit(stand.order())
        whole = (await call(stand, "GET", "/v1/ledger")).text.splitlines()
        assert [read_object(line) for line in whole] == read_ledger(stand.path)
        rest = (await call(stand, "GET", "/v1/ledger?after=3")).text.splitlines()
        assert rest == whole[3:]


async def test_row_28_a_stream_goes_on_where_it_broke_off(tmp_path: Path) -> None:
    async with apart(tmp_path) as stand:
        async with stand.listening() as seen:
            await stand.submit(stand.order())
            await until(lambda: len(seen) == 2)
        missed = stand.order()
        await stand.submit(missed)
        async with stand.listening() as later:
            await until(lambda: len(later) == 2)
        assert {one.cl_ord_id for one in later} == {missed.cl_ord_id}


async def test_row_29_a_stream_that_ends_or_lost_its_place_says_so(tmp_path: Path) -> None:
    async with apart(tmp_path) as stand:
        venue = stand.venue
        assert isinstance(venue, PaperRemote)
        stream = venue.reports()
        reading = asyncio.ensure_future(anext(stream))
        await until(lambda: bool(venue._cursor))
        epoch = venue._cursor.partition("-")[0]
        orders = [stand.limit(Side.BUY, "1", "90.00") for _ in range(3)]
        for order in orders:
            await stand.submit(order)
        assert (await reading).cl_ord_id == orders[0].cl_ord_id
        await stream.aclose()
        venue._cursor = "an-earlier-process"
        again = venue.reports()
        assert (await anext(again)).cl_ord_id == orders[0].cl_ord_id
        await again.aclose()
        venue._cursor = f"{epoch}-2"
        third = venue.reports()
        assert (await anext(third)).cl_ord_id == orders[2].cl_ord_id
        await third.aclose()


async def test_a_server_that_stops_ends_its_streams_and_hanging_answers(tmp_path: Path) -> None:
    async def read(venue: PaperRemote) -> None:
        async for _ in venue.reports():
            pass

    async with contextlib.AsyncExitStack() as stack:
        stand = await stack.enter_async_context(apart(tmp_path))
        venue = PaperRemote(
            replace(PLAIN, url=str(stand.venue._client.base_url), timeout_seconds=9),  # type: ignore[attr-defined]
            ACCOUNT,
            clock=SystemClock(),
        )
        reading = asyncio.create_task(read(venue))
        await until(lambda: bool(venue._cursor))
        await call(stand, "POST", "/v1/faults", json={"kind": "hang_after_accept"})
        wire = venue.prepare(stand.order(), now=stand.clock.now())
        hanging = asyncio.create_task(venue.submit(wire, CountingGate()))
        await until(lambda: len(read_ledger(stand.path)) > 3)
        await call(stand, "POST", "/v1/faults", json={"kind": "late_accept", "delay": 60})
        with pytest.raises(OutcomeUnknown):
            await stand.submit(stand.order())
        await stack.pop_all().aclose()
    with pytest.raises(VenueError):
        await reading
    with pytest.raises(OutcomeUnknown):
        await hanging
    await venue.close()


async def test_a_ledger_that_cannot_be_written_is_an_open_outcome_over_http(tmp_path: Path) -> None:
    async with apart(tmp_path) as stand:
        assert stand.exchange.ledger is not None
        size = os.path.getsize(stand.path)  # noqa: PTH202, ASYNC240  # a test may look at a small local file
        stand.exchange.ledger.close()
        with pytest.raises(OutcomeUnknown, match="503"):
            await stand.submit(stand.order())
        assert stand.path.stat().st_size == size


async def test_a_late_accept_happens_without_anybody_asking(tmp_path: Path) -> None:
    async with apart(tmp_path) as stand:
        await call(stand, "POST", "/v1/faults", json={"kind": "late_accept", "delay": 0.5})
        order = stand.limit(Side.BUY, "1", "90.00")
        with pytest.raises(OutcomeUnknown):
            await stand.submit(order)
        stand.clock.advance(0.5)
        await until(lambda: stand.lines(order)["accept"] == 1)


async def test_a_tape_that_has_lost_the_place_says_so() -> None:
    tape = Tape(asyncio.get_running_loop(), "e", kept=2)
    report = ExecutionReport(cl_ord_id=None, exec_type=ExecType.NEW, ord_status=OrdStatus.NEW)
    for _ in range(5):
        tape.put(report)
    await asyncio.sleep(0)
    with pytest.raises(Gone):
        tape.after(2)
    lines, number = tape.after(3)
    assert (lines.count("\n"), number) == (2, 5)
    assert tape.start("") == tape.start("e-99") == 5
    assert tape.start("f-3") == tape.start("e-x") == 0
    async with asyncio.timeout(1):
        await tape.grown(4)
