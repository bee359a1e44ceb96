"""Posting alerts like TradingView does."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from nightdesk.demo.alerts import Alert
from nightdesk.demo.play import Delivery, play
from nightdesk.runtime.clock import SystemClock

TOKEN = "a token/made for tests"
JSON = Alert(form="native", message='{"symbol":"BTCUSD","secret":"{{webhook.token}}"}', pause=4.0)
TEXT = Alert(form="text", message="BTCUSD,buy,1,1", pause=2.0)


class HastyClock(SystemClock):
    """Real time for sockets; sleeps are only noted, and every look at the time is a second later."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.looks = 0

    def now(self) -> datetime:
        self.looks += 1
        return datetime(2026, 1, 5, 12, 0, self.looks, tzinfo=UTC)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)

    def timeout(self, seconds: float) -> asyncio.Timeout:
        assert seconds == 3.0
        return asyncio.timeout(0.3)


@asynccontextmanager
async def desk(*answers: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server on loopback that gives these raw answers, one per connection, and keeps what it was sent."""
    left = list(answers)
    requests: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        requests.append(head + await reader.readexactly(length))
        words = left.pop(0)
        if words == b"hang":
            await reader.read()
        writer.write(words)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/webhook/", requests


def status(code: int) -> bytes:
    return b"HTTP/1.1 %d Words\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}" % code


async def played(url: str, *stream: Alert) -> tuple[list[Delivery], HastyClock]:
    deliveries: list[Delivery] = []
    clock = HastyClock()
    await play(url, TOKEN, clock, stream, delivered=deliveries.append)
    return deliveries, clock


async def test_json_and_text_go_out_as_tradingview_sends_them() -> None:
    async with desk(status(200), status(422)) as (url, requests):
        deliveries, clock = await played(url, JSON, TEXT)
    assert [(delivery.status, delivery.tries) for delivery in deliveries] == [(200, 1), (422, 1)]
    assert clock.slept == [4.0, 2.0]
    first, second = requests
    assert first.startswith(b"POST /api/webhook/a%20token%2Fmade%20for%20tests HTTP/1.1\r\n")
    assert b"\r\nContent-Type: application/json; charset=utf-8\r\n" in first
    assert first.endswith(b'\r\n\r\n{"symbol":"BTCUSD","secret":"a token/made for tests"}')
    assert b"\r\nContent-Type: text/plain; charset=utf-8\r\n" in second
    assert second.endswith(b"\r\n\r\nBTCUSD,buy,1,1")


async def test_a_500_is_resent_byte_for_byte_after_5_s_until_it_is_taken() -> None:
    async with desk(status(500), status(503), status(200)) as (url, requests):
        deliveries, clock = await played(url, JSON)
    assert [(delivery.status, delivery.tries) for delivery in deliveries] == [(200, 3)]
    assert clock.slept == [4.0, 5.0, 5.0]
    assert len(requests) == 3
    assert len(set(requests)) == 1


async def test_there_are_at_most_three_resends() -> None:
    async with desk(*[status(500)] * 5) as (url, requests):
        deliveries, _ = await played(url, JSON)
    assert [(delivery.status, delivery.tries) for delivery in deliveries] == [(500, 4)]
    assert len(requests) == 4


@pytest.mark.parametrize(
    ("answer", "code"), [(status(504), 504), (status(429), 429), (b"garbage\r\n", None), (b"", None)]
)
async def test_other_answers_are_final(answer: bytes, code: int | None) -> None:
    async with desk(answer) as (url, requests):
        deliveries, _ = await played(url, JSON)
    assert [(delivery.status, delivery.tries) for delivery in deliveries] == [(code, 1)]
    assert len(requests) == 1


async def test_an_answer_that_takes_too_long_is_not_waited_for_nor_resent() -> None:
    async with desk(b"hang") as (url, requests):
        deliveries, _ = await played(url, JSON)
    assert [(delivery.status, delivery.tries) for delivery in deliveries] == [(None, 1)]
    assert len(requests) == 1


async def test_a_desk_that_is_down_costs_one_try_and_the_stream_goes_on() -> None:
    async with desk() as (url, _):
        pass
    deliveries, _ = await played(url, JSON, TEXT)
    assert [(delivery.status, delivery.tries) for delivery in deliveries] == [(None, 1), (None, 1)]


async def test_a_duplicate_is_the_body_before_byte_for_byte_though_time_has_passed() -> None:
    timed = Alert(form="native", message='{"time":"{{timenow}}"}')
    again = Alert(form="native", message='{"time":"{{timenow}}"}', again=True)
    async with desk(*[status(200)] * 3) as (url, requests):
        await played(url, timed, again, timed)
    assert requests[0] == requests[1] != requests[2]


@pytest.mark.parametrize("url", ["https://desk.example/api/webhook", "127.0.0.1:8646", "http:///api"])
async def test_only_plain_http_to_a_named_host_is_posted_to(url: str) -> None:
    with pytest.raises(ValueError, match=r"must begin with http://") as refused:
        await played(url, JSON)
    assert TOKEN not in str(refused.value)


async def test_an_ipv6_host_is_named_in_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    dialled: list[object] = []

    async def dial(*address: object) -> None:
        dialled.append(address)
        raise OSError("no route")

    monkeypatch.setattr("asyncio.open_connection", dial)
    deliveries, _ = await played("http://[::1]:8646/api/webhook", JSON)
    assert dialled == [("::1", 8646)]
    assert deliveries[0].status is None


async def test_nobody_has_to_be_told() -> None:
    listen: Callable[[Delivery], None] | None = None
    async with desk(status(200)) as (url, requests):
        await play(url, TOKEN, HastyClock(), [TEXT], delivered=listen)
    assert len(requests) == 1
