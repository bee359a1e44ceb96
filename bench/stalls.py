"""Row 68: readers that stall, pages that block and strategies that block delay no order."""

import asyncio
import contextlib
import multiprocessing
import os
import sys
import time
from pathlib import Path

from bench import servers
from bench.first_byte import first_byte_ms, share, steady
from nightdesk.app.desk import OpenDesk
from nightdesk.app.process import run_with
from nightdesk.runtime.secrets import Tokens
from nightdesk.settings import load

SECONDS = 10.0
STALLED_READERS = 20
BLOCKED_THREADS = 4


def measure() -> list[str]:
    """p99 from alert to first byte, calm and with everything stalled, and their ratio."""
    calm, stalled = _run(stall=False), _run(stall=True)
    before, after = share(calm, 0.99), share(stalled, 0.99)
    return [
        f"stalls: p99 alert to first byte calm {before:.2f} ms (p50 {share(calm, 0.5):.2f}),"
        f" with stalled pages and blocked strategies {after:.2f} ms (p50 {share(stalled, 0.5):.2f}),"
        f" ratio {after / before:.2f}"
    ]


def _run(*, stall: bool) -> list[float]:
    command = [sys.executable, "-m", "bench.stalls", "stall" if stall else "calm"]
    with servers.process(command, servers.WIDE) as desk:
        path = f"/api/webhook/{servers.WEBHOOK_TOKEN}"

        async def load() -> None:
            await steady(desk.port, path, rate=20, seconds=1)
            readers = [await _stalled_reader(desk.port, number) for number in range(STALLED_READERS if stall else 0)]
            await steady(desk.port, path, rate=50, seconds=SECONDS)
            for writer in readers:
                writer.close()

        asyncio.run(load())
        time.sleep(0.5)
        return first_byte_ms(desk.data)


async def _stalled_reader(port: int, number: int) -> asyncio.StreamWriter:
    """A client that asks for a page, or for the live stream, and never reads the answer."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
    page = "/stream" if number % 2 else "/"
    writer.write(
        f"GET {page} HTTP/1.1\r\nHost: desk\r\nAuthorization: Bearer {servers.OPERATOR_TOKEN}\r\n\r\n".encode()
    )
    return writer


def _spin(seconds: float) -> None:
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        pass


async def _block(_port: int, _tokens: Tokens, _opened: OpenDesk) -> None:
    """Strategies that block: worker threads that sleep, and a process that computes, as the desk runs them."""
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_spin, args=(SECONDS + 2,), daemon=True)
    process.start()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*(asyncio.to_thread(time.sleep, SECONDS) for _ in range(BLOCKED_THREADS)))


def main() -> None:
    """A desk as `nightdesk run` makes it, with or without blocked strategies beside it."""
    stall = sys.argv[1] == "stall"
    given = dict(zip(sys.argv[2::2], sys.argv[3::2], strict=True))
    overrides = {"runtime.data": given["--data"], "web.port": given["--port"]}
    settings = load(file=Path(given["--config"]), env={}, overrides=overrides)
    run_with(settings, env=os.environ, beside=_block if stall else None)


if __name__ == "__main__":
    main()
