"""Pages kept up to date: what changed in the first page, rendered once and sent to everybody who looks at it."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Mapping

from anyio import to_thread
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from nightdesk.model.denial import DenyCode
from nightdesk.runtime.changes import Bell
from nightdesk.runtime.database import StoreUnavailable
from nightdesk.web.auth import Door
from nightdesk.web.desk import Desk
from nightdesk.web.glance import look
from nightdesk.web.pages.render import parts
from nightdesk.web.problems import Problem, WebCode

log = logging.getLogger(__name__)

MOST_VIEWERS = 50
PACE = 1.0
"""Seconds between two renderings at least, however much changes."""
IDLE = 5.0
"""Seconds after which the page is rendered anew though nothing was published: ages grow by themselves."""
_QUEUED = 4
_SEND_SECONDS = 10.0
_NEWS = 200
_WORDS = frozenset({"prices", "status", "signals"})


class Viewer:
    """One open page: what it is still to be sent, and whether it fell behind and was given up."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[bytes | None] = asyncio.Queue(_QUEUED)
        self.lost = False

    def offer(self, message: bytes | None) -> None:
        """The message waits to be sent; a viewer whose queue is full is given up, and its browser connects again."""
        try:
            self.waiting.put_nowait(message)
        except asyncio.QueueFull:
            self.lost = True


class Stage:
    """Renders while somebody looks; nothing runs while nobody does."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._viewers: set[Viewer] = set()
        self._shown: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def watch(self) -> AsyncGenerator[bytes, None]:
        """Messages in the form of server-sent events, until the viewer goes or the desk stops."""
        if self._closed or len(self._viewers) >= MOST_VIEWERS:
            raise Problem(DenyCode.OVERLOADED, f"{MOST_VIEWERS} pages are open already; close one")
        viewer = Viewer()
        self._viewers.add(viewer)
        if self._shown:
            viewer.offer(_event("parts", self._shown))
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run(), name="stage")
        try:
            while not viewer.lost:
                message = await viewer.waiting.get()
                if message is None:
                    return
                yield message
        finally:
            self._viewers.discard(viewer)

    def close(self) -> None:
        """Every page has been told that the desk stops; browsers come back by themselves."""
        self._closed = True
        for viewer in self._viewers:
            viewer.lost = True
            viewer.offer(None)
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        bell = Bell()
        news: set[str] = set()

        def heard(changed: frozenset[str]) -> None:
            if len(news) < _NEWS:
                news.update(changed - _WORDS)
            bell.ring(changed)

        unsubscribe = self._desk.changes.subscribe(heard)
        try:
            while self._viewers:
                told, fresh = list(news), await self._render()
                news.difference_update(told)
                changed = {name: html for name, html in fresh.items() if self._shown.get(name) != html}
                self._shown.update(changed)
                # A message goes out in any case: a connection that is gone is noticed by writing to it.
                message = _event("parts", changed) if changed else b": nothing new\n\n"
                if told:
                    message += _event("news", told)
                for viewer in list(self._viewers):
                    viewer.offer(message)
                await self._desk.clock.sleep(PACE)
                try:
                    async with self._desk.clock.timeout(IDLE):
                        await bell.wait()
                except TimeoutError:
                    continue
        except Exception:
            log.exception("the page could not be kept up to date")
        finally:
            unsubscribe()
            self._shown.clear()
            for viewer in self._viewers:
                viewer.lost = True
                viewer.offer(None)

    async def _render(self) -> Mapping[str, str]:
        try:
            return await to_thread.run_sync(lambda: parts(look(self._desk)))
        except StoreUnavailable as error:
            log.warning("the page could not be read anew", extra={"reason": str(error)})
            return {}


def _event(name: str, data: "Mapping[str, str] | list[str]") -> bytes:
    # JSON has no line breaks of its own, which would end the event.
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


class Stream:
    """The address browsers listen at."""

    def __init__(self, desk: Desk, door: Door, stage: Stage) -> None:
        self._desk = desk
        self._door = door
        self._stage = stage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Events are sent until the browser goes, its session ends or it stops reading."""
        request = Request(scope, receive)
        if self._door.look(request) is None:
            raise Problem(WebCode.SIGN_IN_REQUIRED)
        gone = asyncio.ensure_future(_gone(receive))
        started = False
        watching = self._stage.watch()
        try:
            async for message in watching:
                if gone.done() or self._door.look(request) is None:
                    break
                async with self._desk.clock.timeout(_SEND_SECONDS):
                    if not started:
                        started = True
                        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
                        await send({"type": "http.response.body", "body": b"retry: 2000\n\n", "more_body": True})
                    await send({"type": "http.response.body", "body": message, "more_body": True})
            if started:
                await send({"type": "http.response.body", "body": b""})
        except TimeoutError:
            log.info("a page stopped reading and was let go")
        finally:
            gone.cancel()
            await watching.aclose()


_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
