"""The paper exchange as a server of its own: one book for several engines, and a ledger that outlives each of them."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from nightdesk.model.instrument import Instrument
from nightdesk.model.market import Prices
from nightdesk.runtime.clock import Clock
from nightdesk.venues.paper.config import PaperConfig
from nightdesk.venues.paper.exchange import PaperExchange
from nightdesk.venues.paper.faults import Fault, FaultKind, FaultScript
from nightdesk.venues.paper.ledger import NAME, Ledger
from nightdesk.venues.paper.server.cut import Transports
from nightdesk.venues.paper.server.routes import PaperRoutes


def serve(
    *,
    data: Path,
    port: int,
    prices: Prices,
    clock: Clock,
    instruments: Iterable[Instrument],
    config: PaperConfig | None = None,
    host: str = "127.0.0.1",
    loss: float = 0.0,
    seed: int = 0,
    feed: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Answers on the port until SIGTERM or SIGINT; LedgerError when another exchange has the data directory.

    `loss` is the probability that the answer to an order is lost after the order was taken. `feed` runs beside the
    server in its loop; `ready` is called with the URL once requests are answered (port 0 takes a free one).
    """
    lost = Fault(kind=FaultKind.LOST_REPLY, times=None, probability=loss)
    exchange = PaperExchange(
        prices=prices,
        clock=clock,
        instruments=instruments,
        config=replace(config or PaperConfig(), url=""),
        ledger=Ledger(data / NAME),
        script=FaultScript([lost] if loss else [], seed=seed),
    )
    try:
        asyncio.run(_until_stopped(exchange, clock, host, port, feed, ready))
    finally:
        exchange.close()


async def _until_stopped(
    exchange: PaperExchange,
    clock: Clock,
    host: str,
    port: int,
    feed: Callable[[], Coroutine[Any, Any, None]] | None,
    ready: Callable[[str], None] | None,
) -> None:
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with listening(exchange, clock=clock, host=host, port=port) as url:
        feeding = loop.create_task(feed()) if feed is not None else None
        if ready is not None:
            ready(url)
        await stopped.wait()
        if feeding is not None:
            feeding.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await feeding


@contextlib.asynccontextmanager
async def listening(
    exchange: PaperExchange, *, clock: Clock, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[str]:
    """The exchange answers at the URL given until the block ends; OSError when the port is taken."""
    transports: Transports = {}
    routes = PaperRoutes(exchange, clock=clock, transports=transports)
    server = _Server(
        uvicorn.Config(
            routes.app(),
            http=_cuttable(transports),
            lifespan="off",
            ws="none",
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=2,
        )
    )
    with socket.create_server((host, port), reuse_port=False) as listener:
        # Inherited by every connection; asyncio sets it by itself only on sockets that name their protocol. Without it
        # each answer after the first waits 40 ms for an acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = asyncio.get_running_loop().create_task(server.serve(sockets=[listener]))
        await server.up.wait()
        try:
            yield f"http://{host}:{listener.getsockname()[1]}"
        finally:
            routes.stop()
            server.should_exit = True
            await task


class _Server(uvicorn.Server):
    """Says when it answers, and leaves signals to whoever started it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Requests are answered from here on."""
        await super().startup(sockets=sockets)
        self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are not touched."""
        yield


def _cuttable(transports: Transports) -> type[HttpToolsProtocol]:
    class Cuttable(HttpToolsProtocol):
        """Keeps its transport where a scripted fault finds it."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its parent
            super().connection_made(transport)
            self._peer = transport.get_extra_info("peername")
            transports[self._peer] = transport

        def connection_lost(self, exc: Exception | None) -> None:
            transports.pop(self._peer, None)
            super().connection_lost(exc)

    return Cuttable
