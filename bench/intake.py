"""(a) Durable intake over HTTP against an endpoint that stores nothing, in the same run, round by round."""

import asyncio
import sqlite3
import statistics

from bench import servers
from bench.load import Load, alert_requests, run_load

ROUNDS = 3
SECONDS = 4.0


def measure(connections: int) -> list[str]:
    """Requests a second of both, their ratio, and the desk's latencies."""
    bare_runs: list[Load] = []
    desk_runs: list[Load] = []
    with servers.bare() as yardstick, servers.desk() as desk:
        path = f"/api/webhook/{servers.WEBHOOK_TOKEN}"
        asyncio.run(run_load(yardstick.port, alert_requests("/api/webhook"), connections=connections, seconds=1))
        asyncio.run(run_load(desk.port, alert_requests(path), connections=connections, seconds=1))
        for _ in range(ROUNDS):
            bare_runs.append(
                asyncio.run(
                    run_load(yardstick.port, alert_requests("/api/webhook"), connections=connections, seconds=SECONDS)
                )
            )
            desk_runs.append(
                asyncio.run(run_load(desk.port, alert_requests(path), connections=connections, seconds=SECONDS))
            )
            asyncio.run(_quiet(desk.data))
    bare = statistics.median(run.rps for run in bare_runs)
    durable = statistics.median(run.rps for run in desk_runs)
    spread = [run.rps for run in desk_runs]
    statuses = {status for run in desk_runs for status in run.statuses}
    last = sorted(desk_runs, key=lambda run: run.rps)[len(desk_runs) // 2]
    return [
        f"intake c={connections}: bare {bare:,.0f}/s, durable {durable:,.0f}/s"
        f" ({min(spread):,.0f} to {max(spread):,.0f}), ratio {durable / bare:.2f},"
        f" p50 {last.ms(0.5):.2f} ms, p99 {last.ms(0.99):.2f} ms, statuses {sorted(statuses)}"
    ]


async def _quiet(data: object) -> None:
    """Returns once the desk has sent what was queued, so that rounds do not lean on each other."""
    for _ in range(200):
        database = sqlite3.connect(f"file:{data}/nightdesk.db?mode=ro", uri=True)
        waiting = database.execute("SELECT COUNT(*) FROM commands WHERE state IN ('QUEUED', 'SENDING')").fetchone()[0]
        database.close()
        if waiting == 0:
            return
        await asyncio.sleep(0.1)
