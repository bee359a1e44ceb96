"""The answer that never comes."""

import asyncio
from collections.abc import MutableMapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

Transports = MutableMapping[object, asyncio.Transport]
"""The open connections by peer."""


class Cut(Response):
    """No answer at all: the connection is cut, or left open until the caller gives up."""

    def __init__(self, transports: Transports, stopping: asyncio.Event) -> None:
        super().__init__()
        self._transports = transports
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Returns once the connection has gone."""
        del send
        transport = self._transports.get(tuple(scope["client"]))
        if transport is not None:
            transport.abort()
        stopping = asyncio.ensure_future(self._stopping.wait())
        gone = asyncio.ensure_future(_disconnected(receive))
        await asyncio.wait({stopping, gone}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        gone.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
