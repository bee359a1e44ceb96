"""(b) From the alert's arrival to the first byte at the venue, as the desk itself records both moments."""

import asyncio
import sqlite3
import time
from pathlib import Path

from bench import servers
from bench.load import alert_requests, run_load


def first_byte_ms(data: Path) -> list[float]:
    """Milliseconds from signal received to first byte, of every order sent so far, smallest first."""
    database = sqlite3.connect(f"file:{data}/nightdesk.db?mode=ro", uri=True)
    rows = database.execute(
        "SELECT sends.first_byte_at - signals.received_at FROM sends"
        " JOIN orders ON orders.cl_ord_id = sends.cl_ord_id JOIN signals ON signals.signal_id = orders.signal_id"
        " WHERE sends.first_byte_at IS NOT NULL AND sends.attempt = 1"
    ).fetchall()
    database.close()
    return sorted(row[0] / 1000 for row in rows)


def share(values: list[float], part: float) -> float:
    """The value that this part of the sorted values stays under."""
    return values[min(len(values) - 1, int(len(values) * part))] if values else float("nan")


async def steady(port: int, path: str, *, rate: float, seconds: float) -> None:
    """Alerts at a steady rate over one connection."""
    request = alert_requests(path)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    ends = time.perf_counter() + seconds
    due = time.perf_counter()
    while due < ends:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        due += 1 / rate
        writer.write(request())
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]))
    writer.close()


def measure() -> list[str]:
    """p50 and p99 at a calm rate and in bursts."""
    path = f"/api/webhook/{servers.WEBHOOK_TOKEN}"
    lines = []
    with servers.desk() as desk:
        asyncio.run(steady(desk.port, path, rate=50, seconds=10))
        time.sleep(1)
        calm = first_byte_ms(desk.data)
        lines.append(
            f"first byte, 50 alerts/s: n {len(calm)}, p50 {share(calm, 0.5):.2f} ms, p99 {share(calm, 0.99):.2f} ms"
        )
    with servers.desk() as desk:
        for _ in range(20):
            asyncio.run(run_load(desk.port, alert_requests(path), connections=10, seconds=0.001))
            time.sleep(0.2)
        time.sleep(1)
        burst = first_byte_ms(desk.data)
        lines.append(
            f"first byte, bursts of 10: n {len(burst)}, p50 {share(burst, 0.5):.2f} ms, p99 {share(burst, 0.99):.2f} ms"
        )
    return lines
