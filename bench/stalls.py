"""Row 68: readers that stall, pages that block and strategies that block delay no order."""

import asyncio
import contextlib
import os
import statistics
import sys
import time
from pathlib import Path

from bench import servers
from bench.first_byte import first_byte_ms, share, steady
from nightdesk.app.desk import OpenDesk
from nightdesk.app.process import run_with
from nightdesk.runtime.aside import Aside
from nightdesk.runtime.secrets import Tokens
from nightdesk.settings import load

SECONDS = 10.0
ROUNDS = 3
STALLED_READERS = 20
BLOCKED_THREADS = 4


def measure() -> list[str]:
    """p99 from alert to first byte, calm and with everything stalled, and their ratio: medians of alternated rounds."""
    calm, stalled = [], []
    for _ in range(ROUNDS):
        calm.append(_run(stall=False))
        stalled.append(_run(stall=True))
    before, after = (statistics.median(share(run, 0.99) for run in runs) for runs in (calm, stalled))
    middle, middle_after = (statistics.median(share(run, 0.5) for run in runs) for runs in (calm, stalled))
    return [
        f"stalls: p99 alert to first byte calm {before:.2f} ms (p50 {middle:.2f}),"
        f" with stalled pages and blocked strategies {after:.2f} ms (p50 {middle_after:.2f}),"
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
    """Strategies that block: worker threads that wait, and a process that computes, as the desk runs them."""
    aside = Aside()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(
            aside.run(_spin, SECONDS + 2), *(asyncio.to_thread(time.sleep, SECONDS) for _ in range(BLOCKED_THREADS))
        )
    aside.close()


def main() -> None:
    """A desk as `nightdesk run` makes it, with or without blocked strategies beside it."""
    stall = sys.argv[1] == "stall"
    given = dict(zip(sys.argv[2::2], sys.argv[3::2], strict=True))
    overrides = {"runtime.data": given["--data"], "web.port": given["--port"]}
    settings = load(file=Path(given["--config"]), env={}, overrides=overrides)
    run_with(settings, env=os.environ, beside=_block if stall else None)


if __name__ == "__main__":
    main()
