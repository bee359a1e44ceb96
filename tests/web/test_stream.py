"""Pages kept up to date. Row 68, S21."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from nightdesk.runtime.database import StoreUnavailable
from nightdesk.web import stream
from nightdesk.web.desk import Desk
from nightdesk.web.problems import Problem
from nightdesk.web.server import build_app
from nightdesk.web.stream import Stage
from tests.web.desks import OPERATOR_TOKEN, Calls
from tests.web.world import World


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page is rendered as often as it changes."""
    monkeypatch.setattr(stream, "PACE", 0.01)
    monkeypatch.setattr(stream, "IDLE", 0.05)


def events(message: bytes) -> dict[str, Any]:
    """The events of a message by name."""
    found = {}
    for block in message.decode().strip().split("\n\n"):
        if block.startswith("event: "):
            name, data = block.removeprefix("event: ").split("\ndata: ")
            found[name] = json.loads(data)
    return found


async def until(watching: AsyncIterator[bytes], met: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first message that fits."""
    async with asyncio.timeout(5):
        async for message in watching:
            found = events(message)
            if met(found):
                return found
    raise AssertionError("the stream ended")


async def test_a_viewer_gets_the_whole_page_and_then_what_changed(desk: Desk, world: World, calls: Calls) -> None:
    stage = Stage(desk)
    watching = stage.watch()
    first = await until(watching, lambda found: "parts" in found)
    assert "Ready, and waiting" in first["parts"]["state"]
    assert first["parts"].keys() >= {"figures", "feed", "positions", "venues", "mode"}
    signal = world.signal()
    order = world.order(signal)
    world.accepted(signal, order)
    calls.changes.publish([order.cl_ord_id, "prices", "status"])
    second = await until(watching, lambda found: "news" in found)
    assert second["news"] == [order.cl_ord_id]
    assert order.cl_ord_id in second["parts"]["feed"]
    assert "venues" not in second["parts"]
    await watching.aclose()


async def test_nothing_runs_while_nobody_looks(desk: Desk, calls: Calls) -> None:
    stage = Stage(desk)
    watching = stage.watch()
    await anext(watching)
    await watching.aclose()
    assert stage._task is not None
    async with asyncio.timeout(2):
        await stage._task
    assert not calls.changes._listeners


async def test_row_68_a_viewer_that_does_not_read_is_given_up_and_holds_nobody_back(desk: Desk) -> None:
    stage = Stage(desk)
    slow, quick_one = stage.watch(), stage.watch()
    await anext(slow)
    for _ in range(12):
        await anext(quick_one)
    left = [message async for message in slow]
    assert len(left) <= 4
    assert len(stage._viewers) == 1
    await quick_one.aclose()


async def test_s21_no_more_viewers_than_can_be_served(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MOST_VIEWERS", 1)
    stage = Stage(desk)
    watching = stage.watch()
    await anext(watching)
    with pytest.raises(Problem) as caught:
        await anext(stage.watch())
    assert caught.value.status == 503
    await watching.aclose()


async def test_a_database_that_is_away_for_a_while_ends_no_stream(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(desk)
    watching = stage.watch()
    await anext(watching)

    def away(_: Desk) -> None:
        raise StoreUnavailable("gone")

    with monkeypatch.context() as patched:
        patched.setattr(stream, "look", away)
        for _ in range(3):
            assert events(await anext(watching)).get("parts") is None
    await anext(watching)
    await watching.aclose()


async def test_an_error_nobody_foresaw_ends_the_streams_so_that_browsers_come_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Desk) -> None:
        raise ValueError("broken")

    monkeypatch.setattr(stream, "look", broken)
    stage = Stage(desk)
    async with asyncio.timeout(2):
        assert [message async for message in stage.watch()] == []
    assert not stage._viewers


async def test_stopping_the_desk_ends_every_stream(desk: Desk) -> None:
    stage = Stage(desk)
    watching = stage.watch()
    await anext(watching)
    stage.close()
    async with asyncio.timeout(2):
        async for _ in watching:
            continue
    with pytest.raises(Problem):
        await anext(stage.watch())


async def test_over_http_it_is_a_stream_of_events_that_no_proxy_holds_back(desk: Desk) -> None:
    app = build_app(desk)
    sent: list[dict[str, Any]] = []
    gone = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)
        if len(sent) > 4:
            gone.set()

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": "/stream",
        "raw_path": b"/stream", "query_string": b"", "root_path": "", "scheme": "http", "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80), "headers": [(b"authorization", f"Bearer {OPERATOR_TOKEN}".encode())],
    }  # fmt: skip
    async with asyncio.timeout(5):
        await app(scope, receive, send)
    headers = dict(sent[0]["headers"])
    assert sent[0]["status"] == 200
    assert headers[b"content-type"] == b"text/event-stream"
    assert headers[b"x-accel-buffering"] == b"no"
    assert sent[1]["body"].startswith(b"retry:")
    assert not sent[-1].get("more_body")
