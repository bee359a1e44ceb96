"""The remote venue's judgement: what proves that nothing left, and what leaves the outcome open."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import OrdStatus
from nightdesk.model.errors import (
    GateClosed,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Unsupported,
    VenueClosed,
    VenueError,
)
from nightdesk.runtime.clock import SystemClock, VirtualClock
from nightdesk.venues.paper.remote import PaperRemote
from tests.venues.stand import ACCOUNT, PLAIN, CountingGate, make_order

ORDER = make_order(VirtualClock(), 1)
NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
REPORT = {"client_id": ORDER.cl_ord_id, "exec_type": "NEW", "ord_status": "NEW"}


def http(status: int, body: bytes, *headers: str, length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@contextlib.asynccontextmanager
async def answering(answer: bytes | None, seconds: float = 0.3) -> AsyncIterator[tuple[PaperRemote, list[bytes]]]:
    """A server that answers every request with these bytes and closes the connection; None: it never answers."""
    requests: list[bytes] = []

    handled: set[asyncio.Task[object] | None] = set()

    async def answer_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handled.add(asyncio.current_task())
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError):
            requests.append(await reader.readuntil(b"\r\n\r\n"))
            if answer is None:
                await reader.read()
            else:
                writer.write(answer)
                await writer.drain()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    listener = await asyncio.start_server(answer_one, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    config = replace(PLAIN, url=f"http://127.0.0.1:{port}", timeout_seconds=seconds)
    venue = PaperRemote(config, ACCOUNT, clock=SystemClock())
    async with listener:
        yield venue, requests
        await venue.close()
        await asyncio.gather(*(task for task in handled if task is not None))


UNUSABLE = {
    "closed without a byte": b"",
    "not HTTP": b"SSH-2.0-OpenSSH\r\n",
    "half a header": b"HTTP/1.1 200 OK\r\nContent-Le",
    "half a body": http(200, json.dumps({"report": REPORT}).encode()[:20], length=200),
    "half of a gzip": http(200, gzip.compress(json.dumps({"report": REPORT}).encode())[:-12], "Content-Encoding: gzip"),
    "a page": http(200, b"<html>checking your browser</html>"),
    "a forbidding page": http(403, b"<html>forbidden</html>"),
    "a page about too many requests": http(429, b"<html>slow down</html>"),
    "a redirect": http(302, b"", "Location: http://127.0.0.1:1/"),
    "a bad gateway": http(502, b"<html>bad gateway</html>"),
    "a server error in our words": http(500, b'{"error":{"code":"refused","text":"no"}}'),
    "no report": http(200, b"{}"),
    "a status that does not exist": http(200, json.dumps({"report": {**REPORT, "ord_status": "MAYBE"}}).encode()),
    "a price that cannot be": http(200, json.dumps({"report": {**REPORT, "last_px": "NaN"}}).encode()),
    "another order": http(200, json.dumps({"report": {**REPORT, "client_id": "f" * 32}}).encode()),
}


@pytest.mark.parametrize("answer", UNUSABLE.values(), ids=UNUSABLE)
async def test_rows_19_20_41_after_the_first_byte_nothing_but_a_report_is_an_answer(answer: bytes) -> None:
    async with answering(answer) as (venue, requests):
        gate = CountingGate()
        with pytest.raises(OutcomeUnknown) as caught:
            await venue.submit(venue.prepare(ORDER, now=NOW), gate)
        assert gate.asked == 1
        assert len(requests) == 1
        assert "X-Account" not in str(caught.value)


@pytest.mark.parametrize("name", [name for name in UNUSABLE if name != "another order"])
async def test_row_31_the_same_holds_for_a_cancel(name: str) -> None:
    async with answering(UNUSABLE[name]) as (venue, _):
        with pytest.raises(OutcomeUnknown):
            await venue.cancel(ORDER, None, CountingGate())


@pytest.mark.parametrize("name", [name for name in UNUSABLE if name != "another order"])
async def test_row_20_a_reading_call_is_an_error_and_no_doubt(name: str) -> None:
    async with answering(UNUSABLE[name]) as (venue, _):
        with pytest.raises(VenueError) as caught:
            await venue.order_status(ORDER)
        assert not isinstance(caught.value, OutcomeUnknown)


async def test_row_16_a_server_that_says_nothing_is_given_up_in_time() -> None:
    async with answering(None, seconds=0.1) as (venue, _), asyncio.timeout(2):
        with pytest.raises(OutcomeUnknown):
            await venue.submit(venue.prepare(ORDER, now=NOW), CountingGate())
        with pytest.raises(VenueError):
            await venue.account()


async def test_row_4_a_server_that_is_not_there_proves_that_nothing_left() -> None:
    async with answering(b"") as (venue, _):
        pass
    venue = PaperRemote(replace(PLAIN, url=str(venue._client.base_url)), ACCOUNT, clock=SystemClock())
    gate = CountingGate()
    with pytest.raises(VenueClosed) as caught:
        await venue.submit(venue.prepare(ORDER, now=NOW), gate)
    assert isinstance(caught.value, NotSent)
    assert gate.asked == 0
    with pytest.raises(VenueError):
        await venue.open_orders()
    with pytest.raises(VenueError, match="broke"):
        await anext(venue.reports())
    await venue.close()


async def test_a_gate_that_closes_at_the_last_moment_keeps_every_byte_back() -> None:
    def closed() -> None:
        raise GateClosed(DenyCode.DEADLINE, "The deadline has passed.")

    async with answering(http(200, b"{}")) as (venue, requests):
        with pytest.raises(GateClosed):
            await venue.submit(venue.prepare(ORDER, now=NOW), closed)
        await asyncio.sleep(0.02)
        assert requests == []


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (("Retry-After: 3",), 3),
        (("Retry-After: 1000000000",), 3600),
        (("Retry-After: -1",), None),
        (("Retry-After: Wed, 21 Oct 2026 07:28:00 GMT",), None),
        ((), None),
    ],
)
async def test_row_24_a_wait_is_read_and_bounded(headers: tuple[str, ...], seconds: float | None) -> None:
    answer = http(429, b'{"error":{"code":"rate_limited","text":"Too many requests."}}', *headers)
    async with answering(answer) as (venue, _):
        with pytest.raises(RateLimited) as caught:
            await venue.submit(venue.prepare(ORDER, now=NOW), CountingGate())
        assert caught.value.retry_after == seconds
        with pytest.raises(RateLimited):
            await venue.account()


async def test_a_refusal_in_our_words_is_a_rejection_of_an_order_and_no_effect_of_a_cancel() -> None:
    async with answering(http(400, b'{"error":{"code":"refused","text":"expired before receipt"}}')) as (venue, _):
        report = await venue.submit(venue.prepare(ORDER, now=NOW), CountingGate())
        assert (report.ord_status, report.text) == (OrdStatus.REJECTED, "expired before receipt")
        with pytest.raises(Unsupported, match="expired before receipt"):
            await venue.cancel(ORDER, None, CountingGate())


@pytest.mark.parametrize(
    "body",
    [
        b'{"reports":{}}',
        b'{"reports":[1]}',
        b'{"reports":[{"exec_type":"NEW"}]}',
        b'{"at":"2026-01-05T09:30:00+00:00"}',
        b'{"at":"2026-01-05T09:30:00+00:00","balances":{"USD":"1e400"},"holdings":[]}',
        b'{"at":"2026-01-05T09:30:00+00:00","balances":{},"holdings":[{"symbol":"BTC-USD"}]}',
        b'{"instruments":[{"symbol":""}]}',
        b'{"instruments":[{"symbol":"BTC-USD","base":"BTC","quote":"USD","tick_size":"0","lot_size":"1"}]}',
    ],
)
async def test_row_41_a_list_with_a_value_that_cannot_be_is_refused_whole(body: bytes) -> None:
    async with answering(http(200, body)) as (venue, _):
        for call in (venue.open_orders, lambda: venue.fills(NOW), venue.account, venue.instruments):
            with pytest.raises(VenueError, match="unreadable"):
                await call()


@pytest.mark.parametrize(
    "answer",
    [
        http(410, b'{"error":{"code":"gone","text":"gone"}}'),
        http(200, b"<html>\n"),
        http(200, b'{"cursor":"a-1","report":{}}\n'),
        http(200, b'{"cursor":"a-1"}\n'),
        http(200, b'{"cursor":"a-1"}\n', length=500),
    ],
)
async def test_row_29_a_stream_that_breaks_says_so(answer: bytes) -> None:
    async with answering(answer) as (venue, _):
        venue._cursor = "a-0"
        with pytest.raises(VenueError):
            await anext(venue.reports())
