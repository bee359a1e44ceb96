"""A bounded HTTP load on loopback: a few keep-alive connections, each sending its next request once it was answered."""

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What came of one run: requests a second, and latencies in milliseconds."""

    requests: int
    seconds: float
    latencies: tuple[float, ...]
    statuses: dict[int, int]

    @property
    def rps(self) -> float:
        """Answered requests a second."""
        return self.requests / self.seconds

    def ms(self, share: float) -> float:
        """The latency that this share of the requests stayed under."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


@dataclass(slots=True)
class _Tally:
    ends_at: float
    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)


class _Connection(asyncio.Protocol):
    def __init__(self, tally: _Tally, request: Callable[[], bytes], done: asyncio.Future[None]) -> None:
        self._tally = tally
        self._request = request
        self._done = done
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a TCP transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        status = int(head[9:12])
        self._tally.statuses[status] = self._tally.statuses.get(status, 0) + 1
        now = time.perf_counter()
        self._tally.latencies.append((now - self._sent_at) * 1000)
        if now < self._tally.ends_at:
            self._send()
        elif self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        if self._transport is not None:
            self._transport.write(self._request())


async def run_load(port: int, request: Callable[[], bytes], *, connections: int, seconds: float) -> Load:
    """What a server on loopback answered to so many connections in so many seconds."""
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    tally = _Tally(ends_at=began + seconds)
    done = [loop.create_future() for _ in range(connections)]
    for future in done:
        await loop.create_connection(lambda future=future: _Connection(tally, request, future), "127.0.0.1", port)
    await asyncio.gather(*done)
    took = time.perf_counter() - began
    return Load(
        requests=len(tally.latencies), seconds=took, latencies=tuple(tally.latencies), statuses=dict(tally.statuses)
    )


def alert_requests(path: str) -> Callable[[], bytes]:
    """Requests that each carry an alert of its own: a market order with an id never used before."""
    numbers = itertools.count()
    prefix = f"{time.time_ns():x}"

    def request() -> bytes:
        number = next(numbers)
        side = "buy" if number % 2 else "sell"
        body = (
            f'{{"symbol": "BTC-USD", "side": "{side}", "size": "0.001", "strategy": "bench", "price": null,'
            f' "id": "{prefix}-{number}"}}'
        ).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: desk\r\nContent-Type: application/json\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    return request
