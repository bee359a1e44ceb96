"""The real server on a loopback socket: hostile bodies and heads, ports, shutdown. Row 75, S21, S31."""

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from nightdesk.orders.intent import Acceptance
from nightdesk.web import patience
from nightdesk.web.config import WebConfig
from nightdesk.web.server import build_app, serve
from tests.web.desks import OPERATOR_TOKEN, WEBHOOK, Calls, acceptance, make_desk
from tests.web.world import World

HOST = "127.0.0.1"


@asynccontextmanager
async def serving(world: World, **settings: object) -> AsyncIterator[tuple[int, Calls]]:
    """A desk on a free port."""
    config = WebConfig(**{"port": 0, "rate_burst": 10_000, "rate_per_minute": 600_000, **settings})  # type: ignore[arg-type]  # any of its keys
    desk, calls = make_desk(world, config=config)
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(build_app(desk), config, ready.set_result))
    try:
        async with asyncio.timeout(10):
            port = await ready
        yield port, calls
    finally:
        task.cancel()
        async with asyncio.timeout(10):
            await asyncio.gather(task, return_exceptions=True)
        desk.reader.close()


async def exchange(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """What comes back until the server closes or says nothing more."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        async with asyncio.timeout(10):
            return await reader.read(65536)
    except (ConnectionResetError, BrokenPipeError):
        return b""
    finally:
        writer.close()


def head(*lines: str, path: str = f"/api/webhook/{WEBHOOK}", method: str = "POST") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: desk", *lines, "", ""]).encode()


def resident() -> int:
    """The memory of this process in kB."""
    fields = Path(f"/proc/{os.getpid()}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


async def test_the_port_that_was_free_is_told_and_answers(world: World) -> None:
    async with serving(world) as (port, calls):
        body = b'{"symbol": "BTC-USD"}'
        answer = await exchange(port, head(f"Content-Length: {len(body)}", "Connection: close") + body)
    assert answer.startswith(b"HTTP/1.1 202 ")
    assert json.loads(answer.rpartition(b"\r\n\r\n")[2])["code"] == "ACCEPTED"
    assert b"server:" not in answer.lower()
    assert calls.alerts == [("default", body, None)]


async def test_a_taken_port_is_an_error_that_says_so(world: World) -> None:
    async with serving(world) as (port, _):
        desk, _ = make_desk(world, config=WebConfig(port=port))
        with pytest.raises(OSError, match="in use"):
            await serve(build_app(desk), desk.config, lambda bound: None)


async def test_row_75_a_gigabyte_that_is_declared_is_refused_at_once(world: World) -> None:
    async with serving(world) as (port, calls):
        answer = await exchange(port, head("Content-Length: 1000000000"), b"x" * 1000)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer
    assert calls.alerts == []


async def test_row_75_a_chunked_body_without_end_is_cut_off_in_bounded_memory(world: World) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    async with serving(world) as (port, calls):
        before = resident()
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(head("Transfer-Encoding: chunked"))
        sent = 0
        try:
            while sent < 2000:
                writer.write(chunk)
                async with asyncio.timeout(5):
                    await writer.drain()
                sent += 1
        except (ConnectionError, TimeoutError):
            pass
        answer = await reader.read(2000) if sent == 2000 else b""
        writer.close()
        assert sent < 2000 or answer.startswith(b"HTTP/1.1 413 ")
        assert resident() - before < 50_000
        assert calls.alerts == []


async def test_row_75_a_body_that_drips_is_408_and_the_connection_closed(world: World) -> None:
    async with serving(world, body_timeout=0.3) as (port, calls):
        answer = await exchange(port, head("Content-Length: 100"), b"{", b"}", pause=0.2)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in answer
    assert calls.alerts == []


async def test_row_75_a_sender_that_goes_in_the_middle_leaves_nothing_behind(world: World) -> None:
    async with serving(world) as (port, calls):
        _, writer = await asyncio.open_connection(HOST, port)
        writer.write(head("Content-Length: 100") + b"{")
        await writer.drain()
        writer.close()
        await asyncio.sleep(0.1)
        assert calls.alerts == []
        assert (await exchange(port, head("Connection: close", path="/api/health/live", method="GET"))).startswith(
            b"HTTP/1.1 200 "
        )


async def test_row_75_a_head_that_drips_is_closed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "HEAD_SECONDS", 0.2)
    async with serving(world) as (port, _):
        async with asyncio.timeout(3):
            assert await exchange(port) == b""
            assert await exchange(port, b"POST /api/webhook HTTP/1.1\r\nHost: x\r\nX-Slow: ") == b""


async def test_s21_a_head_without_end_is_closed_in_bounded_memory(world: World) -> None:
    async with serving(world) as (port, _):
        before = resident()
        _, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"POST /api/webhook HTTP/1.1\r\nX-Long: ")
        sent = 0
        try:
            while sent < 500:
                writer.write(b"x" * 65536)
                async with asyncio.timeout(5):
                    await writer.drain()
                sent += 1
        except (ConnectionError, TimeoutError):
            pass
        writer.close()
        assert sent < 500
        assert resident() - before < 50_000


async def test_a_second_request_on_the_same_connection_works(world: World) -> None:
    async with serving(world) as (port, calls):
        body = b"{}"
        one = head("Content-Length: 2") + body
        last = head("Content-Length: 2", "Connection: close") + body
        answer = await exchange(port, one + last)
        assert answer.count(b"HTTP/1.1 202 ") == 2
    assert len(calls.alerts) == 2


@pytest.mark.parametrize("raw", [b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n"])
async def test_what_is_no_http_is_400_or_closed(world: World, raw: bytes) -> None:
    async with serving(world) as (port, _):
        answer = await exchange(port, raw + b"\r\n\r\n")
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


async def test_stopping_lets_a_request_under_way_end_and_streams_go(world: World) -> None:
    async with serving(world) as (port, calls):
        held = asyncio.Event()

        async def slowly(hook: str, raw: bytes, key: str | None) -> Acceptance:
            held.set()
            await asyncio.sleep(0.3)
            return acceptance(world)

        calls.answer = slowly
        get = head(f"Authorization: Bearer {OPERATOR_TOKEN}", path="/stream", method="GET")
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(get)
        async with asyncio.timeout(5):
            assert b"text/event-stream" in await reader.read(4096)
        under_way = asyncio.create_task(exchange(port, head("Content-Length: 2") + b"{}"))
        await held.wait()
    answer = await under_way
    assert answer.startswith(b"HTTP/1.1 202 ")
    async with asyncio.timeout(5):
        while await reader.read(65536):
            continue
    writer.close()


async def test_s31_no_token_stands_in_the_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(world) as (port, _):
        await exchange(port, head("Content-Length: 2", "Connection: close") + b"{}")
        await exchange(
            port, head("Connection: close", path=f"/api/webhook/{WEBHOOK}?token={OPERATOR_TOKEN}", method="GET")
        )
        await exchange(port, head("Connection: close", path=f"/orders/{WEBHOOK}", method="GET"))
    routes = [record.__dict__["route"] for record in caplog.records if record.message == "request"]
    assert routes == ["/api/webhook/{token}", "no route", "/orders/{cl_ord_id}"]
    assert WEBHOOK not in caplog.text
    assert OPERATOR_TOKEN not in caplog.text
    assert not any(WEBHOOK in str(record.__dict__) for record in caplog.records)
